/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/error.h"

/* AddressSanitizer ends a program that asks for the impossible; here that is what is tested. */
__attribute__((__visibility__("default"))) const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
        return "allocator_may_return_null=1";
}

/* ---- Blob ---- */

static void blob_equal_same_bytes_are_equal(void **state)
{
        (void)state;
        assert_true(blob_equal(BLOB_LITERAL("abc"), BLOB("abcd", 3)));
        assert_true(blob_equal(BLOB_NULL, BLOB_LITERAL("")));
        assert_true(blob_equal(BLOB_NULL, BLOB_NULL));
        assert_true(blob_equal_string(BLOB_LITERAL("abc"), "abc"));
}

static void blob_equal_other_bytes_are_not(void **state)
{
        (void)state;
        assert_false(blob_equal(BLOB_LITERAL("abc"), BLOB_LITERAL("abd")));
        assert_false(blob_equal(BLOB_LITERAL("abc"), BLOB_LITERAL("ab")));
        assert_false(blob_equal(BLOB_LITERAL("a"), BLOB_NULL));
        assert_false(blob_equal_string(BLOB_LITERAL("abc\0"), "abc"));
}

/* ---- Buffer ---- */

static void buffer_append_pieces_are_joined_and_terminated(void **state)
{
        _cleanup_(buffer_deinit) Buffer b = BUFFER_NULL;

        (void)state;
        assert_int_equal(buffer_append(&b, "ab", 2), 0);
        assert_int_equal(buffer_append_string(&b, "cd"), 0);
        assert_int_equal(buffer_append_byte(&b, 'e'), 0);
        assert_int_equal(buffer_append(&b, NULL, 0), 0);
        assert_int_equal(buffer_printf(&b, "%d-%s", 17, "x"), 0);
        assert_string_equal((char *)b.data, "abcde17-x");
        assert_int_equal(b.size, 9);
        assert_true(blob_equal_string(buffer_blob(&b), "abcde17-x"));
}

static void buffer_append_nothing_still_terminates(void **state)
{
        _cleanup_(buffer_deinit) Buffer b = BUFFER_NULL;

        (void)state;
        assert_int_equal(buffer_append(&b, NULL, 0), 0);
        assert_int_equal(b.size, 0);
        assert_string_equal((char *)b.data, "");
}

static void buffer_append_many_bytes_keeps_all(void **state)
{
        _cleanup_(buffer_deinit) Buffer b = BUFFER_NULL;

        (void)state;
        for (unsigned i = 0; i < 5000; i++) {
                assert_int_equal(buffer_append_byte(&b, (uint8_t)i), 0);
                assert_int_equal(b.data[b.size], 0);
        }
        for (unsigned i = 0; i < 5000; i++)
                assert_int_equal(b.data[i], (uint8_t)i);
}

static void buffer_append_u64_decimal_writes_all_magnitudes(void **state)
{
        static const uint64_t values[] = {0, 9, 10, 12345, UINT32_MAX, UINT64_MAX};
        static const char *const texts[] = {"0", "9", "10", "12345", "4294967295", "18446744073709551615"};

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
                _cleanup_(buffer_deinit) Buffer b = BUFFER_NULL;

                assert_int_equal(buffer_append_u64_decimal(&b, values[i]), 0);
                assert_string_equal((char *)b.data, texts[i]);
        }
}

static void buffer_printf_longer_than_the_room_grows(void **state)
{
        _cleanup_(buffer_deinit) Buffer b = BUFFER_NULL;

        (void)state;
        assert_int_equal(buffer_printf(&b, "%01000d", 7), 0);
        assert_int_equal(b.size, 1000);
        assert_int_equal(b.data[999], '7');
        assert_int_equal(b.data[1000], 0);
}

static void buffer_reserve_enough_room_does_not_move(void **state)
{
        _cleanup_(buffer_deinit) Buffer b = BUFFER_NULL;
        const uint8_t *before;

        (void)state;
        assert_int_equal(buffer_reserve(&b, 1000), 0);
        before = b.data;
        for (unsigned i = 0; i < 1000; i++)
                assert_int_equal(buffer_append_byte(&b, 'x'), 0);
        assert_ptr_equal(b.data, before);
}

static void buffer_reserve_impossible_size_leaves_it_unchanged(void **state)
{
        _cleanup_(buffer_deinit) Buffer b = BUFFER_NULL;

        (void)state;
        assert_int_equal(buffer_append_string(&b, "abc"), 0);
        assert_int_equal(buffer_reserve(&b, SIZE_MAX), -EOVERFLOW);
        assert_int_equal(buffer_reserve(&b, SIZE_MAX / 2), -EOVERFLOW);
        assert_int_equal(buffer_reserve(&b, SIZE_MAX / 4), -ENOMEM);
        assert_int_equal(b.size, 3);
        assert_string_equal((char *)b.data, "abc");
}

static void buffer_consume_moves_the_rest_to_the_front(void **state)
{
        _cleanup_(buffer_deinit) Buffer b = BUFFER_NULL;

        (void)state;
        buffer_consume(&b, 0);
        assert_null(b.data);
        assert_int_equal(buffer_append_string(&b, "abcdef"), 0);
        buffer_consume(&b, 2);
        assert_string_equal((char *)b.data, "cdef");
        buffer_consume(&b, 0);
        assert_int_equal(b.size, 4);
        buffer_consume(&b, 4);
        assert_int_equal(b.size, 0);
        assert_string_equal((char *)b.data, "");
}

static void buffer_clear_keeps_memory(void **state)
{
        _cleanup_(buffer_deinit) Buffer b = BUFFER_NULL;
        size_t capacity;

        (void)state;
        buffer_clear(&b);
        assert_null(b.data);
        assert_int_equal(buffer_append_string(&b, "abc"), 0);
        capacity = b.capacity;
        buffer_clear(&b);
        assert_int_equal(b.size, 0);
        assert_int_equal(b.capacity, capacity);
        assert_string_equal((char *)b.data, "");
}

static void buffer_take_hands_over_and_empties(void **state)
{
        _cleanup_(buffer_deinit) Buffer b = BUFFER_NULL;
        _cleanup_(freep) char *s = NULL;

        (void)state;
        assert_null(buffer_take(&b));
        assert_int_equal(buffer_append_string(&b, "abc"), 0);
        s = buffer_take(&b);
        assert_string_equal(s, "abc");
        assert_null(b.data);
        assert_int_equal(b.size, 0);
        assert_int_equal(b.capacity, 0);
}

/* ---- integers ---- */

static void put_integers_are_big_endian_and_get_reads_them(void **state)
{
        uint8_t p[9] = {0};

        (void)state;
        put_u16(p + 1, 0x0102);
        assert_memory_equal(p + 1, "\x01\x02\x00", 3);
        assert_int_equal(get_u16(p + 1), 0x0102);
        put_u32(p + 1, 0xfffefdfc);
        assert_memory_equal(p + 1, "\xff\xfe\xfd\xfc\x00", 5);
        assert_true(get_u32(p + 1) == 0xfffefdfc);
        put_u64(p + 1, UINT64_C(0x8182838485868788));
        assert_memory_equal(p + 1, "\x81\x82\x83\x84\x85\x86\x87\x88", 8);
        assert_true(get_u64(p + 1) == UINT64_C(0x8182838485868788));
}

/* ---- copies ---- */

static void string_copy_gives_independent_strings(void **state)
{
        _cleanup_(freep) char *a = NULL, *b = NULL, *c = NULL;

        (void)state;
        assert_int_equal(string_copy(&a, "abc"), 0);
        assert_string_equal(a, "abc");
        assert_int_equal(string_copy_n(&b, "abcdef", 4), 0);
        assert_string_equal(b, "abcd");
        assert_int_equal(string_copy_n(&c, NULL, 0), 0);
        assert_string_equal(c, "");
}

static void string_copy_n_impossible_size_is_an_error(void **state)
{
        char *s = NULL;

        (void)state;
        assert_int_equal(string_copy_n(&s, "", SIZE_MAX), -ENOMEM);
        assert_int_equal(string_copy_n(&s, "", SIZE_MAX / 2), -ENOMEM);
        assert_null(s);
}

static void string_printf_formats(void **state)
{
        _cleanup_(freep) char *s = NULL;

        (void)state;
        assert_int_equal(string_printf(&s, "%s/%u", "a", 3U), 0);
        assert_string_equal(s, "a/3");
}

static void memory_new_is_zeroed(void **state)
{
        _cleanup_(freep) uint64_t *p = NULL;
        _cleanup_(freep) char *none = NULL;

        (void)state;
        assert_int_equal(memory_new0(&p, 100), 0);
        for (size_t i = 0; i < 100; i++)
                assert_true(p[i] == 0);
        assert_int_equal(memory_new0(&none, 0), 0);
        assert_non_null(none);
}

static void memory_new_overflow_is_an_error(void **state)
{
        void *p = NULL;

        (void)state;
        assert_int_equal(memory_new(&p, SIZE_MAX / 4, 8), -ENOMEM);
        assert_null(p);
}

/* ---- the convention for errors ---- */

static int trace_calls, trace_last;

static void count_trace(const char *file, int line, const char *func, int r)
{
        assert_non_null(file);
        assert_non_null(func);
        assert_true(line > 0);
        trace_calls++;
        trace_last = r;
}

static void error_fold_each_kind_becomes_what_is_documented(void **state)
{
        (void)state;
        error_set_trace(count_trace);
        trace_calls = 0;

        assert_int_equal(error_fold(0), 0);
        assert_int_equal(trace_calls, 0);
        assert_int_equal(error_fold(-EIO), -EIO);
        assert_int_equal(trace_calls, 1);
        assert_int_equal(error_fold(3), -ENOTRECOVERABLE);
        assert_int_equal(trace_calls, 2);
        assert_int_equal(trace_last, 3);
        assert_int_equal(error_origin(-ENOENT), -ENOENT);
        assert_int_equal(trace_calls, 3);

        error_set_trace(NULL);
        assert_int_equal(error_fold(-EIO), -EIO);
        assert_int_equal(error_fold(1), -ENOTRECOVERABLE);
        assert_int_equal(trace_calls, 3);
        assert_int_equal(error_trace_origin(-EIO, "f", 1, "g"), -EIO);
        assert_int_equal(error_trace_fold(2, "f", 1, "g"), -ENOTRECOVERABLE);
}

/* The first test: it sees the sink that a program has which sets none. */
static void error_trace_default_sink_prints_both_kinds(void **state)
{
        (void)state;
        assert_int_equal(error_trace_origin(-EIO, "file", 1, "func"), -EIO);
        assert_int_equal(error_trace_fold(2, "file", 1, "func"), -ENOTRECOVERABLE);
        error_set_trace(NULL);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(error_trace_default_sink_prints_both_kinds),
                cmocka_unit_test(error_fold_each_kind_becomes_what_is_documented),
                cmocka_unit_test(blob_equal_same_bytes_are_equal),
                cmocka_unit_test(blob_equal_other_bytes_are_not),
                cmocka_unit_test(buffer_append_pieces_are_joined_and_terminated),
                cmocka_unit_test(buffer_append_nothing_still_terminates),
                cmocka_unit_test(buffer_append_many_bytes_keeps_all),
                cmocka_unit_test(buffer_append_u64_decimal_writes_all_magnitudes),
                cmocka_unit_test(buffer_printf_longer_than_the_room_grows),
                cmocka_unit_test(buffer_reserve_enough_room_does_not_move),
                cmocka_unit_test(buffer_reserve_impossible_size_leaves_it_unchanged),
                cmocka_unit_test(buffer_consume_moves_the_rest_to_the_front),
                cmocka_unit_test(buffer_clear_keeps_memory),
                cmocka_unit_test(buffer_take_hands_over_and_empties),
                cmocka_unit_test(put_integers_are_big_endian_and_get_reads_them),
                cmocka_unit_test(string_copy_gives_independent_strings),
                cmocka_unit_test(string_copy_n_impossible_size_is_an_error),
                cmocka_unit_test(string_printf_formats),
                cmocka_unit_test(memory_new_is_zeroed),
                cmocka_unit_test(memory_new_overflow_is_an_error),
        };

        return cmocka_run_group_tests_name("bytes", tests, NULL, NULL);
}
