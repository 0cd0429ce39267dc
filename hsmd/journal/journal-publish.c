/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/hex.h"
#include "journal/journal-internal.h"

#define BUNDLE MERKLE_TILE_WIDTH
/* Entries that log/ may lack after a power loss before a sync is forced, and when there is time. */
#define JOURNAL_UNSYNCED_FORCED 8192u
#define JOURNAL_UNSYNCED_IDLE   256u
/* Beyond this the memory of one large bundle goes back. */
#define JOURNAL_BUNDLE_KEPT (size_t)(1024 * 1024)

/* ---- tiles of the committed tree ---- */

int journal_read_store_tile(Journal *j, unsigned level, uint64_t n, TreeHash ret[static MERKLE_TILE_WIDTH])
{
        int r;

        r = store_get_tile(j->store, level, n, (uint8_t *)ret);
        if (r > 0) {
                j->store_corrupt = true;
                return error_origin(-EUCLEAN);
        }
        return error_fold(r);
}

int journal_read_tile(Journal *j, unsigned level, uint64_t n, unsigned width,
                      TreeHash ret[static MERKLE_TILE_WIDTH])
{
        unsigned shift = 8 * (level + 1);
        uint64_t n_full = shift < 64 ? j->lock.size >> shift : 0;
        const TreeHash *partial;
        size_t n_partial;

        assert(level < JOURNAL_LEVELS);
        assert(n <= n_full);

        if (n < n_full)
                return error_fold(journal_read_store_tile(j, level, n, ret));
        partial = merkle_partial(j->tree, level, &n_partial);
        assert(width > 0);
        assert(width <= n_partial);
        memcpy(ret, partial, width * sizeof(*ret));
        return 0;
}

/* ---- the second opinion ---- */

int journal_check_consistency(Journal *j, uint64_t size, const TreeHash *root)
{
        TreeHash proof[LIMIT_PROOF_HASHES];
        size_t n = 0;
        int r;

        /* Any tree is consistent with the empty one, whose root checkpoint_decode() has looked at. */
        if (size == 0)
                return 0;
        assert(size <= j->lock.size);
        r = merkle_consistency(j->tree, size, proof, &n);
        if (r)
                return error_fold(r);
        r = tree_verify_consistency(size, j->lock.size, root, &j->lock.root, proof, n);
        if (r < 0)
                return error_fold(r);
        return r > 0 ? JOURNAL_E_CORRUPT : 0;
}

typedef struct JournalReading {
        Journal *j;
        Range *range;
        bool check;
        uint64_t time_usec;
        TreeHash tile[MERKLE_TILE_WIDTH];
} JournalReading;

static_assert(LIMIT_ENTRY_SIZE <= UINT16_MAX, "tlog-tiles: lengths in a bundle are u16");

/* Append "u16be length || entry". */
static int journal_append_bundle(Journal *j, Blob content)
{
        uint8_t length[2];
        int r;

        put_u16(length, (uint16_t)content.size);
        r = buffer_append(&j->bundle, length, sizeof(length));
        r = r ?: buffer_append(&j->bundle, content.data, content.size);
        return error_fold(r);
}

static int journal_read_back_entry(void *userdata, uint64_t index, Blob content)
{
        JournalReading *reading = userdata;
        TreeHash leaf;
        uint64_t time;

        /* Many entries may have the time of one; none is older than the one before it. */
        if (content.size > LIMIT_ENTRY_SIZE || keys_time(&time, content) != 0 || time < reading->time_usec)
                return STORE_E_CORRUPT;
        reading->time_usec = time;
        tree_hash_leaf(&leaf, content);
        if (reading->check && !tree_hash_equal(&leaf, &reading->tile[index % BUNDLE]))
                return STORE_E_CORRUPT;
        if (reading->range)
                range_append(reading->range, &leaf);
        return error_fold(journal_append_bundle(reading->j, content));
}

int journal_read_back(Journal *j, uint64_t from, uint64_t to, Range *range, bool check)
{
        JournalReading reading = {.j = j, .range = range, .check = check};
        int r;

        for (uint64_t next; from < to; from = next) {
                next = (from / BUNDLE + 1) * BUNDLE;
                next = next < to ? next : to;
                if (check) {
                        r = journal_read_tile(j, 0, from / BUNDLE, (unsigned)(next % BUNDLE), reading.tile);
                        if (r)
                                return error_fold(r);
                }
                r = store_each_entry(j->store, from, next, journal_read_back_entry, &reading);
                if (r < 0)
                        return error_fold(r);
                if (r > 0 || (next == j->lock.size && reading.time_usec != j->lock.time_usec))
                        return JOURNAL_E_CORRUPT;
        }
        return 0;
}

/*
 * Before a signed root leaves: the entries as the database has them now, hashed again, give the hashes of
 * the tiles and, by other code than made it, the root; and the new tree extends the one published last.
 */
static int journal_second_opinion(Journal *j, Range *ret_range)
{
        Range range = j->range;
        TreeHash root;
        int r;

        store_forget(j->store);
        r = journal_read_back(j, j->published, j->lock.size, &range, true);
        if (r)
                return r < 0 ? error_fold(r) : error_origin(-EUCLEAN);
        range_root(&range, &root);
        if (range.size != j->lock.size || !tree_hash_equal(&root, &j->lock.root))
                return error_origin(-EUCLEAN);
        r = journal_check_consistency(j, j->published, &j->checkpoint.root);
        if (r)
                return r < 0 ? error_fold(r) : error_origin(-EUCLEAN);

        *ret_range = range;
        return 0;
}

/* ---- log/ ---- */

/* Bytes of the next n entries of a bundle. */
static size_t journal_bundle_size(Blob bundle, uint64_t n)
{
        size_t size = 0;

        for (uint64_t i = 0; i < n; i++) {
                assert(bundle.size - size >= 2);
                size += 2 + get_u16(bundle.data + size);
                assert(size <= bundle.size);
        }
        return size;
}

static int journal_put_tile(Journal *j, unsigned level, uint64_t n, unsigned width, Blob content)
{
        int r;

        r = tiles_put(j->tiles, level, n, width, content);
        j->log_conflict = r == TILES_E_CONFLICT;
        return j->log_conflict ? error_origin(-EEXIST) : error_fold(r);
}

static int journal_write_bundles(Journal *j, uint64_t from, uint64_t to)
{
        Blob rest = buffer_blob(&j->bundle);
        int r;

        for (uint64_t n = from / BUNDLE; n * BUNDLE < to; n++) {
                uint64_t width = to - n * BUNDLE < BUNDLE ? to - n * BUNDLE : BUNDLE;
                size_t size = journal_bundle_size(rest, width);

                r = journal_put_tile(j, TILES_ENTRIES, n, (unsigned)(width % BUNDLE), BLOB(rest.data, size));
                if (r)
                        return error_fold(r);
                rest = BLOB(rest.data + size, rest.size - size);
        }
        assert(rest.size == 0);
        return 0;
}

static int journal_write_hashes(Journal *j, unsigned level, uint64_t n, unsigned width)
{
        TreeHash hashes[MERKLE_TILE_WIDTH];
        int r;

        r = journal_read_tile(j, level, n, width, hashes);
        if (r)
                return error_fold(r);
        return error_fold(
                journal_put_tile(j, level, n, width,
                                 BLOB(hashes, (width > 0 ? width : MERKLE_TILE_WIDTH) * sizeof(*hashes))));
}

int journal_write_tiles(Journal *j, uint64_t from, uint64_t to, JournalPartials partials)
{
        int r;

        for (unsigned level = 0; level < JOURNAL_LEVELS && to >> 8 * level > 0; level++) {
                /* In hashes of this level. */
                uint64_t hashes_from = from >> 8 * level, hashes_to = to >> 8 * level;
                unsigned width = (unsigned)(hashes_to % MERKLE_TILE_WIDTH);

                for (uint64_t n = hashes_from / MERKLE_TILE_WIDTH; n < hashes_to / MERKLE_TILE_WIDTH; n++) {
                        r = journal_write_hashes(j, level, n, 0);
                        if (r)
                                return error_fold(r);
                }
                /* tlog-tiles: "Empty tiles MUST NOT be served." */
                if (width == 0 || partials == JOURNAL_PARTIALS_NONE ||
                    (partials == JOURNAL_PARTIALS_NEW && hashes_from == hashes_to))
                        continue;
                r = journal_write_hashes(j, level, hashes_to / MERKLE_TILE_WIDTH, width);
                if (r)
                        return error_fold(r);
        }
        return error_fold(journal_write_bundles(j, from, to));
}

int journal_trim_bundle(Journal *j, uint64_t from, uint64_t size)
{
        Buffer tail = BUFFER_NULL;
        size_t done;
        int r;

        done = journal_bundle_size(buffer_blob(&j->bundle), size / BUNDLE * BUNDLE - from / BUNDLE * BUNDLE);
        buffer_consume(&j->bundle, done);
        if (j->bundle.capacity <= JOURNAL_BUNDLE_KEPT || j->bundle.size > JOURNAL_BUNDLE_KEPT / 2)
                return 0;

        r = buffer_append(&tail, j->bundle.data, j->bundle.size);
        if (r)
                return error_fold(r);
        buffer_deinit(&j->bundle);
        j->bundle = tail;
        return 0;
}

/* ---- the checkpoint ---- */

static Checkpoint journal_unsigned_checkpoint(const Journal *j)
{
        Checkpoint c = {.size = j->lock.size, .root = j->lock.root};

        static_assert(sizeof(c.origin) == sizeof(j->log.name), "both are an origin");
        memcpy(c.origin, j->log.name, sizeof(c.origin));
        return c;
}

int journal_checkpoint_text(const Journal *j, Buffer *out)
{
        Checkpoint c;

        assert(j);
        assert(out);

        c = journal_unsigned_checkpoint(j);
        return error_fold(checkpoint_write(&c, out));
}

/* The note as others will see it, read and verified as they will. */
static int journal_make_note(Journal *j, Blob signature, Buffer *note, Checkpoint *ret)
{
        Checkpoint wanted = journal_unsigned_checkpoint(j);
        int r;

        if (signature.size != 64)
                return error_origin(-EBADMSG);
        r = checkpoint_write_note(&wanted, &j->log, signature, note);
        if (r)
                return error_fold(r);
        r = checkpoint_verify(ret, buffer_blob(note), &j->log);
        if (r)
                return r < 0 ? error_fold(r) : error_origin(-EBADMSG);
        assert(ret->size == wanted.size);
        assert(tree_hash_equal(&ret->root, &wanted.root));
        return 0;
}

int journal_publish(Journal *j, Blob signature)
{
        _cleanup_(buffer_deinit) Buffer note = BUFFER_NULL;
        Checkpoint checkpoint;
        Range range;
        int r;

        assert(j);
        assert(j->published <= j->lock.size);

        r = journal_make_note(j, signature, &note, &checkpoint);
        if (r)
                return error_fold(r);
        r = journal_second_opinion(j, &range);
        if (r)
                return error_fold(r);
        r = store_put_checkpoint(j->store, checkpoint.size, buffer_blob(&note));
        if (r)
                return error_fold(r);

        j->range = range;
        j->checkpoint = checkpoint;
        j->published = checkpoint.size;
        buffer_deinit(&j->note);
        j->note = note;
        note = (Buffer)BUFFER_NULL;
        return 0;
}

bool journal_log_is_behind(const Journal *j)
{
        assert(j);

        return j->written != j->published;
}

int journal_write_log(Journal *j)
{
        int r;

        assert(j);
        assert(j->written <= j->published);

        if (j->written == j->published)
                return 0;
        r = journal_write_tiles(j, j->written, j->published, JOURNAL_PARTIALS_NEW);
        if (r)
                return error_fold(r);
        /* Last: whoever reads it finds all that it speaks of. */
        r = tiles_put_checkpoint(j->tiles, buffer_blob(&j->note));
        if (r)
                return error_fold(r);
        r = journal_trim_bundle(j, j->written, j->published);
        if (r)
                return error_fold(r);

        j->written = j->published;
        return 0;
}

/* ---- upkeep ---- */

/* One file of evidence/, named by its hash: whatever else is under that name is torn. */
static int journal_export_evidence(Journal *j)
{
        char name[2 * SHA256_SIZE + 1];
        uint8_t hash[SHA256_SIZE];
        uint64_t id = 0;
        int r;

        buffer_clear(&j->scratch);
        r = store_next_evidence(j->store, j->exported, &id, hash, &j->scratch);
        if (r == STORE_E_MISSING) {
                j->evidence_waits = false;
                return 0;
        }
        if (r)
                return error_fold(r);
        hex_encode(name, hash, sizeof(hash));
        r = file_put_immutable(j->evidence_fd, name, buffer_blob(&j->scratch), false);
        if (r == FILE_E_DIFFERENT)
                r = file_replace(j->evidence_fd, name, buffer_blob(&j->scratch), 0444, false);
        if (r)
                return error_fold(r);

        j->exported = id;
        return 0;
}

/* Everything at one place of all levels that became full with tile `n` of level 0. */
static int journal_drop_partials(Journal *j, uint64_t n)
{
        int r;

        r = tiles_drop_partials(j->tiles, TILES_ENTRIES, n);
        if (r)
                return error_fold(r);
        for (unsigned level = 0; level < JOURNAL_LEVELS; level++) {
                r = tiles_drop_partials(j->tiles, level, n >> 8 * level);
                if (r)
                        return error_fold(r);
                if (((n >> 8 * level) + 1) % MERKLE_TILE_WIDTH != 0)
                        break;
        }
        return 0;
}

/*
 * Sync, then drop the partials of what is full and durable, a tile each slice, then remember how far it
 * went: after a crash in between it is done again.
 */
static int journal_sync_slice(Journal *j)
{
        int r;

        if (j->syncing == j->synced) {
                r = tiles_sync(j->tiles);
                if (r)
                        return error_fold(r);
                if (syncfs(j->evidence_fd) < 0)
                        return error_origin(-errno);
                j->syncing = j->written;
        }
        if (j->dropped < j->syncing / BUNDLE) {
                r = journal_drop_partials(j, j->dropped);
                if (r)
                        return error_fold(r);
                j->dropped++;
        }
        if (j->dropped < j->syncing / BUNDLE)
                return 0;

        r = store_put_published(j->store, j->syncing, j->exported);
        if (r)
                return error_fold(r);
        j->synced = j->syncing;
        return 0;
}

bool journal_should_maintain(const Journal *j, bool idle)
{
        assert(j);

        if (index_should_flush(j->index, idle) || j->written - j->synced >= JOURNAL_UNSYNCED_FORCED)
                return true;
        return idle && (j->evidence_waits || j->syncing != j->synced ||
                        j->written - j->synced >= JOURNAL_UNSYNCED_IDLE);
}

int journal_maintain(Journal *j, bool *ret_more)
{
        bool index_more = false;
        int r;

        assert(j);
        assert(ret_more);

        if (index_should_flush(j->index, true)) {
                r = index_flush(j->index, &index_more);
                if (r)
                        return error_fold(r);
        }
        if (j->evidence_waits) {
                r = journal_export_evidence(j);
                if (r)
                        return error_fold(r);
        }
        if (j->syncing != j->synced || j->written - j->synced >= JOURNAL_UNSYNCED_IDLE) {
                r = journal_sync_slice(j);
                if (r)
                        return error_fold(r);
        }

        *ret_more = index_more || j->evidence_waits || j->syncing != j->synced;
        return 0;
}
