/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From finished jobs to entries: one transaction, one sync.
 */
#include <assert.h>

#include "base/error.h"
#include "journal/entry.h"
#include "server/engine.h"

/* Time never goes back in the journal, whatever the clock does. */
static uint64_t commit_time(const Engine *e)
{
        uint64_t now = engine_real_time(), last = journal_time(e->journal);

        return now > last ? now : last;
}

static int commit_sign(Engine *e, Task *task, uint64_t now, Buffer *out)
{
        _cleanup_(buffer_deinit) Buffer members = BUFFER_NULL;
        uint8_t digest[SHA256_SIZE];
        int r;

        r = decide_write_intent(task, task->intent, &members);
        if (r != 0)
                return error_fold(r);
        /* A signature that exists is entered as one, also when whoever asked was told that it came too late.
         */
        if (task->signature.size > 0) {
                sha256(digest, task->signature.data, task->signature.size);
                return error_fold(entry_write_signature(now, buffer_blob(&members), digest, out));
        }
        assert(task->reason != REASON_NONE);
        e->stats.abandoned++;
        return error_fold(
                entry_write_abandoned(now, buffer_blob(&members), reason_to_string(task->reason), out));
}

static int commit_genesis(Engine *e, uint64_t now, Buffer *out)
{
        EntryGenesis genesis = {.time_usec = now,
                                .origin = e->policy->origin,
                                .site = e->policy->sites[e->site].name,
                                .policy_serial = e->policy->serial,
                                .policy_sha256 = e->policy->sha256};

        return error_fold(entry_write_genesis(&genesis, out));
}

static int commit_attestation(Engine *e, const Task *task, uint64_t now, Buffer *out)
{
        const Attestation *a = task->attestation;
        const char *rebuilders[LIMIT_ENVELOPE_SIGNATURES * 2], *orgs[LIMIT_ENVELOPE_SIGNATURES * 2];
        const uint8_t *contradicts[16];
        size_t n_signers = a->n_signers < ARRAY_SIZE(rebuilders) ? a->n_signers : ARRAY_SIZE(rebuilders);
        EvidenceSet set;
        EntryAttestation entry;
        int r;

        for (size_t i = 0; i < n_signers; i++) {
                const PolicyRebuilder *rebuilder = &e->policy->rebuilders[a->signers[i]];

                rebuilders[i] = rebuilder->name;
                orgs[i] = e->policy->orgs[rebuilder->org].name;
        }
        entry = (EntryAttestation){.time_usec = now,
                                   .site = e->policy->sites[e->site].name,
                                   .uid = task->uid,
                                   .id = a->id,
                                   .size = task->evidence.size,
                                   .release = e->policy->releases[a->release].name,
                                   .source_uri = a->source.uri,
                                   .source_git_commit = a->source.git_commit,
                                   .source_sha256 = a->source.sha256,
                                   .n_signers = n_signers,
                                   .rebuilders = rebuilders,
                                   .orgs = orgs,
                                   .n_subjects = a->n_subjects,
                                   .first_name = a->subjects[0].name,
                                   .first_sha256 = a->subjects[0].digests.sha256,
                                   .policy_serial = e->policy->serial,
                                   .policy_sha256 = e->policy->sha256};
        r = evidence_contradicting(e->evidence, a, &set);
        if (r < 0)
                return error_fold(r);
        /* The ids of what it contradicts: dissent is never only in the daemon's memory. */
        for (size_t i = 0; r == 0 && i < set.n && entry.n_contradicts < ARRAY_SIZE(contradicts); i++)
                contradicts[entry.n_contradicts++] = set.ids[i];
        entry.contradicts = contradicts;
        return error_fold(entry_write_attestation(&entry, out));
}

/* Index rows that only an attestation has. */
static int commit_attestation_keys(Engine *e, const Task *task)
{
        const Attestation *a = task->attestation;
        uint8_t claim[32];
        int r;

        for (size_t i = 0; i < a->n_subjects; i++) {
                r = journal_append_key(e->journal, INDEX_SUBJECT, a->subjects[i].digests.sha256);
                if (r != 0)
                        return error_fold(r);
                attestation_claim(a, e->policy, i, claim);
                r = journal_append_key(e->journal, INDEX_CLAIM, claim);
                if (r != 0)
                        return error_fold(r);
        }
        return 0;
}

static int commit_entry(Engine *e, Task *task, uint64_t now, Buffer *out)
{
        switch (task->kind) {
        case TASK_SIGN:
                return commit_sign(e, task, now, out);
        case TASK_ATTEST:
                return commit_attestation(e, task, now, out);
        case TASK_GENESIS:
                return commit_genesis(e, now, out);
        case TASK_REFUSAL:
                return error_fold(
                        refusal_write(task->refusal, e->policy, e->policy->sites[e->site].name, now, out));
        case TASK_RECOVERED:
                return error_fold(entry_write_abandoned(now, buffer_blob(&task->members),
                                                        reason_to_string(REASON_RESTARTED), out));
        case TASK_CHECK:
                break;
        }
        return error_origin(-ENOTRECOVERABLE);
}

static int commit_evidence(Engine *e, const Task *task)
{
        uint8_t id[SHA256_SIZE];

        if (task->evidence.size == 0)
                return 0;
        sha256(id, task->evidence.data, task->evidence.size);
        return error_fold(journal_append_evidence(e->journal, id, buffer_blob(&task->evidence)));
}

int commit_write(Engine *e)
{
        size_t n;
        const JobId *jobs = core_commit(e->core, &n);
        uint64_t now = commit_time(e);
        int r;

        for (size_t i = 0; i < n; i++) {
                Task *task = &e->tasks[jobs[i]];

                buffer_clear(&e->scratch);
                r = commit_entry(e, task, now, &e->scratch);
                if (r == 0)
                        r = commit_evidence(e, task);
                if (r == 0)
                        r = journal_append(e->journal, buffer_blob(&e->scratch),
                                           buffer_blob(&task->signature), task->intent, &task->entry);
                if (r == 0 && task->kind == TASK_ATTEST)
                        r = commit_attestation_keys(e, task);
                if (r != 0)
                        return error_fold(r);
        }
        return error_fold(journal_commit(e->journal));
}
