/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/base64.h"
#include "base/crypto-internal.h"
#include "base/limits.h"

#define ED25519_SIZE      32
#define RSA_BITS_MIN      2048
#define RSA_BITS_MAX      8192
#define RSA_EXPONENT_MIN  65537
#define RSA_EXPONENT_BITS 64 /* a verifier's work grows with it; nobody has a reason for more */

#define PEM_BEGIN "-----BEGIN PUBLIC KEY-----"
#define PEM_END   "-----END PUBLIC KEY-----"

DEFINE_OPENSSL_CLEANUP(BIGNUM, BN_free)
DEFINE_OPENSSL_CLEANUP(EC_GROUP, EC_GROUP_free)
DEFINE_OPENSSL_CLEANUP(EC_POINT, EC_POINT_free)
DEFINE_OPENSSL_CLEANUP(EVP_PKEY_CTX, EVP_PKEY_CTX_free)
DEFINE_OPENSSL_CLEANUP(OSSL_PARAM, OSSL_PARAM_free)
DEFINE_OPENSSL_CLEANUP(OSSL_PARAM_BLD, OSSL_PARAM_BLD_free)
DEFINE_OPENSSL_CLEANUP(X509_PUBKEY, X509_PUBKEY_free)

const char *key_type_to_string(KeyType type)
{
        static const char *const names[_KEY_TYPE_MAX] = {
                [KEY_ED25519] = "ed25519",
                [KEY_ECDSA_P256] = "ecdsa-p256",
                [KEY_ECDSA_P384] = "ecdsa-p384",
                [KEY_RSA] = "rsa",
        };

        assert(type < _KEY_TYPE_MAX);

        return names[type];
}

PublicKey *public_key_free(PublicKey *key)
{
        if (!key)
                return NULL;

        for (size_t i = 0; i < _SCHEME_MAX; i++)
                EVP_PKEY_CTX_free(key->verifiers[i]);
        EVP_MD_CTX_free(key->ed25519);
        EVP_PKEY_free(key->pkey);
        OPENSSL_free(key->spki);
        free(key);
        return NULL;
}

/* ---- making one from its parts: every way of loading ends in one of these three ---- */

/* Takes `pkey` over, also on failure. */
static int public_key_new(PublicKey **ret, KeyType type, EVP_PKEY *pkey, Blob raw)
{
        _cleanup_(public_key_freep) PublicKey *key = NULL;
        int r;

        assert(pkey);
        assert(raw.size <= POINT_SIZE_MAX);

        r = memory_new0(&key, 1);
        if (r) {
                EVP_PKEY_free(pkey);
                return error_fold(r);
        }
        key->type = type;
        key->pkey = pkey;
        key->bits = (unsigned)EVP_PKEY_get_bits(pkey);
        key->raw_size = raw.size;
        if (raw.size > 0)
                memcpy(key->raw, raw.data, raw.size);

        r = i2d_PUBKEY(pkey, &key->spki);
        if (r <= 0)
                return crypto_failed(-ENOMEM);
        key->spki_size = (size_t)r;
        sha256(key->id, key->spki, key->spki_size);

        *ret = TAKE_PTR(key);
        return 0;
}

/*
 * With a point of small order one fixed "signature" verifies for many messages, and OpenSSL 3.0 loads all of
 * them: the five y of the eight points, whatever the sign of x, and every y that is not below p = 2^255
 * - 19.
 */
static bool ed25519_is_weak(const uint8_t raw[static ED25519_SIZE])
{
        static const uint8_t small_order[][ED25519_SIZE] = {
                {0},
                {1},
                {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
                {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
                 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
                 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
                {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
                 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
                 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
        };
        uint8_t y[ED25519_SIZE];
        bool high = true;

        memcpy(y, raw, sizeof(y));
        y[31] &= 0x7f;
        for (size_t i = 0; i < ARRAY_SIZE(small_order); i++)
                if (memcmp(y, small_order[i], sizeof(y)) == 0)
                        return true;

        for (size_t i = 1; i < 31; i++)
                high = high && y[i] == 0xff;
        return high && y[31] == 0x7f && y[0] >= 0xed;
}

int public_key_new_ed25519(PublicKey **ret, const uint8_t raw[static ED25519_SIZE])
{
        EVP_PKEY *pkey;

        assert(ret);
        assert(raw);

        if (ed25519_is_weak(raw))
                return CRYPTO_E_KEY_WEAK;
        ERR_clear_error();
        pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, raw, ED25519_SIZE);
        if (!pkey)
                return crypto_failed(-ENOMEM);
        return error_fold(public_key_new(ret, KEY_ED25519, pkey, BLOB(raw, ED25519_SIZE)));
}

/* The point uncompressed, checked to be on the curve and not the one at infinity. */
static int point_canonicalize(uint8_t ret[static POINT_SIZE_MAX], KeyType type, Blob point)
{
        _cleanup_(EC_GROUP_freep) EC_GROUP *group = NULL;
        _cleanup_(EC_POINT_freep) EC_POINT *p = NULL;
        size_t half = ecdsa_half_size(type), n;

        /* Nothing but the three forms that are in use: OpenSSL knows hybrid points too. */
        if (point.size != 1 + half && point.size != 1 + 2 * half)
                return CRYPTO_E_KEY_SYNTAX;
        if (point.size == 1 + half ? (point.data[0] & 0xfe) != 2 : point.data[0] != 4)
                return CRYPTO_E_KEY_SYNTAX;

        ERR_clear_error();
        group = EC_GROUP_new_by_curve_name(type == KEY_ECDSA_P256 ? NID_X9_62_prime256v1 : NID_secp384r1);
        p = group ? EC_POINT_new(group) : NULL;
        if (!p)
                return crypto_failed(-ENOMEM);
        if (!EC_POINT_oct2point(group, p, point.data, point.size, NULL) ||
            EC_POINT_is_on_curve(group, p, NULL) != 1) {
                ERR_clear_error();
                return CRYPTO_E_KEY_WEAK;
        }
        n = EC_POINT_point2oct(group, p, POINT_CONVERSION_UNCOMPRESSED, ret, POINT_SIZE_MAX, NULL);
        return n == 1 + 2 * half ? 0 : crypto_failed(-EIO);
}

static EVP_PKEY *pkey_from_params(const char *type, OSSL_PARAM *params)
{
        _cleanup_(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
        EVP_PKEY *pkey = NULL;

        if (!context || EVP_PKEY_fromdata_init(context) != 1)
                return NULL;
        if (EVP_PKEY_fromdata(context, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
                return NULL;
        return pkey;
}

int public_key_new_point(PublicKey **ret, KeyType type, Blob point)
{
        char p256[] = SN_X9_62_prime256v1, p384[] = SN_secp384r1;
        uint8_t raw[POINT_SIZE_MAX];
        OSSL_PARAM params[3];
        EVP_PKEY *pkey;
        size_t size;
        int r;

        assert(ret);
        assert(type == KEY_ECDSA_P256 || type == KEY_ECDSA_P384);
        assert(point.data || point.size == 0);

        r = point_canonicalize(raw, type, point);
        if (r)
                return r;

        size = 1 + 2 * ecdsa_half_size(type);
        params[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME,
                                                     type == KEY_ECDSA_P256 ? p256 : p384, 0);
        params[1] = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, raw, size);
        params[2] = OSSL_PARAM_construct_end();
        pkey = pkey_from_params("EC", params);
        if (!pkey)
                return crypto_failed(-ENOMEM);
        return error_fold(public_key_new(ret, type, pkey, BLOB(raw, size)));
}

static int rsa_check(const BIGNUM *n, const BIGNUM *e)
{
        int bits = BN_num_bits(n);

        if (bits > RSA_BITS_MAX)
                return CRYPTO_E_KEY_TYPE;
        if (bits < RSA_BITS_MIN || !BN_is_odd(n) || !BN_is_odd(e) || BN_num_bits(e) > RSA_EXPONENT_BITS)
                return CRYPTO_E_KEY_WEAK;
        return BN_get_word(e) < RSA_EXPONENT_MIN ? CRYPTO_E_KEY_WEAK : 0;
}

static int public_key_new_rsa(PublicKey **ret, const BIGNUM *n, const BIGNUM *e)
{
        _cleanup_(OSSL_PARAM_BLD_freep) OSSL_PARAM_BLD *build = NULL;
        _cleanup_(OSSL_PARAM_freep) OSSL_PARAM *params = NULL;
        EVP_PKEY *pkey;
        int r;

        r = rsa_check(n, e);
        if (r)
                return r;

        build = OSSL_PARAM_BLD_new();
        if (build && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
            OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) == 1)
                params = OSSL_PARAM_BLD_to_param(build);
        if (!params)
                return crypto_failed(-ENOMEM);
        pkey = pkey_from_params("RSA", params);
        if (!pkey)
                return crypto_failed(-ENOMEM);
        return error_fold(public_key_new(ret, KEY_RSA, pkey, BLOB_NULL));
}

/* ---- decoding ---- */

static int decode_ed25519(PublicKey **ret, int parameters, Blob bits)
{
        /* RFC 8410 3: "the parameters MUST be absent". */
        if (parameters != V_ASN1_UNDEF || bits.size != ED25519_SIZE)
                return CRYPTO_E_KEY_SYNTAX;
        return public_key_new_ed25519(ret, bits.data);
}

static int decode_ec(PublicKey **ret, int parameters, const void *curve, Blob bits)
{
        int nid;

        /* RFC 5480 2.1.1: a named curve and nothing else; one spelled out may have a generator of its own.
         */
        if (parameters != V_ASN1_OBJECT)
                return CRYPTO_E_KEY_TYPE;
        nid = OBJ_obj2nid(curve);
        if (nid == NID_X9_62_prime256v1)
                return public_key_new_point(ret, KEY_ECDSA_P256, bits);
        if (nid == NID_secp384r1)
                return public_key_new_point(ret, KEY_ECDSA_P384, bits);
        return CRYPTO_E_KEY_TYPE;
}

static int decode_rsa(PublicKey **ret, const EVP_PKEY *pkey)
{
        _cleanup_(BN_freep) BIGNUM *n = NULL, *e = NULL;

        if (!pkey || EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_N, &n) != 1 ||
            EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &e) != 1)
                return CRYPTO_E_KEY_SYNTAX;
        return public_key_new_rsa(ret, n, e);
}

static int decode_spki(PublicKey **ret, const X509_PUBKEY *spki)
{
        ASN1_OBJECT *algorithm = NULL;
        const unsigned char *bits = NULL;
        const void *parameter = NULL;
        X509_ALGOR *identifier = NULL;
        int size = 0, parameter_type = V_ASN1_UNDEF;

        if (X509_PUBKEY_get0_param(&algorithm, &bits, &size, &identifier, spki) != 1 || !bits || size < 0)
                return CRYPTO_E_KEY_SYNTAX;
        X509_ALGOR_get0(NULL, &parameter_type, &parameter, identifier);

        switch (OBJ_obj2nid(algorithm)) {
        case NID_ED25519:
                return decode_ed25519(ret, parameter_type, BLOB(bits, (size_t)size));
        case NID_X9_62_id_ecPublicKey:
                return decode_ec(ret, parameter_type, parameter, BLOB(bits, (size_t)size));
        case NID_rsaEncryption:
                return decode_rsa(ret, X509_PUBKEY_get0(spki));
        default:
                return CRYPTO_E_KEY_TYPE;
        }
}

int public_key_new_spki(PublicKey **ret, Blob der)
{
        _cleanup_(X509_PUBKEY_freep) X509_PUBKEY *spki = NULL;
        const unsigned char *p = der.data;
        int r;

        assert(ret);
        assert(der.data || der.size == 0);

        if (der.size == 0 || der.size > LIMIT_SPKI_SIZE)
                return CRYPTO_E_KEY_SYNTAX;
        ERR_clear_error();
        spki = d2i_X509_PUBKEY(NULL, &p, (long)der.size);
        r = spki && p == der.data + der.size ? decode_spki(ret, spki) : CRYPTO_E_KEY_SYNTAX;
        ERR_clear_error();
        return r;
}

static bool is_space(uint8_t c)
{
        return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static Blob trim(Blob b)
{
        while (b.size > 0 && is_space(b.data[0]))
                b = BLOB(b.data + 1, b.size - 1);
        while (b.size > 0 && is_space(b.data[b.size - 1]))
                b.size--;
        return b;
}

int public_key_new_pem(PublicKey **ret, Blob pem)
{
        static const size_t begin = sizeof(PEM_BEGIN) - 1, end = sizeof(PEM_END) - 1;
        _cleanup_(buffer_deinit) Buffer der = BUFFER_NULL;
        char text[BASE64_SIZE(LIMIT_SPKI_SIZE)];
        size_t n = 0;
        int r;

        assert(ret);
        assert(pem.data || pem.size == 0);

        pem = trim(pem);
        if (pem.size < begin + end || memcmp(pem.data, PEM_BEGIN, begin) != 0 ||
            memcmp(pem.data + pem.size - end, PEM_END, end) != 0)
                return CRYPTO_E_KEY_SYNTAX;

        /* A second block or a header fails below: neither '-' nor ':' is base64. */
        for (size_t i = begin; i < pem.size - end; i++) {
                if (is_space(pem.data[i]))
                        continue;
                if (n == sizeof(text))
                        return CRYPTO_E_KEY_SYNTAX;
                text[n++] = (char)pem.data[i];
        }
        r = base64_decode(&der, BASE64_STANDARD, text, n);
        if (r > 0)
                return CRYPTO_E_KEY_SYNTAX;
        if (r < 0)
                return error_fold(r);
        return public_key_new_spki(ret, buffer_blob(&der));
}

/* ---- reading ---- */

KeyType public_key_type(const PublicKey *key)
{
        assert(key);

        return key->type;
}

unsigned public_key_bits(const PublicKey *key)
{
        assert(key);

        return key->bits;
}

Blob public_key_spki(const PublicKey *key)
{
        assert(key);

        return BLOB(key->spki, key->spki_size);
}

const uint8_t *public_key_id(const PublicKey *key)
{
        assert(key);

        return key->id;
}

Blob public_key_raw(const PublicKey *key)
{
        assert(key);

        return key->raw_size > 0 ? BLOB(key->raw, key->raw_size) : BLOB_NULL;
}
