/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "token/wire.h"

static uint8_t buf[LIMIT_TOKEN_FRAME + 1];

static WireFrame hello_frame(void)
{
        return (WireFrame){
                .type = WIRE_HELLO,
                .sequence = 0x01020304,
                .n = 1,
                .hello = {.status = TOKEN_PIN_REFUSED,
                          .label = BLOB_LITERAL("release"),
                          .manufacturer = BLOB_LITERAL("maker"),
                          .model = BLOB_LITERAL("v2"),
                          .serial = BLOB_LITERAL("0042"),
                          .message = BLOB_LITERAL("act")},
        };
}

static WireFrame open_frame(void)
{
        return (WireFrame){
                .type = WIRE_OPEN,
                .sequence = 7,
                .n = 2,
                .open = {{3, KEY_RSA, BLOB_LITERAL("pkcs11:object=a"), BLOB_LITERAL("spki")},
                         {0xfffe, KEY_ED25519, BLOB_LITERAL("pkcs11:id=%01"), BLOB_LITERAL("\0\1")}},
        };
}

static WireFrame opened_frame(void)
{
        return (WireFrame){
                .type = WIRE_OPENED,
                .sequence = 7,
                .n = 2,
                .opened = {{3, TOKEN_OK, BLOB_NULL}, {0xfffe, TOKEN_KEY_MISSING, BLOB_LITERAL("none")}},
        };
}

static WireFrame sign_frame(void)
{
        return (WireFrame){
                .type = WIRE_SIGN,
                .sequence = UINT32_MAX,
                .n = 2,
                .sign = {{3, MECHANISM_ECDSA, false, BLOB_LITERAL("digest")},
                         {4, MECHANISM_EDDSA, false, BLOB_LITERAL("message")}},
        };
}

static WireFrame signed_frame(void)
{
        return (WireFrame){
                .type = WIRE_SIGNED,
                .sequence = 9,
                .n = 2,
                .signature = {{TOKEN_OK, 0, 1234, BLOB_LITERAL("signature")},
                              {TOKEN_FAILED, 0x30, 7, BLOB_NULL}},
        };
}

static size_t encode(const WireFrame *f)
{
        size_t size = 0;

        assert_int_equal(wire_encode(f, buf, sizeof(buf), &size), 0);
        assert_true(size > 8);
        return size;
}

/* Every prefix, and the frame with a byte more, is not a frame. */
static void assert_strict_size(size_t size)
{
        WireFrame f;

        for (size_t i = 0; i < size; i++)
                assert_int_equal(wire_decode(&f, buf, i), WIRE_E_INVALID);
        assert_int_equal(wire_decode(&f, buf, size), 0);
        buf[size] = 0;
        assert_int_equal(wire_decode(&f, buf, size + 1), WIRE_E_INVALID);
}

/* The frame is good as it stands and bad with `value` at `at`. */
static void assert_byte_refused(size_t size, size_t at, uint8_t value)
{
        uint8_t saved = buf[at];
        WireFrame f;

        assert_int_equal(wire_decode(&f, buf, size), 0);
        buf[at] = value;
        assert_int_equal(wire_decode(&f, buf, size), WIRE_E_INVALID);
        buf[at] = saved;
}

static void assert_blob(Blob got, Blob expected)
{
        assert_true(blob_equal(got, expected));
}

static void wire_encode_hello_has_documented_bytes(void **state)
{
        static const uint8_t expected[] = "\x01\x01\x00\x01\x01\x02\x03\x04"
                                          "\x03"
                                          "\x00\x07release"
                                          "\x00\x05maker"
                                          "\x00\x02v2"
                                          "\x00\x04"
                                          "0042"
                                          "\x00\x03"
                                          "act";
        WireFrame f = hello_frame();

        (void)state;
        assert_int_equal(encode(&f), sizeof(expected) - 1);
        assert_memory_equal(buf, expected, sizeof(expected) - 1);
}

static void wire_encode_sign_has_documented_bytes(void **state)
{
        static const uint8_t expected[] = "\x01\x04\x00\x02\xff\xff\xff\xff"
                                          "\x00\x03\x00\x00\x00\x06"
                                          "digest"
                                          "\x00\x04\x03\x00\x00\x07message";
        WireFrame f = sign_frame();

        (void)state;
        assert_int_equal(encode(&f), sizeof(expected) - 1);
        assert_memory_equal(buf, expected, sizeof(expected) - 1);
}

static void wire_decode_hello_round_trip_is_equal(void **state)
{
        WireFrame f = hello_frame(), g;
        size_t size = encode(&f);

        (void)state;
        assert_int_equal(wire_decode(&g, buf, size), 0);
        assert_int_equal(g.type, WIRE_HELLO);
        assert_int_equal(g.sequence, f.sequence);
        assert_int_equal(g.n, 1);
        assert_int_equal(g.hello.status, TOKEN_PIN_REFUSED);
        assert_blob(g.hello.label, f.hello.label);
        assert_blob(g.hello.manufacturer, f.hello.manufacturer);
        assert_blob(g.hello.model, f.hello.model);
        assert_blob(g.hello.serial, f.hello.serial);
        assert_blob(g.hello.message, f.hello.message);
}

static void wire_decode_open_round_trip_is_equal(void **state)
{
        WireFrame f = open_frame(), g;
        size_t size = encode(&f);

        (void)state;
        assert_int_equal(wire_decode(&g, buf, size), 0);
        assert_int_equal(g.type, WIRE_OPEN);
        assert_int_equal(g.n, 2);
        for (size_t i = 0; i < 2; i++) {
                assert_int_equal(g.open[i].handle, f.open[i].handle);
                assert_int_equal(g.open[i].type, f.open[i].type);
                assert_blob(g.open[i].uri, f.open[i].uri);
                assert_blob(g.open[i].spki, f.open[i].spki);
        }
}

static void wire_decode_opened_round_trip_is_equal(void **state)
{
        WireFrame f = opened_frame(), g;
        size_t size = encode(&f);

        (void)state;
        assert_int_equal(wire_decode(&g, buf, size), 0);
        assert_int_equal(g.type, WIRE_OPENED);
        assert_int_equal(g.n, 2);
        for (size_t i = 0; i < 2; i++) {
                assert_int_equal(g.opened[i].handle, f.opened[i].handle);
                assert_int_equal(g.opened[i].status, f.opened[i].status);
                assert_blob(g.opened[i].message, f.opened[i].message);
        }
}

static void wire_decode_sign_round_trip_is_equal(void **state)
{
        WireFrame f = sign_frame(), g;
        size_t size = encode(&f);

        (void)state;
        assert_int_equal(wire_decode(&g, buf, size), 0);
        assert_int_equal(g.type, WIRE_SIGN);
        assert_int_equal(g.n, 2);
        for (size_t i = 0; i < 2; i++) {
                assert_int_equal(g.sign[i].handle, f.sign[i].handle);
                assert_int_equal(g.sign[i].mechanism, f.sign[i].mechanism);
                assert_false(g.sign[i].content_in_fd);
                assert_blob(g.sign[i].message, f.sign[i].message);
        }
}

static void wire_decode_signed_round_trip_is_equal(void **state)
{
        WireFrame f = signed_frame(), g;
        size_t size = encode(&f);

        (void)state;
        assert_int_equal(wire_decode(&g, buf, size), 0);
        assert_int_equal(g.type, WIRE_SIGNED);
        assert_int_equal(g.n, 2);
        for (size_t i = 0; i < 2; i++) {
                assert_int_equal(g.signature[i].status, f.signature[i].status);
                assert_int_equal(g.signature[i].ckr, f.signature[i].ckr);
                assert_int_equal(g.signature[i].usec, f.signature[i].usec);
                assert_blob(g.signature[i].signature, f.signature[i].signature);
        }
}

static void wire_decode_any_type_truncated_or_trailing_is_invalid(void **state)
{
        const WireFrame frames[] = {hello_frame(), open_frame(), opened_frame(), sign_frame(),
                                    signed_frame()};

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(frames); i++)
                assert_strict_size(encode(&frames[i]));
}

static void wire_decode_header_with_bad_field_is_invalid(void **state)
{
        WireFrame f = sign_frame();
        size_t size = encode(&f);

        (void)state;
        assert_byte_refused(size, 0, 0); /* version */
        assert_byte_refused(size, 0, 2);
        assert_byte_refused(size, 1, 0); /* type */
        assert_byte_refused(size, 1, 6);
        assert_byte_refused(size, 1, 255);
        assert_byte_refused(size, 3, 0); /* n */
        assert_byte_refused(size, 3, 1);
        assert_byte_refused(size, 3, 3);
        assert_byte_refused(size, 2, 1);
}

static void wire_decode_enumeration_out_of_range_is_invalid(void **state)
{
        WireFrame f;

        (void)state;
        f = hello_frame();
        assert_byte_refused(encode(&f), 8, _TOKEN_STATUS_MAX);
        f = open_frame();
        assert_byte_refused(encode(&f), 10, _KEY_TYPE_MAX);
        f = opened_frame();
        assert_byte_refused(encode(&f), 10, _TOKEN_STATUS_MAX);
        f = sign_frame();
        assert_byte_refused(encode(&f), 10, _MECHANISM_MAX);
        assert_byte_refused(encode(&f), 11, 2); /* an unknown flag */
        f = signed_frame();
        assert_byte_refused(encode(&f), 8, _TOKEN_STATUS_MAX);
}

/* `n` at its limit is a frame, one more is not. */
static void wire_decode_n_over_limit_is_invalid(void **state)
{
        WireFrame f = {.type = WIRE_SIGN, .n = LIMIT_TOKEN_BATCH}, g;
        size_t size = encode(&f);

        (void)state;
        assert_int_equal(wire_decode(&g, buf, size), 0);
        put_u16(buf + 2, LIMIT_TOKEN_BATCH + 1);
        assert_int_equal(wire_decode(&g, buf, size + 6), WIRE_E_INVALID);

        f = (WireFrame){.type = WIRE_OPENED, .n = LIMIT_TOKEN_KEYS};
        size = encode(&f);
        assert_int_equal(wire_decode(&g, buf, size), 0);
        put_u16(buf + 2, LIMIT_TOKEN_KEYS + 1);
        memset(buf + size, 0, 5);
        assert_int_equal(wire_decode(&g, buf, size + 5), WIRE_E_INVALID);

        f = hello_frame();
        f.sequence = 0;
        size = encode(&f);
        put_u16(buf + 2, 2);
        memcpy(buf + size, buf + 8, size - 8);
        assert_int_equal(wire_decode(&g, buf, size + size - 8), WIRE_E_INVALID);
}

static void wire_decode_message_over_limit_is_invalid(void **state)
{
        static const uint8_t long_message[LIMIT_TOKEN_MESSAGE];
        WireFrame f = {.type = WIRE_SIGN, .n = 1}, g;
        size_t size;

        (void)state;
        f.sign[0].message = BLOB(long_message, sizeof(long_message));
        size = encode(&f);
        assert_int_equal(wire_decode(&g, buf, size), 0);
        put_u16(buf + 12, LIMIT_TOKEN_MESSAGE + 1);
        assert_int_equal(wire_decode(&g, buf, size + 1), WIRE_E_INVALID);
}

static void wire_decode_flag_with_fd_wants_one_empty_item(void **state)
{
        WireFrame f = {.type = WIRE_SIGN, .n = 1, .sign = {{1, MECHANISM_EDDSA, true, BLOB_NULL}}}, g;
        size_t size = encode(&f);

        (void)state;
        assert_int_equal(wire_decode(&g, buf, size), 0);
        assert_true(g.sign[0].content_in_fd);

        f.sign[0].content_in_fd = false;
        f.sign[0].message = BLOB_LITERAL("x");
        size = encode(&f);
        assert_byte_refused(size, 11, 1);

        f = (WireFrame){.type = WIRE_SIGN, .n = 2};
        size = encode(&f);
        assert_byte_refused(size, 11, 1);
}

static void wire_encode_capacity_one_short_is_too_large(void **state)
{
        const WireFrame frames[] = {hello_frame(), open_frame(), opened_frame(), sign_frame(),
                                    signed_frame()};
        size_t size, ignored;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(frames); i++) {
                size = encode(&frames[i]);
                assert_int_equal(wire_encode(&frames[i], buf, size, &ignored), 0);
                for (size_t k = 0; k < size; k++)
                        assert_int_equal(wire_encode(&frames[i], buf, k, &ignored), WIRE_E_TOO_LARGE);
        }
}

static void wire_encode_field_over_limit_is_too_large(void **state)
{
        static const uint8_t big[UINT16_MAX + 1];
        WireFrame f = hello_frame();
        size_t size;

        (void)state;
        f.hello.message = BLOB(big, LIMIT_LINE_SIZE);
        assert_int_equal(wire_encode(&f, buf, sizeof(buf), &size), 0);
        f.hello.message = BLOB(big, LIMIT_LINE_SIZE + 1);
        assert_int_equal(wire_encode(&f, buf, sizeof(buf), &size), WIRE_E_TOO_LARGE);
        f.hello.message = BLOB(big, sizeof(big));
        assert_int_equal(wire_encode(&f, buf, sizeof(buf), &size), WIRE_E_TOO_LARGE);
}

static void wire_encode_full_batch_fits_a_frame(void **state)
{
        static const uint8_t big[LIMIT_SIGNATURE_SIZE];
        WireFrame f = {.type = WIRE_SIGNED, .n = LIMIT_TOKEN_BATCH};
        size_t size;

        (void)state;
        for (size_t i = 0; i < f.n; i++)
                f.signature[i].signature = BLOB(big, sizeof(big));
        assert_int_equal(wire_encode(&f, buf, LIMIT_TOKEN_FRAME, &size), 0);
}

static void token_status_to_string_each_is_unique(void **state)
{
        (void)state;
        for (unsigned i = 0; i < _TOKEN_STATUS_MAX; i++)
                for (unsigned k = 0; k < i; k++)
                        assert_string_not_equal(token_status_to_string((TokenStatus)i),
                                                token_status_to_string((TokenStatus)k));
        assert_string_equal(token_status_to_string(TOKEN_PIN_REFUSED), "token-pin-refused");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(wire_encode_hello_has_documented_bytes),
                cmocka_unit_test(wire_encode_sign_has_documented_bytes),
                cmocka_unit_test(wire_decode_hello_round_trip_is_equal),
                cmocka_unit_test(wire_decode_open_round_trip_is_equal),
                cmocka_unit_test(wire_decode_opened_round_trip_is_equal),
                cmocka_unit_test(wire_decode_sign_round_trip_is_equal),
                cmocka_unit_test(wire_decode_signed_round_trip_is_equal),
                cmocka_unit_test(wire_decode_any_type_truncated_or_trailing_is_invalid),
                cmocka_unit_test(wire_decode_header_with_bad_field_is_invalid),
                cmocka_unit_test(wire_decode_enumeration_out_of_range_is_invalid),
                cmocka_unit_test(wire_decode_n_over_limit_is_invalid),
                cmocka_unit_test(wire_decode_message_over_limit_is_invalid),
                cmocka_unit_test(wire_decode_flag_with_fd_wants_one_empty_item),
                cmocka_unit_test(wire_encode_capacity_one_short_is_too_large),
                cmocka_unit_test(wire_encode_field_over_limit_is_too_large),
                cmocka_unit_test(wire_encode_full_batch_fits_a_frame),
                cmocka_unit_test(token_status_to_string_each_is_unique),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
