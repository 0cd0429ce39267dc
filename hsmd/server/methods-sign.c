/* SPDX-License-Identifier: Apache-2.0 */
/*
 * org.hsmd.Sign.Sign and .Check.
 */
#include <assert.h>

#include "base/error.h"
#include "base/hex.h"
#include "format/format.h"
#include "server/methods.h"

typedef struct SignParameters {
        const char *key, *format, *release;
        SJson *artifacts;
        size_t n_artifacts;
} SignParameters;

static const char *const sign_names[] = {"key", "format", "release", "artifacts", NULL};
static const char *const artifact_names[] = {"name", "fd", "sha256", NULL};

/* One artifact's shape: enough is checked here that nothing of a malformed call has any effect. */
static bool sign_artifact_valid(const SJson *artifact, size_t n_fds)
{
        const char *name, *digest;
        size_t size;
        uint64_t fd = 0;
        int r_fd, r_digest;

        if (!sjson_is_object(artifact) || !sjson_only(artifact, artifact_names) ||
            sjson_get_string(artifact, "name", &name, &size) != 0)
                return false;
        r_fd = sjson_get_u64(artifact, "fd", &fd);
        r_digest = sjson_get_string(artifact, "sha256", &digest, &size);
        return (r_fd == 0 ? fd < n_fds : r_fd == SJSON_E_MISSING) &&
               (r_digest == 0 || r_digest == SJSON_E_MISSING) && (r_fd == 0 || r_digest == 0);
}

static int sign_decode(Peer *peer, const PeerCall *call, bool key_optional, SignParameters *ret,
                       const char **ret_bad)
{
        int r;

        *ret = (SignParameters){0};
        *ret_bad = "parameters";
        if (!call->parameters || !sjson_only(call->parameters, sign_names))
                return SJSON_E_TYPE;
        *ret_bad = "key";
        r = method_get_string(call, "key", &ret->key);
        if (r != 0 && !(r == SJSON_E_MISSING && key_optional))
                return r;
        *ret_bad = "format";
        r = method_get_string(call, "format", &ret->format);
        if (r != 0 && r != SJSON_E_MISSING)
                return r;
        *ret_bad = "release";
        r = method_get_string(call, "release", &ret->release);
        if (r != 0 && r != SJSON_E_MISSING)
                return r;
        *ret_bad = "artifacts";
        r = sjson_get_array(call->parameters, "artifacts", &ret->artifacts);
        if (r != 0)
                return r;
        ret->n_artifacts = sjson_size(ret->artifacts);
        if (ret->n_artifacts == 0 || ret->n_artifacts > LIMIT_ARTIFACTS)
                return SJSON_E_TYPE;
        for (size_t i = 0; i < ret->n_artifacts; i++)
                if (!sign_artifact_valid(sjson_at(ret->artifacts, i), peer_n_fds(peer)))
                        return SJSON_E_TYPE;
        return 0;
}

/* Each release that admits the caller, with its first key. */
static int sign_all_scopes(Engine *e, Peer *peer, const SignParameters *p, Request *request,
                           Reason *ret_reason, Buffer *message)
{
        *ret_reason = REASON_REQUESTER_NOT_ALLOWED;
        for (size_t i = 0; i < e->policy->n_releases && request->n_scopes < REQUEST_SCOPES; i++) {
                const PolicyRelease *release = &e->policy->releases[i];
                int r = DECISION_E_REFUSED;

                for (size_t k = 0; k < release->n_keys && r == DECISION_E_REFUSED; k++) {
                        const PolicyKey *key = &e->policy->keys[release->keys[k]];

                        /* Whether it would be signed does not hang on the format: any that the key has will
                         * do. */
                        for (int f = 0; f < _FORMAT_MAX && r == DECISION_E_REFUSED; f++) {
                                if (!(key->formats & (1u << f)))
                                        continue;
                                buffer_clear(message);
                                r = decision_scope(
                                        &request->scopes[request->n_scopes], e->policy, peer_identity(peer),
                                        key->name,
                                        p->format ? p->format
                                                  : signature_format_to_string((SignatureFormat)f),
                                        release->name, e->site, engine_real_time(), ret_reason, message);
                        }
                }
                if (r < 0)
                        return error_fold(r);
                if (r == 0)
                        request->n_scopes++;
        }
        return request->n_scopes > 0 ? 0 : DECISION_E_REFUSED;
}

/* What of the request needs no artifact. */
static int sign_scope(Engine *e, Peer *peer, const SignParameters *p, Request *request, Reason *ret_reason,
                      Buffer *message)
{
        int r;

        if (!p->key)
                return sign_all_scopes(e, peer, p, request, ret_reason, message);
        r = decision_scope(&request->scopes[0], e->policy, peer_identity(peer), p->key, p->format,
                           p->release, e->site, engine_real_time(), ret_reason, message);
        if (r == 0)
                request->n_scopes = 1;
        return r;
}

static int sign_task(Engine *e, Peer *peer, Request *request, const SJson *artifact, size_t index,
                     Task **ret)
{
        const char *name, *digest;
        size_t name_size, digest_size;
        uint64_t fd;
        Task *task;
        int r;

        r = engine_task_new(e, request, request->kind, peer_identity(peer)->uid, &task);
        if (r != 0)
                return r;
        task->index = (uint32_t)index;
        task->key = request->scopes[0].key;
        task->format = request->scopes[0].format;
        r = sjson_get_string(artifact, "name", &name, &name_size);
        assert(r == 0);
        if (decision_artifact_name_valid(name, name_size))
                memcpy(task->name, name, name_size + 1);
        else
                task->reason = REASON_ARTIFACT_NAME;
        if (sjson_get_string(artifact, "sha256", &digest, &digest_size) == 0) {
                task->expects_sha256 = true;
                if (hex_decode(task->expected_sha256, SHA256_SIZE, digest, digest_size) != 0)
                        task->reason = REASON_ARTIFACT_DIGEST;
                memcpy(task->digests.sha256, task->expected_sha256, SHA256_SIZE);
        }
        if (sjson_get_u64(artifact, "fd", &fd) == 0) {
                task->fd = peer_take_fd(peer, fd);
                if (task->fd < 0)
                        task->reason = REASON_ARTIFACT_UNREADABLE; /* two artifacts name one descriptor */
        }
        *ret = task;
        return 0;
}

/* All tasks first, so that a request that does not fit the quota has no effect; then each goes its way. */
static int sign_tasks(Engine *e, Peer *peer, Request *request, const SignParameters *p, Task **tasks,
                      Reason *ret_reason)
{
        for (size_t i = 0; i < p->n_artifacts; i++) {
                int r = sign_task(e, peer, request, sjson_at(p->artifacts, i), i, &tasks[i]);

                if (r < 0)
                        return error_fold(r);
                if (r == 0)
                        continue;
                *ret_reason = r == CORE_E_STOPPING ? REASON_STOPPING : REASON_BUSY;
                request->n_tasks++; /* closing the last would free it */
                while (i-- > 0) {
                        int q = engine_step(e, EVENT_CLOSED, tasks[i]->job, REASON_NONE);

                        if (q != 0)
                                return error_fold(q);
                }
                request->n_tasks--;
                return r;
        }
        return 0;
}

static int sign_start(Engine *e, Request *request, Task **tasks, size_t n)
{
        request->n_tasks++; /* answering the last would free it under us */
        for (size_t i = 0; i < n; i++) {
                Task *task = tasks[i];
                int r = task->fd >= 0 && task->reason == REASON_NONE ? hashing_add(e, task)
                                                                     : decide_task(e, task);

                if (r != 0)
                        return error_fold(r);
        }
        if (--request->n_tasks == 0)
                engine_request_free(e, request);
        return 0;
}

static int sign_refuse(Engine *e, Peer *peer, const SignParameters *p, TaskKind kind, Reason reason,
                       Blob message)
{
        int r = 0;

        if (reason == REASON_BUSY || reason == REASON_STOPPING)
                return error_fold(answer_error(peer, "org.hsmd.Sign.Busy", reason, message));
        if (kind == TASK_SIGN)
                r = engine_refuse(e, peer_identity(peer)->uid, reason, p->key, p->release, NULL, NULL);
        return r != 0 ? error_fold(r)
                      : error_fold(answer_error(peer, "org.hsmd.Sign.Refused", reason, message));
}

static int sign_call(Server *s, Peer *peer, const PeerCall *call, TaskKind kind)
{
        _cleanup_(buffer_deinit) Buffer message = BUFFER_NULL;
        Task *tasks[LIMIT_ARTIFACTS];
        Engine *e = s->engine;
        SignParameters p;
        Request *request;
        const char *bad;
        Reason reason = REASON_BUSY;
        int r;

        r = sign_decode(peer, call, kind == TASK_CHECK, &p, &bad);
        if (r != 0)
                return r < 0 ? error_fold(r) : error_fold(method_invalid(peer, bad));
        if (e->stopping)
                return error_fold(sign_refuse(e, peer, &p, kind, REASON_STOPPING, BLOB_NULL));
        r = engine_request_new(e, peer, kind, call->more, &request);
        if (r != 0)
                return r < 0 ? error_fold(r)
                             : error_fold(sign_refuse(e, peer, &p, kind, REASON_BUSY, BLOB_NULL));
        r = sign_scope(e, peer, &p, request, &reason, &message);
        if (r == 0)
                r = sign_tasks(e, peer, request, &p, tasks, &reason);
        if (r < 0)
                return error_fold(r);
        if (r > 0) {
                engine_request_free(e, request);
                return error_fold(sign_refuse(e, peer, &p, kind, reason, buffer_blob(&message)));
        }
        request->n_results = p.n_artifacts * request->n_scopes;
        peer_set_context(peer, request);
        return error_fold(sign_start(e, request, tasks, p.n_artifacts));
}

int method_sign(Server *s, Peer *peer, const PeerCall *call)
{
        return sign_call(s, peer, call, TASK_SIGN);
}

int method_check(Server *s, Peer *peer, const PeerCall *call)
{
        return sign_call(s, peer, call, TASK_CHECK);
}
