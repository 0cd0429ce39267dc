/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/decision.h"

#include "policy/quorum.h"

/* What one attestation says of the artifact. */
typedef enum Answer {
        ANSWER_NOTHING,
        ANSWER_YES,      /* a subject has its name and its digests */
        ANSWER_OTHER,    /* a subject has its name and another SHA-256 */
        ANSWER_MISMATCH, /* a subject has its SHA-256, but another name, SHA-384 or SHA-512 */
} Answer;

typedef struct Evidence {
        size_t n;
        bool too_much;
        bool mismatch; /* somebody meant this content, but not this artifact */
        struct {
                const Attestation *attestation;
                bool yes; /* else ANSWER_OTHER */
        } items[LIMIT_EVIDENCE];
} Evidence;

/* All that was said of one source. */
typedef struct Tally {
        const AttestationSource *source;
        OrgSet votes;  /* organisations of the electorate that attested and did not contradict themselves */
        OrgSet spoken; /* all that attested anything of this artifact from this source */
        size_t n_votes;
        size_t n_dissent;
        bool satisfied;
        bool allowed;
} Tally;

static bool subject_fits(const AttestationSubject *subject, const Digests *digests)
{
        const Digests *claimed = &subject->digests;

        /* What the statement gives has to be known here and equal; what it does not give, it does not say.
         */
        if (claimed->have_sha384 &&
            (!digests->have_sha384 || memcmp(claimed->sha384, digests->sha384, SHA384_SIZE) != 0))
                return false;
        return !claimed->have_sha512 ||
               (digests->have_sha512 && memcmp(claimed->sha512, digests->sha512, SHA512_SIZE) == 0);
}

static Answer answer(const Attestation *a, const char *name, const Digests *digests)
{
        size_t first = attestation_find(a, digests->sha256);

        for (size_t i = first; i < a->n_subjects; i++) {
                if (memcmp(a->subjects[i].digests.sha256, digests->sha256, SHA256_SIZE) != 0)
                        break;
                /* A name stands once in a statement, so no other subject can say anything of it. */
                if (strcmp(a->subjects[i].name, name) == 0)
                        return subject_fits(&a->subjects[i], digests) ? ANSWER_YES : ANSWER_MISMATCH;
        }
        for (size_t i = 0; i < a->n_subjects; i++)
                if (strcmp(a->subjects[i].name, name) == 0)
                        return ANSWER_OTHER;
        return first == SIZE_MAX ? ANSWER_NOTHING : ANSWER_MISMATCH;
}

/* Each attestation is looked into once; all that follows counts what stands here. */
static void gather(Evidence *e, size_t release, const char *name, const Digests *digests, size_t n,
                   Attestation *const *attestations)
{
        e->n = 0;
        e->too_much = e->mismatch = false;

        for (size_t i = 0; i < n; i++) {
                const Attestation *a = attestations[i];
                Answer said = a->release == release ? answer(a, name, digests) : ANSWER_NOTHING;

                if (said == ANSWER_NOTHING)
                        continue;
                if (said == ANSWER_MISMATCH) {
                        e->mismatch = true;
                        continue;
                }
                if (e->n == LIMIT_EVIDENCE) {
                        e->too_much = true;
                        return;
                }
                e->items[e->n].attestation = a;
                e->items[e->n].yes = said == ANSWER_YES;
                e->n++;
        }
}

static bool same_source(const AttestationSource *a, const AttestationSource *b)
{
        return a == b || (memcmp(a->sha256, b->sha256, SHA256_SIZE) == 0 &&
                          strcmp(a->git_commit, b->git_commit) == 0 && strcmp(a->uri, b->uri) == 0);
}

/* The first that attests its source: the one that stands for it. */
static bool opens_source(const Evidence *e, size_t i)
{
        if (!e->items[i].yes)
                return false;
        for (size_t k = 0; k < i; k++)
                if (e->items[k].yes &&
                    same_source(&e->items[k].attestation->source, &e->items[i].attestation->source))
                        return false;
        return true;
}

/* K more of an organisation rule or a class rule; 0 if it holds. */
static size_t rule_lacks(OrgSet rule, size_t k, const OrgSet *votes)
{
        OrgSet counted = orgset_both(rule, *votes);
        size_t n = orgset_size(&counted);

        return n < k ? k - n : 0;
}

static bool satisfied(const Policy *policy, const PolicyRelease *release, const OrgSet *votes)
{
        for (size_t i = 0; i < release->n_org_rules; i++)
                if (rule_lacks(quorum_rule_orgs(&release->org_rules[i]), release->org_rules[i].k, votes) > 0)
                        return false;
        for (size_t i = 0; i < release->n_class_rules; i++) {
                const PolicyClassRule *rule = &release->class_rules[i];

                if (rule_lacks(quorum_class_orgs(policy, rule->class), rule->k, votes) > 0)
                        return false;
        }
        return true;
}

static void add_signers(OrgSet *set, const Policy *policy, const Attestation *a)
{
        for (size_t i = 0; i < a->n_signers; i++)
                orgset_add(set, policy->rebuilders[a->signers[i]].org);
}

/* Step 12 and 13: who attested this source, and who got another hash from it. */
static Tally count(const Policy *policy, const PolicyRelease *release, const Evidence *e,
                   const AttestationSource *source)
{
        Tally t = {.source = source};
        OrgSet same = {0}, other = {0};

        for (size_t i = 0; i < e->n; i++) {
                const Attestation *a = e->items[i].attestation;

                if (!same_source(&a->source, source))
                        continue;
                add_signers(e->items[i].yes ? &same : &other, policy, a);
                t.n_dissent += !e->items[i].yes;
        }
        t.spoken = orgset_either(same, other);
        t.votes = orgset_both(orgset_without(same, other), quorum_electorate(release));
        t.n_votes = orgset_size(&t.votes);
        t.satisfied = t.n_votes > 0 && satisfied(policy, release, &t.votes);
        t.allowed = t.satisfied && (t.n_dissent == 0 || !release->dissent_denies);
        return t;
}

/* The best source; false if nobody attested one.  Of equals the earlier, since only better ones replace it.
 */
static bool count_best(Tally *ret, const Policy *policy, const PolicyRelease *release, const Evidence *e)
{
        bool found = false;

        for (size_t i = 0; i < e->n; i++) {
                Tally t;

                if (!opens_source(e, i))
                        continue;
                t = count(policy, release, e, &e->items[i].attestation->source);
                if (found && (t.allowed == ret->allowed ? t.n_votes <= ret->n_votes : !t.allowed))
                        continue;
                *ret = t;
                found = true;
        }
        return found;
}

static void list_votes(Decision *d, const Policy *policy, const Evidence *e, const Tally *t)
{
        OrgSet listed = {0};

        for (size_t i = 0; i < e->n; i++) {
                const Attestation *a = e->items[i].attestation;

                if (!e->items[i].yes || !same_source(&a->source, t->source))
                        continue;
                for (size_t k = 0; k < a->n_signers; k++) {
                        size_t org = policy->rebuilders[a->signers[k]].org;

                        if (!orgset_has(&t->votes, org) || orgset_has(&listed, org))
                                continue;
                        orgset_add(&listed, org);
                        d->votes[orgset_rank(&t->votes, org)] = (DecisionVote){org, a, a->signers[k]};
                }
        }
        d->n_votes = t->n_votes;
        assert(orgset_size(&listed) == d->n_votes);
}

static void list_dissent(Decision *d, const Evidence *e, const Tally *t)
{
        for (size_t i = 0; i < e->n && d->n_dissent < ARRAY_SIZE(d->dissent); i++)
                if (!e->items[i].yes && same_source(&e->items[i].attestation->source, t->source))
                        d->dissent[d->n_dissent++] = e->items[i].attestation;
}

/* Who may still supply what a rule lacks: those that it names and that have not spoken for this source. */
static void add_missing(Decision *d, OrgSet rule, size_t k, const Tally *t, const OrgClass *class)
{
        DecisionMissing *m;
        size_t lacks = rule_lacks(rule, k, &t->votes);

        if (lacks == 0 || d->n_missing == ARRAY_SIZE(d->missing))
                return;
        m = &d->missing[d->n_missing++];
        m->is_class = class;
        m->class = class ? *class : ORG_INTERNAL;
        m->k = lacks;
        rule = orgset_without(rule, t->spoken);
        m->n_orgs = orgset_list(&rule, m->orgs);
}

static void list_missing(Decision *d, const Policy *policy, const PolicyRelease *release, const Tally *t)
{
        OrgSet electorate = quorum_electorate(release);

        for (size_t i = 0; i < release->n_org_rules; i++)
                add_missing(d, quorum_rule_orgs(&release->org_rules[i]), release->org_rules[i].k, t, NULL);
        for (size_t i = 0; i < release->n_class_rules; i++) {
                const PolicyClassRule *rule = &release->class_rules[i];

                add_missing(d, orgset_both(electorate, quorum_class_orgs(policy, rule->class)), rule->k, t,
                            &rule->class);
        }
}

static Reason decide(const Decision *d, const PolicyRelease *release, const Evidence *e, const Tally *t)
{
        if (d->n_dissent > 0 && release->dissent_denies)
                return REASON_DISSENT;
        if (t->allowed)
                return REASON_NONE;
        if (t->n_votes == 0)
                return e->mismatch ? REASON_SUBJECT_MISMATCH : REASON_EVIDENCE_NONE;
        assert(d->n_missing > 0);
        return d->missing[0].is_class ? REASON_QUORUM_CLASS : REASON_QUORUM_ORGS;
}

void decision_evaluate(Decision *ret, const Policy *policy, const DecisionScope *scope, const char *name,
                       const Digests *digests, size_t n_attestations, Attestation *const *attestations)
{
        const PolicyRelease *release;
        Evidence e;
        Tally t = {0};

        assert(ret && policy && scope && name && digests);
        assert(attestations || n_attestations == 0);
        assert(scope->release < policy->n_releases);

        release = &policy->releases[scope->release];
        ret->reason = REASON_EVIDENCE_TOO_MUCH;
        ret->source = NULL;
        ret->n_votes = ret->n_missing = ret->n_dissent = 0;

        gather(&e, scope->release, name, digests, n_attestations, attestations);
        if (e.too_much)
                return;

        if (count_best(&t, policy, release, &e)) {
                list_votes(ret, policy, &e, &t);
                list_dissent(ret, &e, &t);
                if (ret->n_votes > 0)
                        ret->source = t.source;
        }
        list_missing(ret, policy, release, &t);
        ret->reason = decide(ret, release, &e, &t);
        assert(ret->reason != REASON_NONE || (ret->n_missing == 0 && ret->n_votes > 0));
}
