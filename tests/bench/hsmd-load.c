/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hsmd-load: C clients ask a running hsmd for signatures, one artifact or a batch at a time, each artifact
 * once.  What they ask for has to be attested already.  They go on asking for a fixed time; then each waits
 * for its last answer.  The rate is over all of it, so that a batch counts with all that it took.  One JSON
 * object on stdout.
 *
 * An answer that is not a new signature ends the run: a refusal or a repeated answer would be cheap, and
 * would make the numbers a lie.
 */
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "artifact.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/jsonw.h"
#include "peer.h"
#include "samples.h"

#define MAX_CLIENTS 64
#define MAX_BATCH   1024
#define MAX_SAMPLES (1U << 22)
/* Nothing may be silent for longer: hsmd's own request time-out is 60 s. */
#define SILENCE_MSEC 90000

static const char *arg_socket, *arg_key;
static unsigned long arg_clients = 1, arg_batch = 1, arg_first, arg_count = 1, arg_msec = 3000;
static bool arg_fds;

typedef struct Client {
        Peer peer;
        bool busy;
        size_t n_results; /* of the request under way */
        uint64_t asked_nsec;
} Client;

typedef struct Load {
        Client clients[MAX_CLIENTS];
        size_t n_busy;
        uint64_t next, end; /* numbers of artifacts not asked for yet */
        uint64_t start_nsec, stop_nsec, last_nsec;
        uint64_t n_signed;
        uint32_t *samples;
        size_t n_samples;
} Load;

static int add_content(Peer *peer, uint32_t i)
{
        uint8_t content[ARTIFACT_SIZE];
        _cleanup_(close_fdp) int fd = memfd_create("artifact", MFD_CLOEXEC);
        int r;

        if (fd < 0)
                return error_origin(-errno);
        artifact_content(content, i);
        r = file_write_all(fd, content, sizeof(content));
        if (r)
                return error_fold(r);
        peer_add_fd(peer, TAKE_FD(fd));
        return 0;
}

static int write_artifact(Peer *peer, unsigned index, uint32_t i)
{
        char name[ARTIFACT_NAME_SIZE], hex[2 * SHA256_SIZE + 1];
        uint8_t digest[SHA256_SIZE];
        const char *comma = index > 0 ? "," : "";

        artifact_name(name, i);
        if (arg_fds) {
                int r = add_content(peer, i);

                return r ? error_fold(r)
                         : buffer_printf(&peer->out, "%s{\"name\":\"%s\",\"fd\":%u}", comma, name, index);
        }
        artifact_sha256(digest, i);
        hex_encode(hex, digest, sizeof(digest));
        return buffer_printf(&peer->out, "%s{\"name\":\"%s\",\"sha256\":\"%s\"}", comma, name, hex);
}

static int write_request(Peer *peer, uint64_t first)
{
        int r;

        peer_begin_request(peer);
        r = buffer_printf(
                &peer->out,
                "{\"method\":\"org.hsmd.Sign.Sign\",\"parameters\":{\"key\":\"%s\",\"artifacts\":[",
                arg_key);
        for (unsigned i = 0; !r && i < arg_batch; i++)
                r = write_artifact(peer, i, (uint32_t)(first + i));
        if (!r)
                r = buffer_printf(&peer->out, "]}%s}", arg_batch > 1 ? ",\"more\":true" : "");
        return r ? error_fold(r) : error_fold(peer_end_request(peer));
}

/* Ask again, unless the time or the artifacts are over. */
static int load_ask(Load *load, Client *c)
{
        uint64_t now = samples_clock(CLOCK_MONOTONIC);
        int r;

        assert(!c->busy);

        if (now >= load->stop_nsec || load->end - load->next < arg_batch)
                return 0;
        r = write_request(&c->peer, load->next);
        if (r)
                return error_fold(r);
        load->next += arg_batch;
        load->n_busy++;
        c->busy = true;
        c->n_results = 0;
        c->asked_nsec = samples_clock(CLOCK_MONOTONIC);
        r = peer_send(&c->peer);
        return r == PEER_E_AGAIN ? 0 : error_fold(r);
}

static int unexpected(Blob reply)
{
        static const char *const signs[] = {"\"error\"", "\"outcome\":\"refused\"", "\"outcome\":\"failed\"",
                                            "\"repeated\":true"};
        const uint8_t *at = reply.data;
        size_t left;

        for (size_t i = 0; i < ARRAY_SIZE(signs); i++) {
                const uint8_t *found = memmem(reply.data, reply.size, signs[i], strlen(signs[i]));

                if (found) {
                        at = found;
                        break;
                }
        }
        left = (size_t)(reply.data + reply.size - at);
        (void)fprintf(stderr, "hsmd-load: not the answer that was asked for: %.*s\n",
                      (int)(left < 600 ? left : 600), (const char *)at);
        return error_origin(-EBADMSG);
}

static void load_count(Load *load, Client *c, size_t n)
{
        load->last_nsec = samples_clock(CLOCK_MONOTONIC);
        load->n_signed += n;
        c->n_results += n;
        for (size_t i = 0; i < n && load->n_samples < MAX_SAMPLES; i++)
                load->samples[load->n_samples++] = samples_latency(c->asked_nsec, load->last_nsec);
}

static int load_reply(Load *load, Client *c, Blob reply)
{
        size_t n = peer_reply_count(reply, "\"outcome\":\"signed\"");

        if (!c->busy || peer_reply_count(reply, "\"outcome\":") != n ||
            peer_reply_has(reply, "\"repeated\":true") || peer_reply_has(reply, "\"error\":"))
                return unexpected(reply);
        load_count(load, c, n);
        if (peer_reply_has(reply, "\"continues\":true"))
                return 0;
        if (c->n_results != arg_batch)
                return unexpected(reply);
        c->busy = false;
        load->n_busy--;
        return load_ask(load, c);
}

static int load_dispatch(Load *load, Client *c, short events)
{
        Blob reply;
        int r;

        if (events & POLLOUT) {
                r = peer_send(&c->peer);
                if (r < 0)
                        return error_fold(r);
        }
        if (!(events & (POLLIN | POLLHUP | POLLERR)))
                return 0;
        r = peer_receive(&c->peer);
        if (r)
                return r == PEER_E_AGAIN ? 0 : error_fold(r);
        while (!(r = peer_next(&c->peer, &reply))) {
                r = load_reply(load, c, reply);
                if (r)
                        return error_fold(r);
        }
        return 0;
}

static int load_run(Load *load)
{
        struct pollfd fds[MAX_CLIENTS];

        load->start_nsec = samples_clock(CLOCK_MONOTONIC);
        load->stop_nsec = load->start_nsec + arg_msec * UINT64_C(1000000);
        for (unsigned i = 0; i < arg_clients; i++) {
                int r = load_ask(load, &load->clients[i]);

                if (r)
                        return error_fold(r);
        }
        while (load->n_busy > 0) {
                for (unsigned i = 0; i < arg_clients; i++) {
                        Peer *peer = &load->clients[i].peer;

                        fds[i] = (struct pollfd){.fd = peer->fd, .events = POLLIN};
                        if (peer->sent < peer->out.size)
                                fds[i].events |= POLLOUT;
                }
                int n = poll(fds, (nfds_t)arg_clients, SILENCE_MSEC);

                if (n < 0 && errno != EINTR)
                        return error_origin(-errno);
                if (n == 0)
                        return error_origin(-ETIMEDOUT);
                for (unsigned i = 0; n > 0 && i < arg_clients; i++) {
                        int r = fds[i].revents ? load_dispatch(load, &load->clients[i], fds[i].revents) : 0;

                        if (r)
                                return error_fold(r);
                }
        }
        return 0;
}

static int load_print(Load *load)
{
        Buffer out = BUFFER_NULL;
        JsonWriter w;
        int r;

        if (load->n_signed == 0)
                return error_origin(-ENODATA);
        jsonw_init(&w, &out);
        jsonw_object(&w);
        jsonw_member_u64(&w, "clients", arg_clients);
        jsonw_member_u64(&w, "batch", arg_batch);
        jsonw_member_bool(&w, "files", arg_fds);
        jsonw_member_u64(&w, "signatures", load->n_signed);
        jsonw_name(&w, "signatures_per_second");
        jsonw_fixed(&w, (double)load->n_signed * 1e9 / (double)(load->last_nsec - load->start_nsec), 1);
        jsonw_name(&w, "p50_usec");
        jsonw_fixed(&w, samples_rank(load->samples, load->n_samples, 500), 1);
        jsonw_name(&w, "p99_usec");
        jsonw_fixed(&w, samples_rank(load->samples, load->n_samples, 990), 1);
        jsonw_name(&w, "client_cpu_usec_per_signature");
        jsonw_fixed(&w, (double)samples_clock(CLOCK_PROCESS_CPUTIME_ID) / 1e3 / (double)load->n_signed, 2);
        jsonw_member_bool(&w, "exhausted", load->end - load->next < arg_batch);
        jsonw_member_u64(&w, "next", load->next);
        jsonw_object_end(&w);
        r = jsonw_finish(&w);
        if (!r)
                r = buffer_append_byte(&out, '\n');
        if (!r)
                r = file_write_all(STDOUT_FILENO, out.data, out.size);
        buffer_deinit(&out);
        return error_fold(r);
}

static int run(Load *load)
{
        int r;

        load->next = arg_first;
        load->end = arg_first + arg_count;
        r = memory_new0(&load->samples, MAX_SAMPLES);
        if (r)
                return error_fold(r);
        for (unsigned i = 0; i < arg_clients; i++) {
                r = peer_init(&load->clients[i].peer, arg_socket);
                if (r)
                        return error_fold(r);
        }
        r = load_run(load);
        if (r)
                return error_fold(r);
        return error_fold(load_print(load));
}

static int usage(void)
{
        (void)fprintf(stderr, "usage: hsmd-load --socket FILE --key NAME --first N --count N [--clients N] "
                              "[--batch N] [--files]\n"
                              "                 [--msec N]\n");
        return -EINVAL;
}

static int parse_number(unsigned long *ret, unsigned long min, unsigned long max)
{
        char *end;
        unsigned long v;

        errno = 0;
        v = strtoul(optarg, &end, 10);
        if (errno || *end || v < min || v > max)
                return usage();
        *ret = v;
        return 0;
}

static int parse_argv(int argc, char *argv[])
{
        static const struct option options[] = {
                {"socket", required_argument, NULL, 's'},
                {"key", required_argument, NULL, 'k'},
                {"clients", required_argument, NULL, 'c'},
                {"batch", required_argument, NULL, 'b'},
                {"first", required_argument, NULL, 'f'},
                {"count", required_argument, NULL, 'n'},
                {"msec", required_argument, NULL, 'm'},
                {"files", no_argument, NULL, 'F'},
                {NULL, 0, NULL, 0},
        };
        int c, r = 0;

        while (!r && (c = getopt_long(argc, argv, "", options, NULL)) >= 0)
                switch (c) {
                case 's':
                        arg_socket = optarg;
                        break;
                case 'k':
                        arg_key = optarg;
                        break;
                case 'c':
                        r = parse_number(&arg_clients, 1, MAX_CLIENTS);
                        break;
                case 'b':
                        r = parse_number(&arg_batch, 1, MAX_BATCH);
                        break;
                case 'f':
                        r = parse_number(&arg_first, 0, UINT32_MAX);
                        break;
                case 'n':
                        r = parse_number(&arg_count, 1, UINT32_MAX);
                        break;
                case 'm':
                        r = parse_number(&arg_msec, 1, 600000);
                        break;
                case 'F':
                        arg_fds = true;
                        break;
                default:
                        return usage();
                }
        if (r)
                return r;
        return arg_socket && arg_key && optind == argc ? 0 : usage();
}

int main(int argc, char *argv[])
{
        static Load load;
        int r;

        for (unsigned i = 0; i < MAX_CLIENTS; i++)
                load.clients[i].peer.fd = -1;
        r = parse_argv(argc, argv);
        if (r)
                return 2;
        r = run(&load);
        for (unsigned i = 0; i < arg_clients; i++)
                peer_deinit(&load.clients[i].peer);
        free(load.samples);
        if (r) {
                (void)fprintf(stderr, "hsmd-load: %s\n", strerror(-r));
                return EXIT_FAILURE;
        }
        return EXIT_SUCCESS;
}
