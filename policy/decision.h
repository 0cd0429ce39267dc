/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The decision: may this artifact be signed with this key for this requester, on this evidence?
 *
 * Pure, and monotone in the evidence but for dissent: more attestations never turn ALLOW into refuse unless
 * one of them contradicts.  What counts are organisations, never signatures, keys or key ids.
 */
#include "policy/attestation.h"
#include "policy/policy.h"
#include "policy/reason.h"

/* Who asks: numbers from the kernel (SO_PEERCRED, SO_PEERGROUPS). */
typedef struct DecisionPeer {
        uint32_t uid, gid;
        size_t n_groups;
        const uint32_t *groups;
} DecisionPeer;

/* The part of a decision that needs no artifact: made once per request. */
typedef struct DecisionScope {
        size_t key, release, requester; /* indices */
        SignatureFormat format;
} DecisionScope;

enum {
        _DECISION_E_SUCCESS,
        DECISION_E_REFUSED, /* *ret_reason and `message` */
};

/*
 * Resolve and check key, format, release, requester, site and validity of the policy at `now_usec`. `format`
 * and `release` may be NULL: then the key's only format, the only release that has the key and admits the
 * peer.
 */
_must_use_ int decision_scope(DecisionScope *ret, const Policy *policy, const DecisionPeer *peer,
                              const char *key, const char *format, const char *release, size_t site,
                              uint64_t now_usec, Reason *ret_reason, Buffer *message);

/* A name that may stand in an entry: 1..LIMIT_ARTIFACT_NAME bytes of UTF-8, no control characters, no '/',
 * not "." or "..". */
bool decision_artifact_name_valid(const char *name, size_t size);

typedef struct DecisionVote {
        size_t org;
        const Attestation *attestation; /* the first that brought this vote */
        size_t rebuilder;
} DecisionVote;

/* Something that is missing, and who can supply it. */
typedef struct DecisionMissing {
        bool is_class; /* K more of `class`; else K more of `orgs` */
        OrgClass class;
        size_t k;
        size_t n_orgs;
        size_t orgs[LIMIT_POLICY_NAMES]; /* those that have not attested yet and may */
} DecisionMissing;

typedef struct Decision {
        Reason reason;                   /* NONE: allowed */
        const AttestationSource *source; /* what the counted attestations agree on; NULL if there is none */
        size_t n_votes;
        DecisionVote votes[LIMIT_POLICY_NAMES]; /* ascending by org, one each */
        size_t n_missing;
        DecisionMissing missing[8]; /* the first unmet rules */
        size_t n_dissent;
        const Attestation *dissent[16]; /* contradicting attestations of trusted rebuilders */
} Decision;

/*
 * Steps 10 and 12 to 14: evaluate all `attestations` (those that name the artifact's SHA-256 and those that
 * make the same claim with another; others are ignored) for one artifact.  Never fails: unclear means a
 * reason other than NONE. Of several sources that satisfy every rule the one with most votes, then of the
 * earliest attestation, is taken.
 */
void decision_evaluate(Decision *ret, const Policy *policy, const DecisionScope *scope, const char *name,
                       const Digests *digests, size_t n_attestations, Attestation *const *attestations);

/* Appends one sentence: what was decided, what is missing and from whom. */
_must_use_ int decision_describe(const Decision *d, const Policy *policy, const DecisionScope *scope,
                                 Buffer *out);
