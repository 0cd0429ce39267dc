/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/dsse.h"

#include "base/base64.h"
#include "base/error.h"
#include "base/sjson.h"

int dsse_pae(Buffer *out, const char *payload_type, Blob payload)
{
        int r;

        assert(out);
        assert(payload_type);

        /* Lengths are of bytes; both types are ASCII, so nobody can count them otherwise. */
        r = buffer_printf(out, "DSSEv1 %zu %s %zu ", strlen(payload_type), payload_type, payload.size);
        if (r)
                return error_fold(r);
        r = buffer_append(out, payload.data, payload.size);
        return error_fold(r);
}

static int parse(SJson **ret, Blob envelope, const Refusal *refusal)
{
        SJsonError error;
        int r;

        if (envelope.size > LIMIT_ATTESTATION_SIZE)
                return refusal_make(refusal, REASON_ATTESTATION_TOO_LARGE,
                                    "the attestation has %zu bytes, more than %d", envelope.size,
                                    LIMIT_ATTESTATION_SIZE);

        r = sjson_parse(ret, envelope.data, envelope.size, &error);
        if (r <= 0)
                return error_fold(r);
        return refusal_make(refusal,
                            r == SJSON_E_DUPLICATE ? REASON_ATTESTATION_DUPLICATE_MEMBER
                                                   : REASON_ATTESTATION_SYNTAX,
                            "the attestation is not strict JSON: line %d, column %d: %s", error.line,
                            error.column, refusal_quote(error.text, strlen(error.text)).text);
}

static int decode_type(DsseEnvelope *e, const char *type, size_t size, const Refusal *refusal)
{
        static const char *const types[] = {DSSE_PAYLOAD_TYPE, DSSE_PAYLOAD_TYPE_PROVENANCE};

        for (size_t i = 0; i < ARRAY_SIZE(types); i++)
                if (blob_equal_string(BLOB(type, size), types[i])) {
                        e->payload_type = types[i];
                        return 0;
                }
        return refusal_make(refusal, REASON_PAYLOAD_TYPE, "the payload type is '%s', not '%s'",
                            refusal_quote(type, size).text, DSSE_PAYLOAD_TYPE);
}

static int decode_payload(DsseEnvelope *e, const char *text, size_t size, const Refusal *refusal)
{
        int r;

        r = base64_decode(&e->payload, BASE64_STANDARD_OR_URL, text, size);
        if (r < 0)
                return error_fold(r);
        if (r > 0)
                return refusal_make(refusal, REASON_PAYLOAD_BASE64, "the payload is not canonical base64");
        if (e->payload.size == 0 || e->payload.size > LIMIT_STATEMENT_SIZE)
                return refusal_make(refusal, REASON_PAYLOAD_SIZE, "the payload has %zu bytes, not 1 to %d",
                                    e->payload.size, LIMIT_STATEMENT_SIZE);
        return 0;
}

static int decode_signatures(DsseEnvelope *e, const SJson *signatures, const Refusal *refusal)
{
        size_t n = sjson_size(signatures);

        if (n == 0 || n > LIMIT_ENVELOPE_SIGNATURES)
                return refusal_make(refusal, REASON_SIGNATURE_COUNT,
                                    "the envelope has %zu signatures, not 1 to %d", n,
                                    LIMIT_ENVELOPE_SIGNATURES);
        for (size_t i = 0; i < n; i++) {
                const SJson *item = sjson_at(signatures, i);
                const char *text;
                size_t size;
                int r;

                if (!sjson_is_object(item) || sjson_get_string(item, "sig", &text, &size))
                        return refusal_make(refusal, REASON_ATTESTATION_SHAPE,
                                            "signature %zu of the envelope has no 'sig'", i + 1);
                if (size > BASE64_SIZE(LIMIT_SIGNATURE_SIZE))
                        continue;
                r = base64_decode(&e->signatures[i], BASE64_STANDARD_OR_URL, text, size);
                if (r < 0)
                        return error_fold(r);
        }
        e->n_signatures = n;
        return 0;
}

int dsse_envelope_decode(DsseEnvelope *e, Blob envelope, const Refusal *refusal)
{
        _cleanup_(sjson_freep) SJson *document = NULL;
        const char *type, *payload;
        size_t type_size, payload_size;
        SJson *signatures, *legacy;
        int r;

        assert(e && e->n_signatures == 0);
        assert(refusal);

        r = parse(&document, envelope, refusal);
        if (r)
                return r > 0 ? DSSE_E_REFUSED : error_fold(r);

        /* "signed" is what an in-toto link has for "payload": an envelope that is both is neither. */
        if (sjson_get_string(document, "payloadType", &type, &type_size) ||
            sjson_get_string(document, "payload", &payload, &payload_size) ||
            sjson_get_array(document, "signatures", &signatures) ||
            sjson_get(document, "signed", &legacy) != SJSON_E_MISSING)
                r = refusal_make(
                        refusal, REASON_ATTESTATION_SHAPE,
                        "not a DSSE envelope: payload, payloadType and signatures, and no 'signed'");
        if (!r)
                r = decode_type(e, type, type_size, refusal);
        if (!r)
                r = decode_payload(e, payload, payload_size, refusal);
        if (!r)
                r = decode_signatures(e, signatures, refusal);
        return r > 0 ? DSSE_E_REFUSED : error_fold(r);
}

void dsse_envelope_deinit(DsseEnvelope *e)
{
        assert(e);

        buffer_deinit(&e->payload);
        for (size_t i = 0; i < LIMIT_ENVELOPE_SIGNATURES; i++)
                buffer_deinit(&e->signatures[i]);
        *e = (DsseEnvelope){0};
}
