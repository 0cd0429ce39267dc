/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "base/error.h"
#include "base/limits.h"
#include "journal/merkle.h"

#define TILE_HEIGHT   8
#define TILE_NODES    (2 * MERKLE_TILE_WIDTH - 1)
#define MERKLE_LEVELS 8
#define MERKLE_CACHE  16
#define SIZE_BITS     64

static_assert(1u << TILE_HEIGHT == MERKLE_TILE_WIDTH, "height and width of a tile go together");
static_assert(MERKLE_LEVELS * TILE_HEIGHT >= 63, "the levels cover every size");
static_assert(sizeof(TreeHash) == TREE_HASH_SIZE, "a tile is an array of hashes without gaps");

/* A tile with its inner nodes: row 0 are its hashes, row 8 is its root.  Node i of row h stands at
 * tile_place(h, i); a row is filled from the left as far as the hashes below it go. */
typedef struct Tile {
        TreeHash nodes[TILE_NODES];
} Tile;

typedef struct CachedTile {
        bool valid;
        unsigned level;
        uint64_t n;
        uint64_t used; /* value of the clock when it was used last */
        Tile tile;
} CachedTile;

struct Merkle {
        uint64_t size;
        MerkleRead read;
        MerkleFull full;
        void *userdata;
        Tile edge[MERKLE_LEVELS]; /* the unfinished tile of each level */
        /* ragged[b]: root of the last (size mod 2^b) leaves, where bit b - 1 of the size is set or one below
         * it; good for `ragged_size` only.  All proofs of one batch share these. */
        uint64_t ragged_size;
        TreeHash ragged[SIZE_BITS + 1];
        uint64_t clock;
        CachedTile cache[MERKLE_CACHE];
};

static size_t tile_place(unsigned row, uint64_t i)
{
        assert(row <= TILE_HEIGHT);
        assert(i < (uint64_t)MERKLE_TILE_WIDTH >> row);

        return 2u * MERKLE_TILE_WIDTH - (2u * MERKLE_TILE_WIDTH >> row) + (size_t)i;
}

/* Put hash number `i`; everything left of it is there.  Makes the inner nodes that become complete. */
static void tile_put(Tile *t, unsigned i, const TreeHash *hash)
{
        t->nodes[tile_place(0, i)] = *hash;
        for (unsigned row = 1; i & 1; row++) {
                i >>= 1;
                tree_hash_node(&t->nodes[tile_place(row, i)], &t->nodes[tile_place(row - 1, 2 * i)],
                               &t->nodes[tile_place(row - 1, 2 * i + 1)]);
        }
}

/* Tiles of `level` that are full in a tree of `size`. */
static uint64_t tiles_full(uint64_t size, unsigned level)
{
        unsigned shift = TILE_HEIGHT * (level + 1);

        return shift < SIZE_BITS ? size >> shift : 0;
}

/* Width of the unfinished tile of `level`. */
static unsigned tile_width(uint64_t size, unsigned level)
{
        return (unsigned)((size >> (TILE_HEIGHT * level)) % MERKLE_TILE_WIDTH);
}

int merkle_new(Merkle **ret, MerkleRead read, MerkleFull full, void *userdata)
{
        Merkle *m;
        int r;

        assert(ret);
        assert(read);

        r = memory_new0(&m, 1);
        if (r != 0)
                return error_fold(r);
        m->read = read;
        m->full = full;
        m->userdata = userdata;
        *ret = m;
        return 0;
}

Merkle *merkle_free(Merkle *m)
{
        free(m);
        return NULL;
}

uint64_t merkle_size(const Merkle *m)
{
        assert(m);

        return m->size;
}

/* ---- finished tiles ---- */

static CachedTile *cache_find(Merkle *m, unsigned level, uint64_t n)
{
        for (size_t i = 0; i < MERKLE_CACHE; i++)
                if (m->cache[i].valid && m->cache[i].level == level && m->cache[i].n == n)
                        return &m->cache[i];
        return NULL;
}

/* A free place, or the one not used for longest. */
static CachedTile *cache_victim(Merkle *m)
{
        CachedTile *victim = &m->cache[0];

        for (size_t i = 0; i < MERKLE_CACHE; i++) {
                if (!m->cache[i].valid)
                        return &m->cache[i];
                if (m->cache[i].used < victim->used)
                        victim = &m->cache[i];
        }
        return victim;
}

static void cache_claim(Merkle *m, CachedTile *c, unsigned level, uint64_t n)
{
        c->valid = true;
        c->level = level;
        c->n = n;
        c->used = ++m->clock;
}

/* The finished tile (level, n), expanded; valid until the next call. */
static int merkle_tile(Merkle *m, unsigned level, uint64_t n, const Tile **ret)
{
        TreeHash hashes[MERKLE_TILE_WIDTH];
        CachedTile *c;
        int r;

        assert(n < tiles_full(m->size, level));

        c = cache_find(m, level, n);
        if (!c) {
                r = m->read(m->userdata, level, n, hashes);
                if (r != 0)
                        return error_fold(r);
                c = cache_victim(m);
                for (unsigned i = 0; i < MERKLE_TILE_WIDTH; i++)
                        tile_put(&c->tile, i, &hashes[i]);
        }
        cache_claim(m, c, level, n);
        *ret = &c->tile;
        return 0;
}

/* ---- growing ---- */

int merkle_append(Merkle *m, const TreeHash *leaf)
{
        TreeHash hash;
        int r;

        assert(m);
        assert(leaf);
        assert(m->size < TREE_SIZE_MAX);

        hash = *leaf;
        for (unsigned level = 0;; level++) {
                unsigned i = tile_width(m->size, level);
                Tile *edge = &m->edge[level];
                CachedTile *c;

                assert(level < MERKLE_LEVELS);
                tile_put(edge, i, &hash);
                if (i < MERKLE_TILE_WIDTH - 1)
                        break;

                if (m->full) {
                        r = m->full(m->userdata, level, tiles_full(m->size, level), edge->nodes);
                        if (r != 0)
                                return error_fold(r);
                }
                /* The proofs of this very batch will ask for it. */
                c = cache_victim(m);
                c->tile = *edge;
                cache_claim(m, c, level, tiles_full(m->size, level));
                hash = edge->nodes[tile_place(TILE_HEIGHT, 0)];
        }
        m->size++;
        return 0;
}

/* The hashes of the unfinished tile of `level` are the roots of the last finished tiles below it. */
static int merkle_restore_level(Merkle *m, unsigned level)
{
        unsigned width = tile_width(m->size, level);
        uint64_t first = tiles_full(m->size, level) * MERKLE_TILE_WIDTH;
        const Tile *below;
        int r;

        for (unsigned i = 0; i < width; i++) {
                r = merkle_tile(m, level - 1, first + i, &below);
                if (r != 0)
                        return error_fold(r);
                tile_put(&m->edge[level], i, &below->nodes[tile_place(TILE_HEIGHT, 0)]);
        }
        return 0;
}

int merkle_restore(Merkle *m, uint64_t size, const TreeHash *tail, size_t n_tail)
{
        int r;

        assert(m);
        assert(m->size == 0);
        assert(size <= TREE_SIZE_MAX);
        assert(n_tail == size % MERKLE_TILE_WIDTH);
        assert(tail || n_tail == 0);

        m->size = size;
        for (unsigned i = 0; i < n_tail; i++)
                tile_put(&m->edge[0], i, &tail[i]);
        for (unsigned level = 1; level < MERKLE_LEVELS; level++) {
                r = merkle_restore_level(m, level);
                if (r != 0)
                        return error_fold(r);
        }
        return 0;
}

const TreeHash *merkle_partial(const Merkle *m, unsigned level, size_t *ret_n)
{
        assert(m);
        assert(level < MERKLE_LEVELS);
        assert(ret_n);

        *ret_n = tile_width(m->size, level);
        return m->edge[level].nodes;
}

/* ---- nodes ---- */

/* The last perfect subtree of height `bit`, where that bit of the size is set: it is in an unfinished tile.
 */
static const TreeHash *merkle_edge_node(const Merkle *m, unsigned bit)
{
        unsigned level = bit / TILE_HEIGHT, row = bit % TILE_HEIGHT;

        return &m->edge[level].nodes[tile_place(row, (tile_width(m->size, level) >> row) - 1)];
}

/*
 * RFC 6962 2.1 splits a tree at the largest power of two below its size, hence the root of n leaves is that
 * of the perfect subtrees for the bits of n, folded from the right.  Writes one fold for each bit passed.
 */
static void merkle_fold(const Merkle *m, TreeHash ragged[static SIZE_BITS + 1])
{
        bool any = false;

        for (unsigned bit = 0; bit < SIZE_BITS - 1; bit++) {
                TreeHash *next = &ragged[bit + 1];

                if (!((m->size >> bit) & 1)) {
                        if (any)
                                *next = ragged[bit];
                } else if (any)
                        tree_hash_node(next, merkle_edge_node(m, bit), &ragged[bit]);
                else {
                        *next = *merkle_edge_node(m, bit);
                        any = true;
                }
        }
}

void merkle_root(const Merkle *m, TreeHash *ret)
{
        TreeHash ragged[SIZE_BITS + 1];

        assert(m);
        assert(ret);

        if (m->size == 0) {
                tree_hash_empty(ret);
                return;
        }
        if (m->ragged_size == m->size) {
                *ret = m->ragged[SIZE_BITS - 1];
                return;
        }
        merkle_fold(m, ragged);
        *ret = ragged[SIZE_BITS - 1];
}

/* Root of the leaves from the last multiple of 2^height on; there is at least one. */
static const TreeHash *merkle_ragged(Merkle *m, unsigned height)
{
        if (m->ragged_size != m->size) {
                merkle_fold(m, m->ragged);
                m->ragged_size = m->size;
        }
        return &m->ragged[height];
}

/* Node `i` of `height`, a perfect subtree of the tree as it is. */
static int merkle_node(Merkle *m, unsigned height, uint64_t i, TreeHash *ret)
{
        unsigned level = height / TILE_HEIGHT, row = height % TILE_HEIGHT;
        uint64_t n = i >> (TILE_HEIGHT - row);
        size_t place = tile_place(row, i & (((uint64_t)MERKLE_TILE_WIDTH >> row) - 1));
        const Tile *tile;
        int r;

        assert(i < m->size >> height);

        if (n == tiles_full(m->size, level)) {
                *ret = m->edge[level].nodes[place];
                return 0;
        }
        r = merkle_tile(m, level, n, &tile);
        if (r != 0)
                return error_fold(r);
        *ret = tile->nodes[place];
        return 0;
}

/* ---- proofs ---- */

/* Append the siblings on the way from node `i` of `height` up to the root. */
static int merkle_path(Merkle *m, unsigned height, uint64_t i, TreeHash *path, size_t *n)
{
        uint64_t last = (m->size - 1) >> height;
        int r;

        for (; last > 0; height++, i >>= 1, last >>= 1) {
                uint64_t sibling = i ^ 1;

                if (sibling > last)
                        continue; /* unpaired: handed up unchanged */
                /* Only near 2^63 leaves could a path be longer than what the formats admit. */
                if (NEVER(*n == LIMIT_PROOF_HASHES))
                        return error_origin(-EOVERFLOW);
                if (sibling < m->size >> height) {
                        r = merkle_node(m, height, sibling, &path[*n]);
                        if (r != 0)
                                return error_fold(r);
                } else
                        path[*n] = *merkle_ragged(m, height);
                (*n)++;
        }
        return 0;
}

int merkle_inclusion(Merkle *m, uint64_t index, TreeHash ret[static 63], size_t *ret_n)
{
        size_t n = 0;
        int r;

        assert(m);
        assert(ret);
        assert(ret_n);

        if (index >= m->size)
                return error_origin(-EINVAL);
        r = merkle_path(m, 0, index, ret, &n);
        if (r != 0)
                return error_fold(r);
        *ret_n = n;
        return 0;
}

/*
 * RFC 6962 2.1.2, without its recursion: the last perfect subtree of the old tree is a node of both trees.
 * Its siblings up to the root prove it in both; it is itself left out where it is the whole old tree.
 */
int merkle_consistency(Merkle *m, uint64_t old_size, TreeHash ret[static 63], size_t *ret_n)
{
        unsigned height;
        uint64_t i;
        size_t n = 0;
        int r;

        assert(m);
        assert(ret);
        assert(ret_n);

        if (old_size == 0 || old_size > m->size)
                return error_origin(-EINVAL);
        if (old_size < m->size) {
                height = (unsigned)__builtin_ctzll(old_size);
                i = (old_size >> height) - 1;
                if (i > 0) {
                        r = merkle_node(m, height, i, &ret[n++]);
                        if (r != 0)
                                return error_fold(r);
                }
                r = merkle_path(m, height, i, ret, &n);
                if (r != 0)
                        return error_fold(r);
        }
        *ret_n = n;
        return 0;
}
