/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/quorum.h"

OrgSet quorum_rule_orgs(const PolicyOrgRule *rule)
{
        OrgSet set = {0};

        assert(rule);

        for (size_t i = 0; i < rule->n_orgs; i++)
                orgset_add(&set, rule->orgs[i]);
        return set;
}

OrgSet quorum_electorate(const PolicyRelease *release)
{
        OrgSet set = {0};

        assert(release);

        for (size_t k = 0; k < release->n_org_rules; k++)
                for (size_t i = 0; i < release->org_rules[k].n_orgs; i++)
                        orgset_add(&set, release->org_rules[k].orgs[i]);
        return set;
}

OrgSet quorum_class_orgs(const Policy *policy, OrgClass class)
{
        OrgSet set = {0};

        assert(policy);

        for (size_t i = 0; i < policy->n_orgs; i++)
                if (policy->orgs[i].class == class)
                        orgset_add(&set, i);
        return set;
}
