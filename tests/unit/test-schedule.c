/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "unit/core-world.h"

static uint32_t job_uid(const World *w, JobId job)
{
        return w->core->jobs[job].uid;
}

/* ---- fairness ---- */

static void schedule_intents_greedy_uid_leaves_room_for_another(void **state)
{
        (void)state;
        _cleanup_(world_freep) World *w = world_new(1);
        JobId one;
        size_t n;

        for (int i = 0; i < 1000; i++)
                (void)world_ready(w, 1000);
        one = world_ready(w, 1001);
        world_worker(w, EVENT_WORKER_UP, 0);
        world_tick(w);
        assert_int_equal(world_state(w, one), JOB_INTENT);
        /* A dead token abandons no more of one uid, and one batch holds no more of all. */
        (void)core_intents(w->core, &n);
        assert_true(n == LIMIT_COMMIT_BATCH || n == CORE_QUEUED_PER_UID + 1);
        for (int i = 0; i < 200; i++) {
                size_t n_queued = 0;

                world_set_op(w, 0, 100 * 1000);
                if (w->core->n_intents > 0)
                        world_event(w, EVENT_INTENTS_DURABLE);
                for (JobId job = 0; job < 1001; job++)
                        n_queued += world_state(w, job) == JOB_QUEUED || world_state(w, job) == JOB_INTENT;
                assert_true(n_queued <= CORE_QUEUED_PER_UID + 1);
                world_tick(w);
                world_answer(w, 0);
                w->core->commit_due = false; /* this test is not about commits */
                world_tick(w);
        }
}

/* The single job of one uid is among the first frames, also when a frame holds one job only. */
static void schedule_send_slow_token_serves_uids_in_turn(void **state)
{
        (void)state;
        _cleanup_(world_freep) World *w = world_new(1);
        unsigned served[3] = {0};
        JobId one;

        for (int i = 0; i < 1000; i++)
                (void)world_ready(w, 1000);
        for (int i = 0; i < 40; i++)
                (void)world_ready(w, 1001);
        one = world_ready(w, 1002);
        world_worker(w, EVENT_WORKER_UP, 0);
        world_send(w);
        for (int i = 0; i < 60; i++) {
                size_t n;
                bool checkpoint;
                const JobId *frame = core_frame_oldest(w->core, 0, &n, &checkpoint);

                assert_false(checkpoint);
                assert_int_equal(n, 1);
                served[job_uid(w, frame[0]) - 1000]++;
                if (frame[0] == one)
                        assert_true(i < 3);
                world_set_op(w, 0, 100 * 1000);
                world_answer(w, 0);
                w->now += 100 * 1000;
                w->core->commit_due = false; /* this test is not about commits */
                world_tick(w);
                if (world_n(w, ACTION_WRITE_INTENTS) > 0)
                        world_event(w, EVENT_INTENTS_DURABLE);
        }
        assert_int_equal(served[2], 1);
        assert_true(served[1] >= 29 && served[1] <= 30);
        assert_true(served[0] >= 29 && served[0] <= 30);
}

static void schedule_send_fast_token_shares_each_frame(void **state)
{
        (void)state;
        _cleanup_(world_freep) World *w = world_new(1);
        const JobId *frame;
        unsigned of_first = 0;
        size_t n;

        for (int i = 0; i < 100; i++)
                (void)world_ready(w, 1000);
        for (int i = 0; i < 100; i++)
                (void)world_ready(w, 1001);
        world_worker(w, EVENT_WORKER_UP, 0);
        world_set_op(w, 0, 10);
        world_send(w);
        frame = core_frame(w->core, 0, world_action(w, ACTION_SEND, 0)->frame, &n);
        assert_int_equal(n, LIMIT_TOKEN_BATCH);
        for (size_t i = 0; i < n; i++)
                of_first += job_uid(w, frame[i]) == 1000;
        assert_int_equal(of_first, LIMIT_TOKEN_BATCH / 2);
}

static void schedule_send_frame_size_follows_the_time_of_an_operation(void **state)
{
        static const struct {
                uint64_t op_usec;
                size_t n;
        } rows[] = {{0, 1},   {1, 16},   {93, 16},  {94, 15},    {500, 3},
                    {750, 2}, {1499, 1}, {1500, 1}, {9000000, 1}};

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                _cleanup_(world_freep) World *w = world_new(1);
                size_t n;

                for (int k = 0; k < 40; k++)
                        (void)world_ready(w, 1000);
                world_worker(w, EVENT_WORKER_UP, 0);
                world_set_op(w, 0, rows[i].op_usec);
                world_send(w);
                (void)core_frame(w->core, 0, world_action(w, ACTION_SEND, 0)->frame, &n);
                assert_int_equal(n, rows[i].n);
        }
}

static void schedule_frame_done_measures_one_operation(void **state)
{
        (void)state;
        _cleanup_(world_freep) World *w = world_new(1);

        (void)world_ready(w, 1000);
        world_worker(w, EVENT_WORKER_UP, 0);
        world_send(w);
        w->now += 799;
        world_answer(w, 0);
        assert_int_equal(w->core->workers[0].op_usec, 800);
}

static void schedule_send_job_with_content_has_a_frame_of_its_own(void **state)
{
        (void)state;
        _cleanup_(world_freep) World *w = world_new(1);
        JobId jobs[4];
        size_t n;

        for (uint32_t i = 0; i < 4; i++) {
                jobs[i] = world_new_job(w, 1000, i);
                world_step(w, (CoreEvent){.type = EVENT_ALLOWED, .job = jobs[i], .alone = i == 2});
        }
        world_worker(w, EVENT_WORKER_UP, 0);
        world_set_op(w, 0, 1);
        world_send(w);
        assert_int_equal(world_n(w, ACTION_SEND), 2);
        assert_int_equal(core_frame(w->core, 0, world_action(w, ACTION_SEND, 0)->frame, &n)[0], jobs[0]);
        assert_int_equal(n, 2);
        assert_int_equal(core_frame(w->core, 0, world_action(w, ACTION_SEND, 1)->frame, &n)[0], jobs[2]);
        assert_int_equal(n, 1);
        assert_int_equal(world_state(w, jobs[3]), JOB_QUEUED);
}

/* ---- workers ---- */

/* Regression ("core: say which frame an action means"): both frames are sent in one step. */
static void schedule_send_two_frames_of_one_worker_in_one_step_are_told_apart(void **state)
{
        (void)state;
        _cleanup_(world_freep) World *w = world_new(1);
        JobId first = world_ready(w, 1000), second = world_ready(w, 1000);
        uint32_t numbers[2];
        size_t n;

        world_worker(w, EVENT_WORKER_UP, 0);
        world_send(w);
        assert_int_equal(world_n(w, ACTION_SEND), 2);
        for (size_t i = 0; i < 2; i++) {
                assert_int_equal(world_action(w, ACTION_SEND, i)->worker, 0);
                numbers[i] = world_action(w, ACTION_SEND, i)->frame;
        }
        assert_int_not_equal(numbers[0], numbers[1]);
        assert_int_equal(core_frame(w->core, 0, numbers[0], &n)[0], first);
        assert_int_equal(core_frame(w->core, 0, numbers[1], &n)[0], second);
}

static void schedule_send_work_goes_to_the_least_busy_worker(void **state)
{
        (void)state;
        _cleanup_(world_freep) World *w = world_new(3);

        for (int i = 0; i < 9; i++)
                (void)world_ready(w, 1000);
        world_worker(w, EVENT_WORKER_UP, 0);
        world_worker(w, EVENT_WORKER_UP, 2);
        world_send(w);
        assert_int_equal(world_n(w, ACTION_SEND), 4);
        assert_int_equal(core_n_inflight(w->core, 0), 2);
        assert_int_equal(core_n_inflight(w->core, 1), 0);
        assert_int_equal(core_n_inflight(w->core, 2), 2);
}

static void schedule_worker_down_fails_what_it_had_and_nothing_else(void **state)
{
        (void)state;
        _cleanup_(world_freep) World *w = world_new(2);
        JobId jobs[6];
        size_t n_signing = 0, n_queued = 0;

        for (int i = 0; i < 6; i++)
                jobs[i] = world_ready(w, 1000);
        world_worker(w, EVENT_WORKER_UP, 0);
        world_worker(w, EVENT_WORKER_UP, 1);
        world_send(w);
        world_worker(w, EVENT_WORKER_DOWN, 0);
        assert_int_equal(world_n(w, ACTION_FAIL), 2);
        assert_int_equal(world_action(w, ACTION_FAIL, 1)->reason, REASON_OUTCOME_UNKNOWN);
        for (int i = 0; i < 6; i++) {
                n_signing += world_state(w, jobs[i]) == JOB_SIGNING;
                n_queued += world_state(w, jobs[i]) == JOB_QUEUED;
        }
        assert_int_equal(n_signing, 2);
        assert_int_equal(n_queued, 2);
        world_worker(w, EVENT_WORKER_UP, 0);
        world_tick(w);
        assert_int_equal(world_n(w, ACTION_SEND), 2); /* never those of before again */
        assert_int_equal(core_n_inflight(w->core, 0), 2);
}

/* Half of a frame was taken up when the worker turned out to be bad. */
static void schedule_worker_down_after_half_a_frame_fails_the_other_half(void **state)
{
        (void)state;
        _cleanup_(world_freep) World *w = world_new(1);
        JobId jobs[4];

        for (int i = 0; i < 4; i++)
                jobs[i] = world_ready(w, 1000);
        world_worker(w, EVENT_WORKER_UP, 0);
        world_set_op(w, 0, 1);
        world_send(w);
        world_job(w, EVENT_SIGNED, jobs[0]);
        world_worker(w, EVENT_WORKER_DOWN, 0);
        assert_int_equal(world_n(w, ACTION_FAIL), 3);
        for (size_t i = 0; i < 3; i++)
                assert_int_not_equal(world_action(w, ACTION_FAIL, i)->job, jobs[0]);
}

static void schedule_worker_down_with_the_checkpoint_asks_another(void **state)
{
        (void)state;
        _cleanup_(world_freep) World *w = world_new(2);
        JobId job = world_new_job(w, 1000, 0);
        unsigned first;

        world_worker(w, EVENT_WORKER_UP, 0);
        world_worker(w, EVENT_WORKER_UP, 1);
        world_job(w, EVENT_ENTRY, job);
        world_tick(w);
        world_event(w, EVENT_COMMITTED);
        world_tick(w);
        first = world_action(w, ACTION_SEND_CHECKPOINT, 0)->worker;
        world_worker(w, EVENT_WORKER_DOWN, first);
        assert_int_equal(world_n(w, ACTION_FAIL), 0);
        world_tick(w);
        assert_int_equal(world_action(w, ACTION_SEND_CHECKPOINT, 0)->worker, !first);
        world_answer(w, !first);
        assert_int_equal(world_n(w, ACTION_DONE), 1);
        assert_true(core_idle(w->core));
}

/* Two sign frames are under way on the only worker: the checkpoint still has room. */
static void schedule_checkpoint_busy_worker_takes_it_behind_its_frames(void **state)
{
        (void)state;
        _cleanup_(world_freep) World *w = world_new(1);
        JobId entry = world_new_job(w, 1001, 4000);

        for (int i = 0; i < 4; i++)
                (void)world_ready(w, 1000);
        world_worker(w, EVENT_WORKER_UP, 0);
        world_send(w);
        world_job(w, EVENT_ENTRY, entry);
        world_tick(w);
        world_event(w, EVENT_COMMITTED);
        world_tick(w);
        assert_int_equal(world_n(w, ACTION_SEND_CHECKPOINT), 1);
        assert_int_equal(core_n_inflight(w->core, 0), 3);
        world_tick(w);
        assert_int_equal(world_n(w, ACTION_SEND), 0); /* the window is full */
}

static void schedule_expire_frame_without_answer_resets_its_worker_only(void **state)
{
        (void)state;
        _cleanup_(world_freep) World *w = world_new(2);

        for (int i = 0; i < 2; i++)
                (void)world_ready(w, 1000);
        world_worker(w, EVENT_WORKER_UP, 0);
        world_worker(w, EVENT_WORKER_UP, 1);
        world_send(w);
        assert_int_equal(core_next_deadline(w->core), w->now + WORLD_TOKEN + CORE_FRAME_GRACE_USEC);
        world_answer(w, 1);
        w->now += WORLD_TOKEN + CORE_FRAME_GRACE_USEC - 1;
        world_tick(w);
        assert_int_equal(world_n(w, ACTION_RESET_WORKER), 0);
        w->now++;
        world_tick(w);
        assert_int_equal(world_n(w, ACTION_RESET_WORKER), 1);
        assert_int_equal(world_action(w, ACTION_RESET_WORKER, 0)->worker, 0);
        assert_int_equal(world_n(w, ACTION_FAIL), 1);
        assert_int_equal(core_n_inflight(w->core, 0), 0);
        assert_false(w->core->workers[0].up);
        assert_true(w->core->workers[1].up);
}

/* ---- commits ---- */

static void schedule_commit_waits_for_the_rest_of_the_request(void **state)
{
        (void)state;
        _cleanup_(world_freep) World *w = world_new(1);
        JobId first = world_new_job(w, 1000, 7), second = world_new_job(w, 1000, 7);

        world_job(w, EVENT_ENTRY, first);
        world_tick(w);
        assert_int_equal(w->actions.n, 0);
        world_job(w, EVENT_ENTRY, second);
        world_tick(w);
        assert_int_equal(world_n(w, ACTION_COMMIT), 1);
}

/* A request that ended earlier without an entry says nothing about this one. */
static void schedule_commit_refused_request_before_does_not_hurry_it(void **state)
{
        (void)state;
        _cleanup_(world_freep) World *w = world_new(1);
        JobId refused = world_new_job(w, 1000, 6), first, second;

        world_job(w, EVENT_CLOSED, refused);
        world_tick(w);
        first = world_new_job(w, 1000, 7);
        second = world_new_job(w, 1000, 7);
        world_job(w, EVENT_ENTRY, first);
        world_tick(w);
        assert_int_equal(world_n(w, ACTION_COMMIT), 0);
        world_job(w, EVENT_CLOSED, second);
        world_tick(w);
        assert_int_equal(world_n(w, ACTION_COMMIT), 1);
}

static void schedule_commit_does_not_wait_for_other_requests(void **state)
{
        (void)state;
        _cleanup_(world_freep) World *w = world_new(1);
        JobId mine, other = world_new_job(w, 1000, 8);
        size_t n;

        mine = world_new_job(w, 1000, 7);
        world_job(w, EVENT_ENTRY, mine);
        world_tick(w);
        assert_int_equal(world_n(w, ACTION_COMMIT), 1);
        (void)core_commit(w->core, &n);
        assert_int_equal(n, 1);
        assert_int_equal(world_state(w, other), JOB_NEW);
}

static void schedule_commit_does_not_wait_for_followers(void **state)
{
        (void)state;
        _cleanup_(world_freep) World *w = world_new(1);
        JobId leader = world_new_job(w, 1000, 7), follower = world_new_job(w, 1000, 7);

        world_job(w, EVENT_FOLLOW, follower);
        world_job(w, EVENT_ENTRY, leader);
        world_tick(w);
        assert_int_equal(world_n(w, ACTION_COMMIT), 1);
}

/* One huge artifact among small ones is read for minutes: their entries do not wait so long. */
static void schedule_commit_waits_for_the_request_but_not_for_ever(void **state)
{
        (void)state;
        _cleanup_(world_freep) World *w = world_new(1);
        JobId small = world_new_job(w, 1000, 7);

        (void)world_new_job(w, 1000, 7); /* the huge one */
        world_job(w, EVENT_ENTRY, small);
        world_tick(w);
        assert_int_equal(w->actions.n, 0);
        assert_true(core_next_deadline(w->core) <= w->now + 1000 * 1000);
        w->now = core_next_deadline(w->core) - 1;
        world_tick(w);
        assert_int_equal(w->actions.n, 0);
        w->now++;
        world_tick(w);
        assert_int_equal(w->actions.n, 1);
        assert_int_equal(world_n(w, ACTION_COMMIT), 1);
}

static void schedule_commit_is_eager_when_much_is_staged(void **state)
{
        (void)state;
        _cleanup_(world_freep) World *w = world_new(1);
        size_t n;

        (void)world_new_job(w, 1000, 7); /* keeps the request open */
        for (int i = 0; i < CORE_COMMIT_EAGER; i++) {
                world_tick(w);
                assert_int_equal(w->actions.n, 0);
                world_job(w, EVENT_ENTRY, world_new_job(w, 1000, 7));
        }
        world_tick(w);
        assert_int_equal(world_n(w, ACTION_COMMIT), 1);
        (void)core_commit(w->core, &n);
        assert_int_equal(n, CORE_COMMIT_EAGER);
}

static void schedule_commit_takes_a_bounded_batch_and_goes_on(void **state)
{
        (void)state;
        _cleanup_(world_freep) World *w = world_new(1);
        size_t n;

        world_worker(w, EVENT_WORKER_UP, 0);
        for (uint32_t i = 0; i < LIMIT_COMMIT_BATCH + 3; i++)
                world_job(w, EVENT_ENTRY, world_new_job(w, 1000, 7));
        world_tick(w);
        (void)core_commit(w->core, &n);
        assert_int_equal(n, LIMIT_COMMIT_BATCH);
        world_tick(w);
        assert_int_equal(world_n(w, ACTION_COMMIT), 0); /* one at a time */
        world_event(w, EVENT_COMMITTED);
        world_tick(w);
        world_answer(w, 0);
        world_tick(w);
        assert_int_equal(world_n(w, ACTION_COMMIT), 1);
        (void)core_commit(w->core, &n);
        assert_int_equal(n, 3);
}

static void schedule_commit_entry_of_the_daemon_goes_at_once(void **state)
{
        (void)state;
        _cleanup_(world_freep) World *w = world_new(1);
        JobId job;

        (void)world_new_job(w, 1000, 7);
        assert_int_equal(core_job_new(w->core, UINT32_MAX, 8, true, &job), 0);
        world_job(w, EVENT_ENTRY, job);
        world_tick(w);
        assert_int_equal(world_n(w, ACTION_COMMIT), 1);
}

/* ---- queues ---- */

static void jobs_remove_from_every_place_keeps_the_order(void **state)
{
        (void)state;
        _cleanup_(world_freep) World *w = world_new(1);

        for (JobId gone = 0; gone < 4; gone++) {
                Jobs q;
                JobId expected = 0;

                jobs_init(&q);
                for (JobId i = 0; i < 4; i++)
                        jobs_push(w->core, &q, i);
                jobs_remove(w->core, &q, gone);
                jobs_push(w->core, &q, 4);
                assert_int_equal(q.n, 4);
                for (; !jobs_empty(&q); expected++) {
                        expected += expected == gone;
                        assert_int_equal(jobs_pop(w->core, &q), expected);
                }
                assert_int_equal(expected, 5);
        }
}

static void jobs_remove_the_only_one_leaves_an_empty_queue(void **state)
{
        (void)state;
        _cleanup_(world_freep) World *w = world_new(1);
        Jobs q;

        jobs_init(&q);
        jobs_push(w->core, &q, 3);
        jobs_remove(w->core, &q, 3);
        assert_true(jobs_empty(&q));
        jobs_push(w->core, &q, 5);
        assert_int_equal(jobs_pop(w->core, &q), 5);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(schedule_intents_greedy_uid_leaves_room_for_another),
                cmocka_unit_test(schedule_send_slow_token_serves_uids_in_turn),
                cmocka_unit_test(schedule_send_fast_token_shares_each_frame),
                cmocka_unit_test(schedule_send_frame_size_follows_the_time_of_an_operation),
                cmocka_unit_test(schedule_frame_done_measures_one_operation),
                cmocka_unit_test(schedule_send_job_with_content_has_a_frame_of_its_own),
                cmocka_unit_test(schedule_send_two_frames_of_one_worker_in_one_step_are_told_apart),
                cmocka_unit_test(schedule_send_work_goes_to_the_least_busy_worker),
                cmocka_unit_test(schedule_worker_down_fails_what_it_had_and_nothing_else),
                cmocka_unit_test(schedule_worker_down_after_half_a_frame_fails_the_other_half),
                cmocka_unit_test(schedule_worker_down_with_the_checkpoint_asks_another),
                cmocka_unit_test(schedule_checkpoint_busy_worker_takes_it_behind_its_frames),
                cmocka_unit_test(schedule_expire_frame_without_answer_resets_its_worker_only),
                cmocka_unit_test(schedule_commit_waits_for_the_rest_of_the_request),
                cmocka_unit_test(schedule_commit_refused_request_before_does_not_hurry_it),
                cmocka_unit_test(schedule_commit_does_not_wait_for_other_requests),
                cmocka_unit_test(schedule_commit_does_not_wait_for_followers),
                cmocka_unit_test(schedule_commit_waits_for_the_request_but_not_for_ever),
                cmocka_unit_test(schedule_commit_is_eager_when_much_is_staged),
                cmocka_unit_test(schedule_commit_takes_a_bounded_batch_and_goes_on),
                cmocka_unit_test(schedule_commit_entry_of_the_daemon_goes_at_once),
                cmocka_unit_test(jobs_remove_from_every_place_keeps_the_order),
                cmocka_unit_test(jobs_remove_the_only_one_leaves_an_empty_queue),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
