/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * PKCS#11 URIs (RFC 7512), as far as they may name a token or a private key here.
 *
 * Taken: token, manufacturer, model, serial, slot-id, object, id, and type=private.  Everything else is
 * refused, each attribute twice, and the query part: a PIN or a module never comes with a URI.  An attribute
 * that is not understood could have been the one that tells two keys apart.
 */
#include <stdbool.h>

#include "base/bytes.h"

/* CKA_LABEL and CKA_ID have no limit of their own; what is longer is not somebody's name for a key. */
#define P11URI_VALUE_SIZE 255

typedef enum P11UriField {
        P11URI_TOKEN,
        P11URI_MANUFACTURER,
        P11URI_MODEL,
        P11URI_SERIAL,
        P11URI_SLOT_ID,
        P11URI_OBJECT,
        P11URI_ID,
        P11URI_TYPE,
        _P11URI_FIELD_MAX,
} P11UriField;

typedef struct P11UriValue {
        bool set;
        size_t size;
        char text[P11URI_VALUE_SIZE + 1]; /* decoded; NUL-terminated; without NUL in it except in an id */
} P11UriValue;

typedef struct P11Uri {
        P11UriValue fields[_P11URI_FIELD_MAX];
        unsigned long slot_id; /* if P11URI_SLOT_ID is set */
} P11Uri;

enum {
        _P11URI_E_SUCCESS,
        P11URI_E_INVALID, /* `ret_reason` says why in words: a static string, written in this case only */
};

/* Any attribute. */
_must_use_ int p11uri_parse(P11Uri *ret, Blob text, const char **ret_reason);
/* The same, and what was parsed names a token and nothing in it. */
_must_use_ int p11uri_parse_token(P11Uri *ret, Blob text, const char **ret_reason);
/* The same, and what was parsed has an object label, an id, or both. */
_must_use_ int p11uri_parse_key(P11Uri *ret, Blob text, const char **ret_reason);
