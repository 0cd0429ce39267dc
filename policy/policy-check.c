/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/policy-reader.h"
#include "policy/quorum.h"

#define document_fault(_r, ...) policy_fault_add((_r)->faults, 0, 0, __VA_ARGS__)

/* A fault at a statement that stands once. */
static void single_fault(PolicyReader *r, PolicySingle single, const char *text)
{
        policy_fault_add(r->faults, r->singles[single].line, r->singles[single].column, "%s", text);
}

static void check_complete(PolicyReader *r)
{
        static const struct {
                PolicySingle single;
                const char *word;
        } required[] = {
                {SINGLE_SERIAL, "serial"},   {SINGLE_PREVIOUS, "previous"}, {SINGLE_EFFECTIVE, "effective"},
                {SINGLE_EXPIRES, "expires"}, {SINGLE_LOG, "log"},
        };

        for (size_t i = 0; i < ARRAY_SIZE(required); i++)
                if (r->singles[required[i].single].line == 0)
                        document_fault(r, "there is no '%s'", required[i].word);
        for (unsigned k = 0; k < _KIND_MAX; k++)
                if (policy_kind_count(r->policy, (PolicyKind)k) == 0)
                        document_fault(r, "there is no '%s'", policy_kind_to_string((PolicyKind)k));
}

static void check_chain(PolicyReader *r)
{
        const Policy *p = r->policy;

        if (p->serial == 0 || r->singles[SINGLE_PREVIOUS].line == 0)
                return; /* a fault already */
        if (p->serial == 1 && p->has_previous)
                single_fault(r, SINGLE_PREVIOUS, "serial 1 is the first policy: previous none");
        if (p->serial > 1 && !p->has_previous)
                single_fault(r, SINGLE_PREVIOUS, "only serial 1 has no previous policy");
}

static void check_validity(PolicyReader *r)
{
        const Policy *p = r->policy;

        if (p->expires_usec <= p->effective_usec)
                single_fault(r, SINGLE_EXPIRES, "the policy expires before it is effective");
}

static bool wants_two(const PolicyRelease *release)
{
        for (size_t i = 0; i < release->n_org_rules; i++)
                if (release->org_rules[i].k != 1) /* 0: K is a fault already */
                        return true;
        return release->n_org_rules == 0; /* that there is no rule is a fault already */
}

static void check_floor(PolicyReader *r)
{
        if (r->singles[SINGLE_ALLOW].line != 0)
                return;
        for (size_t i = 0; i < r->n_release_places; i++)
                if (!wants_two(&r->policy->releases[i]))
                        policy_fault_add(r->faults, r->release_places[i].line, r->release_places[i].column,
                                         "no rule of this release asks for two organisations; "
                                         "'allow single-org' would have to say that one is enough");
}

/* A rule whose organisations could not be read is a fault already; how many it names is not known. */
static bool electorate_is_known(const PolicyRelease *release)
{
        for (size_t i = 0; i < release->n_org_rules; i++)
                if (release->org_rules[i].n_orgs == 0)
                        return false;
        return release->n_org_rules > 0;
}

/*
 * The rules of a release only ever ask for more, so they can hold together if each holds when every
 * organisation that they name has attested: K is no more than a rule names (checked where it is read), each
 * of these can attest at all, and enough of them are of the class that is asked for.
 */
static void check_satisfiable(PolicyReader *r)
{
        const Policy *p = r->policy;
        OrgSet able = {0};

        for (size_t i = 0; i < p->n_rebuilders; i++)
                if (p->rebuilders[i].org != SIZE_MAX)
                        orgset_add(&able, p->rebuilders[i].org);

        for (size_t i = 0; i < r->n_org_mentions; i++) {
                const PolicyOrgMention *m = &r->org_mentions[i];

                if (!orgset_has(&able, m->org))
                        policy_fault_add(r->faults, m->place.line, m->place.column,
                                         "this organisation has no rebuilder");
        }

        for (size_t i = 0; i < r->n_class_mentions; i++) {
                const PolicyClassMention *m = &r->class_mentions[i];
                const PolicyRelease *release = &p->releases[m->release];
                const PolicyClassRule *rule = &release->class_rules[m->rule];
                OrgSet voters = orgset_both(quorum_electorate(release), quorum_class_orgs(p, rule->class));

                if (electorate_is_known(release) && orgset_size(&voters) < rule->k)
                        policy_fault_add(r->faults, m->place.line, m->place.column,
                                         "the rules of this release name only %zu of class %s",
                                         orgset_size(&voters), org_class_to_string(rule->class));
        }
}

void policy_check(PolicyReader *r)
{
        assert(r);

        if (r->error)
                return;
        policy_release_abandon(r);
        check_complete(r);
        check_chain(r);
        check_validity(r);
        check_floor(r);
        check_satisfiable(r);
}
