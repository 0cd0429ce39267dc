/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Both ends in one process: the listening socket takes the connection before it is accepted, and messages
 * are small enough for its buffers.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/sjson.h"
#include "client/libhsmctl.h"
#include "client/varlink.h"

#include "unit/client-data.h"

#define SHORT_USEC (50 * 1000)
#define LONG_USEC  (10 * 1000 * 1000)

typedef struct Server {
        char *folder;
        char path[100];
        int listener;
        int peer;
} Server;

static int setup(void **state)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        static Server s;

        error_set_trace(NULL);
        s = (Server){.folder = client_data_folder(), .peer = -1};
        (void)snprintf(s.path, sizeof(s.path), "%s/socket", s.folder);
        (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", s.path);
        s.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(s.listener >= 0);
        assert_int_equal(bind(s.listener, (struct sockaddr *)&address, sizeof(address)), 0);
        assert_int_equal(listen(s.listener, 1), 0);
        *state = &s;
        return 0;
}

static int teardown(void **state)
{
        Server *s = *state;

        s->peer = close_fd(s->peer);
        s->listener = close_fd(s->listener);
        client_data_remove(s->folder);
        return 0;
}

static Hsmctl *connect_to(Server *s)
{
        Hsmctl *h;

        assert_int_equal(hsmctl_new(&h, s->path, SHORT_USEC), 0);
        s->peer = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);
        assert_true(s->peer >= 0);
        return h;
}

static void answer(Server *s, const char *text, size_t size)
{
        assert_int_equal(send(s->peer, text, size, MSG_NOSIGNAL), size);
}

#define ANSWER(_s, _text) answer((_s), (_text), sizeof(_text)) /* with its NUL */

static Hsmctl *call(Server *s, bool more)
{
        Hsmctl *h = connect_to(s);

        assert_int_equal(hsmctl_call(h, "org.hsmd.Status.Get", "{}", NULL, 0, more), 0);
        return h;
}

/* Sends one answer and expects it to end the call this way. */
static void expect_error(Server *s, const char *text, size_t size, int code, const char *reason)
{
        Hsmctl *h = call(s, false);
        bool more;

        answer(s, text, size);
        assert_int_equal(hsmctl_receive(h, &more), code);
        assert_string_equal(hsmctl_reason(h), reason);
        assert_true(strlen(hsmctl_message(h)) > 0);
        (void)hsmctl_free(h);
        s->peer = close_fd(s->peer);
}

#define EXPECT_ERROR(_s, _text, _code, _reason)                                                             \
        expect_error((_s), (_text), sizeof(_text), (_code), (_reason))

static void hsmctl_call_sends_one_message(void **state)
{
        const char expected[] = "{\"method\":\"org.hsmd.Status.Get\",\"parameters\":{},\"more\":true}";
        Server *s = *state;
        Hsmctl *h = call(s, true);
        char message[256];

        assert_int_equal(recv(s->peer, message, sizeof(message), 0), sizeof(expected));
        assert_memory_equal(message, expected, sizeof(expected));
        (void)hsmctl_free(h);
}

static void hsmctl_receive_one_reply_accepts(void **state)
{
        Server *s = *state;
        Hsmctl *h = call(s, false);
        const char *text;
        size_t size;
        bool more = true;

        ANSWER(s, "{\"parameters\":{\"a\":1,\"rate\":0.5}}");
        assert_int_equal(hsmctl_receive(h, &more), 0);
        assert_false(more);
        assert_int_equal(hsmctl_text(h, &text, &size), 0);
        assert_string_equal(text, "{\"a\":1,\"rate\":0.5}");
        assert_int_equal(size, strlen(text));
        (void)hsmctl_free(h);
}

static void hsmctl_receive_without_parameters_is_empty(void **state)
{
        Server *s = *state;
        Hsmctl *h = call(s, false);
        const char *text;
        bool more;

        ANSWER(s, "{}");
        assert_int_equal(hsmctl_receive(h, &more), 0);
        assert_int_equal(hsmctl_text(h, &text, NULL), 0);
        assert_string_equal(text, "{}");
        (void)hsmctl_free(h);
}

static void hsmctl_receive_replies_in_one_packet_come_in_order(void **state)
{
        Server *s = *state;
        Hsmctl *h = call(s, true);
        uint64_t v;
        bool more;

        ANSWER(s, "{\"parameters\":{\"v\":1},\"continues\":true}\0{\"parameters\":{\"v\":2},\"continues\":"
                  "true}\0"
                  "{\"parameters\":{\"v\":3}}");
        for (uint64_t i = 1; i <= 3; i++) {
                assert_int_equal(hsmctl_receive(h, &more), 0);
                assert_int_equal(more, i < 3);
                assert_int_equal(sjson_get_u64(hsmctl_parameters(h), "v", &v), 0);
                assert_int_equal(v, i);
        }
        /* Then the connection is free for the next call. */
        assert_int_equal(hsmctl_call(h, "org.hsmd.Status.Get", "{}", NULL, 0, false), 0);
        ANSWER(s, "{\"parameters\":{\"v\":4}}");
        assert_int_equal(hsmctl_receive(h, &more), 0);
        assert_int_equal(sjson_get_u64(hsmctl_parameters(h), "v", &v), 0);
        assert_int_equal(v, 4);
        (void)hsmctl_free(h);
}

static void hsmctl_receive_errors_are_told_apart(void **state)
{
        Server *s = *state;

        EXPECT_ERROR(s,
                     "{\"error\":\"org.hsmd.Sign.Refused\",\"parameters\":{\"reason\":\"key-unknown\","
                     "\"message\":\"no\"}}",
                     HSMCTL_E_REFUSED, "key-unknown");
        EXPECT_ERROR(s, "{\"error\":\"org.hsmd.Sign.Refused\"}", HSMCTL_E_REFUSED, "refused");
        EXPECT_ERROR(s,
                     "{\"error\":\"org.hsmd.Sign.Busy\",\"parameters\":{\"reason\":\"stopping\",\"message\":"
                     "\"x\"}}",
                     HSMCTL_E_BUSY, "stopping");
        EXPECT_ERROR(s, "{\"error\":\"org.hsmd.Journal.NoSuchEntry\",\"parameters\":{\"index\":5}}",
                     HSMCTL_E_NOT_FOUND, "no-such-entry");
        EXPECT_ERROR(s, "{\"error\":\"org.varlink.service.PermissionDenied\"}", HSMCTL_E_DENIED,
                     "permission-denied");
        EXPECT_ERROR(s,
                     "{\"error\":\"org.varlink.service.MethodNotFound\",\"parameters\":{\"method\":\"x\"}}",
                     HSMCTL_E_PROTOCOL, "method-not-found");
        EXPECT_ERROR(s, "{\"error\":\"org.other.Thing\"}", HSMCTL_E_PROTOCOL, "unknown-error");
}

static void hsmctl_receive_malformed_fails(void **state)
{
        Server *s = *state;

        EXPECT_ERROR(s, "", HSMCTL_E_PROTOCOL, "reply-syntax");
        EXPECT_ERROR(s, "[]", HSMCTL_E_PROTOCOL, "reply-syntax");
        EXPECT_ERROR(s, "{\"parameters\":[]}", HSMCTL_E_PROTOCOL, "reply-syntax");

        EXPECT_ERROR(s, "{\"parameters\":{},\"continues\":1}", HSMCTL_E_PROTOCOL, "reply-syntax");
        EXPECT_ERROR(s, "{\"error\":7}", HSMCTL_E_PROTOCOL, "reply-syntax");
        EXPECT_ERROR(s, "{\"parameters\":{},\"parameters\":{}}", HSMCTL_E_PROTOCOL, "reply-syntax");
}

static void hsmctl_receive_silence_times_out(void **state)
{
        Server *s = *state;
        Hsmctl *h = call(s, false);
        bool more;

        answer(s, "{\"parameters\":{}}", 17); /* without its NUL */
        assert_int_equal(hsmctl_receive(h, &more), HSMCTL_E_TIMEOUT);
        assert_string_equal(hsmctl_reason(h), "timeout");
        assert_int_equal(hsmctl_call(h, "a.b", "{}", NULL, 0, false), HSMCTL_E_UNREACHABLE);
        (void)hsmctl_free(h);
}

static void hsmctl_receive_end_of_connection_is_unreachable(void **state)
{
        Server *s = *state;
        Hsmctl *h = call(s, false);
        bool more;

        answer(s, "{\"par", 5);
        s->peer = close_fd(s->peer);
        assert_int_equal(hsmctl_receive(h, &more), HSMCTL_E_UNREACHABLE);
        assert_string_equal(hsmctl_reason(h), "connection-closed");
        (void)hsmctl_free(h);
}

static void hsmctl_new_nobody_listens_is_unreachable(void **state)
{
        Server *s = *state;
        char missing[120];
        Hsmctl *h;

        (void)snprintf(missing, sizeof(missing), "%s-not", s->path);
        assert_int_equal(hsmctl_new(&h, missing, SHORT_USEC), HSMCTL_E_UNREACHABLE);
        (void)hsmctl_free(h);
        s->listener = close_fd(s->listener);
        assert_int_equal(hsmctl_new(&h, s->path, SHORT_USEC), HSMCTL_E_UNREACHABLE);
        assert_non_null(strstr(hsmctl_message(h), s->path));
        (void)hsmctl_free(h);
}

static void hsmctl_new_path_too_long_is_unreachable(void **state)
{
        char path[200];
        Hsmctl *h;

        (void)state;
        memset(path, 'a', sizeof(path) - 1);
        path[sizeof(path) - 1] = 0;
        assert_int_equal(hsmctl_new(&h, path, SHORT_USEC), HSMCTL_E_UNREACHABLE);
        (void)hsmctl_free(h);
}

static void hsmctl_new_full_backlog_times_out(void **state)
{
        Hsmctl *h[8];
        Server *s = *state;
        int r = 0;
        size_t n = 0;

        while (n < ARRAY_SIZE(h) && r == 0)
                r = hsmctl_new(&h[n++], s->path, SHORT_USEC);
        assert_int_equal(r, HSMCTL_E_TIMEOUT);
        while (n > 0)
                (void)hsmctl_free(h[--n]);
}

static void hsmctl_call_too_large_fails(void **state)
{
        _cleanup_(freep) char *parameters = NULL;
        Server *s = *state;
        Hsmctl *h = connect_to(s);

        assert_int_equal(string_printf(&parameters, "{\"a\":\"%*s\"}", LIMIT_MESSAGE_SIZE, "x"), 0);
        assert_int_equal(hsmctl_call(h, "a.b", parameters, NULL, 0, false), HSMCTL_E_TOO_LARGE);
        /* Nothing was sent: the connection is still good. */
        assert_int_equal(hsmctl_call(h, "a.b", "{}", NULL, 0, false), 0);
        (void)hsmctl_free(h);
}

/* Receives up to the first NUL and counts the descriptors that came until then; closes them. */
static size_t receive_fds(int fd, size_t *ret_size, size_t *ret_most)
{
        union {
                struct cmsghdr header;
                char space[CMSG_SPACE(sizeof(int) * 300)];
        } control;
        size_t n = 0, size = 0, most = 0;
        char data[4096];

        for (;;) {
                struct iovec iov = {.iov_base = data, .iov_len = sizeof(data)};
                struct msghdr m = {.msg_iov = &iov,
                                   .msg_iovlen = 1,
                                   .msg_control = &control,
                                   .msg_controllen = sizeof(control)};
                ssize_t got = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
                size_t here = 0;

                assert_true(got > 0);
                assert_false(m.msg_flags & MSG_CTRUNC);
                for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
                        here = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
                        for (size_t i = 0; i < here; i++) {
                                int received;

                                memcpy(&received, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
                                close_fd(received);
                        }
                }
                n += here;
                most = here > most ? here : most;
                size += (size_t)got;
                if (data[got - 1] == 0) {
                        *ret_size = size;
                        *ret_most = most;
                        return n;
                }
        }
}

static void varlink_send_many_descriptors_spreads_them(void **state)
{
        static const size_t counts[] = {0, 1, 249, 250, 251, 500, 501, 600};
        const char *message = "{\"method\":\"a.b\",\"parameters\":{}}";
        struct rlimit limit;
        Server *s = *state;
        int fds[600];

        assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
        limit.rlim_cur = limit.rlim_max;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        if (limit.rlim_cur < 1300)
                skip();
        for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
                fds[i] = s->listener;

        for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
                _cleanup_(varlink_freep) Varlink *v = NULL;
                size_t size, most;

                assert_int_equal(varlink_new(&v, s->path, varlink_now_usec() + LONG_USEC), 0);
                s->peer = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);
                assert_int_equal(varlink_send(v, BLOB_STRING(message), fds, counts[i],
                                              varlink_now_usec() + LONG_USEC),
                                 0);
                assert_int_equal(receive_fds(s->peer, &size, &most), counts[i]);
                assert_int_equal(size, strlen(message) + 1);
                assert_true(most <= 253);
                s->peer = close_fd(s->peer);
        }
}

static void varlink_send_peer_that_does_not_read_times_out(void **state)
{
        _cleanup_(varlink_freep) Varlink *v = NULL;
        _cleanup_(freep) char *message = NULL;
        Server *s = *state;

        assert_int_equal(string_printf(&message, "{\"a\":\"%*s\"}", LIMIT_MESSAGE_SIZE - 100, "x"), 0);
        assert_int_equal(varlink_new(&v, s->path, varlink_now_usec() + LONG_USEC), 0);
        assert_int_equal(varlink_send(v, BLOB_STRING(message), NULL, 0, varlink_now_usec() + SHORT_USEC),
                         VARLINK_E_TIMEOUT);
}

static void hsmctl_socket_path_follows_environment(void **state)
{
        (void)state;

        assert_int_equal(unsetenv("HSMCTL_AUDIT_SOCKET"), 0);
        assert_string_equal(hsmctl_socket_path(HSMCTL_SOCKET_AUDIT), "/run/hsmd/audit.sock");
        assert_int_equal(setenv("HSMCTL_AUDIT_SOCKET", "/elsewhere", 1), 0);
        assert_string_equal(hsmctl_socket_path(HSMCTL_SOCKET_AUDIT), "/elsewhere");
        assert_int_equal(unsetenv("HSMCTL_AUDIT_SOCKET"), 0);
}

#define TEST(_f) cmocka_unit_test_setup_teardown(_f, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(hsmctl_call_sends_one_message),
                TEST(hsmctl_receive_one_reply_accepts),
                TEST(hsmctl_receive_without_parameters_is_empty),
                TEST(hsmctl_receive_replies_in_one_packet_come_in_order),
                TEST(hsmctl_receive_errors_are_told_apart),
                TEST(hsmctl_receive_malformed_fails),
                TEST(hsmctl_receive_silence_times_out),
                TEST(hsmctl_receive_end_of_connection_is_unreachable),
                TEST(hsmctl_new_nobody_listens_is_unreachable),
                TEST(hsmctl_new_path_too_long_is_unreachable),
                TEST(hsmctl_new_full_backlog_times_out),
                TEST(hsmctl_call_too_large_fails),
                TEST(varlink_send_many_descriptors_spreads_them),
                TEST(varlink_send_peer_that_does_not_read_times_out),
                cmocka_unit_test(hsmctl_socket_path_follows_environment),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
