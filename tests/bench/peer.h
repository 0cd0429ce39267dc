/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * One connection to a socket of hsmd: NUL-terminated messages, descriptors in SCM_RIGHTS.  Own code, as any
 * client in another language would have it.
 */
#include "base/bytes.h"

/* What the kernel takes in one sendmsg() (SCM_MAX_FD). */
#define PEER_FDS_PER_MESSAGE 253
#define PEER_FDS             1024

typedef struct Peer {
        int fd;
        Buffer out; /* the request being sent, with its NUL */
        size_t sent;
        int fds[PEER_FDS]; /* owned until sent */
        size_t n_fds, n_fds_sent;
        Buffer in;
        size_t taken; /* bytes at the start of `in` that peer_next() handed out */
} Peer;

enum {
        _PEER_E_SUCCESS,
        PEER_E_AGAIN, /* not all of it yet: wait for the socket */
};

_must_use_ int peer_init(Peer *p, const char *path);
void peer_deinit(Peer *p);

/* Begin a request: write it to p->out, then peer_end_request(). */
void peer_begin_request(Peer *p);
_must_use_ int peer_end_request(Peer *p);
/* Takes `fd`; it gets the next index of the request.  At most PEER_FDS. */
void peer_add_fd(Peer *p, int fd);

/* Never block.  PEER_E_AGAIN, -errno. */
_must_use_ int peer_send(Peer *p);
/* Read once.  PEER_E_AGAIN; -ECONNRESET when hsmd closed the connection. */
_must_use_ int peer_receive(Peer *p);
/* The next whole message, without its NUL; valid until the next peer_receive().  PEER_E_AGAIN. */
_must_use_ int peer_next(Peer *p, Blob *ret);

/* Send what was begun and wait for one reply, at most `timeout_msec` of silence.  -ETIMEDOUT. */
_must_use_ int peer_call(Peer *p, int timeout_msec, Blob *ret);

/* Whether the text stands in the reply: replies are compact JSON, so "name":value is found as written. */
bool peer_reply_has(Blob reply, const char *text);
size_t peer_reply_count(Blob reply, const char *text);
