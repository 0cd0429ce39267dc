/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/hex.h"
#include "journal/merkle.h"
#include "unit/data/journal/vectors.h"

#define BIG 65537

/* Leaves of the tree under test, and a store of finished tiles. */
typedef struct Fixture {
        TreeHash *leaves;
        TreeHash (*tiles[3])[MERKLE_TILE_WIDTH]; /* [level][n] */
        uint64_t n_tiles[3];
        size_t n_reads;
        int fail; /* what the callbacks return */
        Merkle *m;
} Fixture;

static int fixture_full(void *userdata, unsigned level, uint64_t n, const TreeHash hashes[static 256])
{
        Fixture *f = userdata;

        if (f->fail)
                return f->fail;
        assert_true(level < 3);
        assert_int_equal(n, f->n_tiles[level]); /* each once, in order */
        memcpy(f->tiles[level][n], hashes, MERKLE_TILE_SIZE);
        f->n_tiles[level]++;
        return 0;
}

static int fixture_read(void *userdata, unsigned level, uint64_t n, TreeHash ret[static 256])
{
        Fixture *f = userdata;

        if (f->fail)
                return f->fail;
        assert_true(level < 3);
        assert_true(n < f->n_tiles[level]);
        memcpy(ret, f->tiles[level][n], MERKLE_TILE_SIZE);
        f->n_reads++;
        return 0;
}

static int setup(void **state)
{
        Fixture *f = calloc(1, sizeof(*f));
        char text[32];

        f->leaves = calloc(BIG, sizeof(TreeHash));
        for (unsigned i = 0; i < 3; i++)
                f->tiles[i] = calloc(BIG / 256 + 1, MERKLE_TILE_SIZE);
        for (size_t i = 0; i < BIG; i++) {
                snprintf(text, sizeof(text), "entry %zu", i);
                tree_hash_leaf(&f->leaves[i], BLOB_STRING(text));
        }
        assert_int_equal(merkle_new(&f->m, fixture_read, fixture_full, f), 0);
        *state = f;
        return 0;
}

static int teardown(void **state)
{
        Fixture *f = *state;

        merkle_free(f->m);
        for (unsigned i = 0; i < 3; i++)
                free(f->tiles[i]);
        free(f->leaves);
        free(f);
        return 0;
}

static void grow(Fixture *f, uint64_t size)
{
        while (merkle_size(f->m) < size)
                assert_int_equal(merkle_append(f->m, &f->leaves[merkle_size(f->m)]), 0);
}

/* ---- RFC 6962 2.1, word for word ---- */

static size_t split(size_t n)
{
        size_t k = 1;

        while (2 * k < n)
                k *= 2;
        return k;
}

static void mth(TreeHash *ret, const TreeHash *d, size_t n)
{
        TreeHash l, r;

        if (n == 0) {
                tree_hash_empty(ret);
        } else if (n == 1) {
                *ret = d[0];
        } else {
                mth(&l, d, split(n));
                mth(&r, d + split(n), n - split(n));
                tree_hash_node(ret, &l, &r);
        }
}

static size_t path(TreeHash *ret, size_t m, const TreeHash *d, size_t n)
{
        size_t k = split(n), i;

        if (n == 1)
                return 0;
        if (m < k) {
                i = path(ret, m, d, k);
                mth(&ret[i], d + k, n - k);
        } else {
                i = path(ret, m - k, d + k, n - k);
                mth(&ret[i], d, k);
        }
        return i + 1;
}

static size_t subproof(TreeHash *ret, size_t m, const TreeHash *d, size_t n, bool complete)
{
        size_t k = split(n), i;

        if (m == n) {
                if (complete)
                        return 0;
                mth(ret, d, n);
                return 1;
        }
        if (m <= k) {
                i = subproof(ret, m, d, k, complete);
                mth(&ret[i], d + k, n - k);
        } else {
                i = subproof(ret, m - k, d + k, n - k, false);
                mth(&ret[i], d, k);
        }
        return i + 1;
}

/* ---- the checks ---- */

static void check_root(Fixture *f)
{
        TreeHash got, want;

        merkle_root(f->m, &got);
        mth(&want, f->leaves, merkle_size(f->m));
        assert_memory_equal(&got, &want, sizeof(got));
}

static void check_inclusion(Fixture *f, uint64_t index)
{
        uint64_t size = merkle_size(f->m);
        TreeHash got[63], want[63], root;
        size_t n;

        merkle_root(f->m, &root);
        assert_int_equal(merkle_inclusion(f->m, index, got, &n), 0);
        assert_int_equal(n, path(want, index, f->leaves, size));
        assert_memory_equal(got, want, n * sizeof(TreeHash));
        assert_int_equal(tree_verify_inclusion(index, size, &f->leaves[index], &root, got, n), 0);
}

static void check_consistency(Fixture *f, uint64_t old_size)
{
        uint64_t size = merkle_size(f->m);
        TreeHash got[63], want[63], old_root, root;
        size_t n;

        merkle_root(f->m, &root);
        mth(&old_root, f->leaves, old_size);
        assert_int_equal(merkle_consistency(f->m, old_size, got, &n), 0);
        assert_int_equal(n, subproof(want, old_size, f->leaves, size, true));
        assert_memory_equal(got, want, n * sizeof(TreeHash));
        assert_int_equal(tree_verify_consistency(old_size, size, &old_root, &root, got, n), 0);
}

/* ---- tests ---- */

static void merkle_root_of_own_vectors_agrees(void **state)
{
        Fixture *f = *state;
        TreeHash got, want;

        for (size_t i = 0; i < ARRAY_SIZE(vector_roots); i++) {
                grow(f, vector_roots[i].size);
                merkle_root(f->m, &got);
                assert_int_equal(hex_decode(want.bytes, 32, vector_roots[i].root, 64), 0);
                assert_memory_equal(&got, &want, sizeof(got));
        }
}

static void merkle_root_of_every_size_follows_the_definition(void **state)
{
        Fixture *f = *state;

        check_root(f);
        while (merkle_size(f->m) < 1100) {
                grow(f, merkle_size(f->m) + 1);
                check_root(f);
        }
}

static void merkle_root_after_a_proof_and_growth_is_of_the_new_tree(void **state)
{
        Fixture *f = *state;

        grow(f, 5);
        check_inclusion(f, 2); /* fills what the proofs of one size share */
        check_root(f);
        grow(f, 6);
        check_root(f);
        check_inclusion(f, 2);
}

static void merkle_inclusion_of_every_index_is_verified(void **state)
{
        static const uint64_t sizes[] = {1,   2,   3,   4,   5,   6,   7,   8,   9,   31,  32,  33,   127,
                                         128, 129, 255, 256, 257, 258, 511, 512, 513, 700, 768, 1000, 1100};
        Fixture *f = *state;

        for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
                grow(f, sizes[i]);
                for (uint64_t k = 0; k < sizes[i]; k++)
                        check_inclusion(f, k);
        }
}

static void merkle_inclusion_of_last_and_first_is_verified_at_every_size(void **state)
{
        Fixture *f = *state;

        while (merkle_size(f->m) < 800) {
                grow(f, merkle_size(f->m) + 1);
                check_inclusion(f, 0);
                check_inclusion(f, merkle_size(f->m) / 2);
                check_inclusion(f, merkle_size(f->m) - 1);
        }
}

static void merkle_inclusion_past_the_end_is_refused(void **state)
{
        Fixture *f = *state;
        TreeHash proof[63];
        size_t n = 77;

        assert_int_equal(merkle_inclusion(f->m, 0, proof, &n), -EINVAL);
        grow(f, 3);
        assert_int_equal(merkle_inclusion(f->m, 3, proof, &n), -EINVAL);
        assert_int_equal(merkle_inclusion(f->m, UINT64_MAX, proof, &n), -EINVAL);
        assert_int_equal(n, 77);
}

static void merkle_consistency_of_every_old_size_is_verified(void **state)
{
        static const uint64_t sizes[] = {1, 2, 3, 4, 7, 8, 9, 64, 65, 255, 256, 257, 511, 512, 513, 1025};
        Fixture *f = *state;

        for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
                grow(f, sizes[i]);
                for (uint64_t k = 1; k <= sizes[i]; k++)
                        check_consistency(f, k);
        }
}

static void merkle_consistency_of_impossible_old_size_is_refused(void **state)
{
        Fixture *f = *state;
        TreeHash proof[63];
        size_t n = 77;

        grow(f, 3);
        assert_int_equal(merkle_consistency(f->m, 0, proof, &n), -EINVAL);
        assert_int_equal(merkle_consistency(f->m, 4, proof, &n), -EINVAL);
        assert_int_equal(n, 77);
}

/* Pitfalls 11 and 12. */
static void merkle_partial_of_exact_powers_is_empty(void **state)
{
        Fixture *f = *state;
        TreeHash want;
        size_t n;

        grow(f, 255);
        (void)merkle_partial(f->m, 0, &n);
        assert_int_equal(n, 255);
        (void)merkle_partial(f->m, 1, &n);
        assert_int_equal(n, 0);
        grow(f, 256);
        (void)merkle_partial(f->m, 0, &n);
        assert_int_equal(n, 0);
        mth(&want, f->leaves, 256);
        assert_memory_equal(merkle_partial(f->m, 1, &n), &want, sizeof(want));
        assert_int_equal(n, 1);
        grow(f, 65536);
        (void)merkle_partial(f->m, 0, &n);
        assert_int_equal(n, 0);
        (void)merkle_partial(f->m, 1, &n);
        assert_int_equal(n, 0);
        mth(&want, f->leaves, 65536);
        assert_memory_equal(merkle_partial(f->m, 2, &n), &want, sizeof(want));
        assert_int_equal(n, 1);
        assert_int_equal(f->n_tiles[0], 256);
        assert_int_equal(f->n_tiles[1], 1);
}

/* A second tree takes the first one's place, and then both grow alike. */
static void check_restore(Fixture *f, uint64_t size)
{
        Fixture g = *f;
        TreeHash a, b;
        size_t n_tail = size % 256;

        assert_int_equal(merkle_new(&g.m, fixture_read, fixture_full, &g), 0);
        assert_int_equal(merkle_restore(g.m, size, n_tail > 0 ? f->leaves + (size - n_tail) : NULL, n_tail),
                         0);
        assert_int_equal(merkle_size(g.m), size);
        grow(f, size);
        merkle_root(f->m, &a);
        merkle_root(g.m, &b);
        assert_memory_equal(&a, &b, sizeof(a));
        for (unsigned level = 0; level < 3; level++) {
                size_t n, k;
                const TreeHash *p = merkle_partial(f->m, level, &n), *q = merkle_partial(g.m, level, &k);

                assert_int_equal(n, k);
                assert_memory_equal(p, q, n * sizeof(TreeHash));
        }
        if (size > 0) {
                check_inclusion(&g, 0);
                check_inclusion(&g, size - 1);
                check_inclusion(&g, size / 2);
                check_consistency(&g, size / 2 + 1);
        }
        g.m = merkle_free(g.m);
}

static void merkle_restore_at_edges_of_tiles_gives_the_same_tree(void **state)
{
        static const uint64_t sizes[] = {0,   1,   2,    254,  255,   256,   257,   510,   511,   512,  513,
                                         767, 768, 1023, 1024, 65279, 65280, 65281, 65535, 65536, 65537};
        Fixture *f = *state;

        for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
                grow(f, sizes[i]);
                check_restore(f, sizes[i]);
        }
}

static void merkle_restore_then_append_calls_back_for_the_same_tiles(void **state)
{
        Fixture *f = *state;
        Merkle *first;

        grow(f, 65000);
        first = f->m;
        assert_int_equal(merkle_new(&f->m, fixture_read, fixture_full, f), 0);
        assert_int_equal(merkle_restore(f->m, 65000, f->leaves + 64768, 232), 0);
        grow(f, BIG); /* the callback checks order */
        assert_int_equal(f->n_tiles[0], 256);
        assert_int_equal(f->n_tiles[1], 1);
        check_root(f);
        check_inclusion(f, 100);
        check_inclusion(f, 64999);
        check_inclusion(f, 65001);
        check_consistency(f, 65000);
        first = merkle_free(first);
}

static void merkle_restore_of_unreadable_store_passes_the_error_on(void **state)
{
        Fixture *f = *state;
        Merkle *m;

        grow(f, 300);
        assert_int_equal(merkle_new(&m, fixture_read, NULL, f), 0);
        f->fail = -EIO;
        assert_int_equal(merkle_restore(m, 300, f->leaves + 256, 44), -EIO);
        m = merkle_free(m);
}

static void merkle_inclusion_of_unreadable_store_passes_the_error_on(void **state)
{
        Fixture *f = *state;
        Merkle *first;
        TreeHash proof[63];
        size_t n = 77;

        grow(f, 20 * 256 + 3);
        first = f->m;
        assert_int_equal(merkle_new(&f->m, fixture_read, fixture_full, f), 0);
        assert_int_equal(merkle_restore(f->m, 20 * 256 + 3, f->leaves + 20 * 256, 3), 0);
        f->fail = -EIO;
        assert_int_equal(merkle_inclusion(f->m, 0, proof, &n), -EIO);
        assert_int_equal(merkle_consistency(f->m, 7, proof, &n), -EIO);
        assert_int_equal(n, 77);
        /* What is in memory needs no store. */
        assert_int_equal(merkle_inclusion(f->m, 20 * 256 + 1, proof, &n), 0);
        first = merkle_free(first);
}

static void merkle_append_of_refused_tile_passes_the_error_on(void **state)
{
        Fixture *f = *state;

        grow(f, 255);
        f->fail = -ENOSPC;
        assert_int_equal(merkle_append(f->m, &f->leaves[255]), -ENOSPC);
        assert_int_equal(merkle_size(f->m), 255);
}

/* Proofs of the entries appended last - those asked for - need nothing read back. */
static void merkle_inclusion_of_recent_entries_reads_nothing(void **state)
{
        Fixture *f = *state;
        TreeHash proof[63];
        size_t n;

        grow(f, 20000);
        for (uint64_t i = 20000 - 600; i < 20000; i++)
                assert_int_equal(merkle_inclusion(f->m, i, proof, &n), 0);
        assert_int_equal(f->n_reads, 0);
        /* Twin: an old one is read once, and then kept. */
        check_inclusion(f, 1000);
        check_inclusion(f, 1001);
        assert_int_equal(f->n_reads, 1);
}

static void merkle_inclusion_beyond_the_cache_is_still_right(void **state)
{
        Fixture *f = *state;

        grow(f, 256 * 40);
        for (unsigned round = 0; round < 2; round++)
                for (uint64_t tile = 0; tile < 40; tile++)
                        check_inclusion(f, tile * 256 + round);
        assert_true(f->n_reads >= 40);
}

#define merkle_test(_f) cmocka_unit_test_setup_teardown(_f, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                merkle_test(merkle_root_of_own_vectors_agrees),
                merkle_test(merkle_root_of_every_size_follows_the_definition),
                merkle_test(merkle_root_after_a_proof_and_growth_is_of_the_new_tree),
                merkle_test(merkle_inclusion_of_every_index_is_verified),
                merkle_test(merkle_inclusion_of_last_and_first_is_verified_at_every_size),
                merkle_test(merkle_inclusion_past_the_end_is_refused),
                merkle_test(merkle_consistency_of_every_old_size_is_verified),
                merkle_test(merkle_consistency_of_impossible_old_size_is_refused),
                merkle_test(merkle_partial_of_exact_powers_is_empty),
                merkle_test(merkle_restore_at_edges_of_tiles_gives_the_same_tree),
                merkle_test(merkle_restore_then_append_calls_back_for_the_same_tiles),
                merkle_test(merkle_restore_of_unreadable_store_passes_the_error_on),
                merkle_test(merkle_inclusion_of_unreadable_store_passes_the_error_on),
                merkle_test(merkle_append_of_refused_tile_passes_the_error_on),
                merkle_test(merkle_inclusion_of_recent_entries_reads_nothing),
                merkle_test(merkle_inclusion_beyond_the_cache_is_still_right),
        };

        error_set_trace(NULL);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
