/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include "client/intentset.h"

struct IntentPage {
        uint64_t number;
        uint64_t bits[INTENTSET_PAGE_BITS / 64];
};

void intentset_deinit(IntentSet *s)
{
        assert(s);

        for (size_t i = 0; i < s->n_pages; i++)
                free(s->pages[i]);
        free(s->pages);
        *s = (IntentSet){};
}

/* Where the page of that number is, or would have to be put. */
static size_t intentset_find(const IntentSet *s, uint64_t number)
{
        size_t low = 0, high = s->n_pages;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (s->pages[middle]->number < number)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

static int intentset_insert(IntentSet *s, size_t at, uint64_t number)
{
        IntentPage *page;
        int r;

        if (s->n_pages == INTENTSET_PAGES)
                return INTENTSET_E_FULL;
        if (s->n_pages == s->capacity) {
                size_t capacity = s->capacity ? 2 * s->capacity : 16;
                IntentPage **pages = reallocarray(s->pages, capacity, sizeof(IntentPage *));

                if (!pages)
                        return error_origin(-ENOMEM);
                s->pages = pages;
                s->capacity = capacity;
        }
        r = memory_new0(&page, 1);
        if (r)
                return error_fold(r);
        page->number = number;
        memmove(s->pages + at + 1, s->pages + at, (s->n_pages - at) * sizeof(IntentPage *));
        s->pages[at] = page;
        s->n_pages++;
        return 0;
}

int intentset_add(IntentSet *s, uint64_t intent)
{
        uint64_t number = intent / INTENTSET_PAGE_BITS, bit = intent % INTENTSET_PAGE_BITS;
        uint64_t *word, mask = UINT64_C(1) << bit % 64;
        size_t at;
        int r;

        assert(s);

        at = intentset_find(s, number);
        if (at == s->n_pages || s->pages[at]->number != number) {
                r = intentset_insert(s, at, number);
                if (r)
                        return r;
        }
        word = &s->pages[at]->bits[bit / 64];
        if (*word & mask)
                return INTENTSET_E_TWICE;
        *word |= mask;
        return 0;
}
