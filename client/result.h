/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What became of one artifact: the type Result of org.hsmd.Sign, as a struct.
 */
#include "base/jsonw.h"
#include "base/sjson.h"

typedef enum ResultOutcome {
        RESULT_SIGNED,
        RESULT_ALLOWED,
        RESULT_REFUSED,
        RESULT_FAILED,
} ResultOutcome;

const char *result_outcome_to_string(ResultOutcome o);

/* Strings point into the reply; NULL where it has none. */
typedef struct Result {
        size_t index;
        ResultOutcome outcome;
        const char *reason, *message;
        const char *key, *format, *release;
        const char *sha256;
        const char *signature; /* base64 */
        const char *proof;
        bool has_entry;
        uint64_t entry;
        bool repeated;
        const SJson *missing, *source, *attested_by;
} Result;

enum {
        _RESULT_E_SUCCESS,
        RESULT_E_SYNTAX, /* not what org.hsmd.Sign promises */
};

/* `n` artifacts were asked for.  RESULT_E_SYNTAX. */
_must_use_ int result_decode(Result *ret, const SJson *v, size_t n);

/* Members (without braces) that every --json of a result has: outcome, reason ... attestedBy. */
_must_use_ int result_write_members(const Result *r, JsonWriter *w);
