/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "base/error.h"
#include "journal/entry.h"
#include "server/evidence.h"

typedef struct EvidenceItem {
        uint64_t entry;
        uint64_t used;            /* larger is later */
        Attestation *attestation; /* NULL: not valid under this policy; remembered so as not to be verified
                                     again */
        size_t bytes;
} EvidenceItem;

struct Evidence {
        Journal *journal;
        const Policy *policy;
        uint64_t clock;
        size_t n, bytes;
        EvidenceItem items[EVIDENCE_CACHE_ITEMS];
};

int evidence_new(Evidence **ret, Journal *journal, const Policy *policy)
{
        Evidence *e = NULL;
        int r = memory_new0(&e, 1);

        if (r != 0)
                return error_fold(r);
        e->journal = journal;
        e->policy = policy;
        *ret = e;
        return 0;
}

static void evidence_drop(Evidence *e, size_t i)
{
        e->bytes -= e->items[i].bytes;
        attestation_free(e->items[i].attestation);
        e->items[i] = e->items[--e->n];
}

Evidence *evidence_free(Evidence *e)
{
        if (!e)
                return NULL;
        while (e->n > 0)
                evidence_drop(e, e->n - 1);
        assert(e->bytes == 0);
        free(e);
        return NULL;
}

/* Make room before a collection begins, so that nothing is evicted that the set under way points to. */
static void evidence_trim(Evidence *e)
{
        while (e->n > EVIDENCE_CACHE_ITEMS - LIMIT_EVIDENCE - 2 || e->bytes > EVIDENCE_CACHE_BYTES) {
                size_t oldest = 0;

                for (size_t i = 1; i < e->n; i++)
                        if (e->items[i].used < e->items[oldest].used)
                                oldest = i;
                evidence_drop(e, oldest);
        }
}

/* The envelope behind an attestation entry, verified anew under the policy in force. */
static int evidence_read(Evidence *e, uint64_t index, Attestation **ret)
{
        _cleanup_(buffer_deinit) Buffer content = BUFFER_NULL, envelope = BUFFER_NULL, message = BUFFER_NULL;
        _cleanup_(entry_deinit) Entry entry = {0};
        Reason reason;
        int r;

        r = journal_get(e->journal, index, &content, NULL);
        if (r != 0)
                return error_fold(r);
        r = entry_decode(&entry, buffer_blob(&content));
        if (r != 0)
                return error_fold(r);
        if (!entry.has_attestation)
                return error_origin(-EUCLEAN); /* the index says attestation, the entry says otherwise */
        r = journal_get_evidence(e->journal, entry.attestation_id, &envelope);
        if (r != 0)
                return error_fold(r);
        /* The clock is only compared with finishedOn, which was in the past when the entry was made. */
        r = attestation_verify(ret, e->policy, buffer_blob(&envelope), entry.time_usec, &reason, &message);
        if (r == ATTESTATION_E_REFUSED) {
                *ret = NULL;
                return 0;
        }
        return error_fold(r);
}

static int evidence_get(Evidence *e, uint64_t index, Attestation **ret)
{
        EvidenceItem *item;
        Attestation *a = NULL;
        int r;

        for (size_t i = 0; i < e->n; i++)
                if (e->items[i].entry == index) {
                        e->items[i].used = ++e->clock;
                        *ret = e->items[i].attestation;
                        return 0;
                }
        if (e->n == EVIDENCE_CACHE_ITEMS)
                return EVIDENCE_E_TOO_MUCH;
        r = evidence_read(e, index, &a);
        if (r != 0)
                return error_fold(r);
        item = &e->items[e->n++];
        *item = (EvidenceItem){.entry = index, .used = ++e->clock, .attestation = a};
        item->bytes = sizeof(*item) + (a ? attestation_memory(a) : 0);
        e->bytes += item->bytes;
        *ret = a;
        return 0;
}

static int evidence_add(Evidence *e, EvidenceSet *set, uint64_t index)
{
        Attestation *a;
        int r;

        for (size_t i = 0; i < set->n; i++)
                if (set->entries[i] == index)
                        return 0;
        r = evidence_get(e, index, &a);
        if (r != 0)
                return r == EVIDENCE_E_TOO_MUCH ? r : error_fold(r);
        if (!a)
                return 0;
        if (set->n == LIMIT_EVIDENCE)
                return EVIDENCE_E_TOO_MUCH;
        set->items[set->n] = a;
        memcpy(set->ids[set->n], a->id, sizeof(a->id));
        set->entries[set->n++] = index;
        return 0;
}

/* All attestations under one key of one index. */
static int evidence_find(Evidence *e, IndexKind kind, const uint8_t key[static 32], EvidenceSet *set)
{
        uint64_t found[LIMIT_EVIDENCE + 1];
        size_t n = 0;
        int r;

        r = journal_find(e->journal, kind, key, UINT64_MAX, found, ARRAY_SIZE(found), &n);
        if (r != 0)
                return error_fold(r);
        if (n > LIMIT_EVIDENCE)
                return EVIDENCE_E_TOO_MUCH;
        /* Oldest first: of equal attestations the first is the one that counts. */
        while (n > 0) {
                r = evidence_add(e, set, found[--n]);
                if (r != 0)
                        return r == EVIDENCE_E_TOO_MUCH ? r : error_fold(r);
        }
        return 0;
}

int evidence_collect(Evidence *e, const char *name, const uint8_t sha256[static 32], EvidenceSet *ret)
{
        uint8_t claim[32], previous[32] = {0};
        size_t n;
        int r;

        evidence_trim(e);
        ret->n = 0;
        r = evidence_find(e, INDEX_SUBJECT, sha256, ret);
        if (r != 0)
                return r == EVIDENCE_E_TOO_MUCH ? r : error_fold(r);
        n = ret->n;
        for (size_t i = 0; i < n; i++) {
                const Attestation *a = ret->items[i];

                for (size_t k = attestation_find(a, sha256);
                     k < a->n_subjects && memcmp(a->subjects[k].digests.sha256, sha256, 32) == 0; k++) {
                        if (strcmp(a->subjects[k].name, name) != 0)
                                continue;
                        attestation_claim(a, e->policy, k, claim);
                        if (memcmp(claim, previous, 32) == 0)
                                continue; /* rebuilders that agree make one claim */
                        memcpy(previous, claim, 32);
                        r = evidence_find(e, INDEX_CLAIM, claim, ret);
                        if (r != 0)
                                return r == EVIDENCE_E_TOO_MUCH ? r : error_fold(r);
                }
        }
        return 0;
}

/* Does `other` have this subject, name and digest, for the same release and source? */
static bool evidence_says(const Attestation *other, const Attestation *a, size_t subject)
{
        const AttestationSubject *s = &a->subjects[subject];

        if (other->release != a->release || strcmp(other->source.uri, a->source.uri) != 0 ||
            strcmp(other->source.git_commit, a->source.git_commit) != 0 ||
            memcmp(other->source.sha256, a->source.sha256, 32) != 0)
                return false;
        for (size_t k = attestation_find(other, s->digests.sha256);
             k < other->n_subjects && memcmp(other->subjects[k].digests.sha256, s->digests.sha256, 32) == 0;
             k++)
                if (strcmp(other->subjects[k].name, s->name) == 0)
                        return true;
        return false;
}

int evidence_contradicting(Evidence *e, const Attestation *a, EvidenceSet *ret)
{
        EvidenceSet all;
        uint8_t claim[32];
        int r;

        ret->n = 0;
        for (size_t i = 0; i < a->n_subjects; i++) {
                evidence_trim(e);
                all.n = 0;
                attestation_claim(a, e->policy, i, claim);
                r = evidence_find(e, INDEX_CLAIM, claim, &all);
                if (r != 0)
                        return r == EVIDENCE_E_TOO_MUCH ? r : error_fold(r);
                for (size_t k = 0; k < all.n && ret->n < LIMIT_EVIDENCE; k++)
                        if (!evidence_says(all.items[k], a, i)) {
                                bool there = false;

                                for (size_t m = 0; m < ret->n; m++)
                                        there = there || ret->entries[m] == all.entries[k];
                                if (!there) {
                                        ret->items[ret->n] =
                                                NULL; /* may be evicted by the next subject's lookup */
                                        memcpy(ret->ids[ret->n], all.ids[k], sizeof(all.ids[k]));
                                        ret->entries[ret->n++] = all.entries[k];
                                }
                        }
        }
        return 0;
}

static bool evidence_signed_by_all(const Attestation *other, const Attestation *a)
{
        size_t k = 0;

        for (size_t i = 0; i < a->n_signers; i++) {
                while (k < other->n_signers && other->signers[k] < a->signers[i])
                        k++;
                if (k == other->n_signers || other->signers[k] != a->signers[i])
                        return false;
        }
        return true;
}

int evidence_known(Evidence *e, const Attestation *a, bool *ret, uint64_t *ret_entry)
{
        EvidenceSet set = {0};
        int r;

        assert(a->n_subjects > 0);
        evidence_trim(e);
        r = evidence_find(e, INDEX_SUBJECT, a->subjects[0].digests.sha256, &set);
        if (r != 0)
                return r == EVIDENCE_E_TOO_MUCH ? r : error_fold(r);
        *ret = false;
        for (size_t i = 0; i < set.n && !*ret; i++) {
                bool all = evidence_signed_by_all(set.items[i], a);

                for (size_t k = 0; k < a->n_subjects && all; k++)
                        all = evidence_says(set.items[i], a, k);
                if (all) {
                        *ret = true;
                        *ret_entry = set.entries[i];
                }
        }
        return 0;
}
