/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "base/error.h"
#include "base/hex.h"
#include "base/jsonw.h"
#include "base/limits.h"
#include "base/timestamp.h"
#include "journal/entry.h"

/* Contradicted attestations that an entry names; more would not tell anybody more. */
#define ENTRY_CONTRADICTS 16

/* ---- pieces that several types share ---- */

static void entry_put_time(JsonWriter *w, const char *name, uint64_t usec)
{
        char text[TIMESTAMP_SIZE];

        timestamp_encode(text, usec);
        jsonw_member_string(w, name, text);
}

static void entry_put_head(JsonWriter *w, const char *type, uint64_t time_usec)
{
        jsonw_object(w);
        jsonw_member_string(w, "type", type);
        entry_put_time(w, "time", time_usec);
}

static void entry_put_policy(JsonWriter *w, uint64_t serial, const uint8_t *hash)
{
        jsonw_name(w, "policy");
        jsonw_object(w);
        jsonw_member_u64(w, "serial", serial);
        jsonw_member_hex(w, "sha256", hash, SHA256_SIZE);
        jsonw_object_end(w);
}

static void entry_put_source(JsonWriter *w, const char *uri, const char *git_commit, const uint8_t *hash)
{
        jsonw_name(w, "source");
        jsonw_object(w);
        jsonw_member_string(w, "uri", uri);
        jsonw_member_string(w, "gitCommit", git_commit);
        jsonw_member_hex(w, "sha256", hash, SHA256_SIZE);
        jsonw_object_end(w);
}

static void entry_put_uid(JsonWriter *w, const char *name, uint32_t uid)
{
        jsonw_name(w, name);
        jsonw_object(w);
        jsonw_member_u64(w, "uid", uid);
        jsonw_object_end(w);
}

/* ---- intents, signatures, abandoned intents ---- */

static void entry_put_requester(JsonWriter *w, const EntryRequest *r)
{
        jsonw_name(w, "requester");
        jsonw_object(w);
        jsonw_member_string(w, "name", r->requester);
        jsonw_member_u64(w, "uid", r->uid);
        jsonw_object_end(w);
}

static void entry_put_artifact(JsonWriter *w, const EntryRequest *r)
{
        jsonw_name(w, "artifact");
        jsonw_object(w);
        jsonw_member_string(w, "name", r->artifact_name);
        if (r->has_size)
                jsonw_member_u64(w, "size", r->artifact_size);
        jsonw_member_hex(w, "sha256", r->artifact_sha256, SHA256_SIZE);
        jsonw_object_end(w);
}

static void entry_put_votes(JsonWriter *w, const EntryRequest *r)
{
        jsonw_name(w, "attestations");
        jsonw_array(w);
        for (size_t i = 0; i < r->n_votes; i++) {
                jsonw_object(w);
                jsonw_member_hex(w, "id", r->votes[i].attestation, SHA256_SIZE);
                jsonw_member_string(w, "org", r->votes[i].org);
                jsonw_object_end(w);
        }
        jsonw_array_end(w);
}

static void entry_put_key(JsonWriter *w, const EntryRequest *r)
{
        jsonw_name(w, "key");
        jsonw_object(w);
        jsonw_member_string(w, "name", r->key);
        jsonw_member_hex(w, "spki_sha256", r->key_id, SHA256_SIZE);
        jsonw_object_end(w);
}

int entry_write_request(const EntryRequest *r, Buffer *out)
{
        JsonWriter w;

        assert(r);
        assert(r->votes || r->n_votes == 0);
        assert(out);

        jsonw_init(&w, out);
        jsonw_member_u64(&w, "intent", r->intent);
        entry_put_time(&w, "requested", r->requested_usec);
        jsonw_member_string(&w, "site", r->site);
        entry_put_requester(&w, r);
        jsonw_member_string(&w, "release", r->release);
        entry_put_artifact(&w, r);
        entry_put_source(&w, r->source_uri, r->source_git_commit, r->source_sha256);
        entry_put_votes(&w, r);
        entry_put_policy(&w, r->policy_serial, r->policy_sha256);
        entry_put_key(&w, r);
        jsonw_member_string(&w, "format", r->format);
        return error_fold(jsonw_finish(&w));
}

int entry_write_signature(uint64_t time_usec, Blob request_members,
                          const uint8_t signature_sha256[static SHA256_SIZE], Buffer *out)
{
        JsonWriter w;

        assert(request_members.size > 0);
        assert(signature_sha256);
        assert(out);

        jsonw_init(&w, out);
        entry_put_head(&w, ENTRY_SIGNATURE, time_usec);
        jsonw_members(&w, request_members.data, request_members.size);
        jsonw_member_hex(&w, "signature_sha256", signature_sha256, SHA256_SIZE);
        jsonw_object_end(&w);
        return error_fold(jsonw_finish(&w));
}

int entry_write_abandoned(uint64_t time_usec, Blob request_members, const char *reason, Buffer *out)
{
        JsonWriter w;

        assert(request_members.size > 0);
        assert(reason);
        assert(out);

        jsonw_init(&w, out);
        entry_put_head(&w, ENTRY_ABANDONED, time_usec);
        jsonw_members(&w, request_members.data, request_members.size);
        jsonw_member_string(&w, "reason", reason);
        jsonw_object_end(&w);
        return error_fold(jsonw_finish(&w));
}

/* ---- the other types ---- */

int entry_write_genesis(const EntryGenesis *g, Buffer *out)
{
        JsonWriter w;

        assert(g);
        assert(out);

        jsonw_init(&w, out);
        entry_put_head(&w, ENTRY_GENESIS, g->time_usec);
        jsonw_member_string(&w, "origin", g->origin);
        jsonw_member_string(&w, "site", g->site);
        entry_put_policy(&w, g->policy_serial, g->policy_sha256);
        jsonw_object_end(&w);
        return error_fold(jsonw_finish(&w));
}

static void entry_put_attestation(JsonWriter *w, const EntryAttestation *a)
{
        jsonw_name(w, "attestation");
        jsonw_object(w);
        jsonw_member_hex(w, "id", a->id, SHA256_SIZE);
        jsonw_member_u64(w, "size", a->size);
        jsonw_object_end(w);
}

static void entry_put_signers(JsonWriter *w, const EntryAttestation *a)
{
        jsonw_name(w, "signers");
        jsonw_array(w);
        for (size_t i = 0; i < a->n_signers; i++) {
                jsonw_object(w);
                jsonw_member_string(w, "rebuilder", a->rebuilders[i]);
                jsonw_member_string(w, "org", a->orgs[i]);
                jsonw_object_end(w);
        }
        jsonw_array_end(w);
}

static void entry_put_subjects(JsonWriter *w, const EntryAttestation *a)
{
        jsonw_name(w, "subjects");
        jsonw_object(w);
        jsonw_member_u64(w, "n", a->n_subjects);
        jsonw_name(w, "first");
        jsonw_object(w);
        jsonw_member_string(w, "name", a->first_name);
        jsonw_member_hex(w, "sha256", a->first_sha256, SHA256_SIZE);
        jsonw_object_end(w);
        jsonw_object_end(w);
}

static void entry_put_contradicts(JsonWriter *w, const EntryAttestation *a)
{
        size_t n = a->n_contradicts < ENTRY_CONTRADICTS ? a->n_contradicts : ENTRY_CONTRADICTS;

        if (n == 0)
                return;
        jsonw_name(w, "contradicts");
        jsonw_array(w);
        for (size_t i = 0; i < n; i++)
                jsonw_hex(w, a->contradicts[i], SHA256_SIZE);
        jsonw_array_end(w);
}

int entry_write_attestation(const EntryAttestation *a, Buffer *out)
{
        JsonWriter w;

        assert(a);
        assert((a->rebuilders && a->orgs) || a->n_signers == 0);
        assert(a->contradicts || a->n_contradicts == 0);
        assert(out);

        jsonw_init(&w, out);
        entry_put_head(&w, ENTRY_ATTESTATION, a->time_usec);
        jsonw_member_string(&w, "site", a->site);
        entry_put_uid(&w, "submitter", a->uid);
        entry_put_attestation(&w, a);
        jsonw_member_string(&w, "release", a->release);
        entry_put_source(&w, a->source_uri, a->source_git_commit, a->source_sha256);
        entry_put_signers(&w, a);
        entry_put_subjects(&w, a);
        entry_put_contradicts(&w, a);
        entry_put_policy(&w, a->policy_serial, a->policy_sha256);
        jsonw_object_end(&w);
        return error_fold(jsonw_finish(&w));
}

int entry_write_refusal(const EntryRefusal *r, Buffer *out)
{
        JsonWriter w;

        assert(r);
        assert(r->reason);
        assert(out);

        jsonw_init(&w, out);
        entry_put_head(&w, ENTRY_REFUSAL, r->time_usec);
        jsonw_member_string(&w, "site", r->site);
        entry_put_uid(&w, "requester", r->uid);
        jsonw_member_string(&w, "reason", r->reason);
        jsonw_member_u64(&w, "count", r->count);
        entry_put_time(&w, "first", r->first_usec);
        if (r->key)
                jsonw_member_string(&w, "key", r->key);
        if (r->release)
                jsonw_member_string(&w, "release", r->release);
        if (r->artifact_name) {
                jsonw_name(&w, "artifact");
                jsonw_object(&w);
                jsonw_member_string(&w, "name", r->artifact_name);
                if (r->artifact_sha256)
                        jsonw_member_hex(&w, "sha256", r->artifact_sha256, SHA256_SIZE);
                jsonw_object_end(&w);
        }
        entry_put_policy(&w, r->policy_serial, r->policy_sha256);
        jsonw_object_end(&w);
        return error_fold(jsonw_finish(&w));
}
