/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/journal-world.h"

/* ---- the signature ---- */

static void refuses_signature(World *w, Blob signature)
{
        _cleanup_(buffer_deinit) Buffer before = BUFFER_NULL, after = BUFFER_NULL;

        file_get(w->log, "checkpoint", &before);
        assert_int_equal(journal_publish(w->journal, signature), -EBADMSG);
        assert_int_equal(journal_published(w->journal), 3);
        assert_true(blob_equal(journal_checkpoint(w->journal), buffer_blob(&before)));
        file_get(w->log, "checkpoint", &after);
        assert_true(blob_equal(buffer_blob(&before), buffer_blob(&after)));
        assert_false(file_exists(w->log, "tile/0/000.p/5"));
        assert_false(file_exists(w->log, "tile/entries/000.p/5"));
        assert_int_equal(journal_proof(w->journal, 3, &after), JOURNAL_E_MISSING);
}

static void journal_publish_wrong_signature_publishes_nothing(void **state)
{
        World *w = *state;
        _cleanup_(buffer_deinit) Buffer good = BUFFER_NULL, stale = BUFFER_NULL, other = BUFFER_NULL;

        world_open(w);
        world_grow(w, 3);
        world_signature(w, 0, &stale); /* of the same key, over the tree before */
        world_append_plain(w, 2);
        world_commit(w);
        world_signature(w, 0, &good);
        world_signature(w, 1, &other);

        refuses_signature(w, buffer_blob(&stale));
        refuses_signature(w, buffer_blob(&other));
        refuses_signature(w, BLOB_NULL);
        refuses_signature(w, BLOB(good.data, 63));
        good.data[5] ^= 1;
        refuses_signature(w, buffer_blob(&good));
        good.data[5] ^= 1;
        assert_int_equal(journal_publish(w->journal, buffer_blob(&good)), 0);
        assert_int_equal(journal_published(w->journal), 5);
        assert_true(journal_log_is_behind(w->journal));
        assert_false(file_exists(w->log, "tile/0/000.p/5"));
        assert_int_equal(journal_write_log(w->journal), 0);
        assert_false(journal_log_is_behind(w->journal));
        world_check_log(w, 5);
        /* Once more is the same again. */
        assert_int_equal(journal_publish(w->journal, buffer_blob(&good)), 0);
        world_check_log(w, 5);
}

/* ---- the second opinion ---- */

/* Changes bytes of the WAL under the open database, as failing memory or a failing disk would. */
static void flip_in_wal(World *w, const char *text)
{
        _cleanup_(freep) char *path = path_in(w->state, "state.db-wal");
        _cleanup_(buffer_deinit) Buffer wal = BUFFER_NULL;
        _cleanup_(close_fdp) int fd = open(path, O_RDWR | O_CLOEXEC);
        unsigned n = 0;

        assert_true(fd >= 0);
        assert_int_equal(file_read_fd(&wal, fd, SIZE_MAX / 4), 0);
        for (uint8_t *p = wal.data; (p = memmem(p, wal.size - (size_t)(p - wal.data), text, strlen(text)));
             p++) {
                assert_int_equal(pwrite(fd, "X", 1, p - wal.data), 1);
                n++;
        }
        assert_true(n > 0);
}

static void journal_publish_stored_entry_differs_publishes_nothing(void **state)
{
        World *w = *state;
        char text[32];

        world_open(w);
        world_grow(w, 300);
        world_append_plain(w, 100);
        world_commit(w);
        snprintf(text, sizeof(text), "entry %ju\"", (uintmax_t)w->clock - 50);
        flip_in_wal(w, text);
        assert_true(world_try_publish(w) < 0);
        assert_int_equal(journal_published(w->journal), 300);
        assert_int_equal(world_check_note(w, journal_checkpoint(w->journal)), 300);
        assert_false(file_exists(w->log, "tile/0/001.p/144"));
        assert_false(file_exists(w->log, "tile/entries/001.p/144"));
}

static void journal_publish_log_conflicts_keeps_the_checkpoint(void **state)
{
        World *w = *state;
        _cleanup_(buffer_deinit) Buffer note = BUFFER_NULL;

        world_open(w);
        world_grow(w, 3);
        file_write(w->log, "tile/0/000.p/5", BLOB_LITERAL("somebody else's"));
        world_append_plain(w, 2);
        world_commit(w);
        assert_true(world_try_publish(w) < 0);
        file_get(w->log, "checkpoint", &note);
        assert_int_equal(world_check_note(w, buffer_blob(&note)), 3);
}

/* ---- log/ ---- */

static void journal_publish_sizes_around_tile_borders_have_their_tiles(void **state)
{
        const size_t steps[] = {255, 1, 1, 254, 1, 256, 255, 2, 512};
        World *w = *state;

        world_open(w);
        for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
                world_grow(w, steps[i]);
                world_check_log(w, w->n_leaves);
        }
        /* "Empty tiles MUST NOT be served." */
        assert_false(file_exists(w->log, "tile/0/001.p/0"));
        assert_false(file_exists(w->log, "tile/2"));
        /* Every checkpoint that was shown still has its partial tiles. */
        assert_true(file_exists(w->log, "tile/0/000.p/255"));
        assert_true(file_exists(w->log, "tile/0/001.p/1"));
        assert_true(file_exists(w->log, "tile/1/000.p/1"));
}

static void journal_publish_empty_tree_is_possible(void **state)
{
        World *w = *state;

        world_open(w);
        world_publish(w);
        assert_int_equal(world_check_note(w, journal_checkpoint(w->journal)), 0);
        world_close(w);
        world_open(w);
        world_grow(w, 1);
        world_check_log(w, 1);
}

/* ---- upkeep ---- */

static void journal_maintain_drops_partials_of_full_tiles_only(void **state)
{
        World *w = *state;

        world_open(w);
        world_grow(w, 100);
        world_grow(w, 500);
        assert_true(file_exists(w->log, "tile/0/000.p/100"));
        assert_true(journal_should_maintain(w->journal, true));
        assert_false(journal_should_maintain(w->journal, false));
        world_maintain(w);
        assert_false(file_exists(w->log, "tile/0/000.p"));
        assert_false(file_exists(w->log, "tile/entries/000.p"));
        world_check_log(w, 600);
        assert_false(journal_should_maintain(w->journal, true));
        world_close(w);

        /* The next start looks at what came after only. */
        world_open(w);
        assert_false(file_exists(w->log, "tile/0/000.p"));
        world_check_log(w, 600);
        world_grow(w, 168); /* 768: three full tiles */
        world_maintain(w);
        world_grow(w, 256);
        world_maintain(w);
        assert_false(file_exists(w->log, "tile/0/002.p"));
        assert_true(file_exists(w->log, "tile/1/000.p/3"));
        world_check_log(w, 1024);
}

static void journal_maintain_interrupted_is_done_again(void **state)
{
        World *w = *state;
        bool more = false;

        world_open(w);
        world_grow(w, 10);
        world_grow(w, 1020);
        do
                assert_int_equal(journal_maintain(w->journal, &more), 0);
        while (more && file_exists(w->log, "tile/0/001.p"));
        world_close(w); /* in the middle of dropping */
        world_open(w);
        world_check_log(w, 1030);
        world_maintain(w);
        world_check_log(w, 1030);
        assert_false(file_exists(w->log, "tile/0/000.p"));
}

static void journal_should_maintain_is_forced_in_the_end(void **state)
{
        World *w = *state;
        _cleanup_(buffer_deinit) Buffer entry = BUFFER_NULL;
        uint64_t index;
        bool forced = false;

        world_open(w);
        world_write_plain(w, &entry);
        for (size_t i = 0; i < 40 && !forced; i++) {
                for (size_t k = 0; k < 512; k++)
                        assert_int_equal(
                                journal_append(w->journal, buffer_blob(&entry), BLOB_NULL, 0, &index), 0);
                assert_int_equal(journal_commit(w->journal), 0);
                assert_int_equal(world_try_publish(w), 0);
                forced = journal_should_maintain(w->journal, false);
        }
        assert_true(forced);
        world_maintain(w);
        assert_false(journal_should_maintain(w->journal, false));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                WORLD_TEST(journal_publish_wrong_signature_publishes_nothing),
                WORLD_TEST(journal_publish_stored_entry_differs_publishes_nothing),
                WORLD_TEST(journal_publish_log_conflicts_keeps_the_checkpoint),
                WORLD_TEST(journal_publish_sizes_around_tile_borders_have_their_tiles),
                WORLD_TEST(journal_publish_empty_tree_is_possible),
                WORLD_TEST(journal_maintain_drops_partials_of_full_tiles_only),
                WORLD_TEST(journal_maintain_interrupted_is_done_again),
                WORLD_TEST(journal_should_maintain_is_forced_in_the_end),
        };

        return cmocka_run_group_tests(tests, silence_traces, NULL);
}
