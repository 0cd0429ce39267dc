/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Latencies: collected as nanoseconds in an array of fixed size, asked for by rank.
 */
#include <stdint.h>
#include <time.h>

#include "base/bytes.h"

/* Nanoseconds of CLOCK_MONOTONIC, or of a clock of CPU time. */
uint64_t samples_clock(clockid_t clock);

/* One latency; more than 4.29 s is kept as that. */
uint32_t samples_latency(uint64_t start_nsec, uint64_t end_nsec);

/* Microseconds at `permille` of 1000 by the nearest-rank method; 0 of nothing.  Sorts the array. */
double samples_rank(uint32_t *samples, size_t n, unsigned permille);
