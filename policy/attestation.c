/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/attestation.h"

#include "base/error.h"
#include "policy/dsse.h"
#include "policy/statement.h"

/* The rebuilders of a policy that signed, by index. */
typedef struct Signers {
        bool signed_by[LIMIT_POLICY_NAMES];
        size_t n;
} Signers;

/* Tried under every rebuilder's key: the key id of an envelope is nobody's word. */
static int verify_signature(Signers *signers, const Policy *policy, Blob pae, Blob digest, Blob signature)
{
        for (size_t i = 0; i < policy->n_rebuilders; i++) {
                const PolicyRebuilder *rebuilder = &policy->rebuilders[i];
                Blob message = rebuilder->scheme == SCHEME_ED25519 ? pae : digest;
                int r;

                if (signers->signed_by[i])
                        continue;
                r = public_key_verify(rebuilder->key, rebuilder->scheme, message, signature);
                if (r < 0)
                        return error_fold(r);
                if (r > 0)
                        continue;
                signers->signed_by[i] = true;
                signers->n++;
                return 0; /* no two keys of a policy are equal, so it is nobody else's */
        }
        return 0;
}

static int verify_envelope(Signers *signers, const Policy *policy, const DsseEnvelope *e)
{
        _cleanup_(buffer_deinit) Buffer pae = BUFFER_NULL;
        uint8_t digest[SHA256_SIZE];
        int r;

        r = dsse_pae(&pae, e->payload_type, buffer_blob(&e->payload));
        if (r)
                return error_fold(r);
        sha256(digest, pae.data, pae.size);

        for (size_t i = 0; i < e->n_signatures; i++) {
                if (e->signatures[i].size == 0)
                        continue;
                r = verify_signature(signers, policy, buffer_blob(&pae), BLOB(digest, sizeof(digest)),
                                     buffer_blob(&e->signatures[i]));
                if (r)
                        return error_fold(r);
        }
        return 0;
}

static bool release_has_source(const PolicyRelease *release, const char *uri)
{
        for (size_t i = 0; i < release->n_sources; i++)
                if (strcmp(release->sources[i], uri) == 0)
                        return true;
        return false;
}

/* SLSA: "Consumers MUST accept only specific signer-builder pairs."  A signer who is not the builder does
 * not count. */
static void drop_other_builders(Signers *signers, const Policy *policy, const char *builder_id)
{
        for (size_t i = 0; i < policy->n_rebuilders; i++) {
                if (!signers->signed_by[i] || strcmp(policy->rebuilders[i].builder_id, builder_id) == 0)
                        continue;
                signers->signed_by[i] = false;
                signers->n--;
        }
}

/* What the statement says, measured against the policy. */
static int check_statement(Signers *signers, const Policy *policy, const Statement *s, size_t *ret_release,
                           const Refusal *refusal)
{
        size_t release = policy_find_release(policy, s->target);

        if (release == SIZE_MAX)
                return refusal_make(refusal, REASON_TARGET_UNKNOWN, "the policy has no release '%s'",
                                    refusal_quote(s->target, strlen(s->target)).text);
        if (!release_has_source(&policy->releases[release], s->source.uri))
                return refusal_make(refusal, REASON_SOURCE_UNKNOWN, "release '%s' has no source '%s'",
                                    policy->releases[release].name,
                                    refusal_quote(s->source.uri, strlen(s->source.uri)).text);
        drop_other_builders(signers, policy, s->builder_id);
        if (signers->n == 0)
                return refusal_make(refusal, REASON_BUILDER_ID,
                                    "the builder id '%s' is not that of the rebuilder who signed",
                                    refusal_quote(s->builder_id, strlen(s->builder_id)).text);
        *ret_release = release;
        return 0;
}

static int attestation_new(Attestation **ret, Blob envelope, size_t release, const Signers *signers,
                           Statement *s)
{
        _cleanup_(attestation_freep) Attestation *a = NULL;
        int r;

        r = memory_new0(&a, 1);
        if (r)
                return error_fold(r);
        r = memory_new0(&a->signers, signers->n);
        if (r)
                return error_fold(r);

        for (size_t i = 0; i < LIMIT_POLICY_NAMES; i++)
                if (signers->signed_by[i])
                        a->signers[a->n_signers++] = i;
        assert(a->n_signers == signers->n);

        sha256(a->id, envelope.data, envelope.size);
        a->release = release;
        a->source = s->source;
        s->source.uri = NULL;
        a->n_subjects = s->n_subjects;
        a->subjects = TAKE_PTR(s->subjects);
        s->n_subjects = 0;
        *ret = TAKE_PTR(a);
        return 0;
}

int attestation_verify(Attestation **ret, const Policy *policy, Blob envelope, uint64_t now_usec,
                       Reason *ret_reason, Buffer *message)
{
        _cleanup_(dsse_envelope_deinit) DsseEnvelope e = {0};
        _cleanup_(statement_deinit) Statement s = {0};
        const Refusal refusal = {ret_reason, message};
        Signers signers = {0};
        size_t release = SIZE_MAX;
        int r;

        assert(ret && ret_reason && message);
        assert(policy && policy->n_rebuilders <= LIMIT_POLICY_NAMES);

        r = dsse_envelope_decode(&e, envelope, &refusal);
        if (r)
                return r > 0 ? ATTESTATION_E_REFUSED : error_fold(r);

        r = verify_envelope(&signers, policy, &e);
        if (r)
                return error_fold(r);
        if (signers.n == 0) {
                r = refusal_make(&refusal, REASON_NO_TRUSTED_SIGNER,
                                 "no signature of the attestation verifies under a rebuilder's key");
                return r > 0 ? ATTESTATION_E_REFUSED : error_fold(r);
        }

        /* Only from here on do we look into the payload: the very bytes that were verified. */
        r = statement_decode(&s, buffer_blob(&e.payload), now_usec, &refusal);
        if (r)
                return r > 0 ? ATTESTATION_E_REFUSED : error_fold(r);

        r = check_statement(&signers, policy, &s, &release, &refusal);
        if (r)
                return r > 0 ? ATTESTATION_E_REFUSED : error_fold(r);

        return error_fold(attestation_new(ret, envelope, release, &signers, &s));
}

Attestation *attestation_free(Attestation *a)
{
        if (!a)
                return NULL;
        for (size_t i = 0; i < a->n_subjects; i++)
                free(a->subjects[i].name);
        free(a->subjects);
        free(a->signers);
        free(a->source.uri);
        free(a);
        return NULL;
}

size_t attestation_memory(const Attestation *a)
{
        size_t size = sizeof(*a);

        assert(a);

        size += strlen(a->source.uri) + 1;
        size += a->n_signers * sizeof(*a->signers);
        size += a->n_subjects * sizeof(*a->subjects);
        for (size_t i = 0; i < a->n_subjects; i++)
                size += strlen(a->subjects[i].name) + 1;
        return size;
}

size_t attestation_find(const Attestation *a, const uint8_t sha256[static SHA256_SIZE])
{
        size_t low = 0, high;

        assert(a);

        high = a->n_subjects;
        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (memcmp(a->subjects[middle].digests.sha256, sha256, SHA256_SIZE) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        if (low == a->n_subjects || memcmp(a->subjects[low].digests.sha256, sha256, SHA256_SIZE) != 0)
                return SIZE_MAX;
        return low;
}

static uint8_t *put_field(uint8_t *p, const void *data, size_t size)
{
        put_u64(p, size);
        memcpy(p + 8, data, size);
        return p + 8 + size;
}

void attestation_claim(const Attestation *a, const Policy *policy, size_t subject,
                       uint8_t ret[static SHA256_SIZE])
{
        static const char label[] = "hsmd claim v1";
        uint8_t text[6 * 8 + sizeof(label) + LIMIT_NAME_SIZE + LIMIT_ARTIFACT_NAME + LIMIT_URI_SIZE + 64 +
                     SHA256_SIZE];
        const char *release, *name;
        uint8_t *p = text;

        assert(a && policy);
        assert(subject < a->n_subjects);
        assert(a->release < policy->n_releases);

        release = policy->releases[a->release].name;
        name = a->subjects[subject].name;
        assert(strlen(release) <= LIMIT_NAME_SIZE);
        assert(strlen(name) <= LIMIT_ARTIFACT_NAME);
        assert(strlen(a->source.uri) <= LIMIT_URI_SIZE);

        p = put_field(p, label, sizeof(label) - 1);
        p = put_field(p, release, strlen(release));
        p = put_field(p, name, strlen(name));
        p = put_field(p, a->source.uri, strlen(a->source.uri));
        p = put_field(p, a->source.git_commit, strlen(a->source.git_commit));
        p = put_field(p, a->source.sha256, SHA256_SIZE);
        sha256(ret, text, (size_t)(p - text));
}
