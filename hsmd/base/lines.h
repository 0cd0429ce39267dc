/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The line grammar that policy, configuration and trust files share.
 *
 * A file is ASCII, at most LIMIT_POLICY_SIZE bytes, and ends in LF.  One statement a line; words are
 * separated by blanks (space or tab); `#` at the start of a word begins a comment; empty lines mean nothing.
 * There are no quotes, escapes, continuation lines, includes or variables: what a person reads is what is
 * parsed.
 */
#include "base/bytes.h"

typedef struct Word {
        const char *text; /* not NUL-terminated: points into the file */
        size_t size;
        unsigned column; /* 1-based, in bytes */
} Word;

typedef struct Line {
        unsigned number; /* 1-based */
        size_t n_words;  /* 1.. */
        const Word *words;
} Line;

typedef struct LineReader LineReader;

enum {
        _LINES_E_SUCCESS,
        LINES_E_END,     /* no further statement */
        LINES_E_INVALID, /* this line is unusable; `ret` has number and one word at the fault; reading may go
                            on */
};

/* Reads from memory that must outlive the reader. */
_must_use_ int lines_new(LineReader **ret, Blob file);
LineReader *lines_free(LineReader *r);
DEFINE_CLEANUP(LineReader *, lines_free)

/*
 * The next statement, valid until the next call.  LINES_E_END, LINES_E_INVALID (a byte outside 0x20..0x7e
 * and tab, over LIMIT_LINE_SIZE or LIMIT_LINE_WORDS, last line without LF, file too large; `ret_reason` says
 * which in words), -ENOMEM.  `ret_reason` is a static string, written in the invalid case only.
 */
_must_use_ int lines_next(LineReader *r, Line *ret, const char **ret_reason);

bool word_is(const Word *w, const char *text);
/* NUL-terminated copy; caller frees. */
_must_use_ int word_copy(char **ret, const Word *w);
/* A name: 1..LIMIT_NAME_SIZE of [A-Za-z0-9._-], first alphanumeric. */
bool word_is_name(const Word *w);
