/* SPDX-License-Identifier: Apache-2.0 */
/*
 * org.hsmd.Status and org.hsmd.Policy.
 */
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "base/timestamp.h"
#include "server/methods.h"

static const char *const token_states[] = {"down", "connecting", "ready"};

static void status_time(JsonWriter *w, const char *name, uint64_t usec)
{
        char text[TIMESTAMP_SIZE];

        timestamp_encode(text, usec);
        jsonw_member_string(w, name, text);
}

/* "ready" when every worker is up, "down" when none is. */
static const char *status_token_state(const Engine *e)
{
        unsigned up = 0;

        for (unsigned i = 0; i < e->config->workers; i++)
                up += tokens_state(e->tokens, i) == TOKEN_STATE_UP;
        return up == e->config->workers ? "ready" : up > 0 ? "degraded" : "down";
}

static void status_token(const Engine *e, JsonWriter *w)
{
        const TokenInfo *info = tokens_info(e->tokens);

        jsonw_name(w, "token");
        jsonw_object(w);
        jsonw_member_string(w, "state", status_token_state(e));
        jsonw_member_string(w, "message", info->message);
        jsonw_member_string(w, "label", info->label);
        jsonw_member_string(w, "manufacturer", info->manufacturer);
        jsonw_member_string(w, "model", info->model);
        jsonw_member_string(w, "serial", info->serial);
        jsonw_name(w, "workers");
        jsonw_array(w);
        for (unsigned i = 0; i < e->config->workers; i++) {
                jsonw_object(w);
                jsonw_member_string(w, "state", token_states[tokens_state(e->tokens, i)]);
                jsonw_member_u64(w, "restarts", tokens_restarts(e->tokens, i));
                jsonw_member_u64(w, "signatures", e->n_signatures[i]);
                jsonw_member_u64(w, "inflight", core_n_inflight(e->core, i));
                jsonw_object_end(w);
        }
        jsonw_array_end(w);
        jsonw_object_end(w);
}

static void status_counters(Server *s, JsonWriter *w)
{
        Engine *e = s->engine;
        Stats *stats = &e->stats;
        uint64_t now = loop_now(e->loop);

        jsonw_name(w, "counters");
        jsonw_object(w);
        jsonw_member_u64(w, "signed", stats->signed_);
        jsonw_member_u64(w, "repeated", stats->repeated);
        jsonw_member_u64(w, "refused", stats->refused);
        jsonw_member_u64(w, "failed", stats->failed);
        jsonw_member_u64(w, "abandoned", stats->abandoned);
        jsonw_member_u64(w, "attestations", stats->attestations);
        jsonw_member_u64(w, "queued", core_n_jobs(e->core));
        jsonw_member_u64(w, "peers", peers_n(s->peers));
        jsonw_name(w, "signaturesPerSecond");
        jsonw_fixed(w, stats_rate(&stats->signatures, now), 2);
        jsonw_name(w, "refusalsPerSecond");
        jsonw_fixed(w, stats_rate(&stats->refusals, now), 2);
        jsonw_object_end(w);
}

static void status_journal(const Engine *e, JsonWriter *w)
{
        jsonw_name(w, "journal");
        jsonw_object(w);
        jsonw_member_string(w, "origin", e->policy->origin);
        jsonw_member_u64(w, "size", journal_size(e->journal));
        jsonw_member_u64(w, "published", journal_published(e->journal));
        jsonw_member_u64(w, "openIntents", journal_n_intents(e->journal));
        /* The time of the newest entry, where this process has not published a checkpoint itself yet. */
        status_time(w, "checkpointTime",
                    e->checkpoint_usec > 0 ? e->checkpoint_usec : journal_time(e->journal));
        jsonw_object_end(w);
}

static void status_policy(const Engine *e, JsonWriter *w)
{
        jsonw_name(w, "policy");
        jsonw_object(w);
        jsonw_member_u64(w, "serial", e->policy->serial);
        jsonw_member_hex(w, "sha256", e->policy->sha256, SHA256_SIZE);
        status_time(w, "effective", e->policy->effective_usec);
        status_time(w, "expires", e->policy->expires_usec);
        jsonw_object_end(w);
}

static uint64_t status_memory_kib(void)
{
        unsigned long size, resident;
        FILE *f = fopen("/proc/self/statm", "re");
        int n;

        if (!f)
                return 0;
        n = fscanf(f, "%lu %lu", &size, &resident);
        (void)fclose(f); /* it was only read */
        return n == 2 ? resident * (unsigned long)sysconf(_SC_PAGESIZE) / 1024 : 0;
}

/* One word and one sentence for the operator: the worst that is true. */
static void status_verdict(const Engine *e, const char **ret_state, const char **ret_message)
{
        uint64_t now = engine_real_time();
        const char *token = status_token_state(e);

        *ret_state = "degraded";
        if (e->stopping)
                *ret_message = "stopping: what is under way is finished, nothing new is taken";
        else if (now >= e->policy->expires_usec)
                *ret_message = "the policy has expired: nothing is signed until the officers make a new one";
        else if (now < e->policy->effective_usec)
                *ret_message = "the policy is not in force yet";
        else if (token[0] == 'd' && token[1] == 'o')
                *ret_message = "the token is down: nothing can be signed (see token.message)";
        else if (token[0] == 'd')
                *ret_message = "some workers of the token are down (see token.message)";
        else {
                *ret_state = "ok";
                *ret_message = "";
        }
}

int method_status(Server *s, Peer *peer, const PeerCall *call)
{
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;
        const char *state, *message;
        Engine *e = s->engine;
        JsonWriter w;
        int r;

        if (call->parameters && sjson_size(call->parameters) > 0)
                return error_fold(method_invalid(peer, "parameters"));
        status_verdict(e, &state, &message);
        jsonw_init(&w, &out);
        jsonw_object(&w);
        jsonw_member_string(&w, "version", HSMD_VERSION);
        jsonw_member_string(&w, "state", state);
        jsonw_member_string(&w, "message", message);
        jsonw_member_string(&w, "site", e->policy->sites[e->site].name);
        status_time(&w, "startTime", e->start_real_usec);
        jsonw_member_u64(&w, "memoryKiB", status_memory_kib());
        status_token(e, &w);
        status_counters(s, &w);
        stats_latency_write(&e->stats.request, &w, "request");
        stats_latency_write(&e->stats.sign, &w, "sign");
        stats_latency_write(&e->stats.commit, &w, "commit");
        status_journal(e, &w);
        status_policy(e, &w);
        jsonw_object_end(&w);
        r = jsonw_finish(&w);
        return r != 0 ? error_fold(r) : error_fold(peer_reply(peer, buffer_blob(&out), false));
}

int method_policy_show(Server *s, Peer *peer, const PeerCall *call)
{
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;
        const Policy *p = s->engine->policy;
        JsonWriter w;
        int r;

        if (call->parameters && sjson_size(call->parameters) > 0)
                return error_fold(method_invalid(peer, "parameters"));
        jsonw_init(&w, &out);
        jsonw_object(&w);
        jsonw_member_u64(&w, "serial", p->serial);
        jsonw_member_hex(&w, "sha256", p->sha256, SHA256_SIZE);
        status_time(&w, "effective", p->effective_usec);
        status_time(&w, "expires", p->expires_usec);
        jsonw_name(&w, "document");
        jsonw_string_n(&w, p->bytes, p->size);
        jsonw_object_end(&w);
        r = jsonw_finish(&w);
        return r != 0 ? error_fold(r) : error_fold(peer_reply(peer, buffer_blob(&out), false));
}
