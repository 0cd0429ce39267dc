/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What hsmd-token tells its peer and the log about something that did not work: a stable status, the code
 * that the module gave, and one line for a person.  Text that comes from a token is made printable.
 */
#include <stdint.h>

#include "base/macro.h"
#include "token/wire.h"

/* A frame of LIMIT_TOKEN_KEYS answers, each with a line of this size, has room. */
#define REPORT_TEXT_SIZE 400

typedef struct Report {
        TokenStatus status;
        uint32_t ckr; /* 0: it was not the module that failed */
        char text[REPORT_TEXT_SIZE];
} Report;

/* Sets status and text, cut to size; `ckr` becomes 0. */
_printf_(3, 4) void report_set(Report *report, TokenStatus status, const char *format, ...);
/* The same for a call into the module that returned `ckr`; the text gains the name of the code. */
_printf_(4, 5) void report_set_ckr(Report *report, TokenStatus status, unsigned long ckr, const char *format,
                                   ...);
/* Appends to the text, as much as there is room for. */
_printf_(2, 3) void report_append(Report *report, const char *format, ...);
