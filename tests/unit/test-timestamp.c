/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/timestamp.h"

/* Seconds from Python's datetime. */
static const struct {
        const char *text;
        uint64_t usec;
} pairs[] = {
        {"1970-01-01T00:00:00.000000Z", 0},
        {"1972-12-31T23:59:59.000000Z", UINT64_C(94694399000000)},
        {"2000-02-29T12:34:56.000001Z", UINT64_C(951827696000001)},
        {"2024-02-29T00:00:00.999999Z", UINT64_C(1709164800999999)},
        {"2026-08-25T07:08:09.123456Z", UINT64_C(1787641689123456)},
        {"2100-03-01T00:00:00.000000Z", UINT64_C(4107542400000000)},
        {"9999-12-31T23:59:59.999999Z", UINT64_C(253402300799999999)},
};

static int decode(uint64_t *ret, const char *text)
{
        return timestamp_decode(ret, text, strlen(text));
}

static void timestamp_encode_known_instants_match(void **state)
{
        char text[TIMESTAMP_SIZE];

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
                timestamp_encode(text, pairs[i].usec);
                assert_string_equal(text, pairs[i].text);
        }
}

static void timestamp_decode_known_instants_match(void **state)
{
        uint64_t usec;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
                assert_int_equal(decode(&usec, pairs[i].text), 0);
                assert_true(usec == pairs[i].usec);
        }
}

static void timestamp_decode_every_day_round_trips(void **state)
{
        char text[TIMESTAMP_SIZE], previous[TIMESTAMP_SIZE] = "";
        uint64_t usec;

        (void)state;
        for (uint64_t day = 0; day < 2932897; day += day < 200000 ? 1 : 13) {
                timestamp_encode(text, day * 86400 * 1000000);
                assert_true(strcmp(previous, text) < 0);
                memcpy(previous, text, sizeof(text));
                assert_int_equal(decode(&usec, text), 0);
                assert_true(usec == day * 86400 * 1000000);
        }
}

static void timestamp_decode_fractions_are_cut_to_microseconds(void **state)
{
        static const struct {
                const char *text;
                unsigned usec;
        } good[] = {
                {"1970-01-01T00:00:00Z", 0},
                {"1970-01-01T00:00:00.5Z", 500000},
                {"1970-01-01T00:00:00.05Z", 50000},
                {"1970-01-01T00:00:00.123456Z", 123456},
                {"1970-01-01T00:00:00.1234567Z", 123456},
                {"1970-01-01T00:00:00.123456999Z", 123456},
        };
        uint64_t usec;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
                assert_int_equal(decode(&usec, good[i].text), 0);
                assert_int_equal(usec, good[i].usec);
        }
}

static void timestamp_decode_other_forms_are_refused(void **state)
{
        static const char *const bad[] = {
                "",
                "2026",
                "2026-08-25",
                "2026-08-25T07:08:09",
                "2026-08-25t07:08:09Z",
                "2026-08-25T07:08:09z",
                "2026-08-25 07:08:09Z",
                "2026-08-25T07:08:09+00:00",
                "2026-08-25T07:08:09.Z",
                "2026-08-25T07:08:09.1234567890Z",
                "2026-08-25T07:08:09.12a4Z",
                "2026-08-25T07:08:09.123456a89Z",
                "2026-08-25T07:08:09,5Z",
                "2026-08-25T07:08:095Z",
                "2026-08-25T07:08:09Z ",
                " 2026-08-25T07:08:09Z",
                "2026-08-25T07:08:09ZZ",
                "2026-8-25T07:08:09Z",
                "02026-08-25T07:08:09Z",
                "20a6-08-25T07:08:09Z",
                "-026-08-25T07:08:09Z",
        };
        uint64_t usec = 5;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_int_equal(decode(&usec, bad[i]), TIMESTAMP_E_INVALID);
        assert_int_equal(usec, 5);
}

static void timestamp_decode_impossible_dates_are_refused(void **state)
{
        static const char *const bad[] = {
                "1969-12-31T23:59:59Z", "0000-01-01T00:00:00Z", "2026-00-10T00:00:00Z",
                "2026-13-10T00:00:00Z", "2026-01-00T00:00:00Z", "2026-01-32T00:00:00Z",
                "2026-04-31T00:00:00Z", "2026-02-29T00:00:00Z", "2100-02-29T00:00:00Z",
                "2024-02-30T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z",
                "2016-12-31T23:59:60Z",
        };
        uint64_t usec;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_int_equal(decode(&usec, bad[i]), TIMESTAMP_E_INVALID);
        assert_int_equal(decode(&usec, "2024-02-29T23:59:59Z"), 0);
        assert_int_equal(decode(&usec, "2000-02-29T23:59:59Z"), 0);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(timestamp_encode_known_instants_match),
                cmocka_unit_test(timestamp_decode_known_instants_match),
                cmocka_unit_test(timestamp_decode_every_day_round_trips),
                cmocka_unit_test(timestamp_decode_fractions_are_cut_to_microseconds),
                cmocka_unit_test(timestamp_decode_other_forms_are_refused),
                cmocka_unit_test(timestamp_decode_impossible_dates_are_refused),
        };

        return cmocka_run_group_tests_name("timestamp", tests, NULL, NULL);
}
