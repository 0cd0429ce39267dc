/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Counters, rates and latencies for status.  Bounded; nothing is ever written to disk.
 */
#include <stdint.h>

#include "base/jsonw.h"

#define STATS_SAMPLES 1024
#define STATS_SECONDS 60

typedef struct StatsLatency {
        uint32_t n; /* in all */
        uint32_t usec[STATS_SAMPLES];
} StatsLatency;

/* Events of each of the last 60 seconds. */
typedef struct StatsRate {
        uint64_t second; /* of the newest slot */
        uint32_t slots[STATS_SECONDS];
} StatsRate;

typedef struct Stats {
        uint64_t signed_, repeated, refused, failed, abandoned, attestations;
        StatsRate signatures, refusals;
        StatsLatency request, sign, commit;
} Stats;

void stats_latency_add(StatsLatency *l, uint64_t usec);
void stats_rate_add(StatsRate *r, uint64_t now_usec, uint32_t n);
double stats_rate(StatsRate *r, uint64_t now_usec); /* per second */
/* {"p50":N,"p99":N,"max":N} as the member `name` */
void stats_latency_write(const StatsLatency *l, JsonWriter *w, const char *name);
