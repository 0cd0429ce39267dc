/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "token/ckr.h"
#include "token/key.h"
#include "token/log.h"
#include "token/login.h"
#include "token/outcome.h"
#include "token/sign.h"
#include "token/worker.h"

/* One more than may come, so that one too many is seen and closed instead of only cut off. */
#define FDS_MAX 2

/* The one worker of this process: nothing is allocated per frame. */
typedef struct Worker {
        P11 *p11;
        const P11Session *session;
        Key keys[LIMIT_TOKEN_KEYS];
        size_t n_keys;
        WireFrame question, answer;
        uint8_t in[LIMIT_TOKEN_FRAME + 1], out[LIMIT_TOKEN_FRAME];
        uint8_t signatures[LIMIT_TOKEN_BATCH][LIMIT_SIGNATURE_SIZE];
        Report reports[LIMIT_TOKEN_KEYS];
        int fds[FDS_MAX];
        size_t n_fds;
        bool broken; /* the module cannot be relied on any more: answer, then end */
} Worker;

static Worker worker;
static volatile sig_atomic_t worker_stop;

static void worker_on_signal(int signal)
{
        (void)signal;
        worker_stop = 1;
}

/* ---- the process ---- */

static void worker_lock_memory(void)
{
        struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY}, now;

        /* With a limit in force MCL_FUTURE would make some later allocation of the module fail. */
        (void)setrlimit(RLIMIT_MEMLOCK,
                        &all); /* may not be allowed: then the limit stays, and is looked at */
        if (getrlimit(RLIMIT_MEMLOCK, &now) < 0 || now.rlim_cur != RLIM_INFINITY) {
                log_notice("memory is not locked: RLIMIT_MEMLOCK is not infinity (only the PIN itself is "
                           "locked)");
                return;
        }
        if (mlockall(MCL_CURRENT | MCL_FUTURE) < 0)
                log_notice("memory is not locked: mlockall: %s", strerrordesc_np(errno));
}

void worker_harden(void)
{
        struct rlimit none = {0, 0};

        if (prctl(PR_SET_DUMPABLE, 0) < 0)
                log_warning("PR_SET_DUMPABLE: %s", strerrordesc_np(errno));
        if (setrlimit(RLIMIT_CORE, &none) < 0)
                log_warning("RLIMIT_CORE: %s", strerrordesc_np(errno));
        worker_lock_memory();
}

/* SIGALRM keeps its default action; SIGTERM is let through only while waiting for a frame. */
static int worker_set_signals(void)
{
        struct sigaction stop = {.sa_handler = worker_on_signal}, standard = {.sa_handler = SIG_DFL};
        sigset_t blocked;

        (void)sigemptyset(&blocked);
        (void)sigaddset(&blocked, SIGTERM);
        (void)sigaddset(&blocked, SIGINT);
        (void)sigaddset(&blocked, SIGPIPE);
        if (sigaction(SIGTERM, &stop, NULL) < 0 || sigaction(SIGALRM, &standard, NULL) < 0 ||
            sigprocmask(SIG_SETMASK, &blocked, NULL) < 0)
                return error_origin(-errno);
        return 0;
}

/* ---- frames out ---- */

static Blob text_blob(const char *s)
{
        return s ? BLOB_STRING(s) : BLOB_NULL;
}

static int worker_send(Worker *w)
{
        size_t size;
        ssize_t n;
        int r;

        r = wire_encode(&w->answer, w->out, sizeof(w->out), &size);
        if (r)
                return error_origin(-EMSGSIZE);
        do
                n = send(WORKER_CONNECTION_FD, w->out, size, MSG_NOSIGNAL);
        while (n < 0 && errno == EINTR);
        if (n < 0 && errno != EPIPE && errno != ECONNRESET)
                return error_origin(-errno);
        return 0;
}

static int worker_send_hello(Worker *w, const P11Token *token, const Report *report)
{
        w->answer = (WireFrame){
                .type = WIRE_HELLO,
                .n = 1,
                .hello = {.status = report->status,
                          .label = text_blob(token->label),
                          .manufacturer = text_blob(token->manufacturer),
                          .model = text_blob(token->model),
                          .serial = text_blob(token->serial),
                          .message = text_blob(report->text)},
        };
        return error_fold(worker_send(w));
}

/* Returns when the parent has it on disk: it closes the socket then. */
static int worker_report_outcome(Outcome outcome, const Report *report)
{
        OutcomeRecord record = {.outcome = (uint8_t)outcome, .status = (uint8_t)report->status};
        uint8_t end;
        int r;

        static_assert(sizeof(record.text) == sizeof(report->text), "a report's text fits the record");
        memcpy(record.text, report->text, sizeof(record.text));
        r = file_write_all(WORKER_STATUS_FD, &record, sizeof(record));
        if (r)
                return error_fold(r);
        while (read(WORKER_STATUS_FD, &end, sizeof(end)) < 0 && errno == EINTR)
                continue;
        (void)close(WORKER_STATUS_FD);
        return 0;
}

/* ---- OPEN ---- */

static void worker_forget_key(Worker *w, uint16_t handle)
{
        for (size_t i = 0; i < w->n_keys; i++)
                if (w->keys[i].handle == handle) {
                        w->keys[i] = w->keys[--w->n_keys];
                        return;
                }
}

static const Key *worker_key(const Worker *w, uint16_t handle)
{
        for (size_t i = 0; i < w->n_keys; i++)
                if (w->keys[i].handle == handle)
                        return &w->keys[i];
        return NULL;
}

/* A handle that is opened again means the new key, or nothing if that does not open. */
static int worker_open_key(Worker *w, const WireOpen *open, Report *report)
{
        const char *reason = NULL;
        P11Uri uri;
        int r;

        worker_forget_key(w, open->handle);
        if (w->n_keys == LIMIT_TOKEN_KEYS) {
                report_set(report, TOKEN_REFUSED, "more than %d keys on one connection", LIMIT_TOKEN_KEYS);
                return P11_E_REFUSED;
        }
        if (p11uri_parse_key(&uri, open->uri, &reason) != 0) {
                report_set(report, TOKEN_REFUSED, "the key's URI is not usable: %s", reason);
                return P11_E_REFUSED;
        }
        if (!p11_token_matches(w->p11, &uri)) {
                report_set(report, TOKEN_KEY_MISSING, "the key's URI names another token than token-uri");
                return P11_E_REFUSED;
        }
        r = key_open(&w->keys[w->n_keys], w->session, open, &uri, report);
        if (r)
                return r < 0 ? error_fold(r) : r;
        w->n_keys++;
        return 0;
}

static int worker_answer_open(Worker *w)
{
        const WireFrame *q = &w->question;
        int r;

        w->answer = (WireFrame){.type = WIRE_OPENED, .n = q->n, .sequence = q->sequence};
        for (size_t i = 0; i < q->n; i++) {
                Report *report = &w->reports[i];

                report_set(report, TOKEN_OK, "%s", "");
                r = worker_open_key(w, &q->open[i], report);
                if (r < 0)
                        return error_fold(r);
                if (r > 0)
                        log_event(LOG_WARNING, LOG_EVENT_KEY_REFUSED, "%s: key %.*s: %s",
                                  token_status_to_string(report->status), (int)q->open[i].uri.size,
                                  (const char *)q->open[i].uri.data, report->text);
                if (report->status == TOKEN_FAILED && ckr_is_fatal(report->ckr))
                        w->broken = true;
                w->answer.opened[i] = (WireOpened){.handle = q->open[i].handle,
                                                   .status = report->status,
                                                   .message = text_blob(report->text)};
        }
        return error_fold(worker_send(w));
}

/* ---- SIGN ---- */

typedef struct Content {
        void *map;
        size_t size;
} Content;

static void content_unmap(Content *c)
{
        if (c->map)
                (void)munmap(c->map, c->size);
        *c = (Content){0};
}

/* The sealed memfd that came with the frame.  False: not one, or not of a kind that cannot change below us.
 */
static bool worker_map_content(const Worker *w, Content *ret)
{
        const int wanted = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;
        struct stat st;
        void *map;
        int seals;

        if (w->n_fds != 1)
                return false;
        seals = fcntl(w->fds[0], F_GET_SEALS);
        if (seals < 0 || (seals & wanted) != wanted || fstat(w->fds[0], &st) < 0)
                return false;
        if (!S_ISREG(st.st_mode) || st.st_size < 0 || st.st_size > LIMIT_CONTENT_SIZE)
                return false;
        if (st.st_size == 0)
                return true;
        map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, w->fds[0], 0);
        if (map == MAP_FAILED)
                return false;
        *ret = (Content){.map = map, .size = (size_t)st.st_size};
        return true;
}

static uint64_t worker_now(void)
{
        struct timespec ts = {0};

        (void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail with these arguments */
        return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static WireSigned worker_sign(Worker *w, const WireSign *item, uint8_t *out)
{
        _cleanup_(content_unmap) Content content = {0};
        const Key *key = worker_key(w, item->handle);
        WireSigned answer = {.status = TOKEN_REFUSED};
        Blob message = item->message;
        CK_RV rv = CKR_OK;
        uint64_t start;
        size_t size = 0;

        if (!key || item->content_in_fd != (w->n_fds > 0))
                return answer;
        if (item->content_in_fd) {
                if (item->mechanism != MECHANISM_EDDSA || !worker_map_content(w, &content))
                        return answer;
                message = BLOB(content.map, content.size);
        }
        start = worker_now();
        answer.status = sign_message(w->session, key, item->mechanism, message, out, &size, &rv);
        answer.usec = (uint32_t)(worker_now() - start); /* alarm() keeps it far below the type's end */
        answer.ckr = (uint32_t)rv;
        answer.signature = BLOB(out, size);
        return answer;
}

static int worker_answer_sign(Worker *w)
{
        const WireFrame *q = &w->question;
        uint32_t fatal = 0;

        w->answer.type = WIRE_SIGNED;
        w->answer.n = q->n;
        w->answer.sequence = q->sequence;
        for (size_t i = 0; i < q->n; i++) {
                WireSigned *answer = &w->answer.signature[i];

                if (w->broken) {
                        /* Not tried: the module has failed for this batch. */
                        *answer = (WireSigned){.status = TOKEN_FAILED, .ckr = fatal};
                        continue;
                }
                *answer = worker_sign(w, &q->sign[i], w->signatures[i]);
                if (answer->status == TOKEN_FAILED) {
                        log_error("C_Sign: %s (0x%x)", ckr_to_string(answer->ckr), answer->ckr);
                        w->broken = ckr_is_fatal(answer->ckr);
                        fatal = answer->ckr;
                }
        }
        return error_fold(worker_send(w));
}

/* ---- frames in ---- */

static void worker_take_fds(Worker *w, struct msghdr *m)
{
        for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
                size_t n;

                if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
                        continue;
                n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
                assert(w->n_fds + n <= FDS_MAX);
                memcpy(w->fds + w->n_fds, CMSG_DATA(c), n * sizeof(int));
                w->n_fds += n;
        }
}

static void worker_close_fds(Worker *w)
{
        while (w->n_fds > 0)
                (void)close_fd(w->fds[--w->n_fds]);
}

enum {
        _WORKER_E_SUCCESS,
        WORKER_E_END,     /* the peer closed, or SIGTERM */
        WORKER_E_INVALID, /* not a frame, or not a question */
};

/* Waits for a frame.  SIGTERM comes through here and nowhere else. */
static int worker_wait(void)
{
        struct pollfd p = {.fd = WORKER_CONNECTION_FD, .events = POLLIN};
        sigset_t open;

        (void)sigemptyset(&open);
        (void)sigaddset(&open, SIGPIPE);
        while (!worker_stop) {
                int n = ppoll(&p, 1, NULL, &open);

                if (n > 0)
                        return 0;
                if (n < 0 && errno != EINTR)
                        return error_origin(-errno);
        }
        return WORKER_E_END;
}

static int worker_receive(Worker *w)
{
        union {
                struct cmsghdr align;
                uint8_t bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
        } control;
        struct iovec iov = {.iov_base = w->in, .iov_len = sizeof(w->in)};
        struct msghdr m = {.msg_iov = &iov,
                           .msg_iovlen = 1,
                           .msg_control = &control,
                           .msg_controllen = sizeof(control)};
        ssize_t n;

        do
                n = recvmsg(WORKER_CONNECTION_FD, &m, MSG_CMSG_CLOEXEC);
        while (n < 0 && errno == EINTR);
        if (n < 0 && errno == ECONNRESET)
                return WORKER_E_END;
        if (n < 0)
                return error_origin(-errno);
        worker_take_fds(w, &m);
        if (n == 0)
                return WORKER_E_END;
        if (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
                return WORKER_E_INVALID;
        if (wire_decode(&w->question, w->in, (size_t)n) != 0)
                return WORKER_E_INVALID;
        return 0;
}

static int worker_step(Worker *w)
{
        int r;

        r = worker_wait();
        if (r == 0)
                r = worker_receive(w);
        if (r)
                return r < 0 ? error_fold(r) : r;
        switch (w->question.type) {
        case WIRE_OPEN:
                return error_fold(worker_answer_open(w));
        case WIRE_SIGN:
                return error_fold(worker_answer_sign(w));
        case WIRE_HELLO:
        case WIRE_OPENED:
        case WIRE_SIGNED:
                break;
        }
        return WORKER_E_INVALID;
}

static int worker_serve(Worker *w)
{
        int r;

        do {
                r = worker_step(w);
                worker_close_fds(w);
        } while (r == 0 && !w->broken);
        if (r < 0)
                return WORKER_EXIT_FAULT;
        if (r == WORKER_E_INVALID) {
                log_warning("the peer sent what is not a question of this protocol; closing");
                return WORKER_EXIT_PROTOCOL;
        }
        return w->broken ? WORKER_EXIT_MODULE : WORKER_EXIT_DONE;
}

/* ---- start ---- */

static int worker_login(Worker *w, const char *config_path, bool left_over, P11Token *ret_token,
                        Outcome *ret_outcome, Report *report)
{
        _cleanup_(config_freep) Config *config = NULL;
        _cleanup_(buffer_deinit) Buffer messages = BUFFER_NULL;
        int r;

        *ret_outcome = OUTCOME_NOT_TRIED;
        r = config_load(&config, config_path, &messages);
        if (r < 0)
                return error_fold(r);
        if (r > 0) {
                report_set(report, TOKEN_FAULT, "the configuration has faults: %.300s",
                           messages.size > 0 ? (const char *)messages.data : "");
                return P11_E_REFUSED;
        }
        r = login_run(&w->p11, config, left_over, false, ret_token, ret_outcome, report);
        if (r)
                return r < 0 ? error_fold(r) : r;
        w->session = p11_session(w->p11);
        return 0;
}

int worker_run(const char *config_path, bool left_over)
{
        Worker *w = &worker;
        P11Token token = {0};
        Outcome outcome = OUTCOME_UNKNOWN;
        Report report;
        int r;

        assert(config_path);

        report_set(&report, TOKEN_OK, "%s", "");
        r = worker_set_signals();
        if (r)
                return WORKER_EXIT_FAULT;
        (void)prctl(PR_SET_NAME, "hsmd-token-work"); /* exec by /proc/self/exe made it "exe" */
        worker_harden();
        r = worker_login(w, config_path, left_over, &token, &outcome, &report);
        if (r < 0)
                report_set(&report, TOKEN_FAULT, "hsmd-token failed: %s", strerrordesc_np(-r));
        if (outcome == OUTCOME_REFUSED)
                report_append(&report, "; correct the PIN, then run hsmd-token --config %s --forget-pin",
                              config_path);
        /* The parent first: the PIN's fate is on disk before anybody hears of it. */
        if (worker_report_outcome(outcome, &report) != 0)
                return WORKER_EXIT_FAULT;
        if (r != 0) {
                if (worker_send_hello(w, &(P11Token){0}, &report) != 0)
                        return WORKER_EXIT_FAULT;
                return WORKER_EXIT_HELLO + (int)report.status;
        }
        r = worker_send_hello(w, &token, &report) == 0 ? worker_serve(w) : WORKER_EXIT_FAULT;
        /* A module that just failed is not asked to clean up. */
        if (!w->broken)
                w->p11 = p11_free(w->p11);
        return r;
}
