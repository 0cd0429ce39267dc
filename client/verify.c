/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/error.h"
#include "base/file.h"
#include "base/jsonw.h"
#include "base/limits.h"
#include "base/timestamp.h"

#include "client/artifact.h"
#include "client/command.h"
#include "client/load.h"
#include "client/options.h"
#include "client/report.h"
#include "client/text.h"
#include "client/verification.h"

typedef struct Verify {
        const char *artifact, *signature, *proof, *trust, *key, *log;
        bool json;
} Verify;

static int verify_write_json(const Trust *trust, const Verification *v, const char *message)
{
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;
        JsonWriter w;
        int r;

        jsonw_init(&w, &out);
        jsonw_object(&w);
        jsonw_member_bool(&w, "verified", v->fault == VERIFICATION_FAULT_NONE);
        jsonw_member_string(&w, "reason", verification_fault_to_string(v->fault));
        if (v->fault != VERIFICATION_FAULT_NONE) {
                jsonw_member_string(&w, "message", message);
        } else {
                jsonw_member_hex(&w, "sha256", v->digests.sha256, SHA256_SIZE);
                jsonw_member_u64(&w, "size", v->size);
                jsonw_member_string(&w, "key", trust->keys[v->key].name);
                jsonw_member_string(&w, "format", signature_format_to_string(v->format));
                jsonw_member_string(&w, "origin", v->checkpoint.origin);
                jsonw_member_u64(&w, "index", v->proof.index);
                jsonw_member_u64(&w, "logSize", v->checkpoint.size);
                jsonw_name(&w, "entry");
                jsonw_raw(&w, v->proof.extra.data, v->proof.extra.size);
        }
        jsonw_object_end(&w);
        r = jsonw_finish(&w);
        if (r)
                return report_errno(r);
        (void)printf("%s\n", (char *)out.data);
        return v->fault == VERIFICATION_FAULT_NONE ? EXIT_DONE : EXIT_VERIFY;
}

static int verify_tell(const Verify *a, const Trust *trust, const Verification *v, const char *message)
{
        char time[TIMESTAMP_SIZE];

        if (v->fault != VERIFICATION_FAULT_NONE) {
                text_printf(stderr, "%s: NOT VERIFIED: %s: %s\n", a->artifact,
                            verification_fault_to_string(v->fault), message);
                return EXIT_VERIFY;
        }
        timestamp_encode(time, v->entry.time_usec);
        text_printf(stdout, "%s: verified: key %s (%s), %s, release %s, entry %llu of %s\n", a->artifact,
                    trust->keys[v->key].name, signature_format_to_string(v->format), time,
                    v->entry.release ? v->entry.release : "-", (unsigned long long)v->proof.index,
                    v->checkpoint.origin);
        return EXIT_DONE;
}

static int verify_artifact(const Verify *a, Trust *trust, Blob signature, Blob proof)
{
        VerificationInput input = {.signature = signature, .proof = proof, .key = a->key};
        _cleanup_(buffer_deinit) Buffer message = BUFFER_NULL;
        _cleanup_(verification_deinit) Verification v = {};
        _cleanup_(close_fdp) int fd = -1;
        const char *text;
        int r;

        r = artifact_open(&fd, a->artifact);
        if (r)
                return report_failure(EXIT_FAULT, "unreadable", "%s: %s", a->artifact, artifact_strerror(r));
        input.artifact_fd = fd;
        r = verification_run(&v, trust, &input, &message);
        if (r < 0)
                return report_failure(EXIT_FAULT, "fault", "%s: %s", a->artifact, strerror(-r));
        text = message.data ? (const char *)message.data : "";
        return a->json ? verify_write_json(trust, &v, text) : verify_tell(a, trust, &v, text);
}

/* `given`, or the artifact's path with the usual suffix. */
static int verify_read(const Verify *a, const char *given, const char *suffix, size_t max, Buffer *out)
{
        _cleanup_(freep) char *path = NULL;
        int r;

        r = given ? string_copy(&path, given) : string_printf(&path, "%s%s", a->artifact, suffix);
        if (r)
                return report_errno(r);
        return report_file_read(out, path, max);
}

static int verify_run(int argc, char **argv)
{
        _cleanup_(buffer_deinit) Buffer signature = BUFFER_NULL, proof = BUFFER_NULL;
        _cleanup_(trust_freep) Trust *trust = NULL;
        Verify a = {.trust = secure_getenv("HSMCTL_TRUST")};
        Option options[] = {
                {.name = "signature", .kind = OPTION_STRING, .ret = &a.signature},
                {.name = "proof", .kind = OPTION_STRING, .ret = &a.proof},
                {.name = "trust", .kind = OPTION_STRING, .ret = &a.trust},
                {.name = "key", .kind = OPTION_STRING, .ret = &a.key},
                {.name = "log", .kind = OPTION_STRING, .ret = &a.log},
                {.name = "json", .kind = OPTION_FLAG, .ret = &a.json},
        };
        size_t n;
        int r;

        if (options_parse("verify", options, ARRAY_SIZE(options), argc, argv, &n) != 0)
                return EXIT_USAGE;
        report_set_json(a.json);
        if (a.log && (n > 0 || a.signature || a.proof || a.key))
                return report_usage("verify", "--log takes no ARTIFACT, --signature, --proof or --key");
        if (a.log)
                return log_verify(a.log, a.trust, a.json);
        if (n != 1)
                return report_usage("verify", "expected one ARTIFACT");
        if (!a.trust)
                return report_usage("verify", "--trust is missing");
        a.artifact = argv[0];

        r = load_trust(&trust, a.trust);
        if (r == 0)
                r = verify_read(&a, a.signature, ".sig", LIMIT_CONTENT_SIZE, &signature);
        if (r == 0)
                r = verify_read(&a, a.proof, ".tlog-proof", LIMIT_CONTENT_SIZE, &proof);
        if (r)
                return r;
        return verify_artifact(&a, trust, buffer_blob(&signature), buffer_blob(&proof));
}

const Command verify_command = {
        .name = "verify",
        .summary = "check a file, its signature and its proof, offline",
        .help = "Usage: hsmctl verify ARTIFACT --trust FILE [OPTION...]\n"
                "       hsmctl verify --log DIR [--trust FILE]\n"
                "\n"
                "Checks, with nothing but the files: the artifact is the one that was signed; the signature "
                "is\n"
                "by a key of the trust file, in a format that it allows; and this very signature is in the\n"
                "log, which the trust file's log key vouches for.\n"
                "\n"
                "  --trust FILE      the trust file, or $HSMCTL_TRUST (`hsmctl policy trust` makes one)\n"
                "  --signature FILE  ARTIFACT.sig\n"
                "  --proof FILE      ARTIFACT.tlog-proof\n"
                "  --key NAME        accept only this key of the trust file\n"
                "  --log DIR         the same as `hsmctl log verify DIR`\n"
                "  --json            {\"verified\",\"reason\",...}: with \"message\" if it is false, else "
                "with\n"
                "                    "
                "\"sha256\",\"size\",\"key\",\"format\",\"origin\",\"index\",\"logSize\",\"entry\"\n"
                "\n"
                "Exits with 0 if all holds, 3 if anything does not, 5 if a file cannot be read.\n",
        .run = verify_run,
};
