/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "client/intentset.h"

static void intentset_add_new_accepts(void **state)
{
        static const uint64_t intents[] = {0,          1,     63,         64,         65535,     65536,
                                           UINT64_MAX, 65537, 1ULL << 40, 1ULL << 20, INT64_MAX, 2};
        _cleanup_(intentset_deinit) IntentSet s = {};

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(intents); i++)
                assert_int_equal(intentset_add(&s, intents[i]), 0);
        for (size_t i = 0; i < ARRAY_SIZE(intents); i++)
                assert_int_equal(intentset_add(&s, intents[i]), INTENTSET_E_TWICE);
        assert_int_equal(intentset_add(&s, 3), 0);
        assert_int_equal(s.n_pages, 6);
}

static void intentset_add_downwards_accepts(void **state)
{
        _cleanup_(intentset_deinit) IntentSet s = {};

        (void)state;
        for (uint64_t i = 2000; i > 0; i--)
                assert_int_equal(intentset_add(&s, i * INTENTSET_PAGE_BITS), 0);
        assert_int_equal(s.n_pages, 2000);
        assert_int_equal(intentset_add(&s, 1000 * (uint64_t)INTENTSET_PAGE_BITS), INTENTSET_E_TWICE);
}

static void intentset_add_too_scattered_is_full(void **state)
{
        _cleanup_(intentset_deinit) IntentSet s = {};

        (void)state;
        for (uint64_t i = 0; i < INTENTSET_PAGES; i++)
                assert_int_equal(intentset_add(&s, i * INTENTSET_PAGE_BITS), 0);
        assert_int_equal(intentset_add(&s, INTENTSET_PAGES * (uint64_t)INTENTSET_PAGE_BITS),
                         INTENTSET_E_FULL);
        assert_int_equal(intentset_add(&s, 1), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(intentset_add_new_accepts),
                cmocka_unit_test(intentset_add_downwards_accepts),
                cmocka_unit_test(intentset_add_too_scattered_is_full),
        };

        error_set_trace(NULL);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
