/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "token/p11uri.h"

static P11Uri uri;
static const char *reason;

static void assert_field(P11UriField field, const char *value, size_t size)
{
        assert_true(uri.fields[field].set);
        assert_int_equal(uri.fields[field].size, size);
        assert_memory_equal(uri.fields[field].text, value, size + 1);
}

static void assert_refused(const char *text, const char *why)
{
        reason = NULL;
        assert_int_equal(p11uri_parse(&uri, BLOB_STRING(text), &reason), P11URI_E_INVALID);
        assert_non_null(reason);
        assert_non_null(strstr(reason, why));
}

static void p11uri_parse_all_attributes_are_taken(void **state)
{
        (void)state;
        assert_int_equal(
                p11uri_parse(&uri,
                             BLOB_STRING("pkcs11:token=A%20token;manufacturer=M;model=m+1;serial=00:1;"
                                         "slot-id=421976205;object=rel[ease]@1;id=%00%ffa;type=private"),
                             &reason),
                0);
        assert_field(P11URI_TOKEN, "A token", 7);
        assert_field(P11URI_MANUFACTURER, "M", 1);
        assert_field(P11URI_MODEL, "m+1", 3);
        assert_field(P11URI_SERIAL, "00:1", 4);
        assert_field(P11URI_OBJECT, "rel[ease]@1", 11);
        assert_field(P11URI_ID,
                     "\0\xff"
                     "a",
                     3);
        assert_field(P11URI_TYPE, "private", 7);
        assert_int_equal(uri.slot_id, 421976205);
}

static void p11uri_parse_one_attribute_leaves_others_unset(void **state)
{
        (void)state;
        assert_int_equal(p11uri_parse(&uri, BLOB_STRING("pkcs11:object=a%3Bb%3bc"), &reason), 0);
        assert_field(P11URI_OBJECT, "a;b;c", 5);
        for (unsigned i = 0; i < _P11URI_FIELD_MAX; i++)
                assert_int_equal(uri.fields[i].set, i == P11URI_OBJECT);
}

static void p11uri_parse_bad_syntax_is_invalid(void **state)
{
        (void)state;
        assert_refused("", "does not begin");
        assert_refused("pkcs11", "does not begin");
        assert_refused("PKCS11:token=a", "does not begin");
        assert_refused(" pkcs11:token=a", "does not begin");
        assert_refused("pkcs11:", "no attribute");
        assert_refused("pkcs11:;", "equals");
        assert_refused("pkcs11:token", "equals");
        assert_refused("pkcs11:token=a;", "equals");
        assert_refused("pkcs11:token=", "without a value");
        assert_refused("pkcs11:token=a;;object=b", "equals");
        assert_refused("pkcs11:token=a/b", "percent-encoded");
        assert_refused("pkcs11:token=a b", "percent-encoded");
        assert_refused("pkcs11:token=\xc3\xa6", "percent-encoded");
        assert_refused("pkcs11:token=a\"", "percent-encoded");
}

static void p11uri_parse_bad_percent_is_invalid(void **state)
{
        (void)state;
        assert_int_equal(p11uri_parse(&uri, BLOB_STRING("pkcs11:token=%aF"), &reason), 0);
        assert_refused("pkcs11:token=%", "percent sign");
        assert_refused("pkcs11:token=%a", "percent sign");
        assert_refused("pkcs11:token=%a;id=1", "percent sign");
        assert_refused("pkcs11:token=%ag", "percent sign");
        assert_refused("pkcs11:token=%-1", "percent sign");
        assert_refused("pkcs11:token=a%00b", "NUL");
        assert_refused("pkcs11:object=%00", "NUL");
}

static void p11uri_parse_nul_in_text_is_invalid(void **state)
{
        (void)state;
        assert_int_equal(p11uri_parse(&uri, BLOB_LITERAL("pkcs11:token=a"), &reason), 0);
        assert_int_equal(p11uri_parse(&uri, BLOB_LITERAL("pkcs11:token=a\0"), &reason), P11URI_E_INVALID);
        assert_int_equal(p11uri_parse(&uri, BLOB_LITERAL("pkcs11:id=\0"), &reason), P11URI_E_INVALID);
}

static void p11uri_parse_unknown_attribute_is_invalid(void **state)
{
        (void)state;
        assert_refused("pkcs11:tokens=a", "other than");
        assert_refused("pkcs11:Token=a", "other than");
        assert_refused("pkcs11:pin-value=1234", "other than");
        assert_refused("pkcs11:x-vendor=1;token=a", "other than");
        assert_refused("pkcs11:=a", "other than");
        assert_refused("pkcs11:token=a?pin-value=1234", "percent-encoded");
        assert_refused("pkcs11:?module-path=/x", "other than");
}

static void p11uri_parse_attribute_twice_is_invalid(void **state)
{
        (void)state;
        assert_refused("pkcs11:token=a;token=a", "twice");
        assert_refused("pkcs11:id=1;object=b;id=2", "twice");
}

static void p11uri_parse_type_other_than_private_is_invalid(void **state)
{
        (void)state;
        assert_refused("pkcs11:object=a;type=public", "private");
        assert_refused("pkcs11:object=a;type=privat", "private");
        assert_refused("pkcs11:object=a;type=Private", "private");
}

static void p11uri_parse_slot_id_that_is_no_number_is_invalid(void **state)
{
        (void)state;
        assert_int_equal(p11uri_parse(&uri, BLOB_STRING("pkcs11:slot-id=0"), &reason), 0);
        assert_int_equal(uri.slot_id, 0);
        assert_refused("pkcs11:slot-id=01", "slot-id");
        assert_refused("pkcs11:slot-id=-1", "slot-id");
        assert_refused("pkcs11:slot-id=0x1", "slot-id");
        assert_refused("pkcs11:slot-id=18446744073709551616", "slot-id");
}

static void p11uri_parse_size_over_limit_is_invalid(void **state)
{
        char text[LIMIT_URI_SIZE + 2];

        (void)state;
        memset(text, 'a', sizeof(text));
        memcpy(text, "pkcs11:token=", 13);
        text[13 + P11URI_VALUE_SIZE] = '\0';
        assert_int_equal(p11uri_parse(&uri, BLOB_STRING(text), &reason), 0);
        text[13 + P11URI_VALUE_SIZE] = 'a';
        text[13 + P11URI_VALUE_SIZE + 1] = '\0';
        assert_refused(text, "too long");
        text[13 + P11URI_VALUE_SIZE + 1] = 'a';
        text[LIMIT_URI_SIZE + 1] = '\0';
        assert_refused(text, "it is too long");
}

static void p11uri_parse_token_with_object_is_invalid(void **state)
{
        static const char *const bad[] = {"pkcs11:token=a;object=b", "pkcs11:token=a;id=b",
                                          "pkcs11:token=a;type=private"};

        (void)state;
        assert_int_equal(p11uri_parse_token(&uri, BLOB_STRING("pkcs11:token=a;serial=1"), &reason), 0);
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_int_equal(p11uri_parse_token(&uri, BLOB_STRING(bad[i]), &reason), P11URI_E_INVALID);
}

static void p11uri_parse_key_without_object_and_id_is_invalid(void **state)
{
        (void)state;
        assert_int_equal(p11uri_parse_key(&uri, BLOB_STRING("pkcs11:token=a;object=b"), &reason), 0);
        assert_int_equal(p11uri_parse_key(&uri, BLOB_STRING("pkcs11:id=%01"), &reason), 0);
        assert_int_equal(p11uri_parse_key(&uri, BLOB_STRING("pkcs11:token=a;type=private"), &reason),
                         P11URI_E_INVALID);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(p11uri_parse_all_attributes_are_taken),
                cmocka_unit_test(p11uri_parse_one_attribute_leaves_others_unset),
                cmocka_unit_test(p11uri_parse_bad_syntax_is_invalid),
                cmocka_unit_test(p11uri_parse_bad_percent_is_invalid),
                cmocka_unit_test(p11uri_parse_nul_in_text_is_invalid),
                cmocka_unit_test(p11uri_parse_unknown_attribute_is_invalid),
                cmocka_unit_test(p11uri_parse_attribute_twice_is_invalid),
                cmocka_unit_test(p11uri_parse_type_other_than_private_is_invalid),
                cmocka_unit_test(p11uri_parse_slot_id_that_is_no_number_is_invalid),
                cmocka_unit_test(p11uri_parse_size_over_limit_is_invalid),
                cmocka_unit_test(p11uri_parse_token_with_object_is_invalid),
                cmocka_unit_test(p11uri_parse_key_without_object_and_id_is_invalid),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
