/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "client/table.h"
#include "client/text.h"

static void expect_escaped(const char *in, size_t size, const char *out)
{
        _cleanup_(buffer_deinit) Buffer b = BUFFER_NULL;

        assert_int_equal(buffer_append_string(&b, ""), 0);
        assert_int_equal(text_escape(&b, in, size), 0);
        assert_string_equal((const char *)b.data, out);
}

#define EXPECT_ESCAPED(_in, _out) expect_escaped((_in), sizeof(_in) - 1, (_out))

static void text_escape_plain_keeps(void **state)
{
        (void)state;

        EXPECT_ESCAPED("", "");
        EXPECT_ESCAPED("a b/c-1.2_\\", "a b/c-1.2_\\");
        EXPECT_ESCAPED("\xc3\xa4 \xe2\x82\xac \xf0\x9f\x94\x91", "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x94\x91");
}

static void text_escape_control_escapes(void **state)
{
        (void)state;

        EXPECT_ESCAPED("a\x1b[31mb", "a\\x1b[31mb");
        EXPECT_ESCAPED("a\nb\tc\rd", "a\\x0ab\\x09c\\x0dd");
        EXPECT_ESCAPED("a\0b", "a\\x00b");
        EXPECT_ESCAPED("\x7f", "\\x7f");
        EXPECT_ESCAPED("\xc2\x9b"
                       "31m",
                       "\\xc2\\x9b31m");
}

static void text_escape_direction_escapes(void **state)
{
        (void)state;

        EXPECT_ESCAPED("a\xe2\x80\xae"
                       "b",
                       "a\\xe2\\x80\\xaeb");
        EXPECT_ESCAPED("a\xe2\x81\xa6"
                       "b",
                       "a\\xe2\\x81\\xa6b");
        EXPECT_ESCAPED("a\xe2\x80\xa8"
                       "b",
                       "a\\xe2\\x80\\xa8b");
}

static void text_escape_invalid_utf8_escapes(void **state)
{
        (void)state;

        EXPECT_ESCAPED("\xff", "\\xff");
        EXPECT_ESCAPED("a\xc3", "a\\xc3");
        EXPECT_ESCAPED("\xe2\x82", "\\xe2\\x82");
        EXPECT_ESCAPED("\xc0\xaf", "\\xc0\\xaf");
}

static void text_width_counts_characters(void **state)
{
        (void)state;

        assert_int_equal(text_width("abc"), 3);
        assert_int_equal(text_width("\xc3\xa4\xe2\x82\xac"), 2);
        assert_int_equal(text_width("\x1b"), 4);
}

/* What `write` writes to a stream. */
static char *captured;
static size_t captured_size;

static FILE *capture(void)
{
        FILE *f = open_memstream(&captured, &captured_size);

        assert_non_null(f);
        return f;
}

static void expect_captured(FILE *f, const char *text)
{
        assert_int_equal(fclose(f), 0);
        assert_string_equal(captured, text);
        free(captured);
}

static void text_printf_escapes_all_but_last_line_end(void **state)
{
        FILE *f = capture();

        (void)state;
        text_printf(f, "%s: %d\n", "a\nb", 7);
        expect_captured(f, "a\\x0ab: 7\n");
}

static void text_write_json_indents(void **state)
{
        const char *json = "{\"a\":[],\"b\":{\"c\":[1,\"x,{\\\"\"]},\"d\":\"\xc2\x9b\"}";
        FILE *f = capture();

        (void)state;
        text_write_json(f, json, strlen(json), 2);
        expect_captured(f, "  {\n    \"a\": [],\n    \"b\": {\n      \"c\": [\n        1,\n        "
                           "\"x,{\\\"\"\n      ]\n"
                           "    },\n    \"d\": \"\\xc2\\x9b\"\n  }\n");
}

static void table_write_aligns(void **state)
{
        _cleanup_(table_deinit) Table t;
        FILE *f = capture();

        (void)state;
        table_init(&t, 2);
        table_cell(&t, "a\x1b");
        table_cell(&t, "last");
        table_cellf(&t, "%d", 5);
        table_cell(&t, NULL);
        assert_int_equal(table_write(&t, f), 0);
        expect_captured(f, "a\\x1b  last\n5      -\n");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(text_escape_plain_keeps),
                cmocka_unit_test(text_escape_control_escapes),
                cmocka_unit_test(text_escape_direction_escapes),
                cmocka_unit_test(text_escape_invalid_utf8_escapes),
                cmocka_unit_test(text_width_counts_characters),
                cmocka_unit_test(text_printf_escapes_all_but_last_line_end),
                cmocka_unit_test(text_write_json_indents),
                cmocka_unit_test(table_write_aligns),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
