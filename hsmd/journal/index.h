/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Search: which entries speak of this artifact, claim, key, requester, type?  Derived from the entries, off
 * the commit path, rebuildable: index.db (SQLite, WAL, synchronous=NORMAL) holds all entries below
 * index_size(); what is newer is in memory.  Lookups see both, so they are exact at any moment.
 *
 * Keys are the first 8 bytes of a SHA-256: a hit is a candidate, and the caller compares the entry itself
 * (no truncated hash is ever an identity).  Random keys reach the B-tree sorted and in bulk, which is what
 * keeps the cost at 1,000,000 entries near that at 1,000.
 */
#include "base/bytes.h"

typedef enum IndexKind {
        INDEX_SIGNED,    /* artifact SHA-256 -> signature entries: "asked before?" */
        INDEX_SUBJECT,   /* artifact SHA-256 -> attestation entries */
        INDEX_CLAIM,     /* attestation_claim() -> attestation entries */
        INDEX_ARTIFACT,  /* artifact SHA-256 -> refusal and abandoned entries */
        INDEX_KEY,       /* SHA-256 of the key's name -> signature, abandoned and refusal entries */
        INDEX_REQUESTER, /* SHA-256 of the uid in decimal -> the same, and attestation entries by submitter
                          */
        INDEX_TYPE,      /* SHA-256 of the type -> entries */
        _INDEX_KIND_MAX,
} IndexKind;

typedef struct Index Index;

enum {
        _INDEX_E_SUCCESS,
        INDEX_E_CORRUPT, /* index.db is unusable: it was moved aside and begun anew (index_size() is then 0)
                          */
};

/* Opens or creates DIR/index.db.  INDEX_E_CORRUPT still writes *ret. */
_must_use_ int index_open(Index **ret, const char *dir);
Index *index_free(Index *x); /* unflushed rows are lost: the next start adds them again from the entries */
DEFINE_CLEANUP(Index *, index_free)

/* Forget everything and begin anew: the database speaks of entries that do not exist.  Nothing may have been
 * added yet. */
_must_use_ int index_reset(Index *x);

uint64_t index_size(const Index *x); /* entries [0, size) are in index.db */

/* Add one row for `entry`; entries come in ascending order.  In memory only. */
_must_use_ int index_add(Index *x, IndexKind kind, const uint8_t key[static 32], uint64_t entry);
/* All rows of entries below `size` have been added. */
void index_seal(Index *x, uint64_t size);

/* Up to `max` entries with this key, newest first, below `before` (UINT64_MAX: all). */
_must_use_ int index_find(Index *x, IndexKind kind, const uint8_t key[static 32], uint64_t before,
                          uint64_t *ret, size_t max, size_t *ret_n);

/* True when enough is in memory that index_flush() should be called (when idle; forced past a bound). */
bool index_should_flush(const Index *x, bool idle);
/* True past twice the bound: index_flush() before more is added. */
bool index_overdue(const Index *x);
/*
 * Move rows from memory to the database in one slice of about 2 ms, not counting the sync that every
 * thousand pages need.  *ret_more: what was begun is not finished; call again.
 */
_must_use_ int index_flush(Index *x, bool *ret_more);
