/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The search keys of an entry, as index.h lists them, taken from its bytes.
 *
 * This is on the commit path, so the entry is scanned, not parsed: entries are compact JSON of our own
 * making (entry.h), of which only the outline and a few members matter here.  What is not in that form is
 * refused.
 */
#include "journal/index.h"

#define KEYS_MAX 4

typedef struct Keys {
        uint64_t time_usec;
        size_t n;
        struct Key {
                IndexKind kind;
                uint8_t hash[32];
        } keys[KEYS_MAX];
} Keys;

enum {
        _KEYS_E_SUCCESS,
        KEYS_E_SYNTAX, /* not an object that begins with type and time, or a member is not of its form */
};

_must_use_ int keys_derive(Keys *ret, Blob entry);
/* Only the time. */
_must_use_ int keys_time(uint64_t *ret_usec, Blob entry);
