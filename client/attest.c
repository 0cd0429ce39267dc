/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/jsonw.h"
#include "base/limits.h"
#include "base/sjson.h"
#include "policy/attestation.h"

#include "client/artifact.h"
#include "client/command.h"
#include "client/member.h"
#include "client/options.h"
#include "client/report.h"
#include "client/text.h"

#define KEY_FILE_SIZE (64 * 1024)

/* ---- make ---- */

typedef struct Make {
        const char *key, *encoding, *source_sha256, *out;
        bool sha512, json;
        AttestationDraft draft;
        uint8_t source_digest[SHA256_SIZE];
        AttestationSubject subjects[LIMIT_SUBJECTS];
        Buffer envelope;
} Make;

static void make_deinit(Make *m)
{
        for (size_t i = 0; i < m->draft.n_subjects; i++)
                free(m->subjects[i].name);
        buffer_deinit(&m->envelope);
}

static int make_parse(Make *m, int argc, char **argv, size_t *ret_n)
{
        AttestationDraft *d = &m->draft;
        Option options[] = {
                {.name = "key", .kind = OPTION_STRING, .ret = &m->key},
                {.name = "encoding", .kind = OPTION_STRING, .ret = &m->encoding},
                {.name = "release", .kind = OPTION_STRING, .ret = &d->release},
                {.name = "builder-id", .kind = OPTION_STRING, .ret = &d->builder_id},
                {.name = "source", .kind = OPTION_STRING, .ret = &d->source_uri},
                {.name = "git-commit", .kind = OPTION_STRING, .ret = &d->git_commit},
                {.name = "source-sha256", .kind = OPTION_STRING, .ret = &m->source_sha256},
                {.name = "started", .kind = OPTION_TIMESTAMP, .ret = &d->started_usec},
                {.name = "finished", .kind = OPTION_TIMESTAMP, .ret = &d->finished_usec},
                {.name = "sha512", .kind = OPTION_FLAG, .ret = &m->sha512},
                {.name = "out", .kind = OPTION_STRING, .ret = &m->out},
                {.name = "json", .kind = OPTION_FLAG, .ret = &m->json},
        };

        return options_parse("attest make", options, ARRAY_SIZE(options), argc, argv, ret_n) == 0
                       ? 0
                       : EXIT_USAGE;
}

static bool is_git_commit(const char *s)
{
        size_t size = strlen(s);
        uint8_t digest[SHA256_SIZE];

        return (size == 40 || size == 64) && hex_decode(digest, size / 2, s, size) == 0;
}

static int make_check(Make *m, size_t n_artifacts)
{
        const struct {
                const char *option;
                const char *value;
        } needed[] = {
                {"key", m->key},
                {"release", m->draft.release},
                {"builder-id", m->draft.builder_id},
                {"source", m->draft.source_uri},
                {"git-commit", m->draft.git_commit},
                {"source-sha256", m->source_sha256},
        };

        for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
                if (!needed[i].value)
                        return report_usage("attest make", "--%s is missing", needed[i].option);
        if (!is_git_commit(m->draft.git_commit))
                return report_usage("attest make", "--git-commit expects 40 or 64 lower-case hex digits");
        if (hex_decode(m->source_digest, SHA256_SIZE, m->source_sha256, strlen(m->source_sha256)) != 0)
                return report_usage("attest make", "--source-sha256 expects 64 lower-case hex digits");
        if (strcmp(m->encoding, "der") != 0 && strcmp(m->encoding, "p1363") != 0)
                return report_usage("attest make", "--encoding expects der or p1363");
        if (n_artifacts == 0)
                return report_usage("attest make", "no ARTIFACT");
        if (n_artifacts > LIMIT_SUBJECTS)
                return report_usage("attest make", "at most %d artifacts fit one attestation",
                                    LIMIT_SUBJECTS);
        m->draft.source_sha256 = m->source_digest;
        m->draft.subjects = m->subjects;
        return 0;
}

static int make_add_subject(Make *m, const char *path)
{
        AttestationSubject *s = &m->subjects[m->draft.n_subjects];
        _cleanup_(close_fdp) int fd = -1;
        int r;

        r = string_copy(&s->name, artifact_name(path));
        if (r)
                return report_errno(r);
        m->draft.n_subjects++;
        r = artifact_open(&fd, path);
        if (r == 0)
                r = artifact_hash(fd, &s->digests, NULL);
        if (r)
                return report_failure(EXIT_FAULT, "unreadable", "%s: %s", path, artifact_strerror(r));
        s->digests.have_sha384 = false;
        s->digests.have_sha512 = m->sha512;
        for (size_t i = 0; i + 1 < m->draft.n_subjects; i++)
                if (strcmp(m->subjects[i].name, s->name) == 0)
                        return report_usage("attest make", "two artifacts are called %s", s->name);
        return 0;
}

static int make_load_key(const Make *m, PrivateKey **ret, SignatureScheme *ret_scheme)
{
        _cleanup_(public_key_freep) PublicKey *public_key = NULL;
        _cleanup_(private_key_freep) PrivateKey *key = NULL;
        _cleanup_(buffer_deinit) Buffer pem = BUFFER_NULL;
        KeyType type;
        int r;

        r = report_file_read(&pem, m->key, KEY_FILE_SIZE);
        if (r)
                return r;
        r = private_key_new_pem(&key, buffer_blob(&pem));
        explicit_bzero(pem.data, pem.size);
        if (r < 0)
                return report_errno(r);
        if (r > 0)
                return report_failure(EXIT_FAULT, "unreadable",
                                      "%s: not a private key in PEM without a passphrase", m->key);
        r = private_key_public(key, &public_key);
        if (r)
                return report_errno(r);
        type = public_key_type(public_key);
        if (type != KEY_ED25519 && type != KEY_ECDSA_P256)
                return report_failure(EXIT_USAGE, "key-type",
                                      "%s: attestations are signed with Ed25519 or P-256", m->key);

        *ret_scheme = type == KEY_ED25519                 ? SCHEME_ED25519
                      : strcmp(m->encoding, "p1363") == 0 ? SCHEME_ECDSA_P1363
                                                          : SCHEME_ECDSA_DER;
        *ret = TAKE_PTR(key);
        return 0;
}

static int make_write(Make *m)
{
        _cleanup_(private_key_freep) PrivateKey *key = NULL;
        _cleanup_(buffer_deinit) Buffer payload = BUFFER_NULL;
        SignatureScheme scheme = SCHEME_ED25519;
        int r;

        r = make_load_key(m, &key, &scheme);
        if (r)
                return r;
        r = attestation_write_statement(&m->draft, &payload);
        if (r)
                return report_failure(
                        EXIT_USAGE, "statement",
                        "hsmd would not accept such a statement: %s (see POLICY.md, Attestations)",
                        strerror(-r));
        r = attestation_write_envelope(buffer_blob(&payload), key, scheme, &m->envelope);
        return r ? report_errno(r) : 0;
}

static int make_write_json(const Make *m)
{
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;
        uint8_t id[SHA256_SIZE];
        JsonWriter w;
        int r;

        sha256(id, m->envelope.data, m->envelope.size);
        jsonw_init(&w, &out);
        jsonw_object(&w);
        jsonw_member_hex(&w, "id", id, sizeof(id));
        jsonw_member_u64(&w, "subjects", m->draft.n_subjects);
        jsonw_name(&w, "envelope");
        jsonw_raw(&w, m->envelope.data, m->envelope.size - 1); /* without its LF */
        jsonw_object_end(&w);
        r = jsonw_finish(&w);
        if (r)
                return report_errno(r);
        (void)printf("%s\n", (char *)out.data);
        return 0;
}

static int make_put(const Make *m)
{
        int r;

        if (m->out) {
                r = artifact_write(m->out, "", buffer_blob(&m->envelope));
                if (r)
                        return report_failure(EXIT_FAULT, "unwritable", "%s: %s", m->out, strerror(-r));
        }
        if (m->json)
                return make_write_json(m);
        if (!m->out)
                (void)fwrite(m->envelope.data, 1, m->envelope.size, stdout);
        return 0;
}

static int attest_make_run(int argc, char **argv)
{
        _cleanup_(make_deinit) Make m = {.encoding = "der"};
        size_t n = 0;
        int r;

        r = make_parse(&m, argc, argv, &n);
        if (r)
                return r;
        report_set_json(m.json);
        r = make_check(&m, n);
        for (size_t i = 0; i < n && r == 0; i++)
                r = make_add_subject(&m, argv[i]);
        if (r == 0)
                r = make_write(&m);
        return r ? r : make_put(&m);
}

const Command attest_make_command = {
        .name = "attest make",
        .summary = "state what was rebuilt, signed with a rebuilder's key",
        .help = "Usage: hsmctl attest make --key PEM --release NAME --builder-id URI --source URI\n"
                "                          --git-commit HEX --source-sha256 HEX [OPTION...] ARTIFACT...\n"
                "\n"
                "Writes a DSSE envelope: these artifacts (up to 256) are what that source builds to.\n"
                "\n"
                "  --key PEM            private key, Ed25519 or P-256, without a passphrase\n"
                "  --encoding ENCODING  of P-256 signatures: der (default) or p1363; as in the policy\n"
                "  --release NAME       the release of the policy that this was built for\n"
                "  --builder-id URI     who built it, as in the policy\n"
                "  --source URI         where the source is, as in the policy\n"
                "  --git-commit HEX     which commit\n"
                "  --source-sha256 HEX  SHA-256 of the source\n"
                "  --started TIME, --finished TIME  of the build, like 2026-01-31T12:00:00Z\n"
                "  --sha512             state the SHA-512 of each artifact too\n"
                "  --out FILE           write there, not to the standard output\n"
                "  --json               {\"id\",\"subjects\",\"envelope\"}\n",
        .run = attest_make_run,
};

/* ---- submit ---- */

typedef struct Submit {
        Hsmctl *h;
        bool json;
        Buffer json_text;
        JsonWriter w;
        uint64_t n_accepted, n_refused;
} Submit;

static void submit_deinit(Submit *s)
{
        s->h = hsmctl_free(s->h);
        buffer_deinit(&s->json_text);
}

static void submit_tell(const char *path, const SJson *reply, bool accepted)
{
        uint64_t n = member_u64(reply, "subjects", 0), n_contradicts = member_u64(reply, "contradicts", 0);

        if (!accepted) {
                text_printf(stderr, "%s: refused: %s: %s\n", path, member_string(reply, "reason", "fault"),
                            member_string(reply, "message", "no reason given"));
                return;
        }
        text_printf(stdout, "%s: %s: release %s, %llu artifact%s, id %s", path,
                    member_bool(reply, "known", false) ? "known" : "accepted",
                    member_string(reply, "release", "-"), (unsigned long long)n, n == 1 ? "" : "s",
                    member_string(reply, "id", "-"));
        if (member_exists(reply, "entry"))
                text_printf(stdout, ", entry %llu", (unsigned long long)member_u64(reply, "entry", 0));
        (void)fputc('\n', stdout);
        if (n_contradicts > 0)
                text_printf(stderr, "%s: warning: it contradicts %llu other attestation%s\n", path,
                            (unsigned long long)n_contradicts, n_contradicts == 1 ? "" : "s");
}

static int submit_write_json(Submit *s, const char *path)
{
        _cleanup_(buffer_deinit) Buffer name = BUFFER_NULL;
        const char *text;
        size_t size;
        int r;

        r = text_escape(&name, path, strlen(path));
        if (r == 0)
                r = hsmctl_text(s->h, &text, &size);
        if (r)
                return report_errno(r);
        jsonw_object(&s->w);
        jsonw_name(&s->w, "file");
        jsonw_string_n(&s->w, (const char *)name.data, name.size);
        if (size > 2)
                jsonw_members(&s->w, text + 1, size - 2); /* what is between the braces */
        jsonw_object_end(&s->w);
        return 0;
}

static int submit_one(Submit *s, const char *path)
{
        _cleanup_(close_fdp) int fd = -1;
        bool accepted, more = false;
        int r;

        r = artifact_open(&fd, path);
        if (r)
                return report_failure(EXIT_FAULT, "unreadable", "%s: %s", path, artifact_strerror(r));
        r = hsmctl_call(s->h, "org.hsmd.Sign.Attest", "{\"fd\":0}", &fd, 1, false);
        if (r == 0)
                r = hsmctl_receive(s->h, &more);
        if (r)
                return report_call(s->h, r);
        if (more || sjson_get_bool(hsmctl_parameters(s->h), "accepted", &accepted) != 0)
                return report_failure(EXIT_FAULT, "reply-syntax",
                                      "%s: the reply does not say if it was accepted", path);
        s->n_accepted += accepted;
        s->n_refused += !accepted;
        if (s->json)
                return submit_write_json(s, path);
        submit_tell(path, hsmctl_parameters(s->h), accepted);
        return 0;
}

static int submit_write_end(Submit *s, int code, size_t n_files)
{
        int r;

        jsonw_array_end(&s->w);
        jsonw_member_u64(&s->w, "accepted", s->n_accepted);
        jsonw_member_u64(&s->w, "refused", s->n_refused);
        if (s->n_accepted + s->n_refused < n_files)
                report_write_last(&s->w);
        jsonw_object_end(&s->w);
        r = jsonw_finish(&s->w);
        if (r)
                return report_errno(r);
        (void)printf("%s\n", (char *)s->json_text.data);
        return code;
}

static int attest_submit_run(int argc, char **argv)
{
        OptionsCommon common = OPTIONS_COMMON_DEFAULT;
        _cleanup_(submit_deinit) Submit s = {};
        Option options[] = {OPTIONS_COMMON(&common)};
        size_t n;
        int r;

        if (options_parse("attest submit", options, ARRAY_SIZE(options), argc, argv, &n) != 0)
                return EXIT_USAGE;
        report_set_json(common.json);
        if (n == 0)
                return report_usage("attest submit", "no FILE");
        r = hsmctl_new(&s.h, common.socket ? common.socket : hsmctl_socket_path(HSMCTL_SOCKET_SIGN),
                       common.timeout_usec);
        if (r)
                return report_call(s.h, r);

        s.json = common.json;
        jsonw_init(&s.w, &s.json_text);
        jsonw_object(&s.w);
        jsonw_name(&s.w, "results");
        jsonw_array(&s.w);
        report_set_json(false); /* the one object carries failures too */
        for (size_t i = 0; i < n && r == 0; i++)
                r = submit_one(&s, argv[i]);
        if (r == 0 && s.n_refused > 0)
                r = EXIT_REFUSED;
        return s.json ? submit_write_end(&s, r, n) : r;
}

const Command attest_submit_command = {
        .name = "attest submit",
        .summary = "hand in attestations",
        .help = "Usage: hsmctl attest submit [OPTION...] FILE...\n"
                "\n"
                "Hands every FILE, a DSSE envelope, to hsmd and tells whether it counts from now on.\n"
                "\n"
                "  --socket PATH      /run/hsmd/sign.sock, or $HSMCTL_SIGN_SOCKET\n"
                "  --timeout SECONDS  how long to wait for each answer (120)\n"
                "  --json             "
                "{\"results\":[{\"file\",\"accepted\",\"known\",\"id\",...}],\"accepted\",\"refused\"\n"
                "                     [,\"error\"]}\n"
                "\n"
                "Exits with 1 if any was not accepted.\n",
        .run = attest_submit_run,
};
