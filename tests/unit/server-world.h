/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A whole hsmd in one process: sockets, engine, a real journal in a folder of its own, and in place of
 * hsmd-token a token that signs with keys from files, and does wrong what a test asks of it.  Nothing runs
 * but in world_turn().  Include after cmocka.h.
 */
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/base64.h"
#include "base/hex.h"
#include "format/format.h"
#include "journal/entry.h"
#include "journal/note.h"
#include "journal/proof.h"
#include "server/methods.h"
#include "server/socket.h"
#include "unit/journal-fixture.h"
#include "unit/loop-clock.h"

#define WORLD_KEYS    4 /* of the policy, in its order; then the log's */
#define WORLD_WORKERS 2
#define WORLD_FILES   1100
#define WORLD_TOKEN   (1000 * 1000ull)
#define WORLD_REQUEST (20 * 1000 * 1000ull)

typedef enum FakeMode {
        FAKE_GOOD,
        FAKE_WRONG,      /* signatures of something else */
        FAKE_SHORT,      /* of a wrong size */
        FAKE_ERROR,      /* C_Sign fails */
        FAKE_DIE,        /* the worker ends when it is asked */
        FAKE_HANG,       /* it never answers again */
        FAKE_HOLD,       /* it answers when the mode changes */
        FAKE_CHECKPOINT, /* good signatures, wrong checkpoints */
        FAKE_COUNT,      /* answers for one item more than asked */
} FakeMode;

typedef struct FakeWorker {
        int fd;
        bool hung;
        size_t held_size;
        uint8_t held[LIMIT_TOKEN_FRAME]; /* a frame that waits */
        int held_fd;
} FakeWorker;

typedef struct WorldFile {
        Buffer content;
        Digests digests;
        char name[32];
        int fd;
} WorldFile;

typedef struct World {
        char *folder;
        Config config;
        Policy *policy;
        PrivateKey *keys[WORLD_KEYS + 1];
        PrivateKey *farm, *overseer;
        Journal *journal;
        Loop *loop;
        Server server;
        int token_fd;
        FakeMode mode;
        bool sha256_only; /* attestations name no other digest */
        size_t n_fakes;
        FakeWorker fakes[64];
        size_t n_asked; /* signatures by keys of the policy */
        size_t n_files;
        WorldFile files[WORLD_FILES];
} World;

/* ---- the token ---- */

static inline const WorldFile *fake_find(const World *w, Blob digest)
{
        for (size_t i = 0; i < w->n_files; i++)
                if (blob_equal(digest, BLOB(w->files[i].digests.sha256, 32)) ||
                    blob_equal(digest, BLOB(w->files[i].digests.sha384, 48)))
                        return &w->files[i];
        fail_msg("the token was asked to sign something that no test has");
        return NULL;
}

static inline void fake_sign(World *w, const WireSign *item, int fd, Buffer *out)
{
        static const SignatureScheme schemes[] = {SCHEME_ECDSA_P1363, SCHEME_RSA_PKCS1_SHA256,
                                                  SCHEME_RSA_PSS_SHA256, SCHEME_ED25519};
        _cleanup_(buffer_deinit) Buffer content = BUFFER_NULL;
        Blob message = item->message;

        if (item->content_in_fd) {
                assert_int_equal(fcntl(fd, F_GET_SEALS),
                                 F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
                assert_int_equal(file_read_fd(&content, fd, LIMIT_CONTENT_SIZE), 0);
                message = buffer_blob(&content);
        } else if (item->mechanism == MECHANISM_RSA_PKCS1) {
                assert_int_equal(message.size, 51);
                message = buffer_blob(&fake_find(w, BLOB(message.data + 19, 32))->content);
        } else if (item->mechanism != MECHANISM_EDDSA) {
                message = buffer_blob(&fake_find(w, message)->content);
        }
        assert_int_equal(private_key_sign(w->keys[item->handle], schemes[item->mechanism], message, out), 0);
}

static inline void fake_write(FakeWorker *f, const WireFrame *frame)
{
        static uint8_t buffer[LIMIT_TOKEN_FRAME];
        size_t size;

        assert_int_equal(wire_encode(frame, buffer, sizeof(buffer), &size), 0);
        (void)!send(f->fd, buffer, size, MSG_NOSIGNAL); /* hsmd may have given it up */
}

static inline void fake_answer_sign(World *w, FakeWorker *f, const WireFrame *question, int fd)
{
        static WireFrame answer;
        Buffer signatures[LIMIT_TOKEN_BATCH + 1] = {0};
        bool checkpoint = question->sign[0].handle == WORLD_KEYS;

        answer = (WireFrame){.type = WIRE_SIGNED, .sequence = question->sequence, .n = question->n};
        for (size_t i = 0; i < question->n; i++) {
                fake_sign(w, &question->sign[i], fd, &signatures[i]);
                if (checkpoint ? w->mode == FAKE_CHECKPOINT : w->mode == FAKE_WRONG)
                        signatures[i].data[10] ^= 1;
                if (!checkpoint && w->mode == FAKE_SHORT)
                        signatures[i].size--;
                if (!checkpoint && w->mode == FAKE_ERROR)
                        answer.signature[i] = (WireSigned){.status = TOKEN_FAILED, .ckr = 5};
                else
                        answer.signature[i] = (WireSigned){.signature = buffer_blob(&signatures[i])};
        }
        if (!checkpoint && w->mode == FAKE_COUNT && answer.n < LIMIT_TOKEN_BATCH) {
                answer.signature[answer.n] = answer.signature[0];
                answer.n++;
        }
        fake_write(f, &answer);
        for (size_t i = 0; i < question->n; i++)
                buffer_deinit(&signatures[i]);
}

static inline void fake_on_sign(World *w, FakeWorker *f, const WireFrame *frame, int fd)
{
        if (frame->sign[0].handle < WORLD_KEYS) {
                /* Promise 2: each of these has a durable intent of its own, before. */
                w->n_asked += frame->n;
                assert_true(w->n_asked < journal_next_intent(w->journal));
                assert_true(frame->n <= journal_n_intents(w->journal));
                if (w->mode == FAKE_DIE) {
                        f->fd = close_fd(f->fd);
                        return;
                }
                f->hung = f->hung || w->mode == FAKE_HANG;
        } else {
                assert_int_equal(frame->n, 1);
                assert_true(journal_size(w->journal) > 0);
        }
        if (!f->hung)
                fake_answer_sign(w, f, frame, fd);
}

static inline void fake_on_frame(World *w, FakeWorker *f, Blob bytes, int fd)
{
        static WireFrame frame, answer;

        assert_int_equal(wire_decode(&frame, bytes.data, bytes.size), 0);
        if (frame.type == WIRE_SIGN) {
                fake_on_sign(w, f, &frame, fd);
                return;
        }
        assert_int_equal(frame.type, WIRE_OPEN);
        answer = (WireFrame){.type = WIRE_OPENED, .sequence = frame.sequence, .n = frame.n};
        for (size_t i = 0; i < frame.n; i++)
                answer.opened[i].handle = frame.open[i].handle;
        fake_write(f, &answer);
}

/* One frame, or the end of the connection. */
static inline void fake_receive(World *w, FakeWorker *f)
{
        union {
                struct cmsghdr header;
                uint8_t space[CMSG_SPACE(sizeof(int))];
        } control;
        static uint8_t buffer[LIMIT_TOKEN_FRAME];
        struct iovec iov = {buffer, sizeof(buffer)};
        struct msghdr msg = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = control.space,
                             .msg_controllen = sizeof(control.space)};
        _cleanup_(close_fdp) int fd = -1;
        ssize_t n;

        if (f->held_size > 0) {
                if (w->mode == FAKE_HOLD)
                        return;
                fake_on_frame(w, f, BLOB(f->held, f->held_size), f->held_fd);
                f->held_size = 0;
                f->held_fd = close_fd(f->held_fd);
                return;
        }
        n = recvmsg(f->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (n < 0 && errno == EAGAIN)
                return;
        if (n <= 0) {
                f->fd = close_fd(f->fd);
                return;
        }
        if (CMSG_FIRSTHDR(&msg))
                memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
        if (w->mode == FAKE_HOLD && buffer[1] == WIRE_SIGN) {
                memcpy(f->held, buffer, (size_t)n);
                f->held_size = (size_t)n;
                f->held_fd = TAKE_FD(fd);
                return;
        }
        fake_on_frame(w, f, BLOB(buffer, (size_t)n), fd);
}

static inline void fake_turn(World *w)
{
        int fd = w->token_fd >= 0 ? accept4(w->token_fd, NULL, NULL, SOCK_CLOEXEC) : -1;

        if (fd >= 0) {
                WireFrame hello = {.type = WIRE_HELLO, .n = 1};
                FakeWorker *f = &w->fakes[w->n_fakes++];

                assert_true(w->n_fakes <= ARRAY_SIZE(w->fakes));
                *f = (FakeWorker){.fd = fd, .held_fd = -1};
                hello.hello.label = BLOB_LITERAL("fake");
                fake_write(f, &hello);
        }
        for (size_t i = 0; i < w->n_fakes; i++)
                if (w->fakes[i].fd >= 0)
                        fake_receive(w, &w->fakes[i]);
}

static inline void fake_listen(World *w)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};

        w->token_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        assert_true(w->token_fd >= 0);
        (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", w->config.token_socket);
        assert_int_equal(bind(w->token_fd, (struct sockaddr *)&address, sizeof(address)), 0);
        assert_int_equal(listen(w->token_fd, 16), 0);
}

static inline void fake_gone(World *w)
{
        w->token_fd = close_fd(w->token_fd);
        (void)unlink(w->config.token_socket);
        for (size_t i = 0; i < w->n_fakes; i++) {
                w->fakes[i].fd = close_fd(w->fakes[i].fd);
                w->fakes[i].held_fd = close_fd(w->fakes[i].held_fd);
        }
}

/* ---- set-up ---- */

static inline PrivateKey *world_key(const char *name)
{
        _cleanup_(buffer_deinit) Buffer pem = BUFFER_NULL;
        PrivateKey *key;

        file_get(TEST_SOURCE_DIR "/tests/unit/data/policy/keys", name, &pem);
        assert_int_equal(private_key_new_pem(&key, buffer_blob(&pem)), 0);
        return key;
}

static inline void world_replace(Buffer *text, const char *from, const char *to)
{
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;
        const char *at = strstr((const char *)text->data, from);

        assert_non_null(at);
        assert_int_equal(buffer_append(&out, text->data, (size_t)((const uint8_t *)at - text->data)), 0);
        assert_int_equal(buffer_append_string(&out, to), 0);
        assert_int_equal(buffer_append_string(&out, at + strlen(from)), 0);
        buffer_deinit(text);
        *text = out;
        out = (Buffer)BUFFER_NULL;
}

/* The policy of the tests of policy/, with this user as the build farm, in force now. */
static inline Policy *world_policy(void)
{
        _cleanup_(buffer_deinit) Buffer text = BUFFER_NULL;
        PolicyFaults faults;
        char requester[64];
        Policy *policy;

        file_get(TEST_SOURCE_DIR "/tests/unit/data/policy", "policy.conf", &text);
        (void)snprintf(requester, sizeof(requester), "requester builder uid %u\n", getuid());
        world_replace(&text, "requester builder uid 1000\n", requester);
        world_replace(&text, "    keys update product\n", "    keys update product kernel\n");
        world_replace(&text, "effective 2026-", "effective 2020-");
        world_replace(&text, "expires 2030-", "expires 2090-");
        assert_int_equal(policy_parse(&policy, buffer_blob(&text), &faults), 0);
        policy_faults_deinit(&faults);
        return policy;
}

static inline void world_open_journal(World *w)
{
        _cleanup_(buffer_deinit) Buffer message = BUFFER_NULL;
        const JournalOptions options = {.state_path = w->config.state_path,
                                        .log_path = w->config.log_path,
                                        .evidence_path = w->config.evidence_path,
                                        .origin = w->policy->origin,
                                        .log_key = w->policy->log_key,
                                        .create = true};

        assert_int_equal(journal_open(&w->journal, &options, &message), 0);
}

static inline void world_config(World *w)
{
        static const char *const roles[] = {"sign.sock", "officer.sock", "audit.sock"};

        w->config = (Config){.origin = w->policy->origin,
                             .site = w->policy->sites[0].name,
                             .state_path = path_in(w->folder, "state"),
                             .log_path = path_in(w->folder, "log"),
                             .evidence_path = path_in(w->folder, "evidence"),
                             .token_socket = path_in(w->folder, "token.sock"),
                             .token_timeout_usec = WORLD_TOKEN,
                             .request_timeout_usec = WORLD_REQUEST,
                             .workers = WORLD_WORKERS};
        for (size_t i = 0; i < _ROLE_MAX; i++)
                w->config.sockets[i] =
                        (ConfigSocket){.path = path_in(w->folder, roles[i]), .mode = 0600, .gid = (gid_t)-1};
        folder_make(w->folder, "state");
        folder_make(w->folder, "log");
        folder_make(w->folder, "evidence");
}

/* The daemon, as server.c puts it together. */
static inline void world_start(World *w)
{
        static const PeersCallbacks callbacks = {methods_call, methods_gone};

        world_open_journal(w);
        assert_int_equal(loop_new(&w->loop), 0);
        w->server = (Server){.config = &w->config};
        assert_int_equal(engine_new(&w->server.engine, w->loop, &w->config, w->policy, 0, w->journal), 0);
        assert_int_equal(peers_new(&w->server.peers, w->loop, &callbacks, &w->server), 0);
        for (ConfigRole role = 0; role < _ROLE_MAX; role++) {
                int fd;

                assert_int_equal(socket_listen(&w->config.sockets[role], &fd), 0);
                assert_int_equal(peers_listen(w->server.peers, role, fd), 0);
        }
        assert_int_equal(engine_start(w->server.engine), 0);
}

/* Its end, whatever was under way: a crash as the journal sees it. */
static inline void world_stop(World *w)
{
        w->server.peers = peers_free(w->server.peers);
        w->server.engine = engine_free(w->server.engine);
        w->loop = loop_free(w->loop);
        w->journal = journal_free(w->journal);
        for (size_t i = 0; i < _ROLE_MAX; i++)
                (void)unlink(w->config.sockets[i].path);
}

static inline int world_setup(void **state)
{
        static const char *const names[WORLD_KEYS + 1] = {"product.pem", "firmware.pem", "update.pem",
                                                          "kernel.pem", "log.pem"};
        World *w = calloc(1, sizeof(*w));

        assert_non_null(w);
        error_set_trace(NULL);
        w->folder = folder_new();
        w->policy = world_policy();
        assert_int_equal(w->policy->n_keys, WORLD_KEYS);
        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                w->keys[i] = world_key(names[i]);
        w->farm = world_key("farm-1.pem");
        w->overseer = world_key("overseer-1.pem");
        world_config(w);
        fake_listen(w);
        world_start(w);
        *state = w;
        return 0;
}

static inline int world_teardown(void **state)
{
        World *w = *state;

        fake_gone(w);
        world_stop(w);
        for (size_t i = 0; i < w->n_files; i++) {
                buffer_deinit(&w->files[i].content);
                close_fd(w->files[i].fd);
        }
        folder_remove(AT_FDCWD, w->folder);
        for (size_t i = 0; i <= WORLD_KEYS; i++)
                private_key_free(w->keys[i]);
        private_key_free(w->farm);
        private_key_free(w->overseer);
        policy_free(w->policy);
        for (size_t i = 0; i < _ROLE_MAX; i++)
                free(w->config.sockets[i].path);
        free(w->config.state_path);
        free(w->config.log_path);
        free(w->config.evidence_path);
        free(w->config.token_socket);
        free(w->folder);
        free(w);
        return 0;
}

#define WORLD_TEST(_f) cmocka_unit_test_setup_teardown(_f, world_setup, world_teardown)

/* ---- time ---- */

/* Something may happen, here and at the token. */
static inline void world_turn(World *w)
{
        int code;

        if (loop_ended(w->loop, &code))
                fail_msg("the daemon ended with %d", code);
        assert_true(loop_step(w->loop, 100) >= 0);
        fake_turn(w);
}

static inline void world_turns(World *w, unsigned n)
{
        while (n-- > 0)
                world_turn(w);
}

/* Until nothing is under way any more. */
static inline void world_settle(World *w)
{
        for (unsigned n = 0; core_n_jobs(w->server.engine->core) > 0 || !core_idle(w->server.engine->core) ||
                             w->server.engine->refusals.n > 0;
             n++) {
                assert_true(n < 200000);
                world_turn(w);
        }
}

static inline void world_until_state(World *w, JobState state, size_t n_wanted)
{
        for (unsigned turns = 0;; turns++) {
                size_t n = 0;

                for (JobId job = 0; job < LIMIT_JOBS; job++)
                        n += core_job_state(w->server.engine->core, job) == state;
                if (n == n_wanted)
                        return;
                assert_true(turns < 20000);
                world_turn(w);
        }
}

/* ---- clients ---- */

typedef struct Client {
        int fd;
        Buffer in;
} Client;

static inline void client_open(const World *w, ConfigRole role, Client *ret)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};

        *ret = (Client){.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), .in = BUFFER_NULL};
        (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", w->config.sockets[role].path);
        assert_int_equal(connect(ret->fd, (struct sockaddr *)&address, sizeof(address)), 0);
}

static inline void client_close(Client *c)
{
        c->fd = close_fd(c->fd);
        buffer_deinit(&c->in);
}

/* Bytes as they are, and descriptors with the first of them. */
static inline void client_send(const Client *c, Blob bytes, size_t n_fds, const int *fds)
{
        union {
                struct cmsghdr header;
                uint8_t space[CMSG_SPACE(250 * sizeof(int))];
        } control = {0};
        struct iovec iov = {(void *)(uintptr_t)bytes.data, bytes.size};
        struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

        assert_true(n_fds <= 250);
        if (n_fds > 0) {
                msg.msg_control = control.space;
                msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
                control.header = (struct cmsghdr){.cmsg_len = CMSG_LEN(n_fds * sizeof(int)),
                                                  .cmsg_level = SOL_SOCKET,
                                                  .cmsg_type = SCM_RIGHTS};
                memcpy(CMSG_DATA(&control.header), fds, n_fds * sizeof(int));
        }
        assert_int_equal(sendmsg(c->fd, &msg, MSG_NOSIGNAL), bytes.size);
}

/* A message, with its NUL. */
static inline void client_call(const Client *c, const char *text, size_t n_fds, const int *fds)
{
        client_send(c, BLOB(text, strlen(text) + 1), n_fds, fds);
}

/* The next message; NULL: the connection has ended. */
static inline SJson *client_try_reply(World *w, Client *c)
{
        for (unsigned turns = 0;; turns++) {
                const uint8_t *end = c->in.size > 0 ? memchr(c->in.data, 0, c->in.size) : NULL;
                char chunk[65536];
                SJson *reply;
                ssize_t n;

                if (end) {
                        size_t size = (size_t)(end - c->in.data);

                        assert_int_equal(sjson_parse_reals(&reply, c->in.data, size, NULL), 0);
                        buffer_consume(&c->in, size + 1);
                        return reply;
                }
                assert_true(turns < 200000);
                world_turn(w);
                n = recv(c->fd, chunk, sizeof(chunk), MSG_DONTWAIT);
                if (n == 0 || (n < 0 && errno == ECONNRESET))
                        return NULL;
                if (n > 0)
                        assert_int_equal(buffer_append(&c->in, chunk, (size_t)n), 0);
        }
}

static inline SJson *client_reply(World *w, Client *c)
{
        SJson *reply = client_try_reply(w, c);

        assert_non_null(reply);
        return reply;
}

static inline void assert_error(const SJson *reply, const char *error)
{
        const char *text;

        assert_int_equal(sjson_get_string(reply, "error", &text, NULL), 0);
        assert_string_equal(text, error);
}

static inline const SJson *assert_parameters(const SJson *reply)
{
        const char *error;
        SJson *parameters;

        if (sjson_get_string(reply, "error", &error, NULL) == 0)
                fail_msg("%s", error);
        assert_int_equal(sjson_get_object(reply, "parameters", &parameters), 0);
        return parameters;
}

static inline void assert_member(const SJson *object, const char *name, const char *value)
{
        const char *text;

        assert_int_equal(sjson_get_string(object, name, &text, NULL), 0);
        assert_string_equal(text, value);
}

/* ---- artifacts and attestations ---- */

static inline int memfd_of(Blob content)
{
        int fd = memfd_create("test", MFD_CLOEXEC);

        assert_true(fd >= 0);
        assert_int_equal(file_write_all(fd, content.data, content.size), 0);
        return fd;
}

static inline size_t world_file(World *w, Blob content)
{
        _cleanup_(hasher_freep) Hasher *hasher = NULL;
        WorldFile *file = &w->files[w->n_files];

        assert_true(w->n_files < WORLD_FILES);
        *file = (WorldFile){.fd = memfd_of(content)};
        (void)snprintf(file->name, sizeof(file->name), "file-%zu", w->n_files);
        assert_int_equal(buffer_append(&file->content, content.data, content.size), 0);
        assert_int_equal(hasher_new(&hasher), 0);
        hasher_update(hasher, content.data, content.size);
        hasher_finish(hasher, &file->digests);
        return w->n_files++;
}

static inline void world_files(World *w, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                char text[64];
                int size = snprintf(text, sizeof(text), "content of file %zu\n", w->n_files);

                (void)world_file(w, BLOB(text, (size_t)size));
        }
}

/* An envelope by one rebuilder about files [first, first + n), from the commit that ends in `source`. */
static inline void world_envelope(World *w, const char *release, const char *rebuilder, PrivateKey *key,
                                  size_t first, size_t n, unsigned source, Buffer *out)
{
        _cleanup_(buffer_deinit) Buffer payload = BUFFER_NULL;
        const PolicyRelease *r = &w->policy->releases[policy_find_release(w->policy, release)];
        const PolicyRebuilder *signer = NULL;
        AttestationSubject subjects[LIMIT_SUBJECTS];
        uint8_t source_sha256[32] = {(uint8_t)source};
        char commit[41];

        (void)snprintf(commit, sizeof(commit), "%040u", source);
        for (size_t i = 0; i < w->policy->n_rebuilders; i++)
                if (strcmp(w->policy->rebuilders[i].name, rebuilder) == 0)
                        signer = &w->policy->rebuilders[i];
        assert_non_null(signer);
        for (size_t i = 0; i < n; i++)
                subjects[i] = (AttestationSubject){.name = w->files[first + i].name,
                                                   .digests = w->files[first + i].digests};
        for (size_t i = 0; i < n && w->sha256_only; i++)
                subjects[i].digests.have_sha384 = subjects[i].digests.have_sha512 = false;
        AttestationDraft draft = {.release = release,
                                  .builder_id = signer->builder_id,
                                  .source_uri = r->sources[0],
                                  .git_commit = commit,
                                  .source_sha256 = source_sha256,
                                  .n_subjects = n,
                                  .subjects = subjects};
        assert_int_equal(attestation_write_statement(&draft, &payload), 0);
        assert_int_equal(attestation_write_envelope(buffer_blob(&payload), key, signer->scheme, out), 0);
}

static inline SJson *world_attest(World *w, Client *c, Blob envelope)
{
        int fd = memfd_of(envelope);

        client_call(c, "{\"method\":\"org.hsmd.Sign.Attest\",\"parameters\":{\"fd\":0}}", 1, &fd);
        close_fd(fd);
        return client_reply(w, c);
}

/* What release `release` demands: the farm and the overseer say the same. */
static inline void world_attest_all(World *w, Client *c, const char *release, size_t first, size_t n)
{
        for (int i = 0; i < 2; i++) {
                _cleanup_(buffer_deinit) Buffer envelope = BUFFER_NULL;
                _cleanup_(sjson_freep) SJson *reply = NULL;
                bool accepted;

                world_envelope(w, release, i ? "overseer-1" : "farm-1", i ? w->overseer : w->farm, first, n,
                               1, &envelope);
                reply = world_attest(w, c, buffer_blob(&envelope));
                assert_int_equal(sjson_get_bool(assert_parameters(reply), "accepted", &accepted), 0);
                assert_true(accepted);
        }
}

/* Ask for files [first, first + n); at most 250, in one message. */
static inline void world_ask(World *w, Client *c, const char *method, const char *key, const char *format,
                             const char *release, size_t first, size_t n, bool more)
{
        _cleanup_(buffer_deinit) Buffer text = BUFFER_NULL;
        int fds[250];

        assert_int_equal(buffer_printf(&text,
                                       "{\"method\":\"org.hsmd.Sign.%s\",%s\"parameters\":{\"key\":\"%s\","
                                       "\"format\":\"%s\",\"release\":\"%s\",\"artifacts\":[",
                                       method, more ? "\"more\":true," : "", key, format, release),
                         0);
        for (size_t i = 0; i < n; i++) {
                fds[i] = w->files[first + i].fd;
                assert_int_equal(buffer_printf(&text, "%s{\"name\":\"%s\",\"fd\":%zu}", i > 0 ? "," : "",
                                               w->files[first + i].name, i),
                                 0);
        }
        assert_int_equal(buffer_append_string(&text, "]}}"), 0);
        client_call(c, (const char *)text.data, n, fds);
}

static inline const SJson *assert_result(const SJson *reply, size_t index, const char *outcome)
{
        SJson *results;

        assert_int_equal(sjson_get_array(assert_parameters(reply), "results", &results), 0);
        for (size_t i = 0; i < sjson_size(results); i++) {
                const SJson *result = sjson_at(results, i);
                uint64_t n;

                assert_int_equal(sjson_get_u64(result, "index", &n), 0);
                if (n == index) {
                        assert_member(result, "outcome", outcome);
                        return result;
                }
        }
        fail_msg("no result %zu", index);
        return NULL;
}

static inline size_t n_results(const SJson *reply)
{
        SJson *results;

        assert_int_equal(sjson_get_array(assert_parameters(reply), "results", &results), 0);
        return sjson_size(results);
}

/* ---- what has to hold ---- */

static inline NoteVerifier world_verifier(const World *w)
{
        _cleanup_(buffer_deinit) Buffer vkey = BUFFER_NULL;
        NoteVerifier v;

        assert_int_equal(note_verifier_write(w->policy->origin, NOTE_TYPE_ED25519,
                                             public_key_raw(w->policy->log_key).data, &vkey),
                         0);
        assert_int_equal(note_verifier_parse(&v, (const char *)vkey.data, vkey.size), 0);
        return v;
}

static inline void signature_get(const SJson *result, Buffer *out)
{
        const char *text;
        size_t size;

        assert_int_equal(sjson_get_string(result, "signature", &text, &size), 0);
        assert_int_equal(base64_decode(out, BASE64_STANDARD, text, size), 0);
}

/* A customer's check: signature under the pinned key, entry under the log's. */
static inline void assert_signed(World *w, const SJson *result, size_t key, SignatureScheme scheme,
                                 size_t file)
{
        _cleanup_(buffer_deinit) Buffer signature = BUFFER_NULL;
        _cleanup_(proof_deinit) Proof proof;
        _cleanup_(entry_deinit) Entry entry = {0};
        const WorldFile *f = &w->files[file];
        NoteVerifier v = world_verifier(w);
        uint8_t digest[32];
        const char *text;
        size_t size;
        Blob message = scheme == SCHEME_ED25519 ? buffer_blob(&f->content)
                       : key == 3               ? BLOB(f->digests.sha384, 48)
                                                : BLOB(f->digests.sha256, 32);

        signature_get(result, &signature);
        assert_int_equal(
                public_key_verify(w->policy->keys[key].public_key, scheme, message, buffer_blob(&signature)),
                0);
        assert_int_equal(sjson_get_string(result, "proof", &text, &size), 0);
        assert_int_equal(proof_decode(&proof, BLOB(text, size)), 0);
        assert_int_equal(proof_verify(&proof, &v, NULL), 0);
        note_verifier_deinit(&v);
        assert_int_equal(entry_decode(&entry, buffer_blob(&proof.extra)), 0);
        assert_string_equal(entry.type, ENTRY_SIGNATURE);
        sha256(digest, signature.data, signature.size);
        assert_memory_equal(entry.signature_sha256, digest, 32);
        assert_memory_equal(entry.artifact_sha256, f->digests.sha256, 32);
        assert_string_equal(entry.key, w->policy->keys[key].name);
}

/* How many entries of a type there are; every intent has ended in exactly one entry. */
static inline size_t world_entries(World *w, const char *type)
{
        static uint8_t ended[1 << 16];
        uint64_t next = journal_next_intent(w->journal);
        size_t n = 0;

        assert_true(next < sizeof(ended));
        memset(ended, 0, sizeof(ended));
        assert_int_equal(journal_n_intents(w->journal), 0);
        for (uint64_t i = 0; i < journal_size(w->journal); i++) {
                _cleanup_(buffer_deinit) Buffer content = BUFFER_NULL;
                _cleanup_(entry_deinit) Entry entry = {0};

                assert_int_equal(journal_get(w->journal, i, &content, NULL), 0);
                assert_int_equal(entry_decode(&entry, buffer_blob(&content)), 0);
                n += strcmp(entry.type, type) == 0;
                if (entry.has_intent) {
                        assert_true(entry.intent < next);
                        ended[entry.intent]++;
                }
        }
        for (uint64_t i = 1; i < next; i++)
                assert_int_equal(ended[i], 1);
        return n;
}
