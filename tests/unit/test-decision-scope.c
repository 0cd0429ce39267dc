/* SPDX-License-Identifier: Apache-2.0 */
#include "test-policy-fixture.h"

enum { BERLIN, RIGA };

static const uint32_t farmers[] = {7, 2000};

#define BUILDER                                                                                             \
        {                                                                                                   \
                .uid = 1000, .gid = 1000                                                                    \
        }
#define FARMER                                                                                              \
        {                                                                                                   \
                .uid = 5, .gid = 5, .n_groups = 2, .groups = farmers                                        \
        }
#define NOBODY                                                                                              \
        {                                                                                                   \
                .uid = 2000, .gid = 1000                                                                    \
        } /* the numbers of requesters, but uid and gid swapped */

typedef struct Case {
        const char *name;
        DecisionPeer peer;
        const char *key, *format, *release;
        size_t site;
        uint64_t now_usec; /* 0: FIXTURE_NOW */
        Reason reason;
        DecisionScope wanted; /* if REASON_NONE: key, release, requester, format */
} Case;

#define EFFECTIVE UINT64_C(1767225600000000)
#define EXPIRES   UINT64_C(1893456000000000)

static const Case cases[] = {
        {"all_named",
         BUILDER,
         "product",
         "raw-ecdsa",
         "product",
         RIGA,
         0,
         REASON_NONE,
         {0, 0, 0, FORMAT_RAW_ECDSA}},
        {"only_format",
         BUILDER,
         "product",
         NULL,
         "updates",
         RIGA,
         0,
         REASON_NONE,
         {0, 1, 0, FORMAT_RAW_ECDSA}},
        {"only_release", BUILDER, "update", NULL, NULL, RIGA, 0, REASON_NONE, {2, 1, 0, FORMAT_RAW_ED25519}},
        {"only_release_that_admits",
         FARMER,
         "product",
         NULL,
         NULL,
         RIGA,
         0,
         REASON_NONE,
         {0, 1, 1, FORMAT_RAW_ECDSA}},
        {"supplementary_group",
         FARMER,
         "update",
         NULL,
         "updates",
         RIGA,
         0,
         REASON_NONE,
         {2, 1, 1, FORMAT_RAW_ED25519}},
        {"primary_group",
         {.uid = 5, .gid = 2000},
         "update",
         NULL,
         NULL,
         RIGA,
         0,
         REASON_NONE,
         {2, 1, 1, FORMAT_RAW_ED25519}},
        {"site_of_the_key",
         BUILDER,
         "firmware",
         "raw-rsa-pss-sha256",
         NULL,
         BERLIN,
         0,
         REASON_NONE,
         {1, 0, 0, FORMAT_RAW_RSA_PSS_SHA256}},
        {"first_instant",
         BUILDER,
         "update",
         NULL,
         NULL,
         RIGA,
         EFFECTIVE,
         REASON_NONE,
         {2, 1, 0, FORMAT_RAW_ED25519}},
        {"last_instant",
         BUILDER,
         "update",
         NULL,
         NULL,
         RIGA,
         EXPIRES - 1,
         REASON_NONE,
         {2, 1, 0, FORMAT_RAW_ED25519}},

        {"too_early", BUILDER, "update", NULL, NULL, RIGA, EFFECTIVE - 1, REASON_POLICY_NOT_EFFECTIVE, {0}},
        {"too_late", BUILDER, "update", NULL, NULL, RIGA, EXPIRES, REASON_POLICY_EXPIRED, {0}},
        {"stranger", NOBODY, "product", NULL, "product", RIGA, 0, REASON_REQUESTER_UNKNOWN, {0}},
        {"key_of_nobody", BUILDER, "products", NULL, NULL, RIGA, 0, REASON_KEY_UNKNOWN, {0}},
        {"other_site",
         BUILDER,
         "firmware",
         "raw-rsa-pss-sha256",
         NULL,
         RIGA,
         0,
         REASON_KEY_NOT_AT_SITE,
         {0}},
        {"release_of_nobody", BUILDER, "product", NULL, "Product", RIGA, 0, REASON_RELEASE_UNKNOWN, {0}},
        {"key_of_another_release",
         BUILDER,
         "update",
         NULL,
         "product",
         RIGA,
         0,
         REASON_KEY_NOT_IN_RELEASE,
         {0}},
        {"key_of_no_release", BUILDER, "kernel", NULL, NULL, RIGA, 0, REASON_KEY_NOT_IN_RELEASE, {0}},
        {"requester_of_another_release",
         FARMER,
         "product",
         NULL,
         "product",
         RIGA,
         0,
         REASON_REQUESTER_NOT_ALLOWED,
         {0}},
        {"requester_of_no_release_with_the_key",
         FARMER,
         "firmware",
         NULL,
         NULL,
         BERLIN,
         0,
         REASON_REQUESTER_NOT_ALLOWED,
         {0}},
        {"two_releases_to_choose", BUILDER, "product", NULL, NULL, RIGA, 0, REASON_RELEASE_AMBIGUOUS, {0}},
        {"two_formats_to_choose", BUILDER, "firmware", NULL, NULL, BERLIN, 0, REASON_FORMAT_AMBIGUOUS, {0}},
        {"format_of_nobody", BUILDER, "update", "raw-ED25519", NULL, RIGA, 0, REASON_FORMAT_UNKNOWN, {0}},
        {"format_of_another_key",
         BUILDER,
         "update",
         "raw-ecdsa",
         NULL,
         RIGA,
         0,
         REASON_FORMAT_NOT_ALLOWED,
         {0}},
};

static Policy *policy;

static int setup(void **state)
{
        (void)state;
        return fixture_setup((void **)&policy);
}

static int teardown(void **state)
{
        (void)state;
        return fixture_teardown((void **)&policy);
}

static void decision_scope_case(void **state)
{
        _cleanup_(buffer_deinit) Buffer message = BUFFER_NULL;
        const Case *c = *state;
        Reason reason = REASON_NONE;
        DecisionScope scope = {0};
        int r;

        r = decision_scope(&scope, policy, &c->peer, c->key, c->format, c->release, c->site,
                           c->now_usec ? c->now_usec : FIXTURE_NOW, &reason, &message);
        assert_string_equal(reason_to_string(reason), reason_to_string(c->reason));
        assert_int_equal(r, c->reason == REASON_NONE ? 0 : DECISION_E_REFUSED);
        assert_int_equal(message.size > 0, c->reason != REASON_NONE);
        assert_int_equal(scope.key, c->wanted.key);
        assert_int_equal(scope.release, c->wanted.release);
        assert_int_equal(scope.requester, c->wanted.requester);
        assert_int_equal(scope.format, c->wanted.format);
}

static void decision_artifact_name_valid_plain_and_foreign_names_are_accepted(void **state)
{
        static const char *const good[] = {"a",
                                           "product-1.0.bin",
                                           "...",
                                           ".hidden",
                                           "a b",
                                           "-x",
                                           "\303\251",
                                           "\302\240",
                                           "\341\200\200",
                                           "\360\220\200\200",
                                           "\364\217\277\277",
                                           "\355\237\277"};
        char longest[LIMIT_ARTIFACT_NAME];

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(good); i++)
                assert_true(decision_artifact_name_valid(good[i], strlen(good[i])));
        memset(longest, 'n', sizeof(longest));
        assert_true(decision_artifact_name_valid(longest, sizeof(longest)));
}

static void decision_artifact_name_valid_anything_else_is_refused(void **state)
{
        static const char *const bad[] = {"",
                                          ".",
                                          "..",
                                          "/",
                                          "a/b",
                                          "a\nb",
                                          "a\x7f",
                                          "a\x1b[0m",
                                          "\302\205" /* NEL */,
                                          "\200",
                                          "\303",
                                          "\303(",
                                          "\300\257" /* overlong '/' */,
                                          "\340\237\277",
                                          "\355\240\200" /* surrogate */,
                                          "\360\217\277\277",
                                          "\364\220\200\200",
                                          "\370\210\200\200\200",
                                          "\341\200",
                                          "\341\200("};
        char too_long[LIMIT_ARTIFACT_NAME + 1];

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_false(decision_artifact_name_valid(bad[i], strlen(bad[i])));
        assert_false(decision_artifact_name_valid("a\0b", 3));
        memset(too_long, 'n', sizeof(too_long));
        assert_false(decision_artifact_name_valid(too_long, sizeof(too_long)));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(decision_artifact_name_valid_plain_and_foreign_names_are_accepted),
                cmocka_unit_test(decision_artifact_name_valid_anything_else_is_refused),
        };
        static char names[ARRAY_SIZE(cases)][120];
        static Case copies[ARRAY_SIZE(cases)];
        struct CMUnitTest all[ARRAY_SIZE(tests) + ARRAY_SIZE(cases)];
        size_t n = ARRAY_SIZE(tests);

        memcpy(all, tests, sizeof(tests));
        memcpy(copies, cases, sizeof(cases));
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                (void)snprintf(names[i], sizeof(names[i]), "decision_scope_%s_is_%s", cases[i].name,
                               cases[i].reason == REASON_NONE ? "granted"
                                                              : reason_to_string(cases[i].reason));
                all[n++] = (struct CMUnitTest){
                        .name = names[i],
                        .test_func = decision_scope_case,
                        .initial_state = &copies[i],
                };
        }
        return _cmocka_run_group_tests("decision-scope", all, n, setup, teardown);
}
