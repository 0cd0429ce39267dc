/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "token/pin.h"

typedef struct Fixture {
        char folder[64];
        char path[80];
        Config config;
        Report report;
        Pin pin;
} Fixture;

static int setup(void **state)
{
        static Fixture f;

        f = (Fixture){.folder = "/tmp/test-pin.XXXXXX"};
        assert_non_null(mkdtemp(f.folder));
        (void)snprintf(f.path, sizeof(f.path), "%s/pin", f.folder);
        f.config.pin_file = f.path;
        *state = &f;
        return 0;
}

static int teardown(void **state)
{
        Fixture *f = *state;

        pin_wipe(&f->pin);
        (void)unlink(f->path);
        (void)rmdir(f->folder);
        (void)unsetenv("CREDENTIALS_DIRECTORY");
        return 0;
}

static int read_pin(Fixture *f, const char *content, size_t size, mode_t mode)
{
        FILE *file;

        pin_wipe(&f->pin);
        (void)unlink(f->path);
        file = fopen(f->path, "we");
        assert_non_null(file);
        assert_int_equal(fwrite(content, 1, size, file), size);
        assert_int_equal(fclose(file), 0);
        assert_int_equal(chmod(f->path, mode), 0);
        return pin_read(&f->pin, &f->config, &f->report);
}

static void assert_pin(Fixture *f, const char *content, const char *expected)
{
        assert_int_equal(read_pin(f, content, strlen(content), 0400), 0);
        assert_int_equal(f->pin.size, strlen(expected));
        assert_string_equal((const char *)f->pin.data, expected);
}

static void assert_refused(Fixture *f, const char *content, size_t size, mode_t mode, const char *why)
{
        assert_int_equal(read_pin(f, content, size, mode), PIN_E_REFUSED);
        assert_null(f->pin.data);
        assert_int_equal(f->report.status, TOKEN_FAULT);
        assert_non_null(strstr(f->report.text, why));
}

static void pin_read_one_line_feed_is_not_part_of_it(void **state)
{
        Fixture *f = *state;

        assert_pin(f, "123456", "123456");
        assert_pin(f, "123456\n", "123456");
        assert_pin(f, "123456\n\n", "123456\n");
        assert_pin(f, " 1 2 \n", " 1 2 ");
}

static void pin_read_bad_content_is_refused(void **state)
{
        Fixture *f = *state;

        assert_refused(f, "", 0, 0400, "empty");
        assert_refused(f, "\n", 1, 0400, "empty");
        assert_refused(f,
                       "12\0"
                       "34",
                       5, 0400, "not text");
}

static void pin_read_size_over_limit_is_refused(void **state)
{
        Fixture *f = *state;
        char content[PIN_SIZE_MAX + 3];

        memset(content, '1', sizeof(content));
        content[PIN_SIZE_MAX] = '\n';
        assert_int_equal(read_pin(f, content, PIN_SIZE_MAX + 1, 0400), 0);
        assert_int_equal(f->pin.size, PIN_SIZE_MAX);
        content[PIN_SIZE_MAX] = '1';
        assert_refused(f, content, PIN_SIZE_MAX + 1, 0400, "too long");
        assert_refused(f, content, PIN_SIZE_MAX + 3, 0400, "too long");
}

static void pin_read_file_open_to_others_is_refused(void **state)
{
        static const mode_t bad[] = {0440, 0420, 0410, 0404, 0402, 0401};
        Fixture *f = *state;

        assert_int_equal(read_pin(f, "1234", 4, 0600), 0);
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_refused(f, "1234", 4, bad[i], "open to others");
}

static void pin_read_file_of_foreign_owner_is_refused(void **state)
{
        Fixture *f = *state;

        if (geteuid() != 0)
                skip();
        assert_int_equal(read_pin(f, "1234", 4, 0400), 0);
        assert_int_equal(chown(f->path, 4711, (gid_t)-1), 0);
        assert_int_equal(pin_read(&(Pin){0}, &f->config, &f->report), PIN_E_REFUSED);
        assert_non_null(strstr(f->report.text, "belongs to"));
}

static void pin_read_missing_file_or_folder_is_refused(void **state)
{
        Fixture *f = *state;

        assert_int_equal(pin_read(&f->pin, &f->config, &f->report), PIN_E_REFUSED);
        f->config.pin_file = f->folder;
        assert_int_equal(pin_read(&f->pin, &f->config, &f->report), PIN_E_REFUSED);
        assert_non_null(strstr(f->report.text, "not a regular file"));
}

/* systemd gives a service its credential by an access list, whose mask shows as group bits. */
static void pin_read_credential_with_group_bits_is_read(void **state)
{
        char name[] = "pin";
        Fixture *f = *state;

        f->config.pin_file = NULL;
        f->config.pin_credential = name;
        assert_int_equal(setenv("CREDENTIALS_DIRECTORY", f->folder, 1), 0);
        assert_int_equal(read_pin(f, "1234\n", 5, 0440), 0);
        assert_string_equal((const char *)f->pin.data, "1234");
        assert_refused(f, "1234", 4, 0444, "open to others");
        assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
        assert_refused(f, "1234", 4, 0440, "CREDENTIALS_DIRECTORY");
}

#define TEST(_f) cmocka_unit_test_setup_teardown(_f, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(pin_read_one_line_feed_is_not_part_of_it),
                TEST(pin_read_bad_content_is_refused),
                TEST(pin_read_size_over_limit_is_refused),
                TEST(pin_read_file_open_to_others_is_refused),
                TEST(pin_read_file_of_foreign_owner_is_refused),
                TEST(pin_read_missing_file_or_folder_is_refused),
                TEST(pin_read_credential_with_group_bits_is_read),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
