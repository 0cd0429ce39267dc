/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * hsmd's end of token.sock: one connection, and so one hsmd-token worker, for each of the configured
 * workers.
 *
 * A connection goes connecting -> greeted -> keys opened -> up.  Whatever ends it (EOF, a bad frame, an
 * error of the token, a deadline) is "outcome unknown" for what was under way; a new one is opened after a
 * back-off.  Nothing here waits: every wait is an event with a deadline.
 */
#include <stdbool.h>

#include "policy/policy.h"
#include "server/loop.h"
#include "token/wire.h"

typedef enum TokenState {
        TOKEN_STATE_DOWN,
        TOKEN_STATE_CONNECTING, /* waits for HELLO, then for OPENED */
        TOKEN_STATE_UP,
} TokenState;

typedef struct TokensCallbacks {
        /* Each returns 0 or a negative errno that ends the daemon. */
        int (*up)(void *userdata, unsigned worker);
        int (*down)(void *userdata, unsigned worker); /* only for a worker that was up */
        /* The answer to the oldest unanswered frame of this worker: items in the order asked. */
        int (*answered)(void *userdata, unsigned worker, size_t n, const WireSigned *items);
        /* A key of the policy cannot be used; `first`: no worker has been up yet. */
        int (*key_refused)(void *userdata, bool first, TokenStatus status, const char *message);
} TokensCallbacks;

typedef struct TokensOptions {
        const char *path;
        unsigned n_workers;
        uint64_t timeout_usec; /* of one module call */
        const Policy
                *policy; /* borrowed: its signing keys have handles 0.., the log key has handle n_keys */
} TokensOptions;

typedef struct Tokens Tokens;

_must_use_ int tokens_new(Tokens **ret, Loop *loop, const TokensOptions *options,
                          const TokensCallbacks *callbacks, void *userdata);
Tokens *tokens_free(Tokens *t);
DEFINE_CLEANUP(Tokens *, tokens_free)

/* Send one sign frame to a worker that is up.  content_fd -1, or the sealed memfd of the only item.  A
 * worker that cannot take it goes down (through the callback, later); that is not an error here. */
_must_use_ int tokens_send(Tokens *t, unsigned worker, size_t n, const WireSign *items, int content_fd);
/* Give a connection up: it is closed without a callback, and opened anew after the back-off. */
_must_use_ int tokens_reset(Tokens *t, unsigned worker);

typedef struct TokenInfo {
        char label[80], manufacturer[80], model[80], serial[80];
        char message[400]; /* why the last connection failed; empty when all is well */
} TokenInfo;

const TokenInfo *tokens_info(const Tokens *t);
TokenState tokens_state(const Tokens *t, unsigned worker);
unsigned tokens_restarts(const Tokens *t, unsigned worker);
