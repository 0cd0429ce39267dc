/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "base/crypto-internal.h"

#define ED25519_SIGNATURE_SIZE 64

bool scheme_fits(SignatureScheme scheme, KeyType type)
{
        static const bool table[_SCHEME_MAX][_KEY_TYPE_MAX] = {
                [SCHEME_ED25519] = {[KEY_ED25519] = true},
                [SCHEME_ECDSA_DER] = {[KEY_ECDSA_P256] = true, [KEY_ECDSA_P384] = true},
                [SCHEME_ECDSA_P1363] = {[KEY_ECDSA_P256] = true, [KEY_ECDSA_P384] = true},
                [SCHEME_RSA_PKCS1_SHA256] = {[KEY_RSA] = true},
                [SCHEME_RSA_PSS_SHA256] = {[KEY_RSA] = true},
        };

        assert(scheme < _SCHEME_MAX);
        assert(type < _KEY_TYPE_MAX);

        return table[scheme][type];
}

bool scheme_set_padding(SignatureScheme scheme, EVP_PKEY_CTX *context)
{
        assert(context);

        if (scheme == SCHEME_RSA_PKCS1_SHA256)
                return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1;
        if (scheme == SCHEME_RSA_PSS_SHA256)
                return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
                       EVP_PKEY_CTX_set_rsa_pss_saltlen(context, PSS_SALT_SIZE) == 1 &&
                       EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_sha256()) == 1;
        return true;
}

/* A signature that does not verify is no failure of OpenSSL; lack of memory is one also where it says "no".
 */
static int verify_outcome(int k)
{
        unsigned long code;

        if (k == 1)
                return 0;
        code = ERR_peek_last_error();
        ERR_clear_error();
        if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE)
                return error_origin(-ENOMEM);
        return k == 0 ? CRYPTO_E_SIGNATURE : error_origin(-EIO);
}

static int verify_ed25519(PublicKey *key, Blob message, Blob signature)
{
        if (signature.size != ED25519_SIGNATURE_SIZE)
                return CRYPTO_E_SIGNATURE;

        if (!key->ed25519) {
                key->ed25519 = EVP_MD_CTX_new();
                if (!key->ed25519)
                        return crypto_failed(-ENOMEM);
                if (EVP_DigestVerifyInit(key->ed25519, NULL, NULL, NULL, key->pkey) != 1) {
                        EVP_MD_CTX_free(key->ed25519);
                        key->ed25519 = NULL;
                        return crypto_failed(-EIO);
                }
        } else if (EVP_DigestVerifyInit(key->ed25519, NULL, NULL, NULL, NULL) != 1) {
                return crypto_failed(-EIO);
        }
        return verify_outcome(
                EVP_DigestVerify(key->ed25519, signature.data, signature.size, message.data, message.size));
}

/* The context of a scheme is set up once: it may be used for any number of verifications. */
static int verifier_get(PublicKey *key, SignatureScheme scheme, EVP_PKEY_CTX **ret)
{
        EVP_PKEY_CTX *context;

        if (key->verifiers[scheme]) {
                *ret = key->verifiers[scheme];
                return 0;
        }

        context = EVP_PKEY_CTX_new(key->pkey, NULL);
        if (!context)
                return crypto_failed(-ENOMEM);
        if (EVP_PKEY_verify_init(context) != 1 || !scheme_set_padding(scheme, context) ||
            EVP_PKEY_CTX_set_signature_md(context,
                                          key->type == KEY_ECDSA_P384 ? EVP_sha384() : EVP_sha256()) != 1) {
                EVP_PKEY_CTX_free(context);
                return crypto_failed(-EIO);
        }
        *ret = key->verifiers[scheme] = context;
        return 0;
}

static int verify_digest(PublicKey *key, SignatureScheme scheme, Blob digest, Blob signature)
{
        EVP_PKEY_CTX *context;
        int r;

        r = verifier_get(key, scheme, &context);
        if (r)
                return error_fold(r);
        return verify_outcome(
                EVP_PKEY_verify(context, signature.data, signature.size, digest.data, digest.size));
}

/* One form is accepted, and which one the caller says: the form is checked here, OpenSSL sees canonical DER.
 */
static int verify_ecdsa(PublicKey *key, SignatureScheme scheme, Blob digest, Blob signature)
{
        size_t half = ecdsa_half_size(key->type), size;
        uint8_t der[ECDSA_DER_MAX], p1363[2 * ECDSA_HALF_MAX];

        if (digest.size != half)
                return CRYPTO_E_MISMATCH;
        if (scheme == SCHEME_ECDSA_DER) {
                if (!ecdsa_decode(p1363, half, signature))
                        return CRYPTO_E_SIGNATURE;
                return verify_digest(key, SCHEME_ECDSA_DER, digest, signature);
        }

        if (signature.size != 2 * half)
                return CRYPTO_E_SIGNATURE;
        size = ecdsa_encode(der, signature.data, half);
        if (size == 0)
                return CRYPTO_E_SIGNATURE;
        return verify_digest(key, SCHEME_ECDSA_DER, digest, BLOB(der, size));
}

static int verify_rsa(PublicKey *key, SignatureScheme scheme, Blob digest, Blob signature)
{
        if (digest.size != SHA256_SIZE)
                return CRYPTO_E_MISMATCH;
        if (signature.size != (key->bits + 7) / 8)
                return CRYPTO_E_SIGNATURE;
        return verify_digest(key, scheme, digest, signature);
}

int public_key_verify(PublicKey *key, SignatureScheme scheme, Blob message, Blob signature)
{
        assert(key);
        assert(scheme < _SCHEME_MAX);
        assert(message.data || message.size == 0);
        assert(signature.data || signature.size == 0);

        if (!scheme_fits(scheme, key->type))
                return CRYPTO_E_MISMATCH;

        ERR_clear_error();
        switch (key->type) {
        case KEY_ED25519:
                return verify_ed25519(key, message, signature);
        case KEY_ECDSA_P256:
        case KEY_ECDSA_P384:
                return verify_ecdsa(key, scheme, message, signature);
        case KEY_RSA:
                return verify_rsa(key, scheme, message, signature);
        case _KEY_TYPE_MAX:
                break;
        }
        return error_origin(-EUCLEAN);
}
