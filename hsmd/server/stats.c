/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "server/stats.h"

void stats_latency_add(StatsLatency *l, uint64_t usec)
{
        l->usec[l->n++ % STATS_SAMPLES] = usec > UINT32_MAX ? UINT32_MAX : (uint32_t)usec;
}

static void stats_rate_advance(StatsRate *r, uint64_t now_usec)
{
        uint64_t second = now_usec / 1000000;

        if (second - r->second >= STATS_SECONDS)
                memset(r->slots, 0, sizeof(r->slots));
        else
                for (uint64_t s = r->second + 1; s <= second; s++)
                        r->slots[s % STATS_SECONDS] = 0;
        r->second = second;
}

void stats_rate_add(StatsRate *r, uint64_t now_usec, uint32_t n)
{
        stats_rate_advance(r, now_usec);
        r->slots[r->second % STATS_SECONDS] += n;
}

double stats_rate(StatsRate *r, uint64_t now_usec)
{
        uint64_t sum = 0;

        stats_rate_advance(r, now_usec);
        for (size_t i = 0; i < STATS_SECONDS; i++)
                sum += r->slots[i];
        return (double)sum / STATS_SECONDS;
}

static int stats_compare(const void *a, const void *b)
{
        uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

        return x < y ? -1 : x > y;
}

void stats_latency_write(const StatsLatency *l, JsonWriter *w, const char *name)
{
        uint32_t sorted[STATS_SAMPLES];
        size_t n = l->n < STATS_SAMPLES ? l->n : STATS_SAMPLES;

        memcpy(sorted, l->usec, n * sizeof(sorted[0]));
        qsort(sorted, n, sizeof(sorted[0]), stats_compare);
        jsonw_name(w, name);
        jsonw_object(w);
        jsonw_member_u64(w, "p50", n > 0 ? sorted[n / 2] : 0);
        jsonw_member_u64(w, "p99", n > 0 ? sorted[n * 99 / 100] : 0);
        jsonw_member_u64(w, "max", n > 0 ? sorted[n - 1] : 0);
        jsonw_object_end(w);
}
