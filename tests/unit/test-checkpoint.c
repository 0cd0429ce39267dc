/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/file.h"
#include "base/hex.h"
#include "journal/checkpoint.h"
#include "unit/data/journal/vectors.h"

#define TESSERA      TEST_SOURCE_DIR "/../shared/vectors/tessera-log/testdata/log"
#define TESSERA_VKEY "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"
#define ROOT         "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="

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

static int decode(const char *text)
{
        Checkpoint c;

        return checkpoint_decode(&c, BLOB_STRING(text));
}

static int verify(const char *note)
{
        Checkpoint c;

        return checkpoint_verify(&c, BLOB_STRING(note), &log_key);
}

/* The root that the vectors name for this size, found by its definition there. */
static void root_of(TreeHash *ret, uint64_t size)
{
        for (size_t i = 0; i < ARRAY_SIZE(vector_roots); i++)
                if (vector_roots[i].size == size)
                        assert_int_equal(hex_decode(ret->bytes, 32, vector_roots[i].root, 64), 0);
}

/* ---- decode ---- */

static void checkpoint_decode_of_three_lines_reads_them(void **state)
{
        Checkpoint c;

        (void)state;
        assert_int_equal(checkpoint_decode(&c, BLOB_LITERAL("example.com/x\n20852163\n" ROOT "\n")), 0);
        assert_string_equal(c.origin, "example.com/x");
        assert_int_equal(c.size, 20852163);
        assert_int_equal(c.root.bytes[0], 0x0a);
        assert_int_equal(c.root.bytes[31], 0x62);
}

static void checkpoint_decode_of_other_numbers_of_lines_is_refused(void **state)
{
        (void)state;
        assert_int_equal(decode("o\n5\n" ROOT "\n"), 0);
        assert_int_equal(decode(""), CHECKPOINT_E_SYNTAX);
        assert_int_equal(decode("o\n"), CHECKPOINT_E_SYNTAX);
        assert_int_equal(decode("o\n5\n"), CHECKPOINT_E_SYNTAX);
        assert_int_equal(decode("o\n5\n" ROOT), CHECKPOINT_E_SYNTAX);
        assert_int_equal(decode("o\n5\n" ROOT "\nextension\n"), CHECKPOINT_E_SYNTAX);
        assert_int_equal(decode("o\n5\n" ROOT "\n\n"), CHECKPOINT_E_SYNTAX);
        assert_int_equal(decode("o\n5\n" ROOT "\nx"), CHECKPOINT_E_SYNTAX);
}

static void checkpoint_decode_of_bad_origin_is_refused(void **state)
{
        char text[512];

        (void)state;
        assert_int_equal(decode("\n5\n" ROOT "\n"), CHECKPOINT_E_SYNTAX);
        assert_int_equal(decode("a b\n5\n" ROOT "\n"), CHECKPOINT_E_SYNTAX);
        assert_int_equal(decode("a+b\n5\n" ROOT "\n"), CHECKPOINT_E_SYNTAX);
        assert_int_equal(decode("a\r\n5\n" ROOT "\n"), CHECKPOINT_E_SYNTAX);
        snprintf(text, sizeof(text), "%0255d\n5\n" ROOT "\n", 0);
        assert_int_equal(decode(text), 0);
        snprintf(text, sizeof(text), "%0256d\n5\n" ROOT "\n", 0);
        assert_int_equal(decode(text), CHECKPOINT_E_SYNTAX);
}

/* Pitfall 19. */
static void checkpoint_decode_of_bad_size_is_refused(void **state)
{
        static const char *const bad[] = {"",
                                          "+5",
                                          "05",
                                          " 5",
                                          "5 ",
                                          "-5",
                                          "0x5",
                                          "5.0",
                                          "5\r",
                                          "00",
                                          "9223372036854775808",
                                          "18446744073709551616"};
        char text[128];

        (void)state;
        assert_int_equal(decode("o\n9223372036854775807\n" ROOT "\n"), 0);
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                snprintf(text, sizeof(text), "o\n%s\n" ROOT "\n", bad[i]);
                assert_int_equal(decode(text), CHECKPOINT_E_SYNTAX);
        }
}

/* Pitfall 18. */
static void checkpoint_decode_of_bad_root_is_refused(void **state)
{
        static const char *const bad[] = {
                "",
                "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I",   /* no padding */
                "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2J=",  /* trailing bits */
                "CsUYapGGPo4dkMgIAUqom_Xajj7h2fB2MPA3j2jxq2I=",  /* the other alphabet */
                " CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=", /* a blank */
                "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\r",
                "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2IA", /* 33 bytes */
                "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jx",     /* 30 bytes */
        };
        char text[128];

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                snprintf(text, sizeof(text), "o\n5\n%s\n", bad[i]);
                assert_int_equal(decode(text), CHECKPOINT_E_SYNTAX);
        }
}

/* Pitfall 10. */
static void checkpoint_decode_of_empty_tree_wants_its_root(void **state)
{
        (void)state;
        assert_int_equal(decode("o\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"), 0);
        assert_int_equal(decode("o\n0\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"),
                         CHECKPOINT_E_SYNTAX);
        assert_int_equal(decode("o\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"), 0);
}

static void checkpoint_decode_of_nul_is_refused(void **state)
{
        Checkpoint c;

        (void)state;
        assert_int_equal(checkpoint_decode(&c, BLOB_LITERAL("o\0p\n5\n" ROOT "\n")), CHECKPOINT_E_SYNTAX);
        assert_int_equal(checkpoint_decode(&c, BLOB_LITERAL("o\n5\0\n" ROOT "\n")), CHECKPOINT_E_SYNTAX);
}

/* ---- write ---- */

static void checkpoint_write_of_decoded_text_gives_it_back(void **state)
{
        static const char text[] = "example.com/x\n20852163\n" ROOT "\n";
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;
        Checkpoint c;

        (void)state;
        assert_int_equal(checkpoint_decode(&c, BLOB_LITERAL("example.com/x\n20852163\n" ROOT "\n")), 0);
        assert_int_equal(checkpoint_write(&c, &out), 0);
        assert_string_equal((char *)out.data, text);
}

static void checkpoint_write_note_of_openssl_signature_gives_the_vector(void **state)
{
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;
        uint8_t body[68];
        Checkpoint c = {.size = 7};
        const char *encoded = strrchr(VECTOR_CHECKPOINT_7, ' ') + 1;

        (void)state;
        memcpy(c.origin, VECTOR_ORIGIN, sizeof(VECTOR_ORIGIN));
        root_of(&c.root, 7);
        assert_int_equal(base64_decode_exact(body, sizeof(body), encoded, strlen(encoded) - 1), 0);
        assert_int_equal(checkpoint_write_note(&c, &log_key, BLOB(body + 4, 64), &out), 0);
        assert_string_equal((char *)out.data, VECTOR_CHECKPOINT_7);
}

/* ---- verify ---- */

static void checkpoint_verify_of_signed_notes_reads_them(void **state)
{
        static const struct {
                const char *note;
                uint64_t size;
        } good[] = {{VECTOR_CHECKPOINT_0, 0},
                    {VECTOR_CHECKPOINT_1, 1},
                    {VECTOR_CHECKPOINT_7, 7},
                    {VECTOR_CHECKPOINT_300, 300}};
        Checkpoint c;
        TreeHash want;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
                assert_int_equal(checkpoint_verify(&c, BLOB_STRING(good[i].note), &log_key), 0);
                assert_string_equal(c.origin, VECTOR_ORIGIN);
                assert_int_equal(c.size, good[i].size);
                root_of(&want, good[i].size);
                assert_memory_equal(&c.root, &want, sizeof(want));
        }
}

static void checkpoint_verify_of_any_changed_byte_is_refused(void **state)
{
        char note[sizeof(VECTOR_CHECKPOINT_7)];
        Checkpoint c;

        (void)state;
        memcpy(note, VECTOR_CHECKPOINT_7, sizeof(note));
        for (size_t i = 0; i + 1 < sizeof(note); i++) {
                note[i] = (char)(note[i] ^ 1);
                memset(&c, 0x55, sizeof(c));
                assert_int_not_equal(checkpoint_verify(&c, BLOB(note, sizeof(note) - 1), &log_key), 0);
                assert_int_equal(c.size, 0x5555555555555555); /* written on success only */
                note[i] = (char)(note[i] ^ 1);
        }
        assert_int_equal(verify(note), 0);
}

static void checkpoint_verify_of_every_truncation_is_refused(void **state)
{
        Checkpoint c;

        (void)state;
        for (size_t i = 0; i < strlen(VECTOR_CHECKPOINT_7); i++)
                assert_int_not_equal(checkpoint_verify(&c, BLOB(VECTOR_CHECKPOINT_7, i), &log_key), 0);
}

/* Pitfall 6. */
static void checkpoint_verify_of_another_origin_is_refused(void **state)
{
        (void)state;
        assert_int_equal(verify(VECTOR_CHECKPOINT_OTHER_ORIGIN), CHECKPOINT_E_ORIGIN);
}

static void checkpoint_verify_of_signed_nonsense_is_refused(void **state)
{
        (void)state;
        assert_int_equal(verify(VECTOR_CHECKPOINT_EXTENSION), CHECKPOINT_E_SYNTAX);
        assert_int_equal(verify(VECTOR_CHECKPOINT_ZERO_ROOT), CHECKPOINT_E_SYNTAX);
        assert_int_equal(verify(VECTOR_NOTE), CHECKPOINT_E_SYNTAX);
        assert_int_equal(verify("no note"), CHECKPOINT_E_SYNTAX);
}

static void checkpoint_verify_under_another_key_is_refused(void **state)
{
        static const char *const others[] = {VECTOR_VKEY_OTHER, VECTOR_VKEY_SAME_NAME, VECTOR_VKEY_SAME_KEY,
                                             VECTOR_VKEY_WITNESS};
        Checkpoint c;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
                NoteVerifier v;

                assert_int_equal(note_verifier_parse(&v, others[i], strlen(others[i])), 0);
                assert_int_equal(checkpoint_verify(&c, BLOB_STRING(VECTOR_CHECKPOINT_7), &v),
                                 CHECKPOINT_E_SIGNATURE);
                note_verifier_deinit(&v);
        }
}

/* Every checkpoint of a log that another program wrote. */
static void checkpoint_verify_of_public_log_reads_it(void **state)
{
        NoteVerifier v;

        (void)state;
        if (access(TESSERA, R_OK) != 0)
                skip();
        assert_int_equal(note_verifier_parse(&v, TESSERA_VKEY, strlen(TESSERA_VKEY)), 0);
        for (unsigned i = 0; i <= 15; i++) {
                _cleanup_(buffer_deinit) Buffer note = BUFFER_NULL;
                char path[512];
                Checkpoint c;

                snprintf(path, sizeof(path), TESSERA "/checkpoint.%u", i);
                assert_int_equal(file_read(&note, path, LIMIT_NOTE_SIZE), 0);
                assert_int_equal(checkpoint_verify(&c, buffer_blob(&note), &v), 0);
                assert_int_equal(c.size, i);
                assert_int_equal(checkpoint_verify(&c, buffer_blob(&note), &log_key),
                                 CHECKPOINT_E_SIGNATURE);
        }
        note_verifier_deinit(&v);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(checkpoint_decode_of_three_lines_reads_them),
                cmocka_unit_test(checkpoint_decode_of_other_numbers_of_lines_is_refused),
                cmocka_unit_test(checkpoint_decode_of_bad_origin_is_refused),
                cmocka_unit_test(checkpoint_decode_of_bad_size_is_refused),
                cmocka_unit_test(checkpoint_decode_of_bad_root_is_refused),
                cmocka_unit_test(checkpoint_decode_of_empty_tree_wants_its_root),
                cmocka_unit_test(checkpoint_decode_of_nul_is_refused),
                cmocka_unit_test(checkpoint_write_of_decoded_text_gives_it_back),
                cmocka_unit_test(checkpoint_write_note_of_openssl_signature_gives_the_vector),
                cmocka_unit_test(checkpoint_verify_of_signed_notes_reads_them),
                cmocka_unit_test(checkpoint_verify_of_any_changed_byte_is_refused),
                cmocka_unit_test(checkpoint_verify_of_every_truncation_is_refused),
                cmocka_unit_test(checkpoint_verify_of_another_origin_is_refused),
                cmocka_unit_test(checkpoint_verify_of_signed_nonsense_is_refused),
                cmocka_unit_test(checkpoint_verify_under_another_key_is_refused),
                cmocka_unit_test(checkpoint_verify_of_public_log_reads_it),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
