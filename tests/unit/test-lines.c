/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/limits.h"
#include "base/lines.h"

#define READER(_text)                                                                                       \
        _cleanup_(lines_freep) LineReader *r = NULL;                                                        \
        const char *reason = NULL;                                                                          \
        Line line;                                                                                          \
        assert_int_equal(lines_new(&r, (_text)), 0)

static void assert_word(const Line *line, size_t i, const char *text, unsigned column)
{
        assert_true(i < line->n_words);
        assert_true(word_is(&line->words[i], text));
        assert_int_equal(line->words[i].column, column);
}

static void lines_next_statements_are_split(void **state)
{
        READER(BLOB_LITERAL("one two\n\n  \t\n# only this\n\tthree  four\t#five six\nseven#8 ~!\n"));

        (void)state;
        assert_int_equal(lines_next(r, &line, &reason), 0);
        assert_int_equal(line.number, 1);
        assert_int_equal(line.n_words, 2);
        assert_word(&line, 0, "one", 1);
        assert_word(&line, 1, "two", 5);

        assert_int_equal(lines_next(r, &line, &reason), 0);
        assert_int_equal(line.number, 5);
        assert_int_equal(line.n_words, 2);
        assert_word(&line, 0, "three", 2);
        assert_word(&line, 1, "four", 9);

        assert_int_equal(lines_next(r, &line, &reason), 0);
        assert_int_equal(line.number, 6);
        assert_int_equal(line.n_words, 2);
        assert_word(&line, 0, "seven#8", 1);
        assert_word(&line, 1, "~!", 9);

        assert_int_equal(lines_next(r, &line, &reason), LINES_E_END);
        assert_int_equal(lines_next(r, &line, &reason), LINES_E_END);
        assert_null(reason);
}

static void lines_next_empty_file_ends_at_once(void **state)
{
        READER(BLOB_NULL);

        (void)state;
        assert_int_equal(lines_next(r, &line, &reason), LINES_E_END);
}

static void lines_next_foreign_bytes_are_refused_and_reading_goes_on(void **state)
{
        READER(BLOB_LITERAL("a\r\nb \x7f\nc\x80\nd \0\n# \xc3\xa4\n\x1fz\nlast\n"));
        static const unsigned columns[] = {2, 3, 2, 3, 3, 1};

        (void)state;
        for (unsigned i = 0; i < ARRAY_SIZE(columns); i++) {
                reason = NULL;
                assert_int_equal(lines_next(r, &line, &reason), LINES_E_INVALID);
                assert_non_null(reason);
                assert_int_equal(line.number, i + 1);
                assert_int_equal(line.n_words, 1);
                assert_int_equal(line.words[0].column, columns[i]);
                assert_int_equal(line.words[0].size, 1);
        }
        assert_int_equal(lines_next(r, &line, &reason), 0);
        assert_word(&line, 0, "last", 1);
}

static void lines_next_last_line_without_lf_is_refused(void **state)
{
        READER(BLOB_LITERAL("one\ntwo"));

        (void)state;
        assert_int_equal(lines_next(r, &line, &reason), 0);
        assert_int_equal(lines_next(r, &line, &reason), LINES_E_INVALID);
        assert_non_null(reason);
        assert_int_equal(line.number, 2);
        assert_int_equal(line.words[0].column, 4);
        assert_int_equal(lines_next(r, &line, &reason), LINES_E_END);
}

static void lines_next_longest_line_is_the_last_accepted(void **state)
{
        static char text[LIMIT_LINE_SIZE + 2];

        (void)state;
        for (size_t extra = 0; extra < 2; extra++) {
                size_t size = LIMIT_LINE_SIZE + extra;

                memset(text, 'x', size);
                text[size] = '\n';
                READER(BLOB(text, size + 1));
                assert_int_equal(lines_next(r, &line, &reason), extra ? LINES_E_INVALID : 0);
                assert_int_equal(line.n_words, 1);
                assert_int_equal(line.words[0].column, extra ? LIMIT_LINE_SIZE + 1 : 1);
                assert_int_equal(lines_next(r, &line, &reason), LINES_E_END);
        }
}

static void lines_next_most_words_are_the_last_accepted(void **state)
{
        static char text[2 * LIMIT_LINE_WORDS + 8];

        (void)state;
        for (size_t extra = 0; extra < 2; extra++) {
                size_t n = 0;

                for (size_t i = 0; i < LIMIT_LINE_WORDS + extra; i++) {
                        text[n++] = 'w';
                        text[n++] = ' ';
                }
                text[n++] = '#';
                text[n++] = '\n';
                READER(BLOB(text, n));
                assert_int_equal(lines_next(r, &line, &reason), extra ? LINES_E_INVALID : 0);
                if (extra)
                        assert_word(&line, 0, "w", 2 * LIMIT_LINE_WORDS + 1);
                else
                        assert_int_equal(line.n_words, LIMIT_LINE_WORDS);
        }
}

static void lines_next_too_large_file_is_refused_once(void **state)
{
        _cleanup_(buffer_deinit) Buffer file = BUFFER_NULL;

        (void)state;
        while (file.size < LIMIT_POLICY_SIZE)
                assert_int_equal(buffer_append_string(&file, "a b c d\n"), 0);
        {
                READER(buffer_blob(&file));
                assert_int_equal(lines_next(r, &line, &reason), 0);
        }
        assert_int_equal(buffer_append_byte(&file, '\n'), 0);
        {
                READER(buffer_blob(&file));
                assert_int_equal(lines_next(r, &line, &reason), LINES_E_INVALID);
                assert_non_null(reason);
                assert_int_equal(line.number, 1);
                assert_int_equal(line.n_words, 1);
                assert_int_equal(lines_next(r, &line, &reason), LINES_E_END);
        }
}

static Word word(const char *text)
{
        return (Word){.text = text, .size = strlen(text), .column = 1};
}

static void word_is_compares_whole_words(void **state)
{
        Word w = word("key");

        (void)state;
        assert_true(word_is(&w, "key"));
        assert_false(word_is(&w, "ke"));
        assert_false(word_is(&w, "keys"));
        assert_false(word_is(&w, "Key"));
}

static void word_copy_is_terminated(void **state)
{
        Word w = {.text = "abcdef", .size = 3, .column = 1};
        _cleanup_(freep) char *copy = NULL;

        (void)state;
        assert_int_equal(word_copy(&copy, &w), 0);
        assert_string_equal(copy, "abc");
}

static void word_is_name_only_names_are(void **state)
{
        static const char *const good[] = {"a", "0", "Z9", "release-2.1_x", "a-", "a."};
        static const char *const bad[] = {"",         "-a",        ".a", "_a", "a/b", "a b", "a:b",
                                          "\xc3\xa4", "a\xc3\xa4", "a@", "[",  "`",   "{"};
        char longest[LIMIT_NAME_SIZE + 2];
        Word w;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
                w = word(good[i]);
                assert_true(word_is_name(&w));
        }
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                w = word(bad[i]);
                assert_false(word_is_name(&w));
        }
        memset(longest, 'n', sizeof(longest));
        w = (Word){.text = longest, .size = LIMIT_NAME_SIZE, .column = 1};
        assert_true(word_is_name(&w));
        w.size++;
        assert_false(word_is_name(&w));
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(lines_next_statements_are_split),
                cmocka_unit_test(lines_next_empty_file_ends_at_once),
                cmocka_unit_test(lines_next_foreign_bytes_are_refused_and_reading_goes_on),
                cmocka_unit_test(lines_next_last_line_without_lf_is_refused),
                cmocka_unit_test(lines_next_longest_line_is_the_last_accepted),
                cmocka_unit_test(lines_next_most_words_are_the_last_accepted),
                cmocka_unit_test(lines_next_too_large_file_is_refused_once),
                cmocka_unit_test(word_is_compares_whole_words),
                cmocka_unit_test(word_copy_is_terminated),
                cmocka_unit_test(word_is_name_only_names_are),
        };

        error_set_trace(NULL);
        return cmocka_run_group_tests_name("lines", tests, NULL, NULL);
}
