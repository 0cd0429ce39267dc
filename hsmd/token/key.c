/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "token/ckr.h"
#include "token/key.h"

/* Enough to show an operator what collides. */
#define MATCHES_MAX 4
/* CKA_MODULUS of RSA-8192, CKA_EC_POINT of P-384, labels, ids. */
#define ATTRIBUTE_MAX 1024

/* One attribute into `buf`; false if the object does not show it. */
static bool key_attribute(const P11Session *s, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, void *buf,
                          size_t capacity, size_t *ret_size)
{
        CK_ATTRIBUTE a = {.type = type, .pValue = buf, .ulValueLen = capacity};

        if (P11_CALL(s, C_GetAttributeValue(s->handle, object, &a, 1)) != CKR_OK || a.ulValueLen > capacity)
                return false;
        *ret_size = a.ulValueLen;
        return true;
}

typedef enum Truth {
        TRUTH_FALSE,
        TRUTH_TRUE,
        TRUTH_UNKNOWN, /* the object has no such attribute, or does not show it */
} Truth;

static Truth key_truth(const P11Session *s, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type)
{
        CK_BBOOL v = CK_FALSE;
        size_t size;

        if (!key_attribute(s, object, type, &v, sizeof(v), &size) || size != sizeof(v))
                return TRUTH_UNKNOWN;
        return v == CK_FALSE ? TRUTH_FALSE : TRUTH_TRUE;
}

int key_find(const P11Session *s, CK_OBJECT_CLASS class, const char *label, Blob id,
             CK_OBJECT_HANDLE *ret_objects, size_t max, size_t *ret_n, Report *report)
{
        CK_ATTRIBUTE template[3] = {{CKA_CLASS, &class, sizeof(class)}};
        uint8_t text[2 * P11URI_VALUE_SIZE];
        size_t label_size = label ? strlen(label) : 0;
        CK_ULONG n_template = 1, n = 0;
        CK_RV rv;

        assert(s && ret_objects && ret_n && report);
        assert(label_size <= P11URI_VALUE_SIZE);
        assert(id.size <= P11URI_VALUE_SIZE);

        /* The module gets a copy: its template is not const. */
        if (label) {
                memcpy(text, label, label_size);
                template[n_template++] = (CK_ATTRIBUTE){CKA_LABEL, text, label_size};
        }
        if (id.size > 0) {
                memcpy(text + label_size, id.data, id.size);
                template[n_template++] = (CK_ATTRIBUTE){CKA_ID, text + label_size, id.size};
        }
        rv = P11_CALL(s, C_FindObjectsInit(s->handle, template, n_template));
        if (rv == CKR_OK) {
                CK_RV final;

                rv = P11_CALL(s, C_FindObjects(s->handle, ret_objects, max, &n));
                final = P11_CALL(s, C_FindObjectsFinal(s->handle));
                rv = rv == CKR_OK ? final : rv;
        }
        if (rv != CKR_OK || n > max) {
                report_set_ckr(report, TOKEN_FAILED, rv, "the token's objects cannot be searched");
                return P11_E_REFUSED;
        }
        *ret_n = n;
        return 0;
}

/* "label 'a' id 0102", for a person. */
static void report_object(const P11Session *s, CK_OBJECT_HANDLE object, Report *report)
{
        uint8_t value[P11URI_VALUE_SIZE];
        size_t size;

        if (key_attribute(s, object, CKA_LABEL, value, sizeof(value), &size))
                report_append(report, " label '%.*s'", (int)size, (const char *)value);
        if (key_attribute(s, object, CKA_ID, value, sizeof(value), &size)) {
                report_append(report, " id ");
                for (size_t i = 0; i < size; i++)
                        report_append(report, "%02x", value[i]);
        }
}

static int key_find_private(const P11Session *s, const P11Uri *uri, CK_OBJECT_HANDLE *ret, Report *report)
{
        const P11UriValue *label = &uri->fields[P11URI_OBJECT], *id = &uri->fields[P11URI_ID];
        CK_OBJECT_HANDLE found[MATCHES_MAX];
        size_t n;
        int r;

        r = key_find(s, CKO_PRIVATE_KEY, label->set ? label->text : NULL,
                     id->set ? BLOB(id->text, id->size) : BLOB_NULL, found, MATCHES_MAX, &n, report);
        if (r)
                return r;
        if (n == 0) {
                report_set(report, TOKEN_KEY_MISSING,
                           "no private key in the token has the label and id of the URI; list them with "
                           "pkcs11-tool --login --list-objects --type privkey");
                return P11_E_REFUSED;
        }
        if (n > 1) {
                report_set(report, TOKEN_KEY_AMBIGUOUS,
                           "%zu%s private keys match, name one by object and id:", n,
                           n == MATCHES_MAX ? " or more" : "");
                for (size_t i = 0; i < n; i++)
                        report_object(s, found[i], report);
                return P11_E_REFUSED;
        }
        *ret = found[0];
        return 0;
}

/* ---- fit for signing and for nothing else ---- */

static int key_check_usage(const P11Session *s, CK_OBJECT_HANDLE object, Report *report)
{
        static const struct {
                CK_ATTRIBUTE_TYPE type;
                const char *name;
                Truth wanted;
        } checks[] = {
                {CKA_PRIVATE, "CKA_PRIVATE", TRUTH_TRUE},
                {CKA_SENSITIVE, "CKA_SENSITIVE", TRUTH_TRUE},
                {CKA_EXTRACTABLE, "CKA_EXTRACTABLE", TRUTH_FALSE},
                {CKA_SIGN, "CKA_SIGN", TRUTH_TRUE},
                /* Not for this token to have: a key may lack them, but not allow them. */
                {CKA_DECRYPT, "CKA_DECRYPT", TRUTH_UNKNOWN},
                {CKA_UNWRAP, "CKA_UNWRAP", TRUTH_UNKNOWN},
                {CKA_DERIVE, "CKA_DERIVE", TRUTH_UNKNOWN},
                {CKA_SIGN_RECOVER, "CKA_SIGN_RECOVER", TRUTH_UNKNOWN},
                /* A PIN for each signature is not what a service can give. */
                {CKA_ALWAYS_AUTHENTICATE, "CKA_ALWAYS_AUTHENTICATE", TRUTH_UNKNOWN},
        };

        for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
                Truth truth = key_truth(s, object, checks[i].type);

                if (truth == checks[i].wanted || (checks[i].wanted == TRUTH_UNKNOWN && truth == TRUTH_FALSE))
                        continue;
                report_set(report, TOKEN_KEY_UNSAFE,
                           "%s of the key is %s, it must be %s; make a new key with hsmd-token "
                           "--generate-key: it is "
                           "private, sensitive, not extractable, and signs but does nothing else",
                           checks[i].name,
                           truth == TRUTH_TRUE    ? "true"
                           : truth == TRUTH_FALSE ? "false"
                                                  : "not shown",
                           checks[i].wanted == TRUTH_TRUE ? "true" : "false");
                return P11_E_REFUSED;
        }
        return 0;
}

static CK_KEY_TYPE key_type_to_ck(KeyType type)
{
        switch (type) {
        case KEY_ED25519:
                return CKK_EC_EDWARDS;
        case KEY_ECDSA_P256:
        case KEY_ECDSA_P384:
                return CKK_EC;
        case KEY_RSA:
                return CKK_RSA;
        case _KEY_TYPE_MAX:
                break;
        }
        abort();
}

static int key_check_type(const P11Session *s, CK_OBJECT_HANDLE object, KeyType type, Report *report)
{
        CK_KEY_TYPE ck = CK_UNAVAILABLE_INFORMATION;
        size_t size;

        if (key_attribute(s, object, CKA_KEY_TYPE, &ck, sizeof(ck), &size) && size == sizeof(ck) &&
            ck == key_type_to_ck(type))
                return 0;
        report_set(report, TOKEN_KEY_MISMATCH, "the key in the token is not of type %s (CKA_KEY_TYPE 0x%lx)",
                   key_type_to_string(type), ck);
        return P11_E_REFUSED;
}

/* ---- the pinned one ---- */

/* DER: tag and length of what follows.  Lengths here are below 2^16. */
static size_t der_header(uint8_t *p, uint8_t tag, size_t size)
{
        assert(size <= UINT16_MAX);
        p[0] = tag;
        if (size < 0x80) {
                p[1] = (uint8_t)size;
                return 2;
        }
        p[1] = 0x82;
        put_u16(p + 2, (uint16_t)size);
        if (size > 0xff)
                return 4;
        p[1] = 0x81;
        p[2] = (uint8_t)size;
        return 3;
}

/* DER: a positive INTEGER of an unsigned big-endian number. */
static int der_append_integer(Buffer *out, Blob number)
{
        uint8_t header[5];
        size_t size;
        int r;

        while (number.size > 1 && number.data[0] == 0)
                number = BLOB(number.data + 1, number.size - 1);
        size = der_header(header, 0x02, number.size + (number.data[0] >> 7));
        if (number.data[0] >> 7)
                header[size++] = 0;
        r = buffer_append(out, header, size);
        if (r)
                return error_fold(r);
        return error_fold(buffer_append(out, number.data, number.size));
}

/* SubjectPublicKeyInfo of RSA: RFC 3279 2.3.1, "The parameters field MUST have ASN.1 type NULL". */
static int public_from_rsa(Blob modulus, Blob exponent, PublicKey **ret)
{
        static const uint8_t algorithm[] = {0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                            0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00};
        _cleanup_(buffer_deinit) Buffer numbers = BUFFER_NULL, spki = BUFFER_NULL;
        uint8_t outer[4], bits[5], inner[4];
        size_t n_outer, n_bits, n_inner;
        int r;

        r = der_append_integer(&numbers, modulus);
        if (r)
                return error_fold(r);
        r = der_append_integer(&numbers, exponent);
        if (r)
                return error_fold(r);
        n_inner = der_header(inner, 0x30, numbers.size);
        n_bits = der_header(bits, 0x03, 1 + n_inner + numbers.size);
        bits[n_bits++] = 0; /* no unused bits */
        n_outer = der_header(outer, 0x30, sizeof(algorithm) + n_bits + n_inner + numbers.size);
        r = buffer_reserve(&spki, n_outer + sizeof(algorithm) + n_bits + n_inner + numbers.size);
        if (r)
                return error_fold(r);
        if (buffer_append(&spki, outer, n_outer) || buffer_append(&spki, algorithm, sizeof(algorithm)) ||
            buffer_append(&spki, bits, n_bits) || buffer_append(&spki, inner, n_inner) ||
            buffer_append(&spki, numbers.data, numbers.size))
                return error_origin(-ENOMEM);
        return public_key_new_spki(ret, buffer_blob(&spki));
}

/* CKA_EC_POINT is the point in an OCTET STRING; older modules show it bare. */
static int public_from_point(KeyType type, Blob point, PublicKey **ret)
{
        size_t size = type == KEY_ED25519 ? 32 : type == KEY_ECDSA_P256 ? 65 : 97;

        if (point.size == size + 2 && point.data[0] == 0x04 && point.data[1] == size)
                point = BLOB(point.data + 2, size);
        if (point.size != size)
                return CRYPTO_E_KEY_SYNTAX;
        if (type == KEY_ED25519)
                return public_key_new_ed25519(ret, point.data);
        return public_key_new_point(ret, type, point);
}

int key_public(const P11Session *s, CK_OBJECT_HANDLE object, KeyType type, PublicKey **ret)
{
        uint8_t first[ATTRIBUTE_MAX], second[ATTRIBUTE_MAX];
        size_t n_first, n_second;
        PublicKey *key = NULL;
        int r;

        assert(s);
        assert(ret);

        if (type == KEY_RSA) {
                bool shown =
                        key_attribute(s, object, CKA_MODULUS, first, sizeof(first), &n_first) &&
                        n_first > 0 &&
                        key_attribute(s, object, CKA_PUBLIC_EXPONENT, second, sizeof(second), &n_second) &&
                        n_second > 0;

                r = shown ? public_from_rsa(BLOB(first, n_first), BLOB(second, n_second), &key)
                          : CRYPTO_E_KEY_SYNTAX;
        } else {
                r = key_attribute(s, object, CKA_EC_POINT, first, sizeof(first), &n_first)
                            ? public_from_point(type, BLOB(first, n_first), &key)
                            : CRYPTO_E_KEY_SYNTAX;
        }
        if (r < 0)
                return error_fold(r);
        *ret = r == 0 ? key : NULL;
        return 0;
}

/*
 * Compares what the token shows with the pinned key: the private key object itself for RSA, then the public
 * key objects with its label and id.  Showing nothing is allowed: hsmd verifies each signature with the
 * pinned key.
 */
static int key_check_pinned(const P11Session *s, CK_OBJECT_HANDLE object, const P11Uri *uri,
                            const PublicKey *pinned, Report *report)
{
        const P11UriValue *label = &uri->fields[P11URI_OBJECT], *id = &uri->fields[P11URI_ID];
        CK_OBJECT_HANDLE shown[1 + MATCHES_MAX] = {object};
        bool private_shows = false;
        size_t n;
        int r;

        r = key_find(s, CKO_PUBLIC_KEY, label->set ? label->text : NULL,
                     id->set ? BLOB(id->text, id->size) : BLOB_NULL, shown + 1, MATCHES_MAX, &n, report);
        if (r)
                return r;
        for (size_t i = 0; i <= n; i++) {
                _cleanup_(public_key_freep) PublicKey *key = NULL;

                r = key_public(s, shown[i], public_key_type(pinned), &key);
                if (r)
                        return error_fold(r);
                if (key && memcmp(public_key_id(key), public_key_id(pinned), SHA256_SIZE) == 0)
                        return 0;
                /* What the private key itself shows outweighs objects that only share its name. */
                private_shows = i == 0 && key;
                if (private_shows)
                        break;
        }
        /* A public key object that cannot be read as one of this type is another key. */
        if (n == 0 && !private_shows)
                return 0;
        report_set(report, TOKEN_KEY_MISMATCH,
                   "the public key that the token shows is not the one that the policy pins; restore the "
                   "right key or "
                   "have the policy changed");
        return P11_E_REFUSED;
}

int key_open(Key *ret, const P11Session *s, const WireOpen *open, const P11Uri *uri, Report *report)
{
        _cleanup_(public_key_freep) PublicKey *pinned = NULL;
        Key key = {0};
        int r;

        assert(ret);
        assert(s);
        assert(open);
        assert(uri);
        assert(report);

        r = public_key_new_spki(&pinned, open->spki);
        if (r < 0)
                return error_fold(r);
        if (r > 0 || public_key_type(pinned) != open->type) {
                report_set(report, TOKEN_REFUSED, "the pinned key is not a key of type %s",
                           key_type_to_string(open->type));
                return P11_E_REFUSED;
        }
        key = (Key){.handle = open->handle, .type = open->type};
        r = key_find_private(s, uri, &key.object, report);
        if (r == 0)
                r = key_check_usage(s, key.object, report);
        if (r == 0)
                r = key_check_type(s, key.object, key.type, report);
        if (r == 0)
                r = key_check_pinned(s, key.object, uri, pinned, report);
        if (r)
                return r < 0 ? error_fold(r) : r;
        *ret = key;
        return 0;
}
