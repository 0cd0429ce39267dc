/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/crypto.h"
#include "base/macro.h"
#include "journal/entry.h"
#include "journal/keys.h"

#define HEX  "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define TIME "\"time\":\"2026-07-01T10:00:00.000001Z\""

static const uint8_t hash[32] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa,
                                 0xbb, 0xcc, 0xdd, 0xee, 0xff, 0x00, 0x11, 0x22, 0x33, 0x44, 0x55,
                                 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};

static const struct Key *key_of(const Keys *k, IndexKind kind)
{
        for (size_t i = 0; i < k->n; i++)
                if (k->keys[i].kind == kind)
                        return &k->keys[i];
        return NULL;
}

static void expect_text(const Keys *k, IndexKind kind, const char *text)
{
        const struct Key *key = key_of(k, kind);
        uint8_t expected[32];

        if (!text) {
                assert_null(key);
                return;
        }
        assert_non_null(key);
        sha256(expected, text, strlen(text));
        assert_memory_equal(key->hash, expected, 32);
}

static void expect_artifact(const Keys *k, IndexKind kind)
{
        const struct Key *key = key_of(k, kind);

        assert_non_null(key);
        assert_memory_equal(key->hash, hash, 32);
}

/* The scan agrees with the parser: the time, and which members there are. */
static void derive(Blob entry, Keys *ret)
{
        Entry e;
        uint64_t time;

        assert_int_equal(entry_decode(&e, entry), 0);
        assert_int_equal(keys_derive(ret, entry), 0);
        assert_int_equal(ret->time_usec, e.time_usec);
        assert_int_equal(keys_time(&time, entry), 0);
        assert_int_equal(time, e.time_usec);
        expect_text(ret, INDEX_TYPE, e.type);
        expect_text(ret, INDEX_KEY, e.key);
        entry_deinit(&e);
}

static void write_request(Buffer *out)
{
        const EntryVote votes[] = {{hash, "a\"b\\c"}, {hash, "other"}};
        const EntryRequest r = {
                .intent = 3,
                .requested_usec = 5,
                .site = "de",
                .requester = "farm",
                .uid = 1001,
                .release = "updates",
                .artifact_name = "a,\"sha256\":\"x\"}{\\",
                .artifact_sha256 = hash,
                .source_uri = "git+https://example.org/x?key={\"uid\":7}",
                .source_git_commit = "0123456789012345678901234567890123456789",
                .source_sha256 = hash,
                .n_votes = 2,
                .votes = votes,
                .policy_serial = 1,
                .policy_sha256 = hash,
                .key = "updates-2026",
                .key_id = hash,
                .format = "cms",
        };

        assert_int_equal(entry_write_request(&r, out), 0);
}

static void keys_derive_signature_finds_four(void **state)
{
        _cleanup_(buffer_deinit) Buffer request = BUFFER_NULL, entry = BUFFER_NULL;
        Keys k;

        (void)state;
        write_request(&request);
        assert_int_equal(entry_write_signature(1760000000000001, buffer_blob(&request), hash, &entry), 0);
        derive(buffer_blob(&entry), &k);
        assert_int_equal(k.n, 4);
        expect_artifact(&k, INDEX_SIGNED);
        expect_text(&k, INDEX_REQUESTER, "1001");
        expect_text(&k, INDEX_KEY, "updates-2026");
}

static void keys_derive_abandoned_is_not_signed(void **state)
{
        _cleanup_(buffer_deinit) Buffer request = BUFFER_NULL, entry = BUFFER_NULL;
        Keys k;

        (void)state;
        write_request(&request);
        assert_int_equal(entry_write_abandoned(9, buffer_blob(&request), "token-lost", &entry), 0);
        derive(buffer_blob(&entry), &k);
        assert_int_equal(k.n, 4);
        expect_artifact(&k, INDEX_ARTIFACT);
        assert_null(key_of(&k, INDEX_SIGNED));
        expect_text(&k, INDEX_REQUESTER, "1001");
}

static void keys_derive_refusal_with_and_without_members(void **state)
{
        EntryRefusal r = {
                .time_usec = 9,
                .first_usec = 8,
                .count = 2,
                .site = "de",
                .uid = 7,
                .reason = "policy.unknown-key",
                .key = "k",
                .release = "r",
                .artifact_name = "a",
                .artifact_sha256 = hash,
                .policy_serial = 1,
                .policy_sha256 = hash,
        };
        _cleanup_(buffer_deinit) Buffer full = BUFFER_NULL, bare = BUFFER_NULL;
        Keys k;

        (void)state;
        assert_int_equal(entry_write_refusal(&r, &full), 0);
        derive(buffer_blob(&full), &k);
        assert_int_equal(k.n, 4);
        expect_artifact(&k, INDEX_ARTIFACT);
        expect_text(&k, INDEX_REQUESTER, "7");

        r.key = r.release = r.artifact_name = NULL;
        r.artifact_sha256 = NULL;
        assert_int_equal(entry_write_refusal(&r, &bare), 0);
        derive(buffer_blob(&bare), &k);
        assert_int_equal(k.n, 2);
        expect_text(&k, INDEX_REQUESTER, "7");
}

static void keys_derive_attestation_has_its_submitter(void **state)
{
        const char *const names[] = {"rebuilder-1"};
        const EntryAttestation a = {
                .time_usec = 9,
                .site = "de",
                .uid = 33,
                .id = hash,
                .size = 100,
                .release = "updates",
                .source_uri = "git+https://example.org/x",
                .source_git_commit = "0123456789012345678901234567890123456789",
                .source_sha256 = hash,
                .n_signers = 1,
                .rebuilders = names,
                .orgs = names,
                .n_subjects = 2,
                .first_name = "a",
                .first_sha256 = hash,
                .policy_serial = 1,
                .policy_sha256 = hash,
        };
        _cleanup_(buffer_deinit) Buffer entry = BUFFER_NULL;
        Keys k;

        (void)state;
        assert_int_equal(entry_write_attestation(&a, &entry), 0);
        derive(buffer_blob(&entry), &k);
        assert_int_equal(k.n, 2);
        expect_text(&k, INDEX_REQUESTER, "33");
}

static void keys_derive_other_type_has_the_type(void **state)
{
        Keys k;

        (void)state;
        assert_int_equal(keys_derive(&k, BLOB_LITERAL("{\"type\":\"hsmd/freeze@v1\"," TIME "}")), 0);
        assert_int_equal(k.n, 1);
        expect_text(&k, INDEX_TYPE, "hsmd/freeze@v1");
}

static void keys_derive_malformed_refuses(void **state)
{
#define HEAD(_type) "{\"type\":\"hsmd/" _type "@v1\"," TIME
        const char *const bad[] = {
                "",
                "{",
                "{}",
                "[]",
                "{" TIME ",\"type\":\"x\"}",
                "{\"type\":\"x\"}",
                "{\"type\":\"x\",\"time\":5}",
                "{\"type\":\"x\",\"time\":\"yesterday\"}",
                "{\"type\":7," TIME "}",
                "{\"type\":\"\\u0041\"," TIME "}",
                HEAD("freeze"),
                HEAD("freeze") "}}",
                HEAD("freeze") "} ",
                HEAD("freeze") ",\"a\":\"}",
                HEAD("freeze") ",\"a\":[1,2}",
                HEAD("freeze") ",}",
                HEAD("signature") "}",
                HEAD("signature") ",\"requester\":{\"uid\":1},\"key\":{\"name\":\"k\"}}",
                HEAD("signature") ",\"requester\":{\"uid\":1},\"artifact\":{\"sha256\":\"" HEX "\"}}",
                HEAD("signature") ",\"key\":{\"name\":\"k\"},\"artifact\":{\"sha256\":\"" HEX "\"}}",
                HEAD("signature") ",\"requester\":{\"uid\":1},\"key\":{},\"artifact\":{\"sha256\":\"" HEX
                                  "\"}}",
                HEAD("signature") ",\"requester\":{\"uid\":1},\"key\":{\"name\":\"k\"},\"artifact\":{}}",
                HEAD("signature") ",\"requester\":{\"uid\":1},\"key\":{\"name\":\"k\"},\"artifact\":{"
                                  "\"sha256\":\"00\"}}",
                HEAD("signature") ",\"requester\":{\"uid\":01},\"key\":{\"name\":\"k\"},\"artifact\":{"
                                  "\"sha256\":\"" HEX "\"}}",
                HEAD("signature") ",\"requester\":{\"uid\":4294967296},\"key\":{\"name\":\"k\"},"
                                  "\"artifact\":"
                                  "{\"sha256\":\"" HEX "\"}}",
                HEAD("refusal") "}",
                HEAD("attestation") "}",
                HEAD("attestation") ",\"submitter\":7}",
        };
        Keys k;

        (void)state;
        /* The same, whole: what is refused above is refused for what is missing. */
        assert_int_equal(
                keys_derive(&k,
                            BLOB_LITERAL(HEAD("signature") ",\"requester\":{\"uid\":1},\"key\":{\"name\":"
                                                           "\"k\"},\"artifact\":{\"sha256\":\"" HEX "\"}}")),
                0);
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_int_equal(keys_derive(&k, BLOB_STRING(bad[i])), KEYS_E_SYNTAX);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(keys_derive_signature_finds_four),
                cmocka_unit_test(keys_derive_abandoned_is_not_signed),
                cmocka_unit_test(keys_derive_refusal_with_and_without_members),
                cmocka_unit_test(keys_derive_attestation_has_its_submitter),
                cmocka_unit_test(keys_derive_other_type_has_the_type),
                cmocka_unit_test(keys_derive_malformed_refuses),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
