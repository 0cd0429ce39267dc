/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Signature formats: what the token signs, and what goes out.  Pure.
 *
 * Nothing leaves here unverified: format_finish() checks the token's answer against the pinned public key
 * (promise 8).
 */
#include "base/crypto.h"
#include "policy/policy.h"
#include "token/wire.h"

/* True if the format signs the content itself, so that a digest alone does not do. */
bool format_needs_content(SignatureFormat format);

/* What one C_Sign gets. */
typedef struct FormatInput {
        TokenMechanism mechanism;
        bool content; /* the message is the artifact's content */
        size_t size;
        uint8_t message[SHA512_SIZE]; /* else: these bytes */
} FormatInput;

enum {
        _FORMAT_E_SUCCESS,
        FORMAT_E_CONTENT, /* the format, or the key's curve, needs the content and there is only a SHA-256 */
        FORMAT_E_WRONG,   /* the token's signature has the wrong size or does not verify under the pinned key
                           */
};

_must_use_ int format_prepare(SignatureFormat format, KeyType type, const Digests *digests,
                              FormatInput *ret);

/*
 * Turn what C_Sign returned into what goes out, and verify that under `key`.  `content` is needed for
 * formats that sign it. Appends to `out`.  FORMAT_E_WRONG leaves `out` as it was.
 */
_must_use_ int format_finish(SignatureFormat format, PublicKey *key, const Digests *digests, Blob content,
                             Blob raw, Buffer *out);
