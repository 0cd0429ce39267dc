/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The engine: does what core says.  It owns the jobs' content (tasks), and joins journal, evidence, token
 * workers and clock; nobody else in the daemon signs, commits or answers.
 *
 * Private to this folder: peers' methods (methods-*.c) make requests, the engine answers them.
 */
#include "config/config.h"
#include "core/core.h"
#include "journal/journal.h"
#include "policy/decision.h"
#include "server/evidence.h"
#include "server/loop.h"
#include "server/peer.h"
#include "server/refusals.h"
#include "server/stats.h"
#include "server/tokens.h"

typedef enum TaskKind {
        TASK_SIGN,
        TASK_CHECK,
        TASK_ATTEST,
        /* the daemon's own: an entry that nobody waits for */
        TASK_GENESIS,
        TASK_REFUSAL,
        TASK_RECOVERED,
} TaskKind;

typedef struct Engine Engine;
typedef struct Request Request;
typedef struct Task Task;

/* What one job is about. */
struct Task {
        bool used; /* since the start: the fields below have been set */
        JobId job;
        TaskKind kind;
        Request *request; /* NULL: the daemon's own, or whoever asked has been answered or is gone */
        Task *next;       /* in a queue of hashing, or of followers */
        Task *followers;  /* those that wait for this one's signature */
        Task *leader;     /* whose follower it is */
        Task *table_next; /* in the table of signatures under way */
        bool in_table;
        uint32_t index; /* among the request's artifacts */
        uint32_t scope; /* which of the request's scopes */
        size_t key;     /* of the policy: what is needed when the request is gone */
        SignatureFormat format;
        int fd; /* the artifact until it is hashed, then its sealed copy if the format needs the content */
        int copy_fd;
        Hasher *hasher;      /* while it is read */
        uint32_t uid;        /* whose it is */
        size_t content_size; /* of the copy, charged to uid */
        bool has_size;
        uint64_t size, offset;
        uint64_t start_usec;
        char name[LIMIT_ARTIFACT_NAME + 1];
        Digests digests;
        bool expects_sha256; /* the client said what it should be */
        uint8_t expected_sha256[SHA256_SIZE];
        Buffer members;   /* of the intent, but for its number; or the whole entry of TASK_ATTEST and the
                             daemon's own */
        Buffer signature; /* made and verified */
        uint64_t intent, entry;
        Reason reason;            /* why there is no signature */
        Attestation *attestation; /* TASK_ATTEST */
        size_t n_contradicts;     /* TASK_ATTEST: attestations it contradicts */
        Buffer evidence;          /* TASK_ATTEST: the envelope; TASK_GENESIS: the policy */
        Refusal *refusal;         /* TASK_REFUSAL */
};

#define REQUEST_SCOPES 16

/* One call of Sign, Check or Attest. */
struct Request {
        uint32_t number;
        Peer *peer; /* NULL: gone */
        bool more;
        TaskKind kind;
        size_t n_scopes;
        DecisionScope scopes[REQUEST_SCOPES];
        size_t n_results; /* still to come */
        size_t n_signed;  /* of those that came */
        size_t n_tasks;   /* alive */
        Buffer results;   /* JSON objects, comma-separated, not sent yet */
        uint64_t start_usec;
        Task *hash_head, *hash_tail; /* artifacts to be read, in order */
        Request *hash_next;          /* requests take turns */
        bool hashing;
};

#define ENGINE_TABLE_SIZE 16384 /* at least LIMIT_JOBS, a power of two */

struct Engine {
        Loop *loop;
        const Config *config;
        const Policy *policy;
        size_t site;
        Journal *journal;
        Evidence *evidence;
        Core *core;
        Tokens *tokens;
        const Peers *peers; /* set by the server: a stop waits until they have their answers */
        CoreActions actions;
        bool running, stopping;
        LoopSource *turn, *hash, *idle, *deadline, *flush, *stop, *log;
        Stats stats;
        uint64_t n_signatures[LIMIT_WORKERS]; /* by each worker */
        uint64_t start_real_usec, commit_start_usec, last_flush_usec;
        uint64_t log_usec;        /* when log/ was written last */
        uint64_t checkpoint_usec; /* real time of the last one published */
        size_t content_size;      /* of all copies of content */
        size_t n_refusals_out;    /* refusal entries on their way to the disk */
        Refusals refusals;
        Request *hash_head, *hash_tail;
        Buffer scratch;
        size_t n_free_requests;
        uint16_t free_requests[LIMIT_JOBS];
        Task *table[ENGINE_TABLE_SIZE];
        uint8_t slice[128 * 1024];
        Task *tasks; /* LIMIT_JOBS of them, by JobId */
};

/* ---- engine.c ---- */

_must_use_ int engine_new(Engine **ret, Loop *loop, const Config *config, const Policy *policy, size_t site,
                          Journal *journal);
Engine *engine_free(Engine *e);
DEFINE_CLEANUP(Engine *, engine_free)
/* Close what an earlier process left open, begin a new journal if this one is empty, connect to the token.
 */
_must_use_ int engine_start(Engine *e);
/* Refuse new work, finish what is under way, let the answers be read, then end the loop with code 0. */
_must_use_ int engine_stop(Engine *e);

uint64_t engine_real_time(void); /* usec since 1970 */

/* A new request for this peer; CORE_E_BUSY when there is no number left. */
_must_use_ int engine_request_new(Engine *e, Peer *peer, TaskKind kind, bool more, Request **ret);
/* Frees a request without tasks. */
void engine_request_free(Engine *e, Request *request);
/* A new task (and job) of it; CORE_E_BUSY, CORE_E_STOPPING. */
_must_use_ int engine_task_new(Engine *e, Request *request, TaskKind kind, uint32_t uid, Task **ret);
/* The peer is gone: what has no intent ends, the rest goes on without it. */
void engine_request_gone(Engine *e, Request *request);

/* One event, and all that follows from it. */
_must_use_ int engine_step(Engine *e, CoreEventType type, JobId job, Reason reason);
/* Count a refusal, and see that it reaches the journal. */
_must_use_ int engine_refuse(Engine *e, uint32_t uid, Reason reason, const char *key, const char *release,
                             const char *name, const uint8_t *sha256);

/* ---- hashing.c ---- */

/* Begin to read the task's fd; engine_hashed() follows, with task->reason set if it could not be read. */
_must_use_ int hashing_add(Engine *e, Task *task);
/* Give the charge of a task's content back, and go on with those that waited for room. */
_must_use_ int hashing_release(Engine *e, Task *task);
void hashing_remove(Engine *e, Task *task);
int hashing_on_turn(void *userdata);

/* ---- decide.c ---- */

/* Digests are known (or task->reason says why not): answer, follow, refuse or allow. */
_must_use_ int decide_task(Engine *e, Task *task);
void decide_table_remove(Engine *e, Task *task);
/* Appends the intent's members, with its number, from what decide_task() prepared. */
_must_use_ int decide_write_intent(const Task *task, uint64_t intent, Buffer *out);

/* ---- commit.c ---- */

/* Build and stage the entries of core_commit(), and make them durable. */
_must_use_ int commit_write(Engine *e);

/* ---- answer.c ---- */

/* One result of a request; the last one ends it. */
_must_use_ int answer_refused(Engine *e, Task *task, Reason reason, Blob message, const Decision *decision);
_must_use_ int answer_allowed(Engine *e, Task *task, const Decision *decision);
_must_use_ int answer_signed(Engine *e, Task *task, uint64_t entry, Blob signature, bool repeated);
_must_use_ int answer_failed(Engine *e, Task *task, Reason reason);
_must_use_ int answer_attested(Engine *e, Task *task, bool known, uint64_t entry);
/* Whole calls: error replies with "reason" and "message". */
_must_use_ int answer_error(Peer *peer, const char *error, Reason reason, Blob message);
/* A sentence for a person. */
const char *answer_text(Reason reason);
