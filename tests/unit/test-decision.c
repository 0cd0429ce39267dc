/* SPDX-License-Identifier: Apache-2.0 */
#include "test-policy-fixture.h"

enum { FARM_1, FARM_2, LAB_1, OVERSEER_1, ACADEMY_1, NOBODY };
enum { FARM, LAB, OVERSEER, ACADEMY };
enum { PRODUCT, UPDATES }; /* deny dissent; record it */

#define NAME "product-1.0.bin"

static Policy *policy;
static Digests artifact; /* of "product-1.0" */

/* An attestation as attestation_verify() would have made it, in storage of its own. */
typedef struct Said {
        Attestation attestation;
        size_t signers[2];
        AttestationSubject subject;
        char uri[64], name[64];
} Said;

static Attestation *say(Said *s, size_t rebuilder, size_t cosigner, size_t release, uint8_t commit)
{
        *s = (Said){.signers = {rebuilder, cosigner}, .uri = "https://git.example/product", .name = NAME};
        s->subject.name = s->name;
        memcpy(s->subject.digests.sha256, artifact.sha256, SHA256_SIZE);
        s->attestation = (Attestation){
                .release = release,
                .source = {.uri = s->uri, .sha256 = {commit}},
                .n_signers = cosigner == NOBODY ? 1 : 2,
                .signers = s->signers,
                .n_subjects = 1,
                .subjects = &s->subject,
        };
        memset(s->attestation.source.git_commit, 'a' + commit, 40);
        return &s->attestation;
}

static Attestation *yes(Said *s, size_t rebuilder)
{
        return say(s, rebuilder, NOBODY, PRODUCT, 0);
}

static Attestation *other(Said *s, size_t rebuilder)
{
        Attestation *a = yes(s, rebuilder);

        s->subject.digests.sha256[0] ^= 1;
        return a;
}

static Attestation *in_release(Attestation *a, size_t release)
{
        a->release = release;
        return a;
}

static Decision decision;
static Buffer sentence;

static Reason evaluate_in(size_t release, size_t n, Attestation *const *attestations)
{
        const DecisionScope scope = {.release = release, .format = FORMAT_RAW_ECDSA};

        memset(&decision, 0xa5, sizeof(decision)); /* nothing of it may be left as it was */
        decision_evaluate(&decision, policy, &scope, NAME, &artifact, n, attestations);
        buffer_clear(&sentence);
        assert_int_equal(decision_describe(&decision, policy, &scope, &sentence), 0);
        return decision.reason;
}

#define evaluate(...)                                                                                       \
        evaluate_in(PRODUCT, ARRAY_SIZE(((Attestation *[]){__VA_ARGS__})), (Attestation *[]){__VA_ARGS__})
#define evaluate_updates(...)                                                                               \
        evaluate_in(UPDATES, ARRAY_SIZE(((Attestation *[]){__VA_ARGS__})), (Attestation *[]){__VA_ARGS__})
#define assert_reason(_reason, _wanted)                                                                     \
        assert_string_equal(reason_to_string(_reason), reason_to_string(_wanted))
#define assert_sentence(_text) assert_string_equal((const char *)sentence.data, (_text))

static int setup(void **state)
{
        _cleanup_(hasher_freep) Hasher *hasher = NULL;

        (void)state;
        if (fixture_setup((void **)&policy) || hasher_new(&hasher))
                return -1;
        hasher_update(hasher, "product-1.0", 11);
        hasher_finish(hasher, &artifact);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        buffer_deinit(&sentence);
        return fixture_teardown((void **)&policy);
}

static void decision_evaluate_enough_organisations_are_allowed(void **state)
{
        Said a, b;

        (void)state;
        assert_reason(evaluate(yes(&b, OVERSEER_1), yes(&a, FARM_1)), REASON_NONE);
        assert_int_equal(decision.n_votes, 2);
        assert_int_equal(decision.votes[0].org, FARM);
        assert_int_equal(decision.votes[0].rebuilder, FARM_1);
        assert_ptr_equal(decision.votes[0].attestation, &a.attestation);
        assert_int_equal(decision.votes[1].org, OVERSEER);
        assert_ptr_equal(decision.votes[1].attestation, &b.attestation);
        assert_ptr_equal(decision.source, &b.attestation.source);
        assert_int_equal(decision.n_missing, 0);
        assert_int_equal(decision.n_dissent, 0);
        assert_sentence("allowed for release product: commit aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa was "
                        "attested by: "
                        "farm, overseer");
}

static void decision_evaluate_no_attestation_is_refused(void **state)
{
        (void)state;
        assert_reason(evaluate_in(PRODUCT, 0, NULL), REASON_EVIDENCE_NONE);
        assert_null(decision.source);
        assert_int_equal(decision.n_votes, 0);
        assert_int_equal(decision.n_missing, 2);
        assert_sentence(
                "nobody has attested this artifact for release product; needs 2 more of: farm, overseer, "
                "academy; needs 1 more of class third-party: overseer, academy; has: nobody");
}

static void decision_evaluate_one_organisation_of_two_is_refused(void **state)
{
        Said a;

        (void)state;
        assert_reason(evaluate(yes(&a, OVERSEER_1)), REASON_QUORUM_ORGS);
        assert_int_equal(decision.n_missing, 1);
        assert_int_equal(decision.missing[0].k, 1);
        assert_false(decision.missing[0].is_class);
        assert_int_equal(decision.missing[0].n_orgs, 2);
        assert_int_equal(decision.missing[0].orgs[0], FARM);
        assert_int_equal(decision.missing[0].orgs[1], ACADEMY);
        assert_sentence("needs 1 more of: farm, academy; has: overseer");
}

/* DSSE P1, P3: neither a file handed in again, nor another key, nor both keys in one file makes two of one.
 */
static void decision_evaluate_worker_and_daemon_of_one_org_count_once(void **state)
{
        Said a, b, c;

        (void)state;
        assert_reason(evaluate(say(&a, FARM_1, FARM_2, PRODUCT, 0), yes(&b, FARM_2), yes(&c, FARM_1)),
                      REASON_QUORUM_ORGS);
        assert_int_equal(decision.n_votes, 1);
        assert_ptr_equal(decision.votes[0].attestation, &a.attestation);
        assert_int_equal(decision.votes[0].rebuilder, FARM_1);
}

static void decision_evaluate_one_statement_signed_by_two_orgs_counts_for_both(void **state)
{
        Said a;

        (void)state;
        assert_reason(evaluate(say(&a, FARM_1, OVERSEER_1, PRODUCT, 0)), REASON_NONE);
        assert_int_equal(decision.n_votes, 2);
}

static void decision_evaluate_org_that_the_release_does_not_name_does_not_count(void **state)
{
        Said a, b;

        (void)state;
        assert_reason(evaluate(yes(&a, LAB_1), yes(&b, OVERSEER_1)), REASON_QUORUM_ORGS);
        assert_int_equal(decision.n_votes, 1);
        assert_reason(evaluate(yes(&a, LAB_1)), REASON_EVIDENCE_NONE);
}

static void decision_evaluate_two_orgs_but_no_third_party_is_refused(void **state)
{
        size_t class = policy->orgs[OVERSEER].class;
        Said a, b;

        (void)state;
        policy->orgs[OVERSEER].class = ORG_INTERNAL;
        assert_reason(evaluate(yes(&a, FARM_1), yes(&b, OVERSEER_1)), REASON_QUORUM_CLASS);
        policy->orgs[OVERSEER].class = (OrgClass) class;
        assert_int_equal(decision.n_missing, 1);
        assert_true(decision.missing[0].is_class);
        assert_int_equal(decision.missing[0].class, ORG_THIRD_PARTY);
        assert_int_equal(decision.missing[0].n_orgs, 1);
        assert_int_equal(decision.missing[0].orgs[0], ACADEMY);
        assert_sentence("needs 1 more of class third-party: academy; has: farm, overseer");
        assert_reason(evaluate(&a.attestation, &b.attestation), REASON_NONE);
}

static void decision_evaluate_attestation_for_another_release_does_not_count(void **state)
{
        Said a, b;

        (void)state;
        assert_reason(evaluate(yes(&a, FARM_1), in_release(yes(&b, OVERSEER_1), UPDATES)),
                      REASON_QUORUM_ORGS);
}

static void decision_evaluate_wrong_source_commit_is_not_added_up(void **state)
{
        Said a, b, c;

        (void)state;
        assert_reason(evaluate(yes(&a, FARM_1), say(&b, OVERSEER_1, NOBODY, PRODUCT, 1)),
                      REASON_QUORUM_ORGS);
        assert_ptr_equal(decision.source, &a.attestation.source);
        assert_reason(evaluate(&a.attestation, &b.attestation, say(&c, FARM_2, NOBODY, PRODUCT, 1)),
                      REASON_NONE);
        assert_ptr_equal(decision.source, &b.attestation.source);
}

static void decision_evaluate_any_difference_of_source_is_another_source(void **state)
{
        Said a, b;

        (void)state;
        yes(&a, FARM_1);
        yes(&b, OVERSEER_1)->source.git_commit[39] = 'b';
        assert_reason(evaluate(&a.attestation, &b.attestation), REASON_QUORUM_ORGS);
        yes(&b, OVERSEER_1)->source.sha256[31] = 1;
        assert_reason(evaluate(&a.attestation, &b.attestation), REASON_QUORUM_ORGS);
        yes(&b, OVERSEER_1);
        b.uri[8] = 'G';
        assert_reason(evaluate(&a.attestation, &b.attestation), REASON_QUORUM_ORGS);
        yes(&b, OVERSEER_1);
        assert_reason(evaluate(&a.attestation, &b.attestation), REASON_NONE);
}

static void decision_evaluate_of_sources_the_one_with_most_votes_is_taken(void **state)
{
        Said s[5];

        (void)state;
        assert_reason(
                evaluate(say(&s[0], FARM_1, NOBODY, PRODUCT, 0), say(&s[1], OVERSEER_1, NOBODY, PRODUCT, 0),
                         say(&s[2], FARM_2, NOBODY, PRODUCT, 1), say(&s[3], OVERSEER_1, NOBODY, PRODUCT, 1)),
                REASON_NONE);
        assert_ptr_equal(decision.source, &s[0].attestation.source); /* equals: the earlier */
        assert_reason(evaluate(&s[0].attestation, &s[1].attestation, &s[2].attestation, &s[3].attestation,
                               say(&s[4], ACADEMY_1, NOBODY, PRODUCT, 1)),
                      REASON_NONE);
        assert_ptr_equal(decision.source, &s[2].attestation.source);
        assert_int_equal(decision.n_votes, 3);
}

static void decision_evaluate_dissent_is_refused_where_it_denies(void **state)
{
        Said a, b, c;

        (void)state;
        assert_reason(evaluate(yes(&a, FARM_1), yes(&b, OVERSEER_1), other(&c, ACADEMY_1)), REASON_DISSENT);
        assert_int_equal(decision.n_dissent, 1);
        assert_ptr_equal(decision.dissent[0], &c.attestation);
        assert_sentence("another hash from the same source was attested by: academy; has: farm, overseer");
        /* also from an organisation that has no vote here */
        assert_reason(evaluate(&a.attestation, &b.attestation, other(&c, LAB_1)), REASON_DISSENT);
        assert_sentence("another hash from the same source was attested by: lab; has: farm, overseer");
}

static void decision_evaluate_dissent_is_only_listed_where_it_is_recorded(void **state)
{
        Said a, b, c;

        (void)state;
        assert_reason(evaluate_updates(in_release(yes(&a, FARM_1), UPDATES),
                                       in_release(yes(&b, LAB_1), UPDATES),
                                       in_release(other(&c, ACADEMY_1), UPDATES)),
                      REASON_NONE);
        assert_int_equal(decision.n_dissent, 1);
        assert_ptr_equal(decision.dissent[0], &c.attestation);
}

static void decision_evaluate_other_source_release_or_name_is_no_dissent(void **state)
{
        Said a, b, c;

        (void)state;
        yes(&a, FARM_1);
        yes(&b, OVERSEER_1);
        other(&c, ACADEMY_1)->source.sha256[0] = 9;
        assert_reason(evaluate(&a.attestation, &b.attestation, &c.attestation), REASON_NONE);
        in_release(other(&c, ACADEMY_1), UPDATES);
        assert_reason(evaluate(&a.attestation, &b.attestation, &c.attestation), REASON_NONE);
        other(&c, ACADEMY_1);
        c.name[0] = 'P';
        assert_reason(evaluate(&a.attestation, &b.attestation, &c.attestation), REASON_NONE);
}

static void decision_evaluate_org_that_contradicts_itself_is_void(void **state)
{
        Said a, b, c, d;

        (void)state;
        in_release(yes(&a, FARM_1), UPDATES);
        in_release(yes(&b, LAB_1), UPDATES);
        in_release(other(&c, FARM_2), UPDATES);
        assert_reason(evaluate_updates(&a.attestation, &b.attestation), REASON_NONE);
        assert_reason(evaluate_updates(&a.attestation, &b.attestation, &c.attestation), REASON_QUORUM_ORGS);
        assert_int_equal(decision.n_votes, 1);
        assert_int_equal(decision.votes[0].org, LAB);
        assert_sentence("needs 1 more of: overseer, academy; has: lab"); /* farm has spoken */
        in_release(yes(&d, OVERSEER_1), UPDATES);
        assert_reason(evaluate_updates(&a.attestation, &b.attestation, &c.attestation, &d.attestation),
                      REASON_NONE);
        assert_reason(evaluate_updates(&a.attestation, &c.attestation), REASON_EVIDENCE_NONE);
        assert_null(decision.source);
        assert_int_equal(decision.n_dissent, 1);
}

static void decision_evaluate_contradiction_inside_one_org_is_dissent_too(void **state)
{
        Said a, b, c, d;

        (void)state;
        assert_reason(evaluate(yes(&a, FARM_1), yes(&b, OVERSEER_1), yes(&d, ACADEMY_1), other(&c, FARM_2)),
                      REASON_DISSENT);
}

static void decision_evaluate_sha256_right_but_sha512_wrong_is_refused(void **state)
{
        Said a, b;

        (void)state;
        yes(&a, FARM_1);
        yes(&b, OVERSEER_1);
        a.subject.digests = artifact;
        assert_reason(evaluate(&a.attestation, &b.attestation), REASON_NONE);
        a.subject.digests.sha512[0] ^= 1;
        assert_reason(evaluate(&a.attestation), REASON_SUBJECT_MISMATCH);
        assert_reason(evaluate(&a.attestation, &b.attestation), REASON_QUORUM_ORGS);
        a.subject.digests = artifact;
        a.subject.digests.sha384[0] ^= 1;
        assert_reason(evaluate(&a.attestation), REASON_SUBJECT_MISMATCH);
}

static void decision_evaluate_digest_alone_does_not_meet_a_given_sha512(void **state)
{
        Digests all = artifact;
        Said a, b;

        (void)state;
        yes(&a, FARM_1);
        yes(&b, OVERSEER_1);
        a.subject.digests = artifact;
        b.subject.digests = artifact;
        artifact.have_sha384 = artifact.have_sha512 = false;
        assert_reason(evaluate(&a.attestation, &b.attestation), REASON_SUBJECT_MISMATCH);
        a.subject.digests.have_sha384 = a.subject.digests.have_sha512 = false;
        b.subject.digests.have_sha384 = b.subject.digests.have_sha512 = false;
        assert_reason(evaluate(&a.attestation, &b.attestation), REASON_NONE);
        artifact = all;
}

static void decision_evaluate_right_content_under_another_name_is_refused(void **state)
{
        Said a, b;

        (void)state;
        yes(&a, FARM_1);
        yes(&b, OVERSEER_1);
        a.name[0] = b.name[0] = 'P';
        assert_reason(evaluate(&a.attestation, &b.attestation), REASON_SUBJECT_MISMATCH);
        a.name[0] = b.name[0] = 'p';
        assert_reason(evaluate(&a.attestation, &b.attestation), REASON_NONE);
}

static void decision_evaluate_only_relevant_attestations_are_too_many(void **state)
{
        static Said said[3 * LIMIT_EVIDENCE];
        static Attestation *all[3 * LIMIT_EVIDENCE];
        size_t n = 0;

        (void)state;
        for (; n < 2 * LIMIT_EVIDENCE; n++) { /* of other things */
                all[n] = other(&said[n], FARM_1);
                said[n].name[0] = 'x';
        }
        for (size_t i = 0; i < LIMIT_EVIDENCE; i++, n++)
                all[n] = yes(&said[n], i % 2 ? FARM_1 : OVERSEER_1);
        assert_reason(evaluate_in(PRODUCT, n, all), REASON_NONE);
        all[0] = yes(&said[0], ACADEMY_1);
        assert_reason(evaluate_in(PRODUCT, n, all), REASON_EVIDENCE_TOO_MUCH);
        assert_int_equal(decision.n_votes, 0);
}

static void decision_evaluate_verified_files_of_two_orgs_are_allowed(void **state)
{
        static const char *const files[] = {"attestations/accept-p1363.json",
                                            "attestations/accept-ed25519.json"};
        Attestation *all[2] = {NULL, NULL};

        (void)state;
        for (size_t i = 0; i < 2; i++) {
                _cleanup_(buffer_deinit) Buffer text = BUFFER_NULL, message = BUFFER_NULL;
                Reason reason = REASON_NONE;

                fixture_read(&text, files[i]);
                assert_int_equal(attestation_verify(&all[i], policy, buffer_blob(&text), FIXTURE_NOW,
                                                    &reason, &message),
                                 0);
        }
        assert_reason(evaluate_in(PRODUCT, 2, all), REASON_NONE);
        assert_reason(evaluate_in(PRODUCT, 1, all), REASON_QUORUM_ORGS);
        attestation_free(all[0]);
        attestation_free(all[1]);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(decision_evaluate_enough_organisations_are_allowed),
                cmocka_unit_test(decision_evaluate_no_attestation_is_refused),
                cmocka_unit_test(decision_evaluate_one_organisation_of_two_is_refused),
                cmocka_unit_test(decision_evaluate_worker_and_daemon_of_one_org_count_once),
                cmocka_unit_test(decision_evaluate_one_statement_signed_by_two_orgs_counts_for_both),
                cmocka_unit_test(decision_evaluate_org_that_the_release_does_not_name_does_not_count),
                cmocka_unit_test(decision_evaluate_two_orgs_but_no_third_party_is_refused),
                cmocka_unit_test(decision_evaluate_attestation_for_another_release_does_not_count),
                cmocka_unit_test(decision_evaluate_wrong_source_commit_is_not_added_up),
                cmocka_unit_test(decision_evaluate_any_difference_of_source_is_another_source),
                cmocka_unit_test(decision_evaluate_of_sources_the_one_with_most_votes_is_taken),
                cmocka_unit_test(decision_evaluate_dissent_is_refused_where_it_denies),
                cmocka_unit_test(decision_evaluate_dissent_is_only_listed_where_it_is_recorded),
                cmocka_unit_test(decision_evaluate_other_source_release_or_name_is_no_dissent),
                cmocka_unit_test(decision_evaluate_org_that_contradicts_itself_is_void),
                cmocka_unit_test(decision_evaluate_contradiction_inside_one_org_is_dissent_too),
                cmocka_unit_test(decision_evaluate_sha256_right_but_sha512_wrong_is_refused),
                cmocka_unit_test(decision_evaluate_digest_alone_does_not_meet_a_given_sha512),
                cmocka_unit_test(decision_evaluate_right_content_under_another_name_is_refused),
                cmocka_unit_test(decision_evaluate_only_relevant_attestations_are_too_many),
                cmocka_unit_test(decision_evaluate_verified_files_of_two_orgs_are_allowed),
        };

        return cmocka_run_group_tests_name("decision", tests, setup, teardown);
}
