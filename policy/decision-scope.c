/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "base/timestamp.h"
#include "policy/decision.h"
#include "policy/refusal.h"

/* What is asked, and what has been found so far. */
typedef struct Asking {
        const Policy *policy;
        const DecisionPeer *peer;
        const char *key, *format, *release;
        size_t site;
        uint64_t now_usec;
        DecisionScope scope;
        const Refusal *refusal;
} Asking;

static bool requester_is(const PolicyRequester *requester, const DecisionPeer *peer)
{
        if (!requester->is_group)
                return requester->id == peer->uid;
        if (requester->id == peer->gid)
                return true;
        for (size_t i = 0; i < peer->n_groups; i++)
                if (requester->id == peer->groups[i])
                        return true;
        return false;
}

static bool has_index(const size_t *items, size_t n, size_t wanted)
{
        for (size_t i = 0; i < n; i++)
                if (items[i] == wanted)
                        return true;
        return false;
}

/* The first requester of the release that the peer is, or SIZE_MAX. */
static size_t release_admits(const PolicyRelease *release, const Asking *a)
{
        for (size_t i = 0; i < release->n_requesters; i++)
                if (requester_is(&a->policy->requesters[release->requesters[i]], a->peer))
                        return release->requesters[i];
        return SIZE_MAX;
}

static int check_validity(Asking *a)
{
        const Policy *p = a->policy;
        char text[TIMESTAMP_SIZE];

        if (a->now_usec < p->effective_usec) {
                timestamp_encode(text, p->effective_usec);
                return refusal_make(a->refusal, REASON_POLICY_NOT_EFFECTIVE,
                                    "the policy is not effective before %s", text);
        }
        if (a->now_usec >= p->expires_usec) {
                timestamp_encode(text, p->expires_usec);
                return refusal_make(a->refusal, REASON_POLICY_EXPIRED, "the policy expired at %s", text);
        }
        return 0;
}

static int check_requester(Asking *a)
{
        for (size_t i = 0; i < a->policy->n_requesters; i++)
                if (requester_is(&a->policy->requesters[i], a->peer))
                        return 0;
        return refusal_make(a->refusal, REASON_REQUESTER_UNKNOWN,
                            "no requester of the policy is user %u or one of its groups", a->peer->uid);
}

static int find_key(Asking *a)
{
        const PolicyKey *key;

        a->scope.key = policy_find_key(a->policy, a->key);
        if (a->scope.key == SIZE_MAX)
                return refusal_make(a->refusal, REASON_KEY_UNKNOWN, "the policy has no key '%s'",
                                    refusal_quote(a->key, strlen(a->key)).text);
        key = &a->policy->keys[a->scope.key];
        if (key->n_sites > 0 && !has_index(key->sites, key->n_sites, a->site))
                return refusal_make(a->refusal, REASON_KEY_NOT_AT_SITE, "key '%s' is not for site '%s'",
                                    key->name, a->policy->sites[a->site].name);
        return 0;
}

static int check_named_release(Asking *a)
{
        const PolicyRelease *release;

        a->scope.release = policy_find_release(a->policy, a->release);
        if (a->scope.release == SIZE_MAX)
                return refusal_make(a->refusal, REASON_RELEASE_UNKNOWN, "the policy has no release '%s'",
                                    refusal_quote(a->release, strlen(a->release)).text);
        release = &a->policy->releases[a->scope.release];
        if (!has_index(release->keys, release->n_keys, a->scope.key))
                return refusal_make(a->refusal, REASON_KEY_NOT_IN_RELEASE,
                                    "release '%s' does not have key '%s'", release->name, a->key);
        a->scope.requester = release_admits(release, a);
        if (a->scope.requester == SIZE_MAX)
                return refusal_make(a->refusal, REASON_REQUESTER_NOT_ALLOWED,
                                    "release '%s' does not admit user %u or one of its groups",
                                    release->name, a->peer->uid);
        return 0;
}

/* No release named: the only one that has the key and admits the peer. */
static int find_release(Asking *a)
{
        size_t n_with_key = 0, n_found = 0;

        if (a->release)
                return check_named_release(a);

        for (size_t i = 0; i < a->policy->n_releases; i++) {
                const PolicyRelease *release = &a->policy->releases[i];
                size_t requester = release_admits(release, a);

                if (!has_index(release->keys, release->n_keys, a->scope.key))
                        continue;
                n_with_key++;
                if (requester == SIZE_MAX)
                        continue;
                n_found++;
                a->scope.release = i;
                a->scope.requester = requester;
        }
        if (n_found == 1)
                return 0;
        if (n_found > 1)
                return refusal_make(a->refusal, REASON_RELEASE_AMBIGUOUS,
                                    "key '%s' is used by %zu releases that admit the requester: name one",
                                    a->key, n_found);
        if (n_with_key > 0)
                return refusal_make(a->refusal, REASON_REQUESTER_NOT_ALLOWED,
                                    "no release with key '%s' admits user %u or one of its groups", a->key,
                                    a->peer->uid);
        return refusal_make(a->refusal, REASON_KEY_NOT_IN_RELEASE, "no release has key '%s'", a->key);
}

static int find_format(Asking *a)
{
        const PolicyKey *key = &a->policy->keys[a->scope.key];

        if (!a->format) {
                if (key->formats & (key->formats - 1))
                        return refusal_make(a->refusal, REASON_FORMAT_AMBIGUOUS,
                                            "key '%s' makes several formats: name one", key->name);
                a->scope.format = (SignatureFormat)__builtin_ctz(key->formats);
                return 0;
        }
        a->scope.format = signature_format_from_string(a->format, strlen(a->format));
        if (a->scope.format == _FORMAT_INVALID)
                return refusal_make(a->refusal, REASON_FORMAT_UNKNOWN, "there is no format '%s'",
                                    refusal_quote(a->format, strlen(a->format)).text);
        if (!(key->formats & (1U << a->scope.format)))
                return refusal_make(a->refusal, REASON_FORMAT_NOT_ALLOWED, "key '%s' is not for format '%s'",
                                    key->name, a->format);
        return 0;
}

int decision_scope(DecisionScope *ret, const Policy *policy, const DecisionPeer *peer, const char *key,
                   const char *format, const char *release, size_t site, uint64_t now_usec,
                   Reason *ret_reason, Buffer *message)
{
        static int (*const steps[])(Asking *) = {
                check_validity, check_requester, find_key, find_release, find_format,
        };
        const Refusal refusal = {ret_reason, message};
        Asking a = {
                .policy = policy,
                .peer = peer,
                .key = key,
                .format = format,
                .release = release,
                .site = site,
                .now_usec = now_usec,
                .refusal = &refusal,
        };
        int r = 0;

        assert(ret && policy && peer && key);
        assert(ret_reason && message);
        assert(peer->groups || peer->n_groups == 0);
        assert(site < policy->n_sites);

        for (size_t i = 0; r == 0 && i < ARRAY_SIZE(steps); i++)
                r = steps[i](&a);
        if (r)
                return r > 0 ? DECISION_E_REFUSED : error_fold(r);
        *ret = a.scope;
        return 0;
}
