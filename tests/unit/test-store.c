/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/crypto.h"
#include "journal/store.h"
#include "unit/journal-fixture.h"

static Store *store_in(const char *folder)
{
        Store *s;

        assert_int_equal(store_open(&s, folder, true), 0);
        return s;
}

static void put_lock(Store *s, uint64_t generation)
{
        StoreLock lock = {
                .generation = generation, .size = store_n_entries(s), .time_usec = 7, .next_intent = 99};

        memset(lock.root.bytes, 0xab, sizeof(lock.root.bytes));
        assert_int_equal(store_put_lock(s, &lock), 0);
}

/* A transaction with n entries and the lock record. */
static void put_entries(Store *s, uint64_t n)
{
        uint64_t first = store_n_entries(s);
        char content[32];

        assert_int_equal(store_begin(s), 0);
        for (uint64_t i = first; i < first + n; i++) {
                snprintf(content, sizeof(content), "entry %ju", (uintmax_t)i);
                assert_int_equal(
                        store_put_entry(s, i, BLOB_STRING(content), i % 2 ? BLOB_LITERAL("sig") : BLOB_NULL),
                        0);
        }
        put_lock(s, first + n);
        assert_int_equal(store_commit(s), 0);
}

/* With SQLite itself, as somebody who tampers would. */
static void execute(const char *folder, const char *name, const char *sql)
{
        _cleanup_(freep) char *path = path_in(folder, name);
        sqlite3 *db;

        assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* ---- store_open ---- */

static void store_open_nothing_there_is_missing(void **state)
{
        Store *s = NULL;

        assert_int_equal(store_open(&s, *state, false), STORE_E_MISSING);
        assert_null(s);
        assert_false(file_exists(*state, "state.db"));
}

static void store_open_empty_file_is_missing(void **state)
{
        Store *s = NULL;

        /* A crash before the first transaction leaves this. */
        file_write(*state, "state.db", BLOB_NULL);
        assert_int_equal(store_open(&s, *state, false), STORE_E_MISSING);
        assert_int_equal(store_open(&s, *state, true), 0);
        store_free(s);
}

static void store_open_created_opens_again(void **state)
{
        Store *s = store_in(*state);
        StoreLock lock;

        assert_int_equal(store_get_lock(s, &lock), STORE_E_MISSING);
        s = store_free(s);
        assert_int_equal(store_open(&s, *state, false), 0);
        s = store_free(s);
}

static void store_open_missing_folder_fails(void **state)
{
        _cleanup_(freep) char *path = path_in(*state, "none");
        Store *s;

        assert_true(store_open(&s, path, true) < 0);
}

static void store_open_twice_is_locked(void **state)
{
        _cleanup_(store_freep) Store *s = store_in(*state);
        Store *other = NULL;

        assert_int_equal(store_open(&other, *state, true), STORE_E_LOCKED);
        assert_null(other);
        s = store_free(s);
        assert_int_equal(store_open(&s, *state, true), 0);
}

static int open_in_child(void *folder)
{
        Store *s;

        return store_open(&s, folder, false);
}

static void store_open_in_other_process_is_locked(void **state)
{
        Store *s = store_in(*state);

        assert_int_equal(in_child(open_in_child, *state), STORE_E_LOCKED);
        s = store_free(s);
        assert_int_equal(in_child(open_in_child, *state), 0);
}

static void store_open_other_database_is_corrupt_and_untouched(void **state)
{
        _cleanup_(buffer_deinit) Buffer before = BUFFER_NULL, after = BUFFER_NULL;
        Store *s = NULL;

        execute(*state, "state.db", "CREATE TABLE treasure(x); INSERT INTO treasure VALUES(1)");
        file_get(*state, "state.db", &before);
        assert_int_equal(store_open(&s, *state, true), STORE_E_CORRUPT);
        file_get(*state, "state.db", &after);
        assert_true(blob_equal(buffer_blob(&before), buffer_blob(&after)));
}

static void store_open_not_a_database_is_corrupt_and_untouched(void **state)
{
        _cleanup_(buffer_deinit) Buffer after = BUFFER_NULL;
        uint8_t noise[4096];
        Store *s = NULL;

        memset(noise, 0x5a, sizeof(noise));
        file_write(*state, "state.db", BLOB(noise, sizeof(noise)));
        assert_int_equal(store_open(&s, *state, true), STORE_E_CORRUPT);
        file_get(*state, "state.db", &after);
        assert_true(blob_equal(buffer_blob(&after), BLOB(noise, sizeof(noise))));
}

static void store_open_other_version_is_corrupt(void **state)
{
        Store *s = store_in(*state);

        s = store_free(s);
        execute(*state, "state.db", "PRAGMA user_version=2");
        assert_int_equal(store_open(&s, *state, false), STORE_E_CORRUPT);
        execute(*state, "state.db", "PRAGMA user_version=1");
        assert_int_equal(store_open(&s, *state, false), 0);
        store_free(s);
}

/* ---- lock record ---- */

static void store_get_lock_put_comes_back(void **state)
{
        Store *s = store_in(*state);
        StoreLock lock;

        put_entries(s, 3);
        s = store_free(s);
        s = store_in(*state);
        assert_int_equal(store_get_lock(s, &lock), 0);
        assert_int_equal(lock.generation, 3);
        assert_int_equal(lock.size, 3);
        assert_int_equal(lock.time_usec, 7);
        assert_int_equal(lock.next_intent, 99);
        assert_int_equal(lock.root.bytes[31], 0xab);
        store_free(s);
}

static void store_get_lock_tampered_is_corrupt(void **state)
{
        const char *const harms[] = {
                "UPDATE lock SET root = x'00'",
                "UPDATE lock SET size = -1",
                "UPDATE lock SET size = 'many'",
                "UPDATE lock SET next_intent = 0",
        };
        StoreLock lock;

        for (size_t i = 0; i < ARRAY_SIZE(harms); i++) {
                Store *s = store_in(*state);

                put_entries(s, 1);
                s = store_free(s);
                execute(*state, "state.db", harms[i]);
                s = store_in(*state);
                assert_int_equal(store_get_lock(s, &lock), STORE_E_CORRUPT);
                s = store_free(s);
        }
}

/* ---- transactions ---- */

static int leave_transaction_open(void *folder)
{
        Store *s = store_in(folder);

        put_entries(s, 2);
        assert_int_equal(store_begin(s), 0);
        assert_int_equal(store_put_entry(s, 2, BLOB_LITERAL("never"), BLOB_NULL), 0);
        return 0; /* without store_free(): as killed */
}

static void store_commit_missing_leaves_nothing(void **state)
{
        _cleanup_(store_freep) Store *s = NULL;

        assert_int_equal(in_child(leave_transaction_open, *state), 0);
        s = store_in(*state);
        assert_int_equal(store_n_entries(s), 2);
}

static int delete_intent_twice(void *folder)
{
        Store *s = store_in(folder);

        assert_int_equal(store_begin(s), 0);
        assert_int_equal(store_put_intent(s, 1, BLOB_LITERAL("a")), 0);
        assert_int_equal(store_delete_intent(s, 1), 0);
        (void)!freopen("/dev/null", "w", stderr);
        return store_delete_intent(s, 1);
}

static int skip_an_entry(void *folder)
{
        Store *s = store_in(folder);

        assert_int_equal(store_begin(s), 0);
        (void)!freopen("/dev/null", "w", stderr);
        return store_put_entry(s, 1, BLOB_LITERAL("a"), BLOB_NULL);
}

static void store_delete_intent_twice_aborts(void **state)
{
        assert_int_equal(in_child(delete_intent_twice, *state), 128 + SIGABRT);
}

static void store_put_entry_not_next_aborts(void **state)
{
        assert_int_equal(in_child(skip_an_entry, *state), 128 + SIGABRT);
}

/* ---- rows ---- */

typedef struct Seen {
        uint64_t ids[8];
        size_t n;
        Store *delete_from;
        int stop;
} Seen;

static int see_intent(void *userdata, uint64_t id, Blob content)
{
        Seen *seen = userdata;

        assert_int_equal(content.size, 1);
        assert_int_equal(content.data[0], 'a' + id);
        seen->ids[seen->n++] = id;
        if (seen->delete_from)
                assert_int_equal(store_delete_intent(seen->delete_from, id), 0);
        return seen->n == 2 ? seen->stop : 0;
}

static void store_each_intent_ascends_and_stops(void **state)
{
        _cleanup_(store_freep) Store *s = store_in(*state);
        Seen seen = {};

        assert_int_equal(store_begin(s), 0);
        assert_int_equal(store_put_intent(s, 5, BLOB_LITERAL("f")), 0);
        assert_int_equal(store_put_intent(s, 2, BLOB_LITERAL("c")), 0);
        assert_int_equal(store_put_intent(s, 9, BLOB_LITERAL("j")), 0);
        assert_int_equal(store_commit(s), 0);

        assert_int_equal(store_each_intent(s, see_intent, &seen), 0);
        assert_int_equal(seen.n, 3);
        assert_int_equal(seen.ids[0], 2);
        assert_int_equal(seen.ids[1], 5);
        assert_int_equal(seen.ids[2], 9);

        seen = (Seen){.stop = 42};
        assert_int_equal(store_each_intent(s, see_intent, &seen), 42);
        assert_int_equal(seen.n, 2);

        /* The callback may end each intent that it is shown. */
        seen = (Seen){.delete_from = s};
        assert_int_equal(store_begin(s), 0);
        assert_int_equal(store_each_intent(s, see_intent, &seen), 0);
        assert_int_equal(store_commit(s), 0);
        assert_int_equal(seen.n, 3);
        seen = (Seen){};
        assert_int_equal(store_each_intent(s, see_intent, &seen), 0);
        assert_int_equal(seen.n, 0);
}

static void store_get_entry_there_and_not(void **state)
{
        _cleanup_(store_freep) Store *s = store_in(*state);
        _cleanup_(buffer_deinit) Buffer content = BUFFER_NULL, signature = BUFFER_NULL;

        put_entries(s, 2);
        assert_int_equal(store_get_entry(s, 1, &content, &signature), 0);
        assert_true(blob_equal_string(buffer_blob(&content), "entry 1"));
        assert_true(blob_equal_string(buffer_blob(&signature), "sig"));
        assert_int_equal(store_get_entry(s, 0, &content, &signature), 0); /* appends; no signature */
        assert_true(blob_equal_string(buffer_blob(&content), "entry 1entry 0"));
        assert_true(blob_equal_string(buffer_blob(&signature), "sig"));
        assert_int_equal(store_get_entry(s, 2, &content, NULL), STORE_E_MISSING);
}

static int see_entry(void *userdata, uint64_t index, Blob content)
{
        Seen *seen = userdata;
        char expected[32];

        snprintf(expected, sizeof(expected), "entry %ju", (uintmax_t)index);
        assert_true(blob_equal_string(content, expected));
        seen->ids[seen->n++] = index;
        return seen->n == 2 ? seen->stop : 0;
}

static void store_each_entry_range_in_order(void **state)
{
        _cleanup_(store_freep) Store *s = store_in(*state);
        Seen seen = {};

        put_entries(s, 6);
        store_forget(s);
        assert_int_equal(store_each_entry(s, 2, 5, see_entry, &seen), 0);
        assert_int_equal(seen.n, 3);
        assert_int_equal(seen.ids[0], 2);
        assert_int_equal(seen.ids[2], 4);
        seen = (Seen){.stop = 42};
        assert_int_equal(store_each_entry(s, 0, 6, see_entry, &seen), 42);
        assert_int_equal(store_each_entry(s, 6, 6, see_entry, &seen), 0);
}

static void store_each_entry_hole_is_corrupt(void **state)
{
        Store *s = store_in(*state);
        Seen seen = {};

        put_entries(s, 4);
        s = store_free(s);
        execute(*state, "state.db", "DELETE FROM entries WHERE id = 1");
        s = store_in(*state);
        assert_int_equal(store_each_entry(s, 0, 4, see_entry, &seen), STORE_E_CORRUPT);
        assert_int_equal(seen.n, 1);
        s = store_free(s);
}

static void store_get_tile_there_and_not(void **state)
{
        _cleanup_(store_freep) Store *s = store_in(*state);
        uint8_t tile[STORE_TILE_SIZE], found[STORE_TILE_SIZE];

        memset(tile, 7, sizeof(tile));
        assert_int_equal(store_begin(s), 0);
        assert_int_equal(store_put_tile(s, 1, 5, BLOB(tile, sizeof(tile))), 0);
        assert_int_equal(store_commit(s), 0);
        assert_int_equal(store_get_tile(s, 1, 5, found), 0);
        assert_memory_equal(found, tile, sizeof(tile));
        assert_int_equal(store_get_tile(s, 0, 5, found), STORE_E_MISSING);
        assert_int_equal(store_get_tile(s, 1, 4, found), STORE_E_MISSING);
}

static void store_get_tile_shortened_is_corrupt(void **state)
{
        Store *s = store_in(*state);
        uint8_t tile[STORE_TILE_SIZE] = {};

        assert_int_equal(store_begin(s), 0);
        assert_int_equal(store_put_tile(s, 0, 0, BLOB(tile, sizeof(tile))), 0);
        assert_int_equal(store_commit(s), 0);
        s = store_free(s);
        execute(*state, "state.db", "UPDATE tiles SET hashes = x'00'");
        s = store_in(*state);
        assert_int_equal(store_get_tile(s, 0, 0, tile), STORE_E_CORRUPT);
        s = store_free(s);
}

static void store_put_evidence_twice_is_one(void **state)
{
        _cleanup_(store_freep) Store *s = store_in(*state);
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;
        uint8_t one[32] = {1}, two[32] = {2}, found[32];
        uint64_t id = 0;

        assert_int_equal(store_begin(s), 0);
        assert_int_equal(store_put_evidence(s, one, BLOB_LITERAL("first")), 0);
        assert_int_equal(store_put_evidence(s, one, BLOB_LITERAL("first")), 0);
        assert_int_equal(store_put_evidence(s, two, BLOB_LITERAL("second")), 0);
        assert_int_equal(store_commit(s), 0);

        assert_int_equal(store_get_evidence(s, two, &out), 0);
        assert_true(blob_equal_string(buffer_blob(&out), "second"));
        found[0] = 9;
        assert_int_equal(store_get_evidence(s, found, &out), STORE_E_MISSING);

        buffer_clear(&out);
        assert_int_equal(store_next_evidence(s, 0, &id, found, &out), 0);
        assert_memory_equal(found, one, 32);
        assert_int_equal(store_next_evidence(s, id, &id, found, &out), 0);
        assert_memory_equal(found, two, 32);
        assert_true(blob_equal_string(buffer_blob(&out), "firstsecond"));
        assert_int_equal(store_next_evidence(s, id, &id, found, &out), STORE_E_MISSING);
}

static void store_get_keys_and_meta_there_and_not(void **state)
{
        _cleanup_(store_freep) Store *s = store_in(*state);
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;

        assert_int_equal(store_begin(s), 0);
        assert_int_equal(store_put_keys(s, 3, BLOB_LITERAL("keys")), 0);
        assert_int_equal(store_put_meta(s, "a", BLOB_LITERAL("old")), 0);
        assert_int_equal(store_put_meta(s, "a", BLOB_LITERAL("new")), 0);
        assert_int_equal(store_commit(s), 0);
        assert_int_equal(store_get_keys(s, 3, &out), 0);
        assert_int_equal(store_get_meta(s, "a", &out), 0);
        assert_true(blob_equal_string(buffer_blob(&out), "keysnew"));
        assert_int_equal(store_get_keys(s, 4, &out), STORE_E_MISSING);
        assert_int_equal(store_get_meta(s, "b", &out), STORE_E_MISSING);
}

/* ---- what rides on other transactions ---- */

static void store_put_checkpoint_rides_on_the_next_commit(void **state)
{
        Store *s = store_in(*state);
        _cleanup_(buffer_deinit) Buffer note = BUFFER_NULL;
        uint64_t size = 0, evidence = 0;

        assert_int_equal(store_get_checkpoint(s, &size, &note), STORE_E_MISSING);
        assert_int_equal(store_get_published(s, &size, &evidence), 0);
        assert_int_equal(size, 0);
        assert_int_equal(store_put_checkpoint(s, 5, BLOB_LITERAL("note")), 0);
        assert_int_equal(store_put_published(s, 4, 2), 0);
        assert_int_equal(store_get_checkpoint(s, &size, &note), 0); /* known at once */
        assert_int_equal(size, 5);
        put_entries(s, 1);
        s = store_free(s);

        s = store_in(*state);
        buffer_clear(&note);
        assert_int_equal(store_get_checkpoint(s, &size, &note), 0);
        assert_int_equal(size, 5);
        assert_true(blob_equal_string(buffer_blob(&note), "note"));
        assert_int_equal(store_get_published(s, &size, &evidence), 0);
        assert_int_equal(size, 4);
        assert_int_equal(evidence, 2);
        s = store_free(s);
}

static int put_checkpoint_and_die(void *folder)
{
        Store *s = store_in(folder);

        return store_put_checkpoint(s, 6, BLOB_LITERAL("lost"));
}

static void store_put_checkpoint_alone_is_not_durable_but_closing_is(void **state)
{
        _cleanup_(buffer_deinit) Buffer note = BUFFER_NULL;
        uint64_t size = 0;
        Store *s;

        assert_int_equal(in_child(put_checkpoint_and_die, *state), 0);
        s = store_in(*state);
        assert_int_equal(store_get_checkpoint(s, &size, &note), STORE_E_MISSING);
        assert_int_equal(store_put_checkpoint(s, 7, BLOB_LITERAL("kept")), 0);
        s = store_free(s);
        s = store_in(*state);
        assert_int_equal(store_get_checkpoint(s, &size, &note), 0);
        assert_int_equal(size, 7);
        s = store_free(s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                FOLDER_TEST(store_open_nothing_there_is_missing),
                FOLDER_TEST(store_open_empty_file_is_missing),
                FOLDER_TEST(store_open_created_opens_again),
                FOLDER_TEST(store_open_missing_folder_fails),
                FOLDER_TEST(store_open_twice_is_locked),
                FOLDER_TEST(store_open_in_other_process_is_locked),
                FOLDER_TEST(store_open_other_database_is_corrupt_and_untouched),
                FOLDER_TEST(store_open_not_a_database_is_corrupt_and_untouched),
                FOLDER_TEST(store_open_other_version_is_corrupt),
                FOLDER_TEST(store_get_lock_put_comes_back),
                FOLDER_TEST(store_get_lock_tampered_is_corrupt),
                FOLDER_TEST(store_commit_missing_leaves_nothing),
                FOLDER_TEST(store_delete_intent_twice_aborts),
                FOLDER_TEST(store_put_entry_not_next_aborts),
                FOLDER_TEST(store_each_intent_ascends_and_stops),
                FOLDER_TEST(store_get_entry_there_and_not),
                FOLDER_TEST(store_each_entry_range_in_order),
                FOLDER_TEST(store_each_entry_hole_is_corrupt),
                FOLDER_TEST(store_get_tile_there_and_not),
                FOLDER_TEST(store_get_tile_shortened_is_corrupt),
                FOLDER_TEST(store_put_evidence_twice_is_one),
                FOLDER_TEST(store_get_keys_and_meta_there_and_not),
                FOLDER_TEST(store_put_checkpoint_rides_on_the_next_commit),
                FOLDER_TEST(store_put_checkpoint_alone_is_not_durable_but_closing_is),
        };

        return cmocka_run_group_tests(tests, silence_traces, NULL);
}
