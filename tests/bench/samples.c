/* SPDX-License-Identifier: Apache-2.0 */
#include "samples.h"

uint64_t samples_clock(clockid_t clock)
{
        struct timespec t;
        int r;

        r = clock_gettime(clock, &t);
        assert(r == 0);
        return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

uint32_t samples_latency(uint64_t start_nsec, uint64_t end_nsec)
{
        assert(start_nsec <= end_nsec);

        return end_nsec - start_nsec > UINT32_MAX ? UINT32_MAX : (uint32_t)(end_nsec - start_nsec);
}

static int compare(const void *a, const void *b)
{
        uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

        return (x > y) - (x < y);
}

double samples_rank(uint32_t *samples, size_t n, unsigned permille)
{
        size_t rank;

        assert(permille > 0);
        assert(permille <= 1000);

        if (n == 0)
                return 0;
        qsort(samples, n, sizeof(*samples), compare);
        rank = (n * permille + 999) / 1000;
        return samples[rank - 1] / 1e3;
}
