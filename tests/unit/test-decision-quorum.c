/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All small quorums, enumerated: up to four organisations of two classes, each with two rebuilders and each
 * in one of five states, under every pair of rules, against an oracle that was written without looking at
 * decision.c.
 */
#include "test-policy-fixture.h"

#define ORGS_MAX 4
#define STATES   625 /* 5 to the power of ORGS_MAX */

typedef enum OrgState {
        SILENT,
        ATTESTED,      /* by its first rebuilder */
        DUPLICATED,    /* by both, and by the first twice */
        CONTRADICTING, /* its second rebuilder got another hash */
        DISSENTING,    /* both got another hash */
        _ORG_STATES,
} OrgState;

typedef struct World {
        size_t n_orgs;
        PolicyOrg orgs[ORGS_MAX];
        PolicyRebuilder rebuilders[2 * ORGS_MAX];
        size_t rule_orgs[ORGS_MAX];
        PolicyOrgRule org_rule;
        PolicyClassRule class_rule;
        PolicyRelease release;
        Policy policy;
        OrgState states[ORGS_MAX];
} World;

static char name[] = "a";
static char uri[] = "a:b";
static AttestationSubject right = {.name = name}, wrong = {.name = name, .digests = {.sha256 = {1}}};
static size_t signers[2 * ORGS_MAX] = {0, 1, 2, 3, 4, 5, 6, 7};

static void world_init(World *w, size_t n_orgs, unsigned classes)
{
        *w = (World){.n_orgs = n_orgs};
        for (size_t i = 0; i < n_orgs; i++) {
                w->orgs[i].class = classes >> i & 1 ? ORG_THIRD_PARTY : ORG_INTERNAL;
                w->rebuilders[2 * i].org = w->rebuilders[2 * i + 1].org = i;
                w->rule_orgs[i] = i;
        }
        w->org_rule = (PolicyOrgRule){.n_orgs = n_orgs, .orgs = w->rule_orgs};
        w->release = (PolicyRelease){
                .name = name, .n_org_rules = 1, .org_rules = &w->org_rule, .class_rules = &w->class_rule};
        w->policy = (Policy){
                .n_orgs = n_orgs,
                .orgs = w->orgs,
                .n_rebuilders = 2 * n_orgs,
                .rebuilders = w->rebuilders,
                .n_releases = 1,
                .releases = &w->release,
        };
}

static bool says_right(OrgState s)
{
        return s == ATTESTED || s == DUPLICATED || s == CONTRADICTING;
}

static bool says_wrong(OrgState s)
{
        return s == CONTRADICTING || s == DISSENTING;
}

/* The rules in the words of POLICY.md. */
static Reason oracle(const World *w)
{
        size_t n_votes = 0, n_class = 0, n_right = 0;
        bool dissent = false;

        for (size_t i = 0; i < w->n_orgs; i++) {
                n_right += says_right(w->states[i]);
                dissent = dissent || says_wrong(w->states[i]);
                if (says_right(w->states[i]) && !says_wrong(w->states[i])) {
                        n_votes++;
                        n_class += w->orgs[i].class == w->class_rule.class;
                }
        }
        if (n_right == 0)
                return REASON_EVIDENCE_NONE;
        if (dissent && w->release.dissent_denies)
                return REASON_DISSENT;
        if (n_votes == 0)
                return REASON_EVIDENCE_NONE;
        if (n_votes < w->org_rule.k)
                return REASON_QUORUM_ORGS;
        if (w->release.n_class_rules > 0 && n_class < w->class_rule.k)
                return REASON_QUORUM_CLASS;
        return REASON_NONE;
}

static Reason decide(const World *w)
{
        static Decision decision;
        const DecisionScope scope = {0};
        const Digests digests = {0};
        Attestation said[3 * ORGS_MAX];
        Attestation *all[3 * ORGS_MAX];
        size_t n = 0;

#define SAY(_rebuilder, _subject)                                                                           \
        do {                                                                                                \
                said[n] = (Attestation){.n_signers = 1,                                                     \
                                        .signers = &signers[_rebuilder],                                    \
                                        .n_subjects = 1,                                                    \
                                        .subjects = (_subject),                                             \
                                        .source = {.uri = uri}};                                            \
                all[n] = &said[n];                                                                          \
                n++;                                                                                        \
        } while (0)
        for (size_t i = 0; i < w->n_orgs; i++) {
                if (says_right(w->states[i]))
                        SAY(2 * i, &right);
                if (w->states[i] == DUPLICATED) {
                        SAY(2 * i + 1, &right);
                        SAY(2 * i, &right);
                }
                if (says_wrong(w->states[i]))
                        SAY(2 * i + 1, &wrong);
                if (w->states[i] == DISSENTING)
                        SAY(2 * i, &wrong);
        }
        decision_evaluate(&decision, &w->policy, &scope, name, &digests, n, all);
        return decision.reason;
}

/* Every state of the organisations under one set of rules; remembers who was allowed. */
static size_t check_states(World *w, bool *allowed)
{
        size_t n_states = 1, n_allowed = 0;

        for (size_t i = 0; i < w->n_orgs; i++)
                n_states *= _ORG_STATES;
        for (size_t s = 0; s < n_states; s++) {
                Reason wanted, got;

                for (size_t i = 0, rest = s; i < w->n_orgs; i++, rest /= _ORG_STATES)
                        w->states[i] = (OrgState)(rest % _ORG_STATES);
                wanted = oracle(w);
                got = decide(w);
                if (got != wanted)
                        fail_msg("%zu orgs, state %zu, k %zu: %s, not %s", w->n_orgs, s, w->org_rule.k,
                                 reason_to_string(got), reason_to_string(wanted));
                allowed[s] = got == REASON_NONE;
                n_allowed += allowed[s];
        }
        return n_allowed;
}

/* More evidence that does not contradict never takes an ALLOW away. */
static void check_monotone(const World *w, const bool *allowed)
{
        size_t n_states = 1;

        for (size_t i = 0; i < w->n_orgs; i++)
                n_states *= _ORG_STATES;
        for (size_t s = 0; s < n_states; s++)
                for (size_t i = 0, step = 1; i < w->n_orgs; i++, step *= _ORG_STATES) {
                        OrgState state = (OrgState)(s / step % _ORG_STATES);

                        if (allowed[s] && (state == SILENT || state == ATTESTED))
                                assert_true(allowed[s + step]);
                }
}

typedef void (*Visit)(World *w, void *context);

/* All rules that a policy may have over these organisations. */
static void each_world(Visit visit, void *context)
{
        World w;

        for (size_t n = 1; n <= ORGS_MAX; n++)
                for (unsigned classes = 0; classes < 1U << n; classes++)
                        for (size_t k = 1; k <= n; k++)
                                for (size_t class_k = 0; class_k <= n; class_k++)
                                        for (unsigned more = 0; more < 4; more++) {
                                                world_init(&w, n, classes);
                                                w.org_rule.k = k;
                                                w.class_rule.k = class_k;
                                                w.class_rule.class =
                                                        more & 1 ? ORG_THIRD_PARTY : ORG_INTERNAL;
                                                w.release.n_class_rules = class_k > 0;
                                                w.release.dissent_denies = more & 2;
                                                visit(&w, context);
                                        }
}

static void visit_check(World *w, void *context)
{
        static bool allowed[STATES];
        size_t *n_allowed = context;

        *n_allowed += check_states(w, allowed);
        check_monotone(w, allowed);
}

static void decision_evaluate_all_small_quorums_are_as_the_oracle_says(void **state)
{
        size_t n_allowed = 0;

        (void)state;
        each_world(visit_check, &n_allowed);
        assert_true(n_allowed > 1000); /* the oracle does not merely refuse */
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(decision_evaluate_all_small_quorums_are_as_the_oracle_says),
        };

        return cmocka_run_group_tests_name("decision-quorum", tests, NULL, NULL);
}
