/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Talking to the service manager: handed-over sockets and notifications.  The only user of sd-daemon.
 */
#include <stddef.h>

#include "base/macro.h"

/*
 * The listening stream socket that systemd passed under this FileDescriptorName=; -1 when it passed none.
 * Ownership goes to the caller.
 */
int service_take_socket(const char *name);
void service_ready(void);
void service_stopping(void);
