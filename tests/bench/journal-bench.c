/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal alone: intents, entries, checkpoints, proofs and "asked before?" for N signatures in commits
 * of B, without sockets, policy and token.  Prints the cost at the beginning and at the end.
 *
 *     journal-bench FOLDER [N [B]]
 *
 * FOLDER has to exist and be empty, on a disk: its syncs are part of what is measured.
 */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#include "base/decimal.h"
#include "base/error.h"
#include "journal/entry.h"
#include "journal/journal.h"

#define BENCH_ORIGIN "bench.example/log"
#define BENCH_WINDOW 20000u
#define BENCH_START  UINT64_C(1760000000000000)

/* Made for this program with `openssl genpkey -algorithm ed25519`. */
static const char bench_key[] = "-----BEGIN PRIVATE KEY-----\n"
                                "MC4CAQAwBQYDK2VwBCIEIOp59UJibJp3Inj5tu+myfU4g6LMhdueD379Npi2GKrW\n"
                                "-----END PRIVATE KEY-----\n";

typedef enum BenchPart {
        BENCH_INTENTS,
        BENCH_APPEND,
        BENCH_COMMIT,
        BENCH_PUBLISH,
        BENCH_PROOFS,
        BENCH_FIND,
        BENCH_MAINTAIN,
        BENCH_MAKE, /* the signature and the texts: not the journal's */
        _BENCH_PART_MAX,
} BenchPart;

static const char *const bench_parts[_BENCH_PART_MAX] = {
        [BENCH_INTENTS] = "intents",   [BENCH_APPEND] = "append",      [BENCH_COMMIT] = "commit",
        [BENCH_PUBLISH] = "publish",   [BENCH_PROOFS] = "proofs",      [BENCH_FIND] = "find",
        [BENCH_MAINTAIN] = "maintain", [BENCH_MAKE] = "(not counted)",
};

typedef struct Bench {
        Journal *journal;
        PrivateKey *key;
        PublicKey *public;
        Buffer contents[LIMIT_COMMIT_BATCH];
        double seconds[_BENCH_PART_MAX];
        double cpu[_BENCH_PART_MAX]; /* the same, without waiting for the disk or for others */
        double slowest_maintain;
        size_t proof_bytes;
        double mark, cpu_mark;
} Bench;

static double bench_clock(clockid_t clock)
{
        struct timespec t;

        (void)clock_gettime(clock, &t); /* cannot fail for the clocks used here */
        return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* What passed since the last call goes to `part`. */
static double bench_account(Bench *b, BenchPart part)
{
        double now = bench_clock(CLOCK_MONOTONIC), passed = now - b->mark;
        double cpu_now = bench_clock(CLOCK_PROCESS_CPUTIME_ID);

        b->seconds[part] += passed;
        b->cpu[part] += cpu_now - b->cpu_mark;
        b->mark = now;
        b->cpu_mark = cpu_now;
        return passed;
}

static void bench_check(int r, const char *what)
{
        if (r == 0)
                return;
        fprintf(stderr, "journal-bench: %s: %d\n", what, r);
        exit(EXIT_FAILURE);
}

static void bench_artifact(uint64_t n, uint8_t ret[static 32])
{
        sha256(ret, &n, sizeof(n));
}

static int bench_write_request(uint64_t intent, uint64_t n, Buffer *out)
{
        uint8_t artifact[32], other[32];
        EntryVote votes[] = {{other, "vendor"}, {other, "university"}, {other, "agency"}};
        EntryRequest r = {
                .intent = intent,
                .requested_usec = BENCH_START + n,
                .site = "de",
                .requester = "build-farm",
                .uid = 1001,
                .release = "detection-updates",
                .artifact_name = "updates/2026/07/detection-000001.upd",
                .has_size = true,
                .artifact_size = 12345,
                .artifact_sha256 = artifact,
                .source_uri = "git+https://git.example.org/detection/rules",
                .source_git_commit = "6a1b2c3d4e5f60718293a4b5c6d7e8f901234567",
                .source_sha256 = other,
                .n_votes = ARRAY_SIZE(votes),
                .votes = votes,
                .policy_serial = 7,
                .policy_sha256 = other,
                .key = "updates-2026",
                .key_id = other,
                .format = "cms-detached",
        };

        bench_artifact(n, artifact);
        bench_artifact(~n, other);
        buffer_clear(out);
        return entry_write_request(&r, out);
}

static void bench_intents(Bench *b, uint64_t first, size_t n)
{
        Blob blobs[LIMIT_COMMIT_BATCH];

        for (size_t i = 0; i < n; i++) {
                bench_check(
                        bench_write_request(journal_next_intent(b->journal) + i, first + i, &b->contents[i]),
                        "entry_write_request");
                blobs[i] = buffer_blob(&b->contents[i]);
        }
        bench_account(b, BENCH_MAKE);
        bench_check(journal_add_intents(b->journal, n, blobs), "journal_add_intents");
        bench_account(b, BENCH_INTENTS);
}

static void bench_entries(Bench *b, uint64_t first, size_t n, uint64_t intent)
{
        _cleanup_(buffer_deinit) Buffer entry = BUFFER_NULL;
        uint8_t signature[384] = {}, hash[32];
        uint64_t index;

        for (size_t i = 0; i < n; i++) {
                put_u64(signature, first + i);
                buffer_clear(&entry);
                bench_artifact(first + i, hash);
                bench_check(entry_write_signature(BENCH_START + first + i, buffer_blob(&b->contents[i]),
                                                  hash, &entry),
                            "entry_write_signature");
                bench_account(b, BENCH_MAKE);
                bench_check(journal_append(b->journal, buffer_blob(&entry),
                                           BLOB(signature, sizeof(signature)), intent + i, &index),
                            "journal_append");
                bench_account(b, BENCH_APPEND);
        }
        bench_check(journal_commit(b->journal), "journal_commit");
        bench_account(b, BENCH_COMMIT);
}

static void bench_publish(Bench *b)
{
        _cleanup_(buffer_deinit) Buffer text = BUFFER_NULL, signature = BUFFER_NULL;

        bench_check(journal_checkpoint_text(b->journal, &text), "journal_checkpoint_text");
        bench_account(b, BENCH_PUBLISH);
        bench_check(private_key_sign(b->key, SCHEME_ED25519, buffer_blob(&text), &signature), "sign");
        bench_account(b, BENCH_MAKE);
        bench_check(journal_publish(b->journal, buffer_blob(&signature)), "journal_publish");
        bench_check(journal_write_log(b->journal), "journal_write_log");
        bench_account(b, BENCH_PUBLISH);
}

static void bench_read(Bench *b, uint64_t first, size_t n, uint64_t index)
{
        _cleanup_(buffer_deinit) Buffer proof = BUFFER_NULL;
        uint8_t artifact[32];
        uint64_t hits[4];
        size_t n_hits;

        for (size_t i = 0; i < n; i++) {
                buffer_clear(&proof);
                bench_check(journal_proof(b->journal, index + i, &proof), "journal_proof");
                b->proof_bytes = proof.size;
        }
        bench_account(b, BENCH_PROOFS);
        for (size_t i = 0; i < n; i++) {
                bench_artifact(first + i, artifact);
                bench_check(journal_find(b->journal, INDEX_SIGNED, artifact, UINT64_MAX, hits,
                                         ARRAY_SIZE(hits), &n_hits),
                            "journal_find");
                if (n_hits != 1 || hits[0] != index + i)
                        bench_check(-ENOENT, "an artifact that was signed is not found");
                /* And the common question, about one that was never seen. */
                bench_artifact(UINT64_MAX / 2 + first + i, artifact);
                bench_check(journal_find(b->journal, INDEX_SIGNED, artifact, UINT64_MAX, hits,
                                         ARRAY_SIZE(hits), &n_hits),
                            "journal_find");
        }
        bench_account(b, BENCH_FIND);
}

static void bench_maintain(Bench *b)
{
        double passed;
        bool more;

        while (journal_should_maintain(b->journal, false)) {
                do {
                        bench_check(journal_maintain(b->journal, &more), "journal_maintain");
                        passed = bench_account(b, BENCH_MAINTAIN);
                        if (passed > b->slowest_maintain)
                                b->slowest_maintain = passed;
                } while (more);
        }
        bench_account(b, BENCH_MAINTAIN);
}

static long bench_rss_kib(void)
{
        FILE *f = fopen("/proc/self/statm", "re");
        long size = 0, resident = 0;

        if (f && fscanf(f, "%ld %ld", &size, &resident) != 2)
                resident = 0;
        if (f)
                (void)fclose(f);
        return resident * 4;
}

/* Signatures first.. first + n; microseconds each. */
static double bench_window(Bench *b, uint64_t first, uint64_t n, size_t batch)
{
        double total = 0, cpu = 0;

        memset(b->seconds, 0, sizeof(b->seconds));
        memset(b->cpu, 0, sizeof(b->cpu));
        b->cpu_mark = bench_clock(CLOCK_PROCESS_CPUTIME_ID);
        b->slowest_maintain = 0;
        b->mark = bench_clock(CLOCK_MONOTONIC);
        for (uint64_t done = 0; done < n; done += batch) {
                uint64_t intent = journal_next_intent(b->journal), index = journal_size(b->journal);

                bench_intents(b, first + done, batch);
                bench_entries(b, first + done, batch, intent);
                bench_publish(b);
                bench_read(b, first + done, batch, index);
                bench_maintain(b);
        }

        printf("%9ju", (uintmax_t)journal_size(b->journal));
        for (size_t i = 0; i < _BENCH_PART_MAX; i++) {
                printf("%s %s %.2f (%.2f)", i > 0 ? "," : ":", bench_parts[i],
                       b->seconds[i] * 1e6 / (double)n, b->cpu[i] * 1e6 / (double)n);
                if (i == BENCH_MAKE)
                        continue;
                total += b->seconds[i];
                cpu += b->cpu[i];
        }
        printf("; together %.2f us (CPU %.2f), %.0f/s; slowest upkeep %.1f ms; RSS %ld KiB\n",
               total * 1e6 / (double)n, cpu * 1e6 / (double)n, (double)n / total, b->slowest_maintain * 1e3,
               bench_rss_kib());
        (void)fflush(stdout);
        return total * 1e6 / (double)n;
}

static void bench_open(Bench *b, const char *folder)
{
        const char *const names[] = {"state", "log", "evidence"};
        char *paths[ARRAY_SIZE(names)];
        _cleanup_(buffer_deinit) Buffer message = BUFFER_NULL;
        double start = bench_clock(CLOCK_MONOTONIC);

        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                bench_check(string_printf(&paths[i], "%s/%s", folder, names[i]), "path");
                if (mkdir(paths[i], 0700) < 0 && errno != EEXIST)
                        bench_check(-errno, paths[i]);
        }
        bench_check(journal_open(&b->journal,
                                 &(JournalOptions){.state_path = paths[0],
                                                   .log_path = paths[1],
                                                   .evidence_path = paths[2],
                                                   .origin = BENCH_ORIGIN,
                                                   .log_key = b->public,
                                                   .create = true},
                                 &message),
                    message.size > 0 ? (const char *)message.data : "journal_open");
        printf("opened at %ju entries in %.1f ms\n", (uintmax_t)journal_size(b->journal),
               (bench_clock(CLOCK_MONOTONIC) - start) * 1e3);
        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                free(paths[i]);
}

static uint64_t bench_number(const char *text, uint64_t max)
{
        uint64_t v = 0;

        bench_check(decimal_decode(&v, text, strlen(text), max), text);
        return v;
}

int main(int argc, char **argv)
{
        static Bench b;
        uint64_t n = argc > 2 ? bench_number(argv[2], UINT32_MAX) : 1000000, first;
        size_t batch = argc > 3 ? bench_number(argv[3], LIMIT_COMMIT_BATCH) : LIMIT_COMMIT_BATCH;
        double early = 0, late = 0;

        if (argc < 2 || batch == 0) {
                fprintf(stderr, "usage: journal-bench FOLDER [N [B]]\n");
                return 2;
        }
        bench_check(private_key_new_pem(&b.key, BLOB_STRING(bench_key)), "private_key_new_pem");
        bench_check(private_key_public(b.key, &b.public), "private_key_public");
        bench_open(&b, argv[1]);

        first = journal_size(b.journal);
        for (uint64_t done = 0; done < n; done += BENCH_WINDOW / batch * batch) {
                late = bench_window(&b, first + done, BENCH_WINDOW / batch * batch, batch);
                if (done == 0)
                        early = late;
        }
        printf("last window against the first: %.3f; a proof has %zu bytes\n", late / early, b.proof_bytes);

        b.journal = journal_free(b.journal);
        for (size_t i = 0; i < LIMIT_COMMIT_BATCH; i++)
                buffer_deinit(&b.contents[i]);
        b.public = public_key_free(b.public);
        b.key = private_key_free(b.key);
        return 0;
}
