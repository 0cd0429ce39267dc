/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Hashes, public keys, verification: the only user of OpenSSL.
 *
 * A PublicKey is canonical: two texts of one key (compressed or not, DER or raw, with or without parameters)
 * give equal ids, so that uniqueness in a policy can be decided (attestations P2).  Loading refuses keys
 * that cannot be trusted whatever they sign: the small-order and non-canonical Ed25519 points (6.4), EC
 * points off the curve, RSA below 2048 bits or with an even or tiny exponent.
 */
#include <stdbool.h>

#include "base/bytes.h"

#define SHA256_SIZE 32
#define SHA384_SIZE 48
#define SHA512_SIZE 64

/* ---- hashes ---- */

void sha256(uint8_t ret[static SHA256_SIZE], const void *data, size_t size);
/* SHA-256(prefix || a || b): what RFC 6962 needs, without a context. */
void sha256_prefixed(uint8_t ret[static SHA256_SIZE], uint8_t prefix, Blob a, Blob b);

/* The three digests of one artifact, in one pass. */
typedef struct Digests {
        uint8_t sha256[SHA256_SIZE];
        uint8_t sha384[SHA384_SIZE];
        uint8_t sha512[SHA512_SIZE];
        bool have_sha384; /* false when only a SHA-256 was handed in */
        bool have_sha512;
} Digests;

typedef struct Hasher Hasher;
_must_use_ int hasher_new(Hasher **ret);
Hasher *hasher_free(Hasher *h);
DEFINE_CLEANUP(Hasher *, hasher_free)
void hasher_reset(Hasher *h);
void hasher_update(Hasher *h, const void *data, size_t size);
void hasher_finish(Hasher *h, Digests *ret); /* then reset before the next use */

/* ---- public keys ---- */

typedef enum KeyType {
        KEY_ED25519,
        KEY_ECDSA_P256,
        KEY_ECDSA_P384,
        KEY_RSA,
        _KEY_TYPE_MAX,
} KeyType;

const char *key_type_to_string(KeyType type); /* "ed25519", "ecdsa-p256", "ecdsa-p384", "rsa" */

/* What a signature looks like and is made over. */
typedef enum SignatureScheme {
        SCHEME_ED25519,          /* PureEdDSA over the message; 64 bytes */
        SCHEME_ECDSA_DER,        /* over a digest of the curve's size; DER, strictly encoded */
        SCHEME_ECDSA_P1363,      /* the same; r || s */
        SCHEME_RSA_PKCS1_SHA256, /* over a SHA-256 digest */
        SCHEME_RSA_PSS_SHA256,   /* over a SHA-256 digest; MGF1-SHA256, salt of 32 bytes */
        _SCHEME_MAX,
} SignatureScheme;

enum {
        _CRYPTO_E_SUCCESS,
        CRYPTO_E_KEY_SYNTAX, /* not a key of that form */
        CRYPTO_E_KEY_TYPE,   /* an algorithm, curve or size that is not supported here */
        CRYPTO_E_KEY_WEAK,   /* small order, not canonical, off the curve, RSA too short or bad exponent */
        CRYPTO_E_SIGNATURE,  /* does not verify, or is not of the exact form */
        CRYPTO_E_MISMATCH,   /* scheme and key type do not go together */
};

typedef struct PublicKey PublicKey;

_must_use_ int public_key_new_spki(PublicKey **ret, Blob der);
_must_use_ int public_key_new_pem(PublicKey **ret, Blob pem);
_must_use_ int public_key_new_ed25519(PublicKey **ret, const uint8_t raw[static 32]);
/* SEC 1 point, compressed (33/49 bytes) or not (65/97): type must be one of the two ECDSA types. */
_must_use_ int public_key_new_point(PublicKey **ret, KeyType type, Blob point);
PublicKey *public_key_free(PublicKey *key);
DEFINE_CLEANUP(PublicKey *, public_key_free)

KeyType public_key_type(const PublicKey *key);
unsigned public_key_bits(const PublicKey *key);
/* DER SubjectPublicKeyInfo as OpenSSL writes it (RFC 8410 form for Ed25519, uncompressed named curve for
 * EC). */
Blob public_key_spki(const PublicKey *key);
/* SHA-256 of that: the canonical id, by which keys are equal. */
const uint8_t *public_key_id(const PublicKey *key);
/* The 32 bytes of an Ed25519 key, the uncompressed point of an EC key; BLOB_NULL for RSA. */
Blob public_key_raw(const PublicKey *key);

/*
 * Verify.  `message` is the message for SCHEME_ED25519 and the digest (exact size) otherwise.
 * CRYPTO_E_SIGNATURE, CRYPTO_E_MISMATCH (also for a digest of another size), -ENOMEM, -EIO (OpenSSL failed
 * for another reason). Contexts are kept in the key, so it is not const and not for two threads.
 */
_must_use_ int public_key_verify(PublicKey *key, SignatureScheme scheme, Blob message, Blob signature);

/* ECDSA r || s (from a token) to strict DER.  CRYPTO_E_SIGNATURE if the size is odd or a half is zero. */
_must_use_ int ecdsa_p1363_to_der(Buffer *out, Blob p1363);

/* ---- private keys of rebuilders and tests; hsmd itself has none ---- */

typedef struct PrivateKey PrivateKey;
/* PKCS#8 or traditional PEM, not encrypted: Ed25519, P-256, P-384, RSA.  CRYPTO_E_KEY_SYNTAX,
 * CRYPTO_E_KEY_TYPE (also when the public half is weak). */
_must_use_ int private_key_new_pem(PrivateKey **ret, Blob pem);
PrivateKey *private_key_free(PrivateKey *key);
DEFINE_CLEANUP(PrivateKey *, private_key_free)
/* Caller frees with public_key_free(). */
_must_use_ int private_key_public(PrivateKey *key, PublicKey **ret);
/* Sign `message` as it is: Ed25519 over the bytes; ECDSA and RSA over their SHA-256 (SHA-384 for P-384). */
_must_use_ int private_key_sign(PrivateKey *key, SignatureScheme scheme, Blob message, Buffer *out);

/* ---- other ---- */

void random_bytes(void *ret, size_t size); /* for temporary names and ids; aborts when the kernel has none */

/* Memory for the PIN: locked, excluded from cores, guarded, wiped by the free. */
_must_use_ int secure_new(uint8_t **ret, size_t size); /* -ENOMEM */
void secure_free(uint8_t *p, size_t size);
