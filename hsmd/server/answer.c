/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Results on their way to the peer, as the .varlink files describe them.
 */
#include <assert.h>
#include <syslog.h>

#include "base/error.h"
#include "base/jsonw.h"
#include "server/engine.h"
#include "server/log.h"

/* Results gather up to this size before a reply that "continues". */
#define ANSWER_CHUNK (32 * 1024)

static const char *const answer_texts[_REASON_MAX] = {
        [REASON_NONE] = "all is well",
        [REASON_REQUESTER_UNKNOWN] = "no requester of the policy has this user or one of its groups",
        [REASON_REQUESTER_NOT_ALLOWED] = "the policy does not admit this requester to the release",
        [REASON_KEY_UNKNOWN] = "the policy has no such key",
        [REASON_KEY_NOT_AT_SITE] = "the policy does not allow this key at this site",
        [REASON_KEY_NOT_IN_RELEASE] = "the release does not use this key",
        [REASON_FORMAT_UNKNOWN] = "there is no such format",
        [REASON_FORMAT_NOT_ALLOWED] = "the policy does not allow this format for the key",
        [REASON_FORMAT_AMBIGUOUS] = "the key allows several formats: name one",
        [REASON_RELEASE_UNKNOWN] = "the policy has no such release",
        [REASON_RELEASE_AMBIGUOUS] = "several releases use the key: name one",
        [REASON_POLICY_NOT_EFFECTIVE] = "the policy is not in force yet",
        [REASON_POLICY_EXPIRED] = "the policy has expired: the officers have to make a new one",
        [REASON_ARTIFACT_NAME] =
                "an artifact's name is 1 to 255 bytes of UTF-8 without control characters and '/'",
        [REASON_ARTIFACT_TYPE] = "an artifact is a regular file or a memfd",
        [REASON_ARTIFACT_UNREADABLE] = "the artifact cannot be read through the descriptor",
        [REASON_ARTIFACT_CHANGED] =
                "the artifact changed while it was read: hand it in again when it is complete",
        [REASON_ARTIFACT_TOO_LARGE] = "the format signs the content itself, and that may be 16 MiB at most",
        [REASON_ARTIFACT_DIGEST] = "the SHA-256 is malformed, or not that of the content",
        [REASON_CONTENT_REQUIRED] = "this format needs the artifact itself, not only its SHA-256",
        [REASON_EVIDENCE_NONE] = "nobody has attested this artifact",
        [REASON_EVIDENCE_TOO_MUCH] = "more attestations name this artifact than hsmd looks at",
        [REASON_TOKEN_UNAVAILABLE] =
                "the token did not become ready in time: ask again; hsmctl status says why",
        [REASON_TOKEN_FAILED] = "the token answered with an error: ask again; the log of hsmd has its code",
        [REASON_OUTCOME_UNKNOWN] = "the token worker ended before it answered: ask again",
        [REASON_SIGNATURE_WRONG] =
                "the token's signature does not verify under the pinned key, and was not released",
        [REASON_RESTARTED] = "hsmd ended before the signature was made: ask again",
        [REASON_BUSY] = "too much of this user is under way: ask again later",
        [REASON_STOPPING] = "hsmd is stopping: ask again later",
        [REASON_FAULT] = "a fault of hsmd; its log says more",
};

const char *answer_text(Reason reason)
{
        return answer_texts[reason] ? answer_texts[reason] : reason_to_string(reason);
}

int answer_error(Peer *peer, const char *error, Reason reason, Blob message)
{
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;
        JsonWriter w;
        int r;

        jsonw_init(&w, &out);
        jsonw_object(&w);
        jsonw_member_string(&w, "reason", reason_to_string(reason));
        jsonw_name(&w, "message");
        if (message.size > 0)
                jsonw_string_n(&w, (const char *)message.data, message.size);
        else
                jsonw_string(&w, answer_text(reason));
        jsonw_object_end(&w);
        r = jsonw_finish(&w);
        return r != 0 ? error_fold(r) : error_fold(peer_error(peer, error, buffer_blob(&out)));
}

/* ---- results of Sign and Check ---- */

static int answer_send(Request *request, bool last)
{
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;
        Peer *peer = request->peer;
        int r;

        r = buffer_append_string(&out, "{\"results\":[");
        if (r == 0)
                r = buffer_append(&out, request->results.data, request->results.size);
        if (r == 0)
                r = buffer_append_string(&out, "]}");
        if (r != 0)
                return error_fold(r);
        buffer_clear(&request->results);
        if (last) {
                buffer_deinit(&request->results);
                request->peer = NULL; /* answered: nothing is left to tell */
        }
        return error_fold(peer_reply(peer, buffer_blob(&out), !last));
}

/* One line for each request that was signed, whatever its size: the journal of record is ours. */
static void answer_log(const Engine *e, const Request *request)
{
        const char *key = e->policy->keys[request->scopes[0].key].name;
        uint32_t uid = peer_identity(request->peer)->uid;

        if (request->n_signed > 0)
                log_write(LOG_SIGNED, LOG_DEBUG, uid, key, "signed", "uid %u: %zu artifacts signed with %s",
                          uid, request->n_signed, key);
}

/* A result object is complete: send it when it is time. */
static int answer_result_end(Engine *e, Task *task, JsonWriter *w)
{
        Request *request = task->request;
        int r;

        jsonw_object_end(w);
        r = jsonw_finish(w);
        if (r != 0)
                return error_fold(r);
        assert(request->n_results > 0);
        if (--request->n_results == 0) {
                answer_log(e, request);
                return error_fold(answer_send(request, true));
        }
        if (request->more && request->results.size >= ANSWER_CHUNK)
                return error_fold(answer_send(request, false));
        peer_hold(request->peer, request->results.capacity);
        return 0;
}

static int answer_result_begin(Engine *e, Task *task, JsonWriter *w, const char *outcome)
{
        Request *request = task->request;
        const DecisionScope *scope = &request->scopes[task->scope];
        int r = request->results.size > 0 ? buffer_append_byte(&request->results, ',') : 0;

        if (r != 0)
                return error_fold(r);
        jsonw_init(w, &request->results);
        jsonw_object(w);
        jsonw_member_u64(w, "index", task->index);
        jsonw_member_string(w, "name", task->name);
        jsonw_member_string(w, "outcome", outcome);
        jsonw_member_string(w, "key", e->policy->keys[scope->key].name);
        jsonw_member_string(w, "format", signature_format_to_string(scope->format));
        jsonw_member_string(w, "release", e->policy->releases[scope->release].name);
        return 0;
}

static bool answer_wanted(const Task *task)
{
        return task->request && task->request->peer;
}

static void answer_votes(Engine *e, const Decision *d, JsonWriter *w)
{
        jsonw_name(w, "attestedBy");
        jsonw_array(w);
        for (size_t i = 0; i < d->n_votes; i++)
                jsonw_string(w, e->policy->orgs[d->votes[i].org].name);
        jsonw_array_end(w);
}

static void answer_missing(Engine *e, const Decision *d, JsonWriter *w)
{
        jsonw_name(w, "missing");
        jsonw_array(w);
        for (size_t i = 0; i < d->n_missing; i++) {
                const DecisionMissing *m = &d->missing[i];

                jsonw_object(w);
                jsonw_member_string(w, "rule", m->is_class ? "class" : "orgs");
                jsonw_member_u64(w, "count", m->k);
                if (m->is_class)
                        jsonw_member_string(w, "class", org_class_to_string(m->class));
                jsonw_name(w, "orgs");
                jsonw_array(w);
                for (size_t k = 0; k < m->n_orgs; k++)
                        jsonw_string(w, e->policy->orgs[m->orgs[k]].name);
                jsonw_array_end(w);
                jsonw_object_end(w);
        }
        jsonw_array_end(w);
}

int answer_refused(Engine *e, Task *task, Reason reason, Blob message, const Decision *decision)
{
        JsonWriter w;
        int r;

        if (!answer_wanted(task))
                return 0;
        r = answer_result_begin(e, task, &w, "refused");
        if (r != 0)
                return error_fold(r);
        jsonw_member_string(&w, "reason", reason_to_string(reason));
        jsonw_name(&w, "message");
        jsonw_string_n(&w, (const char *)message.data, message.size);
        if (decision) {
                jsonw_member_hex(&w, "sha256", task->digests.sha256, SHA256_SIZE);
                answer_votes(e, decision, &w);
                answer_missing(e, decision, &w);
        }
        return error_fold(answer_result_end(e, task, &w));
}

int answer_allowed(Engine *e, Task *task, const Decision *decision)
{
        JsonWriter w;
        int r;

        if (!answer_wanted(task))
                return 0;
        r = answer_result_begin(e, task, &w, "allowed");
        if (r != 0)
                return error_fold(r);
        jsonw_member_hex(&w, "sha256", task->digests.sha256, SHA256_SIZE);
        jsonw_name(&w, "source");
        jsonw_object(&w);
        jsonw_member_string(&w, "uri", decision->source->uri);
        jsonw_member_string(&w, "gitCommit", decision->source->git_commit);
        jsonw_member_hex(&w, "sha256", decision->source->sha256, SHA256_SIZE);
        jsonw_object_end(&w);
        answer_votes(e, decision, &w);
        return error_fold(answer_result_end(e, task, &w));
}

int answer_signed(Engine *e, Task *task, uint64_t entry, Blob signature, bool repeated)
{
        JsonWriter w;
        int r;

        if (!answer_wanted(task))
                return 0;
        /* Promise 3: the proof is made, and verified by the verifier's code, before a byte of the signature
         * is written. */
        buffer_clear(&e->scratch);
        r = journal_proof(e->journal, entry, &e->scratch);
        if (r == 0)
                r = answer_result_begin(e, task, &w, "signed");
        if (r != 0)
                return error_fold(r);
        jsonw_member_hex(&w, "sha256", task->digests.sha256, SHA256_SIZE);
        jsonw_member_u64(&w, "entry", entry);
        jsonw_member_bool(&w, "repeated", repeated);
        jsonw_name(&w, "signature");
        jsonw_base64(&w, signature.data, signature.size);
        jsonw_name(&w, "proof");
        jsonw_string_n(&w, (const char *)e->scratch.data, e->scratch.size);
        task->request->n_signed++;
        return error_fold(answer_result_end(e, task, &w));
}

int answer_failed(Engine *e, Task *task, Reason reason)
{
        JsonWriter w;
        int r;

        if (!answer_wanted(task))
                return 0;
        if (task->kind == TASK_ATTEST) {
                Peer *peer = TAKE_PTR(task->request->peer);

                return error_fold(answer_error(peer, "org.hsmd.Sign.Busy", reason, BLOB_NULL));
        }
        r = answer_result_begin(e, task, &w, "failed");
        if (r != 0)
                return error_fold(r);
        jsonw_member_string(&w, "reason", reason_to_string(reason));
        jsonw_member_string(&w, "message", answer_text(reason));
        return error_fold(answer_result_end(e, task, &w));
}

/* ---- Attest ---- */

int answer_attested(Engine *e, Task *task, bool known, uint64_t entry)
{
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;
        const Attestation *a = task->attestation;
        JsonWriter w;
        int r;

        if (!answer_wanted(task))
                return 0;
        jsonw_init(&w, &out);
        jsonw_object(&w);
        jsonw_member_bool(&w, "accepted", true);
        jsonw_member_bool(&w, "known", known);
        jsonw_member_hex(&w, "id", a->id, SHA256_SIZE);
        jsonw_member_string(&w, "release", e->policy->releases[a->release].name);
        jsonw_member_u64(&w, "subjects", a->n_subjects);
        jsonw_name(&w, "signers");
        jsonw_array(&w);
        for (size_t i = 0; i < a->n_signers; i++) {
                const PolicyRebuilder *rebuilder = &e->policy->rebuilders[a->signers[i]];

                jsonw_object(&w);
                jsonw_member_string(&w, "rebuilder", rebuilder->name);
                jsonw_member_string(&w, "org", e->policy->orgs[rebuilder->org].name);
                jsonw_object_end(&w);
        }
        jsonw_array_end(&w);
        jsonw_member_u64(&w, "contradicts", task->n_contradicts);
        jsonw_member_u64(&w, "entry", entry);
        jsonw_object_end(&w);
        r = jsonw_finish(&w);
        if (r != 0)
                return error_fold(r);
        return error_fold(peer_reply(TAKE_PTR(task->request->peer), buffer_blob(&out), false));
}
