/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * state.db, the truth: intents, entries, finished tiles, evidence, the lock record.  The only user of SQLite
 * (db.h) beside index.c.  SQLite in WAL mode with synchronous=FULL and locking_mode=EXCLUSIVE; every commit
 * is one fdatasync of the WAL.
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

#define STORE_TILE_SIZE 8192

typedef struct Store Store;

enum {
        _STORE_E_SUCCESS,
        STORE_E_MISSING, /* no such row; store_open(): no database and `create` is false */
        STORE_E_LOCKED,  /* another process has it */
        STORE_E_CORRUPT, /* not our database, another schema version, failed integrity check; any get */
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
/* Entries [from, to) in order; `each` must not use the store.  Stops at a non-zero return. */
typedef int (*StoreEntry)(void *userdata, uint64_t index, Blob content);
_must_use_ int store_each_entry(Store *s, uint64_t from, uint64_t to, StoreEntry each, void *userdata);
uint64_t store_n_entries(const Store *s);
/* Drop cached pages: the next read comes from the file. */
void store_forget(Store *s);
/* Search keys of an entry that its content does not have; any bytes.  Get appends; STORE_E_MISSING. */
_must_use_ int store_put_keys(Store *s, uint64_t index, Blob keys);
_must_use_ int store_get_keys(Store *s, uint64_t index, Buffer *out);

_must_use_ int store_put_tile(Store *s, unsigned level, uint64_t n, Blob hashes);
_must_use_ int store_get_tile(Store *s, unsigned level, uint64_t n, uint8_t ret[static STORE_TILE_SIZE]);

_must_use_ int store_put_evidence(Store *s, const uint8_t sha256[static 32],
                                  Blob content); /* fine if it is there */
_must_use_ int store_get_evidence(Store *s, const uint8_t sha256[static 32], Buffer *out);

/* The first one with an id greater than `after` (0: all); ids ascend in the order of putting.  Appends;
 * STORE_E_MISSING. */
_must_use_ int store_next_evidence(Store *s, uint64_t after, uint64_t *ret_id, uint8_t ret_sha256[static 32],
                                   Buffer *out);

/* Small named values.  Get appends; STORE_E_MISSING. */
_must_use_ int store_put_meta(Store *s, const char *name, Blob value);
_must_use_ int store_get_meta(Store *s, const char *name, Buffer *out);

/*
 * The last signed checkpoint, and how far log/ and evidence/ are known to be durable.  Remembered in memory
 * and written with the next transaction, or by store_free(): they cost no sync of their own, and what a
 * crash loses of them is found again in log/.
 */
_must_use_ int store_put_checkpoint(Store *s, uint64_t size, Blob note);
/* Appends; STORE_E_MISSING. */
_must_use_ int store_get_checkpoint(Store *s, uint64_t *ret_size, Buffer *note);
_must_use_ int store_put_published(Store *s, uint64_t size, uint64_t evidence);
_must_use_ int store_get_published(Store *s, uint64_t *ret_size, uint64_t *ret_evidence); /* 0 when never */
