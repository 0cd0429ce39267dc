/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * state.db, the truth: intents, entries, finished tiles, evidence, the lock record.  The only user of SQLite
 * beside index.c.  SQLite in WAL mode with synchronous=FULL and locking_mode=EXCLUSIVE; every commit is one
 * fdatasync of the WAL.
 *
 * Any error of a write or a commit is final for the process (after a failed fsync the page cache lies): the
 * caller stops, and starts again from what is on the disk.
 */
#include "base/bytes.h"
#include "journal/tree.h"

/* The lock record: which tree exists.  A checkpoint is signed only for (size, root) that stand here durably.
 */
typedef struct StoreLock {
        uint64_t generation; /* + 1 with each commit that appends */
        uint64_t size;
        TreeHash root;
        uint64_t time_usec;   /* of the last entry: time never goes back */
        uint64_t next_intent; /* 1.. */
} StoreLock;

typedef struct Store Store;

enum {
        _STORE_E_SUCCESS,
        STORE_E_MISSING, /* no such row; store_open(): no database and `create` is false */
        STORE_E_LOCKED,  /* another process has it */
        STORE_E_CORRUPT, /* not our database, another schema version, failed integrity check */
};

/* `dir` holds state.db.  Takes an flock on DIR/lock for the life of the Store (promise 4: one daemon on one
 * state). */
_must_use_ int store_open(Store **ret, const char *dir, bool create);
Store *store_free(Store *s);
DEFINE_CLEANUP(Store *, store_free)

_must_use_ int store_begin(Store *s);
_must_use_ int store_commit(Store *s); /* durable when it returns 0 */

_must_use_ int store_get_lock(Store *s, StoreLock *ret); /* STORE_E_MISSING in a new database */
_must_use_ int store_put_lock(Store *s, const StoreLock *lock);

_must_use_ int store_put_intent(Store *s, uint64_t id, Blob content);
/* Asserts that it was there: each intent ends once. */
_must_use_ int store_delete_intent(Store *s, uint64_t id);
typedef int (*StoreIntent)(void *userdata, uint64_t id, Blob content);
_must_use_ int store_each_intent(Store *s, StoreIntent each,
                                 void *userdata); /* ascending; stops at a non-zero return */

/* index must be the next; `signature` may be empty. */
_must_use_ int store_put_entry(Store *s, uint64_t index, Blob content, Blob signature);
/* Appends; `signature` may be NULL.  STORE_E_MISSING. */
_must_use_ int store_get_entry(Store *s, uint64_t index, Buffer *content, Buffer *signature);

_must_use_ int store_put_tile(Store *s, unsigned level, uint64_t n, Blob hashes);
_must_use_ int store_get_tile(Store *s, unsigned level, uint64_t n, uint8_t ret[static 8192]);

_must_use_ int store_put_evidence(Store *s, const uint8_t sha256[static 32],
                                  Blob content); /* fine if it is there */
_must_use_ int store_get_evidence(Store *s, const uint8_t sha256[static 32], Buffer *out);

/* The last signed checkpoint, and how far log/ is known to be durable; not synced on their own. */
_must_use_ int store_put_checkpoint(Store *s, uint64_t size, Blob note);
_must_use_ int store_get_checkpoint(Store *s, uint64_t *ret_size, Buffer *note);
_must_use_ int store_put_published(Store *s, uint64_t size);
_must_use_ int store_get_published(Store *s, uint64_t *ret_size); /* 0 when never */
