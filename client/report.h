/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Failures of a whole command: one sentence on stderr, with --json also one object on stdout, and the exit
 * code to return.  Everything is escaped on its way to a terminal.
 *
 *         {"error":{"exit":N,"reason":S,"message":S}}
 */
#include <stdbool.h>

#include "base/macro.h"
#include "client/libhsmctl.h"

/* From now on failures are also written to stdout as JSON (true), or no longer (false). */
void report_set_json(bool json);

/* The member "error" of an object that goes on: of the last failure. */
struct JsonWriter;
void report_write_last(struct JsonWriter *w);

/* EXIT_USAGE */
_printf_(2, 3) int report_usage(const char *command, const char *format, ...);
/* Any exit code, with a reason of one stable word. */
_printf_(3, 4) int report_failure(int code, const char *reason, const char *format, ...);
/* EXIT_FAULT for a negative errno that nobody could explain better. */
int report_errno(int r);
/* The exit code for a failed hsmctl_...(): `r` is what it returned; `h` may be NULL.  Its reason is told
 * too. */
int report_call(const Hsmctl *h, int r);
/* Only that code, nothing is printed. */
int report_code(int r);

/* file_read() with every failure reported: 0, or the exit code.  For files that the user named. */
struct Buffer;
_must_use_ int report_file_read(struct Buffer *out, const char *path, size_t max);
