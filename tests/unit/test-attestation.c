/* SPDX-License-Identifier: Apache-2.0 */
#include "test-policy-fixture.h"

#include "base/base64.h"
#include "base/hex.h"

/* The most cases in data/policy/cases.txt, and the longest name of a test made of one. */
#define CASES_MAX     256
#define NAME_MAX_SIZE 160

/* One line of cases.txt. */
typedef struct Case {
        char file[80], reason[40], signers[40];
} Case;

static Policy *policy;
static Case cases[CASES_MAX];
static char names[CASES_MAX][NAME_MAX_SIZE];
static size_t n_cases;

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

static int verify(Attestation **ret, Blob envelope, uint64_t now_usec, Reason *ret_reason)
{
        _cleanup_(buffer_deinit) Buffer message = BUFFER_NULL;
        int r;

        r = attestation_verify(ret, policy, envelope, now_usec, ret_reason, &message);
        if (r == ATTESTATION_E_REFUSED)
                assert_true(message.size > 0);
        return r;
}

static Attestation *verify_file(const char *name)
{
        _cleanup_(buffer_deinit) Buffer text = BUFFER_NULL;
        Attestation *a = NULL;
        Reason reason = REASON_NONE;
        char path[128];

        (void)snprintf(path, sizeof(path), "attestations/%s.json", name);
        fixture_read(&text, path);
        assert_int_equal(verify(&a, buffer_blob(&text), FIXTURE_NOW, &reason), 0);
        return a;
}

static void assert_signers(const Attestation *a, const char *wanted)
{
        char text[200] = "";

        for (size_t i = 0; i < a->n_signers; i++) {
                size_t size = strlen(text);

                (void)snprintf(text + size, sizeof(text) - size, "%s%s", i > 0 ? "," : "",
                               policy->rebuilders[a->signers[i]].name);
        }
        assert_string_equal(text, wanted);
}

/* Run once for every line of cases.txt, under a name of its own. */
static void attestation_verify_case(void **state)
{
        _cleanup_(attestation_freep) Attestation *a = NULL;
        _cleanup_(buffer_deinit) Buffer text = BUFFER_NULL;
        const Case *c = *state;
        Reason reason = REASON_NONE;
        char path[128];
        int r;

        (void)snprintf(path, sizeof(path), "attestations/%s.json", c->file);
        fixture_read(&text, path);
        r = verify(&a, buffer_blob(&text), FIXTURE_NOW, &reason);
        assert_string_equal(reason_to_string(reason), c->reason);
        if (strcmp(c->reason, "none") != 0) {
                assert_int_equal(r, ATTESTATION_E_REFUSED);
                assert_null(a);
                return;
        }
        assert_int_equal(r, 0);
        assert_signers(a, c->signers);
}

static void attestation_verify_good_envelope_is_read(void **state)
{
        _cleanup_(attestation_freep) Attestation *a = verify_file("accept-ed25519");
        _cleanup_(buffer_deinit) Buffer text = BUFFER_NULL;
        uint8_t id[SHA256_SIZE], digest[SHA256_SIZE], source[SHA256_SIZE];

        (void)state;
        fixture_read(&text, "attestations/accept-ed25519.json");
        sha256(id, text.data, text.size);
        sha256(digest, "product-1.0", 11);
        memset(source, 0x5e, sizeof(source));
        assert_memory_equal(a->id, id, SHA256_SIZE);
        assert_int_equal(a->release, 0);
        assert_string_equal(a->source.uri, "https://git.example/product");
        assert_string_equal(a->source.git_commit, "c0ffee0000000000000000000000000000000000");
        assert_memory_equal(a->source.sha256, source, SHA256_SIZE);
        assert_int_equal(a->n_subjects, 1);
        assert_string_equal(a->subjects[0].name, "product-1.0.bin");
        assert_memory_equal(a->subjects[0].digests.sha256, digest, SHA256_SIZE);
        assert_false(a->subjects[0].digests.have_sha384);
        assert_false(a->subjects[0].digests.have_sha512);
        assert_true(attestation_memory(a) > sizeof(*a));
}

static void attestation_verify_other_digests_are_kept(void **state)
{
        _cleanup_(attestation_freep) Attestation *a = verify_file("accept-other-algorithms");
        _cleanup_(hasher_freep) Hasher *hasher = NULL;
        Digests digests;

        (void)state;
        assert_int_equal(hasher_new(&hasher), 0);
        hasher_update(hasher, "product-1.0", 11);
        hasher_finish(hasher, &digests);
        assert_true(a->subjects[0].digests.have_sha384);
        assert_true(a->subjects[0].digests.have_sha512);
        assert_memory_equal(a->subjects[0].digests.sha384, digests.sha384, SHA384_SIZE);
        assert_memory_equal(a->subjects[0].digests.sha512, digests.sha512, SHA512_SIZE);
}

static void attestation_verify_repeated_subject_is_kept_once(void **state)
{
        _cleanup_(attestation_freep) Attestation *a = verify_file("accept-subject-repeated");

        (void)state;
        assert_int_equal(a->n_subjects, 1);
}

static void attestation_verify_envelope_over_the_limit_is_refused(void **state)
{
        _cleanup_(attestation_freep) Attestation *a = NULL;
        _cleanup_(buffer_deinit) Buffer text = BUFFER_NULL;
        Reason reason = REASON_NONE;

        (void)state;
        fixture_read(&text, "attestations/accept-ed25519.json");
        while (text.size < LIMIT_ATTESTATION_SIZE)
                assert_int_equal(buffer_append_byte(&text, ' '), 0);
        assert_int_equal(verify(&a, buffer_blob(&text), FIXTURE_NOW, &reason), 0);
        a = attestation_free(a);
        assert_int_equal(buffer_append_byte(&text, ' '), 0);
        assert_int_equal(verify(&a, buffer_blob(&text), FIXTURE_NOW, &reason), ATTESTATION_E_REFUSED);
        assert_int_equal(reason, REASON_ATTESTATION_TOO_LARGE);
}

static void attestation_verify_clock_moves_finished_out_of_the_future(void **state)
{
        _cleanup_(attestation_freep) Attestation *a = NULL;
        _cleanup_(buffer_deinit) Buffer text = BUFFER_NULL;
        Reason reason = REASON_NONE;

        (void)state;
        fixture_read(&text, "attestations/finished-in-the-future.json");
        assert_int_equal(verify(&a, buffer_blob(&text), FIXTURE_NOW, &reason), ATTESTATION_E_REFUSED);
        assert_int_equal(verify(&a, buffer_blob(&text), FIXTURE_NOW + 1, &reason), 0);
}

static void attestation_find_each_of_256_subjects_is_found(void **state)
{
        _cleanup_(attestation_freep) Attestation *a = verify_file("accept-256-subjects");
        uint8_t digest[SHA256_SIZE] = {0};

        (void)state;
        assert_int_equal(a->n_subjects, LIMIT_SUBJECTS);
        for (unsigned i = 0; i < LIMIT_SUBJECTS; i++) {
                char name[16];
                size_t k;

                digest[SHA256_SIZE - 1] = (uint8_t)i;
                k = attestation_find(a, digest);
                assert_true(k < a->n_subjects);
                (void)snprintf(name, sizeof(name), "f%u", i);
                assert_string_equal(a->subjects[k].name, name);
        }
        digest[0] = 1;
        assert_true(attestation_find(a, digest) == SIZE_MAX);
        memset(digest, 0xff, sizeof(digest));
        assert_true(attestation_find(a, digest) == SIZE_MAX);
}

static void attestation_find_first_of_equal_digests_is_found(void **state)
{
        _cleanup_(attestation_freep) Attestation *a = verify_file("accept-two-names-one-digest");

        (void)state;
        assert_int_equal(a->n_subjects, 2);
        assert_int_equal(attestation_find(a, a->subjects[1].digests.sha256), 0);
        assert_string_equal(a->subjects[0].name, "a");
        assert_string_equal(a->subjects[1].name, "b");
}

static void attestation_claim_same_words_of_two_orgs_are_one_claim(void **state)
{
        _cleanup_(attestation_freep) Attestation *a = verify_file("accept-ed25519"),
                                                 *b = verify_file("accept-der");
        uint8_t x[SHA256_SIZE], y[SHA256_SIZE];

        (void)state;
        attestation_claim(a, policy, 0, x);
        attestation_claim(b, policy, 0, y);
        assert_memory_equal(x, y, SHA256_SIZE);
}

static void attestation_claim_any_other_word_is_another_claim(void **state)
{
        _cleanup_(attestation_freep) Attestation *a = verify_file("accept-ed25519");
        uint8_t x[SHA256_SIZE], y[SHA256_SIZE];

        (void)state;
        attestation_claim(a, policy, 0, x);
#define ASSERT_OTHER(_change, _undo)                                                                        \
        do {                                                                                                \
                _change;                                                                                    \
                attestation_claim(a, policy, 0, y);                                                         \
                assert_memory_not_equal(x, y, SHA256_SIZE);                                                 \
                _undo;                                                                                      \
        } while (0)
        ASSERT_OTHER(a->release = 1, a->release = 0);
        ASSERT_OTHER(a->source.uri[0] = 'H', a->source.uri[0] = 'h');
        ASSERT_OTHER(a->source.git_commit[39] = '1', a->source.git_commit[39] = '0');
        ASSERT_OTHER(a->source.sha256[31] ^= 1, a->source.sha256[31] ^= 1);
        ASSERT_OTHER(a->subjects[0].name[0] = 'P', a->subjects[0].name[0] = 'p');
        a->subjects[0].digests.sha256[0] ^=
                1; /* the digest is what is claimed, not part of the claim's name */
        attestation_claim(a, policy, 0, y);
        assert_memory_equal(x, y, SHA256_SIZE);
}

/* ---- mutations ---- */

static bool same_content(const Attestation *a, const Attestation *b)
{
        if (a->release != b->release || a->n_signers > b->n_signers || a->n_subjects != b->n_subjects)
                return false;
        for (size_t i = 0; i < a->n_signers; i++)
                if (a->signers[i] != b->signers[i])
                        return false;
        return strcmp(a->source.uri, b->source.uri) == 0 &&
               strcmp(a->source.git_commit, b->source.git_commit) == 0 &&
               memcmp(a->source.sha256, b->source.sha256, SHA256_SIZE) == 0 &&
               strcmp(a->subjects[0].name, b->subjects[0].name) == 0 &&
               memcmp(a->subjects[0].digests.sha256, b->subjects[0].digests.sha256, SHA256_SIZE) == 0;
}

/* Whatever byte of an envelope is changed, and to what: it is refused, or says exactly what it said. */
static void attestation_verify_any_flipped_byte_never_says_more(void **state)
{
        static const uint8_t flips[] = {0x01, 0x20, 0x80, 0xff};
        _cleanup_(attestation_freep) Attestation *good = verify_file("accept-ed25519");
        _cleanup_(buffer_deinit) Buffer text = BUFFER_NULL;
        size_t n_refused = 0, n_same = 0;

        (void)state;
        fixture_read(&text, "attestations/accept-ed25519.json");
        for (size_t i = 0; i < text.size; i++)
                for (size_t k = 0; k < ARRAY_SIZE(flips); k++) {
                        _cleanup_(attestation_freep) Attestation *a = NULL;
                        Reason reason = REASON_NONE;
                        int r;

                        text.data[i] ^= flips[k];
                        r = verify(&a, buffer_blob(&text), FIXTURE_NOW, &reason);
                        text.data[i] ^= flips[k];
                        assert_true(r == 0 || r == ATTESTATION_E_REFUSED);
                        if (r == 0)
                                assert_true(same_content(a, good));
                        n_same += r == 0;
                        n_refused += r != 0;
                }
        /* The key id and blanks between words are free; all else is not. */
        assert_true(n_same > 0);
        assert_true(n_refused > 10 * n_same);
}

static void attestation_verify_any_cut_envelope_is_refused(void **state)
{
        _cleanup_(buffer_deinit) Buffer text = BUFFER_NULL;

        (void)state;
        fixture_read(&text, "attestations/accept-ed25519.json");
        for (size_t size = 0; size + 1 < text.size; size++) {
                Attestation *a = NULL;
                Reason reason = REASON_NONE;

                assert_int_equal(verify(&a, BLOB(text.data, size), FIXTURE_NOW, &reason),
                                 ATTESTATION_E_REFUSED);
                assert_null(a);
        }
}

static void read_cases(void)
{
        _cleanup_(buffer_deinit) Buffer text = BUFFER_NULL;
        char *next;

        fixture_read(&text, "cases.txt");
        for (char *line = (char *)text.data; *line; line = next) {
                Case *c = &cases[n_cases];

                next = strchr(line, '\n') + 1;
                if (n_cases == CASES_MAX ||
                    sscanf(line, "%79s %39s %39s", c->file, c->reason, c->signers) != 3)
                        abort();
                (void)snprintf(names[n_cases], NAME_MAX_SIZE, "attestation_verify_%s_is_%s", c->file,
                               strcmp(c->reason, "none") == 0 ? "accepted" : c->reason);
                n_cases++;
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(attestation_verify_good_envelope_is_read),
                cmocka_unit_test(attestation_verify_other_digests_are_kept),
                cmocka_unit_test(attestation_verify_repeated_subject_is_kept_once),
                cmocka_unit_test(attestation_verify_envelope_over_the_limit_is_refused),
                cmocka_unit_test(attestation_verify_clock_moves_finished_out_of_the_future),
                cmocka_unit_test(attestation_find_each_of_256_subjects_is_found),
                cmocka_unit_test(attestation_find_first_of_equal_digests_is_found),
                cmocka_unit_test(attestation_claim_same_words_of_two_orgs_are_one_claim),
                cmocka_unit_test(attestation_claim_any_other_word_is_another_claim),
                cmocka_unit_test(attestation_verify_any_flipped_byte_never_says_more),
                cmocka_unit_test(attestation_verify_any_cut_envelope_is_refused),
        };
        struct CMUnitTest all[ARRAY_SIZE(tests) + CASES_MAX];
        size_t n = ARRAY_SIZE(tests);

        memcpy(all, tests, sizeof(tests));
        read_cases();
        for (size_t i = 0; i < n_cases; i++)
                all[n++] = (struct CMUnitTest){
                        .name = names[i],
                        .test_func = attestation_verify_case,
                        .initial_state = &cases[i],
                };
        return _cmocka_run_group_tests("attestation", all, n, setup, teardown);
}
