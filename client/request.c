/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/resource.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/limits.h"
#include "policy/decision.h"

#include "client/artifact.h"
#include "client/command.h"
#include "client/report.h"
#include "client/request.h"

/* Descriptors that are needed for other things than artifacts. */
#define SPARE_FDS 32

/* One portion that is under way. */
typedef struct Chunk {
        Request *request;
        size_t n;
        RequestItem items[LIMIT_ARTIFACTS];
} Chunk;

static void chunk_close(Chunk *c)
{
        for (size_t i = 0; i < c->n; i++)
                c->items[i].fd = close_fd(c->items[i].fd);
        c->n = 0;
}

static Chunk *chunk_free(Chunk *c)
{
        if (!c)
                return NULL;
        chunk_close(c);
        free(c);
        return NULL;
}
DEFINE_CLEANUP(Chunk *, chunk_free)

int request_check_paths(const char *command, size_t n_paths, char **paths)
{
        for (size_t i = 0; i < n_paths; i++) {
                const char *name = artifact_name(paths[i]);
                _cleanup_(close_fdp) int fd = -1;
                int r;

                if (!decision_artifact_name_valid(name, strlen(name)))
                        return report_usage(command, "%s: not a name that can be journaled", paths[i]);
                r = artifact_open(&fd, paths[i]);
                if (r)
                        return report_failure(EXIT_FAULT, "unreadable", "%s: %s", paths[i],
                                              artifact_strerror(r));
        }
        return 0;
}

/* As many artifacts at once as there can be open descriptors. */
static size_t request_chunk(const Request *q)
{
        struct rlimit limit;
        size_t n = (size_t)(q->chunk < LIMIT_ARTIFACTS ? q->chunk : LIMIT_ARTIFACTS);

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return 1;
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) < 0 && getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return 1;
        if (limit.rlim_cur < SPARE_FDS + n)
                n = limit.rlim_cur > SPARE_FDS ? (size_t)limit.rlim_cur - SPARE_FDS : 1;
        return n;
}

static int chunk_open(Chunk *c, size_t first, size_t n)
{
        Request *q = c->request;

        for (size_t i = 0; i < n; i++) {
                RequestItem *item = &c->items[i];
                int r;

                *item = (RequestItem){.path = q->paths[first + i], .fd = -1};
                item->name = artifact_name(item->path);
                c->n++;
                r = artifact_open(&item->fd, item->path);
                if (r == 0 && q->digest)
                        r = artifact_hash(item->fd, &item->digests, NULL);
                if (r)
                        return report_failure(EXIT_FAULT, "unreadable", "%s: %s", item->path,
                                              artifact_strerror(r));
                if (q->digest)
                        item->fd = close_fd(item->fd);
        }
        return 0;
}

static int chunk_write(const Chunk *c, Buffer *out)
{
        const Request *q = c->request;
        JsonWriter w;

        jsonw_init(&w, out);
        jsonw_object(&w);
        if (q->key)
                jsonw_member_string(&w, "key", q->key);
        if (q->format)
                jsonw_member_string(&w, "format", q->format);
        if (q->release)
                jsonw_member_string(&w, "release", q->release);
        jsonw_name(&w, "artifacts");
        jsonw_array(&w);
        for (size_t i = 0; i < c->n; i++) {
                jsonw_object(&w);
                jsonw_member_string(&w, "name", c->items[i].name);
                if (q->digest)
                        jsonw_member_hex(&w, "sha256", c->items[i].digests.sha256, SHA256_SIZE);
                else
                        jsonw_member_u64(&w, "fd", i);
                jsonw_object_end(&w);
        }
        jsonw_array_end(&w);
        jsonw_object_end(&w);
        return jsonw_finish(&w);
}

static int chunk_call(Chunk *c, Hsmctl *h)
{
        _cleanup_(buffer_deinit) Buffer parameters = BUFFER_NULL;
        int fds[LIMIT_ARTIFACTS];
        int r;

        r = chunk_write(c, &parameters);
        if (r)
                return report_errno(r);
        for (size_t i = 0; i < c->n; i++)
                fds[i] = c->items[i].fd;
        r = hsmctl_call(h, c->request->method, (const char *)parameters.data, fds,
                        c->request->digest ? 0 : c->n, true);
        return r ? report_call(h, r) : 0;
}

/* While the daemon works: it reads the same files. */
static int chunk_hash(Chunk *c)
{
        if (!c->request->hash || c->request->digest)
                return 0;
        for (size_t i = 0; i < c->n; i++) {
                int r = artifact_hash(c->items[i].fd, &c->items[i].digests, NULL);

                if (r)
                        return report_failure(EXIT_FAULT, "unreadable", "%s: %s", c->items[i].path,
                                              artifact_strerror(r));
        }
        return 0;
}

static int chunk_take(Chunk *c, const SJson *parameters)
{
        Request *q = c->request;
        SJson *results;
        int r;

        if (sjson_get_array(parameters, "results", &results) != 0)
                return report_failure(EXIT_FAULT, "reply-syntax", "a reply has no results");
        for (size_t i = 0; i < sjson_size(results); i++) {
                Result result;

                if (result_decode(&result, sjson_at(results, i), c->n) != 0)
                        return report_failure(EXIT_FAULT, "reply-syntax", "a reply has a malformed result");
                c->items[result.index].n_results++;
                if (result.outcome == RESULT_SIGNED || result.outcome == RESULT_ALLOWED)
                        c->items[result.index].n_good++;
                r = q->take(q->userdata, &c->items[result.index], &result);
                if (r)
                        return r;
        }
        return 0;
}

static int chunk_receive(Chunk *c, Hsmctl *h)
{
        bool continues = true;
        int r;

        while (continues) {
                r = hsmctl_receive(h, &continues);
                if (r)
                        return report_call(h, r);
                r = chunk_take(c, hsmctl_parameters(h));
                if (r)
                        return r;
        }
        for (size_t i = 0; i < c->n; i++)
                if (c->items[i].n_results == 0)
                        return report_failure(EXIT_FAULT, "reply-syntax", "%s: the daemon did not answer",
                                              c->items[i].path);
        return 0;
}

static int request_run_chunks(Request *q, Hsmctl *h, Chunk *c)
{
        size_t chunk = request_chunk(q);
        int r;

        c->request = q;
        for (size_t first = 0; first < q->n_paths; first += chunk) {
                r = chunk_open(c, first, q->n_paths - first < chunk ? q->n_paths - first : chunk);
                if (r == 0)
                        r = chunk_call(c, h);
                if (r == 0)
                        r = chunk_hash(c);
                if (r == 0)
                        r = chunk_receive(c, h);
                chunk_close(c);
                if (r)
                        return r;
        }
        return 0;
}

int request_run(Request *request)
{
        _cleanup_(chunk_freep) Chunk *chunk = NULL;
        Hsmctl *h = NULL;
        int r;

        assert(request);
        assert(request->take);

        r = memory_new0(&chunk, 1);
        if (r)
                return report_errno(r);
        r = hsmctl_new(&h, request->socket, request->timeout_usec);
        if (r)
                r = report_call(h, r);
        else
                r = request_run_chunks(request, h, chunk);
        (void)hsmctl_free(h); /* returns NULL always */
        return r;
}
