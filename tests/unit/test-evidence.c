/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/server-world.h"

static void attest(World *w, Client *c, const char *rebuilder, PrivateKey *key, size_t first, size_t n,
                   unsigned source)
{
        _cleanup_(buffer_deinit) Buffer envelope = BUFFER_NULL;
        _cleanup_(sjson_freep) SJson *reply = NULL;
        bool accepted;

        world_envelope(w, "product", rebuilder, key, first, n, source, &envelope);
        reply = world_attest(w, c, buffer_blob(&envelope));
        assert_int_equal(sjson_get_bool(assert_parameters(reply), "accepted", &accepted), 0);
        assert_true(accepted);
}

/* An attestation that is not in the journal. */
static Attestation *verified(World *w, const char *rebuilder, PrivateKey *key, size_t first, size_t n,
                             unsigned source)
{
        _cleanup_(buffer_deinit) Buffer envelope = BUFFER_NULL, message = BUFFER_NULL;
        Attestation *a = NULL;
        Reason reason;

        world_envelope(w, "product", rebuilder, key, first, n, source, &envelope);
        assert_int_equal(attestation_verify(&a, w->policy, buffer_blob(&envelope), engine_real_time(),
                                            &reason, &message),
                         0);
        return a;
}

static size_t collect(World *w, Evidence *e, size_t file)
{
        EvidenceSet set;

        assert_int_equal(evidence_collect(e, w->files[file].name, w->files[file].digests.sha256, &set), 0);
        for (size_t i = 0; i < set.n; i++)
                assert_non_null(set.items[i]);
        return set.n;
}

static void evidence_collect_finds_who_speaks_of_the_artifact(void **state)
{
        World *w = *state;
        _cleanup_(evidence_freep) Evidence *e = NULL;
        Client c;

        world_files(w, 3);
        client_open(w, ROLE_SIGN, &c);
        attest(w, &c, "farm-1", w->farm, 0, 2, 1);
        attest(w, &c, "overseer-1", w->overseer, 1, 1, 1);
        assert_int_equal(evidence_new(&e, w->journal, w->policy), 0);
        assert_int_equal(collect(w, e, 0), 1);
        assert_int_equal(collect(w, e, 1), 2);
        assert_int_equal(collect(w, e, 2), 0);
        client_close(&c);
}

/* The same claim with another digest: dissent is collected though it does not name the artifact. */
static void evidence_collect_finds_dissent(void **state)
{
        World *w = *state;
        _cleanup_(evidence_freep) Evidence *e = NULL;
        Client c;

        world_files(w, 2);
        memcpy(w->files[1].name, w->files[0].name, sizeof(w->files[0].name));
        client_open(w, ROLE_SIGN, &c);
        attest(w, &c, "farm-1", w->farm, 0, 1, 1);
        attest(w, &c, "overseer-1", w->overseer, 1, 1, 2); /* of another source: no dissent */
        assert_int_equal(evidence_new(&e, w->journal, w->policy), 0);
        assert_int_equal(collect(w, e, 0), 1);
        attest(w, &c, "overseer-1", w->overseer, 1, 1, 1);
        assert_int_equal(collect(w, e, 0), 2);
        client_close(&c);
}

static void evidence_collect_up_to_the_limit_then_too_much(void **state)
{
        World *w = *state;
        _cleanup_(evidence_freep) Evidence *e = NULL;
        EvidenceSet set;
        Client c;

        world_files(w, 2);
        client_open(w, ROLE_SIGN, &c);
        assert_int_equal(evidence_new(&e, w->journal, w->policy), 0);
        for (unsigned i = 0; i < LIMIT_EVIDENCE; i++)
                attest(w, &c, "farm-1", w->farm, 0, 1, i);
        assert_int_equal(collect(w, e, 0), LIMIT_EVIDENCE);
        attest(w, &c, "farm-1", w->farm, 0, 1, LIMIT_EVIDENCE);
        assert_int_equal(evidence_collect(e, w->files[0].name, w->files[0].digests.sha256, &set),
                         EVIDENCE_E_TOO_MUCH);
        attest(w, &c, "farm-1", w->farm, 1, 1, 1); /* another artifact is not concerned */
        assert_int_equal(collect(w, e, 1), 1);
        client_close(&c);
}

/* More attestations than the cache holds: whatever was let go is read back. */
static void evidence_collect_past_the_cache_reads_back(void **state)
{
        World *w = *state;
        _cleanup_(evidence_freep) Evidence *e = NULL;
        const size_t n = EVIDENCE_CACHE_ITEMS + 50;
        Client c;

        world_files(w, n);
        client_open(w, ROLE_SIGN, &c);
        for (size_t i = 0; i < n; i++)
                attest(w, &c, "farm-1", w->farm, i, 1, 1);
        assert_int_equal(evidence_new(&e, w->journal, w->policy), 0);
        for (int round = 0; round < 2; round++)
                for (size_t i = 0; i < n; i++)
                        assert_int_equal(collect(w, e, i), 1);
        client_close(&c);
}

static void evidence_known_needs_the_same_subjects_source_and_signers(void **state)
{
        World *w = *state;
        _cleanup_(evidence_freep) Evidence *e = NULL;
        Client c;
        struct {
                const char *rebuilder;
                PrivateKey *key;
                size_t first, n;
                unsigned source;
                bool known;
        } rows[] = {
                {"farm-1", w->farm, 0, 2, 1, true},          {"farm-1", w->farm, 0, 1, 1, true},
                {"farm-1", w->farm, 1, 1, 1, true},          {"farm-1", w->farm, 0, 3, 1, false},
                {"farm-1", w->farm, 0, 2, 2, false},         {"overseer-1", w->overseer, 0, 2, 1, false},
                {"overseer-1", w->overseer, 2, 1, 1, false},
        };

        world_files(w, 3);
        client_open(w, ROLE_SIGN, &c);
        attest(w, &c, "farm-1", w->farm, 0, 2, 1);
        assert_int_equal(evidence_new(&e, w->journal, w->policy), 0);
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                _cleanup_(attestation_freep) Attestation *a = verified(
                        w, rows[i].rebuilder, rows[i].key, rows[i].first, rows[i].n, rows[i].source);
                uint64_t entry = 99;
                bool known;

                assert_int_equal(evidence_known(e, a, &known, &entry), 0);
                assert_int_equal(known, rows[i].known);
                assert_int_equal(entry, known ? 1 : 99);
        }
        client_close(&c);
}

static void evidence_contradicting_is_the_same_claim_with_another_digest(void **state)
{
        World *w = *state;
        _cleanup_(evidence_freep) Evidence *e = NULL;
        _cleanup_(attestation_freep) Attestation *same = NULL, *other = NULL, *elsewhere = NULL;
        _cleanup_(buffer_deinit) Buffer envelope = BUFFER_NULL;
        uint8_t id[32];
        EvidenceSet set;
        Client c;

        world_files(w, 4);
        memcpy(w->files[2].name, w->files[0].name, sizeof(w->files[0].name));
        memcpy(w->files[3].name, w->files[1].name, sizeof(w->files[1].name));
        client_open(w, ROLE_SIGN, &c);
        attest(w, &c, "farm-1", w->farm, 0, 2, 1);
        assert_int_equal(evidence_new(&e, w->journal, w->policy), 0);
        same = verified(w, "overseer-1", w->overseer, 0, 2, 1);
        assert_int_equal(evidence_contradicting(e, same, &set), 0);
        assert_int_equal(set.n, 0);
        other = verified(w, "overseer-1", w->overseer, 2, 2, 1);
        assert_int_equal(evidence_contradicting(e, other, &set), 0);
        assert_int_equal(set.n, 1); /* twice, but one attestation */
        assert_int_equal(set.entries[0], 1);
        world_envelope(w, "product", "farm-1", w->farm, 0, 2, 1, &envelope);
        sha256(id, envelope.data, envelope.size);
        assert_memory_equal(set.ids[0], id, 32);
        elsewhere = verified(w, "overseer-1", w->overseer, 2, 2, 2);
        assert_int_equal(evidence_contradicting(e, elsewhere, &set), 0);
        assert_int_equal(set.n, 0);
        client_close(&c);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                WORLD_TEST(evidence_collect_finds_who_speaks_of_the_artifact),
                WORLD_TEST(evidence_collect_finds_dissent),
                WORLD_TEST(evidence_collect_up_to_the_limit_then_too_much),
                WORLD_TEST(evidence_collect_past_the_cache_reads_back),
                WORLD_TEST(evidence_known_needs_the_same_subjects_source_and_signers),
                WORLD_TEST(evidence_contradicting_is_the_same_claim_with_another_digest),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
