/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Evidence: the attestations in the journal that speak of an artifact, verified under the policy in force.
 *
 * Verified attestations are kept in a bounded cache, by journal index: a batch of small files needs its two
 * envelopes verified once.  A miss reads the envelope back and verifies all of it again.
 */
#include "journal/journal.h"
#include "policy/decision.h"

/* Memory that cached attestations may hold, and how many there are at most. */
#define EVIDENCE_CACHE_BYTES (6 * 1024 * 1024)
#define EVIDENCE_CACHE_ITEMS 256

typedef struct Evidence Evidence;

enum {
        _EVIDENCE_E_SUCCESS,
        EVIDENCE_E_TOO_MUCH, /* more than LIMIT_EVIDENCE attestations name this artifact or contradict it */
};

/* Both are borrowed. */
_must_use_ int evidence_new(Evidence **ret, Journal *journal, const Policy *policy);
Evidence *evidence_free(Evidence *e);
DEFINE_CLEANUP(Evidence *, evidence_free)

typedef struct EvidenceSet {
        size_t n;
        Attestation *items[LIMIT_EVIDENCE]; /* owned by the cache; valid until the next call of
                                               evidence_collect() or _get() */
        uint64_t entries[LIMIT_EVIDENCE];   /* their journal entries */
        uint8_t ids[LIMIT_EVIDENCE][32];    /* SHA-256 of the envelopes */
} EvidenceSet;

/*
 * All attestations that name `sha256`, and those that make the same claim as one of these about `name` (so
 * that dissent is seen).  One that is no longer valid under the policy is left out.
 */
_must_use_ int evidence_collect(Evidence *e, const char *name, const uint8_t sha256[static 32],
                                EvidenceSet *ret);

/* Those that contradict a new attestation: the same claim with another digest.  Only `entries` and `ids` of
 * the set are used. */
_must_use_ int evidence_contradicting(Evidence *e, const Attestation *a, EvidenceSet *ret);

/*
 * True if what `a` says is in the journal already: every subject is named, for the same release and source,
 * by one entry that all its signers signed.
 */
_must_use_ int evidence_known(Evidence *e, const Attestation *a, bool *ret, uint64_t *ret_entry);
