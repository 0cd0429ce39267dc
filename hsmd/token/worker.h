/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A worker: one connection, one login, one session.  It loads the module, logs in, says HELLO, and answers
 * OPEN and SIGN until the peer closes, the module fails, or SIGTERM asks it to end after the frame under
 * way.  It is the only process that ever holds the PIN, and that only from reading it to C_Login.
 *
 * The process was made by exec for this purpose, with the connection and the status socket of outcome.h as
 * its fds.
 */
#include <stdbool.h>

#include "base/macro.h"

/* Returns the exit code.  `left_over`: an earlier login ended without an outcome (pinstate.h). */
_must_use_ int worker_run(const char *config_path, bool left_over);

/* No dumps, no ptrace, all memory locked where the limits allow it; what is not possible is logged. */
void worker_harden(void);
