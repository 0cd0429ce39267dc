/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "base/base64.h"
#include "base/error.h"
#include "base/hex.h"
#include "base/jsonw.h"

#define U64_DIGITS       20
#define FIXED_DIGITS_MAX 9

/* ---- the frame around every value ---- */

/* Makes room for `size` bytes after a comma that may be due; NULL when the writer has failed. */
static uint8_t *jsonw_open(JsonWriter *w, size_t size)
{
        assert(w);
        assert(w->out);

        if (w->error)
                return NULL;
        w->error = buffer_reserve(w->out, size < SIZE_MAX ? size + 1 : size);
        if (w->error)
                return NULL;
        if (w->comma)
                w->out->data[w->out->size++] = ',';
        return w->out->data + w->out->size;
}

static void jsonw_close(JsonWriter *w, const uint8_t *end, bool comma)
{
        assert(end >= w->out->data + w->out->size);

        w->out->size = (size_t)(end - w->out->data);
        assert(w->out->size < w->out->capacity);
        w->out->data[w->out->size] = 0;
        w->comma = comma;
}

static uint8_t *put(uint8_t *p, const void *data, size_t size)
{
        if (size > 0)
                memcpy(p, data, size);
        return p + size;
}

static void jsonw_token(JsonWriter *w, const void *data, size_t size, bool comma)
{
        uint8_t *p = jsonw_open(w, size);

        if (p)
                jsonw_close(w, put(p, data, size), comma);
}

void jsonw_init(JsonWriter *w, Buffer *out)
{
        assert(w);
        assert(out);

        *w = (JsonWriter){.out = out};
}

int jsonw_finish(JsonWriter *w)
{
        assert(w);

        if (w->error)
                return w->error;
        assert(w->depth == 0);
        return 0;
}

/* ---- structure ---- */

static void jsonw_begin(JsonWriter *w, char c)
{
        jsonw_token(w, &c, 1, false);
        w->depth++;
}

static void jsonw_end(JsonWriter *w, char c)
{
        assert(w);
        assert(w->depth > 0);

        w->depth--;
        w->comma = false;
        jsonw_token(w, &c, 1, true);
}

void jsonw_object(JsonWriter *w)
{
        jsonw_begin(w, '{');
}

void jsonw_object_end(JsonWriter *w)
{
        jsonw_end(w, '}');
}

void jsonw_array(JsonWriter *w)
{
        jsonw_begin(w, '[');
}

void jsonw_array_end(JsonWriter *w)
{
        jsonw_end(w, ']');
}

void jsonw_name(JsonWriter *w, const char *name)
{
        size_t size;
        uint8_t *p;

        assert(name);

        size = strlen(name);
        p = jsonw_open(w, size + 3);
        if (!p)
                return;
        *p++ = '"';
        p = put(p, name, size);
        *p++ = '"';
        *p++ = ':';
        jsonw_close(w, p, false);
}

/* ---- strings ---- */

/* RFC 8259 7: the short escape of a control character, '"' and '\\'; 'u' for those without, 0 for the
 * others. */
static const char jsonw_escapes[256] = {
        'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'b',         't',           'n', 'u',
        'f', 'r', 'u', 'u', 'u', 'u', 'u', 'u', 'u',         'u',           'u', 'u',
        'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', ['"'] = '"', ['\\'] = '\\',
};

/* Size of the character at `p`, 0 if it is not UTF-8 (RFC 3629 4: no overlong forms, no surrogates). */
static size_t utf8_size(const uint8_t *p, size_t left)
{
        static const struct {
                uint8_t first, last, second_min, second_max, size;
        } forms[] = {
                {0x00, 0x7f, 0x00, 0x00, 1}, {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
                {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
                {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
        };
        size_t i = 0;

        while (i < ARRAY_SIZE(forms) && (p[0] < forms[i].first || p[0] > forms[i].last))
                i++;
        if (i == ARRAY_SIZE(forms) || left < forms[i].size)
                return 0;
        if (forms[i].size > 1 && (p[1] < forms[i].second_min || p[1] > forms[i].second_max))
                return 0;
        for (size_t k = 2; k < forms[i].size; k++)
                if ((p[k] & 0xc0) != 0x80)
                        return 0;
        return forms[i].size;
}

/*
 * Bytes from `s` on that stand for themselves: ASCII, no escape.  Eight at a time, since nearly all that is
 * written is plain and long: a byte with its top bit set, one below 0x20, a quote or a backslash sets a top
 * bit below.
 */
static size_t plain_size(const uint8_t *s, size_t size)
{
        const uint64_t ones = 0x0101010101010101, tops = ones << 7;
        size_t i = 0;
        uint64_t x;

        for (; i + sizeof(x) <= size; i += sizeof(x)) {
                memcpy(&x, s + i, sizeof(x));
                if ((x | (x - ones * 0x20) | ((x ^ ones * '"') - ones) | ((x ^ ones * '\\') - ones)) & tops)
                        break;
        }
        while (i < size && s[i] < 0x80 && !jsonw_escapes[s[i]])
                i++;
        return i;
}

/* How many bytes more than `size` the escaped text takes; false if it is not UTF-8. */
static bool jsonw_measure(const uint8_t *s, size_t size, size_t *ret_extra)
{
        size_t extra = 0, n;

        for (size_t i = plain_size(s, size); i < size; i += plain_size(s + i, size - i)) {
                n = s[i] < 0x80 ? 1 : utf8_size(s + i, size - i);
                if (n == 0)
                        return false;
                if (jsonw_escapes[s[i]])
                        extra += jsonw_escapes[s[i]] == 'u' ? 5 : 1;
                i += n;
        }
        *ret_extra = extra;
        return true;
}

static uint8_t *put_escaped(uint8_t *p, const uint8_t *s, size_t size)
{
        for (size_t i = 0; i < size; i++) {
                size_t n = plain_size(s + i, size - i);
                char escape;

                p = put(p, s + i, n);
                i += n;
                if (i == size)
                        break;
                escape = jsonw_escapes[s[i]];
                if (!escape) {
                        *p++ = s[i];
                        continue;
                }
                *p++ = '\\';
                *p++ = (uint8_t)escape;
                if (escape == 'u') {
                        p = put(p, "00", 2);
                        *p++ = (uint8_t) "0123456789abcdef"[s[i] >> 4];
                        *p++ = (uint8_t) "0123456789abcdef"[s[i] & 15];
                }
        }
        return p;
}

void jsonw_string_n(JsonWriter *w, const char *s, size_t size)
{
        const uint8_t *bytes = (const uint8_t *)s;
        size_t extra;
        uint8_t *p;

        assert(w);
        assert(s || size == 0);
        assert(size < SIZE_MAX / 8);

        if (w->error)
                return;
        if (!jsonw_measure(bytes, size, &extra)) {
                w->error = error_origin(-EILSEQ);
                return;
        }
        p = jsonw_open(w, size + extra + 2);
        if (!p)
                return;
        *p++ = '"';
        p = extra > 0 ? put_escaped(p, bytes, size) : put(p, bytes, size);
        *p++ = '"';
        jsonw_close(w, p, true);
}

void jsonw_string(JsonWriter *w, const char *s)
{
        assert(s);

        jsonw_string_n(w, s, strlen(s));
}

void jsonw_hex(JsonWriter *w, const void *data, size_t size)
{
        uint8_t *p;

        assert(size < SIZE_MAX / 8);

        p = jsonw_open(w, 2 * size + 2);
        if (!p)
                return;
        *p++ = '"';
        hex_encode((char *)p, data, size);
        p += 2 * size;
        *p++ = '"';
        jsonw_close(w, p, true);
}

void jsonw_base64(JsonWriter *w, const void *data, size_t size)
{
        uint8_t *p;

        assert(size < SIZE_MAX / 8);

        p = jsonw_open(w, BASE64_SIZE(size) + 2);
        if (!p)
                return;
        *p++ = '"';
        jsonw_close(w, p, false);

        /* The room is there already, hence this neither moves the buffer nor fails. */
        w->error = base64_encode(w->out, data, size);
        jsonw_token(w, "\"", 1, true);
}

/* ---- numbers and words ---- */

/* Fills from the end of `digits`, at least `min` of them; returns where they begin. */
static char *format_u64(char digits[static U64_DIGITS], uint64_t v, unsigned min)
{
        char *p = digits + U64_DIGITS;

        assert(min <= U64_DIGITS);

        do {
                *--p = (char)('0' + v % 10);
                v /= 10;
        } while (v > 0 || digits + U64_DIGITS - p < (ptrdiff_t)min);
        return p;
}

void jsonw_u64(JsonWriter *w, uint64_t v)
{
        char digits[U64_DIGITS];
        const char *p = format_u64(digits, v, 1);

        jsonw_token(w, p, (size_t)(digits + U64_DIGITS - p), true);
}

void jsonw_i64(JsonWriter *w, int64_t v)
{
        char digits[1 + U64_DIGITS];
        char *p;

        if (v >= 0) {
                jsonw_u64(w, (uint64_t)v);
                return;
        }
        p = format_u64(digits + 1, 0 - (uint64_t)v, 1);
        *--p = '-';
        jsonw_token(w, p, (size_t)(digits + sizeof(digits) - p), true);
}

void jsonw_fixed(JsonWriter *w, double v, unsigned digits)
{
        char text[1 + U64_DIGITS + 1], *p;
        double scaled = fabs(v);
        uint64_t units;

        assert(w);
        assert(digits <= FIXED_DIGITS_MAX);

        for (unsigned i = 0; i < digits; i++)
                scaled *= 10;
        /* JSON has neither NaN nor infinity; so large a rate is a fault of ours. */
        if (!(scaled < 1e18)) {
                if (!w->error)
                        w->error = error_origin(-ERANGE);
                return;
        }
        units = (uint64_t)(scaled + 0.5);

        p = format_u64(text + 1, units, digits + 1);
        if (v < 0 && units > 0)
                *--p = '-';
        if (digits > 0) {
                char *point = text + 1 + U64_DIGITS - digits;

                memmove(point + 1, point, digits);
                *point = '.';
        }
        jsonw_token(w, p, (size_t)(text + 1 + U64_DIGITS + (digits > 0) - p), true);
}

void jsonw_bool(JsonWriter *w, bool v)
{
        jsonw_token(w, v ? "true" : "false", v ? 4 : 5, true);
}

void jsonw_null(JsonWriter *w)
{
        jsonw_token(w, "null", 4, true);
}

/* ---- JSON that exists already ---- */

void jsonw_raw(JsonWriter *w, const void *data, size_t size)
{
        assert(data);
        assert(size > 0);

        jsonw_token(w, data, size, true);
}

void jsonw_members(JsonWriter *w, const void *data, size_t size)
{
        if (size > 0)
                jsonw_raw(w, data, size);
}

/* ---- members ---- */

void jsonw_member_string(JsonWriter *w, const char *name, const char *s)
{
        jsonw_name(w, name);
        jsonw_string(w, s);
}

void jsonw_member_u64(JsonWriter *w, const char *name, uint64_t v)
{
        jsonw_name(w, name);
        jsonw_u64(w, v);
}

void jsonw_member_bool(JsonWriter *w, const char *name, bool v)
{
        jsonw_name(w, name);
        jsonw_bool(w, v);
}

void jsonw_member_hex(JsonWriter *w, const char *name, const void *data, size_t size)
{
        jsonw_name(w, name);
        jsonw_hex(w, data, size);
}
