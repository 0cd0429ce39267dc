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
#define INDEX_ROWS_FIRST     2048u
/* A slice: chunks between two looks at the clock, and its length. */
#define INDEX_SLICE_CHUNKS 64u
#define INDEX_SLICE_NSEC   (INT64_C(1500) * 1000)
/*
 * Entries in one row of the database: those of one key that follow each other.  A key that many entries have
 * costs next to nothing then; and the row still fits its page without overflow.
 */
#define INDEX_CHUNK       128u
#define INDEX_BUCKET_BITS 16
#define INDEX_BUCKETS     (1u << INDEX_BUCKET_BITS)
#define INDEX_NONE        UINT32_MAX

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
        uint32_t buckets[INDEX_BUCKETS];
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

/*
 * Kinds of few different keys, and of many, have a part each: rows of the first kind are cheap to put, and
 * would take three quarters of the memory that makes the others cheap; and their chains are long.
 */
typedef enum IndexPartId {
        INDEX_PART_FEW,
        INDEX_PART_MANY,
        _INDEX_PART_MAX,
} IndexPartId;

/*
 * Rows in memory before a flush is worth it when there is time, is forced, and stops everything else; and
 * entries that the next start would have to add again.  The more rows go out at once, the fewer pages of the
 * B-tree each of them touches, and at 1,000,000 entries that is what they cost.
 */
static const struct IndexBounds {
        size_t rows_idle, rows_forced, rows_overdue;
        uint64_t gap_idle, gap_forced;
} index_bounds[_INDEX_PART_MAX] = {
        [INDEX_PART_FEW] = {8192, 32768, 131072, 65536, 262144},
        [INDEX_PART_MANY] = {32768, 131072, 196608, 65536, 262144}, /* 2 MiB, and 2 MiB on their way */
};

typedef struct IndexPart {
        uint64_t size; /* rows of entries below are in the database */
        IndexActive active;
        IndexSealed sealed;
} IndexPart;

struct Index {
        sqlite3 *db;
        sqlite3_stmt *statements[_INDEX_STATEMENT_MAX];
        uint64_t sealed_size; /* all rows of entries below were added */
        uint64_t seed;        /* nobody outside can aim at one bucket */
        IndexPart parts[_INDEX_PART_MAX];
};

static const char index_schema[] = "CREATE TABLE rows(kind INTEGER, key INTEGER, entry INTEGER, more BLOB,"
                                   " PRIMARY KEY(kind, key, entry)) WITHOUT ROWID;"
                                   "CREATE TABLE size(part INTEGER PRIMARY KEY, size INTEGER NOT NULL);"
                                   "INSERT INTO size VALUES(0, 0), (1, 0);";

static const char index_tuning[] = "PRAGMA synchronous=NORMAL; PRAGMA cache_size=-2048;"
                                   "PRAGMA wal_autocheckpoint=1000; PRAGMA journal_size_limit=8388608;";

static const char *const index_sql[_INDEX_STATEMENT_MAX] = {
        [INDEX_BEGIN] = "BEGIN IMMEDIATE",
        [INDEX_COMMIT] = "COMMIT",
        /* After a crash, rows are added again that a part of a flush has left there. */
        [INDEX_PUT] = "INSERT OR REPLACE INTO rows VALUES(?1, ?2, ?3, ?4)",
        [INDEX_FIND] = ("SELECT entry, more FROM rows WHERE kind = ?1 AND key = ?2 AND entry < ?3"
                        " ORDER BY entry DESC"),
        [INDEX_SIZE_PUT] = "UPDATE size SET size = ?2 WHERE part = ?1",
        [INDEX_SIZE_GET] = "SELECT size FROM size WHERE part = ?1",
};

static unsigned index_row_kind(const IndexRow *row)
{
        return (unsigned)(row->kind_entry >> INDEX_KIND_SHIFT);
}

static uint64_t index_row_entry(const IndexRow *row)
{
        return row->kind_entry & INDEX_ENTRY_MAX;
}

static bool index_row_before(const IndexRow *x, const IndexRow *y)
{
        if (index_row_kind(x) != index_row_kind(y))
                return index_row_kind(x) < index_row_kind(y);
        if (x->key != y->key)
                return x->key < y->key;
        return x->kind_entry < y->kind_entry;
}

static int64_t index_key(const uint8_t key[static 32])
{
        return (int64_t)get_u64(key);
}

/* ---- the newest rows ---- */

static IndexPart *index_part(Index *x, unsigned kind)
{
        bool few = kind == INDEX_KEY || kind == INDEX_REQUESTER || kind == INDEX_TYPE;

        return &x->parts[few ? INDEX_PART_FEW : INDEX_PART_MANY];
}

static uint32_t *index_bucket(Index *x, unsigned kind, int64_t key)
{
        uint64_t h = (((uint64_t)key ^ x->seed) + kind) * UINT64_C(0x9e3779b97f4a7c15);

        return &index_part(x, kind)->active.buckets[h >> (64 - INDEX_BUCKET_BITS)];
}

static void index_active_clear(IndexActive *a)
{
        a->n_rows = 0;
        memset(a->buckets, 0xff, sizeof(a->buckets));
}

static int index_active_grow(IndexActive *a)
{
        size_t n = a->n_allocated > 0 ? 2 * a->n_allocated : INDEX_ROWS_FIRST;
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

        a = &index_part(x, kind)->active;
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

/* True if rows of an entry that is still being added are among them. */
static bool index_active_is_open(const IndexActive *a, uint64_t sealed_size)
{
        return a->n_rows > 0 && index_row_entry(&a->rows[a->n_rows - 1]) >= sealed_size;
}

void index_seal(Index *x, uint64_t size)
{
        assert(x);
        assert(size >= x->sealed_size);
        for (size_t i = 0; i < _INDEX_PART_MAX; i++)
                assert(!index_active_is_open(&x->parts[i].active, size));

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
        const IndexActive *a = &index_part(x, s->kind)->active;

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
        const IndexSealed *sealed = &index_part(x, s->kind)->sealed;
        uint64_t bound = s->before <= INDEX_ENTRY_MAX ? s->before : INDEX_ENTRY_MAX;
        IndexRow end = {(uint64_t)s->kind << INDEX_KIND_SHIFT | bound, s->key};
        size_t low = sealed->n_flushed, high = sealed->n_rows;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (index_row_before(&sealed->rows[middle], &end))
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

/* Entries that the next start would have to add again; one part may be ahead of what was added since. */
static uint64_t index_gap(const Index *x, const IndexPart *part)
{
        return x->sealed_size > part->size ? x->sealed_size - part->size : 0;
}

bool index_should_flush(const Index *x, bool idle)
{
        assert(x);

        for (size_t i = 0; i < _INDEX_PART_MAX; i++) {
                const IndexPart *part = &x->parts[i];
                const struct IndexBounds *b = &index_bounds[i];
                bool under_way = part->sealed.n_rows > 0;

                /* A flush that is under way waits for idle moments until the next one has to begin. */
                if (part->active.n_rows >= b->rows_forced ||
                    (!under_way && index_gap(x, part) >= b->gap_forced))
                        return true;
                if (idle &&
                    (under_way || part->active.n_rows >= b->rows_idle || index_gap(x, part) >= b->gap_idle))
                        return true;
        }
        return false;
}

bool index_overdue(const Index *x)
{
        assert(x);

        for (size_t i = 0; i < _INDEX_PART_MAX; i++)
                if (x->parts[i].active.n_rows >= index_bounds[i].rows_overdue)
                        return true;
        return false;
}

/* The part whose rows go out next: what has to, else what has begun, else what is most. */
static IndexPart *index_choose_part(Index *x)
{
        IndexPart *most = &x->parts[0];

        for (size_t i = 0; i < _INDEX_PART_MAX; i++) {
                if (x->parts[i].active.n_rows >= index_bounds[i].rows_forced)
                        return &x->parts[i];
                if (x->parts[i].active.n_rows > most->active.n_rows)
                        most = &x->parts[i];
        }
        for (size_t i = 0; i < _INDEX_PART_MAX; i++)
                if (x->parts[i].sealed.n_rows > 0)
                        return &x->parts[i];
        return most;
}

/* One digit of the key, most significant bit flipped so that it sorts as a signed number; then the kind. */
static unsigned index_digit(const IndexRow *row, unsigned pass)
{
        if (pass == sizeof(row->key))
                return index_row_kind(row);
        return (unsigned)(((uint64_t)row->key ^ (uint64_t)1 << 63) >> 8 * pass) & 0xff;
}

/*
 * Sort `from`, digit by digit from the lowest on; returns which of the two arrays has the result.  Entries
 * ascend already, and stay so.  A tenth of the time of qsort(), in one go.
 */
static IndexRow *index_sort(IndexRow *from, IndexRow *to, size_t n)
{
        for (unsigned pass = 0; pass <= sizeof(from->key); pass++) {
                size_t at[256] = {}, sum = 0;
                IndexRow *swap = from;

                for (size_t i = 0; i < n; i++)
                        at[index_digit(&from[i], pass)]++;
                for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
                        size_t count = at[i];

                        at[i] = sum;
                        sum += count;
                }
                for (size_t i = 0; i < n; i++)
                        to[at[index_digit(&from[i], pass)]++] = from[i];
                from = to;
                to = swap;
        }
        return from;
}

/* Take what a part has in memory as its next flush, sorted. */
static int index_begin_flush(Index *x, IndexPart *part)
{
        _cleanup_(freep) IndexRow *a = NULL;
        _cleanup_(freep) IndexRow *b = NULL;
        size_t n = part->active.n_rows;
        IndexRow *sorted;
        int r;

        assert(part->sealed.n_rows == 0);
        assert(!part->sealed.rows);

        if (n == 0 || index_active_is_open(&part->active, x->sealed_size))
                return 0;

        r = memory_new0(&a, n);
        if (r)
                return error_fold(r);
        r = memory_new0(&b, n);
        if (r)
                return error_fold(r);
        memcpy(a, part->active.rows, n * sizeof(*a));
        sorted = index_sort(a, b, n);
        part->sealed = (IndexSealed){.n_rows = n, .size = x->sealed_size};
        part->sealed.rows = sorted == a ? TAKE_PTR(a) : TAKE_PTR(b);
        index_active_clear(&part->active);
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
static int index_put_chunk(Index *x, const IndexSealed *sealed, size_t i, size_t *ret_next)
{
        const IndexRow *rows = sealed->rows, *first = &rows[i];
        sqlite3_stmt *put = x->statements[INDEX_PUT];
        uint8_t more[(INDEX_CHUNK - 1) * sizeof(uint32_t)];
        size_t n = 1, size = 0;
        int r;

        for (; n < INDEX_CHUNK && i + n < sealed->n_rows; n++) {
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
static int index_put_rows(Index *x, const IndexSealed *sealed, size_t *ret_position)
{
        int64_t end = index_now_nsec() + INDEX_SLICE_NSEC;
        size_t i = sealed->n_flushed;
        int r;

        for (size_t n = 1; i < sealed->n_rows; n++) {
                r = index_put_chunk(x, sealed, i, &i);
                if (r)
                        return error_fold(r);
                if (n % INDEX_SLICE_CHUNKS == 0 && index_now_nsec() > end)
                        break;
        }

        *ret_position = i;
        return 0;
}

static int index_put_size(Index *x, size_t part, uint64_t size)
{
        sqlite3_stmt *put = x->statements[INDEX_SIZE_PUT];
        int r;

        r = db_bind_u64(put, 1, part);
        r = r ?: db_bind_u64(put, 2, size);
        return error_fold(r ?: db_run(put));
}

/* What the parts have in the database once `part` has all of its sealed rows there. */
static uint64_t index_size_after(const Index *x, const IndexPart *complete, const IndexPart *part)
{
        if (part == complete)
                return part->sealed.size;
        /* Nothing waits for it: whatever was added is there. */
        return part->active.n_rows == 0 && part->sealed.n_rows == 0 ? x->sealed_size : part->size;
}

static int index_put_sizes(Index *x, const IndexPart *complete)
{
        int r;

        for (size_t i = 0; i < _INDEX_PART_MAX; i++) {
                r = index_put_size(x, i, index_size_after(x, complete, &x->parts[i]));
                if (r)
                        return error_fold(r);
        }
        return 0;
}

static void index_end_flush(Index *x, IndexPart *complete)
{
        for (size_t i = 0; i < _INDEX_PART_MAX; i++)
                x->parts[i].size = index_size_after(x, complete, &x->parts[i]);
        free(complete->sealed.rows);
        complete->sealed = (IndexSealed){};
}

/* Each slice is a transaction: sorted rows touch a page in one or two of them. */
static int index_flush_slice(Index *x, IndexPart *part)
{
        size_t position = 0;
        int r;

        r = db_run(x->statements[INDEX_BEGIN]);
        if (r)
                return error_fold(r);
        r = index_put_rows(x, &part->sealed, &position);
        if (r)
                return error_fold(r);
        if (position == part->sealed.n_rows) {
                r = index_put_sizes(x, part);
                if (r)
                        return error_fold(r);
        }
        r = db_run(x->statements[INDEX_COMMIT]);
        if (r)
                return error_fold(r);

        part->sealed.n_flushed = position;
        if (position == part->sealed.n_rows)
                index_end_flush(x, part);
        return 0;
}

int index_flush(Index *x, bool *ret_more)
{
        IndexPart *part;
        bool more = false;
        int r;

        assert(x);
        assert(ret_more);

        part = index_choose_part(x);
        if (part->sealed.n_rows == 0) {
                r = index_begin_flush(x, part);
                if (r)
                        return error_fold(r);
        }
        if (part->sealed.n_rows > 0) {
                r = index_flush_slice(x, part);
                if (r)
                        return error_fold(r);
        }

        for (size_t i = 0; i < _INDEX_PART_MAX; i++)
                more = more || x->parts[i].sealed.n_rows > 0;
        *ret_more = more;
        return 0;
}

/* ---- life ---- */

uint64_t index_size(const Index *x)
{
        uint64_t size = UINT64_MAX;

        assert(x);

        for (size_t i = 0; i < _INDEX_PART_MAX; i++)
                size = x->parts[i].size < size ? x->parts[i].size : size;
        return size;
}

int index_reset(Index *x)
{
        int r;

        assert(x);

        r = db_execute(x->db, "BEGIN IMMEDIATE; DELETE FROM rows; UPDATE size SET size = 0; COMMIT;");
        if (r)
                return error_fold(r);
        for (size_t i = 0; i < _INDEX_PART_MAX; i++) {
                assert(x->parts[i].active.n_rows == 0);
                assert(x->parts[i].sealed.n_rows == 0);
                x->parts[i].size = 0;
        }
        x->sealed_size = 0;
        return 0;
}

static int index_load_size(Index *x, size_t part)
{
        _cleanup_(db_resetp) sqlite3_stmt *get = x->statements[INDEX_SIZE_GET];
        int r;

        r = db_bind_u64(get, 1, part);
        r = r ?: db_row(get);
        r = r ?: db_column_u64(get, 0, &x->parts[part].size);
        return r == DB_E_MISSING ? DB_E_CORRUPT : r;
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

        for (size_t i = 0; i < _INDEX_PART_MAX; i++) {
                r = index_load_size(x, i);
                if (r)
                        return r;
        }
        return 0;
}

static void index_disconnect(Index *x)
{
        for (size_t i = 0; i < _INDEX_STATEMENT_MAX; i++)
                x->statements[i] = db_statement_free(x->statements[i]);
        if (x->db)
                x->db = db_close(x->db);
        for (size_t i = 0; i < _INDEX_PART_MAX; i++)
                x->parts[i].size = 0;
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
        for (size_t i = 0; i < _INDEX_PART_MAX; i++)
                index_active_clear(&x->parts[i].active);
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

        x->sealed_size = index_size(x);
        *ret = TAKE_PTR(x);
        return corrupt ? INDEX_E_CORRUPT : 0;
}

Index *index_free(Index *x)
{
        if (!x)
                return NULL;

        index_disconnect(x);
        for (size_t i = 0; i < _INDEX_PART_MAX; i++) {
                free(x->parts[i].active.rows);
                free(x->parts[i].active.next);
                free(x->parts[i].sealed.rows);
        }
        free(x);
        return NULL;
}
