/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal-fill: give a stopped hsmd's journal a past of N entries, as that hsmd would have written them:
 * intents, signature entries, and checkpoints signed by the log's key in its token.  What is left out is
 * what takes the time: asking for the signatures, making and verifying them.
 */
#include <getopt.h>
#include <stdio.h>
#include <time.h>

#include "base/error.h"
#include "base/file.h"
#include "journal/entry.h"
#include "journal/journal.h"
#include "p11.h"

/* A P-256 signature in DER, as long as most are. */
#define SIGNATURE_SIZE 71

static const char *arg_state, *arg_log, *arg_evidence, *arg_origin, *arg_log_key, *arg_module, *arg_token,
        *arg_pin_file, *arg_label;
static unsigned long arg_entries;

typedef struct Fill {
        Journal *journal;
        PublicKey *log_key;
        P11 p11;
        CK_OBJECT_HANDLE key;
        Buffer intents[LIMIT_COMMIT_BATCH];
        Buffer entry;
        uint64_t n; /* of artifacts that never were */
} Fill;

static int fill_open_token(Fill *f)
{
        Buffer pin = BUFFER_NULL;
        const uint8_t *end;
        int r;

        r = file_read(&pin, arg_pin_file, 256);
        if (!r) {
                end = memchr(pin.data, '\n', pin.size);
                r = p11_init(&f->p11, arg_module, arg_token,
                             end ? BLOB(pin.data, (size_t)(end - pin.data)) : buffer_blob(&pin));
        }
        if (!r)
                r = p11_find_key(&f->p11, f->p11.login, arg_label, &f->key);
        buffer_deinit(&pin);
        return error_fold(r);
}

static int fill_open_journal(Fill *f)
{
        Buffer der = BUFFER_NULL, message = BUFFER_NULL;
        JournalOptions options = {
                .state_path = arg_state,
                .log_path = arg_log,
                .evidence_path = arg_evidence,
                .origin = arg_origin,
        };
        int r;

        r = file_read(&der, arg_log_key, LIMIT_SPKI_SIZE);
        if (!r)
                r = public_key_new_spki(&f->log_key, buffer_blob(&der));
        if (!r) {
                options.log_key = f->log_key;
                r = journal_open(&f->journal, &options, &message);
        }
        if (message.size > 0)
                (void)fprintf(stderr, "journal-fill: %.*s\n", (int)message.size, (const char *)message.data);
        buffer_deinit(&message);
        buffer_deinit(&der);
        return error_fold(r);
}

static int write_intent(uint64_t intent, uint64_t n, uint64_t now_usec, Buffer *out)
{
        static const uint8_t other[SHA256_SIZE] = {0x11};
        static const EntryVote votes[] = {{other, "farm"}, {other, "overseer"}};
        uint8_t artifact[SHA256_SIZE];
        EntryRequest request = {
                .intent = intent,
                .requested_usec = now_usec,
                .site = "here",
                .requester = "builder",
                .uid = 1000,
                .release = "updates",
                .artifact_name = "update-of-the-past.bin",
                .artifact_sha256 = artifact,
                .source_uri = "git+https://git.example/updates",
                .source_git_commit = "1111111111111111111111111111111111111111",
                .source_sha256 = other,
                .n_votes = ARRAY_SIZE(votes),
                .votes = votes,
                .policy_serial = 1,
                .policy_sha256 = other,
                .key = "p256",
                .key_id = other,
                .format = "raw-ecdsa",
        };

        sha256_prefixed(artifact, 0x66, BLOB(&n, sizeof(n)), BLOB_LITERAL("journal-fill"));
        buffer_clear(out);
        return error_fold(entry_write_request(&request, out));
}

static int fill_add_intents(Fill *f, size_t n, uint64_t now_usec)
{
        Blob contents[LIMIT_COMMIT_BATCH];
        uint64_t first = journal_next_intent(f->journal);

        for (size_t i = 0; i < n; i++) {
                int r = write_intent(first + i, f->n + i, now_usec, &f->intents[i]);

                if (r)
                        return error_fold(r);
                contents[i] = buffer_blob(&f->intents[i]);
        }
        return error_fold(journal_add_intents(f->journal, n, contents));
}

static int fill_append(Fill *f, size_t n, uint64_t first_intent, uint64_t now_usec)
{
        uint8_t signature[SIGNATURE_SIZE] = {0x30}, hash[SHA256_SIZE];

        for (size_t i = 0; i < n; i++, f->n++) {
                uint64_t index;
                int r;

                put_u64(signature + 8, f->n);
                sha256(hash, signature, sizeof(signature));
                buffer_clear(&f->entry);
                r = entry_write_signature(now_usec, buffer_blob(&f->intents[i]), hash, &f->entry);
                if (!r)
                        r = journal_append(f->journal, buffer_blob(&f->entry),
                                           BLOB(signature, sizeof(signature)), first_intent + i, &index);
                if (r)
                        return error_fold(r);
        }
        return error_fold(journal_commit(f->journal));
}

static int fill_publish(Fill *f)
{
        uint8_t signature[P11_SIGNATURE_SIZE];
        Buffer text = BUFFER_NULL;
        size_t size;
        int r;

        r = journal_checkpoint_text(f->journal, &text);
        if (!r)
                r = p11_sign(&f->p11, f->p11.login, CKM_EDDSA, f->key, buffer_blob(&text), signature, &size);
        buffer_deinit(&text);
        r = r ?: journal_publish(f->journal, BLOB(signature, size));
        return r ? error_fold(r) : error_fold(journal_write_log(f->journal));
}

static int fill_maintain(Fill *f)
{
        while (journal_should_maintain(f->journal, false)) {
                bool more = true;

                while (more) {
                        int r = journal_maintain(f->journal, &more);

                        if (r)
                                return error_fold(r);
                }
        }
        return 0;
}

static int fill_run(Fill *f)
{
        while (journal_size(f->journal) < arg_entries) {
                uint64_t left = arg_entries - journal_size(f->journal), now_usec, intent;
                size_t n = left < LIMIT_COMMIT_BATCH ? left : LIMIT_COMMIT_BATCH;
                struct timespec t;
                int r;

                (void)clock_gettime(CLOCK_REALTIME, &t); /* cannot fail for this clock */
                now_usec = (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
                if (now_usec < journal_time(f->journal))
                        now_usec = journal_time(f->journal);
                intent = journal_next_intent(f->journal);
                r = fill_add_intents(f, n, now_usec);
                if (!r)
                        r = fill_append(f, n, intent, now_usec);
                if (!r)
                        r = fill_publish(f);
                if (!r)
                        r = fill_maintain(f);
                if (r)
                        return error_fold(r);
        }
        return 0;
}

static int run(Fill *f)
{
        int r;

        r = fill_open_journal(f);
        if (r)
                return error_fold(r);
        r = fill_open_token(f);
        if (r)
                return error_fold(r);
        f->n = journal_size(f->journal);
        r = fill_run(f);
        if (r)
                return error_fold(r);
        (void)printf("%ju\n", (uintmax_t)journal_size(f->journal));
        return 0;
}

static int usage(void)
{
        (void)fprintf(
                stderr,
                "usage: journal-fill --state DIR --log DIR --evidence DIR --origin NAME --log-key SPKI.der\n"
                "                    --module FILE --token LABEL --pin-file FILE --label LABEL --entries "
                "N\n");
        return 2;
}

static int parse_argv(int argc, char *argv[])
{
        static const char **const strings[] = {
                &arg_state,  &arg_log,   &arg_evidence, &arg_origin, &arg_log_key,
                &arg_module, &arg_token, &arg_pin_file, &arg_label,
        };
        static const struct option options[] = {
                {"state", required_argument, NULL, 0},
                {"log", required_argument, NULL, 1},
                {"evidence", required_argument, NULL, 2},
                {"origin", required_argument, NULL, 3},
                {"log-key", required_argument, NULL, 4},
                {"module", required_argument, NULL, 5},
                {"token", required_argument, NULL, 6},
                {"pin-file", required_argument, NULL, 7},
                {"label", required_argument, NULL, 8},
                {"entries", required_argument, NULL, 'n'},
                {NULL, 0, NULL, 0},
        };
        int c;

        while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0)
                if (c == 'n')
                        arg_entries = strtoul(optarg, NULL, 10);
                else if (c < (int)ARRAY_SIZE(strings))
                        *strings[c] = optarg;
                else
                        return usage();
        for (size_t i = 0; i < ARRAY_SIZE(strings); i++)
                if (!*strings[i])
                        return usage();
        return optind == argc && arg_entries > 0 && arg_entries <= UINT32_MAX ? 0 : usage();
}

int main(int argc, char *argv[])
{
        static Fill fill;
        int r;

        r = parse_argv(argc, argv);
        if (r)
                return r;
        r = run(&fill);
        fill.journal = journal_free(fill.journal);
        fill.log_key = public_key_free(fill.log_key);
        p11_deinit(&fill.p11);
        for (size_t i = 0; i < LIMIT_COMMIT_BATCH; i++)
                buffer_deinit(&fill.intents[i]);
        buffer_deinit(&fill.entry);
        if (r) {
                (void)fprintf(stderr, "journal-fill: %s\n", strerror(-r));
                return EXIT_FAILURE;
        }
        return EXIT_SUCCESS;
}
