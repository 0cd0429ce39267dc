/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "base/crypto.h"
#include "journal/tree.h"

static_assert(TREE_HASH_SIZE == SHA256_SIZE, "the tree is made of SHA-256");

/* RFC 6962 2.1: the prefixes give "domain separation between leaves and nodes", without which a node could
 * be passed off as a leaf. */
enum {
        TREE_PREFIX_LEAF = 0x00,
        TREE_PREFIX_NODE = 0x01,
};

bool tree_hash_equal(const TreeHash *a, const TreeHash *b)
{
        assert(a);
        assert(b);

        return memcmp(a->bytes, b->bytes, TREE_HASH_SIZE) == 0;
}

void tree_hash_empty(TreeHash *ret)
{
        assert(ret);

        sha256(ret->bytes, "", 0);
}

void tree_hash_leaf(TreeHash *ret, Blob entry)
{
        assert(ret);
        assert(entry.data || entry.size == 0);

        sha256_prefixed(ret->bytes, TREE_PREFIX_LEAF, entry, BLOB_NULL);
}

void tree_hash_node(TreeHash *ret, const TreeHash *left, const TreeHash *right)
{
        TreeHash node;

        assert(ret);
        assert(left);
        assert(right);

        /* `ret` may be one of the two */
        sha256_prefixed(node.bytes, TREE_PREFIX_NODE, BLOB(left->bytes, TREE_HASH_SIZE),
                        BLOB(right->bytes, TREE_HASH_SIZE));
        *ret = node;
}

/* Where a proof stands: the node on the way up (fn), and the last node of the tree on that level (sn). */
typedef struct TreeWalk {
        uint64_t fn, sn;
} TreeWalk;

/* True if the next hash of the proof belongs to the left of the node. */
static bool tree_walk_is_right_child(const TreeWalk *w)
{
        return (w->fn & 1) || w->fn == w->sn;
}

/* RFC 9162 2.1.3.2: "If LSB(fn) is not set, then right-shift both fn and sn equally until either LSB(fn) is
 * set or fn is 0" - the levels on which an unpaired last node was handed up unchanged. */
static void tree_walk_skip_unpaired(TreeWalk *w)
{
        while (!(w->fn & 1) && w->fn != 0) {
                w->fn >>= 1;
                w->sn >>= 1;
        }
}

static void tree_walk_up(TreeWalk *w)
{
        w->fn >>= 1;
        w->sn >>= 1;
}

int tree_verify_inclusion(uint64_t index, uint64_t size, const TreeHash *leaf, const TreeHash *root,
                          const TreeHash *proof, size_t n_proof)
{
        TreeWalk w = {.fn = index, .sn = size - 1};
        TreeHash r;

        assert(leaf);
        assert(root);
        assert(proof || n_proof == 0);

        if (size > TREE_SIZE_MAX || index >= size)
                return TREE_E_INVALID;

        r = *leaf;
        for (size_t i = 0; i < n_proof; i++) {
                if (w.sn == 0)
                        return TREE_E_INVALID; /* longer than the way to the root */
                if (tree_walk_is_right_child(&w)) {
                        tree_hash_node(&r, &proof[i], &r);
                        tree_walk_skip_unpaired(&w);
                } else
                        tree_hash_node(&r, &r, &proof[i]);
                tree_walk_up(&w);
        }
        return w.sn == 0 && tree_hash_equal(&r, root) ? 0 : TREE_E_INVALID;
}

/* The part of a consistency proof above the node that both trees share; *fr and *sr start as that node. */
static int tree_verify_above(TreeWalk w, TreeHash *fr, TreeHash *sr, const TreeHash *proof, size_t n_proof)
{
        for (size_t i = 0; i < n_proof; i++) {
                if (w.sn == 0)
                        return TREE_E_INVALID;
                if (tree_walk_is_right_child(&w)) {
                        tree_hash_node(fr, &proof[i], fr);
                        tree_hash_node(sr, &proof[i], sr);
                        tree_walk_skip_unpaired(&w);
                } else
                        tree_hash_node(sr, sr, &proof[i]);
                tree_walk_up(&w);
        }
        return w.sn == 0 ? 0 : TREE_E_INVALID;
}

int tree_verify_consistency(uint64_t old_size, uint64_t new_size, const TreeHash *old_root,
                            const TreeHash *new_root, const TreeHash *proof, size_t n_proof)
{
        TreeWalk w = {.fn = old_size - 1, .sn = new_size - 1};
        TreeHash fr, sr;
        size_t used = 0;

        assert(old_root);
        assert(new_root);
        assert(proof || n_proof == 0);

        if (old_size == 0 || old_size > new_size || new_size > TREE_SIZE_MAX)
                return TREE_E_INVALID;
        if (old_size == new_size)
                return n_proof == 0 && tree_hash_equal(old_root, new_root) ? 0 : TREE_E_INVALID;
        if (n_proof == 0)
                return TREE_E_INVALID;

        /* RFC 9162 2.1.4.2: "If first is an exact power of 2, then prepend first_hash to the
         * consistency_path array" */
        fr = (old_size & (old_size - 1)) == 0 ? *old_root : proof[used++];
        sr = fr;
        while (w.fn & 1)
                tree_walk_up(&w);

        if (tree_verify_above(w, &fr, &sr, proof + used, n_proof - used) != 0)
                return TREE_E_INVALID;
        return tree_hash_equal(&fr, old_root) && tree_hash_equal(&sr, new_root) ? 0 : TREE_E_INVALID;
}
