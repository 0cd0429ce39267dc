/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The payload of an attestation: in-toto Statement v1 with a SLSA Provenance v1 predicate of our build type.
 *
 * Reading it checks its form alone; what it says is measured against a policy in attestation.c.  Members
 * that are not known here are ignored, except in externalParameters, where they would change what was built.
 */
#include "policy/attestation.h"
#include "policy/refusal.h"

#define STATEMENT_TYPE           "https://in-toto.io/Statement/v1"
#define STATEMENT_PREDICATE_TYPE "https://slsa.dev/provenance/v1"

/* finishedOn may be this far in the future: clocks differ. */
#define STATEMENT_SKEW_USEC UINT64_C(300000000)

struct SJson;

typedef struct Statement {
        char *target;
        char *builder_id;
        AttestationSource source;
        size_t n_subjects;
        AttestationSubject *subjects; /* ascending by sha256, then name; no two are equal */
} Statement;

enum {
        _STATEMENT_E_SUCCESS,
        STATEMENT_E_REFUSED, /* and `refusal` says why */
};

/* Decode `payload` into a zeroed `s`; deinit it in any case.  STATEMENT_E_REFUSED, -ENOMEM. */
_must_use_ int statement_decode(Statement *s, Blob payload, uint64_t now_usec, const Refusal *refusal);
void statement_deinit(Statement *s);

/* The subjects alone, from the `subject` array.  STATEMENT_E_REFUSED, -ENOMEM. */
_must_use_ int statement_decode_subjects(Statement *s, const struct SJson *subjects, const Refusal *refusal);
