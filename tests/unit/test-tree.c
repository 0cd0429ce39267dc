/* SPDX-License-Identifier: Apache-2.0 */
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/crypto.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/limits.h"
#include "base/sjson.h"
#include "journal/tree.h"
#include "unit/data/journal/vectors.h"

#define MERKLE_PROBES TEST_SOURCE_DIR "/../shared/vectors/merkle/testdata"

static void root_of(TreeHash *ret, uint64_t size)
{
        for (size_t i = 0; i < ARRAY_SIZE(vector_roots); i++)
                if (vector_roots[i].size == size) {
                        assert_int_equal(hex_decode(ret->bytes, TREE_HASH_SIZE, vector_roots[i].root, 64),
                                         0);
                        return;
                }
        fail_msg("no root of size %ju", (uintmax_t)size);
}

static void leaf_of(TreeHash *ret, uint64_t index)
{
        char text[32];

        snprintf(text, sizeof(text), "entry %ju", (uintmax_t)index);
        tree_hash_leaf(ret, BLOB_STRING(text));
}

static size_t proof_of(TreeHash *ret, const char *hex)
{
        size_t n = strlen(hex) / 64;

        assert_true(n <= LIMIT_PROOF_HASHES);
        for (size_t i = 0; i < n; i++)
                assert_int_equal(hex_decode(ret[i].bytes, TREE_HASH_SIZE, hex + 64 * i, 64), 0);
        return n;
}

/* ---- hashes ---- */

static void tree_hash_empty_always_is_hash_of_nothing(void **state)
{
        TreeHash got, want;

        (void)state;
        tree_hash_empty(&got);
        root_of(&want, 0);
        assert_true(tree_hash_equal(&got, &want));
        assert_memory_equal(got.bytes, "\xe3\xb0\xc4\x42\x98\xfc\x1c\x14", 8);
}

static void tree_hash_leaf_of_one_entry_is_the_root(void **state)
{
        TreeHash got, want;

        (void)state;
        leaf_of(&got, 0);
        root_of(&want, 1);
        assert_true(tree_hash_equal(&got, &want));
}

static void tree_hash_leaf_of_empty_entry_differs_from_empty_tree(void **state)
{
        TreeHash leaf, tree;
        uint8_t want[TREE_HASH_SIZE];

        (void)state;
        tree_hash_leaf(&leaf, BLOB_NULL);
        tree_hash_empty(&tree);
        assert_false(tree_hash_equal(&leaf, &tree));
        assert_int_equal(
                hex_decode(want, 32, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d", 64),
                0);
        assert_memory_equal(leaf.bytes, want, TREE_HASH_SIZE);
}

static void tree_hash_node_of_two_leaves_is_the_root(void **state)
{
        TreeHash a, b, want;

        (void)state;
        leaf_of(&a, 0);
        leaf_of(&b, 1);
        root_of(&want, 2);
        tree_hash_node(&a, &a, &b); /* in place */
        assert_true(tree_hash_equal(&a, &want));
}

static void tree_hash_node_of_swapped_leaves_is_another(void **state)
{
        TreeHash a, b, want;

        (void)state;
        leaf_of(&a, 0);
        leaf_of(&b, 1);
        root_of(&want, 2);
        tree_hash_node(&b, &b, &a);
        assert_false(tree_hash_equal(&b, &want));
}

/* Pitfall 14: the greatest entry of the format, though ours are shorter. */
static void tree_hash_leaf_of_greatest_entry_is_prefixed(void **state)
{
        static uint8_t entry[1 + 65535];
        TreeHash got;
        uint8_t want[SHA256_SIZE];

        (void)state;
        memset(entry + 1, 'x', 65535);
        tree_hash_leaf(&got, BLOB(entry + 1, 65535));
        sha256(want, entry, sizeof(entry));
        assert_memory_equal(got.bytes, want, TREE_HASH_SIZE);
}

/* ---- inclusion ---- */

static void tree_verify_inclusion_of_own_vectors_holds(void **state)
{
        TreeHash leaf, root, proof[LIMIT_PROOF_HASHES];

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(vector_inclusion); i++) {
                size_t n = proof_of(proof, vector_inclusion[i].proof);

                leaf_of(&leaf, vector_inclusion[i].index);
                root_of(&root, vector_inclusion[i].size);
                assert_int_equal(tree_verify_inclusion(vector_inclusion[i].index, vector_inclusion[i].size,
                                                       &leaf, &root, proof, n),
                                 0);
        }
}

/* Every single change of a good proof has to make it a bad one. */
static void inclusion_mutations(uint64_t index, uint64_t size, const TreeHash *leaf, const TreeHash *root,
                                TreeHash *proof, size_t n)
{
        TreeHash bad = *leaf;

        bad.bytes[31] ^= 1;
        assert_int_equal(tree_verify_inclusion(index, size, &bad, root, proof, n), TREE_E_INVALID);
        bad = *root;
        bad.bytes[0] ^= 0x80;
        assert_int_equal(tree_verify_inclusion(index, size, leaf, &bad, proof, n), TREE_E_INVALID);
        for (size_t k = 0; k < n; k++) {
                proof[k].bytes[k % 32] ^= 4;
                assert_int_equal(tree_verify_inclusion(index, size, leaf, root, proof, n), TREE_E_INVALID);
                proof[k].bytes[k % 32] ^= 4;
        }
        if (n > 0)
                assert_int_equal(tree_verify_inclusion(index, size, leaf, root, proof, n - 1),
                                 TREE_E_INVALID);
        /* pitfall 17: longer than needed */
        proof[n] = *root;
        assert_int_equal(tree_verify_inclusion(index, size, leaf, root, proof, n + 1), TREE_E_INVALID);
        proof[n] = *leaf;
        assert_int_equal(tree_verify_inclusion(index, size, leaf, root, proof, n + 1), TREE_E_INVALID);
        assert_int_equal(tree_verify_inclusion(size, size, leaf, root, proof, n), TREE_E_INVALID);
        assert_int_equal(tree_verify_inclusion(index ^ 1, size, leaf, root, proof, n), TREE_E_INVALID);
}

static void tree_verify_inclusion_of_changed_vectors_fails(void **state)
{
        TreeHash leaf, root, proof[LIMIT_PROOF_HASHES + 1];

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(vector_inclusion); i++) {
                size_t n = proof_of(proof, vector_inclusion[i].proof);

                leaf_of(&leaf, vector_inclusion[i].index);
                root_of(&root, vector_inclusion[i].size);
                inclusion_mutations(vector_inclusion[i].index, vector_inclusion[i].size, &leaf, &root, proof,
                                    n);
        }
}

static void tree_verify_inclusion_of_impossible_size_fails(void **state)
{
        TreeHash leaf;

        (void)state;
        leaf_of(&leaf, 0);
        assert_int_equal(tree_verify_inclusion(0, 1, &leaf, &leaf, NULL, 0), 0);
        assert_int_equal(tree_verify_inclusion(0, 0, &leaf, &leaf, NULL, 0), TREE_E_INVALID);
        assert_int_equal(tree_verify_inclusion(0, UINT64_C(1) << 63, &leaf, &leaf, NULL, 0), TREE_E_INVALID);
        assert_int_equal(tree_verify_inclusion(0, UINT64_MAX, &leaf, &leaf, NULL, 0), TREE_E_INVALID);
        assert_int_equal(tree_verify_inclusion(UINT64_MAX, UINT64_MAX, &leaf, &leaf, NULL, 0),
                         TREE_E_INVALID);
}

/* ---- consistency ---- */

static void tree_verify_consistency_of_own_vectors_holds(void **state)
{
        TreeHash a, b, proof[LIMIT_PROOF_HASHES];

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(vector_consistency); i++) {
                size_t n = proof_of(proof, vector_consistency[i].proof);

                root_of(&a, vector_consistency[i].old_size);
                root_of(&b, vector_consistency[i].new_size);
                assert_int_equal(tree_verify_consistency(vector_consistency[i].old_size,
                                                         vector_consistency[i].new_size, &a, &b, proof, n),
                                 0);
        }
}

static void consistency_mutations(uint64_t old_size, uint64_t new_size, const TreeHash *a, const TreeHash *b,
                                  TreeHash *proof, size_t n)
{
        TreeHash bad = *a;

        bad.bytes[3] ^= 1;
        assert_int_equal(tree_verify_consistency(old_size, new_size, &bad, b, proof, n), TREE_E_INVALID);
        bad = *b;
        bad.bytes[3] ^= 1;
        assert_int_equal(tree_verify_consistency(old_size, new_size, a, &bad, proof, n), TREE_E_INVALID);
        for (size_t k = 0; k < n; k++) {
                proof[k].bytes[k % 32] ^= 4;
                assert_int_equal(tree_verify_consistency(old_size, new_size, a, b, proof, n),
                                 TREE_E_INVALID);
                proof[k].bytes[k % 32] ^= 4;
        }
        if (n > 0)
                assert_int_equal(tree_verify_consistency(old_size, new_size, a, b, proof, n - 1),
                                 TREE_E_INVALID);
        proof[n] = *b;
        assert_int_equal(tree_verify_consistency(old_size, new_size, a, b, proof, n + 1), TREE_E_INVALID);
        if (old_size != new_size)
                assert_int_equal(tree_verify_consistency(new_size, old_size, b, a, proof, n),
                                 TREE_E_INVALID);
        assert_int_equal(tree_verify_consistency(0, new_size, a, b, proof, n), TREE_E_INVALID);
}

static void tree_verify_consistency_of_changed_vectors_fails(void **state)
{
        TreeHash a, b, proof[LIMIT_PROOF_HASHES + 1];

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(vector_consistency); i++) {
                size_t n = proof_of(proof, vector_consistency[i].proof);

                root_of(&a, vector_consistency[i].old_size);
                root_of(&b, vector_consistency[i].new_size);
                consistency_mutations(vector_consistency[i].old_size, vector_consistency[i].new_size, &a, &b,
                                      proof, n);
        }
}

/* Pitfall 16: the primitive refuses the empty tree, whatever the roots are. */
static void tree_verify_consistency_of_empty_tree_fails(void **state)
{
        TreeHash empty, one;

        (void)state;
        tree_hash_empty(&empty);
        root_of(&one, 1);
        assert_int_equal(tree_verify_consistency(1, 1, &one, &one, NULL, 0), 0);
        assert_int_equal(tree_verify_consistency(0, 0, &empty, &empty, NULL, 0), TREE_E_INVALID);
        assert_int_equal(tree_verify_consistency(0, 1, &empty, &one, NULL, 0), TREE_E_INVALID);
        assert_int_equal(tree_verify_consistency(1, UINT64_C(1) << 63, &one, &one, NULL, 0), TREE_E_INVALID);
}

/* ---- the probes of transparency-dev/merkle ---- */

static size_t n_probes, n_good, n_bad;

/* False for what cannot be a hash.  One good probe has roots of 12 bytes, both alike: zeros fill them up. */
static bool probe_hash(TreeHash *ret, const SJson *v)
{
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;
        const char *text;
        size_t size;

        memset(ret, 0, sizeof(*ret));
        if (!sjson_is_string(v))
                return false;
        text = sjson_string(v, &size);
        if (base64_decode(&out, BASE64_STANDARD, text, size) != 0 || out.size == 0 ||
            out.size > TREE_HASH_SIZE)
                return false;
        memcpy(ret->bytes, out.data, out.size);
        return true;
}

static bool probe_member_hash(TreeHash *ret, const SJson *probe, const char *name)
{
        SJson *v;

        return sjson_get(probe, name, &v) == 0 && probe_hash(ret, v);
}

static int probe_verify(const SJson *probe)
{
        TreeHash proof[LIMIT_PROOF_HASHES + 1], a, b;
        uint64_t x, y;
        SJson *array;
        size_t n = 0;

        if (sjson_get_array(probe, "proof", &array) == 0) {
                n = sjson_size(array);
                assert_true(n <= ARRAY_SIZE(proof));
                for (size_t i = 0; i < n; i++)
                        if (!probe_hash(&proof[i], sjson_at(array, i)))
                                return TREE_E_INVALID;
        }
        if (sjson_get_u64(probe, "leafIdx", &x) == 0) {
                assert_int_equal(sjson_get_u64(probe, "treeSize", &y), 0);
                if (!probe_member_hash(&a, probe, "leafHash") || !probe_member_hash(&b, probe, "root"))
                        return TREE_E_INVALID;
                return tree_verify_inclusion(x, y, &a, &b, proof, n);
        }
        assert_int_equal(sjson_get_u64(probe, "size1", &x), 0);
        assert_int_equal(sjson_get_u64(probe, "size2", &y), 0);
        if (!probe_member_hash(&a, probe, "root1") || !probe_member_hash(&b, probe, "root2"))
                return TREE_E_INVALID;
        return tree_verify_consistency(x, y, &a, &b, proof, n);
}

static int probe_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
        _cleanup_(buffer_deinit) Buffer file = BUFFER_NULL;
        _cleanup_(sjson_freep) SJson *probe = NULL;
        bool want_error;

        (void)st;
        (void)ftw;
        if (type != FTW_F)
                return 0;
        assert_int_equal(file_read(&file, path, 65536), 0);
        if (sjson_parse(&probe, file.data, file.size, NULL) != 0) {
                /* an index such as 2^64 - 1 is refused by our JSON already */
                assert_non_null(strstr((char *)file.data, "\"wantErr\": true"));
                return 0;
        }
        assert_int_equal(sjson_get_bool(probe, "wantErr", &want_error), 0);
        n_probes++;
        *(want_error ? &n_bad : &n_good) += 1;
        if ((probe_verify(probe) != 0) != want_error)
                fail_msg("%s", path);
        return 0;
}

static void tree_verify_of_public_probes_agrees(void **state)
{
        (void)state;
        if (access(MERKLE_PROBES, R_OK) != 0)
                skip();
        assert_int_equal(nftw(MERKLE_PROBES, probe_file, 16, FTW_PHYS), 0);
        assert_true(n_probes > 150);
        assert_true(n_good > 10);
        assert_true(n_bad > 100);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(tree_hash_empty_always_is_hash_of_nothing),
                cmocka_unit_test(tree_hash_leaf_of_one_entry_is_the_root),
                cmocka_unit_test(tree_hash_leaf_of_empty_entry_differs_from_empty_tree),
                cmocka_unit_test(tree_hash_node_of_two_leaves_is_the_root),
                cmocka_unit_test(tree_hash_node_of_swapped_leaves_is_another),
                cmocka_unit_test(tree_hash_leaf_of_greatest_entry_is_prefixed),
                cmocka_unit_test(tree_verify_inclusion_of_own_vectors_holds),
                cmocka_unit_test(tree_verify_inclusion_of_changed_vectors_fails),
                cmocka_unit_test(tree_verify_inclusion_of_impossible_size_fails),
                cmocka_unit_test(tree_verify_consistency_of_own_vectors_holds),
                cmocka_unit_test(tree_verify_consistency_of_changed_vectors_fails),
                cmocka_unit_test(tree_verify_consistency_of_empty_tree_fails),
                cmocka_unit_test(tree_verify_of_public_probes_agrees),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
