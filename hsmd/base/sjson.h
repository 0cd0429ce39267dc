/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Strict reading of JSON from outside.  The only user of jansson.
 *
 * A document is one object (RFC 8259), valid UTF-8, with no duplicate members, none that differ only in
 * ASCII case, no \u0000, no nesting below LIMIT_JSON_DEPTH, no real numbers, integers within int64, nothing
 * after it. Getters take exact types: there is no coercion and no default.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

typedef struct SJson SJson; /* a value of any type; owned by its document */

enum {
        _SJSON_E_SUCCESS,
        SJSON_E_SYNTAX,    /* not JSON, not an object, invalid UTF-8, a NUL, trailing bytes, a real number or
                              overflow */
        SJSON_E_DUPLICATE, /* two members of one object are equal, or equal when ASCII case is ignored */
        SJSON_E_DEPTH,     /* nested deeper than LIMIT_JSON_DEPTH */
        SJSON_E_MISSING,   /* getters: no such member */
        SJSON_E_TYPE,      /* getters: the member has another type, or the integer is out of range */
};

/* What sjson_parse() found and where, for a person; valid until the next call. */
typedef struct SJsonError {
        char text[160];
        int line;
        int column;
} SJsonError;

/* Parses one document; free it with sjson_free().  `error` may be NULL.  Positive codes as above, -ENOMEM.
 */
_must_use_ int sjson_parse(SJson **ret, const void *data, size_t size, SJsonError *error);
/* The same for what only shows figures to people (rates in a status): real numbers are allowed.  Never for
 * what decides. */
_must_use_ int sjson_parse_reals(SJson **ret, const void *data, size_t size, SJsonError *error);
SJson *sjson_free(SJson *document);
DEFINE_CLEANUP(SJson *, sjson_free)

/* Kinds of value */
bool sjson_is_object(const SJson *v);
bool sjson_is_array(const SJson *v);
bool sjson_is_string(const SJson *v);
bool sjson_is_null(const SJson *v);

/* Members of an object.  Views stay valid as long as the document.  SJSON_E_MISSING, SJSON_E_TYPE. */
_must_use_ int sjson_get(const SJson *object, const char *name, SJson **ret);
_must_use_ int sjson_get_object(const SJson *object, const char *name, SJson **ret);
_must_use_ int sjson_get_array(const SJson *object, const char *name, SJson **ret);
_must_use_ int sjson_get_string(const SJson *object, const char *name, const char **ret, size_t *ret_size);
_must_use_ int sjson_get_u64(const SJson *object, const char *name, uint64_t *ret); /* 0..2^63-1 */
_must_use_ int sjson_get_i64(const SJson *object, const char *name, int64_t *ret);
_must_use_ int sjson_get_number(const SJson *object, const char *name, double *ret); /* integer or real */
_must_use_ int sjson_get_bool(const SJson *object, const char *name, bool *ret);

/* A string value itself: NUL-terminated UTF-8 without NUL inside.  Asserts the type. */
const char *sjson_string(const SJson *v, size_t *ret_size);

/* Elements of an array; n of members of an object.  Assert the type. */
size_t sjson_size(const SJson *v);
SJson *sjson_at(const SJson *array, size_t i);

/* Walk an object: NULL first and at the end.  sjson_member_name() and _value() of what it returns. */
typedef struct SJsonMember SJsonMember;
SJsonMember *sjson_member_next(const SJson *object, SJsonMember *member);
const char *sjson_member_name(SJsonMember *member);
SJson *sjson_member_value(SJsonMember *member);

/* True if every member's name is in the NULL-terminated list. */
bool sjson_only(const SJson *object, const char *const *names);

/* Re-serialises a value compactly in input order (for people and for clients' --json).  -ENOMEM. */
_must_use_ int sjson_dump(const SJson *v, Buffer *out);
