/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>

#include "base/error.h"
#include "base/file.h"
#include "token/listener.h"
#include "token/log.h"
#include "token/outcome.h"
#include "token/service.h"
#include "token/spawn.h"

/* After the time that one call may take, before a worker is killed at the stop of the service. */
#define STOP_GRACE_USEC UINT64_C(2000000)
/* Between two lines about peers that are not answered. */
#define PEER_LOG_USEC UINT64_C(1000000)

typedef struct Service Service;

typedef struct Slot {
        Service *service;
        pid_t pid; /* 0: free */
        bool left_over;
        int status_fd; /* -1: the outcome of its login is known */
        sd_event_source *status_source, *child_source;
} Slot;

struct Service {
        const Config *config;
        const char *config_path;
        PinState *pin;
        sd_event *event;
        int listen_fd;
        bool listen_own;
        sd_event_source *listen_source, *stop_source;
        Slot slots[LIMIT_WORKERS + 2];
        size_t n_slots_used, max_slots;
        Slot *login; /* the one worker that logs in */
        bool stopping;
        uint64_t peer_log_usec;
        unsigned n_peers_unlogged;
};

static void service_deinit(Service *s)
{
        for (size_t i = 0; i < ARRAY_SIZE(s->slots); i++) {
                sd_event_source_unref(s->slots[i].status_source);
                sd_event_source_unref(s->slots[i].child_source);
                s->slots[i].status_fd = close_fd(s->slots[i].status_fd);
        }
        sd_event_source_unref(s->stop_source);
        sd_event_source_unref(s->listen_source);
        if (s->listen_own && s->listen_fd >= 0)
                (void)unlink(s->config->token_socket); /* a stale one is replaced at the next start */
        s->listen_fd = close_fd(s->listen_fd);
        sd_event_unref(s->event);
        s->pin = pinstate_free(s->pin);
}

/* Disarmed rather than read: what cannot be served now waits in the backlog. */
static int service_arm(Service *s)
{
        bool on = !s->stopping && !s->login && s->n_slots_used < s->max_slots;
        int r;

        if (!s->listen_source)
                return 0;
        r = sd_event_source_set_enabled(s->listen_source, on ? SD_EVENT_ON : SD_EVENT_OFF);
        return r < 0 ? error_origin(r) : 0;
}

static int service_check_stopped(Service *s)
{
        int r;

        if (!s->stopping || s->n_slots_used > 0)
                return 0;
        r = sd_event_exit(s->event, 0);
        return r < 0 ? error_origin(r) : 0;
}

/* ---- the outcome of a login ---- */

/* Here and not in the worker: the journal does not know the unit of a message whose process has ended. */
static void service_log_outcome(const Slot *slot, const OutcomeRecord *record)
{
        if (record->outcome == OUTCOME_LOGGED_IN)
                return;
        if (record->text[0] == '\0')
                log_warning("worker %ld ended without saying how its login went", (long)slot->pid);
        else
                log_event(record->status == TOKEN_FAULT ? LOG_ERR : LOG_WARNING,
                          record->status == TOKEN_PIN_REFUSED ? LOG_EVENT_PIN_REFUSED : LOG_EVENT_NONE,
                          "%s: %s", token_status_to_string(record->status), record->text);
}

static void service_take_outcome(Slot *slot, const OutcomeRecord *record)
{
        Service *s = slot->service;

        assert(s->login == slot);
        s->login = NULL;
        slot->status_source = sd_event_source_unref(slot->status_source);
        if (outcome_record(s->pin, record->outcome, slot->left_over, record->text) != 0)
                log_error("the outcome of a login could not be written to %s: %s", s->config->token_state,
                          record->text);
        /* The worker waits for this before it answers. */
        slot->status_fd = close_fd(slot->status_fd);
        service_log_outcome(slot, record);
        if (record->outcome == OUTCOME_REFUSED)
                (void)sd_notify(0, "STATUS=The PIN was refused; an operator has to act.");
        if (record->outcome == OUTCOME_LOGGED_IN)
                (void)sd_notify(0, "STATUS=Logged in to the token.");
}

/* One record, written at once; anything else is no outcome. */
static void service_read_outcome(Slot *slot)
{
        OutcomeRecord record = {0};
        ssize_t n;

        do
                n = recv(slot->status_fd, &record, sizeof(record), MSG_DONTWAIT);
        while (n < 0 && errno == EINTR);
        if (n < 0 && errno == EAGAIN)
                return;
        record.text[sizeof(record.text) - 1] = '\0';
        if (n != (ssize_t)sizeof(record) || record.outcome >= _OUTCOME_MAX ||
            record.status >= _TOKEN_STATUS_MAX)
                record = (OutcomeRecord){.outcome = OUTCOME_UNKNOWN};
        service_take_outcome(slot, &record);
}

static int service_on_status(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        Slot *slot = userdata;

        (void)source;
        (void)fd;
        (void)events;
        service_read_outcome(slot);
        return error_fold(service_arm(slot->service));
}

/* ---- the end of a worker ---- */

static void service_log_end(const Slot *slot, const siginfo_t *si)
{
        unsigned timeout = (unsigned)(slot->service->config->token_timeout_usec / 1000000);

        if (si->si_code == CLD_EXITED) {
                if (si->si_status != WORKER_EXIT_DONE && si->si_status < WORKER_EXIT_HELLO)
                        log_warning("worker %ld ended with code %d", (long)slot->pid, si->si_status);
                return;
        }
        if (si->si_status == SIGALRM)
                log_event(LOG_ERR, LOG_EVENT_WORKER_HUNG,
                          "worker %ld ended: a call into the module took longer than token-timeout (%u s)",
                          (long)slot->pid, timeout);
        else
                log_event(LOG_ERR, LOG_EVENT_WORKER_CRASHED, "worker %ld was ended by signal %d (%s)",
                          (long)slot->pid, si->si_status,
                          sigdescr_np(si->si_status) ? sigdescr_np(si->si_status) : "unknown");
}

static int service_on_child(sd_event_source *source, const siginfo_t *si, void *userdata)
{
        Slot *slot = userdata;
        Service *s = slot->service;
        int r;

        (void)source;
        assert(slot->pid > 0);
        if (s->login == slot)
                service_read_outcome(slot);
        if (s->login == slot)
                service_take_outcome(slot, &(OutcomeRecord){.outcome = OUTCOME_UNKNOWN});
        service_log_end(slot, si);
        slot->child_source = sd_event_source_unref(slot->child_source);
        slot->pid = 0;
        assert(s->n_slots_used > 0);
        s->n_slots_used--;
        r = service_arm(s);
        if (r)
                return error_fold(r);
        return error_fold(service_check_stopped(s));
}

/* ---- a new connection ---- */

/* HELLO from the parent itself, for a connection that gets no worker. */
static void service_refuse(int fd, TokenStatus status, const char *text)
{
        WireFrame hello = {
                .type = WIRE_HELLO, .n = 1, .hello = {.status = status, .message = BLOB_STRING(text)}};
        uint8_t out[1024];
        size_t size;

        if (wire_encode(&hello, out, sizeof(out), &size) == 0)
                (void)send(fd, out, size, MSG_NOSIGNAL | MSG_DONTWAIT); /* it is told, or it is gone */
}

static bool service_peer_is_client(Service *s, int fd)
{
        struct ucred peer = {.uid = (uid_t)-1};
        socklen_t size = sizeof(peer);
        struct timespec ts;
        uint64_t now;

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && size == sizeof(peer) &&
            peer.uid == s->config->token_client_uid)
                return true;
        (void)clock_gettime(CLOCK_MONOTONIC, &ts);
        now = (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
        if (s->peer_log_usec != 0 && now - s->peer_log_usec < PEER_LOG_USEC) {
                s->n_peers_unlogged++;
                return false;
        }
        log_event(LOG_NOTICE, LOG_EVENT_PEER_REFUSED,
                  "uid %u (pid %ld) is not token-client-user; closed without an answer (%u more since the "
                  "last line)",
                  (unsigned)peer.uid, (long)peer.pid, s->n_peers_unlogged);
        s->peer_log_usec = now;
        s->n_peers_unlogged = 0;
        return false;
}

static Slot *service_free_slot(Service *s)
{
        for (size_t i = 0; i < s->max_slots; i++)
                if (s->slots[i].pid == 0)
                        return &s->slots[i];
        return NULL;
}

static int service_watch(Slot *slot)
{
        Service *s = slot->service;
        int r;

        r = sd_event_add_child(s->event, &slot->child_source, slot->pid, WEXITED, service_on_child, slot);
        if (r >= 0)
                r = sd_event_add_io(s->event, &slot->status_source, slot->status_fd, EPOLLIN,
                                    service_on_status, slot);
        return r < 0 ? error_origin(r) : 0;
}

static int service_start_worker(Service *s, int connection_fd, bool left_over)
{
        _cleanup_(close_fdp) int our_fd = -1, worker_fd = -1;
        Slot *slot = service_free_slot(s);
        int fds[2], r;

        assert(slot);
        assert(!s->login);
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
                return error_origin(-errno);
        our_fd = fds[0];
        worker_fd = fds[1];
        r = spawn_worker(&slot->pid, s->config_path, left_over, connection_fd, worker_fd);
        if (r)
                return error_fold(r);
        slot->left_over = left_over;
        slot->status_fd = TAKE_FD(our_fd);
        s->n_slots_used++;
        s->login = slot;
        return error_fold(service_watch(slot));
}

static int service_serve(Service *s, int fd)
{
        _cleanup_(freep) char *text = NULL;
        bool left_over;
        int r;

        if (!service_peer_is_client(s, fd))
                return 0;
        if (pinstate_is_refused(s->pin)) {
                r = string_printf(&text,
                                  "the PIN was refused before and is not tried again; correct it, then run "
                                  "hsmd-token --config %.200s --forget-pin",
                                  s->config_path);
                if (r)
                        return error_fold(r);
                service_refuse(fd, TOKEN_PIN_REFUSED, text);
                return 0;
        }
        r = pinstate_set_trying(s->pin, &left_over);
        if (r) {
                log_error("no login is tried: %s cannot be written", s->config->token_state);
                service_refuse(fd, TOKEN_FAULT, "token-state cannot be written, so no login is tried");
                return 0;
        }
        r = service_start_worker(s, fd, left_over);
        if (r && !s->login && outcome_record(s->pin, OUTCOME_NOT_TRIED, left_over, "") != 0)
                log_warning("pin-trying could not be removed from %s", s->config->token_state);
        return error_fold(r);
}

static int service_on_connection(sd_event_source *source, int listen_fd, uint32_t events, void *userdata)
{
        _cleanup_(close_fdp) int fd = -1;
        Service *s = userdata;
        int r;

        (void)source;
        (void)events;
        fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0) {
                /* The peer went away, or we are short of fds for a moment: neither ends the service. */
                if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
                        log_warning("accept: %s", strerrordesc_np(errno));
                return 0;
        }
        r = service_serve(s, fd);
        if (r)
                log_error("a connection could not be served: %s", strerrordesc_np(-r));
        return error_fold(service_arm(s));
}

/* ---- start and stop ---- */

static int service_on_stop_timeout(sd_event_source *source, uint64_t usec, void *userdata)
{
        Service *s = userdata;

        (void)source;
        (void)usec;
        for (size_t i = 0; i < s->max_slots; i++)
                if (s->slots[i].pid > 0)
                        (void)kill(s->slots[i].pid, SIGKILL); /* gone already: its exit is on its way */
        return 0;
}

static int service_on_stop(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata)
{
        Service *s = userdata;
        int r;

        (void)source;
        (void)si;
        if (s->stopping)
                return 0;
        s->stopping = true;
        (void)sd_notify(0, "STOPPING=1");
        log_info("stopping; %zu workers finish what they are at", s->n_slots_used);
        for (size_t i = 0; i < s->max_slots; i++)
                if (s->slots[i].pid > 0)
                        (void)kill(s->slots[i].pid, SIGTERM); /* as above */
        r = service_arm(s);
        if (r)
                return error_fold(r);
        r = sd_event_add_time_relative(s->event, &s->stop_source, CLOCK_MONOTONIC,
                                       s->config->token_timeout_usec + STOP_GRACE_USEC, 0,
                                       service_on_stop_timeout, s);
        if (r < 0)
                return error_origin(r);
        return error_fold(service_check_stopped(s));
}

static int service_set_events(Service *s)
{
        sigset_t blocked;
        int r;

        (void)sigemptyset(&blocked);
        (void)sigaddset(&blocked, SIGTERM);
        (void)sigaddset(&blocked, SIGINT);
        (void)sigaddset(&blocked, SIGCHLD);
        if (sigprocmask(SIG_BLOCK, &blocked, NULL) < 0)
                return error_origin(-errno);
        r = sd_event_new(&s->event);
        if (r >= 0)
                r = sd_event_add_signal(s->event, NULL, SIGTERM, service_on_stop, s);
        if (r >= 0)
                r = sd_event_add_signal(s->event, NULL, SIGINT, service_on_stop, s);
        if (r >= 0)
                r = sd_event_add_io(s->event, &s->listen_source, s->listen_fd, EPOLLIN,
                                    service_on_connection, s);
        if (r >= 0)
                r = sd_event_set_watchdog(s->event, true);
        return r < 0 ? error_origin(r) : 0;
}

static int service_open_state(Service *s)
{
        int r;

        r = pinstate_new(&s->pin, s->config->token_state);
        if (r)
                return error_fold(r);
        r = pinstate_lock(s->pin);
        if (r < 0)
                return error_fold(r);
        if (r > 0) {
                log_error("another hsmd-token serves with %s", s->config->token_state);
                return -EBUSY;
        }
        if (pinstate_is_refused(s->pin))
                log_event(LOG_WARNING, LOG_EVENT_PIN_REFUSED,
                          "the PIN was refused before and is not tried: correct it, then run hsmd-token "
                          "--config %s "
                          "--forget-pin",
                          s->config_path);
        return 0;
}

int service_run(const Config *config, const char *config_path)
{
        _cleanup_(service_deinit)
                Service s = {.config = config, .config_path = config_path, .listen_fd = -1};
        int r;

        assert(config);
        assert(config_path);

        s.max_slots = config->workers + 2;
        assert(s.max_slots <= ARRAY_SIZE(s.slots));
        for (size_t i = 0; i < ARRAY_SIZE(s.slots); i++)
                s.slots[i] = (Slot){.service = &s, .status_fd = -1};
        r = service_open_state(&s);
        if (r == 0)
                r = listener_open(&s.listen_fd, &s.listen_own, config->token_socket,
                                  config->token_client_uid);
        if (r == 0)
                r = service_set_events(&s);
        if (r)
                return EXIT_FAILURE;
        (void)sd_notify(0, "READY=1\nSTATUS=Waiting for hsmd.");
        r = sd_event_loop(s.event);
        return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
