/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/uri.h"

#include <string.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/macro.h"

static bool is_alpha(char c)
{
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_alphanumeric(char c)
{
        return is_alpha(c) || (c >= '0' && c <= '9');
}

static bool is_hex(char c)
{
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Letters, digits, `marks`, and whole percent-encoded bytes other than NUL. */
static bool is_encoded(const char *text, size_t size, const char *marks)
{
        for (size_t i = 0; i < size; i++) {
                if (is_alphanumeric(text[i]) || (text[i] != '\0' && strchr(marks, text[i])))
                        continue;
                if (text[i] != '%' || size - i < 3 || !is_hex(text[i + 1]) || !is_hex(text[i + 2]))
                        return false;
                if (text[i + 1] == '0' && text[i + 2] == '0')
                        return false;
                i += 2;
        }
        return true;
}

bool uri_is_valid(const char *text, size_t size)
{
        size_t scheme = 0;

        assert(text || size == 0);

        if (size == 0 || size > LIMIT_URI_SIZE || !is_alpha(text[0]))
                return false;
        while (scheme < size &&
               (is_alphanumeric(text[scheme]) || (text[scheme] && strchr("+.-", text[scheme]))))
                scheme++;
        if (scheme + 1 >= size || text[scheme] != ':')
                return false;
        return is_encoded(text + scheme + 1, size - scheme - 1, "-._~:/?#[]@!$&'()*+,;=");
}

static const char *const attributes[] = {
        "object",
        "id",
        "type",
        "token",
        "manufacturer",
        "serial",
        "model",
        "library-manufacturer",
        "library-version",
        "library-description",
        "slot-manufacturer",
        "slot-description",
        "slot-id",
};

enum { ATTRIBUTE_OBJECT, ATTRIBUTE_ID, ATTRIBUTE_TYPE };

static size_t attribute_find(Blob name)
{
        for (size_t i = 0; i < ARRAY_SIZE(attributes); i++)
                if (blob_equal_string(name, attributes[i]))
                        return i;
        return SIZE_MAX;
}

static const char *attribute_fault(Blob attribute, unsigned *seen)
{
        const char *text = (const char *)attribute.data;
        const char *equals = attribute.size ? memchr(text, '=', attribute.size) : NULL;
        Blob value;
        size_t i;

        if (!equals)
                return "a PKCS#11 URI consists of name=value, separated by ';'";

        i = attribute_find(BLOB(text, (size_t)(equals - text)));
        if (i == SIZE_MAX)
                return "this attribute is not one that RFC 7512 defines";
        if (*seen & (1U << i))
                return "an attribute stands twice in this URI";
        *seen |= 1U << i;

        value = BLOB(equals + 1, attribute.size - (size_t)(equals - text) - 1);
        if (value.size == 0)
                return "an attribute of this URI has no value";
        if (!is_encoded((const char *)value.data, value.size, "-._~:[]@!$'()*+,=&"))
                return "an attribute of this URI is not encoded as RFC 7512 says";
        if (i == ATTRIBUTE_TYPE && !blob_equal_string(value, "private"))
                return "the URI has to be that of a private key: type=private, or no type";
        return NULL;
}

const char *uri_private_key_fault(const char *text, size_t size)
{
        static const char scheme[] = "pkcs11:";
        size_t start = sizeof(scheme) - 1;
        unsigned seen = 0;

        assert(text || size == 0);

        if (size > LIMIT_URI_SIZE)
                return "the URI is too long";
        if (size < start || memcmp(text, scheme, start) != 0)
                return "a PKCS#11 URI begins with 'pkcs11:'";
        if (memchr(text, '?', size))
                return "no '?' in this URI: PIN and module belong to the host's configuration";

        while (start <= size) {
                const char *end = start < size ? memchr(text + start, ';', size - start) : NULL;
                size_t stop = end ? (size_t)(end - text) : size;
                const char *fault = attribute_fault(BLOB(text + start, stop - start), &seen);

                if (fault)
                        return fault;
                start = stop + 1;
        }

        if (!(seen & ((1U << ATTRIBUTE_OBJECT) | (1U << ATTRIBUTE_ID))))
                return "the URI has to name one key: by object=, id=, or both";
        return NULL;
}
