/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * One attestation: DSSE v1 envelope -> in-toto Statement v1 -> SLSA Provenance v1 with our build type.
 *
 * An Attestation exists only after steps 3 to 11 of POLICY.md ("How an attestation is verified") held for at
 * least one rebuilder of the policy.  Bytes not yet covered by a trusted signature meet only the strict JSON
 * and base64 readers and the signature check ("verify before parse").
 */
#include "policy/policy.h"
#include "policy/reason.h"

/* The build type of predicate.buildDefinition.buildType, documented in POLICY.md. */
#define ATTESTATION_BUILD_TYPE "urn:hsmd:rebuild:v1"

typedef struct AttestationSource {
        char *uri;
        char git_commit[65]; /* 40 or 64 lower-case hex digits */
        uint8_t sha256[SHA256_SIZE];
} AttestationSource;

typedef struct AttestationSubject {
        char *name;
        Digests digests; /* sha256 always; have_sha384/have_sha512 if the statement gave them */
} AttestationSubject;

typedef struct Attestation {
        uint8_t id[SHA256_SIZE]; /* SHA-256 of the envelope as handed in */
        size_t release;          /* index: externalParameters.target is the release's name */
        AttestationSource source;
        size_t n_signers; /* rebuilders (indices, ascending) whose signature verified and whose builder id it
                             is */
        size_t *signers;
        size_t n_subjects;
        AttestationSubject *subjects; /* ascending by sha256, then name */
} Attestation;

enum {
        _ATTESTATION_E_SUCCESS,
        ATTESTATION_E_REFUSED, /* *ret_reason says why; `message` (a sentence for a person) was appended to
                                */
};

/*
 * Decode, verify and check one envelope under `policy`.  `now_usec` is compared with finishedOn only (300 s
 * of skew). Free with attestation_free().  ATTESTATION_E_REFUSED, -ENOMEM, -EIO.
 */
_must_use_ int attestation_verify(Attestation **ret, const Policy *policy, Blob envelope, uint64_t now_usec,
                                  Reason *ret_reason, Buffer *message);
Attestation *attestation_free(Attestation *a);
DEFINE_CLEANUP(Attestation *, attestation_free)

/* Bytes of memory it holds, for a cache that counts. */
size_t attestation_memory(const Attestation *a);

/* First subject with this SHA-256, or SIZE_MAX; several may follow with other names. */
size_t attestation_find(const Attestation *a, const uint8_t sha256[static SHA256_SIZE]);

/*
 * The claim "NAME built for RELEASE from SOURCE": two attestations with the same claim and different digests
 * contradict each other.  SHA-256 over the length-prefixed fields.
 */
void attestation_claim(const Attestation *a, const Policy *policy, size_t subject,
                       uint8_t ret[static SHA256_SIZE]);

/* ---- making one (rebuilders' side) ---- */

typedef struct AttestationDraft {
        const char *release;
        const char *builder_id;
        const char *source_uri;
        const char *git_commit;
        const uint8_t *source_sha256;
        uint64_t started_usec, finished_usec; /* 0: left out */
        size_t n_subjects;
        const AttestationSubject *subjects;
} AttestationDraft;

/* Appends the in-toto Statement (the payload).  -EINVAL if a field breaks the rules that
 * attestation_verify() keeps. */
_must_use_ int attestation_write_statement(const AttestationDraft *draft, Buffer *out);
/* Appends a DSSE envelope over `payload`, signed with one key; ends in LF. */
_must_use_ int attestation_write_envelope(Blob payload, PrivateKey *key, SignatureScheme scheme,
                                          Buffer *out);
