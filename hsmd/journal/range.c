/* SPDX-License-Identifier: Apache-2.0 */
#include "journal/range.h"

static void range_validate(const Range *r)
{
        assert(r);
        assert(r->size <= TREE_SIZE_MAX);
        assert(r->n == (size_t)__builtin_popcountll(r->size));
}

void range_append(Range *r, const TreeHash *leaf)
{
        TreeHash hash;

        range_validate(r);
        assert(leaf);
        assert(r->size < TREE_SIZE_MAX);

        /* Counting up carries through the low bits that are set: so do the subtrees. */
        hash = *leaf;
        for (uint64_t bits = r->size; bits & 1; bits >>= 1)
                tree_hash_node(&hash, &r->roots[--r->n], &hash);
        r->roots[r->n++] = hash;
        r->size++;
        range_validate(r);
}

void range_append_subtree(Range *r, unsigned height, const TreeHash *root)
{
        range_validate(r);
        assert(root);
        assert(height < 63);
        assert(r->size % ((uint64_t)2 << height) == 0);

        r->roots[r->n++] = *root;
        r->size += (uint64_t)1 << height;
        range_validate(r);
}

void range_root_from(const Range *r, uint64_t start, TreeHash *ret)
{
        size_t n;
        TreeHash hash;

        range_validate(r);
        assert(start < r->size);
        assert(ret);

        n = (size_t)__builtin_popcountll(r->size - start);
        assert(n <= r->n);

        hash = r->roots[r->n - 1];
        for (size_t i = 1; i < n; i++)
                tree_hash_node(&hash, &r->roots[r->n - 1 - i], &hash);
        *ret = hash;
}

void range_root(const Range *r, TreeHash *ret)
{
        range_validate(r);
        assert(ret);

        if (r->size == 0)
                tree_hash_empty(ret);
        else
                range_root_from(r, 0, ret);
}
