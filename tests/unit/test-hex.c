/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/hex.h"

static void hex_encode_every_byte_is_lower_case(void **state)
{
        uint8_t bytes[] = {0x00, 0x01, 0x0f, 0x10, 0x9a, 0xbc, 0xde, 0xff};
        char text[2 * sizeof(bytes) + 1];

        (void)state;
        hex_encode(text, bytes, sizeof(bytes));
        assert_string_equal(text, "00010f109abcdeff");
        hex_encode(text, NULL, 0);
        assert_string_equal(text, "");
}

static void hex_decode_every_byte_round_trips(void **state)
{
        (void)state;
        for (unsigned c = 0; c < 256; c++) {
                uint8_t byte = (uint8_t)c, back;
                char text[3];

                hex_encode(text, &byte, 1);
                assert_int_equal(hex_decode(&back, 1, text, 2), 0);
                assert_int_equal(back, byte);
        }
        assert_int_equal(hex_decode(NULL, 0, NULL, 0), 0);
}

/* Of the 65536 pairs of characters exactly 256 are a byte. */
static void hex_decode_foreign_characters_are_refused(void **state)
{
        unsigned n_valid = 0;
        uint8_t byte;

        (void)state;
        for (unsigned a = 0; a < 256; a++)
                for (unsigned b = 0; b < 256; b++) {
                        char text[2] = {(char)a, (char)b};

                        n_valid += hex_decode(&byte, 1, text, 2) == 0;
                }
        assert_int_equal(n_valid, 256);
        assert_int_equal(hex_decode(&byte, 1, "AB", 2), HEX_E_INVALID);
        assert_int_equal(hex_decode(&byte, 1, "aB", 2), HEX_E_INVALID);
}

static void hex_decode_other_sizes_are_refused(void **state)
{
        uint8_t bytes[4];

        (void)state;
        assert_int_equal(hex_decode(bytes, 2, "abcd", 4), 0);
        assert_int_equal(hex_decode(bytes, 2, "abc", 3), HEX_E_INVALID);
        assert_int_equal(hex_decode(bytes, 2, "abcde", 5), HEX_E_INVALID);
        assert_int_equal(hex_decode(bytes, 1, "abcd", 4), HEX_E_INVALID);
        assert_int_equal(hex_decode(bytes, 3, "abcd", 4), HEX_E_INVALID);
        assert_int_equal(hex_decode(bytes, 1, "", 0), HEX_E_INVALID);
        assert_int_equal(hex_decode(bytes, 2, "0xab", 4), HEX_E_INVALID);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(hex_encode_every_byte_is_lower_case),
                cmocka_unit_test(hex_decode_every_byte_round_trips),
                cmocka_unit_test(hex_decode_foreign_characters_are_refused),
                cmocka_unit_test(hex_decode_other_sizes_are_refused),
        };

        return cmocka_run_group_tests_name("hex", tests, NULL, NULL);
}
