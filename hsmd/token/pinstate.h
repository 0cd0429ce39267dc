/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What is remembered of the PIN, over restarts: two files in token-state.
 *
 *     pin-refused   the token did not take the PIN.  Nobody logs in until an operator removes it
 * (--forget-pin).  It holds a line for a person. pin-trying    written before a login, removed after its
 * outcome is known.  Found at another login, it says that an earlier one ended without an outcome: power
 * loss, a hang, a crash.
 *
 * Both are durable before the function that writes them returns.
 */
#include <stdbool.h>

#include "base/macro.h"

typedef struct PinState PinState;

/* The folder is made (mode 0700) if only its last element is missing. */
_must_use_ int pinstate_new(PinState **ret, const char *path);
PinState *pinstate_free(PinState *s);
DEFINE_CLEANUP(PinState *, pinstate_free)

enum {
        _PINSTATE_E_SUCCESS,
        PINSTATE_E_LOCKED, /* another hsmd-token serves with this folder */
};

/* Held until pinstate_free() or the end of the process: two services would each try a bad PIN. */
_must_use_ int pinstate_lock(PinState *s);

/* Errors other than "no such file" count as refused: unclear means no. */
bool pinstate_is_refused(const PinState *s);
_must_use_ int pinstate_set_refused(PinState *s, const char *text);
/* *ret_left_over: pin-trying was there already. */
_must_use_ int pinstate_set_trying(PinState *s, bool *ret_left_over);
_must_use_ int pinstate_clear_trying(PinState *s);
/* The operator has corrected the PIN: removes both.  *ret_was_refused: there was something to forget. */
_must_use_ int pinstate_forget(PinState *s, bool *ret_was_refused);
