/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/stats.h"

#define SECOND UINT64_C(1000000)

static void assert_latency(const StatsLatency *l, const char *expected)
{
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;
        JsonWriter w;

        jsonw_init(&w, &out);
        jsonw_object(&w);
        stats_latency_write(l, &w, "x");
        jsonw_object_end(&w);
        assert_int_equal(jsonw_finish(&w), 0);
        assert_string_equal((const char *)out.data, expected);
}

static void stats_latency_write_orders_the_samples(void **state)
{
        static StatsLatency l;

        (void)state;
        assert_latency(&l, "{\"x\":{\"p50\":0,\"p99\":0,\"max\":0}}");
        for (uint64_t i = 100; i > 0; i--)
                stats_latency_add(&l, i);
        assert_latency(&l, "{\"x\":{\"p50\":51,\"p99\":100,\"max\":100}}");
}

static void stats_latency_add_forgets_the_oldest(void **state)
{
        static StatsLatency l;

        (void)state;
        stats_latency_add(&l, UINT64_MAX);
        assert_latency(&l, "{\"x\":{\"p50\":4294967295,\"p99\":4294967295,\"max\":4294967295}}");
        for (size_t i = 0; i < STATS_SAMPLES; i++)
                stats_latency_add(&l, 7);
        assert_latency(&l, "{\"x\":{\"p50\":7,\"p99\":7,\"max\":7}}");
}

static void stats_rate_counts_the_last_minute_and_no_more(void **state)
{
        static StatsRate r;
        uint64_t now = 1000 * SECOND;

        (void)state;
        for (unsigned i = 0; i < 60; i++)
                stats_rate_add(&r, now + i * SECOND, 2);
        assert_true(stats_rate(&r, now + 59 * SECOND) == 2.0);
        assert_true(stats_rate(&r, now + 60 * SECOND) == 118.0 / 60);
        assert_true(stats_rate(&r, now + 118 * SECOND) == 2.0 / 60);
        assert_true(stats_rate(&r, now + 119 * SECOND) == 0.0);
        stats_rate_add(&r, now + 200 * SECOND, 60);
        assert_true(stats_rate(&r, now + 200 * SECOND) == 1.0);
        assert_true(stats_rate(&r, now + 1000000 * SECOND) == 0.0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(stats_latency_write_orders_the_samples),
                cmocka_unit_test(stats_latency_add_forgets_the_oldest),
                cmocka_unit_test(stats_rate_counts_the_last_minute_and_no_more),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
