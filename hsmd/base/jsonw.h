/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Writing compact JSON: members in the order of the calls, no blanks, minimal escapes, so that equal calls
 * give equal bytes (journal entries are hashed as written).
 *
 * Errors are sticky: after the first failure every call does nothing, and jsonw_finish() returns it.
 * Strings must be UTF-8; an invalid one is the sticky error -EILSEQ.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

typedef struct JsonWriter {
        Buffer *out;
        int error;
        unsigned depth;
        bool comma; /* the next value or name needs one before it */
} JsonWriter;

void jsonw_init(JsonWriter *w, Buffer *out);
void jsonw_object(JsonWriter *w);     /* { */
void jsonw_object_end(JsonWriter *w); /* } */
void jsonw_array(JsonWriter *w);
void jsonw_array_end(JsonWriter *w);
void jsonw_name(JsonWriter *w, const char *name); /* literal ASCII without escapes */
void jsonw_string(JsonWriter *w, const char *s);
void jsonw_string_n(JsonWriter *w, const char *s, size_t size);
void jsonw_u64(JsonWriter *w, uint64_t v);
void jsonw_i64(JsonWriter *w, int64_t v);
void jsonw_fixed(JsonWriter *w, double v,
                 unsigned digits); /* for rates and latencies shown to people and scripts */
void jsonw_bool(JsonWriter *w, bool v);
void jsonw_null(JsonWriter *w);
void jsonw_hex(JsonWriter *w, const void *data, size_t size);    /* a string of lower-case hex */
void jsonw_base64(JsonWriter *w, const void *data, size_t size); /* a string of section 4 base64 */
void jsonw_raw(JsonWriter *w, const void *data, size_t size);    /* one value that is JSON already */
/* Raw bytes into the middle of an object: zero or more complete members "a":1,"b":2 without the braces. */
void jsonw_members(JsonWriter *w, const void *data, size_t size);

/* name + value in one call */
void jsonw_member_string(JsonWriter *w, const char *name, const char *s);
void jsonw_member_u64(JsonWriter *w, const char *name, uint64_t v);
void jsonw_member_bool(JsonWriter *w, const char *name, bool v);
void jsonw_member_hex(JsonWriter *w, const char *name, const void *data, size_t size);

/* 0, or the first error.  Asserts that all objects and arrays are closed when there was none. */
_must_use_ int jsonw_finish(JsonWriter *w);
