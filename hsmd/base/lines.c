/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "base/limits.h"
#include "base/lines.h"

struct LineReader {
        const char *next;
        const char *end;
        unsigned number; /* of the line last read */
        bool too_large;
        Word words[LIMIT_LINE_WORDS];
};

int lines_new(LineReader **ret, Blob file)
{
        LineReader *r;
        int k;

        assert(ret);
        assert(file.data || file.size == 0);

        k = memory_new0(&r, 1);
        if (k)
                return error_fold(k);

        r->next = (const char *)file.data;
        r->end = file.size > 0 ? r->next + file.size : r->next;
        r->too_large = file.size > LIMIT_POLICY_SIZE;
        *ret = r;
        return 0;
}

LineReader *lines_free(LineReader *r)
{
        free(r);
        return NULL;
}

static int lines_fault(LineReader *r, Line *ret, const char *start, const char *at, size_t size)
{
        r->words[0] = (Word){.text = at, .size = size, .column = (unsigned)(at - start) + 1};
        *ret = (Line){.number = r->number, .n_words = 1, .words = r->words};
        return LINES_E_INVALID;
}

static bool is_blank(char c)
{
        return c == ' ' || c == '\t';
}

/* The first byte that no line may have, or `end`. */
static const char *find_foreign(const char *p, const char *end)
{
        while (p < end && ((*p >= 0x20 && *p <= 0x7e) || *p == '\t'))
                p++;
        return p;
}

/* The next word of the line; false at its end or at a comment. */
static bool next_word(const char **p, const char *start, const char *end, Word *ret)
{
        const char *from = *p, *to;

        while (from < end && is_blank(*from))
                from++;
        if (from == end || *from == '#')
                return false;
        for (to = from; to < end && !is_blank(*to);)
                to++;

        *ret = (Word){.text = from, .size = (size_t)(to - from), .column = (unsigned)(from - start) + 1};
        *p = to;
        return true;
}

/* 0 also for a line without words: then ret->n_words is 0. */
static int lines_split(LineReader *r, const char *start, const char *end, Line *ret, const char **ret_reason)
{
        const char *p = start;
        size_t n = 0;
        Word word;

        while (next_word(&p, start, end, &word)) {
                if (n == LIMIT_LINE_WORDS) {
                        *ret_reason = "too many words in one line";
                        return lines_fault(r, ret, start, word.text, word.size);
                }
                r->words[n++] = word;
        }
        *ret = (Line){.number = r->number, .n_words = n, .words = r->words};
        return 0;
}

static int lines_read(LineReader *r, Line *ret, const char **ret_reason)
{
        const char *start = r->next, *end = memchr(start, '\n', (size_t)(r->end - start)), *foreign;

        r->number++;
        r->next = end ? end + 1 : r->end;
        if (!end)
                end = r->end;

        if (end - start > LIMIT_LINE_SIZE) {
                *ret_reason = "line too long";
                return lines_fault(r, ret, start, start + LIMIT_LINE_SIZE, 1);
        }
        foreign = find_foreign(start, end);
        if (foreign < end) {
                *ret_reason = *foreign == '\r' ? "carriage return: lines end in a single line feed"
                                               : "byte that is not printable ASCII";
                return lines_fault(r, ret, start, foreign, 1);
        }
        if (end == r->end) {
                *ret_reason = "the last line does not end in a line feed";
                return lines_fault(r, ret, start, end, 0);
        }
        return lines_split(r, start, end, ret, ret_reason);
}

int lines_next(LineReader *r, Line *ret, const char **ret_reason)
{
        Line line;
        int k;

        assert(r);
        assert(ret);
        assert(ret_reason);

        if (r->too_large) {
                const char *start = r->next;

                r->too_large = false;
                r->number = 1;
                r->next = r->end;
                *ret_reason = "file too large";
                return lines_fault(r, ret, start, start, 0);
        }

        while (r->next < r->end) {
                k = lines_read(r, &line, ret_reason);
                if (k == 0 && line.n_words == 0)
                        continue;
                *ret = line;
                return k;
        }
        return LINES_E_END;
}

bool word_is(const Word *w, const char *text)
{
        assert(w);
        assert(text);

        return strlen(text) == w->size && memcmp(w->text, text, w->size) == 0;
}

int word_copy(char **ret, const Word *w)
{
        assert(w);

        return error_fold(string_copy_n(ret, w->text, w->size));
}

static bool is_alphanumeric(char c)
{
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool word_is_name(const Word *w)
{
        assert(w);

        if (w->size < 1 || w->size > LIMIT_NAME_SIZE || !is_alphanumeric(w->text[0]))
                return false;
        for (size_t i = 1; i < w->size; i++)
                if (!is_alphanumeric(w->text[i]) && w->text[i] != '.' && w->text[i] != '_' &&
                    w->text[i] != '-')
                        return false;
        return true;
}
