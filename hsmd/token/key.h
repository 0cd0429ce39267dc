/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A private key in the token: found by its URI, exactly one; fit for signing and for nothing else; the
 * pinned one.
 */
#include "base/crypto.h"
#include "token/p11.h"
#include "token/p11uri.h"
#include "token/report.h"
#include "token/wire.h"

typedef struct Key {
        uint16_t handle; /* the peer's name for it */
        KeyType type;
        CK_OBJECT_HANDLE object;
} Key;

/*
 * Opens what `open` asks for.  P11_E_REFUSED: TOKEN_KEY_MISSING, _AMBIGUOUS, _UNSAFE, _MISMATCH,
 * TOKEN_FAILED (the module failed), TOKEN_REFUSED (the question makes no sense); the report's text is for
 * the operator.  `uri` is what p11uri_parse_key() made of open->uri.
 */
_must_use_ int key_open(Key *ret, const P11Session *s, const WireOpen *open, const P11Uri *uri,
                        Report *report);

/* ---- objects, also for the making of keys ---- */

/* How many objects of that class have that label (NULL: any) and id (empty: any), and the first `max` of
 * them. */
_must_use_ int key_find(const P11Session *s, CK_OBJECT_CLASS class, const char *label, Blob id,
                        CK_OBJECT_HANDLE *ret_objects, size_t max, size_t *ret_n, Report *report);
/*
 * The public key that an object shows.  *ret is NULL if it shows none, or one that is not of this type.
 */
_must_use_ int key_public(const P11Session *s, CK_OBJECT_HANDLE object, KeyType type, PublicKey **ret);
