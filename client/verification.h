/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The customer's check, offline: is this the file that was signed, by a key I trust, and is that in the log?
 * The steps are those of hsmd/journal/JOURNAL.md; each has a fault of its own.
 */
#include "client/trust.h"
#include "journal/entry.h"
#include "journal/proof.h"

/* clang-format off */
#define VERIFICATION_FAULTS(X)                                                                                   \
        X(NONE, "none")                                                                                          \
        X(PROOF_SYNTAX, "proof-syntax")                 /* not a canonical tlog-proof */                         \
        X(CHECKPOINT_SYNTAX, "checkpoint-syntax")                                                                \
        X(CHECKPOINT_ORIGIN, "checkpoint-origin")       /* of another log */                                     \
        X(CHECKPOINT_SIGNATURE, "checkpoint-signature") /* not signed by the trusted log key */                  \
        X(NOT_IN_LOG, "not-in-log")                     /* the inclusion proof does not hold */                  \
        X(ENTRY_SYNTAX, "entry-syntax")                                                                          \
        X(ENTRY_TYPE, "entry-type")                     /* logged, but not a signature */                        \
        X(KEY_NOT_ASKED, "key-not-asked")               /* another key than --key */                             \
        X(KEY_UNKNOWN, "key-unknown")                   /* the trust file has no key of this name */             \
        X(KEY_OTHER, "key-other")                       /* it has, but another public key */                     \
        X(FORMAT_NOT_ALLOWED, "format-not-allowed")                                                              \
        X(ARTIFACT_TOO_LARGE, "artifact-too-large")     /* for a format that signs the content itself */         \
        X(ARTIFACT_DIGEST, "artifact-digest")           /* another file was signed */                            \
        X(ARTIFACT_SIZE, "artifact-size")                                                                        \
        X(SIGNATURE_DIGEST, "signature-digest")         /* another signature was logged */                       \
        X(SIGNATURE_WRONG, "signature-wrong")           /* does not verify under the trusted key */
/* clang-format on */

typedef enum VerificationFault {
#define X(_name, _text) VERIFICATION_FAULT_##_name,
        VERIFICATION_FAULTS(X)
#undef X
                _VERIFICATION_FAULT_MAX,
} VerificationFault;

const char *verification_fault_to_string(VerificationFault f);

typedef struct VerificationInput {
        int artifact_fd;
        Blob signature;
        Blob proof;
        const char *key; /* NULL: any key of the trust file */
} VerificationInput;

/* What was learned on the way; complete if the fault is NONE. */
typedef struct Verification {
        VerificationFault fault;
        Proof proof;
        Checkpoint checkpoint;
        Entry entry;
        size_t key; /* index in the trust file */
        SignatureFormat format;
        Digests digests;
        uint64_t size;
} Verification;

enum {
        _VERIFICATION_E_SUCCESS,
        VERIFICATION_E_FAILED, /* ret->fault says at which step; a sentence for a person is in `message` */
};

/*
 * Always initialises *ret, which points into `input`; verification_deinit() it.  VERIFICATION_E_FAILED;
 * -errno also if the artifact cannot be read.
 */
_must_use_ int verification_run(Verification *ret, Trust *trust, const VerificationInput *input,
                                Buffer *message);
void verification_deinit(Verification *v);
