/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What a worker tells its parent about its login, once, as one record on the status socket, which the parent
 * closes when it has made the record durable; and the exit codes of a worker.  The parent needs it to keep
 * the promise about the PIN (pinstate.h).  No record at all is OUTCOME_UNKNOWN.
 */
#include "token/pinstate.h"
#include "token/report.h"

typedef enum Outcome {
        OUTCOME_UNKNOWN,   /* the worker died in between, or login failed otherwise: pin-trying stays */
        OUTCOME_LOGGED_IN, /* the PIN is good */
        OUTCOME_REFUSED,   /* the token judged the PIN; or it may have, and counts low */
        OUTCOME_NOT_TRIED, /* the PIN was not sent */
        _OUTCOME_MAX,
} Outcome;

typedef struct OutcomeRecord {
        uint8_t outcome;
        uint8_t status;              /* TokenStatus */
        char text[REPORT_TEXT_SIZE]; /* for the operator and the file pin-refused */
} OutcomeRecord;

#define WORKER_CONNECTION_FD 3
#define WORKER_STATUS_FD     4

/* Exit codes of a worker; with a HELLO other than TOKEN_OK it is WORKER_EXIT_HELLO + its status. */
enum {
        WORKER_EXIT_DONE,     /* the peer closed, or SIGTERM */
        WORKER_EXIT_FAULT,    /* a fault of ours */
        WORKER_EXIT_PROTOCOL, /* the peer sent what is not a frame */
        WORKER_EXIT_MODULE,   /* the module failed in a way that a new worker may cure */
        WORKER_EXIT_HELLO = 64,
};

/* Writes into token-state what an outcome means for the next login.  `left_over` as pinstate_set_trying()
 * gave it. */
_must_use_ int outcome_record(PinState *pin, Outcome outcome, bool left_over, const char *text);
