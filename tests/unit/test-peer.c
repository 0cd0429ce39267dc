/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/peer.c" /* its accounts are looked at */
#include "server/socket.h"
#include "unit/journal-fixture.h"
#include "unit/loop-clock.h"
#include <sys/resource.h>
#include <sys/un.h>

#define SECOND (1000 * 1000ull)

/* Peers whose calls are answered with their method's name, at once or when a test says so. */
typedef struct World {
        char *folder;
        ConfigSocket socket;
        Loop *loop;
        Peers *peers;
        bool hold;
        Peer *held;
        unsigned n_calls, n_gone;
        size_t n_fds;  /* of the last call */
        bool take_fds; /* keep and close them ourselves */
        char method[64];
} World;

static int world_answer(Peer *peer, const char *method, bool continues)
{
        char text[128];

        (void)snprintf(text, sizeof(text), "{\"m\":\"%s\"}", method);
        return peer_reply(peer, BLOB_STRING(text), continues);
}

static int world_on_call(void *userdata, Peer *peer, const PeerCall *call)
{
        World *w = userdata;

        w->n_calls++;
        w->n_fds = peer_n_fds(peer);
        for (size_t i = 0; w->take_fds && i < w->n_fds; i++)
                close_fd(peer_take_fd(peer, i));
        (void)snprintf(w->method, sizeof(w->method), "%s", call->method);
        peer_set_context(peer, w);
        if (w->hold) {
                w->held = peer;
                return 0;
        }
        if (call->more) {
                int r = world_answer(peer, "first", true);

                if (r != 0)
                        return r;
        }
        return world_answer(peer, w->method, false);
}

static void world_on_gone(void *userdata, Peer *peer, void *context)
{
        World *w = userdata;

        assert_ptr_equal(context, w);
        assert_ptr_equal(peer, w->held);
        w->held = NULL;
        w->n_gone++;
}

static int world_setup(void **state)
{
        static const PeersCallbacks callbacks = {world_on_call, world_on_gone};
        World *w = calloc(1, sizeof(*w));
        int fd;

        assert_non_null(w);
        error_set_trace(NULL);
        w->folder = folder_new();
        w->socket = (ConfigSocket){.path = path_in(w->folder, "sock"), .mode = 0600, .gid = (gid_t)-1};
        assert_int_equal(loop_new(&w->loop), 0);
        assert_int_equal(peers_new(&w->peers, w->loop, &callbacks, w), 0);
        assert_int_equal(socket_listen(&w->socket, &fd), 0);
        assert_int_equal(peers_listen(w->peers, ROLE_AUDIT, fd), 0);
        *state = w;
        return 0;
}

static int world_teardown(void **state)
{
        World *w = *state;

        peers_free(w->peers);
        loop_free(w->loop);
        folder_remove(AT_FDCWD, w->folder);
        free(w->folder);
        free(w->socket.path);
        free(w);
        return 0;
}

#define WORLD_TEST(_f) cmocka_unit_test_setup_teardown(_f, world_setup, world_teardown)

static void world_turns(World *w, unsigned n)
{
        while (n-- > 0)
                assert_true(loop_step(w->loop, 0) >= 0);
}

/* As long as anything moves. */
static void world_rest(World *w)
{
        for (int r = 1; r > 0;) {
                r = loop_step(w->loop, 2000);
                assert_true(r >= 0);
        }
}

static int client_new(World *w)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", w->socket.path);
        assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        world_rest(w);
        return fd;
}

/* All of it, while hsmd reads. */
static void client_send(World *w, int fd, const void *data, size_t size)
{
        for (size_t sent = 0; sent < size;) {
                ssize_t n = send(fd, (const char *)data + sent, size - sent, MSG_NOSIGNAL | MSG_DONTWAIT);

                if (n < 0 && errno == EPIPE)
                        return;
                if (n > 0)
                        sent += (size_t)n;
                world_turns(w, 1);
        }
        world_rest(w);
}

static void client_send_fds(World *w, int fd, const char *text, size_t size, size_t n)
{
        union {
                struct cmsghdr header;
                uint8_t space[CMSG_SPACE(250 * sizeof(int))];
        } control = {0};
        int fds[250];
        struct iovec iov = {(void *)(uintptr_t)text, size};
        struct msghdr msg = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = control.space,
                             .msg_controllen = CMSG_SPACE(n * sizeof(int))};

        assert_true(n <= ARRAY_SIZE(fds));
        for (size_t i = 0; i < n; i++)
                fds[i] = STDERR_FILENO;
        control.header = (struct cmsghdr){
                .cmsg_len = CMSG_LEN(n * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(&control.header), fds, n * sizeof(int));
        assert_int_equal(sendmsg(fd, &msg, MSG_NOSIGNAL), size);
        world_rest(w);
}

/* What has come, as text with '|' for NUL. */
static const char *client_read(World *w, int fd)
{
        static char text[512];
        ssize_t n;

        world_rest(w);
        n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
                return "nothing";
        if (n <= 0)
                return "end";
        for (ssize_t i = 0; i < n; i++)
                if (text[i] == '\0')
                        text[i] = '|';
        text[n] = '\0';
        return text;
}

#define CALL(_m)  "{\"method\":\"" _m "\"}"
#define REPLY(_m) "{\"parameters\":{\"m\":\"" _m "\"}}|"

static void client_call(World *w, int fd, const char *text)
{
        client_send(w, fd, text, strlen(text) + 1);
}

/* A first connection has come and gone: what the loop keeps for itself is there. */
static size_t count_fds(World *w)
{
        size_t n = 0;
        DIR *dir;

        if (!w->peers->first)
                close(client_new(w));
        world_rest(w);
        dir = opendir("/proc/self/fd");
        assert_non_null(dir);
        while (readdir(dir))
                n++;
        closedir(dir);
        return n;
}

/* ---- framing ---- */

static void peer_call_is_answered(void **state)
{
        World *w = *state;
        int fd = client_new(w);

        client_call(w, fd, CALL("a.B"));
        assert_string_equal(client_read(w, fd), REPLY("a.B"));
        assert_int_equal(peers_n(w->peers), 1);
        assert_int_equal(peer_role(w->peers->first), ROLE_AUDIT);
        assert_int_equal(peer_identity(w->peers->first)->uid, getuid());
        assert_int_equal(w->n_gone, 0);
        close(fd);
        world_rest(w);
        assert_int_equal(peers_n(w->peers), 0);
        assert_int_equal(w->n_gone, 0); /* nothing was under way */
}

static void peer_message_byte_at_a_time_is_one_call(void **state)
{
        static const char call[] = CALL("slow.Talker");
        World *w = *state;
        int fd = client_new(w);

        for (size_t i = 0; i < sizeof(call); i++) {
                assert_int_equal(w->n_calls, 0);
                client_send(w, fd, call + i, 1);
        }
        assert_string_equal(client_read(w, fd), REPLY("slow.Talker"));
        assert_int_equal(w->n_calls, 1);
        close(fd);
}

static void peer_messages_sent_together_are_answered_in_order(void **state)
{
        static const char calls[] = CALL("one.A") "\0" CALL("two.B") "\0" CALL("three.C") "\0{\"meth";
        World *w = *state;
        int fd = client_new(w);

        client_send(w, fd, calls, sizeof(calls) - 1);
        assert_string_equal(client_read(w, fd), REPLY("one.A") REPLY("two.B") REPLY("three.C"));
        client_send(w, fd, "od\":\"four.D\"}", sizeof("od\":\"four.D\"}"));
        assert_string_equal(client_read(w, fd), REPLY("four.D"));
        close(fd);
}

static void peer_second_message_waits_for_the_first_answer(void **state)
{
        static const char calls[] = CALL("one.A") "\0" CALL("two.B");
        World *w = *state;
        int fd = client_new(w);

        w->hold = true;
        client_send(w, fd, calls, sizeof(calls));
        assert_int_equal(w->n_calls, 1);
        assert_string_equal(client_read(w, fd), "nothing");
        w->hold = false;
        assert_int_equal(world_answer(w->held, "one", false), 0);
        assert_string_equal(client_read(w, fd), REPLY("one") REPLY("two.B"));
        close(fd);
}

static void peer_more_gets_replies_that_continue(void **state)
{
        World *w = *state;
        int fd = client_new(w);

        client_call(w, fd, "{\"method\":\"a.B\",\"more\":true}");
        assert_string_equal(client_read(w, fd),
                            "{\"parameters\":{\"m\":\"first\"},\"continues\":true}|" REPLY("a.B"));
        close(fd);
}

static void peer_oneway_gets_no_reply_and_goes_on(void **state)
{
        World *w = *state;
        int fd = client_new(w);

        client_call(w, fd, "{\"method\":\"a.B\",\"oneway\":true}");
        assert_int_equal(w->n_calls, 1);
        assert_string_equal(client_read(w, fd), "nothing");
        client_call(w, fd, CALL("c.D"));
        assert_string_equal(client_read(w, fd), REPLY("c.D"));
        close(fd);
}

static void peer_message_of_wrong_shape_is_told_so(void **state)
{
        static const char *const calls[] = {"{}", "{\"method\":1}", "{\"method\":\"a.B\",\"parameters\":[]}",
                                            "{\"method\":\"a.B\",\"more\":1}",
                                            "{\"method\":\"a.B\",\"upgrade\":true}"};
        World *w = *state;
        int fd = client_new(w);

        for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
                client_call(w, fd, calls[i]);
                assert_non_null(strstr(client_read(w, fd), "InvalidParameter"));
        }
        assert_int_equal(w->n_calls, 0);
        client_call(w, fd, CALL("a.B"));
        assert_string_equal(client_read(w, fd), REPLY("a.B"));
        close(fd);
}

static void peer_what_is_not_a_message_ends_the_connection(void **state)
{
        static const char *const calls[] = {
                "",
                "hello",
                "[]",
                "{\"method\":\"a.B\"} ;",
                "{\"method\":\"a.B\",\"method\":\"a.C\"}",
                "{\"method\":\"a.B\",\"Method\":\"a.C\"}",
                "{\"method\":\"a.B\",\"parameters\":{\"x\":1,\"x\":2}}",
                "{\"method\":\"a.B\",\"parameters\":{\"x\":1.5}}",
                "{\"method\":\"a.\xff\"}",
                "{\"method\":\"a.\\u0000\"}",
        };
        World *w = *state;

        for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
                int fd = client_new(w);

                client_call(w, fd, calls[i]);
                assert_string_equal(client_read(w, fd), "end");
                close(fd);
                assert_int_equal(peers_n(w->peers), 0);
        }
        assert_int_equal(w->n_calls, 0);
        assert_int_equal(w->n_gone, 0);
}

/* ---- sizes ---- */

/* A message of exactly `size` bytes before its NUL. */
static void client_send_size(World *w, int fd, size_t size)
{
        static const char head[] = "{\"method\":\"a.B\"";
        char *text = malloc(size + 1);

        assert_non_null(text);
        memset(text, ' ', size);
        memcpy(text, head, sizeof(head) - 1);
        text[size - 1] = '}';
        text[size] = '\0';
        client_send(w, fd, text, size + 1);
        free(text);
}

static void peer_message_of_the_limit_is_answered(void **state)
{
        World *w = *state;
        int fd = client_new(w);

        client_send_size(w, fd, LIMIT_MESSAGE_SIZE);
        assert_string_equal(client_read(w, fd), REPLY("a.B"));
        close(fd);
}

static void peer_message_over_the_limit_ends_the_connection(void **state)
{
        static const size_t sizes[] = {LIMIT_MESSAGE_SIZE + 1, LIMIT_MESSAGE_SIZE + 30000,
                                       LIMIT_MESSAGE_SIZE + 200000, 4 * LIMIT_MESSAGE_SIZE};
        World *w = *state;

        for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
                int fd = client_new(w);

                client_send_size(w, fd, sizes[i]);
                assert_int_equal(w->n_calls, 0);
                assert_int_equal(peers_n(w->peers), 0);
                close(fd);
        }
}

/* A large message once must not count against its uid for as long as the connection lives. */
static void peer_idle_connections_hold_no_large_buffers(void **state)
{
        World *w = *state;
        int fds[LIMIT_PEERS_PER_UID];

        for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
                fds[i] = client_new(w);
                client_send_size(w, fds[i], LIMIT_MESSAGE_SIZE);
                assert_string_equal(client_read(w, fds[i]), REPLY("a.B"));
        }
        assert_true(w->peers->accounts.items[0]->n_bytes <= ARRAY_SIZE(fds) * 2 * PEER_READ_SIZE);
        for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
                close(fds[i]);
        world_rest(w);
        assert_int_equal(w->peers->accounts.n, 0);
}

static void peer_bytes_over_the_quota_of_its_uid_end_the_connection(void **state)
{
        World *w = *state;
        int fds[LIMIT_PEERS_PER_UID];
        char *half = malloc(LIMIT_MESSAGE_SIZE);
        size_t n = 0;

        assert_non_null(half);
        memset(half, ' ', LIMIT_MESSAGE_SIZE);
        for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
                fds[i] = client_new(w);
                client_send(w, fds[i], half, LIMIT_MESSAGE_SIZE);
                assert_true(w->peers->accounts.items[0]->n_bytes <= LIMIT_BYTES_PER_UID);
                n += strcmp(client_read(w, fds[i]), "end") == 0;
        }
        assert_true(n > 0);
        assert_int_equal(peers_n(w->peers), ARRAY_SIZE(fds) - n);
        for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
                close(fds[i]);
        free(half);
}

/* ---- descriptors ---- */

static void peer_fds_of_several_sends_belong_to_one_message(void **state)
{
        static const char call[] = CALL("a.B");
        World *w = *state;
        size_t before = count_fds(w);
        int fd = client_new(w);

        for (size_t i = 0; i < 4; i++)
                client_send_fds(w, fd, call + i, i < 3 ? 1 : sizeof(call) - 3, 250);
        assert_int_equal(w->n_fds, 1000);
        assert_string_equal(client_read(w, fd), REPLY("a.B"));
        assert_int_equal(w->peers->first->charged_fds, 0);
        client_call(w, fd, call);
        assert_int_equal(w->n_fds, 0);
        close(fd);
        world_rest(w);
        assert_int_equal(count_fds(w), before);
}

static void peer_fds_taken_are_the_callees(void **state)
{
        World *w = *state;
        size_t before = count_fds(w);
        int fd = client_new(w);

        w->take_fds = true;
        client_send_fds(w, fd, CALL("a.B"), sizeof(CALL("a.B")), 7);
        assert_int_equal(w->n_fds, 7);
        close(fd);
        world_rest(w);
        assert_int_equal(count_fds(w), before);
}

static void peer_too_many_fds_end_the_connection_and_are_closed(void **state)
{
        World *w = *state;
        size_t before = count_fds(w);
        int fd = client_new(w);

        for (size_t i = 0; i < 4; i++)
                client_send_fds(w, fd, "{", 1, 250);
        assert_int_equal(count_fds(w), before + 1002);
        client_send_fds(w, fd, " ", 1, 25); /* one more than LIMIT_ARTIFACTS */
        assert_string_equal(client_read(w, fd), "end");
        close(fd);
        world_rest(w);
        assert_int_equal(count_fds(w), before);
        assert_int_equal(w->peers->accounts.n, 0);
}

static void peer_fds_over_the_quota_of_its_uid_end_the_connection(void **state)
{
        World *w = *state;
        size_t before = count_fds(w);
        int fds[3];

        for (size_t i = 0; i < 3; i++)
                fds[i] = client_new(w);
        for (size_t i = 0; i < 8; i++)
                client_send_fds(w, fds[i / 4], "{", 1, 250);
        client_send_fds(w, fds[2], "{", 1, LIMIT_FDS_PER_UID - 2000);
        assert_int_equal(w->peers->accounts.items[0]->n_fds, LIMIT_FDS_PER_UID);
        assert_string_equal(client_read(w, fds[2]), "nothing");
        client_send_fds(w, fds[2], "{", 1, 1);
        assert_string_equal(client_read(w, fds[2]), "end");
        assert_int_equal(w->peers->accounts.items[0]->n_fds, 2000);
        for (size_t i = 0; i < 3; i++)
                close(fds[i]);
        world_rest(w);
        assert_int_equal(count_fds(w), before);
        assert_int_equal(w->peers->accounts.n, 0);
}

/* ---- time ---- */

static void peer_half_message_then_silence_ends_the_connection(void **state)
{
        World *w = *state;
        int fd = client_new(w);

        client_send(w, fd, "{\"method\"", 9);
        loop_skip(9 * SECOND);
        assert_string_equal(client_read(w, fd), "nothing");
        loop_skip(2 * SECOND);
        assert_string_equal(client_read(w, fd), "end");
        close(fd);
}

/* From the first byte to the last: a byte now and then buys no time. */
static void peer_dripping_message_ends_the_connection(void **state)
{
        World *w = *state;
        int fd = client_new(w);

        for (size_t i = 0; i < 3; i++) {
                client_send(w, fd, " ", 1);
                loop_skip(4 * SECOND);
        }
        assert_string_equal(client_read(w, fd), "end");
        close(fd);
}

static void peer_dripping_message_complete_in_time_is_answered(void **state)
{
        World *w = *state;
        int fd = client_new(w);

        for (size_t i = 0; i < 3; i++) { /* each has its own ten seconds */
                client_send(w, fd, " ", 1);
                loop_skip(8 * SECOND);
                client_call(w, fd, CALL("a.B"));
                assert_string_equal(client_read(w, fd), REPLY("a.B"));
        }
        close(fd);
}

/* The rest of a second message that came with the first has its time from then on. */
static void peer_half_message_behind_a_whole_one_has_its_own_time(void **state)
{
        static const char calls[] = CALL("one.A") "\0{\"method\"";
        World *w = *state;
        int fd = client_new(w);

        w->hold = true;
        client_send(w, fd, calls, sizeof(calls) - 1);
        loop_skip(100 * SECOND);
        assert_string_equal(client_read(w, fd), "nothing"); /* hsmd's own time is not the peer's */
        w->hold = false;
        assert_int_equal(world_answer(w->held, "one", false), 0);
        assert_string_equal(client_read(w, fd), REPLY("one"));
        loop_skip(9 * SECOND);
        assert_string_equal(client_read(w, fd), "nothing");
        loop_skip(2 * SECOND);
        assert_string_equal(client_read(w, fd), "end");
        close(fd);
}

static void peer_silent_for_long_is_let_go(void **state)
{
        World *w = *state;
        int fd = client_new(w);

        loop_skip(PEER_IDLE_TIMEOUT_USEC - SECOND);
        assert_string_equal(client_read(w, fd), "nothing");
        loop_skip(2 * SECOND);
        assert_string_equal(client_read(w, fd), "end");
        close(fd);
}

static void peer_waiting_for_its_answer_is_not_timed_out(void **state)
{
        World *w = *state;
        int fd = client_new(w);

        w->hold = true;
        client_call(w, fd, CALL("a.B"));
        loop_skip(2 * PEER_IDLE_TIMEOUT_USEC);
        assert_string_equal(client_read(w, fd), "nothing");
        assert_int_equal(world_answer(w->held, "late", false), 0);
        assert_string_equal(client_read(w, fd), REPLY("late"));
        close(fd);
}

/* More than the kernel's buffer holds. */
static int answer_large(World *w, size_t size, bool continues)
{
        _cleanup_(freep) char *text = malloc(size);

        assert_non_null(text);
        memset(text, ' ', size);
        text[0] = '{';
        text[size - 1] = '}';
        return peer_reply(w->held, BLOB(text, size), continues);
}

static void peer_that_does_not_read_is_dropped(void **state)
{
        World *w = *state;
        int fd = client_new(w);

        w->hold = true;
        client_call(w, fd, CALL("a.B"));
        assert_int_equal(answer_large(w, 4 * 1024 * 1024, false), 0);
        world_rest(w);
        assert_int_equal(peers_n(w->peers), 1);
        loop_skip(PEER_WRITE_TIMEOUT_USEC + SECOND);
        world_rest(w);
        assert_int_equal(peers_n(w->peers), 0);
        assert_int_equal(w->n_gone, 0); /* the call was over */
        close(fd);
}

static void peer_that_reads_slowly_gets_all_and_is_charged_for_nothing_after(void **state)
{
        World *w = *state;
        int fd = client_new(w);
        size_t got = 0;
        char chunk[65536];

        w->hold = true;
        client_call(w, fd, CALL("a.B"));
        assert_int_equal(answer_large(w, 2 * 1024 * 1024, false), 0);
        assert_true(w->peers->accounts.items[0]->n_bytes >= 2 * 1024 * 1024);
        while (got < 2 * 1024 * 1024 + sizeof("{\"parameters\":}")) {
                ssize_t n = recv(fd, chunk, sizeof(chunk), 0);

                assert_true(n > 0);
                got += (size_t)n;
                loop_skip(SECOND);
                world_rest(w);
        }
        assert_true(w->peers->accounts.items[0]->n_bytes <= 2 * PEER_READ_SIZE);
        close(fd);
}

static void peer_answers_over_its_quota_drop_it(void **state)
{
        World *w = *state;
        int fd = client_new(w);

        w->hold = true;
        client_call(w, fd, CALL("a.B"));
        for (size_t i = 0; i < LIMIT_BYTES_PER_UID / (4 * 1024 * 1024) + 2; i++)
                assert_int_equal(answer_large(w, 4 * 1024 * 1024, true), 0);
        assert_int_equal(w->n_gone, 0); /* only when the loop comes to it */
        world_rest(w);
        assert_int_equal(w->n_gone, 1);
        assert_int_equal(peers_n(w->peers), 0);
        close(fd);
}

/* ---- the end ---- */

static void peer_that_goes_while_a_call_is_answered_is_reported_once(void **state)
{
        World *w = *state;
        int fd = client_new(w);

        w->hold = true;
        client_call(w, fd, CALL("a.B"));
        assert_non_null(w->held);
        close(fd);
        world_rest(w);
        assert_int_equal(w->n_gone, 1);
        assert_int_equal(peers_n(w->peers), 0);
}

static void peer_that_only_stops_sending_still_gets_its_answer(void **state)
{
        World *w = *state;
        int fd = client_new(w);

        w->hold = true;
        client_call(w, fd, CALL("a.B"));
        assert_int_equal(shutdown(fd, SHUT_WR), 0);
        world_rest(w);
        assert_int_equal(w->n_gone, 0);
        assert_int_equal(world_answer(w->held, "x", false), 0);
        assert_string_equal(client_read(w, fd), REPLY("x"));
        assert_string_equal(client_read(w, fd), "end");
        close(fd);
}

static void peers_listen_connections_over_the_quota_of_a_uid_are_closed(void **state)
{
        World *w = *state;
        int fds[LIMIT_PEERS_PER_UID], more;

        for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
                fds[i] = client_new(w);
        assert_int_equal(peers_n(w->peers), LIMIT_PEERS_PER_UID);
        more = client_new(w);
        assert_string_equal(client_read(w, more), "end");
        close(more);
        close(fds[5]);
        world_rest(w);
        fds[5] = client_new(w);
        client_call(w, fds[5], CALL("a.B"));
        assert_string_equal(client_read(w, fds[5]), REPLY("a.B"));
        for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
                close(fds[i]);
        world_rest(w);
        assert_int_equal(peers_n(w->peers), 0);
        assert_int_equal(w->peers->accounts.n, 0);
}

/* A connection that cannot be accepted waits, and costs nothing meanwhile. */
static void peers_listen_without_descriptors_waits_and_does_not_spin(void **state)
{
        World *w = *state;
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int first = client_new(w), second = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct rlimit limit, none;

        (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", w->socket.path);
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
        none = (struct rlimit){.rlim_cur = 0, .rlim_max = limit.rlim_max};
        assert_int_equal(connect(second, (struct sockaddr *)&address, sizeof(address)), 0);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
        world_turns(w, 2);
        assert_int_equal(loop_step(w->loop, 0), 0);
        client_call(w, first, CALL("a.B")); /* who is in is served */
        assert_string_equal(client_read(w, first), REPLY("a.B"));
        assert_int_equal(peers_n(w->peers), 1);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        loop_skip(SECOND);
        client_call(w, second, CALL("c.D"));
        assert_string_equal(client_read(w, second), REPLY("c.D"));
        close(first);
        close(second);
}

static void peers_stop_sends_what_is_under_way_and_takes_nothing_new(void **state)
{
        World *w = *state;
        int busy = client_new(w), idle = client_new(w);
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int late = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        w->hold = true;
        client_call(w, busy, CALL("a.B"));
        peers_stop(w->peers);
        client_call(w, idle, CALL("c.D"));
        assert_int_equal(w->n_calls, 1);
        assert_int_equal(world_answer(w->held, "x", false), 0);
        assert_string_equal(client_read(w, busy), REPLY("x"));
        (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", w->socket.path);
        assert_int_equal(connect(late, (struct sockaddr *)&address, sizeof(address)), -1);
        close(busy);
        close(idle);
        close(late);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                WORLD_TEST(peer_call_is_answered),
                WORLD_TEST(peer_message_byte_at_a_time_is_one_call),
                WORLD_TEST(peer_messages_sent_together_are_answered_in_order),
                WORLD_TEST(peer_second_message_waits_for_the_first_answer),
                WORLD_TEST(peer_more_gets_replies_that_continue),
                WORLD_TEST(peer_oneway_gets_no_reply_and_goes_on),
                WORLD_TEST(peer_message_of_wrong_shape_is_told_so),
                WORLD_TEST(peer_what_is_not_a_message_ends_the_connection),
                WORLD_TEST(peer_message_of_the_limit_is_answered),
                WORLD_TEST(peer_message_over_the_limit_ends_the_connection),
                WORLD_TEST(peer_idle_connections_hold_no_large_buffers),
                WORLD_TEST(peer_bytes_over_the_quota_of_its_uid_end_the_connection),
                WORLD_TEST(peer_fds_of_several_sends_belong_to_one_message),
                WORLD_TEST(peer_fds_taken_are_the_callees),
                WORLD_TEST(peer_too_many_fds_end_the_connection_and_are_closed),
                WORLD_TEST(peer_fds_over_the_quota_of_its_uid_end_the_connection),
                WORLD_TEST(peer_half_message_then_silence_ends_the_connection),
                WORLD_TEST(peer_dripping_message_ends_the_connection),
                WORLD_TEST(peer_dripping_message_complete_in_time_is_answered),
                WORLD_TEST(peer_half_message_behind_a_whole_one_has_its_own_time),
                WORLD_TEST(peer_silent_for_long_is_let_go),
                WORLD_TEST(peer_waiting_for_its_answer_is_not_timed_out),
                WORLD_TEST(peer_that_does_not_read_is_dropped),
                WORLD_TEST(peer_that_reads_slowly_gets_all_and_is_charged_for_nothing_after),
                WORLD_TEST(peer_answers_over_its_quota_drop_it),
                WORLD_TEST(peer_that_goes_while_a_call_is_answered_is_reported_once),
                WORLD_TEST(peer_that_only_stops_sending_still_gets_its_answer),
                WORLD_TEST(peers_listen_connections_over_the_quota_of_a_uid_are_closed),
                WORLD_TEST(peers_listen_without_descriptors_waits_and_does_not_spin),
                WORLD_TEST(peers_stop_sends_what_is_under_way_and_takes_nothing_new),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
