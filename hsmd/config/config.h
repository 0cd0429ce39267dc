/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * hsmd.conf: what the host's admin decides (paths, module, PIN source, workers, origin, site).  What may be
 * signed is not here but in the policy.  One file for both daemons: hsmd reads no PIN from it, hsmd-token no
 * policy.
 *
 * Line grammar of base/lines.h, one setting a line, each at most once; every path is absolute:
 *
 *     origin NAME                     log origin, must be the policy's                        required
 *     site NAME                       where this host stands, must be a site of the policy    required
 *     policy PATH                     the genesis policy                                      required
 *     state PATH                      folder of state.db, mode 0700                           required
 *     log PATH                        folder that is published: checkpoint and tile/          required
 *     evidence PATH                   folder of attestations by hash                          default:
 * STATE/evidence socket sign|officer|audit PATH [mode OCTAL] [group NAME|GID] required, each token-socket
 * PATH                                                                       required token-module PATH the
 * vendor's PKCS#11 module                             required token-module-args TEXT...       string handed
 * to C_Initialize, words joined by blanks   optional token-uri URI                   RFC 7512 attributes of
 * the token: token= serial= manufacturer= model= slot-id=  required token-pin-file PATH |
 * token-pin-credential NAME     exactly one                          required token-client-user NAME|UID the
 * only user hsmd-token answers                        required token-state PATH                folder in
 * which a refused PIN is remembered             required token-timeout SECONDS           for one call into
 * the module, 1..300                    default 10 workers N                       1..LIMIT_WORKERS default
 * 2 request-timeout SECONDS         1..3600: from a whole request to its answer              default 60
 */
#include <stdint.h>
#include <sys/types.h>

#include "base/bytes.h"

typedef enum ConfigRole {
        ROLE_SIGN,
        ROLE_OFFICER,
        ROLE_AUDIT,
        _ROLE_MAX,
} ConfigRole;

const char *config_role_to_string(ConfigRole role); /* "sign", "officer", "audit" */

typedef struct ConfigSocket {
        char *path;
        mode_t mode; /* default 0660 */
        gid_t gid;   /* (gid_t)-1: leave as created */
} ConfigSocket;

typedef struct Config {
        char *origin, *site;
        char *policy_path, *state_path, *log_path, *evidence_path;
        ConfigSocket sockets[_ROLE_MAX];
        char *token_socket, *token_module, *token_module_args, *token_uri, *token_state;
        char *pin_file, *pin_credential; /* exactly one is not NULL */
        uid_t token_client_uid;
        uint64_t token_timeout_usec, request_timeout_usec;
        unsigned workers;
} Config;

enum {
        _CONFIG_E_SUCCESS,
        CONFIG_E_INVALID, /* every fault was appended to `messages`, one "PATH:LINE:COLUMN: text\n" each */
};

/* Reads, checks and resolves user and group names.  CONFIG_E_INVALID, -errno. Free with config_free(). */
_must_use_ int config_load(Config **ret, const char *path, Buffer *messages);
/* The same from memory; `path` is only for messages. */
_must_use_ int config_parse(Config **ret, const char *path, Blob file, Buffer *messages);
Config *config_free(Config *c);
DEFINE_CLEANUP(Config *, config_free)
