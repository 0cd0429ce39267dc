/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/policy.h"

#include "base/error.h"
#include "policy/policy-reader.h"

const char *org_class_to_string(OrgClass c)
{
        static const char *const texts[_ORG_CLASS_MAX] = {
                [ORG_INTERNAL] = "internal",
                [ORG_THIRD_PARTY] = "third-party",
        };

        assert(c < _ORG_CLASS_MAX);
        return texts[c];
}

int policy_parse(Policy **ret, Blob document, PolicyFaults *faults)
{
        _cleanup_(policy_freep) Policy *policy = NULL;
        int r;

        assert(ret);
        assert(document.data || document.size == 0);

        r = policy_faults_init(faults);
        if (r)
                return error_fold(r);

        r = memory_new0(&policy, 1);
        if (r)
                return error_fold(r);

        r = policy_read(policy, document, faults);
        if (r)
                return error_fold(r);
        if (faults->n > 0)
                return POLICY_E_INVALID;

        r = string_copy_n(&policy->bytes, (const char *)document.data, document.size);
        if (r)
                return error_fold(r);
        policy->size = document.size;
        sha256(policy->sha256, document.data, document.size);

        *ret = TAKE_PTR(policy);
        return 0;
}

static void rebuilders_free(Policy *p)
{
        for (size_t i = 0; i < p->n_rebuilders; i++) {
                free(p->rebuilders[i].name);
                public_key_free(p->rebuilders[i].key);
                free(p->rebuilders[i].builder_id);
        }
        free(p->rebuilders);
}

static void keys_free(Policy *p)
{
        for (size_t i = 0; i < p->n_keys; i++) {
                free(p->keys[i].name);
                public_key_free(p->keys[i].public_key);
                free(p->keys[i].uri);
                free(p->keys[i].sites);
        }
        free(p->keys);
}

static void release_deinit(PolicyRelease *release)
{
        for (size_t i = 0; i < release->n_sources; i++)
                free(release->sources[i]);
        for (size_t i = 0; i < release->n_org_rules; i++)
                free(release->org_rules[i].orgs);
        free(release->name);
        free(release->keys);
        free(release->requesters);
        free(release->sources);
        free(release->org_rules);
        free(release->class_rules);
}

Policy *policy_free(Policy *p)
{
        if (!p)
                return NULL;
        for (size_t i = 0; i < p->n_sites; i++)
                free(p->sites[i].name);
        for (size_t i = 0; i < p->n_orgs; i++)
                free(p->orgs[i].name);
        for (size_t i = 0; i < p->n_requesters; i++)
                free(p->requesters[i].name);
        for (size_t i = 0; i < p->n_releases; i++)
                release_deinit(&p->releases[i]);
        rebuilders_free(p);
        keys_free(p);
        free(p->sites);
        free(p->orgs);
        free(p->requesters);
        free(p->releases);
        free(p->origin);
        public_key_free(p->log_key);
        free(p->log_uri);
        free(p->bytes);
        free(p);
        return NULL;
}
