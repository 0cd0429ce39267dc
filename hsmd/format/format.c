/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "base/error.h"
#include "format/format.h"

/* RFC 8017 9.2, note 1: the DER of DigestInfo for SHA-256, up to the digest. */
static const uint8_t digest_info_sha256[] = {
        0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
        0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20,
};

static_assert(sizeof(digest_info_sha256) + SHA256_SIZE <= SHA512_SIZE, "a DigestInfo fits the message");
static_assert(sizeof(((FormatInput *)0)->message) <= LIMIT_TOKEN_MESSAGE, "the message fits a frame");

typedef struct FormatRow {
        TokenMechanism mechanism;
        SignatureScheme scheme;
} FormatRow;

static const FormatRow format_rows[_FORMAT_MAX] = {
        [FORMAT_RAW_ECDSA] = {MECHANISM_ECDSA, SCHEME_ECDSA_DER},
        [FORMAT_RAW_RSA_PKCS1_SHA256] = {MECHANISM_RSA_PKCS1, SCHEME_RSA_PKCS1_SHA256},
        [FORMAT_RAW_RSA_PSS_SHA256] = {MECHANISM_RSA_PSS_SHA256, SCHEME_RSA_PSS_SHA256},
        [FORMAT_RAW_ED25519] = {MECHANISM_EDDSA, SCHEME_ED25519},
};

bool format_needs_content(SignatureFormat format)
{
        return format == FORMAT_RAW_ED25519;
}

/* The digest that the format signs with a key of this type; BLOB_NULL if it was not computed. */
static Blob format_digest(KeyType type, const Digests *digests)
{
        if (type != KEY_ECDSA_P384)
                return BLOB(digests->sha256, SHA256_SIZE);
        return digests->have_sha384 ? BLOB(digests->sha384, SHA384_SIZE) : BLOB_NULL;
}

int format_prepare(SignatureFormat format, KeyType type, const Digests *digests, FormatInput *ret)
{
        FormatInput input = {.mechanism = format_rows[format].mechanism};
        Blob digest = format_digest(type, digests);

        assert(signature_format_fits(format, type));

        if (format_needs_content(format)) {
                input.content = true;
                *ret = input;
                return 0;
        }
        if (digest.size == 0)
                return FORMAT_E_CONTENT;
        if (input.mechanism == MECHANISM_RSA_PKCS1) {
                memcpy(input.message, digest_info_sha256, sizeof(digest_info_sha256));
                input.size = sizeof(digest_info_sha256);
        }
        memcpy(input.message + input.size, digest.data, digest.size);
        input.size += digest.size;
        *ret = input;
        return 0;
}

/* Check one finished signature; FORMAT_E_WRONG covers every way in which it is not one. */
static int format_check(SignatureScheme scheme, PublicKey *key, Blob message, Blob signature)
{
        int r = public_key_verify(key, scheme, message, signature);

        if (r == CRYPTO_E_SIGNATURE || r == CRYPTO_E_MISMATCH)
                return FORMAT_E_WRONG;
        return error_fold(r);
}

int format_finish(SignatureFormat format, PublicKey *key, const Digests *digests, Blob content, Blob raw,
                  Buffer *out)
{
        const FormatRow *row = &format_rows[format];
        size_t before = out->size;
        Blob message = format_needs_content(format) ? content : format_digest(public_key_type(key), digests);
        int r;

        assert(message.size > 0 || format_needs_content(format));

        if (row->mechanism == MECHANISM_ECDSA) {
                /* The token answers r || s, each of the curve's size (failure F17). */
                if (raw.size != (public_key_type(key) == KEY_ECDSA_P384 ? 96u : 64u))
                        return FORMAT_E_WRONG;
                r = ecdsa_p1363_to_der(out, raw);
                if (r == CRYPTO_E_SIGNATURE)
                        return FORMAT_E_WRONG;
        } else {
                if (raw.size == 0 || raw.size > LIMIT_SIGNATURE_SIZE)
                        return FORMAT_E_WRONG;
                r = buffer_append(out, raw.data, raw.size);
        }
        if (r != 0)
                return error_fold(r);

        r = format_check(row->scheme, key, message, BLOB(out->data + before, out->size - before));
        if (r != 0)
                out->size = before;
        return r;
}
