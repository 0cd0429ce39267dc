/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Command lines: `--name VALUE`, `--name=VALUE`, `--` ends the options, everything else is an operand. Names
 * are never abbreviated, so that a new option cannot change what an old script says.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/macro.h"

typedef enum OptionKind {
        OPTION_FLAG,      /* bool */
        OPTION_STRING,    /* const char * */
        OPTION_U64,       /* uint64_t, at least 1 */
        OPTION_SECONDS,   /* uint64_t microseconds */
        OPTION_TIMESTAMP, /* uint64_t microseconds; RFC 3339 */
} OptionKind;

typedef struct Option {
        const char *name; /* without the dashes */
        OptionKind kind;
        void *ret; /* not written unless the option is there */
        bool seen;
} Option;

/* What every command that talks to hsmd has. */
typedef struct OptionsCommon {
        const char *socket; /* NULL: the default one */
        uint64_t timeout_usec;
        bool json;
} OptionsCommon;

#define OPTIONS_COMMON_DEFAULT                                                                              \
        {                                                                                                   \
                .timeout_usec = HSMCTL_TIMEOUT_USEC                                                         \
        }
/* clang-format off */
#define OPTIONS_COMMON(_c)                                                                                  \
        {.name = "socket", .kind = OPTION_STRING, .ret = &(_c)->socket},                                    \
        {.name = "timeout", .kind = OPTION_SECONDS, .ret = &(_c)->timeout_usec},                            \
        {.name = "json", .kind = OPTION_FLAG, .ret = &(_c)->json}
/* clang-format on */

enum {
        _OPTIONS_E_SUCCESS,
        OPTIONS_E_USAGE, /* told on stderr already */
};

/*
 * Reads all of argv.  The operands are moved to its front, *ret_n_operands of them.  Errors are reported
 * under the name `command`.
 */
_must_use_ int options_parse(const char *command, Option *options, size_t n_options, int argc, char **argv,
                             size_t *ret_n_operands);
