/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/policy-word.h"

#include "base/base64.h"
#include "base/decimal.h"
#include "base/hex.h"
#include "base/timestamp.h"
#include "policy/uri.h"

static const Word *word_at(const PolicyReader *r, size_t i)
{
        assert(i < r->line.n_words);
        return &r->line.words[i];
}

bool policy_word_is(PolicyReader *r, size_t i, const char *text)
{
        if (word_is(word_at(r, i), text))
                return true;
        policy_reader_fault(r, i, "'%s' has to stand here", text);
        return false;
}

bool policy_word_decimal(PolicyReader *r, size_t i, uint64_t min, uint64_t max, uint64_t *ret)
{
        const Word *word = word_at(r, i);
        uint64_t value;

        if (decimal_decode(&value, word->text, word->size, max) || value < min) {
                policy_reader_fault(r, i, "not a number from %llu to %llu without leading zeros",
                                    (unsigned long long)min, (unsigned long long)max);
                return false;
        }
        *ret = value;
        return true;
}

bool policy_word_time(PolicyReader *r, size_t i, uint64_t *ret_usec)
{
        const Word *word = word_at(r, i);

        if (timestamp_decode(ret_usec, word->text, word->size) == 0)
                return true;
        policy_reader_fault(r, i, "not a time like 2026-12-01T00:00:00Z (RFC 3339, UTC)");
        return false;
}

bool policy_word_class(PolicyReader *r, size_t i, OrgClass *ret)
{
        for (unsigned c = 0; c < _ORG_CLASS_MAX; c++)
                if (word_is(word_at(r, i), org_class_to_string((OrgClass)c))) {
                        *ret = (OrgClass)c;
                        return true;
                }
        policy_reader_fault(r, i, "no such class; there are internal and third-party");
        return false;
}

bool policy_word_key_type(PolicyReader *r, size_t i, KeyType *ret)
{
        for (unsigned t = 0; t < _KEY_TYPE_MAX; t++)
                if (word_is(word_at(r, i), key_type_to_string((KeyType)t))) {
                        *ret = (KeyType)t;
                        return true;
                }
        policy_reader_fault(r, i, "no such algorithm; there are ed25519, ecdsa-p256, ecdsa-p384 and rsa");
        return false;
}

bool policy_word_reference(PolicyReader *r, size_t i, PolicyKind kind, size_t *ret)
{
        const Word *word = word_at(r, i);
        size_t found = policy_kind_find(r->policy, kind, BLOB(word->text, word->size));

        if (found == SIZE_MAX) {
                policy_reader_fault(r, i, "no %s with this name is defined further up",
                                    policy_kind_to_string(kind));
                return false;
        }
        *ret = found;
        return true;
}

static bool is_among(size_t value, const size_t *values, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (values[i] == value)
                        return true;
        return false;
}

bool policy_word_references(PolicyReader *r, size_t first, size_t end, PolicyKind kind, size_t **ret,
                            size_t *ret_n)
{
        _cleanup_(freep) size_t *items = NULL;
        size_t n = 0;

        assert(first < end);

        r->error = r->error ? r->error : memory_new0(&items, end - first);
        if (r->error)
                return false;
        for (size_t i = first; i < end; i++) {
                size_t item;

                if (!policy_word_reference(r, i, kind, &item))
                        continue;
                if (is_among(item, items, n))
                        policy_reader_fault(r, i, "this %s stands in the list already",
                                            policy_kind_to_string(kind));
                else
                        items[n++] = item;
        }
        if (n < end - first)
                return false;
        *ret = TAKE_PTR(items);
        *ret_n = n;
        return true;
}

bool policy_word_copy(PolicyReader *r, size_t i, char **ret)
{
        if (!r->error)
                r->error = word_copy(ret, word_at(r, i));
        return !r->error;
}

bool policy_word_uri(PolicyReader *r, size_t i, char **ret)
{
        const Word *word = word_at(r, i);

        if (!uri_is_valid(word->text, word->size)) {
                policy_reader_fault(r, i, "not a URI (RFC 3986) of at most %d bytes", LIMIT_URI_SIZE);
                return false;
        }
        return policy_word_copy(r, i, ret);
}

/* Whoever holds one key must not fill two roles with it: key and URI belong to one statement alone. */
static bool claim(PolicyReader *r, size_t i, PolicyClaim wanted)
{
        PolicyClaim *item;

        for (size_t k = 0; k < r->n_claims; k++) {
                const PolicyClaim *other = &r->claims[k];

                if (wanted.uri ? !other->uri || strcmp(wanted.uri, other->uri) != 0
                               : other->uri || memcmp(wanted.key, other->key, SHA256_SIZE) != 0)
                        continue;
                policy_reader_fault(r, i, "this %s stands in line %u already; every role needs its own",
                                    wanted.uri ? "URI" : "key", other->line);
                return false;
        }
        item = policy_reader_add(r, &r->claims, &r->n_claims);
        if (item)
                *item = wanted;
        return item;
}

bool policy_word_private_key(PolicyReader *r, size_t i, char **ret)
{
        const Word *word = word_at(r, i);
        const char *fault = uri_private_key_fault(word->text, word->size);

        if (fault) {
                policy_reader_fault(r, i, "%s", fault);
                return false;
        }
        if (!policy_word_copy(r, i, ret))
                return false;
        /* From here on the text belongs to the policy, which outlives the claims. */
        return claim(r, i, (PolicyClaim){.uri = *ret, .line = r->line.number});
}

/* Takes what a public_key_new_...() returned. */
static bool public_key_accept(PolicyReader *r, size_t i, int result, PublicKey *made, PublicKey **ret)
{
        _cleanup_(public_key_freep) PublicKey *key = made;
        PolicyClaim wanted = {.line = r->line.number};

        switch (result) {
        case 0:
                break;
        case CRYPTO_E_KEY_SYNTAX:
                policy_reader_fault(r, i, "not the encoding of a public key");
                return false;
        case CRYPTO_E_KEY_TYPE:
                policy_reader_fault(r, i,
                                    "a public key of an algorithm, curve or size that is not supported");
                return false;
        case CRYPTO_E_KEY_WEAK:
                policy_reader_fault(r, i,
                                    "a weak key, under which strangers could sign: of small order, not "
                                    "canonical, off the curve, or too short");
                return false;
        default:
                r->error = result;
                return false;
        }
        memcpy(wanted.key, public_key_id(key), SHA256_SIZE);
        if (!claim(r, i, wanted))
                return false;
        *ret = TAKE_PTR(key);
        return true;
}

static const struct {
        const char *prefix;
        SignatureScheme scheme;
} key_forms[] = {
        {"ed25519:", SCHEME_ED25519},
        {"ecdsa-p256-der:", SCHEME_ECDSA_DER},
        {"ecdsa-p256-p1363:", SCHEME_ECDSA_P1363},
};

static bool key_form(const Word *word, Blob *ret_hex, SignatureScheme *ret_scheme)
{
        for (size_t f = 0; f < ARRAY_SIZE(key_forms); f++) {
                size_t size = strlen(key_forms[f].prefix);

                if (word->size < size || memcmp(word->text, key_forms[f].prefix, size) != 0)
                        continue;
                *ret_hex = BLOB(word->text + size, word->size - size);
                *ret_scheme = key_forms[f].scheme;
                return true;
        }
        return false;
}

bool policy_word_public_key(PolicyReader *r, size_t i, PublicKey **ret, SignatureScheme *ret_scheme)
{
        PublicKey *key = NULL;
        uint8_t bytes[65];
        Blob hex;
        size_t size;
        SignatureScheme scheme;
        int k;

        if (r->error)
                return false;
        if (!key_form(word_at(r, i), &hex, &scheme)) {
                policy_reader_fault(r, i,
                                    "a key is ed25519:HEX, ecdsa-p256-der:HEX or ecdsa-p256-p1363:HEX");
                return false;
        }
        size = hex.size / 2;
        if (hex.size % 2 || (scheme == SCHEME_ED25519 ? size != 32 : size != 33 && size != 65)) {
                policy_reader_fault(r, i, "wrong length: 64 hex digits for Ed25519, 66 or 130 for P-256");
                return false;
        }
        if (hex_decode(bytes, size, (const char *)hex.data, hex.size)) {
                policy_reader_fault(r, i, "the key has to be in lower-case hex digits");
                return false;
        }
        k = scheme == SCHEME_ED25519 ? public_key_new_ed25519(&key, bytes)
                                     : public_key_new_point(&key, KEY_ECDSA_P256, BLOB(bytes, size));
        if (!public_key_accept(r, i, k, key, ret))
                return false;
        *ret_scheme = scheme;
        return true;
}

#define RSA_BITS_MIN 3072

bool policy_word_spki(PolicyReader *r, size_t i, KeyType type, PublicKey **ret)
{
        _cleanup_(buffer_deinit) Buffer der = BUFFER_NULL;
        const Word *word = word_at(r, i);
        PublicKey *key = NULL;
        int k;

        if (r->error)
                return false;
        k = base64_decode(&der, BASE64_STANDARD, word->text, word->size);
        if (k < 0) {
                r->error = k;
                return false;
        }
        if (k > 0 || der.size == 0 || der.size > LIMIT_SPKI_SIZE) {
                policy_reader_fault(r, i, "not base64 of at most %d bytes", LIMIT_SPKI_SIZE);
                return false;
        }
        k = public_key_new_spki(&key, buffer_blob(&der));
        if (k == 0 && public_key_type(key) != type) {
                policy_reader_fault(r, i, "this is a key of algorithm %s",
                                    key_type_to_string(public_key_type(key)));
                public_key_free(key);
                return false;
        }
        if (k == 0 && type == KEY_RSA && public_key_bits(key) < RSA_BITS_MIN) {
                policy_reader_fault(r, i, "an RSA key has to have %d bits or more", RSA_BITS_MIN);
                public_key_free(key);
                return false;
        }
        return public_key_accept(r, i, k, key, ret);
}
