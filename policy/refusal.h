/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * How this folder refuses: a reason code for scripts and one sentence for a person.
 *
 * What is quoted in the sentence may come from a stranger; it passes through refusal_quote() first.
 */
#include "base/bytes.h"
#include "policy/reason.h"

/* Where a refusal goes: the two output parameters of attestation_verify() and decision_scope(). */
typedef struct Refusal {
        Reason *reason;
        Buffer *message;
} Refusal;

enum {
        _REFUSAL_E_SUCCESS,
        REFUSAL_E_REFUSED, /* always, unless memory ran out: reason and message are written */
};

/* Sets the reason and appends the sentence, cut after 500 bytes.  REFUSAL_E_REFUSED, -ENOMEM. */
_must_use_ _printf_(3, 4) int refusal_make(const Refusal *refusal, Reason reason, const char *format, ...);

#define REFUSAL_QUOTE_SIZE 68

/* Foreign text, cut after 64 bytes ("..." shows it) and with everything but printable ASCII replaced by '?'.
 */
typedef struct RefusalQuote {
        char text[REFUSAL_QUOTE_SIZE];
} RefusalQuote;

RefusalQuote refusal_quote(const char *text, size_t size);
