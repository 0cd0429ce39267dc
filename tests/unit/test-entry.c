/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/limits.h"
#include "base/timestamp.h"
#include "journal/entry.h"
#include "unit/data/journal/vectors.h"

#define SOURCE_URI "git+https://example.org/src"
#define COMMIT     "0123456789abcdef0123456789abcdef01234567"
#define NAME       "a \"quoted\"\\ \303\244\342\202\254\360\237\224\221\t\001\177"

static uint8_t fills[256][32];

static int setup(void **state)
{
        (void)state;
        for (unsigned i = 0; i < 256; i++)
                memset(fills[i], (int)i, 32);
        return 0;
}

static uint64_t at(const char *text)
{
        uint64_t usec;

        assert_int_equal(timestamp_decode(&usec, text, strlen(text)), 0);
        return usec;
}

static const EntryVote votes[] = {{fills[0xa3], "farm"}, {fills[0xa4], "overseer"}};

static EntryRequest request(void)
{
        return (EntryRequest){
                .intent = 41,
                .requested_usec = at("2026-08-01T12:00:00.000001Z"),
                .site = "berlin",
                .requester = "farm",
                .uid = 1001,
                .release = "product",
                .artifact_name = NAME,
                .has_size = true,
                .artifact_size = 12345,
                .artifact_sha256 = fills[0xa2],
                .source_uri = SOURCE_URI,
                .source_git_commit = COMMIT,
                .source_sha256 = fills[0xa1],
                .n_votes = ARRAY_SIZE(votes),
                .votes = votes,
                .policy_serial = 3,
                .policy_sha256 = fills[0xa0],
                .key = "release-p256",
                .key_id = fills[0xa5],
                .format = "raw-ecdsa",
        };
}

static const char *const rebuilders[] = {"farm-1", "farm-2"}, *const orgs[] = {"farm", "farm"};

static EntryAttestation attestation(void)
{
        return (EntryAttestation){
                .time_usec = at("2026-08-01T11:00:00Z"),
                .site = "berlin",
                .uid = UINT32_MAX,
                .id = fills[0xa3],
                .size = 2048,
                .release = "product",
                .source_uri = SOURCE_URI,
                .source_git_commit = COMMIT,
                .source_sha256 = fills[0xa1],
                .n_signers = 2,
                .rebuilders = rebuilders,
                .orgs = orgs,
                .n_subjects = 2,
                .first_name = "db.bin",
                .first_sha256 = fills[0xa2],
                .policy_serial = 3,
                .policy_sha256 = fills[0xa0],
        };
}

static EntryRefusal refusal(void)
{
        return (EntryRefusal){
                .time_usec = at("2026-08-01T11:00:00Z"),
                .first_usec = at("2026-08-01T10:59:00Z"),
                .count = 7,
                .site = "berlin",
                .uid = 0,
                .reason = "quorum-orgs",
                .policy_serial = 3,
                .policy_sha256 = fills[0xa0],
        };
}

static int decode(const char *text)
{
        Entry e;
        int r = entry_decode(&e, BLOB_STRING(text));

        entry_deinit(&e);
        return r;
}

/* ---- write: against what another program's encoder makes of the same values ---- */

static void entry_write_request_of_values_gives_the_vector(void **state)
{
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;
        EntryRequest q = request();

        (void)state;
        assert_int_equal(entry_write_request(&q, &out), 0);
        assert_string_equal((char *)out.data, VECTOR_REQUEST);
}

static void entry_write_signature_of_request_gives_the_vector(void **state)
{
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;

        (void)state;
        assert_int_equal(entry_write_signature(at("2026-08-01T12:00:00.5Z"), BLOB_STRING(VECTOR_REQUEST),
                                               fills[0xa6], &out),
                         0);
        assert_string_equal((char *)out.data, VECTOR_ENTRY_SIGNATURE);
}

static void entry_write_signature_without_size_and_votes_gives_the_vector(void **state)
{
        _cleanup_(buffer_deinit) Buffer members = BUFFER_NULL, out = BUFFER_NULL;
        EntryRequest q = request();

        (void)state;
        q.artifact_name = "x";
        q.has_size = false;
        q.n_votes = 0;
        assert_int_equal(entry_write_request(&q, &members), 0);
        assert_int_equal(entry_write_signature(at("2026-08-01T12:00:00.5Z"), buffer_blob(&members),
                                               fills[0xa6], &out),
                         0);
        assert_string_equal((char *)out.data, VECTOR_ENTRY_SIGNATURE_SMALL);
}

static void entry_write_abandoned_of_request_gives_the_vector(void **state)
{
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;

        (void)state;
        assert_int_equal(entry_write_abandoned(at("2026-08-01T12:00:01Z"), BLOB_STRING(VECTOR_REQUEST),
                                               "token-error", &out),
                         0);
        assert_string_equal((char *)out.data, VECTOR_ENTRY_ABANDONED);
}

static void entry_write_genesis_of_values_gives_the_vector(void **state)
{
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;
        EntryGenesis g = {0, VECTOR_ORIGIN, "berlin", 3, fills[0xa0]};

        (void)state;
        assert_int_equal(entry_write_genesis(&g, &out), 0);
        assert_string_equal((char *)out.data, VECTOR_ENTRY_GENESIS);
}

static void entry_write_attestation_of_values_gives_the_vectors(void **state)
{
        _cleanup_(buffer_deinit) Buffer plain = BUFFER_NULL, dissent = BUFFER_NULL;
        const uint8_t *contradicts[] = {fills[0xb0], fills[0xb1]};
        EntryAttestation a = attestation();

        (void)state;
        assert_int_equal(entry_write_attestation(&a, &plain), 0);
        assert_string_equal((char *)plain.data, VECTOR_ENTRY_ATTESTATION);
        a.n_contradicts = 2;
        a.contradicts = contradicts;
        assert_int_equal(entry_write_attestation(&a, &dissent), 0);
        assert_string_equal((char *)dissent.data, VECTOR_ENTRY_DISSENT);
}

static void entry_write_attestation_of_much_dissent_names_sixteen(void **state)
{
        _cleanup_(buffer_deinit) Buffer sixteen = BUFFER_NULL, seventeen = BUFFER_NULL;
        const uint8_t *contradicts[17];
        EntryAttestation a = attestation();

        (void)state;
        for (unsigned i = 0; i < 17; i++)
                contradicts[i] = fills[i];
        a.contradicts = contradicts;
        a.n_contradicts = 16;
        assert_int_equal(entry_write_attestation(&a, &sixteen), 0);
        a.n_contradicts = 17;
        assert_int_equal(entry_write_attestation(&a, &seventeen), 0);
        assert_string_equal((char *)sixteen.data, (char *)seventeen.data);
        assert_int_equal(decode((char *)sixteen.data), 0);
}

static void entry_write_refusal_of_values_gives_the_vectors(void **state)
{
        _cleanup_(buffer_deinit) Buffer small = BUFFER_NULL, full = BUFFER_NULL;
        EntryRefusal q = refusal();

        (void)state;
        assert_int_equal(entry_write_refusal(&q, &small), 0);
        assert_string_equal((char *)small.data, VECTOR_ENTRY_REFUSAL_SMALL);
        q.key = "release-p256";
        q.release = "product";
        q.artifact_name = "db.bin";
        q.artifact_sha256 = fills[0xa2];
        assert_int_equal(entry_write_refusal(&q, &full), 0);
        assert_string_equal((char *)full.data, VECTOR_ENTRY_REFUSAL);
}

static void entry_write_refusal_of_each_set_of_parts_is_readable(void **state)
{
        (void)state;
        for (unsigned set = 0; set < 16; set++) {
                _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;
                _cleanup_(entry_deinit) Entry e;
                EntryRefusal q = refusal();

                q.key = set & 1 ? "k" : NULL;
                q.release = set & 2 ? "r" : NULL;
                q.artifact_name = set & 4 ? "n" : NULL;
                q.artifact_sha256 = set & 8 ? fills[0xa2] : NULL;
                assert_int_equal(entry_write_refusal(&q, &out), 0);
                assert_int_equal(entry_decode(&e, buffer_blob(&out)), 0);
                assert_true(!!e.key == !!(set & 1));
                assert_true(!!e.release == !!(set & 2));
                assert_true(!!e.artifact_name == !!(set & 4));
                /* a hash without a name has no place */
                assert_true(e.has_artifact == ((set & 12) == 12));
        }
}

static void entry_write_request_of_invalid_utf8_fails(void **state)
{
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;
        EntryRequest q = request();

        (void)state;
        q.artifact_name = "\xff";
        assert_int_equal(entry_write_request(&q, &out), -EILSEQ);
}

/* ---- decode ---- */

static void entry_decode_of_signature_reads_it(void **state)
{
        _cleanup_(entry_deinit) Entry e;

        (void)state;
        assert_int_equal(entry_decode(&e, BLOB_STRING(VECTOR_ENTRY_SIGNATURE)), 0);
        assert_string_equal(e.type, ENTRY_SIGNATURE);
        assert_int_equal(e.time_usec, at("2026-08-01T12:00:00.5Z"));
        assert_string_equal(e.key, "release-p256");
        assert_string_equal(e.format, "raw-ecdsa");
        assert_string_equal(e.release, "product");
        assert_string_equal(e.artifact_name, NAME);
        assert_string_equal(e.org_first, "farm");
        assert_true(e.has_uid && e.has_artifact && e.has_key_id && e.has_signature && e.has_intent);
        assert_false(e.has_attestation);
        assert_int_equal(e.uid, 1001);
        assert_int_equal(e.intent, 41);
        assert_memory_equal(e.artifact_sha256, fills[0xa2], 32);
        assert_memory_equal(e.key_id, fills[0xa5], 32);
        assert_memory_equal(e.signature_sha256, fills[0xa6], 32);
}

static void entry_decode_of_abandoned_has_no_signature(void **state)
{
        _cleanup_(entry_deinit) Entry e;

        (void)state;
        assert_int_equal(entry_decode(&e, BLOB_STRING(VECTOR_ENTRY_ABANDONED)), 0);
        assert_string_equal(e.type, ENTRY_ABANDONED);
        assert_true(e.has_intent);
        assert_int_equal(e.intent, 41);
        assert_false(e.has_signature);
}

static void entry_decode_of_attestation_reads_it(void **state)
{
        _cleanup_(entry_deinit) Entry e;

        (void)state;
        assert_int_equal(entry_decode(&e, BLOB_STRING(VECTOR_ENTRY_DISSENT)), 0);
        assert_string_equal(e.type, ENTRY_ATTESTATION);
        assert_int_equal(e.uid, UINT32_MAX);
        assert_true(e.has_uid && e.has_attestation && e.has_artifact);
        assert_false(e.has_intent || e.has_key_id || e.has_signature);
        assert_memory_equal(e.attestation_id, fills[0xa3], 32);
        assert_memory_equal(e.artifact_sha256, fills[0xa2], 32);
        assert_string_equal(e.artifact_name, "db.bin");
        assert_string_equal(e.org_first, "farm");
        assert_null(e.key);
}

static void entry_decode_of_genesis_has_nothing_more(void **state)
{
        _cleanup_(entry_deinit) Entry e;

        (void)state;
        assert_int_equal(entry_decode(&e, BLOB_STRING(VECTOR_ENTRY_GENESIS)), 0);
        assert_string_equal(e.type, ENTRY_GENESIS);
        assert_int_equal(e.time_usec, 0);
        assert_false(e.has_uid || e.has_artifact || e.has_key_id || e.has_signature || e.has_attestation ||
                     e.has_intent);
        assert_null(e.release);
}

static const char *const vectors[] = {
        VECTOR_ENTRY_SIGNATURE, VECTOR_ENTRY_SIGNATURE_SMALL, VECTOR_ENTRY_ABANDONED,
        VECTOR_ENTRY_GENESIS,   VECTOR_ENTRY_ATTESTATION,     VECTOR_ENTRY_DISSENT,
        VECTOR_ENTRY_REFUSAL,   VECTOR_ENTRY_REFUSAL_SMALL,
};

static void entry_decode_of_every_truncation_is_refused(void **state)
{
        (void)state;
        for (size_t v = 0; v < ARRAY_SIZE(vectors); v++) {
                assert_int_equal(decode(vectors[v]), 0);
                for (size_t i = 0; i < strlen(vectors[v]); i++) {
                        Entry e;

                        assert_int_equal(entry_decode(&e, BLOB(vectors[v], i)), ENTRY_E_SYNTAX);
                        assert_null(e.document);
                        assert_null(e.type);
                        entry_deinit(&e);
                }
        }
}

/* There is one form: a byte put in anywhere but into a string makes another. */
static void entry_decode_of_a_blank_outside_strings_is_refused(void **state)
{
        char text[2048];

        (void)state;
        for (size_t v = 0; v < ARRAY_SIZE(vectors); v++) {
                size_t size = strlen(vectors[v]);
                bool inside = false;

                for (size_t i = 0; i <= size; i++) {
                        if (i > 0 && vectors[v][i - 1] == '"' && (i < 2 || vectors[v][i - 2] != '\\'))
                                inside = !inside;
                        if (inside)
                                continue;
                        memcpy(text, vectors[v], i);
                        text[i] = ' ';
                        memcpy(text + i + 1, vectors[v] + i, size - i + 1);
                        assert_int_equal(decode(text), ENTRY_E_SYNTAX);
                }
        }
}

/* Replace the first `from` in the vector; it has to be there. */
static int decode_replaced(const char *vector, const char *from, const char *to)
{
        char text[4096];
        const char *p = strstr(vector, from);

        assert_non_null(p);
        snprintf(text, sizeof(text), "%.*s%s%s", (int)(p - vector), vector, to, p + strlen(from));
        return decode(text);
}

static void entry_decode_of_other_spellings_is_refused(void **state)
{
        static const struct {
                const char *from, *to;
        } other[] = {
                {"berlin", "b\\u0065rlin"}, /* an escape that is not needed */
                {"\\t", "\\u0009"},         /* another than the short one */
                {"\\u0001", "\\u0001\\/"},  /* an escaped solidus */
                {"12345", "12345.0"},       /* reals */
                {"12345", "1e4"},
                {"12345", "-0"},
                {"12345", "\"12345\""},
                {"12345", "9223372036854775808"},
                {"1001", "4294967296"},
                {"a2a2a2", "A2A2A2"}, /* hex in upper case */
                {"a2a2a2", "a2a2"},
                {".500000Z", ".5Z"}, /* times of other precision */
                {".500000Z", ".500000+00:00"},
                {"T12", "t12"},
                {"\"site\":\"berlin\",", ""}, /* a member missing */
                {"\"site\":\"berlin\"", "\"site\":null"},
                {"\"site\":\"berlin\"", "\"site\":\"berlin\",\"x\":1"}, /* one too many */
                {"\"uid\":1001", "\"uid\":1001,\"x\":1"},
                {"\"site\":\"berlin\"", "\"site\":\"berlin\",\"site\":\"berlin\""},
                {"\"name\":\"farm\",\"uid\":1001", "\"uid\":1001,\"name\":\"farm\""}, /* another order */
                {"\"attestations\":[", "\"attestations\":[1,"},
                {"\"attestations\":[", "\"attestations\":[{},"},
                {"\"org\":\"farm\"", "\"org\":1"},
                {"\"requester\":{\"name\":\"farm\",\"uid\":1001}", "\"requester\":\"farm\""},
                {"hsmd/signature@v1", "hsmd/signature@v2"},
                {"hsmd/signature@v1", "hsmd/abandoned@v1"},
                {"hsmd/signature@v1", ""},
        };

        (void)state;
        assert_int_equal(decode_replaced(VECTOR_ENTRY_SIGNATURE, "berlin", "munich"), 0);
        for (size_t i = 0; i < ARRAY_SIZE(other); i++)
                assert_int_equal(decode_replaced(VECTOR_ENTRY_SIGNATURE, other[i].from, other[i].to),
                                 ENTRY_E_SYNTAX);
        assert_int_equal(decode_replaced(VECTOR_ENTRY_DISSENT, "\"contradicts\":[", "\"contradicts\":[1,"),
                         ENTRY_E_SYNTAX);
        assert_int_equal(decode_replaced(VECTOR_ENTRY_ATTESTATION, "\"n\":2", "\"n\":257"), ENTRY_E_SYNTAX);
        assert_int_equal(decode_replaced(VECTOR_ENTRY_ATTESTATION, "\"n\":2", "\"n\":256"), 0);
}

static void entry_decode_of_type_not_first_is_refused(void **state)
{
        static const char genesis[] =
                "\"origin\":\"o\",\"site\":\"s\",\"policy\":{\"serial\":1,\"sha256\":"
                "\"00000000000000000000000000000000000000000000000000000000000000ff\"}}";
        const char *type = "\"type\":\"hsmd/genesis@v1\"",
                   *time = "\"time\":\"2026-01-01T00:00:00.000000Z\"";
        char text[512];

        (void)state;
        snprintf(text, sizeof(text), "{%s,%s,%s", type, time, genesis);
        assert_int_equal(decode(text), 0);
        snprintf(text, sizeof(text), "{%s,%s,%s", time, type, genesis);
        assert_int_equal(decode(text), ENTRY_E_SYNTAX);
        snprintf(text, sizeof(text), "{%s,%s", type, genesis);
        assert_int_equal(decode(text), ENTRY_E_SYNTAX);
}

static void entry_decode_of_other_things_is_refused(void **state)
{
        (void)state;
        assert_int_equal(decode(""), ENTRY_E_SYNTAX);
        assert_int_equal(decode("{}"), ENTRY_E_SYNTAX);
        assert_int_equal(decode("[]"), ENTRY_E_SYNTAX);
        assert_int_equal(decode("{\"type\":1}"), ENTRY_E_SYNTAX);
        assert_int_equal(decode("{\"type\":\"hsmd/other@v1\",\"time\":\"2026-01-01T00:00:00.000000Z\"}"),
                         ENTRY_E_SYNTAX);
}

static void entry_decode_past_the_limit_is_refused(void **state)
{
        _cleanup_(buffer_deinit) Buffer name = BUFFER_NULL, out = BUFFER_NULL;
        EntryGenesis g = {0, VECTOR_ORIGIN, "", 3, fills[0xa0]};
        size_t rest;

        (void)state;
        assert_int_equal(entry_write_genesis(&g, &out), 0);
        rest = LIMIT_ENTRY_SIZE - out.size;
        while (name.size < rest)
                assert_int_equal(buffer_append_byte(&name, 'x'), 0);
        g.site = (char *)name.data;
        buffer_clear(&out);
        assert_int_equal(entry_write_genesis(&g, &out), 0);
        assert_int_equal(out.size, LIMIT_ENTRY_SIZE);
        assert_int_equal(decode((char *)out.data), 0);

        assert_int_equal(buffer_append_byte(&name, 'x'), 0);
        g.site = (char *)name.data;
        buffer_clear(&out);
        assert_int_equal(entry_write_genesis(&g, &out), 0);
        assert_int_equal(decode((char *)out.data), ENTRY_E_SYNTAX);
}

/* As many elements as fit: the reader's lists have room for them. */
static void entry_decode_of_fullest_lists_does_not_overflow(void **state)
{
        static const struct {
                const char *vector, *list, *element;
        } lists[] = {
                {VECTOR_ENTRY_ATTESTATION, "\"signers\":[", "{\"rebuilder\":\"\",\"org\":\"\"},"},
                {VECTOR_ENTRY_DISSENT, "\"contradicts\":[",
                 "\"00000000000000000000000000000000000000000000000000000000000000ff\","},
                {VECTOR_ENTRY_DISSENT, "\"contradicts\":[", "\"\","},
                {VECTOR_ENTRY_SIGNATURE, "\"attestations\":[",
                 "{\"id\":\"00000000000000000000000000000000000000000000000000000000000000ff\",\"org\":\"\"}"
                 ","},
                {VECTOR_ENTRY_SIGNATURE, "\"attestations\":[", "{\"id\":\"\",\"org\":\"\"},"},
                {VECTOR_ENTRY_SIGNATURE, "\"attestations\":[", "1,"},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
                _cleanup_(buffer_deinit) Buffer text = BUFFER_NULL;
                const char *p = strstr(lists[i].vector, lists[i].list) + strlen(lists[i].list);
                Entry e;
                int r;

                assert_int_equal(buffer_append(&text, lists[i].vector, (size_t)(p - lists[i].vector)), 0);
                while (text.size + strlen(lists[i].element) + strlen(p) <= LIMIT_ENTRY_SIZE)
                        assert_int_equal(buffer_append_string(&text, lists[i].element), 0);
                assert_int_equal(buffer_append_string(&text, p), 0);
                r = entry_decode(&e, buffer_blob(&text));
                entry_deinit(&e);
                /* good ones are read, though more dissent than is ever written is not of our form */
                assert_int_equal(r, i == 0 || i == 3 ? 0 : ENTRY_E_SYNTAX);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(entry_write_request_of_values_gives_the_vector),
                cmocka_unit_test(entry_write_signature_of_request_gives_the_vector),
                cmocka_unit_test(entry_write_signature_without_size_and_votes_gives_the_vector),
                cmocka_unit_test(entry_write_abandoned_of_request_gives_the_vector),
                cmocka_unit_test(entry_write_genesis_of_values_gives_the_vector),
                cmocka_unit_test(entry_write_attestation_of_values_gives_the_vectors),
                cmocka_unit_test(entry_write_attestation_of_much_dissent_names_sixteen),
                cmocka_unit_test(entry_write_refusal_of_values_gives_the_vectors),
                cmocka_unit_test(entry_write_refusal_of_each_set_of_parts_is_readable),
                cmocka_unit_test(entry_write_request_of_invalid_utf8_fails),
                cmocka_unit_test(entry_decode_of_signature_reads_it),
                cmocka_unit_test(entry_decode_of_abandoned_has_no_signature),
                cmocka_unit_test(entry_decode_of_attestation_reads_it),
                cmocka_unit_test(entry_decode_of_genesis_has_nothing_more),
                cmocka_unit_test(entry_decode_of_every_truncation_is_refused),
                cmocka_unit_test(entry_decode_of_a_blank_outside_strings_is_refused),
                cmocka_unit_test(entry_decode_of_other_spellings_is_refused),
                cmocka_unit_test(entry_decode_of_type_not_first_is_refused),
                cmocka_unit_test(entry_decode_of_other_things_is_refused),
                cmocka_unit_test(entry_decode_past_the_limit_is_refused),
                cmocka_unit_test(entry_decode_of_fullest_lists_does_not_overflow),
        };

        error_set_trace(NULL);
        return cmocka_run_group_tests(tests, setup, NULL);
}
