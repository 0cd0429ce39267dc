/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "unit/loop-clock.h"

typedef struct World {
        Loop *loop;
        LoopSource *io, *timer, *deferred;
        int fds[2];
        unsigned n_io, n_timer, n_deferred;
        int result; /* of the next callback */
        bool rearm;
} World;

static int world_setup(void **state)
{
        World *w = calloc(1, sizeof(*w));

        assert_non_null(w);
        error_set_trace(NULL);
        assert_int_equal(loop_new(&w->loop), 0);
        assert_int_equal(pipe(w->fds), 0);
        *state = w;
        return 0;
}

static int world_teardown(void **state)
{
        World *w = *state;

        loop_source_free(w->io);
        loop_source_free(w->timer);
        loop_source_free(w->deferred);
        loop_free(w->loop);
        close(w->fds[0]);
        close(w->fds[1]);
        free(w);
        return 0;
}

#define WORLD_TEST(_f) cmocka_unit_test_setup_teardown(_f, world_setup, world_teardown)

static int world_on_io(void *userdata, uint32_t events)
{
        World *w = userdata;

        assert_true(events & EPOLLIN);
        w->n_io++;
        return w->result;
}

static int world_on_timer(void *userdata)
{
        World *w = userdata;

        w->n_timer++;
        return w->result;
}

static int world_on_deferred(void *userdata)
{
        World *w = userdata;

        w->n_deferred++;
        return w->rearm ? loop_arm(w->deferred) : 0;
}

static void loop_add_io_calls_while_there_is_something(void **state)
{
        World *w = *state;

        assert_int_equal(loop_add_io(w->loop, &w->io, w->fds[0], EPOLLIN, PRIORITY_PEER, world_on_io, w), 0);
        assert_int_equal(loop_step(w->loop, 0), 0);
        assert_int_equal(write(w->fds[1], "x", 1), 1);
        assert_int_equal(loop_step(w->loop, 0), 1);
        assert_int_equal(loop_step(w->loop, 0), 1);
        assert_int_equal(w->n_io, 2);
        assert_int_equal(loop_set_events(w->io, 0), 0);
        assert_int_equal(loop_step(w->loop, 0), 0);
        assert_int_equal(w->n_io, 2);
}

static void loop_set_timer_fires_once_when_due(void **state)
{
        World *w = *state;

        assert_int_equal(loop_add_timer(w->loop, &w->timer, PRIORITY_PEER, world_on_timer, w), 0);
        assert_int_equal(loop_step(w->loop, 0), 0);
        assert_int_equal(loop_set_timer(w->timer, loop_now(w->loop) + 10 * 1000000), 0);
        assert_int_equal(loop_step(w->loop, 0), 0);
        loop_skip(11 * 1000000);
        assert_int_equal(loop_step(w->loop, 10000), 1);
        assert_int_equal(loop_step(w->loop, 0), 0);
        assert_int_equal(w->n_timer, 1);
        assert_int_equal(loop_set_timer(w->timer, loop_now(w->loop)), 0);
        assert_int_equal(loop_set_timer(w->timer, UINT64_MAX), 0);
        loop_skip(1000000);
        assert_int_equal(loop_step(w->loop, 1000), 0);
        assert_int_equal(w->n_timer, 1);
}

static void loop_arm_runs_once_after_what_is_more_urgent(void **state)
{
        World *w = *state;

        assert_int_equal(loop_add_io(w->loop, &w->io, w->fds[0], EPOLLIN, PRIORITY_PEER, world_on_io, w), 0);
        assert_int_equal(loop_add_deferred(w->loop, &w->deferred, PRIORITY_TURN, world_on_deferred, w), 0);
        assert_int_equal(write(w->fds[1], "x", 1), 1);
        assert_int_equal(loop_arm(w->deferred), 0);
        assert_int_equal(loop_arm(w->deferred), 0);
        assert_int_equal(loop_step(w->loop, 0), 1);
        assert_int_equal(w->n_io, 1);
        assert_int_equal(w->n_deferred, 0);
        assert_int_equal(loop_set_events(w->io, 0), 0);
        assert_int_equal(loop_step(w->loop, 0), 1);
        assert_int_equal(w->n_deferred, 1);
        assert_int_equal(loop_step(w->loop, 0), 0);
}

/* A peer that always has something to say does not keep the daemon from its work. */
static void loop_arm_is_not_starved_by_a_busy_peer(void **state)
{
        World *w = *state;
        unsigned turns = 0;

        assert_int_equal(loop_add_io(w->loop, &w->io, w->fds[0], EPOLLIN, PRIORITY_PEER, world_on_io, w), 0);
        assert_int_equal(loop_add_deferred(w->loop, &w->deferred, PRIORITY_TURN, world_on_deferred, w), 0);
        assert_int_equal(write(w->fds[1], "x", 1), 1);
        assert_int_equal(loop_arm(w->deferred), 0);
        for (; w->n_deferred == 0; turns++) {
                assert_true(turns < 100);
                usleep(1000);
                assert_int_equal(loop_step(w->loop, 0), 1);
        }
        assert_true(turns >= 3);
        w->rearm = true;
        assert_int_equal(loop_arm(w->deferred), 0);
        for (turns = 0; w->n_deferred < 4; turns++) {
                assert_true(turns < 100);
                usleep(1000);
                assert_int_equal(loop_step(w->loop, 0), 1);
        }
}

static void loop_callback_that_fails_ends_the_loop(void **state)
{
        World *w = *state;
        int code;

        assert_int_equal(loop_add_timer(w->loop, &w->timer, PRIORITY_PEER, world_on_timer, w), 0);
        assert_int_equal(loop_set_timer(w->timer, 0), 0);
        w->result = -EIO;
        assert_int_equal(loop_run(w->loop), -EIO);
        assert_true(loop_ended(w->loop, &code));
        assert_int_equal(code, -EIO);
}

static int world_exit(void *userdata)
{
        World *w = userdata;

        loop_exit(w->loop, 3);
        return 0;
}

static void loop_exit_ends_with_its_code(void **state)
{
        World *w = *state;

        assert_int_equal(loop_add_timer(w->loop, &w->timer, PRIORITY_PEER, world_exit, w), 0);
        assert_int_equal(loop_set_timer(w->timer, 0), 0);
        assert_int_equal(loop_run(w->loop), 3);
}

/* A connection is dropped in the callback of its own source. */
static int world_free_itself(void *userdata, uint32_t events)
{
        World *w = userdata;

        (void)events;
        w->n_io++;
        w->io = loop_source_free(w->io);
        return 0;
}

static void loop_source_free_in_its_own_callback_is_fine(void **state)
{
        World *w = *state;

        assert_int_equal(
                loop_add_io(w->loop, &w->io, w->fds[0], EPOLLIN, PRIORITY_PEER, world_free_itself, w), 0);
        assert_int_equal(write(w->fds[1], "x", 1), 1);
        assert_int_equal(loop_step(w->loop, 0), 1);
        assert_int_equal(loop_step(w->loop, 0), 0);
        assert_int_equal(w->n_io, 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                WORLD_TEST(loop_add_io_calls_while_there_is_something),
                WORLD_TEST(loop_set_timer_fires_once_when_due),
                WORLD_TEST(loop_arm_runs_once_after_what_is_more_urgent),
                WORLD_TEST(loop_arm_is_not_starved_by_a_busy_peer),
                WORLD_TEST(loop_callback_that_fails_ends_the_loop),
                WORLD_TEST(loop_exit_ends_with_its_code),
                WORLD_TEST(loop_source_free_in_its_own_callback_is_fine),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
