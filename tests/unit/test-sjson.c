/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/error.h"
#include "base/limits.h"
#include "base/sjson.h"

static int parse(SJson **ret, const char *text, SJsonError *error)
{
        return sjson_parse(ret, text, strlen(text), error);
}

static void assert_refused(const char *text, int code)
{
        SJsonError error = {.line = -1};
        SJson *v = NULL;

        assert_int_equal(parse(&v, text, &error), code);
        assert_null(v);
        assert_int_not_equal(error.line, -1);
        assert_true(strlen(error.text) > 0);
        assert_int_equal(parse(&v, text, NULL), code);
}

static SJson *document(const char *text)
{
        SJson *v = NULL;

        assert_int_equal(parse(&v, text, NULL), 0);
        return v;
}

/* ---- sjson_parse ---- */

static void sjson_parse_plain_documents_succeed(void **state)
{
        static const char *const good[] = {
                "{}",
                " {\n\"a\" : [ ] }\r\n\t",
                "{\"a\":{\"b\":[1,-2,true,false,null,\"x\",{}]}}",
                "{\"a\":\"\\u00e4\\ud83d\\ude00\xc3\xa4 \\\"[[[{{{ \\\\\"}",
                "{\"run\":1,\"runs\":2,\"ru\":3}",
                "{\"a\":{\"x\":1},\"b\":{\"X\":1}}",
                "{\"a\":9223372036854775807,\"b\":-9223372036854775808,\"c\":-0}",
                "{\"\xc3\xa4\":1,\"\xc3\x84\":2}",
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
                _cleanup_(sjson_freep) SJson *v = document(good[i]);

                assert_true(sjson_is_object(v));
        }
}

static void sjson_parse_what_is_not_strict_json_is_refused(void **state)
{
        static const char *const bad[] = {
                "",
                " ",
                "[]",
                "[{}]",
                "1",
                "\"x\"",
                "null",
                "{",
                "}",
                "]]]]{}",
                "{}{}",
                "{} x",
                "{}\n,",
                "\xef\xbb\xbf{}",
                "{\"a\":01}",
                "{\"a\":NaN}",
                "{'a':1}",
                "{a:1}",
                "{\"a\":1,}",
                "{\"a\":[1,]}",
                "{\"a\":\"x\ny\"}",
                "{\"a\":\"\\u0000\"}",
                "{\"\\u0000\":1}",
                "{\"a\":\"\\ud800\"}",
                "{\"a\":\"\\udc00\"}",
                "{\"a\":\"\xc0\x80\"}",
                "{\"a\":\"\xed\xa0\x80\"}",
                "{\"a\":\"\xff\"}",
                "{\"a\":\"\\x\"}",
                "{\"a\":\"\\",
                "{\"a\":9223372036854775808}",
                "{\"a\":-9223372036854775809}",
                "{\"a\":99999999999999999999}",
                "{\"a\":1e400}",
                "{\"a\":1} // no",
                "{\"a\":/**/1}",
                "{\"a\":True}",
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_refused(bad[i], SJSON_E_SYNTAX);
}

static void sjson_parse_real_numbers_are_refused_at_every_level(void **state)
{
        static const char *const bad[] = {
                "{\"a\":1.0}",  "{\"a\":1e1}",    "{\"a\":1E2}",
                "{\"a\":-0.0}", "{\"a\":1e-400}", "{\"a\":[[{\"b\":[2,0.5]}]]}",
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_refused(bad[i], SJSON_E_SYNTAX);
}

static void sjson_parse_nul_bytes_are_refused(void **state)
{
        SJson *v = NULL;

        (void)state;
        assert_int_equal(sjson_parse(&v, "{}\0", 3, NULL), SJSON_E_SYNTAX);
        assert_int_equal(sjson_parse(&v, "{}\0{}", 5, NULL), SJSON_E_SYNTAX);
        assert_int_equal(sjson_parse(&v, "{\"a\0\":1}", 8, NULL), SJSON_E_SYNTAX);
        assert_int_equal(sjson_parse(&v, NULL, 0, NULL), SJSON_E_SYNTAX);
        assert_null(v);
}

static void sjson_parse_duplicates_are_refused_at_every_level(void **state)
{
        static const char *const bad[] = {
                "{\"run\":1,\"run\":2}",
                "{\"run\":1,\"ru\\u006e\":2}",
                "{\"run\":1,\"Run\":2}",
                "{\"RUN\":1,\"a\":0,\"run\":2}",
                "{\"x\":[{\"y\":{\"z\":1,\"q\":2,\"Z\":3}}]}",
                "{\"x\":[{},{\"a\":1,\"a\":1}]}",
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_refused(bad[i], SJSON_E_DUPLICATE);
}

static void sjson_parse_duplicates_among_many_members_are_found(void **state)
{
        (void)state;
        for (unsigned twin = 0; twin < 2; twin++) {
                _cleanup_(buffer_deinit) Buffer text = BUFFER_NULL;
                _cleanup_(sjson_freep) SJson *v = NULL;

                assert_int_equal(buffer_append_string(&text, "{\"Name500\":0"), 0);
                for (unsigned i = 0; i < 1000; i++)
                        assert_int_equal(buffer_printf(&text, ",\"%s%u\":%u", twin ? "name" : "other", i, i),
                                         0);
                assert_int_equal(buffer_append_string(&text, "}"), 0);
                assert_int_equal(sjson_parse(&v, text.data, text.size, NULL), twin ? SJSON_E_DUPLICATE : 0);
        }
}

static void make_nested(Buffer *out, unsigned depth, const char *opening, const char *closing)
{
        assert_int_equal(buffer_append_string(out, "{\"a\":"), 0);
        for (unsigned i = 1; i < depth; i++)
                assert_int_equal(buffer_append_string(out, opening), 0);
        assert_int_equal(buffer_append_string(out, "1"), 0);
        for (unsigned i = 1; i < depth; i++)
                assert_int_equal(buffer_append_string(out, closing), 0);
        assert_int_equal(buffer_append_string(out, "}"), 0);
}

static void sjson_parse_deepest_document_is_the_last_accepted(void **state)
{
        static const char *const brackets[][2] = {{"[", "]"}, {"{\"b\":", "}"}, {"[0,", ",[]]"}};

        (void)state;
        for (size_t i = 0; i < 2; i++) {
                _cleanup_(buffer_deinit) Buffer good = BUFFER_NULL, bad = BUFFER_NULL, worse = BUFFER_NULL;
                _cleanup_(sjson_freep) SJson *v = NULL;

                make_nested(&good, LIMIT_JSON_DEPTH, brackets[i][0], brackets[i][1]);
                v = document((char *)good.data);
                make_nested(&bad, LIMIT_JSON_DEPTH + 1, brackets[i][0], brackets[i][1]);
                assert_refused((char *)bad.data, SJSON_E_DEPTH);
                make_nested(&worse, 100000, brackets[i][0], brackets[i][1]);
                assert_refused((char *)worse.data, SJSON_E_DEPTH);
        }
        {
                _cleanup_(buffer_deinit) Buffer wide = BUFFER_NULL;
                _cleanup_(sjson_freep) SJson *v = NULL;

                /* The last `[]` of each level is as deep as what it follows. */
                make_nested(&wide, LIMIT_JSON_DEPTH - 1, brackets[2][0], brackets[2][1]);
                v = document((char *)wide.data);
        }
}

static void sjson_parse_wide_document_is_not_deep(void **state)
{
        _cleanup_(buffer_deinit) Buffer text = BUFFER_NULL;
        _cleanup_(sjson_freep) SJson *v = NULL, *list = NULL;

        (void)state;
        assert_int_equal(buffer_append_string(&text, "{\"a\":[0"), 0);
        for (unsigned i = 0; i < 200; i++)
                assert_int_equal(buffer_append_string(&text, ",{\"b\":[]}"), 0);
        assert_int_equal(buffer_append_string(&text, "]}"), 0);
        v = document((char *)text.data);
        assert_int_equal(sjson_get_array(v, "a", &list), 0);
        assert_int_equal(sjson_size(list), 201);
        list = NULL;
}

static void sjson_parse_error_says_where_in_printable_ascii(void **state)
{
        SJsonError error;
        SJson *v = NULL;

        (void)state;
        assert_int_equal(parse(&v, "{\n  \"a\": x}", &error), SJSON_E_SYNTAX);
        assert_int_equal(error.line, 2);
        assert_true(error.column > 0);
        assert_int_equal(parse(&v, "{\"\xc3\xa4\":1,\"\xc3\xa4\":2}", &error), SJSON_E_DUPLICATE);
        for (const char *p = error.text; *p; p++)
                assert_in_range(*p, 0x20, 0x7e);
}

/* ---- getters ---- */

static const char mixed[] = "{\"o\":{\"x\":1},\"a\":[1,\"two\",null],\"s\":\"t\xc3\xa4xt\",\"e\":\"\",\"n\":"
                            "5,\"m\":-5,\"t\":true,\"f\":false,"
                            "\"z\":null}";

static void sjson_get_each_type_succeeds(void **state)
{
        _cleanup_(sjson_freep) SJson *v = document(mixed);
        const char *s;
        SJson *member;
        uint64_t u;
        int64_t i;
        size_t n;
        bool b;

        (void)state;
        assert_int_equal(sjson_get(v, "z", &member), 0);
        assert_true(sjson_is_null(member));
        assert_int_equal(sjson_get_object(v, "o", &member), 0);
        assert_true(sjson_is_object(member));
        assert_int_equal(sjson_get_array(v, "a", &member), 0);
        assert_true(sjson_is_array(member));
        assert_int_equal(sjson_size(member), 3);
        assert_string_equal(sjson_string(sjson_at(member, 1), NULL), "two");
        assert_int_equal(sjson_get_string(v, "s", &s, &n), 0);
        assert_string_equal(s, "t\xc3\xa4xt");
        assert_int_equal(n, 5);
        assert_int_equal(sjson_get_string(v, "e", &s, NULL), 0);
        assert_string_equal(s, "");
        assert_int_equal(sjson_get_u64(v, "n", &u), 0);
        assert_int_equal(u, 5);
        assert_int_equal(sjson_get_i64(v, "m", &i), 0);
        assert_true(i == -5);
        assert_int_equal(sjson_get_bool(v, "t", &b), 0);
        assert_true(b);
        assert_int_equal(sjson_get_bool(v, "f", &b), 0);
        assert_false(b);
        assert_int_equal(sjson_size(v), 9);
}

static void sjson_get_other_types_are_refused(void **state)
{
        static const char *const names[] = {"o", "a", "s", "e", "n", "m", "t", "f", "z"};
        _cleanup_(sjson_freep) SJson *v = document(mixed);
        const char *s;
        SJson *member;
        uint64_t u;
        int64_t i;
        bool b;

        (void)state;
        for (size_t k = 0; k < ARRAY_SIZE(names); k++) {
                char c = names[k][0];

                assert_int_equal(sjson_get_object(v, names[k], &member), c == 'o' ? 0 : SJSON_E_TYPE);
                assert_int_equal(sjson_get_array(v, names[k], &member), c == 'a' ? 0 : SJSON_E_TYPE);
                assert_int_equal(sjson_get_string(v, names[k], &s, NULL),
                                 c == 's' || c == 'e' ? 0 : SJSON_E_TYPE);
                assert_int_equal(sjson_get_u64(v, names[k], &u), c == 'n' ? 0 : SJSON_E_TYPE);
                assert_int_equal(sjson_get_i64(v, names[k], &i), c == 'n' || c == 'm' ? 0 : SJSON_E_TYPE);
                assert_int_equal(sjson_get_bool(v, names[k], &b), c == 't' || c == 'f' ? 0 : SJSON_E_TYPE);
        }
}

static void sjson_get_missing_members_are_told(void **state)
{
        _cleanup_(sjson_freep) SJson *v = document(mixed);
        const char *s = NULL;
        SJson *member = NULL;
        uint64_t u = 1;
        int64_t i = 1;
        bool b = true;

        (void)state;
        assert_int_equal(sjson_get(v, "S", &member), SJSON_E_MISSING);
        assert_int_equal(sjson_get_object(v, "none", &member), SJSON_E_MISSING);
        assert_int_equal(sjson_get_array(v, "none", &member), SJSON_E_MISSING);
        assert_int_equal(sjson_get_string(v, "none", &s, NULL), SJSON_E_MISSING);
        assert_int_equal(sjson_get_u64(v, "none", &u), SJSON_E_MISSING);
        assert_int_equal(sjson_get_i64(v, "none", &i), SJSON_E_MISSING);
        assert_int_equal(sjson_get_bool(v, "none", &b), SJSON_E_MISSING);
        assert_null(member);
        assert_null(s);
        assert_true(u == 1 && i == 1 && b);
}

static void sjson_is_tells_types_apart(void **state)
{
        _cleanup_(sjson_freep) SJson *v = document(mixed);
        SJson *a;

        (void)state;
        assert_int_equal(sjson_get_array(v, "a", &a), 0);
        assert_false(sjson_is_string(sjson_at(a, 0)));
        assert_true(sjson_is_string(sjson_at(a, 1)));
        assert_true(sjson_is_null(sjson_at(a, 2)));
        assert_false(sjson_is_null(a));
        assert_false(sjson_is_object(a));
        assert_false(sjson_is_array(v));
}

static void sjson_member_next_walks_in_input_order(void **state)
{
        _cleanup_(sjson_freep) SJson *v = document("{\"z\":1,\"a\":2,\"m\":[]}"), *empty = document("{}");
        static const char *const names[] = {"z", "a", "m"};
        SJsonMember *m = NULL;
        size_t n = 0;

        (void)state;
        while ((m = sjson_member_next(v, m)))
                assert_string_equal(sjson_member_name(m), names[n++]);
        assert_int_equal(n, 3);
        m = sjson_member_next(v, sjson_member_next(v, sjson_member_next(v, NULL)));
        assert_true(sjson_is_array(sjson_member_value(m)));
        assert_null(sjson_member_next(empty, NULL));
}

static void sjson_only_foreign_members_are_noticed(void **state)
{
        _cleanup_(sjson_freep) SJson *v = document("{\"a\":1,\"b\":2}"), *empty = document("{}");

        (void)state;
        assert_true(sjson_only(v, (const char *const[]){"b", "a", "c", NULL}));
        assert_false(sjson_only(v, (const char *const[]){"a", "A", "c", NULL}));
        assert_false(sjson_only(v, (const char *const[]){NULL}));
        assert_true(sjson_only(empty, (const char *const[]){NULL}));
}

static void sjson_dump_is_compact_and_in_order(void **state)
{
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;
        _cleanup_(sjson_freep) SJson *v = document("{ \"z\" : [1, \"x\", null], \"a\" : { } }");
        SJson *z;

        (void)state;
        assert_int_equal(buffer_append_string(&out, "> "), 0);
        assert_int_equal(sjson_dump(v, &out), 0);
        assert_string_equal((char *)out.data, "> {\"z\":[1,\"x\",null],\"a\":{}}");
        assert_int_equal(sjson_get_array(v, "z", &z), 0);
        buffer_clear(&out);
        assert_int_equal(sjson_dump(sjson_at(z, 1), &out), 0);
        assert_string_equal((char *)out.data, "\"x\"");
}

static void sjson_free_null_is_fine(void **state)
{
        (void)state;
        assert_null(sjson_free(NULL));
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(sjson_parse_plain_documents_succeed),
                cmocka_unit_test(sjson_parse_what_is_not_strict_json_is_refused),
                cmocka_unit_test(sjson_parse_real_numbers_are_refused_at_every_level),
                cmocka_unit_test(sjson_parse_nul_bytes_are_refused),
                cmocka_unit_test(sjson_parse_duplicates_are_refused_at_every_level),
                cmocka_unit_test(sjson_parse_duplicates_among_many_members_are_found),
                cmocka_unit_test(sjson_parse_deepest_document_is_the_last_accepted),
                cmocka_unit_test(sjson_parse_wide_document_is_not_deep),
                cmocka_unit_test(sjson_parse_error_says_where_in_printable_ascii),
                cmocka_unit_test(sjson_get_each_type_succeeds),
                cmocka_unit_test(sjson_get_other_types_are_refused),
                cmocka_unit_test(sjson_get_missing_members_are_told),
                cmocka_unit_test(sjson_is_tells_types_apart),
                cmocka_unit_test(sjson_member_next_walks_in_input_order),
                cmocka_unit_test(sjson_only_foreign_members_are_noticed),
                cmocka_unit_test(sjson_dump_is_compact_and_in_order),
                cmocka_unit_test(sjson_free_null_is_fine),
        };

        error_set_trace(NULL);
        return cmocka_run_group_tests_name("sjson", tests, NULL, NULL);
}
