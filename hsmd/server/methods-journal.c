/* SPDX-License-Identifier: Apache-2.0 */
/*
 * org.hsmd.Journal: listing by index, never by a scan; entries, checkpoint, evidence.
 */
#include <assert.h>
#include <stdio.h>

#include "base/error.h"
#include "base/hex.h"
#include "base/timestamp.h"
#include "journal/entry.h"
#include "journal/note.h"
#include "server/methods.h"

#define LIST_DEFAULT 100
#define LIST_MAX     1000
/* Entries that one call looks at, and bytes that it answers with: beyond either, `next` goes on from there.
 */
#define LIST_LOOK_MAX  8192
#define LIST_REPLY_MAX (512 * 1024)
#define LIST_PAGE      64

typedef struct ListFilter {
        const char *type, *key;
        bool has_artifact, has_requester;
        uint8_t artifact[32];
        uint64_t requester;
        uint64_t from, before; /* journal indices: from <= index < before */
        uint64_t limit;
} ListFilter;

static const char *const list_names[] = {"type",  "key",    "artifact", "requester", "since",
                                         "until", "before", "limit",    NULL};

/* ---- parameters ---- */

/* RFC 3339 to the first entry at or after it. */
static int list_get_time(Server *s, const PeerCall *call, const char *name, uint64_t *index)
{
        const char *text;
        uint64_t usec;
        int r = method_get_string(call, name, &text);

        if (r == SJSON_E_MISSING)
                return 0;
        if (r != 0 || timestamp_decode(&usec, text, strlen(text)) != 0)
                return SJSON_E_TYPE;
        return error_fold(journal_find_time(s->engine->journal, usec, index));
}

static int list_get_numbers(const PeerCall *call, ListFilter *f, const char **ret_bad)
{
        uint64_t before;
        int r;

        *ret_bad = "before";
        r = method_get_u64(call, "before", &before);
        if (r == 0 && before < f->before)
                f->before = before;
        if (r != 0 && r != SJSON_E_MISSING)
                return r;
        *ret_bad = "limit";
        r = method_get_u64(call, "limit", &f->limit);
        if (r == SJSON_E_MISSING)
                f->limit = LIST_DEFAULT;
        else if (r != 0 || f->limit == 0 || f->limit > LIST_MAX)
                return SJSON_E_TYPE;
        *ret_bad = "requester";
        r = method_get_u64(call, "requester", &f->requester);
        f->has_requester = r == 0;
        return r == SJSON_E_MISSING ? 0 : r;
}

static int list_decode(Server *s, const PeerCall *call, ListFilter *f, const char **ret_bad)
{
        const char *artifact;
        int r;

        *f = (ListFilter){.before = journal_published(s->engine->journal), .limit = LIST_DEFAULT};
        *ret_bad = "parameters";
        if (!call->parameters)
                return 0;
        if (!sjson_only(call->parameters, list_names))
                return SJSON_E_TYPE;
        *ret_bad = "type";
        r = method_get_string(call, "type", &f->type);
        if (r != 0 && r != SJSON_E_MISSING)
                return r;
        *ret_bad = "key";
        r = method_get_string(call, "key", &f->key);
        if (r != 0 && r != SJSON_E_MISSING)
                return r;
        *ret_bad = "artifact";
        r = method_get_string(call, "artifact", &artifact);
        f->has_artifact = r == 0;
        if (r == 0)
                r = hex_decode(f->artifact, 32, artifact, strlen(artifact)) == 0 ? 0 : SJSON_E_TYPE;
        if (r != 0 && r != SJSON_E_MISSING)
                return r;
        *ret_bad = "since";
        r = list_get_time(s, call, "since", &f->from);
        if (r != 0)
                return r;
        *ret_bad = "until";
        r = list_get_time(s, call, "until", &f->before);
        if (r != 0)
                return r;
        if (f->before > journal_published(s->engine->journal))
                f->before = journal_published(s->engine->journal);
        return list_get_numbers(call, f, ret_bad);
}

/* ---- candidates ---- */

static int list_descending(const void *a, const void *b)
{
        uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

        return x > y ? -1 : x < y;
}

/* An artifact is spoken of by entries of several kinds: merge their lists. */
static int list_artifact(Journal *j, const uint8_t sha[static 32], uint64_t before, uint64_t *ret,
                         size_t *ret_n)
{
        static const IndexKind kinds[] = {INDEX_SIGNED, INDEX_ARTIFACT, INDEX_SUBJECT};
        uint64_t floor = 0;
        size_t n = 0, m = 0;

        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
                size_t found;
                int r = journal_find(j, kinds[i], sha, before, ret + n, LIST_PAGE, &found);

                if (r != 0)
                        return error_fold(r);
                /* A full page says nothing about what is below its end. */
                if (found == LIST_PAGE && ret[n + found - 1] > floor)
                        floor = ret[n + found - 1];
                n += found;
        }
        qsort(ret, n, sizeof(*ret), list_descending);
        for (size_t i = 0; i < n; i++)
                if (ret[i] >= floor && (m == 0 || ret[i] != ret[m - 1]))
                        ret[m++] = ret[i];
        *ret_n = m;
        return 0;
}

/* The next candidates below `before`, newest first, from the narrowest index there is. */
static int list_candidates(Journal *j, const ListFilter *f, uint64_t before,
                           uint64_t ret[static 3 * LIST_PAGE], size_t *ret_n)
{
        uint8_t key[32];

        if (f->has_artifact)
                return error_fold(list_artifact(j, f->artifact, before, ret, ret_n));
        if (f->key) {
                sha256(key, f->key, strlen(f->key));
                return error_fold(journal_find(j, INDEX_KEY, key, before, ret, LIST_PAGE, ret_n));
        }
        if (f->has_requester) {
                char text[24];
                int n = snprintf(text, sizeof(text), "%llu", (unsigned long long)f->requester);

                sha256(key, text, (size_t)n);
                return error_fold(journal_find(j, INDEX_REQUESTER, key, before, ret, LIST_PAGE, ret_n));
        }
        if (f->type) {
                sha256(key, f->type, strlen(f->type));
                return error_fold(journal_find(j, INDEX_TYPE, key, before, ret, LIST_PAGE, ret_n));
        }
        for (*ret_n = 0; *ret_n < LIST_PAGE && before > 0;)
                ret[(*ret_n)++] = --before;
        return 0;
}

/* Candidates share 8 bytes of a hash: the entry itself decides. */
static bool list_matches(const ListFilter *f, const Entry *entry, bool by_subject)
{
        return (!f->type || strcmp(f->type, entry->type) == 0) &&
               (!f->key || (entry->key && strcmp(f->key, entry->key) == 0)) &&
               (!f->has_requester || (entry->has_uid && entry->uid == f->requester)) &&
               (!f->has_artifact ||
                (entry->has_artifact && memcmp(f->artifact, entry->artifact_sha256, 32) == 0) || by_subject);
}

/* Does the attestation behind this entry name the artifact?  Only the first subject stands in the entry
 * itself. */
static int list_names_subject(Server *s, const ListFilter *f, const Entry *entry, bool *ret)
{
        Engine *e = s->engine;
        EvidenceSet set;
        int r;

        *ret = false;
        if (!f->has_artifact || !entry->has_attestation)
                return 0;
        r = evidence_collect(e->evidence, "", f->artifact, &set);
        if (r != 0)
                return r < 0 ? error_fold(r) : 0;
        for (size_t i = 0; i < set.n; i++)
                *ret = *ret || memcmp(set.ids[i], entry->attestation_id, 32) == 0;
        return 0;
}

static int list_add(Server *s, const ListFilter *f, uint64_t index, JsonWriter *w, size_t *n)
{
        _cleanup_(buffer_deinit) Buffer content = BUFFER_NULL;
        _cleanup_(entry_deinit) Entry entry = {0};
        bool by_subject;
        int r;

        r = journal_get(s->engine->journal, index, &content, NULL);
        if (r == 0)
                r = entry_decode(&entry, buffer_blob(&content));
        if (r == 0)
                r = list_names_subject(s, f, &entry, &by_subject);
        if (r != 0)
                return error_fold(r);
        if (!list_matches(f, &entry, by_subject))
                return 0;
        jsonw_object(w);
        jsonw_member_u64(w, "index", index);
        jsonw_name(w, "entry");
        jsonw_raw(w, content.data, content.size);
        jsonw_object_end(w);
        (*n)++;
        return 0;
}

/* Fill the array; *ret_next is where the next call goes on, 0 when there is nothing below. */
static int list_fill(Server *s, const ListFilter *f, JsonWriter *w, uint64_t *ret_next)
{
        uint64_t candidates[3 * LIST_PAGE], before = f->before;
        size_t n = 0, looked = 0, n_candidates;
        int r;

        *ret_next = 0;
        for (;;) {
                r = list_candidates(s->engine->journal, f, before, candidates, &n_candidates);
                if (r != 0)
                        return error_fold(r);
                if (n_candidates == 0)
                        return 0;
                for (size_t i = 0; i < n_candidates; i++) {
                        if (candidates[i] < f->from)
                                return 0;
                        if (n == f->limit || looked == LIST_LOOK_MAX || w->out->size > LIST_REPLY_MAX) {
                                *ret_next = before;
                                return 0;
                        }
                        r = list_add(s, f, candidates[i], w, &n);
                        if (r != 0)
                                return error_fold(r);
                        before = candidates[i];
                        looked++;
                }
        }
}

int method_journal_list(Server *s, Peer *peer, const PeerCall *call)
{
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;
        uint64_t next;
        const char *bad;
        ListFilter f;
        JsonWriter w;
        int r;

        r = list_decode(s, call, &f, &bad);
        if (r != 0)
                return r < 0 ? error_fold(r) : error_fold(method_invalid(peer, bad));
        jsonw_init(&w, &out);
        jsonw_object(&w);
        jsonw_name(&w, "entries");
        jsonw_array(&w);
        r = list_fill(s, &f, &w, &next);
        if (r != 0)
                return error_fold(r);
        jsonw_array_end(&w);
        if (next > 0)
                jsonw_member_u64(&w, "next", next);
        jsonw_member_u64(&w, "size", journal_published(s->engine->journal));
        jsonw_object_end(&w);
        r = jsonw_finish(&w);
        return r != 0 ? error_fold(r) : error_fold(peer_reply(peer, buffer_blob(&out), false));
}

int method_journal_show(Server *s, Peer *peer, const PeerCall *call)
{
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL, content = BUFFER_NULL, signature = BUFFER_NULL,
                                        proof = BUFFER_NULL;
        static const char *const names[] = {"index", NULL};
        Journal *j = s->engine->journal;
        uint64_t index;
        JsonWriter w;
        int r;

        if (!call->parameters || !sjson_only(call->parameters, names) ||
            method_get_u64(call, "index", &index) != 0)
                return error_fold(method_invalid(peer, "index"));
        if (index >= journal_published(j)) {
                r = buffer_printf(&out, "{\"index\":%llu}", (unsigned long long)index);
                return r != 0 ? error_fold(r)
                              : error_fold(
                                        peer_error(peer, "org.hsmd.Journal.NoSuchEntry", buffer_blob(&out)));
        }
        r = journal_get(j, index, &content, &signature);
        if (r == 0)
                r = journal_proof(j, index, &proof);
        if (r != 0)
                return error_fold(r);
        jsonw_init(&w, &out);
        jsonw_object(&w);
        jsonw_member_u64(&w, "index", index);
        jsonw_name(&w, "entry");
        jsonw_raw(&w, content.data, content.size);
        jsonw_name(&w, "bytes");
        jsonw_base64(&w, content.data, content.size);
        if (signature.size > 0) {
                jsonw_name(&w, "signature");
                jsonw_base64(&w, signature.data, signature.size);
        }
        jsonw_name(&w, "proof");
        jsonw_string_n(&w, (const char *)proof.data, proof.size);
        jsonw_object_end(&w);
        r = jsonw_finish(&w);
        return r != 0 ? error_fold(r) : error_fold(peer_reply(peer, buffer_blob(&out), false));
}

int method_journal_checkpoint(Server *s, Peer *peer, const PeerCall *call)
{
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL, vkey = BUFFER_NULL;
        Engine *e = s->engine;
        Blob note = journal_checkpoint(e->journal);
        JsonWriter w;
        int r;

        if (call->parameters && sjson_size(call->parameters) > 0)
                return error_fold(method_invalid(peer, "parameters"));
        r = note_verifier_write(e->policy->origin, NOTE_TYPE_ED25519,
                                public_key_raw(e->policy->log_key).data, &vkey);
        if (r != 0)
                return error_fold(r);
        jsonw_init(&w, &out);
        jsonw_object(&w);
        jsonw_name(&w, "checkpoint");
        jsonw_string_n(&w, (const char *)note.data, note.size);
        jsonw_name(&w, "vkey");
        jsonw_string_n(&w, (const char *)vkey.data, vkey.size);
        jsonw_member_u64(&w, "size", journal_published(e->journal));
        jsonw_object_end(&w);
        r = jsonw_finish(&w);
        return r != 0 ? error_fold(r) : error_fold(peer_reply(peer, buffer_blob(&out), false));
}

int method_journal_evidence(Server *s, Peer *peer, const PeerCall *call)
{
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL, content = BUFFER_NULL;
        static const char *const names[] = {"sha256", NULL};
        const char *text = NULL;
        uint8_t id[32];
        JsonWriter w;
        int r;

        if (!call->parameters || !sjson_only(call->parameters, names) ||
            method_get_string(call, "sha256", &text) != 0 ||
            hex_decode(id, sizeof(id), text, strlen(text)) != 0)
                return error_fold(method_invalid(peer, "sha256"));
        r = journal_get_evidence(s->engine->journal, id, &content);
        if (r < 0)
                return error_fold(r);
        jsonw_init(&w, &out);
        jsonw_object(&w);
        if (r > 0) {
                jsonw_member_hex(&w, "sha256", id, sizeof(id));
        } else {
                jsonw_name(&w, "content");
                jsonw_base64(&w, content.data, content.size);
        }
        jsonw_object_end(&w);
        if (jsonw_finish(&w) != 0)
                return error_origin(-ENOMEM);
        return r > 0 ? error_fold(peer_error(peer, "org.hsmd.Journal.NoSuchEvidence", buffer_blob(&out)))
                     : error_fold(peer_reply(peer, buffer_blob(&out), false));
}
