/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "policy/decision.h"
#include "policy/orgset.h"

/* Appends "a, b, c". */
static int describe_orgs(const Policy *policy, const size_t *orgs, size_t n, Buffer *out)
{
        int r;

        for (size_t i = 0; i < n; i++) {
                r = buffer_printf(out, "%s%s", i > 0 ? ", " : "", policy->orgs[orgs[i]].name);
                if (r)
                        return error_fold(r);
        }
        return n > 0 ? 0 : error_fold(buffer_append_string(out, "nobody"));
}

static int describe_votes(const Decision *d, const Policy *policy, Buffer *out)
{
        size_t orgs[LIMIT_POLICY_NAMES];

        for (size_t i = 0; i < d->n_votes; i++)
                orgs[i] = d->votes[i].org;
        return error_fold(describe_orgs(policy, orgs, d->n_votes, out));
}

static int describe_missing(const Decision *d, const Policy *policy, Buffer *out)
{
        int r;

        for (size_t i = 0; i < d->n_missing; i++) {
                const DecisionMissing *m = &d->missing[i];

                r = buffer_printf(out, "%sneeds %zu more of%s%s: ", i > 0 ? "; " : "", m->k,
                                  m->is_class ? " class " : "",
                                  m->is_class ? org_class_to_string(m->class) : "");
                if (r)
                        return error_fold(r);
                r = describe_orgs(policy, m->orgs, m->n_orgs, out);
                if (r)
                        return error_fold(r);
        }
        r = buffer_append_string(out, "; has: ");
        if (r)
                return error_fold(r);
        return error_fold(describe_votes(d, policy, out));
}

static int describe_dissent(const Decision *d, const Policy *policy, Buffer *out)
{
        size_t orgs[LIMIT_POLICY_NAMES];
        OrgSet set = {0};
        int r;

        for (size_t i = 0; i < d->n_dissent; i++)
                for (size_t k = 0; k < d->dissent[i]->n_signers; k++)
                        orgset_add(&set, policy->rebuilders[d->dissent[i]->signers[k]].org);

        r = buffer_append_string(out, "another hash from the same source was attested by: ");
        if (r)
                return error_fold(r);
        r = describe_orgs(policy, orgs, orgset_list(&set, orgs), out);
        if (r)
                return error_fold(r);
        r = buffer_append_string(out, "; has: ");
        if (r)
                return error_fold(r);
        return error_fold(describe_votes(d, policy, out));
}

static int describe_allowed(const Decision *d, const Policy *policy, const DecisionScope *scope, Buffer *out)
{
        int r;

        r = buffer_printf(out, "allowed for release %s: commit %s was attested by: ",
                          policy->releases[scope->release].name, d->source->git_commit);
        if (r)
                return error_fold(r);
        return error_fold(describe_votes(d, policy, out));
}

int decision_describe(const Decision *d, const Policy *policy, const DecisionScope *scope, Buffer *out)
{
        int r;

        assert(d && policy && scope && out);
        assert(scope->release < policy->n_releases);

        if (d->reason == REASON_NONE)
                return error_fold(describe_allowed(d, policy, scope, out));
        if (d->reason == REASON_DISSENT)
                return error_fold(describe_dissent(d, policy, out));
        if (d->reason == REASON_EVIDENCE_TOO_MUCH)
                return error_fold(
                        buffer_printf(out, "more than %d attestations name this artifact", LIMIT_EVIDENCE));

        r = 0;
        if (d->reason == REASON_EVIDENCE_NONE)
                r = buffer_printf(out, "nobody has attested this artifact for release %s; ",
                                  policy->releases[scope->release].name);
        if (d->reason == REASON_SUBJECT_MISMATCH)
                r = buffer_append_string(
                        out, "its SHA-256 is attested, but with another name, SHA-384 or SHA-512; ");
        if (r)
                return error_fold(r);
        return error_fold(describe_missing(d, policy, out));
}
