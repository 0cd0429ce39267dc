/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The adapter to SQLite: its result codes in this program's error convention, and statements that are kept.
 * Used by store.c and index.c only.
 */
#include <sqlite3.h>

#include "base/bytes.h"

enum {
        _DB_E_SUCCESS,
        DB_E_MISSING, /* no (further) row */
        DB_E_LOCKED,  /* another connection has it */
        DB_E_CORRUPT, /* not a database, a foreign one, another version, or damaged */
};

typedef struct DbOptions {
        int application_id; /* marks the file as ours; never 0 */
        int version;        /* of the schema */
        const char *schema; /* statements that make an empty database ours */
        const char *tuning; /* pragmas; given again at each open */
        unsigned page_size; /* of a new database */
        bool create;
} DbOptions;

/*
 * Opens a database in WAL mode, exclusively.  A foreign file is never written to.  DB_E_MISSING when it is
 * not there, or holds nothing, and `create` is false; DB_E_LOCKED, DB_E_CORRUPT.
 */
_must_use_ int db_open(sqlite3 **ret, const char *path, const DbOptions *options);
/* All statements must have been closed. */
sqlite3 *db_close(sqlite3 *db);
DEFINE_CLEANUP(sqlite3 *, db_close)

/* Runs statements that have no result.  DB_E_LOCKED, DB_E_CORRUPT. */
_must_use_ int db_execute(sqlite3 *db, const char *sql);

/* Prepares a statement that lives long. */
_must_use_ int db_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret);
sqlite3_stmt *db_statement_free(sqlite3_stmt *statement);
DEFINE_CLEANUP(sqlite3_stmt *, db_statement_free)

/* Values are borrowed until the statement is reset: by db_run(), or by db_reset() after db_row(). */
_must_use_ int db_bind_u64(sqlite3_stmt *statement, int parameter, uint64_t v); /* at most INT64_MAX */
_must_use_ int db_bind_i64(sqlite3_stmt *statement, int parameter, int64_t v);
_must_use_ int db_bind_blob(sqlite3_stmt *statement, int parameter, Blob v);
_must_use_ int db_bind_text(sqlite3_stmt *statement, int parameter, const char *v);

/* Executes a statement without rows, and resets it. */
_must_use_ int db_run(sqlite3_stmt *statement);
/* Steps to the next row: 0, DB_E_MISSING at the end, DB_E_CORRUPT.  In any case db_reset() it afterwards. */
_must_use_ int db_row(sqlite3_stmt *statement);
void db_reset(sqlite3_stmt *statement);
static inline void db_resetp(sqlite3_stmt **statement)
{
        if (*statement)
                db_reset(*statement);
}

/* Columns of the current row, with their type: DB_E_CORRUPT for any other.  NULL reads as an empty blob. */
_must_use_ int db_column_u64(sqlite3_stmt *statement, int column, uint64_t *ret);
_must_use_ int db_column_blob(sqlite3_stmt *statement, int column, Blob *ret); /* until the next step */
