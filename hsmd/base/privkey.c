/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/crypto-internal.h"

struct PrivateKey {
        EVP_PKEY *pkey;
        KeyType type;
        uint8_t *spki; /* OpenSSL's memory */
        size_t spki_size;
};

DEFINE_OPENSSL_CLEANUP(BIO, BIO_free_all)
DEFINE_OPENSSL_CLEANUP(EVP_MD_CTX, EVP_MD_CTX_free)

/* An encrypted key is refused; without this OpenSSL would ask on the terminal. */
static int refuse_password(char *buffer, int size, int writing, void *userdata)
{
        (void)buffer;
        (void)size;
        (void)writing;
        (void)userdata;
        return -1;
}

/* What the public half says of the key: also that it is of a type that can be verified here. */
static int private_key_inspect(PrivateKey *key)
{
        _cleanup_(public_key_freep) PublicKey *public = NULL;
        int r;

        r = i2d_PUBKEY(key->pkey, &key->spki);
        if (r <= 0) {
                ERR_clear_error();
                return CRYPTO_E_KEY_TYPE;
        }
        key->spki_size = (size_t)r;

        r = public_key_new_spki(&public, BLOB(key->spki, key->spki_size));
        if (r < 0)
                return error_fold(r);
        if (r > 0)
                return CRYPTO_E_KEY_TYPE;
        key->type = public_key_type(public);
        return 0;
}

int private_key_new_pem(PrivateKey **ret, Blob pem)
{
        _cleanup_(private_key_freep) PrivateKey *key = NULL;
        _cleanup_(BIO_free_allp) BIO *bio = NULL;
        int r;

        assert(ret);
        assert(pem.data || pem.size == 0);

        if (pem.size == 0 || pem.size > INT_MAX)
                return CRYPTO_E_KEY_SYNTAX;
        r = memory_new0(&key, 1);
        if (r)
                return error_fold(r);

        ERR_clear_error();
        bio = BIO_new_mem_buf(pem.data, (int)pem.size);
        if (!bio)
                return crypto_failed(-ENOMEM);
        key->pkey = PEM_read_bio_PrivateKey(bio, NULL, refuse_password, NULL);
        ERR_clear_error();
        if (!key->pkey)
                return CRYPTO_E_KEY_SYNTAX;
        r = private_key_inspect(key);
        if (r)
                return r;

        *ret = TAKE_PTR(key);
        return 0;
}

PrivateKey *private_key_free(PrivateKey *key)
{
        if (!key)
                return NULL;

        EVP_PKEY_free(key->pkey);
        OPENSSL_free(key->spki);
        free(key);
        return NULL;
}

int private_key_public(PrivateKey *key, PublicKey **ret)
{
        assert(key);
        assert(ret);

        return error_fold(public_key_new_spki(ret, BLOB(key->spki, key->spki_size)));
}

static const EVP_MD *private_key_digest(const PrivateKey *key)
{
        if (key->type == KEY_ED25519)
                return NULL;
        return key->type == KEY_ECDSA_P384 ? EVP_sha384() : EVP_sha256();
}

/* OpenSSL's own form: DER for ECDSA. */
static int private_key_sign_native(PrivateKey *key, SignatureScheme scheme, Blob message, Buffer *out)
{
        _cleanup_(EVP_MD_CTX_freep) EVP_MD_CTX *context = NULL;
        EVP_PKEY_CTX *pkey_context = NULL; /* belongs to `context` */
        size_t size = 0;
        int r;

        context = EVP_MD_CTX_new();
        if (!context)
                return crypto_failed(-ENOMEM);
        if (EVP_DigestSignInit(context, &pkey_context, private_key_digest(key), NULL, key->pkey) != 1 ||
            !scheme_set_padding(scheme, pkey_context) ||
            EVP_DigestSign(context, NULL, &size, message.data, message.size) != 1)
                return crypto_failed(-EIO);

        r = buffer_reserve(out, size);
        if (r)
                return error_fold(r);
        if (EVP_DigestSign(context, out->data + out->size, &size, message.data, message.size) != 1)
                return crypto_failed(-EIO);
        out->size += size;
        out->data[out->size] = 0;
        return 0;
}

static int private_key_sign_p1363(PrivateKey *key, Blob message, Buffer *out)
{
        _cleanup_(buffer_deinit) Buffer der = BUFFER_NULL;
        uint8_t p1363[2 * ECDSA_HALF_MAX];
        size_t half = ecdsa_half_size(key->type);
        bool decoded;
        int r;

        r = private_key_sign_native(key, SCHEME_ECDSA_DER, message, &der);
        if (r)
                return error_fold(r);
        decoded = ecdsa_decode(p1363, half, buffer_blob(&der));
        if (NEVER(!decoded))
                return error_origin(-EUCLEAN);
        return error_fold(buffer_append(out, p1363, 2 * half));
}

int private_key_sign(PrivateKey *key, SignatureScheme scheme, Blob message, Buffer *out)
{
        assert(key);
        assert(message.data || message.size == 0);
        assert(out);

        if (!scheme_fits(scheme, key->type))
                return CRYPTO_E_MISMATCH;
        ERR_clear_error();
        if (scheme == SCHEME_ECDSA_P1363)
                return error_fold(private_key_sign_p1363(key, message, out));
        return error_fold(private_key_sign_native(key, scheme, message, out));
}
