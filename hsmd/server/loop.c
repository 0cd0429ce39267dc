/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <signal.h>
#include <systemd/sd-event.h>

#include "base/bytes.h"
#include "base/error.h"
#include "server/loop.h"

#define LOOP_DEFERRED_MAX 8

struct Loop {
        sd_event *event;
        size_t n_deferred;
        LoopSource *deferred[LOOP_DEFERRED_MAX];
};

struct LoopSource {
        sd_event_source *source;
        LoopIo io;
        LoopCall call;
        void *userdata;
        Loop *loop;
        bool armed;          /* deferred: has to run */
        uint64_t armed_usec; /* since when */
};

int loop_new(Loop **ret)
{
        _cleanup_(loop_freep) Loop *l = NULL;
        int r;

        r = memory_new0(&l, 1);
        if (r != 0)
                return error_fold(r);
        r = sd_event_new(&l->event);
        if (r < 0)
                return error_origin(r);
        *ret = TAKE_PTR(l);
        return 0;
}

Loop *loop_free(Loop *l)
{
        if (!l)
                return NULL;
        sd_event_unref(l->event);
        free(l);
        return NULL;
}

int loop_run(Loop *l)
{
        int r = sd_event_loop(l->event);

        return r < 0 ? error_origin(r) : r;
}

void loop_exit(Loop *l, int code)
{
        (void)sd_event_exit(l->event, code); /* fails only when the loop is over already */
}

uint64_t loop_now(Loop *l)
{
        uint64_t now = 0;
        int r = sd_event_now(l->event, CLOCK_MONOTONIC, &now);

        assert(r >= 0);
        return now;
}

int loop_enable_watchdog(Loop *l)
{
        int r = sd_event_set_watchdog(l->event, true);

        return r < 0 ? error_origin(r) : 0;
}

static int loop_source_new(Loop *l, LoopSource **ret, LoopIo io, LoopCall call, void *userdata)
{
        LoopSource *s = NULL;
        int r = memory_new0(&s, 1);

        if (r != 0)
                return error_fold(r);
        *s = (LoopSource){.loop = l, .io = io, .call = call, .userdata = userdata};
        *ret = s;
        return 0;
}

static int loop_run_deferred(LoopSource *s)
{
        s->armed = false;
        return s->call(s->userdata);
}

/* What has been put off for too long goes before anything else. */
static int loop_run_overdue(Loop *l)
{
        for (size_t i = 0; i < l->n_deferred; i++) {
                LoopSource *s = l->deferred[i];
                int r;

                if (!s->armed || loop_now(l) - s->armed_usec < LOOP_PATIENCE_USEC)
                        continue;
                r = sd_event_source_set_enabled(s->source, SD_EVENT_OFF);
                if (r < 0)
                        return error_origin(r);
                r = loop_run_deferred(s);
                if (r < 0)
                        return error_fold(r);
        }
        return 0;
}

/* sd-event would disable a source whose callback fails and go on; here a fault ends the loop. */
static int loop_finish(Loop *l, int r)
{
        if (r >= 0)
                r = loop_run_overdue(l);
        if (r < 0)
                (void)sd_event_exit(l->event, r);
        return 0;
}

static int loop_on_io(sd_event_source *source _unused_, int fd _unused_, uint32_t events, void *userdata)
{
        LoopSource *s = userdata;
        Loop *l = s->loop; /* the callback may free s */

        return loop_finish(l, s->io(s->userdata, events));
}

static int loop_on_signal(sd_event_source *source _unused_, const struct signalfd_siginfo *si _unused_,
                          void *userdata)
{
        LoopSource *s = userdata;

        return loop_finish(s->loop, s->call(s->userdata));
}

static int loop_on_timer(sd_event_source *source _unused_, uint64_t usec _unused_, void *userdata)
{
        LoopSource *s = userdata;
        Loop *l = s->loop;

        return loop_finish(l, s->call(s->userdata));
}

static int loop_on_deferred(sd_event_source *source _unused_, void *userdata)
{
        LoopSource *s = userdata;

        return loop_finish(s->loop, loop_run_deferred(s));
}

static int loop_source_finish(LoopSource **ret, LoopSource *s, int r, LoopPriority priority)
{
        if (r >= 0)
                r = sd_event_source_set_priority(s->source, (int64_t)priority);
        if (r < 0) {
                loop_source_free(s);
                return error_origin(r);
        }
        *ret = s;
        return 0;
}

int loop_add_io(Loop *l, LoopSource **ret, int fd, uint32_t events, LoopPriority priority, LoopIo call,
                void *userdata)
{
        LoopSource *s;
        int r = loop_source_new(l, &s, call, NULL, userdata);

        if (r != 0)
                return error_fold(r);
        r = sd_event_add_io(l->event, &s->source, fd, events, loop_on_io, s);
        return loop_source_finish(ret, s, r, priority);
}

int loop_set_events(LoopSource *s, uint32_t events)
{
        int r = sd_event_source_set_io_events(s->source, events);

        return r < 0 ? error_origin(r) : 0;
}

int loop_add_signal(Loop *l, LoopSource **ret, int sig, LoopCall call, void *userdata)
{
        LoopSource *s;
        sigset_t set;
        int r = loop_source_new(l, &s, NULL, call, userdata);

        if (r != 0)
                return error_fold(r);
        sigemptyset(&set);
        sigaddset(&set, sig);
        (void)sigprocmask(SIG_BLOCK, &set, NULL); /* cannot fail with these arguments */
        r = sd_event_add_signal(l->event, &s->source, sig, loop_on_signal, s);
        return loop_source_finish(ret, s, r, PRIORITY_PEER);
}

int loop_add_timer(Loop *l, LoopSource **ret, LoopPriority priority, LoopCall call, void *userdata)
{
        LoopSource *s;
        int r = loop_source_new(l, &s, NULL, call, userdata);

        if (r != 0)
                return error_fold(r);
        r = sd_event_add_time(l->event, &s->source, CLOCK_MONOTONIC, UINT64_MAX, 1000, loop_on_timer, s);
        if (r >= 0)
                r = sd_event_source_set_enabled(s->source, SD_EVENT_OFF);
        return loop_source_finish(ret, s, r, priority);
}

int loop_set_timer(LoopSource *s, uint64_t at_usec)
{
        int r = 0;

        if (at_usec != UINT64_MAX)
                r = sd_event_source_set_time(s->source, at_usec);
        if (r >= 0)
                r = sd_event_source_set_enabled(s->source,
                                                at_usec == UINT64_MAX ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
        return r < 0 ? error_origin(r) : 0;
}

int loop_add_deferred(Loop *l, LoopSource **ret, LoopPriority priority, LoopCall call, void *userdata)
{
        LoopSource *s;
        int r = loop_source_new(l, &s, NULL, call, userdata);

        if (r != 0)
                return error_fold(r);
        assert(l->n_deferred < LOOP_DEFERRED_MAX);
        r = sd_event_add_defer(l->event, &s->source, loop_on_deferred, s);
        if (r >= 0)
                r = sd_event_source_set_enabled(s->source, SD_EVENT_OFF);
        r = loop_source_finish(ret, s, r, priority);
        if (r == 0)
                l->deferred[l->n_deferred++] = s;
        return error_fold(r);
}

int loop_arm(LoopSource *s)
{
        int r;

        if (s->armed)
                return 0;
        r = sd_event_source_set_enabled(s->source, SD_EVENT_ONESHOT);
        if (r < 0)
                return error_origin(r);
        s->armed = true;
        s->armed_usec = loop_now(s->loop);
        return 0;
}

LoopSource *loop_source_free(LoopSource *s)
{
        if (!s)
                return NULL;
        for (size_t i = 0; i < s->loop->n_deferred; i++)
                if (s->loop->deferred[i] == s)
                        s->loop->deferred[i--] = s->loop->deferred[--s->loop->n_deferred];
        if (s->source) {
                (void)sd_event_source_set_enabled(s->source,
                                                  SD_EVENT_OFF); /* the loop may still hold a reference */
                sd_event_source_unref(s->source);
        }
        free(s);
        return NULL;
}
