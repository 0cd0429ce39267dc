/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that runs out at every single allocation, once or for good: the answer is -ENOMEM and nothing else,
 * nothing leaks (the sanitizer build watches), and what should have been refused is not accepted instead.
 */
#include "test-policy-fixture.h"

/* Allocations still to come before the one that fails; 0: none fails. */
static unsigned long countdown;
static bool for_good;
static bool failed;

static bool fails(void)
{
        if (countdown == 0)
                return false;
        if (countdown > 1) {
                countdown--;
                return false;
        }
        if (!for_good)
                countdown = 0;
        failed = true;
        return true;
}

/* What the linker puts in the place of the allocator (--wrap). */
void *__real_calloc(size_t n, size_t size);
void *__real_malloc(size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_realloc(void *p, size_t size);

void *__wrap_calloc(size_t n, size_t size)
{
        return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_malloc(size_t size)
{
        return fails() ? NULL : __real_malloc(size);
}

void *__wrap_realloc(void *p, size_t size)
{
        return fails() ? NULL : __real_realloc(p, size);
}

/* Returns the result of one run; what it made, it has freed. */
typedef int (*Run)(void *context);

static void fail_each(Run run, void *context, int wanted)
{
        for (int persistent = 0; persistent < 2; persistent++)
                for (unsigned long n = 1;; n++) {
                        int r;

                        for_good = persistent;
                        failed = false;
                        countdown = n;
                        r = run(context);
                        countdown = 0;
                        if (!failed) {
                                assert_int_equal(r, wanted);
                                assert_true(n > 5);
                                break;
                        }
                        assert_int_equal(r, -ENOMEM);
                }
}

static int run_parse(void *context)
{
        _cleanup_(policy_faults_deinit) PolicyFaults faults = {0};
        _cleanup_(policy_freep) Policy *policy = NULL;

        return policy_parse(&policy, buffer_blob(context), &faults);
}

static void policy_parse_memory_that_runs_out_is_reported(void **state)
{
        _cleanup_(buffer_deinit) Buffer text = BUFFER_NULL;

        (void)state;
        fixture_read(&text, "policy.conf");
        fail_each(run_parse, &text, 0);
        text.data[14] = 'S'; /* no `serial` */
        fail_each(run_parse, &text, POLICY_E_INVALID);
}

typedef struct Verification {
        const Policy *policy;
        Buffer envelope;
} Verification;

static int run_verify(void *context)
{
        _cleanup_(attestation_freep) Attestation *a = NULL;
        _cleanup_(buffer_deinit) Buffer message = BUFFER_NULL;
        Verification *v = context;
        Reason reason = REASON_NONE;

        return attestation_verify(&a, v->policy, buffer_blob(&v->envelope), FIXTURE_NOW, &reason, &message);
}

static void attestation_verify_memory_that_runs_out_is_reported(void **state)
{
        static const struct {
                const char *file;
                int wanted;
        } files[] = {
                {"accept-other-algorithms", 0},
                {"accept-der", 0},
                {"accept-two-names-one-digest", 0},
                {"unknown-signer", ATTESTATION_E_REFUSED},
                {"two-subjects-same-name", ATTESTATION_E_REFUSED},
                {"builder-id-of-another-org", ATTESTATION_E_REFUSED},
        };

        for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
                Verification v = {.policy = *state};
                char path[128];

                (void)snprintf(path, sizeof(path), "attestations/%s.json", files[i].file);
                fixture_read(&v.envelope, path);
                (void)run_verify(&v); /* the contexts of the keys are made once */
                fail_each(run_verify, &v, files[i].wanted);
                buffer_deinit(&v.envelope);
        }
}

static int run_scope(void *context)
{
        _cleanup_(buffer_deinit) Buffer message = BUFFER_NULL;
        const DecisionPeer peer = {.uid = 1};
        Reason reason = REASON_NONE;
        DecisionScope scope;
        int r;

        r = decision_scope(&scope, context, &peer, "product", NULL, NULL, 0, FIXTURE_NOW, &reason, &message);
        return r;
}

static void decision_scope_memory_that_runs_out_is_reported(void **state)
{
        failed = false;
        countdown = 1;
        assert_int_equal(run_scope(*state), -ENOMEM);
        assert_true(failed);
        countdown = 0;
        assert_int_equal(run_scope(*state), DECISION_E_REFUSED);
}

static int run_write(void *context)
{
        _cleanup_(buffer_deinit) Buffer payload = BUFFER_NULL, out = BUFFER_NULL;
        static const uint8_t source[SHA256_SIZE] = {1};
        const AttestationSubject subject = {.name = (char[]){"a"}};
        const AttestationDraft draft = {
                .release = "r",
                .builder_id = "b:b",
                .source_uri = "s:s",
                .git_commit = "00112233445566778899aabbccddeeff00112233",
                .source_sha256 = source,
                .started_usec = 1,
                .n_subjects = 1,
                .subjects = &subject,
        };
        int r;

        r = attestation_write_statement(&draft, &payload);
        if (r)
                return r;
        return attestation_write_envelope(buffer_blob(&payload), context, SCHEME_ED25519, &out);
}

static void attestation_write_memory_that_runs_out_is_reported(void **state)
{
        _cleanup_(private_key_freep) PrivateKey *key = NULL;
        _cleanup_(buffer_deinit) Buffer pem = BUFFER_NULL;

        (void)state;
        fixture_read(&pem, "keys/farm-1.pem");
        assert_int_equal(private_key_new_pem(&key, buffer_blob(&pem)), 0);
        fail_each(run_write, key, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(policy_parse_memory_that_runs_out_is_reported),
                cmocka_unit_test(attestation_verify_memory_that_runs_out_is_reported),
                cmocka_unit_test(decision_scope_memory_that_runs_out_is_reported),
                cmocka_unit_test(attestation_write_memory_that_runs_out_is_reported),
        };

        return cmocka_run_group_tests_name("policy-memory", tests, fixture_setup, fixture_teardown);
}
