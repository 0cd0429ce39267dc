/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/error.h"
#include "journal/db.h"
#include "journal/index.h"

#define INDEX_APPLICATION_ID 0x68736d69 /* "hsmi" */
#define INDEX_VERSION        1
/*
 * Rows in memory before a flush is forced.  The more go out at once, the fewer pages of the B-tree each of
 * them touches; 131,072 rows are 2 MiB, twice, and about 32,000 signatures.
 */
#define INDEX_ROWS_FORCED 131072u
/* When there is time, fewer are worth it. */
#define INDEX_ROWS_IDLE 2048u
/* A slice: chunks between two looks at the clock, and its length. */
#define INDEX_SLICE_CHUNKS 64u
#define INDEX_SLICE_NSEC   (INT64_C(1500) * 1000)
/*
 * Entries in one row of the database: those of one key that follow each other.  A key that many entries have
 * costs next to nothing then; and the row still fits its page without overflow.
 */
#define INDEX_CHUNK   128u
#define INDEX_BUCKETS (1u << 15)
#define INDEX_NONE    UINT32_MAX

/*
 * The kind stands above the entry number in one word, so that a row has 16 bytes.  Rows are sorted as the
 * B-tree is: by kind, key (signed, as SQLite has integers), entry.
 */
#define INDEX_KIND_SHIFT 60
#define INDEX_ENTRY_MAX  (((uint64_t)1 << INDEX_KIND_SHIFT) - 1)

static_assert(_INDEX_KIND_MAX <= 1 << (64 - INDEX_KIND_SHIFT), "a kind has four bits");

typedef struct IndexRow {
        uint64_t kind_entry;
        int64_t key;
} IndexRow;

/* Rows in the order of adding, with a chain for each hash bucket from the newest on. */
typedef struct IndexActive {
        IndexRow *rows;
        uint32_t *next;
        size_t n_rows;
        size_t n_allocated;
        /* Kinds of few and of many different keys apart: a chain of the first would make the second slow. */
        uint32_t buckets[2][INDEX_BUCKETS];
} IndexActive;

/* Sorted rows on their way to the database; those below `n_flushed` are there. */
typedef struct IndexSealed {
        IndexRow *rows;
        size_t n_rows;
        size_t n_flushed;
        uint64_t size;
} IndexSealed;

typedef enum IndexStatement {
        INDEX_BEGIN,
        INDEX_COMMIT,
        INDEX_PUT,
        INDEX_FIND,
        INDEX_SIZE_PUT,
        INDEX_SIZE_GET,
        _INDEX_STATEMENT_MAX,
} IndexStatement;

struct Index {
        sqlite3 *db;
        sqlite3_stmt *statements[_INDEX_STATEMENT_MAX];
        uint64_t size;        /* in the database */
        uint64_t sealed_size; /* all rows of entries below were added */
        uint64_t seed;        /* nobody outside can aim at one bucket */
        IndexActive active;
        IndexSealed sealed;
};

static const char index_schema[] =
        "CREATE TABLE rows(kind INTEGER, key INTEGER, entry INTEGER, more BLOB,"
        " PRIMARY KEY(kind, key, entry)) WITHOUT ROWID;"
        "CREATE TABLE size(id INTEGER PRIMARY KEY CHECK(id = 1), size INTEGER NOT NULL);"
        "INSERT INTO size VALUES(1, 0);";

static const char index_tuning[] = "PRAGMA synchronous=NORMAL; PRAGMA cache_size=-2048;"
                                   "PRAGMA wal_autocheckpoint=1000; PRAGMA journal_size_limit=8388608;";

static const char *const index_sql[_INDEX_STATEMENT_MAX] = {
        [INDEX_BEGIN] = "BEGIN IMMEDIATE",
        [INDEX_COMMIT] = "COMMIT",
        /* After a crash, rows are added again that a part of a flush has left there. */
        [INDEX_PUT] = "INSERT OR REPLACE INTO rows VALUES(?1, ?2, ?3, ?4)",
        [INDEX_FIND] = ("SELECT entry, more FROM rows WHERE kind = ?1 AND key = ?2 AND entry < ?3"
                        " ORDER BY entry DESC"),
        [INDEX_SIZE_PUT] = "UPDATE size SET size = ?1 WHERE id = 1",
        [INDEX_SIZE_GET] = "SELECT size FROM size WHERE id = 1",
};

static unsigned index_row_kind(const IndexRow *row)
{
        return (unsigned)(row->kind_entry >> INDEX_KIND_SHIFT);
}

static uint64_t index_row_entry(const IndexRow *row)
{
        return row->kind_entry & INDEX_ENTRY_MAX;
}

static int index_row_compare(const void *a, const void *b)
{
        const IndexRow *x = a, *y = b;
        unsigned kx = index_row_kind(x), ky = index_row_kind(y);

        if (kx != ky)
                return kx < ky ? -1 : 1;
        if (x->key != y->key)
                return x->key < y->key ? -1 : 1;
        if (x->kind_entry != y->kind_entry)
                return x->kind_entry < y->kind_entry ? -1 : 1;
        return 0;
}

static int64_t index_key(const uint8_t key[static 32])
{
        return (int64_t)get_u64(key);
}

/* ---- the newest rows ---- */

static uint32_t *index_bucket(Index *x, unsigned kind, int64_t key)
{
        bool few = kind == INDEX_KEY || kind == INDEX_REQUESTER || kind == INDEX_TYPE;
        uint64_t h = ((uint64_t)key ^ x->seed) * UINT64_C(0x9e3779b97f4a7c15);

        return &x->active.buckets[few][(h + kind * UINT64_C(0x85ebca6b)) >> 49];
}

static_assert(INDEX_BUCKETS == 1u << (64 - 49), "the shift gives the bucket");

static void index_active_clear(IndexActive *a)
{
        a->n_rows = 0;
        memset(a->buckets, 0xff, sizeof(a->buckets));
}

static int index_active_grow(IndexActive *a)
{
        size_t n = a->n_allocated > 0 ? 2 * a->n_allocated : INDEX_ROWS_IDLE;
        IndexRow *rows;
        uint32_t *next;

        if (n >= INDEX_NONE)
                return error_origin(-EOVERFLOW);
        rows = reallocarray(a->rows, n, sizeof(*rows));
        if (!rows)
                return error_origin(-ENOMEM);
        a->rows = rows;
        next = reallocarray(a->next, n, sizeof(*next));
        if (!next)
                return error_origin(-ENOMEM);
        a->next = next;
        a->n_allocated = n;
        return 0;
}

int index_add(Index *x, IndexKind kind, const uint8_t key[static 32], uint64_t entry)
{
        IndexActive *a;
        uint32_t *bucket;
        int r;

        assert(x);
        assert(kind < _INDEX_KIND_MAX);
        assert(key);
        assert(entry >= x->sealed_size);
        assert(entry <= INDEX_ENTRY_MAX);

        a = &x->active;
        assert(a->n_rows == 0 || index_row_entry(&a->rows[a->n_rows - 1]) <= entry);
        if (a->n_rows == a->n_allocated) {
                r = index_active_grow(a);
                if (r)
                        return error_fold(r);
        }

        bucket = index_bucket(x, kind, index_key(key));
        a->rows[a->n_rows] = (IndexRow){(uint64_t)kind << INDEX_KIND_SHIFT | entry, index_key(key)};
        a->next[a->n_rows] = *bucket;
        *bucket = (uint32_t)a->n_rows++;
        return 0;
}

void index_seal(Index *x, uint64_t size)
{
        assert(x);
        assert(size >= x->sealed_size);
        assert(x->active.n_rows == 0 || index_row_entry(&x->active.rows[x->active.n_rows - 1]) < size);

        x->sealed_size = size;
}

/* ---- looking ---- */

typedef struct IndexSearch {
        unsigned kind;
        int64_t key;
        uint64_t before;
        uint64_t *ret;
        size_t n, max;
} IndexSearch;

/* The same row may have been added twice. */
static void index_search_hit(IndexSearch *s, uint64_t entry)
{
        assert(s->n < s->max);
        assert(s->n == 0 || entry <= s->ret[s->n - 1]);

        if (s->n == 0 || s->ret[s->n - 1] != entry)
                s->ret[s->n++] = entry;
}

static void index_search_active(Index *x, IndexSearch *s)
{
        const IndexActive *a = &x->active;

        for (uint32_t i = *index_bucket(x, s->kind, s->key); i != INDEX_NONE && s->n < s->max;
             i = a->next[i]) {
                const IndexRow *row = &a->rows[i];

                if (row->key == s->key && index_row_kind(row) == s->kind && index_row_entry(row) < s->before)
                        index_search_hit(s, index_row_entry(row));
        }
}

/* Rows that are not in the database yet; of one key these are newer than those that are. */
static void index_search_sealed(Index *x, IndexSearch *s)
{
        const IndexSealed *sealed = &x->sealed;
        uint64_t bound = s->before <= INDEX_ENTRY_MAX ? s->before : INDEX_ENTRY_MAX;
        IndexRow end = {(uint64_t)s->kind << INDEX_KIND_SHIFT | bound, s->key};
        size_t low = sealed->n_flushed, high = sealed->n_rows;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (index_row_compare(&sealed->rows[middle], &end) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        while (low > sealed->n_flushed && s->n < s->max) {
                const IndexRow *row = &sealed->rows[--low];

                if (row->key != s->key || index_row_kind(row) != s->kind)
                        return;
                index_search_hit(s, index_row_entry(row));
        }
}

/* The entries of one row, newest first: `first`, and the distances of further ones to it. */
static int index_search_chunk(IndexSearch *s, uint64_t first, Blob more)
{
        if (more.size % sizeof(uint32_t) != 0)
                return error_origin(-EUCLEAN);

        while (more.size > 0 && s->n < s->max) {
                uint64_t entry;

                more.size -= sizeof(uint32_t);
                entry = first + get_u32(more.data + more.size);
                if (entry < s->before)
                        index_search_hit(s, entry);
        }
        if (s->n < s->max)
                index_search_hit(s, first);
        return 0;
}

/*
 * Below what was found so far: the database may hold that as well, where a crash interrupted a flush and the
 * rows were added again, in other chunks.  Each chunk has all entries of its key between its first and its
 * last, so where two of them overlap, nothing is missed.
 */
static int index_search_database(Index *x, IndexSearch *s)
{
        _cleanup_(db_resetp) sqlite3_stmt *find = x->statements[INDEX_FIND];
        uint64_t first;
        Blob more;
        int r;

        if (s->n > 0)
                s->before = s->ret[s->n - 1];
        r = db_bind_u64(find, 1, s->kind);
        r = r ?: db_bind_i64(find, 2, s->key);
        r = r ?: db_bind_u64(find, 3, s->before <= INDEX_ENTRY_MAX ? s->before : INDEX_ENTRY_MAX);
        if (r)
                return error_fold(r);

        while (s->n < s->max) {
                r = db_row(find);
                if (r == DB_E_MISSING)
                        return 0;
                r = r ?: db_column_u64(find, 0, &first);
                r = r ?: db_column_blob(find, 1, &more);
                r = r ?: index_search_chunk(s, first, more);
                if (r)
                        return error_fold(r);
                if (s->n > 0)
                        s->before = s->ret[s->n - 1];
        }
        return 0;
}

int index_find(Index *x, IndexKind kind, const uint8_t key[static 32], uint64_t before, uint64_t *ret,
               size_t max, size_t *ret_n)
{
        IndexSearch s = {.before = before, .ret = ret, .max = max};
        int r;

        assert(x);
        assert(kind < _INDEX_KIND_MAX);
        assert(key);
        assert(ret || max == 0);
        assert(ret_n);

        s.kind = (unsigned)kind;
        s.key = index_key(key);
        if (max == 0) {
                *ret_n = 0;
                return 0;
        }
        index_search_active(x, &s);
        index_search_sealed(x, &s);
        if (s.n < s.max) {
                r = index_search_database(x, &s);
                if (r)
                        return error_fold(r);
        }

        *ret_n = s.n;
        return 0;
}

/* ---- moving rows to the database ---- */

bool index_should_flush(const Index *x, bool idle)
{
        assert(x);

        /* While one flush is under way, rows gather for the next: that one is done when it has to be. */
        if (x->active.n_rows >= INDEX_ROWS_FORCED)
                return true;
        return idle && (x->sealed.n_rows > 0 || x->active.n_rows >= INDEX_ROWS_IDLE);
}

bool index_overdue(const Index *x)
{
        assert(x);

        return x->active.n_rows >= 2 * INDEX_ROWS_FORCED;
}

/* Take what is in memory as the next flush, sorted. */
static int index_begin_flush(Index *x)
{
        IndexRow *rows = x->sealed.rows;

        assert(x->sealed.n_rows == 0);

        /* Rows of an entry that is still being added have to wait. */
        if (x->active.n_rows == 0 ||
            index_row_entry(&x->active.rows[x->active.n_rows - 1]) >= x->sealed_size)
                return 0;

        rows = reallocarray(rows, x->active.n_rows, sizeof(*rows));
        if (!rows)
                return error_origin(-ENOMEM);
        memcpy(rows, x->active.rows, x->active.n_rows * sizeof(*rows));
        qsort(rows, x->active.n_rows, sizeof(*rows), index_row_compare);

        x->sealed = (IndexSealed){.rows = rows, .n_rows = x->active.n_rows, .size = x->sealed_size};
        index_active_clear(&x->active);
        return 0;
}

static int64_t index_now_nsec(void)
{
        struct timespec t;
        int r;

        r = clock_gettime(CLOCK_MONOTONIC, &t);
        assert(r == 0);
        return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* Puts the row of the database that begins with the sealed row `i`; returns the one after it. */
static int index_put_chunk(Index *x, size_t i, size_t *ret_next)
{
        const IndexRow *rows = x->sealed.rows, *first = &rows[i];
        sqlite3_stmt *put = x->statements[INDEX_PUT];
        uint8_t more[(INDEX_CHUNK - 1) * sizeof(uint32_t)];
        size_t n = 1, size = 0;
        int r;

        for (; n < INDEX_CHUNK && i + n < x->sealed.n_rows; n++) {
                uint64_t distance = index_row_entry(&rows[i + n]) - index_row_entry(first);

                /* A distance of 0 is a row that was added twice: harmless. */
                if (rows[i + n].key != first->key || index_row_kind(&rows[i + n]) != index_row_kind(first) ||
                    distance > UINT32_MAX)
                        break;
                put_u32(more + size, (uint32_t)distance);
                size += sizeof(uint32_t);
        }

        r = db_bind_u64(put, 1, index_row_kind(first));
        r = r ?: db_bind_i64(put, 2, first->key);
        r = r ?: db_bind_u64(put, 3, index_row_entry(first));
        if (size > 0)
                r = r ?: db_bind_blob(put, 4, BLOB(more, size));
        r = r ?: db_run(put);
        if (r)
                return error_fold(r);
        *ret_next = i + n;
        return 0;
}

/* Puts rows until the time is over; returns the new position in *ret_position. */
static int index_put_rows(Index *x, size_t *ret_position)
{
        int64_t end = index_now_nsec() + INDEX_SLICE_NSEC;
        size_t i = x->sealed.n_flushed;
        int r;

        for (size_t n = 1; i < x->sealed.n_rows; n++) {
                r = index_put_chunk(x, i, &i);
                if (r)
                        return error_fold(r);
                if (n % INDEX_SLICE_CHUNKS == 0 && index_now_nsec() > end)
                        break;
        }

        *ret_position = i;
        return 0;
}

/* Each slice is a transaction: sorted rows touch a page in one or two of them. */
static int index_flush_slice(Index *x)
{
        size_t position = 0;
        bool complete;
        int r;

        r = db_run(x->statements[INDEX_BEGIN]);
        if (r)
                return error_fold(r);
        r = index_put_rows(x, &position);
        if (r)
                return error_fold(r);
        complete = position == x->sealed.n_rows;
        if (complete) {
                r = db_bind_u64(x->statements[INDEX_SIZE_PUT], 1, x->sealed.size);
                r = r ?: db_run(x->statements[INDEX_SIZE_PUT]);
                if (r)
                        return error_fold(r);
        }
        r = db_run(x->statements[INDEX_COMMIT]);
        if (r)
                return error_fold(r);

        x->sealed.n_flushed = position;
        if (complete) {
                x->size = x->sealed.size;
                x->sealed.n_rows = 0;
                x->sealed.n_flushed = 0;
        }
        return 0;
}

int index_flush(Index *x, bool *ret_more)
{
        int r;

        assert(x);
        assert(ret_more);

        if (x->sealed.n_rows == 0) {
                r = index_begin_flush(x);
                if (r)
                        return error_fold(r);
        }
        if (x->sealed.n_rows > 0) {
                r = index_flush_slice(x);
                if (r)
                        return error_fold(r);
        }

        *ret_more = x->sealed.n_rows > 0;
        return 0;
}

/* ---- life ---- */

uint64_t index_size(const Index *x)
{
        assert(x);

        return x->size;
}

int index_reset(Index *x)
{
        int r;

        assert(x);
        assert(x->active.n_rows == 0);
        assert(x->sealed.n_rows == 0);

        r = db_execute(x->db, "BEGIN IMMEDIATE; DELETE FROM rows; UPDATE size SET size = 0; COMMIT;");
        if (r)
                return error_fold(r);
        x->size = 0;
        x->sealed_size = 0;
        return 0;
}

/* DB_E_CORRUPT, DB_E_LOCKED */
static int index_connect(Index *x, const char *path)
{
        DbOptions options = {
                .application_id = INDEX_APPLICATION_ID,
                .version = INDEX_VERSION,
                .schema = index_schema,
                .tuning = index_tuning,
                .page_size = 4096,
                .create = true,
        };
        int r;

        r = db_open(&x->db, path, &options);
        if (r)
                return r;
        for (size_t i = 0; i < _INDEX_STATEMENT_MAX; i++) {
                r = db_prepare(x->db, index_sql[i], &x->statements[i]);
                if (r)
                        return r;
        }

        r = db_row(x->statements[INDEX_SIZE_GET]);
        r = r ?: db_column_u64(x->statements[INDEX_SIZE_GET], 0, &x->size);
        db_reset(x->statements[INDEX_SIZE_GET]);
        return r == DB_E_MISSING ? DB_E_CORRUPT : r;
}

static void index_disconnect(Index *x)
{
        for (size_t i = 0; i < _INDEX_STATEMENT_MAX; i++)
                x->statements[i] = db_statement_free(x->statements[i]);
        if (x->db)
                x->db = db_close(x->db);
        x->size = 0;
}

/* Kept for whoever wants to know what happened; one is enough. */
static int index_move_aside(const char *path)
{
        _cleanup_(freep) char *wal = NULL, *aside = NULL;
        int r;

        r = string_printf(&wal, "%s-wal", path);
        if (r)
                return error_fold(r);
        r = string_printf(&aside, "%s.corrupt", path);
        if (r)
                return error_fold(r);
        if (rename(path, aside) < 0)
                return error_origin(-errno);
        if (unlink(wal) < 0 && errno != ENOENT)
                return error_origin(-errno);
        return 0;
}

int index_open(Index **ret, const char *dir)
{
        _cleanup_(index_freep) Index *x = NULL;
        _cleanup_(freep) char *path = NULL;
        bool corrupt;
        int r;

        assert(ret);
        assert(dir);

        r = memory_new0(&x, 1);
        if (r)
                return error_fold(r);
        index_active_clear(&x->active);
        random_bytes(&x->seed, sizeof(x->seed));
        r = string_printf(&path, "%s/index.db", dir);
        if (r)
                return error_fold(r);

        r = index_connect(x, path);
        corrupt = r == DB_E_CORRUPT;
        if (corrupt) {
                index_disconnect(x);
                r = index_move_aside(path);
                r = r ?: index_connect(x, path);
        }
        if (r)
                return error_fold(r);

        x->sealed_size = x->size;
        *ret = TAKE_PTR(x);
        return corrupt ? INDEX_E_CORRUPT : 0;
}

Index *index_free(Index *x)
{
        if (!x)
                return NULL;

        index_disconnect(x);
        free(x->active.rows);
        free(x->active.next);
        free(x->sealed.rows);
        free(x);
        return NULL;
}
