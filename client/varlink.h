/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Varlink messages over a Unix stream socket, from the caller's side: bytes, NUL bytes, file descriptors and
 * deadlines.  What is in a message is the business of libhsmctl.c.
 *
 * Deadlines are microseconds of CLOCK_MONOTONIC.  After any failure the connection is of no further use.
 */
#include <stdint.h>

#include "base/bytes.h"

/* Linux refuses more than SCM_MAX_FD (253) descriptors in one sendmsg(). */
#define VARLINK_FDS_PER_SEND 250
/* The biggest reply: 1024 artifacts with their proofs are about 6 MiB. */
#define VARLINK_REPLY_SIZE (64 * 1024 * 1024)

typedef struct Varlink Varlink;

enum {
        _VARLINK_E_SUCCESS,
        VARLINK_E_MISSING,   /* no socket there, or nobody listens on it */
        VARLINK_E_DENIED,    /* the mode of the socket or of a folder above it does not admit this user */
        VARLINK_E_PATH,      /* longer than a socket's address can be */
        VARLINK_E_TIMEOUT,   /* the deadline has passed */
        VARLINK_E_CLOSED,    /* the other side ended the connection */
        VARLINK_E_TOO_LARGE, /* a message beyond its limit */
};

uint64_t varlink_now_usec(void);

/* Connects.  VARLINK_E_MISSING, _DENIED, _PATH, _TIMEOUT. */
_must_use_ int varlink_new(Varlink **ret, const char *path, uint64_t deadline_usec);
Varlink *varlink_free(Varlink *v);
DEFINE_CLEANUP(Varlink *, varlink_free)

/*
 * Sends one message (without its NUL) and the descriptors that belong to it, which stay the caller's.
 * VARLINK_E_TIMEOUT; _TOO_LARGE before anything was sent.  A peer that stopped reading is no failure here:
 * it may have answered first, and varlink_receive() finds out.
 */
_must_use_ int varlink_send(Varlink *v, Blob message, const int *fds, size_t n_fds, uint64_t deadline_usec);

/*
 * Waits for one whole message, *ret without its NUL and valid until the next call.  VARLINK_E_TIMEOUT,
 * _CLOSED, _TOO_LARGE.
 */
_must_use_ int varlink_receive(Varlink *v, Blob *ret, uint64_t deadline_usec);
