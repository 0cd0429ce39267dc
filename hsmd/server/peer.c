/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdio.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "server/log.h"
#include "server/peer.h"

#define PEER_READ_SIZE (64 * 1024)
/* The kernel's SCM_MAX_FD. */
#define PEER_FDS_PER_READ 253

typedef struct Listener {
        Peers *peers;
        ConfigRole role;
        int fd;
        LoopSource *io, *timer;
} Listener;

struct Peers {
        Loop *loop;
        const PeersCallbacks *callbacks;
        void *userdata;
        Accounts accounts;
        bool stopping;
        size_t n_listeners;
        Listener listeners[_ROLE_MAX];
        Peer *first;
        uint8_t buffer[PEER_READ_SIZE];
};

struct Peer {
        Peers *peers;
        Peer *next, *previous;
        ConfigRole role;
        int fd;
        Account *account;
        DecisionPeer identity;
        uint32_t groups[PEER_GROUPS_MAX];
        LoopSource *io, *timer;
        Buffer in, out;
        size_t out_sent;
        size_t held; /* by whoever answers */
        size_t charged_bytes, n_fds, charged_fds;
        int *fds;
        void *context;
        uint64_t message_usec; /* since when it owes us the rest of a message; 0: it does not */
        bool busy;             /* a call is being answered */
        bool oneway;           /* and nobody wants the answer */
        bool gone;             /* shut down; freed by the loop */
};

/* ---- the end of a connection ---- */

static void peer_close_fds(Peer *peer)
{
        for (size_t i = 0; i < peer->n_fds; i++)
                close_fd(peer->fds[i]);
        free(peer->fds);
        peer->fds = NULL;
        peer->n_fds = 0;
        (void)!account_charge_fds(peer->account, peer->charged_fds, 0); /* giving back never fails */
        peer->charged_fds = 0;
}

static Peer *peer_free(Peer *peer)
{
        if (!peer)
                return NULL;
        peer_close_fds(peer);
        (void)!account_charge_bytes(peer->account, peer->charged_bytes, 0); /* giving back never fails */
        account_release(&peer->peers->accounts, peer->account);
        loop_source_free(peer->io);
        loop_source_free(peer->timer);
        close_fd(peer->fd);
        buffer_deinit(&peer->in);
        buffer_deinit(&peer->out);
        if (peer->previous)
                peer->previous->next = peer->next;
        else
                peer->peers->first = peer->next;
        if (peer->next)
                peer->next->previous = peer->previous;
        free(peer);
        return NULL;
}

/* Tell whoever answers, then forget the peer.  `why` NULL: it left in order. */
static void peer_drop(Peer *peer, const char *why)
{
        if (why)
                log_write(LOG_PEER_DROPPED, LOG_NOTICE, peer->identity.uid, NULL, NULL,
                          "%s: uid %u dropped: %s", config_role_to_string(peer->role), peer->identity.uid,
                          why);
        if (peer->busy && peer->context)
                peer->peers->callbacks->gone(peer->peers->userdata, peer, peer->context);
        peer_free(peer);
}

/* Where the caller still holds the peer: shut it down and let the loop drop it. */
static void peer_doom(Peer *peer)
{
        peer->gone = true;
        buffer_clear(&peer->out);
        peer->out_sent = 0;
        (void)shutdown(peer->fd, SHUT_RDWR); /* HUP follows */
        (void)!loop_set_timer(peer->timer, 0);
}

/* ---- charges and time-outs ---- */

static int peer_charge(Peer *peer)
{
        size_t now = peer->in.capacity + peer->out.capacity + peer->held;
        int r = account_charge_bytes(peer->account, peer->charged_bytes, now);

        if (r == 0)
                peer->charged_bytes = now;
        return r;
}

/* One large message must not stay charged for the life of the connection. */
static void peer_shrink(Peer *peer, Buffer *buffer)
{
        if (buffer->size == 0 && buffer->capacity > PEER_READ_SIZE)
                buffer_deinit(buffer);
        (void)!peer_charge(peer); /* it only got less */
}

/* A whole message that came together with an earlier one. */
static bool peer_pending(const Peer *peer)
{
        return !peer->busy && !peer->peers->stopping && peer->in.size > 0 &&
               memchr(peer->in.data, 0, peer->in.size);
}

/* Read while nothing is under way, write while there is something to write, and bound either wait. */
static int peer_update(Peer *peer)
{
        bool writing = peer->out.size > peer->out_sent;
        uint32_t events = writing || peer_pending(peer)         ? EPOLLOUT
                          : peer->busy || peer->peers->stopping ? 0
                                                                : EPOLLIN;
        uint64_t now = loop_now(peer->peers->loop);
        int r;

        if (peer->gone)
                return 0;
        /* A byte now and then does not start the time of a message anew. */
        if (!writing && !peer->busy && peer->in.size > 0 && peer->message_usec == 0)
                peer->message_usec = now;
        r = loop_set_events(peer->io, events);
        if (r != 0)
                return error_fold(r);
        return error_fold(
                loop_set_timer(peer->timer, writing         ? now + PEER_WRITE_TIMEOUT_USEC
                                            : peer->busy    ? UINT64_MAX
                                            : peer->in.size ? peer->message_usec + PEER_MESSAGE_TIMEOUT_USEC
                                                            : now + PEER_IDLE_TIMEOUT_USEC));
}

static int peer_on_timer(void *userdata)
{
        Peer *peer = userdata;

        peer_drop(peer, peer->gone                        ? NULL
                        : peer->out.size > peer->out_sent ? "does not read its answer"
                        : peer->in.size > 0               ? "stopped in the middle of a message"
                                                          : NULL);
        return 0;
}

/* ---- writing ---- */

static int peer_flush(Peer *peer)
{
        while (peer->out_sent < peer->out.size) {
                ssize_t n = send(peer->fd, peer->out.data + peer->out_sent, peer->out.size - peer->out_sent,
                                 MSG_NOSIGNAL | MSG_DONTWAIT);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && errno == EAGAIN)
                        break;
                if (n < 0) {
                        peer_doom(peer);
                        return 0;
                }
                peer->out_sent += (size_t)n;
        }
        if (peer->out_sent == peer->out.size) {
                peer->out_sent = 0;
                buffer_clear(&peer->out);
                peer_shrink(peer, &peer->out);
        }
        return error_fold(peer_update(peer));
}

static int peer_write(Peer *peer, const char *head, Blob parameters, const char *tail)
{
        int r;

        assert(peer->busy);
        if (peer->gone || peer->oneway)
                return 0;
        r = buffer_append_string(&peer->out, head);
        if (r == 0)
                r = buffer_append(&peer->out, parameters.data, parameters.size);
        if (r == 0)
                r = buffer_append_string(&peer->out, tail);
        if (r == 0)
                r = buffer_append_byte(&peer->out, 0);
        if (r != 0)
                return error_fold(r);
        if (peer_charge(peer) != 0) {
                log_write(LOG_PEER_DROPPED, LOG_NOTICE, peer->identity.uid, NULL, NULL,
                          "uid %u dropped: answers over its quota wait to be read", peer->identity.uid);
                peer_doom(peer);
                return 0;
        }
        return error_fold(peer_flush(peer));
}

static void peer_call_over(Peer *peer)
{
        peer_close_fds(peer);
        peer->busy = false;
        peer->oneway = false;
        peer->context = NULL;
        peer->held = 0;
        (void)!peer_charge(peer); /* it only got less */
}

void peer_hold(Peer *peer, size_t size)
{
        assert(peer->busy);
        peer->held = size;
        if (peer->gone || peer_charge(peer) == 0)
                return;
        log_write(LOG_PEER_DROPPED, LOG_NOTICE, peer->identity.uid, NULL, NULL,
                  "uid %u dropped: its answers are over its quota", peer->identity.uid);
        peer->held = 0;
        peer_doom(peer);
}

int peer_reply(Peer *peer, Blob parameters, bool continues)
{
        int r = peer_write(peer, "{\"parameters\":", parameters, continues ? ",\"continues\":true}" : "}");

        if (r == 0 && !continues) {
                peer_call_over(peer);
                r = peer_update(peer);
        }
        return error_fold(r);
}

int peer_error(Peer *peer, const char *error, Blob parameters)
{
        char head[128];
        int n = snprintf(head, sizeof(head), "{\"error\":\"%s\",\"parameters\":", error);
        int r;

        assert(n > 0 && (size_t)n < sizeof(head));
        r = peer_write(peer, head, parameters, "}");
        if (r == 0) {
                peer_call_over(peer);
                r = peer_update(peer);
        }
        return error_fold(r);
}

/* ---- reading ---- */

static int peer_invalid(Peer *peer, const char *parameter)
{
        char text[128];

        (void)snprintf(text, sizeof(text), "{\"parameter\":\"%s\"}", parameter);
        return error_fold(peer_error(peer, "org.varlink.service.InvalidParameter", BLOB_STRING(text)));
}

static void peer_doom_for(Peer *peer, const char *why)
{
        char escaped[LOG_TEXT_SIZE];

        log_write(LOG_PEER_DROPPED, LOG_NOTICE, peer->identity.uid, NULL, NULL,
                  "%s: uid %u dropped: not a message: %s", config_role_to_string(peer->role),
                  peer->identity.uid, log_escape(escaped, why, strlen(why)));
        peer_doom(peer);
}

static int peer_dispatch(Peer *peer, size_t size)
{
        _cleanup_(sjson_freep) SJson *message = NULL;
        PeerCall call = {0};
        SJsonError error;
        bool oneway = false, upgrade = false;
        int r;

        peer->busy = true;
        peer->message_usec = 0;
        if (size > LIMIT_MESSAGE_SIZE) {
                peer_doom_for(peer, "over 1 MiB");
                return 0;
        }
        r = sjson_parse(&message, peer->in.data, size, &error);
        buffer_consume(&peer->in, size + 1);
        peer_shrink(peer, &peer->in);
        if (r < 0)
                return error_fold(r);
        if (r > 0) {
                peer_doom_for(peer, error.text);
                return 0;
        }
        r = sjson_get_string(message, "method", &call.method, NULL);
        if (r != 0)
                return r < 0 ? error_fold(r) : error_fold(peer_invalid(peer, "method"));
        r = sjson_get_object(message, "parameters", &call.parameters);
        if (r != 0 && r != SJSON_E_MISSING)
                return r < 0 ? error_fold(r) : error_fold(peer_invalid(peer, "parameters"));
        if (sjson_get_bool(message, "more", &call.more) == SJSON_E_TYPE ||
            sjson_get_bool(message, "oneway", &oneway) == SJSON_E_TYPE ||
            sjson_get_bool(message, "upgrade", &upgrade) == SJSON_E_TYPE || upgrade)
                return error_fold(peer_invalid(peer, "more"));
        peer->oneway = oneway;
        return peer->peers->callbacks->call(peer->peers->userdata, peer, &call);
}

/* Take up whole messages, one call at a time. */
static int peer_advance(Peer *peer)
{
        int r;

        while (!peer->gone && !peer->busy && peer->in.size > 0 && peer->out.size == 0) {
                const uint8_t *end = memchr(peer->in.data, 0, peer->in.size);

                if (!end)
                        break;
                r = peer_dispatch(peer, (size_t)(end - peer->in.data));
                if (r != 0)
                        return error_fold(r);
        }
        return error_fold(peer_update(peer));
}

/* Keep received descriptors with the message under way; any that cannot be kept are closed. */
static bool peer_keep_fds(Peer *peer, struct msghdr *msg)
{
        bool kept = (msg->msg_flags & MSG_CTRUNC) == 0;

        for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
                size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
                int received[PEER_FDS_PER_READ];
                int *fds = NULL;

                if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS || n == 0)
                        continue;
                assert(n <= ARRAY_SIZE(received));
                memcpy(received, CMSG_DATA(c), n * sizeof(int));
                if (kept && peer->n_fds + n <= LIMIT_ARTIFACTS &&
                    account_charge_fds(peer->account, peer->charged_fds, peer->charged_fds + n) == 0) {
                        peer->charged_fds += n;
                        fds = reallocarray(peer->fds, peer->n_fds + n, sizeof(int));
                }
                if (!fds) {
                        for (size_t i = 0; i < n; i++)
                                close_fd(received[i]);
                        kept = false;
                        continue;
                }
                memcpy(fds + peer->n_fds, received, n * sizeof(int));
                peer->fds = fds;
                peer->n_fds += n;
        }
        return kept;
}

static ssize_t peer_receive(Peer *peer, bool *ret_kept)
{
        union {
                struct cmsghdr header;
                uint8_t space[CMSG_SPACE(PEER_FDS_PER_READ * sizeof(int))];
        } control;
        struct iovec iov = {.iov_base = peer->peers->buffer, .iov_len = PEER_READ_SIZE};
        struct msghdr msg = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = control.space,
                             .msg_controllen = sizeof(control.space)};
        ssize_t n = recvmsg(peer->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

        *ret_kept = n < 0 || peer_keep_fds(peer, &msg);
        return n;
}

static int peer_read(Peer *peer)
{
        bool kept;
        ssize_t n = peer_receive(peer, &kept);
        int r;

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        if (n <= 0 || !kept) {
                peer_drop(peer, n > 0 ? "too many file descriptors" : NULL);
                return 0;
        }
        if (peer->in.size + (size_t)n > LIMIT_MESSAGE_SIZE + PEER_READ_SIZE ||
            (peer->in.size + (size_t)n > LIMIT_MESSAGE_SIZE && !memchr(peer->peers->buffer, 0, (size_t)n))) {
                peer_drop(peer, "message over 1 MiB");
                return 0;
        }
        r = buffer_append(&peer->in, peer->peers->buffer, (size_t)n);
        if (r != 0)
                return error_fold(r);
        if (peer_charge(peer) != 0) {
                peer_drop(peer, "messages over its quota");
                return 0;
        }
        return error_fold(peer_advance(peer));
}

static int peer_on_io(void *userdata, uint32_t events)
{
        Peer *peer = userdata;
        int r;

        if (peer->gone || (events & (EPOLLERR | EPOLLHUP) && !(events & EPOLLIN))) {
                peer_drop(peer, NULL);
                return 0;
        }
        if (events & EPOLLOUT) {
                r = peer_flush(peer);
                return r != 0 ? error_fold(r) : error_fold(peer_advance(peer));
        }
        return events & EPOLLIN ? peer_read(peer) : 0;
}

/* ---- accepting ---- */

static int peer_identify(Peer *peer)
{
        struct ucred cred;
        socklen_t size = sizeof(cred);

        if (getsockopt(peer->fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) < 0)
                return error_origin(-errno);
        peer->identity.uid = cred.uid;
        peer->identity.gid = cred.gid;
        /* gid_t is uint32_t on Linux.  Someone in more groups than we keep is judged by uid and primary
         * group. */
        static_assert(sizeof(gid_t) == sizeof(uint32_t), "groups are copied as they are");
        size = sizeof(peer->groups);
        if (getsockopt(peer->fd, SOL_SOCKET, SO_PEERGROUPS, peer->groups, &size) == 0)
                peer->identity.n_groups = size / sizeof(gid_t);
        peer->identity.groups = peer->groups;
        return 0;
}

/* Takes the fd, or leaves it. */
static int peer_new(Listener *listener, int *fd)
{
        Peers *peers = listener->peers;
        struct ucred cred;
        socklen_t size = sizeof(cred);
        Account *account;
        Peer *peer;
        int r;

        if (getsockopt(*fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) < 0)
                return 0; /* it is gone already */
        r = account_admit(&peers->accounts, cred.uid, &account);
        if (r != 0) {
                log_write(LOG_PEER_DROPPED, LOG_NOTICE, cred.uid, NULL, NULL,
                          "uid %u turned away: too many connections", cred.uid);
                return r < 0 ? error_fold(r) : 0;
        }
        r = memory_new0(&peer, 1);
        if (r != 0) {
                account_release(&peers->accounts, account);
                return error_fold(r);
        }
        *peer = (Peer){.peers = peers, .role = listener->role, .fd = TAKE_FD(*fd), .account = account};
        peer->next = peers->first;
        if (peer->next)
                peer->next->previous = peer;
        peers->first = peer;
        r = peer_identify(peer);
        if (r == 0)
                r = loop_add_io(peers->loop, &peer->io, peer->fd, EPOLLIN, PRIORITY_PEER, peer_on_io, peer);
        if (r == 0)
                r = loop_add_timer(peers->loop, &peer->timer, PRIORITY_PEER, peer_on_timer, peer);
        if (r == 0)
                r = peer_update(peer);
        if (r != 0)
                peer_free(peer);
        return 0; /* what fails for one connection is that connection's end */
}

/* Descriptors or memory are short: the backlog waits, and so do we, since the socket stays readable. */
static int listener_pause(Listener *listener)
{
        int r = loop_set_events(listener->io, 0);

        return r != 0 ? error_fold(r)
                      : error_fold(loop_set_timer(listener->timer,
                                                  loop_now(listener->peers->loop) + PEER_ACCEPT_PAUSE_USEC));
}

static int listener_on_timer(void *userdata)
{
        Listener *listener = userdata;

        return error_fold(loop_set_events(listener->io, EPOLLIN));
}

static int listener_on_io(void *userdata, uint32_t events _unused_)
{
        Listener *listener = userdata;
        _cleanup_(close_fdp) int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd >= 0)
                return error_fold(peer_new(listener, &fd));
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
                return listener_pause(listener);
        return 0; /* it went away */
}

int peers_new(Peers **ret, Loop *loop, const PeersCallbacks *callbacks, void *userdata)
{
        Peers *p = NULL;
        int r = memory_new0(&p, 1);

        if (r != 0)
                return error_fold(r);
        p->loop = loop;
        p->callbacks = callbacks;
        p->userdata = userdata;
        *ret = p;
        return 0;
}

Peers *peers_free(Peers *p)
{
        if (!p)
                return NULL;
        /* Peers first: the loop is over, and takes no more wishes for them. */
        while (p->first)
                peer_free(p->first);
        peers_stop(p);
        assert(p->accounts.n == 0 && p->accounts.n_peers == 0);
        free(p);
        return NULL;
}

int peers_listen(Peers *p, ConfigRole role, int fd)
{
        Listener *listener = &p->listeners[p->n_listeners];
        int r;

        assert(p->n_listeners < ARRAY_SIZE(p->listeners));
        *listener = (Listener){.peers = p, .role = role, .fd = fd};
        p->n_listeners++;
        r = loop_add_timer(p->loop, &listener->timer, PRIORITY_PEER, listener_on_timer, listener);
        if (r != 0)
                return error_fold(r);
        return error_fold(
                loop_add_io(p->loop, &listener->io, fd, EPOLLIN, PRIORITY_PEER, listener_on_io, listener));
}

void peers_stop(Peers *p)
{
        p->stopping = true;
        for (size_t i = 0; i < p->n_listeners; i++) {
                p->listeners[i].io = loop_source_free(p->listeners[i].io);
                p->listeners[i].timer = loop_source_free(p->listeners[i].timer);
                p->listeners[i].fd = close_fd(p->listeners[i].fd);
        }
        p->n_listeners = 0;
        for (Peer *peer = p->first; peer; peer = peer->next)
                (void)!peer_update(peer); /* at worst it goes on being read, and is refused as stopping */
}

bool peers_writing(const Peers *p)
{
        for (const Peer *peer = p->first; peer; peer = peer->next)
                if (peer->out.size > peer->out_sent)
                        return true;
        return false;
}

size_t peers_n(const Peers *p)
{
        return p->accounts.n_peers;
}

ConfigRole peer_role(const Peer *peer)
{
        return peer->role;
}

const DecisionPeer *peer_identity(const Peer *peer)
{
        return &peer->identity;
}

void peer_set_context(Peer *peer, void *context)
{
        peer->context = context;
}

size_t peer_n_fds(const Peer *peer)
{
        return peer->n_fds;
}

int peer_take_fd(Peer *peer, size_t i)
{
        return i < peer->n_fds ? TAKE_FD(peer->fds[i]) : -1;
}
