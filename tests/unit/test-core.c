/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "unit/core-world.h"

/* ---- the table ---- */

#define N_EVENTS (JOB_EVENT_PUBLISHED + 1)

/* Written down a second time, by what the promises say: where each state may go. */
static JobState move_expected(JobState from, JobEvent event)
{
        switch (event) {
        case JOB_EVENT_ALLOWED:
                return from == JOB_NEW ? JOB_READY : _JOB_STATE_MAX;
        case JOB_EVENT_FOLLOW:
                return from == JOB_NEW ? JOB_FOLLOWING : _JOB_STATE_MAX;
        case JOB_EVENT_LEADER_DONE:
                return from == JOB_FOLLOWING ? JOB_NEW : _JOB_STATE_MAX;
        case JOB_EVENT_CLOSED:
                return from == JOB_NEW || from == JOB_FOLLOWING || from == JOB_READY ? JOB_FREE
                                                                                     : _JOB_STATE_MAX;
        case JOB_EVENT_ENTRY:
                return from == JOB_NEW ? JOB_STAGED : _JOB_STATE_MAX;
        case JOB_EVENT_INTENT:
                return from == JOB_READY ? JOB_INTENT : _JOB_STATE_MAX;
        case JOB_EVENT_DURABLE:
                return from == JOB_INTENT ? JOB_QUEUED : _JOB_STATE_MAX;
        case JOB_EVENT_SENT:
                return from == JOB_QUEUED ? JOB_SIGNING : _JOB_STATE_MAX;
        case JOB_EVENT_SIGNED:
                return from == JOB_SIGNING ? JOB_STAGED : _JOB_STATE_MAX;
        case JOB_EVENT_FAILED:
                return from == JOB_QUEUED || from == JOB_SIGNING ? JOB_STAGED : _JOB_STATE_MAX;
        case JOB_EVENT_COMMIT:
                return from == JOB_STAGED ? JOB_COMMITTING : _JOB_STATE_MAX;
        case JOB_EVENT_PUBLISHED:
                return from == JOB_COMMITTING ? JOB_FREE : _JOB_STATE_MAX;
        }
        return _JOB_STATE_MAX;
}

static void job_move_every_pair_is_taken_or_refused(void **state)
{
        (void)state;
        size_t taken = 0;

        for (int from = JOB_FREE; from < _JOB_STATE_MAX; from++)
                for (int event = 0; event < (int)N_EVENTS; event++) {
                        _cleanup_(world_freep) World *w = world_new(1);
                        JobState to = move_expected((JobState)from, (JobEvent)event);
                        JobId job = world_new_job(w, 1000, 0);
                        int r;

                        w->core->jobs[job].state = (JobState)from;
                        w->core->request_open[0] = job_state_is_open((JobState)from);
                        r = job_move(w->core, job, (JobEvent)event);
                        taken += r == 0;
                        assert_int_equal(r, to == _JOB_STATE_MAX ? -ENOTRECOVERABLE : 0);
                        assert_int_equal(world_state(w, job), to == _JOB_STATE_MAX ? from : (int)to);
                        assert_int_equal(w->core->request_open[0], job_state_is_open(world_state(w, job)));
                }
        assert_int_equal(taken, 15);
}

/* The same through the front door: an event about a job in the wrong state stops the daemon. */
static void core_step_event_out_of_order_is_fatal(void **state)
{
        static const CoreEventType wrong[] = {EVENT_SIGNED, EVENT_SIGN_FAILED, EVENT_LEADER_DONE,
                                              EVENT_COMMITTED, EVENT_CHECKPOINT_SIGNED};

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
                _cleanup_(world_freep) World *w = world_new(1);
                JobId job = world_ready(w, 1000);

                assert_int_equal(world_try(w, (CoreEvent){.type = wrong[i], .job = job}), -ENOTRECOVERABLE);
        }
        _cleanup_(world_freep) World *w = world_new(1);
        JobId job = world_ready(w, 1000);

        assert_int_equal(world_try(w, (CoreEvent){.type = EVENT_ALLOWED, .job = job}), -ENOTRECOVERABLE);
        assert_int_equal(world_try(w, (CoreEvent){.type = EVENT_FOLLOW, .job = job}), -ENOTRECOVERABLE);
}

static void core_step_checkpoint_wanted_while_committing_is_fatal(void **state)
{
        (void)state;
        _cleanup_(world_freep) World *w = world_new(1);

        world_event(w, EVENT_CHECKPOINT_WANTED);
        assert_false(core_idle(w->core));
        assert_int_equal(world_try(w, (CoreEvent){.type = EVENT_CHECKPOINT_WANTED}), -ENOTRECOVERABLE);
}

/* ---- one job, all the way ---- */

static void core_step_allowed_job_goes_the_whole_way(void **state)
{
        (void)state;
        _cleanup_(world_freep) World *w = world_new(1);
        JobId job;
        size_t n;

        world_worker(w, EVENT_WORKER_UP, 0);
        job = world_ready(w, 1000);
        assert_true(core_idle(w->core)); /* nothing is promised yet */
        world_tick(w);
        assert_int_equal(w->actions.n, 1);
        assert_int_equal(world_state(w, job), JOB_INTENT);
        assert_int_equal(core_intents(w->core, &n)[0], job);
        assert_int_equal(n, 1);
        assert_false(core_idle(w->core));
        world_event(w, EVENT_INTENTS_DURABLE);
        assert_int_equal(world_state(w, job), JOB_QUEUED);
        world_tick(w);
        assert_int_equal(w->actions.n, 1);
        assert_int_equal(core_frame(w->core, 0, world_action(w, ACTION_SEND, 0)->frame, &n)[0], job);
        assert_int_equal(world_state(w, job), JOB_SIGNING);
        assert_int_equal(core_n_inflight(w->core, 0), 1);
        world_answer(w, 0);
        assert_int_equal(world_state(w, job), JOB_STAGED);
        assert_int_equal(core_n_inflight(w->core, 0), 0);
        world_tick(w);
        assert_int_equal(w->actions.n, 1);
        assert_int_equal(world_n(w, ACTION_COMMIT), 1);
        assert_int_equal(core_commit(w->core, &n)[0], job);
        world_event(w, EVENT_COMMITTED);
        world_tick(w);
        assert_int_equal(w->actions.n, 1);
        assert_int_equal(world_n(w, ACTION_SEND_CHECKPOINT), 1);
        assert_int_equal(core_n_inflight(w->core, 0), 1);
        world_answer(w, 0);
        assert_int_equal(w->actions.n, 2);
        assert_int_equal(w->actions.items[0].type, ACTION_DONE);
        assert_int_equal(w->actions.items[1].type, ACTION_RELEASE);
        assert_int_equal(world_state(w, job), JOB_FREE);
        assert_int_equal(core_n_jobs(w->core), 0);
        assert_true(core_idle(w->core));
        world_tick(w);
        assert_int_equal(w->actions.n, 0);
}

static void core_step_no_worker_no_intent(void **state)
{
        (void)state;
        _cleanup_(world_freep) World *w = world_new(2);
        JobId job = world_ready(w, 1000);

        world_tick(w);
        assert_int_equal(w->actions.n, 0);
        assert_int_equal(world_state(w, job), JOB_READY);
        world_worker(w, EVENT_WORKER_UP, 1);
        world_tick(w);
        assert_int_equal(world_n(w, ACTION_WRITE_INTENTS), 1);
}

static void core_step_failed_signature_is_answered_and_entered_but_never_done(void **state)
{
        (void)state;
        _cleanup_(world_freep) World *w = world_new(1);
        JobId job;

        world_worker(w, EVENT_WORKER_UP, 0);
        job = world_ready(w, 1000);
        world_send(w);
        world_step(w, (CoreEvent){.type = EVENT_SIGN_FAILED, .job = job, .reason = REASON_SIGNATURE_WRONG});
        assert_int_equal(world_action(w, ACTION_FAIL, 0)->reason, REASON_SIGNATURE_WRONG);
        world_worker(w, EVENT_FRAME_DONE, 0);
        world_tick(w);
        assert_int_equal(world_n(w, ACTION_COMMIT), 1);
        world_event(w, EVENT_COMMITTED);
        world_tick(w);
        world_answer(w, 0);
        assert_int_equal(world_n(w, ACTION_DONE), 0);
        assert_int_equal(world_n(w, ACTION_RELEASE), 1);
        assert_true(core_idle(w->core));
}

static void core_step_checkpoint_wanted_at_start_is_signed_without_a_commit(void **state)
{
        (void)state;
        _cleanup_(world_freep) World *w = world_new(1);

        world_event(w, EVENT_CHECKPOINT_WANTED);
        world_tick(w);
        assert_int_equal(w->actions.n, 0); /* nobody can sign it */
        world_worker(w, EVENT_WORKER_UP, 0);
        world_tick(w);
        assert_int_equal(world_n(w, ACTION_SEND_CHECKPOINT), 1);
        world_answer(w, 0);
        assert_true(core_idle(w->core));
}

static void core_step_followers_wait_and_decide_again(void **state)
{
        (void)state;
        _cleanup_(world_freep) World *w = world_new(1);
        JobId follower = world_new_job(w, 1000, 0), other = world_new_job(w, 1000, 0);

        world_worker(w, EVENT_WORKER_UP, 0);
        world_job(w, EVENT_FOLLOW, follower);
        world_job(w, EVENT_FOLLOW, other);
        world_tick(w);
        assert_int_equal(w->actions.n, 0);
        world_job(w, EVENT_LEADER_DONE, follower);
        assert_int_equal(world_state(w, follower), JOB_NEW);
        world_job(w, EVENT_ALLOWED, follower);
        world_tick(w);
        assert_int_equal(world_state(w, follower), JOB_INTENT);
        world_job(w, EVENT_CLOSED, other);
        assert_int_equal(world_n(w, ACTION_RELEASE), 1);
}

/* ---- pool, quotas, reserve ---- */

static void core_job_new_over_the_quota_of_a_uid_is_busy(void **state)
{
        (void)state;
        _cleanup_(world_freep) World *w = world_new(1);
        JobId job = JOB_NONE, first = world_new_job(w, 1000, 0);

        for (size_t i = 1; i < LIMIT_JOBS_PER_UID; i++)
                (void)world_new_job(w, 1000, 0);
        assert_int_equal(core_job_new(w->core, 1000, 0, false, &job), CORE_E_BUSY);
        assert_int_equal(job, JOB_NONE);
        assert_int_equal(core_job_new(w->core, 1001, 1, false, &job), 0); /* another uid is not in its way */
        world_job(w, EVENT_CLOSED, first);
        assert_int_equal(core_job_new(w->core, 1000, 0, false, &job), 0);
        assert_int_equal(core_job_new(w->core, 1000, 0, false, &job), CORE_E_BUSY);
}

static void core_job_new_full_pool_keeps_a_reserve_for_the_daemon(void **state)
{
        (void)state;
        _cleanup_(world_freep) World *w = world_new(1);
        JobId job;

        for (size_t i = 0; i < LIMIT_JOBS - CORE_RESERVE; i++)
                (void)world_new_job(w, (uint32_t)(i % 3), (uint32_t)i);
        assert_int_equal(core_job_new(w->core, 9, 0, false, &job), CORE_E_BUSY);
        for (size_t i = 0; i < CORE_RESERVE; i++)
                assert_int_equal(core_job_new(w->core, UINT32_MAX, (uint32_t)i, true, &job), 0);
        assert_int_equal(core_job_new(w->core, UINT32_MAX, 0, true, &job), CORE_E_BUSY);
        assert_int_equal(core_n_jobs(w->core), LIMIT_JOBS);
}

static void core_job_new_more_uids_than_peers_is_busy(void **state)
{
        (void)state;
        _cleanup_(world_freep) World *w = world_new(1);
        JobId job, first = world_new_job(w, 0, 0);

        for (uint32_t uid = 1; uid < LIMIT_PEERS; uid++)
                (void)world_new_job(w, uid, uid);
        assert_int_equal(core_job_new(w->core, LIMIT_PEERS, 0, false, &job), CORE_E_BUSY);
        world_job(w, EVENT_CLOSED, first); /* its uid is forgotten with its last job */
        assert_int_equal(core_job_new(w->core, LIMIT_PEERS, 0, false, &job), 0);
}

/* ---- deadlines ---- */

static void core_step_deadline_of_ready_job_ends_it_without_a_trace(void **state)
{
        (void)state;
        _cleanup_(world_freep) World *w = world_new(1);
        JobId job = world_ready(w, 1000), later;

        assert_int_equal(core_next_deadline(w->core), w->now + WORLD_REQUEST);
        w->now += 5;
        later = world_ready(w, 1000);
        w->now += WORLD_REQUEST - 6;
        world_tick(w);
        assert_int_equal(w->actions.n, 0);
        w->now++;
        world_tick(w);
        assert_int_equal(w->actions.n, 2);
        assert_int_equal(w->actions.items[0].type, ACTION_FAIL);
        assert_int_equal(w->actions.items[0].reason, REASON_TOKEN_UNAVAILABLE);
        assert_int_equal(w->actions.items[1].type, ACTION_RELEASE);
        assert_int_equal(w->actions.items[1].job, job);
        assert_int_equal(world_state(w, later), JOB_READY);
        assert_int_equal(core_next_deadline(w->core), w->now + 5);
        assert_true(core_idle(w->core));
}

static void core_step_deadline_of_queued_job_ends_in_an_entry(void **state)
{
        (void)state;
        _cleanup_(world_freep) World *w = world_new(1);
        JobId job;

        world_worker(w, EVENT_WORKER_UP, 0);
        job = world_ready(w, 1000);
        world_tick(w);
        world_event(w, EVENT_INTENTS_DURABLE);
        world_worker(w, EVENT_WORKER_DOWN, 0);
        w->now += WORLD_REQUEST;
        world_tick(w);
        assert_int_equal(world_action(w, ACTION_FAIL, 0)->reason, REASON_TOKEN_UNAVAILABLE);
        assert_int_equal(world_n(w, ACTION_RELEASE), 0);
        assert_int_equal(world_n(w, ACTION_COMMIT), 1);
        assert_int_equal(world_state(w, job), JOB_COMMITTING);
        assert_false(core_idle(w->core));
}

/* It becomes due while the disk writes its intent: it may not be forgotten. */
static void core_step_deadline_while_the_intent_is_written_is_seen_afterwards(void **state)
{
        (void)state;
        _cleanup_(world_freep) World *w = world_new(1);

        world_worker(w, EVENT_WORKER_UP, 0);
        (void)world_ready(w, 1000);
        world_tick(w);
        w->now += WORLD_REQUEST;
        world_tick(w);
        assert_int_equal(w->actions.n, 0);
        world_worker(w, EVENT_WORKER_DOWN, 0);
        world_event(w, EVENT_INTENTS_DURABLE);
        assert_true(core_next_deadline(w->core) <= w->now);
        world_tick(w);
        assert_int_equal(world_n(w, ACTION_FAIL), 1);
}

static void core_step_deadline_of_signing_job_answers_once_and_keeps_the_signature(void **state)
{
        (void)state;
        _cleanup_(world_freep) World *w = world_new(1);
        JobId job;

        world_worker(w, EVENT_WORKER_UP, 0);
        job = world_ready(w, 1000);
        w->now += WORLD_REQUEST - 10; /* so that the request ends before its frame */
        world_send(w);
        w->now += 10;
        world_tick(w);
        assert_int_equal(w->actions.n, 1);
        assert_int_equal(world_action(w, ACTION_FAIL, 0)->reason, REASON_OUTCOME_UNKNOWN);
        assert_int_equal(world_state(w, job), JOB_SIGNING);
        world_answer(w, 0);
        w->now += WORLD_REQUEST;
        world_tick(w);
        assert_int_equal(world_n(w, ACTION_FAIL), 0);
        assert_int_equal(world_n(w, ACTION_COMMIT), 1);
        world_event(w, EVENT_COMMITTED);
        world_tick(w);
        world_answer(w, 0);
        assert_int_equal(world_n(w, ACTION_DONE), 0);
        assert_int_equal(world_n(w, ACTION_RELEASE), 1);
}

static void core_step_signature_that_fails_after_the_deadline_is_not_answered_again(void **state)
{
        (void)state;
        _cleanup_(world_freep) World *w = world_new(1);
        JobId job;

        world_worker(w, EVENT_WORKER_UP, 0);
        job = world_ready(w, 1000);
        w->now += WORLD_REQUEST - 10;
        world_send(w);
        w->now += 10;
        world_tick(w);
        assert_int_equal(world_n(w, ACTION_FAIL), 1);
        world_step(w, (CoreEvent){.type = EVENT_SIGN_FAILED, .job = job, .reason = REASON_TOKEN_FAILED});
        assert_int_equal(w->actions.n, 0);
        assert_int_equal(world_state(w, job), JOB_STAGED);
}

static void core_step_deadline_of_committing_job_answers_and_the_entry_comes(void **state)
{
        (void)state;
        _cleanup_(world_freep) World *w = world_new(1);
        JobId job = world_new_job(w, 1000, 0);

        world_job(w, EVENT_ENTRY, job);
        world_tick(w);
        assert_int_equal(world_n(w, ACTION_COMMIT), 1);
        world_event(w, EVENT_COMMITTED);
        w->now += WORLD_REQUEST;
        world_tick(w);
        assert_int_equal(world_n(w, ACTION_FAIL), 1);
        world_tick(w);
        assert_int_equal(world_n(w, ACTION_FAIL), 0);
        world_worker(w, EVENT_WORKER_UP, 0);
        world_tick(w);
        world_answer(w, 0);
        assert_int_equal(world_n(w, ACTION_DONE), 0);
        assert_int_equal(world_n(w, ACTION_RELEASE), 1);
}

/* A token that is down for hours holds the leader's entry back; who follows it must not wait for that. */
static void core_step_deadline_of_following_job_ends_it(void **state)
{
        (void)state;
        _cleanup_(world_freep) World *w = world_new(1);
        JobId job = world_new_job(w, 1000, 0);

        world_job(w, EVENT_FOLLOW, job);
        assert_int_equal(core_next_deadline(w->core), w->now + WORLD_REQUEST);
        w->now += WORLD_REQUEST - 1;
        world_tick(w);
        assert_int_equal(w->actions.n, 0);
        w->now++;
        world_tick(w);
        assert_int_equal(w->actions.n, 2);
        assert_int_equal(w->actions.items[0].type, ACTION_FAIL);
        assert_int_equal(w->actions.items[1].type, ACTION_RELEASE);
        assert_int_equal(core_n_jobs(w->core), 0);
}

static void core_step_deadline_of_a_follower_goes_on_when_it_leads(void **state)
{
        (void)state;
        _cleanup_(world_freep) World *w = world_new(1);
        JobId job = world_new_job(w, 1000, 0);

        world_job(w, EVENT_FOLLOW, job);
        w->now += WORLD_REQUEST - 1;
        world_job(w, EVENT_LEADER_DONE, job);
        world_job(w, EVENT_ALLOWED, job);
        world_tick(w);
        assert_int_equal(w->actions.n, 0);
        w->now++;
        world_tick(w);
        assert_int_equal(world_n(w, ACTION_FAIL), 1);
}

static void core_step_job_of_the_daemon_has_no_deadline(void **state)
{
        (void)state;
        _cleanup_(world_freep) World *w = world_new(1);
        JobId job;

        assert_int_equal(core_job_new(w->core, UINT32_MAX, 0, true, &job), 0);
        world_job(w, EVENT_ENTRY, job);
        world_tick(w);
        assert_int_equal(world_n(w, ACTION_COMMIT), 1);
        world_event(w, EVENT_COMMITTED);
        w->now += 1000 * WORLD_REQUEST; /* no worker, no checkpoint */
        world_tick(w);
        assert_int_equal(w->actions.n, 0);
        assert_int_equal(core_next_deadline(w->core), UINT64_MAX);
}

/* ---- stop ---- */

static void core_step_stop_fails_what_is_ready_and_finishes_what_is_promised(void **state)
{
        (void)state;
        _cleanup_(world_freep) World *w = world_new(1);
        JobId promised, deciding, job;

        world_worker(w, EVENT_WORKER_UP, 0);
        promised = world_ready(w, 1000);
        world_send(w);
        assert_int_equal(world_state(w, promised), JOB_SIGNING);
        deciding = world_new_job(w, 1003, 7000);
        for (uint32_t uid = 1000; uid < 1003; uid++)
                for (int i = 0; i < 3; i++)
                        (void)world_ready(w, uid);
        world_event(w, EVENT_STOP);
        assert_int_equal(world_n(w, ACTION_FAIL), 9);
        assert_int_equal(world_n(w, ACTION_RELEASE), 9);
        assert_int_equal(world_action(w, ACTION_FAIL, 0)->reason, REASON_STOPPING);
        assert_int_equal(core_n_jobs(w->core), 2);
        assert_int_equal(core_job_new(w->core, 1000, 0, false, &job), CORE_E_STOPPING);

        world_job(w, EVENT_ALLOWED, deciding); /* too late */
        assert_int_equal(world_n(w, ACTION_FAIL), 1);
        assert_int_equal(world_n(w, ACTION_RELEASE), 1);

        assert_false(core_idle(w->core));
        world_answer(w, 0);
        world_tick(w);
        world_event(w, EVENT_COMMITTED);
        assert_int_equal(core_job_new(w->core, UINT32_MAX, 0, true, &job), 0); /* its last refusals */
        world_job(w, EVENT_ENTRY, job);
        world_tick(w);
        world_answer(w, 0);
        assert_int_equal(world_n(w, ACTION_DONE), 1);
        assert_false(core_idle(w->core));
        world_tick(w);
        world_event(w, EVENT_COMMITTED);
        world_tick(w);
        world_answer(w, 0);
        assert_true(core_idle(w->core));
        assert_int_equal(core_n_jobs(w->core), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(job_move_every_pair_is_taken_or_refused),
                cmocka_unit_test(core_step_event_out_of_order_is_fatal),
                cmocka_unit_test(core_step_checkpoint_wanted_while_committing_is_fatal),
                cmocka_unit_test(core_step_allowed_job_goes_the_whole_way),
                cmocka_unit_test(core_step_no_worker_no_intent),
                cmocka_unit_test(core_step_failed_signature_is_answered_and_entered_but_never_done),
                cmocka_unit_test(core_step_checkpoint_wanted_at_start_is_signed_without_a_commit),
                cmocka_unit_test(core_step_followers_wait_and_decide_again),
                cmocka_unit_test(core_job_new_over_the_quota_of_a_uid_is_busy),
                cmocka_unit_test(core_job_new_full_pool_keeps_a_reserve_for_the_daemon),
                cmocka_unit_test(core_job_new_more_uids_than_peers_is_busy),
                cmocka_unit_test(core_step_deadline_of_ready_job_ends_it_without_a_trace),
                cmocka_unit_test(core_step_deadline_of_queued_job_ends_in_an_entry),
                cmocka_unit_test(core_step_deadline_while_the_intent_is_written_is_seen_afterwards),
                cmocka_unit_test(core_step_deadline_of_signing_job_answers_once_and_keeps_the_signature),
                cmocka_unit_test(core_step_signature_that_fails_after_the_deadline_is_not_answered_again),
                cmocka_unit_test(core_step_deadline_of_committing_job_answers_and_the_entry_comes),
                cmocka_unit_test(core_step_deadline_of_following_job_ends_it),
                cmocka_unit_test(core_step_deadline_of_a_follower_goes_on_when_it_leads),
                cmocka_unit_test(core_step_job_of_the_daemon_has_no_deadline),
                cmocka_unit_test(core_step_stop_fails_what_is_ready_and_finishes_what_is_promised),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
