/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The daemon put together: configuration and policy in, a running server out.
 */
#include "config/config.h"

typedef enum ServerExit {
        SERVER_EXIT_OK = 0,
        SERVER_EXIT_FAULT = 1, /* of the host or of hsmd: starting again may help */
        SERVER_EXIT_CONFIG =
                2, /* the configuration, the policy or a key is wrong: starting again does not help */
        SERVER_EXIT_STATE = 3, /* the state must not be run on: an operator has to decide */
} ServerExit;

/* Run until SIGTERM or SIGINT; every reason for another exit was logged. */
ServerExit server_run(const Config *config);
