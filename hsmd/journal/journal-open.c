/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>

#include "base/error.h"
#include "base/file.h"
#include "journal/journal-internal.h"

#define BUNDLE MERKLE_TILE_WIDTH

/* A start that ends with a positive code: what an operator is told. */
static int journal_refuse(Buffer *message, int code, const char *text)
{
        int r;

        assert(code > 0);

        if (!message)
                return code;
        r = buffer_append_string(message, text);
        return r ? error_fold(r) : code;
}

/* ---- whose it is ---- */

static int journal_init_log(Journal *j, const JournalOptions *options)
{
        Blob raw = public_key_raw(options->log_key);
        size_t size = strlen(options->origin);

        if (public_key_type(options->log_key) != KEY_ED25519 || !note_name_valid(options->origin, size))
                return error_origin(-EINVAL);

        assert(size < sizeof(j->log.name));
        memcpy(j->log.name, options->origin, size + 1);
        j->log.type = NOTE_TYPE_ED25519;
        j->log.id = note_key_id(j->log.name, NOTE_TYPE_ED25519, raw.data);
        j->log.key = options->log_key;
        return 0;
}

static int journal_check_meta(Journal *j, const char *name, Blob wanted, Buffer *message)
{
        int r;

        buffer_clear(&j->scratch);
        r = store_get_meta(j->store, name, &j->scratch);
        if (r < 0)
                return error_fold(r);
        if (r > 0)
                return journal_refuse(message, JOURNAL_E_CORRUPT,
                                      "state.db does not say which log it is of");
        if (!blob_equal(buffer_blob(&j->scratch), wanted))
                return journal_refuse(message, JOURNAL_E_FOREIGN,
                                      "state.db belongs to a log of another origin or key");
        return 0;
}

static int journal_begin_new(Journal *j)
{
        int r;

        j->lock = (StoreLock){.next_intent = 1};
        tree_hash_empty(&j->lock.root);

        r = store_begin(j->store);
        r = r ?: store_put_meta(j->store, "origin", BLOB_STRING(j->log.name));
        r = r ?: store_put_meta(j->store, "log-key", public_key_raw(j->log.key));
        r = r ?: store_put_lock(j->store, &j->lock);
        r = r ?: store_commit(j->store);
        return error_fold(r);
}

static int journal_load_lock(Journal *j, bool create, Buffer *message)
{
        int r;

        r = store_get_lock(j->store, &j->lock);
        if (r == STORE_E_MISSING && store_n_entries(j->store) == 0)
                return create ? error_fold(journal_begin_new(j))
                              : journal_refuse(message, JOURNAL_E_MISSING, "state.db has no journal in it");
        if (r < 0)
                return error_fold(r);
        if (r > 0)
                return journal_refuse(message, JOURNAL_E_CORRUPT,
                                      "the lock record of state.db is unreadable");

        r = journal_check_meta(j, "origin", BLOB_STRING(j->log.name), message);
        if (r)
                return r;
        return journal_check_meta(j, "log-key", public_key_raw(j->log.key), message);
}

static int journal_open_store(Journal *j, const JournalOptions *options, Buffer *message)
{
        int r;

        r = store_open(&j->store, options->state_path, options->create);
        switch (r) {
        case STORE_E_MISSING:
                return journal_refuse(message, JOURNAL_E_MISSING, "there is no state.db");
        case STORE_E_LOCKED:
                return journal_refuse(message, JOURNAL_E_LOCKED, "another hsmd works on this state");
        case STORE_E_CORRUPT:
                return journal_refuse(message, JOURNAL_E_CORRUPT,
                                      "state.db is damaged, or not a database of this program and version");
        default:
                return error_fold(r);
        }
}

/* ---- the committed tree ---- */

static int journal_tree_read(void *userdata, unsigned level, uint64_t n,
                             TreeHash ret[static MERKLE_TILE_WIDTH])
{
        return journal_read_store_tile(userdata, level, n, ret);
}

static int journal_tree_full(void *userdata, unsigned level, uint64_t n,
                             const TreeHash hashes[static MERKLE_TILE_WIDTH])
{
        Journal *j = userdata;

        return error_fold(store_put_tile(j->store, level, n, BLOB(hashes, MERKLE_TILE_SIZE)));
}

/* Hashes of the entries of the unfinished tile, and the time of the last one. */
static int journal_read_tail(Journal *j, TreeHash tail[static MERKLE_TILE_WIDTH], uint64_t *ret_time)
{
        uint64_t size = j->lock.size, time = 0;
        uint64_t from = size % MERKLE_TILE_WIDTH > 0 ? size - size % MERKLE_TILE_WIDTH : size - 1;
        int r;

        for (uint64_t i = from; i < size; i++) {
                buffer_clear(&j->scratch);
                r = store_get_entry(j->store, i, &j->scratch, NULL);
                if (r)
                        return r < 0 ? error_fold(r) : JOURNAL_E_CORRUPT;
                if (keys_time(&time, buffer_blob(&j->scratch)) != 0)
                        return JOURNAL_E_CORRUPT;
                tree_hash_leaf(&tail[i % MERKLE_TILE_WIDTH], buffer_blob(&j->scratch));
        }
        *ret_time = time;
        return 0;
}

/* The right edge, from the bytes of its entries; it has to give the root of the lock record. */
static int journal_restore_tree(Journal *j, Buffer *message)
{
        TreeHash tail[MERKLE_TILE_WIDTH], root;
        uint64_t time = 0;
        int r;

        r = merkle_new(&j->tree, journal_tree_read, journal_tree_full, j);
        if (r)
                return error_fold(r);
        if (store_n_entries(j->store) != j->lock.size)
                return journal_refuse(message, JOURNAL_E_CORRUPT,
                                      "the lock record does not count the entries of state.db");
        if (j->lock.size > 0) {
                r = journal_read_tail(j, tail, &time);
                if (r < 0)
                        return error_fold(r);
                if (r > 0)
                        return journal_refuse(message, JOURNAL_E_CORRUPT,
                                              "one of the last entries of state.db is unreadable");
                r = merkle_restore(j->tree, j->lock.size, tail, j->lock.size % MERKLE_TILE_WIDTH);
                if (r && j->store_corrupt)
                        return journal_refuse(message, JOURNAL_E_CORRUPT, "a tile is missing in state.db");
                if (r)
                        return error_fold(r);
        }
        merkle_root(j->tree, &root);
        if (!tree_hash_equal(&root, &j->lock.root) || time != j->lock.time_usec)
                return journal_refuse(message, JOURNAL_E_CORRUPT,
                                      "the entries of state.db do not give the root of its lock record");
        j->staged_time_usec = time;
        return 0;
}

static int journal_count_intent(void *userdata, uint64_t id, _unused_ Blob content)
{
        Journal *j = userdata;

        if (id >= j->lock.next_intent)
                return JOURNAL_E_CORRUPT;
        j->n_intents++;
        return 0;
}

static int journal_count_intents(Journal *j, Buffer *message)
{
        int r;

        r = store_each_intent(j->store, journal_count_intent, j);
        if (r > 0)
                return journal_refuse(message, JOURNAL_E_CORRUPT,
                                      "the intents of state.db contradict its lock record");
        return error_fold(r);
}

/* ---- what was signed ---- */

/* A checkpoint file that a power loss has torn: cut off, or with blocks that were never written. */
static bool journal_note_is_torn(Blob note)
{
        return note.size == 0 || memchr(note.data, 0, note.size) || note.data[note.size - 1] != '\n';
}

/* A signed note against the committed tree. */
static int journal_check_note(Journal *j, Blob note, Checkpoint *ret, Buffer *message)
{
        _cleanup_(note_deinit) Note parsed;
        Checkpoint c;
        int r;

        r = note_decode(&parsed, note);
        r = r ?: note_verify(&parsed, &j->log, 1, NULL);
        if (r < 0)
                return error_fold(r);
        if (r == NOTE_E_UNSIGNED)
                return journal_refuse(message, JOURNAL_E_FOREIGN,
                                      "the published checkpoint is of a log with another origin or key");
        if (r > 0)
                return journal_refuse(message, JOURNAL_E_CORRUPT,
                                      "the published checkpoint is damaged, or its signature is wrong");
        r = checkpoint_verify(&c, note, &j->log);
        if (r < 0)
                return error_fold(r);
        if (r > 0)
                return journal_refuse(message, JOURNAL_E_FOREIGN,
                                      "the published checkpoint is not one of this log");

        if (c.size > j->lock.size)
                return journal_refuse(message, JOURNAL_E_ROLLED_BACK,
                                      "the published checkpoint has more entries than state.db: an older "
                                      "state was put back, and to go on would fork the log");
        r = journal_check_consistency(j, c.size, &c.root);
        if (r && j->store_corrupt)
                return journal_refuse(message, JOURNAL_E_CORRUPT, "a tile is missing in state.db");
        if (r < 0)
                return error_fold(r);
        if (r > 0)
                return journal_refuse(message, JOURNAL_E_ROLLED_BACK,
                                      "the published checkpoint contradicts the entries of state.db: to go "
                                      "on would fork the log");
        *ret = c;
        return 0;
}

/* Takes a note as the last one published if it is newer than what is known. */
static int journal_take_note(Journal *j, Blob note, Buffer *message)
{
        Checkpoint c;
        int r;

        r = journal_check_note(j, note, &c, message);
        if (r)
                return r;
        if (j->note.size > 0 && c.size <= j->checkpoint.size)
                return 0;
        buffer_clear(&j->note);
        r = buffer_append(&j->note, note.data, note.size);
        if (r)
                return error_fold(r);

        j->checkpoint = c;
        j->published = c.size;
        return 0;
}

/* The checkpoint that was published last: of log/, or, where that was lost, the one that the store kept. */
static int journal_load_checkpoints(Journal *j, bool *ret_republish, bool *ret_wiped, Buffer *message)
{
        _cleanup_(buffer_deinit) Buffer stored = BUFFER_NULL, shown = BUFFER_NULL;
        uint64_t size, shown_size = 0;
        bool is_shown, torn = false;
        int r;

        r = tiles_get_checkpoint(j->tiles, &shown);
        if (r < 0)
                return error_fold(r);
        is_shown = r == 0;
        if (is_shown) {
                torn = journal_note_is_torn(buffer_blob(&shown));
                r = torn ? 0 : journal_take_note(j, buffer_blob(&shown), message);
                if (r)
                        return r;
                shown_size = j->published;
        }

        r = store_get_checkpoint(j->store, &size, &stored);
        if (r < 0)
                return error_fold(r);
        if (r == 0) {
                r = journal_take_note(j, buffer_blob(&stored), message);
                if (r)
                        return r;
        }

        *ret_wiped = !is_shown;
        *ret_republish = j->note.size > 0 && (!is_shown || torn || shown_size != j->published);
        return 0;
}

/* ---- log/ and the index brought up to date ---- */

/* From `from`, a multiple of 256, to the published size: bundle by bundle, so that memory stays small. */
static int journal_repair_log(Journal *j, uint64_t from)
{
        uint64_t to;
        int r;

        assert(from % BUNDLE == 0);

        for (; from < j->published; from = to) {
                to = j->published - from < BUNDLE ? j->published : from + BUNDLE;
                buffer_clear(&j->bundle);
                r = journal_read_back(j, from, to, NULL, true);
                if (r)
                        return r;
                r = journal_write_tiles(j, from, to, JOURNAL_PARTIALS_NONE);
                if (r)
                        return error_fold(r);
                r = journal_trim_bundle(j, from, to);
                if (r)
                        return error_fold(r);
        }
        /* Once more for the partial tiles, and the start of the next bundle stays in memory. */
        return error_fold(journal_write_tiles(j, j->published, j->published, JOURNAL_PARTIALS_ALL));
}

/* Bundles are written after the entries are durable: one that has more is of a newer state than this one. */
static int journal_check_bundles(Journal *j, Buffer *message)
{
        bool beyond = false;
        int r;

        r = tiles_reach_beyond(j->tiles, j->lock.size, &beyond);
        if (r)
                return error_fold(r);
        return beyond ? journal_refuse(
                                message, JOURNAL_E_ROLLED_BACK,
                                "log/ has more entries than state.db: an older state was put back, and "
                                "to go on would fork the log")
                      : 0;
}

/* The published tree by the second opinion's means, and log/ as it should be. */
static int journal_restore_log(Journal *j, bool republish, bool wiped, Buffer *message)
{
        TreeHash root;
        int r;

        r = journal_make_range(j, j->published, &j->range);
        if (r)
                return j->store_corrupt
                               ? journal_refuse(message, JOURNAL_E_CORRUPT, "a tile is missing in state.db")
                               : error_fold(r);
        range_root(&j->range, &root);
        if (j->note.size > 0 && !tree_hash_equal(&root, &j->checkpoint.root))
                return journal_refuse(message, JOURNAL_E_ROLLED_BACK,
                                      "the tiles of state.db do not give the root that was signed");

        r = store_get_published(j->store, &j->synced, &j->exported);
        if (r)
                return error_fold(r);
        if (wiped || j->synced > j->published)
                j->synced = 0;
        j->syncing = j->synced;
        j->dropped = j->synced / BUNDLE;

        r = journal_repair_log(j, (j->synced < j->published ? j->synced : j->published) / BUNDLE * BUNDLE);
        if (j->log_conflict)
                return journal_refuse(message, JOURNAL_E_CORRUPT,
                                      "a file of log/ differs from what state.db says it must be");
        if (r == JOURNAL_E_CORRUPT)
                return journal_refuse(message, r, "entries of state.db do not give the hashes of its tiles");
        if (r)
                return error_fold(r);
        j->written = j->published;
        return republish ? error_fold(tiles_put_checkpoint(j->tiles, buffer_blob(&j->note))) : 0;
}

static int journal_fill_index(Journal *j, Buffer *message)
{
        bool more = true;
        int r;

        for (uint64_t i = index_size(j->index); i < j->lock.size; i++) {
                buffer_clear(&j->scratch);
                r = store_get_entry(j->store, i, &j->scratch, NULL);
                r = r ?: journal_index_entry(j, i, buffer_blob(&j->scratch));
                if (r < 0)
                        return error_fold(r);
                if (r > 0)
                        return journal_refuse(message, JOURNAL_E_CORRUPT,
                                              "an entry of state.db is unreadable");
                index_seal(j->index, i + 1);
                for (more = index_should_flush(j->index, false); more;) {
                        r = index_flush(j->index, &more);
                        if (r)
                                return error_fold(r);
                }
        }
        return 0;
}

static int journal_open_index(Journal *j, const char *state_path, Buffer *message)
{
        int r;

        r = index_open(&j->index, state_path);
        if (r < 0)
                return error_fold(r);
        /* INDEX_E_CORRUPT: begun anew, and filled like any gap. */
        if (index_size(j->index) > j->lock.size) {
                r = index_reset(j->index);
                if (r)
                        return error_fold(r);
        }
        return journal_fill_index(j, message);
}

static int journal_open_folders(Journal *j, const JournalOptions *options)
{
        j->evidence_fd = open(options->evidence_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (j->evidence_fd < 0)
                return error_origin(-errno);
        j->evidence_waits = true;
        return error_fold(tiles_new(&j->tiles, options->log_path));
}

/* What is signed and shown is checked before anything is written. */
static int journal_start(Journal *j, const JournalOptions *options, Buffer *message)
{
        bool republish, wiped;
        int r;

        r = journal_open_store(j, options, message);
        if (r)
                return r;
        r = journal_load_lock(j, options->create, message);
        if (r)
                return r;
        r = journal_restore_tree(j, message);
        if (r)
                return r;
        r = journal_count_intents(j, message);
        if (r)
                return r;
        r = journal_load_checkpoints(j, &republish, &wiped, message);
        if (r)
                return r;
        r = journal_check_bundles(j, message);
        if (r)
                return r;
        r = journal_restore_log(j, republish, wiped, message);
        if (r)
                return r;
        return journal_open_index(j, options->state_path, message);
}

int journal_open(Journal **ret, const JournalOptions *options, Buffer *message)
{
        _cleanup_(journal_freep) Journal *j = NULL;
        int r;

        assert(ret);
        assert(options);
        assert(options->state_path);
        assert(options->log_path);
        assert(options->evidence_path);
        assert(options->origin);
        assert(options->log_key);

        r = memory_new0(&j, 1);
        if (r)
                return error_fold(r);
        j->evidence_fd = -1;
        r = journal_init_log(j, options);
        if (r)
                return error_fold(r);
        r = journal_open_folders(j, options);
        if (r)
                return error_fold(r);
        r = journal_start(j, options, message);
        if (r)
                return r;

        *ret = TAKE_PTR(j);
        return 0;
}
