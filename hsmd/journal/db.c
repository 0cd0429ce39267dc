/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "journal/db.h"

/* How an errno that SQLite kept is reported; it keeps none for some of its own failures. */
static int db_system_error(sqlite3 *db, int otherwise)
{
        int e = db ? sqlite3_system_errno(db) : 0;

        return e > 0 ? -e : otherwise;
}

static int db_result(sqlite3 *db, int code)
{
        switch (code & 0xff) {
        case SQLITE_OK:
        case SQLITE_DONE:
        case SQLITE_ROW:
                return 0;
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
                return DB_E_CORRUPT;
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
                return DB_E_LOCKED;
        case SQLITE_NOMEM:
                return error_origin(-ENOMEM);
        case SQLITE_FULL:
                return error_origin(-ENOSPC);
        case SQLITE_TOOBIG:
                return error_origin(-EMSGSIZE);
        case SQLITE_CONSTRAINT:
                return error_origin(-EEXIST);
        case SQLITE_PERM:
        case SQLITE_READONLY:
                return error_origin(-EACCES);
        default:
                return error_origin(db_system_error(db, -EIO));
        }
}

sqlite3 *db_close(sqlite3 *db)
{
        int code = sqlite3_close(db);

        /* SQLITE_BUSY would mean a statement that its owner forgot. */
        assert(code == SQLITE_OK);
        return NULL;
}

int db_execute(sqlite3 *db, const char *sql)
{
        assert(db);
        assert(sql);

        return db_result(db, sqlite3_exec(db, sql, NULL, NULL, NULL));
}

int db_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret)
{
        assert(db);
        assert(sql);
        assert(ret);

        return db_result(db, sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL));
}

sqlite3_stmt *db_statement_free(sqlite3_stmt *statement)
{
        /* It repeats the error of the last step, which was dealt with there. */
        (void)sqlite3_finalize(statement);
        return NULL;
}

int db_bind_i64(sqlite3_stmt *statement, int parameter, int64_t v)
{
        return db_result(sqlite3_db_handle(statement), sqlite3_bind_int64(statement, parameter, v));
}

int db_bind_u64(sqlite3_stmt *statement, int parameter, uint64_t v)
{
        assert(v <= INT64_MAX);

        return db_bind_i64(statement, parameter, (int64_t)v);
}

int db_bind_blob(sqlite3_stmt *statement, int parameter, Blob v)
{
        /* A NULL pointer would bind NULL. */
        return db_result(sqlite3_db_handle(statement),
                         sqlite3_bind_blob64(statement, parameter, v.data ? (const void *)v.data : "",
                                             v.size, SQLITE_STATIC));
}

int db_bind_text(sqlite3_stmt *statement, int parameter, const char *v)
{
        assert(v);

        return db_result(sqlite3_db_handle(statement),
                         sqlite3_bind_text(statement, parameter, v, -1, SQLITE_STATIC));
}

void db_reset(sqlite3_stmt *statement)
{
        assert(statement);

        /* Repeats the error of the last step; bindings borrow memory that goes away. */
        (void)sqlite3_reset(statement);
        (void)sqlite3_clear_bindings(statement);
}

int db_run(sqlite3_stmt *statement)
{
        int code, r;

        assert(statement);

        code = sqlite3_step(statement);
        assert(code != SQLITE_ROW);
        r = db_result(sqlite3_db_handle(statement), code);
        db_reset(statement);
        return r;
}

int db_row(sqlite3_stmt *statement)
{
        int code;

        assert(statement);

        code = sqlite3_step(statement);
        if (code == SQLITE_DONE)
                return DB_E_MISSING;
        return db_result(sqlite3_db_handle(statement), code);
}

int db_column_u64(sqlite3_stmt *statement, int column, uint64_t *ret)
{
        int64_t v;

        assert(statement);
        assert(ret);

        if (sqlite3_column_type(statement, column) != SQLITE_INTEGER)
                return DB_E_CORRUPT;
        v = sqlite3_column_int64(statement, column);
        if (v < 0)
                return DB_E_CORRUPT;

        *ret = (uint64_t)v;
        return 0;
}

int db_column_blob(sqlite3_stmt *statement, int column, Blob *ret)
{
        const void *data;
        int type;

        assert(statement);
        assert(ret);

        type = sqlite3_column_type(statement, column);
        if (type != SQLITE_BLOB && type != SQLITE_NULL)
                return DB_E_CORRUPT;

        /* In this order, as SQLite's documentation wants it.  A blob that did not fit memory reads as NULL.
         */
        data = sqlite3_column_blob(statement, column);
        *ret = BLOB(data, (size_t)sqlite3_column_bytes(statement, column));
        return data || ret->size == 0 ? 0 : error_origin(-ENOMEM);
}

/* The one integer that a pragma or an aggregate gives. */
static int db_get_integer(sqlite3 *db, const char *sql, int64_t *ret)
{
        _cleanup_(db_statement_freep) sqlite3_stmt *statement = NULL;
        int r;

        r = db_prepare(db, sql, &statement);
        if (r)
                return r;
        r = db_row(statement);
        if (r)
                return r;

        *ret = sqlite3_column_int64(statement, 0);
        return 0;
}

/* DB_E_MISSING: an empty database.  Reads only, for the file may be anybody's. */
static int db_check_identity(sqlite3 *db, const DbOptions *options)
{
        int64_t application_id, version, n_tables;
        int r;

        r = db_get_integer(db, "PRAGMA application_id", &application_id);
        if (r)
                return r;
        r = db_get_integer(db, "PRAGMA user_version", &version);
        if (r)
                return r;
        r = db_get_integer(db, "SELECT count(*) FROM sqlite_schema", &n_tables);
        if (r)
                return r;

        if (application_id == 0 && version == 0 && n_tables == 0)
                return DB_E_MISSING;
        if (application_id != options->application_id || version != options->version || n_tables == 0)
                return DB_E_CORRUPT;
        return 0;
}

/* WAL is a property of the file: asking for it is what writes the header of a new one. */
static int db_set_wal(sqlite3 *db)
{
        _cleanup_(db_statement_freep) sqlite3_stmt *statement = NULL;
        const char *mode;
        int r;

        r = db_prepare(db, "PRAGMA journal_mode=WAL", &statement);
        if (r)
                return r;
        r = db_row(statement);
        if (r)
                return r;

        mode = (const char *)sqlite3_column_text(statement, 0);
        if (!mode || strcmp(mode, "wal") != 0)
                return error_origin(-EOPNOTSUPP);
        return 0;
}

/* Of no effect where there is something already. */
static int db_set_page_size(sqlite3 *db, unsigned page_size)
{
        _cleanup_(freep) char *sql = NULL;
        int r;

        r = string_printf(&sql, "PRAGMA page_size=%u", page_size);
        if (r)
                return error_fold(r);
        return db_execute(db, sql);
}

static int db_create(sqlite3 *db, const DbOptions *options)
{
        _cleanup_(freep) char *sql = NULL;
        int r;

        r = string_printf(&sql,
                          "BEGIN IMMEDIATE; PRAGMA application_id=%d; PRAGMA user_version=%d; %s COMMIT;",
                          options->application_id, options->version, options->schema);
        if (r)
                return error_fold(r);
        return db_execute(db, sql);
}

static int db_set_up(sqlite3 *db, const DbOptions *options)
{
        bool empty;
        int r;

        (void)sqlite3_extended_result_codes(db, 1); /* cannot fail on an open connection */
        /* Debian's SQLite zeroes what is deleted unless told not to: that doubles what a commit writes. */
        r = db_execute(db,
                       "PRAGMA locking_mode=EXCLUSIVE; PRAGMA secure_delete=OFF;"
                       "PRAGMA cell_size_check=ON; PRAGMA trusted_schema=OFF; PRAGMA temp_store=MEMORY;");
        if (r)
                return r;

        r = db_check_identity(db, options);
        empty = r == DB_E_MISSING;
        if (r && (!empty || !options->create))
                return r;

        r = db_set_page_size(db, options->page_size);
        if (r)
                return r;
        r = db_set_wal(db);
        if (r)
                return r;
        r = db_execute(db, options->tuning);
        if (r)
                return r;
        return empty ? db_create(db, options) : 0;
}

int db_open(sqlite3 **ret, const char *path, const DbOptions *options)
{
        _cleanup_(db_closep) sqlite3 *db = NULL;
        int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, code, r;

        assert(ret);
        assert(path);
        assert(options);
        assert(options->application_id != 0);

        if (options->create)
                flags |= SQLITE_OPEN_CREATE;
        code = sqlite3_open_v2(path, &db, flags, NULL);
        if (code != SQLITE_OK && db_system_error(db, 0) == -ENOENT)
                return DB_E_MISSING;
        r = db_result(db, code);
        if (r)
                return r;
        r = db_set_up(db, options);
        if (r)
                return r;

        *ret = TAKE_PTR(db);
        return 0;
}
