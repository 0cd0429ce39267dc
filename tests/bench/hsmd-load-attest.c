/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hsmd-load-attest: a rebuilder in a hurry.  Attests a range of the load's artifacts, 256 in a statement,
 * and hands the envelopes in.  One JSON object on stdout.
 */
#include <getopt.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "artifact.h"
#include "base/error.h"
#include "base/file.h"
#include "base/jsonw.h"
#include "peer.h"
#include "policy/attestation.h"
#include "samples.h"

static const char *arg_socket, *arg_key_file, *arg_builder_id, *arg_release, *arg_source;
static unsigned long arg_first, arg_count = LIMIT_SUBJECTS;

/* One commit for all: a real one would be new for each update, and it makes no difference in cost. */
static const char git_commit[] = "1111111111111111111111111111111111111111";

static int write_envelope(PrivateKey *key, uint32_t first, size_t n, Buffer *out)
{
        static AttestationSubject subjects[LIMIT_SUBJECTS];
        static char names[LIMIT_SUBJECTS][ARTIFACT_NAME_SIZE];
        static const uint8_t source_sha256[SHA256_SIZE] = {0x11};
        AttestationDraft draft = {
                .release = arg_release,
                .builder_id = arg_builder_id,
                .source_uri = arg_source,
                .git_commit = git_commit,
                .source_sha256 = source_sha256,
                .n_subjects = n,
                .subjects = subjects,
        };
        Buffer statement = BUFFER_NULL;
        int r;

        assert(n <= LIMIT_SUBJECTS);

        for (size_t i = 0; i < n; i++) {
                artifact_name(names[i], first + (uint32_t)i);
                subjects[i] = (AttestationSubject){.name = names[i]};
                artifact_sha256(subjects[i].digests.sha256, first + (uint32_t)i);
        }
        r = attestation_write_statement(&draft, &statement);
        if (!r)
                r = attestation_write_envelope(buffer_blob(&statement), key, SCHEME_ED25519, out);
        buffer_deinit(&statement);
        return error_fold(r);
}

static int submit(Peer *peer, Blob envelope)
{
        _cleanup_(close_fdp) int fd = memfd_create("attestation", MFD_CLOEXEC);
        Blob reply;
        int r;

        if (fd < 0)
                return error_origin(-errno);
        r = file_write_all(fd, envelope.data, envelope.size);
        if (r)
                return error_fold(r);
        peer_begin_request(peer);
        r = buffer_append_string(&peer->out,
                                 "{\"method\":\"org.hsmd.Sign.Attest\",\"parameters\":{\"fd\":0}}");
        if (!r)
                r = peer_end_request(peer);
        if (r)
                return error_fold(r);
        peer_add_fd(peer, TAKE_FD(fd));
        r = peer_call(peer, 60000, &reply);
        if (r)
                return error_fold(r);
        if (peer_reply_has(reply, "\"accepted\":true") && !peer_reply_has(reply, "\"error\":"))
                return 0;
        (void)fprintf(stderr, "hsmd-load-attest: %.*s\n", (int)reply.size, (const char *)reply.data);
        return error_origin(-EBADMSG);
}

static int attest_all(Peer *peer, PrivateKey *key, size_t *ret_n)
{
        Buffer envelope = BUFFER_NULL;
        size_t n_done = 0;
        int r = 0;

        for (uint64_t i = arg_first; !r && i < arg_first + arg_count; i += LIMIT_SUBJECTS, n_done++) {
                uint64_t left = arg_first + arg_count - i;

                buffer_clear(&envelope);
                r = write_envelope(key, (uint32_t)i, left < LIMIT_SUBJECTS ? left : LIMIT_SUBJECTS,
                                   &envelope);
                if (!r)
                        r = submit(peer, buffer_blob(&envelope));
        }
        buffer_deinit(&envelope);
        *ret_n = n_done;
        return error_fold(r);
}

static int run(Peer *peer)
{
        _cleanup_(private_key_freep) PrivateKey *key = NULL;
        Buffer pem = BUFFER_NULL;
        uint64_t start;
        size_t n;
        int r;

        r = file_read(&pem, arg_key_file, 64 * 1024);
        if (!r)
                r = private_key_new_pem(&key, buffer_blob(&pem));
        buffer_deinit(&pem);
        if (r)
                return error_fold(r);
        r = peer_init(peer, arg_socket);
        if (r)
                return error_fold(r);
        start = samples_clock(CLOCK_MONOTONIC);
        r = attest_all(peer, key, &n);
        if (r)
                return error_fold(r);
        (void)printf("{\"attestations\":%zu,\"subjects\":%lu,\"seconds\":%.3f}\n", n, arg_count,
                     (double)(samples_clock(CLOCK_MONOTONIC) - start) / 1e9);
        return 0;
}

static int usage(void)
{
        (void)fprintf(stderr, "usage: hsmd-load-attest --socket FILE --key FILE --builder-id URI --release "
                              "NAME --source URI\n"
                              "                        --first N --count N\n");
        return -EINVAL;
}

static int parse_number(unsigned long *ret)
{
        char *end;
        unsigned long v;

        errno = 0;
        v = strtoul(optarg, &end, 10);
        if (errno || *end || v > UINT32_MAX)
                return usage();
        *ret = v;
        return 0;
}

static int parse_argv(int argc, char *argv[])
{
        static const struct option options[] = {
                {"socket", required_argument, NULL, 's'},  {"key", required_argument, NULL, 'k'},
                {"release", required_argument, NULL, 'r'}, {"builder-id", required_argument, NULL, 'b'},
                {"source", required_argument, NULL, 'u'},  {"first", required_argument, NULL, 'f'},
                {"count", required_argument, NULL, 'n'},   {NULL, 0, NULL, 0},
        };
        int c, r = 0;

        while (!r && (c = getopt_long(argc, argv, "", options, NULL)) >= 0)
                switch (c) {
                case 's':
                        arg_socket = optarg;
                        break;
                case 'k':
                        arg_key_file = optarg;
                        break;
                case 'r':
                        arg_release = optarg;
                        break;
                case 'b':
                        arg_builder_id = optarg;
                        break;
                case 'u':
                        arg_source = optarg;
                        break;
                case 'f':
                        r = parse_number(&arg_first);
                        break;
                case 'n':
                        r = parse_number(&arg_count);
                        break;
                default:
                        return usage();
                }
        if (r)
                return r;
        return arg_socket && arg_key_file && arg_release && arg_builder_id && arg_source && optind == argc
                       ? 0
                       : usage();
}

int main(int argc, char *argv[])
{
        Peer peer = {.fd = -1};
        int r;

        r = parse_argv(argc, argv);
        if (r)
                return 2;
        r = run(&peer);
        peer_deinit(&peer);
        if (r) {
                (void)fprintf(stderr, "hsmd-load-attest: %s\n", strerror(-r));
                return EXIT_FAILURE;
        }
        return EXIT_SUCCESS;
}
