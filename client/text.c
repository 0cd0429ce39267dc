/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>

#include "base/error.h"

#include "client/text.h"

/* Length of the UTF-8 character at `s`, or 0.  Overlong forms and surrogates do not matter for display. */
static size_t utf8_size(const char *s, size_t size)
{
        unsigned char c = (unsigned char)*s;
        size_t n = c < 0x80                ? 1
                   : c >= 0xc2 && c < 0xe0 ? 2
                   : c >= 0xe0 && c < 0xf0 ? 3
                   : c >= 0xf0 && c < 0xf5 ? 4
                                           : 0;

        if (n == 0 || n > size)
                return 0;
        for (size_t i = 1; i < n; i++)
                if (((unsigned char)s[i] & 0xc0) != 0x80)
                        return 0;
        return n;
}

/* C0, DEL, C1 (U+0080..9F), line and paragraph separators, marks of direction. */
static bool is_harmful(const char *s, size_t size)
{
        const unsigned char *u = (const unsigned char *)s;

        if (size == 1)
                return u[0] < 0x20 || u[0] == 0x7f;
        if (size == 2)
                return (u[0] == 0xc2 && u[1] < 0xa0) || (u[0] == 0xd8 && u[1] == 0x9c);
        if (size != 3 || u[0] != 0xe2)
                return false;
        return (u[1] == 0x80 && (u[2] == 0x8e || u[2] == 0x8f || (u[2] >= 0xa8 && u[2] <= 0xae))) ||
               (u[1] == 0x81 && u[2] >= 0xa6 && u[2] <= 0xa9);
}

int text_escape(Buffer *out, const char *s, size_t size)
{
        int r = 0;

        assert(out);
        assert(s || size == 0);

        for (size_t i = 0; i < size && r == 0;) {
                size_t n = utf8_size(s + i, size - i);

                if (n > 0 && !is_harmful(s + i, n)) {
                        r = buffer_append(out, s + i, n);
                        i += n;
                        continue;
                }
                for (size_t end = i + (n > 0 ? n : 1); i < end && r == 0; i++)
                        r = buffer_printf(out, "\\x%02x", (unsigned char)s[i]);
        }
        return r == 0 ? 0 : error_fold(r);
}

void text_write(FILE *f, const char *s)
{
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;

        assert(s);

        /* Without memory nothing is better than something raw. */
        if (text_escape(&out, s, strlen(s)) == 0)
                (void)fwrite(out.data ? out.data : (const uint8_t *)"", 1, out.size, f);
}

size_t text_width(const char *s)
{
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;
        size_t n = 0;

        if (text_escape(&out, s, strlen(s)) < 0)
                return 0;
        for (size_t i = 0; i < out.size; i++)
                n += (out.data[i] & 0xc0) != 0x80;
        return n;
}

void text_write_padded(FILE *f, const char *s, size_t width)
{
        size_t n = text_width(s);

        text_write(f, s);
        (void)fprintf(f, "%*s", n < width ? (int)(width - n) : 0, "");
}

void text_printf(FILE *f, const char *format, ...)
{
        char *text = NULL;
        va_list args;
        int n;

        va_start(args, format);
        n = vasprintf(&text, format, args);
        va_end(args);
        if (n < 0)
                return;
        if (n > 0 && text[n - 1] == '\n') {
                text[n - 1] = 0;
                text_write(f, text);
                (void)fputc('\n', f);
        } else {
                text_write(f, text);
        }
        free(text);
}

static void json_break(FILE *f, unsigned indent)
{
        (void)fprintf(f, "\n%*s", (int)indent, "");
}

/* One character outside of strings; `before` and `after` are its neighbours. */
static void json_write_mark(FILE *f, char before, char c, char after, unsigned *depth)
{
        bool opens = c == '{' || c == '[', closes = c == '}' || c == ']';

        if (closes && before != '{' && before != '[')
                json_break(f, *depth -= 2);
        (void)fputc(c, f);
        if (opens && after != '}' && after != ']')
                json_break(f, *depth += 2);
        else if (c == ',')
                json_break(f, *depth);
        else if (c == ':')
                (void)fputc(' ', f);
}

void text_write_json(FILE *f, const char *json, size_t size, unsigned indent)
{
        _cleanup_(buffer_deinit) Buffer text = BUFFER_NULL;
        unsigned depth = indent;
        bool in_string = false;

        /* Only strings can hold what has to be escaped. */
        if (text_escape(&text, json, size) < 0)
                return;
        (void)fprintf(f, "%*s", (int)indent, "");
        for (size_t i = 0; i < text.size; i++) {
                const char *p = (const char *)text.data + i;

                if (*p == '"')
                        in_string = !in_string;
                if (in_string || *p == '"')
                        (void)fputc(*p, f);
                else
                        json_write_mark(f, i > 0 ? p[-1] : 0, *p, p[1], &depth);
                if (in_string && *p == '\\' && i + 1 < text.size)
                        (void)fputc(text.data[++i], f);
        }
        (void)fputc('\n', f);
}
