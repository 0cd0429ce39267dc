/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "base/error.h"
#include "base/jsonw.h"

#define WRITER                                                                                              \
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;                                                  \
        JsonWriter w;                                                                                       \
        jsonw_init(&w, &out)

static void assert_written(JsonWriter *w, const char *text)
{
        assert_int_equal(jsonw_finish(w), 0);
        assert_string_equal((char *)w->out->data, text);
        assert_int_equal(w->out->size, strlen(text));
}

static void jsonw_object_nested_values_have_commas(void **state)
{
        WRITER;

        (void)state;
        jsonw_object(&w);
        jsonw_member_string(&w, "type", "x");
        jsonw_name(&w, "list");
        jsonw_array(&w);
        jsonw_u64(&w, 1);
        jsonw_array(&w);
        jsonw_array_end(&w);
        jsonw_object(&w);
        jsonw_object_end(&w);
        jsonw_null(&w);
        jsonw_bool(&w, true);
        jsonw_array_end(&w);
        jsonw_member_u64(&w, "n", 7);
        jsonw_member_bool(&w, "b", false);
        jsonw_member_hex(&w, "h", "\x0a\xff", 2);
        jsonw_object_end(&w);
        assert_written(&w,
                       "{\"type\":\"x\",\"list\":[1,[],{},null,true],\"n\":7,\"b\":false,\"h\":\"0aff\"}");
}

static void jsonw_string_minimal_escapes(void **state)
{
        WRITER;

        (void)state;
        jsonw_string(&w, "a\"b\\c/d\b\f\n\r\t\x01\x1f\x7f");
        assert_written(&w, "\"a\\\"b\\\\c/d\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\"");
}

static void jsonw_string_n_nul_and_empty_are_written(void **state)
{
        WRITER;

        (void)state;
        jsonw_array(&w);
        jsonw_string_n(&w, "a\0b", 3);
        jsonw_string_n(&w, NULL, 0);
        jsonw_array_end(&w);
        assert_written(&w, "[\"a\\u0000b\",\"\"]");
}

static void jsonw_string_valid_utf8_is_copied(void **state)
{
        static const char *const good[] = {"\xc2\x80",         "\xdf\xbf",         "\xe0\xa0\x80",
                                           "\xec\xbf\xbf",     "\xed\x9f\xbf",     "\xee\x80\x80",
                                           "\xef\xbf\xbf",     "\xf0\x90\x80\x80", "\xf3\xbf\xbf\xbf",
                                           "\xf4\x8f\xbf\xbf", "a\xc3\xa4z"};

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
                WRITER;
                jsonw_string(&w, good[i]);
                assert_int_equal(jsonw_finish(&w), 0);
                assert_int_equal(out.size, strlen(good[i]) + 2);
                assert_memory_equal(out.data + 1, good[i], strlen(good[i]));
        }
}

static void jsonw_string_invalid_utf8_is_the_sticky_error(void **state)
{
        static const char *const bad[] = {
                "\x80",         "\xbf",         "\xc0\x80",         "\xc1\xbf",         "\xc2",
                "\xc2\x41",     "\xc2\xc0",     "\xe0\x9f\xbf",     "\xe0\xa0",         "\xe1\x80\x41",
                "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
                "\xff",         "\xf1\x80\x80", "\xf1\x80\x41\x80", "\xf1\x80\x80\xc0", "a\xc3",
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                WRITER;
                jsonw_array(&w);
                jsonw_string(&w, bad[i]);
                jsonw_string(&w, "good");
                jsonw_fixed(&w, NAN, 1);
                jsonw_hex(&w, "a", 1);
                jsonw_base64(&w, "a", 1);
                jsonw_name(&w, "n");
                jsonw_array_end(&w);
                assert_int_equal(jsonw_finish(&w), -EILSEQ);
                assert_string_equal((char *)out.data, "[");
        }
}

static void jsonw_u64_and_i64_extremes(void **state)
{
        WRITER;

        (void)state;
        jsonw_array(&w);
        jsonw_u64(&w, 0);
        jsonw_u64(&w, UINT64_MAX);
        jsonw_i64(&w, INT64_MAX);
        jsonw_i64(&w, INT64_MIN);
        jsonw_i64(&w, -1);
        jsonw_array_end(&w);
        assert_written(&w, "[0,18446744073709551615,9223372036854775807,-9223372036854775808,-1]");
}

static void jsonw_fixed_rounds_to_the_digits(void **state)
{
        WRITER;

        (void)state;
        jsonw_array(&w);
        jsonw_fixed(&w, 0, 0);
        jsonw_fixed(&w, 1.25, 1);
        jsonw_fixed(&w, 0.004, 2);
        jsonw_fixed(&w, 0.05, 3);
        jsonw_fixed(&w, -1.5, 1);
        jsonw_fixed(&w, -0.0001, 2);
        jsonw_fixed(&w, 1234567.891, 2);
        jsonw_fixed(&w, 2.6, 0);
        jsonw_fixed(&w, 99999999.5, 9);
        jsonw_array_end(&w);
        assert_written(&w, "[0,1.3,0.00,0.050,-1.5,0.00,1234567.89,3,99999999.500000000]");
}

static void jsonw_fixed_what_json_has_not_is_the_sticky_error(void **state)
{
        static const double bad[] = {NAN, INFINITY, -INFINITY, 1e300, 1e18};

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                WRITER;
                jsonw_fixed(&w, bad[i], 2);
                assert_int_equal(jsonw_finish(&w), -ERANGE);
        }
}

static void jsonw_base64_is_padded_and_followed_by_comma(void **state)
{
        WRITER;

        (void)state;
        jsonw_array(&w);
        jsonw_base64(&w, "f", 1);
        jsonw_base64(&w, "", 0);
        jsonw_hex(&w, NULL, 0);
        jsonw_base64(&w, "\xfb\xff\xfe", 3);
        jsonw_array_end(&w);
        assert_written(&w, "[\"Zg==\",\"\",\"\",\"+//+\"]");
}

static void jsonw_members_and_raw_are_spliced(void **state)
{
        WRITER;

        (void)state;
        jsonw_object(&w);
        jsonw_members(&w, "", 0);
        jsonw_members(&w, "\"a\":1,\"b\":2", 11);
        jsonw_members(&w, NULL, 0);
        jsonw_name(&w, "c");
        jsonw_raw(&w, "{\"d\":3}", 7);
        jsonw_member_u64(&w, "e", 4);
        jsonw_object_end(&w);
        assert_written(&w, "{\"a\":1,\"b\":2,\"c\":{\"d\":3},\"e\":4}");
}

static void jsonw_members_only_member_has_no_comma(void **state)
{
        WRITER;

        (void)state;
        jsonw_object(&w);
        jsonw_members(&w, NULL, 0);
        jsonw_object_end(&w);
        assert_written(&w, "{}");
}

static void jsonw_init_filled_buffer_is_appended_to(void **state)
{
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;
        JsonWriter w;

        (void)state;
        assert_int_equal(buffer_append_string(&out, "x "), 0);
        jsonw_init(&w, &out);
        jsonw_bool(&w, true);
        assert_written(&w, "x true");
}

static void jsonw_large_text_grows_the_buffer(void **state)
{
        WRITER;

        (void)state;
        jsonw_array(&w);
        for (unsigned i = 0; i < 1000; i++)
                jsonw_string(&w, "\x01\x02\x03");
        jsonw_array_end(&w);
        assert_int_equal(jsonw_finish(&w), 0);
        assert_int_equal(out.size, 2 + 1000 * 20 + 999);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(jsonw_object_nested_values_have_commas),
                cmocka_unit_test(jsonw_string_minimal_escapes),
                cmocka_unit_test(jsonw_string_n_nul_and_empty_are_written),
                cmocka_unit_test(jsonw_string_valid_utf8_is_copied),
                cmocka_unit_test(jsonw_string_invalid_utf8_is_the_sticky_error),
                cmocka_unit_test(jsonw_u64_and_i64_extremes),
                cmocka_unit_test(jsonw_fixed_rounds_to_the_digits),
                cmocka_unit_test(jsonw_fixed_what_json_has_not_is_the_sticky_error),
                cmocka_unit_test(jsonw_base64_is_padded_and_followed_by_comma),
                cmocka_unit_test(jsonw_members_and_raw_are_spliced),
                cmocka_unit_test(jsonw_members_only_member_has_no_comma),
                cmocka_unit_test(jsonw_init_filled_buffer_is_appended_to),
                cmocka_unit_test(jsonw_large_text_grows_the_buffer),
        };

        error_set_trace(NULL);
        return cmocka_run_group_tests_name("jsonw", tests, NULL, NULL);
}
