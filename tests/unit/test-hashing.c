/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/server-world.h"

#define MIB (1024 * 1024)

static void ask_fds(Client *c, const char *key, const char *format, const char *release, size_t n,
                    const int *fds)
{
        _cleanup_(buffer_deinit) Buffer text = BUFFER_NULL;

        assert_int_equal(buffer_printf(&text,
                                       "{\"method\":\"org.hsmd.Sign.Sign\",\"parameters\":{\"key\":\"%s\","
                                       "\"format\":\"%s\",\"release\":\"%s\",\"artifacts\":[",
                                       key, format, release),
                         0);
        for (size_t i = 0; i < n; i++)
                assert_int_equal(
                        buffer_printf(&text, "%s{\"name\":\"n%zu\",\"fd\":%zu}", i > 0 ? "," : "", i, i), 0);
        assert_int_equal(buffer_append_string(&text, "]}}"), 0);
        client_call(c, (const char *)text.data, n, fds);
}

static void ask_fd(Client *c, int fd)
{
        ask_fds(c, "product", "raw-ecdsa", "product", 1, &fd);
}

static void assert_reason(World *w, Client *c, const char *reason)
{
        _cleanup_(sjson_freep) SJson *reply = client_reply(w, c);

        assert_member(assert_result(reply, 0, "refused"), "reason", reason);
}

static int memfd_sparse(off_t size)
{
        int fd = memfd_create("test", MFD_CLOEXEC);

        assert_true(fd >= 0);
        assert_int_equal(ftruncate(fd, size), 0);
        return fd;
}

static void until_hashing(World *w)
{
        while (!w->server.engine->hash_head || w->server.engine->hash_head->hash_head->offset == 0)
                world_turn(w);
}

/* ---- what is an artifact ---- */

static void hashing_what_is_no_file_is_refused(void **state)
{
        World *w = *state;
        _cleanup_(freep) char *fifo = path_in(w->folder, "fifo"), *file = path_in(w->folder, "file");
        int fds[6], pair[2];
        Client c;

        assert_int_equal(mkfifo(fifo, 0600), 0);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        file_write(w->folder, "file", BLOB_LITERAL("x"));
        fds[0] = open(fifo, O_RDWR | O_CLOEXEC);
        fds[1] = open(w->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        fds[2] = open("/dev/zero", O_RDONLY | O_CLOEXEC);
        fds[3] = pair[0];
        fds[4] = open(file, O_WRONLY | O_CLOEXEC);
        fds[5] = open(file, O_PATH | O_CLOEXEC);
        client_open(w, ROLE_SIGN, &c);
        for (size_t i = 0; i < 6; i++) {
                assert_true(fds[i] >= 0);
                ask_fd(&c, fds[i]);
                assert_reason(w, &c, i < 4 ? "artifact-type" : "artifact-unreadable");
                close(fds[i]);
        }
        close(pair[1]);
        world_settle(w);
        assert_int_equal(w->n_asked, 0);
        client_close(&c);
}

static void hashing_regular_file_is_read_whatever_its_position(void **state)
{
        World *w = *state;
        SJson *reply;
        Client c;

        world_files(w, 1);
        client_open(w, ROLE_SIGN, &c);
        world_attest_all(w, &c, "product", 0, 1);
        assert_int_equal(lseek(w->files[0].fd, 5, SEEK_SET), 5);
        world_ask(w, &c, "Sign", "product", "raw-ecdsa", "product", 0, 1, false);
        reply = client_reply(w, &c);
        assert_signed(w, assert_result(reply, 0, "signed"), 0, SCHEME_ECDSA_DER, 0);
        sjson_free(reply);
        client_close(&c);
}

/* ---- while it is read ---- */

static void hashing_file_that_grows_is_refused(void **state)
{
        World *w = *state;
        int fd = memfd_sparse(64 * MIB);
        Client c;

        client_open(w, ROLE_SIGN, &c);
        ask_fd(&c, fd);
        until_hashing(w);
        assert_int_equal(ftruncate(fd, 64 * MIB + 1), 0);
        assert_reason(w, &c, "artifact-changed");
        close(fd);
        client_close(&c);
}

static void hashing_file_that_shrinks_is_refused(void **state)
{
        World *w = *state;
        int fd = memfd_sparse(64 * MIB);
        Client c;

        client_open(w, ROLE_SIGN, &c);
        ask_fd(&c, fd);
        until_hashing(w);
        assert_int_equal(ftruncate(fd, 3), 0);
        assert_reason(w, &c, "artifact-changed");
        close(fd);
        client_close(&c);
}

/* What is signed as content is what was hashed, whatever becomes of the file. */
static void hashing_content_changed_after_it_was_read_does_not_matter(void **state)
{
        World *w = *state;
        SJson *reply;
        Client c;

        world_files(w, 1);
        client_open(w, ROLE_SIGN, &c);
        world_attest_all(w, &c, "updates", 0, 1);
        w->mode = FAKE_HOLD;
        world_ask(w, &c, "Sign", "update", "raw-ed25519", "updates", 0, 1, false);
        world_until_state(w, JOB_SIGNING, 1);
        assert_int_equal(pwrite(w->files[0].fd, "evil", 4, 0), 4);
        w->mode = FAKE_GOOD; /* which asserts the seals, too */
        reply = client_reply(w, &c);
        assert_signed(w, assert_result(reply, 0, "signed"), 2, SCHEME_ED25519, 0);
        sjson_free(reply);
        client_close(&c);
}

static void hashing_content_over_the_limit_is_refused_for_formats_that_sign_it(void **state)
{
        World *w = *state;
        int large = memfd_sparse(LIMIT_CONTENT_SIZE + 1), fits = memfd_sparse(LIMIT_CONTENT_SIZE);
        Client c;

        client_open(w, ROLE_SIGN, &c);
        ask_fds(&c, "update", "raw-ed25519", "updates", 1, &large);
        assert_reason(w, &c, "artifact-too-large");
        ask_fds(&c, "update", "raw-ed25519", "updates", 1, &fits);
        assert_reason(w, &c, "evidence-none");
        ask_fds(&c, "product", "raw-ecdsa", "product", 1, &large);
        assert_reason(w, &c, "evidence-none");
        close(large);
        close(fits);
        client_close(&c);
}

/* ---- turns ---- */

static void hashing_small_files_do_not_wait_for_a_huge_one(void **state)
{
        World *w = *state;
        int huge = memfd_sparse((off_t)4096 * MIB);
        SJson *reply;
        Client a, b;

        world_files(w, 100);
        client_open(w, ROLE_SIGN, &a);
        client_open(w, ROLE_SIGN, &b);
        world_attest_all(w, &b, "product", 0, 100);
        ask_fd(&a, huge);
        until_hashing(w);
        world_ask(w, &b, "Sign", "product", "raw-ecdsa", "product", 0, 100, false);
        reply = client_reply(w, &b);
        assert_int_equal(n_results(reply), 100);
        for (size_t i = 0; i < 100; i++)
                assert_signed(w, assert_result(reply, i, "signed"), 0, SCHEME_ECDSA_DER, i);
        sjson_free(reply);
        assert_non_null(w->server.engine->hash_head);
        assert_int_equal(w->server.engine->hash_head->n_tasks, 1);
        client_close(&a);
        world_until_state(w, JOB_NEW, 0);
        assert_null(w->server.engine->hash_head);
        close(huge);
        client_close(&b);
}

/* In one request, the small one's entry is made while the huge one is still read. */
static void hashing_small_sibling_of_a_huge_file_is_entered_meanwhile(void **state)
{
        World *w = *state;
        Client c;

        world_files(w, 2);
        assert_int_equal(ftruncate(w->files[1].fd, (off_t)4096 * MIB), 0);
        client_open(w, ROLE_SIGN, &c);
        world_attest_all(w, &c, "product", 0, 1);
        world_ask(w, &c, "Sign", "product", "raw-ecdsa", "product", 0, 2, false);
        world_until_state(w, JOB_STAGED, 1);
        loop_skip(300 * 1000);
        world_until_state(w, JOB_STAGED, 0);
        world_until_state(w, JOB_COMMITTING, 0);
        assert_non_null(w->server.engine->hash_head);
        assert_int_equal(world_entries(w, ENTRY_SIGNATURE), 1);
        assert_int_equal(journal_published(w->journal), journal_size(w->journal));
        client_close(&c);
        world_settle(w);
}

/* A turn is bounded, so that everything else gets its own. */
static void hashing_on_turn_reads_no_more_than_a_slice(void **state)
{
        World *w = *state;
        int fds[3] = {memfd_sparse(MIB), memfd_sparse(MIB), memfd_sparse(MIB)};
        uint64_t before = 0, after = 0;
        Client c;

        client_open(w, ROLE_SIGN, &c);
        ask_fds(&c, "product", "raw-ecdsa", "product", 3, fds);
        until_hashing(w);
        for (JobId i = 0; i < 3; i++)
                before += w->server.engine->tasks[i].offset;
        assert_int_equal(hashing_on_turn(w->server.engine), 0);
        for (JobId i = 0; i < 3; i++)
                after += w->server.engine->tasks[i].offset;
        assert_int_equal(after - before, 128 * 1024);
        client_close(&c);
        for (size_t i = 0; i < 3; i++)
                close(fds[i]);
        world_settle(w);
}

/* Copies of content are memory that a peer makes hsmd hold: what does not fit waits, and comes when there is
 * room. */
static void hashing_content_over_the_quota_of_a_uid_waits_for_room(void **state)
{
        World *w = *state;
        Engine *e = w->server.engine;
        size_t most = 0;
        Client c[3];
        int fds[3];

        for (size_t i = 0; i < 3; i++) {
                fds[i] = memfd_sparse(12 * MIB);
                client_open(w, ROLE_SIGN, &c[i]);
                ask_fds(&c[i], "update", "raw-ed25519", "updates", 1, &fds[i]);
        }
        while (e->content_size < 24 * MIB)
                world_turn(w);
        while (core_n_jobs(e->core) > 0) {
                most = e->content_size > most ? e->content_size : most;
                world_turn(w);
        }
        assert_int_equal(most, 24 * MIB);
        assert_true(most <= LIMIT_CONTENT_PER_UID);
        assert_int_equal(e->content_size, 0);
        for (size_t i = 0; i < 3; i++) {
                assert_reason(w, &c[i], "evidence-none");
                client_close(&c[i]);
                close(fds[i]);
        }
        world_settle(w);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                WORLD_TEST(hashing_what_is_no_file_is_refused),
                WORLD_TEST(hashing_regular_file_is_read_whatever_its_position),
                WORLD_TEST(hashing_file_that_grows_is_refused),
                WORLD_TEST(hashing_file_that_shrinks_is_refused),
                WORLD_TEST(hashing_content_changed_after_it_was_read_does_not_matter),
                WORLD_TEST(hashing_content_over_the_limit_is_refused_for_formats_that_sign_it),
                WORLD_TEST(hashing_small_files_do_not_wait_for_a_huge_one),
                WORLD_TEST(hashing_small_sibling_of_a_huge_file_is_entered_meanwhile),
                WORLD_TEST(hashing_on_turn_reads_no_more_than_a_slice),
                WORLD_TEST(hashing_content_over_the_quota_of_a_uid_waits_for_room),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
