/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/file.h"
#include "base/hex.h"
#include "format/format.h"

#define KEYS_DIR TEST_SOURCE_DIR "/tests/unit/data/policy/keys/"

static const uint8_t text[] = "what was built from the audited source\n";

/* What a token gives back for a format, by a key that openssl made. */
typedef struct Row {
        SignatureFormat format;
        const char *key, *other;
        SignatureScheme token; /* as C_Sign answers */
        TokenMechanism mechanism;
        size_t size; /* of what it is asked to sign */
} Row;

static const Row rows[] = {
        {FORMAT_RAW_ECDSA, "product.pem", "p256-other.pem", SCHEME_ECDSA_P1363, MECHANISM_ECDSA, 32},
        {FORMAT_RAW_ECDSA, "kernel.pem", NULL, SCHEME_ECDSA_P1363, MECHANISM_ECDSA, 48},
        {FORMAT_RAW_RSA_PKCS1_SHA256, "firmware.pem", "rsa3072-other.pem", SCHEME_RSA_PKCS1_SHA256,
         MECHANISM_RSA_PKCS1, 51},
        {FORMAT_RAW_RSA_PSS_SHA256, "firmware.pem", "rsa3072-other.pem", SCHEME_RSA_PSS_SHA256,
         MECHANISM_RSA_PSS_SHA256, 32},
        {FORMAT_RAW_ED25519, "update.pem", "stranger.pem", SCHEME_ED25519, MECHANISM_EDDSA, 0},
};

static PrivateKey *key_load(const char *name)
{
        _cleanup_(buffer_deinit) Buffer pem = BUFFER_NULL;
        char path[512];
        PrivateKey *key;

        (void)snprintf(path, sizeof(path), "%s%s", KEYS_DIR, name);
        assert_int_equal(file_read(&pem, path, 65536), 0);
        assert_int_equal(private_key_new_pem(&key, buffer_blob(&pem)), 0);
        return key;
}

static void digests_of(Blob content, Digests *ret)
{
        _cleanup_(hasher_freep) Hasher *hasher = NULL;

        assert_int_equal(hasher_new(&hasher), 0);
        hasher_update(hasher, content.data, content.size);
        hasher_finish(hasher, ret);
}

/* One format at work: key, digests, and a good answer of the token. */
typedef struct Case {
        const Row *row;
        PublicKey *key;
        Digests digests;
        Blob content;
        Buffer raw, out;
} Case;

static void case_init(Case *c, const Row *row, const char *signer)
{
        _cleanup_(private_key_freep) PrivateKey *key = key_load(row->key), *other = key_load(signer);

        *c = (Case){.row = row, .content = BLOB(text, sizeof(text))};
        digests_of(c->content, &c->digests);
        assert_int_equal(private_key_public(key, &c->key), 0);
        assert_int_equal(private_key_sign(other, row->token, c->content, &c->raw), 0);
}

static void case_deinit(Case *c)
{
        public_key_free(c->key);
        buffer_deinit(&c->raw);
        buffer_deinit(&c->out);
}

static int case_finish(Case *c, Blob raw)
{
        return format_finish(c->row->format, c->key, &c->digests, c->content, raw, &c->out);
}

/* ---- format_prepare ---- */

static void format_prepare_asks_the_token_for_the_right_bytes(void **state)
{
        static const char digest_info[] = "3031300d060960864801650304020105000420";

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                _cleanup_(case_deinit) Case c = {0};
                FormatInput input;
                char hex[SHA512_SIZE * 2 + 1];

                case_init(&c, &rows[i], rows[i].key);
                assert_int_equal(format_prepare(rows[i].format, public_key_type(c.key), &c.digests, &input),
                                 0);
                assert_int_equal(input.mechanism, rows[i].mechanism);
                assert_int_equal(input.size, rows[i].size);
                assert_int_equal(input.content, format_needs_content(rows[i].format));
                if (input.content)
                        continue;
                if (input.size == 48)
                        assert_memory_equal(input.message, c.digests.sha384, 48);
                else
                        assert_memory_equal(input.message + input.size - 32, c.digests.sha256, 32);
                hex_encode(hex, input.message, 19);
                if (input.mechanism == MECHANISM_RSA_PKCS1)
                        assert_memory_equal(hex, digest_info, 38);
        }
}

static void format_prepare_p384_without_sha384_needs_the_content(void **state)
{
        Digests digests = {.have_sha384 = false};
        FormatInput input = {.size = 77};

        (void)state;
        assert_int_equal(format_prepare(FORMAT_RAW_ECDSA, KEY_ECDSA_P384, &digests, &input),
                         FORMAT_E_CONTENT);
        assert_int_equal(input.size, 77);
        assert_int_equal(format_prepare(FORMAT_RAW_ECDSA, KEY_ECDSA_P256, &digests, &input), 0);
        digests.have_sha384 = true;
        assert_int_equal(format_prepare(FORMAT_RAW_ECDSA, KEY_ECDSA_P384, &digests, &input), 0);
        assert_int_equal(input.size, 48);
}

static void format_needs_content_is_true_for_ed25519_only(void **state)
{
        (void)state;
        for (SignatureFormat f = 0; f < _FORMAT_MAX; f++)
                assert_int_equal(format_needs_content(f), f == FORMAT_RAW_ED25519);
}

/* ---- format_finish ---- */

static void format_finish_good_answer_goes_out_and_verifies(void **state)
{
        static const SignatureScheme out_schemes[_FORMAT_MAX] = {SCHEME_ECDSA_DER, SCHEME_RSA_PKCS1_SHA256,
                                                                 SCHEME_RSA_PSS_SHA256, SCHEME_ED25519};

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                _cleanup_(case_deinit) Case c = {0};
                Blob message;

                case_init(&c, &rows[i], rows[i].key);
                assert_int_equal(buffer_append_string(&c.out, "before"), 0);
                assert_int_equal(case_finish(&c, buffer_blob(&c.raw)), 0);
                assert_memory_equal(c.out.data, "before", 6);
                message = rows[i].format == FORMAT_RAW_ED25519 ? c.content
                          : rows[i].size == 48                 ? BLOB(c.digests.sha384, 48)
                                                               : BLOB(c.digests.sha256, 32);
                assert_int_equal(public_key_verify(c.key, out_schemes[rows[i].format], message,
                                                   BLOB(c.out.data + 6, c.out.size - 6)),
                                 0);
        }
}

/* Every way in which it is not the right signature: nothing goes out. */
static void assert_wrong(Case *c, Blob raw)
{
        assert_int_equal(case_finish(c, raw), FORMAT_E_WRONG);
        assert_int_equal(c->out.size, 6);
        assert_memory_equal(c->out.data, "before", 6);
}

static void format_finish_changed_answer_is_wrong(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                _cleanup_(case_deinit) Case c = {0};

                case_init(&c, &rows[i], rows[i].key);
                assert_int_equal(buffer_append_string(&c.out, "before"), 0);
                for (size_t byte = 0; byte < c.raw.size; byte += c.raw.size / 16) {
                        c.raw.data[byte] ^= 0x10;
                        assert_wrong(&c, buffer_blob(&c.raw));
                        c.raw.data[byte] ^= 0x10;
                }
                assert_int_equal(case_finish(&c, buffer_blob(&c.raw)), 0);
        }
}

static void format_finish_answer_of_a_wrong_size_is_wrong(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                _cleanup_(case_deinit) Case c = {0};
                uint8_t large[LIMIT_SIGNATURE_SIZE + 1] = {1};

                case_init(&c, &rows[i], rows[i].key);
                assert_int_equal(buffer_append_string(&c.out, "before"), 0);
                assert_wrong(&c, BLOB_NULL);
                assert_wrong(&c, BLOB(c.raw.data, c.raw.size - 1));
                assert_wrong(&c, BLOB(c.raw.data, c.raw.size / 2));
                memcpy(large, c.raw.data, c.raw.size);
                assert_wrong(&c, BLOB(large, c.raw.size + 1));
                assert_wrong(&c, BLOB(large, c.raw.size + 2));
                assert_wrong(&c, BLOB(large, sizeof(large)));
        }
}

/* r || s only: a token that answers in DER is misunderstood by nobody. */
static void format_finish_ecdsa_answer_in_der_is_wrong(void **state)
{
        _cleanup_(case_deinit) Case c = {0};
        _cleanup_(buffer_deinit) Buffer der = BUFFER_NULL;
        uint8_t zero[64] = {0};

        (void)state;
        case_init(&c, &rows[0], rows[0].key);
        assert_int_equal(buffer_append_string(&c.out, "before"), 0);
        assert_int_equal(ecdsa_p1363_to_der(&der, buffer_blob(&c.raw)), 0);
        assert_wrong(&c, buffer_blob(&der));
        assert_wrong(&c, BLOB(zero, sizeof(zero)));
        memcpy(zero, c.raw.data, 32);
        assert_wrong(&c, BLOB(zero, sizeof(zero))); /* s = 0 */
}

static void format_finish_answer_by_another_key_is_wrong(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                _cleanup_(case_deinit) Case c = {0};

                if (!rows[i].other)
                        continue;
                case_init(&c, &rows[i], rows[i].other);
                assert_int_equal(buffer_append_string(&c.out, "before"), 0);
                assert_wrong(&c, buffer_blob(&c.raw));
        }
}

static void format_finish_answer_for_another_artifact_is_wrong(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                _cleanup_(case_deinit) Case c = {0};

                case_init(&c, &rows[i], rows[i].key);
                assert_int_equal(buffer_append_string(&c.out, "before"), 0);
                c.content.size--;
                digests_of(c.content, &c.digests);
                assert_wrong(&c, buffer_blob(&c.raw));
        }
}

/* PKCS #1 v1.5 and PSS by the same key are not each other. */
static void format_finish_rsa_answer_of_the_other_padding_is_wrong(void **state)
{
        (void)state;
        for (size_t i = 2; i < 4; i++) {
                Row row = rows[i];
                _cleanup_(case_deinit) Case c = {0};

                row.token = rows[5 - i].token;
                case_init(&c, &row, row.key);
                assert_int_equal(buffer_append_string(&c.out, "before"), 0);
                assert_wrong(&c, buffer_blob(&c.raw));
        }
}

static void format_finish_empty_content_is_signed_as_such(void **state)
{
        _cleanup_(private_key_freep) PrivateKey *key = key_load("update.pem");
        _cleanup_(case_deinit) Case c = {0};

        (void)state;
        case_init(&c, &rows[4], rows[4].key);
        c.content = BLOB_NULL;
        buffer_clear(&c.raw);
        assert_int_equal(private_key_sign(key, SCHEME_ED25519, BLOB_NULL, &c.raw), 0);
        assert_int_equal(case_finish(&c, buffer_blob(&c.raw)), 0);
        assert_int_equal(c.out.size, 64);
}

static int silence(void **state)
{
        (void)state;
        error_set_trace(NULL);
        return 0;
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(format_prepare_asks_the_token_for_the_right_bytes),
                cmocka_unit_test(format_prepare_p384_without_sha384_needs_the_content),
                cmocka_unit_test(format_needs_content_is_true_for_ed25519_only),
                cmocka_unit_test(format_finish_good_answer_goes_out_and_verifies),
                cmocka_unit_test(format_finish_changed_answer_is_wrong),
                cmocka_unit_test(format_finish_answer_of_a_wrong_size_is_wrong),
                cmocka_unit_test(format_finish_ecdsa_answer_in_der_is_wrong),
                cmocka_unit_test(format_finish_answer_by_another_key_is_wrong),
                cmocka_unit_test(format_finish_answer_for_another_artifact_is_wrong),
                cmocka_unit_test(format_finish_rsa_answer_of_the_other_padding_is_wrong),
                cmocka_unit_test(format_finish_empty_content_is_signed_as_such),
        };

        return cmocka_run_group_tests(tests, silence, NULL);
}
