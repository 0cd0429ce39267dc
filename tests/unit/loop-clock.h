/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The loop of server/loop.c with a clock that can be put forward: real time-outs are tested without waiting
 * for them.  loop-clock.c stands in for loop.c in the tests that link it.
 */
#include <stdbool.h>

#include "server/loop.h"

/* One iteration: 1 something ran, 0 nothing did, negative errno: the loop has ended. */
int loop_step(Loop *l, uint64_t timeout_usec);
/* Let this much time pass. */
void loop_skip(uint64_t usec);
/* True after loop_exit(), with its code. */
bool loop_ended(Loop *l, int *ret_code);
