/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A copy of data/client/log is spoiled in every part, and each time it has to be noticed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "client/logcheck.h"
#include "client/trust.h"

#include "unit/client-data.h"

static const char *const files[] = {"checkpoint",     "tile/0/000",       "tile/0/001.p/3",
                                    "tile/1/000.p/1", "tile/entries/000", "tile/entries/001.p/3"};

typedef struct Log {
        char *folder;
        Trust *trust;
        Buffer file;
        Logcheck result;
} Log;

static void read_file(Log *l, const char *name)
{
        char path[128];

        (void)snprintf(path, sizeof(path), "log/%s", name);
        client_data_read(&l->file, path);
}

static int setup(void **state)
{
        static Log l;
        PolicyFault fault;

        error_set_trace(NULL);
        l = (Log){.folder = client_data_folder()};
        client_data_read(&l.file, "trust");
        assert_int_equal(trust_parse(&l.trust, buffer_blob(&l.file), &fault), 0);
        for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
                read_file(&l, files[i]);
                client_data_write(l.folder, files[i], buffer_blob(&l.file));
        }
        *state = &l;
        return 0;
}

static int teardown(void **state)
{
        Log *l = *state;

        client_data_remove(l->folder);
        l->trust = trust_free(l->trust);
        buffer_deinit(&l->file);
        return 0;
}

static int check(Log *l)
{
        return logcheck_run(&l->result, l->folder, &l->trust->log, NULL, NULL);
}

static void expect_fail(Log *l, const char *reason)
{
        assert_int_equal(check(l), LOGCHECK_E_FAILED);
        assert_string_equal(l->result.reason, reason);
        assert_true(strlen(l->result.message) > 0);
}

static void drop(Log *l, const char *name)
{
        char path[256];

        (void)snprintf(path, sizeof(path), "%s/%s", l->folder, name);
        assert_int_equal(unlink(path), 0);
}

static void logcheck_run_intact_accepts(void **state)
{
        Log *l = *state;

        assert_int_equal(check(l), 0);
        assert_true(l->result.signed_by_trusted);
        assert_int_equal(l->result.n_entries, 259);
        assert_int_equal(l->result.n_tiles, 3);
        assert_int_equal(l->result.n_signatures, 10);
        assert_int_equal(l->result.n_abandoned, 1);
}

static void logcheck_run_without_key_says_so(void **state)
{
        Log *l = *state;

        assert_int_equal(logcheck_run(&l->result, l->folder, NULL, NULL, NULL), 0);
        assert_false(l->result.signed_by_trusted);
}

static void logcheck_run_any_byte_changed_fails(void **state)
{
        Log *l = *state;

        for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
                read_file(l, files[i]);
                for (size_t at = 0; at < l->file.size; at += l->file.size / 40 + 1) {
                        l->file.data[at] ^= 0x01;
                        client_data_write(l->folder, files[i], buffer_blob(&l->file));
                        assert_int_equal(check(l), LOGCHECK_E_FAILED);
                        l->file.data[at] ^= 0x01;
                }
                client_data_write(l->folder, files[i], buffer_blob(&l->file));
        }
        assert_int_equal(check(l), 0);
}

static void logcheck_run_any_file_cut_fails(void **state)
{
        Log *l = *state;

        for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
                read_file(l, files[i]);
                client_data_write(l->folder, files[i], BLOB(l->file.data, l->file.size - 1));
                assert_int_equal(check(l), LOGCHECK_E_FAILED);
                client_data_write(l->folder, files[i], buffer_blob(&l->file));
        }
}

static void logcheck_run_any_tile_missing_fails(void **state)
{
        Log *l = *state;

        for (size_t i = 1; i < ARRAY_SIZE(files); i++) {
                drop(l, files[i]);
                expect_fail(l, "tile-missing");
                read_file(l, files[i]);
                client_data_write(l->folder, files[i], buffer_blob(&l->file));
        }
        assert_int_equal(check(l), 0);
}

static void logcheck_run_checkpoint_missing_is_unreadable(void **state)
{
        Log *l = *state;

        drop(l, "checkpoint");
        assert_int_equal(check(l), LOGCHECK_E_UNREADABLE);
        assert_int_equal(logcheck_run(&l->result, "/nowhere/at/all", NULL, NULL, NULL),
                         LOGCHECK_E_UNREADABLE);
}

static void logcheck_run_bundle_with_more_bytes_fails(void **state)
{
        Log *l = *state;

        read_file(l, "tile/entries/001.p/3");
        assert_int_equal(buffer_append(&l->file, "\0\0", 2), 0);
        client_data_write(l->folder, "tile/entries/001.p/3", buffer_blob(&l->file));
        expect_fail(l, "bundle-size");
}

/* The log has grown since the checkpoint, and its partial tiles are gone. */
static void logcheck_run_partial_became_full_accepts(void **state)
{
        uint8_t more[32] = {1};
        Log *l = *state;

        read_file(l, "tile/entries/001.p/3");
        assert_int_equal(buffer_append(&l->file, "\0\2{}", 4), 0);
        client_data_write(l->folder, "tile/entries/001", buffer_blob(&l->file));
        drop(l, "tile/entries/001.p/3");
        read_file(l, "tile/0/001.p/3");
        assert_int_equal(buffer_append(&l->file, more, sizeof(more)), 0);
        client_data_write(l->folder, "tile/0/001", buffer_blob(&l->file));
        drop(l, "tile/0/001.p/3");
        assert_int_equal(check(l), 0);
}

static void logcheck_run_full_differs_from_partial_fails(void **state)
{
        Log *l = *state;

        read_file(l, "tile/0/001.p/3");
        l->file.data[70] ^= 1;
        client_data_write(l->folder, "tile/0/001", buffer_blob(&l->file));
        drop(l, "tile/0/001.p/3");
        expect_fail(l, "tile-wrong");
}

/* A tile that the size does not need any more, but that is there. */
static void logcheck_run_old_partial_true_accepts(void **state)
{
        Log *l = *state;

        read_file(l, "tile/0/001.p/3");
        client_data_write(l->folder, "tile/0/001.p/2", BLOB(l->file.data, 64));
        read_file(l, "tile/0/000");
        client_data_write(l->folder, "tile/0/000.p/255", BLOB(l->file.data, 255 * 32));
        read_file(l, "tile/entries/000");
        client_data_write(l->folder, "tile/entries/000.p/1", BLOB(l->file.data, 2U + get_u16(l->file.data)));
        assert_int_equal(check(l), 0);
}

static void logcheck_run_old_partial_wrong_fails(void **state)
{
        Log *l = *state;

        read_file(l, "tile/0/000");
        client_data_write(l->folder, "tile/0/000.p/2", BLOB(l->file.data, 63));
        expect_fail(l, "tile-wrong");
        client_data_write(l->folder, "tile/0/000.p/2", BLOB(l->file.data, 65));
        expect_fail(l, "tile-wrong");
        client_data_write(l->folder, "tile/0/000.p/2", BLOB(l->file.data + 32, 64));
        expect_fail(l, "tile-wrong");
        drop(l, "tile/0/000.p/2");
        client_data_write(l->folder, "tile/entries/000.p/1", BLOB_LITERAL("\0\2{}"));
        expect_fail(l, "tile-wrong");
}

static void logcheck_run_genesis_of_other_log_fails(void **state)
{
        Log *l = *state;

        /* Unsigned checkpoints are believed as far as that goes. */
        read_file(l, "checkpoint");
        l->file.data[0] ^= 1;
        client_data_write(l->folder, "checkpoint", buffer_blob(&l->file));
        assert_int_equal(logcheck_run(&l->result, l->folder, NULL, NULL, NULL), LOGCHECK_E_FAILED);
        assert_string_equal(l->result.reason, "entry-genesis");
}

static void logcheck_run_intent_ended_twice_fails(void **state)
{
        uint8_t *p, *second;
        Log *l = *state;

        read_file(l, "tile/entries/000");
        p = memmem(l->file.data, l->file.size, "\"intent\":2,", 11);
        assert_non_null(p);
        p[9] = '1';
        second = memmem(l->file.data, l->file.size, "\"intent\":2,", 11);
        assert_null(second);
        client_data_write(l->folder, "tile/entries/000", buffer_blob(&l->file));
        expect_fail(l, "entry-intent");
}

static void logcheck_run_other_log_fails(void **state)
{
        const char *start = "c2sp.org";
        Log *l = *state;
        uint8_t *p;

        /* The checkpoints of the two other logs are in the proofs. */
        client_data_read(&l->file, "other-log.tlog-proof");
        assert_memory_equal(l->file.data, start, strlen(start));
        p = memmem(l->file.data, l->file.size, "\n\n", 2);
        assert_non_null(p);
        client_data_write(l->folder, "checkpoint", BLOB_STRING((char *)p + 2));
        expect_fail(l, "checkpoint-signature");

        client_data_read(&l->file, "other-origin.tlog-proof");
        p = memmem(l->file.data, l->file.size, "\n\n", 2);
        assert_non_null(p);
        client_data_write(l->folder, "checkpoint", BLOB_STRING((char *)p + 2));
        expect_fail(l, "checkpoint-origin");
}

#define TEST(_f) cmocka_unit_test_setup_teardown(_f, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(logcheck_run_intact_accepts),
                TEST(logcheck_run_without_key_says_so),
                TEST(logcheck_run_any_byte_changed_fails),
                TEST(logcheck_run_any_file_cut_fails),
                TEST(logcheck_run_any_tile_missing_fails),
                TEST(logcheck_run_checkpoint_missing_is_unreadable),
                TEST(logcheck_run_bundle_with_more_bytes_fails),
                TEST(logcheck_run_partial_became_full_accepts),
                TEST(logcheck_run_full_differs_from_partial_fails),
                TEST(logcheck_run_old_partial_true_accepts),
                TEST(logcheck_run_old_partial_wrong_fails),
                TEST(logcheck_run_genesis_of_other_log_fails),
                TEST(logcheck_run_intent_ended_twice_fails),
                TEST(logcheck_run_other_log_fails),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
