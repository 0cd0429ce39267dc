/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/error.h"
#include "base/jsonw.h"
#include "base/timestamp.h"

#include "client/command.h"
#include "client/load.h"
#include "client/logcheck.h"
#include "client/options.h"
#include "client/progress.h"
#include "client/report.h"
#include "client/text.h"

static void logverify_progress(void *userdata, uint64_t done, uint64_t total)
{
        Progress *p = userdata;

        p->total = total;
        progress_update(p, done);
}

static int logverify_write_json(const Logcheck *k, bool good)
{
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;
        JsonWriter w;
        int r;

        jsonw_init(&w, &out);
        jsonw_object(&w);
        jsonw_member_bool(&w, "verified", good);
        jsonw_member_string(&w, "reason", good ? "none" : k->reason);
        if (!good)
                jsonw_member_string(&w, "message", k->message);
        if (k->checkpoint.origin[0])
                jsonw_member_string(&w, "origin", k->checkpoint.origin);
        jsonw_member_u64(&w, "size", k->checkpoint.size);
        jsonw_member_hex(&w, "root", k->checkpoint.root.bytes, TREE_HASH_SIZE);
        jsonw_member_bool(&w, "checkpointVerified", k->signed_by_trusted);
        jsonw_member_u64(&w, "entries", k->n_entries);
        jsonw_member_u64(&w, "tiles", k->n_tiles);
        jsonw_member_u64(&w, "signatures", k->n_signatures);
        jsonw_member_u64(&w, "attestations", k->n_attestations);
        jsonw_member_u64(&w, "refusals", k->n_refusals);
        jsonw_member_u64(&w, "abandoned", k->n_abandoned);
        jsonw_object_end(&w);
        r = jsonw_finish(&w);
        if (r)
                return report_errno(r);
        (void)printf("%s\n", (char *)out.data);
        return good ? EXIT_DONE : EXIT_VERIFY;
}

static int logverify_tell(const Logcheck *k, const char *path, bool good)
{
        char first[TIMESTAMP_SIZE], last[TIMESTAMP_SIZE];

        if (!good) {
                text_printf(stderr, "%s: NOT VERIFIED: %s: %s\n", path, k->reason, k->message);
                return EXIT_VERIFY;
        }
        timestamp_encode(first, k->first_usec);
        timestamp_encode(last, k->last_usec);
        text_printf(stdout, "%s: verified: %s, %llu entries from %s to %s\n", path, k->checkpoint.origin,
                    (unsigned long long)k->n_entries, first, last);
        text_printf(stdout,
                    "%s: %llu signatures, %llu attestations, %llu refusals, %llu abandoned; %llu tiles\n",
                    path, (unsigned long long)k->n_signatures, (unsigned long long)k->n_attestations,
                    (unsigned long long)k->n_refusals, (unsigned long long)k->n_abandoned,
                    (unsigned long long)k->n_tiles);
        if (!k->signed_by_trusted)
                text_printf(stderr,
                            "%s: warning: nobody vouches for the checkpoint: its signature was not checked "
                            "(use --trust)\n",
                            path);
        return EXIT_DONE;
}

int log_verify(const char *path, const char *trust_path, bool json)
{
        _cleanup_(trust_freep) Trust *trust = NULL;
        Progress progress;
        Logcheck k;
        int r;

        assert(path);

        if (trust_path) {
                r = load_trust(&trust, trust_path);
                if (r)
                        return r;
        }
        progress_init(&progress, "verifying", 0);
        r = logcheck_run(&k, path, trust ? &trust->log : NULL, logverify_progress, &progress);
        progress_clear(&progress);
        if (r < 0)
                return report_errno(r);
        if (r == LOGCHECK_E_UNREADABLE)
                return report_failure(EXIT_FAULT, k.reason, "%s: %s", path, k.message);
        return json ? logverify_write_json(&k, r == 0) : logverify_tell(&k, path, r == 0);
}

static int log_verify_run(int argc, char **argv)
{
        const char *trust = secure_getenv("HSMCTL_TRUST");
        bool json = false;
        Option options[] = {
                {.name = "trust", .kind = OPTION_STRING, .ret = &trust},
                {.name = "json", .kind = OPTION_FLAG, .ret = &json},
        };
        size_t n;

        if (options_parse("log verify", options, ARRAY_SIZE(options), argc, argv, &n) != 0)
                return EXIT_USAGE;
        report_set_json(json);
        if (n != 1)
                return report_usage("log verify", "expected one DIR");
        return log_verify(argv[0], trust, json);
}

const Command log_verify_command = {
        .name = "log verify",
        .summary = "check a whole log from its folder, offline",
        .help = "Usage: hsmctl log verify DIR [OPTION...]\n"
                "\n"
                "Reads every entry under DIR (the `log` folder of hsmd, or a copy of it), recomputes every "
                "tile\n"
                "and the root, and compares them with the tiles and the checkpoint there.\n"
                "\n"
                "  --trust FILE  check also that the trust file's log key signed the checkpoint;\n"
                "                or $HSMCTL_TRUST\n"
                "  --json        {\"verified\",\"reason\"[,\"message\"],\"origin\",\"size\",\"root\",\n"
                "                "
                "\"checkpointVerified\",\"entries\",\"tiles\",\"signatures\",\"attestations\",\"refusals\","
                "\n"
                "                \"abandoned\"}\n"
                "\n"
                "Exits with 3 if anything does not hold, 5 if DIR cannot be read.\n",
        .run = log_verify_run,
};
