/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/sjson.h"
#include "base/timestamp.h"

#include "client/command.h"
#include "client/libhsmctl.h"
#include "client/member.h"
#include "client/options.h"
#include "client/report.h"
#include "client/text.h"

static unsigned long long number(const SJson *object, const char *name)
{
        return (unsigned long long)member_u64(object, name, 0);
}

/* ---- for people ---- */

/* "STATE: MESSAGE", without the colon where there is nothing to say. */
static void tell_state(const SJson *object)
{
        const char *message = member_string(object, "message", "");

        text_printf(stdout, "%s%s%s\n", member_string(object, "state", "-"), *message ? ": " : "", message);
}

static void tell_latency(const SJson *reply, const char *name, const char *title)
{
        const SJson *l = member_object(reply, name);

        text_printf(stdout, "  %-12s p50 %.3f ms, p99 %.3f ms, max %.3f ms\n", title,
                    member_number(l, "p50", 0) / 1000, member_number(l, "p99", 0) / 1000,
                    member_number(l, "max", 0) / 1000);
}

static void tell_token(const SJson *token)
{
        const SJson *workers = member_array(token, "workers");

        text_printf(stdout, "token      ");
        tell_state(token);
        text_printf(stdout, "           %s, %s %s, serial %s\n", member_string(token, "label", "-"),
                    member_string(token, "manufacturer", "-"), member_string(token, "model", "-"),
                    member_string(token, "serial", "-"));
        for (size_t i = 0; workers && i < sjson_size(workers); i++) {
                const SJson *w = sjson_at(workers, i);

                text_printf(stdout, "  worker %-3zu %s, %llu signatures, %llu under way, %llu restarts\n", i,
                            member_string(w, "state", "-"), number(w, "signatures"), number(w, "inflight"),
                            number(w, "restarts"));
        }
}

static void tell_counters(const SJson *c)
{
        text_printf(stdout, "since start\n");
        text_printf(stdout, "  artifacts    %llu signed, %llu repeated, %llu refused, %llu failed\n",
                    number(c, "signed"), number(c, "repeated"), number(c, "refused"), number(c, "failed"));
        text_printf(stdout, "  journal      %llu attestations, %llu abandoned\n", number(c, "attestations"),
                    number(c, "abandoned"));
        text_printf(stdout, "now\n");
        text_printf(stdout, "  load         %llu queued, %llu peers, %.1f signatures/s, %.1f refusals/s\n",
                    number(c, "queued"), number(c, "peers"), member_number(c, "signaturesPerSecond", 0),
                    member_number(c, "refusalsPerSecond", 0));
}

static void status_tell(const SJson *reply)
{
        const SJson *journal = member_object(reply, "journal"), *policy = member_object(reply, "policy");

        text_printf(stdout, "hsmd %s  ", member_string(reply, "version", "-"));
        tell_state(reply);
        text_printf(stdout, "site       %s, started %s, %llu KiB\n", member_string(reply, "site", "-"),
                    member_string(reply, "startTime", "-"), number(reply, "memoryKiB"));
        tell_token(member_object(reply, "token"));
        text_printf(
                stdout, "journal    %s: %llu entries, %llu published, %llu open intents, checkpoint %s\n",
                member_string(journal, "origin", "-"), number(journal, "size"), number(journal, "published"),
                number(journal, "openIntents"), member_string(journal, "checkpointTime", "-"));
        text_printf(stdout, "policy     serial %llu, expires %s, sha256 %s\n", number(policy, "serial"),
                    member_string(policy, "expires", "-"), member_string(policy, "sha256", "-"));
        tell_counters(member_object(reply, "counters"));
        tell_latency(reply, "request", "request");
        tell_latency(reply, "sign", "token");
        tell_latency(reply, "commit", "commit");
}

/* ---- for monitoring ---- */

typedef enum MetricKind { METRIC_GAUGE, METRIC_COUNTER, METRIC_TIME } MetricKind;

/* object.member of the reply as one sample. */
static const struct Metric {
        const char *object; /* NULL: the reply itself */
        const char *member;
        const char *name;
        const char *unit; /* OpenMetrics: the name ends in it; NULL: none */
        MetricKind kind;
        double scale;
        const char *help;
} metrics[] = {
        {NULL, "memoryKiB", "hsmd_memory_bytes", "bytes", METRIC_GAUGE, 1024, "Resident memory."},
        {NULL, "startTime", "hsmd_start_time_seconds", "seconds", METRIC_TIME, 1, "When hsmd started."},
        {"counters", "signed", "hsmd_signed_artifacts", NULL, METRIC_COUNTER, 1, "Artifacts signed."},
        {"counters", "repeated", "hsmd_repeated_artifacts", NULL, METRIC_COUNTER, 1,
         "Artifacts answered with an earlier signature."},
        {"counters", "refused", "hsmd_refused_artifacts", NULL, METRIC_COUNTER, 1, "Artifacts refused."},
        {"counters", "failed", "hsmd_failed_artifacts", NULL, METRIC_COUNTER, 1, "Artifacts that failed."},
        {"counters", "abandoned", "hsmd_abandoned_intents", NULL, METRIC_COUNTER, 1, "Intents abandoned."},
        {"counters", "attestations", "hsmd_attestations", NULL, METRIC_COUNTER, 1, "Attestations accepted."},
        {"counters", "queued", "hsmd_queued_artifacts", NULL, METRIC_GAUGE, 1, "Artifacts that wait now."},
        {"counters", "peers", "hsmd_peers", NULL, METRIC_GAUGE, 1, "Connections now."},
        {"counters", "signaturesPerSecond", "hsmd_signatures_per_second", NULL, METRIC_GAUGE, 1,
         "Rate over the last minute."},
        {"counters", "refusalsPerSecond", "hsmd_refusals_per_second", NULL, METRIC_GAUGE, 1,
         "Rate over the last minute."},
        {"journal", "size", "hsmd_journal_entries", NULL, METRIC_GAUGE, 1, "Entries in the journal."},
        {"journal", "published", "hsmd_journal_published_entries", NULL, METRIC_GAUGE, 1,
         "Entries under the last published checkpoint."},
        {"journal", "openIntents", "hsmd_journal_open_intents", NULL, METRIC_GAUGE, 1,
         "Intents without entry."},
        {"journal", "checkpointTime", "hsmd_journal_checkpoint_time_seconds", "seconds", METRIC_TIME, 1,
         "When the last checkpoint was published."},
        {"policy", "serial", "hsmd_policy_serial", NULL, METRIC_GAUGE, 1, "Serial of the policy in force."},
        {"policy", "expires", "hsmd_policy_expiry_time_seconds", "seconds", METRIC_TIME, 1,
         "When the policy expires."},
};

static void metric_head(const char *name, const char *type, const char *unit, const char *help)
{
        (void)printf("# TYPE %s %s\n", name, type);
        if (unit)
                (void)printf("# UNIT %s %s\n", name, unit);
        (void)printf("# HELP %s %s\n", name, help);
}

static void metric_write(const struct Metric *m, const SJson *reply)
{
        const SJson *object = m->object ? member_object(reply, m->object) : reply;
        const char *text;
        uint64_t usec;

        /* What the daemon did not say is no sample, which is not the same as zero. */
        if (!object || !member_exists(object, m->member))
                return;
        if (m->kind == METRIC_TIME) {
                text = member_string(object, m->member, "");
                if (timestamp_decode(&usec, text, strlen(text)) != 0)
                        return;
                metric_head(m->name, "gauge", m->unit, m->help);
                (void)printf("%s %llu.%06llu\n", m->name, (unsigned long long)(usec / 1000000),
                             (unsigned long long)(usec % 1000000));
                return;
        }
        metric_head(m->name, m->kind == METRIC_COUNTER ? "counter" : "gauge", m->unit, m->help);
        (void)printf("%s%s %.15g\n", m->name, m->kind == METRIC_COUNTER ? "_total" : "",
                     member_number(object, m->member, 0) * m->scale);
}

/* One sample for each state, of which the current one is 1 (OpenMetrics: StateSet). */
static void metric_write_state(const char *name, const char *help, const char *const *states,
                               const char *state)
{
        metric_head(name, "stateset", NULL, help);
        for (; *states; states++)
                (void)printf("%s{%s=\"%s\"} %d\n", name, name, *states, strcmp(state, *states) == 0);
}

static void metric_write_latencies(const SJson *reply)
{
        static const char *const steps[] = {"request", "sign", "commit"};
        static const char *const quantiles[][2] = {{"p50", "0.5"}, {"p99", "0.99"}, {"max", "1"}};
        const char *name = "hsmd_latency_seconds";

        metric_head(name, "summary", "seconds", "Over the last 1024 of each step.");
        for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
                for (size_t k = 0; k < ARRAY_SIZE(quantiles); k++)
                        (void)printf(
                                "%s{step=\"%s\",quantile=\"%s\"} %.6f\n", name, steps[i], quantiles[k][1],
                                member_number(member_object(reply, steps[i]), quantiles[k][0], 0) / 1e6);
}

static void metric_write_workers(const SJson *reply)
{
        static const struct {
                const char *member, *name, *help;
                bool counter;
        } of_worker[] = {
                {"signatures", "hsmd_worker_signatures", "Signatures made.", true},
                {"restarts", "hsmd_worker_restarts", "Times a worker was replaced.", true},
                {"inflight", "hsmd_worker_inflight", "Operations under way.", false},
        };
        const SJson *workers = member_array(member_object(reply, "token"), "workers");

        for (size_t k = 0; workers && k < ARRAY_SIZE(of_worker); k++) {
                metric_head(of_worker[k].name, of_worker[k].counter ? "counter" : "gauge", NULL,
                            of_worker[k].help);
                for (size_t i = 0; i < sjson_size(workers); i++)
                        (void)printf("%s%s{worker=\"%zu\"} %llu\n", of_worker[k].name,
                                     of_worker[k].counter ? "_total" : "", i,
                                     number(sjson_at(workers, i), of_worker[k].member));
        }
}

static void status_write_metrics(const SJson *reply)
{
        static const char *const states[] = {"ok", "degraded", NULL};
        static const char *const token_states[] = {"ready", "degraded", "down", NULL};

        metric_write_state("hsmd_state", "How hsmd is doing.", states, member_string(reply, "state", ""));
        metric_write_state("hsmd_token_state", "How the token is doing.", token_states,
                           member_string(member_object(reply, "token"), "state", ""));
        for (size_t i = 0; i < ARRAY_SIZE(metrics); i++)
                metric_write(&metrics[i], reply);
        metric_write_latencies(reply);
        metric_write_workers(reply);
        (void)printf("# EOF\n");
}

/* ---- the command ---- */

/* Every socket answers; this user may have access to any of them. */
static int status_connect(Hsmctl **ret, const OptionsCommon *common)
{
        static const HsmctlSocket order[] = {HSMCTL_SOCKET_AUDIT, HSMCTL_SOCKET_OFFICER, HSMCTL_SOCKET_SIGN};
        Hsmctl *h = NULL;
        int r = 0;

        if (common->socket)
                return hsmctl_new(ret, common->socket, common->timeout_usec);
        for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
                h = hsmctl_free(h);
                r = hsmctl_new(&h, hsmctl_socket_path(order[i]), common->timeout_usec);
                if (r != HSMCTL_E_DENIED && r != HSMCTL_E_UNREACHABLE)
                        break;
        }
        *ret = h;
        return r;
}

static int status_print(Hsmctl *h, bool json, bool openmetrics)
{
        const char *text;
        int r;

        if (json) {
                r = hsmctl_text(h, &text, NULL);
                if (r)
                        return report_errno(r);
                (void)printf("%s\n", text);
        } else if (openmetrics) {
                status_write_metrics(hsmctl_parameters(h));
        } else {
                status_tell(hsmctl_parameters(h));
        }
        return 0;
}

static int status_run(int argc, char **argv)
{
        OptionsCommon common = OPTIONS_COMMON_DEFAULT;
        bool openmetrics = false, more;
        Option options[] = {
                {.name = "openmetrics", .kind = OPTION_FLAG, .ret = &openmetrics},
                OPTIONS_COMMON(&common),
        };
        Hsmctl *h = NULL;
        size_t n;
        int r;

        if (options_parse("status", options, ARRAY_SIZE(options), argc, argv, &n) != 0)
                return EXIT_USAGE;
        report_set_json(common.json);
        if (n > 0)
                return report_usage("status", "unexpected: %s", argv[0]);
        if (openmetrics && common.json)
                return report_usage("status", "--json and --openmetrics exclude each other");
        r = status_connect(&h, &common);
        if (r == 0)
                r = hsmctl_call(h, "org.hsmd.Status.Get", "{}", NULL, 0, false);
        if (r == 0)
                r = hsmctl_receive(h, &more);
        r = r ? report_call(h, r) : status_print(h, common.json, openmetrics);
        (void)hsmctl_free(h); /* returns NULL always */
        return r;
}

const Command status_command = {
        .name = "status",
        .summary = "how hsmd is doing",
        .help = "Usage: hsmctl status [OPTION...]\n"
                "\n"
                "  --openmetrics      OpenMetrics text, for monitoring\n"
                "  --socket PATH      the first of audit.sock, officer.sock and sign.sock in /run/hsmd (or\n"
                "                     $HSMCTL_AUDIT_SOCKET and so on) that this user may use\n"
                "  --timeout SECONDS  how long to wait for the answer (120)\n"
                "  --json             the reply of org.hsmd.Status.Get\n",
        .run = status_run,
};
