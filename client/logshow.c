/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/decimal.h"
#include "base/error.h"

#include "client/command.h"
#include "client/libhsmctl.h"
#include "client/member.h"
#include "client/options.h"
#include "client/report.h"
#include "client/text.h"

/* Index of the newest entry. */
static int show_last(Hsmctl *h, uint64_t *ret)
{
        uint64_t size;
        bool more;
        int r;

        r = hsmctl_call(h, "org.hsmd.Journal.List", "{\"limit\":1}", NULL, 0, false);
        if (r == 0)
                r = hsmctl_receive(h, &more);
        if (r)
                return report_call(h, r);
        size = member_u64(hsmctl_parameters(h), "size", 0);
        if (size == 0)
                return report_failure(EXIT_REFUSED, "no-such-entry", "the journal is empty");
        *ret = size - 1;
        return 0;
}

static int show_print(Hsmctl *h, bool json)
{
        _cleanup_(buffer_deinit) Buffer entry = BUFFER_NULL;
        const SJson *reply = hsmctl_parameters(h);
        const char *text;
        int r;

        if (!member_object(reply, "entry"))
                return report_failure(EXIT_FAULT, "reply-syntax", "the reply has no entry");
        if (json) {
                r = hsmctl_text(h, &text, NULL);
                if (r)
                        return report_errno(r);
                (void)printf("%s\n", text);
                return 0;
        }
        r = sjson_dump(member_object(reply, "entry"), &entry);
        if (r)
                return report_errno(r);
        (void)printf("entry %llu\n", (unsigned long long)member_u64(reply, "index", 0));
        text_write_json(stdout, (const char *)entry.data, entry.size, 2);
        text_printf(stdout, "signature %s\n", member_string(reply, "signature", "none"));
        (void)printf("proof\n");
        /* Escaped line by line: the line ends are its own. */
        for (const char *p = member_string(reply, "proof", ""); *p;) {
                size_t n = strcspn(p, "\n");

                text_printf(stdout, "  %.*s\n", (int)n, p);
                p += n + (p[n] == '\n');
        }
        return 0;
}

static int show_run(Hsmctl *h, const char *which, bool json)
{
        _cleanup_(freep) char *parameters = NULL;
        uint64_t index = 0;
        bool more;
        int r;

        if (strcmp(which, "last") == 0)
                r = show_last(h, &index);
        else
                r = decimal_decode(&index, which, strlen(which), INT64_MAX) == 0
                            ? 0
                            : report_usage("log show", "expected an index or \"last\": %s", which);
        if (r)
                return r;
        r = string_printf(&parameters, "{\"index\":%llu}", (unsigned long long)index);
        if (r)
                return report_errno(r);
        r = hsmctl_call(h, "org.hsmd.Journal.Show", parameters, NULL, 0, false);
        if (r == 0)
                r = hsmctl_receive(h, &more);
        return r ? report_call(h, r) : show_print(h, json);
}

static int log_show_run(int argc, char **argv)
{
        OptionsCommon common = OPTIONS_COMMON_DEFAULT;
        Option options[] = {OPTIONS_COMMON(&common)};
        Hsmctl *h = NULL;
        size_t n;
        int r;

        if (options_parse("log show", options, ARRAY_SIZE(options), argc, argv, &n) != 0)
                return EXIT_USAGE;
        report_set_json(common.json);
        if (n != 1)
                return report_usage("log show", "expected one INDEX, or \"last\"");
        r = hsmctl_new(&h, common.socket ? common.socket : hsmctl_socket_path(HSMCTL_SOCKET_AUDIT),
                       common.timeout_usec);
        r = r ? report_call(h, r) : show_run(h, argv[0], common.json);
        (void)hsmctl_free(h); /* returns NULL always */
        return r;
}

const Command log_show_command = {
        .name = "log show",
        .summary = "show one journal entry, its signature and its proof",
        .help = "Usage: hsmctl log show [OPTION...] INDEX|last\n"
                "\n"
                "  --socket PATH      /run/hsmd/audit.sock, or $HSMCTL_AUDIT_SOCKET\n"
                "  --timeout SECONDS  how long to wait for the answer (120)\n"
                "  --json             {\"index\",\"entry\",\"bytes\"[,\"signature\"],\"proof\"}\n"
                "\n"
                "Exits with 1 if there is no such entry.\n",
        .run = log_show_run,
};
