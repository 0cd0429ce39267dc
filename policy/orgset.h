/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A set of organisations, by their indices in a policy.  What is counted anywhere in this folder is the size
 * of one of these: a set holds each organisation once, however many keys, signatures or files it comes with.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/macro.h"

#define ORGSET_WORDS (LIMIT_POLICY_NAMES / 64)
static_assert(LIMIT_POLICY_NAMES % 64 == 0, "whole words");

typedef struct OrgSet {
        uint64_t bits[ORGSET_WORDS];
} OrgSet;

static inline void orgset_add(OrgSet *s, size_t org)
{
        assert(org < LIMIT_POLICY_NAMES);
        s->bits[org / 64] |= UINT64_C(1) << (org % 64);
}

static inline bool orgset_has(const OrgSet *s, size_t org)
{
        assert(org < LIMIT_POLICY_NAMES);
        return s->bits[org / 64] >> (org % 64) & 1;
}

static inline OrgSet orgset_both(OrgSet a, OrgSet b)
{
        for (size_t i = 0; i < ORGSET_WORDS; i++)
                a.bits[i] &= b.bits[i];
        return a;
}

static inline OrgSet orgset_either(OrgSet a, OrgSet b)
{
        for (size_t i = 0; i < ORGSET_WORDS; i++)
                a.bits[i] |= b.bits[i];
        return a;
}

static inline OrgSet orgset_without(OrgSet a, OrgSet b)
{
        for (size_t i = 0; i < ORGSET_WORDS; i++)
                a.bits[i] &= ~b.bits[i];
        return a;
}

static inline size_t orgset_size(const OrgSet *s)
{
        size_t n = 0;

        for (size_t i = 0; i < ORGSET_WORDS; i++)
                n += (size_t)__builtin_popcountll(s->bits[i]);
        return n;
}

/* How many members are smaller than this one: its place in an ascending list. */
static inline size_t orgset_rank(const OrgSet *s, size_t org)
{
        size_t n = 0;

        assert(orgset_has(s, org));
        for (size_t i = 0; i < org / 64; i++)
                n += (size_t)__builtin_popcountll(s->bits[i]);
        return n + (size_t)__builtin_popcountll(s->bits[org / 64] & ((UINT64_C(1) << (org % 64)) - 1));
}

/* Writes the members ascending to `ret`, which has room for LIMIT_POLICY_NAMES, and returns how many there
 * are. */
static inline size_t orgset_list(const OrgSet *s, size_t *ret)
{
        size_t n = 0;

        for (size_t i = 0; i < ORGSET_WORDS; i++)
                for (uint64_t w = s->bits[i]; w; w &= w - 1)
                        ret[n++] = i * 64 + (size_t)__builtin_ctzll(w);
        return n;
}
