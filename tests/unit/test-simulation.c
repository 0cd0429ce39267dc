/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Short worlds from a seed: random requests, a token and a disk that are slow, workers that die, deadlines.
 * HSMD_SEED=N runs the one world N; HSMD_WORLDS=N sets how many there are.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "unit/core-world.h"

#define SIM_WORLDS   20000
#define SIM_STEPS    60
#define SIM_REQUESTS 8
#define SIM_WORKERS  3

/* What happened to the job that has a number now, as the promises see it. */
typedef struct SimJob {
        bool live, internal, intent, durable, sent, signed_, committed, published, failed, done;
} SimJob;

typedef struct Sim {
        World *w;
        uint64_t random;
        unsigned n_workers;
        bool stopped;
        bool intents_out, commit_out, commit_synced, checkpoint_out;
        unsigned checkpoint_worker;
        size_t n_intents, n_entries;  /* made */
        size_t n_commits_with_intent; /* entries that end an intent */
        size_t n_made, n_released;
        SimJob jobs[LIMIT_JOBS];
        JobId live[512];
        size_t n_live;
} Sim;

static uint64_t sim_random(Sim *s, uint64_t below)
{
        s->random ^= s->random << 13;
        s->random ^= s->random >> 7;
        s->random ^= s->random << 17;
        return (s->random >> 11) % below;
}

static void sim_release(Sim *s, JobId job)
{
        SimJob *j = &s->jobs[job];
        size_t i = 0;

        assert_true(j->live);
        /* An intent ends in a published entry, whatever happened. */
        if (j->intent || j->committed)
                assert_true(j->committed && j->published);
        assert_false(j->done && j->failed);
        while (s->live[i] != job)
                i++;
        s->live[i] = s->live[--s->n_live];
        *j = (SimJob){0};
        s->n_released++;
}

static void sim_check_frame(Sim *s, const CoreAction *a)
{
        size_t n;
        const JobId *jobs = core_frame(s->w->core, a->worker, a->frame, &n);

        assert_true(n > 0 && n <= LIMIT_TOKEN_BATCH);
        for (size_t i = 0; i < n; i++) {
                SimJob *j = &s->jobs[jobs[i]];

                assert_true(j->live && j->durable); /* promise 2 */
                assert_false(j->sent);              /* asked once, never again */
                j->sent = true;
        }
}

static void sim_check_commit(Sim *s)
{
        size_t n;
        const JobId *jobs = core_commit(s->w->core, &n);

        assert_false(s->commit_out);
        assert_true(n > 0 && n <= LIMIT_COMMIT_BATCH);
        for (size_t i = 0; i < n; i++) {
                SimJob *j = &s->jobs[jobs[i]];

                assert_true(j->live);
                assert_false(j->committed); /* one entry each */
                j->committed = true;
                s->n_commits_with_intent += j->intent;
                s->n_entries++;
        }
        s->commit_out = true;
        s->commit_synced = false;
}

static void sim_intents(Sim *s)
{
        size_t n;
        const JobId *jobs = core_intents(s->w->core, &n);

        assert_false(s->intents_out);
        assert_true(n > 0 && n <= LIMIT_COMMIT_BATCH);
        for (size_t i = 0; i < n; i++) {
                SimJob *j = &s->jobs[jobs[i]];

                assert_true(j->live);
                assert_false(j->intent);
                assert_false(j->failed); /* nobody who was told "no" gets an intent */
                j->intent = true;
                s->n_intents++;
        }
        s->intents_out = true;
}

static void sim_act(Sim *s, const CoreAction *a)
{
        switch (a->type) {
        case ACTION_WRITE_INTENTS:
                sim_intents(s);
                break;
        case ACTION_SEND:
                sim_check_frame(s, a);
                break;
        case ACTION_SEND_CHECKPOINT:
                assert_true(s->commit_out && s->commit_synced);
                assert_false(s->checkpoint_out);
                s->checkpoint_out = true;
                s->checkpoint_worker = a->worker;
                break;
        case ACTION_COMMIT:
                sim_check_commit(s);
                break;
        case ACTION_FAIL:
                assert_true(s->jobs[a->job].live && !s->jobs[a->job].internal);
                assert_false(s->jobs[a->job].failed); /* answered once */
                s->jobs[a->job].failed = true;
                break;
        case ACTION_DONE:
                assert_true(s->jobs[a->job].live && s->jobs[a->job].committed && s->jobs[a->job].published);
                assert_false(s->jobs[a->job].done);
                if (s->jobs[a->job].intent)
                        assert_true(s->jobs[a->job].signed_); /* promise 3 */
                s->jobs[a->job].done = true;
                break;
        case ACTION_RELEASE:
                sim_release(s, a->job);
                break;
        case ACTION_RESET_WORKER:
                if (s->checkpoint_out && s->checkpoint_worker == a->worker)
                        s->checkpoint_out = false;
                break;
        }
}

static void sim_step(Sim *s, CoreEvent event)
{
        world_step(s->w, event);
        /* Frames are looked at before anything else happens to their worker. */
        for (size_t i = 0; i < s->w->actions.n; i++)
                sim_act(s, &s->w->actions.items[i]);
}

static void sim_job(Sim *s, CoreEventType type, JobId job, Reason reason)
{
        sim_step(s, (CoreEvent){.type = type, .job = job, .reason = reason, .alone = sim_random(s, 8) == 0});
}

/* ---- what may happen ---- */

static void sim_new(Sim *s)
{
        bool internal = sim_random(s, 8) == 0;
        uint32_t uid = internal ? UINT32_MAX : (uint32_t)sim_random(s, 4);
        JobId job;
        int r;

        if (s->n_live == ARRAY_SIZE(s->live))
                return;
        r = core_job_new(s->w->core, uid, (uint32_t)sim_random(s, SIM_REQUESTS), internal, &job);
        assert_int_equal(r, s->stopped && !internal ? CORE_E_STOPPING : 0);
        if (r != 0)
                return;
        assert_false(s->jobs[job].live); /* a number is used by one job at a time */
        s->jobs[job] = (SimJob){.live = true, .internal = internal};
        s->live[s->n_live++] = job;
        s->n_made++;
        if (internal)
                sim_job(s, EVENT_ENTRY, job, REASON_NONE);
}

static void sim_decide(Sim *s, JobId job)
{
        uint64_t dice = sim_random(s, 10);

        switch (world_state(s->w, job)) {
        case JOB_NEW:
                sim_job(s,
                        dice < 6   ? EVENT_ALLOWED
                        : dice < 7 ? EVENT_FOLLOW
                        : dice < 8 ? EVENT_ENTRY
                                   : EVENT_CLOSED,
                        job, REASON_NONE);
                break;
        case JOB_FOLLOWING:
                sim_job(s, dice < 5 ? EVENT_LEADER_DONE : EVENT_CLOSED, job, REASON_NONE);
                break;
        case JOB_READY:
                if (dice < 2)
                        sim_job(s, EVENT_CLOSED, job, REASON_NONE);
                break;
        case JOB_FREE:
        case JOB_INTENT:
        case JOB_QUEUED:
        case JOB_SIGNING:
        case JOB_STAGED:
        case JOB_COMMITTING:
        case _JOB_STATE_MAX:
                break;
        }
}

static void sim_checkpoint_signed(Sim *s)
{
        size_t n;
        const JobId *jobs = core_commit(s->w->core, &n);

        assert_true(s->commit_synced);
        for (size_t i = 0; i < n; i++)
                s->jobs[jobs[i]].published = true;
        s->commit_out = s->commit_synced = s->checkpoint_out = false;
        sim_step(s, (CoreEvent){.type = EVENT_CHECKPOINT_SIGNED});
}

static void sim_down(Sim *s, unsigned worker)
{
        if (s->checkpoint_out && s->checkpoint_worker == worker)
                s->checkpoint_out = false;
        sim_step(s, (CoreEvent){.type = EVENT_WORKER_DOWN, .worker = worker});
}

/* The oldest frame of a worker comes back, or it goes down in the middle of it. */
static void sim_answer(Sim *s, unsigned worker, bool may_fail)
{
        JobId jobs[LIMIT_TOKEN_BATCH];
        bool checkpoint;
        size_t n;
        const JobId *frame = core_frame_oldest(s->w->core, worker, &n, &checkpoint);

        if (!frame)
                return;
        memcpy(jobs, frame, n * sizeof(jobs[0]));
        for (size_t i = 0; i < n; i++) {
                if (may_fail && sim_random(s, 40) == 0) {
                        sim_down(s, worker);
                        return;
                }
                s->jobs[jobs[i]].signed_ = !may_fail || sim_random(s, 8) > 0;
                sim_job(s, s->jobs[jobs[i]].signed_ ? EVENT_SIGNED : EVENT_SIGN_FAILED, jobs[i],
                        REASON_TOKEN_FAILED);
        }
        sim_step(s, (CoreEvent){.type = EVENT_FRAME_DONE, .worker = worker});
        if (checkpoint)
                sim_checkpoint_signed(s);
}

static void sim_worker(Sim *s, unsigned worker, bool may_fail)
{
        if (!s->w->core->workers[worker].up) {
                sim_step(s, (CoreEvent){.type = EVENT_WORKER_UP, .worker = worker});
                return;
        }
        if (may_fail && sim_random(s, 8) == 0) {
                sim_down(s, worker);
                return;
        }
        sim_answer(s, worker, may_fail);
}

static void sim_disk(Sim *s)
{
        if (s->intents_out && sim_random(s, 2)) {
                size_t n;
                const JobId *jobs = core_intents(s->w->core, &n);

                for (size_t i = 0; i < n; i++)
                        s->jobs[jobs[i]].durable = true;
                s->intents_out = false;
                sim_step(s, (CoreEvent){.type = EVENT_INTENTS_DURABLE});
        }
        if (s->commit_out && !s->commit_synced && sim_random(s, 2)) {
                s->commit_synced = true;
                sim_step(s, (CoreEvent){.type = EVENT_COMMITTED});
        }
}

static void sim_turn(Sim *s)
{
        static const uint64_t delays[] = {1, 50, 1000, 100000, 3000000, WORLD_REQUEST};

        s->w->now += delays[sim_random(s, ARRAY_SIZE(delays) - (sim_random(s, 4) > 0))];
        sim_step(s, (CoreEvent){.type = EVENT_TICK});
}

static void sim_random_step(Sim *s)
{
        uint64_t dice = sim_random(s, 100);

        if (dice < 30)
                sim_new(s);
        else if (dice < 55 && s->n_live > 0)
                sim_decide(s, s->live[sim_random(s, s->n_live)]);
        else if (dice < 70)
                sim_worker(s, (unsigned)sim_random(s, s->n_workers), true);
        else if (dice < 80)
                sim_disk(s);
        else if (dice < 99)
                sim_turn(s);
        else if (!s->stopped && sim_random(s, 4) == 0) {
                s->stopped = true;
                sim_step(s, (CoreEvent){.type = EVENT_STOP});
        }
}

/* Faults are off: everything comes to its end. */
static void sim_drain(Sim *s)
{
        for (unsigned rounds = 0; s->n_live > 0 || !core_idle(s->w->core); rounds++) {
                assert_true(rounds < 2000);
                for (size_t i = s->n_live; i-- > 0;)
                        if (i < s->n_live)
                                sim_decide(s, s->live[i]);
                for (unsigned k = 0; k < s->n_workers; k++)
                        sim_worker(s, k, false);
                sim_disk(s);
                s->w->now += 100;
                sim_step(s, (CoreEvent){.type = EVENT_TICK});
        }
}

/* Each job is in the state that its history allows, and core's own counts agree with ours. */
static void sim_check(const Sim *s)
{
        size_t accountable = 0;

        for (size_t i = 0; i < s->n_live; i++) {
                const SimJob *j = &s->jobs[s->live[i]];
                JobState state = world_state(s->w, s->live[i]);

                accountable += state >= JOB_INTENT;
                assert_int_not_equal(state, JOB_FREE);
                if (state == JOB_QUEUED || state == JOB_SIGNING)
                        assert_true(j->durable && j->sent == (state == JOB_SIGNING));
                if (state < JOB_INTENT)
                        assert_false(j->intent || j->committed);
        }
        assert_int_equal(core_n_jobs(s->w->core), s->n_live);
        assert_int_equal(s->w->core->n_accountable, accountable);
}

static void sim_world(uint64_t seed)
{
        static Sim sim;
        Sim *s = &sim;
        _cleanup_(world_freep) World *w = world_new(SIM_WORKERS);

        for (size_t i = 0; i < s->n_live; i++) /* of a world that failed */
                s->jobs[s->live[i]] = (SimJob){0};
        s->w = w;
        s->random = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15);
        s->n_workers = SIM_WORKERS;
        s->stopped = s->intents_out = s->commit_out = s->commit_synced = s->checkpoint_out = false;
        s->n_intents = s->n_entries = s->n_commits_with_intent = s->n_made = s->n_released = s->n_live = 0;

        /* Requests end before or after the token's own time-out. */
        if (sim_random(s, 2))
                w->core->options.request_timeout_usec = WORLD_TOKEN / 4;
        if (sim_random(s, 8) == 0) {
                s->commit_out = s->commit_synced = true;
                sim_step(s, (CoreEvent){.type = EVENT_CHECKPOINT_WANTED});
        }
        for (size_t i = 0, n = SIM_STEPS + sim_random(s, SIM_STEPS); i < n; i++) {
                sim_random_step(s);
                sim_check(s);
        }
        sim_drain(s);

        assert_true(core_idle(w->core));
        assert_int_equal(core_n_jobs(w->core), 0);
        assert_int_equal(s->n_released, s->n_made);
        assert_int_equal(s->n_commits_with_intent, s->n_intents);
        assert_int_equal(w->core->n_users, 0);
        for (unsigned i = 0; i < SIM_REQUESTS; i++)
                assert_int_equal(w->core->request_open[i], 0);
}

static uint64_t sim_number(const char *name, uint64_t otherwise)
{
        const char *text = getenv(name);

        return text ? strtoull(text, NULL, 10) : otherwise;
}

static void core_random_worlds_keep_the_promises(void **state)
{
        uint64_t worlds = sim_number("HSMD_WORLDS", SIM_WORLDS), first = (uint64_t)time(NULL) << 20;

        (void)state;
        if (getenv("HSMD_SEED")) {
                first = sim_number("HSMD_SEED", 0);
                worlds = 1;
        }
        for (uint64_t i = 0; i < worlds; i++) {
                /* Printed before, since a failing assertion does not come back. */
                static char text[64];

                (void)snprintf(text, sizeof(text), "HSMD_SEED=%" PRIu64, first + i);
                if (i == 0)
                        print_message("%" PRIu64 " worlds from %s\n", worlds, text);
                (void)setenv("HSMD_SEED_RUNNING", text, 1);
                sim_world(first + i);
        }
        (void)unsetenv("HSMD_SEED_RUNNING");
}

/* cmocka leaves a failing test by longjmp(): say which world it was. */
static int sim_teardown(void **state)
{
        const char *seed = getenv("HSMD_SEED_RUNNING");

        (void)state;
        if (seed)
                print_error("this world again: %s\n", seed);
        return 0;
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(core_random_worlds_keep_the_promises, sim_teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
