/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "server/log.h"
#include "server/tokens.h"

#define TOKENS_BACKOFF_MIN_USEC (100 * 1000)
#define TOKENS_BACKOFF_MAX_USEC (10 * 1000 * 1000)
/* A refused PIN waits for an operator: asking often only fills the log. */
#define TOKENS_BACKOFF_PIN_USEC (5 * 1000 * 1000)
/* Calls before a worker is ready: load, slots, login, session, and a few for each key. */
#define TOKENS_START_CALLS 6

typedef struct TokenWorker {
        Tokens *tokens;
        unsigned number;
        TokenState state;
        int fd;
        LoopSource *io, *timer; /* timer: the start-up deadline while connecting, the back-off while down */
        uint64_t backoff_usec;
        uint32_t sequence, expected; /* last asked; next answer */
        size_t n_opened;
        unsigned restarts;
        bool greeted;
} TokenWorker;

struct Tokens {
        Loop *loop;
        TokensOptions options;
        const TokensCallbacks *callbacks;
        void *userdata;
        TokenInfo info;
        bool was_up;
        uint8_t buffer[LIMIT_TOKEN_FRAME];
        WireFrame frame; /* too large for the stack of every call */
        TokenWorker workers[LIMIT_WORKERS];
};

static size_t tokens_n_keys(const Tokens *t)
{
        return t->options.policy->n_keys + 1;
}

static void token_copy_text(char *ret, size_t size, Blob text)
{
        char escaped[LOG_TEXT_SIZE];

        (void)snprintf(ret, size, "%s", log_escape(escaped, (const char *)text.data, text.size));
}

/* Messages of hsmd-token are ours and may be longer than what a peer's text is cut to. */
static void token_message(Tokens *t, Blob message)
{
        size_t n = message.size < sizeof(t->info.message) - 1 ? message.size : sizeof(t->info.message) - 1;

        for (size_t i = 0; i < n; i++)
                t->info.message[i] =
                        message.data[i] >= 0x20 && message.data[i] < 0x7f ? (char)message.data[i] : '?';
        t->info.message[n] = '\0';
}

static int token_close(TokenWorker *w)
{
        w->io = loop_source_free(w->io);
        w->fd = close_fd(w->fd);
        w->state = TOKEN_STATE_DOWN;
        w->restarts++;
        return error_fold(loop_set_timer(w->timer, loop_now(w->tokens->loop) + w->backoff_usec));
}

/* The connection is over; `why` goes to the log and to the status unless the token said something better. */
static int token_lost(TokenWorker *w, const char *why)
{
        Tokens *t = w->tokens;
        bool was_up = w->state == TOKEN_STATE_UP;
        int r;

        if (was_up || t->info.message[0] == '\0')
                (void)snprintf(t->info.message, sizeof(t->info.message), "%s", why);
        log_write(LOG_TOKEN_DOWN, LOG_WARNING, LOG_NO_UID, NULL, NULL, "token worker %u: %s", w->number,
                  was_up ? why : t->info.message);
        if (was_up)
                w->backoff_usec = TOKENS_BACKOFF_MIN_USEC;
        r = token_close(w);
        if (!was_up)
                w->backoff_usec = w->backoff_usec * 2 > TOKENS_BACKOFF_MAX_USEC ? TOKENS_BACKOFF_MAX_USEC
                                                                                : w->backoff_usec * 2;
        if (r != 0)
                return error_fold(r);
        return was_up ? t->callbacks->down(t->userdata, w->number) : 0;
}

static int token_write(TokenWorker *w, const WireFrame *frame, int fd)
{
        Tokens *t = w->tokens;
        size_t size = 0;
        struct iovec iov = {.iov_base = t->buffer};
        union {
                struct cmsghdr header;
                uint8_t space[CMSG_SPACE(sizeof(int))];
        } control = {0};
        struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
        ssize_t n;
        int r;

        r = wire_encode(frame, t->buffer, sizeof(t->buffer), &size);
        if (r != 0)
                return error_origin(-ENOTRECOVERABLE); /* the limits make every frame of ours fit */
        iov.iov_len = size;
        if (fd >= 0) {
                msg.msg_control = control.space;
                msg.msg_controllen = sizeof(control.space);
                control.header.cmsg_level = SOL_SOCKET;
                control.header.cmsg_type = SCM_RIGHTS;
                control.header.cmsg_len = CMSG_LEN(sizeof(int));
                memcpy(CMSG_DATA(&control.header), &fd, sizeof(int));
        }
        n = sendmsg(w->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n != (ssize_t)size)
                /* The window is far below the socket's buffer, so this is a dead or stuck worker: let EOF
                 * say so. */
                (void)shutdown(w->fd, SHUT_RDWR);
        return 0;
}

/* Have the worker find the keys; the frame has room for a few at a time. */
static int token_open_keys(TokenWorker *w)
{
        Tokens *t = w->tokens;
        const Policy *p = t->options.policy;
        size_t bytes = 0;

        t->frame = (WireFrame){.type = WIRE_OPEN, .sequence = ++w->sequence};
        for (size_t i = w->n_opened; i < tokens_n_keys(t) && t->frame.n < LIMIT_TOKEN_KEYS; i++) {
                bool log = i == p->n_keys;
                PublicKey *key = log ? p->log_key : p->keys[i].public_key;
                const char *uri = log ? p->log_uri : p->keys[i].uri;
                Blob spki = public_key_spki(key);

                bytes += strlen(uri) + spki.size + 16;
                if (bytes > LIMIT_TOKEN_FRAME - 64)
                        break;
                t->frame.open[t->frame.n++] = (WireOpen){.handle = (uint16_t)i,
                                                         .type = public_key_type(key),
                                                         .uri = BLOB_STRING(uri),
                                                         .spki = spki};
        }
        assert(t->frame.n > 0);
        return error_fold(token_write(w, &t->frame, -1));
}

static int token_on_hello(TokenWorker *w)
{
        Tokens *t = w->tokens;
        const WireHello *hello = &t->frame.hello;

        if (hello->status != TOKEN_OK) {
                token_message(t, hello->message);
                if (hello->status == TOKEN_PIN_REFUSED)
                        w->backoff_usec = TOKENS_BACKOFF_PIN_USEC;
                return error_fold(token_lost(w, token_status_to_string(hello->status)));
        }
        token_copy_text(t->info.label, sizeof(t->info.label), hello->label);
        token_copy_text(t->info.manufacturer, sizeof(t->info.manufacturer), hello->manufacturer);
        token_copy_text(t->info.model, sizeof(t->info.model), hello->model);
        token_copy_text(t->info.serial, sizeof(t->info.serial), hello->serial);
        w->greeted = true;
        return error_fold(token_open_keys(w));
}

/* A key that cannot be used is named: the token's own words are about "the key". */
static int token_on_key_refused(TokenWorker *w, TokenStatus status, Blob message)
{
        Tokens *t = w->tokens;
        const Policy *p = t->options.policy;
        _cleanup_(buffer_deinit) Buffer text = BUFFER_NULL;
        bool log = w->n_opened == p->n_keys;
        int r;

        r = buffer_printf(&text, "key %s (%s): %.*s", log ? "of the log" : p->keys[w->n_opened].name,
                          log ? p->log_uri : p->keys[w->n_opened].uri, (int)message.size,
                          (const char *)message.data);
        if (r != 0)
                return error_fold(r);
        token_message(t, buffer_blob(&text));
        /* An error of the token says nothing of the key: it may be gone the next time. */
        if (status == TOKEN_FAILED)
                return error_fold(token_lost(w, "a key was not found for an error"));
        r = t->callbacks->key_refused(t->userdata, !t->was_up, status, t->info.message);
        return r != 0 ? error_fold(r) : error_fold(token_lost(w, "a key cannot be used"));
}

static int token_on_opened(TokenWorker *w)
{
        Tokens *t = w->tokens;
        int r;

        for (size_t i = 0; i < t->frame.n; i++) {
                const WireOpened *opened = &t->frame.opened[i];

                if (opened->handle != w->n_opened)
                        return error_fold(token_lost(w, "it answered for another key than asked"));
                if (opened->status != TOKEN_OK)
                        return token_on_key_refused(w, opened->status, opened->message);
                w->n_opened++;
        }
        w->expected = w->sequence;
        if (w->n_opened < tokens_n_keys(t))
                return error_fold(token_open_keys(w));
        w->state = TOKEN_STATE_UP;
        w->backoff_usec = TOKENS_BACKOFF_MIN_USEC;
        t->was_up = true;
        t->info.message[0] = '\0';
        r = loop_set_timer(w->timer, UINT64_MAX);
        if (r != 0)
                return error_fold(r);
        log_write(LOG_TOKEN_UP, LOG_INFO, LOG_NO_UID, NULL, NULL, "token worker %u: ready on \"%s\" (%s)",
                  w->number, t->info.label, t->info.model);
        return t->callbacks->up(t->userdata, w->number);
}

static int token_on_frame(TokenWorker *w)
{
        Tokens *t = w->tokens;

        if (w->state == TOKEN_STATE_CONNECTING && !w->greeted && t->frame.type == WIRE_HELLO)
                return token_on_hello(w);
        if (w->state == TOKEN_STATE_CONNECTING && w->greeted && t->frame.type == WIRE_OPENED &&
            t->frame.sequence == w->sequence)
                return token_on_opened(w);
        if (w->state == TOKEN_STATE_UP && t->frame.type == WIRE_SIGNED &&
            t->frame.sequence == w->expected + 1) {
                w->expected++;
                return t->callbacks->answered(t->userdata, w->number, t->frame.n, t->frame.signature);
        }
        return error_fold(token_lost(w, "it sent a frame out of order"));
}

static int token_on_io(void *userdata, uint32_t events _unused_)
{
        TokenWorker *w = userdata;
        Tokens *t = w->tokens;
        ssize_t n = recv(w->fd, t->buffer, sizeof(t->buffer), MSG_DONTWAIT | MSG_TRUNC);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        if (n <= 0)
                return error_fold(token_lost(w, "it ended the connection (see the log of hsmd-token)"));
        if ((size_t)n > sizeof(t->buffer) || wire_decode(&t->frame, t->buffer, (size_t)n) != 0)
                return error_fold(token_lost(w, "it sent a malformed frame"));
        return token_on_frame(w);
}

static int token_connect(TokenWorker *w)
{
        Tokens *t = w->tokens;
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int r;

        assert(w->fd < 0 && strlen(t->options.path) < sizeof(address.sun_path));
        memcpy(address.sun_path, t->options.path, strlen(t->options.path) + 1);
        w->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (w->fd < 0)
                return error_origin(-errno);
        w->state = TOKEN_STATE_CONNECTING;
        w->greeted = false;
        w->n_opened = 0;
        if (connect(w->fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
                char why[200];

                (void)snprintf(why, sizeof(why), "cannot connect to hsmd-token at %s: %s", t->options.path,
                               strerror(errno));
                t->info.message[0] = '\0';
                return error_fold(token_lost(w, why));
        }
        r = loop_add_io(t->loop, &w->io, w->fd, EPOLLIN, PRIORITY_TOKEN, token_on_io, w);
        if (r != 0)
                return error_fold(r);
        /* All workers log in one after another, and each key takes a few calls. */
        return error_fold(
                loop_set_timer(w->timer, loop_now(t->loop) + t->options.timeout_usec * TOKENS_START_CALLS *
                                                                     t->options.n_workers));
}

static int token_on_timer(void *userdata)
{
        TokenWorker *w = userdata;

        if (w->state == TOKEN_STATE_DOWN)
                return token_connect(w);
        return error_fold(token_lost(w, "it did not become ready in time"));
}

int tokens_new(Tokens **ret, Loop *loop, const TokensOptions *options, const TokensCallbacks *callbacks,
               void *userdata)
{
        _cleanup_(tokens_freep) Tokens *t = NULL;
        int r;

        assert(options->n_workers > 0 && options->n_workers <= LIMIT_WORKERS);
        r = memory_new0(&t, 1);
        if (r != 0)
                return error_fold(r);
        t->loop = loop;
        t->options = *options;
        t->callbacks = callbacks;
        t->userdata = userdata;
        for (unsigned i = 0; i < LIMIT_WORKERS; i++)
                t->workers[i].fd = -1;
        for (unsigned i = 0; i < options->n_workers; i++) {
                TokenWorker *w = &t->workers[i];

                w->tokens = t;
                w->number = i;
                w->backoff_usec = TOKENS_BACKOFF_MIN_USEC;
                r = loop_add_timer(loop, &w->timer, PRIORITY_TOKEN, token_on_timer, w);
                if (r == 0)
                        r = loop_set_timer(w->timer, 0); /* the first attempt is made by the loop */
                if (r != 0)
                        return error_fold(r);
        }
        *ret = TAKE_PTR(t);
        return 0;
}

Tokens *tokens_free(Tokens *t)
{
        if (!t)
                return NULL;
        for (unsigned i = 0; i < LIMIT_WORKERS; i++) {
                loop_source_free(t->workers[i].io);
                loop_source_free(t->workers[i].timer);
                close_fd(t->workers[i].fd);
        }
        free(t);
        return NULL;
}

int tokens_send(Tokens *t, unsigned worker, size_t n, const WireSign *items, int content_fd)
{
        TokenWorker *w = &t->workers[worker];

        assert(w->state == TOKEN_STATE_UP);
        assert(n > 0 && n <= LIMIT_TOKEN_BATCH && (content_fd < 0 || n == 1));
        t->frame = (WireFrame){.type = WIRE_SIGN, .sequence = ++w->sequence, .n = n};
        memcpy(t->frame.sign, items, n * sizeof(*items));
        return error_fold(token_write(w, &t->frame, content_fd));
}

int tokens_reset(Tokens *t, unsigned worker)
{
        TokenWorker *w = &t->workers[worker];

        if (w->state == TOKEN_STATE_DOWN)
                return 0;
        log_write(LOG_TOKEN_DOWN, LOG_WARNING, LOG_NO_UID, NULL, NULL,
                  "token worker %u: no answer in time; given up", worker);
        return error_fold(token_close(w));
}

const TokenInfo *tokens_info(const Tokens *t)
{
        return &t->info;
}

TokenState tokens_state(const Tokens *t, unsigned worker)
{
        return t->workers[worker].state;
}

unsigned tokens_restarts(const Tokens *t, unsigned worker)
{
        return t->workers[worker].restarts;
}
