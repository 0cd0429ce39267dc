/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/policy-word.h"

PolicyRelease *policy_reader_release(PolicyReader *r)
{
        assert(r->in_release);
        assert(r->policy->n_releases > 0);
        return &r->policy->releases[r->policy->n_releases - 1];
}

static void fault_missing(PolicyReader *r, const char *what)
{
        PolicyPlace place = r->release_places[r->policy->n_releases - 1];

        policy_fault_add(r->faults, place.line, place.column, "this release has no '%s'", what);
}

/* What is common to the end of a release that has its `end` and of one that lacks it. */
static void release_close(PolicyReader *r)
{
        const PolicyRelease *release = policy_reader_release(r);

        if (r->singles[SINGLE_KEYS].line == 0)
                fault_missing(r, "keys");
        if (r->singles[SINGLE_REQUESTERS].line == 0)
                fault_missing(r, "requesters");
        if (release->n_sources == 0)
                fault_missing(r, "source");
        if (release->n_org_rules == 0)
                fault_missing(r, "require orgs");
        for (unsigned s = SINGLE_KEYS; s < _SINGLE_MAX; s++)
                r->singles[s] = (PolicyPlace){0};
        r->in_release = false;
}

void policy_release_abandon(PolicyReader *r)
{
        if (!r->in_release)
                return;
        fault_missing(r, "end");
        release_close(r);
}

void policy_release_begin(PolicyReader *r)
{
        PolicyRelease *release;
        PolicyPlace *place;

        policy_release_abandon(r);
        release = policy_reader_define(r, KIND_RELEASE);
        if (!release)
                return;
        place = policy_reader_add(r, &r->release_places, &r->n_release_places);
        if (!place)
                return;
        *place = policy_reader_place(r, 0);
        release->dissent_denies = true;
        r->in_release = true;
}

void policy_release_end(PolicyReader *r)
{
        release_close(r);
}

void policy_release_keys(PolicyReader *r)
{
        PolicyRelease *release = policy_reader_release(r);

        (void)policy_word_references(r, 1, r->line.n_words, KIND_KEY, &release->keys, &release->n_keys);
}

void policy_release_requesters(PolicyReader *r)
{
        PolicyRelease *release = policy_reader_release(r);

        (void)policy_word_references(r, 1, r->line.n_words, KIND_REQUESTER, &release->requesters,
                                     &release->n_requesters);
}

void policy_release_source(PolicyReader *r)
{
        PolicyRelease *release = policy_reader_release(r);
        const Word *word = &r->line.words[2];
        char **source;

        (void)policy_word_is(r, 1, "git");
        for (size_t i = 0; i < release->n_sources; i++)
                if (release->sources[i] && word_is(word, release->sources[i])) {
                        policy_reader_fault(r, 2, "this release has this source already");
                        return;
                }
        if (release->n_sources >= POLICY_RELEASE_SOURCES) {
                policy_reader_fault(r, 0, "a release has at most %d sources", POLICY_RELEASE_SOURCES);
                return;
        }
        source = policy_reader_add(r, &release->sources, &release->n_sources);
        if (source)
                (void)policy_word_uri(r, 2, source);
}

/* Remember where each organisation stands: whether it has a rebuilder shows only at the end. */
static void mention_orgs(PolicyReader *r, size_t first, const PolicyOrgRule *rule)
{
        for (size_t i = 0; i < rule->n_orgs; i++) {
                PolicyOrgMention *mention = policy_reader_add(r, &r->org_mentions, &r->n_org_mentions);

                if (!mention)
                        return;
                mention->place = policy_reader_place(r, first + i);
                mention->org = rule->orgs[i];
        }
}

/* require orgs K of ORG... */
static void require_orgs(PolicyReader *r)
{
        PolicyRelease *release = policy_reader_release(r);
        PolicyOrgRule *rule;
        uint64_t k = 0;

        if (release->n_org_rules >= POLICY_RELEASE_ORG_RULES) {
                policy_reader_fault(r, 0, "a release has at most %d rules on organisations",
                                    POLICY_RELEASE_ORG_RULES);
                return;
        }
        rule = policy_reader_add(r, &release->org_rules, &release->n_org_rules);
        if (!rule)
                return;
        (void)policy_word_is(r, 3, "of");
        if (r->line.n_words < 5) {
                policy_reader_fault(r, r->line.n_words, "the name of an organisation has to stand here");
                return;
        }
        if (policy_word_decimal(r, 2, 1, LIMIT_POLICY_NAMES, &k) && k > r->line.n_words - 4)
                policy_reader_fault(r, 2, "more than the organisations that are listed");
        rule->k = (size_t)k;
        if (policy_word_references(r, 4, r->line.n_words, KIND_ORG, &rule->orgs, &rule->n_orgs))
                mention_orgs(r, 4, rule);
}

/* require class CLASS K */
static void require_class(PolicyReader *r)
{
        PolicyRelease *release = policy_reader_release(r);
        PolicyClassMention *mention;
        PolicyClassRule *rule;
        OrgClass class;
        uint64_t k = 0;

        if (r->line.n_words > 4)
                policy_reader_fault(r, 4, "too many words: require class CLASS K");
        if (!policy_word_decimal(r, 3, 1, LIMIT_POLICY_NAMES, &k) || !policy_word_class(r, 2, &class))
                return;
        for (size_t i = 0; i < release->n_class_rules; i++)
                if (release->class_rules[i].class == class) {
                        policy_reader_fault(r, 2, "this release has a rule on this class already");
                        return;
                }
        rule = policy_reader_add(r, &release->class_rules, &release->n_class_rules);
        mention = policy_reader_add(r, &r->class_mentions, &r->n_class_mentions);
        if (!rule || !mention)
                return;
        *rule = (PolicyClassRule){.class = class, .k = (size_t)k};
        *mention = (PolicyClassMention){
                .place = policy_reader_place(r, 3),
                .release = r->policy->n_releases - 1,
                .rule = release->n_class_rules - 1,
        };
}

void policy_release_require(PolicyReader *r)
{
        if (word_is(&r->line.words[1], "orgs"))
                require_orgs(r);
        else if (word_is(&r->line.words[1], "class"))
                require_class(r);
        else
                policy_reader_fault(r, 1, "'orgs' or 'class' has to stand here");
}

void policy_release_dissent(PolicyReader *r)
{
        PolicyRelease *release = policy_reader_release(r);

        release->dissent_denies = word_is(&r->line.words[1], "deny");
        if (!release->dissent_denies && !word_is(&r->line.words[1], "record"))
                policy_reader_fault(r, 1, "'deny' or 'record' has to stand here");
}
