/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "client/libhsmctl.h"
#include "client/options.h"

typedef struct Values {
        const char *key;
        bool flag;
        uint64_t n, since_usec;
        OptionsCommon common;
        size_t n_operands;
        char *argv[16];
} Values;

static Values values;
static int null_fd;

/* The words, separated by blanks; "''" is an empty one. */
static int parse(const char *words)
{
        static char buffer[256];
        Option options[] = {
                {.name = "key", .kind = OPTION_STRING, .ret = &values.key},
                {.name = "flag", .kind = OPTION_FLAG, .ret = &values.flag},
                {.name = "n", .kind = OPTION_U64, .ret = &values.n},
                {.name = "since", .kind = OPTION_TIMESTAMP, .ret = &values.since_usec},
                OPTIONS_COMMON(&values.common),
        };
        char *rest = buffer, *word;
        int argc = 0, saved, r;

        values = (Values){.common = OPTIONS_COMMON_DEFAULT};
        (void)snprintf(buffer, sizeof(buffer), "%s", words);
        while ((word = strsep(&rest, " ")))
                if (*word)
                        values.argv[argc++] = strcmp(word, "''") == 0 ? word + 2 : word;

        /* The sentences for the user would only clutter the output. */
        (void)fflush(stderr);
        saved = dup(STDERR_FILENO);
        assert_true(saved >= 0 && dup2(null_fd, STDERR_FILENO) >= 0);
        r = options_parse("test", options, ARRAY_SIZE(options), argc, values.argv, &values.n_operands);
        assert_true(dup2(saved, STDERR_FILENO) >= 0);
        (void)close(saved);
        return r;
}

static void options_parse_all_kinds_accepts(void **state)
{
        (void)state;

        assert_int_equal(parse("a --key k --flag b --n=5 --since 1970-01-01T00:00:01Z --timeout 3 -"), 0);
        assert_string_equal(values.key, "k");
        assert_true(values.flag);
        assert_int_equal(values.n, 5);
        assert_int_equal(values.since_usec, 1000000);
        assert_int_equal(values.common.timeout_usec, 3000000);
        assert_int_equal(values.n_operands, 3);
        assert_string_equal(values.argv[0], "a");
        assert_string_equal(values.argv[1], "b");
        assert_string_equal(values.argv[2], "-");
}

static void options_parse_nothing_keeps_defaults(void **state)
{
        (void)state;

        assert_int_equal(parse(""), 0);
        assert_int_equal(values.n_operands, 0);
        assert_int_equal(values.common.timeout_usec, HSMCTL_TIMEOUT_USEC);
        assert_null(values.common.socket);
}

static void options_parse_after_dashes_takes_operands(void **state)
{
        (void)state;

        assert_int_equal(parse("--flag -- --key -x"), 0);
        assert_int_equal(values.n_operands, 2);
        assert_string_equal(values.argv[0], "--key");
        assert_string_equal(values.argv[1], "-x");
        assert_null(values.key);
}

static void options_parse_value_that_looks_like_option_takes_it(void **state)
{
        (void)state;

        assert_int_equal(parse("--key --flag"), 0);
        assert_string_equal(values.key, "--flag");
        assert_false(values.flag);
}

static void options_parse_wrong_fails(void **state)
{
        static const char *const wrong[] = {
                "--unknown",
                "-k",
                "-key k",
                "--ke k",
                "--keyy k",
                "--key",
                "--key ''",
                "--key=",
                "--key a --key b",
                "--flag=1",
                "--flag --flag",
                "--n 0",
                "--n -1",
                "--n 05",
                "--n 1x",
                "--n",
                "--timeout 0",
                "--timeout 86401",
                "--since now",
                "--since 2026-02-30T00:00:00Z",
                "--",
        };

        (void)state;
        for (size_t i = 0; i + 1 < ARRAY_SIZE(wrong); i++)
                assert_int_equal(parse(wrong[i]), OPTIONS_E_USAGE);
        assert_int_equal(parse(wrong[ARRAY_SIZE(wrong) - 1]), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(options_parse_all_kinds_accepts),
                cmocka_unit_test(options_parse_nothing_keeps_defaults),
                cmocka_unit_test(options_parse_after_dashes_takes_operands),
                cmocka_unit_test(options_parse_value_that_looks_like_option_takes_it),
                cmocka_unit_test(options_parse_wrong_fails),
        };

        error_set_trace(NULL);
        null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
        if (null_fd < 0)
                return 1;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
