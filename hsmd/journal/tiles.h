/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * C2SP tlog-tiles on disk: checkpoint, tile/<L>/<N>[.p/<W>], tile/entries/<N>[.p/<W>].
 *
 * All of it is derived from the store.  Files are immutable: one that is there is compared, never
 * overwritten, except that a torn file (after a power loss: shorter than it should be, or all NUL) may be
 * replaced by its true content.
 */
#include "journal/tree.h"

/* "tile/entries/x001/x234/067.p/255" and a NUL fit well */
#define TILES_PATH_SIZE 64
#define TILES_ENTRIES   64u /* the "level" of entry bundles */

enum {
        _TILES_E_SUCCESS,
        TILES_E_CONFLICT, /* an immutable file is there with other content: never go on */
};

/* Path below the log folder; width 0 means full. */
void tiles_path(char ret[static TILES_PATH_SIZE], unsigned level, uint64_t n, unsigned width);

typedef struct Tiles Tiles;
/* `path` must exist.  Not durable by itself: see tiles_sync(). */
_must_use_ int tiles_new(Tiles **ret, const char *path);
Tiles *tiles_free(Tiles *t);
DEFINE_CLEANUP(Tiles *, tiles_free)

/* Write one tile or bundle; `content` is the concatenated hashes, or u16be-prefixed entries.
 * TILES_E_CONFLICT. */
_must_use_ int tiles_put(Tiles *t, unsigned level, uint64_t n, unsigned width, Blob content);
/* Is there a bundle with an entry beyond the first `size`? */
_must_use_ int tiles_reach_beyond(Tiles *t, uint64_t size, bool *ret);
/* Once the full tile is there: remove its partials (tlog-tiles: "MAY delete any partial tile once ..."). */
_must_use_ int tiles_drop_partials(Tiles *t, unsigned level, uint64_t n);
/* Replace `checkpoint` atomically. */
_must_use_ int tiles_put_checkpoint(Tiles *t, Blob note);
/* Appends the published checkpoint; FILE_E_MISSING when there is none yet. */
_must_use_ int tiles_get_checkpoint(Tiles *t, Buffer *out);
/* Make everything written so far durable (syncfs of the folder's file system). */
_must_use_ int tiles_sync(Tiles *t);
