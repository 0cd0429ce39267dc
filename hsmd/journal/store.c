/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "journal/db.h"
#include "journal/store.h"

#define STORE_APPLICATION_ID 0x68736d64 /* "hsmd" */
#define STORE_VERSION        1
/* Tiles have one integer key: the level above 56 bits of tile number. */
#define STORE_TILE_SHIFT 56
#define STORE_LEVEL_MAX  7u

static_assert(DB_E_MISSING == (int)STORE_E_MISSING, "codes are passed through");
static_assert(DB_E_LOCKED == (int)STORE_E_LOCKED, "codes are passed through");
static_assert(DB_E_CORRUPT == (int)STORE_E_CORRUPT, "codes are passed through");

static const char store_schema[] =
        "CREATE TABLE lock(id INTEGER PRIMARY KEY CHECK(id = 1), generation INTEGER NOT NULL,"
        " size INTEGER NOT NULL, root BLOB NOT NULL, time_usec INTEGER NOT NULL, next_intent INTEGER NOT "
        "NULL);"
        "CREATE TABLE intents(id INTEGER PRIMARY KEY, content BLOB NOT NULL);"
        "CREATE TABLE entries(id INTEGER PRIMARY KEY, content BLOB NOT NULL, signature BLOB);"
        "CREATE TABLE keys(entry INTEGER PRIMARY KEY, keys BLOB NOT NULL);"
        "CREATE TABLE tiles(id INTEGER PRIMARY KEY, hashes BLOB NOT NULL);"
        "CREATE TABLE evidence(id INTEGER PRIMARY KEY, sha256 BLOB NOT NULL UNIQUE, content BLOB NOT NULL);"
        "CREATE TABLE meta(name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;";

/*
 * The WAL is copied back when it has 16 MiB; it keeps its size then and is written over, so that a sync need
 * not make a new length durable.
 */
static const char store_tuning[] = "PRAGMA synchronous=FULL; PRAGMA cache_size=-4096;"
                                   "PRAGMA wal_autocheckpoint=2000; PRAGMA journal_size_limit=33554432;";

typedef enum StoreStatement {
        STORE_BEGIN,
        STORE_COMMIT,
        STORE_LOCK_GET,
        STORE_LOCK_PUT,
        STORE_INTENT_PUT,
        STORE_INTENT_DELETE,
        STORE_INTENT_NEXT,
        STORE_ENTRY_PUT,
        STORE_ENTRY_GET,
        STORE_ENTRY_MAX,
        STORE_ENTRY_EACH,
        STORE_KEYS_PUT,
        STORE_KEYS_GET,
        STORE_TILE_PUT,
        STORE_TILE_GET,
        STORE_EVIDENCE_PUT,
        STORE_EVIDENCE_GET,
        STORE_EVIDENCE_NEXT,
        STORE_META_PUT,
        STORE_META_GET,
        _STORE_STATEMENT_MAX,
} StoreStatement;

static const char *const store_sql[_STORE_STATEMENT_MAX] = {
        [STORE_BEGIN] = "BEGIN IMMEDIATE",
        [STORE_COMMIT] = "COMMIT",
        [STORE_LOCK_GET] = "SELECT generation, size, root, time_usec, next_intent FROM lock WHERE id = 1",
        [STORE_LOCK_PUT] = "INSERT OR REPLACE INTO lock VALUES(1, ?1, ?2, ?3, ?4, ?5)",
        [STORE_INTENT_PUT] = "INSERT INTO intents VALUES(?1, ?2)",
        [STORE_INTENT_DELETE] = "DELETE FROM intents WHERE id = ?1",
        [STORE_INTENT_NEXT] = "SELECT id, content FROM intents WHERE id >= ?1 ORDER BY id LIMIT 1",
        [STORE_ENTRY_PUT] = "INSERT INTO entries VALUES(?1, ?2, ?3)",
        [STORE_ENTRY_GET] = "SELECT content, signature FROM entries WHERE id = ?1",
        [STORE_ENTRY_MAX] = "SELECT id FROM entries ORDER BY id DESC LIMIT 1",
        [STORE_ENTRY_EACH] = "SELECT id, content FROM entries WHERE id >= ?1 AND id < ?2 ORDER BY id",
        [STORE_KEYS_PUT] = "INSERT INTO keys VALUES(?1, ?2)",
        [STORE_KEYS_GET] = "SELECT keys FROM keys WHERE entry = ?1",
        [STORE_TILE_PUT] = "INSERT INTO tiles VALUES(?1, ?2)",
        [STORE_TILE_GET] = "SELECT hashes FROM tiles WHERE id = ?1",
        [STORE_EVIDENCE_PUT] =
                "INSERT INTO evidence(sha256, content) VALUES(?1, ?2) ON CONFLICT(sha256) DO NOTHING",
        [STORE_EVIDENCE_GET] = "SELECT content FROM evidence WHERE sha256 = ?1",
        [STORE_EVIDENCE_NEXT] = "SELECT id, sha256, content FROM evidence WHERE id > ?1 ORDER BY id LIMIT 1",
        [STORE_META_PUT] = "INSERT OR REPLACE INTO meta VALUES(?1, ?2)",
        [STORE_META_GET] = "SELECT value FROM meta WHERE name = ?1",
};

/* A value that is remembered in memory, and written with the next transaction that somebody else needs. */
typedef struct StoreRider {
        Buffer value;
        bool dirty;
} StoreRider;

struct Store {
        int dir_fd;
        int lock_fd;
        sqlite3 *db;
        sqlite3_stmt *statements[_STORE_STATEMENT_MAX];
        uint64_t n_entries;
        bool in_transaction;
        bool broken;           /* a write failed: nothing is written any more */
        StoreRider checkpoint; /* u64 size, note */
        StoreRider published;  /* u64 size, u64 evidence id */
};

static int store_lock(Store *s)
{
        s->lock_fd = openat(s->dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (s->lock_fd < 0)
                return error_origin(-errno);
        if (flock(s->lock_fd, LOCK_EX | LOCK_NB) == 0)
                return 0;
        return errno == EWOULDBLOCK ? STORE_E_LOCKED : error_origin(-errno);
}

static int store_connect(Store *s, const char *dir, bool create)
{
        _cleanup_(freep) char *path = NULL;
        DbOptions options = {
                .application_id = STORE_APPLICATION_ID,
                .version = STORE_VERSION,
                .schema = store_schema,
                .tuning = store_tuning,
                .page_size = 8192, /* a commit of many writes a third less time than with 4096 */
                .create = create,
        };
        int r;

        r = string_printf(&path, "%s/state.db", dir);
        if (r)
                return error_fold(r);
        r = db_open(&s->db, path, &options);
        if (r)
                return r;
        /* The name of a new file has to last as well. */
        if (create && fsync(s->dir_fd) < 0)
                return error_origin(-errno);

        for (size_t i = 0; i < _STORE_STATEMENT_MAX; i++) {
                r = db_prepare(s->db, store_sql[i], &s->statements[i]);
                if (r)
                        return r;
        }
        return 0;
}

static int store_load(Store *s)
{
        _cleanup_(db_resetp) sqlite3_stmt *last = s->statements[STORE_ENTRY_MAX];
        uint64_t id;
        int r;

        r = store_get_meta(s, "checkpoint", &s->checkpoint.value);
        if (r && r != STORE_E_MISSING)
                return r;
        r = store_get_meta(s, "published", &s->published.value);
        if (r && r != STORE_E_MISSING)
                return r;
        if ((s->checkpoint.value.size > 0 && s->checkpoint.value.size < sizeof(uint64_t)) ||
            (s->published.value.size != 0 && s->published.value.size != 2 * sizeof(uint64_t)))
                return STORE_E_CORRUPT;

        r = db_row(last);
        if (r)
                return r == DB_E_MISSING ? 0 : r;
        r = db_column_u64(last, 0, &id);
        if (r)
                return r;
        if (id >= TREE_SIZE_MAX)
                return STORE_E_CORRUPT;
        s->n_entries = id + 1;
        return 0;
}

int store_open(Store **ret, const char *dir, bool create)
{
        _cleanup_(store_freep) Store *s = NULL;
        int r;

        assert(ret);
        assert(dir);

        r = memory_new0(&s, 1);
        if (r)
                return error_fold(r);
        s->lock_fd = -1;
        s->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (s->dir_fd < 0)
                return error_origin(-errno);

        r = store_lock(s);
        if (r)
                return r;
        r = store_connect(s, dir, create);
        if (r)
                return r;
        r = store_load(s);
        if (r)
                return r;

        *ret = TAKE_PTR(s);
        return 0;
}

/* What still waits for a transaction is worth one of its own at the end; losing it loses nothing. */
static void store_write_riders(Store *s)
{
        int r;

        if (s->broken || s->in_transaction || !(s->checkpoint.dirty || s->published.dirty))
                return;
        r = store_begin(s);
        if (r == 0)
                r = store_commit(s);
        s->broken = r != 0;
}

Store *store_free(Store *s)
{
        if (!s)
                return NULL;

        if (s->db)
                store_write_riders(s);
        for (size_t i = 0; i < _STORE_STATEMENT_MAX; i++)
                s->statements[i] = db_statement_free(s->statements[i]);
        if (s->db)
                s->db = db_close(s->db);
        buffer_deinit(&s->checkpoint.value);
        buffer_deinit(&s->published.value);
        /* Last: whoever gets the lock finds the database closed. */
        s->lock_fd = close_fd(s->lock_fd);
        s->dir_fd = close_fd(s->dir_fd);
        free(s);
        return NULL;
}

/* The end of each write: the first failure is the last write. */
static int store_written(Store *s, int r)
{
        if (r == 0)
                return 0;
        s->broken = true;
        return error_fold(r);
}

int store_begin(Store *s)
{
        assert(s);
        assert(!s->in_transaction);
        assert(!s->broken);

        s->in_transaction = true;
        return store_written(s, db_run(s->statements[STORE_BEGIN]));
}

static int store_put_rider(Store *s, const char *name, StoreRider *rider)
{
        int r;

        if (!rider->dirty)
                return 0;
        r = store_put_meta(s, name, buffer_blob(&rider->value));
        if (r)
                return error_fold(r);
        rider->dirty = false;
        return 0;
}

int store_commit(Store *s)
{
        int r;

        assert(s);
        assert(s->in_transaction);
        assert(!s->broken);

        r = store_put_rider(s, "checkpoint", &s->checkpoint);
        if (r)
                return error_fold(r);
        r = store_put_rider(s, "published", &s->published);
        if (r)
                return error_fold(r);
        r = store_written(s, db_run(s->statements[STORE_COMMIT]));
        if (r)
                return error_fold(r);

        s->in_transaction = false;
        return 0;
}

uint64_t store_n_entries(const Store *s)
{
        assert(s);

        return s->n_entries;
}

void store_forget(Store *s)
{
        assert(s);

        (void)sqlite3_db_release_memory(s->db); /* always SQLITE_OK */
}

int store_get_lock(Store *s, StoreLock *ret)
{
        _cleanup_(db_resetp) sqlite3_stmt *get = NULL;
        StoreLock lock = {};
        Blob root;
        int r;

        assert(s);
        assert(ret);

        get = s->statements[STORE_LOCK_GET];
        r = db_row(get);
        if (r)
                return r;
        r = db_column_u64(get, 0, &lock.generation);
        r = r ?: db_column_u64(get, 1, &lock.size);
        r = r ?: db_column_blob(get, 2, &root);
        r = r ?: db_column_u64(get, 3, &lock.time_usec);
        r = r ?: db_column_u64(get, 4, &lock.next_intent);
        if (r)
                return r;
        if (root.size != sizeof(lock.root.bytes) || lock.next_intent == 0)
                return STORE_E_CORRUPT;

        memcpy(lock.root.bytes, root.data, sizeof(lock.root.bytes));
        *ret = lock;
        return 0;
}

int store_put_lock(Store *s, const StoreLock *lock)
{
        sqlite3_stmt *put;
        int r;

        assert(s);
        assert(s->in_transaction);
        assert(lock);
        assert(lock->size == s->n_entries);
        assert(lock->next_intent > 0);

        put = s->statements[STORE_LOCK_PUT];
        r = db_bind_u64(put, 1, lock->generation);
        r = r ?: db_bind_u64(put, 2, lock->size);
        r = r ?: db_bind_blob(put, 3, BLOB(lock->root.bytes, sizeof(lock->root.bytes)));
        r = r ?: db_bind_u64(put, 4, lock->time_usec);
        r = r ?: db_bind_u64(put, 5, lock->next_intent);
        return store_written(s, r ?: db_run(put));
}

int store_put_intent(Store *s, uint64_t id, Blob content)
{
        sqlite3_stmt *put;
        int r;

        assert(s);
        assert(s->in_transaction);
        assert(id > 0);

        put = s->statements[STORE_INTENT_PUT];
        r = db_bind_u64(put, 1, id);
        r = r ?: db_bind_blob(put, 2, content);
        return store_written(s, r ?: db_run(put));
}

int store_delete_intent(Store *s, uint64_t id)
{
        sqlite3_stmt *delete;
        int r;

        assert(s);
        assert(s->in_transaction);

        delete = s->statements[STORE_INTENT_DELETE];
        r = db_bind_u64(delete, 1, id);
        r = store_written(s, r ?: db_run(delete));
        if (r)
                return error_fold(r);
        assert(sqlite3_changes(s->db) == 1);
        return 0;
}

/* The first intent from `id` on, copied: the callback may write to the table it walks. */
static int store_next_intent(Store *s, uint64_t id, uint64_t *ret_id, Buffer *content)
{
        _cleanup_(db_resetp) sqlite3_stmt *next = s->statements[STORE_INTENT_NEXT];
        Blob blob;
        int r;

        r = db_bind_u64(next, 1, id);
        r = r ?: db_row(next);
        r = r ?: db_column_u64(next, 0, ret_id);
        r = r ?: db_column_blob(next, 1, &blob);
        if (r)
                return r;
        buffer_clear(content);
        return error_fold(buffer_append(content, blob.data, blob.size));
}

int store_each_intent(Store *s, StoreIntent each, void *userdata)
{
        _cleanup_(buffer_deinit) Buffer content = BUFFER_NULL;
        uint64_t id = 0;
        int r;

        assert(s);
        assert(each);

        for (;;) {
                r = store_next_intent(s, id, &id, &content);
                if (r)
                        return r == STORE_E_MISSING ? 0 : r;
                r = each(userdata, id, buffer_blob(&content));
                if (r)
                        return r;
                id++;
        }
}

int store_put_entry(Store *s, uint64_t index, Blob content, Blob signature)
{
        sqlite3_stmt *put;
        int r;

        assert(s);
        assert(s->in_transaction);
        assert(index == s->n_entries);

        put = s->statements[STORE_ENTRY_PUT];
        r = db_bind_u64(put, 1, index);
        r = r ?: db_bind_blob(put, 2, content);
        if (signature.size > 0)
                r = r ?: db_bind_blob(put, 3, signature);
        r = store_written(s, r ?: db_run(put));
        if (r)
                return error_fold(r);
        s->n_entries++;
        return 0;
}

int store_get_entry(Store *s, uint64_t index, Buffer *content, Buffer *signature)
{
        _cleanup_(db_resetp) sqlite3_stmt *get = NULL;
        Blob c, g;
        int r;

        assert(s);
        assert(content);

        get = s->statements[STORE_ENTRY_GET];
        if (index >= s->n_entries)
                return STORE_E_MISSING;
        r = db_bind_u64(get, 1, index);
        r = r ?: db_row(get);
        r = r ?: db_column_blob(get, 0, &c);
        r = r ?: db_column_blob(get, 1, &g);
        if (r)
                return r == DB_E_MISSING ? STORE_E_CORRUPT : r;

        r = buffer_append(content, c.data, c.size);
        if (r)
                return error_fold(r);
        return signature ? error_fold(buffer_append(signature, g.data, g.size)) : 0;
}

int store_each_entry(Store *s, uint64_t from, uint64_t to, StoreEntry each, void *userdata)
{
        _cleanup_(db_resetp) sqlite3_stmt *next = NULL;
        uint64_t id;
        Blob content;
        int r;

        assert(s);
        assert(from <= to);
        assert(to <= s->n_entries);
        assert(each);

        next = s->statements[STORE_ENTRY_EACH];
        r = db_bind_u64(next, 1, from);
        r = r ?: db_bind_u64(next, 2, to);
        if (r)
                return error_fold(r);
        for (uint64_t i = from; i < to; i++) {
                r = db_row(next);
                r = r ?: db_column_u64(next, 0, &id);
                r = r ?: db_column_blob(next, 1, &content);
                if (r == DB_E_MISSING || (r == 0 && id != i))
                        return STORE_E_CORRUPT;
                if (r)
                        return r;
                r = each(userdata, i, content);
                if (r)
                        return r;
        }
        return 0;
}

/* One row of (integer, blob). */
static int store_put_row(Store *s, StoreStatement statement, uint64_t id, Blob value)
{
        sqlite3_stmt *put = s->statements[statement];
        int r;

        assert(s->in_transaction);

        r = db_bind_u64(put, 1, id);
        r = r ?: db_bind_blob(put, 2, value);
        return store_written(s, r ?: db_run(put));
}

int store_put_keys(Store *s, uint64_t index, Blob keys)
{
        assert(s);
        assert(keys.size > 0);

        return error_fold(store_put_row(s, STORE_KEYS_PUT, index, keys));
}

int store_get_keys(Store *s, uint64_t index, Buffer *out)
{
        _cleanup_(db_resetp) sqlite3_stmt *get = NULL;
        Blob keys;
        int r;

        assert(s);
        assert(out);

        get = s->statements[STORE_KEYS_GET];
        r = db_bind_u64(get, 1, index);
        r = r ?: db_row(get);
        r = r ?: db_column_blob(get, 0, &keys);
        return r ?: error_fold(buffer_append(out, keys.data, keys.size));
}

static uint64_t store_tile_id(unsigned level, uint64_t n)
{
        assert(level <= STORE_LEVEL_MAX);
        assert(n < (uint64_t)1 << STORE_TILE_SHIFT);

        return (uint64_t)level << STORE_TILE_SHIFT | n;
}

int store_put_tile(Store *s, unsigned level, uint64_t n, Blob hashes)
{
        assert(s);
        assert(hashes.size == STORE_TILE_SIZE);

        return error_fold(store_put_row(s, STORE_TILE_PUT, store_tile_id(level, n), hashes));
}

int store_get_tile(Store *s, unsigned level, uint64_t n, uint8_t ret[static STORE_TILE_SIZE])
{
        _cleanup_(db_resetp) sqlite3_stmt *get = NULL;
        Blob hashes;
        int r;

        assert(s);
        assert(ret);

        get = s->statements[STORE_TILE_GET];
        r = db_bind_u64(get, 1, store_tile_id(level, n));
        r = r ?: db_row(get);
        r = r ?: db_column_blob(get, 0, &hashes);
        if (r)
                return r;
        if (hashes.size != STORE_TILE_SIZE)
                return STORE_E_CORRUPT;

        memcpy(ret, hashes.data, STORE_TILE_SIZE);
        return 0;
}

int store_put_evidence(Store *s, const uint8_t sha256[static 32], Blob content)
{
        sqlite3_stmt *put;
        int r;

        assert(s);
        assert(s->in_transaction);
        assert(sha256);

        put = s->statements[STORE_EVIDENCE_PUT];
        r = db_bind_blob(put, 1, BLOB(sha256, 32));
        r = r ?: db_bind_blob(put, 2, content);
        return store_written(s, r ?: db_run(put));
}

int store_get_evidence(Store *s, const uint8_t sha256[static 32], Buffer *out)
{
        _cleanup_(db_resetp) sqlite3_stmt *get = NULL;
        Blob content;
        int r;

        assert(s);
        assert(sha256);
        assert(out);

        get = s->statements[STORE_EVIDENCE_GET];
        r = db_bind_blob(get, 1, BLOB(sha256, 32));
        r = r ?: db_row(get);
        r = r ?: db_column_blob(get, 0, &content);
        return r ?: error_fold(buffer_append(out, content.data, content.size));
}

int store_next_evidence(Store *s, uint64_t after, uint64_t *ret_id, uint8_t ret_sha256[static 32],
                        Buffer *out)
{
        _cleanup_(db_resetp) sqlite3_stmt *next = NULL;
        Blob sha256, content;
        uint64_t id;
        int r;

        assert(s);
        assert(ret_id);
        assert(out);

        next = s->statements[STORE_EVIDENCE_NEXT];
        r = db_bind_u64(next, 1, after);
        r = r ?: db_row(next);
        r = r ?: db_column_u64(next, 0, &id);
        r = r ?: db_column_blob(next, 1, &sha256);
        r = r ?: db_column_blob(next, 2, &content);
        if (r)
                return r;
        if (sha256.size != 32)
                return STORE_E_CORRUPT;
        r = buffer_append(out, content.data, content.size);
        if (r)
                return error_fold(r);

        memcpy(ret_sha256, sha256.data, 32);
        *ret_id = id;
        return 0;
}

int store_put_meta(Store *s, const char *name, Blob value)
{
        sqlite3_stmt *put;
        int r;

        assert(s);
        assert(s->in_transaction);
        assert(name);

        put = s->statements[STORE_META_PUT];
        r = db_bind_text(put, 1, name);
        r = r ?: db_bind_blob(put, 2, value);
        return store_written(s, r ?: db_run(put));
}

int store_get_meta(Store *s, const char *name, Buffer *out)
{
        _cleanup_(db_resetp) sqlite3_stmt *get = NULL;
        Blob value;
        int r;

        assert(s);
        assert(name);
        assert(out);

        get = s->statements[STORE_META_GET];
        r = db_bind_text(get, 1, name);
        r = r ?: db_row(get);
        r = r ?: db_column_blob(get, 0, &value);
        return r ?: error_fold(buffer_append(out, value.data, value.size));
}

int store_put_checkpoint(Store *s, uint64_t size, Blob note)
{
        uint8_t prefix[sizeof(size)];
        int r;

        assert(s);
        assert(size <= TREE_SIZE_MAX);

        put_u64(prefix, size);
        buffer_clear(&s->checkpoint.value);
        r = buffer_append(&s->checkpoint.value, prefix, sizeof(prefix));
        if (r)
                return error_fold(r);
        r = buffer_append(&s->checkpoint.value, note.data, note.size);
        if (r)
                return error_fold(r);

        s->checkpoint.dirty = true;
        return 0;
}

int store_get_checkpoint(Store *s, uint64_t *ret_size, Buffer *note)
{
        Blob value;
        int r;

        assert(s);
        assert(ret_size);
        assert(note);

        value = buffer_blob(&s->checkpoint.value);
        if (value.size == 0)
                return STORE_E_MISSING;
        assert(value.size >= sizeof(*ret_size));
        r = buffer_append(note, value.data + sizeof(*ret_size), value.size - sizeof(*ret_size));
        if (r)
                return error_fold(r);

        *ret_size = get_u64(value.data);
        return 0;
}

int store_put_published(Store *s, uint64_t size, uint64_t evidence)
{
        uint8_t value[2 * sizeof(size)];
        int r;

        assert(s);
        assert(size <= TREE_SIZE_MAX);

        put_u64(value, size);
        put_u64(value + sizeof(size), evidence);
        buffer_clear(&s->published.value);
        r = buffer_append(&s->published.value, value, sizeof(value));
        if (r)
                return error_fold(r);

        s->published.dirty = true;
        return 0;
}

int store_get_published(Store *s, uint64_t *ret_size, uint64_t *ret_evidence)
{
        const uint8_t *value;

        assert(s);
        assert(ret_size);
        assert(ret_evidence);

        value = s->published.value.data;
        *ret_size = value ? get_u64(value) : 0;
        *ret_evidence = value ? get_u64(value + sizeof(*ret_size)) : 0;
        return 0;
}
