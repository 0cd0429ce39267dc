/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/error.h"

static int decode(Buffer *out, Base64Alphabet alphabet, const char *text)
{
        return base64_decode(out, alphabet, text, strlen(text));
}

/* ---- base64_encode ---- */

/* RFC 4648 10 */
static const struct {
        const char *plain, *text;
} rfc4648[] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
};

static void base64_encode_rfc4648_vectors_match(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rfc4648); i++) {
                _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;

                assert_int_equal(base64_encode(&out, rfc4648[i].plain, strlen(rfc4648[i].plain)), 0);
                assert_string_equal((char *)out.data, rfc4648[i].text);
                assert_int_equal(out.size, BASE64_SIZE(strlen(rfc4648[i].plain)));
        }
}

static void base64_encode_filled_buffer_appends(void **state)
{
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;

        (void)state;
        assert_int_equal(buffer_append_string(&out, "x:"), 0);
        assert_int_equal(base64_encode(&out, "\xfb\xff\xfe", 3), 0);
        assert_string_equal((char *)out.data, "x:+//+");
}

static void base64_encode_impossible_size_is_an_error(void **state)
{
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;

        (void)state;
        assert_int_equal(base64_encode(&out, "", SIZE_MAX / 2), -EOVERFLOW);
        assert_null(out.data);
}

/* ---- base64_decode ---- */

static void base64_decode_rfc4648_vectors_match(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rfc4648); i++) {
                _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;

                assert_int_equal(decode(&out, BASE64_STANDARD, rfc4648[i].text), 0);
                assert_string_equal((char *)out.data, rfc4648[i].plain);
                assert_int_equal(out.size, strlen(rfc4648[i].plain));
        }
}

static void base64_decode_every_byte_value_round_trips(void **state)
{
        uint8_t all[256];

        (void)state;
        for (size_t i = 0; i < sizeof(all); i++)
                all[i] = (uint8_t)(i * 167);
        for (size_t size = 0; size <= sizeof(all); size++) {
                _cleanup_(buffer_deinit) Buffer text = BUFFER_NULL, out = BUFFER_NULL;

                assert_int_equal(base64_encode(&text, all, size), 0);
                assert_int_equal(base64_decode(&out, BASE64_STANDARD, (char *)text.data, text.size), 0);
                assert_true(blob_equal(buffer_blob(&out), BLOB(all, size)));
        }
}

static void base64_decode_url_alphabet_only_where_allowed(void **state)
{
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;

        (void)state;
        assert_int_equal(decode(&out, BASE64_STANDARD_OR_URL, "-__-"), 0);
        assert_true(blob_equal(buffer_blob(&out), BLOB_LITERAL("\xfb\xff\xfe")));
        buffer_clear(&out);
        assert_int_equal(decode(&out, BASE64_STANDARD_OR_URL, "+//+"), 0);
        assert_true(blob_equal(buffer_blob(&out), BLOB_LITERAL("\xfb\xff\xfe")));
        buffer_clear(&out);
        assert_int_equal(decode(&out, BASE64_STANDARD, "-__-"), BASE64_E_INVALID);
        assert_int_equal(out.size, 0);
}

static void base64_decode_mixed_alphabets_are_refused(void **state)
{
        static const char *const mixed[] = {"+//-", "-//+", "+AA_", "AAA+AAA-", "AAA_AAA/", "AAA+A-=="};

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(mixed); i++) {
                _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;

                assert_int_equal(decode(&out, BASE64_STANDARD_OR_URL, mixed[i]), BASE64_E_INVALID);
        }
}

static void base64_decode_non_canonical_text_is_refused(void **state)
{
        static const char *const bad[] = {
                "A",     "AA",      "AAA",      "AAAAA",    "QR==",  "QUJ=",  "QUJD====", "=QUJ",
                "====",  "Q===",    "QUI=QUI=", "QQ==QUJD", " QUJD", "QUJD ", "QU JD",    "QUJD\n",
                "QU\nJ", "QUJ\x80", "QUJ\xff",  "QU=D",     "Q=JD",  "Q=I=",  "QU*D",     "QUJ.",
                "QUJ[",  "QUJ`",    "QUJ{",     "QUJ@",     "QUJ:",  "QUJ,",
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;

                assert_int_equal(buffer_append_string(&out, "before"), 0);
                assert_int_equal(decode(&out, BASE64_STANDARD_OR_URL, bad[i]), BASE64_E_INVALID);
                assert_int_equal(out.size, 6);
                assert_string_equal((char *)out.data, "before");
        }
}

static void base64_decode_text_with_nul_is_refused(void **state)
{
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;

        (void)state;
        assert_int_equal(base64_decode(&out, BASE64_STANDARD, "QUJ\0", 4), BASE64_E_INVALID);
}

/* Of the 256 values exactly 64 may stand in the first place: the table has no accidental entries. */
static void base64_decode_each_byte_value_is_in_the_alphabet_or_refused(void **state)
{
        size_t n_valid = 0;

        (void)state;
        for (unsigned c = 0; c < 256; c++) {
                _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;
                char text[4] = {(char)c, 'A', 'A', 'A'};

                n_valid += base64_decode(&out, BASE64_STANDARD, text, 4) == 0;
        }
        assert_int_equal(n_valid, 64);
}

/* ---- base64_decode_exact ---- */

static void base64_decode_exact_right_size_succeeds(void **state)
{
        uint8_t out[6];

        (void)state;
        assert_int_equal(base64_decode_exact(out, 6, "Zm9vYmFy", 8), 0);
        assert_memory_equal(out, "foobar", 6);
        assert_int_equal(base64_decode_exact(out, 4, "Zm9vYg==", 8), 0);
        assert_memory_equal(out, "foob", 4);
        assert_int_equal(base64_decode_exact(out, 5, "Zm9vYmE=", 8), 0);
        assert_memory_equal(out, "fooba", 5);
        assert_int_equal(base64_decode_exact(NULL, 0, NULL, 0), 0);
}

static void base64_decode_exact_other_size_is_refused(void **state)
{
        uint8_t out[16];

        (void)state;
        assert_int_equal(base64_decode_exact(out, 5, "Zm9vYmFy", 8), BASE64_E_INVALID);
        assert_int_equal(base64_decode_exact(out, 7, "Zm9vYmFy", 8), BASE64_E_INVALID);
        assert_int_equal(base64_decode_exact(out, 6, "Zm9vYmE=", 8), BASE64_E_INVALID);
        assert_int_equal(base64_decode_exact(out, 6, "Zm9vYmFyZm9v", 12), BASE64_E_INVALID);
        assert_int_equal(base64_decode_exact(out, 6, "Zm9vYmF", 7), BASE64_E_INVALID);
        assert_int_equal(base64_decode_exact(out, 1, "", 0), BASE64_E_INVALID);
        assert_int_equal(base64_decode_exact(out, 3, "-__-", 4), BASE64_E_INVALID);
        assert_int_equal(base64_decode_exact(out, 1, "QR==", 4), BASE64_E_INVALID);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(base64_encode_rfc4648_vectors_match),
                cmocka_unit_test(base64_encode_filled_buffer_appends),
                cmocka_unit_test(base64_encode_impossible_size_is_an_error),
                cmocka_unit_test(base64_decode_rfc4648_vectors_match),
                cmocka_unit_test(base64_decode_every_byte_value_round_trips),
                cmocka_unit_test(base64_decode_url_alphabet_only_where_allowed),
                cmocka_unit_test(base64_decode_mixed_alphabets_are_refused),
                cmocka_unit_test(base64_decode_non_canonical_text_is_refused),
                cmocka_unit_test(base64_decode_text_with_nul_is_refused),
                cmocka_unit_test(base64_decode_each_byte_value_is_in_the_alphabet_or_refused),
                cmocka_unit_test(base64_decode_exact_right_size_succeeds),
                cmocka_unit_test(base64_decode_exact_other_size_is_refused),
        };

        error_set_trace(NULL);
        return cmocka_run_group_tests_name("base64", tests, NULL, NULL);
}
