/* SPDX-License-Identifier: Apache-2.0 */
#include "test-policy-fixture.h"

#include "base/hex.h"
#include "policy/uri.h"

static void policy_parse_whole_document_is_read(void **state)
{
        const Policy *p = *state;

        assert_int_equal(p->serial, 1);
        assert_false(p->has_previous);
        assert_int_equal(p->effective_usec, UINT64_C(1767225600000000));
        assert_int_equal(p->expires_usec, UINT64_C(1893456000000000));
        assert_string_equal(p->origin, "log.example/hsmd");
        assert_string_equal(p->log_uri, "pkcs11:token=hsmd;object=log");
        assert_int_equal(public_key_type(p->log_key), KEY_ED25519);
        assert_int_equal(p->n_sites, 2);
        assert_string_equal(p->sites[1].country, "LV");
        assert_int_equal(p->n_orgs, 4);
        assert_int_equal(p->orgs[1].class, ORG_INTERNAL);
        assert_int_equal(p->orgs[2].class, ORG_THIRD_PARTY);
        assert_int_equal(p->n_rebuilders, 5);
        assert_int_equal(p->rebuilders[1].org, 0);
        assert_int_equal(p->rebuilders[2].scheme, SCHEME_ECDSA_DER);
        assert_int_equal(p->rebuilders[3].scheme, SCHEME_ECDSA_P1363);
        assert_string_equal(p->rebuilders[4].builder_id, "https://academy.example/rebuild");
        assert_int_equal(p->n_requesters, 2);
        assert_false(p->requesters[0].is_group);
        assert_int_equal(p->requesters[0].id, 1000);
        assert_true(p->requesters[1].is_group);
}

static void policy_parse_keys_are_pinned(void **state)
{
        const Policy *p = *state;

        assert_int_equal(p->n_keys, 4);
        assert_int_equal(p->keys[0].type, KEY_ECDSA_P256);
        assert_int_equal(p->keys[0].formats, 1U << FORMAT_RAW_ECDSA);
        assert_int_equal(p->keys[0].n_sites, 0);
        assert_int_equal(public_key_bits(p->keys[1].public_key), 3072);
        assert_int_equal(p->keys[1].formats,
                         1U << FORMAT_RAW_RSA_PKCS1_SHA256 | 1U << FORMAT_RAW_RSA_PSS_SHA256);
        assert_int_equal(p->keys[1].n_sites, 1);
        assert_int_equal(p->keys[1].sites[0], 0);
        assert_int_equal(public_key_type(p->keys[3].public_key), KEY_ECDSA_P384);
}

static void policy_parse_releases_are_read(void **state)
{
        const Policy *p = *state;
        const PolicyRelease *product = &p->releases[0], *updates = &p->releases[1];

        assert_int_equal(p->n_releases, 2);
        assert_int_equal(product->n_keys, 2);
        assert_int_equal(product->keys[1], 1);
        assert_int_equal(product->n_sources, 1);
        assert_int_equal(product->n_org_rules, 1);
        assert_int_equal(product->org_rules[0].k, 2);
        assert_int_equal(product->org_rules[0].n_orgs, 3);
        assert_int_equal(product->org_rules[0].orgs[2], 3);
        assert_int_equal(product->n_class_rules, 1);
        assert_int_equal(product->class_rules[0].class, ORG_THIRD_PARTY);
        assert_int_equal(product->class_rules[0].k, 1);
        assert_true(product->dissent_denies);
        assert_int_equal(updates->n_requesters, 2);
        assert_int_equal(updates->requesters[0], 1);
        assert_int_equal(updates->n_sources, 2);
        assert_int_equal(updates->n_class_rules, 0);
        assert_false(updates->dissent_denies);
}

static void policy_parse_bytes_are_kept_and_hashed(void **state)
{
        _cleanup_(buffer_deinit) Buffer text = BUFFER_NULL;
        const Policy *p = *state;
        uint8_t digest[SHA256_SIZE];

        fixture_read(&text, "policy.conf");
        assert_int_equal(p->size, text.size);
        assert_memory_equal(p->bytes, text.data, text.size + 1);
        sha256(digest, text.data, text.size);
        assert_memory_equal(p->sha256, digest, SHA256_SIZE);
}

static void policy_find_name_is_found(void **state)
{
        assert_int_equal(policy_find_key(*state, "firmware"), 1);
        assert_int_equal(policy_find_release(*state, "updates"), 1);
        assert_int_equal(policy_find_site(*state, "berlin"), 0);
}

static void policy_find_other_name_is_not_found(void **state)
{
        assert_true(policy_find_key(*state, "Firmware") == SIZE_MAX);
        assert_true(policy_find_key(*state, "updates") == SIZE_MAX);
        assert_true(policy_find_release(*state, "update") == SIZE_MAX);
        assert_true(policy_find_site(*state, "") == SIZE_MAX);
}

static void policy_parse_no_memory_is_leaked_from_faulty_documents(void **state)
{
        _cleanup_(buffer_deinit) Buffer text = BUFFER_NULL;

        (void)state;
        fixture_read(&text, "policy.conf");
        /* Every prefix is faulty: it lacks something, at last the `end`.  The sanitizers watch. */
        for (size_t size = 0; size + 1 < text.size; size += 7) {
                _cleanup_(policy_faults_deinit) PolicyFaults faults = {0};
                Policy *policy = NULL;

                assert_int_equal(policy_parse(&policy, BLOB(text.data, size), &faults), POLICY_E_INVALID);
                assert_null(policy);
                assert_true(faults.n > 0);
        }
}

static void signature_format_names_go_both_ways(void **state)
{
        (void)state;
        for (int f = 0; f < _FORMAT_MAX; f++) {
                const char *name = signature_format_to_string((SignatureFormat)f);

                assert_int_equal(signature_format_from_string(name, strlen(name)), f);
                assert_int_equal(signature_format_from_string(name, strlen(name) - 1), _FORMAT_INVALID);
        }
}

static void signature_format_fits_only_keys_that_make_it(void **state)
{
        static const bool fits[_FORMAT_MAX][_KEY_TYPE_MAX] = {
                [FORMAT_RAW_ECDSA] = {[KEY_ECDSA_P256] = true, [KEY_ECDSA_P384] = true},
                [FORMAT_RAW_RSA_PKCS1_SHA256] = {[KEY_RSA] = true},
                [FORMAT_RAW_RSA_PSS_SHA256] = {[KEY_RSA] = true},
                [FORMAT_RAW_ED25519] = {[KEY_ED25519] = true},
        };

        (void)state;
        for (int f = 0; f < _FORMAT_MAX; f++)
                for (unsigned t = 0; t < _KEY_TYPE_MAX; t++)
                        assert_int_equal(signature_format_fits((SignatureFormat)f, (KeyType)t), fits[f][t]);
}

static void uri_is_valid_shape_of_rfc_3986_is_accepted(void **state)
{
        static const char *const good[] = {"a:b", "https://git.example/x?y=1#z",
                                           "git+https://h/p@refs/heads/main", "urn:x:%2F",
                                           "pkg:deb/debian/x@1.0-1"};

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(good); i++)
                assert_true(uri_is_valid(good[i], strlen(good[i])));
}

static void uri_is_valid_other_shape_is_refused(void **state)
{
        static const char *const bad[] = {"",      "a",     "a:",   ":b",    "1a:b",     "a:b c",  "a:%2",
                                          "a:%zz", "a:%00", "a:\"", "a:<b>", "https//x", "a:b\\c", "a_b:c"};
        char too_long[LIMIT_URI_SIZE + 2];

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_false(uri_is_valid(bad[i], strlen(bad[i])));
        assert_false(uri_is_valid("a:\0b", 4));
        memset(too_long, 'x', sizeof(too_long));
        too_long[1] = ':';
        assert_true(uri_is_valid(too_long, LIMIT_URI_SIZE));
        assert_false(uri_is_valid(too_long, LIMIT_URI_SIZE + 1));
}

static void uri_private_key_fault_one_key_is_accepted(void **state)
{
        static const char *const good[] = {
                "pkcs11:object=log",
                "pkcs11:id=%01%02",
                "pkcs11:token=a%20b;serial=1;object=x;type=private;id=%ff",
                "pkcs11:library-manufacturer=m;library-version=3;library-description=d;slot-id=1;object=a&b",
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(good); i++)
                assert_null(uri_private_key_fault(good[i], strlen(good[i])));
}

static void uri_private_key_fault_anything_else_is_refused(void **state)
{
        static const char *const bad[] = {
                "",
                "pkcs11:",
                "pkcs12:object=log",
                "PKCS11:object=log",
                "pkcs11:token=t",
                "pkcs11:object=",
                "pkcs11:object",
                "pkcs11:object=a;",
                "pkcs11:;object=a",
                "pkcs11:object=a;object=b",
                "pkcs11:object=a;type=public",
                "pkcs11:object=a;x-vendor=1",
                "pkcs11:object=a/b",
                "pkcs11:object=%0",
                "pkcs11:object=a?pin-value=1234",
                "pkcs11:object=a?module-path=/x.so",
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_non_null(uri_private_key_fault(bad[i], strlen(bad[i])));
}

static void reason_to_string_texts_are_distinct(void **state)
{
        (void)state;
        for (unsigned i = 0; i < _REASON_MAX; i++)
                for (unsigned k = 0; k < i; k++)
                        assert_string_not_equal(reason_to_string((Reason)i), reason_to_string((Reason)k));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(policy_parse_whole_document_is_read),
                cmocka_unit_test(policy_parse_keys_are_pinned),
                cmocka_unit_test(policy_parse_releases_are_read),
                cmocka_unit_test(policy_parse_bytes_are_kept_and_hashed),
                cmocka_unit_test(policy_find_name_is_found),
                cmocka_unit_test(policy_find_other_name_is_not_found),
                cmocka_unit_test(policy_parse_no_memory_is_leaked_from_faulty_documents),
                cmocka_unit_test(signature_format_names_go_both_ways),
                cmocka_unit_test(signature_format_fits_only_keys_that_make_it),
                cmocka_unit_test(uri_is_valid_shape_of_rfc_3986_is_accepted),
                cmocka_unit_test(uri_is_valid_other_shape_is_refused),
                cmocka_unit_test(uri_private_key_fault_one_key_is_accepted),
                cmocka_unit_test(uri_private_key_fault_anything_else_is_refused),
                cmocka_unit_test(reason_to_string_texts_are_distinct),
        };

        return cmocka_run_group_tests_name("policy", tests, fixture_setup, fixture_teardown);
}
