/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "test-policy-fixture.h"

#include "base/base64.h"
#include "policy/dsse.h"

#define VECTORS TEST_SOURCE_DIR "/../shared/vectors/dsse/"

#define VECTOR_SIGNATURE                                                                                    \
        "A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA=="

static void assert_pae(const char *type, Blob payload, Blob wanted)
{
        _cleanup_(buffer_deinit) Buffer pae = BUFFER_NULL;

        assert_int_equal(dsse_pae(&pae, type, payload), 0);
        assert_int_equal(pae.size, wanted.size);
        assert_memory_equal(pae.data, wanted.data, wanted.size);
}

static void dsse_pae_lengths_are_of_bytes(void **state)
{
        (void)state;
        assert_pae("", BLOB_NULL, BLOB_LITERAL("DSSEv1 0  0 "));
        assert_pae("text/x", BLOB_LITERAL("\0\xc3\xa9"), BLOB_LITERAL("DSSEv1 6 text/x 3 \0\xc3\xa9"));
        assert_pae(DSSE_PAYLOAD_TYPE, BLOB_LITERAL("0123456789"),
                   BLOB_LITERAL("DSSEv1 28 application/vnd.in-toto+json 10 0123456789"));
}

static void dsse_pae_vector_of_the_protocol_verifies(void **state)
{
        _cleanup_(buffer_deinit) Buffer wanted = BUFFER_NULL, pem = BUFFER_NULL;
        _cleanup_(public_key_freep) PublicKey *key = NULL;
        uint8_t signature[64];
        uint8_t digest[SHA256_SIZE];

        (void)state;
        if (access(VECTORS "pae.bin", R_OK) != 0)
                skip();
        assert_int_equal(file_read(&wanted, VECTORS "pae.bin", 4096), 0);
        assert_int_equal(file_read(&pem, VECTORS "key-p256.pub.pem", 4096), 0);
        assert_pae("http://example.com/HelloWorld", BLOB_LITERAL("hello world"), buffer_blob(&wanted));
        assert_int_equal(base64_decode_exact(signature, sizeof(signature), VECTOR_SIGNATURE,
                                             strlen(VECTOR_SIGNATURE)),
                         0);
        assert_int_equal(public_key_new_pem(&key, buffer_blob(&pem)), 0);
        sha256(digest, wanted.data, wanted.size);
        assert_int_equal(public_key_verify(key, SCHEME_ECDSA_P1363, BLOB(digest, sizeof(digest)),
                                           BLOB(signature, sizeof(signature))),
                         0);
        digest[0] ^= 1;
        assert_int_equal(public_key_verify(key, SCHEME_ECDSA_P1363, BLOB(digest, sizeof(digest)),
                                           BLOB(signature, sizeof(signature))),
                         CRYPTO_E_SIGNATURE);
}

static int decode(DsseEnvelope *e, const char *text, Reason *ret_reason)
{
        _cleanup_(buffer_deinit) Buffer message = BUFFER_NULL;
        const Refusal refusal = {ret_reason, &message};
        int r;

        r = dsse_envelope_decode(e, BLOB_STRING(text), &refusal);
        assert_int_equal(r == 0, message.size == 0);
        return r;
}

static void dsse_envelope_decode_parts_are_decoded(void **state)
{
        _cleanup_(dsse_envelope_deinit) DsseEnvelope e = {0};
        Reason reason = REASON_NONE;

        (void)state;
        assert_int_equal(decode(&e,
                                "{\"payload\":\"aGk_\",\"payloadType\":\"application/vnd.in-toto+json\","
                                "\"signatures\":[{\"sig\":\"QQ==\"},{\"sig\":\"QR==\"},{\"keyid\":7,\"sig\":"
                                "\"AP+/\"}]}",
                                &reason),
                         0);
        assert_string_equal(e.payload_type, DSSE_PAYLOAD_TYPE);
        assert_int_equal(e.payload.size, 3);
        assert_memory_equal(e.payload.data, "hi?", 3);
        assert_int_equal(e.n_signatures, 3);
        assert_int_equal(e.signatures[0].size, 1);
        assert_int_equal(e.signatures[1].size, 0); /* trailing bits: kept, but as nothing */
        assert_int_equal(e.signatures[2].size, 3);
}

static void dsse_envelope_decode_other_payload_type_is_refused(void **state)
{
        _cleanup_(dsse_envelope_deinit) DsseEnvelope e = {0};
        Reason reason = REASON_NONE;

        (void)state;
        assert_int_equal(decode(&e,
                                "{\"payload\":\"aGk_\",\"payloadType\":\"http://example.com/HelloWorld\","
                                "\"signatures\":[{\"sig\":\"QQ==\"}]}",
                                &reason),
                         DSSE_E_REFUSED);
        assert_int_equal(reason, REASON_PAYLOAD_TYPE);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(dsse_pae_lengths_are_of_bytes),
                cmocka_unit_test(dsse_pae_vector_of_the_protocol_verifies),
                cmocka_unit_test(dsse_envelope_decode_parts_are_decoded),
                cmocka_unit_test(dsse_envelope_decode_other_payload_type_is_refused),
        };

        return cmocka_run_group_tests_name("dsse", tests, NULL, NULL);
}
