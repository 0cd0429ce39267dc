/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "base/hex.h"
#include "base/jsonw.h"
#include "base/lines.h"
#include "base/timestamp.h"
#include "policy/decision.h"
#include "policy/dsse.h"
#include "policy/statement.h"
#include "policy/uri.h"

/* What the writer would choke on, or the reader of a statement cannot judge without a policy. */
static bool draft_is_sound(const AttestationDraft *d)
{
        Word release = {.text = d->release, .size = strlen(d->release), .column = 1};
        uint8_t commit[32];
        size_t commit_size = strlen(d->git_commit);

        if (!word_is_name(&release) || !uri_is_valid(d->builder_id, strlen(d->builder_id)) ||
            !uri_is_valid(d->source_uri, strlen(d->source_uri)))
                return false;
        if ((commit_size != 40 && commit_size != 64) ||
            hex_decode(commit, commit_size / 2, d->git_commit, commit_size))
                return false;
        for (size_t i = 0; i < d->n_subjects; i++)
                if (!decision_artifact_name_valid(d->subjects[i].name, strlen(d->subjects[i].name)))
                        return false;
        return true;
}

static void write_subject(JsonWriter *w, const AttestationSubject *subject)
{
        const Digests *digests = &subject->digests;

        jsonw_object(w);
        jsonw_member_string(w, "name", subject->name);
        jsonw_name(w, "digest");
        jsonw_object(w);
        jsonw_member_hex(w, "sha256", digests->sha256, SHA256_SIZE);
        if (digests->have_sha384)
                jsonw_member_hex(w, "sha384", digests->sha384, SHA384_SIZE);
        if (digests->have_sha512)
                jsonw_member_hex(w, "sha512", digests->sha512, SHA512_SIZE);
        jsonw_object_end(w);
        jsonw_object_end(w);
}

static void write_definition(JsonWriter *w, const AttestationDraft *d)
{
        jsonw_object(w);
        jsonw_member_string(w, "buildType", ATTESTATION_BUILD_TYPE);

        jsonw_name(w, "externalParameters");
        jsonw_object(w);
        jsonw_name(w, "source");
        jsonw_object(w);
        jsonw_member_string(w, "uri", d->source_uri);
        jsonw_object_end(w);
        jsonw_member_string(w, "target", d->release);
        jsonw_object_end(w);

        jsonw_name(w, "resolvedDependencies");
        jsonw_array(w);
        jsonw_object(w);
        jsonw_member_string(w, "uri", d->source_uri);
        jsonw_name(w, "digest");
        jsonw_object(w);
        jsonw_member_string(w, "gitCommit", d->git_commit);
        jsonw_member_hex(w, "sha256", d->source_sha256, SHA256_SIZE);
        jsonw_object_end(w);
        jsonw_object_end(w);
        jsonw_array_end(w);
        jsonw_object_end(w);
}

static void write_time(JsonWriter *w, const char *name, uint64_t usec)
{
        char text[TIMESTAMP_SIZE];

        if (usec == 0)
                return;
        timestamp_encode(text, usec);
        jsonw_member_string(w, name, text);
}

static void write_run(JsonWriter *w, const AttestationDraft *d)
{
        jsonw_object(w);
        jsonw_name(w, "builder");
        jsonw_object(w);
        jsonw_member_string(w, "id", d->builder_id);
        jsonw_object_end(w);
        if (d->started_usec > 0 || d->finished_usec > 0) {
                jsonw_name(w, "metadata");
                jsonw_object(w);
                write_time(w, "startedOn", d->started_usec);
                write_time(w, "finishedOn", d->finished_usec);
                jsonw_object_end(w);
        }
        jsonw_object_end(w);
}

static int write_statement(const AttestationDraft *d, Buffer *out)
{
        JsonWriter w;

        jsonw_init(&w, out);
        jsonw_object(&w);
        jsonw_member_string(&w, "_type", STATEMENT_TYPE);
        jsonw_name(&w, "subject");
        jsonw_array(&w);
        for (size_t i = 0; i < d->n_subjects; i++)
                write_subject(&w, &d->subjects[i]);
        jsonw_array_end(&w);
        jsonw_member_string(&w, "predicateType", STATEMENT_PREDICATE_TYPE);
        jsonw_name(&w, "predicate");
        jsonw_object(&w);
        jsonw_name(&w, "buildDefinition");
        write_definition(&w, d);
        jsonw_name(&w, "runDetails");
        write_run(&w, d);
        jsonw_object_end(&w);
        jsonw_object_end(&w);
        return error_fold(jsonw_finish(&w));
}

int attestation_write_statement(const AttestationDraft *draft, Buffer *out)
{
        _cleanup_(buffer_deinit) Buffer text = BUFFER_NULL, message = BUFFER_NULL;
        _cleanup_(statement_deinit) Statement s = {0};
        const Refusal refusal = {&(Reason){REASON_NONE}, &message};
        int r;

        assert(draft && out);
        assert(draft->release && draft->builder_id && draft->source_uri && draft->git_commit);
        assert(draft->source_sha256);
        assert(draft->subjects || draft->n_subjects == 0);

        if (!draft_is_sound(draft))
                return error_origin(-EINVAL);
        r = write_statement(draft, &text);
        if (r)
                return error_fold(r);

        /* What a rebuilder signs is what hsmd accepts: the reader itself judges the rest. */
        r = statement_decode(&s, buffer_blob(&text), UINT64_MAX, &refusal);
        if (r > 0 || text.size > LIMIT_STATEMENT_SIZE)
                return error_origin(-EINVAL);
        if (r < 0)
                return error_fold(r);
        return error_fold(buffer_append(out, text.data, text.size));
}

/* The key id is a hint for other tools, which expect one; it is never looked at here. */
static int write_envelope(Blob payload, const PublicKey *key, Blob signature, Buffer *out)
{
        JsonWriter w;

        jsonw_init(&w, out);
        jsonw_object(&w);
        jsonw_name(&w, "payload");
        jsonw_base64(&w, payload.data, payload.size);
        jsonw_member_string(&w, "payloadType", DSSE_PAYLOAD_TYPE);
        jsonw_name(&w, "signatures");
        jsonw_array(&w);
        jsonw_object(&w);
        jsonw_member_hex(&w, "keyid", public_key_id(key), SHA256_SIZE);
        jsonw_name(&w, "sig");
        jsonw_base64(&w, signature.data, signature.size);
        jsonw_object_end(&w);
        jsonw_array_end(&w);
        jsonw_object_end(&w);
        return error_fold(jsonw_finish(&w));
}

/* The schemes that a policy knows for rebuilders. */
static bool scheme_fits(SignatureScheme scheme, const PublicKey *key)
{
        KeyType type = public_key_type(key);

        if (type == KEY_ED25519)
                return scheme == SCHEME_ED25519;
        return type == KEY_ECDSA_P256 && (scheme == SCHEME_ECDSA_DER || scheme == SCHEME_ECDSA_P1363);
}

int attestation_write_envelope(Blob payload, PrivateKey *key, SignatureScheme scheme, Buffer *out)
{
        _cleanup_(buffer_deinit) Buffer pae = BUFFER_NULL, signature = BUFFER_NULL, text = BUFFER_NULL;
        _cleanup_(public_key_freep) PublicKey *public_key = NULL;
        int r;

        assert(payload.size > 0);
        assert(key && out);

        r = private_key_public(key, &public_key);
        if (r)
                return error_fold(r);
        if (!scheme_fits(scheme, public_key))
                return error_origin(-EINVAL);

        r = dsse_pae(&pae, DSSE_PAYLOAD_TYPE, payload);
        if (r)
                return error_fold(r);
        r = private_key_sign(key, scheme, buffer_blob(&pae), &signature);
        if (r)
                return error_fold(r);
        r = write_envelope(payload, public_key, buffer_blob(&signature), &text);
        if (r)
                return error_fold(r);
        r = buffer_append_byte(&text, '\n');
        if (r)
                return error_fold(r);
        return error_fold(buffer_append(out, text.data, text.size));
}
