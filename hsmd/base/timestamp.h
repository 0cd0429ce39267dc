/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Instants: microseconds since 1970-01-01T00:00:00Z, and their RFC 3339 text in UTC ("Z" only).
 * Pure: reading the clock is the caller's business.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/macro.h"

/* "YYYY-MM-DDTHH:MM:SS.ffffffZ" and a NUL */
#define TIMESTAMP_SIZE 28

enum {
        _TIMESTAMP_E_SUCCESS,
        TIMESTAMP_E_INVALID, /* not RFC 3339 with "Z", no such day, or outside 1970..9999; a leap second is
                                refused */
};

/* Six fractional digits always.  `usec` must be before the year 10000. */
void timestamp_encode(char ret[static TIMESTAMP_SIZE], uint64_t usec);
/* Accepts none to nine fractional digits (cut to microseconds); upper-case T and Z only. */
_must_use_ int timestamp_decode(uint64_t *ret_usec, const char *text, size_t size);
