/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Text for people.  What comes from the daemon or from a file name may have been chosen by somebody hostile:
 * control characters, and those that turn the direction of text, never reach a terminal as they are.
 */
#include <stdint.h>
#include <stdio.h>

#include "base/bytes.h"

/* Appends `s` with C0, DEL, C1, invalid UTF-8 and direction marks as \xNN. */
_must_use_ int text_escape(Buffer *out, const char *s, size_t size);

/* Writes it escaped.  Errors of the stream are found when it is flushed at the end. */
void text_write(FILE *f, const char *s);
/* The same, padded with blanks to `width` columns. */
void text_write_padded(FILE *f, const char *s, size_t width);
/* printf() whose whole result is escaped, but for a line end at its very end. */
_printf_(2, 3) void text_printf(FILE *f, const char *format, ...);

/* Indented JSON from compact JSON.  Every line begins with `indent` blanks. */
void text_write_json(FILE *f, const char *json, size_t size, unsigned indent);

/* Columns that count: UTF-8 characters of the escaped text. */
size_t text_width(const char *s);
