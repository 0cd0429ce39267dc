/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/journal-world.h"

/* ---- whose it is ---- */

static void journal_open_nothing_there_is_missing_unless_created(void **state)
{
        World *w = *state;

        assert_int_equal(world_try(w, false, WORLD_ORIGIN, 0), JOURNAL_E_MISSING);
        assert_true(w->message.size > 0);
        world_open(w);
        world_close(w);
        assert_int_equal(world_try(w, false, WORLD_ORIGIN, 0), 0);
        assert_int_equal(journal_size(w->journal), 0);
        assert_int_equal(journal_published(w->journal), 0);
        assert_int_equal(journal_checkpoint(w->journal).size, 0);
}

static int try_in_child(void *userdata)
{
        World copy = *(World *)userdata;

        copy.journal = NULL;
        copy.message = (Buffer)BUFFER_NULL;
        return world_try(&copy, true, WORLD_ORIGIN, 0);
}

static void journal_open_while_open_is_locked(void **state)
{
        World *w = *state;
        Journal *first;

        world_open(w);
        first = TAKE_PTR(w->journal);
        world_refuses(w, JOURNAL_E_LOCKED);
        assert_int_equal(in_child(try_in_child, w), JOURNAL_E_LOCKED);
        journal_free(first);
        assert_int_equal(in_child(try_in_child, w), 0);
        world_open(w);
}

static void journal_open_other_origin_or_key_is_foreign(void **state)
{
        World *w = *state;

        world_open(w);
        world_grow(w, 3);
        world_close(w);
        assert_int_equal(world_try(w, true, "other.example/log", 0), JOURNAL_E_FOREIGN);
        assert_int_equal(world_try(w, true, WORLD_ORIGIN, 1), JOURNAL_E_FOREIGN);
        world_open(w);
}

static void journal_open_log_of_other_origin_or_key_is_foreign(void **state)
{
        World *w = *state;

        world_open(w);
        world_grow(w, 3);
        world_close(w);
        folder_remove(AT_FDCWD, w->state);
        folder_make(w->folder, "state");
        assert_int_equal(world_try(w, true, "other.example/log", 0), JOURNAL_E_FOREIGN);
        folder_remove(AT_FDCWD, w->state);
        folder_make(w->folder, "state");
        assert_int_equal(world_try(w, true, WORLD_ORIGIN, 1), JOURNAL_E_FOREIGN);
}

static void journal_open_bad_origin_fails(void **state)
{
        World *w = *state;

        assert_true(world_try(w, true, "with space", 0) < 0);
        assert_true(world_try(w, true, "", 0) < 0);
}

/* ---- the state of yesterday ---- */

static void journal_open_older_state_put_back_is_rolled_back(void **state)
{
        World *w = *state;
        _cleanup_(freep) char *backup = path_in(w->folder, "backup");

        world_open(w);
        world_grow(w, 300);
        world_close(w);
        folder_copy(w->state, backup);
        world_open(w);
        world_grow(w, 1);
        world_close(w);

        folder_remove(AT_FDCWD, w->state);
        folder_copy(backup, w->state);
        world_refuses(w, JOURNAL_E_ROLLED_BACK);
        world_refuses(w, JOURNAL_E_ROLLED_BACK); /* and it stays so */
}

static void journal_open_state_lost_is_rolled_back(void **state)
{
        World *w = *state;

        world_open(w);
        world_grow(w, 1);
        world_close(w);
        folder_remove(AT_FDCWD, w->state);
        folder_make(w->folder, "state");
        world_refuses(w, JOURNAL_E_ROLLED_BACK);
}

static void journal_open_other_history_of_same_or_greater_size_is_rolled_back(void **state)
{
        World *w = *state;
        _cleanup_(freep) char *backup = path_in(w->folder, "backup");
        _cleanup_(buffer_deinit) Buffer shown = BUFFER_NULL;

        world_open(w);
        world_grow(w, 300);
        world_close(w);
        folder_copy(w->state, backup);
        world_open(w);
        world_grow(w, 2);
        world_close(w);
        file_get(w->log, "checkpoint", &shown);

        /* The same backup, continued otherwise, with a log/ of its own. */
        for (size_t n = 2; n < 4; n++) {
                folder_remove(AT_FDCWD, w->state);
                folder_copy(backup, w->state);
                folder_remove(AT_FDCWD, w->log);
                folder_make(w->folder, "log");
                world_open(w);
                w->clock += 5;
                world_grow(w, n);
                world_close(w);
                file_write(w->log, "checkpoint", buffer_blob(&shown));
                world_refuses(w, JOURNAL_E_ROLLED_BACK);
        }
}

static void journal_open_older_checkpoint_shown_is_replaced(void **state)
{
        World *w = *state;
        _cleanup_(buffer_deinit) Buffer old = BUFFER_NULL, now = BUFFER_NULL;

        world_open(w);
        world_grow(w, 300);
        file_get(w->log, "checkpoint", &old);
        world_grow(w, 5);
        world_close(w);
        file_write(w->log, "checkpoint", buffer_blob(&old));
        world_open(w);
        assert_int_equal(journal_published(w->journal), 305);
        file_get(w->log, "checkpoint", &now);
        assert_int_equal(world_check_note(w, buffer_blob(&now)), 305);
}

/* ---- tampering ---- */

static void tampered(World *w, const char *sql, int code)
{
        _cleanup_(freep) char *backup = path_in(w->folder, "backup");

        folder_copy(w->state, backup);
        world_execute(w, "state.db", sql);
        world_refuses(w, code);
        folder_remove(AT_FDCWD, w->state);
        assert_int_equal(rename(backup, w->state), 0);
        world_open(w);
        world_close(w);
}

static void journal_open_tampered_state_is_corrupt(void **state)
{
        const char *const harms[] = {
                "UPDATE entries SET content = CAST(content || 'x' AS BLOB) WHERE id = 599",
                "UPDATE entries SET content = x'00' WHERE id = 599",
                "DELETE FROM entries WHERE id = 599",
                "DELETE FROM entries WHERE id = 598",
                "INSERT INTO entries SELECT 600, content, NULL FROM entries WHERE id = 599",
                "UPDATE lock SET root = zeroblob(32)",
                "UPDATE lock SET root = zeroblob(31)",
                "UPDATE lock SET size = 599",
                "UPDATE lock SET size = 601",
                "UPDATE lock SET time_usec = time_usec + 1",
                "UPDATE lock SET next_intent = 1",
                "DELETE FROM lock",
                "UPDATE tiles SET hashes = zeroblob(8192) WHERE id = 1",
                "DELETE FROM tiles WHERE id = 0",
                "UPDATE tiles SET hashes = x'00' WHERE id = 1",
                "DELETE FROM meta WHERE name = 'origin'",
                "UPDATE meta SET value = x'00' WHERE name = 'checkpoint'",
                "UPDATE meta SET value = x'00' WHERE name = 'published'",
        };
        World *w = *state;
        Blob intent = BLOB_LITERAL("an intent");

        world_open(w);
        world_grow(w, 600);
        world_maintain(w);
        assert_int_equal(journal_add_intents(w->journal, 1, &intent), 0);
        world_close(w);
        for (size_t i = 0; i < ARRAY_SIZE(harms); i++)
                tampered(w, harms[i], JOURNAL_E_CORRUPT);
        tampered(w, "UPDATE meta SET value = x'00' WHERE name = 'log-key'", JOURNAL_E_FOREIGN);
}

static void journal_open_damaged_file_is_corrupt(void **state)
{
        World *w = *state;

        world_open(w);
        world_grow(w, 3);
        world_close(w);
        file_write(w->state, "state.db", BLOB_LITERAL("SQLite format 2, perhaps"));
        world_refuses(w, JOURNAL_E_CORRUPT);
}

static void journal_open_checkpoint_of_wrong_signature_is_corrupt(void **state)
{
        World *w = *state;
        _cleanup_(buffer_deinit) Buffer note = BUFFER_NULL;

        world_open(w);
        world_grow(w, 3);
        world_close(w);
        file_get(w->log, "checkpoint", &note);
        note.data[strlen(WORLD_ORIGIN) + 1] = '2'; /* the size */
        file_write(w->log, "checkpoint", buffer_blob(&note));
        world_refuses(w, JOURNAL_E_CORRUPT);
        note.data[strlen(WORLD_ORIGIN) + 1] = '3';
        file_write(w->log, "checkpoint", buffer_blob(&note));
        world_open(w);
}

/* ---- repair ---- */

static void journal_open_torn_checkpoint_is_written_again(void **state)
{
        World *w = *state;
        _cleanup_(buffer_deinit) Buffer note = BUFFER_NULL, now = BUFFER_NULL;

        world_open(w);
        world_grow(w, 3);
        world_close(w);
        file_get(w->log, "checkpoint", &note);
        for (size_t i = 0; i < 3; i++) {
                uint8_t torn[64] = {};

                file_write(w->log, "checkpoint",
                           i == 0   ? BLOB_NULL
                           : i == 1 ? BLOB(torn, sizeof(torn))
                                    : BLOB(note.data, note.size - 7));
                world_open(w);
                assert_int_equal(journal_published(w->journal), 3);
                file_get(w->log, "checkpoint", &now);
                assert_true(blob_equal(buffer_blob(&now), buffer_blob(&note)));
                world_close(w);
        }
}

static void journal_open_lost_log_is_written_again(void **state)
{
        World *w = *state;

        world_open(w);
        world_grow(w, 255);
        world_grow(w, 300);
        world_maintain(w);
        world_close(w);
        folder_remove(AT_FDCWD, w->log);
        folder_make(w->folder, "log");
        world_open(w);
        assert_int_equal(journal_published(w->journal), 555);
        world_check_log(w, 555);
        world_grow(w, 300);
        world_check_log(w, 855);
}

static void journal_open_gaps_since_the_last_sync_are_filled(void **state)
{
        const char *const gone[] = {"tile/0/001.p/44", "tile/0/000", "tile/entries/001.p/44",
                                    "tile/1/000.p/1"};
        World *w = *state;

        world_open(w);
        world_grow(w, 300);
        world_close(w);
        for (size_t i = 0; i < ARRAY_SIZE(gone); i++) {
                _cleanup_(freep) char *path = path_in(w->log, gone[i]);

                assert_int_equal(unlink(path), 0);
        }
        file_write(w->log, "tile/entries/000", BLOB_NULL); /* torn */
        world_open(w);
        world_check_log(w, 300);
        world_grow(w, 1);
        world_check_log(w, 301);
}

static void journal_open_conflicting_tile_is_corrupt(void **state)
{
        World *w = *state;
        uint8_t other[8192];

        world_open(w);
        world_grow(w, 300);
        world_close(w);
        memset(other, 7, sizeof(other));
        file_write(w->log, "tile/0/000", BLOB(other, sizeof(other)));
        world_refuses(w, JOURNAL_E_CORRUPT);
        file_write(w->log, "tile/0/000", BLOB_NULL);
        world_open(w);
        world_check_log(w, 300);
}

static void journal_open_after_commit_without_publish_goes_on(void **state)
{
        World *w = *state;

        world_open(w);
        world_grow(w, 255);
        world_append_plain(w, 2);
        world_commit(w);
        world_close(w);

        world_open(w);
        assert_int_equal(journal_size(w->journal), 257);
        assert_int_equal(journal_published(w->journal), 255);
        world_check_proof(w, 0, 255);
        world_publish(w);
        world_check_log(w, 257);
        world_check_proof(w, 256, 257);
}

static void journal_open_staged_entries_are_lost(void **state)
{
        World *w = *state;

        world_open(w);
        world_grow(w, 2);
        world_append_plain(w, 2);
        assert_int_equal(journal_n_staged(w->journal), 2);
        world_close(w);
        w->n_leaves = 2;
        world_open(w);
        assert_int_equal(journal_size(w->journal), 2);
        world_grow(w, 1);
        world_check_log(w, 3);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                WORLD_TEST(journal_open_nothing_there_is_missing_unless_created),
                WORLD_TEST(journal_open_while_open_is_locked),
                WORLD_TEST(journal_open_other_origin_or_key_is_foreign),
                WORLD_TEST(journal_open_log_of_other_origin_or_key_is_foreign),
                WORLD_TEST(journal_open_bad_origin_fails),
                WORLD_TEST(journal_open_older_state_put_back_is_rolled_back),
                WORLD_TEST(journal_open_state_lost_is_rolled_back),
                WORLD_TEST(journal_open_other_history_of_same_or_greater_size_is_rolled_back),
                WORLD_TEST(journal_open_older_checkpoint_shown_is_replaced),
                WORLD_TEST(journal_open_tampered_state_is_corrupt),
                WORLD_TEST(journal_open_damaged_file_is_corrupt),
                WORLD_TEST(journal_open_checkpoint_of_wrong_signature_is_corrupt),
                WORLD_TEST(journal_open_torn_checkpoint_is_written_again),
                WORLD_TEST(journal_open_lost_log_is_written_again),
                WORLD_TEST(journal_open_gaps_since_the_last_sync_are_filled),
                WORLD_TEST(journal_open_conflicting_tile_is_corrupt),
                WORLD_TEST(journal_open_after_commit_without_publish_goes_on),
                WORLD_TEST(journal_open_staged_entries_are_lost),
        };

        return cmocka_run_group_tests(tests, silence_traces, NULL);
}
