/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The root of a tree from its leaves alone, in the order they come: the roots of its perfect subtrees, one
 * for each bit of the size.  It shares no code with merkle.c, whose root it is the second opinion on.  Pure.
 */
#include "journal/tree.h"

typedef struct Range {
        uint64_t size;
        size_t n;           /* bits set in `size` */
        TreeHash roots[63]; /* largest subtree first */
} Range;

#define RANGE_NULL                                                                                          \
        {                                                                                                   \
                0                                                                                           \
        }

void range_append(Range *r, const TreeHash *leaf);
/* Takes up the next, smaller perfect subtree: 2^height leaves. */
void range_append_subtree(Range *r, unsigned height, const TreeHash *root);
void range_root(const Range *r, TreeHash *ret);
/* Root of the leaves from `start` on, where one of the subtrees begins; start < size. */
void range_root_from(const Range *r, uint64_t start, TreeHash *ret);
