/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/error.h"
#include "base/file.h"
#include "base/hex.h"

#include "client/artifact.h"
#include "client/verification.h"

const char *verification_fault_to_string(VerificationFault f)
{
        static const char *const texts[_VERIFICATION_FAULT_MAX] = {
#define X(_name, _text) [VERIFICATION_FAULT_##_name] = _text,
                VERIFICATION_FAULTS(X)
#undef X
        };

        assert(f < _VERIFICATION_FAULT_MAX);
        return texts[f];
}

_printf_(4, 5) static int verification_fail(Verification *v, Buffer *message, VerificationFault fault,
                                            const char *format, ...)
{
        _cleanup_(freep) char *text = NULL;
        va_list args;
        int r;

        v->fault = fault;
        va_start(args, format);
        r = vasprintf(&text, format, args) < 0 ? -ENOMEM : 0;
        va_end(args);
        if (r == 0)
                r = buffer_append_string(message, text);
        return r < 0 ? error_origin(r) : VERIFICATION_E_FAILED;
}

static int verification_check_checkpoint(Verification *v, Trust *trust, Buffer *message)
{
        int r;

        r = checkpoint_verify(&v->checkpoint, v->proof.checkpoint, &trust->log);
        switch (r) {
        case 0:
                return 0;
        case CHECKPOINT_E_SYNTAX:
                return verification_fail(v, message, VERIFICATION_FAULT_CHECKPOINT_SYNTAX,
                                         "the checkpoint in the proof is malformed");
        case CHECKPOINT_E_ORIGIN:
                return verification_fail(v, message, VERIFICATION_FAULT_CHECKPOINT_ORIGIN,
                                         "the checkpoint is of another log than %s", trust->log.name);
        case CHECKPOINT_E_SIGNATURE:
                return verification_fail(v, message, VERIFICATION_FAULT_CHECKPOINT_SIGNATURE,
                                         "the checkpoint is not signed by the trusted key of %s",
                                         trust->log.name);
        default:
                return error_fold(r);
        }
}

/* The proof and the entry in it; the entry is not parsed before it is proven to be in the log. */
static int verification_check_log(Verification *v, Trust *trust, Blob proof, Buffer *message)
{
        int r;

        r = proof_decode(&v->proof, proof);
        if (r < 0)
                return error_fold(r);
        if (r > 0)
                return verification_fail(v, message, VERIFICATION_FAULT_PROOF_SYNTAX,
                                         "the proof is not a canonical tlog-proof");
        r = verification_check_checkpoint(v, trust, message);
        if (r)
                return r;
        r = proof_verify(&v->proof, &trust->log, NULL);
        if (r < 0)
                return error_fold(r);
        if (r > 0)
                return verification_fail(v, message, VERIFICATION_FAULT_NOT_IN_LOG,
                                         "the proof does not show that its entry is in the log");

        r = entry_decode(&v->entry, buffer_blob(&v->proof.extra));
        if (r < 0)
                return error_fold(r);
        if (r > 0)
                return verification_fail(v, message, VERIFICATION_FAULT_ENTRY_SYNTAX,
                                         "the entry in the proof is malformed");
        if (strcmp(v->entry.type, ENTRY_SIGNATURE) != 0)
                return verification_fail(v, message, VERIFICATION_FAULT_ENTRY_TYPE,
                                         "the entry in the proof is no signature but %s", v->entry.type);
        return 0;
}

static int verification_check_key(Verification *v, const Trust *trust, const char *asked, Buffer *message)
{
        const Entry *e = &v->entry;
        const TrustKey *key;

        /* entry_decode() demands all of it of a signature. */
        if (NEVER(!e->key || !e->format || !e->has_key_id || !e->has_artifact || !e->has_signature))
                return error_origin(-EUCLEAN);
        if (asked && strcmp(asked, e->key) != 0)
                return verification_fail(v, message, VERIFICATION_FAULT_KEY_NOT_ASKED,
                                         "signed with the key %s, not %s", e->key, asked);
        v->key = trust_find_key(trust, e->key);
        if (v->key == SIZE_MAX)
                return verification_fail(v, message, VERIFICATION_FAULT_KEY_UNKNOWN,
                                         "signed with the key %s, which the trust file does not have",
                                         e->key);
        key = &trust->keys[v->key];
        if (memcmp(public_key_id(key->public_key), e->key_id, SHA256_SIZE) != 0)
                return verification_fail(v, message, VERIFICATION_FAULT_KEY_OTHER,
                                         "signed with another public key than the trust file has for %s",
                                         e->key);

        v->format = signature_format_from_string(e->format, strlen(e->format));
        if (v->format == _FORMAT_INVALID || !(key->formats & (1U << v->format)))
                return verification_fail(v, message, VERIFICATION_FAULT_FORMAT_NOT_ALLOWED,
                                         "the trust file does not allow the format %s for %s", e->format,
                                         e->key);
        return 0;
}

static void digest_content(Digests *ret, Blob content)
{
        *ret = (Digests){};
        sha256(ret->sha256, content.data, content.size);
}

/* Reads the artifact: as a whole where the signature is over its content, so that what is hashed and what is
 * verified are the same bytes. */
static int verification_read(Verification *v, int fd, Buffer *content, Buffer *message)
{
        int r;

        if (v->format != FORMAT_RAW_ED25519)
                return error_fold(artifact_hash(fd, &v->digests, &v->size));

        r = file_read_fd(content, fd, LIMIT_CONTENT_SIZE);
        if (r == FILE_E_TOO_LARGE)
                return verification_fail(v, message, VERIFICATION_FAULT_ARTIFACT_TOO_LARGE,
                                         "the artifact is larger than what %s can sign", v->entry.format);
        if (r)
                return error_fold(r);
        digest_content(&v->digests, buffer_blob(content));
        v->size = content->size;
        return 0;
}

static int verification_check_artifact(Verification *v, Buffer *message)
{
        uint64_t size;
        SJson *artifact;
        int r;

        if (memcmp(v->digests.sha256, v->entry.artifact_sha256, SHA256_SIZE) != 0) {
                char hex[2 * SHA256_SIZE + 1];

                hex_encode(hex, v->entry.artifact_sha256, SHA256_SIZE);
                return verification_fail(v, message, VERIFICATION_FAULT_ARTIFACT_DIGEST,
                                         "another file was signed: %s, sha256 %s",
                                         v->entry.artifact_name ? v->entry.artifact_name : "?", hex);
        }

        r = sjson_get_object(v->entry.document, "artifact", &artifact);
        if (NEVER(r != 0))
                return error_origin(-EUCLEAN);
        r = sjson_get_u64(artifact, "size", &size);
        if (r == SJSON_E_MISSING) /* only a digest was handed in */
                return 0;
        if (r != 0 || size != v->size)
                return verification_fail(v, message, VERIFICATION_FAULT_ARTIFACT_SIZE,
                                         "the entry gives another size of the artifact");
        return 0;
}

static SignatureScheme verification_scheme(SignatureFormat f)
{
        switch (f) {
        case FORMAT_RAW_ECDSA:
                return SCHEME_ECDSA_DER;
        case FORMAT_RAW_RSA_PKCS1_SHA256:
                return SCHEME_RSA_PKCS1_SHA256;
        case FORMAT_RAW_RSA_PSS_SHA256:
                return SCHEME_RSA_PSS_SHA256;
        case FORMAT_RAW_ED25519:
                return SCHEME_ED25519;
        case _FORMAT_MAX:
        case _FORMAT_INVALID:
                break;
        }
        return _SCHEME_MAX;
}

static int verification_check_signature(Verification *v, const TrustKey *key, Blob signature, Blob content,
                                        Buffer *message)
{
        SignatureScheme scheme = verification_scheme(v->format);
        uint8_t digest[SHA256_SIZE];
        Blob signed_bytes;
        int r;

        sha256(digest, signature.data, signature.size);
        if (memcmp(digest, v->entry.signature_sha256, SHA256_SIZE) != 0)
                return verification_fail(v, message, VERIFICATION_FAULT_SIGNATURE_DIGEST,
                                         "another signature was logged than the one at hand");

        assert(scheme != _SCHEME_MAX);
        if (scheme == SCHEME_ED25519)
                signed_bytes = content;
        else if (key->type == KEY_ECDSA_P384)
                signed_bytes = BLOB(v->digests.sha384, SHA384_SIZE);
        else
                signed_bytes = BLOB(v->digests.sha256, SHA256_SIZE);
        r = public_key_verify(key->public_key, scheme, signed_bytes, signature);
        if (r < 0)
                return error_fold(r);
        if (r > 0)
                return verification_fail(v, message, VERIFICATION_FAULT_SIGNATURE_WRONG,
                                         "the signature does not verify under the trusted key %s",
                                         key->name);
        return 0;
}

int verification_run(Verification *ret, Trust *trust, const VerificationInput *input, Buffer *message)
{
        _cleanup_(buffer_deinit) Buffer content = BUFFER_NULL;
        int r;

        assert(ret);
        assert(trust);
        assert(input);
        assert(message);

        *ret = (Verification){.key = SIZE_MAX, .format = _FORMAT_INVALID};
        r = verification_check_log(ret, trust, input->proof, message);
        if (r == 0)
                r = verification_check_key(ret, trust, input->key, message);
        if (r == 0)
                r = verification_read(ret, input->artifact_fd, &content, message);
        if (r == 0)
                r = verification_check_artifact(ret, message);
        if (r == 0)
                r = verification_check_signature(ret, &trust->keys[ret->key], input->signature,
                                                 buffer_blob(&content), message);
        return r;
}

void verification_deinit(Verification *v)
{
        assert(v);

        proof_deinit(&v->proof);
        entry_deinit(&v->entry);
}
