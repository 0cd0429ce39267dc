/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The event loop: the only user of sd-event.
 *
 * One thread.  Sources of a lower number run first; a callback returns 0, or a negative errno that ends the
 * loop with that error (a fault of the daemon: faults of peers are dealt with in place).
 */
#include <stdint.h>
#include <sys/epoll.h>

#include "base/macro.h"

typedef enum LoopPriority {
        PRIORITY_TOKEN, /* answers of workers: they keep the token busy */
        PRIORITY_PEER,  /* requests and replies */
        PRIORITY_TURN,  /* all that was pending is in: batches start */
        PRIORITY_HASH,  /* one slice of artifacts */
        PRIORITY_IDLE,  /* maintenance */
} LoopPriority;

typedef struct Loop Loop;
typedef struct LoopSource LoopSource;

typedef int (*LoopIo)(void *userdata, uint32_t events);
typedef int (*LoopCall)(void *userdata);

_must_use_ int loop_new(Loop **ret);
Loop *loop_free(Loop *l);
DEFINE_CLEANUP(Loop *, loop_free)
/* Until loop_exit() or an error; returns the exit code (0..255) or negative errno. */
_must_use_ int loop_run(Loop *l);
void loop_exit(Loop *l, int code);
uint64_t loop_now(Loop *l); /* CLOCK_MONOTONIC, usec, as of this iteration */

/* The watchdog of systemd, fed by the loop itself, if the unit asks for it. */
_must_use_ int loop_enable_watchdog(Loop *l);

_must_use_ int loop_add_io(Loop *l, LoopSource **ret, int fd, uint32_t events, LoopPriority priority,
                           LoopIo call, void *userdata);
_must_use_ int loop_set_events(LoopSource *s, uint32_t events); /* 0: only errors and hang-ups */
/* Blocks the signal and calls back. */
_must_use_ int loop_add_signal(Loop *l, LoopSource **ret, int signal, LoopCall call, void *userdata);
/* Off until set. */
_must_use_ int loop_add_timer(Loop *l, LoopSource **ret, LoopPriority priority, LoopCall call,
                              void *userdata);
_must_use_ int loop_set_timer(LoopSource *s, uint64_t at_usec); /* monotonic; UINT64_MAX: off */
/*
 * Runs once after each loop_arm(), when nothing of a lower number is pending; but never later than
 * LOOP_PATIENCE_USEC, so that peers who keep the loop busy cannot keep it from its work.
 */
#define LOOP_PATIENCE_USEC (5 * 1000)
_must_use_ int loop_add_deferred(Loop *l, LoopSource **ret, LoopPriority priority, LoopCall call,
                                 void *userdata);
_must_use_ int loop_arm(LoopSource *s);
LoopSource *loop_source_free(LoopSource *s);
DEFINE_CLEANUP(LoopSource *, loop_source_free)
