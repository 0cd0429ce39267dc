/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/limits.h"

#include "client/artifact.h"
#include "client/command.h"
#include "client/keep.h"
#include "client/progress.h"
#include "client/report.h"
#include "client/request.h"
#include "client/text.h"

/* What one run of `sign` or `check` has come to. */
typedef struct Run {
        const char *out; /* folder, or NULL */
        bool check;
        bool json;
        Buffer json_text;
        JsonWriter w;
        Progress progress;
        uint64_t n_done, n_signed, n_refused, n_failed;
        uint64_t n_allowed; /* files that at least one release allows */
} Run;

static void run_deinit(Run *run)
{
        buffer_deinit(&run->json_text);
}

static void run_init(Run *run, bool check, const char *out, bool json, size_t n_paths)
{
        *run = (Run){.out = out, .check = check, .json = json};
        jsonw_init(&run->w, &run->json_text);
        jsonw_object(&run->w);
        jsonw_name(&run->w, "results");
        jsonw_array(&run->w);
        progress_init(&run->progress, check ? "checking" : "signing", n_paths);
}

static int run_write_json(Run *run, const RequestItem *item, const Result *result, const char *kept)
{
        _cleanup_(buffer_deinit) Buffer path = BUFFER_NULL;
        int r;

        r = text_escape(&path, item->path, strlen(item->path));
        if (r)
                return report_errno(r);
        jsonw_object(&run->w);
        jsonw_name(&run->w, "file");
        jsonw_string_n(&run->w, (const char *)path.data, path.size);
        r = result_write_members(result, &run->w);
        if (r)
                return report_errno(r);
        jsonw_member_bool(&run->w, "kept", kept != NULL);
        jsonw_object_end(&run->w);
        return 0;
}

static void run_tell(Run *run, const RequestItem *item, const Result *result)
{
        bool good = result->outcome == RESULT_SIGNED || result->outcome == RESULT_ALLOWED;
        FILE *f = good ? stdout : stderr;

        progress_clear(&run->progress);
        text_printf(f, "%s: %s", item->path, result_outcome_to_string(result->outcome));
        if (!good)
                text_printf(f, ": %s: %s", result->reason ? result->reason : "fault",
                            result->message ? result->message : "no reason given");
        if (result->outcome == RESULT_SIGNED && result->has_entry)
                text_printf(f, ": entry %llu%s", (unsigned long long)result->entry,
                            result->repeated ? ", signed before" : "");
        if (run->check && result->release)
                text_printf(f, " (release %s%s%s)", result->release, result->key ? ", key " : "",
                            result->key ? result->key : "");
        (void)fputc('\n', f);
}

static void run_count(Run *run, const RequestItem *item, const Result *result)
{
        run->n_done += item->n_results == 1;
        switch (result->outcome) {
        case RESULT_SIGNED:
                run->n_signed++;
                break;
        case RESULT_ALLOWED:
                run->n_allowed += item->n_good == 1;
                break;
        case RESULT_REFUSED:
                run->n_refused++;
                break;
        case RESULT_FAILED:
                run->n_failed++;
                break;
        }
        progress_update(&run->progress, run->n_done);
}

static int run_take(void *userdata, const RequestItem *item, const Result *result)
{
        _cleanup_(freep) char *path = NULL;
        Run *run = userdata;
        int r;

        if (result->outcome == (run->check ? RESULT_SIGNED : RESULT_ALLOWED) ||
            item->n_results > (run->check ? LIMIT_POLICY_NAMES : 1U))
                return report_failure(EXIT_FAULT, "reply-syntax",
                                      "%s: the answer is not one to this question", item->path);
        if (result->outcome == RESULT_SIGNED) {
                r = run->out ? string_printf(&path, "%s/%s", run->out, item->name)
                             : string_copy(&path, item->path);
                if (r)
                        return report_errno(r);
                r = keep_result(item, result, path);
                if (r)
                        return r;
        }
        run_count(run, item, result);
        if (run->json)
                return run_write_json(run, item, result, path);
        run_tell(run, item, result);
        return 0;
}

static int run_write_end(Run *run, const Request *q, int code, bool failed)
{
        int r;

        jsonw_array_end(&run->w);
        if (run->check)
                jsonw_member_u64(&run->w, "allowed", run->n_allowed);
        else
                jsonw_member_u64(&run->w, "signed", run->n_signed);
        jsonw_member_u64(&run->w, "refused", run->n_refused);
        jsonw_member_u64(&run->w, "failed", run->n_failed);
        jsonw_member_u64(&run->w, "unanswered", q->n_paths - run->n_done);
        if (failed)
                report_write_last(&run->w);
        jsonw_object_end(&run->w);
        r = jsonw_finish(&run->w);
        if (r)
                return report_errno(r);
        (void)printf("%s\n", (char *)run->json_text.data);
        return code;
}

/* The gravest: our own faults, then refusals, then what may be tried again. */
static int run_code(const Run *run, const Request *q, int r)
{
        bool unfinished = run->n_failed > 0 || r == EXIT_TRY_AGAIN;

        if (r != 0 && r != EXIT_TRY_AGAIN)
                return r;
        if (run->check ? !unfinished && run->n_allowed < q->n_paths : run->n_refused > 0)
                return EXIT_REFUSED;
        return unfinished ? EXIT_TRY_AGAIN : EXIT_DONE;
}

static int run(Request *q, bool check, const char *out, bool json)
{
        _cleanup_(run_deinit) Run state;
        int code, r;

        run_init(&state, check, out, json, q->n_paths);
        q->take = run_take;
        q->userdata = &state;
        report_set_json(false); /* the one object carries failures too */
        r = request_run(q);
        code = run_code(&state, q, r);
        progress_clear(&state.progress);
        return json ? run_write_end(&state, q, code, r != 0) : code;
}

/* ---- the commands ---- */

static int compare_paths(const void *a, const void *b)
{
        return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* With one folder for all, base names have to differ; without, paths. */
static int check_distinct(size_t n_paths, char **paths, bool by_name)
{
        _cleanup_(freep) const char **names = NULL;
        int r;

        r = memory_new0(&names, n_paths);
        if (r)
                return report_errno(r);
        for (size_t i = 0; i < n_paths; i++)
                names[i] = by_name ? artifact_name(paths[i]) : paths[i];
        qsort(names, n_paths, sizeof(*names), compare_paths);
        for (size_t i = 1; i < n_paths; i++)
                if (strcmp(names[i - 1], names[i]) == 0)
                        return report_usage("sign",
                                            "%s is given twice: one signature would replace the other",
                                            names[i]);
        return 0;
}

static int check_folder(const char *path)
{
        struct stat st;

        /* The folder itself is made; those it stands in are not. */
        if ((mkdir(path, 0777) < 0 && errno != EEXIST) || stat(path, &st) < 0)
                return report_failure(EXIT_FAULT, "unwritable", "%s: %s", path, strerror(errno));
        if (!S_ISDIR(st.st_mode))
                return report_failure(EXIT_FAULT, "unwritable", "%s: not a folder", path);
        return 0;
}

static int sign_run(int argc, char **argv)
{
        OptionsCommon common = OPTIONS_COMMON_DEFAULT;
        Request q = {.method = "org.hsmd.Sign.Sign", .hash = true, .chunk = REQUEST_CHUNK, .paths = argv};
        const char *out = NULL;
        Option options[] = {
                {.name = "key", .kind = OPTION_STRING, .ret = &q.key},
                {.name = "format", .kind = OPTION_STRING, .ret = &q.format},
                {.name = "release", .kind = OPTION_STRING, .ret = &q.release},
                {.name = "out", .kind = OPTION_STRING, .ret = &out},
                {.name = "digest", .kind = OPTION_FLAG, .ret = &q.digest},
                {.name = "chunk", .kind = OPTION_U64, .ret = &q.chunk},
                OPTIONS_COMMON(&common),
        };
        int r;

        if (options_parse("sign", options, ARRAY_SIZE(options), argc, argv, &q.n_paths) != 0)
                return EXIT_USAGE;
        report_set_json(common.json);
        if (!q.key)
                return report_usage("sign", "--key is missing");
        if (q.n_paths == 0)
                return report_usage("sign", "no FILE");
        if (q.chunk > LIMIT_ARTIFACTS)
                return report_usage("sign", "--chunk is at most %d", LIMIT_ARTIFACTS);
        r = check_distinct(q.n_paths, argv, out != NULL);
        if (r == 0)
                r = request_check_paths("sign", q.n_paths, argv);
        if (r == 0 && out)
                r = check_folder(out);
        if (r)
                return r;

        q.socket = common.socket ? common.socket : hsmctl_socket_path(HSMCTL_SOCKET_SIGN);
        q.timeout_usec = common.timeout_usec;
        return run(&q, false, out, common.json);
}

static int check_run(int argc, char **argv)
{
        OptionsCommon common = OPTIONS_COMMON_DEFAULT;
        Request q = {.method = "org.hsmd.Sign.Check", .chunk = REQUEST_CHUNK, .paths = argv};
        Option options[] = {
                {.name = "key", .kind = OPTION_STRING, .ret = &q.key},
                {.name = "format", .kind = OPTION_STRING, .ret = &q.format},
                {.name = "release", .kind = OPTION_STRING, .ret = &q.release},
                {.name = "digest", .kind = OPTION_FLAG, .ret = &q.digest},
                OPTIONS_COMMON(&common),
        };
        int r;

        if (options_parse("check", options, ARRAY_SIZE(options), argc, argv, &q.n_paths) != 0)
                return EXIT_USAGE;
        report_set_json(common.json);
        if (q.n_paths == 0)
                return report_usage("check", "no FILE");
        r = request_check_paths("check", q.n_paths, argv);
        if (r)
                return r;

        q.socket = common.socket ? common.socket : hsmctl_socket_path(HSMCTL_SOCKET_SIGN);
        q.timeout_usec = common.timeout_usec;
        return run(&q, true, NULL, common.json);
}

const Command sign_command = {
        .name = "sign",
        .summary = "get signatures for files",
        .help = "Usage: hsmctl sign --key NAME [OPTION...] FILE...\n"
                "\n"
                "Hands every FILE to hsmd and writes FILE.sig and FILE.tlog-proof.\n"
                "\n"
                "  --key NAME         the signing key, as the policy names it\n"
                "  --format FORMAT    raw-ecdsa, raw-rsa-pkcs1-sha256, raw-rsa-pss-sha256 or raw-ed25519;\n"
                "                     not needed where the key allows one only\n"
                "  --release NAME     not needed where one release only uses the key\n"
                "  --out DIR          write there, not beside each FILE\n"
                "  --digest           send only the SHA-256 of each FILE\n"
                "  --chunk N          files asked for at once, 1 to 1024 (256)\n"
                "  --socket PATH      /run/hsmd/sign.sock, or $HSMCTL_SIGN_SOCKET\n"
                "  --timeout SECONDS  how long to wait for each answer (120)\n"
                "  --json             "
                "{\"results\":[{\"file\",\"outcome\",...}],\"signed\",\"refused\",\"failed\",\n"
                "                     \"unanswered\"[,\"error\":{\"exit\",\"reason\",\"message\"}]}\n"
                "\n"
                "Exits with 0 if all were signed, 1 if any was refused, 4 if some only failed for now.\n",
        .run = sign_run,
};

const Command check_command = {
        .name = "check",
        .summary = "ask whether files would be signed, and what is missing",
        .help = "Usage: hsmctl check [OPTION...] FILE...\n"
                "\n"
                "Asks hsmd whether it would sign every FILE now.  Nothing is signed or journaled.  Without "
                "--key\n"
                "there is an answer for each release that admits this user; a FILE is fine if one allows "
                "it.\n"
                "\n"
                "  --key NAME, --format FORMAT, --release NAME, --digest, --socket PATH, --timeout SECONDS\n"
                "                     as for `hsmctl sign`\n"
                "  --json             "
                "{\"results\":[{\"file\",\"outcome\",...}],\"allowed\",\"refused\",\"failed\",\n"
                "                     \"unanswered\"[,\"error\":{\"exit\",\"reason\",\"message\"}]}\n"
                "\n"
                "Exits with 0 if every FILE would be signed, 1 otherwise.\n",
        .run = check_run,
};
