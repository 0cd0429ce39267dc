/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>

#include "base/decimal.h"
#include "base/error.h"
#include "base/limits.h"
#include "token/p11uri.h"

#define SCHEME "pkcs11:"

static const char *const field_names[] = {
        [P11URI_TOKEN] = "token",     [P11URI_MANUFACTURER] = "manufacturer",
        [P11URI_MODEL] = "model",     [P11URI_SERIAL] = "serial",
        [P11URI_SLOT_ID] = "slot-id", [P11URI_OBJECT] = "object",
        [P11URI_ID] = "id",           [P11URI_TYPE] = "type",
};
static_assert(ARRAY_SIZE(field_names) == _P11URI_FIELD_MAX, "each field has a name");

static int invalid(const char **ret_reason, const char *reason)
{
        *ret_reason = reason;
        return P11URI_E_INVALID;
}

/* RFC 7512 2.3: unreserved, pk11-res-avail and "&"; all else comes percent-encoded. */
static bool is_plain(char c)
{
        if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))
                return true;
        return c != '\0' && strchr("-._~:[]@!$'()*+,=&", c);
}

/* RFC 3986 2.1: "The uppercase hexadecimal digits 'A' through 'F' are equivalent to the lowercase". */
static int hex_value(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        if (c >= 'A' && c <= 'F')
                return c - 'A' + 10;
        return -EINVAL;
}

/* One character of a value, plain or encoded.  0 or P11URI_E_INVALID. */
static int decode_character(const char **p, const char *end, char *ret, const char **ret_reason)
{
        int high, low;

        if (**p != '%') {
                if (!is_plain(**p))
                        return invalid(ret_reason, "a character that must be percent-encoded");
                *ret = *(*p)++;
                return 0;
        }
        if (end - *p < 3)
                return invalid(ret_reason, "percent sign without two hexadecimal digits");
        high = hex_value((*p)[1]);
        low = hex_value((*p)[2]);
        if (high < 0 || low < 0)
                return invalid(ret_reason, "percent sign without two hexadecimal digits");
        *ret = (char)(high << 4 | low);
        *p += 3;
        return 0;
}

static int decode_value(P11UriValue *ret, const char *p, const char *end, bool binary,
                        const char **ret_reason)
{
        int r;

        while (p < end) {
                char c;

                r = decode_character(&p, end, &c, ret_reason);
                if (r)
                        return r;
                if (c == '\0' && !binary)
                        return invalid(ret_reason, "a NUL character");
                if (ret->size == P11URI_VALUE_SIZE)
                        return invalid(ret_reason, "a value that is too long");
                ret->text[ret->size++] = c;
        }
        if (ret->size == 0)
                return invalid(ret_reason, "an attribute without a value");
        ret->text[ret->size] = '\0';
        ret->set = true;
        return 0;
}

/* One `name=value`. */
static int parse_attribute(P11Uri *uri, const char *p, const char *end, const char **ret_reason)
{
        const char *equals = memchr(p, '=', (size_t)(end - p));
        unsigned field = 0;
        size_t size;

        if (!equals)
                return invalid(ret_reason, "an attribute without an equals sign");
        size = (size_t)(equals - p);
        while (field < _P11URI_FIELD_MAX &&
               (strlen(field_names[field]) != size || memcmp(field_names[field], p, size) != 0))
                field++;
        if (field == _P11URI_FIELD_MAX)
                return invalid(
                        ret_reason,
                        "an attribute other than token, manufacturer, model, serial, slot-id, object, id, "
                        "type");
        if (uri->fields[field].set)
                return invalid(ret_reason, "the same attribute twice");
        return decode_value(&uri->fields[field], equals + 1, end, field == P11URI_ID, ret_reason);
}

/* The two attributes whose values are not free. */
static int check_values(P11Uri *uri, const char **ret_reason)
{
        const P11UriValue *slot = &uri->fields[P11URI_SLOT_ID], *type = &uri->fields[P11URI_TYPE];
        uint64_t v;

        if (type->set && strcmp(type->text, "private") != 0)
                return invalid(ret_reason, "a type other than private");
        if (!slot->set)
                return 0;
        if (decimal_decode(&v, slot->text, slot->size, ULONG_MAX) != 0)
                return invalid(ret_reason, "a slot-id that is not a number");
        uri->slot_id = v;
        return 0;
}

int p11uri_parse(P11Uri *ret, Blob text, const char **ret_reason)
{
        const char *p = (const char *)text.data, *end = p + text.size;
        P11Uri uri = {0};
        int r;

        assert(ret);
        assert(text.data || text.size == 0);
        assert(ret_reason);

        if (text.size > LIMIT_URI_SIZE)
                return invalid(ret_reason, "it is too long");
        if (text.size < strlen(SCHEME) || memcmp(p, SCHEME, strlen(SCHEME)) != 0)
                return invalid(ret_reason, "it does not begin with " SCHEME);
        p += strlen(SCHEME);
        if (p == end)
                return invalid(ret_reason, "it has no attribute");
        for (;;) {
                const char *semicolon = memchr(p, ';', (size_t)(end - p));

                r = parse_attribute(&uri, p, semicolon ? semicolon : end, ret_reason);
                if (r)
                        return r;
                if (!semicolon)
                        break;
                p = semicolon + 1;
        }
        r = check_values(&uri, ret_reason);
        if (r)
                return r;
        *ret = uri;
        return 0;
}

int p11uri_parse_token(P11Uri *ret, Blob text, const char **ret_reason)
{
        P11Uri uri;
        int r;

        assert(ret);
        r = p11uri_parse(&uri, text, ret_reason);
        if (r)
                return r;
        if (uri.fields[P11URI_OBJECT].set || uri.fields[P11URI_ID].set || uri.fields[P11URI_TYPE].set)
                return invalid(ret_reason, "it names an object, not only a token");
        *ret = uri;
        return 0;
}

int p11uri_parse_key(P11Uri *ret, Blob text, const char **ret_reason)
{
        P11Uri uri;
        int r;

        assert(ret);
        r = p11uri_parse(&uri, text, ret_reason);
        if (r)
                return r;
        if (!uri.fields[P11URI_OBJECT].set && !uri.fields[P11URI_ID].set)
                return invalid(ret_reason, "it has neither object nor id");
        *ret = uri;
        return 0;
}
