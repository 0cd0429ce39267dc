/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "format/format.h"
#include "server/engine.h"
#include "server/log.h"

/* Entries of the daemon's own carry this uid in core's accounts. */
#define ENGINE_UID UINT32_MAX
/* log/ is written at once after a quiet time, and at least this often under load. */
#define ENGINE_LOG_USEC       (10 * 1000)
#define ENGINE_STOP_POLL_USEC (20 * 1000)
/* Wait for the token at most this long when stopping. */
#define ENGINE_STOP_USEC (20 * 1000 * 1000)

uint64_t engine_real_time(void)
{
        struct timespec ts;

        if (clock_gettime(CLOCK_REALTIME, &ts) < 0)
                abort(); /* no kernel does this */
        return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* ---- requests and tasks ---- */

int engine_request_new(Engine *e, Peer *peer, TaskKind kind, bool more, Request **ret)
{
        Request *request = NULL;
        int r;

        if (e->n_free_requests == 0)
                return CORE_E_BUSY;
        r = memory_new0(&request, 1);
        if (r != 0)
                return error_fold(r);
        request->number = e->free_requests[--e->n_free_requests];
        request->peer = peer;
        request->kind = kind;
        request->more = more;
        request->start_usec = loop_now(e->loop);
        *ret = request;
        return 0;
}

void engine_request_free(Engine *e, Request *request)
{
        assert(request->n_tasks == 0 && !request->hashing);
        e->free_requests[e->n_free_requests++] = (uint16_t)request->number;
        buffer_deinit(&request->results);
        free(request);
}

int engine_task_new(Engine *e, Request *request, TaskKind kind, uint32_t uid, Task **ret)
{
        Task *task;
        JobId job;
        int r;

        r = core_job_new(e->core, uid, request->number, kind >= TASK_GENESIS, &job);
        if (r != 0)
                return r < 0 ? error_fold(r) : r;
        task = &e->tasks[job];
        /* Buffers stay with the slot: the same few slots are used again and again. */
        *task = (Task){.used = true,
                       .job = job,
                       .kind = kind,
                       .request = request,
                       .uid = uid,
                       .fd = -1,
                       .copy_fd = -1,
                       .start_usec = request->start_usec,
                       .members = task->members,
                       .signature = task->signature};
        buffer_clear(&task->members);
        buffer_clear(&task->signature);
        request->n_tasks++;
        *ret = task;
        return 0;
}

static void engine_unfollow(Task *task)
{
        Task *leader = TAKE_PTR(task->leader);
        Task **link;

        if (!leader)
                return;
        for (link = &leader->followers; *link != task; link = &(*link)->next)
                assert(*link);
        *link = TAKE_PTR(task->next);
}

/* Its leader is gone: decide again. */
static int engine_wake(Engine *e, Task *task)
{
        int r;

        task->leader = NULL;
        if (core_job_state(e->core, task->job) != JOB_FOLLOWING)
                return 0; /* both ended in one step: its own release comes next */
        r = engine_step(e, EVENT_LEADER_DONE, task->job, REASON_NONE);
        return r != 0 ? error_fold(r) : error_fold(decide_task(e, task));
}

/* The job is over: wake those that waited for it, forget the rest. */
static int engine_release(Engine *e, JobId job)
{
        Task *task = &e->tasks[job];
        Request *request = task->request;
        Task *followers = TAKE_PTR(task->followers);
        int r;

        decide_table_remove(e, task);
        hashing_remove(e, task);
        r = hashing_release(e, task);
        if (r != 0)
                return error_fold(r);
        engine_unfollow(task);
        task->fd = close_fd(task->fd);
        task->copy_fd = close_fd(task->copy_fd);
        task->hasher = hasher_free(task->hasher);
        task->attestation = attestation_free(task->attestation);
        buffer_deinit(&task->evidence);
        freep(&task->refusal);
        task->refusal = NULL;
        if (task->kind == TASK_REFUSAL)
                e->n_refusals_out--;
        task->request = NULL;
        if (--request->n_tasks == 0)
                engine_request_free(e, request);

        while (followers) {
                Task *follower = followers;

                followers = TAKE_PTR(follower->next);
                r = engine_wake(e, follower);
                if (r != 0)
                        return error_fold(r);
        }
        return 0;
}

void engine_request_gone(Engine *e, Request *request)
{
        request->peer = NULL;
        buffer_deinit(&request->results);
        /* Closing the last task frees the request: keep it alive over the loop. */
        request->n_tasks++;
        for (JobId job = 0; job < LIMIT_JOBS; job++) {
                Task *task = &e->tasks[job];
                JobState state = core_job_state(e->core, job);

                if (task->request != request || state == JOB_FREE)
                        continue;
                if (state != JOB_NEW && state != JOB_READY && state != JOB_FOLLOWING)
                        continue;
                if (engine_step(e, EVENT_CLOSED, job, REASON_NONE) != 0)
                        loop_exit(e->loop, -ENOTRECOVERABLE);
        }
        if (--request->n_tasks == 0)
                engine_request_free(e, request);
}

/* ---- actions ---- */

static int engine_write_intents(Engine *e)
{
        Blob contents[LIMIT_COMMIT_BATCH];
        size_t offsets[LIMIT_COMMIT_BATCH + 1], n;
        const JobId *jobs = core_intents(e->core, &n);
        uint64_t intent = journal_next_intent(e->journal);
        int r;

        buffer_clear(&e->scratch);
        for (size_t i = 0; i < n; i++) {
                Task *task = &e->tasks[jobs[i]];

                task->intent = intent + i;
                offsets[i] = e->scratch.size;
                r = decide_write_intent(task, task->intent, &e->scratch);
                if (r != 0)
                        return error_fold(r);
        }
        offsets[n] = e->scratch.size;
        for (size_t i = 0; i < n; i++)
                contents[i] = BLOB(e->scratch.data + offsets[i], offsets[i + 1] - offsets[i]);
        r = journal_add_intents(e->journal, n, contents);
        if (r != 0)
                return error_fold(r);
        return error_fold(engine_step(e, EVENT_INTENTS_DURABLE, JOB_NONE, REASON_NONE));
}

static int engine_send(Engine *e, unsigned worker, uint32_t frame)
{
        WireSign items[LIMIT_TOKEN_BATCH];
        FormatInput inputs[LIMIT_TOKEN_BATCH];
        size_t n;
        const JobId *jobs = core_frame(e->core, worker, frame, &n);
        int fd = -1, r;

        for (size_t i = 0; i < n; i++) {
                Task *task = &e->tasks[jobs[i]];
                const PolicyKey *key = &e->policy->keys[task->key];

                r = format_prepare(task->format, key->type, &task->digests, &inputs[i]);
                if (r != 0)
                        return error_fold(r); /* decide_task() has seen to this */
                items[i] = (WireSign){.handle = (uint16_t)task->key,
                                      .mechanism = inputs[i].mechanism,
                                      .content_in_fd = inputs[i].content,
                                      .message = BLOB(inputs[i].message, inputs[i].size)};
                if (inputs[i].content)
                        fd = task->fd;
        }
        return error_fold(tokens_send(e->tokens, worker, n, items, fd));
}

static int engine_send_checkpoint(Engine *e, unsigned worker)
{
        WireSign item = {.handle = (uint16_t)e->policy->n_keys, .mechanism = MECHANISM_EDDSA};
        int r;

        buffer_clear(&e->scratch);
        r = journal_checkpoint_text(e->journal, &e->scratch);
        if (r != 0)
                return error_fold(r);
        item.message = buffer_blob(&e->scratch);
        assert(item.message.size <= LIMIT_TOKEN_MESSAGE);
        return error_fold(tokens_send(e->tokens, worker, 1, &item, -1));
}

static int engine_fail(Engine *e, Task *task, Reason reason)
{
        task->reason = reason;
        e->stats.failed++;
        if (task->kind == TASK_SIGN)
                log_write(LOG_ABANDONED, LOG_WARNING, LOG_NO_UID, e->policy->keys[task->key].name,
                          reason_to_string(reason), "no signature by %s: %s",
                          e->policy->keys[task->key].name, answer_text(reason));
        return error_fold(answer_failed(e, task, reason));
}

static int engine_done(Engine *e, Task *task)
{
        uint64_t now = loop_now(e->loop);

        switch (task->kind) {
        case TASK_SIGN:
                e->stats.signed_++;
                stats_rate_add(&e->stats.signatures, now, 1);
                stats_latency_add(&e->stats.request, now - task->start_usec);
                return error_fold(answer_signed(e, task, task->entry, buffer_blob(&task->signature), false));
        case TASK_ATTEST:
                e->stats.attestations++;
                return error_fold(answer_attested(e, task, false, task->entry));
        case TASK_CHECK:
        case TASK_GENESIS:
        case TASK_REFUSAL:
        case TASK_RECOVERED:
                return 0;
        }
        return error_origin(-ENOTRECOVERABLE);
}

static int engine_act(Engine *e, const CoreAction *a)
{
        int r;

        switch (a->type) {
        case ACTION_WRITE_INTENTS:
                return error_fold(engine_write_intents(e));
        case ACTION_SEND:
                return error_fold(engine_send(e, a->worker, a->frame));
        case ACTION_SEND_CHECKPOINT:
                return error_fold(engine_send_checkpoint(e, a->worker));
        case ACTION_COMMIT:
                e->commit_start_usec = loop_now(e->loop);
                r = commit_write(e);
                return r != 0 ? error_fold(r)
                              : error_fold(engine_step(e, EVENT_COMMITTED, JOB_NONE, REASON_NONE));
        case ACTION_FAIL:
                return error_fold(engine_fail(e, &e->tasks[a->job], a->reason));
        case ACTION_DONE:
                return error_fold(engine_done(e, &e->tasks[a->job]));
        case ACTION_RELEASE:
                return error_fold(engine_release(e, a->job));
        case ACTION_RESET_WORKER:
                return error_fold(tokens_reset(e->tokens, a->worker));
        }
        return error_origin(-ENOTRECOVERABLE);
}

/* Actions may cause events that cause actions: they are taken in the order they came, never nested. */
static int engine_run(Engine *e)
{
        int r = 0;

        if (e->running)
                return 0;
        e->running = true;
        for (size_t i = 0; i < e->actions.n && r == 0; i++) {
                CoreAction action = e->actions.items[i]; /* the list may move */

                r = engine_act(e, &action);
        }
        e->actions.n = 0;
        e->running = false;
        return error_fold(r);
}

static int engine_feed(Engine *e, CoreEvent event)
{
        size_t before = e->actions.n;
        int r;

        event.now_usec = loop_now(e->loop);
        r = core_step(e->core, &event, &e->actions);
        /* A turn that changed nothing needs no other. */
        if (r == 0 && (event.type != EVENT_TICK || e->actions.n > before))
                r = loop_arm(e->turn);
        return r != 0 ? error_fold(r) : error_fold(engine_run(e));
}

int engine_step(Engine *e, CoreEventType type, JobId job, Reason reason)
{
        bool alone = type == EVENT_ALLOWED && format_needs_content(e->tasks[job].format);

        return error_fold(
                engine_feed(e, (CoreEvent){.type = type, .job = job, .reason = reason, .alone = alone}));
}

/* ---- the token's answers ---- */

/* Verify one signature under the pinned key, turn it into what goes out. */
static int engine_finish(Engine *e, Task *task, const WireSigned *item, Reason *ret_reason)
{
        PublicKey *key = e->policy->keys[task->key].public_key;
        Blob content = BLOB_NULL;
        void *map = NULL;
        int r;

        if (item->status != TOKEN_OK) {
                log_write(LOG_ABANDONED, LOG_WARNING, LOG_NO_UID, e->policy->keys[task->key].name,
                          "token-failed", "the token answered %s, CK_RV 0x%x",
                          token_status_to_string(item->status), item->ckr);
                *ret_reason = REASON_TOKEN_FAILED;
                return 0;
        }
        if (format_needs_content(task->format) && task->size > 0) {
                map = mmap(NULL, task->size, PROT_READ, MAP_PRIVATE, task->fd, 0);
                if (map == MAP_FAILED)
                        return error_origin(-errno);
                content = BLOB(map, task->size);
        }
        r = format_finish(task->format, key, &task->digests, content, item->signature, &task->signature);
        if (map)
                (void)munmap(map, task->size); /* cannot fail for what mmap() gave */
        if (r < 0)
                return error_fold(r);
        *ret_reason = r == 0 ? REASON_NONE : REASON_SIGNATURE_WRONG;
        if (r != 0)
                log_write(LOG_FAULT, LOG_ERR, LOG_NO_UID, e->policy->keys[task->key].name, "signature-wrong",
                          "the token returned a signature that does not verify under the pinned key %s: it "
                          "was not released",
                          e->policy->keys[task->key].name);
        return 0;
}

/* Give a worker up whose answers cannot be trusted to be in step. */
static int engine_distrust(Engine *e, unsigned worker)
{
        int r = tokens_reset(e->tokens, worker);

        return r != 0 ? error_fold(r)
                      : error_fold(engine_feed(e, (CoreEvent){.type = EVENT_WORKER_DOWN, .worker = worker}));
}

static int engine_on_checkpoint(Engine *e, unsigned worker, const WireSigned *item)
{
        int r = item->status == TOKEN_OK ? journal_publish(e->journal, item->signature) : -EBADMSG;

        if (r == -EBADMSG) {
                log_write(LOG_FAULT, LOG_ERR, LOG_NO_UID, NULL, "checkpoint",
                          "the token did not sign the checkpoint with the log key (%s, CK_RV 0x%x); trying "
                          "again",
                          token_status_to_string(item->status), item->ckr);
                return error_fold(engine_distrust(e, worker));
        }
        if (r != 0)
                return error_fold(r);
        e->checkpoint_usec = engine_real_time();
        stats_latency_add(&e->stats.commit, loop_now(e->loop) - e->commit_start_usec);
        r = engine_feed(e, (CoreEvent){.type = EVENT_FRAME_DONE, .worker = worker});
        return r != 0 ? error_fold(r)
                      : error_fold(engine_step(e, EVENT_CHECKPOINT_SIGNED, JOB_NONE, REASON_NONE));
}

static int engine_on_answered(void *userdata, unsigned worker, size_t n, const WireSigned *items)
{
        Engine *e = userdata;
        JobId jobs[LIMIT_TOKEN_BATCH];
        Reason reasons[LIMIT_TOKEN_BATCH];
        uint64_t usec = 0;
        size_t expected;
        bool checkpoint;
        const JobId *frame = core_frame_oldest(e->core, worker, &expected, &checkpoint);
        int r;

        if (checkpoint)
                return n == 1 ? error_fold(engine_on_checkpoint(e, worker, items))
                              : error_fold(engine_distrust(e, worker));
        if (n != expected)
                return error_fold(engine_distrust(e, worker));
        /* All of the frame first: what follows may send, and the answer lies in the buffer that is sent
         * from. */
        memcpy(jobs, frame, n * sizeof(jobs[0]));
        for (size_t i = 0; i < n; i++) {
                Task *task = &e->tasks[jobs[i]];

                r = engine_finish(e, task, &items[i], &reasons[i]);
                if (r != 0)
                        return error_fold(r);
                e->n_signatures[worker] += reasons[i] == REASON_NONE;
                stats_latency_add(&e->stats.sign, items[i].usec);
                usec += items[i].usec;
        }
        for (size_t i = 0; i < n; i++) {
                r = engine_step(e, reasons[i] == REASON_NONE ? EVENT_SIGNED : EVENT_SIGN_FAILED, jobs[i],
                                reasons[i]);
                if (r != 0)
                        return error_fold(r);
        }
        r = engine_feed(e, (CoreEvent){.type = EVENT_FRAME_DONE, .worker = worker, .op_usec = usec / n});
        if (r != 0)
                return error_fold(r);
        /* Keep the worker busy: do not wait for the turn. */
        return error_fold(engine_feed(e, (CoreEvent){.type = EVENT_TICK}));
}

static int engine_on_up(void *userdata, unsigned worker)
{
        Engine *e = userdata;

        return error_fold(engine_feed(e, (CoreEvent){.type = EVENT_WORKER_UP, .worker = worker}));
}

static int engine_on_down(void *userdata, unsigned worker)
{
        Engine *e = userdata;

        return error_fold(engine_feed(e, (CoreEvent){.type = EVENT_WORKER_DOWN, .worker = worker}));
}

static int engine_on_key_refused(void *userdata, bool first, TokenStatus status, const char *message)
{
        Engine *e = userdata;

        log_write(LOG_STATE_FAULT, LOG_ERR, LOG_NO_UID, NULL, token_status_to_string(status), "%s: %s",
                  token_status_to_string(status), message);
        /* Later it means that the token changed under us: it counts as down, and is tried again. */
        if (first)
                loop_exit(e->loop, 1);
        return 0;
}

/* ---- turns and timers ---- */

static int engine_on_deadline(void *userdata)
{
        Engine *e = userdata;

        return error_fold(loop_arm(e->turn));
}

/* ---- refusals ---- */

/* Each kind becomes one entry; while those of before are on their way, the next gather. */
static int engine_on_flush(void *userdata)
{
        Engine *e = userdata;
        Refusals refusals;
        int r;

        if (e->n_refusals_out > 0)
                return error_fold(loop_set_timer(e->flush, loop_now(e->loop) + REFUSALS_INTERVAL_USEC / 10));
        refusals = e->refusals;
        e->refusals.n = 0;
        e->last_flush_usec = loop_now(e->loop);
        for (size_t i = 0; i < refusals.n; i++) {
                Request *request = NULL;
                Task *task = NULL;

                r = engine_request_new(e, NULL, TASK_REFUSAL, false, &request);
                if (r == 0)
                        r = engine_task_new(e, request, TASK_REFUSAL, ENGINE_UID, &task);
                if (r < 0)
                        return error_fold(r);
                if (r > 0) {
                        if (request)
                                engine_request_free(e, request);
                        e->refusals.items[e->refusals.n++] =
                                refusals.items[i]; /* keep it for the next time */
                        continue;
                }
                e->n_refusals_out++;
                r = memory_new0(&task->refusal, 1);
                if (r != 0)
                        return error_fold(r);
                *task->refusal = refusals.items[i];
                r = engine_step(e, EVENT_ENTRY, task->job, REASON_NONE);
                if (r != 0)
                        return error_fold(r);
        }
        if (e->refusals.n > 0)
                return error_fold(loop_set_timer(e->flush, loop_now(e->loop) + REFUSALS_INTERVAL_USEC));
        return 0;
}

int engine_refuse(Engine *e, uint32_t uid, Reason reason, const char *key, const char *release,
                  const char *name, const uint8_t *sha256)
{
        uint64_t now = loop_now(e->loop), due = e->last_flush_usec + REFUSALS_INTERVAL_USEC;
        char escaped_key[LOG_TEXT_SIZE], escaped_name[LOG_TEXT_SIZE];

        e->stats.refused++;
        stats_rate_add(&e->stats.refusals, now, 1);
        /* The log is for people: the first of a kind; the journal counts the rest. */
        size_t before = e->refusals.n;
        refusals_add(&e->refusals, engine_real_time(), uid, reason, key, release, name, sha256);
        if (e->refusals.n > before)
                log_write(LOG_REFUSED, LOG_NOTICE, uid, NULL, reason_to_string(reason),
                          "uid %u refused: %s%s%s%s%s", uid, reason_to_string(reason), key ? ", key " : "",
                          key ? log_escape(escaped_key, key, strlen(key)) : "", name ? ", artifact " : "",
                          name ? log_escape(escaped_name, name, strlen(name)) : "");
        return error_fold(loop_set_timer(e->flush, e->last_flush_usec == 0 || due < now ? now : due));
}

/* ---- the end of a turn ---- */

/* Answers are out: now log/ follows. */
static int engine_write_log(Engine *e)
{
        uint64_t now = loop_now(e->loop);

        if (!journal_log_is_behind(e->journal))
                return 0;
        if (now - e->log_usec < ENGINE_LOG_USEC && !e->stopping)
                return error_fold(loop_set_timer(e->log, e->log_usec + ENGINE_LOG_USEC));
        e->log_usec = now;
        return error_fold(journal_write_log(e->journal));
}

static int engine_on_log(void *userdata)
{
        return error_fold(engine_write_log(userdata));
}

static int engine_on_turn(void *userdata)
{
        Engine *e = userdata;
        bool more;
        int r;

        r = engine_feed(e, (CoreEvent){.type = EVENT_TICK});
        if (r != 0)
                return error_fold(r);
        if (journal_should_maintain(e->journal, false)) {
                r = journal_maintain(e->journal, &more);
                if (r != 0)
                        return error_fold(r);
        }
        r = engine_write_log(e);
        if (r == 0)
                r = loop_set_timer(e->deadline, core_next_deadline(e->core));
        if (r != 0)
                return error_fold(r);
        if (!e->stopping)
                return error_fold(loop_arm(e->idle));
        if (e->refusals.n > 0 && e->n_refusals_out == 0)
                return error_fold(engine_on_flush(e));
        if (e->refusals.n > 0 || !core_idle(e->core) || core_n_jobs(e->core) > 0 ||
            (e->peers && peers_writing(e->peers)))
                return error_fold(loop_set_timer(e->deadline, loop_now(e->loop) + ENGINE_STOP_POLL_USEC));
        loop_exit(e->loop, 0);
        return 0;
}

static int engine_on_idle(void *userdata)
{
        Engine *e = userdata;
        bool more = false;
        int r;

        if (!journal_should_maintain(e->journal, core_n_jobs(e->core) == 0))
                return 0;
        r = journal_maintain(e->journal, &more);
        if (r != 0)
                return error_fold(r);
        return more ? error_fold(loop_arm(e->idle)) : 0;
}

/* ---- start and stop ---- */

static int engine_own_entry(Engine *e, TaskKind kind, Task **ret)
{
        Request *request;
        int r = engine_request_new(e, NULL, kind, false, &request);

        if (r == 0)
                r = engine_task_new(e, request, kind, ENGINE_UID, ret);
        return r > 0 ? error_origin(-ENOTRECOVERABLE)
                     : error_fold(r); /* there cannot be more than the pool holds */
}

static int engine_recover(void *userdata, uint64_t id, Blob content)
{
        Engine *e = userdata;
        Task *task;
        int r = engine_own_entry(e, TASK_RECOVERED, &task);

        if (r != 0)
                return error_fold(r);
        task->intent = id;
        e->stats.abandoned++;
        r = buffer_append(&task->members, content.data, content.size);
        return r != 0 ? error_fold(r) : error_fold(engine_step(e, EVENT_ENTRY, task->job, REASON_NONE));
}

int engine_start(Engine *e)
{
        static const TokensCallbacks callbacks = {engine_on_up, engine_on_down, engine_on_answered,
                                                  engine_on_key_refused};
        TokensOptions options = {.path = e->config->token_socket,
                                 .n_workers = e->config->workers,
                                 .timeout_usec = e->config->token_timeout_usec,
                                 .policy = e->policy};
        size_t n = journal_n_intents(e->journal);
        int r;

        if (journal_size(e->journal) == 0) {
                Task *task;

                r = engine_own_entry(e, TASK_GENESIS, &task);
                if (r == 0)
                        r = buffer_append(&task->evidence, e->policy->bytes, e->policy->size);
                if (r == 0)
                        r = engine_step(e, EVENT_ENTRY, task->job, REASON_NONE);
                if (r != 0)
                        return error_fold(r);
        } else if (journal_published(e->journal) < journal_size(e->journal)) {
                r = engine_step(e, EVENT_CHECKPOINT_WANTED, JOB_NONE, REASON_NONE);
                if (r != 0)
                        return error_fold(r);
        }
        if (n > 0)
                log_write(LOG_ABANDONED, LOG_WARNING, LOG_NO_UID, NULL, "restarted",
                          "%zu intents were open when hsmd ended; each becomes an abandoned entry", n);
        r = journal_each_open_intent(e->journal, engine_recover, e);
        if (r != 0)
                return error_fold(r);
        return error_fold(tokens_new(&e->tokens, e->loop, &options, &callbacks, e));
}

static int engine_on_stop_timeout(void *userdata)
{
        Engine *e = userdata;

        log_write(
                LOG_STOPPED, LOG_WARNING, LOG_NO_UID, NULL, NULL,
                "stopping although work is under way: the token does not answer; the next start closes it");
        loop_exit(e->loop, 0);
        return 0;
}

int engine_stop(Engine *e)
{
        int r;

        if (e->stopping)
                return 0;
        e->stopping = true;
        r = loop_add_timer(e->loop, &e->stop, PRIORITY_PEER, engine_on_stop_timeout, e);
        if (r == 0)
                r = loop_set_timer(e->stop, loop_now(e->loop) + ENGINE_STOP_USEC);
        return r != 0 ? error_fold(r) : error_fold(engine_step(e, EVENT_STOP, JOB_NONE, REASON_NONE));
}

int engine_new(Engine **ret, Loop *loop, const Config *config, const Policy *policy, size_t site,
               Journal *journal)
{
        _cleanup_(engine_freep) Engine *e = NULL;
        CoreOptions options = {.n_workers = config->workers,
                               .token_timeout_usec = config->token_timeout_usec,
                               .request_timeout_usec = config->request_timeout_usec};
        int r;

        r = memory_new0(&e, 1);
        if (r == 0)
                r = memory_new0(&e->tasks, LIMIT_JOBS);
        if (r != 0)
                return error_fold(r);
        e->loop = loop;
        e->config = config;
        e->policy = policy;
        e->site = site;
        e->journal = journal;
        e->start_real_usec = engine_real_time();
        for (uint32_t i = LIMIT_JOBS; i-- > 0;)
                e->free_requests[e->n_free_requests++] = (uint16_t)i;
        r = evidence_new(&e->evidence, journal, policy);
        if (r == 0)
                r = core_new(&e->core, &options);
        if (r == 0)
                r = loop_add_deferred(loop, &e->turn, PRIORITY_TURN, engine_on_turn, e);
        if (r == 0)
                r = loop_add_deferred(loop, &e->hash, PRIORITY_HASH, hashing_on_turn, e);
        if (r == 0)
                r = loop_add_deferred(loop, &e->idle, PRIORITY_IDLE, engine_on_idle, e);
        if (r == 0)
                r = loop_add_timer(loop, &e->deadline, PRIORITY_PEER, engine_on_deadline, e);
        if (r == 0)
                r = loop_add_timer(loop, &e->flush, PRIORITY_PEER, engine_on_flush, e);
        if (r == 0)
                r = loop_add_timer(loop, &e->log, PRIORITY_TURN, engine_on_log, e);
        if (r != 0)
                return error_fold(r);
        *ret = TAKE_PTR(e);
        return 0;
}

static void engine_task_deinit(Engine *e, Task *task)
{
        if (!task->used)
                return;
        if (core_job_state(e->core, task->job) != JOB_FREE && task->request &&
            --task->request->n_tasks == 0) {
                task->request->hashing = false;
                engine_request_free(e, task->request);
        }
        close_fd(task->fd);
        close_fd(task->copy_fd);
        hasher_free(task->hasher);
        attestation_free(task->attestation);
        freep(&task->refusal);
        buffer_deinit(&task->members);
        buffer_deinit(&task->signature);
        buffer_deinit(&task->evidence);
}

Engine *engine_free(Engine *e)
{
        if (!e)
                return NULL;
        tokens_free(e->tokens);
        if (e->tasks && e->core)
                for (JobId i = 0; i < LIMIT_JOBS; i++)
                        engine_task_deinit(e, &e->tasks[i]);
        free(e->tasks);
        core_free(e->core);
        evidence_free(e->evidence);
        core_actions_deinit(&e->actions);
        loop_source_free(e->turn);
        loop_source_free(e->hash);
        loop_source_free(e->idle);
        loop_source_free(e->deadline);
        loop_source_free(e->flush);
        loop_source_free(e->stop);
        loop_source_free(e->log);
        buffer_deinit(&e->scratch);
        free(e);
        return NULL;
}
