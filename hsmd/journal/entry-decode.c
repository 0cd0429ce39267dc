/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An entry has one form, the one that entry.c writes.  Hence it is read by taking its members out, writing
 * them again and comparing: order, blanks, escapes, members too many and numbers in another spelling need no
 * rule each.
 */
#include <assert.h>

#include "base/error.h"
#include "base/hex.h"
#include "base/limits.h"
#include "base/timestamp.h"
#include "journal/entry.h"

/* An entry holds no more of each than its size admits. */
#define ENTRY_HASHES_MAX  (LIMIT_ENTRY_SIZE / (2 * SHA256_SIZE))
#define ENTRY_SIGNERS_MAX (LIMIT_ENTRY_SIZE / (sizeof("{\"rebuilder\":\"\",\"org\":\"\"}") - 1))

typedef struct EntryReader {
        Entry *entry;
        const SJson *document;
        bool bad; /* something was missing or of another type; what was taken then stands for nothing */
        size_t n_hashes;
        uint8_t hashes[ENTRY_HASHES_MAX][SHA256_SIZE];
        Buffer request; /* the members that intent and entry share */
        Buffer written; /* the entry once more */
} EntryReader;

static void entry_reader_deinit(EntryReader *reader)
{
        buffer_deinit(&reader->request);
        buffer_deinit(&reader->written);
}

/* ---- taking members; NULL objects come from a member that was missing before ---- */

static const SJson *entry_take_object(EntryReader *reader, const SJson *object, const char *name)
{
        SJson *v = NULL;

        if (!object || sjson_get_object(object, name, &v) != 0)
                reader->bad = true;
        return v;
}

static const SJson *entry_take_array(EntryReader *reader, const SJson *object, const char *name, size_t max,
                                     size_t *ret_n)
{
        SJson *v = NULL;
        size_t n = 0;

        if (!object || sjson_get_array(object, name, &v) != 0 || sjson_size(v) > max)
                reader->bad = true;
        else
                n = sjson_size(v);
        *ret_n = n;
        return v;
}

static const SJson *entry_take_element(EntryReader *reader, const SJson *array, size_t i)
{
        SJson *v = sjson_at(array, i);

        if (sjson_is_object(v))
                return v;
        reader->bad = true;
        return NULL;
}

static const char *entry_take_string(EntryReader *reader, const SJson *object, const char *name)
{
        const char *s = "";
        size_t size;

        if (!object || sjson_get_string(object, name, &s, &size) != 0)
                reader->bad = true;
        return s;
}

static uint64_t entry_take_u64(EntryReader *reader, const SJson *object, const char *name, uint64_t max)
{
        uint64_t v = 0;

        if (!object || sjson_get_u64(object, name, &v) != 0 || v > max)
                reader->bad = true;
        return v;
}

static uint32_t entry_take_uid(EntryReader *reader, const SJson *object)
{
        return (uint32_t)entry_take_u64(reader, object, "uid", UINT32_MAX);
}

static uint64_t entry_take_time(EntryReader *reader, const char *name)
{
        const char *s = entry_take_string(reader, reader->document, name);
        uint64_t usec = 0;

        if (timestamp_decode(&usec, s, strlen(s)) != 0)
                reader->bad = true;
        return usec;
}

static const uint8_t *entry_decode_hash(EntryReader *reader, const char *s)
{
        static const uint8_t none[SHA256_SIZE];
        uint8_t *hash;

        if (reader->n_hashes == ENTRY_HASHES_MAX) {
                reader->bad = true;
                return none;
        }
        hash = reader->hashes[reader->n_hashes++];
        if (hex_decode(hash, SHA256_SIZE, s, strlen(s)) != 0)
                reader->bad = true;
        return hash;
}

static const uint8_t *entry_take_hash(EntryReader *reader, const SJson *object, const char *name)
{
        return entry_decode_hash(reader, entry_take_string(reader, object, name));
}

static bool entry_has(const SJson *object, const char *name)
{
        SJson *v;

        return object && sjson_get(object, name, &v) == 0;
}

/* ---- the types: each fills what its writer takes, and writes it ---- */

static void entry_read_votes(EntryReader *reader, EntryRequest *q, EntryVote *votes, size_t max)
{
        const SJson *array = entry_take_array(reader, reader->document, "attestations", max, &q->n_votes);

        for (size_t i = 0; i < q->n_votes; i++) {
                const SJson *vote = entry_take_element(reader, array, i);

                votes[i].attestation = entry_take_hash(reader, vote, "id");
                votes[i].org = entry_take_string(reader, vote, "org");
        }
        q->votes = votes;
}

static void entry_read_request_artifact(EntryReader *reader, EntryRequest *q)
{
        const SJson *artifact = entry_take_object(reader, reader->document, "artifact");

        q->artifact_name = entry_take_string(reader, artifact, "name");
        q->has_size = entry_has(artifact, "size");
        if (q->has_size)
                q->artifact_size = entry_take_u64(reader, artifact, "size", INT64_MAX);
        q->artifact_sha256 = entry_take_hash(reader, artifact, "sha256");
}

static void entry_keep_request(Entry *e, const EntryRequest *q)
{
        e->key = q->key;
        e->format = q->format;
        e->release = q->release;
        e->artifact_name = q->artifact_name;
        e->org_first = q->n_votes > 0 ? q->votes[0].org : NULL;
        e->has_uid = e->has_artifact = e->has_key_id = e->has_intent = true;
        e->uid = q->uid;
        e->intent = q->intent;
        memcpy(e->artifact_sha256, q->artifact_sha256, SHA256_SIZE);
        memcpy(e->key_id, q->key_id, SHA256_SIZE);
}

static int entry_read_request(EntryReader *reader)
{
        const SJson *d = reader->document, *requester, *source, *policy, *key;
        EntryVote votes[ENTRY_HASHES_MAX];
        EntryRequest q = {0};

        q.intent = entry_take_u64(reader, d, "intent", INT64_MAX);
        q.requested_usec = entry_take_time(reader, "requested");
        q.site = entry_take_string(reader, d, "site");
        requester = entry_take_object(reader, d, "requester");
        q.requester = entry_take_string(reader, requester, "name");
        q.uid = entry_take_uid(reader, requester);
        q.release = entry_take_string(reader, d, "release");
        entry_read_request_artifact(reader, &q);
        source = entry_take_object(reader, d, "source");
        q.source_uri = entry_take_string(reader, source, "uri");
        q.source_git_commit = entry_take_string(reader, source, "gitCommit");
        q.source_sha256 = entry_take_hash(reader, source, "sha256");
        entry_read_votes(reader, &q, votes, ARRAY_SIZE(votes));
        policy = entry_take_object(reader, d, "policy");
        q.policy_serial = entry_take_u64(reader, policy, "serial", INT64_MAX);
        q.policy_sha256 = entry_take_hash(reader, policy, "sha256");
        key = entry_take_object(reader, d, "key");
        q.key = entry_take_string(reader, key, "name");
        q.key_id = entry_take_hash(reader, key, "spki_sha256");
        q.format = entry_take_string(reader, d, "format");
        if (reader->bad)
                return 0;

        entry_keep_request(reader->entry, &q);
        return error_fold(entry_write_request(&q, &reader->request));
}

static int entry_read_signature(EntryReader *reader)
{
        Entry *e = reader->entry;
        const uint8_t *hash;
        int r;

        r = entry_read_request(reader);
        if (r != 0)
                return error_fold(r);
        hash = entry_take_hash(reader, reader->document, "signature_sha256");
        if (reader->bad)
                return 0;

        memcpy(e->signature_sha256, hash, SHA256_SIZE);
        e->has_signature = true;
        return error_fold(
                entry_write_signature(e->time_usec, buffer_blob(&reader->request), hash, &reader->written));
}

static int entry_read_abandoned(EntryReader *reader)
{
        const char *reason;
        int r;

        r = entry_read_request(reader);
        if (r != 0)
                return error_fold(r);
        reason = entry_take_string(reader, reader->document, "reason");
        if (reader->bad)
                return 0;
        return error_fold(entry_write_abandoned(reader->entry->time_usec, buffer_blob(&reader->request),
                                                reason, &reader->written));
}

static int entry_read_genesis(EntryReader *reader)
{
        const SJson *d = reader->document, *policy;
        EntryGenesis g = {.time_usec = reader->entry->time_usec};

        g.origin = entry_take_string(reader, d, "origin");
        g.site = entry_take_string(reader, d, "site");
        policy = entry_take_object(reader, d, "policy");
        g.policy_serial = entry_take_u64(reader, policy, "serial", INT64_MAX);
        g.policy_sha256 = entry_take_hash(reader, policy, "sha256");
        if (reader->bad)
                return 0;
        return error_fold(entry_write_genesis(&g, &reader->written));
}

typedef struct EntrySigners {
        const char *rebuilders[ENTRY_SIGNERS_MAX];
        const char *orgs[ENTRY_SIGNERS_MAX];
        const uint8_t *contradicts[ENTRY_HASHES_MAX];
} EntrySigners;

static void entry_read_signers(EntryReader *reader, EntryAttestation *a, EntrySigners *lists)
{
        const SJson *array =
                entry_take_array(reader, reader->document, "signers", ENTRY_SIGNERS_MAX, &a->n_signers);

        for (size_t i = 0; i < a->n_signers; i++) {
                const SJson *signer = entry_take_element(reader, array, i);

                lists->rebuilders[i] = entry_take_string(reader, signer, "rebuilder");
                lists->orgs[i] = entry_take_string(reader, signer, "org");
        }
        a->rebuilders = lists->rebuilders;
        a->orgs = lists->orgs;
}

static void entry_read_contradicts(EntryReader *reader, EntryAttestation *a, EntrySigners *lists)
{
        const SJson *array;

        if (!entry_has(reader->document, "contradicts"))
                return;
        array = entry_take_array(reader, reader->document, "contradicts", ENTRY_HASHES_MAX,
                                 &a->n_contradicts);
        for (size_t i = 0; i < a->n_contradicts; i++) {
                const SJson *v = sjson_at(array, i);
                size_t size;

                if (!sjson_is_string(v))
                        reader->bad = true;
                lists->contradicts[i] =
                        entry_decode_hash(reader, sjson_is_string(v) ? sjson_string(v, &size) : "");
        }
        a->contradicts = lists->contradicts;
}

static void entry_keep_attestation(Entry *e, const EntryAttestation *a)
{
        e->release = a->release;
        e->artifact_name = a->first_name;
        e->org_first = a->n_signers > 0 ? a->orgs[0] : NULL;
        e->has_uid = e->has_artifact = e->has_attestation = true;
        e->uid = a->uid;
        memcpy(e->artifact_sha256, a->first_sha256, SHA256_SIZE);
        memcpy(e->attestation_id, a->id, SHA256_SIZE);
}

static int entry_read_attestation(EntryReader *reader)
{
        const SJson *d = reader->document, *attestation, *source, *subjects, *first, *policy;
        EntryAttestation a = {.time_usec = reader->entry->time_usec};
        EntrySigners lists;

        a.site = entry_take_string(reader, d, "site");
        a.uid = entry_take_uid(reader, entry_take_object(reader, d, "submitter"));
        attestation = entry_take_object(reader, d, "attestation");
        a.id = entry_take_hash(reader, attestation, "id");
        a.size = entry_take_u64(reader, attestation, "size", INT64_MAX);
        a.release = entry_take_string(reader, d, "release");
        source = entry_take_object(reader, d, "source");
        a.source_uri = entry_take_string(reader, source, "uri");
        a.source_git_commit = entry_take_string(reader, source, "gitCommit");
        a.source_sha256 = entry_take_hash(reader, source, "sha256");
        entry_read_signers(reader, &a, &lists);
        subjects = entry_take_object(reader, d, "subjects");
        a.n_subjects = (size_t)entry_take_u64(reader, subjects, "n", LIMIT_SUBJECTS);
        first = entry_take_object(reader, subjects, "first");
        a.first_name = entry_take_string(reader, first, "name");
        a.first_sha256 = entry_take_hash(reader, first, "sha256");
        entry_read_contradicts(reader, &a, &lists);
        policy = entry_take_object(reader, d, "policy");
        a.policy_serial = entry_take_u64(reader, policy, "serial", INT64_MAX);
        a.policy_sha256 = entry_take_hash(reader, policy, "sha256");
        if (reader->bad)
                return 0;

        entry_keep_attestation(reader->entry, &a);
        return error_fold(entry_write_attestation(&a, &reader->written));
}

static void entry_keep_refusal(Entry *e, const EntryRefusal *q)
{
        e->key = q->key;
        e->release = q->release;
        e->artifact_name = q->artifact_name;
        e->has_uid = true;
        e->uid = q->uid;
        e->has_artifact = q->artifact_sha256 != NULL;
        if (e->has_artifact)
                memcpy(e->artifact_sha256, q->artifact_sha256, SHA256_SIZE);
}

static int entry_read_refusal(EntryReader *reader)
{
        const SJson *d = reader->document, *artifact, *policy;
        EntryRefusal q = {.time_usec = reader->entry->time_usec};

        q.site = entry_take_string(reader, d, "site");
        q.uid = entry_take_uid(reader, entry_take_object(reader, d, "requester"));
        q.reason = entry_take_string(reader, d, "reason");
        q.count = entry_take_u64(reader, d, "count", INT64_MAX);
        q.first_usec = entry_take_time(reader, "first");
        if (entry_has(d, "key"))
                q.key = entry_take_string(reader, d, "key");
        if (entry_has(d, "release"))
                q.release = entry_take_string(reader, d, "release");
        if (entry_has(d, "artifact")) {
                artifact = entry_take_object(reader, d, "artifact");
                q.artifact_name = entry_take_string(reader, artifact, "name");
                if (entry_has(artifact, "sha256"))
                        q.artifact_sha256 = entry_take_hash(reader, artifact, "sha256");
        }
        policy = entry_take_object(reader, d, "policy");
        q.policy_serial = entry_take_u64(reader, policy, "serial", INT64_MAX);
        q.policy_sha256 = entry_take_hash(reader, policy, "sha256");
        if (reader->bad)
                return 0;

        entry_keep_refusal(reader->entry, &q);
        return error_fold(entry_write_refusal(&q, &reader->written));
}

/* ---- */

static const struct {
        const char *type;
        int (*read)(EntryReader *reader);
} entry_types[] = {
        {ENTRY_GENESIS, entry_read_genesis},     {ENTRY_ATTESTATION, entry_read_attestation},
        {ENTRY_SIGNATURE, entry_read_signature}, {ENTRY_ABANDONED, entry_read_abandoned},
        {ENTRY_REFUSAL, entry_read_refusal},
};

/* Fill the entry from its document.  ENTRY_E_SYNTAX. */
static int entry_read(Entry *e, Blob bytes)
{
        _cleanup_(entry_reader_deinit) EntryReader reader = {.entry = e, .document = e->document};
        int r;

        e->type = entry_take_string(&reader, e->document, "type");
        e->time_usec = entry_take_time(&reader, "time");
        for (size_t i = 0; i < ARRAY_SIZE(entry_types); i++) {
                if (strcmp(entry_types[i].type, e->type) != 0)
                        continue;
                r = entry_types[i].read(&reader);
                if (r != 0)
                        return error_fold(r);
                return !reader.bad && blob_equal(buffer_blob(&reader.written), bytes) ? 0 : ENTRY_E_SYNTAX;
        }
        return ENTRY_E_SYNTAX;
}

int entry_decode(Entry *ret, Blob entry)
{
        int r;

        assert(ret);
        assert(entry.data || entry.size == 0);

        *ret = (Entry){0};
        if (entry.size == 0 || entry.size > LIMIT_ENTRY_SIZE)
                return ENTRY_E_SYNTAX;
        r = sjson_parse(&ret->document, entry.data, entry.size, NULL);
        if (r < 0)
                return error_fold(r);
        if (r > 0)
                return ENTRY_E_SYNTAX;

        r = entry_read(ret, entry);
        if (r == 0)
                return 0;
        entry_deinit(ret); /* nothing half-read is shown */
        return r;
}

void entry_deinit(Entry *e)
{
        assert(e);

        e->document = sjson_free(e->document);
        *e = (Entry){0};
}
