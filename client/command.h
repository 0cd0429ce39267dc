/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The commands of hsmctl.  Each is one function that gets the words after its name, and the text that
 * `hsmctl help` shows.  A run function returns the exit code.
 */
#include <stdbool.h>

/* Stable interface: scripts decide on them. */
enum {
        EXIT_DONE = 0,
        EXIT_REFUSED = 1,
        EXIT_USAGE = 2,
        EXIT_VERIFY = 3,
        EXIT_TRY_AGAIN = 4,
        EXIT_FAULT = 5,
};

typedef struct Command {
        const char *name; /* one word, or two with a blank between them */
        const char *summary;
        const char *help;
        int (*run)(int argc, char **argv);
} Command;

extern const Command sign_command, check_command;
extern const Command attest_make_command, attest_submit_command;
extern const Command verify_command;
extern const Command log_list_command, log_show_command, log_verify_command;
extern const Command policy_lint_command, policy_show_command, policy_trust_command, key_list_command;
extern const Command status_command;

/* `log verify`, which `verify --log` is another name of.  `trust_path` may be NULL. */
int log_verify(const char *path, const char *trust_path, bool json);
