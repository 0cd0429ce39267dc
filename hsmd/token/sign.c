/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "base/limits.h"
#include "token/sign.h"

/* RFC 8017 9.2, note 1: SHA-256. */
static const uint8_t digest_info_sha256[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                             0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};

/* A digest of the wrong size or hash is never sent to the token: what it would sign is somebody else's
 * statement. */
static bool message_fits(KeyType type, TokenMechanism mechanism, Blob m)
{
        switch (mechanism) {
        case MECHANISM_ECDSA:
                return (type == KEY_ECDSA_P256 && m.size == SHA256_SIZE) ||
                       (type == KEY_ECDSA_P384 && m.size == SHA384_SIZE);
        case MECHANISM_RSA_PKCS1:
                return type == KEY_RSA && m.size == sizeof(digest_info_sha256) + SHA256_SIZE &&
                       memcmp(m.data, digest_info_sha256, sizeof(digest_info_sha256)) == 0;
        case MECHANISM_RSA_PSS_SHA256:
                return type == KEY_RSA && m.size == SHA256_SIZE;
        case MECHANISM_EDDSA:
                return type == KEY_ED25519 && m.size <= LIMIT_CONTENT_SIZE;
        case _MECHANISM_MAX:
                break;
        }
        return false;
}

TokenStatus sign_message(const P11Session *s, const Key *key, TokenMechanism mechanism, Blob message,
                         uint8_t *out, size_t *ret_size, CK_RV *ret_ckr)
{
        static const CK_MECHANISM_TYPE types[] = {
                [MECHANISM_ECDSA] = CKM_ECDSA,
                [MECHANISM_RSA_PKCS1] = CKM_RSA_PKCS,
                [MECHANISM_RSA_PSS_SHA256] = CKM_RSA_PKCS_PSS,
                [MECHANISM_EDDSA] = CKM_EDDSA,
        };
        CK_RSA_PKCS_PSS_PARAMS pss = {.hashAlg = CKM_SHA256, .mgf = CKG_MGF1_SHA256, .sLen = SHA256_SIZE};
        CK_MECHANISM m = {0};
        CK_ULONG size = LIMIT_SIGNATURE_SIZE;
        static uint8_t empty[1];
        uint8_t *data;

        static_assert(ARRAY_SIZE(types) == _MECHANISM_MAX, "each mechanism has its CKM");
        assert(s);
        assert(key);
        assert(mechanism < _MECHANISM_MAX);
        assert(out);

        *ret_size = 0;
        *ret_ckr = CKR_OK;
        if (!message_fits(key->type, mechanism, message))
                return TOKEN_REFUSED;
        m.mechanism = types[mechanism];
        if (mechanism == MECHANISM_RSA_PSS_SHA256) {
                m.pParameter = &pss;
                m.ulParameterLen = sizeof(pss);
        }
        *ret_ckr = P11_CALL(s, C_SignInit(s->handle, &m, key->object));
        if (*ret_ckr != CKR_OK)
                return TOKEN_FAILED;
        /* PKCS#11 has no const; C_Sign only reads. */
        data = message.size > 0 ? (uint8_t *)(uintptr_t)message.data : empty;
        *ret_ckr = P11_CALL(s, C_Sign(s->handle, data, message.size, out, &size));
        if (*ret_ckr == CKR_OK && size > LIMIT_SIGNATURE_SIZE)
                *ret_ckr = CKR_GENERAL_ERROR; /* it says that it wrote past the end: it may have */
        if (*ret_ckr != CKR_OK)
                return TOKEN_FAILED;
        *ret_size = size;
        return TOKEN_OK;
}
