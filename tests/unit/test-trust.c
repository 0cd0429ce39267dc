/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/error.h"
#include "client/trust.h"

#include "unit/client-data.h"

typedef struct Lines {
        Buffer file;
        char *log, *p256, *rsa;
} Lines;

/* The line of the good trust file that begins with `start`, with its LF. */
static char *take_line(const Buffer *file, const char *start)
{
        const char *p = memmem(file->data, file->size, start, strlen(start));
        char *line;

        assert_non_null(p);
        assert_int_equal(string_copy_n(&line, p, (size_t)(strchr(p, '\n') + 1 - p)), 0);
        return line;
}

static int setup(void **state)
{
        static Lines l;

        error_set_trace(NULL);
        l = (Lines){};
        client_data_read(&l.file, "trust");
        l.log = take_line(&l.file, "log ");
        l.p256 = take_line(&l.file, "key release-p256 ");
        l.rsa = take_line(&l.file, "key release-rsa ");
        *state = &l;
        return 0;
}

static int teardown(void **state)
{
        Lines *l = *state;

        buffer_deinit(&l->file);
        free(l->log);
        free(l->p256);
        free(l->rsa);
        return 0;
}

static void expect_ok(const char *text)
{
        _cleanup_(trust_freep) Trust *t = NULL;
        PolicyFault fault;

        assert_int_equal(trust_parse(&t, BLOB_STRING(text), &fault), 0);
}

static void expect_fault(const char *text, unsigned line, unsigned column)
{
        _cleanup_(trust_freep) Trust *t = NULL;
        PolicyFault fault = {};

        assert_int_equal(trust_parse(&t, BLOB_STRING(text), &fault), TRUST_E_INVALID);
        assert_null(t);
        assert_int_equal(fault.line, line);
        assert_int_equal(fault.column, column);
        assert_true(strlen(fault.text) > 0);
}

/* "hsmd-trust 1" and these lines. */
_printf_(3, 4) static void expect_fault_in(unsigned line, unsigned column, const char *format, ...)
{
        _cleanup_(freep) char *text = NULL, *body = NULL;
        va_list args;

        va_start(args, format);
        assert_true(vasprintf(&body, format, args) >= 0);
        va_end(args);
        assert_int_equal(string_printf(&text, "hsmd-trust 1\n%s", body), 0);
        expect_fault(text, line, column);
}

static void trust_parse_whole_file_accepts(void **state)
{
        _cleanup_(trust_freep) Trust *t = NULL;
        PolicyFault fault;
        Lines *l = *state;

        assert_int_equal(trust_parse(&t, buffer_blob(&l->file), &fault), 0);
        assert_string_equal(t->log.name, "log.example/hsmd-test");
        assert_int_equal(t->n_keys, 4);
        assert_int_equal(trust_find_key(t, "release-rsa"), 2);
        assert_int_equal(t->keys[2].type, KEY_RSA);
        assert_int_equal(t->keys[2].formats,
                         1U << FORMAT_RAW_RSA_PKCS1_SHA256 | 1U << FORMAT_RAW_RSA_PSS_SHA256);
        assert_true(trust_find_key(t, "release-rs") == SIZE_MAX);
}

static void trust_parse_smallest_accepts(void **state)
{
        _cleanup_(freep) char *text = NULL;
        Lines *l = *state;

        assert_int_equal(string_printf(&text, "hsmd-trust 1\n%s%s", l->p256, l->log), 0);
        expect_ok(text);
}

static void trust_parse_header_missing_fails(void **state)
{
        Lines *l = *state;

        expect_fault("", 1, 1);
        expect_fault(l->log, 1, 1);
        expect_fault("hsmd-trust 2\n", 1, 12);
        expect_fault("hsmd-trust\n", 1, 1);
        expect_fault("hsmd-trust 1 2\n", 1, 14);
        expect_fault("hsmd-trust 1", 1, 13); /* no LF */
}

static void trust_parse_part_missing_fails(void **state)
{
        Lines *l = *state;

        expect_fault_in(0, 0, "%s", l->log);
        expect_fault_in(0, 0, "%s", l->p256);
}

static void trust_parse_log_wrong_fails(void **state)
{
        Lines *l = *state;

        expect_fault_in(3, 1, "%s%s%s", l->log, l->log, l->p256);
        expect_fault_in(2, 1, "log\n%s", l->p256);
        expect_fault_in(2, 5, "log name+00000000+AAAA\n%s", l->p256);
        /* Type 4 of the official example of tlog-cosignature: a witness is no log. */
        expect_fault_in(2, 5, "log example.com/witness+abcd1234+BAAA\n%s", l->p256);
}

static void trust_parse_unknown_word_fails(void **state)
{
        Lines *l = *state;

        expect_fault_in(4, 1, "%s%switness x\n", l->log, l->p256);
        expect_fault_in(3, 1, "%skey a algorithm ecdsa-p256 spki AAAA format raw-ecdsa\n", l->log);
        expect_fault_in(3, 17, "%skey a algorithm ecdsa-p521 spki AAAA formats raw-ecdsa\n", l->log);
}

static void trust_parse_key_wrong_fails(void **state)
{
        Lines *l = *state;

        expect_fault_in(3, 5, "%skey -a algorithm ecdsa-p256 spki AAAA formats raw-ecdsa\n", l->log);
        expect_fault_in(3, 33, "%skey a algorithm ecdsa-p256 spki AAA formats raw-ecdsa\n", l->log);
        expect_fault_in(3, 33, "%skey a algorithm ecdsa-p256 spki AAAA formats raw-ecdsa\n", l->log);
        expect_fault_in(3, 1, "%skey a algorithm ecdsa-p256 spki AAAA formats\n", l->log);
}

static void trust_parse_key_of_other_algorithm_fails(void **state)
{
        _cleanup_(freep) char *line = NULL;
        Lines *l = *state;
        char *p;

        assert_int_equal(string_copy(&line, l->p256), 0);
        p = strstr(line, "p256 spki");
        assert_non_null(p);
        memcpy(p, "p384", 4);
        expect_fault_in(3, 44, "%s%s", l->log, line);
}

static void trust_parse_format_wrong_fails(void **state)
{
        _cleanup_(freep) char *line = NULL;
        Lines *l = *state;
        unsigned end;

        assert_int_equal(string_copy_n(&line, l->p256, strlen(l->p256) - 1), 0);
        end = (unsigned)strlen(line) + 2;
        expect_fault_in(3, end, "%s%s raw-ecdsa\n", l->log, line);
        expect_fault_in(3, end, "%s%s raw-ed25519\n", l->log, line);
        expect_fault_in(3, end, "%s%s raw\n", l->log, line);
}

static void trust_parse_key_twice_fails(void **state)
{
        _cleanup_(freep) char *line = NULL;
        Lines *l = *state;
        char *p;

        expect_fault_in(4, 5, "%s%s%s", l->log, l->p256, l->p256);
        assert_int_equal(string_copy(&line, l->p256), 0);
        p = strstr(line, "release");
        assert_non_null(p);
        *p = 'R';
        expect_fault_in(4, 44, "%s%s%s", l->log, l->p256, line);
}

#define TEST(_f) cmocka_unit_test_setup_teardown(_f, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(trust_parse_whole_file_accepts),   TEST(trust_parse_smallest_accepts),
                TEST(trust_parse_header_missing_fails), TEST(trust_parse_part_missing_fails),
                TEST(trust_parse_log_wrong_fails),      TEST(trust_parse_unknown_word_fails),
                TEST(trust_parse_key_wrong_fails),      TEST(trust_parse_key_of_other_algorithm_fails),
                TEST(trust_parse_format_wrong_fails),   TEST(trust_parse_key_twice_fails),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
