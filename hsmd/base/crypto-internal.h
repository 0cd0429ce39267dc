/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What the files of the OpenSSL adapter (hash, secure, ecdsa, pubkey, verify, privkey) share among
 * themselves.
 */
#include <openssl/err.h>
#include <openssl/types.h>

#include "base/crypto.h"
#include "base/error.h"

/* Half of r || s: P-521, more than any curve here, for ecdsa_p1363_to_der(). */
#define ECDSA_HALF_MAX 66
/* SEQUENCE of two INTEGERs, each with a sign byte; with P-521 the outer length takes two bytes. */
#define ECDSA_DER_MAX (3 + 2 * (2 + 1 + ECDSA_HALF_MAX))

#define PSS_SALT_SIZE  32
#define POINT_SIZE_MAX 97 /* uncompressed, P-384 */

struct PublicKey {
        KeyType type;
        unsigned bits;
        EVP_PKEY *pkey;
        EVP_PKEY_CTX *verifiers[_SCHEME_MAX]; /* ready for EVP_PKEY_verify(), made when first needed */
        EVP_MD_CTX *ed25519;
        uint8_t raw[POINT_SIZE_MAX];
        size_t raw_size;
        uint8_t *spki; /* OpenSSL's memory */
        size_t spki_size;
        uint8_t id[SHA256_SIZE];
};

#define DEFINE_OPENSSL_CLEANUP(_type, _func)                                                                \
        static inline void _func##p(_type **p)                                                              \
        {                                                                                                   \
                _func(*p); /* they all take NULL */                                                         \
        }

/*
 * OpenSSL tells lack of memory from other failures only in its queue, which may not be left to the next
 * caller. Empties it and raises `_r`.
 */
#define crypto_failed(_r)                                                                                   \
        ({                                                                                                  \
                ERR_clear_error();                                                                          \
                error_origin(_r);                                                                           \
        })

/* DER of r || s, halves of `half` bytes; returns its size, 0 if r or s is zero. */
size_t ecdsa_encode(uint8_t ret[static ECDSA_DER_MAX], const uint8_t *p1363, size_t half);
/* r || s of a DER signature in exactly the form that ecdsa_encode() gives; false for any other. */
_must_use_ bool ecdsa_decode(uint8_t *ret_p1363, size_t half, Blob der);

/* Halves of the signatures of an ECDSA key type, which is the size of the digest too. */
size_t ecdsa_half_size(KeyType type);

/* Whether keys of the type make signatures of the scheme. */
bool scheme_fits(SignatureScheme scheme, KeyType type);
/* Sets padding, salt and mask generation for RSA; nothing for the others.  False when OpenSSL refuses. */
_must_use_ bool scheme_set_padding(SignatureScheme scheme, EVP_PKEY_CTX *context);
