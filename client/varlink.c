/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/limits.h"

#include "client/varlink.h"

#define USEC_PER_SEC  UINT64_C(1000000)
#define USEC_PER_MSEC UINT64_C(1000)
#define RECEIVE_SIZE  (64 * 1024)
/* How long to wait before asking again where the kernel has no event to wait for. */
#define RETRY_USEC (5 * USEC_PER_MSEC)

struct Varlink {
        int fd;
        Buffer in;
        size_t message_size; /* of the message handed out last, with its NUL; still at the front of `in` */
        size_t scanned;      /* bytes of `in` that are known to hold no NUL */
};

uint64_t varlink_now_usec(void)
{
        struct timespec ts;
        int r;

        r = clock_gettime(CLOCK_MONOTONIC, &ts);
        assert(r == 0);
        return (uint64_t)ts.tv_sec * USEC_PER_SEC + (uint64_t)ts.tv_nsec / 1000;
}

/* VARLINK_E_TIMEOUT, or 0 when it is worth trying again. */
static int varlink_wait(const Varlink *v, short events, uint64_t deadline_usec)
{
        struct pollfd p = {.fd = v->fd, .events = events};
        uint64_t now = varlink_now_usec();
        struct timespec left;
        int n;

        if (now >= deadline_usec)
                return VARLINK_E_TIMEOUT;
        left.tv_sec = (time_t)((deadline_usec - now) / USEC_PER_SEC);
        left.tv_nsec = (long)((deadline_usec - now) % USEC_PER_SEC * 1000);
        n = ppoll(&p, 1, &left, NULL);
        if (n < 0 && errno != EINTR)
                return error_origin(-errno);
        return 0;
}

static int varlink_pause(uint64_t deadline_usec)
{
        struct timespec ts = {.tv_nsec = RETRY_USEC * 1000};

        if (varlink_now_usec() + RETRY_USEC >= deadline_usec)
                return VARLINK_E_TIMEOUT;
        (void)nanosleep(&ts, NULL); /* waking early only means asking early */
        return 0;
}

static int varlink_connect(Varlink *v, const struct sockaddr_un *address, uint64_t deadline_usec)
{
        int r;

        for (;;) {
                if (connect(v->fd, (const struct sockaddr *)address, sizeof(*address)) == 0)
                        return 0;
                switch (errno) {
                case EAGAIN: /* the backlog is full, and poll() does not tell when it no longer is */
                case EINTR:
                        r = varlink_pause(deadline_usec);
                        if (r)
                                return r;
                        break;
                case ENOENT:
                case ENOTDIR:
                case ECONNREFUSED:
                        return VARLINK_E_MISSING;
                case EACCES:
                case EPERM:
                        return VARLINK_E_DENIED;
                default:
                        return error_origin(-errno);
                }
        }
}

int varlink_new(Varlink **ret, const char *path, uint64_t deadline_usec)
{
        _cleanup_(varlink_freep) Varlink *v = NULL;
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int r;

        assert(ret);
        assert(path);

        if (strlen(path) == 0 || strlen(path) >= sizeof(address.sun_path))
                return VARLINK_E_PATH;
        memcpy(address.sun_path, path, strlen(path));

        r = memory_new0(&v, 1);
        if (r)
                return error_fold(r);
        v->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (v->fd < 0)
                return error_origin(-errno);
        r = varlink_connect(v, &address, deadline_usec);
        if (r)
                return r;

        *ret = TAKE_PTR(v);
        return 0;
}

Varlink *varlink_free(Varlink *v)
{
        if (!v)
                return NULL;
        v->fd = close_fd(v->fd);
        buffer_deinit(&v->in);
        free(v);
        return NULL;
}

/* One sendmsg(), with up to VARLINK_FDS_PER_SEND descriptors on its first byte.  Bytes sent, or -errno. */
static ssize_t varlink_send_once(Varlink *v, const uint8_t *data, size_t size, const int *fds, size_t n_fds)
{
        union {
                struct cmsghdr header; /* for its alignment */
                char space[CMSG_SPACE(sizeof(int) * VARLINK_FDS_PER_SEND)];
        } control = {};
        struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = size};
        struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
        ssize_t n;

        assert(n_fds <= VARLINK_FDS_PER_SEND);
        assert(size > 0);

        if (n_fds > 0) {
                struct cmsghdr *c;

                m.msg_control = &control;
                m.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
                c = CMSG_FIRSTHDR(&m);
                c->cmsg_level = SOL_SOCKET;
                c->cmsg_type = SCM_RIGHTS;
                c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
                memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
        }
        n = sendmsg(v->fd, &m, MSG_NOSIGNAL);
        return n < 0 ? -errno : n;
}

/* VARLINK_E_CLOSED, VARLINK_E_TIMEOUT. */
static int varlink_send_all(Varlink *v, const uint8_t *data, size_t size, const int *fds, size_t n_fds,
                            uint64_t deadline_usec)
{
        ssize_t n;
        int r;

        while (size > 0) {
                n = varlink_send_once(v, data, size, fds, n_fds);
                if (n > 0) {
                        data += n;
                        size -= (size_t)n;
                        n_fds = 0;
                        continue;
                }
                switch (-n) {
                case EINTR:
                        continue;
                case EAGAIN:
                        r = varlink_wait(v, POLLOUT, deadline_usec);
                        break;
                case ETOOMANYREFS: /* descriptors of this user that nobody has received yet */
                        r = varlink_pause(deadline_usec);
                        break;
                case EPIPE:
                case ECONNRESET:
                        return VARLINK_E_CLOSED;
                default:
                        return error_origin((int)n);
                }
                if (r)
                        return r;
        }
        return 0;
}

int varlink_send(Varlink *v, Blob message, const int *fds, size_t n_fds, uint64_t deadline_usec)
{
        size_t n_groups = (n_fds + VARLINK_FDS_PER_SEND - 1) / VARLINK_FDS_PER_SEND;
        int r = 0;

        assert(v);
        assert(fds || n_fds == 0);
        assert(memchr(message.data, 0, message.size) == NULL);
        assert(message.size > n_groups);

        if (message.size >= LIMIT_MESSAGE_SIZE)
                return VARLINK_E_TOO_LARGE;

        /* One byte for each group but the last, and all descriptors before the NUL that ends the message. */
        for (size_t i = 0; i + 1 < n_groups && r == 0; i++)
                r = varlink_send_all(v, message.data + i, 1, fds + i * VARLINK_FDS_PER_SEND,
                                     VARLINK_FDS_PER_SEND, deadline_usec);
        if (r == 0) {
                size_t sent = n_groups > 0 ? n_groups - 1 : 0;

                r = varlink_send_all(v, message.data + sent, message.size - sent,
                                     n_fds > 0 ? fds + sent * VARLINK_FDS_PER_SEND : NULL,
                                     n_fds - sent * VARLINK_FDS_PER_SEND, deadline_usec);
        }
        if (r == 0)
                r = varlink_send_all(v, (const uint8_t *)"", 1, NULL, 0, deadline_usec);
        return r == VARLINK_E_CLOSED ? 0 : r;
}

/* Reads once.  VARLINK_E_CLOSED, VARLINK_E_TIMEOUT; 0 also if nothing came yet. */
static int varlink_fill(Varlink *v, uint64_t deadline_usec)
{
        ssize_t n;
        int r;

        r = buffer_reserve(&v->in, RECEIVE_SIZE);
        if (r)
                return error_fold(r);
        n = recv(v->fd, v->in.data + v->in.size, RECEIVE_SIZE, 0);
        if (n > 0) {
                v->in.size += (size_t)n;
                v->in.data[v->in.size] = 0;
                return 0;
        }
        if (n == 0 || errno == ECONNRESET || errno == EPIPE)
                return VARLINK_E_CLOSED;
        if (errno == EINTR)
                return 0;
        if (errno == EAGAIN)
                return varlink_wait(v, POLLIN, deadline_usec);
        return error_origin(-errno);
}

int varlink_receive(Varlink *v, Blob *ret, uint64_t deadline_usec)
{
        const uint8_t *end;
        int r;

        assert(v);
        assert(ret);

        buffer_consume(&v->in, v->message_size);
        v->message_size = 0;
        v->scanned = 0;

        for (;;) {
                end = v->scanned < v->in.size ? memchr(v->in.data + v->scanned, 0, v->in.size - v->scanned)
                                              : NULL;
                if (end)
                        break;
                v->scanned = v->in.size;
                if (v->in.size > VARLINK_REPLY_SIZE)
                        return VARLINK_E_TOO_LARGE;
                r = varlink_fill(v, deadline_usec);
                if (r)
                        return r;
        }

        v->message_size = (size_t)(end - v->in.data) + 1;
        *ret = BLOB(v->in.data, v->message_size - 1);
        return 0;
}
