/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The parent: accepts, checks who it is, starts one worker a connection, and keeps what is known of the PIN.
 * It never loads the module and never reads the PIN.
 *
 * One worker at a time logs in; while it does, and while workers + 2 are alive, connections wait in the
 * backlog.  (The two are room for a peer that opens a new worker while an old one is still dying.)  When the
 * PIN was refused, a connection gets HELLO with TOKEN_PIN_REFUSED and its end, and no login is tried;
 * `hsmd-token --forget-pin` is seen at the next connection.
 */
#include "config/config.h"

/* Serves until SIGTERM or SIGINT.  Returns the exit code of the program. */
_must_use_ int service_run(const Config *config, const char *config_path);
