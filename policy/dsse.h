/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * DSSE v1 envelopes (secure-systems-lab/dsse, protocol.md).
 *
 * Decoding says nothing about trust: the payload is bytes until a signature over its PAE has been verified.
 * A signature that is not base64 is kept as an empty one, which verifies under no key: one bad signature
 * must not take the others down with it.
 */
#include "base/bytes.h"
#include "base/limits.h"
#include "policy/refusal.h"

#define DSSE_PAYLOAD_TYPE "application/vnd.in-toto+json"
/* in-toto: "application/vnd.in-toto.<predicate>+json" names the same payload more closely. */
#define DSSE_PAYLOAD_TYPE_PROVENANCE "application/vnd.in-toto.provenance+json"

typedef struct DsseEnvelope {
        const char *payload_type; /* one of the two above */
        Buffer payload;
        size_t n_signatures;
        Buffer signatures[LIMIT_ENVELOPE_SIGNATURES];
} DsseEnvelope;

enum {
        _DSSE_E_SUCCESS,
        DSSE_E_REFUSED, /* and `refusal` says why */
};

/* Decode an envelope into a zeroed `e`; deinit it in any case.  DSSE_E_REFUSED, -ENOMEM. */
_must_use_ int dsse_envelope_decode(DsseEnvelope *e, Blob envelope, const Refusal *refusal);
void dsse_envelope_deinit(DsseEnvelope *e);

/* Appends what is signed, "DSSEv1" SP LEN(type) SP type SP LEN(payload) SP payload.  -ENOMEM. */
_must_use_ int dsse_pae(Buffer *out, const char *payload_type, Blob payload);
