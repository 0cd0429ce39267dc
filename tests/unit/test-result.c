/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/error.h"
#include "client/result.h"

static int decode(const char *json, Result *ret, SJson **ret_document)
{
        assert_int_equal(sjson_parse(ret_document, json, strlen(json), NULL), 0);
        return result_decode(ret, *ret_document, 3);
}

static void expect_syntax(const char *json)
{
        _cleanup_(sjson_freep) SJson *document = NULL;
        Result result;

        assert_int_equal(decode(json, &result, &document), RESULT_E_SYNTAX);
}

static void result_decode_full_accepts(void **state)
{
        _cleanup_(sjson_freep) SJson *document = NULL;
        Result r;

        (void)state;
        assert_int_equal(
                decode("{\"index\":2,\"name\":\"a\",\"outcome\":\"signed\",\"reason\":null,\"key\":\"k\","
                       "\"signature\":\"AA==\",\"proof\":\"p\",\"entry\":7,\"repeated\":true,"
                       "\"attestedBy\":[\"farm\"],\"unknown\":1}",
                       &r, &document),
                0);
        assert_int_equal(r.index, 2);
        assert_int_equal(r.outcome, RESULT_SIGNED);
        assert_null(r.reason);
        assert_string_equal(r.key, "k");
        assert_true(r.has_entry);
        assert_int_equal(r.entry, 7);
        assert_true(r.repeated);
        assert_non_null(r.attested_by);
        assert_null(r.missing);
}

static void result_decode_smallest_accepts(void **state)
{
        _cleanup_(sjson_freep) SJson *document = NULL;
        Result r;

        (void)state;
        assert_int_equal(decode("{\"index\":0,\"outcome\":\"refused\"}", &r, &document), 0);
        assert_int_equal(r.outcome, RESULT_REFUSED);
        assert_false(r.has_entry);
        assert_false(r.repeated);
}

static void result_decode_wrong_fails(void **state)
{
        (void)state;

        expect_syntax("{\"outcome\":\"signed\"}");
        expect_syntax("{\"index\":3,\"outcome\":\"signed\"}");
        expect_syntax("{\"index\":-1,\"outcome\":\"signed\"}");
        expect_syntax("{\"index\":\"0\",\"outcome\":\"signed\"}");
        expect_syntax("{\"index\":0}");
        expect_syntax("{\"index\":0,\"outcome\":\"Signed\"}");
        expect_syntax("{\"index\":0,\"outcome\":\"signed\",\"signature\":1}");
        expect_syntax("{\"index\":0,\"outcome\":\"refused\",\"missing\":{}}");
        expect_syntax("{\"index\":0,\"outcome\":\"signed\",\"source\":[]}");
}

static void result_write_members_writes_what_is_there(void **state)
{
        _cleanup_(sjson_freep) SJson *document = NULL;
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;
        JsonWriter w;
        Result r;

        (void)state;
        assert_int_equal(decode("{\"index\":0,\"outcome\":\"refused\",\"reason\":\"quorum-orgs\","
                                "\"missing\":[{\"rule\":\"orgs\",\"count\":1,\"orgs\":[\"a\"]}]}",
                                &r, &document),
                         0);
        jsonw_init(&w, &out);
        jsonw_object(&w);
        assert_int_equal(result_write_members(&r, &w), 0);
        jsonw_object_end(&w);
        assert_int_equal(jsonw_finish(&w), 0);
        assert_string_equal((char *)out.data,
                            "{\"outcome\":\"refused\",\"reason\":\"quorum-orgs\","
                            "\"missing\":[{\"rule\":\"orgs\",\"count\":1,\"orgs\":[\"a\"]}]}");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(result_decode_full_accepts),
                cmocka_unit_test(result_decode_smallest_accepts),
                cmocka_unit_test(result_decode_wrong_fails),
                cmocka_unit_test(result_write_members_writes_what_is_there),
        };

        error_set_trace(NULL);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
