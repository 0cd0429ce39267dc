/* SPDX-License-Identifier: Apache-2.0 */
/*
 * p11bench: how fast does a PKCS#11 module sign, bare?
 *
 * P processes load the module and log in; each runs T threads with a session of their own; all sign from one
 * instant on until the time or the count is over.  One JSON object on stdout.
 */
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/jsonw.h"
#include "p11.h"
#include "samples.h"

#define MAX_PROCESSES 16
#define MAX_THREADS   64
/* Signatures of one thread: bounds the memory for latencies. */
#define MAX_COUNT (1U << 19)

static const char *arg_module, *arg_token, *arg_pin_file, *arg_key, *arg_kind = "ecdsa";
static unsigned long arg_processes = 1, arg_threads = 1, arg_seconds = 3, arg_count = MAX_COUNT;

/* PKCS#1 v1.5 DigestInfo of SHA-256 (RFC 8017, 9.2, note 1). */
static const uint8_t digest_info[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                      0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};

/* What one thread did; in memory that all processes share. */
typedef struct Lane {
        uint64_t start_nsec, end_nsec;
        size_t n;
        int r;
        uint32_t samples[MAX_COUNT];
} Lane;

typedef struct Shared {
        pthread_barrier_t barrier; /* all threads of all processes are ready */
        uint64_t cpu_nsec[MAX_PROCESSES];
        Lane lanes[];
} Shared;

typedef struct Signer {
        P11 *p11;
        Shared *shared;
        Lane *lane;
        pthread_t thread;
} Signer;

static int signer_sign_until_end(Signer *s, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key)
{
        bool rsa = strcmp(arg_kind, "rsa") == 0;
        CK_MECHANISM_TYPE mechanism = rsa ? CKM_RSA_PKCS : CKM_ECDSA;
        size_t prefix = rsa ? sizeof(digest_info) : 0;
        uint8_t message[sizeof(digest_info) + 32] = {0}, signature[P11_SIGNATURE_SIZE];
        Lane *lane = s->lane;
        uint64_t now, end;

        memcpy(message, digest_info, prefix);
        now = lane->start_nsec = samples_clock(CLOCK_MONOTONIC);
        end = now + arg_seconds * UINT64_C(1000000000);
        while (lane->n < arg_count && now < end) {
                uint64_t before = now;
                size_t size;
                int r;

                put_u64(message + prefix, lane->n);
                r = p11_sign(s->p11, session, mechanism, key, BLOB(message, prefix + 32), signature, &size);
                if (r)
                        return error_fold(r);
                now = samples_clock(CLOCK_MONOTONIC);
                lane->samples[lane->n++] = samples_latency(before, now);
        }
        lane->end_nsec = now;
        return 0;
}

/* A lane that cannot start still comes to the barrier: the others must not wait for ever. */
static void *signer_run(void *userdata)
{
        Signer *s = userdata;
        CK_SESSION_HANDLE session = 0;
        CK_OBJECT_HANDLE key = 0;
        int r;

        r = p11_open_session(s->p11, &session);
        if (!r)
                r = p11_find_key(s->p11, session, arg_key, &key);
        (void)pthread_barrier_wait(&s->shared->barrier);
        if (!r)
                r = signer_sign_until_end(s, session, key);
        s->lane->r = r;
        return NULL;
}

static int read_pin(Buffer *pin)
{
        uint8_t *end;
        int r;

        r = file_read(pin, arg_pin_file, 256);
        if (r)
                return error_fold(r);
        end = memchr(pin->data, '\n', pin->size);
        if (end)
                pin->size = (size_t)(end - pin->data);
        return pin->size > 0 ? 0 : error_origin(-EINVAL);
}

static uint64_t cpu_nsec(void)
{
        return samples_clock(CLOCK_PROCESS_CPUTIME_ID);
}

static int process_run_threads(P11 *p11, Shared *shared, unsigned process)
{
        Signer signers[MAX_THREADS];
        uint64_t before = cpu_nsec();

        for (unsigned t = 0; t < arg_threads; t++) {
                signers[t] = (Signer){
                        .p11 = p11,
                        .shared = shared,
                        .lane = &shared->lanes[process * arg_threads + t],
                };
                if (pthread_create(&signers[t].thread, NULL, signer_run, &signers[t]) != 0)
                        return error_origin(-EAGAIN);
        }
        for (unsigned t = 0; t < arg_threads; t++)
                (void)pthread_join(signers[t].thread, NULL); /* its result is in the lane */
        shared->cpu_nsec[process] = cpu_nsec() - before;
        return 0;
}

/* `ready_fd` gets a byte when the module is loaded and logged in; without one the process has failed. */
static int process_main(Shared *shared, unsigned process, int ready_fd)
{
        Buffer pin = BUFFER_NULL;
        P11 p11 = P11_NULL;
        int r;

        (void)alarm((unsigned)arg_seconds + 60); /* a module that hangs must not hang the benchmark */
        r = read_pin(&pin);
        if (!r)
                r = p11_init(&p11, arg_module, arg_token, buffer_blob(&pin));
        if (!r)
                r = file_write_all(ready_fd, "", 1);
        if (!r)
                r = process_run_threads(&p11, shared, process);
        p11_deinit(&p11);
        buffer_deinit(&pin);
        return r ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Ready before the next one starts: p11-kit's server does not take several new connections at once. */
static int process_start(Shared *shared, unsigned process, pid_t *ret)
{
        int ready[2];
        uint8_t byte;
        ssize_t n;

        if (pipe2(ready, O_CLOEXEC) < 0)
                return error_origin(-errno);
        *ret = fork();
        if (*ret == 0) {
                (void)close(ready[0]);
                _exit(process_main(shared, process, ready[1]));
        }
        (void)close(ready[1]);
        n = *ret > 0 ? read(ready[0], &byte, 1) : -1;
        (void)close(ready[0]);
        return n == 1 ? 0 : error_origin(-EIO);
}

/* One process that fails leaves the others at the barrier: end them. */
static int run_processes(Shared *shared)
{
        pid_t children[MAX_PROCESSES];
        unsigned n = 0;
        int r = 0;

        while (!r && n < arg_processes) {
                r = process_start(shared, n, &children[n]);
                if (children[n] > 0)
                        n++;
        }
        for (unsigned p = 0; p < n; p++) {
                int status;

                if (r)
                        (void)kill(children[p], SIGKILL);
                if (waitpid(children[p], &status, 0) != children[p] || status != 0)
                        r = r ? r : -EIO;
        }
        return error_fold(r);
}

typedef struct Totals {
        size_t n;
        uint64_t start_nsec, end_nsec, cpu_nsec;
        uint32_t *samples; /* all lanes, moved together in the first lane's memory */
} Totals;

static int sum_lanes(Shared *shared, Totals *ret)
{
        Totals t = {.start_nsec = UINT64_MAX};
        int r;

        for (size_t i = 0; i < arg_processes * arg_threads; i++) {
                Lane *lane = &shared->lanes[i];

                if (lane->r)
                        return error_fold(lane->r);
                t.n += lane->n;
                t.start_nsec = lane->start_nsec < t.start_nsec ? lane->start_nsec : t.start_nsec;
                t.end_nsec = lane->end_nsec > t.end_nsec ? lane->end_nsec : t.end_nsec;
        }
        for (unsigned p = 0; p < arg_processes; p++)
                t.cpu_nsec += shared->cpu_nsec[p];
        if (t.n == 0)
                return error_origin(-ENODATA);

        r = memory_new0(&t.samples, t.n);
        if (r)
                return error_fold(r);
        t.n = 0;
        for (size_t i = 0; i < arg_processes * arg_threads; i++) {
                Lane *lane = &shared->lanes[i];

                memcpy(t.samples + t.n, lane->samples, lane->n * sizeof(uint32_t));
                t.n += lane->n;
        }
        *ret = t;
        return 0;
}

static int print_totals(const Totals *t)
{
        Buffer out = BUFFER_NULL;
        JsonWriter w;
        int r;

        jsonw_init(&w, &out);
        jsonw_object(&w);
        jsonw_member_u64(&w, "processes", arg_processes);
        jsonw_member_u64(&w, "threads", arg_threads);
        jsonw_member_u64(&w, "signatures", t->n);
        jsonw_name(&w, "signatures_per_second");
        jsonw_fixed(&w, (double)t->n * 1e9 / (double)(t->end_nsec - t->start_nsec), 1);
        jsonw_name(&w, "p50_usec");
        jsonw_fixed(&w, samples_rank(t->samples, t->n, 500), 1);
        jsonw_name(&w, "p99_usec");
        jsonw_fixed(&w, samples_rank(t->samples, t->n, 990), 1);
        jsonw_name(&w, "cpu_usec_per_signature");
        jsonw_fixed(&w, (double)t->cpu_nsec / 1e3 / (double)t->n, 2);
        jsonw_object_end(&w);
        r = jsonw_finish(&w);
        if (!r)
                r = buffer_append_byte(&out, '\n');
        if (!r)
                r = file_write_all(STDOUT_FILENO, out.data, out.size);
        buffer_deinit(&out);
        return error_fold(r);
}

static int run(void)
{
        size_t size = sizeof(Shared) + arg_processes * arg_threads * sizeof(Lane);
        pthread_barrierattr_t shared_by_processes;
        Totals totals;
        Shared *shared;
        int r;

        shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (shared == MAP_FAILED)
                return error_origin(-errno);
        if (pthread_barrierattr_init(&shared_by_processes) != 0 ||
            pthread_barrierattr_setpshared(&shared_by_processes, PTHREAD_PROCESS_SHARED) != 0 ||
            pthread_barrier_init(&shared->barrier, &shared_by_processes,
                                 (unsigned)(arg_processes * arg_threads)) != 0)
                return error_origin(-ENOTSUP);
        r = run_processes(shared);
        if (r)
                return error_fold(r);
        r = sum_lanes(shared, &totals);
        if (r)
                return error_fold(r);
        r = print_totals(&totals);
        free(totals.samples);
        return error_fold(r);
}

static int usage(void)
{
        (void)fprintf(stderr, "usage: p11bench --module FILE --token LABEL --pin-file FILE --key LABEL "
                              "[--kind ecdsa|rsa]\n"
                              "                [--processes N] [--threads N] [--seconds N] [--count N]\n");
        return -EINVAL;
}

static int parse_number(unsigned long *ret, unsigned long max)
{
        char *end;
        unsigned long v;

        errno = 0;
        v = strtoul(optarg, &end, 10);
        if (errno || *end || v < 1 || v > max)
                return usage();
        *ret = v;
        return 0;
}

static int parse_argv(int argc, char *argv[])
{
        static const struct option options[] = {
                {"module", required_argument, NULL, 'm'},   {"token", required_argument, NULL, 't'},
                {"pin-file", required_argument, NULL, 'p'}, {"key", required_argument, NULL, 'k'},
                {"kind", required_argument, NULL, 'K'},     {"processes", required_argument, NULL, 'P'},
                {"threads", required_argument, NULL, 'T'},  {"seconds", required_argument, NULL, 's'},
                {"count", required_argument, NULL, 'n'},    {NULL, 0, NULL, 0},
        };
        int c, r = 0;

        while (!r && (c = getopt_long(argc, argv, "", options, NULL)) >= 0)
                switch (c) {
                case 'm':
                        arg_module = optarg;
                        break;
                case 't':
                        arg_token = optarg;
                        break;
                case 'p':
                        arg_pin_file = optarg;
                        break;
                case 'k':
                        arg_key = optarg;
                        break;
                case 'K':
                        arg_kind = optarg;
                        break;
                case 'P':
                        r = parse_number(&arg_processes, MAX_PROCESSES);
                        break;
                case 'T':
                        r = parse_number(&arg_threads, MAX_THREADS);
                        break;
                case 's':
                        r = parse_number(&arg_seconds, 600);
                        break;
                case 'n':
                        r = parse_number(&arg_count, MAX_COUNT);
                        break;
                default:
                        return usage();
                }
        if (r)
                return r;
        if (!arg_module || !arg_token || !arg_pin_file || !arg_key || optind != argc ||
            (strcmp(arg_kind, "ecdsa") != 0 && strcmp(arg_kind, "rsa") != 0))
                return usage();
        return 0;
}

int main(int argc, char *argv[])
{
        int r;

        r = parse_argv(argc, argv);
        if (r)
                return 2;
        r = run();
        if (r) {
                (void)fprintf(stderr, "p11bench: %s\n", strerror(-r));
                return EXIT_FAILURE;
        }
        return EXIT_SUCCESS;
}
