/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batches, workers, deadlines: who goes next.
 */
#include <assert.h>

#include "base/error.h"
#include "core/core-internal.h"

/* ---- queues ---- */

void jobs_push(Core *c, Jobs *q, JobId id)
{
        c->jobs[id].next = JOB_NONE;
        if (q->n == 0)
                q->head = id;
        else
                c->jobs[q->tail].next = id;
        q->tail = id;
        q->n++;
}

JobId jobs_pop(Core *c, Jobs *q)
{
        JobId id = q->head;

        assert(q->n > 0);
        q->head = c->jobs[id].next;
        q->n--;
        if (q->n == 0)
                jobs_init(q);
        c->jobs[id].next = JOB_NONE;
        return id;
}

void jobs_remove(Core *c, Jobs *q, JobId id)
{
        JobId *link = &q->head, previous = JOB_NONE;

        while (*link != id) {
                assert(*link != JOB_NONE);
                previous = *link;
                link = &c->jobs[*link].next;
        }
        *link = c->jobs[id].next;
        if (q->tail == id)
                q->tail = previous;
        q->n--;
        c->jobs[id].next = JOB_NONE;
}

/* ---- entries ---- */

int schedule_stage(Core *c, JobId id, JobEvent event)
{
        int r = job_move(c, id, event);

        if (r != 0)
                return error_fold(r);
        if (jobs_empty(&c->staged)) {
                c->staged_deadline_usec = c->now_usec + CORE_COMMIT_WAIT_USEC;
                core_set_next_deadline(c, c->staged_deadline_usec);
        }
        jobs_push(c, &c->staged, id);
        if (c->staged.n >= CORE_COMMIT_EAGER)
                c->commit_due = true;
        return 0;
}

int schedule_fail(Core *c, JobId id, Reason reason, CoreActions *actions)
{
        Job *job = &c->jobs[id];

        if (job->answered)
                return 0;
        job->answered = true;
        return core_emit(actions, ACTION_FAIL, id, 0, reason);
}

static int schedule_commit(Core *c, CoreActions *actions)
{
        int r;

        if (jobs_empty(&c->staged))
                c->commit_due = false; /* a request ended that had nothing to commit */
        if (c->commit_state != COMMIT_IDLE || !c->commit_due)
                return 0;
        assert(c->n_commit == 0);
        while (c->n_commit < LIMIT_COMMIT_BATCH && !jobs_empty(&c->staged)) {
                JobId id = jobs_pop(c, &c->staged);

                r = job_move(c, id, JOB_EVENT_COMMIT);
                if (r != 0)
                        return error_fold(r);
                c->commit[c->n_commit++] = id;
        }
        c->commit_due = !jobs_empty(&c->staged);
        c->commit_state = COMMIT_WRITING;
        return core_emit(actions, ACTION_COMMIT, JOB_NONE, 0, REASON_NONE);
}

/* ---- intents ---- */

static bool schedule_any_worker(const Core *c)
{
        for (unsigned i = 0; i < c->options.n_workers; i++)
                if (c->workers[i].up)
                        return true;
        return false;
}

/*
 * May this user's jobs have intents now?  All that wait, or half of what a user may have queued: each batch
 * costs a sync of the disk, and must not be as small as the frame that made room for it.
 */
static bool schedule_user_may_intend(const CoreUser *user)
{
        size_t room = CORE_QUEUED_PER_UID - user->n_queued;

        assert(user->n_queued <= CORE_QUEUED_PER_UID);
        return !jobs_empty(&user->ready) && (room >= user->ready.n || room >= CORE_QUEUED_PER_UID / 2);
}

/* One job from each user in turn, until the batch is full or nobody has one that may go. */
static int schedule_intents(Core *c, CoreActions *actions)
{
        bool may[LIMIT_PEERS], any = true;
        int r;

        if (c->n_intents > 0 || !schedule_any_worker(c))
                return 0;
        for (size_t i = 0; i < c->n_users; i++)
                may[i] = schedule_user_may_intend(&c->users[i]);
        while (any) {
                any = false;
                for (size_t i = 0; i < c->n_users && c->n_intents < LIMIT_COMMIT_BATCH; i++) {
                        size_t at = (c->user_turn + i) % c->n_users;
                        CoreUser *user = &c->users[at];
                        JobId id;

                        if (!may[at] || jobs_empty(&user->ready) || user->n_queued >= CORE_QUEUED_PER_UID)
                                continue;
                        id = jobs_pop(c, &user->ready);
                        r = job_move(c, id, JOB_EVENT_INTENT);
                        if (r != 0)
                                return error_fold(r);
                        user->n_queued++;
                        c->n_accountable++;
                        c->intents[c->n_intents++] = id;
                        any = true;
                }
        }
        if (c->n_intents == 0)
                return 0;
        return core_emit(actions, ACTION_WRITE_INTENTS, JOB_NONE, 0, REASON_NONE);
}

/* ---- workers ---- */

static CoreFrame *schedule_frame(CoreWorker *w, uint64_t now_usec)
{
        CoreFrame *frame = &w->frames[w->n_frames++];

        assert(w->n_frames <= CORE_FRAMES + 1);
        *frame = (CoreFrame){.number = ++w->last_frame, .sent_usec = now_usec};
        return frame;
}

/*
 * A worker that hangs in one call ends itself after the module's time-out.  This deadline is for what that
 * does not catch: a worker that is stopped, or a token that takes nearly the whole time-out for every call.
 */
static void schedule_frame_deadline(Core *c, unsigned worker, CoreFrame *frame, uint64_t now_usec)
{
        unsigned n = core_n_inflight(c, worker);

        frame->deadline_usec =
                now_usec + (n < 4 ? n : 4) * c->options.token_timeout_usec + CORE_FRAME_GRACE_USEC;
        core_set_next_deadline(c, frame->deadline_usec);
}

/* The user whose turn it is among those with a queued job; NULL if none has one.  The turn passes when one
 * is served. */
static CoreUser *schedule_next_user(Core *c)
{
        for (size_t i = 0; i < c->n_users; i++) {
                CoreUser *user = &c->users[(c->user_turn + i) % c->n_users];

                if (!jobs_empty(&user->queued))
                        return user;
        }
        return NULL;
}

static size_t schedule_frame_size(const CoreWorker *w)
{
        if (w->op_usec == 0)
                return 1;
        if (w->op_usec * LIMIT_TOKEN_BATCH <= CORE_FRAME_USEC)
                return LIMIT_TOKEN_BATCH;
        return w->op_usec >= CORE_FRAME_USEC ? 1 : CORE_FRAME_USEC / w->op_usec;
}

static int schedule_send(Core *c, unsigned worker, uint64_t now_usec, CoreActions *actions)
{
        CoreWorker *w = &c->workers[worker];
        size_t max = schedule_frame_size(w);
        CoreUser *user = schedule_next_user(c);
        CoreFrame *frame;
        int r;

        if (!user)
                return 0;
        frame = schedule_frame(w, now_usec);
        for (bool alone = false; user && frame->n < max && !alone; user = schedule_next_user(c)) {
                JobId id = user->queued.head;

                alone = c->jobs[id].alone;
                if (alone && frame->n > 0)
                        break; /* it heads the next frame */
                (void)jobs_pop(c, &user->queued);
                c->user_turn = (size_t)(user - c->users) + 1;
                assert(user->n_queued > 0);
                user->n_queued--;
                r = job_move(c, id, JOB_EVENT_SENT);
                if (r != 0)
                        return error_fold(r);
                frame->jobs[frame->n++] = id;
        }
        schedule_frame_deadline(c, worker, frame, now_usec);
        r = core_emit(actions, ACTION_SEND, JOB_NONE, worker, REASON_NONE);
        if (r == 0)
                actions->items[actions->n - 1].frame = frame->number;
        return error_fold(r);
}

static size_t schedule_sign_frames(const CoreWorker *w)
{
        size_t n = 0;

        for (size_t i = 0; i < w->n_frames; i++)
                n += !w->frames[i].checkpoint;
        return n;
}

/* The worker that will be free first, with room for one more frame; n_workers if there is none. */
static unsigned schedule_least_busy(const Core *c, size_t max_frames)
{
        unsigned best = c->options.n_workers;

        for (unsigned i = 0; i < c->options.n_workers; i++) {
                if (!c->workers[i].up || schedule_sign_frames(&c->workers[i]) >= max_frames)
                        continue;
                if (best == c->options.n_workers || core_n_inflight(c, i) < core_n_inflight(c, best))
                        best = i;
        }
        return best;
}

static int schedule_checkpoint(Core *c, uint64_t now_usec, CoreActions *actions)
{
        unsigned worker;
        CoreFrame *frame;

        if (c->commit_state != COMMIT_UNSIGNED)
                return 0;
        worker = schedule_least_busy(c, CORE_FRAMES + 1);
        if (worker == c->options.n_workers)
                return 0;
        frame = schedule_frame(&c->workers[worker], now_usec);
        frame->checkpoint = true;
        schedule_frame_deadline(c, worker, frame, now_usec);
        c->commit_state = COMMIT_SIGNING;
        return core_emit(actions, ACTION_SEND_CHECKPOINT, JOB_NONE, worker, REASON_NONE);
}

static int schedule_workers(Core *c, uint64_t now_usec, CoreActions *actions)
{
        for (;;) {
                unsigned worker = schedule_least_busy(c, CORE_FRAMES);
                size_t before = actions->n;
                int r;

                if (worker == c->options.n_workers)
                        return 0;
                r = schedule_send(c, worker, now_usec, actions);
                if (r != 0)
                        return error_fold(r);
                if (actions->n == before)
                        return 0;
        }
}

void schedule_frame_done(Core *c, unsigned worker, uint64_t op_usec, uint64_t now_usec)
{
        CoreWorker *w = &c->workers[worker];
        const CoreFrame *frame = &w->frames[0];

        assert(w->n_frames > 0);
        if (!frame->checkpoint && frame->n > 0) {
                uint64_t start = frame->sent_usec > w->last_done_usec ? frame->sent_usec : w->last_done_usec;
                /* Our own clock also counts how long the answer waited for us: second best. */
                uint64_t op = op_usec > 0 ? op_usec : (now_usec - start) / frame->n + 1;

                w->op_usec = w->op_usec == 0 ? op : (w->op_usec * 7 + op) / 8;
        }
        w->last_done_usec = now_usec;
        w->n_frames--;
        memmove(&w->frames[0], &w->frames[1], w->n_frames * sizeof(w->frames[0]));
}

int schedule_worker_down(Core *c, unsigned worker, CoreActions *actions)
{
        CoreWorker *w = &c->workers[worker];
        int r;

        for (size_t i = 0; i < w->n_frames; i++) {
                if (w->frames[i].checkpoint) {
                        assert(c->commit_state == COMMIT_SIGNING);
                        c->commit_state = COMMIT_UNSIGNED;
                }
                for (size_t k = 0; k < w->frames[i].n; k++) {
                        JobId id = w->frames[i].jobs[k];

                        if (c->jobs[id].state != JOB_SIGNING)
                                continue; /* answered in a frame that was cut off half-way */
                        r = schedule_stage(c, id, JOB_EVENT_FAILED);
                        if (r == 0)
                                r = schedule_fail(c, id, REASON_OUTCOME_UNKNOWN, actions);
                        if (r != 0)
                                return error_fold(r);
                }
        }
        *w = (CoreWorker){.up = false};
        return 0;
}

/* ---- deadlines ---- */

static int schedule_expire_job(Core *c, JobId id, CoreActions *actions)
{
        Job *job = &c->jobs[id];
        CoreUser *user = core_user_of(c, job);
        int r;

        switch (job->state) {
        case JOB_READY:
        case JOB_FOLLOWING:
                if (job->state == JOB_READY)
                        jobs_remove(c, &user->ready, id);
                r = schedule_fail(c, id, REASON_TOKEN_UNAVAILABLE, actions);
                if (r == 0)
                        r = job_move(c, id, JOB_EVENT_CLOSED);
                return r != 0 ? error_fold(r) : error_fold(core_release(c, id, actions));
        case JOB_QUEUED:
                jobs_remove(c, &user->queued, id);
                user->n_queued--;
                r = schedule_stage(c, id, JOB_EVENT_FAILED);
                return r != 0 ? error_fold(r)
                              : error_fold(schedule_fail(c, id, REASON_TOKEN_UNAVAILABLE, actions));
        case JOB_SIGNING:
                /* It goes on to its entry; its frame has a deadline of its own. */
                return error_fold(schedule_fail(c, id, REASON_OUTCOME_UNKNOWN, actions));
        case JOB_STAGED:
        case JOB_COMMITTING:
                /* The entry will come; whoever asked is told to ask again, and then gets the recorded
                 * answer. */
                return error_fold(schedule_fail(c, id, REASON_TOKEN_UNAVAILABLE, actions));
        case JOB_INTENT: /* bounded by the disk */
        case JOB_NEW:
        case JOB_FREE:
        case _JOB_STATE_MAX:
                return 0;
        }
        return error_origin(-ENOTRECOVERABLE);
}

static int schedule_expire_frames(Core *c, uint64_t now_usec, uint64_t *next, CoreActions *actions)
{
        for (unsigned i = 0; i < c->options.n_workers; i++) {
                CoreWorker *w = &c->workers[i];
                int r;

                if (w->n_frames == 0)
                        continue;
                if (w->frames[0].deadline_usec > now_usec) {
                        *next = w->frames[0].deadline_usec < *next ? w->frames[0].deadline_usec : *next;
                        continue;
                }
                r = core_emit(actions, ACTION_RESET_WORKER, JOB_NONE, i, REASON_OUTCOME_UNKNOWN);
                if (r == 0)
                        r = schedule_worker_down(c, i, actions);
                if (r != 0)
                        return error_fold(r);
        }
        return 0;
}

int schedule_expire(Core *c, uint64_t now_usec, CoreActions *actions)
{
        uint64_t next = UINT64_MAX;
        int r;

        if (now_usec < c->next_deadline)
                return 0;
        if (!jobs_empty(&c->staged) && c->staged_deadline_usec <= now_usec)
                c->commit_due = true;
        r = schedule_expire_frames(c, now_usec, &next, actions);
        if (r != 0)
                return error_fold(r);
        for (JobId id = 0; id < LIMIT_JOBS; id++) {
                Job *job = &c->jobs[id];

                if (job->state == JOB_FREE || job->answered)
                        continue;
                if (job->deadline_usec > now_usec) {
                        next = job->deadline_usec < next ? job->deadline_usec : next;
                        continue;
                }
                r = schedule_expire_job(c, id, actions);
                if (r != 0)
                        return error_fold(r);
        }
        /* Jobs that were staged just now, or wait for their request. */
        if (!jobs_empty(&c->staged) && c->staged_deadline_usec > now_usec && c->staged_deadline_usec < next)
                next = c->staged_deadline_usec;
        c->next_deadline = next;
        return 0;
}

/* ---- the end of a turn ---- */

int schedule_turn(Core *c, uint64_t now_usec, CoreActions *actions)
{
        int r;

        /* The checkpoint first: a whole batch waits for it.  Then what the workers can do while the disk
         * syncs. */
        r = schedule_checkpoint(c, now_usec, actions);
        if (r == 0)
                r = schedule_workers(c, now_usec, actions);
        if (r == 0)
                r = schedule_intents(c, actions);
        if (r == 0)
                r = schedule_commit(c, actions);
        return error_fold(r);
}
