/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "base/error.h"
#include "core/core-internal.h"

/*
 * Every move a job can make.  A pair of state and event that is not here is a fault of this program, and
 * ends it: better no signature than one in an order that nobody thought of.
 */
typedef struct JobMove {
        JobState from;
        JobEvent event;
        JobState to;
} JobMove;

static const JobMove job_moves[] = {
        /* deciding */
        {JOB_NEW, JOB_EVENT_ALLOWED, JOB_READY},
        {JOB_NEW, JOB_EVENT_FOLLOW, JOB_FOLLOWING},
        {JOB_NEW, JOB_EVENT_CLOSED, JOB_FREE},
        {JOB_NEW, JOB_EVENT_ENTRY, JOB_STAGED},
        {JOB_FOLLOWING, JOB_EVENT_LEADER_DONE, JOB_NEW},
        {JOB_FOLLOWING, JOB_EVENT_CLOSED, JOB_FREE},
        /* before the intent, giving up costs nothing */
        {JOB_READY, JOB_EVENT_CLOSED, JOB_FREE},
        {JOB_READY, JOB_EVENT_INTENT, JOB_INTENT},
        /* from here on the job ends in an entry, whatever happens (promise 2) */
        {JOB_INTENT, JOB_EVENT_DURABLE, JOB_QUEUED},
        {JOB_QUEUED, JOB_EVENT_SENT, JOB_SIGNING},
        {JOB_QUEUED, JOB_EVENT_FAILED, JOB_STAGED},
        {JOB_SIGNING, JOB_EVENT_SIGNED, JOB_STAGED},
        {JOB_SIGNING, JOB_EVENT_FAILED, JOB_STAGED},
        {JOB_STAGED, JOB_EVENT_COMMIT, JOB_COMMITTING},
        {JOB_COMMITTING, JOB_EVENT_PUBLISHED, JOB_FREE},
};

bool job_state_is_open(JobState s)
{
        switch (s) {
        case JOB_NEW:
        case JOB_READY:
        case JOB_INTENT:
        case JOB_QUEUED:
        case JOB_SIGNING:
                return true;
        case JOB_FREE:
        case JOB_FOLLOWING:
        case JOB_STAGED:
        case JOB_COMMITTING:
        case _JOB_STATE_MAX:
                return false;
        }
        return false;
}

/* The last open job of a request is staged or gone: what the request has staged need not wait any longer. */
static void core_request_changed(Core *c, uint32_t request, bool was_open, bool is_open)
{
        if (was_open && !is_open) {
                assert(c->request_open[request] > 0);
                if (--c->request_open[request] == 0)
                        c->commit_due = true;
        } else if (!was_open && is_open) {
                c->request_open[request]++;
        }
}

int job_move(Core *c, JobId id, JobEvent event)
{
        Job *job = &c->jobs[id];

        for (size_t i = 0; i < ARRAY_SIZE(job_moves); i++)
                if (job_moves[i].from == job->state && job_moves[i].event == event) {
                        JobState from = job->state;

                        job->state = job_moves[i].to;
                        core_request_changed(c, job->request, job_state_is_open(from),
                                             job_state_is_open(job->state));
                        return 0;
                }
        return error_origin(-ENOTRECOVERABLE);
}

int core_emit(CoreActions *a, CoreActionType type, JobId job, unsigned worker, Reason reason)
{
        if (a->n == a->capacity) {
                size_t capacity = a->capacity > 0 ? a->capacity * 2 : 64;
                CoreAction *items = reallocarray(a->items, capacity, sizeof(*items));

                if (!items)
                        return error_origin(-ENOMEM);
                a->items = items;
                a->capacity = capacity;
        }
        a->items[a->n++] = (CoreAction){.type = type, .job = job, .worker = worker, .reason = reason};
        return 0;
}

void core_set_next_deadline(Core *c, uint64_t deadline_usec)
{
        if (deadline_usec < c->next_deadline)
                c->next_deadline = deadline_usec;
}

void core_actions_deinit(CoreActions *a)
{
        free(a->items);
        *a = (CoreActions){0, 0, NULL};
}

/* ---- the pool and the users ---- */

int core_new(Core **ret, const CoreOptions *options)
{
        _cleanup_(core_freep) Core *c = NULL;
        int r;

        assert(ret && options);
        assert(options->n_workers > 0 && options->n_workers <= LIMIT_WORKERS);

        r = memory_new0(&c, 1);
        if (r != 0)
                return error_fold(r);
        c->options = *options;
        c->next_deadline = UINT64_MAX;
        c->free_head = JOB_NONE;
        jobs_init(&c->staged);
        /* Last in, first out: the same few jobs, and their buffers, stay warm. */
        for (JobId i = LIMIT_JOBS; i-- > 0;) {
                c->jobs[i].next = c->free_head;
                c->free_head = i;
        }
        *ret = TAKE_PTR(c);
        return 0;
}

Core *core_free(Core *c)
{
        free(c);
        return NULL;
}

static CoreUser *core_user(Core *c, uint32_t uid)
{
        for (size_t i = 0; i < c->n_users; i++)
                if (c->users[i].uid == uid)
                        return &c->users[i];
        if (c->n_users == LIMIT_PEERS)
                return NULL;
        CoreUser *user = &c->users[c->n_users++];
        *user = (CoreUser){.uid = uid};
        jobs_init(&user->ready);
        jobs_init(&user->queued);
        return user;
}

CoreUser *core_user_of(Core *c, const Job *job)
{
        CoreUser *user = core_user(c, job->uid);

        assert(user && user->n_jobs > 0);
        return user;
}

int core_job_new(Core *c, uint32_t uid, uint32_t request, bool internal, JobId *ret)
{
        CoreUser *user;
        JobId id;

        assert(c && ret);
        assert(request < LIMIT_JOBS);

        if (c->stopping && !internal)
                return CORE_E_STOPPING;
        /* A reserve that only the daemon's own jobs may use: a full pool must not keep an intent from being
         * closed. */
        if (c->free_head == JOB_NONE || (!internal && c->n_jobs >= LIMIT_JOBS - CORE_RESERVE))
                return CORE_E_BUSY;
        user = core_user(c, uid);
        if (!user || (!internal && user->n_jobs >= LIMIT_JOBS_PER_UID))
                return CORE_E_BUSY;

        id = c->free_head;
        c->free_head = c->jobs[id].next;
        c->jobs[id] = (Job){.state = JOB_NEW,
                            .uid = uid,
                            .request = request,
                            .internal = internal,
                            .deadline_usec = UINT64_MAX,
                            .next = JOB_NONE};
        user->n_jobs++;
        c->n_jobs++;
        core_request_changed(c, request, false, true);
        *ret = id;
        return 0;
}

int core_release(Core *c, JobId id, CoreActions *actions)
{
        Job *job = &c->jobs[id];
        CoreUser *user = core_user_of(c, job);

        assert(job->state == JOB_FREE);
        assert(c->n_jobs > 0);

        c->n_jobs--;
        if (--user->n_jobs == 0) {
                assert(jobs_empty(&user->ready) && jobs_empty(&user->queued) && user->n_queued == 0);
                *user = c->users[--c->n_users];
        }
        job->next = c->free_head;
        c->free_head = id;
        return core_emit(actions, ACTION_RELEASE, id, 0, REASON_NONE);
}

/* ---- views ---- */

JobState core_job_state(const Core *c, JobId job)
{
        assert(job < LIMIT_JOBS);
        return c->jobs[job].state;
}

const JobId *core_intents(const Core *c, size_t *ret_n)
{
        *ret_n = c->n_intents;
        return c->intents;
}

const JobId *core_commit(const Core *c, size_t *ret_n)
{
        *ret_n = c->n_commit;
        return c->commit;
}

const JobId *core_frame(const Core *c, unsigned worker, uint32_t frame, size_t *ret_n)
{
        const CoreWorker *w = &c->workers[worker];
        size_t i = 0;

        while (w->frames[i].number != frame) {
                i++;
                assert(i < w->n_frames);
        }
        *ret_n = w->frames[i].n;
        return w->frames[i].jobs;
}

const JobId *core_frame_oldest(const Core *c, unsigned worker, size_t *ret_n, bool *ret_checkpoint)
{
        const CoreWorker *w = &c->workers[worker];

        *ret_n = w->n_frames > 0 ? w->frames[0].n : 0;
        *ret_checkpoint = w->n_frames > 0 && w->frames[0].checkpoint;
        return w->n_frames > 0 ? w->frames[0].jobs : NULL;
}

uint64_t core_next_deadline(const Core *c)
{
        return c->next_deadline;
}

size_t core_n_jobs(const Core *c)
{
        return c->n_jobs;
}

unsigned core_n_inflight(const Core *c, unsigned worker)
{
        const CoreWorker *w = &c->workers[worker];
        unsigned n = 0;

        for (size_t i = 0; i < w->n_frames; i++)
                n += w->frames[i].checkpoint ? 1 : (unsigned)w->frames[i].n;
        return n;
}

bool core_idle(const Core *c)
{
        return c->n_accountable == 0 && c->commit_state == COMMIT_IDLE;
}
