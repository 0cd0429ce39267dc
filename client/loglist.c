/* SPDX-License-Identifier: Apache-2.0 */
#include <pwd.h>
#include <stdio.h>

#include "base/decimal.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/jsonw.h"
#include "base/timestamp.h"

#include "client/artifact.h"
#include "client/command.h"
#include "client/libhsmctl.h"
#include "client/member.h"
#include "client/options.h"
#include "client/report.h"
#include "client/table.h"

/* Entries asked for at once. */
#define LIST_PAGE    500
#define LIST_DEFAULT 20

#define TYPE_PREFIX "hsmd/"
#define TYPE_SUFFIX "@v1"

typedef struct List {
        const char *type, *key, *artifact, *requester;
        uint64_t since_usec, until_usec, limit;
        bool all;
        OptionsCommon common;

        char artifact_hex[2 * SHA256_SIZE + 1];
        uint64_t uid;
        Hsmctl *h;
        Buffer json_text;
        JsonWriter w;
} List;

static void list_deinit(List *l)
{
        l->h = hsmctl_free(l->h);
        buffer_deinit(&l->json_text);
}

/* A SHA-256, or a file that has it. */
static int list_read_artifact(List *l)
{
        _cleanup_(close_fdp) int fd = -1;
        uint8_t digest[SHA256_SIZE];
        Digests digests;
        int r;

        if (hex_decode(digest, SHA256_SIZE, l->artifact, strlen(l->artifact)) == 0) {
                hex_encode(l->artifact_hex, digest, SHA256_SIZE);
                return 0;
        }
        r = artifact_open(&fd, l->artifact);
        if (r == 0)
                r = artifact_hash(fd, &digests, NULL);
        if (r)
                return report_failure(EXIT_FAULT, "unreadable",
                                      "%s: neither a SHA-256 nor a readable file: %s", l->artifact,
                                      artifact_strerror(r));
        hex_encode(l->artifact_hex, digests.sha256, SHA256_SIZE);
        return 0;
}

static int list_read_requester(List *l)
{
        struct passwd *pw;

        if (decimal_decode(&l->uid, l->requester, strlen(l->requester), UINT32_MAX) == 0)
                return 0;
        pw = getpwnam(l->requester);
        if (!pw)
                return report_usage("log list", "--requester: no user %s here", l->requester);
        l->uid = pw->pw_uid;
        return 0;
}

/* "signature" is short for "hsmd/signature@v1". */
static void write_type(JsonWriter *w, const char *type)
{
        char full[128];

        (void)snprintf(full, sizeof(full), TYPE_PREFIX "%s" TYPE_SUFFIX, type);
        jsonw_member_string(w, "type", strchr(type, '/') ? type : full);
}

static void write_time(JsonWriter *w, const char *name, uint64_t usec)
{
        char text[TIMESTAMP_SIZE];

        if (usec == 0)
                return;
        timestamp_encode(text, usec);
        jsonw_member_string(w, name, text);
}

static int list_write_call(const List *l, bool has_before, uint64_t before, uint64_t n, Buffer *out)
{
        JsonWriter w;

        jsonw_init(&w, out);
        jsonw_object(&w);
        if (l->type)
                write_type(&w, l->type);
        if (l->key)
                jsonw_member_string(&w, "key", l->key);
        if (l->artifact)
                jsonw_member_string(&w, "artifact", l->artifact_hex);
        if (l->requester)
                jsonw_member_u64(&w, "requester", l->uid);
        write_time(&w, "since", l->since_usec);
        write_time(&w, "until", l->until_usec);
        if (has_before)
                jsonw_member_u64(&w, "before", before);
        jsonw_member_u64(&w, "limit", n);
        jsonw_object_end(&w);
        return jsonw_finish(&w);
}

/* What an entry is about, whatever its type. */
static void cell_subject(Table *t, const SJson *entry)
{
        const SJson *artifact = member_object(entry, "artifact");
        const SJson *subjects = member_object(entry, "subjects"), *first = member_object(subjects, "first");
        uint64_t n = member_u64(subjects, "n", 0);

        if (artifact)
                table_cell(t, member_string(artifact, "name", "-"));
        else if (first && n > 1)
                table_cellf(t, "%s and %llu more", member_string(first, "name", "-"),
                            (unsigned long long)n - 1);
        else
                table_cell(t, member_string(first, "name", member_string(entry, "origin", "-")));
}

static void cell_key(Table *t, const SJson *entry)
{
        table_cell(t, member_string(member_object(entry, "key"), "name", member_string(entry, "key", "-")));
}

static void cell_requester(Table *t, const SJson *entry)
{
        const SJson *who = member_object(entry, "requester");
        uint64_t uid;

        who = who ? who : member_object(entry, "submitter");
        uid = member_u64(who, "uid", UINT64_MAX);
        if (uid == UINT64_MAX)
                table_cell(t, "-");
        else if (member_string(who, "name", NULL))
                table_cellf(t, "%s (%llu)", member_string(who, "name", NULL), (unsigned long long)uid);
        else
                table_cellf(t, "%llu", (unsigned long long)uid);
}

static void cell_type(Table *t, const SJson *entry)
{
        const char *type = member_string(entry, "type", "-");
        size_t size = strlen(type);

        if (strncmp(type, TYPE_PREFIX, strlen(TYPE_PREFIX)) == 0) {
                type += strlen(TYPE_PREFIX);
                size -= strlen(TYPE_PREFIX);
        }
        if (size > 3 && strcmp(type + size - 3, TYPE_SUFFIX) == 0)
                size -= 3;
        table_cellf(t, "%.*s", (int)size, type);
}

static void add_row(Table *t, const SJson *item)
{
        const SJson *entry = member_object(item, "entry");
        char time[TIMESTAMP_SIZE];

        (void)snprintf(time, sizeof(time), "%s", member_string(entry, "time", "-"));
        if (strlen(time) > 20) /* people do not need the microseconds */
                (void)snprintf(time + 19, sizeof(time) - 19, "Z");
        table_cellf(t, "%llu", (unsigned long long)member_u64(item, "index", 0));
        table_cell(t, time);
        cell_type(t, entry);
        cell_key(t, entry);
        cell_requester(t, entry);
        cell_subject(t, entry);
        table_cell(t, member_string(entry, "reason", ""));
}

static int list_print(const SJson *entries, bool header)
{
        static const char *const titles[] = {"INDEX", "TIME", "TYPE", "KEY", "REQUESTER", "ABOUT", "REASON"};
        _cleanup_(table_deinit) Table t;
        int r;

        table_init(&t, ARRAY_SIZE(titles));
        for (size_t i = 0; i < ARRAY_SIZE(titles) && header; i++)
                table_cell(&t, titles[i]);
        for (size_t i = 0; i < sjson_size(entries); i++)
                add_row(&t, sjson_at(entries, i));
        r = table_write(&t, stdout);
        return r ? report_errno(r) : 0;
}

static int list_print_json(List *l, const SJson *entries)
{
        int r;

        for (size_t i = 0; i < sjson_size(entries); i++) {
                _cleanup_(buffer_deinit) Buffer text = BUFFER_NULL;

                r = sjson_dump(sjson_at(entries, i), &text);
                if (r)
                        return report_errno(r);
                jsonw_raw(&l->w, text.data, text.size);
        }
        /* Page by page, so that memory does not grow with the log. */
        (void)fwrite(l->json_text.data, 1, l->json_text.size, stdout);
        buffer_clear(&l->json_text);
        return 0;
}

/* One page; *before and *left go on, and *left becomes 0 at the end. */
static int list_page(List *l, bool first, uint64_t *before, uint64_t *left)
{
        _cleanup_(buffer_deinit) Buffer call = BUFFER_NULL;
        const SJson *reply, *entries;
        bool more;
        int r;

        r = list_write_call(l, !first, *before, *left < LIST_PAGE ? *left : LIST_PAGE, &call);
        if (r)
                return report_errno(r);
        r = hsmctl_call(l->h, "org.hsmd.Journal.List", (const char *)call.data, NULL, 0, false);
        if (r == 0)
                r = hsmctl_receive(l->h, &more);
        if (r)
                return report_call(l->h, r);
        reply = hsmctl_parameters(l->h);
        entries = member_array(reply, "entries");
        if (more || !entries || sjson_size(entries) > *left)
                return report_failure(EXIT_FAULT, "reply-syntax", "the reply is not a list of entries");
        r = l->common.json ? list_print_json(l, entries) : list_print(entries, first);
        if (r)
                return r;

        *left -= sjson_size(entries);
        if (!member_exists(reply, "next"))
                *left = 0;
        else if (!first && member_u64(reply, "next", 0) >= *before)
                return report_failure(EXIT_FAULT, "reply-syntax", "the list does not get on");
        *before = member_u64(reply, "next", 0);
        return 0;
}

static int list_run(List *l)
{
        uint64_t before = 0, left = l->all ? UINT64_MAX : l->limit;
        int r;

        r = hsmctl_new(&l->h, l->common.socket ? l->common.socket : hsmctl_socket_path(HSMCTL_SOCKET_AUDIT),
                       l->common.timeout_usec);
        if (r)
                return report_call(l->h, r);
        jsonw_init(&l->w, &l->json_text);
        jsonw_object(&l->w);
        jsonw_name(&l->w, "entries");
        jsonw_array(&l->w);
        report_set_json(false); /* the one object carries failures too */
        for (bool first = true; left > 0 && r == 0; first = false)
                r = list_page(l, first, &before, &left);
        if (!l->common.json)
                return r;

        jsonw_array_end(&l->w);
        jsonw_member_bool(&l->w, "complete", r == 0);
        if (r)
                report_write_last(&l->w);
        jsonw_object_end(&l->w);
        if (jsonw_finish(&l->w) != 0)
                return report_errno(l->w.error);
        (void)printf("%s\n", (char *)l->json_text.data);
        return r;
}

static int log_list_run(int argc, char **argv)
{
        _cleanup_(list_deinit) List l = {.limit = LIST_DEFAULT, .common = OPTIONS_COMMON_DEFAULT};
        Option options[] = {
                {.name = "type", .kind = OPTION_STRING, .ret = &l.type},
                {.name = "key", .kind = OPTION_STRING, .ret = &l.key},
                {.name = "artifact", .kind = OPTION_STRING, .ret = &l.artifact},
                {.name = "requester", .kind = OPTION_STRING, .ret = &l.requester},
                {.name = "since", .kind = OPTION_TIMESTAMP, .ret = &l.since_usec},
                {.name = "until", .kind = OPTION_TIMESTAMP, .ret = &l.until_usec},
                {.name = "limit", .kind = OPTION_U64, .ret = &l.limit},
                {.name = "all", .kind = OPTION_FLAG, .ret = &l.all},
                OPTIONS_COMMON(&l.common),
        };
        size_t n;
        int r = 0;

        if (options_parse("log list", options, ARRAY_SIZE(options), argc, argv, &n) != 0)
                return EXIT_USAGE;
        report_set_json(l.common.json);
        if (n > 0)
                return report_usage("log list", "unexpected: %s", argv[0]);
        if (l.artifact)
                r = list_read_artifact(&l);
        if (r == 0 && l.requester)
                r = list_read_requester(&l);
        return r ? r : list_run(&l);
}

const Command log_list_command = {
        .name = "log list",
        .summary = "list journal entries, newest first",
        .help = "Usage: hsmctl log list [OPTION...]\n"
                "\n"
                "  --type TYPE        signature, attestation, refusal, abandoned, genesis\n"
                "  --key NAME         about this signing key\n"
                "  --artifact A       about this artifact: its SHA-256, or a file that has it\n"
                "  --requester WHO    by this user: a uid, or a name known here\n"
                "  --since TIME       not older; like 2026-01-31T12:00:00Z\n"
                "  --until TIME       older\n"
                "  --limit N          at most so many (20)\n"
                "  --all              all of them\n"
                "  --socket PATH      /run/hsmd/audit.sock, or $HSMCTL_AUDIT_SOCKET\n"
                "  --timeout SECONDS  how long to wait for each answer (120)\n"
                "  --json             {\"entries\":[{\"index\",\"entry\"}],\"complete\"[,\"error\"]}\n",
        .run = log_list_run,
};
