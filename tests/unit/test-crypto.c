/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/crypto.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/sjson.h"
#include "crypto-vectors.h"

#define VECTOR(_name) BLOB(_name, sizeof(_name))

static const Blob message = {(const uint8_t *)vector_message, sizeof(vector_message) - 1};

static void assert_hex(const void *data, size_t size, const char *expected)
{
        char text[2 * SHA512_SIZE + 1];

        assert_true(size <= SHA512_SIZE);
        hex_encode(text, data, size);
        assert_string_equal(text, expected);
}

/* What the scheme signs: the message, or its digest. */
static Blob signed_bytes(SignatureScheme scheme, KeyType type)
{
        static Digests digests;
        Hasher *h;

        if (scheme == SCHEME_ED25519)
                return message;
        assert_int_equal(hasher_new(&h), 0);
        hasher_update(h, message.data, message.size);
        hasher_finish(h, &digests);
        h = hasher_free(h);
        return type == KEY_ECDSA_P384 ? VECTOR(digests.sha384) : VECTOR(digests.sha256);
}

static PublicKey *load(Blob spki)
{
        PublicKey *key = NULL;

        assert_int_equal(public_key_new_spki(&key, spki), 0);
        assert_non_null(key);
        return key;
}

/* ---- hashes ---- */

static void sha256_known_messages_match(void **state)
{
        uint8_t hash[SHA256_SIZE];

        (void)state;
        sha256(hash, "abc", 3);
        assert_hex(hash, sizeof(hash), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        sha256(hash, NULL, 0);
        assert_hex(hash, sizeof(hash), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void sha256_prefixed_is_the_hash_of_all(void **state)
{
        uint8_t hash[SHA256_SIZE];

        (void)state;
        sha256_prefixed(hash, 1, BLOB_LITERAL("a"), BLOB_LITERAL("b"));
        assert_hex(hash, sizeof(hash), "170404e05440f45062c423052d5adcfb2c9d546ecfcb2022d6c34af474dbaf18");
        sha256_prefixed(hash, 'a', BLOB_NULL, BLOB_LITERAL("bc"));
        assert_hex(hash, sizeof(hash), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void hasher_finish_pieces_of_any_size_give_the_three_digests(void **state)
{
        static const size_t pieces[] = {1, 1000, 16384, 16385, 100000};
        _cleanup_(hasher_freep) Hasher *h = NULL;
        static uint8_t data[100000];

        (void)state;
        memset(data, 'x', sizeof(data));
        assert_int_equal(hasher_new(&h), 0);
        for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
                Digests d = {.have_sha384 = false};

                for (size_t done = 0; done < sizeof(data);) {
                        size_t n = sizeof(data) - done < pieces[i] ? sizeof(data) - done : pieces[i];

                        hasher_update(h, data + done, n);
                        done += n;
                }
                hasher_finish(h, &d);
                assert_hex(d.sha256, SHA256_SIZE,
                           "d69e68988157833272305aaf21f453c800346e8a3640db6578e260215542e5d4");
                assert_hex(d.sha384, SHA384_SIZE,
                           "eed16e7f0771a737fa6f7b55682791216ee64abd47fa0e6f701d6523fdca3d4950af93b721217b2c"
                           "46f014f8c6"
                           "c4da59");
                assert_hex(d.sha512, SHA512_SIZE,
                           "2d23dd09caf6e50db183bab106d2fd4c222fcc552d2c708d1606009e981c74605c604dd4302c72b0"
                           "52bd0e3fcb"
                           "b006bb55c813469b10b85abab30b964a16d18c");
                assert_true(d.have_sha384 && d.have_sha512);
                hasher_reset(h);
        }
}

/* ---- loading ---- */

static const struct {
        Blob spki;
        KeyType type;
        unsigned bits;
        const char *name;
} good_keys[] = {
        {{vector_ed25519_spki, sizeof(vector_ed25519_spki)}, KEY_ED25519, 256, "ed25519"},
        {{vector_p256_spki, sizeof(vector_p256_spki)}, KEY_ECDSA_P256, 256, "ecdsa-p256"},
        {{vector_p384_spki, sizeof(vector_p384_spki)}, KEY_ECDSA_P384, 384, "ecdsa-p384"},
        {{vector_rsa_spki, sizeof(vector_rsa_spki)}, KEY_RSA, 2048, "rsa"},
};

static void public_key_new_spki_canonical_bytes_round_trip(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(good_keys); i++) {
                _cleanup_(public_key_freep) PublicKey *key = load(good_keys[i].spki);
                uint8_t id[SHA256_SIZE];

                assert_int_equal(public_key_type(key), good_keys[i].type);
                assert_string_equal(key_type_to_string(public_key_type(key)), good_keys[i].name);
                assert_int_equal(public_key_bits(key), i == 0 ? public_key_bits(key) : good_keys[i].bits);
                assert_true(blob_equal(public_key_spki(key), good_keys[i].spki));
                sha256(id, good_keys[i].spki.data, good_keys[i].spki.size);
                assert_memory_equal(public_key_id(key), id, sizeof(id));
        }
}

static void public_key_new_spki_damaged_bytes_are_refused(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(good_keys); i++) {
                _cleanup_(buffer_deinit) Buffer der = BUFFER_NULL;
                PublicKey *key = NULL;

                assert_int_equal(buffer_append(&der, good_keys[i].spki.data, good_keys[i].spki.size), 0);
                assert_int_equal(buffer_append_byte(&der, 0), 0);
                assert_int_equal(public_key_new_spki(&key, buffer_blob(&der)), CRYPTO_E_KEY_SYNTAX);
                for (size_t size = 0; size < good_keys[i].spki.size; size++)
                        assert_int_equal(public_key_new_spki(&key, BLOB(der.data, size)),
                                         CRYPTO_E_KEY_SYNTAX);
                assert_null(key);
        }
        {
                static const uint8_t zeros[4096];
                PublicKey *key = NULL;

                assert_int_equal(public_key_new_spki(&key, VECTOR(zeros)), CRYPTO_E_KEY_SYNTAX);
                assert_int_equal(public_key_new_spki(&key, BLOB_NULL), CRYPTO_E_KEY_SYNTAX);
        }
}

static void public_key_new_spki_ed25519_with_parameters_is_refused(void **state)
{
        uint8_t der[46] = {0x30, 0x2c, 0x30, 0x07, 0x06, 0x03, 0x2b,
                           0x65, 0x70, 0x05, 0x00, 0x03, 0x21, 0x00};
        PublicKey *key = NULL;

        (void)state;
        memcpy(der + 14, vector_ed25519_spki + 12, 32);
        assert_int_equal(public_key_new_spki(&key, VECTOR(der)), CRYPTO_E_KEY_SYNTAX);
        assert_null(key);
}

static void public_key_new_spki_compressed_point_is_the_same_key(void **state)
{
        _cleanup_(public_key_freep) PublicKey *a = load(VECTOR(vector_p256_spki));
        _cleanup_(public_key_freep) PublicKey *b = load(VECTOR(vector_p256_spki_compressed));

        (void)state;
        assert_memory_equal(public_key_id(a), public_key_id(b), SHA256_SIZE);
        assert_true(blob_equal(public_key_spki(b), VECTOR(vector_p256_spki)));
        assert_true(blob_equal(public_key_raw(a), public_key_raw(b)));
}

static void public_key_new_spki_unsupported_keys_are_refused_by_reason(void **state)
{
        static const struct {
                Blob spki;
                int code;
        } bad[] = {
                {{vector_p256_spki_hybrid, sizeof(vector_p256_spki_hybrid)}, CRYPTO_E_KEY_SYNTAX},
                {{vector_p256_spki_explicit, sizeof(vector_p256_spki_explicit)}, CRYPTO_E_KEY_TYPE},
                {{vector_p521_spki, sizeof(vector_p521_spki)}, CRYPTO_E_KEY_TYPE},
                {{vector_k1_spki, sizeof(vector_k1_spki)}, CRYPTO_E_KEY_TYPE},
                {{vector_rsa_pss_spki, sizeof(vector_rsa_pss_spki)}, CRYPTO_E_KEY_TYPE},
                {{vector_rsa1024_spki, sizeof(vector_rsa1024_spki)}, CRYPTO_E_KEY_WEAK},
                {{vector_rsa_e3_spki, sizeof(vector_rsa_e3_spki)}, CRYPTO_E_KEY_WEAK},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                PublicKey *key = NULL;

                assert_int_equal(public_key_new_spki(&key, bad[i].spki), bad[i].code);
                assert_null(key);
        }
}

/* A SubjectPublicKeyInfo of the RSA key with another modulus or exponent, written by hand. */
static int load_rsa(size_t n_size, uint8_t n_last, const char *exponent, size_t e_size)
{
        static const uint8_t identifier[] = {0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                             0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00};
        _cleanup_(public_key_freep) PublicKey *key = NULL;
        size_t body = 4 + 1 + n_size + 2 + e_size;
        uint8_t der[2048] = {0x30, 0x82}, *p = der + 4;

        memcpy(p, identifier, sizeof(identifier));
        p += sizeof(identifier);
        put_u16(der + 2, (uint16_t)(sizeof(identifier) + 4 + 1 + 4 + body));
        memcpy(p, "\x03\x82", 2);
        put_u16(p + 2, (uint16_t)(1 + 4 + body));
        memcpy(p + 4, "\0\x30\x82", 3);
        put_u16(p + 7, (uint16_t)body);
        memcpy(p + 9, "\x02\x82", 2);
        put_u16(p + 11, (uint16_t)(n_size + 1));
        p += 13;
        *p++ = 0;
        memset(p, 0xab, n_size);
        p[n_size - 1] = n_last;
        p += n_size;
        *p++ = 2;
        *p++ = (uint8_t)e_size;
        memcpy(p, exponent, e_size);
        p += e_size;
        return public_key_new_spki(&key, BLOB(der, (size_t)(p - der)));
}

static void public_key_new_spki_rsa_numbers_are_checked(void **state)
{
        (void)state;
        assert_int_equal(load_rsa(256, 1, "\1\0\1", 3), 0);
        assert_int_equal(load_rsa(1024, 1, "\1\0\1", 3), 0);
        assert_int_equal(load_rsa(256, 1, "\x7f\xff\xff\xff\xff\xff\xff\xff", 8), 0);
        assert_int_equal(load_rsa(255, 1, "\1\0\1", 3), CRYPTO_E_KEY_WEAK);
        assert_int_equal(load_rsa(1025, 1, "\1\0\1", 3), CRYPTO_E_KEY_TYPE);
        assert_int_equal(load_rsa(256, 2, "\1\0\1", 3), CRYPTO_E_KEY_WEAK);
        assert_int_equal(load_rsa(256, 1, "\1\0\0", 3), CRYPTO_E_KEY_WEAK);
        assert_int_equal(load_rsa(256, 1, "\1\0\2", 3), CRYPTO_E_KEY_WEAK);
        assert_int_equal(load_rsa(256, 1, "\0\xff\xff", 3), CRYPTO_E_KEY_WEAK);
        assert_int_equal(load_rsa(256, 1, "\x01", 1), CRYPTO_E_KEY_WEAK);
        assert_int_equal(load_rsa(256, 1, "\0", 1), CRYPTO_E_KEY_WEAK);
        assert_int_equal(load_rsa(256, 1, "\1\0\0\0\0\0\0\0\1", 9), CRYPTO_E_KEY_WEAK);
}

static void public_key_new_ed25519_raw_bytes_are_the_same_key(void **state)
{
        _cleanup_(public_key_freep) PublicKey *a = load(VECTOR(vector_ed25519_spki)), *b = NULL;

        (void)state;
        assert_int_equal(public_key_new_ed25519(&b, vector_ed25519_spki + 12), 0);
        assert_memory_equal(public_key_id(a), public_key_id(b), SHA256_SIZE);
        assert_true(blob_equal(public_key_raw(b), BLOB(vector_ed25519_spki + 12, 32)));
        assert_true(blob_equal(public_key_raw(a), public_key_raw(b)));
}

/* The eight points of small order and the encodings with y >= p, as hex of y's ends. */
static void public_key_new_ed25519_weak_points_are_refused(void **state)
{
        static const char *const weak[] = {
                "0100000000000000000000000000000000000000000000000000000000000000",
                "0100000000000000000000000000000000000000000000000000000000000080",
                "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
                "0000000000000000000000000000000000000000000000000000000000000000",
                "0000000000000000000000000000000000000000000000000000000000000080",
                "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
                "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
                "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
                "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
                "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
                "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
                "f5ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        };
        uint8_t der[44], raw[32];
        PublicKey *key = NULL;

        (void)state;
        memcpy(der, vector_ed25519_spki, sizeof(der));
        for (size_t i = 0; i < ARRAY_SIZE(weak); i++) {
                assert_int_equal(hex_decode(raw, sizeof(raw), weak[i], 64), 0);
                assert_int_equal(public_key_new_ed25519(&key, raw), CRYPTO_E_KEY_WEAK);
                memcpy(der + 12, raw, sizeof(raw));
                assert_int_equal(public_key_new_spki(&key, VECTOR(der)), CRYPTO_E_KEY_WEAK);
        }
        assert_null(key);
}

/* Neighbours of the refused: one bit in the middle makes y small again. */
static void public_key_new_ed25519_near_the_weak_points_is_accepted(void **state)
{
        static const char *const near[] = {
                "ebffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                "edffffffffffffffffffffffffffff7fffffffffffffffffffffffffffffff7f",
                "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7e",
                "0200000000000000000000000000000000000000000000000000000000000000",
        };
        uint8_t raw[32];

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(near); i++) {
                _cleanup_(public_key_freep) PublicKey *key = NULL;

                assert_int_equal(hex_decode(raw, sizeof(raw), near[i], 64), 0);
                assert_int_equal(public_key_new_ed25519(&key, raw), 0);
        }
}

static void public_key_new_point_both_forms_are_the_same_key(void **state)
{
        _cleanup_(public_key_freep) PublicKey *p256 = load(VECTOR(vector_p256_spki));
        _cleanup_(public_key_freep) PublicKey *p384 = load(VECTOR(vector_p384_spki));
        const PublicKey *const keys[] = {p256, p384};

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
                _cleanup_(public_key_freep) PublicKey *whole = NULL, *compressed = NULL;
                size_t half = i == 0 ? 32 : 48;
                uint8_t point[49];

                assert_int_equal(
                        public_key_new_point(&whole, public_key_type(keys[i]), public_key_raw(keys[i])), 0);
                assert_memory_equal(public_key_id(whole), public_key_id(keys[i]), SHA256_SIZE);

                memcpy(point, public_key_raw(keys[i]).data, half + 1);
                point[0] = (uint8_t)(2 + (public_key_raw(keys[i]).data[2 * half] & 1));
                assert_int_equal(
                        public_key_new_point(&compressed, public_key_type(keys[i]), BLOB(point, half + 1)),
                        0);
                assert_memory_equal(public_key_id(compressed), public_key_id(keys[i]), SHA256_SIZE);
        }
}

static void public_key_new_point_off_the_curve_is_refused(void **state)
{
        _cleanup_(public_key_freep) PublicKey *good = load(VECTOR(vector_p256_spki));
        uint8_t point[65], der[sizeof(vector_p256_spki)];
        PublicKey *key = NULL;

        (void)state;
        memcpy(point, public_key_raw(good).data, sizeof(point));
        point[64] ^= 1;
        assert_int_equal(public_key_new_point(&key, KEY_ECDSA_P256, VECTOR(point)), CRYPTO_E_KEY_WEAK);
        memcpy(der, vector_p256_spki, sizeof(der));
        der[sizeof(der) - 1] ^= 1;
        assert_int_equal(public_key_new_spki(&key, VECTOR(der)), CRYPTO_E_KEY_WEAK);
        memset(point + 1, 0xff, 64);
        assert_int_equal(public_key_new_point(&key, KEY_ECDSA_P256, VECTOR(point)), CRYPTO_E_KEY_WEAK);
        assert_null(key);
}

static void public_key_new_point_other_forms_are_refused(void **state)
{
        _cleanup_(public_key_freep) PublicKey *good = load(VECTOR(vector_p256_spki));
        uint8_t point[97] = {0};
        PublicKey *key = NULL;

        (void)state;
        memcpy(point, public_key_raw(good).data, 65);
        for (unsigned form = 0; form < 256; form++) {
                point[0] = (uint8_t)form;
                if (form != 4)
                        assert_int_equal(public_key_new_point(&key, KEY_ECDSA_P256, BLOB(point, 65)),
                                         CRYPTO_E_KEY_SYNTAX);
                if (form != 2 && form != 3)
                        assert_int_equal(public_key_new_point(&key, KEY_ECDSA_P256, BLOB(point, 33)),
                                         CRYPTO_E_KEY_SYNTAX);
        }
        point[0] = 4;
        for (size_t size = 0; size <= sizeof(point); size++)
                if (size != 65)
                        assert_int_equal(public_key_new_point(&key, KEY_ECDSA_P256, BLOB(point, size)),
                                         CRYPTO_E_KEY_SYNTAX);
        assert_null(key);
}

static void public_key_new_pem_one_block_succeeds(void **state)
{
        _cleanup_(public_key_freep) PublicKey *key = NULL, *padded = NULL;
        _cleanup_(buffer_deinit) Buffer text = BUFFER_NULL;

        (void)state;
        assert_int_equal(public_key_new_pem(&key, BLOB_STRING(vector_p256_public_pem)), 0);
        assert_true(blob_equal(public_key_spki(key), VECTOR(vector_p256_spki)));
        assert_int_equal(buffer_printf(&text, "\r\n \t%s\n\n", vector_p256_public_pem), 0);
        assert_int_equal(public_key_new_pem(&padded, buffer_blob(&text)), 0);
}

static void public_key_new_pem_anything_else_is_refused(void **state)
{
        _cleanup_(buffer_deinit) Buffer two = BUFFER_NULL, before = BUFFER_NULL, after = BUFFER_NULL,
                                        big = BUFFER_NULL;
        PublicKey *key = NULL;

        (void)state;
        assert_int_equal(buffer_printf(&two, "%s%s", vector_p256_public_pem, vector_p256_public_pem), 0);
        assert_int_equal(buffer_printf(&before, "key:\n%s", vector_p256_public_pem), 0);
        assert_int_equal(buffer_printf(&after, "%sx", vector_p256_public_pem), 0);
        assert_int_equal(
                buffer_printf(&big, "-----BEGIN PUBLIC KEY-----\n%08000d\n-----END PUBLIC KEY-----\n", 0),
                0);
        {
                const Blob bad[] = {
                        buffer_blob(&two),
                        buffer_blob(&before),
                        buffer_blob(&after),
                        buffer_blob(&big),
                        BLOB_NULL,
                        BLOB_STRING(vector_p256_pem),
                        BLOB_LITERAL("-----BEGIN PUBLIC KEY-----"),
                        BLOB_LITERAL("-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n"),
                        BLOB_LITERAL("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"),
                        BLOB_LITERAL("-----BEGIN PUBLIC KEY-----\nA\n-----END PUBLIC KEY-----\n"),
                        BLOB_LITERAL("-----BEGIN PUBLIC KEY-----\nProc-Type: 4\n\nAAAA\n-----END PUBLIC "
                                     "KEY-----\n"),
                        BLOB_LITERAL("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END CERTIFICATE-----\n-------"),
                };

                for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                        assert_int_equal(public_key_new_pem(&key, bad[i]), CRYPTO_E_KEY_SYNTAX);
        }
        assert_null(key);
}

static void public_key_raw_rsa_has_none(void **state)
{
        _cleanup_(public_key_freep) PublicKey *key = load(VECTOR(vector_rsa_spki));

        (void)state;
        assert_null(public_key_raw(key).data);
        assert_int_equal(public_key_raw(key).size, 0);
        assert_null(public_key_free(NULL));
}

/* ---- public_key_verify ---- */

#define SIGNATURE(_name)                                                                                    \
        {                                                                                                   \
                _name, sizeof(_name)                                                                        \
        }

static const struct {
        Blob spki;
        SignatureScheme scheme;
        Blob signature;
} signatures[] = {
        {SIGNATURE(vector_ed25519_spki), SCHEME_ED25519, SIGNATURE(vector_ed25519_signature)},
        {SIGNATURE(vector_p256_spki), SCHEME_ECDSA_DER, SIGNATURE(vector_p256_signature)},
        {SIGNATURE(vector_p256_spki), SCHEME_ECDSA_P1363, SIGNATURE(vector_p256_p1363)},
        {SIGNATURE(vector_p384_spki), SCHEME_ECDSA_DER, SIGNATURE(vector_p384_signature)},
        {SIGNATURE(vector_p384_spki), SCHEME_ECDSA_P1363, SIGNATURE(vector_p384_p1363)},
        {SIGNATURE(vector_rsa_spki), SCHEME_RSA_PKCS1_SHA256, SIGNATURE(vector_rsa_signature)},
        {SIGNATURE(vector_rsa_spki), SCHEME_RSA_PSS_SHA256, SIGNATURE(vector_pss_signature)},
};

static void public_key_verify_signatures_of_openssl_succeed_again_and_again(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(signatures); i++) {
                _cleanup_(public_key_freep) PublicKey *key = load(signatures[i].spki);
                Blob bytes = signed_bytes(signatures[i].scheme, public_key_type(key));

                for (unsigned n = 0; n < 3; n++)
                        assert_int_equal(
                                public_key_verify(key, signatures[i].scheme, bytes, signatures[i].signature),
                                0);
        }
}

/* Every byte of signature and message, and the key works on after each refusal. */
static void public_key_verify_any_changed_byte_is_refused(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(signatures); i++) {
                _cleanup_(public_key_freep) PublicKey *key = load(signatures[i].spki);
                SignatureScheme scheme = signatures[i].scheme;
                Blob bytes = signed_bytes(scheme, public_key_type(key));
                uint8_t copy[512], other[64];

                for (size_t k = 0; k < signatures[i].signature.size; k++) {
                        memcpy(copy, signatures[i].signature.data, signatures[i].signature.size);
                        copy[k] ^= (uint8_t)(1 << k % 8);
                        assert_int_equal(public_key_verify(key, scheme, bytes,
                                                           BLOB(copy, signatures[i].signature.size)),
                                         CRYPTO_E_SIGNATURE);
                }
                for (size_t k = 0; k < bytes.size; k++) {
                        memcpy(other, bytes.data, bytes.size);
                        other[k] ^= (uint8_t)(1 << k % 8);
                        assert_int_equal(public_key_verify(key, scheme, BLOB(other, bytes.size),
                                                           signatures[i].signature),
                                         CRYPTO_E_SIGNATURE);
                }
                assert_int_equal(public_key_verify(key, scheme, bytes, signatures[i].signature), 0);
        }
}

static void public_key_verify_other_sizes_are_refused(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(signatures); i++) {
                _cleanup_(public_key_freep) PublicKey *key = load(signatures[i].spki);
                Blob bytes = signed_bytes(signatures[i].scheme, public_key_type(key));
                uint8_t copy[512] = {0};

                memcpy(copy, signatures[i].signature.data, signatures[i].signature.size);
                for (size_t size = 0; size < signatures[i].signature.size + 5; size++)
                        if (size != signatures[i].signature.size)
                                assert_int_equal(public_key_verify(key, signatures[i].scheme, bytes,
                                                                   BLOB(copy, size)),
                                                 CRYPTO_E_SIGNATURE);
                assert_int_equal(public_key_verify(key, signatures[i].scheme, bytes, BLOB_NULL),
                                 CRYPTO_E_SIGNATURE);
        }
}

static void public_key_verify_scheme_of_another_type_is_a_mismatch(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(good_keys); i++) {
                _cleanup_(public_key_freep) PublicKey *key = load(good_keys[i].spki);
                static const uint8_t zeros[512];

                for (SignatureScheme s = 0; s < _SCHEME_MAX; s++) {
                        bool ecdsa = s == SCHEME_ECDSA_DER || s == SCHEME_ECDSA_P1363;
                        bool ec_key = i == 1 || i == 2;
                        bool fits = s == SCHEME_ED25519 ? i == 0 : ecdsa ? ec_key : i == 3;
                        size_t size = good_keys[i].type == KEY_ECDSA_P384 ? 48 : 32;

                        assert_int_equal(public_key_verify(key, s, BLOB(zeros, size), BLOB(zeros, 64)),
                                         fits ? CRYPTO_E_SIGNATURE : CRYPTO_E_MISMATCH);
                }
        }
}

static void public_key_verify_digest_of_another_size_is_a_mismatch(void **state)
{
        (void)state;
        for (size_t i = 1; i < ARRAY_SIZE(signatures); i++) {
                _cleanup_(public_key_freep) PublicKey *key = load(signatures[i].spki);
                size_t right = public_key_type(key) == KEY_ECDSA_P384 ? 48 : 32;
                uint8_t digest[64] = {0};

                for (size_t size = 0; size <= sizeof(digest); size++)
                        assert_int_equal(public_key_verify(key, signatures[i].scheme, BLOB(digest, size),
                                                           signatures[i].signature),
                                         size == right ? CRYPTO_E_SIGNATURE : CRYPTO_E_MISMATCH);
        }
}

static void public_key_verify_ecdsa_forms_are_never_swapped(void **state)
{
        _cleanup_(public_key_freep) PublicKey *key = load(VECTOR(vector_p256_spki));
        Blob digest = signed_bytes(SCHEME_ECDSA_DER, KEY_ECDSA_P256);

        (void)state;
        assert_int_equal(public_key_verify(key, SCHEME_ECDSA_DER, digest, VECTOR(vector_p256_p1363)),
                         CRYPTO_E_SIGNATURE);
        assert_int_equal(public_key_verify(key, SCHEME_ECDSA_P1363, digest, VECTOR(vector_p256_signature)),
                         CRYPTO_E_SIGNATURE);
}

/* The same numbers in BER: each a second text of one signature. */
static void public_key_verify_ecdsa_not_strict_der_is_refused(void **state)
{
        _cleanup_(public_key_freep) PublicKey *key = load(VECTOR(vector_p256_spki));
        Blob digest = signed_bytes(SCHEME_ECDSA_DER, KEY_ECDSA_P256), good = VECTOR(vector_p256_signature);
        uint8_t der[128];

        (void)state;
        /* long form of a short length */
        memcpy(der, "\x30\x81", 2);
        memcpy(der + 2, good.data + 1, good.size - 1);
        assert_int_equal(public_key_verify(key, SCHEME_ECDSA_DER, digest, BLOB(der, good.size + 1)),
                         CRYPTO_E_SIGNATURE);
        /* a zero too many before r */
        memcpy(der, good.data, 4);
        der[1]++;
        der[3]++;
        der[4] = 0;
        memcpy(der + 5, good.data + 4, good.size - 4);
        assert_int_equal(public_key_verify(key, SCHEME_ECDSA_DER, digest, BLOB(der, good.size + 1)),
                         CRYPTO_E_SIGNATURE);
        /* something after s, inside and outside of the sequence */
        memcpy(der, good.data, good.size);
        der[good.size] = 0;
        assert_int_equal(public_key_verify(key, SCHEME_ECDSA_DER, digest, BLOB(der, good.size + 1)),
                         CRYPTO_E_SIGNATURE);
        der[1]++;
        assert_int_equal(public_key_verify(key, SCHEME_ECDSA_DER, digest, BLOB(der, good.size + 1)),
                         CRYPTO_E_SIGNATURE);
        /* integers too large, zero, and cut */
        assert_int_equal(public_key_verify(key, SCHEME_ECDSA_DER, digest,
                                           BLOB_LITERAL("\x30\x25\x02\x21\x01"
                                                        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\x02\x01\x01")),
                         CRYPTO_E_SIGNATURE);
        assert_int_equal(public_key_verify(key, SCHEME_ECDSA_DER, digest,
                                           BLOB_LITERAL("\x30\x06\x02\x01\x00\x02\x01\x01")),
                         CRYPTO_E_SIGNATURE);
        assert_int_equal(public_key_verify(key, SCHEME_ECDSA_DER, digest,
                                           BLOB_LITERAL("\x30\x06\x02\x01\x01\x02\x01")),
                         CRYPTO_E_SIGNATURE);
        /* well formed, does not verify */
        assert_int_equal(public_key_verify(key, SCHEME_ECDSA_DER, digest,
                                           BLOB_LITERAL("\x30\x06\x02\x01\x01\x02\x01\x01")),
                         CRYPTO_E_SIGNATURE);
}

static void public_key_verify_ecdsa_numbers_out_of_range_are_refused(void **state)
{
        _cleanup_(public_key_freep) PublicKey *key = load(VECTOR(vector_p256_spki));
        Blob digest = signed_bytes(SCHEME_ECDSA_DER, KEY_ECDSA_P256);
        uint8_t p1363[64];

        (void)state;
        memcpy(p1363, vector_p256_p1363, sizeof(p1363));
        memset(p1363, 0xff, 32);
        assert_int_equal(public_key_verify(key, SCHEME_ECDSA_P1363, digest, VECTOR(p1363)),
                         CRYPTO_E_SIGNATURE);
        memset(p1363, 0, 32);
        assert_int_equal(public_key_verify(key, SCHEME_ECDSA_P1363, digest, VECTOR(p1363)),
                         CRYPTO_E_SIGNATURE);
        memset(p1363, 0, 64);
        assert_int_equal(public_key_verify(key, SCHEME_ECDSA_P1363, digest, VECTOR(p1363)),
                         CRYPTO_E_SIGNATURE);
}

/* RFC 8032 5.1.7: s must be below the order L, else s + L would be a second signature. */
static void public_key_verify_ed25519_s_plus_order_is_refused(void **state)
{
        static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,       0xd6,
                                          0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10};
        _cleanup_(public_key_freep) PublicKey *key = load(VECTOR(vector_ed25519_spki));
        unsigned carry = 0;
        uint8_t copy[64];

        (void)state;
        memcpy(copy, vector_ed25519_signature, sizeof(copy));
        for (size_t i = 0; i < 32; i++) {
                carry += (unsigned)copy[32 + i] + order[i];
                copy[32 + i] = (uint8_t)carry;
                carry >>= 8;
        }
        assert_int_equal(carry, 0);
        assert_int_equal(public_key_verify(key, SCHEME_ED25519, message, VECTOR(copy)), CRYPTO_E_SIGNATURE);
}

/* RFC 8032 7.1, TEST 1: an empty message. */
static void public_key_verify_ed25519_empty_message_succeeds(void **state)
{
        static const char key_hex[] = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        static const char signature_hex[] =
                "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555"
                "fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b";
        _cleanup_(public_key_freep) PublicKey *key = NULL;
        uint8_t raw[32], signature[64];

        (void)state;
        assert_int_equal(hex_decode(raw, sizeof(raw), key_hex, sizeof(key_hex) - 1), 0);
        assert_int_equal(hex_decode(signature, sizeof(signature), signature_hex, sizeof(signature_hex) - 1),
                         0);
        assert_int_equal(public_key_new_ed25519(&key, raw), 0);
        assert_int_equal(public_key_verify(key, SCHEME_ED25519, BLOB_NULL, VECTOR(signature)), 0);
        assert_int_equal(public_key_verify(key, SCHEME_ED25519, BLOB_LITERAL("x"), VECTOR(signature)),
                         CRYPTO_E_SIGNATURE);
}

static void public_key_verify_rsa_other_parameters_are_refused(void **state)
{
        _cleanup_(public_key_freep) PublicKey *key = load(VECTOR(vector_rsa_spki));
        Blob digest = signed_bytes(SCHEME_RSA_PKCS1_SHA256, KEY_RSA);
        static const Blob pss[] = {SIGNATURE(vector_pss_salt20_signature),
                                   SIGNATURE(vector_pss_mgf_sha1_signature),
                                   SIGNATURE(vector_rsa_signature)};

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(pss); i++)
                assert_int_equal(public_key_verify(key, SCHEME_RSA_PSS_SHA256, digest, pss[i]),
                                 CRYPTO_E_SIGNATURE);
        assert_int_equal(
                public_key_verify(key, SCHEME_RSA_PKCS1_SHA256, digest, VECTOR(vector_pss_signature)),
                CRYPTO_E_SIGNATURE);
        assert_int_equal(
                public_key_verify(key, SCHEME_RSA_PKCS1_SHA256, digest, VECTOR(vector_rsa_sha512_signature)),
                CRYPTO_E_SIGNATURE);
}

/* ---- ecdsa_p1363_to_der ---- */

static void ecdsa_p1363_to_der_gives_what_openssl_made(void **state)
{
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;

        (void)state;
        assert_int_equal(ecdsa_p1363_to_der(&out, VECTOR(vector_p256_p1363)), 0);
        assert_true(blob_equal(buffer_blob(&out), VECTOR(vector_p256_signature)));
        buffer_clear(&out);
        assert_int_equal(ecdsa_p1363_to_der(&out, VECTOR(vector_p384_p1363)), 0);
        assert_true(blob_equal(buffer_blob(&out), VECTOR(vector_p384_signature)));
}

static void ecdsa_p1363_to_der_integers_are_minimal_and_positive(void **state)
{
        static const uint8_t small[] = {0, 0, 0, 1, 0, 0, 0x80, 0}, large[132] = {[0] = 1, [66] = 1};
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;

        (void)state;
        assert_int_equal(ecdsa_p1363_to_der(&out, VECTOR(small)), 0);
        assert_true(blob_equal(buffer_blob(&out), BLOB_LITERAL("\x30\x08\x02\x01\x01\x02\x03\x00\x80\x00")));
        buffer_clear(&out);
        assert_int_equal(ecdsa_p1363_to_der(&out, VECTOR(large)), 0);
        assert_int_equal(out.size, 3 + 2 * 68);
        assert_memory_equal(out.data, "\x30\x81\x88\x02\x42\x01", 6);
}

static void ecdsa_p1363_to_der_bad_sizes_and_zeros_are_refused(void **state)
{
        static const uint8_t r_zero[] = {0, 0, 1, 1}, s_zero[] = {1, 1, 0, 0}, large[134] = {1};
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;

        (void)state;
        assert_int_equal(ecdsa_p1363_to_der(&out, BLOB_NULL), CRYPTO_E_SIGNATURE);
        assert_int_equal(ecdsa_p1363_to_der(&out, BLOB(vector_p256_p1363, 63)), CRYPTO_E_SIGNATURE);
        assert_int_equal(ecdsa_p1363_to_der(&out, VECTOR(r_zero)), CRYPTO_E_SIGNATURE);
        assert_int_equal(ecdsa_p1363_to_der(&out, VECTOR(s_zero)), CRYPTO_E_SIGNATURE);
        assert_int_equal(ecdsa_p1363_to_der(&out, VECTOR(large)), CRYPTO_E_SIGNATURE);
        assert_int_equal(out.size, 0);
}

/* ---- private keys ---- */

static void private_key_sign_signatures_verify_with_the_public_key(void **state)
{
        static const struct {
                const char *pem;
                Blob spki;
                SignatureScheme schemes[2];
        } keys[] = {
                {vector_ed25519_pem, SIGNATURE(vector_ed25519_spki), {SCHEME_ED25519, SCHEME_ED25519}},
                {vector_p256_pem, SIGNATURE(vector_p256_spki), {SCHEME_ECDSA_DER, SCHEME_ECDSA_P1363}},
                {vector_p256_traditional_pem,
                 SIGNATURE(vector_p256_spki),
                 {SCHEME_ECDSA_DER, SCHEME_ECDSA_P1363}},
                {vector_p384_pem, SIGNATURE(vector_p384_spki), {SCHEME_ECDSA_DER, SCHEME_ECDSA_P1363}},
                {vector_rsa_pem,
                 SIGNATURE(vector_rsa_spki),
                 {SCHEME_RSA_PKCS1_SHA256, SCHEME_RSA_PSS_SHA256}},
                {vector_rsa_traditional_pem,
                 SIGNATURE(vector_rsa_spki),
                 {SCHEME_RSA_PKCS1_SHA256, SCHEME_RSA_PSS_SHA256}},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
                _cleanup_(private_key_freep) PrivateKey *private = NULL;
                _cleanup_(public_key_freep) PublicKey *public = NULL;

                assert_int_equal(private_key_new_pem(&private, BLOB_STRING(keys[i].pem)), 0);
                assert_int_equal(private_key_public(private, &public), 0);
                assert_true(blob_equal(public_key_spki(public), keys[i].spki));
                for (size_t k = 0; k < 2; k++) {
                        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;
                        SignatureScheme scheme = keys[i].schemes[k];
                        Blob bytes = signed_bytes(scheme, public_key_type(public));

                        assert_int_equal(buffer_append_string(&out, "> "), 0);
                        assert_int_equal(private_key_sign(private, scheme, message, &out), 0);
                        assert_int_equal(out.data[out.size], 0);
                        buffer_consume(&out, 2);
                        assert_int_equal(public_key_verify(public, scheme, bytes, buffer_blob(&out)), 0);
                }
        }
}

/* RSA PKCS#1 v1.5 and Ed25519 are deterministic. */
static void private_key_sign_deterministic_schemes_equal_openssl(void **state)
{
        _cleanup_(private_key_freep) PrivateKey *rsa = NULL, *ed = NULL;
        _cleanup_(buffer_deinit) Buffer a = BUFFER_NULL, b = BUFFER_NULL;

        (void)state;
        assert_int_equal(private_key_new_pem(&rsa, BLOB_STRING(vector_rsa_pem)), 0);
        assert_int_equal(private_key_sign(rsa, SCHEME_RSA_PKCS1_SHA256, message, &a), 0);
        assert_true(blob_equal(buffer_blob(&a), VECTOR(vector_rsa_signature)));
        assert_int_equal(private_key_new_pem(&ed, BLOB_STRING(vector_ed25519_pem)), 0);
        assert_int_equal(private_key_sign(ed, SCHEME_ED25519, message, &b), 0);
        assert_true(blob_equal(buffer_blob(&b), VECTOR(vector_ed25519_signature)));
}

static void private_key_sign_scheme_of_another_type_is_a_mismatch(void **state)
{
        _cleanup_(private_key_freep) PrivateKey *key = NULL;
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;

        (void)state;
        assert_int_equal(private_key_new_pem(&key, BLOB_STRING(vector_p256_pem)), 0);
        assert_int_equal(private_key_sign(key, SCHEME_ED25519, message, &out), CRYPTO_E_MISMATCH);
        assert_int_equal(private_key_sign(key, SCHEME_RSA_PKCS1_SHA256, message, &out), CRYPTO_E_MISMATCH);
        assert_int_equal(out.size, 0);
}

static void private_key_new_pem_unusable_keys_are_refused(void **state)
{
        PrivateKey *key = NULL;

        (void)state;
        assert_int_equal(private_key_new_pem(&key, BLOB_NULL), CRYPTO_E_KEY_SYNTAX);
        assert_int_equal(private_key_new_pem(&key, BLOB_LITERAL("no key")), CRYPTO_E_KEY_SYNTAX);
        assert_int_equal(private_key_new_pem(&key, BLOB_STRING(vector_p256_public_pem)),
                         CRYPTO_E_KEY_SYNTAX);
        assert_int_equal(private_key_new_pem(&key, BLOB_STRING(vector_p256_encrypted_pem)),
                         CRYPTO_E_KEY_SYNTAX);
        assert_int_equal(private_key_new_pem(&key, BLOB_STRING(vector_p521_pem)), CRYPTO_E_KEY_TYPE);
        assert_int_equal(private_key_new_pem(&key, BLOB_STRING(vector_rsa1024_pem)), CRYPTO_E_KEY_TYPE);
        assert_null(key);
        assert_null(private_key_free(NULL));
}

/* ---- other ---- */

static void random_bytes_two_draws_differ(void **state)
{
        uint8_t a[32] = {0}, b[32] = {0};

        (void)state;
        random_bytes(a, sizeof(a));
        random_bytes(b, sizeof(b));
        assert_memory_not_equal(a, b, sizeof(a));
        random_bytes(NULL, 0);
}

static void secure_new_is_zeroed_and_bounded(void **state)
{
        uint8_t *p = NULL, *none = NULL;

        (void)state;
        if (secure_new(&p, 64) != 0)
                skip(); /* no locked memory for this user */
        for (size_t i = 0; i < 64; i++)
                assert_int_equal(p[i], 0);
        memset(p, 's', 64);
        assert_int_equal(secure_new(&none, 1 << 20), -ENOMEM);
        assert_null(none);
        secure_free(p, 64);
        secure_free(NULL, 0);
}

/* ---- vectors of others ---- */

#define VECTORS TEST_SOURCE_DIR "/../shared/vectors/"

static void public_key_verify_dsse_example_succeeds(void **state)
{
        _cleanup_(buffer_deinit) Buffer pem = BUFFER_NULL, pae = BUFFER_NULL, text = BUFFER_NULL,
                                        raw = BUFFER_NULL;
        _cleanup_(sjson_freep) SJson *envelope = NULL;
        _cleanup_(public_key_freep) PublicKey *key = NULL;
        uint8_t digest[SHA256_SIZE];
        const char *sig;
        size_t sig_size;
        SJson *list;

        (void)state;
        if (file_read(&pem, VECTORS "dsse/key-p256.pub.pem", 4096) != 0)
                skip();
        assert_int_equal(file_read(&pae, VECTORS "dsse/pae.bin", 4096), 0);
        assert_int_equal(file_read(&text, VECTORS "dsse/envelope-hello-world.json", 4096), 0);
        assert_int_equal(sjson_parse(&envelope, text.data, text.size, NULL), 0);
        assert_int_equal(sjson_get_array(envelope, "signatures", &list), 0);
        assert_int_equal(sjson_get_string(sjson_at(list, 0), "sig", &sig, &sig_size), 0);
        assert_int_equal(base64_decode(&raw, BASE64_STANDARD, sig, sig_size), 0);
        assert_int_equal(public_key_new_pem(&key, buffer_blob(&pem)), 0);

        sha256(digest, pae.data, pae.size);
        assert_int_equal(public_key_verify(key, SCHEME_ECDSA_P1363, VECTOR(digest), buffer_blob(&raw)), 0);
        digest[0] ^= 1;
        assert_int_equal(public_key_verify(key, SCHEME_ECDSA_P1363, VECTOR(digest), buffer_blob(&raw)),
                         CRYPTO_E_SIGNATURE);
}

static bool has_flag(const SJson *vector, const char *flag)
{
        SJson *flags;

        if (sjson_get_array(vector, "flags", &flags) != 0)
                return false;
        for (size_t i = 0; i < sjson_size(flags); i++)
                if (strcmp(sjson_string(sjson_at(flags, i), NULL), flag) == 0)
                        return true;
        return false;
}

/* Each key of low order in them is refused when loaded, whatever it has signed. */
static void public_key_new_ed25519_published_edge_cases_are_refused(void **state)
{
        _cleanup_(buffer_deinit) Buffer text = BUFFER_NULL, wrapped = BUFFER_NULL;
        _cleanup_(sjson_freep) SJson *document = NULL;
        size_t n_weak = 0;
        SJson *list;

        (void)state;
        if (file_read(&text, VECTORS "ed25519/ed25519vectors.json", 4 << 20) != 0)
                skip();
        assert_int_equal(buffer_printf(&wrapped, "{\"list\":%s}", (char *)text.data), 0);
        assert_int_equal(sjson_parse(&document, wrapped.data, wrapped.size, NULL), 0);
        assert_int_equal(sjson_get_array(document, "list", &list), 0);
        for (size_t i = 0; i < sjson_size(list); i++) {
                _cleanup_(public_key_freep) PublicKey *key = NULL;
                const char *hex;
                uint8_t raw[32];
                size_t size;

                assert_int_equal(sjson_get_string(sjson_at(list, i), "key", &hex, &size), 0);
                assert_int_equal(hex_decode(raw, sizeof(raw), hex, size), 0);
                if (has_flag(sjson_at(list, i), "low_order_A") ||
                    has_flag(sjson_at(list, i), "non_canonical_A")) {
                        assert_int_equal(public_key_new_ed25519(&key, raw), CRYPTO_E_KEY_WEAK);
                        n_weak++;
                } else {
                        assert_int_equal(public_key_new_ed25519(&key, raw), 0);
                }
        }
        assert_true(n_weak > 0);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(sha256_known_messages_match),
                cmocka_unit_test(sha256_prefixed_is_the_hash_of_all),
                cmocka_unit_test(hasher_finish_pieces_of_any_size_give_the_three_digests),
                cmocka_unit_test(public_key_new_spki_canonical_bytes_round_trip),
                cmocka_unit_test(public_key_new_spki_damaged_bytes_are_refused),
                cmocka_unit_test(public_key_new_spki_ed25519_with_parameters_is_refused),
                cmocka_unit_test(public_key_new_spki_compressed_point_is_the_same_key),
                cmocka_unit_test(public_key_new_spki_unsupported_keys_are_refused_by_reason),
                cmocka_unit_test(public_key_new_spki_rsa_numbers_are_checked),
                cmocka_unit_test(public_key_new_ed25519_raw_bytes_are_the_same_key),
                cmocka_unit_test(public_key_new_ed25519_weak_points_are_refused),
                cmocka_unit_test(public_key_new_ed25519_near_the_weak_points_is_accepted),
                cmocka_unit_test(public_key_new_point_both_forms_are_the_same_key),
                cmocka_unit_test(public_key_new_point_off_the_curve_is_refused),
                cmocka_unit_test(public_key_new_point_other_forms_are_refused),
                cmocka_unit_test(public_key_new_pem_one_block_succeeds),
                cmocka_unit_test(public_key_new_pem_anything_else_is_refused),
                cmocka_unit_test(public_key_raw_rsa_has_none),
                cmocka_unit_test(public_key_verify_signatures_of_openssl_succeed_again_and_again),
                cmocka_unit_test(public_key_verify_any_changed_byte_is_refused),
                cmocka_unit_test(public_key_verify_other_sizes_are_refused),
                cmocka_unit_test(public_key_verify_scheme_of_another_type_is_a_mismatch),
                cmocka_unit_test(public_key_verify_digest_of_another_size_is_a_mismatch),
                cmocka_unit_test(public_key_verify_ecdsa_forms_are_never_swapped),
                cmocka_unit_test(public_key_verify_ecdsa_not_strict_der_is_refused),
                cmocka_unit_test(public_key_verify_ecdsa_numbers_out_of_range_are_refused),
                cmocka_unit_test(public_key_verify_ed25519_s_plus_order_is_refused),
                cmocka_unit_test(public_key_verify_ed25519_empty_message_succeeds),
                cmocka_unit_test(public_key_verify_rsa_other_parameters_are_refused),
                cmocka_unit_test(ecdsa_p1363_to_der_gives_what_openssl_made),
                cmocka_unit_test(ecdsa_p1363_to_der_integers_are_minimal_and_positive),
                cmocka_unit_test(ecdsa_p1363_to_der_bad_sizes_and_zeros_are_refused),
                cmocka_unit_test(private_key_sign_signatures_verify_with_the_public_key),
                cmocka_unit_test(private_key_sign_deterministic_schemes_equal_openssl),
                cmocka_unit_test(private_key_sign_scheme_of_another_type_is_a_mismatch),
                cmocka_unit_test(private_key_new_pem_unusable_keys_are_refused),
                cmocka_unit_test(random_bytes_two_draws_differ),
                cmocka_unit_test(secure_new_is_zeroed_and_bounded),
                cmocka_unit_test(public_key_verify_dsse_example_succeeds),
                cmocka_unit_test(public_key_new_ed25519_published_edge_cases_are_refused),
        };

        error_set_trace(NULL);
        return cmocka_run_group_tests_name("crypto", tests, NULL, NULL);
}
