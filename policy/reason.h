/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Reason codes: why something was refused or failed.  The text forms are stable interface: scripts match on
 * them, the journal carries them, POLICY.md explains each with who can supply what is missing.
 */

/* clang-format off */
#define REASONS(X)                                                                                               \
        X(NONE, "none")                                                                                          \
        /* the request */                                                                                        \
        X(REQUESTER_UNKNOWN, "requester-unknown")         /* no requester of the policy has this uid or group */  \
        X(REQUESTER_NOT_ALLOWED, "requester-not-allowed") /* known, but not for this release */                   \
        X(KEY_UNKNOWN, "key-unknown")                                                                            \
        X(KEY_NOT_AT_SITE, "key-not-at-site")                                                                    \
        X(KEY_NOT_IN_RELEASE, "key-not-in-release")                                                              \
        X(FORMAT_UNKNOWN, "format-unknown")                                                                      \
        X(FORMAT_NOT_ALLOWED, "format-not-allowed")                                                              \
        X(FORMAT_AMBIGUOUS, "format-ambiguous")           /* the key allows several and none was named */         \
        X(RELEASE_UNKNOWN, "release-unknown")                                                                    \
        X(RELEASE_AMBIGUOUS, "release-ambiguous")         /* several releases use the key and none was named */   \
        X(POLICY_NOT_EFFECTIVE, "policy-not-effective")                                                          \
        X(POLICY_EXPIRED, "policy-expired")                                                                      \
        X(ARTIFACT_NAME, "artifact-name")                 /* empty, too long, control characters or a slash */    \
        X(ARTIFACT_TYPE, "artifact-type")                 /* not a regular file or memfd */                       \
        X(ARTIFACT_UNREADABLE, "artifact-unreadable")                                                            \
        X(ARTIFACT_CHANGED, "artifact-changed")           /* while it was read */                                 \
        X(ARTIFACT_TOO_LARGE, "artifact-too-large")       /* for a format that signs the content itself */        \
        X(ARTIFACT_DIGEST, "artifact-digest")             /* malformed, or another than that of the content */    \
        X(CONTENT_REQUIRED, "content-required")           /* a digest alone does not do for this format */        \
        /* the evidence */                                                                                       \
        X(EVIDENCE_NONE, "evidence-none")                 /* nobody has attested this artifact */                 \
        X(EVIDENCE_TOO_MUCH, "evidence-too-much")                                                                \
        X(QUORUM_ORGS, "quorum-orgs")                     /* too few of the named organisations */                \
        X(QUORUM_CLASS, "quorum-class")                   /* too few of the class */                              \
        X(DISSENT, "dissent")                             /* a rebuilder got another hash from the same source */ \
        /* one attestation */                                                                                    \
        X(ATTESTATION_TOO_LARGE, "attestation-too-large")                                                        \
        X(ATTESTATION_SYNTAX, "attestation-syntax")       /* not strict JSON */                                   \
        X(ATTESTATION_DUPLICATE_MEMBER, "attestation-duplicate-member")                                          \
        X(ATTESTATION_SHAPE, "attestation-shape")         /* not a DSSE envelope */                               \
        X(PAYLOAD_TYPE, "payload-type")                                                                          \
        X(PAYLOAD_BASE64, "payload-base64")                                                                      \
        X(PAYLOAD_SIZE, "payload-size")                                                                          \
        X(SIGNATURE_COUNT, "signature-count")             /* none, or more than 16 */                             \
        X(NO_TRUSTED_SIGNER, "no-trusted-signer")         /* no signature verifies under a key of the policy */   \
        X(STATEMENT_SYNTAX, "statement-syntax")                                                                  \
        X(STATEMENT_DUPLICATE_MEMBER, "statement-duplicate-member")                                              \
        X(STATEMENT_TYPE, "statement-type")               /* _type */                                             \
        X(PREDICATE_TYPE, "predicate-type")                                                                      \
        X(SUBJECT_COUNT, "subject-count")                                                                        \
        X(SUBJECT_NAME, "subject-name")                                                                          \
        X(SUBJECT_DIGEST, "subject-digest")               /* no sha256, or not 64 lower-case hex digits */        \
        X(SUBJECT_CONFLICT, "subject-conflict")           /* one name with two digests */                         \
        X(SUBJECT_MISMATCH, "subject-mismatch")           /* sha256 equal, but name, sha384 or sha512 not */      \
        X(BUILD_TYPE, "build-type")                                                                              \
        X(EXTERNAL_PARAMETERS, "external-parameters")                                                            \
        X(TARGET_UNKNOWN, "target-unknown")               /* no release of the policy has this name */            \
        X(SOURCE_UNKNOWN, "source-unknown")               /* the release has no such source */                    \
        X(SOURCE_DIGEST, "source-digest")                 /* not exactly one dependency with gitCommit and sha256 */ \
        X(BUILDER_ID, "builder-id")                       /* not the one the policy binds to this signer */       \
        X(STATEMENT_TIME, "statement-time")               /* malformed, or finished in the future */              \
        /* the token and the daemon */                                                                           \
        X(TOKEN_UNAVAILABLE, "token-unavailable")         /* no worker became ready before the deadline */        \
        X(TOKEN_FAILED, "token-failed")                   /* the token answered with an error */                  \
        X(OUTCOME_UNKNOWN, "outcome-unknown")             /* the worker died or hung after it was asked */        \
        X(SIGNATURE_WRONG, "signature-wrong")             /* does not verify under the pinned key */              \
        X(RESTARTED, "restarted")                         /* hsmd ended between intent and entry */               \
        X(BUSY, "busy")                                   /* over a quota of this uid, or the pool is full */     \
        X(STOPPING, "stopping")                                                                                  \
        X(FAULT, "fault")                                 /* hsmd's own; the log says more */
/* clang-format on */

typedef enum Reason {
#define X(_name, _text) REASON_##_name,
        REASONS(X)
#undef X
                _REASON_MAX,
} Reason;

const char *reason_to_string(Reason reason);
