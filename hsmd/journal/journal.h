/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The journal as hsmd uses it: intents, entries, checkpoint, proofs, search.  It joins store, merkle, tiles
 * and index; the order of events that the promises need is kept here:
 *
 *     journal_add_intents()       intents durable (one sync)                     before any C_Sign
 *     journal_append() ...        entries staged in memory
 *     journal_commit()            entries + lock record durable (one sync)       the tree now exists
 *     journal_checkpoint_text()   what the log key signs for exactly that (size, root)
 *     journal_publish()           signature verified, second opinion: from here on the checkpoint may be
 * shown journal_proof()             proof for one entry, verified by the verifier's code before it is handed
 * out
 *
 * One commit at a time: commit, sign, publish, then the next.  A negative return of a writing function is
 * final: the process must stop (the store header says why).
 */
#include "base/crypto.h"
#include "journal/checkpoint.h"
#include "journal/index.h"
#include "journal/store.h"

typedef struct JournalOptions {
        const char *state_path, *log_path, *evidence_path;
        const char *origin;
        PublicKey *log_key; /* Ed25519; borrowed for the life of the journal */
        bool create;        /* begin a new journal if there is no state.db */
} JournalOptions;

enum {
        _JOURNAL_E_SUCCESS,
        JOURNAL_E_MISSING,     /* no state, and not asked to create one; lookups: no such entry */
        JOURNAL_E_LOCKED,      /* another hsmd has it */
        JOURNAL_E_CORRUPT,     /* the state contradicts itself */
        JOURNAL_E_ROLLED_BACK, /* what was published is newer than, or contradicts, the state */
        JOURNAL_E_FOREIGN,     /* the state or log/ belongs to another origin or key */
        JOURNAL_E_TOO_LARGE,   /* an entry is over LIMIT_ENTRY_SIZE */
};

typedef struct Journal Journal;

/*
 * Open and check: lock record against the entries of the right edge, against the stored and the published
 * checkpoint (signature verified); log/ is brought up to date with the store; index gaps are filled from the
 * entries. `message` gets a sentence for the operator with every positive code.
 */
_must_use_ int journal_open(Journal **ret, const JournalOptions *options, Buffer *message);
Journal *journal_free(Journal *j);
DEFINE_CLEANUP(Journal *, journal_free)

uint64_t journal_size(const Journal *j);      /* committed entries */
uint64_t journal_published(const Journal *j); /* size of the last signed and published checkpoint */
uint64_t journal_time(const Journal *j);      /* of the last entry, usec */
size_t journal_n_intents(const Journal *j);   /* open ones */

/* Intents that an earlier process left open; close each by an abandoned entry before anything else. */
_must_use_ int journal_each_open_intent(Journal *j, StoreIntent each, void *userdata);

/* The id that the next intent will have: its content names it. */
uint64_t journal_next_intent(const Journal *j);
/* Make n intents durable; contents[i] gets id journal_next_intent() + i.  One sync. */
_must_use_ int journal_add_intents(Journal *j, size_t n, const Blob *contents);

/*
 * Stage one entry.  `intent` (0: none) is closed by it.  `signature` is kept beside a signature entry, to
 * answer the same question again.  Index rows are made from the content; subjects and claims of an
 * attestation entry are added with journal_append_key() right after it.  JOURNAL_E_TOO_LARGE stages nothing.
 */
_must_use_ int journal_append(Journal *j, Blob content, Blob signature, uint64_t intent,
                              uint64_t *ret_index);
_must_use_ int journal_append_key(Journal *j, IndexKind kind, const uint8_t key[static 32]);
/* Keep evidence (an envelope, a policy) under its SHA-256; durable with the next commit; a file in evidence/
 * follows. */
_must_use_ int journal_append_evidence(Journal *j, const uint8_t sha256[static 32], Blob content);
size_t journal_n_staged(const Journal *j);
/* Entries, closed intents, evidence and lock record, in one transaction and one sync. */
_must_use_ int journal_commit(Journal *j);

/* The checkpoint of the committed tree, unsigned. */
_must_use_ int journal_checkpoint_text(const Journal *j, Buffer *out);
/* Take its Ed25519 signature.  -EBADMSG (after a trace) if it does not verify: nothing is published then. */
_must_use_ int journal_publish(Journal *j, Blob signature);
/*
 * Bring log/ up to the published checkpoint: tiles first, the checkpoint last.  Off the way of an answer,
 * since log/ is derived and many small commits share one writing; the caller keeps the delay short.
 */
_must_use_ int journal_write_log(Journal *j);
bool journal_log_is_behind(const Journal *j);
/* The last published checkpoint note. */
Blob journal_checkpoint(const Journal *j);

/* Append the .tlog-proof of one published entry, already verified.  JOURNAL_E_MISSING past
 * journal_published(). */
_must_use_ int journal_proof(Journal *j, uint64_t index, Buffer *out);
_must_use_ int journal_get(Journal *j, uint64_t index, Buffer *content, Buffer *signature);
_must_use_ int journal_get_evidence(Journal *j, const uint8_t sha256[static 32], Buffer *out);
_must_use_ int journal_find(Journal *j, IndexKind kind, const uint8_t key[static 32], uint64_t before,
                            uint64_t *ret, size_t max, size_t *ret_n);
/* First entry whose time is >= usec (times never go back): binary search.  journal_size() if there is none.
 */
_must_use_ int journal_find_time(Journal *j, uint64_t usec, uint64_t *ret_index);

/* Off the commit path: index rows to disk, log/ synced.  *ret_more: there is more to do. */
bool journal_should_maintain(const Journal *j, bool idle);
_must_use_ int journal_maintain(Journal *j, bool *ret_more);
