/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/policy.h"

#define TYPE_BIT(_type) (1U << (_type))

static const struct {
        const char *name;
        unsigned types; /* that can make it */
} formats[_FORMAT_MAX] = {
        [FORMAT_RAW_ECDSA] = {"raw-ecdsa", TYPE_BIT(KEY_ECDSA_P256) | TYPE_BIT(KEY_ECDSA_P384)},
        [FORMAT_RAW_RSA_PKCS1_SHA256] = {"raw-rsa-pkcs1-sha256", TYPE_BIT(KEY_RSA)},
        [FORMAT_RAW_RSA_PSS_SHA256] = {"raw-rsa-pss-sha256", TYPE_BIT(KEY_RSA)},
        [FORMAT_RAW_ED25519] = {"raw-ed25519", TYPE_BIT(KEY_ED25519)},
};

static_assert(_FORMAT_MAX <= 32, "PolicyKey.formats has 32 bits");

const char *signature_format_to_string(SignatureFormat f)
{
        assert(f >= 0 && f < _FORMAT_MAX);
        return formats[f].name;
}

SignatureFormat signature_format_from_string(const char *text, size_t size)
{
        assert(text || size == 0);

        for (int i = 0; i < _FORMAT_MAX; i++)
                if (blob_equal_string(BLOB(text, size), formats[i].name))
                        return (SignatureFormat)i;
        return _FORMAT_INVALID;
}

bool signature_format_fits(SignatureFormat f, KeyType type)
{
        assert(f >= 0 && f < _FORMAT_MAX);
        assert(type < _KEY_TYPE_MAX);
        return formats[f].types & TYPE_BIT(type);
}
