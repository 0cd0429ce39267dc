/* SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>

#define loop_now         loop_now_real
#define loop_set_timer   loop_set_timer_real
#define loop_source_free loop_source_free_real
#include "server/loop.c"
#undef loop_now
#undef loop_set_timer
#undef loop_source_free

/* What the header would declare, had it not been renamed above. */
int loop_step(Loop *l, uint64_t timeout_usec);
void loop_skip(uint64_t usec);
bool loop_ended(Loop *l, int *ret_code);
uint64_t loop_now(Loop *l);
int loop_set_timer(LoopSource *s, uint64_t at_usec);
LoopSource *loop_source_free(LoopSource *s);

#define CLOCK_TIMERS 2048

static uint64_t clock_skew;
static size_t clock_n;
static struct ClockTimer {
        LoopSource *source;
        uint64_t at_usec;
} clock_timers[CLOCK_TIMERS];

uint64_t loop_now(Loop *l)
{
        return loop_now_real(l) + clock_skew;
}

static struct ClockTimer *clock_find(LoopSource *s)
{
        for (size_t i = 0; i < clock_n; i++)
                if (clock_timers[i].source == s)
                        return &clock_timers[i];
        return NULL;
}

static int clock_set(const struct ClockTimer *t)
{
        if (t->at_usec == UINT64_MAX)
                return loop_set_timer_real(t->source, UINT64_MAX);
        return loop_set_timer_real(t->source, t->at_usec > clock_skew ? t->at_usec - clock_skew : 0);
}

int loop_set_timer(LoopSource *s, uint64_t at_usec)
{
        struct ClockTimer *t = clock_find(s);

        if (!t) {
                assert(clock_n < CLOCK_TIMERS);
                t = &clock_timers[clock_n++];
                t->source = s;
        }
        t->at_usec = at_usec;
        return clock_set(t);
}

LoopSource *loop_source_free(LoopSource *s)
{
        struct ClockTimer *t = s ? clock_find(s) : NULL;

        if (t)
                *t = clock_timers[--clock_n];
        return loop_source_free_real(s);
}

void loop_skip(uint64_t usec)
{
        clock_skew += usec;
        for (size_t i = 0; i < clock_n; i++) {
                int enabled = SD_EVENT_OFF;

                /* One that has fired is off until it is set again. */
                if (sd_event_source_get_enabled(clock_timers[i].source->source, &enabled) < 0 ||
                    enabled == SD_EVENT_OFF)
                        continue;
                if (clock_set(&clock_timers[i]) != 0)
                        abort();
        }
}

int loop_step(Loop *l, uint64_t timeout_usec)
{
        return sd_event_run(l->event, timeout_usec);
}

bool loop_ended(Loop *l, int *ret_code)
{
        return sd_event_get_exit_code(l->event, ret_code) >= 0;
}
