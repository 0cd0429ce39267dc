/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/decimal.h"

static int decode(uint64_t *ret, const char *text, uint64_t max)
{
        return decimal_decode(ret, text, strlen(text), max);
}

static void decimal_decode_canonical_numbers_succeed(void **state)
{
        static const struct {
                const char *text;
                uint64_t value;
        } good[] = {
                {"0", 0},     {"1", 1},
                {"10", 10},   {"9223372036854775807", INT64_MAX},
                {"305", 305}, {"18446744073709551615", UINT64_MAX},
        };
        uint64_t v;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
                assert_int_equal(decode(&v, good[i].text, UINT64_MAX), 0);
                assert_true(v == good[i].value);
        }
}

static void decimal_decode_other_forms_are_refused(void **state)
{
        static const char *const bad[] = {
                "",
                "00",
                "01",
                "-1",
                "+1",
                " 1",
                "1 ",
                "1\n",
                "0x1",
                "1e1",
                "1.0",
                "a",
                "1a",
                "/",
                ":",
                "18446744073709551616",
                "99999999999999999999",
                "184467440737095516150",
        };
        uint64_t v = 77;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_int_equal(decode(&v, bad[i], UINT64_MAX), DECIMAL_E_INVALID);
        assert_int_equal(decimal_decode(&v, "1\0", 2, UINT64_MAX), DECIMAL_E_INVALID);
        assert_int_equal(decimal_decode(&v, NULL, 0, UINT64_MAX), DECIMAL_E_INVALID);
        assert_int_equal(v, 77);
}

static void decimal_decode_maximum_is_the_last_accepted(void **state)
{
        uint64_t v;

        (void)state;
        for (uint64_t max = 0; max < 250; max++)
                for (unsigned i = 0; i < 300; i++) {
                        char text[4];
                        size_t n = 0;

                        if (i >= 100)
                                text[n++] = (char)('0' + i / 100);
                        if (i >= 10)
                                text[n++] = (char)('0' + i / 10 % 10);
                        text[n++] = (char)('0' + i % 10);
                        assert_int_equal(decimal_decode(&v, text, n, max), i <= max ? 0 : DECIMAL_E_INVALID);
                        if (i <= max)
                                assert_int_equal(v, i);
                }
        assert_int_equal(decode(&v, "18446744073709551614", UINT64_MAX - 1), 0);
        assert_int_equal(decode(&v, "18446744073709551615", UINT64_MAX - 1), DECIMAL_E_INVALID);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(decimal_decode_canonical_numbers_succeed),
                cmocka_unit_test(decimal_decode_other_forms_are_refused),
                cmocka_unit_test(decimal_decode_maximum_is_the_last_accepted),
        };

        return cmocka_run_group_tests_name("decimal", tests, NULL, NULL);
}
