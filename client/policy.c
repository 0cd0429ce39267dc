/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/error.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/jsonw.h"
#include "base/timestamp.h"
#include "policy/policy.h"

#include "client/command.h"
#include "client/load.h"
#include "client/member.h"
#include "client/options.h"
#include "client/report.h"
#include "client/table.h"
#include "client/text.h"
#include "client/trust.h"

/* ---- lint and trust: from a file ---- */

static int lint_write_json(const Policy *p, const PolicyFaults *faults)
{
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;
        JsonWriter w;
        int r;

        jsonw_init(&w, &out);
        jsonw_object(&w);
        jsonw_member_bool(&w, "valid", p != NULL);
        if (p) {
                jsonw_member_u64(&w, "serial", p->serial);
                jsonw_member_hex(&w, "sha256", p->sha256, SHA256_SIZE);
        }
        jsonw_name(&w, "faults");
        jsonw_array(&w);
        for (size_t i = 0; i < faults->n; i++) {
                jsonw_object(&w);
                jsonw_member_u64(&w, "line", faults->items[i].line);
                jsonw_member_u64(&w, "column", faults->items[i].column);
                jsonw_member_string(&w, "text", faults->items[i].text);
                jsonw_object_end(&w);
        }
        jsonw_array_end(&w);
        jsonw_object_end(&w);
        r = jsonw_finish(&w);
        if (r)
                return report_errno(r);
        (void)printf("%s\n", (char *)out.data);
        return 0;
}

/* The policy, or NULL with all faults. */
static int parse_file(const char *path, Policy **ret, PolicyFaults *faults)
{
        _cleanup_(buffer_deinit) Buffer text = BUFFER_NULL;
        int r;

        *ret = NULL;
        r = report_file_read(&text, path, LIMIT_POLICY_SIZE);
        if (r)
                return r;
        r = policy_parse(ret, buffer_blob(&text), faults);
        return r < 0 ? report_errno(r) : 0;
}

static int lint_tell(const char *path, const Policy *p, const PolicyFaults *faults)
{
        char hex[2 * SHA256_SIZE + 1];

        for (size_t i = 0; i < faults->n; i++)
                load_print_fault(path, &faults->items[i]);
        if (p) {
                hex_encode(hex, p->sha256, SHA256_SIZE);
                text_printf(stdout, "%s: valid: serial %llu, sha256 %s\n", path,
                            (unsigned long long)p->serial, hex);
        }
        return 0;
}

/* One operand and --json. */
static int parse_file_operand(const char *command, int argc, char **argv, bool *ret_json)
{
        Option options[] = {{.name = "json", .kind = OPTION_FLAG, .ret = ret_json}};
        size_t n;

        if (options_parse(command, options, ARRAY_SIZE(options), argc, argv, &n) != 0)
                return EXIT_USAGE;
        report_set_json(*ret_json);
        return n == 1 ? 0 : report_usage(command, "expected one FILE");
}

static int policy_lint_run(int argc, char **argv)
{
        _cleanup_(policy_faults_deinit) PolicyFaults faults = {};
        _cleanup_(policy_freep) Policy *p = NULL;
        bool json = false;
        int r;

        r = parse_file_operand("policy lint", argc, argv, &json);
        if (r == 0)
                r = parse_file(argv[0], &p, &faults);
        if (r == 0)
                r = json ? lint_write_json(p, &faults) : lint_tell(argv[0], p, &faults);
        if (r)
                return r;
        return p ? EXIT_DONE : EXIT_VERIFY;
}

const Command policy_lint_command = {
        .name = "policy lint",
        .summary = "check a policy document",
        .help = "Usage: hsmctl policy lint FILE\n"
                "\n"
                "Prints every fault of the document as FILE:LINE:COLUMN: TEXT.\n"
                "\n"
                "  --json  {\"valid\"[,\"serial\",\"sha256\"],\"faults\":[{\"line\",\"column\",\"text\"}]}\n"
                "\n"
                "Exits with 3 if there are faults.\n",
        .run = policy_lint_run,
};

static int trust_write_json(Blob trust)
{
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;
        JsonWriter w;
        int r;

        jsonw_init(&w, &out);
        jsonw_object(&w);
        jsonw_name(&w, "trust");
        jsonw_string_n(&w, (const char *)trust.data, trust.size);
        jsonw_object_end(&w);
        r = jsonw_finish(&w);
        if (r)
                return report_errno(r);
        (void)printf("%s\n", (char *)out.data);
        return 0;
}

static int policy_trust_run(int argc, char **argv)
{
        _cleanup_(policy_faults_deinit) PolicyFaults faults = {};
        _cleanup_(buffer_deinit) Buffer trust = BUFFER_NULL;
        _cleanup_(policy_freep) Policy *p = NULL;
        bool json = false;
        int r;

        r = parse_file_operand("policy trust", argc, argv, &json);
        if (r == 0)
                r = parse_file(argv[0], &p, &faults);
        if (r)
                return r;
        if (!p)
                return report_failure(EXIT_VERIFY, "policy-invalid",
                                      "%s:%u:%u: %s (see `hsmctl policy lint`)", argv[0],
                                      faults.items[0].line, faults.items[0].column, faults.items[0].text);
        r = trust_write(p, &trust);
        if (r)
                return report_errno(r);
        if (json)
                return trust_write_json(buffer_blob(&trust));
        (void)fwrite(trust.data, 1, trust.size, stdout);
        return 0;
}

const Command policy_trust_command = {
        .name = "policy trust",
        .summary = "make the trust file for customers from a policy document",
        .help = "Usage: hsmctl policy trust FILE\n"
                "\n"
                "Prints the log key and the public keys of the policy, for `hsmctl verify --trust`.\n"
                "\n"
                "  --json  {\"trust\"}\n"
                "\n"
                "Exits with 3 if the policy has faults.\n",
        .run = policy_trust_run,
};

/* ---- show and key list: from the daemon ---- */

typedef struct Shown {
        Hsmctl *h;
        Policy *policy;
        const SJson *reply;
        const char *document;
        OptionsCommon common;
} Shown;

static void shown_deinit(Shown *s)
{
        s->policy = policy_free(s->policy);
        s->h = hsmctl_free(s->h);
}

static int shown_load(Shown *s)
{
        _cleanup_(policy_faults_deinit) PolicyFaults faults = {};
        bool more;
        int r;

        r = hsmctl_new(&s->h,
                       s->common.socket ? s->common.socket : hsmctl_socket_path(HSMCTL_SOCKET_OFFICER),
                       s->common.timeout_usec);
        if (r == 0)
                r = hsmctl_call(s->h, "org.hsmd.Policy.Show", "{}", NULL, 0, false);
        if (r == 0)
                r = hsmctl_receive(s->h, &more);
        if (r)
                return report_call(s->h, r);
        s->reply = hsmctl_parameters(s->h);
        s->document = member_string(s->reply, "document", NULL);
        if (!s->document)
                return report_failure(EXIT_FAULT, "reply-syntax", "the reply has no policy document");
        r = policy_parse(&s->policy, BLOB_STRING(s->document), &faults);
        if (r < 0)
                return report_errno(r);
        if (r > 0)
                return report_failure(
                        EXIT_FAULT, "reply-syntax",
                        "the policy in force is not one that this program understands: line %u: %s",
                        faults.items[0].line, faults.items[0].text);
        return 0;
}

static void table_cell_formats(Table *t, const PolicyKey *key)
{
        char text[256] = "";

        for (int f = 0; f < _FORMAT_MAX; f++)
                if (key->formats & (1U << f)) {
                        size_t used = strlen(text);

                        (void)snprintf(text + used, sizeof(text) - used, "%s%s", used ? "," : "",
                                       signature_format_to_string((SignatureFormat)f));
                }
        table_cell(t, text);
}

static bool release_has_key(const PolicyRelease *release, size_t key)
{
        for (size_t i = 0; i < release->n_keys; i++)
                if (release->keys[i] == key)
                        return true;
        return false;
}

static void table_cell_releases(Table *t, const Policy *p, size_t key)
{
        _cleanup_(buffer_deinit) Buffer text = BUFFER_NULL;
        int r = 0;

        for (size_t i = 0; i < p->n_releases && r == 0; i++)
                if (release_has_key(&p->releases[i], key))
                        r = buffer_printf(&text, "%s%s", text.size ? "," : "", p->releases[i].name);
        table_cell(t, r == 0 && text.data ? (const char *)text.data : "-");
}

static int keys_print(const Policy *p)
{
        static const char *const titles[] = {"KEY", "ALGORITHM", "FORMATS", "RELEASES", "SPKI SHA256"};
        _cleanup_(table_deinit) Table t;
        char hex[2 * SHA256_SIZE + 1];
        int r;

        table_init(&t, ARRAY_SIZE(titles));
        for (size_t i = 0; i < ARRAY_SIZE(titles); i++)
                table_cell(&t, titles[i]);
        for (size_t i = 0; i < p->n_keys; i++) {
                table_cell(&t, p->keys[i].name);
                table_cell(&t, key_type_to_string(p->keys[i].type));
                table_cell_formats(&t, &p->keys[i]);
                table_cell_releases(&t, p, i);
                hex_encode(hex, public_key_id(p->keys[i].public_key), SHA256_SIZE);
                table_cell(&t, hex);
        }
        r = table_write(&t, stdout);
        return r ? report_errno(r) : 0;
}

static void key_write_json(const Policy *p, size_t i, JsonWriter *w)
{
        const PolicyKey *key = &p->keys[i];

        jsonw_object(w);
        jsonw_member_string(w, "name", key->name);
        jsonw_member_string(w, "algorithm", key_type_to_string(key->type));
        jsonw_name(w, "formats");
        jsonw_array(w);
        for (int f = 0; f < _FORMAT_MAX; f++)
                if (key->formats & (1U << f))
                        jsonw_string(w, signature_format_to_string((SignatureFormat)f));
        jsonw_array_end(w);
        jsonw_name(w, "releases");
        jsonw_array(w);
        for (size_t k = 0; k < p->n_releases; k++)
                if (release_has_key(&p->releases[k], i))
                        jsonw_string(w, p->releases[k].name);
        jsonw_array_end(w);
        jsonw_member_hex(w, "spki_sha256", public_key_id(key->public_key), SHA256_SIZE);
        jsonw_object_end(w);
}

static int keys_write_json(const Policy *p)
{
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;
        JsonWriter w;
        int r;

        jsonw_init(&w, &out);
        jsonw_object(&w);
        jsonw_name(&w, "keys");
        jsonw_array(&w);
        for (size_t i = 0; i < p->n_keys; i++)
                key_write_json(p, i, &w);
        jsonw_array_end(&w);
        jsonw_object_end(&w);
        r = jsonw_finish(&w);
        if (r)
                return report_errno(r);
        (void)printf("%s\n", (char *)out.data);
        return 0;
}

static int key_list_run(int argc, char **argv)
{
        _cleanup_(shown_deinit) Shown s = {.common = OPTIONS_COMMON_DEFAULT};
        Option options[] = {OPTIONS_COMMON(&s.common)};
        size_t n;
        int r;

        if (options_parse("key list", options, ARRAY_SIZE(options), argc, argv, &n) != 0)
                return EXIT_USAGE;
        report_set_json(s.common.json);
        if (n > 0)
                return report_usage("key list", "unexpected: %s", argv[0]);
        r = shown_load(&s);
        if (r)
                return r;
        return s.common.json ? keys_write_json(s.policy) : keys_print(s.policy);
}

const Command key_list_command = {
        .name = "key list",
        .summary = "list the signing keys of the policy in force",
        .help = "Usage: hsmctl key list [OPTION...]\n"
                "\n"
                "  --socket PATH      /run/hsmd/officer.sock, or $HSMCTL_OFFICER_SOCKET\n"
                "  --timeout SECONDS  how long to wait for the answer (120)\n"
                "  --json             "
                "{\"keys\":[{\"name\",\"algorithm\",\"formats\",\"releases\",\"spki_sha256\"}]}\n",
        .run = key_list_run,
};

static int show_tell(const Shown *s)
{
        const Policy *p = s->policy;

        text_printf(stdout, "serial     %llu\n", (unsigned long long)p->serial);
        text_printf(stdout, "sha256     %s\n", member_string(s->reply, "sha256", "-"));
        text_printf(stdout, "effective  %s\n", member_string(s->reply, "effective", "-"));
        text_printf(stdout, "expires    %s\n", member_string(s->reply, "expires", "-"));
        text_printf(stdout, "log        %s\n", p->origin);
        for (size_t i = 0; i < p->n_orgs; i++)
                text_printf(stdout, "%s%s (%s)%s", i ? ", " : "orgs       ", p->orgs[i].name,
                            org_class_to_string(p->orgs[i].class), i + 1 == p->n_orgs ? "\n" : "");
        for (size_t i = 0; i < p->n_releases; i++)
                text_printf(stdout, "%s%s%s", i ? ", " : "releases   ", p->releases[i].name,
                            i + 1 == p->n_releases ? "\n" : "");
        (void)fputc('\n', stdout);
        return keys_print(p);
}

static int policy_show_run(int argc, char **argv)
{
        _cleanup_(shown_deinit) Shown s = {.common = OPTIONS_COMMON_DEFAULT};
        bool document = false;
        Option options[] = {
                {.name = "document", .kind = OPTION_FLAG, .ret = &document},
                OPTIONS_COMMON(&s.common),
        };
        const char *text;
        size_t n;
        int r;

        if (options_parse("policy show", options, ARRAY_SIZE(options), argc, argv, &n) != 0)
                return EXIT_USAGE;
        report_set_json(s.common.json);
        if (n > 0 || (document && s.common.json))
                return report_usage("policy show", "unexpected: %s",
                                    n > 0 ? argv[0] : "--document with --json");
        r = shown_load(&s);
        if (r)
                return r;
        if (document) {
                (void)fputs(s.document, stdout); /* a policy is printable ASCII, or it had not been parsed */
                return 0;
        }
        if (!s.common.json)
                return show_tell(&s);
        r = hsmctl_text(s.h, &text, NULL);
        if (r)
                return report_errno(r);
        (void)printf("%s\n", text);
        return 0;
}

const Command policy_show_command = {
        .name = "policy show",
        .summary = "show the policy in force",
        .help = "Usage: hsmctl policy show [OPTION...]\n"
                "\n"
                "  --document         print the exact bytes of the document\n"
                "  --socket PATH      /run/hsmd/officer.sock, or $HSMCTL_OFFICER_SOCKET\n"
                "  --timeout SECONDS  how long to wait for the answer (120)\n"
                "  --json             {\"serial\",\"sha256\",\"effective\",\"expires\",\"document\"}\n",
        .run = policy_show_run,
};
