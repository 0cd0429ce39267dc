/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macro.h"
#include "journal/range.h"

#define N 300

static TreeHash leaves[N];

/* RFC 6962 2.1 as it is written: MTH(D[from:to]). */
static void mth(size_t from, size_t to, TreeHash *ret)
{
        TreeHash left, right;
        size_t k = 1;

        if (to - from == 1) {
                *ret = leaves[from];
                return;
        }
        while (2 * k < to - from)
                k *= 2;
        mth(from, from + k, &left);
        mth(from + k, to, &right);
        tree_hash_node(ret, &left, &right);
}

static int make_leaves(void **state)
{
        (void)state;
        for (size_t i = 0; i < N; i++)
                tree_hash_leaf(&leaves[i], BLOB(&i, sizeof(i)));
        return 0;
}

static void range_root_each_size_is_that_of_the_definition(void **state)
{
        Range r = RANGE_NULL;
        TreeHash root, expected;

        (void)state;
        range_root(&r, &root);
        tree_hash_empty(&expected);
        assert_true(tree_hash_equal(&root, &expected));
        for (size_t size = 1; size <= N; size++) {
                range_append(&r, &leaves[size - 1]);
                range_root(&r, &root);
                mth(0, size, &expected);
                assert_true(tree_hash_equal(&root, &expected));
        }
}

static void range_root_other_leaf_differs(void **state)
{
        Range a = RANGE_NULL, b = RANGE_NULL;
        TreeHash x, y;

        (void)state;
        for (size_t i = 0; i < 37; i++) {
                range_append(&a, &leaves[i]);
                range_append(&b, &leaves[i == 20 ? 21 : i]);
        }
        range_root(&a, &x);
        range_root(&b, &y);
        assert_false(tree_hash_equal(&x, &y));
}

static void range_append_subtree_gives_the_same_range(void **state)
{
        (void)state;
        for (size_t size = 0; size < N; size++) {
                Range a = RANGE_NULL, b = RANGE_NULL;
                size_t at = 0;
                TreeHash root;

                for (size_t i = 0; i < size; i++)
                        range_append(&a, &leaves[i]);
                for (unsigned bit = 9; bit-- > 0;) {
                        if (!(size >> bit & 1))
                                continue;
                        mth(at, at + ((size_t)1 << bit), &root);
                        range_append_subtree(&b, bit, &root);
                        at += (size_t)1 << bit;
                }
                assert_int_equal(a.size, b.size);
                assert_int_equal(a.n, b.n);
                assert_memory_equal(a.roots, b.roots, a.n * sizeof(TreeHash));
        }
}

static void range_root_from_is_the_root_of_the_rest(void **state)
{
        Range r = RANGE_NULL;
        TreeHash root, expected;

        (void)state;
        for (size_t i = 0; i < 0x6d; i++)
                range_append(&r, &leaves[i]);
        for (size_t start = 0, bits = 0x6d; bits > 0;
             start += (size_t)1 << (31 - __builtin_clz((unsigned)bits)), bits = 0x6d - start) {
                range_root_from(&r, start, &root);
                mth(start, 0x6d, &expected);
                assert_true(tree_hash_equal(&root, &expected));
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(range_root_each_size_is_that_of_the_definition),
                cmocka_unit_test(range_root_other_leaf_differs),
                cmocka_unit_test(range_append_subtree_gives_the_same_range),
                cmocka_unit_test(range_root_from_is_the_root_of_the_rest),
        };

        return cmocka_run_group_tests(tests, make_leaves, NULL);
}
