/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "journal/proof.h"
#include "unit/data/journal/vectors.h"

#define HEAD "c2sp.org/tlog-proof@v1\n"
#define HASH "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"

static NoteVerifier log_key;

static int setup(void **state)
{
        (void)state;
        return note_verifier_parse(&log_key, VECTOR_VKEY, strlen(VECTOR_VKEY));
}

static int teardown(void **state)
{
        (void)state;
        note_verifier_deinit(&log_key);
        return 0;
}

static int decode_n(const void *data, size_t size)
{
        Proof p;
        int r = proof_decode(&p, BLOB(data, size));

        proof_deinit(&p);
        return r;
}

static int decode(const char *file)
{
        return decode_n(file, strlen(file));
}

static int verify_n(const void *data, size_t size)
{
        Proof p;
        int r = proof_decode(&p, BLOB(data, size));

        if (r == 0)
                r = proof_verify(&p, &log_key, NULL);
        proof_deinit(&p);
        return r;
}

/* ---- decode ---- */

static void proof_decode_of_own_vector_reads_it(void **state)
{
        _cleanup_(proof_deinit) Proof p;

        (void)state;
        assert_int_equal(proof_decode(&p, BLOB_STRING(VECTOR_PROOF_7_4)), 0);
        assert_int_equal(p.index, 4);
        assert_int_equal(p.n_hashes, 3);
        assert_true(blob_equal_string(buffer_blob(&p.extra), "entry 4"));
        assert_true(blob_equal_string(p.checkpoint, VECTOR_CHECKPOINT_7));
}

static void proof_decode_without_extra_is_accepted(void **state)
{
        _cleanup_(proof_deinit) Proof p;

        (void)state;
        assert_int_equal(proof_decode(&p, BLOB_LITERAL(HEAD "index 0\n\nx")), 0);
        assert_int_equal(p.extra.size, 0);
        assert_int_equal(p.n_hashes, 0);
        assert_true(blob_equal_string(p.checkpoint, "x"));
}

static void proof_decode_of_malformed_files_is_refused(void **state)
{
        static const char *const bad[] = {
                "",
                "c2sp.org/tlog-proof@v1",
                HEAD,
                "c2sp.org/tlog-proof@v2\nindex 0\n\nx",
                "c2sp.org/tlog-proof@v1 \nindex 0\n\nx",
                "c2sp.org/tlog-proof@v1\r\nindex 0\n\nx",
                "\n" HEAD "index 0\n\nx",
                HEAD "\nindex 0\n\nx",
                HEAD "index 0\n",
                HEAD "index 0\n\n", /* no checkpoint */
                HEAD "extra YQ==\n\nx",
                HEAD "extra YQ==\nextra YQ==\nindex 0\n\nx", /* "at most one" */
                HEAD "index 0\nextra YQ==\n\nx",
                HEAD "extra \nindex 0\n\nx",
                HEAD "extra\nindex 0\n\nx",
                HEAD "extra  YQ==\nindex 0\n\nx",
                HEAD "extra YQ\nindex 0\n\nx", /* pitfall 18 */
                HEAD "extra YR==\nindex 0\n\nx",
                HEAD "extra YQ== \nindex 0\n\nx",
                HEAD "index\n\nx",
                HEAD "index \n\nx",
                HEAD "index  0\n\nx",
                HEAD "index +5\n\nx", /* pitfall 19 */
                HEAD "index 05\n\nx",
                HEAD "index 5 \n\nx",
                HEAD "index -5\n\nx",
                HEAD "index 9223372036854775807\n\nx", /* in no tree of at most 2^63 - 1 leaves */
                HEAD "index 9223372036854775808\n\nx",
                HEAD "index 18446744073709551616\n\nx",
                HEAD "Index 0\n\nx",
                HEAD "index 0\r\n\nx",
                HEAD "index 0\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I\n\nx",
                HEAD "index 0\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2J=\n\nx",
                HEAD "index 0\n CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\nx",
                HEAD "index 0\nYQ==\n\nx",
                HEAD "index 0\n" HASH "x", /* no empty line */
                HEAD "index 0\n" HASH,
        };

        (void)state;
        assert_int_equal(decode(HEAD "index 0\n" HASH "\nx"), 0);
        assert_int_equal(decode(HEAD "index 9223372036854775806\n\nx"), 0);
        assert_int_equal(decode(HEAD "extra YQ==\nindex 0\n\nx"), 0);
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_int_equal(decode(bad[i]), PROOF_E_SYNTAX);
}

static void proof_decode_of_nul_is_refused(void **state)
{
        (void)state;
        assert_int_equal(decode_n("c2sp.org/tlog-proof@v1\0\nindex 0\n\nx", 36), PROOF_E_SYNTAX);
        assert_int_equal(decode_n(HEAD "index 0\0\n\nx", strlen(HEAD) + 11), PROOF_E_SYNTAX);
}

/* The head ends at the first empty line, though the checkpoint has another. */
static void proof_decode_of_hashes_splits_at_first_empty_line(void **state)
{
        _cleanup_(proof_deinit) Proof p;

        (void)state;
        assert_int_equal(proof_decode(&p, BLOB_LITERAL(HEAD "index 0\n\n" HASH "\nx")), 0);
        assert_int_equal(p.n_hashes, 0);
        assert_true(blob_equal_string(p.checkpoint, HASH "\nx"));
}

static void proof_decode_past_the_limits_is_refused(void **state)
{
        _cleanup_(buffer_deinit) Buffer many = BUFFER_NULL, great = BUFFER_NULL;
        static uint8_t entry[LIMIT_ENTRY_SIZE];
        static TreeHash hashes[LIMIT_PROOF_HASHES];
        size_t head;

        (void)state;
        assert_int_equal(proof_write(5, hashes, LIMIT_PROOF_HASHES, BLOB(entry, sizeof(entry)),
                                     BLOB_LITERAL("x"), &great),
                         0);
        assert_int_equal(decode_n(great.data, great.size), 0);
        while (great.size < LIMIT_PROOF_SIZE)
                assert_int_equal(buffer_append_byte(&great, 'x'), 0);
        assert_int_equal(decode_n(great.data, great.size), 0);
        assert_int_equal(buffer_append_byte(&great, 'x'), 0);
        assert_int_equal(decode_n(great.data, great.size), PROOF_E_SYNTAX);

        assert_int_equal(proof_write(5, hashes, LIMIT_PROOF_HASHES, BLOB_NULL, BLOB_LITERAL("x"), &many), 0);
        assert_int_equal(decode_n(many.data, many.size), 0);
        head = many.size - 2;
        many.size = head;
        assert_int_equal(buffer_append_string(&many, HASH "\nx"), 0);
        assert_int_equal(decode_n(many.data, many.size), PROOF_E_SYNTAX);
}

static void proof_decode_of_too_great_entry_is_refused(void **state)
{
        _cleanup_(buffer_deinit) Buffer file = BUFFER_NULL;

        (void)state; /* one base64 group more than LIMIT_ENTRY_SIZE bytes need */
        assert_int_equal(buffer_append_string(&file, HEAD "extra "), 0);
        for (size_t i = 0; i < (LIMIT_ENTRY_SIZE + 3) / 3 + 1; i++)
                assert_int_equal(buffer_append_string(&file, "YWFh"), 0);
        assert_int_equal(buffer_append_string(&file, "\nindex 0\n\nx"), 0);
        assert_int_equal(decode_n(file.data, file.size), PROOF_E_SYNTAX);
}

/* ---- write ---- */

static void proof_write_of_decoded_vectors_gives_them_back(void **state)
{
        static const char *const files[] = {VECTOR_PROOF_1_0, VECTOR_PROOF_7_4, VECTOR_PROOF_300_299};

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
                _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;
                _cleanup_(proof_deinit) Proof p;

                assert_int_equal(proof_decode(&p, BLOB_STRING(files[i])), 0);
                assert_int_equal(proof_write(p.index, p.hashes, p.n_hashes, buffer_blob(&p.extra),
                                             p.checkpoint, &out),
                                 0);
                assert_string_equal((char *)out.data, files[i]);
        }
}

/* ---- verify ---- */

static void proof_verify_of_own_vectors_holds(void **state)
{
        _cleanup_(proof_deinit) Proof p;
        Checkpoint c;

        (void)state;
        assert_int_equal(verify_n(VECTOR_PROOF_1_0, strlen(VECTOR_PROOF_1_0)), 0);
        assert_int_equal(verify_n(VECTOR_PROOF_7_4, strlen(VECTOR_PROOF_7_4)), 0);
        assert_int_equal(proof_decode(&p, BLOB_STRING(VECTOR_PROOF_300_299)), 0);
        assert_int_equal(proof_verify(&p, &log_key, &c), 0);
        assert_int_equal(c.size, 300);
        assert_string_equal(c.origin, VECTOR_ORIGIN);
}

static void proof_verify_of_any_changed_byte_is_refused(void **state)
{
        char file[sizeof(VECTOR_PROOF_7_4)];

        (void)state;
        memcpy(file, VECTOR_PROOF_7_4, sizeof(file));
        for (size_t i = 0; i + 1 < sizeof(file); i++) {
                file[i] = (char)(file[i] ^ 1);
                assert_int_not_equal(verify_n(file, sizeof(file) - 1), 0);
                file[i] = (char)(file[i] ^ 1);
        }
        for (size_t i = 0; i + 1 < sizeof(file); i++)
                assert_int_not_equal(verify_n(file, i), 0);
        assert_int_equal(verify_n(file, sizeof(file) - 1), 0);
}

static void proof_verify_of_bytes_after_the_checkpoint_is_refused(void **state)
{
        static const char *const more[] = {"x", "\n", "\nx", "x\n", "index 4\n"};

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(more); i++) {
                _cleanup_(buffer_deinit) Buffer file = BUFFER_NULL;

                assert_int_equal(buffer_printf(&file, "%s%s", VECTOR_PROOF_7_4, more[i]), 0);
                assert_int_equal(verify_n(file.data, file.size), PROOF_E_CHECKPOINT);
        }
}

static void proof_verify_of_another_entry_is_refused(void **state)
{
        _cleanup_(proof_deinit) Proof p;

        (void)state;
        assert_int_equal(proof_decode(&p, BLOB_STRING(VECTOR_PROOF_7_4)), 0);
        p.extra.data[6] = '3';
        assert_int_equal(proof_verify(&p, &log_key, NULL), PROOF_E_INCLUSION);
        p.extra.data[6] = '4';
        assert_int_equal(proof_verify(&p, &log_key, NULL), 0);
        p.index = 3;
        assert_int_equal(proof_verify(&p, &log_key, NULL), PROOF_E_INCLUSION);
        p.index = 7;
        assert_int_equal(proof_verify(&p, &log_key, NULL), PROOF_E_INCLUSION);
}

/* Pitfall 17. */
static void proof_verify_of_longer_and_shorter_path_is_refused(void **state)
{
        _cleanup_(proof_deinit) Proof p;

        (void)state;
        assert_int_equal(proof_decode(&p, BLOB_STRING(VECTOR_PROOF_7_4)), 0);
        p.n_hashes = 4;
        assert_int_equal(proof_verify(&p, &log_key, NULL), PROOF_E_INCLUSION);
        p.n_hashes = 2;
        assert_int_equal(proof_verify(&p, &log_key, NULL), PROOF_E_INCLUSION);
}

static void proof_verify_with_another_checkpoint_is_refused(void **state)
{
        _cleanup_(proof_deinit) Proof p;

        (void)state;
        assert_int_equal(proof_decode(&p, BLOB_STRING(VECTOR_PROOF_7_4)), 0);
        p.checkpoint = BLOB_STRING(VECTOR_CHECKPOINT_300);
        assert_int_equal(proof_verify(&p, &log_key, NULL), PROOF_E_INCLUSION);
        p.checkpoint = BLOB_STRING(VECTOR_CHECKPOINT_0);
        assert_int_equal(proof_verify(&p, &log_key, NULL), PROOF_E_INCLUSION);
        p.checkpoint = BLOB_STRING(VECTOR_CHECKPOINT_OTHER_ORIGIN);
        assert_int_equal(proof_verify(&p, &log_key, NULL), PROOF_E_CHECKPOINT);
        p.checkpoint = BLOB_STRING(VECTOR_CHECKPOINT_EXTENSION);
        assert_int_equal(proof_verify(&p, &log_key, NULL), PROOF_E_CHECKPOINT);
        p.checkpoint = BLOB_STRING(VECTOR_CHECKPOINT_7);
        assert_int_equal(proof_verify(&p, &log_key, NULL), 0);
}

static void proof_verify_under_another_key_is_refused(void **state)
{
        _cleanup_(proof_deinit) Proof p;
        NoteVerifier v;

        (void)state;
        assert_int_equal(note_verifier_parse(&v, VECTOR_VKEY_SAME_NAME, strlen(VECTOR_VKEY_SAME_NAME)), 0);
        assert_int_equal(proof_decode(&p, BLOB_STRING(VECTOR_PROOF_7_4)), 0);
        assert_int_equal(proof_verify(&p, &v, NULL), PROOF_E_CHECKPOINT);
        note_verifier_deinit(&v);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(proof_decode_of_own_vector_reads_it),
                cmocka_unit_test(proof_decode_without_extra_is_accepted),
                cmocka_unit_test(proof_decode_of_malformed_files_is_refused),
                cmocka_unit_test(proof_decode_of_nul_is_refused),
                cmocka_unit_test(proof_decode_of_hashes_splits_at_first_empty_line),
                cmocka_unit_test(proof_decode_past_the_limits_is_refused),
                cmocka_unit_test(proof_decode_of_too_great_entry_is_refused),
                cmocka_unit_test(proof_write_of_decoded_vectors_gives_them_back),
                cmocka_unit_test(proof_verify_of_own_vectors_holds),
                cmocka_unit_test(proof_verify_of_any_changed_byte_is_refused),
                cmocka_unit_test(proof_verify_of_bytes_after_the_checkpoint_is_refused),
                cmocka_unit_test(proof_verify_of_another_entry_is_refused),
                cmocka_unit_test(proof_verify_of_longer_and_shorter_path_is_refused),
                cmocka_unit_test(proof_verify_with_another_checkpoint_is_refused),
                cmocka_unit_test(proof_verify_under_another_key_is_refused),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
