/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Refusals on their way to the journal: one entry each while they come slowly, one for many of the same uid,
 * reason and key when they come fast.  Bounded: a flood costs a counter.
 */
#include <stdbool.h>
#include <stdint.h>

#include "journal/entry.h"
#include "policy/policy.h"
#include "policy/reason.h"

/* Kinds of refusal that are kept apart between two commits; what is beyond joins the last. */
#define REFUSALS_KINDS 64
/* Commits of refusals are at least this far apart, but the first after a quiet time is at once. */
#define REFUSALS_INTERVAL_USEC (100 * 1000)

typedef struct Refusal {
        uint32_t uid;
        Reason reason;
        uint64_t count, first_usec, last_usec;
        char key[LIMIT_NAME_SIZE + 1], release[LIMIT_NAME_SIZE + 1];
        char artifact_name[LIMIT_ARTIFACT_NAME + 1];
        bool has_sha256;
        uint8_t artifact_sha256[32];
} Refusal;

typedef struct Refusals {
        size_t n;
        Refusal items[REFUSALS_KINDS];
} Refusals;

/* `now_usec` is real time.  key, release, name and sha256 may be NULL; text that is no name is left out. */
void refusals_add(Refusals *r, uint64_t now_usec, uint32_t uid, Reason reason, const char *key,
                  const char *release, const char *name, const uint8_t *sha256);
/* Appends the entry of one refusal. */
_must_use_ int refusal_write(const Refusal *refusal, const Policy *policy, const char *site,
                             uint64_t now_usec, Buffer *out);
