/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * RFC 6962 2.1 hashing, and the verification of inclusion and consistency proofs (RFC
 * 9162 2.1.3.2, 2.1.4.2). Pure; no recursion, no allocation.  Hashes are SHA-256, 32 bytes.
 */
#include <stdint.h>

#include "base/bytes.h"

#define TREE_HASH_SIZE 32
/* Sizes are at most 2^63 - 1 (C2SP tlog-cosignature, Go's int64). */
#define TREE_SIZE_MAX INT64_MAX

typedef struct TreeHash {
        uint8_t bytes[TREE_HASH_SIZE];
} TreeHash;

enum {
        _TREE_E_SUCCESS,
        TREE_E_INVALID, /* the proof does not prove it */
};

bool tree_hash_equal(const TreeHash *a, const TreeHash *b);
void tree_hash_empty(TreeHash *ret);            /* MTH({}) = SHA-256() */
void tree_hash_leaf(TreeHash *ret, Blob entry); /* SHA-256(0x00 || entry) */
void tree_hash_node(TreeHash *ret, const TreeHash *left,
                    const TreeHash *right); /* SHA-256(0x01 || left || right) */

/* `proof` in RFC order: the leaf's sibling first. */
_must_use_ int tree_verify_inclusion(uint64_t index, uint64_t size, const TreeHash *leaf,
                                     const TreeHash *root, const TreeHash *proof, size_t n_proof);
/* old_size 0 is TREE_E_INVALID here: a statement about the empty tree proves nothing (pitfall 16). */
_must_use_ int tree_verify_consistency(uint64_t old_size, uint64_t new_size, const TreeHash *old_root,
                                       const TreeHash *new_root, const TreeHash *proof, size_t n_proof);
