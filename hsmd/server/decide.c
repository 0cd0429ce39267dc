/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the digest to the decision: the same question before?  being signed right now?  what does the policy
 * say?
 */
#include <assert.h>

#include "base/error.h"
#include "format/format.h"
#include "journal/entry.h"
#include "server/engine.h"

/* Room in an entry for what is not known at the decision: numbers, time, signature digest or reason. */
#define DECIDE_ENTRY_RESERVE 512

/* ---- signatures under way ---- */

static size_t decide_bucket(const Task *task)
{
        uint32_t hash;

        memcpy(&hash, task->digests.sha256, sizeof(hash));
        return (hash ^ (uint32_t)task->key ^ ((uint32_t)task->format << 8)) % ENGINE_TABLE_SIZE;
}

static Task *decide_find_leader(Engine *e, const Task *task)
{
        for (Task *t = e->table[decide_bucket(task)]; t; t = t->table_next)
                if (t->key == task->key && t->format == task->format &&
                    memcmp(t->digests.sha256, task->digests.sha256, SHA256_SIZE) == 0)
                        return t;
        return NULL;
}

static void decide_table_add(Engine *e, Task *task)
{
        Task **bucket = &e->table[decide_bucket(task)];

        assert(!task->in_table);
        task->table_next = *bucket;
        task->in_table = true;
        *bucket = task;
}

void decide_table_remove(Engine *e, Task *task)
{
        Task **link;

        if (!task->in_table)
                return;
        for (link = &e->table[decide_bucket(task)]; *link != task; link = &(*link)->table_next)
                assert(*link);
        *link = TAKE_PTR(task->table_next);
        task->in_table = false;
}

/* ---- asked before? ---- */

enum {
        _DECIDE_E_SUCCESS,
        DECIDE_E_MISSING,     /* nobody asked before */
        DECIDE_E_UNPUBLISHED, /* the answer is there, but no checkpoint covers it yet: hsmd ended just before
                               */
};

/* Candidates of the index are compared in full: no truncated hash is an identity. */
static int decide_find_recorded(Engine *e, const Task *task, uint64_t *ret_entry, Buffer *signature)
{
        const PolicyKey *key = &e->policy->keys[task->key];
        uint64_t found[16], before = UINT64_MAX;
        size_t n;
        int r;

        do {
                r = journal_find(e->journal, INDEX_SIGNED, task->digests.sha256, before, found,
                                 ARRAY_SIZE(found), &n);
                if (r != 0)
                        return error_fold(r);
                for (size_t i = 0; i < n; i++) {
                        _cleanup_(buffer_deinit) Buffer content = BUFFER_NULL;
                        _cleanup_(entry_deinit) Entry entry = {0};

                        buffer_clear(signature);
                        r = journal_get(e->journal, found[i], &content, signature);
                        if (r == 0)
                                r = entry_decode(&entry, buffer_blob(&content));
                        if (r != 0)
                                return error_fold(r);
                        if (entry.has_signature && entry.has_artifact && entry.has_key_id &&
                            memcmp(entry.artifact_sha256, task->digests.sha256, 32) == 0 &&
                            memcmp(entry.key_id, public_key_id(key->public_key), 32) == 0 &&
                            strcmp(entry.key, key->name) == 0 &&
                            strcmp(entry.format, signature_format_to_string(task->format)) == 0) {
                                *ret_entry = found[i];
                                return found[i] < journal_published(e->journal) ? 0 : DECIDE_E_UNPUBLISHED;
                        }
                }
                if (n > 0)
                        before = found[n - 1];
        } while (n == ARRAY_SIZE(found));
        return DECIDE_E_MISSING;
}

/* ---- the decision ---- */

static int decide_close(Engine *e, Task *task)
{
        return error_fold(engine_step(e, EVENT_CLOSED, task->job, REASON_NONE));
}

static int decide_refuse(Engine *e, Task *task, const DecisionScope *scope, Reason reason,
                         const Decision *decision)
{
        _cleanup_(buffer_deinit) Buffer message = BUFFER_NULL;
        Request *request = task->request;
        int r = 0;

        if (decision)
                r = decision_describe(decision, e->policy, scope, &message);
        else
                r = buffer_append_string(&message, answer_text(reason));
        if (r == 0 && request->peer && task->kind == TASK_SIGN)
                r = engine_refuse(e, peer_identity(request->peer)->uid, reason,
                                  e->policy->keys[scope->key].name, e->policy->releases[scope->release].name,
                                  task->name,
                                  reason == REASON_ARTIFACT_TYPE || reason == REASON_ARTIFACT_UNREADABLE ||
                                                  reason == REASON_ARTIFACT_CHANGED ||
                                                  reason == REASON_ARTIFACT_TOO_LARGE
                                          ? NULL
                                          : task->digests.sha256);
        if (r != 0)
                return error_fold(r);
        return error_fold(answer_refused(e, task, reason, buffer_blob(&message), decision));
}

/* What the journal and the policy say of this artifact in this scope. */
static int decide_evaluate(Engine *e, const Task *task, const DecisionScope *scope, Decision *ret)
{
        EvidenceSet set;
        int r = evidence_collect(e->evidence, task->name, task->digests.sha256, &set);

        if (r < 0)
                return error_fold(r);
        if (r == EVIDENCE_E_TOO_MUCH) {
                *ret = (Decision){.reason = REASON_EVIDENCE_TOO_MUCH};
                return 0;
        }
        decision_evaluate(ret, e->policy, scope, task->name, &task->digests, set.n, set.items);
        return 0;
}

/* The intent's content, with the number still to come. */
static int decide_prepare(Engine *e, Task *task, const DecisionScope *scope, const Decision *d)
{
        const PolicyKey *key = &e->policy->keys[scope->key];
        EntryVote votes[LIMIT_POLICY_NAMES];
        EntryRequest request = {
                .intent = 0,
                .requested_usec = engine_real_time(),
                .site = e->policy->sites[e->site].name,
                .requester = e->policy->requesters[scope->requester].name,
                .uid = peer_identity(task->request->peer)->uid,
                .release = e->policy->releases[scope->release].name,
                .artifact_name = task->name,
                .has_size = task->has_size,
                .artifact_size = task->size,
                .artifact_sha256 = task->digests.sha256,
                .source_uri = d->source->uri,
                .source_git_commit = d->source->git_commit,
                .source_sha256 = d->source->sha256,
                .n_votes = d->n_votes,
                .votes = votes,
                .policy_serial = e->policy->serial,
                .policy_sha256 = e->policy->sha256,
                .key = key->name,
                .key_id = public_key_id(key->public_key),
                .format = signature_format_to_string(scope->format),
        };

        for (size_t i = 0; i < d->n_votes; i++)
                votes[i] = (EntryVote){.attestation = d->votes[i].attestation->id,
                                       .org = e->policy->orgs[d->votes[i].org].name};
        buffer_clear(&task->members);
        return error_fold(entry_write_request(&request, &task->members));
}

int decide_write_intent(const Task *task, uint64_t intent, Buffer *out)
{
        static const char prefix[] = "\"intent\":0";
        size_t n = sizeof(prefix) - 1;
        int r;

        /* decide_prepare() wrote the members before the number was known; the number comes first
         * (JOURNAL.md). */
        assert(task->members.size > n && memcmp(task->members.data, prefix, n) == 0);
        r = buffer_append(out, prefix, n - 1);
        if (r == 0)
                r = buffer_append_u64_decimal(out, intent);
        if (r == 0)
                r = buffer_append(out, task->members.data + n, task->members.size - n);
        return error_fold(r);
}

/* Can this artifact be signed in this format at all, with what was handed in of it? */
static bool decide_has_content(const Engine *e, const Task *task, const DecisionScope *scope)
{
        FormatInput input;

        return format_prepare(scope->format, e->policy->keys[scope->key].type, &task->digests, &input) ==
                       0 &&
               (!input.content || task->has_size);
}

static int decide_check(Engine *e, Task *task)
{
        Request *request = task->request;
        Decision d;
        int r;

        for (size_t i = 0; i < request->n_scopes; i++) {
                const DecisionScope *scope = &request->scopes[i];

                task->scope = (uint32_t)i;
                task->key = scope->key;
                task->format = scope->format;
                r = task->reason == REASON_NONE ? decide_evaluate(e, task, scope, &d) : 0;
                if (r != 0)
                        return error_fold(r);
                if (task->reason != REASON_NONE)
                        r = decide_refuse(e, task, scope, task->reason, NULL);
                else if (!decide_has_content(e, task, scope))
                        r = decide_refuse(e, task, scope, REASON_CONTENT_REQUIRED, NULL);
                else if (d.reason != REASON_NONE)
                        r = decide_refuse(e, task, scope, d.reason, &d);
                else
                        r = answer_allowed(e, task, &d);
                if (r != 0)
                        return error_fold(r);
        }
        return error_fold(decide_close(e, task));
}

/* Nobody has asked for exactly this yet: what does the policy say now? */
static int decide_new(Engine *e, Task *task)
{
        const DecisionScope *scope = &task->request->scopes[0];
        Decision d;
        int r;

        if (!decide_has_content(e, task, scope)) {
                r = decide_refuse(e, task, scope, REASON_CONTENT_REQUIRED, NULL);
                return r != 0 ? error_fold(r) : error_fold(decide_close(e, task));
        }
        r = decide_evaluate(e, task, scope, &d);
        if (r == 0 && d.reason == REASON_NONE) {
                r = decide_prepare(e, task, scope, &d);
                if (r == 0 && task->members.size > LIMIT_ENTRY_SIZE - DECIDE_ENTRY_RESERVE)
                        d = (Decision){.reason = REASON_EVIDENCE_TOO_MUCH};
        }
        if (r == 0 && d.reason != REASON_NONE) {
                r = decide_refuse(e, task, scope, d.reason,
                                  d.reason == REASON_EVIDENCE_TOO_MUCH ? NULL : &d);
                return r != 0 ? error_fold(r) : error_fold(decide_close(e, task));
        }
        if (r != 0)
                return error_fold(r);
        decide_table_add(e, task);
        return error_fold(engine_step(e, EVENT_ALLOWED, task->job, REASON_NONE));
}

int decide_task(Engine *e, Task *task)
{
        _cleanup_(buffer_deinit) Buffer signature = BUFFER_NULL;
        uint64_t entry = 0;
        Task *leader;
        int r;

        if (!task->request->peer)
                return error_fold(decide_close(e, task));
        if (task->reason == REASON_NONE && task->expects_sha256 &&
            memcmp(task->expected_sha256, task->digests.sha256, SHA256_SIZE) != 0)
                task->reason = REASON_ARTIFACT_DIGEST;
        if (task->kind == TASK_CHECK)
                return error_fold(decide_check(e, task));
        if (task->reason != REASON_NONE) {
                r = decide_refuse(e, task, &task->request->scopes[0], task->reason, NULL);
                return r != 0 ? error_fold(r) : error_fold(decide_close(e, task));
        }

        leader = decide_find_leader(e, task);
        if (leader) {
                task->leader = leader;
                task->next = leader->followers;
                leader->followers = task;
                return error_fold(engine_step(e, EVENT_FOLLOW, task->job, REASON_NONE));
        }
        r = decide_find_recorded(e, task, &entry, &signature);
        if (r < 0)
                return error_fold(r);
        if (r == DECIDE_E_UNPUBLISHED) {
                /* To sign again would make two of one: whoever asks again in a moment gets the recorded one.
                 */
                e->stats.failed++;
                r = answer_failed(e, task, REASON_TOKEN_UNAVAILABLE);
                return r != 0 ? error_fold(r) : error_fold(decide_close(e, task));
        }
        if (r == 0) {
                e->stats.repeated++;
                r = answer_signed(e, task, entry, buffer_blob(&signature), true);
                return r != 0 ? error_fold(r) : error_fold(decide_close(e, task));
        }
        return error_fold(decide_new(e, task));
}
