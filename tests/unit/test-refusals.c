/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "server/refusals.h"

static void refusals_add_counts_equal_ones(void **state)
{
        static Refusals r;
        uint8_t hash[32] = {1}, other[32] = {2};

        (void)state;
        refusals_add(&r, 10, 1000, REASON_EVIDENCE_NONE, "key", "release", "first", hash);
        refusals_add(&r, 20, 1000, REASON_EVIDENCE_NONE, "key", "release", "second", other);
        assert_int_equal(r.n, 1);
        assert_int_equal(r.items[0].count, 2);
        assert_int_equal(r.items[0].first_usec, 10);
        assert_int_equal(r.items[0].last_usec, 20);
        assert_string_equal(r.items[0].artifact_name, "first");
        assert_memory_equal(r.items[0].artifact_sha256, hash, 32);
        refusals_add(&r, 30, 1001, REASON_EVIDENCE_NONE, "key", NULL, NULL, NULL);
        refusals_add(&r, 30, 1000, REASON_QUORUM_ORGS, "key", NULL, NULL, NULL);
        refusals_add(&r, 30, 1000, REASON_EVIDENCE_NONE, "other", NULL, NULL, NULL);
        refusals_add(&r, 30, 1000, REASON_EVIDENCE_NONE, NULL, NULL, NULL, NULL);
        assert_int_equal(r.n, 5);
}

static void refusals_add_text_that_is_no_name_is_left_out(void **state)
{
        static Refusals r;
        char large[400];

        (void)state;
        memset(large, 'a', sizeof(large) - 1);
        large[sizeof(large) - 1] = '\0';
        refusals_add(&r, 10, 1000, REASON_KEY_UNKNOWN, "no name\n\"", large, "a/b", NULL);
        refusals_add(&r, 10, 1001, REASON_KEY_UNKNOWN, large, "", large, NULL);
        for (size_t i = 0; i < 2; i++) {
                assert_string_equal(r.items[i].key, "");
                assert_string_equal(r.items[i].release, "");
                assert_string_equal(r.items[i].artifact_name, "");
                assert_false(r.items[i].has_sha256);
        }
}

static void refusals_add_flood_costs_a_counter(void **state)
{
        static Refusals r;
        uint64_t sum = 0;

        (void)state;
        for (uint32_t i = 0; i < 100000; i++) {
                char key[32];

                (void)snprintf(key, sizeof(key), "key-%u", i);
                refusals_add(&r, i, i, REASON_KEY_UNKNOWN, key, NULL, NULL, NULL);
        }
        assert_int_equal(r.n, REFUSALS_KINDS);
        for (size_t i = 0; i < r.n; i++)
                sum += r.items[i].count;
        assert_int_equal(sum, 100000);
}

static void refusal_write_is_an_entry(void **state)
{
        static Refusals r;
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;
        _cleanup_(entry_deinit) Entry entry = {0};
        const Policy policy = {.serial = 7};
        uint8_t hash[32] = {1};

        (void)state;
        refusals_add(&r, 1760000000000000, 1000, REASON_QUORUM_ORGS, "key", "release", "name", hash);
        assert_int_equal(refusal_write(&r.items[0], &policy, "berlin", 1760000000000005, &out), 0);
        assert_int_equal(entry_decode(&entry, buffer_blob(&out)), 0);
        assert_string_equal(entry.type, ENTRY_REFUSAL);
        assert_string_equal(entry.key, "key");
        assert_true(entry.has_uid);
        assert_int_equal(entry.uid, 1000);
        assert_true(entry.has_artifact);
        assert_memory_equal(entry.artifact_sha256, hash, 32);
}

static void refusal_write_without_key_and_artifact_is_an_entry_too(void **state)
{
        static Refusals r;
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;
        _cleanup_(entry_deinit) Entry entry = {0};
        const Policy policy = {.serial = 7};

        (void)state;
        refusals_add(&r, 1760000000000000, 1000, REASON_NO_TRUSTED_SIGNER, NULL, NULL, NULL, NULL);
        assert_int_equal(refusal_write(&r.items[0], &policy, "berlin", 1760000000000005, &out), 0);
        assert_int_equal(entry_decode(&entry, buffer_blob(&out)), 0);
        assert_false(entry.has_artifact);
        assert_null(entry.key);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(refusals_add_counts_equal_ones),
                cmocka_unit_test(refusals_add_text_that_is_no_name_is_left_out),
                cmocka_unit_test(refusals_add_flood_costs_a_counter),
                cmocka_unit_test(refusal_write_is_an_entry),
                cmocka_unit_test(refusal_write_without_key_and_artifact_is_an_entry_too),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
