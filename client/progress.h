/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Progress on stderr, if that is a terminal: "WHAT done/total", at most ten times a second.
 */
#include <stdbool.h>
#include <stdint.h>

typedef struct Progress {
        const char *what;
        uint64_t total; /* 0: unknown */
        uint64_t next_usec;
        bool shown;
        bool enabled;
} Progress;

void progress_init(Progress *p, const char *what, uint64_t total);
void progress_update(Progress *p, uint64_t done);
/* Wipes the line: call it before anything else is printed, and at the end. */
void progress_clear(Progress *p);
