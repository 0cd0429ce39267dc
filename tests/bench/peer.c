/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/error.h"
#include "base/file.h"
#include "peer.h"

#define PEER_READ_SIZE (256 * 1024)

int peer_init(Peer *p, const char *path)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};

        *p = (Peer){.fd = -1};
        if (strlen(path) >= sizeof(address.sun_path))
                return error_origin(-ENAMETOOLONG);
        memcpy(address.sun_path, path, strlen(path));
        p->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (p->fd < 0)
                return error_origin(-errno);
        if (connect(p->fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
                return error_origin(-errno);
        return 0;
}

static void drop_fds(Peer *p)
{
        for (size_t i = p->n_fds_sent; i < p->n_fds; i++)
                p->fds[i] = close_fd(p->fds[i]);
        p->n_fds = p->n_fds_sent = 0;
}

void peer_deinit(Peer *p)
{
        drop_fds(p);
        p->fd = close_fd(p->fd);
        buffer_deinit(&p->out);
        buffer_deinit(&p->in);
}

void peer_begin_request(Peer *p)
{
        assert(p->sent == p->out.size);

        buffer_clear(&p->out);
        p->sent = 0;
        drop_fds(p);
}

int peer_end_request(Peer *p)
{
        assert(p->out.size > p->n_fds); /* each chunk of descriptors needs a byte to travel with */

        return error_fold(buffer_append_byte(&p->out, 0));
}

void peer_add_fd(Peer *p, int fd)
{
        assert(fd >= 0);
        assert(p->n_fds < PEER_FDS);

        p->fds[p->n_fds++] = fd;
}

/* The descriptors travel with the first bytes, one byte a chunk; the last chunk takes the rest of the bytes.
 */
static ssize_t send_chunk(Peer *p, size_t *ret_n_fds)
{
        _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(PEER_FDS_PER_MESSAGE * sizeof(int))] = {0};
        size_t left = p->n_fds - p->n_fds_sent;
        size_t n = left < PEER_FDS_PER_MESSAGE ? left : PEER_FDS_PER_MESSAGE;
        struct iovec bytes = {
                .iov_base = p->out.data + p->sent,
                .iov_len = n < left ? 1 : p->out.size - p->sent,
        };
        struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1};

        if (n > 0) {
                struct cmsghdr *header;

                message.msg_control = control;
                message.msg_controllen = CMSG_SPACE(n * sizeof(int));
                header = CMSG_FIRSTHDR(&message);
                header->cmsg_level = SOL_SOCKET;
                header->cmsg_type = SCM_RIGHTS;
                header->cmsg_len = CMSG_LEN(n * sizeof(int));
                memcpy(CMSG_DATA(header), p->fds + p->n_fds_sent, n * sizeof(int));
        }
        *ret_n_fds = n;
        return sendmsg(p->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

int peer_send(Peer *p)
{
        while (p->sent < p->out.size) {
                size_t n_fds;
                ssize_t n = send_chunk(p, &n_fds);

                if (n < 0 && (errno == EAGAIN || errno == EINTR))
                        return PEER_E_AGAIN;
                if (n < 0)
                        return error_origin(-errno);
                p->sent += (size_t)n;
                for (size_t i = 0; i < n_fds; i++, p->n_fds_sent++)
                        p->fds[p->n_fds_sent] = close_fd(p->fds[p->n_fds_sent]);
        }
        return 0;
}

int peer_receive(Peer *p)
{
        ssize_t n;
        int r;

        buffer_consume(&p->in, p->taken);
        p->taken = 0;
        r = buffer_reserve(&p->in, PEER_READ_SIZE);
        if (r)
                return error_fold(r);
        n = recv(p->fd, p->in.data + p->in.size, PEER_READ_SIZE, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return PEER_E_AGAIN;
        if (n < 0)
                return error_origin(-errno);
        if (n == 0)
                return error_origin(-ECONNRESET);
        p->in.size += (size_t)n;
        return 0;
}

int peer_next(Peer *p, Blob *ret)
{
        const uint8_t *start = p->in.data + p->taken, *end = NULL;

        if (p->taken < p->in.size)
                end = memchr(start, 0, p->in.size - p->taken);
        if (!end)
                return PEER_E_AGAIN;
        *ret = BLOB(start, (size_t)(end - start));
        p->taken += ret->size + 1;
        return 0;
}

int peer_call(Peer *p, int timeout_msec, Blob *ret)
{
        int sending = peer_send(p);

        for (;;) {
                struct pollfd poll_fd = {
                        .fd = p->fd,
                        .events = sending == PEER_E_AGAIN ? POLLIN | POLLOUT : POLLIN,
                };
                int r;

                if (sending < 0)
                        return error_fold(sending);
                r = poll(&poll_fd, 1, timeout_msec);
                if (r < 0 && errno != EINTR)
                        return error_origin(-errno);
                if (r == 0)
                        return error_origin(-ETIMEDOUT);
                sending = peer_send(p);
                r = peer_receive(p);
                if (r < 0)
                        return error_fold(r);
                r = peer_next(p, ret);
                if (r != PEER_E_AGAIN)
                        return error_fold(r);
        }
}

bool peer_reply_has(Blob reply, const char *text)
{
        return memmem(reply.data, reply.size, text, strlen(text)) != NULL;
}

size_t peer_reply_count(Blob reply, const char *text)
{
        size_t size = strlen(text), n = 0;
        const uint8_t *end = reply.data + reply.size, *p = reply.data;

        while ((p = memmem(p, (size_t)(end - p), text, size))) {
                p += size;
                n++;
        }
        return n;
}
