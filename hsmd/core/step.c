/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_step(): one function for each event.
 */
#include <assert.h>

#include "base/error.h"
#include "core/core-internal.h"

/* Once set it stays: who followed another for most of the time has little of it left. */
static void step_set_deadline(Core *c, Job *job, uint64_t now_usec)
{
        if (job->internal)
                return;
        if (job->deadline_usec == UINT64_MAX)
                job->deadline_usec = now_usec + c->options.request_timeout_usec;
        core_set_next_deadline(c, job->deadline_usec);
}

static int step_allowed(Core *c, const CoreEvent *e, CoreActions *actions)
{
        Job *job = &c->jobs[e->job];
        int r;

        if (c->stopping) {
                r = core_emit(actions, ACTION_FAIL, e->job, 0, REASON_STOPPING);
                if (r == 0)
                        r = job_move(c, e->job, JOB_EVENT_CLOSED);
                return error_fold(r == 0 ? core_release(c, e->job, actions) : r);
        }
        r = job_move(c, e->job, JOB_EVENT_ALLOWED);
        if (r != 0)
                return error_fold(r);
        job->alone = e->alone;
        step_set_deadline(c, job, e->now_usec);
        jobs_push(c, &core_user_of(c, job)->ready, e->job);
        return 0;
}

static int step_follow(Core *c, const CoreEvent *e)
{
        step_set_deadline(c, &c->jobs[e->job], e->now_usec);
        return error_fold(job_move(c, e->job, JOB_EVENT_FOLLOW));
}

static int step_closed(Core *c, const CoreEvent *e, CoreActions *actions)
{
        Job *job = &c->jobs[e->job];
        int r;

        if (job->state == JOB_READY)
                jobs_remove(c, &core_user_of(c, job)->ready, e->job);
        r = job_move(c, e->job, JOB_EVENT_CLOSED);
        if (r != 0)
                return error_fold(r);
        return error_fold(core_release(c, e->job, actions));
}

static int step_entry(Core *c, const CoreEvent *e)
{
        step_set_deadline(c, &c->jobs[e->job], e->now_usec);
        c->n_accountable++;
        return error_fold(schedule_stage(c, e->job, JOB_EVENT_ENTRY));
}

static int step_intents_durable(Core *c)
{
        int r;

        assert(c->n_intents > 0);
        for (size_t i = 0; i < c->n_intents; i++) {
                JobId id = c->intents[i];
                CoreUser *user = core_user_of(c, &c->jobs[id]);

                r = job_move(c, id, JOB_EVENT_DURABLE);
                if (r != 0)
                        return error_fold(r);
                jobs_push(c, &user->queued, id);
                core_set_next_deadline(c, c->jobs[id].deadline_usec); /* it may have passed meanwhile */
        }
        c->n_intents = 0;
        return 0;
}

static int step_sign_failed(Core *c, const CoreEvent *e, CoreActions *actions)
{
        int r = schedule_stage(c, e->job, JOB_EVENT_FAILED);

        if (r != 0)
                return error_fold(r);
        return error_fold(schedule_fail(c, e->job, e->reason, actions));
}

static int step_checkpoint_signed(Core *c, CoreActions *actions)
{
        int r;

        if (c->commit_state != COMMIT_SIGNING)
                return error_origin(-ENOTRECOVERABLE);
        for (size_t i = 0; i < c->n_commit; i++) {
                JobId id = c->commit[i];
                Job *job = &c->jobs[id];

                if (!job->answered) {
                        r = core_emit(actions, ACTION_DONE, id, 0, REASON_NONE);
                        if (r != 0)
                                return error_fold(r);
                }
                r = job_move(c, id, JOB_EVENT_PUBLISHED);
                if (r != 0)
                        return error_fold(r);
                assert(c->n_accountable > 0);
                c->n_accountable--;
                r = core_release(c, id, actions);
                if (r != 0)
                        return error_fold(r);
        }
        c->n_commit = 0;
        c->commit_state = COMMIT_IDLE;
        return 0;
}

static int step_stop(Core *c, CoreActions *actions)
{
        int r;

        c->stopping = true;
        for (size_t i = 0; i < c->n_users;) {
                CoreUser *user = &c->users[i];
                uint32_t uid = user->uid;

                while (!jobs_empty(&user->ready)) {
                        JobId id = jobs_pop(c, &user->ready);
                        bool last = user->n_jobs == 1;

                        r = core_emit(actions, ACTION_FAIL, id, 0, REASON_STOPPING);
                        if (r == 0)
                                r = job_move(c, id, JOB_EVENT_CLOSED);
                        if (r == 0)
                                r = core_release(c, id, actions);
                        if (r != 0)
                                return error_fold(r);
                        if (last)
                                break; /* the slot now holds another user */
                }
                if (i < c->n_users && c->users[i].uid == uid)
                        i++;
        }
        return 0;
}

static int step_commit_state(Core *c, CommitState from, CommitState to)
{
        if (c->commit_state != from)
                return error_origin(-ENOTRECOVERABLE);
        c->commit_state = to;
        return 0;
}

int core_step(Core *c, const CoreEvent *e, CoreActions *actions)
{
        assert(c && e && actions);

        c->now_usec = e->now_usec;
        switch (e->type) {
        case EVENT_ALLOWED:
                return step_allowed(c, e, actions);
        case EVENT_FOLLOW:
                return step_follow(c, e);
        case EVENT_LEADER_DONE:
                return error_fold(job_move(c, e->job, JOB_EVENT_LEADER_DONE));
        case EVENT_CLOSED:
                return step_closed(c, e, actions);
        case EVENT_ENTRY:
                return step_entry(c, e);
        case EVENT_INTENTS_DURABLE:
                return step_intents_durable(c);
        case EVENT_SIGNED:
                return error_fold(schedule_stage(c, e->job, JOB_EVENT_SIGNED));
        case EVENT_SIGN_FAILED:
                return step_sign_failed(c, e, actions);
        case EVENT_FRAME_DONE:
                schedule_frame_done(c, e->worker, e->op_usec, e->now_usec);
                return 0;
        case EVENT_WORKER_UP:
                assert(!c->workers[e->worker].up && c->workers[e->worker].n_frames == 0);
                c->workers[e->worker].up = true;
                return 0;
        case EVENT_WORKER_DOWN:
                return error_fold(schedule_worker_down(c, e->worker, actions));
        case EVENT_COMMITTED:
                return step_commit_state(c, COMMIT_WRITING, COMMIT_UNSIGNED);
        case EVENT_CHECKPOINT_WANTED:
                return step_commit_state(c, COMMIT_IDLE, COMMIT_UNSIGNED);
        case EVENT_CHECKPOINT_SIGNED:
                return step_checkpoint_signed(c, actions);
        case EVENT_TICK: {
                int r = schedule_expire(c, e->now_usec, actions);

                return r != 0 ? error_fold(r) : error_fold(schedule_turn(c, e->now_usec, actions));
        }
        case EVENT_STOP:
                return step_stop(c, actions);
        }
        return error_origin(-ENOTRECOVERABLE);
}
