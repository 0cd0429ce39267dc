/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Listening sockets, where systemd has not made them.
 */
#include "config/config.h"

enum {
        _SOCKET_E_SUCCESS,
        SOCKET_E_IN_USE, /* somebody accepts connections there */
        SOCKET_E_PATH,   /* too long for a socket, or not a socket is there */
};

/*
 * Bind and listen on `socket->path` with its mode and group from the first moment on.  A socket that nobody
 * listens on any more is replaced; anything else is left alone.
 */
_must_use_ int socket_listen(const ConfigSocket *socket, int *ret);
