/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The request path as an explicit state machine.
 *
 * Core decides what happens next and nothing else: no clock, no socket, no disk, no token.  Events go in
 * through core_step(), actions come out; time is part of the event.  It keeps the order that the promises
 * need:
 *
 *     allowed -> intent durable -> asked of the token -> own signature verified -> entry durable ->
 * checkpoint signed and published -> answered
 *
 * One Job is one artifact (or one attestation, or one note to the journal that nobody waits for).  What a
 * job is about is its owner's business; core knows its number, its uid, its request and its state.
 *
 * Fair between uids: wherever jobs queue, they queue per uid, and uids take turns.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/macro.h"
#include "policy/reason.h"

typedef enum JobState {
        JOB_FREE,
        JOB_NEW,        /* its owner hashes, looks up and decides */
        JOB_FOLLOWING,  /* waits for another job that signs the same */
        JOB_READY,      /* allowed; waits for its intent */
        JOB_INTENT,     /* in the batch of intents that is being written */
        JOB_QUEUED,     /* intent durable; waits for a worker */
        JOB_SIGNING,    /* asked of the token */
        JOB_STAGED,     /* has an entry to write */
        JOB_COMMITTING, /* in the commit under way: written, or waiting for the checkpoint */
        _JOB_STATE_MAX,
} JobState;

typedef uint32_t JobId;
#define JOB_NONE UINT32_MAX

typedef enum CoreEventType {
        EVENT_ALLOWED,     /* job: may be signed */
        EVENT_FOLLOW,      /* job: the same is being signed already */
        EVENT_LEADER_DONE, /* job: that one is done; decide again */
        EVENT_CLOSED,      /* job: answered without an entry (refused, repeated, cancelled) */
        EVENT_ENTRY,       /* job: has an entry without an intent (attestation, refusal, recovered intent) */
        EVENT_INTENTS_DURABLE,   /* the batch of ACTION_WRITE_INTENTS */
        EVENT_SIGNED,            /* job: signature made and verified */
        EVENT_SIGN_FAILED,       /* job, reason: not made, or wrong */
        EVENT_FRAME_DONE,        /* worker: its oldest frame is answered (after the jobs in it) */
        EVENT_WORKER_UP,         /* worker */
        EVENT_WORKER_DOWN,       /* worker: what it had is of unknown outcome */
        EVENT_COMMITTED,         /* the batch of ACTION_COMMIT is durable */
        EVENT_CHECKPOINT_WANTED, /* the journal has entries that no checkpoint covers (at start) */
        EVENT_CHECKPOINT_SIGNED, /* and published: the batch is done */
        EVENT_TICK,              /* deadlines; and the turn of the loop is over: batches may start */
        EVENT_STOP,              /* finish what has an intent, start nothing new */
} CoreEventType;

typedef struct CoreEvent {
        CoreEventType type;
        JobId job;
        unsigned worker;
        Reason reason;
        bool alone;       /* EVENT_ALLOWED: the job needs a frame of its own (its content travels with it) */
        uint64_t op_usec; /* EVENT_FRAME_DONE: what one operation of it took the token; 0: not known */
        uint64_t now_usec; /* monotonic */
} CoreEvent;

typedef enum CoreActionType {
        ACTION_WRITE_INTENTS,   /* core_intents(): make them durable, then EVENT_INTENTS_DURABLE */
        ACTION_SEND,            /* core_frame(worker, frame): send these jobs as one frame */
        ACTION_SEND_CHECKPOINT, /* worker: have the checkpoint of the committed tree signed */
        ACTION_COMMIT,          /* core_commit(): write their entries, then EVENT_COMMITTED */
        ACTION_FAIL,    /* job, reason: answer it with an error; the job goes on or ends without its owner's
                           client */
        ACTION_DONE,    /* job: its entry is covered by a published checkpoint: answer it */
        ACTION_RELEASE, /* job: over; the number may be used again after this */
        ACTION_RESET_WORKER, /* worker: no answer within its deadline: close the connection */
} CoreActionType;

typedef struct CoreAction {
        CoreActionType type;
        JobId job;
        unsigned worker;
        uint32_t frame; /* ACTION_SEND: which of the worker's frames */
        Reason reason;
} CoreAction;

/* A growing list that the caller empties after each step. */
typedef struct CoreActions {
        size_t n, capacity;
        CoreAction *items;
} CoreActions;

void core_actions_deinit(CoreActions *a);

typedef struct CoreOptions {
        unsigned n_workers;
        uint64_t token_timeout_usec;   /* of one call into the module */
        uint64_t request_timeout_usec; /* from EVENT_ALLOWED, _FOLLOW or _ENTRY to the answer */
} CoreOptions;

typedef struct Core Core;

enum {
        _CORE_E_SUCCESS,
        CORE_E_BUSY,     /* the pool, or this uid's share of it, is used up */
        CORE_E_STOPPING, /* no new jobs */
};

_must_use_ int core_new(Core **ret, const CoreOptions *options);
Core *core_free(Core *c);
DEFINE_CLEANUP(Core *, core_free)

/*
 * Take a job from the pool (state JOB_NEW).  `request` groups jobs that are answered together (a commit
 * waits for the rest of the request, not for other requests): any number below LIMIT_JOBS that its owner
 * keeps unique.  CORE_E_BUSY, CORE_E_STOPPING.  `internal` jobs are the daemon's own: nobody waits for them,
 * no quota and no stop holds them up.
 */
_must_use_ int core_job_new(Core *c, uint32_t uid, uint32_t request, bool internal, JobId *ret);

/*
 * One event.  The pair of a job's state and event has to be in the table of core.c; any other is a fault of
 * the program
 * (-ENOTRECOVERABLE): the caller stops.  -ENOMEM.
 */
_must_use_ int core_step(Core *c, const CoreEvent *event, CoreActions *actions);

JobState core_job_state(const Core *c, JobId job);
/* The batches that the actions speak of; valid until the event that ends them. */
const JobId *core_intents(const Core *c, size_t *ret_n);
const JobId *core_commit(const Core *c, size_t *ret_n);
/* The frame that an ACTION_SEND speaks of; valid until it is answered. */
const JobId *core_frame(const Core *c, unsigned worker, uint32_t frame, size_t *ret_n);
/* The oldest frame of a worker (the one whose answer comes next); *ret_checkpoint: it is the checkpoint. */
const JobId *core_frame_oldest(const Core *c, unsigned worker, size_t *ret_n, bool *ret_checkpoint);

/* The next instant at which EVENT_TICK is due for a deadline; UINT64_MAX: none. */
uint64_t core_next_deadline(const Core *c);
size_t core_n_jobs(const Core *c);
unsigned core_n_inflight(const Core *c, unsigned worker); /* operations asked and not answered */
bool core_idle(const Core *c); /* nothing that has an intent or an entry is under way */
