/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What the files of the journal share: journal.c (writing and lookups), journal-open.c (start and repair),
 * journal-publish.c (second opinion, log/, upkeep), journal-proof.c.
 */
#include "journal/journal.h"
#include "journal/keys.h"
#include "journal/merkle.h"
#include "journal/range.h"
#include "journal/tiles.h"

#define JOURNAL_LEVELS 8

/* An entry that waits for the commit; its bytes stand in `Journal.staged_bytes`. */
typedef struct JournalStaged {
        size_t content_at, content_size;
        size_t signature_at, signature_size;
        uint64_t intent;
} JournalStaged;

typedef struct JournalKey {
        uint64_t entry;
        IndexKind kind;
        bool extra; /* not in the content: kept beside the entry */
        uint8_t hash[32];
} JournalKey;

typedef struct JournalEvidence {
        uint8_t sha256[32];
        Buffer content;
} JournalEvidence;

struct Journal {
        Store *store;
        Merkle *tree;
        Tiles *tiles;
        Index *index;
        int evidence_fd;
        NoteVerifier log; /* its key is borrowed */

        StoreLock lock; /* as committed */
        size_t n_intents;
        /* Said here, for what stands in between passes negative codes only: */
        bool store_corrupt; /* a tile could not be read */
        bool log_conflict;  /* a file of log/ has other content */

        /* staged */
        JournalStaged *staged;
        size_t n_staged, n_staged_allocated;
        JournalKey *keys;
        size_t n_keys, n_keys_allocated;
        JournalEvidence *evidence;
        size_t n_evidence, n_evidence_allocated;
        Buffer staged_bytes;
        uint64_t staged_time_usec;

        /* published */
        uint64_t published;
        uint64_t written;      /* how far log/ is: at most `published` */
        Range range;           /* of the published tree, from entries that were read back */
        Buffer bundle;         /* entry bundles from the one that `written` ends in */
        Buffer note;           /* its checkpoint */
        Checkpoint checkpoint; /* the same, verified */

        /* upkeep */
        uint64_t synced;   /* log/ is durable up to this size */
        uint64_t syncing;  /* ... and up to this one, once its partial tiles are gone */
        uint64_t dropped;  /* tiles of level 0 whose partials are gone */
        uint64_t exported; /* evidence up to this id is in evidence/ */
        bool evidence_waits;

        Buffer scratch, scratch2;
};

/* ---- journal.c ---- */
_must_use_ int journal_add_key(Journal *j, uint64_t entry, IndexKind kind, const uint8_t hash[static 32],
                               bool extra);
/* Rows of one committed entry, from its bytes and from what is kept beside it.  JOURNAL_E_CORRUPT. */
_must_use_ int journal_index_entry(Journal *j, uint64_t index, Blob content);

/* ---- journal-publish.c ---- */
/* The first `width` hashes (0: all 256) of a tile of the committed tree. */
_must_use_ int journal_read_tile(Journal *j, unsigned level, uint64_t n, unsigned width,
                                 TreeHash ret[static MERKLE_TILE_WIDTH]);
_must_use_ int journal_read_store_tile(Journal *j, unsigned level, uint64_t n,
                                       TreeHash ret[static MERKLE_TILE_WIDTH]);
/* Consistency of a signed (size, root) with the committed tree, by the verifier's code.  JOURNAL_E_CORRUPT.
 */
_must_use_ int journal_check_consistency(Journal *j, uint64_t size, const TreeHash *root);
/* Read entries [from, to) back, append them to the bundle and their hashes to the range; `check`: compare
 * with the tiles.  JOURNAL_E_CORRUPT. */
_must_use_ int journal_read_back(Journal *j, uint64_t from, uint64_t to, Range *range, bool check);
typedef enum JournalPartials {
        JOURNAL_PARTIALS_NONE, /* no checkpoint has this size */
        JOURNAL_PARTIALS_NEW,  /* those that a tree of `from` leaves does not have */
        JOURNAL_PARTIALS_ALL,
} JournalPartials;
/* Write what log/ needs for a tree of `to` leaves beyond one of `from`.  The bundle begins with the bundle
 * that `from` is in, and ends at `to`. */
_must_use_ int journal_write_tiles(Journal *j, uint64_t from, uint64_t to, JournalPartials partials);
/* Keep of the bundle what is unfinished in a tree of `size` leaves. */
_must_use_ int journal_trim_bundle(Journal *j, uint64_t from, uint64_t size);

/* ---- journal-proof.c ---- */
/* Root of leaves [i << height, (i + 1) << height). */
_must_use_ int journal_subtree_root(Journal *j, unsigned height, uint64_t i, TreeHash *ret);
/* The range of the first `size` leaves. */
_must_use_ int journal_make_range(Journal *j, uint64_t size, Range *ret);
