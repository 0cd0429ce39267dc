/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/file.h"
#include "token/outcome.h"
#include "token/pinstate.h"

typedef struct Fixture {
        char parent[64];
        char path[80];
        PinState *pin;
} Fixture;

static int setup(void **state)
{
        static Fixture f;

        f = (Fixture){.parent = "/tmp/test-pinstate.XXXXXX"};
        assert_non_null(mkdtemp(f.parent));
        (void)snprintf(f.path, sizeof(f.path), "%s/state", f.parent);
        assert_int_equal(pinstate_new(&f.pin, f.path), 0);
        *state = &f;
        return 0;
}

static int teardown(void **state)
{
        static const char *const names[] = {"pin-refused", "pin-trying", "lock"};
        Fixture *f = *state;
        char path[128];

        f->pin = pinstate_free(f->pin);
        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                (void)snprintf(path, sizeof(path), "%s/%s", f->path, names[i]);
                (void)unlink(path);
        }
        (void)rmdir(f->path);
        (void)rmdir(f->parent);
        return 0;
}

/* As after a restart: nothing but the files. */
static void restart(Fixture *f)
{
        f->pin = pinstate_free(f->pin);
        assert_int_equal(pinstate_new(&f->pin, f->path), 0);
}

static bool has(const Fixture *f, const char *name)
{
        char path[128];

        (void)snprintf(path, sizeof(path), "%s/%s", f->path, name);
        return access(path, F_OK) == 0;
}

static void try_login(Fixture *f, bool expected_left_over)
{
        bool left_over = !expected_left_over;

        assert_int_equal(pinstate_set_trying(f->pin, &left_over), 0);
        assert_int_equal(left_over, expected_left_over);
        assert_true(has(f, "pin-trying"));
}

static void pinstate_new_folder_is_private(void **state)
{
        const Fixture *f = *state;
        struct stat st;

        assert_int_equal(stat(f->path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0700);
}

static void pinstate_new_path_is_no_folder_fails(void **state)
{
        PinState *pin = NULL;

        (void)state;
        error_set_trace(NULL);
        assert_true(pinstate_new(&pin, "/dev/null") < 0);
        assert_true(pinstate_new(&pin, "/nonexistent/folder/state") < 0);
        assert_null(pin);
}

static void pinstate_lock_second_holder_is_locked(void **state)
{
        Fixture *f = *state;
        PinState *other;

        assert_int_equal(pinstate_lock(f->pin), 0);
        assert_int_equal(pinstate_new(&other, f->path), 0);
        assert_int_equal(pinstate_lock(other), PINSTATE_E_LOCKED);
        f->pin = pinstate_free(f->pin);
        assert_int_equal(pinstate_lock(other), 0);
        other = pinstate_free(other);
}

static void pinstate_set_refused_survives_restart_until_forgotten(void **state)
{
        _cleanup_(buffer_deinit) Buffer text = BUFFER_NULL;
        Fixture *f = *state;
        char path[128];
        bool was_refused;

        assert_false(pinstate_is_refused(f->pin));
        assert_int_equal(pinstate_set_refused(f->pin, "the PIN is wrong"), 0);
        assert_true(pinstate_is_refused(f->pin));
        restart(f);
        assert_true(pinstate_is_refused(f->pin));
        (void)snprintf(path, sizeof(path), "%s/pin-refused", f->path);
        assert_int_equal(file_read(&text, path, 1000), 0);
        assert_non_null(strstr((const char *)text.data, "Z the PIN is wrong\n"));
        assert_int_equal(pinstate_forget(f->pin, &was_refused), 0);
        assert_true(was_refused);
        assert_false(pinstate_is_refused(f->pin));
        assert_int_equal(pinstate_forget(f->pin, &was_refused), 0);
        assert_false(was_refused);
}

/* Forgotten by another process, as --forget-pin does while the service runs. */
static void pinstate_is_refused_sees_what_others_forget(void **state)
{
        Fixture *f = *state;
        PinState *other;
        bool was_refused;

        assert_int_equal(pinstate_set_refused(f->pin, "wrong"), 0);
        assert_int_equal(pinstate_new(&other, f->path), 0);
        assert_int_equal(pinstate_forget(other, &was_refused), 0);
        other = pinstate_free(other);
        assert_false(pinstate_is_refused(f->pin));
}

/* The folder cannot be written: this process must not forget all the same. */
static void pinstate_set_refused_unwritten_is_refused(void **state)
{
        Fixture *f = *state;

        error_set_trace(NULL);
        assert_int_equal(rmdir(f->path), 0);
        assert_true(pinstate_set_refused(f->pin, "wrong") < 0);
        assert_true(pinstate_is_refused(f->pin));
}

static void pinstate_set_trying_left_over_is_seen(void **state)
{
        Fixture *f = *state;

        try_login(f, false);
        restart(f);
        try_login(f, true);
        assert_int_equal(pinstate_clear_trying(f->pin), 0);
        try_login(f, false);
}

static void pinstate_set_trying_unwritten_fails(void **state)
{
        Fixture *f = *state;
        bool left_over;

        error_set_trace(NULL);
        assert_int_equal(rmdir(f->path), 0);
        assert_true(pinstate_set_trying(f->pin, &left_over) < 0);
}

static void outcome_record_each_outcome_leaves_its_files(void **state)
{
        static const struct {
                Outcome outcome;
                bool left_over, refused, trying;
        } cases[] = {
                {OUTCOME_LOGGED_IN, false, false, false}, {OUTCOME_LOGGED_IN, true, false, false},
                {OUTCOME_REFUSED, false, true, false},    {OUTCOME_REFUSED, true, true, false},
                {OUTCOME_NOT_TRIED, false, false, false}, {OUTCOME_NOT_TRIED, true, false, true},
                {OUTCOME_UNKNOWN, false, false, true},    {OUTCOME_UNKNOWN, true, false, true},
        };
        Fixture *f = *state;
        bool ignored;

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                assert_int_equal(pinstate_forget(f->pin, &ignored), 0);
                try_login(f, false);
                assert_int_equal(outcome_record(f->pin, cases[i].outcome, cases[i].left_over, "text"), 0);
                assert_int_equal(has(f, "pin-refused"), cases[i].refused);
                assert_int_equal(has(f, "pin-trying"), cases[i].trying);
        }
}

#define TEST(_f) cmocka_unit_test_setup_teardown(_f, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(pinstate_new_folder_is_private),
                TEST(pinstate_new_path_is_no_folder_fails),
                TEST(pinstate_lock_second_holder_is_locked),
                TEST(pinstate_set_refused_survives_restart_until_forgotten),
                TEST(pinstate_is_refused_sees_what_others_forget),
                TEST(pinstate_set_refused_unwritten_is_refused),
                TEST(pinstate_set_trying_left_over_is_seen),
                TEST(pinstate_set_trying_unwritten_fails),
                TEST(outcome_record_each_outcome_leaves_its_files),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
