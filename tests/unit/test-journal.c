/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/journal-world.h"

/* ---- entries and proofs ---- */

static void journal_proof_of_every_entry_at_every_size_verifies(void **state)
{
        const size_t steps[] = {1, 1, 1, 4, 120, 128, 1, 1, 255, 300, 3};
        World *w = *state;
        _cleanup_(buffer_deinit) Buffer note = BUFFER_NULL;

        world_open(w);
        for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
                world_grow(w, steps[i]);
                assert_int_equal(world_check_note(w, journal_checkpoint(w->journal)), w->n_leaves);
                file_get(w->log, "checkpoint", &note);
                assert_true(blob_equal(buffer_blob(&note), journal_checkpoint(w->journal)));
                world_check_log(w, w->n_leaves);
                for (uint64_t e = 0; e < w->n_leaves; e += i < 6 ? 1 : 13)
                        world_check_proof(w, e, w->n_leaves);
                world_check_proof(w, w->n_leaves - 1, w->n_leaves);
        }
}

static void journal_proof_while_a_commit_waits_is_of_the_published_tree(void **state)
{
        const size_t steps[] = {1, 2, 4, 250, 1, 130, 257};
        World *w = *state;
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;

        world_open(w);
        for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
                uint64_t published = journal_published(w->journal);

                world_append_plain(w, steps[i]);
                world_commit(w);
                for (uint64_t e = 0; e < published; e += 3)
                        world_check_proof(w, e, published);
                assert_int_equal(journal_proof(w->journal, published, &out), JOURNAL_E_MISSING);
                world_publish(w);
                world_check_proof(w, published, w->n_leaves);
        }
        assert_int_equal(journal_proof(w->journal, w->n_leaves, &out), JOURNAL_E_MISSING);
        assert_int_equal(out.size, 0);
}

static void journal_proof_of_tampered_entry_fails(void **state)
{
        World *w = *state;
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;

        world_open(w);
        world_grow(w, 300);
        world_maintain(w);
        world_close(w);
        /* Not of the right edge, so that the start does not look at it. */
        world_execute(
                w, "state.db",
                "UPDATE entries SET content = CAST(replace(CAST(content AS TEXT), 'entry', 'Entry') AS BLOB)"
                " WHERE id = 17");
        world_open(w);
        world_check_proof(w, 16, 300);
        assert_true(journal_proof(w->journal, 17, &out) < 0);
        assert_int_equal(out.size, 0);
}

static void journal_append_too_large_stages_nothing(void **state)
{
        World *w = *state;
        _cleanup_(buffer_deinit) Buffer entry = BUFFER_NULL;
        uint64_t index;

        world_open(w);
        world_write_plain(w, &entry);
        entry.size -= 2;
        while (entry.size < LIMIT_ENTRY_SIZE - 1)
                assert_int_equal(buffer_append_byte(&entry, 'x'), 0);
        assert_int_equal(buffer_append_string(&entry, "\"}"), 0);
        assert_int_equal(journal_append(w->journal, buffer_blob(&entry), BLOB_NULL, 0, &index),
                         JOURNAL_E_TOO_LARGE);
        assert_int_equal(journal_n_staged(w->journal), 0);

        buffer_clear(&entry);
        world_write_plain(w, &entry);
        entry.size -= 2;
        while (entry.size < LIMIT_ENTRY_SIZE - 2)
                assert_int_equal(buffer_append_byte(&entry, 'x'), 0);
        assert_int_equal(buffer_append_string(&entry, "\"}"), 0);
        world_append(w, buffer_blob(&entry), BLOB_NULL, 0);
        world_commit(w);
        world_publish(w);
        world_check_proof(w, 0, 1);
}

static void journal_append_time_going_back_fails(void **state)
{
        World *w = *state;
        _cleanup_(buffer_deinit) Buffer entry = BUFFER_NULL;
        uint64_t index;

        world_open(w);
        world_grow(w, 1);
        assert_int_equal(journal_time(w->journal), w->clock - 1);
        w->clock -= 1; /* the same again is allowed */
        world_append_plain(w, 1);
        w->clock -= 2;
        world_write_plain(w, &entry);
        assert_int_equal(journal_append(w->journal, buffer_blob(&entry), BLOB_NULL, 0, &index), -EINVAL);
        assert_int_equal(journal_n_staged(w->journal), 1);
        world_close(w);
        w->n_leaves = 1;
        world_open(w);
        assert_int_equal(journal_append(w->journal, buffer_blob(&entry), BLOB_NULL, 0, &index), -EINVAL);
}

static void journal_append_not_an_entry_fails(void **state)
{
        World *w = *state;
        uint64_t index;

        world_open(w);
        assert_int_equal(journal_append(w->journal, BLOB_LITERAL("{}"), BLOB_NULL, 0, &index), -EINVAL);
        assert_int_equal(journal_n_staged(w->journal), 0);
}

static void journal_commit_nothing_staged_does_nothing(void **state)
{
        World *w = *state;

        world_open(w);
        world_commit(w);
        assert_int_equal(journal_size(w->journal), 0);
}

static void journal_get_there_and_not(void **state)
{
        World *w = *state;
        _cleanup_(buffer_deinit) Buffer content = BUFFER_NULL, signature = BUFFER_NULL;
        TreeHash leaf;
        uint64_t index;

        world_open(w);
        index = world_sign(w, 1);
        assert_int_equal(journal_get(w->journal, index, &content, &signature),
                         JOURNAL_E_MISSING); /* staged */
        world_commit(w);
        assert_int_equal(journal_get(w->journal, index, &content, &signature), 0);
        tree_hash_leaf(&leaf, buffer_blob(&content));
        assert_true(tree_hash_equal(&leaf, &w->leaves[index]));
        assert_true(blob_equal_string(buffer_blob(&signature), "signature"));
        assert_int_equal(journal_get(w->journal, index, &content, NULL), 0);
        assert_int_equal(journal_get(w->journal, index + 1, &content, NULL), JOURNAL_E_MISSING);
}

/* ---- intents ---- */

typedef struct Open {
        uint64_t ids[8];
        size_t n;
} Open;

static int note_open(void *userdata, uint64_t id, Blob content)
{
        Open *open_intents = userdata;

        assert_true(content.size > 0);
        open_intents->ids[open_intents->n++] = id;
        return 0;
}

static void journal_add_intents_left_open_are_found_again(void **state)
{
        World *w = *state;
        Open left = {};
        Blob blobs[3] = {BLOB_LITERAL("a"), BLOB_LITERAL("b"), BLOB_LITERAL("c")};

        world_open(w);
        assert_int_equal(journal_next_intent(w->journal), 1);
        assert_int_equal(journal_add_intents(w->journal, 3, blobs), 0);
        assert_int_equal(journal_next_intent(w->journal), 4);
        assert_int_equal(journal_n_intents(w->journal), 3);
        world_sign(w, 1); /* 4 */
        world_commit(w);
        assert_int_equal(journal_n_intents(w->journal), 3);
        world_close(w);

        world_open(w);
        assert_int_equal(journal_n_intents(w->journal), 3);
        assert_int_equal(journal_next_intent(w->journal), 5);
        assert_int_equal(journal_each_open_intent(w->journal, note_open, &left), 0);
        assert_int_equal(left.n, 3);
        assert_int_equal(left.ids[0], 1);
        assert_int_equal(left.ids[2], 3);
}

static int end_twice(void *userdata)
{
        World *w = userdata;
        _cleanup_(buffer_deinit) Buffer entry = BUFFER_NULL;
        Blob blob = BLOB_LITERAL("a");

        world_open(w);
        assert_int_equal(journal_add_intents(w->journal, 1, &blob), 0);
        world_write_plain(w, &entry);
        world_append(w, buffer_blob(&entry), BLOB_NULL, 1);
        world_append(w, buffer_blob(&entry), BLOB_NULL, 1);
        (void)!freopen("/dev/null", "w", stderr);
        return journal_commit(w->journal);
}

static void journal_commit_intent_ended_twice_aborts(void **state)
{
        World *w = *state;

        assert_int_equal(in_child(end_twice, w), 128 + SIGABRT);
        /* ... and neither of the two has ended it. */
        world_open(w);
        assert_int_equal(journal_n_intents(w->journal), 1);
        assert_int_equal(journal_size(w->journal), 0);
}

/* ---- search ---- */

static size_t find(World *w, IndexKind kind, const uint8_t key[static 32], uint64_t found[static 16])
{
        size_t n;

        assert_int_equal(journal_find(w->journal, kind, key, UINT64_MAX, found, 16, &n), 0);
        return n;
}

static void check_found(World *w)
{
        uint8_t key[32];
        uint64_t found[16];

        world_artifact(5, key);
        assert_int_equal(find(w, INDEX_SIGNED, key, found), 1);
        assert_int_equal(found[0], 5);
        assert_int_equal(find(w, INDEX_SUBJECT, key, found), 1);
        assert_int_equal(found[0], 7);
        world_artifact(99, key);
        assert_int_equal(find(w, INDEX_SIGNED, key, found), 0);
        sha256(key, "odd", 3);
        assert_int_equal(find(w, INDEX_KEY, key, found), 4);
        assert_int_equal(found[0], 7);
        assert_int_equal(found[3], 1);
        sha256(key, "1001", 4);
        assert_int_equal(find(w, INDEX_REQUESTER, key, found), 8);
        sha256(key, ENTRY_SIGNATURE, strlen(ENTRY_SIGNATURE));
        assert_int_equal(find(w, INDEX_TYPE, key, found), 8);
}

static void journal_find_before_and_after_restart_is_exact(void **state)
{
        World *w = *state;
        uint8_t key[32];
        uint64_t found[16];

        world_open(w);
        for (unsigned i = 0; i < 8; i++)
                world_sign(w, i);
        world_artifact(5, key);
        assert_int_equal(journal_append_key(w->journal, INDEX_SUBJECT, key), 0); /* to entry 7 */
        assert_int_equal(find(w, INDEX_SIGNED, key, found), 0);                  /* staged is not there */
        world_commit(w);
        check_found(w);
        world_close(w); /* nothing was flushed */
        world_open(w);
        check_found(w);
        world_close(w);

        world_execute(w, "index.db", "UPDATE size SET size = 1000"); /* speaks of what there is not */
        world_open(w);
        check_found(w);
        world_close(w);
        file_write(w->state, "index.db",
                   BLOB_LITERAL("this is not a database, by any means at all..........."
                                "......................................................"));
        world_open(w);
        check_found(w);
}

static void journal_find_time_first_at_or_after(void **state)
{
        World *w = *state;
        uint64_t index;

        world_open(w);
        assert_int_equal(journal_find_time(w->journal, 0, &index), 0);
        assert_int_equal(index, 0);
        world_append_plain(w, 5);
        w->clock += 10;
        world_append_plain(w, 1);
        w->clock--;
        world_append_plain(w, 1); /* of the same time as the one before */
        world_commit(w);
        for (uint64_t t = 0; t < 5; t++) {
                assert_int_equal(journal_find_time(w->journal, WORLD_TIME + t, &index), 0);
                assert_int_equal(index, t);
        }
        assert_int_equal(journal_find_time(w->journal, WORLD_TIME + 5, &index), 0);
        assert_int_equal(index, 5);
        assert_int_equal(journal_find_time(w->journal, WORLD_TIME + 15, &index), 0);
        assert_int_equal(index, 5);
        assert_int_equal(journal_find_time(w->journal, WORLD_TIME + 16, &index), 0);
        assert_int_equal(index, 7);
}

/* ---- evidence ---- */

static void journal_append_evidence_kept_and_exported(void **state)
{
        World *w = *state;
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;
        char name[65];
        uint8_t hash[32];

        world_open(w);
        sha256(hash, "envelope", 8);
        hex_encode(name, hash, 32);
        assert_int_equal(journal_append_evidence(w->journal, hash, BLOB_LITERAL("envelope")), 0);
        assert_int_equal(journal_get_evidence(w->journal, hash, &out), JOURNAL_E_MISSING);
        world_commit(w);
        assert_int_equal(journal_get_evidence(w->journal, hash, &out), 0);
        assert_true(blob_equal_string(buffer_blob(&out), "envelope"));
        assert_true(journal_should_maintain(w->journal, true));
        world_maintain(w);
        file_get(w->evidence, name, &out);
        assert_true(blob_equal_string(buffer_blob(&out), "envelope"));

        /* A torn file is written again at the next start, as long as no sync has covered it. */
        world_close(w);
        file_write(w->evidence, name, BLOB_LITERAL("enve\0\0\0"));
        world_open(w);
        world_maintain(w);
        file_get(w->evidence, name, &out);
        assert_true(blob_equal_string(buffer_blob(&out), "envelope"));
}

static void journal_append_evidence_of_other_hash_fails(void **state)
{
        World *w = *state;
        uint8_t hash[32];

        world_open(w);
        sha256(hash, "envelope", 8);
        assert_int_equal(journal_append_evidence(w->journal, hash, BLOB_LITERAL("Envelope")), -EINVAL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                WORLD_TEST(journal_proof_of_every_entry_at_every_size_verifies),
                WORLD_TEST(journal_proof_while_a_commit_waits_is_of_the_published_tree),
                WORLD_TEST(journal_proof_of_tampered_entry_fails),
                WORLD_TEST(journal_append_too_large_stages_nothing),
                WORLD_TEST(journal_append_time_going_back_fails),
                WORLD_TEST(journal_append_not_an_entry_fails),
                WORLD_TEST(journal_commit_nothing_staged_does_nothing),
                WORLD_TEST(journal_get_there_and_not),
                WORLD_TEST(journal_add_intents_left_open_are_found_again),
                WORLD_TEST(journal_commit_intent_ended_twice_aborts),
                WORLD_TEST(journal_find_before_and_after_restart_is_exact),
                WORLD_TEST(journal_find_time_first_at_or_after),
                WORLD_TEST(journal_append_evidence_kept_and_exported),
                WORLD_TEST(journal_append_evidence_of_other_hash_fails),
        };

        return cmocka_run_group_tests(tests, silence_traces, NULL);
}
