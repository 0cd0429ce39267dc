/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What core.c (jobs) and schedule.c (batches, workers, deadlines) share.
 */
#include "base/bytes.h"
#include "core/core.h"

/* Jobs that only the daemon's own entries may take. */
#define CORE_RESERVE 1024
/* Durable intents of one uid that wait for a worker: bounds what a dead token turns into abandoned entries.
 */
#define CORE_QUEUED_PER_UID 384
/* Sign frames a worker has at once: one it works on, one so that it need not wait for us. */
#define CORE_FRAMES 2
/* Work in one frame: short enough that nobody waits long behind it, long enough to hide one sync of the
 * disk. */
#define CORE_FRAME_USEC 1500
/* Beyond the module's own time-out, before hsmd gives a worker up. */
#define CORE_FRAME_GRACE_USEC (5 * 1000 * 1000)
/* Entries that are committed without waiting for the rest of their requests. */
#define CORE_COMMIT_EAGER 256
/* How long entries wait for the rest of their requests: one huge artifact must not hold small ones back. */
#define CORE_COMMIT_WAIT_USEC (250 * 1000)

typedef enum JobEvent {
        JOB_EVENT_ALLOWED,
        JOB_EVENT_FOLLOW,
        JOB_EVENT_LEADER_DONE,
        JOB_EVENT_CLOSED,
        JOB_EVENT_ENTRY,
        JOB_EVENT_INTENT,
        JOB_EVENT_DURABLE,
        JOB_EVENT_SENT,
        JOB_EVENT_SIGNED,
        JOB_EVENT_FAILED,
        JOB_EVENT_COMMIT,
        JOB_EVENT_PUBLISHED,
} JobEvent;

typedef struct Job {
        JobState state;
        uint32_t uid, request;
        bool internal;
        bool alone;    /* takes a frame of its own */
        bool answered; /* ACTION_FAIL went out: nobody waits any longer */
        uint64_t deadline_usec;
        JobId next;
} Job;

/* A queue of jobs, linked through Job.next. */
typedef struct Jobs {
        JobId head, tail;
        size_t n;
} Jobs;

typedef struct CoreUser {
        uint32_t uid;
        size_t n_jobs;
        size_t n_queued;
        Jobs ready;  /* JOB_READY */
        Jobs queued; /* JOB_QUEUED */
} CoreUser;

typedef struct CoreFrame {
        uint32_t number; /* of this worker's frames, ascending */
        bool checkpoint;
        size_t n;
        JobId jobs[LIMIT_TOKEN_BATCH];
        uint64_t sent_usec, deadline_usec;
} CoreFrame;

typedef struct CoreWorker {
        bool up;
        size_t n_frames;                   /* oldest first */
        CoreFrame frames[CORE_FRAMES + 1]; /* and the checkpoint */
        uint32_t last_frame;
        uint64_t op_usec; /* moving average of one operation; 0: not measured yet */
        uint64_t last_done_usec;
} CoreWorker;

typedef enum CommitState {
        COMMIT_IDLE,
        COMMIT_WRITING,  /* ACTION_COMMIT is out */
        COMMIT_UNSIGNED, /* durable; no worker has been asked for the checkpoint */
        COMMIT_SIGNING,  /* a worker has been */
} CommitState;

struct Core {
        CoreOptions options;
        bool stopping;
        bool commit_due;
        uint64_t now_usec; /* of the step under way */
        CommitState commit_state;
        uint64_t next_deadline;
        size_t n_jobs;
        size_t n_accountable; /* jobs with an intent or an entry */
        JobId free_head;
        size_t n_users, user_turn;
        CoreUser users[LIMIT_PEERS];
        Jobs staged;
        uint64_t staged_deadline_usec; /* of the first of them: commit, whatever is still to come */
        size_t n_intents, n_commit;
        JobId intents[LIMIT_COMMIT_BATCH], commit[LIMIT_COMMIT_BATCH];
        CoreWorker workers[LIMIT_WORKERS];
        uint16_t request_open[LIMIT_JOBS];
        Job jobs[LIMIT_JOBS];
};

static inline void jobs_init(Jobs *q)
{
        *q = (Jobs){JOB_NONE, JOB_NONE, 0};
}

static inline bool jobs_empty(const Jobs *q)
{
        return q->n == 0;
}

void jobs_push(Core *c, Jobs *q, JobId id);
JobId jobs_pop(Core *c, Jobs *q);
/* Take a job out of the middle; it has to be there. */
void jobs_remove(Core *c, Jobs *q, JobId id);

bool job_state_is_open(JobState s);
_must_use_ int job_move(Core *c, JobId id, JobEvent event);
_must_use_ int core_emit(CoreActions *a, CoreActionType type, JobId job, unsigned worker, Reason reason);
void core_set_next_deadline(Core *c, uint64_t deadline_usec);
CoreUser *core_user_of(Core *c, const Job *job);
_must_use_ int core_release(Core *c, JobId id, CoreActions *actions);

/* schedule.c */
_must_use_ int schedule_stage(Core *c, JobId id, JobEvent event);
_must_use_ int schedule_turn(Core *c, uint64_t now_usec, CoreActions *actions);
_must_use_ int schedule_expire(Core *c, uint64_t now_usec, CoreActions *actions);
_must_use_ int schedule_worker_down(Core *c, unsigned worker, CoreActions *actions);
void schedule_frame_done(Core *c, unsigned worker, uint64_t op_usec, uint64_t now_usec);
_must_use_ int schedule_fail(Core *c, JobId id, Reason reason, CoreActions *actions);
