/* SPDX-License-Identifier: Apache-2.0 */
#include "test-policy-fixture.h"

#define NOW_TEXT "2026-07-01T00:00:00.000000Z"

static const uint8_t source_sha256[SHA256_SIZE] = {0x5e};
static const AttestationSubject subjects[] = {
        {.name = (char[]){"b\303\251.bin"}, .digests = {.sha256 = {1}}},
        {.name = (char[]){"a.bin"}, .digests = {.sha256 = {2}, .sha512 = {3}, .have_sha512 = true}},
};

static AttestationDraft draft_good(void)
{
        return (AttestationDraft){
                .release = "product",
                .builder_id = "https://farm.example/rebuild",
                .source_uri = "https://git.example/product",
                .git_commit = "00112233445566778899aabbccddeeff00112233",
                .source_sha256 = source_sha256,
                .finished_usec = FIXTURE_NOW,
                .n_subjects = ARRAY_SIZE(subjects),
                .subjects = subjects,
        };
}

static PrivateKey *read_key(const char *name)
{
        _cleanup_(buffer_deinit) Buffer pem = BUFFER_NULL;
        PrivateKey *key = NULL;
        char path[64];

        (void)snprintf(path, sizeof(path), "keys/%s.pem", name);
        fixture_read(&pem, path);
        assert_int_equal(private_key_new_pem(&key, buffer_blob(&pem)), 0);
        return key;
}

static void attestation_write_statement_draft_becomes_exact_bytes(void **state)
{
        static const char wanted[] =
                "{\"_type\":\"https://in-toto.io/Statement/v1\",\"subject\":["
                "{\"name\":\"b\303\251.bin\",\"digest\":{\"sha256\":\"01"
                "00000000000000000000000000000000000000000000000000000000000000\"}},"
                "{\"name\":\"a.bin\",\"digest\":{\"sha256\":\"02"
                "00000000000000000000000000000000000000000000000000000000000000\",\"sha512\":\"03"
                "00000000000000000000000000000000000000000000000000000000000000"
                "0000000000000000000000000000000000000000000000000000000000000000\"}}],"
                "\"predicateType\":\"https://slsa.dev/provenance/v1\",\"predicate\":{\"buildDefinition\":{"
                "\"buildType\":\"urn:hsmd:rebuild:v1\",\"externalParameters\":{\"source\":{"
                "\"uri\":\"https://git.example/"
                "product\"},\"target\":\"product\"},\"resolvedDependencies\":[{"
                "\"uri\":\"https://git.example/product\",\"digest\":{"
                "\"gitCommit\":\"00112233445566778899aabbccddeeff00112233\",\"sha256\":\"5e"
                "00000000000000000000000000000000000000000000000000000000000000\"}}]},\"runDetails\":{"
                "\"builder\":{\"id\":\"https://farm.example/rebuild\"},\"metadata\":{"
                "\"finishedOn\":\"" NOW_TEXT "\"}}}}";
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;
        AttestationDraft draft = draft_good();

        (void)state;
        assert_int_equal(attestation_write_statement(&draft, &out), 0);
        assert_string_equal((const char *)out.data, wanted);
}

static void attestation_write_statement_broken_field_is_refused(void **state)
{
        const AttestationSubject slash[] = {{.name = (char[]){"a/b"}}},
                                 not_utf8[] = {{.name = (char[]){"\xff"}}};
        const AttestationSubject conflict[] = {{.name = (char[]){"a"}},
                                               {.name = (char[]){"a"}, .digests = {.sha256 = {1}}}};
        const struct {
                const char *release, *builder_id, *source_uri, *git_commit;
                const AttestationSubject *subjects;
                size_t n_subjects;
        } bad[] = {
                {.release = ""},
                {.release = "pro duct"},
                {.builder_id = "farm"},
                {.source_uri = ""},
                {.source_uri = "git example"},
                {.git_commit = "c0ffee"},
                {.git_commit = "00112233445566778899AABBCCDDEEFF00112233"},
                {.subjects = slash, .n_subjects = 1},
                {.subjects = not_utf8, .n_subjects = 1},
                {.subjects = conflict, .n_subjects = 2},
                {.subjects = slash, .n_subjects = 0},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;
                AttestationDraft draft = draft_good();

                draft.release = bad[i].release ? bad[i].release : draft.release;
                draft.builder_id = bad[i].builder_id ? bad[i].builder_id : draft.builder_id;
                draft.source_uri = bad[i].source_uri ? bad[i].source_uri : draft.source_uri;
                draft.git_commit = bad[i].git_commit ? bad[i].git_commit : draft.git_commit;
                if (bad[i].subjects) {
                        draft.subjects = bad[i].subjects;
                        draft.n_subjects = bad[i].n_subjects;
                }
                assert_int_equal(attestation_write_statement(&draft, &out), -EINVAL);
                assert_int_equal(out.size, 0);
        }
}

static void attestation_write_envelope_what_is_written_is_verified(void **state)
{
        static const struct {
                const char *key, *builder_id;
                SignatureScheme scheme;
                size_t rebuilder;
        } signers[] = {
                {"farm-1", "https://farm.example/rebuild", SCHEME_ED25519, 0},
                {"lab-1", "https://lab.example/rebuild", SCHEME_ECDSA_DER, 2},
                {"overseer-1", "https://overseer.example/rebuild", SCHEME_ECDSA_P1363, 3},
        };

        for (size_t i = 0; i < ARRAY_SIZE(signers); i++) {
                _cleanup_(buffer_deinit) Buffer payload = BUFFER_NULL, out = BUFFER_NULL,
                                                message = BUFFER_NULL;
                _cleanup_(private_key_freep) PrivateKey *key = read_key(signers[i].key);
                _cleanup_(attestation_freep) Attestation *a = NULL;
                AttestationDraft draft = draft_good();
                Reason reason = REASON_NONE;

                draft.builder_id = signers[i].builder_id;
                assert_int_equal(attestation_write_statement(&draft, &payload), 0);
                assert_int_equal(
                        attestation_write_envelope(buffer_blob(&payload), key, signers[i].scheme, &out), 0);
                assert_int_equal(out.data[out.size - 1], '\n');
                assert_int_equal(
                        attestation_verify(&a, *state, buffer_blob(&out), FIXTURE_NOW, &reason, &message),
                        0);
                assert_int_equal(a->n_signers, 1);
                assert_int_equal(a->signers[0], signers[i].rebuilder);
                assert_int_equal(a->n_subjects, 2);
                assert_string_equal(a->subjects[1].name, "a.bin");
        }
}

static void attestation_write_envelope_scheme_that_no_policy_has_is_refused(void **state)
{
        static const struct {
                const char *key;
                SignatureScheme scheme;
        } bad[] = {
                {"farm-1", SCHEME_ECDSA_DER},
                {"lab-1", SCHEME_ED25519},
                {"kernel", SCHEME_ECDSA_DER}, /* P-384 */
                {"firmware", SCHEME_RSA_PSS_SHA256},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                _cleanup_(private_key_freep) PrivateKey *key = read_key(bad[i].key);
                _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;

                assert_int_equal(attestation_write_envelope(BLOB_LITERAL("{}"), key, bad[i].scheme, &out),
                                 -EINVAL);
                assert_int_equal(out.size, 0);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(attestation_write_statement_draft_becomes_exact_bytes),
                cmocka_unit_test(attestation_write_statement_broken_field_is_refused),
                cmocka_unit_test(attestation_write_envelope_what_is_written_is_verified),
                cmocka_unit_test(attestation_write_envelope_scheme_that_no_policy_has_is_refused),
        };

        return cmocka_run_group_tests_name("attestation-write", tests, fixture_setup, fixture_teardown);
}
