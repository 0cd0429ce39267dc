/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The listening socket: from systemd, or our own.
 */
#include <stdbool.h>
#include <sys/types.h>

#include "base/macro.h"

/* Connections that may wait while all workers are busy or one logs in. */
#define LISTENER_BACKLOG 64

enum {
        _LISTENER_E_SUCCESS,
        LISTENER_E_REFUSED, /* logged: what systemd passed is not one listening SOCK_SEQPACKET socket;
                             * somebody else listens at the path; something else than a socket is there */
};

/*
 * An fd that is not blocking.  Without one from systemd a socket is made at `path` with mode 0600 and, if we
 * are root, owned by `client`; a stale one is replaced, one that something still listens on is not.
 * *ret_own: made here, to be unlinked at the end.
 */
_must_use_ int listener_open(int *ret_fd, bool *ret_own, const char *path, uid_t client);
