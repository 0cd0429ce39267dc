/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "journal/journal-internal.h"
#include "journal/proof.h"

int journal_subtree_root(Journal *j, unsigned height, uint64_t i, TreeHash *ret)
{
        TreeHash hashes[MERKLE_TILE_WIDTH];
        unsigned level = height / 8, row = height % 8;
        /* In units of the tile's hashes, of which 2^row make this subtree. */
        uint64_t first = i << row;
        unsigned at = (unsigned)(first % MERKLE_TILE_WIDTH), n = 1u << row;
        int r;

        assert(height < 63);

        r = journal_read_tile(j, level, first / MERKLE_TILE_WIDTH, (at + n) % MERKLE_TILE_WIDTH, hashes);
        if (r)
                return error_fold(r);
        for (; n > 1; n /= 2)
                for (unsigned k = 0; k < n / 2; k++)
                        tree_hash_node(&hashes[at + k], &hashes[at + 2 * k], &hashes[at + 2 * k + 1]);

        *ret = hashes[at];
        return 0;
}

int journal_make_range(Journal *j, uint64_t size, Range *ret)
{
        Range range = RANGE_NULL;
        TreeHash root;
        int r;

        assert(size <= j->lock.size);

        for (unsigned bit = 63; bit-- > 0;) {
                if (!(size >> bit & 1))
                        continue;
                r = journal_subtree_root(j, bit, (size >> bit) - 1, &root);
                if (r)
                        return error_fold(r);
                range_append_subtree(&range, bit, &root);
        }
        *ret = range;
        return 0;
}

/*
 * The path in the published tree while a larger one waits for its signature: rare, hence without a cache.
 * RFC 6962 2.1.1 from the leaf up; what is right of the path and incomplete ends at the tree's end.
 */
static int journal_path_published(Journal *j, uint64_t index, TreeHash path[static LIMIT_PROOF_HASHES],
                                  size_t *ret_n)
{
        uint64_t node = index, last = j->published - 1;
        size_t n = 0;
        int r;

        for (unsigned height = 0; last > 0; height++, node >>= 1, last >>= 1) {
                uint64_t sibling = node ^ 1;

                if (sibling > last)
                        continue;
                assert(n < LIMIT_PROOF_HASHES);
                if (sibling < j->published >> height) {
                        r = journal_subtree_root(j, height, sibling, &path[n++]);
                        if (r)
                                return error_fold(r);
                } else
                        range_root_from(&j->range, sibling << height, &path[n++]);
        }
        *ret_n = n;
        return 0;
}

/* The verifier's code path over the very bytes that are handed out. */
static int journal_verify_proof(const Journal *j, uint64_t index, Blob content, Blob file)
{
        _cleanup_(proof_deinit) Proof proof;
        TreeHash leaf;
        int r;

        r = proof_decode(&proof, file);
        if (r)
                return error_fold(r);
        if (proof.index != index || !blob_equal(buffer_blob(&proof.extra), content))
                return error_origin(-EUCLEAN);
        /* Its signature was verified when it was published, once for all proofs that carry it. */
        if (!blob_equal(proof.checkpoint, buffer_blob(&j->note)))
                return error_origin(-EUCLEAN);
        tree_hash_leaf(&leaf, buffer_blob(&proof.extra));
        return error_fold(tree_verify_inclusion(proof.index, j->checkpoint.size, &leaf, &j->checkpoint.root,
                                                proof.hashes, proof.n_hashes));
}

int journal_proof(Journal *j, uint64_t index, Buffer *out)
{
        TreeHash path[LIMIT_PROOF_HASHES];
        size_t n = 0, before;
        int r;

        assert(j);
        assert(out);

        if (index >= j->published)
                return JOURNAL_E_MISSING;

        buffer_clear(&j->scratch);
        r = store_get_entry(j->store, index, &j->scratch, NULL);
        if (r)
                return error_fold(r);
        if (j->published == j->lock.size)
                r = merkle_inclusion(j->tree, index, path, &n);
        else
                r = journal_path_published(j, index, path, &n);
        if (r)
                return error_fold(r);

        before = out->size;
        r = proof_write(index, path, n, buffer_blob(&j->scratch), buffer_blob(&j->note), out);
        if (r)
                return error_fold(r);
        r = journal_verify_proof(j, index, buffer_blob(&j->scratch),
                                 BLOB(out->data + before, out->size - before));
        if (r)
                out->size = before;
        return error_fold(r);
}
