/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base64.h"
#include "base/error.h"

/*
 * An entry is the value of the character in the low six bits, and above them the alphabets that have it not:
 * the union over a text tells whether one alphabet has all of it.  Two bits set mean that none has.
 */
#define ONLY_STANDARD 0x40
#define ONLY_URL      0x80
#define FOREIGN       (ONLY_STANDARD | ONLY_URL)

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* clang-format off */
#define X FOREIGN
static const uint8_t base64_values[256] = {
        X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
        X, X, X, X, X, X, X, X, X, X, X, 62 | ONLY_STANDARD, X, 62 | ONLY_URL, X, 63 | ONLY_STANDARD,
        52, 53, 54, 55, 56, 57, 58, 59, 60, 61, X, X, X, X, X, X,
        X, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25,
        X, X, X, X, 63 | ONLY_URL,
        X, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51,
        X, X, X, X, X,
        X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
        X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
        X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
        X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
};
#undef X
/* clang-format on */

static void base64_encode_tail(uint8_t *out, const uint8_t *in, size_t size)
{
        unsigned v;

        assert(size == 1 || size == 2);

        v = (unsigned)in[0] << 16 | (size == 2 ? (unsigned)in[1] << 8 : 0);
        out[0] = (uint8_t)base64_digits[v >> 18];
        out[1] = (uint8_t)base64_digits[v >> 12 & 63];
        out[2] = (uint8_t)(size == 2 ? base64_digits[v >> 6 & 63] : '=');
        out[3] = '=';
}

int base64_encode(Buffer *out, const void *data, size_t size)
{
        const uint8_t *in = data;
        uint8_t *p;
        size_t i;
        int r;

        assert(out);
        assert(data || size == 0);

        if (size > SIZE_MAX / 4)
                return error_origin(-EOVERFLOW);
        r = buffer_reserve(out, BASE64_SIZE(size));
        if (r)
                return error_fold(r);

        p = out->data + out->size;
        for (i = 0; i + 3 <= size; i += 3, p += 4) {
                unsigned v = (unsigned)in[i] << 16 | (unsigned)in[i + 1] << 8 | in[i + 2];

                p[0] = (uint8_t)base64_digits[v >> 18];
                p[1] = (uint8_t)base64_digits[v >> 12 & 63];
                p[2] = (uint8_t)base64_digits[v >> 6 & 63];
                p[3] = (uint8_t)base64_digits[v & 63];
        }
        if (i < size)
                base64_encode_tail(p, in + i, size - i);

        out->size += BASE64_SIZE(size);
        out->data[out->size] = 0;
        return 0;
}

static size_t base64_padding(const char *text, size_t size)
{
        if (size == 0 || text[size - 1] != '=')
                return 0;
        return text[size - 2] == '=' ? 2 : 1;
}

/* The quantum that holds padding; false if bits that encode nothing are set (RFC 4648 3.5). */
static bool base64_decode_tail(uint8_t *out, const uint8_t *in, size_t padding, unsigned *seen)
{
        unsigned a = base64_values[in[0]], b = base64_values[in[1]];
        unsigned c = padding == 1 ? base64_values[in[2]] : 0;

        *seen |= a | b | c;
        out[0] = (uint8_t)((a & 63) << 2 | (b & 63) >> 4);
        if (padding == 2)
                return (b & 15) == 0;
        out[1] = (uint8_t)((b & 15) << 4 | (c & 63) >> 2);
        return (c & 3) == 0;
}

/* Writes size / 4 * 3 - padding bytes, also when it then returns false. */
static bool base64_decode_raw(uint8_t *out, Base64Alphabet alphabet, const char *text, size_t size)
{
        const uint8_t *in = (const uint8_t *)text;
        size_t padding = base64_padding(text, size);
        size_t full = padding > 0 ? size - 4 : size;
        unsigned seen = 0;

        assert(size % 4 == 0);

        for (size_t i = 0; i < full; i += 4, out += 3) {
                unsigned a = base64_values[in[i]], b = base64_values[in[i + 1]];
                unsigned c = base64_values[in[i + 2]], d = base64_values[in[i + 3]];

                seen |= a | b | c | d;
                out[0] = (uint8_t)((a & 63) << 2 | (b & 63) >> 4);
                out[1] = (uint8_t)((b & 15) << 4 | (c & 63) >> 2);
                out[2] = (uint8_t)((c & 3) << 6 | (d & 63));
        }
        if (padding > 0 && !base64_decode_tail(out, in + full, padding, &seen))
                return false;

        seen &= FOREIGN;
        return seen == 0 || seen == ONLY_STANDARD ||
               (seen == ONLY_URL && alphabet == BASE64_STANDARD_OR_URL);
}

int base64_decode(Buffer *out, Base64Alphabet alphabet, const char *text, size_t size)
{
        int r;

        assert(out);
        assert(text || size == 0);

        if (size % 4 != 0)
                return BASE64_E_INVALID;
        r = buffer_reserve(out, size / 4 * 3);
        if (r)
                return error_fold(r);

        if (!base64_decode_raw(out->data + out->size, alphabet, text, size)) {
                out->data[out->size] = 0;
                return BASE64_E_INVALID;
        }
        out->size += size / 4 * 3 - base64_padding(text, size);
        out->data[out->size] = 0;
        return 0;
}

int base64_decode_exact(uint8_t *ret, size_t size, const char *text, size_t text_size)
{
        assert(ret || size == 0);
        assert(text || text_size == 0);

        if (text_size % 4 != 0 || text_size / 4 * 3 - base64_padding(text, text_size) != size)
                return BASE64_E_INVALID;
        return base64_decode_raw(ret, BASE64_STANDARD, text, text_size) ? 0 : BASE64_E_INVALID;
}
