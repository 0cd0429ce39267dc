/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The writer's tree: appends leaf hashes and makes proofs, in O(log n) each, with bounded memory.
 *
 * It is kept as the tiles of C2SP tlog-tiles (256 hashes wide): the unfinished tile of each level in memory
 * with its inner nodes, finished ones read back through a callback (a small cache keeps those used last).
 */
#include "journal/tree.h"

#define MERKLE_TILE_WIDTH 256
#define MERKLE_TILE_SIZE  (MERKLE_TILE_WIDTH * TREE_HASH_SIZE)

/* Read the finished tile (level, n): 256 hashes.  Negative errno is passed through. */
typedef int (*MerkleRead)(void *userdata, unsigned level, uint64_t n,
                          TreeHash ret[static MERKLE_TILE_WIDTH]);
/* Called from merkle_append() for each tile that has just become full. */
typedef int (*MerkleFull)(void *userdata, unsigned level, uint64_t n,
                          const TreeHash hashes[static MERKLE_TILE_WIDTH]);

typedef struct Merkle Merkle;

/* The empty tree. */
_must_use_ int merkle_new(Merkle **ret, MerkleRead read, MerkleFull full, void *userdata);
Merkle *merkle_free(Merkle *m);
DEFINE_CLEANUP(Merkle *, merkle_free)
/*
 * Take up a tree of `size` leaves: finished tiles come from `read`, the leaves of the unfinished level-0
 * tile (size % 256) from `tail`.  Only for an empty tree.  Reads at most 255 tiles a level.
 */
_must_use_ int merkle_restore(Merkle *m, uint64_t size, const TreeHash *tail, size_t n_tail);

_must_use_ int merkle_append(Merkle *m, const TreeHash *leaf);
uint64_t merkle_size(const Merkle *m);
void merkle_root(const Merkle *m, TreeHash *ret);
/* Proofs about the tree as it is now.  index < size; 0 < old_size <= size.  -EINVAL else. */
_must_use_ int merkle_inclusion(Merkle *m, uint64_t index, TreeHash ret[static 63], size_t *ret_n);
_must_use_ int merkle_consistency(Merkle *m, uint64_t old_size, TreeHash ret[static 63], size_t *ret_n);
/* Hashes of the unfinished tile of `level`; *ret_n is 0 where there is none. */
const TreeHash *merkle_partial(const Merkle *m, unsigned level, size_t *ret_n);
