/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/decision.h"

typedef struct Sequence { /* of UTF-8, by its first byte: RFC 3629 */
        uint8_t first, last;
        uint8_t size;
        uint8_t low, high; /* of the second byte: excludes overlong forms, surrogates, and what is past
                              U+10FFFF */
} Sequence;

static const Sequence sequences[] = {
        {0x20, 0x7e, 1, 0, 0},       {0xc2, 0xc2, 2, 0xa0, 0xbf}, /* not U+0080 to U+009F: control characters
                                                                   */
        {0xc3, 0xdf, 2, 0x80, 0xbf}, {0xe0, 0xe0, 3, 0xa0, 0xbf}, {0xe1, 0xec, 3, 0x80, 0xbf},
        {0xed, 0xed, 3, 0x80, 0x9f}, {0xee, 0xef, 3, 0x80, 0xbf}, {0xf0, 0xf0, 4, 0x90, 0xbf},
        {0xf1, 0xf3, 4, 0x80, 0xbf}, {0xf4, 0xf4, 4, 0x80, 0x8f},
};

static const Sequence *sequence_find(uint8_t first)
{
        for (size_t i = 0; i < ARRAY_SIZE(sequences); i++)
                if (first >= sequences[i].first && first <= sequences[i].last)
                        return &sequences[i];
        return NULL;
}

/* Bytes of the character at `p`; 0 if it is none, or a control character. */
static size_t character_size(const uint8_t *p, size_t size)
{
        const Sequence *s = sequence_find(p[0]);

        if (!s || size < s->size)
                return 0;
        if (s->size > 1 && (p[1] < s->low || p[1] > s->high))
                return 0;
        for (size_t i = 2; i < s->size; i++)
                if ((p[i] & 0xc0) != 0x80)
                        return 0;
        return s->size;
}

bool decision_artifact_name_valid(const char *name, size_t size)
{
        const uint8_t *p = (const uint8_t *)name;

        assert(name || size == 0);

        if (size == 0 || size > LIMIT_ARTIFACT_NAME)
                return false;
        if (memchr(name, '/', size) || blob_equal_string(BLOB(name, size), ".") ||
            blob_equal_string(BLOB(name, size), ".."))
                return false;
        for (size_t i = 0, n; i < size; i += n) {
                n = character_size(p + i, size - i);
                if (n == 0)
                        return false;
        }
        return true;
}
