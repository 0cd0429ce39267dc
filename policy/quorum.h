/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The rules of a release as questions to one set of organisations.  Used twice: for those that have
 * attested, and, when a policy is loaded, for all that ever could.
 */
#include "policy/orgset.h"
#include "policy/policy.h"

/* The organisations of one rule. */
OrgSet quorum_rule_orgs(const PolicyOrgRule *rule);
/* The electorate of a release: whom its organisation rules name.  Nobody else's word counts for it. */
OrgSet quorum_electorate(const PolicyRelease *release);
/* All organisations of a class. */
OrgSet quorum_class_orgs(const Policy *policy, OrgClass class);
