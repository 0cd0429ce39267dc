/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/decimal.h"
#include "base/error.h"
#include "base/file.h"
#include "journal/entry.h"

#include "client/intentset.h"
#include "client/logcheck.h"

#define TILE_WIDTH 256U
/* 256^8 = 2^64 leaves */
#define LEVELS 8
/* A bundle: 256 entries with their two length bytes. */
#define BUNDLE_SIZE (TILE_WIDTH * (2 + 65535))
#define PATH_SIZE   64

typedef struct Level {
        unsigned n; /* hashes of the tile that is not full yet */
        uint64_t n_full;
        TreeHash hashes[TILE_WIDTH];
} Level;

typedef struct Check {
        Logcheck *result;
        int fd; /* of the folder */
        Buffer file;
        Buffer other; /* another width of the tile in `file` */
        IntentSet intents;
        Level levels[LEVELS];
} Check;

static void check_deinit(Check *c)
{
        c->fd = close_fd(c->fd);
        buffer_deinit(&c->file);
        buffer_deinit(&c->other);
        intentset_deinit(&c->intents);
}

_printf_(3, 4) static int check_fail(Check *c, const char *reason, const char *format, ...)
{
        va_list args;

        (void)snprintf(c->result->reason, sizeof(c->result->reason), "%s", reason);
        va_start(args, format);
        (void)vsnprintf(c->result->message, sizeof(c->result->message), format, args);
        va_end(args);
        return LOGCHECK_E_FAILED;
}

static int check_unreadable(Check *c, const char *path, const char *why)
{
        (void)check_fail(c, "unreadable", "%s: %s", path, why);
        return LOGCHECK_E_UNREADABLE;
}

/* tlog-tiles: N is written in groups of three digits, all but the last with an "x" in front. */
static void tile_path(char ret[static PATH_SIZE], const char *level, uint64_t n, unsigned width)
{
        uint64_t groups[8];
        size_t n_groups = 0, size;

        do {
                groups[n_groups++] = n % 1000;
                n /= 1000;
        } while (n > 0 && n_groups < ARRAY_SIZE(groups));
        size = (size_t)snprintf(ret, PATH_SIZE, "tile/%s", level);
        while (n_groups-- > 0)
                size += (size_t)snprintf(ret + size, PATH_SIZE - size, "/%s%03u", n_groups > 0 ? "x" : "",
                                         (unsigned)groups[n_groups]);
        if (width < TILE_WIDTH)
                size += (size_t)snprintf(ret + size, PATH_SIZE - size, ".p/%u", width);
        assert(size < PATH_SIZE);
}

/* Replaces what is in `out`.  LOGCHECK_E_FAILED, LOGCHECK_E_UNREADABLE; that it is missing is none of them.
 */
static int check_read(Check *c, const char *path, size_t max, Buffer *out, bool *ret_missing)
{
        _cleanup_(close_fdp) int fd = -1;
        int r;

        *ret_missing = false;
        buffer_clear(out);
        fd = openat(c->fd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0 && errno == ENOENT) {
                *ret_missing = true;
                return 0;
        }
        if (fd < 0)
                return check_unreadable(c, path, strerror(errno));
        r = file_read_fd(out, fd, max);
        if (r < 0)
                return check_unreadable(c, path, strerror(-r));
        if (r > 0)
                return check_fail(c, "tile-size", "%s: not a regular file of at most %zu bytes", path, max);
        return 0;
}

/* The tile of `width`; a partial one may have been replaced by the full one that begins with it. */
static int check_read_tile(Check *c, const char *level, uint64_t n, unsigned width, size_t max,
                           char ret_path[static PATH_SIZE])
{
        bool missing;
        int r;

        tile_path(ret_path, level, n, width);
        r = check_read(c, ret_path, max, &c->file, &missing);
        if (r == 0 && missing && width < TILE_WIDTH) {
                tile_path(ret_path, level, n, TILE_WIDTH);
                r = check_read(c, ret_path, max, &c->file, &missing);
        }
        if (r == 0 && missing)
                return check_fail(c, "tile-missing", "%s is missing", ret_path);
        return r;
}

/* ---- other widths of a tile ---- */

/* What a tile or bundle has to begin with: its first i parts end at ends[i]; `width` of them are known. */
typedef struct Expected {
        const char *level;
        uint64_t n;
        unsigned width;
        const uint8_t *data;
        const size_t *ends;
        size_t max;
} Expected;

static int check_other_width(Check *c, const Expected *e, unsigned width)
{
        unsigned known = width < e->width ? width : e->width;
        char path[PATH_SIZE];
        bool missing;
        int r;

        tile_path(path, e->level, e->n, width);
        r = check_read(c, path, e->max, &c->other, &missing);
        if (r || missing)
                return r;
        if (c->other.size < e->ends[known] || (width <= e->width && c->other.size != e->ends[known]) ||
            memcmp(c->other.data, e->data, e->ends[known]) != 0)
                return check_fail(c, "tile-wrong", "%s is not what the entries make it", path);
        return 0;
}

/* A copy of a log may keep tiles of every size it ever had: what is served has to be true. */
static int check_other_widths(Check *c, const Expected *e)
{
        char path[PATH_SIZE];
        struct dirent *d;
        uint64_t width;
        DIR *dir;
        int fd, r;

        if (e->width < TILE_WIDTH) {
                r = check_other_width(c, e, TILE_WIDTH);
                if (r)
                        return r;
        }
        tile_path(path, e->level, e->n, TILE_WIDTH);
        (void)strncat(path, ".p", sizeof(path) - strlen(path) - 1);
        fd = openat(c->fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return errno == ENOENT ? 0 : check_unreadable(c, path, strerror(errno));
        dir = fdopendir(fd);
        if (!dir) {
                (void)close_fd(fd); /* returns -1 always */
                return error_origin(-ENOMEM);
        }
        r = 0;
        while (r == 0 && (d = readdir(dir)))
                if (decimal_decode(&width, d->d_name, strlen(d->d_name), TILE_WIDTH - 1) == 0 && width > 0)
                        r = check_other_width(c, e, (unsigned)width);
        (void)closedir(dir); /* it was only read */
        return r;
}

/* ---- hash tiles ---- */

static int check_tile(Check *c, unsigned level, uint64_t n, unsigned width)
{
        char name[8], path[PATH_SIZE];
        size_t size = width * TREE_HASH_SIZE, ends[TILE_WIDTH + 1];
        Expected expected = {.level = name,
                             .n = n,
                             .width = width,
                             .data = (const uint8_t *)c->levels[level].hashes,
                             .ends = ends,
                             .max = TILE_WIDTH * TREE_HASH_SIZE};
        int r;

        (void)snprintf(name, sizeof(name), "%u", level);
        r = check_read_tile(c, name, n, width, TILE_WIDTH * TREE_HASH_SIZE, path);
        if (r)
                return r;
        if (c->file.size < size || c->file.size % TREE_HASH_SIZE != 0)
                return check_fail(c, "tile-size", "%s is too short", path);
        if (memcmp(c->file.data, c->levels[level].hashes, size) != 0)
                return check_fail(c, "tile-wrong", "%s is not what the entries hash to", path);
        c->result->n_tiles++;
        for (size_t i = 0; i <= TILE_WIDTH; i++)
                ends[i] = i * TREE_HASH_SIZE;
        return check_other_widths(c, &expected);
}

/* Root of `n` nodes of one level (RFC 6962 2.1), each standing for a full subtree; destroys `hashes`. */
static void fold_level(TreeHash *hashes, unsigned n)
{
        for (; n > 1; n = (n + 1) / 2)
                for (unsigned i = 0; i < n; i += 2) {
                        if (i + 1 < n)
                                tree_hash_node(&hashes[i / 2], &hashes[i], &hashes[i + 1]);
                        else
                                hashes[i / 2] = hashes[i];
                }
}

static int check_add_hash(Check *c, TreeHash hash)
{
        for (unsigned level = 0; level < LEVELS; level++) {
                Level *l = &c->levels[level];
                int r;

                l->hashes[l->n++] = hash;
                if (l->n < TILE_WIDTH)
                        return 0;
                r = check_tile(c, level, l->n_full, TILE_WIDTH);
                if (r)
                        return r;
                fold_level(l->hashes, TILE_WIDTH);
                hash = l->hashes[0];
                l->n = 0;
                l->n_full++;
        }
        return error_origin(-EOVERFLOW);
}

/*
 * The tiles at the right edge, and from them the root: the lower levels are the rightmost subtree.  A
 * level's hashes are folded together with what came from below, which is always the last and smallest.
 */
static int check_edge(Check *c, TreeHash *ret_root)
{
        bool have = false;
        int r;

        tree_hash_empty(ret_root);
        for (unsigned level = 0; level < LEVELS; level++) {
                Level *l = &c->levels[level];
                TreeHash hashes[TILE_WIDTH];
                unsigned n = l->n;

                if (n > 0) {
                        r = check_tile(c, level, l->n_full, n);
                        if (r)
                                return r;
                }
                memcpy(hashes, l->hashes, n * sizeof(hashes[0]));
                if (have)
                        hashes[n++] = *ret_root;
                if (n == 0)
                        continue;
                fold_level(hashes, n);
                *ret_root = hashes[0];
                have = true;
        }
        return 0;
}

/* ---- entries ---- */

static void check_count(Logcheck *k, const Entry *e)
{
        k->n_signatures += strcmp(e->type, ENTRY_SIGNATURE) == 0;
        k->n_attestations += strcmp(e->type, ENTRY_ATTESTATION) == 0;
        k->n_refusals += strcmp(e->type, ENTRY_REFUSAL) == 0;
        k->n_abandoned += strcmp(e->type, ENTRY_ABANDONED) == 0;
        if (k->n_entries == 0)
                k->first_usec = e->time_usec;
        k->last_usec = e->time_usec;
}

/* Entry 0 and no other is the genesis, of this log. */
static int check_genesis(Check *c, const Entry *e)
{
        const char *origin;

        if ((c->result->n_entries == 0) != (strcmp(e->type, ENTRY_GENESIS) == 0))
                return check_fail(c, "entry-genesis",
                                  "entry %llu: the first entry, and no other, is the genesis",
                                  (unsigned long long)c->result->n_entries);
        if (c->result->n_entries > 0)
                return 0;
        if (sjson_get_string(e->document, "origin", &origin, NULL) != 0 ||
            strcmp(origin, c->result->checkpoint.origin) != 0)
                return check_fail(c, "entry-genesis",
                                  "entry 0: the genesis is of another log than the checkpoint");
        return 0;
}

static int check_intent(Check *c, const Entry *e)
{
        int r;

        if (!e->has_intent)
                return 0;
        r = intentset_add(&c->intents, e->intent);
        if (r < 0)
                return error_fold(r);
        if (r > 0)
                return check_fail(c, "entry-intent", "entry %llu: intent %llu %s",
                                  (unsigned long long)c->result->n_entries, (unsigned long long)e->intent,
                                  r == INTENTSET_E_TWICE ? "has ended before" : "is out of all order");
        return 0;
}

static int check_entry(Check *c, Blob bytes)
{
        _cleanup_(entry_deinit) Entry entry = {};
        Logcheck *k = c->result;
        int r;

        r = entry_decode(&entry, bytes);
        if (r < 0)
                return error_fold(r);
        if (r > 0)
                return check_fail(c, "entry-syntax", "entry %llu is not of a known form",
                                  (unsigned long long)k->n_entries);
        r = check_genesis(c, &entry);
        if (r == 0)
                r = check_intent(c, &entry);
        if (r)
                return r;
        if (k->n_entries > 0 && entry.time_usec < k->last_usec)
                return check_fail(c, "entry-time", "entry %llu is older than the one before it",
                                  (unsigned long long)k->n_entries);
        check_count(k, &entry);
        k->n_entries++;
        return 0;
}

/* The entries in c->file: entry i ends at ends[i + 1]. */
static int check_entries(Check *c, const char *path, unsigned width, TreeHash *leaves, size_t *ends)
{
        size_t at = 0, size;
        int r;

        ends[0] = 0;
        for (unsigned i = 0; i < width; i++) {
                Blob entry;

                if (c->file.size - at < 2 || c->file.size - at - 2 < get_u16(c->file.data + at))
                        return check_fail(c, "bundle-size", "%s ends within an entry", path);
                size = get_u16(c->file.data + at);
                entry = BLOB(c->file.data + at + 2, size);
                r = check_entry(c, entry);
                if (r)
                        return r;
                tree_hash_leaf(&leaves[i], entry);
                at += 2 + size;
                ends[i + 1] = at;
        }
        return 0;
}

/* Entries first, then the tile of their hashes, since that is read into the same buffer. */
static int check_bundle(Check *c, uint64_t n, unsigned width)
{
        TreeHash leaves[TILE_WIDTH];
        size_t ends[TILE_WIDTH + 1] = {0};
        Expected expected = {.level = "entries", .n = n, .width = width, .ends = ends, .max = BUNDLE_SIZE};
        char path[PATH_SIZE];
        int r;

        r = check_read_tile(c, "entries", n, width, BUNDLE_SIZE, path);
        if (r == 0)
                r = check_entries(c, path, width, leaves, ends);
        if (r)
                return r;
        /* A full bundle in place of a partial one has more. */
        if (ends[width] != c->file.size && (width == TILE_WIDTH || strstr(path, ".p/")))
                return check_fail(c, "bundle-size", "%s has bytes after its last entry", path);
        expected.data = c->file.data;
        r = check_other_widths(c, &expected);
        for (unsigned i = 0; i < width && r == 0; i++)
                r = check_add_hash(c, leaves[i]);
        return r;
}

/* ---- the log ---- */

static int check_checkpoint_unsigned(Check *c)
{
        _cleanup_(note_deinit) Note note = {};
        int r;

        r = note_decode(&note, buffer_blob(&c->file));
        if (r == 0)
                r = checkpoint_decode(&c->result->checkpoint, note.text);
        if (r < 0)
                return error_fold(r);
        return r == 0 ? 0 : check_fail(c, "checkpoint-syntax", "the checkpoint is malformed");
}

static int check_checkpoint(Check *c, NoteVerifier *log)
{
        bool missing;
        int r;

        r = check_read(c, "checkpoint", LIMIT_NOTE_SIZE, &c->file, &missing);
        if (r)
                return r;
        if (missing)
                return check_unreadable(c, "checkpoint", "no such file");
        if (!log)
                return check_checkpoint_unsigned(c);

        r = checkpoint_verify(&c->result->checkpoint, buffer_blob(&c->file), log);
        if (r < 0)
                return error_fold(r);
        if (r == CHECKPOINT_E_SYNTAX)
                return check_fail(c, "checkpoint-syntax", "the checkpoint is malformed");
        if (r == CHECKPOINT_E_ORIGIN)
                return check_fail(c, "checkpoint-origin", "the checkpoint is of another log than %s",
                                  log->name);
        if (r > 0)
                return check_fail(c, "checkpoint-signature",
                                  "the checkpoint is not signed by the trusted key of %s", log->name);
        c->result->signed_by_trusted = true;
        return 0;
}

static int check_root(Check *c)
{
        TreeHash root;
        int r;

        r = check_edge(c, &root);
        if (r)
                return r;
        if (!tree_hash_equal(&root, &c->result->checkpoint.root))
                return check_fail(c, "root-wrong", "the entries do not hash to the root of the checkpoint");
        return 0;
}

int logcheck_run(Logcheck *ret, const char *path, NoteVerifier *log,
                 void (*progress)(void *userdata, uint64_t done, uint64_t total), void *userdata)
{
        _cleanup_(check_deinit) Check c = {.result = ret, .fd = -1};
        uint64_t size, done = 0;
        int r;

        assert(ret);
        assert(path);

        *ret = (Logcheck){};
        c.fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (c.fd < 0)
                return check_unreadable(&c, path, strerror(errno));
        r = check_checkpoint(&c, log);
        if (r)
                return r;

        size = ret->checkpoint.size;
        while (done < size) {
                unsigned width = size - done < TILE_WIDTH ? (unsigned)(size - done) : TILE_WIDTH;

                r = check_bundle(&c, done / TILE_WIDTH, width);
                if (r)
                        return r;
                done += width;
                if (progress)
                        progress(userdata, done, size);
        }
        assert(ret->n_entries == size);
        return check_root(&c);
}
