/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/file.h"
#include "journal/note.h"
#include "unit/data/journal/vectors.h"

#define C2SP_EXAMPLE TEST_SOURCE_DIR "/../shared/vectors/signed-note/c2sp-signed-note-example.txt"
#define DASH         "\xe2\x80\x94 "
#define LINE_A       DASH "a AAAAAQI=\n"

static NoteVerifier keys[2]; /* the log and another */

static int setup(void **state)
{
        (void)state;
        assert_int_equal(note_verifier_parse(&keys[0], VECTOR_VKEY, strlen(VECTOR_VKEY)), 0);
        return note_verifier_parse(&keys[1], VECTOR_VKEY_OTHER, strlen(VECTOR_VKEY_OTHER));
}

static int teardown(void **state)
{
        (void)state;
        note_verifier_deinit(&keys[0]);
        note_verifier_deinit(&keys[1]);
        return 0;
}

static int decode_n(const void *data, size_t size)
{
        _cleanup_(note_deinit) Note n;

        return note_decode(&n, BLOB(data, size));
}

static int decode(const char *note)
{
        return decode_n(note, strlen(note));
}

static int parse(const char *vkey)
{
        NoteVerifier v;
        int r = note_verifier_parse(&v, vkey, strlen(vkey));

        if (r == 0)
                note_verifier_deinit(&v);
        return r;
}

/* Text of the vectors, an empty line, and these signature lines. */
static int verify(const char *lines, size_t n_keys, uint64_t *ret_verified)
{
        _cleanup_(buffer_deinit) Buffer note = BUFFER_NULL;
        _cleanup_(note_deinit) Note n;

        assert_int_equal(buffer_printf(&note, "%s\n%s", VECTOR_TEXT, lines), 0);
        assert_int_equal(note_decode(&n, buffer_blob(&note)), 0);
        return note_verify(&n, keys, n_keys, ret_verified);
}

/* ---- names ---- */

static void note_name_valid_of_good_names_is_true(void **state)
{
        char name[LIMIT_ORIGIN_SIZE];

        (void)state;
        assert_true(note_name_valid("a", 1));
        assert_true(note_name_valid("log.example.org/journal", 23));
        assert_true(note_name_valid("\xc3\xa4\xf0\x9f\x94\x91", 6));
        memset(name, 'x', sizeof(name));
        assert_true(note_name_valid(name, sizeof(name)));
}

static void note_name_valid_of_bad_names_is_false(void **state)
{
        static const char *const bad[] = {"a b",
                                          "a+b",
                                          "a\n",
                                          "a\tb",
                                          "a\rb",
                                          "\x7f",
                                          "a\xc2\xa0",    /* no-break space */
                                          "\xc2\x85",     /* next line */
                                          "\xe1\x9a\x80", /* ogham space */
                                          "\xe2\x80\x80", /* en quad */
                                          "\xe2\x80\xa8", /* line separator */
                                          "\xe2\x80\xa9",
                                          "\xe2\x80\xaf",
                                          "\xe2\x81\x9f",
                                          "\xe3\x80\x80",
                                          "\xff",
                                          "\xc3",
                                          "\xc0\x80",
                                          "\xe0\x80\x80",
                                          "\xf0\x80\x80\x80",
                                          "\xed\xa0\x80",
                                          "\xf4\x90\x80\x80",
                                          "\xf5\x80\x80\x80",
                                          "\xe2\x28\xa1",
                                          "\x80"};
        char name[LIMIT_ORIGIN_SIZE + 1];

        (void)state;
        assert_false(note_name_valid("", 0));
        assert_false(note_name_valid("a\0b", 3));
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_false(note_name_valid(bad[i], strlen(bad[i])));
        memset(name, 'x', sizeof(name));
        assert_false(note_name_valid(name, sizeof(name)));
}

/* ---- keys ---- */

/* Pitfall 2: the type is part of what the id is made from. */
static void note_key_id_of_another_type_differs(void **state)
{
        (void)state;
        assert_int_equal(note_key_id(VECTOR_ORIGIN, 1, VECTOR_KEY), keys[0].id);
        assert_int_not_equal(note_key_id(VECTOR_ORIGIN, 4, VECTOR_KEY), keys[0].id);
        assert_int_not_equal(note_key_id("log.example.org/journal2", 1, VECTOR_KEY), keys[0].id);
}

static void note_verifier_parse_of_own_vectors_reads_them(void **state)
{
        NoteVerifier v;

        (void)state;
        assert_string_equal(keys[0].name, VECTOR_ORIGIN);
        assert_int_equal(keys[0].type, NOTE_TYPE_ED25519);
        assert_memory_equal(public_key_raw(keys[0].key).data, VECTOR_KEY, 32);
        assert_int_equal(note_verifier_parse(&v, VECTOR_VKEY_WITNESS, strlen(VECTOR_VKEY_WITNESS)), 0);
        assert_int_equal(v.type, NOTE_TYPE_COSIGNATURE);
        note_verifier_deinit(&v);
}

static void note_verifier_parse_of_any_changed_character_is_refused(void **state)
{
        char vkey[sizeof(VECTOR_VKEY)];

        (void)state;
        memcpy(vkey, VECTOR_VKEY, sizeof(vkey));
        for (size_t i = 0; i + 1 < sizeof(vkey); i++) {
                vkey[i] = (char)(vkey[i] ^ 1);
                assert_int_equal(parse(vkey), NOTE_E_SYNTAX);
                vkey[i] = (char)(vkey[i] ^ 1);
        }
        assert_int_equal(parse(vkey), 0);
}

static void note_verifier_parse_of_other_forms_is_refused(void **state)
{
        NoteVerifier v;

        (void)state;
        for (size_t i = 0; i < strlen(VECTOR_VKEY); i++)
                assert_int_equal(note_verifier_parse(&v, VECTOR_VKEY, i), NOTE_E_SYNTAX);
        assert_int_equal(
                parse("log.example.org/journal+4C5789B2+AR3L6PoxfTxABn1sMZ0+n/bFCsuV+ypHhKKrJAvbYs0e"),
                NOTE_E_SYNTAX);
        assert_int_equal(
                parse("log.example.org/journal+4c5789b2+AR3L6PoxfTxABn1sMZ0+n/bFCsuV+ypHhKKrJAvbYs0e\n"),
                NOTE_E_SYNTAX);
        assert_int_equal(
                parse("log.example.org/journal+4c5789b2+AR3L6PoxfTxABn1sMZ0-n/bFCsuV-ypHhKKrJAvbYs0e"),
                NOTE_E_SYNTAX);
        assert_int_equal(parse("+4c5789b2+AR3L6PoxfTxABn1sMZ0+n/bFCsuV+ypHhKKrJAvbYs0e"), NOTE_E_SYNTAX);
}

static void note_verifier_parse_of_weak_key_is_refused(void **state)
{
        (void)state;
        assert_int_equal(parse(VECTOR_VKEY_WEAK), NOTE_E_SYNTAX);
}

static void note_verifier_parse_of_unknown_type_is_refused(void **state)
{
        char text[BASE64_SIZE(33) + 1], vkey[512];
        uint8_t body[33];
        Buffer out;

        (void)state;
        for (unsigned type = 0; type < 256; type++) {
                out = (Buffer)BUFFER_NULL;
                body[0] = (uint8_t)type;
                memcpy(body + 1, VECTOR_KEY, 32);
                assert_int_equal(base64_encode(&out, body, sizeof(body)), 0);
                snprintf(text, sizeof(text), "%s", (char *)out.data);
                buffer_deinit(&out);
                snprintf(vkey, sizeof(vkey), "x+%08x+%s", note_key_id("x", body[0], VECTOR_KEY), text);
                assert_int_equal(parse(vkey), type == 1 || type == 4 ? 0 : NOTE_E_SYNTAX);
        }
}

static void note_verifier_write_of_parsed_key_gives_it_back(void **state)
{
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;

        (void)state;
        assert_int_equal(note_verifier_write(VECTOR_ORIGIN, NOTE_TYPE_ED25519, VECTOR_KEY, &out), 0);
        assert_string_equal((char *)out.data, VECTOR_VKEY);
}

/* ---- decode ---- */

/* Pitfall 1. */
static void note_decode_of_text_with_empty_lines_splits_at_the_last(void **state)
{
        _cleanup_(note_deinit) Note n;

        (void)state;
        assert_int_equal(note_decode(&n, BLOB_STRING(VECTOR_NOTE)), 0);
        assert_true(blob_equal_string(n.text, VECTOR_TEXT));
        assert_int_equal(n.n_signatures, 1);
        assert_true(blob_equal_string(n.signatures[0].name, VECTOR_ORIGIN));
        assert_int_equal(n.signatures[0].id, keys[0].id);
        assert_int_equal(n.signatures[0].body.size, 64);
}

static void note_decode_of_empty_text_is_accepted(void **state)
{
        (void)state;
        assert_int_equal(decode("\n\n" LINE_A), 0);
        assert_int_equal(decode("\n" LINE_A), NOTE_E_SYNTAX);
}

/* Pitfall 20. */
static void note_decode_of_malformed_notes_is_refused(void **state)
{
        static const char *const bad[] = {
                "",
                "\n",
                "\n\n",
                "text",
                "text\n",
                "text\n\n",
                "text\n" LINE_A,
                "text\n\n" DASH "a AAAAAQI=",         /* no final newline */
                "text\n\n" LINE_A "\n",               /* an empty line after it */
                "text\n\n" LINE_A "x\n",              /* a line of another kind */
                "text\r\n\r\n" DASH "a AAAAAQI=\r\n", /* CRLF */
                "te\xffxt\n\n" LINE_A,                /* not UTF-8 */
                "te\txt\n\n" LINE_A,                  /* a control character */
                "text\n\n- a AAAAAQI=\n",             /* another dash */
                "text\n\n\xe2\x80\x94"
                "a AAAAAQI=\n",
                "text\n\n" DASH " AAAAAQI=\n",
                "text\n\n" DASH "a\n",
                "text\n\n" DASH "a \n",
                "text\n\n" DASH "a+b AAAAAQI=\n",
                "text\n\n" DASH "a  AAAAAQI=\n",
                "text\n\n" DASH "a AAAAAQI= \n",
                "text\n\n" DASH "a AAAAAQI\n",  /* pitfall 18: no padding */
                "text\n\n" DASH "a AAAAAQJ=\n", /* trailing bits */
                "text\n\n" DASH "a AAAAAQ==\n", /* an id without a signature */
                "text\n\n" DASH "a AAAA\n",
        };

        (void)state;
        assert_int_equal(decode("text\n\n" LINE_A), 0);
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_int_equal(decode(bad[i]), NOTE_E_SYNTAX);
        assert_int_equal(decode_n("te\0xt\n\n" LINE_A, 5 + 2 + strlen(LINE_A)), NOTE_E_SYNTAX);
}

static void note_decode_of_delete_character_is_accepted(void **state)
{
        (void)state; /* only those below U+0020 are forbidden in the text */
        assert_int_equal(decode("te\x7fxt\n\n" LINE_A), 0);
}

static void note_decode_of_a_strangers_long_name_is_accepted(void **state)
{
        _cleanup_(buffer_deinit) Buffer note = BUFFER_NULL;

        (void)state;
        assert_int_equal(buffer_printf(&note, "text\n\n" DASH "%0400d AAAAAQI=\n", 0), 0);
        assert_int_equal(decode_n(note.data, note.size), 0);
}

/* "MUST accept at least up to 16 signatures", of nearly 5 kB */
static void note_decode_of_sixteen_great_signatures_is_accepted(void **state)
{
        _cleanup_(buffer_deinit) Buffer note = BUFFER_NULL;
        _cleanup_(note_deinit) Note n;
        static uint8_t body[4900];

        (void)state;
        assert_int_equal(buffer_append_string(&note, "text\n\n"), 0);
        for (unsigned i = 0; i < 16; i++)
                assert_int_equal(note_write_signature("pq", i, BLOB(body, sizeof(body)), &note), 0);
        assert_int_equal(note_decode(&n, buffer_blob(&note)), 0);
        assert_int_equal(n.n_signatures, 16);
        for (unsigned i = 0; i < 16; i++) {
                assert_int_equal(n.signatures[i].id, i);
                assert_int_equal(n.signatures[i].body.size, sizeof(body));
                assert_memory_equal(n.signatures[i].body.data, body, sizeof(body));
        }
}

static void note_decode_past_the_limits_is_refused(void **state)
{
        _cleanup_(buffer_deinit) Buffer note = BUFFER_NULL, great = BUFFER_NULL;

        (void)state;
        assert_int_equal(buffer_append_string(&note, "text\n\n"), 0);
        for (unsigned i = 0; i < LIMIT_NOTE_SIGNATURES; i++)
                assert_int_equal(buffer_append_string(&note, LINE_A), 0);
        assert_int_equal(decode_n(note.data, note.size), 0);
        assert_int_equal(buffer_append_string(&note, LINE_A), 0);
        assert_int_equal(decode_n(note.data, note.size), NOTE_E_SYNTAX);

        while (great.size < LIMIT_NOTE_SIZE - strlen("\n\n" LINE_A))
                assert_int_equal(buffer_append_byte(&great, 'x'), 0);
        assert_int_equal(buffer_append_string(&great, "\n\n" LINE_A), 0);
        assert_int_equal(great.size, LIMIT_NOTE_SIZE);
        assert_int_equal(decode_n(great.data, great.size), 0);
        assert_int_equal(buffer_append_string(&great, LINE_A), 0);
        assert_int_equal(decode_n(great.data, great.size), NOTE_E_SYNTAX);
}

/* ---- verify ---- */

static void note_verify_of_known_line_holds(void **state)
{
        uint64_t verified;

        (void)state;
        assert_int_equal(verify(VECTOR_LINE, 2, &verified), 0);
        assert_int_equal(verified, 1);
        assert_int_equal(verify(VECTOR_LINE_OTHER, 2, &verified), 0);
        assert_int_equal(verified, 2);
}

static void note_verify_of_two_known_lines_names_both(void **state)
{
        _cleanup_(buffer_deinit) Buffer lines = BUFFER_NULL;
        uint64_t verified;

        (void)state;
        assert_int_equal(buffer_printf(&lines, "%s%s", VECTOR_LINE_OTHER, VECTOR_LINE), 0);
        assert_int_equal(verify((char *)lines.data, 2, &verified), 0);
        assert_int_equal(verified, 3);
}

/* Pitfall 7. */
static void note_verify_of_unknown_line_first_ignores_it(void **state)
{
        _cleanup_(buffer_deinit) Buffer lines = BUFFER_NULL;
        uint64_t verified;

        (void)state;
        assert_int_equal(buffer_printf(&lines, "%s%s", VECTOR_LINE_UNKNOWN, VECTOR_LINE), 0);
        assert_int_equal(verify((char *)lines.data, 1, &verified), 0);
        assert_int_equal(verified, 1);
}

static void note_verify_of_unknown_lines_only_is_unsigned(void **state)
{
        uint64_t verified = 77;

        (void)state;
        assert_int_equal(verify(VECTOR_LINE_UNKNOWN, 2, &verified), NOTE_E_UNSIGNED);
        assert_int_equal(verify(VECTOR_LINE_OTHER, 1, &verified), NOTE_E_UNSIGNED);
        assert_int_equal(verify(VECTOR_LINE, 0, &verified), NOTE_E_UNSIGNED);
        assert_int_equal(verified, 77);
}

/* Pitfall 8. */
static void note_verify_of_line_given_twice_counts_once(void **state)
{
        _cleanup_(buffer_deinit) Buffer lines = BUFFER_NULL;
        uint64_t verified;

        (void)state;
        assert_int_equal(buffer_printf(&lines, "%s%s", VECTOR_LINE, VECTOR_LINE), 0);
        assert_int_equal(verify((char *)lines.data, 2, &verified), 0);
        assert_int_equal(verified, 1);
}

/* Pitfall 9. */
static void note_verify_of_bad_known_line_refuses_the_note(void **state)
{
        _cleanup_(buffer_deinit) Buffer before = BUFFER_NULL, after = BUFFER_NULL, beside = BUFFER_NULL;

        (void)state;
        assert_int_equal(verify(VECTOR_LINE_BAD, 1, NULL), NOTE_E_SIGNATURE);
        assert_int_equal(buffer_printf(&before, "%s%s", VECTOR_LINE_BAD, VECTOR_LINE), 0);
        assert_int_equal(verify((char *)before.data, 1, NULL), NOTE_E_SIGNATURE);
        assert_int_equal(buffer_printf(&after, "%s%s", VECTOR_LINE, VECTOR_LINE_BAD), 0);
        assert_int_equal(verify((char *)after.data, 1, NULL), NOTE_E_SIGNATURE);
        assert_int_equal(buffer_printf(&beside, "%s%s", VECTOR_LINE_OTHER, VECTOR_LINE_BAD), 0);
        assert_int_equal(verify((char *)beside.data, 2, NULL), NOTE_E_SIGNATURE);
}

static void note_verify_of_known_line_of_another_size_refuses_the_note(void **state)
{
        _cleanup_(buffer_deinit) Buffer line = BUFFER_NULL;

        (void)state;
        assert_int_equal(note_write_signature(VECTOR_ORIGIN, keys[0].id, BLOB(VECTOR_KEY, 32), &line), 0);
        assert_int_equal(verify((char *)line.data, 1, NULL), NOTE_E_SIGNATURE);
}

/* "even if they share a name or ID (but not both)" */
static void note_verify_of_line_that_shares_name_or_id_ignores_it(void **state)
{
        _cleanup_(buffer_deinit) Buffer lines = BUFFER_NULL;

        (void)state;
        assert_int_equal(note_write_signature(VECTOR_ORIGIN, keys[0].id ^ 1, BLOB(VECTOR_KEY, 32), &lines),
                         0);
        assert_int_equal(note_write_signature("x", keys[0].id, BLOB(VECTOR_KEY, 32), &lines), 0);
        assert_int_equal(verify((char *)lines.data, 1, NULL), NOTE_E_UNSIGNED);
        assert_int_equal(buffer_append_string(&lines, VECTOR_LINE), 0);
        assert_int_equal(verify((char *)lines.data, 1, NULL), 0);
}

/* Pitfall 3: a cosigner's key is never taken for a signer of text. */
static void note_verify_with_cosigner_key_ignores_its_lines(void **state)
{
        _cleanup_(buffer_deinit) Buffer vkey = BUFFER_NULL, note = BUFFER_NULL;
        _cleanup_(note_deinit) Note n;
        NoteVerifier v;

        (void)state;
        assert_int_equal(note_verifier_write(VECTOR_ORIGIN, NOTE_TYPE_COSIGNATURE, VECTOR_KEY, &vkey), 0);
        assert_int_equal(note_verifier_parse(&v, (char *)vkey.data, vkey.size), 0);
        assert_int_equal(buffer_printf(&note, "%s\n%s", VECTOR_TEXT, VECTOR_LINE_TYPE_4), 0);
        assert_int_equal(note_decode(&n, buffer_blob(&note)), 0);
        assert_int_equal(n.signatures[0].id, v.id);
        assert_int_equal(note_verify(&n, &v, 1, NULL), NOTE_E_UNSIGNED);
        assert_int_equal(verify(VECTOR_LINE_TYPE_4, 1, NULL), NOTE_E_UNSIGNED);
        note_verifier_deinit(&v);
}

/* ---- write ---- */

static void note_write_signature_of_openssl_signature_gives_the_vector(void **state)
{
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;
        uint8_t signature[64];

        (void)state;
        assert_int_equal(base64_decode_exact(signature, 64, VECTOR_SIGNATURE, strlen(VECTOR_SIGNATURE)), 0);
        assert_int_equal(note_write_signature(VECTOR_ORIGIN, keys[0].id, BLOB(signature, 64), &out), 0);
        assert_string_equal((char *)out.data, VECTOR_LINE);
}

/* ---- the example of the specification ---- */

static void note_verify_of_specification_example_holds(void **state)
{
        _cleanup_(buffer_deinit) Buffer file = BUFFER_NULL;
        _cleanup_(note_deinit) Note n;
        NoteVerifier v;
        char *vkey, *note, *end;

        (void)state;
        if (access(C2SP_EXAMPLE, R_OK) != 0)
                skip();
        assert_int_equal(file_read(&file, C2SP_EXAMPLE, 65536), 0);
        vkey = strchr((char *)file.data, ' ') + 1;
        assert_int_equal(note_verifier_parse(&v, vkey, strcspn(vkey, "\n")), 0);
        note = strstr(vkey, "====note\n") + strlen("====note\n");
        end = strstr(note, "====end");
        assert_int_equal(note_decode(&n, BLOB(note, (size_t)(end - note))), 0);
        assert_int_equal(note_verify(&n, &v, 1, NULL), 0);
        note[0] = 't';
        assert_int_equal(note_verify(&n, &v, 1, NULL), NOTE_E_SIGNATURE);
        note_verifier_deinit(&v);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(note_name_valid_of_good_names_is_true),
                cmocka_unit_test(note_name_valid_of_bad_names_is_false),
                cmocka_unit_test(note_key_id_of_another_type_differs),
                cmocka_unit_test(note_verifier_parse_of_own_vectors_reads_them),
                cmocka_unit_test(note_verifier_parse_of_any_changed_character_is_refused),
                cmocka_unit_test(note_verifier_parse_of_other_forms_is_refused),
                cmocka_unit_test(note_verifier_parse_of_weak_key_is_refused),
                cmocka_unit_test(note_verifier_parse_of_unknown_type_is_refused),
                cmocka_unit_test(note_verifier_write_of_parsed_key_gives_it_back),
                cmocka_unit_test(note_decode_of_text_with_empty_lines_splits_at_the_last),
                cmocka_unit_test(note_decode_of_empty_text_is_accepted),
                cmocka_unit_test(note_decode_of_malformed_notes_is_refused),
                cmocka_unit_test(note_decode_of_delete_character_is_accepted),
                cmocka_unit_test(note_decode_of_a_strangers_long_name_is_accepted),
                cmocka_unit_test(note_decode_of_sixteen_great_signatures_is_accepted),
                cmocka_unit_test(note_decode_past_the_limits_is_refused),
                cmocka_unit_test(note_verify_of_known_line_holds),
                cmocka_unit_test(note_verify_of_two_known_lines_names_both),
                cmocka_unit_test(note_verify_of_unknown_line_first_ignores_it),
                cmocka_unit_test(note_verify_of_unknown_lines_only_is_unsigned),
                cmocka_unit_test(note_verify_of_line_given_twice_counts_once),
                cmocka_unit_test(note_verify_of_bad_known_line_refuses_the_note),
                cmocka_unit_test(note_verify_of_known_line_of_another_size_refuses_the_note),
                cmocka_unit_test(note_verify_of_line_that_shares_name_or_id_ignores_it),
                cmocka_unit_test(note_verify_with_cosigner_key_ignores_its_lines),
                cmocka_unit_test(note_write_signature_of_openssl_signature_gives_the_vector),
                cmocka_unit_test(note_verify_of_specification_example_holds),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
