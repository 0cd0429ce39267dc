/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process that works on a journal is killed at any moment, again and again.  At the end, every checkpoint
 * that was ever shown is one of the history that the entries give, and each intent has ended exactly once.
 */
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/sjson.h"
#include "unit/journal-world.h"

#define N_KILLS 25

/* What the child says it has shown to others; written before the next step begins. */
typedef struct Shown {
        uint64_t size;
        TreeHash root;
} Shown;

typedef struct Witness {
        Shown shown[65536];
        size_t n;
        uint64_t ended[65536]; /* how often each intent has ended, by id */
} Witness;

/* Forever: intents, their entries, a commit, a checkpoint; as core does it. */
static void work(World *w, int fd)
{
        unsigned n = (unsigned)journal_size(w->journal);

        for (;;) {
                for (unsigned i = 0; i < 1 + n % 7; i++)
                        world_sign(w, n + i);
                n += 1 + n % 7;
                assert_int_equal(journal_commit(w->journal), 0);
                assert_int_equal(world_try_publish(w), 0);

                Shown shown = {.size = journal_published(w->journal)};
                Checkpoint c;
                NoteVerifier v = world_verifier(w);

                assert_int_equal(checkpoint_verify(&c, journal_checkpoint(w->journal), &v), 0);
                note_verifier_deinit(&v);
                shown.root = c.root;
                assert_int_equal(file_write_all(fd, &shown, sizeof(shown)), 0);
                if (n % 11 == 0) {
                        bool more;

                        assert_int_equal(journal_maintain(w->journal, &more), 0);
                }
        }
}

static int close_intent(void *userdata, uint64_t id, Blob content)
{
        World *w = userdata;
        _cleanup_(buffer_deinit) Buffer entry = BUFFER_NULL;

        assert_int_equal(entry_write_abandoned(w->clock++, content, "restart", &entry), 0);
        world_append(w, buffer_blob(&entry), BLOB_NULL, id);
        return 0;
}

/* A start as hsmd does it. */
static void start(World *w)
{
        world_open(w);
        w->clock = journal_time(w->journal) + 1;
        if (w->clock < WORLD_TIME)
                w->clock = WORLD_TIME;
        assert_int_equal(journal_each_open_intent(w->journal, close_intent, w), 0);
        assert_int_equal(journal_commit(w->journal), 0);
        assert_int_equal(journal_n_intents(w->journal), 0);
        assert_int_equal(world_try_publish(w), 0);
}

static void run_until_killed(World *w, Witness *witness, unsigned msec)
{
        int fds[2];
        Shown shown;
        pid_t pid;
        struct pollfd p;

        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                start(w);
                work(w, fds[1]);
                _exit(0);
        }
        close(fds[1]);
        p = (struct pollfd){.fd = -1};
        (void)poll(&p, 0, (int)msec);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        while (read(fds[0], &shown, sizeof(shown)) == sizeof(shown)) {
                assert_true(witness->n < ARRAY_SIZE(witness->shown));
                witness->shown[witness->n++] = shown;
        }
        close(fds[0]);
}

/* All leaves, from the entries as they are; and what each entry says of an intent. */
static void read_all(World *w, Witness *witness, TreeHash *roots)
{
        _cleanup_(buffer_deinit) Buffer content = BUFFER_NULL;
        Range range = RANGE_NULL;
        TreeHash leaf;

        for (uint64_t i = 0; i < journal_size(w->journal); i++) {
                Entry e;

                buffer_clear(&content);
                assert_int_equal(journal_get(w->journal, i, &content, NULL), 0);
                tree_hash_leaf(&leaf, buffer_blob(&content));
                range_append(&range, &leaf);
                range_root(&range, &roots[i + 1]);
                assert_int_equal(entry_decode(&e, buffer_blob(&content)), 0);
                if (e.has_intent) {
                        assert_true(e.intent < ARRAY_SIZE(witness->ended));
                        witness->ended[e.intent]++;
                }
                entry_deinit(&e);
        }
}

static void journal_killed_at_any_moment_keeps_one_history(void **state)
{
        World *w = *state;
        Witness *witness = calloc(1, sizeof(*witness));
        TreeHash *roots;

        for (unsigned i = 0; i < N_KILLS; i++)
                run_until_killed(w, witness, 5 + i * 37 % 150);

        start(w);
        roots = calloc(journal_size(w->journal) + 1, sizeof(*roots));
        read_all(w, witness, roots);
        for (size_t i = 0; i < witness->n; i++) {
                assert_true(witness->shown[i].size <= journal_size(w->journal));
                assert_true(tree_hash_equal(&witness->shown[i].root, &roots[witness->shown[i].size]));
        }
        for (uint64_t id = 1; id < journal_next_intent(w->journal); id++)
                assert_int_equal(witness->ended[id], 1);
        print_message("%zu checkpoints, %ju entries, %ju intents\n", witness->n,
                      (uintmax_t)journal_size(w->journal), (uintmax_t)journal_next_intent(w->journal) - 1);
        assert_true(witness->n > 0);
        free(roots);
        free(witness);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                WORLD_TEST(journal_killed_at_any_moment_keeps_one_history),
        };

        return cmocka_run_group_tests(tests, silence_traces, NULL);
}
