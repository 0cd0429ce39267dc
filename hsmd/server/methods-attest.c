/* SPDX-License-Identifier: Apache-2.0 */
/*
 * org.hsmd.Sign.Attest.
 */
#include <assert.h>
#include <sys/stat.h>
#include <syslog.h>

#include "base/error.h"
#include "base/file.h"
#include "base/hex.h"
#include "server/log.h"
#include "server/methods.h"

static const char *const attest_names[] = {"fd", NULL};

static int attest_reply_refused(Peer *peer, const uint8_t id[static 32], Reason reason, Blob message)
{
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;
        JsonWriter w;
        int r;

        jsonw_init(&w, &out);
        jsonw_object(&w);
        jsonw_member_bool(&w, "accepted", false);
        jsonw_member_bool(&w, "known", false);
        jsonw_member_hex(&w, "id", id, SHA256_SIZE);
        jsonw_member_string(&w, "reason", reason_to_string(reason));
        jsonw_name(&w, "message");
        if (message.size > 0)
                jsonw_string_n(&w, (const char *)message.data, message.size);
        else
                jsonw_string(&w, answer_text(reason));
        jsonw_object_end(&w);
        r = jsonw_finish(&w);
        return r != 0 ? error_fold(r) : error_fold(peer_reply(peer, buffer_blob(&out), false));
}

static int attest_refuse(Engine *e, Peer *peer, Blob envelope, Reason reason, Blob message)
{
        uint8_t id[SHA256_SIZE];
        int r;

        sha256(id, envelope.data, envelope.size);
        r = engine_refuse(e, peer_identity(peer)->uid, reason, NULL, NULL, NULL, NULL);
        return r != 0 ? error_fold(r) : error_fold(attest_reply_refused(peer, id, reason, message));
}

/* The envelope behind the descriptor.  *ret_reason other than NONE: it cannot be had. */
static int attest_read(Peer *peer, uint64_t index, Buffer *out, Reason *ret_reason)
{
        _cleanup_(close_fdp) int fd = peer_take_fd(peer, index);
        int r;

        *ret_reason = REASON_NONE;
        r = fd < 0 ? FILE_E_TYPE : file_read_fd(out, fd, LIMIT_ATTESTATION_SIZE);
        if (r == FILE_E_TOO_LARGE)
                *ret_reason = REASON_ATTESTATION_TOO_LARGE;
        else if (r > 0)
                *ret_reason = REASON_ARTIFACT_TYPE;
        else if (r < 0)
                *ret_reason =
                        REASON_ARTIFACT_UNREADABLE; /* the descriptor is the peer's: its fault, not ours */
        return 0;
}

/* The same envelope is on its way to the journal. */
static bool attest_under_way(const Engine *e, const Attestation *a)
{
        for (JobId job = 0; job < LIMIT_JOBS; job++) {
                const Task *task = &e->tasks[job];

                if (task->kind == TASK_ATTEST && task->attestation &&
                    core_job_state(e->core, job) != JOB_FREE &&
                    memcmp(task->attestation->id, a->id, SHA256_SIZE) == 0)
                        return true;
        }
        return false;
}

static void attest_log(Engine *e, Peer *peer, const Task *task)
{
        char id[SHA256_SIZE * 2 + 1];

        hex_encode(id, task->attestation->id, SHA256_SIZE);
        log_write(LOG_ATTESTED, task->n_contradicts > 0 ? LOG_WARNING : LOG_INFO, peer_identity(peer)->uid,
                  NULL, task->n_contradicts > 0 ? "dissent" : "accepted",
                  "attestation %s by %s: release %s, %zu subjects%s", id,
                  e->policy->rebuilders[task->attestation->signers[0]].name,
                  e->policy->releases[task->attestation->release].name, task->attestation->n_subjects,
                  task->n_contradicts > 0 ? "; it contradicts an earlier one" : "");
}

static int attest_accept(Engine *e, Peer *peer, Attestation **a, Buffer *envelope)
{
        Request *request;
        EvidenceSet set;
        uint64_t entry;
        bool known;
        Task *task;
        int r;

        if (attest_under_way(e, *a))
                return error_fold(answer_error(peer, "org.hsmd.Sign.Busy", REASON_BUSY, BLOB_NULL));
        r = engine_request_new(e, peer, TASK_ATTEST, false, &request);
        if (r == 0) {
                r = engine_task_new(e, request, TASK_ATTEST, peer_identity(peer)->uid, &task);
                if (r > 0)
                        engine_request_free(e, request);
        }
        if (r != 0)
                return r < 0 ? error_fold(r)
                             : error_fold(answer_error(peer, "org.hsmd.Sign.Busy",
                                                       r == CORE_E_STOPPING ? REASON_STOPPING : REASON_BUSY,
                                                       BLOB_NULL));
        task->attestation = TAKE_PTR(*a);
        task->evidence = *envelope;
        *envelope = (Buffer)BUFFER_NULL;
        peer_set_context(peer, request);

        r = evidence_known(e->evidence, task->attestation, &known, &entry);
        if (r < 0)
                return error_fold(r);
        if (r == 0 && known) {
                r = answer_attested(e, task, true, entry);
                return r != 0 ? error_fold(r)
                              : error_fold(engine_step(e, EVENT_CLOSED, task->job, REASON_NONE));
        }
        if (r == EVIDENCE_E_TOO_MUCH) {
                /* No more of the same: the journal must not grow by what is never looked at. */
                r = engine_refuse(e, task->uid, REASON_EVIDENCE_TOO_MUCH, NULL, NULL, NULL, NULL);
                if (r == 0)
                        r = attest_reply_refused(TAKE_PTR(request->peer), task->attestation->id,
                                                 REASON_EVIDENCE_TOO_MUCH, BLOB_NULL);
                return r != 0 ? error_fold(r)
                              : error_fold(engine_step(e, EVENT_CLOSED, task->job, REASON_NONE));
        }
        r = evidence_contradicting(e->evidence, task->attestation, &set);
        if (r < 0)
                return error_fold(r);
        task->n_contradicts = r == 0 ? set.n : LIMIT_EVIDENCE;
        attest_log(e, peer, task);
        return error_fold(engine_step(e, EVENT_ENTRY, task->job, REASON_NONE));
}

int method_attest(Server *s, Peer *peer, const PeerCall *call)
{
        _cleanup_(buffer_deinit) Buffer envelope = BUFFER_NULL, message = BUFFER_NULL;
        _cleanup_(attestation_freep) Attestation *a = NULL;
        Engine *e = s->engine;
        Reason reason;
        uint64_t fd;
        int r;

        if (!call->parameters || !sjson_only(call->parameters, attest_names) ||
            method_get_u64(call, "fd", &fd) != 0)
                return error_fold(method_invalid(peer, "fd"));
        r = attest_read(peer, fd, &envelope, &reason);
        if (r != 0)
                return error_fold(r);
        if (reason != REASON_NONE)
                return error_fold(attest_refuse(e, peer, buffer_blob(&envelope), reason, BLOB_NULL));
        r = attestation_verify(&a, e->policy, buffer_blob(&envelope), engine_real_time(), &reason, &message);
        if (r == ATTESTATION_E_REFUSED)
                return error_fold(
                        attest_refuse(e, peer, buffer_blob(&envelope), reason, buffer_blob(&message)));
        if (r != 0)
                return error_fold(r);
        return error_fold(attest_accept(e, peer, &a, &envelope));
}
