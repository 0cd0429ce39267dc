/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vectors come from data/client/make_vectors.py, which shares no code with hsmd.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/file.h"
#include "client/artifact.h"
#include "client/verification.h"

#include "unit/client-data.h"

/* One run on files that a test may have spoiled in between. */
typedef struct Case {
        Buffer signature, proof, trust, message;
        char artifact[64];
        const char *key;
        Trust *parsed; /* `parsed_from`; parsing it checks an RSA key, which takes its time */
        uint8_t parsed_from[SHA256_SIZE];
} Case;

static int setup(void **state)
{
        static Case c;

        error_set_trace(NULL);
        c = (Case){};
        *state = &c;
        return 0;
}

static int teardown(void **state)
{
        Case *c = *state;

        buffer_deinit(&c->signature);
        buffer_deinit(&c->proof);
        buffer_deinit(&c->trust);
        buffer_deinit(&c->message);
        c->parsed = trust_free(c->parsed);
        return 0;
}

static void load(Case *c, const char *name)
{
        char path[64];

        (void)snprintf(path, sizeof(path), "%s.sig", name);
        client_data_read(&c->signature, path);
        (void)snprintf(path, sizeof(path), "%s.tlog-proof", name);
        client_data_read(&c->proof, path);
        client_data_read(&c->trust, "trust");
        (void)snprintf(c->artifact, sizeof(c->artifact), "artifact.bin");
}

static Trust *parse_trust(Case *c)
{
        uint8_t digest[SHA256_SIZE];
        PolicyFault fault;

        sha256(digest, c->trust.data, c->trust.size);
        if (!c->parsed || memcmp(digest, c->parsed_from, sizeof(digest)) != 0) {
                c->parsed = trust_free(c->parsed);
                assert_int_equal(trust_parse(&c->parsed, buffer_blob(&c->trust), &fault), 0);
                memcpy(c->parsed_from, digest, sizeof(digest));
        }
        return c->parsed;
}

static VerificationFault verify(Case *c)
{
        _cleanup_(verification_deinit) Verification v = {};
        _cleanup_(close_fdp) int fd = -1;
        VerificationInput input;
        char path[512];
        int r;

        (void)snprintf(path, sizeof(path), "%s/tests/unit/data/client/%s", TEST_SOURCE_DIR, c->artifact);
        assert_int_equal(artifact_open(&fd, path), 0);
        input = (VerificationInput){.artifact_fd = fd,
                                    .signature = buffer_blob(&c->signature),
                                    .proof = buffer_blob(&c->proof),
                                    .key = c->key};
        buffer_clear(&c->message);
        r = verification_run(&v, parse_trust(c), &input, &c->message);
        assert_int_equal(r, v.fault == VERIFICATION_FAULT_NONE ? 0 : VERIFICATION_E_FAILED);
        assert_int_equal(c->message.size > 0, v.fault != VERIFICATION_FAULT_NONE);
        return v.fault;
}

/* Replaces the first `old` in the file by `new`, of the same length. */
static void spoil(Buffer *file, const char *old, const char *new)
{
        uint8_t *p = memmem(file->data, file->size, old, strlen(old));

        assert_non_null(p);
        assert_int_equal(strlen(old), strlen(new));
        memcpy(p, new, strlen(new));
}

static void verification_run_each_format_accepts(void **state)
{
        static const char *const names[] = {"ecdsa-p256", "ecdsa-p384", "rsa-pkcs1",
                                            "rsa-pss",    "ed25519",    "digest-only"};
        Case *c = *state;

        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                load(c, names[i]);
                assert_int_equal(verify(c), VERIFICATION_FAULT_NONE);
        }
}

static void verification_run_wrong_artifact_fails(void **state)
{
        static const char *const names[] = {"ecdsa-p256", "ed25519"};
        Case *c = *state;

        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                load(c, names[i]);
                (void)snprintf(c->artifact, sizeof(c->artifact), "other.bin");
                assert_int_equal(verify(c), VERIFICATION_FAULT_ARTIFACT_DIGEST);
        }
}

static void verification_run_each_bit_of_signature_flipped_fails(void **state)
{
        static const char *const names[] = {"ecdsa-p256", "ed25519"};
        Case *c = *state;

        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                load(c, names[i]);
                for (size_t bit = 0; bit < c->signature.size * 8; bit++) {
                        c->signature.data[bit / 8] ^= (uint8_t)(1U << bit % 8);
                        assert_int_equal(verify(c), VERIFICATION_FAULT_SIGNATURE_DIGEST);
                        c->signature.data[bit / 8] ^= (uint8_t)(1U << bit % 8);
                }
        }
}

static void verification_run_other_signature_of_same_file_fails(void **state)
{
        Case *c = *state;

        /* Good in itself, but not the one that was logged. */
        load(c, "ecdsa-p256");
        client_data_read(&c->signature, "digest-only.sig");
        assert_int_equal(verify(c), VERIFICATION_FAULT_SIGNATURE_DIGEST);
}

static void verification_run_logged_but_wrong_signature_fails(void **state)
{
        Case *c = *state;

        load(c, "wrong-signature");
        assert_int_equal(verify(c), VERIFICATION_FAULT_SIGNATURE_WRONG);
}

static void verification_run_other_key_fails(void **state)
{
        Case *c = *state;

        load(c, "ecdsa-p256");
        client_data_read(&c->trust, "trust-other-key");
        assert_int_equal(verify(c), VERIFICATION_FAULT_KEY_OTHER);
}

static void verification_run_unknown_key_fails(void **state)
{
        Case *c = *state;

        load(c, "unknown-key");
        assert_int_equal(verify(c), VERIFICATION_FAULT_KEY_UNKNOWN);
}

static void verification_run_asked_key_accepts(void **state)
{
        Case *c = *state;

        load(c, "ecdsa-p256");
        c->key = "release-p256";
        assert_int_equal(verify(c), VERIFICATION_FAULT_NONE);
}

static void verification_run_other_key_than_asked_fails(void **state)
{
        Case *c = *state;

        load(c, "ecdsa-p256");
        c->key = "release-p384";
        assert_int_equal(verify(c), VERIFICATION_FAULT_KEY_NOT_ASKED);
}

static void verification_run_format_not_allowed_fails(void **state)
{
        Case *c = *state;

        load(c, "rsa-pss");
        client_data_read(&c->trust, "trust-pkcs1-only");
        assert_int_equal(verify(c), VERIFICATION_FAULT_FORMAT_NOT_ALLOWED);
        load(c, "rsa-pkcs1");
        client_data_read(&c->trust, "trust-pkcs1-only");
        assert_int_equal(verify(c), VERIFICATION_FAULT_NONE);
        load(c, "unknown-format");
        assert_int_equal(verify(c), VERIFICATION_FAULT_FORMAT_NOT_ALLOWED);
}

static void verification_run_other_size_fails(void **state)
{
        Case *c = *state;

        load(c, "wrong-size");
        assert_int_equal(verify(c), VERIFICATION_FAULT_ARTIFACT_SIZE);
}

static void verification_run_proof_of_other_entry_fails(void **state)
{
        Case *c = *state;

        load(c, "ecdsa-p256");
        client_data_read(&c->proof, "ecdsa-p384.tlog-proof");
        assert_int_equal(verify(c), VERIFICATION_FAULT_SIGNATURE_DIGEST);
}

static void verification_run_entry_of_other_type_fails(void **state)
{
        Case *c = *state;

        load(c, "ecdsa-p256");
        client_data_read(&c->proof, "abandoned.tlog-proof");
        assert_int_equal(verify(c), VERIFICATION_FAULT_ENTRY_TYPE);
        client_data_read(&c->proof, "genesis.tlog-proof");
        assert_int_equal(verify(c), VERIFICATION_FAULT_ENTRY_TYPE);
}

static void verification_run_entry_not_logged_fails(void **state)
{
        Case *c = *state;

        load(c, "ecdsa-p256");
        client_data_read(&c->proof, "not-in-log.tlog-proof");
        assert_int_equal(verify(c), VERIFICATION_FAULT_NOT_IN_LOG);
}

static void verification_run_other_index_fails(void **state)
{
        Case *c = *state;

        load(c, "ecdsa-p256");
        spoil(&c->proof, "\nindex 1\n", "\nindex 2\n");
        assert_int_equal(verify(c), VERIFICATION_FAULT_NOT_IN_LOG);
}

static void verification_run_other_log_fails(void **state)
{
        Case *c = *state;

        load(c, "ecdsa-p256");
        client_data_read(&c->proof, "other-log.tlog-proof");
        assert_int_equal(verify(c), VERIFICATION_FAULT_CHECKPOINT_SIGNATURE);
}

static void verification_run_other_origin_of_same_key_fails(void **state)
{
        Case *c = *state;

        load(c, "ecdsa-p256");
        client_data_read(&c->proof, "other-origin.tlog-proof");
        assert_int_equal(verify(c), VERIFICATION_FAULT_CHECKPOINT_ORIGIN);
}

static void verification_run_checkpoint_signature_flipped_fails(void **state)
{
        Case *c = *state;
        uint8_t *p;

        load(c, "ecdsa-p256");
        /* A character in the middle of the signature line. */
        p = c->proof.data + c->proof.size - 40;
        *p = *p == 'A' ? 'B' : 'A';
        assert_int_equal(verify(c), VERIFICATION_FAULT_CHECKPOINT_SIGNATURE);
}

static void verification_run_checkpoint_size_changed_fails(void **state)
{
        Case *c = *state;

        load(c, "ecdsa-p256");
        spoil(&c->proof, "\n259\n", "\n258\n");
        assert_int_equal(verify(c), VERIFICATION_FAULT_CHECKPOINT_SIGNATURE);
}

static void verification_run_noncanonical_base64_fails(void **state)
{
        Case *c = *state;
        uint8_t *p;

        /* 32 bytes end in a character of which two bits are not used. */
        load(c, "ecdsa-p256");
        p = memmem(c->proof.data, c->proof.size, "\nindex 1\n", 9);
        assert_non_null(p);
        p += 9 + 42;
        assert_int_equal(p[1], '=');
        *p = (uint8_t)(*p == '9' || *p == '/' ? *p - 1 : *p + 1);
        assert_int_equal(verify(c), VERIFICATION_FAULT_PROOF_SYNTAX);
}

static void verification_run_each_byte_of_proof_changed_fails(void **state)
{
        Case *c = *state;

        load(c, "ecdsa-p256");
        for (size_t i = 0; i < c->proof.size; i++) {
                c->proof.data[i] ^= 1;
                assert_int_not_equal(verify(c), VERIFICATION_FAULT_NONE);
                c->proof.data[i] ^= 1;
        }
        assert_int_equal(verify(c), VERIFICATION_FAULT_NONE);
}

static void verification_run_proof_cut_anywhere_fails(void **state)
{
        Case *c = *state;

        load(c, "ecdsa-p256");
        while (c->proof.size > 0) {
                c->proof.size--;
                assert_int_not_equal(verify(c), VERIFICATION_FAULT_NONE);
        }
}

static void verification_fault_to_string_each_is_distinct(void **state)
{
        (void)state;

        for (unsigned i = 0; i < _VERIFICATION_FAULT_MAX; i++)
                for (unsigned k = 0; k < i; k++)
                        assert_string_not_equal(verification_fault_to_string((VerificationFault)i),
                                                verification_fault_to_string((VerificationFault)k));
}

#define TEST(_f) cmocka_unit_test_setup_teardown(_f, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(verification_run_each_format_accepts),
                TEST(verification_run_wrong_artifact_fails),
                TEST(verification_run_each_bit_of_signature_flipped_fails),
                TEST(verification_run_other_signature_of_same_file_fails),
                TEST(verification_run_logged_but_wrong_signature_fails),
                TEST(verification_run_other_key_fails),
                TEST(verification_run_unknown_key_fails),
                TEST(verification_run_asked_key_accepts),
                TEST(verification_run_other_key_than_asked_fails),
                TEST(verification_run_format_not_allowed_fails),
                TEST(verification_run_other_size_fails),
                TEST(verification_run_proof_of_other_entry_fails),
                TEST(verification_run_entry_of_other_type_fails),
                TEST(verification_run_entry_not_logged_fails),
                TEST(verification_run_other_index_fails),
                TEST(verification_run_other_log_fails),
                TEST(verification_run_other_origin_of_same_key_fails),
                TEST(verification_run_checkpoint_signature_flipped_fails),
                TEST(verification_run_checkpoint_size_changed_fails),
                TEST(verification_run_noncanonical_base64_fails),
                TEST(verification_run_each_byte_of_proof_changed_fails),
                TEST(verification_run_proof_cut_anywhere_fails),
                TEST(verification_fault_to_string_each_is_distinct),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
