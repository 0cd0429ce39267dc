/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "journal/tiles.h"
#include "unit/journal-fixture.h"

static uint8_t tile[8192];

static Tiles *tiles_in(const char *folder)
{
        Tiles *t;

        for (size_t i = 0; i < sizeof(tile); i++)
                tile[i] = (uint8_t)(1 + i % 251);
        assert_int_equal(tiles_new(&t, folder), 0);
        return t;
}

/* ---- tiles_path ---- */

static void tiles_path_specification_examples(void **state)
{
        const struct {
                unsigned level;
                uint64_t n;
                unsigned width;
                const char *path;
        } cases[] = {
                {0, 0, 0, "tile/0/000"},
                {0, 1234067, 0, "tile/0/x001/x234/067"},
                {0, 1003, 232, "tile/0/x001/003.p/232"},
                {1, 999, 1, "tile/1/999.p/1"},
                {2, 1000, 0, "tile/2/x001/000"},
                {7, 0, 255, "tile/7/000.p/255"},
                {63, 1000000, 0, "tile/63/x001/x000/000"},
                {TILES_ENTRIES, 0, 0, "tile/entries/000"},
                {TILES_ENTRIES, 1234067, 255, "tile/entries/x001/x234/067.p/255"},
                {TILES_ENTRIES, UINT64_MAX, 255, "tile/entries/x018/x446/x744/x073/x709/x551/615.p/255"},
        };
        char path[TILES_PATH_SIZE];

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                tiles_path(path, cases[i].level, cases[i].n, cases[i].width);
                assert_string_equal(path, cases[i].path);
        }
}

/* ---- tiles_put ---- */

static void tiles_put_new_writes_it_readable(void **state)
{
        _cleanup_(tiles_freep) Tiles *t = tiles_in(*state);
        _cleanup_(buffer_deinit) Buffer found = BUFFER_NULL;
        _cleanup_(freep) char *path = path_in(*state, "tile/0/x001/x234/067");
        struct stat st;

        assert_int_equal(tiles_put(t, 0, 1234067, 0, BLOB(tile, sizeof(tile))), 0);
        file_get(*state, "tile/0/x001/x234/067", &found);
        assert_true(blob_equal(buffer_blob(&found), BLOB(tile, sizeof(tile))));
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0444);
}

static void tiles_put_same_again_accepts(void **state)
{
        _cleanup_(tiles_freep) Tiles *t = tiles_in(*state);

        assert_int_equal(tiles_put(t, 0, 3, 5, BLOB(tile, 160)), 0);
        assert_int_equal(tiles_put(t, 0, 3, 5, BLOB(tile, 160)), 0);
        assert_int_equal(tiles_put(t, TILES_ENTRIES, 3, 5, BLOB(tile, 77)), 0);
        assert_int_equal(tiles_put(t, TILES_ENTRIES, 3, 5, BLOB(tile, 77)), 0);
}

static void tiles_put_other_content_conflicts(void **state)
{
        _cleanup_(tiles_freep) Tiles *t = tiles_in(*state);
        _cleanup_(buffer_deinit) Buffer found = BUFFER_NULL;

        assert_int_equal(tiles_put(t, 0, 3, 0, BLOB(tile, sizeof(tile))), 0);
        tile[8191] ^= 1;
        assert_int_equal(tiles_put(t, 0, 3, 0, BLOB(tile, sizeof(tile))), TILES_E_CONFLICT);
        tile[8191] ^= 1;
        file_get(*state, "tile/0/003", &found);
        assert_true(blob_equal(buffer_blob(&found), BLOB(tile, sizeof(tile))));
}

static void tiles_put_longer_file_conflicts(void **state)
{
        _cleanup_(tiles_freep) Tiles *t = tiles_in(*state);

        assert_int_equal(tiles_put(t, TILES_ENTRIES, 3, 5, BLOB(tile, 78)), 0);
        assert_int_equal(tiles_put(t, TILES_ENTRIES, 3, 5, BLOB(tile, 77)), TILES_E_CONFLICT);
}

static void put_torn(const char *folder, Tiles *t, Blob torn, int expected)
{
        _cleanup_(buffer_deinit) Buffer found = BUFFER_NULL;

        assert_int_equal(tiles_put(t, 0, 0, 0, BLOB(tile, sizeof(tile))), 0);
        file_write(folder, "tile/0/000", torn);
        assert_int_equal(tiles_put(t, 0, 0, 0, BLOB(tile, sizeof(tile))), expected);
        file_get(folder, "tile/0/000", &found);
        assert_true(blob_equal(buffer_blob(&found), expected == 0 ? BLOB(tile, sizeof(tile)) : torn));
        file_write(folder, "tile/0/000", BLOB(tile, sizeof(tile)));
}

static void tiles_put_torn_file_repairs(void **state)
{
        _cleanup_(tiles_freep) Tiles *t = tiles_in(*state);
        uint8_t torn[8192] = {};

        put_torn(*state, t, BLOB(torn, sizeof(torn)), 0); /* never written */
        put_torn(*state, t, BLOB(torn, 0), 0);
        put_torn(*state, t, BLOB(torn, 100), 0);
        put_torn(*state, t, BLOB(tile, 1), 0);
        put_torn(*state, t, BLOB(tile, 8191), 0);
        memcpy(torn + 4096, tile + 4096, 4096); /* the second page only */
        put_torn(*state, t, BLOB(torn, sizeof(torn)), 0);
}

static void tiles_put_short_file_of_other_content_conflicts(void **state)
{
        _cleanup_(tiles_freep) Tiles *t = tiles_in(*state);
        uint8_t torn[8192];

        memcpy(torn, tile, sizeof(torn));
        torn[0] ^= 2; /* not NUL */
        put_torn(*state, t, BLOB(torn, 100), TILES_E_CONFLICT);
        put_torn(*state, t, BLOB(torn, 1), TILES_E_CONFLICT);
        memset(torn, 0, 4096);
        torn[4095] = 1; /* a sector that is neither */
        put_torn(*state, t, BLOB(torn, sizeof(torn)), TILES_E_CONFLICT);
}

static void tiles_put_link_in_the_way_fails(void **state)
{
        _cleanup_(tiles_freep) Tiles *t = tiles_in(*state);
        _cleanup_(freep) char *path = path_in(*state, "tile/0/000");

        assert_int_equal(tiles_put(t, 0, 1, 0, BLOB(tile, sizeof(tile))), 0);
        assert_int_equal(symlink("001", path), 0);
        assert_true(tiles_put(t, 0, 0, 0, BLOB(tile, sizeof(tile))) < 0);
}

/* ---- tiles_drop_partials ---- */

static void tiles_drop_partials_full_there_removes_them(void **state)
{
        _cleanup_(tiles_freep) Tiles *t = tiles_in(*state);

        assert_int_equal(tiles_put(t, 0, 1003, 7, BLOB(tile, 224)), 0);
        assert_int_equal(tiles_put(t, 0, 1003, 255, BLOB(tile, 8160)), 0);
        assert_int_equal(tiles_put(t, 0, 1003, 0, BLOB(tile, sizeof(tile))), 0);
        assert_int_equal(tiles_put(t, 0, 1004, 9, BLOB(tile, 288)), 0);
        assert_int_equal(tiles_drop_partials(t, 0, 1003), 0);
        assert_false(file_exists(*state, "tile/0/x001/003.p"));
        assert_true(file_exists(*state, "tile/0/x001/003"));
        assert_true(file_exists(*state, "tile/0/x001/004.p/9"));
        assert_int_equal(tiles_drop_partials(t, 0, 1003), 0); /* as after a crash in between */
}

static void tiles_drop_partials_full_missing_refuses(void **state)
{
        _cleanup_(tiles_freep) Tiles *t = tiles_in(*state);

        assert_int_equal(tiles_put(t, 0, 3, 7, BLOB(tile, 224)), 0);
        assert_true(tiles_drop_partials(t, 0, 3) < 0);
        assert_true(file_exists(*state, "tile/0/003.p/7"));
}

/* ---- checkpoint ---- */

static void tiles_get_checkpoint_none_is_missing(void **state)
{
        _cleanup_(tiles_freep) Tiles *t = tiles_in(*state);
        _cleanup_(buffer_deinit) Buffer note = BUFFER_NULL;

        assert_int_equal(tiles_get_checkpoint(t, &note), FILE_E_MISSING);
}

static void tiles_put_checkpoint_replaces(void **state)
{
        _cleanup_(tiles_freep) Tiles *t = tiles_in(*state);
        _cleanup_(buffer_deinit) Buffer note = BUFFER_NULL;

        assert_int_equal(tiles_put_checkpoint(t, BLOB_LITERAL("one")), 0);
        assert_int_equal(tiles_put_checkpoint(t, BLOB_LITERAL("two")), 0);
        assert_int_equal(tiles_get_checkpoint(t, &note), 0);
        assert_true(blob_equal_string(buffer_blob(&note), "two"));
        assert_int_equal(tiles_sync(t), 0);
}

static void tiles_new_missing_folder_fails(void **state)
{
        _cleanup_(freep) char *path = path_in(*state, "none");
        Tiles *t;

        assert_true(tiles_new(&t, path) < 0);
}

/* ---- tiles_reach_beyond ---- */

static bool reaches(Tiles *t, uint64_t size)
{
        bool beyond;

        assert_int_equal(tiles_reach_beyond(t, size, &beyond), 0);
        return beyond;
}

static void tiles_reach_beyond_bundle_of_next_entry_is_found(void **state)
{
        _cleanup_(tiles_freep) Tiles *t = tiles_in(*state);

        assert_int_equal(tiles_put(t, TILES_ENTRIES, 3, 7, BLOB(tile, 100)), 0);
        assert_true(reaches(t, 768));
        assert_true(reaches(t, 768 + 6));
        assert_int_equal(tiles_put(t, TILES_ENTRIES, 2, 0, BLOB(tile, 100)), 0);
        assert_true(reaches(t, 767));
        assert_true(reaches(t, 512));
}

static void tiles_reach_beyond_bundles_of_known_entries_are_not(void **state)
{
        _cleanup_(tiles_freep) Tiles *t = tiles_in(*state);

        assert_false(reaches(t, 0));
        assert_int_equal(tiles_put(t, TILES_ENTRIES, 2, 0, BLOB(tile, 100)), 0);
        assert_int_equal(tiles_put(t, TILES_ENTRIES, 3, 6, BLOB(tile, 90)), 0);
        assert_int_equal(tiles_put(t, TILES_ENTRIES, 3, 7, BLOB(tile, 100)), 0);
        assert_false(reaches(t, 768 + 7));
        assert_false(reaches(t, 768 + 255));
        assert_false(reaches(t, 1024));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(tiles_path_specification_examples),
                FOLDER_TEST(tiles_put_new_writes_it_readable),
                FOLDER_TEST(tiles_put_same_again_accepts),
                FOLDER_TEST(tiles_put_other_content_conflicts),
                FOLDER_TEST(tiles_put_longer_file_conflicts),
                FOLDER_TEST(tiles_put_torn_file_repairs),
                FOLDER_TEST(tiles_put_short_file_of_other_content_conflicts),
                FOLDER_TEST(tiles_put_link_in_the_way_fails),
                FOLDER_TEST(tiles_reach_beyond_bundle_of_next_entry_is_found),
                FOLDER_TEST(tiles_reach_beyond_bundles_of_known_entries_are_not),
                FOLDER_TEST(tiles_drop_partials_full_there_removes_them),
                FOLDER_TEST(tiles_drop_partials_full_missing_refuses),
                FOLDER_TEST(tiles_get_checkpoint_none_is_missing),
                FOLDER_TEST(tiles_put_checkpoint_replaces),
                FOLDER_TEST(tiles_new_missing_folder_fails),
        };

        return cmocka_run_group_tests(tests, silence_traces, NULL);
}
