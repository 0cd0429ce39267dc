/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Core with nothing around it: events go in by hand, actions are looked at.  Include after cmocka.h.
 */
#include "base/error.h"
#include "core/core-internal.h"

#define WORLD_START   UINT64_C(1000000000)
#define WORLD_TOKEN   UINT64_C(10000000)
#define WORLD_REQUEST UINT64_C(60000000)

typedef struct World {
        Core *core;
        CoreActions actions; /* of the last step */
        uint64_t now;
        uint32_t n_requests;
} World;

static inline World *world_new(unsigned n_workers)
{
        const CoreOptions options = {.n_workers = n_workers,
                                     .token_timeout_usec = WORLD_TOKEN,
                                     .request_timeout_usec = WORLD_REQUEST};
        World *w = calloc(1, sizeof(*w));

        assert_non_null(w);
        error_set_trace(NULL);
        assert_int_equal(core_new(&w->core, &options), 0);
        w->now = WORLD_START;
        return w;
}

static inline void world_freep(World **w)
{
        core_actions_deinit(&(*w)->actions);
        core_free((*w)->core);
        free(*w);
}

static inline int world_try(World *w, CoreEvent event)
{
        event.now_usec = w->now;
        w->actions.n = 0;
        return core_step(w->core, &event, &w->actions);
}

static inline void world_step(World *w, CoreEvent event)
{
        assert_int_equal(world_try(w, event), 0);
}

static inline size_t world_n(const World *w, CoreActionType type)
{
        size_t n = 0;

        for (size_t i = 0; i < w->actions.n; i++)
                n += w->actions.items[i].type == type;
        return n;
}

/* The n-th action of this type in the last step. */
static inline const CoreAction *world_action(const World *w, CoreActionType type, size_t n)
{
        for (size_t i = 0; i < w->actions.n; i++)
                if (w->actions.items[i].type == type && n-- == 0)
                        return &w->actions.items[i];
        fail_msg("no such action");
        return NULL;
}

static inline void world_job(World *w, CoreEventType type, JobId job)
{
        world_step(w, (CoreEvent){.type = type, .job = job});
}

static inline void world_worker(World *w, CoreEventType type, unsigned worker)
{
        world_step(w, (CoreEvent){.type = type, .worker = worker});
}

static inline void world_event(World *w, CoreEventType type)
{
        world_step(w, (CoreEvent){.type = type});
}

static inline void world_tick(World *w)
{
        world_event(w, EVENT_TICK);
}

static inline JobState world_state(const World *w, JobId job)
{
        return core_job_state(w->core, job);
}

static inline JobId world_new_job(World *w, uint32_t uid, uint32_t request)
{
        JobId job;

        assert_int_equal(core_job_new(w->core, uid, request, false, &job), 0);
        assert_int_equal(world_state(w, job), JOB_NEW);
        return job;
}

/* A job of a request of its own, allowed. */
static inline JobId world_ready(World *w, uint32_t uid)
{
        JobId job = world_new_job(w, uid, w->n_requests++ % LIMIT_JOBS);

        world_job(w, EVENT_ALLOWED, job);
        return job;
}

/* One turn in which the disk takes the intents, and the next in which workers are asked. */
static inline void world_send(World *w)
{
        world_tick(w);
        assert_int_equal(world_n(w, ACTION_WRITE_INTENTS), 1);
        world_event(w, EVENT_INTENTS_DURABLE);
        world_tick(w);
}

/* The oldest frame of a worker comes back signed. */
static inline void world_answer(World *w, unsigned worker)
{
        JobId jobs[LIMIT_TOKEN_BATCH];
        bool checkpoint;
        size_t n;
        const JobId *frame = core_frame_oldest(w->core, worker, &n, &checkpoint);

        assert_non_null(frame);
        memcpy(jobs, frame, n * sizeof(jobs[0]));
        for (size_t i = 0; i < n; i++)
                world_job(w, EVENT_SIGNED, jobs[i]);
        world_worker(w, EVENT_FRAME_DONE, worker);
        if (checkpoint)
                world_event(w, EVENT_CHECKPOINT_SIGNED);
}

/* Make the scheduler believe that an operation takes this long. */
static inline void world_set_op(World *w, unsigned worker, uint64_t usec)
{
        w->core->workers[worker].op_usec = usec;
}
