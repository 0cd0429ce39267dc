/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/server-world.h"

#define SIGN    (1u << ROLE_SIGN)
#define OFFICER (1u << ROLE_OFFICER)
#define AUDIT   (1u << ROLE_AUDIT)

static const struct {
        const char *interface, *method;
        unsigned roles;
} rows[] = {
        {"org.varlink.service", "GetInfo", SIGN | OFFICER | AUDIT},
        {"org.varlink.service", "GetInterfaceDescription", SIGN | OFFICER | AUDIT},
        {"org.hsmd.Status", "Get", SIGN | OFFICER | AUDIT},
        {"org.hsmd.Sign", "Sign", SIGN},
        {"org.hsmd.Sign", "Check", SIGN},
        {"org.hsmd.Sign", "Attest", SIGN},
        {"org.hsmd.Policy", "Show", OFFICER},
        {"org.hsmd.Journal", "List", OFFICER | AUDIT},
        {"org.hsmd.Journal", "Show", OFFICER | AUDIT},
        {"org.hsmd.Journal", "Checkpoint", OFFICER | AUDIT},
        {"org.hsmd.Journal", "Evidence", OFFICER | AUDIT},
};

static SJson *call(World *w, Client *c, const char *text)
{
        client_call(c, text, 0, NULL);
        return client_reply(w, c);
}

static bool is_error(const SJson *reply, const char *error)
{
        const char *text;

        return sjson_get_string(reply, "error", &text, NULL) == 0 && strcmp(text, error) == 0;
}

/* ---- a socket offers only its role's interfaces ---- */

static void methods_call_every_method_on_every_socket(void **state)
{
        World *w = *state;

        for (ConfigRole role = 0; role < _ROLE_MAX; role++) {
                Client c;

                client_open(w, role, &c);
                for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                        _cleanup_(sjson_freep) SJson *reply = NULL;
                        char text[128];

                        (void)snprintf(text, sizeof(text), "{\"method\":\"%s.%s\"}", rows[i].interface,
                                       rows[i].method);
                        reply = call(w, &c, text);
                        assert_int_equal(!is_error(reply, "org.varlink.service.InterfaceNotFound"),
                                         (rows[i].roles >> role) & 1);
                        assert_false(is_error(reply, "org.varlink.service.MethodNotFound"));
                }
                client_close(&c);
        }
}

static void methods_get_info_lists_and_describes_what_the_socket_offers(void **state)
{
        static const size_t n_expected[_ROLE_MAX] = {3, 4, 3};
        World *w = *state;

        for (ConfigRole role = 0; role < _ROLE_MAX; role++) {
                _cleanup_(sjson_freep) SJson *info = NULL;
                SJson *interfaces;
                Client c;

                client_open(w, role, &c);
                info = call(w, &c, "{\"method\":\"org.varlink.service.GetInfo\"}");
                assert_int_equal(sjson_get_array(assert_parameters(info), "interfaces", &interfaces), 0);
                assert_int_equal(sjson_size(interfaces), n_expected[role]);
                for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                        _cleanup_(sjson_freep) SJson *reply = NULL;
                        const char *description;
                        char text[200];

                        (void)snprintf(text, sizeof(text),
                                       "{\"method\":\"org.varlink.service.GetInterfaceDescription\","
                                       "\"parameters\":{\"interface\":\"%s\"}}",
                                       rows[i].interface);
                        reply = call(w, &c, text);
                        if (!((rows[i].roles >> role) & 1)) {
                                assert_error(reply, "org.varlink.service.InterfaceNotFound");
                                continue;
                        }
                        assert_int_equal(sjson_get_string(assert_parameters(reply), "description",
                                                          &description, NULL),
                                         0);
                        assert_non_null(strstr(description, rows[i].interface));
                        assert_non_null(strstr(description, rows[i].method));
                }
                client_close(&c);
        }
}

static void methods_call_what_is_not_there_is_an_error_and_the_connection_goes_on(void **state)
{
        static const struct {
                const char *method, *error;
        } wrong[] = {
                {"org.hsmd.Status.Nothing", "org.varlink.service.MethodNotFound"},
                {"org.hsmd.Status.get", "org.varlink.service.MethodNotFound"},
                {"org.hsmd.Status.", "org.varlink.service.MethodNotFound"},
                {"org.hsmd.Statu.Get", "org.varlink.service.InterfaceNotFound"},
                {".Get", "org.varlink.service.InterfaceNotFound"},
                {"Get", "org.varlink.service.InvalidParameter"},
                {"", "org.varlink.service.InvalidParameter"},
        };
        World *w = *state;
        Client c;

        client_open(w, ROLE_SIGN, &c);
        for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
                _cleanup_(sjson_freep) SJson *reply = NULL;
                char text[128];

                (void)snprintf(text, sizeof(text), "{\"method\":\"%s\"}", wrong[i].method);
                reply = call(w, &c, text);
                assert_error(reply, wrong[i].error);
        }
        sjson_free(call(w, &c, "{\"method\":\"org.hsmd.Status.Get\"}"));
        client_close(&c);
}

/* ---- Sign ---- */

#define SIGN_CALL(_p) "{\"method\":\"org.hsmd.Sign.Sign\",\"parameters\":{" _p "}}"
#define HEX64         "0000000000000000000000000000000000000000000000000000000000000000"

static void method_sign_of_wrong_shape_has_no_effect(void **state)
{
        static const char *const wrong[] = {
                "{\"method\":\"org.hsmd.Sign.Sign\"}",
                SIGN_CALL(""),
                SIGN_CALL("\"key\":1,\"artifacts\":[{\"name\":\"a\",\"sha256\":\"" HEX64 "\"}]"),
                SIGN_CALL("\"artifacts\":[{\"name\":\"a\",\"sha256\":\"" HEX64 "\"}]"),
                SIGN_CALL("\"key\":\"product\""),
                SIGN_CALL("\"key\":\"product\",\"artifacts\":{}"),
                SIGN_CALL("\"key\":\"product\",\"artifacts\":[]"),
                SIGN_CALL("\"key\":\"product\",\"artifacts\":[1]"),
                SIGN_CALL("\"key\":\"product\",\"artifacts\":[{\"name\":\"a\"}]"),
                SIGN_CALL("\"key\":\"product\",\"artifacts\":[{\"sha256\":\"" HEX64 "\"}]"),
                SIGN_CALL("\"key\":\"product\",\"artifacts\":[{\"name\":\"a\",\"fd\":0}]"),
                SIGN_CALL("\"key\":\"product\",\"artifacts\":[{\"name\":\"a\",\"fd\":-1}]"),
                SIGN_CALL("\"key\":\"product\",\"artifacts\":[{\"name\":\"a\",\"sha256\":1}]"),
                SIGN_CALL("\"key\":\"product\",\"artifacts\":[{\"name\":\"a\",\"sha256\":\"" HEX64
                          "\",\"more\":1}]"),
                SIGN_CALL("\"key\":\"product\",\"evil\":1,\"artifacts\":[{\"name\":\"a\",\"sha256\":\"" HEX64
                          "\"}]"),
        };
        World *w = *state;
        Client c;

        client_open(w, ROLE_SIGN, &c);
        for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
                _cleanup_(sjson_freep) SJson *reply = call(w, &c, wrong[i]);

                assert_error(reply, "org.varlink.service.InvalidParameter");
        }
        world_settle(w);
        assert_int_equal(w->server.engine->stats.refused, 0);
        assert_int_equal(journal_size(w->journal), 1); /* the genesis */
        client_close(&c);
}

static void method_sign_outside_the_policy_is_refused_as_a_whole(void **state)
{
        static const struct {
                const char *parameters, *reason;
        } wrong[] = {
                {"\"key\":\"nothing\"", "key-unknown"},
                {"\"key\":\"product\"", "release-ambiguous"},
                {"\"key\":\"product\",\"release\":\"nothing\"", "release-unknown"},
                {"\"key\":\"firmware\",\"release\":\"product\"", "format-ambiguous"},
                {"\"key\":\"firmware\",\"release\":\"product\",\"format\":\"pgp\"", "format-unknown"},
                {"\"key\":\"firmware\",\"release\":\"product\",\"format\":\"raw-ecdsa\"",
                 "format-not-allowed"},
                {"\"key\":\"firmware\",\"release\":\"updates\",\"format\":\"raw-rsa-pkcs1-sha256\"",
                 "key-not-in-release"},
        };
        World *w = *state;
        Client c;

        client_open(w, ROLE_SIGN, &c);
        for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
                _cleanup_(sjson_freep) SJson *reply = NULL;
                SJson *parameters;
                char text[512];

                (void)snprintf(text, sizeof(text),
                               SIGN_CALL("%s,\"artifacts\":[{\"name\":\"a\",\"sha256\":\"" HEX64 "\"}]"),
                               wrong[i].parameters);
                reply = call(w, &c, text);
                assert_error(reply, "org.hsmd.Sign.Refused");
                assert_int_equal(sjson_get_object(reply, "parameters", &parameters), 0);
                assert_member(parameters, "reason", wrong[i].reason);
        }
        world_settle(w);
        assert_int_equal(w->server.engine->stats.refused, ARRAY_SIZE(wrong));
        assert_true(world_entries(w, ENTRY_REFUSAL) > 0);
        client_close(&c);
}

static void digest_call(World *w, size_t file, const char *key, const char *format, const char *release,
                        char *text, size_t size)
{
        char hex[65];

        hex_encode(hex, w->files[file].digests.sha256, 32);
        (void)snprintf(text, size,
                       SIGN_CALL("\"key\":\"%s\",\"format\":\"%s\",\"release\":\"%s\",\"artifacts\":[{"
                                 "\"name\":\"%s\",\"sha256\":\"%.64s\"}]"),
                       key, format, release, w->files[file].name, hex);
}

static void method_sign_digest_alone_does_where_only_the_digest_is_signed(void **state)
{
        static const struct {
                const char *key, *format, *release;
                size_t number;
                SignatureScheme scheme;
                bool signed_;
        } cases[] = {
                {"product", "raw-ecdsa", "product", 0, SCHEME_ECDSA_DER, true},
                {"firmware", "raw-rsa-pss-sha256", "product", 1, SCHEME_RSA_PSS_SHA256, true},
                {"update", "raw-ed25519", "updates", 2, SCHEME_ED25519, false},
                {"kernel", "raw-ecdsa", "updates", 3, SCHEME_ECDSA_DER, false},
        };
        World *w = *state;
        Client c;

        world_files(w, 1);
        client_open(w, ROLE_SIGN, &c);
        w->sha256_only = true;
        world_attest_all(w, &c, "product", 0, 1);
        world_attest_all(w, &c, "updates", 0, 1);
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                _cleanup_(sjson_freep) SJson *reply = NULL;
                char text[512];

                digest_call(w, 0, cases[i].key, cases[i].format, cases[i].release, text, sizeof(text));
                reply = call(w, &c, text);
                if (cases[i].signed_)
                        assert_signed(w, assert_result(reply, 0, "signed"), cases[i].number, cases[i].scheme,
                                      0);
                else
                        assert_member(assert_result(reply, 0, "refused"), "reason", "content-required");
        }
        client_close(&c);
}

/* What cannot be compared does not agree (POLICY.md): the content has to be handed in. */
static void method_sign_digest_alone_does_not_match_attested_sha384(void **state)
{
        World *w = *state;
        SJson *reply;
        char text[512];
        Client c;

        world_files(w, 1);
        client_open(w, ROLE_SIGN, &c);
        world_attest_all(w, &c, "product", 0, 1);
        digest_call(w, 0, "product", "raw-ecdsa", "product", text, sizeof(text));
        reply = call(w, &c, text);
        assert_member(assert_result(reply, 0, "refused"), "reason", "subject-mismatch");
        sjson_free(reply);
        client_close(&c);
}

static void method_sign_bad_artifacts_are_refused_one_by_one(void **state)
{
        static const char *const reasons[] = {"artifact-digest", "artifact-name", "artifact-digest",
                                              "artifact-unreadable"};
        World *w = *state;
        SJson *reply;
        Client c;

        world_files(w, 1);
        client_open(w, ROLE_SIGN, &c);
        world_attest_all(w, &c, "product", 0, 1);
        client_call(&c,
                    SIGN_CALL("\"key\":\"product\",\"release\":\"product\",\"artifacts\":["
                              "{\"name\":\"a\",\"sha256\":\"00\"},"
                              "{\"name\":\"../a\",\"sha256\":\"" HEX64 "\"},"
                              "{\"name\":\"b\",\"fd\":0,\"sha256\":\"" HEX64 "\"},"
                              "{\"name\":\"c\",\"fd\":0},"
                              "{\"name\":\"file-0\",\"fd\":1}]"),
                    2, (int[]){w->files[0].fd, w->files[0].fd});
        reply = client_reply(w, &c);
        for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
                assert_member(assert_result(reply, i, "refused"), "reason", reasons[i]);
        assert_signed(w, assert_result(reply, 4, "signed"), 0, SCHEME_ECDSA_DER, 0);
        sjson_free(reply);
        client_close(&c);
}

/* ---- Attest ---- */

static void method_attest_of_what_is_no_attestation_is_refused(void **state)
{
        World *w = *state;
        _cleanup_(buffer_deinit) Buffer large = BUFFER_NULL, stranger = BUFFER_NULL;
        _cleanup_(private_key_freep) PrivateKey *key = world_key("stranger.pem");
        Blob envelopes[3];
        static const char *const reasons[] = {"attestation-syntax", "attestation-too-large",
                                              "no-trusted-signer"};
        Client c;

        world_files(w, 1);
        assert_int_equal(buffer_reserve(&large, LIMIT_ATTESTATION_SIZE + 1), 0);
        memset(large.data, ' ', LIMIT_ATTESTATION_SIZE + 1);
        large.size = LIMIT_ATTESTATION_SIZE + 1;
        world_envelope(w, "product", "farm-1", key, 0, 1, 1, &stranger);
        envelopes[0] = BLOB_LITERAL("hello");
        envelopes[1] = buffer_blob(&large);
        envelopes[2] = buffer_blob(&stranger);
        client_open(w, ROLE_SIGN, &c);
        for (size_t i = 0; i < 3; i++) {
                _cleanup_(sjson_freep) SJson *reply = world_attest(w, &c, envelopes[i]);
                bool accepted;

                assert_int_equal(sjson_get_bool(assert_parameters(reply), "accepted", &accepted), 0);
                assert_false(accepted);
                assert_member(assert_parameters(reply), "reason", reasons[i]);
        }
        world_settle(w);
        assert_int_equal(world_entries(w, ENTRY_ATTESTATION), 0);
        assert_int_equal(world_entries(w, ENTRY_REFUSAL), 3);
        client_close(&c);
}

/* ---- Journal, Status, Policy ---- */

static void method_journal_shows_what_was_published(void **state)
{
        World *w = *state;
        SJson *reply;
        const SJson *parameters;
        SJson *entries;
        const char *text;
        uint64_t n;
        Client c, audit;

        world_files(w, 3);
        client_open(w, ROLE_SIGN, &c);
        client_open(w, ROLE_AUDIT, &audit);
        world_attest_all(w, &c, "product", 0, 3);
        world_ask(w, &c, "Sign", "product", "raw-ecdsa", "product", 0, 3, false);
        sjson_free(client_reply(w, &c));
        reply = call(w, &audit, "{\"method\":\"org.hsmd.Journal.List\"}");
        assert_int_equal(sjson_get_array(assert_parameters(reply), "entries", &entries), 0);
        assert_int_equal(sjson_size(entries), journal_size(w->journal));
        sjson_free(reply);
        reply = call(w, &audit,
                     "{\"method\":\"org.hsmd.Journal.List\",\"parameters\":{\"type\":\"hsmd/signature@v1\","
                     "\"limit\":2}}");
        parameters = assert_parameters(reply);
        assert_int_equal(sjson_get_array(parameters, "entries", &entries), 0);
        assert_int_equal(sjson_size(entries), 2);
        assert_int_equal(sjson_get_u64(parameters, "next", &n), 0);
        sjson_free(reply);
        reply = call(w, &audit, "{\"method\":\"org.hsmd.Journal.Show\",\"parameters\":{\"index\":0}}");
        assert_int_equal(sjson_get_string(assert_parameters(reply), "proof", &text, NULL), 0);
        sjson_free(reply);
        reply = call(w, &audit, "{\"method\":\"org.hsmd.Journal.Show\",\"parameters\":{\"index\":99999}}");
        assert_error(reply, "org.hsmd.Journal.NoSuchEntry");
        sjson_free(reply);
        reply = call(w, &audit, "{\"method\":\"org.hsmd.Journal.Checkpoint\"}");
        assert_int_equal(sjson_get_u64(assert_parameters(reply), "size", &n), 0);
        assert_int_equal(n, journal_published(w->journal));
        sjson_free(reply);
        reply = call(w, &audit,
                     "{\"method\":\"org.hsmd.Journal.Evidence\",\"parameters\":{\"sha256\":\"" HEX64 "\"}}");
        assert_error(reply, "org.hsmd.Journal.NoSuchEvidence");
        sjson_free(reply);
        client_close(&c);
        client_close(&audit);
}

static void method_status_says_how_the_token_is(void **state)
{
        World *w = *state;
        SJson *reply, *token;
        Client c;

        client_open(w, ROLE_SIGN, &c);
        world_settle(w);
        world_turns(w, 100);
        reply = call(w, &c, "{\"method\":\"org.hsmd.Status.Get\"}");
        assert_member(assert_parameters(reply), "state", "ok");
        assert_int_equal(sjson_get_object(assert_parameters(reply), "token", &token), 0);
        assert_member(token, "state", "ready");
        assert_member(token, "label", "fake");
        sjson_free(reply);
        fake_gone(w);
        world_turns(w, 100);
        reply = call(w, &c, "{\"method\":\"org.hsmd.Status.Get\"}");
        assert_member(assert_parameters(reply), "state", "degraded");
        assert_int_equal(sjson_get_object(assert_parameters(reply), "token", &token), 0);
        assert_member(token, "state", "down");
        sjson_free(reply);
        client_close(&c);
}

static void method_policy_show_is_the_document(void **state)
{
        World *w = *state;
        SJson *reply;
        Client c;

        client_open(w, ROLE_OFFICER, &c);
        reply = call(w, &c, "{\"method\":\"org.hsmd.Policy.Show\"}");
        assert_member(assert_parameters(reply), "document", w->policy->bytes);
        sjson_free(reply);
        client_close(&c);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                WORLD_TEST(methods_call_every_method_on_every_socket),
                WORLD_TEST(methods_get_info_lists_and_describes_what_the_socket_offers),
                WORLD_TEST(methods_call_what_is_not_there_is_an_error_and_the_connection_goes_on),
                WORLD_TEST(method_sign_of_wrong_shape_has_no_effect),
                WORLD_TEST(method_sign_outside_the_policy_is_refused_as_a_whole),
                WORLD_TEST(method_sign_digest_alone_does_where_only_the_digest_is_signed),
                WORLD_TEST(method_sign_digest_alone_does_not_match_attested_sha384),
                WORLD_TEST(method_sign_bad_artifacts_are_refused_one_by_one),
                WORLD_TEST(method_attest_of_what_is_no_attestation_is_refused),
                WORLD_TEST(method_journal_shows_what_was_published),
                WORLD_TEST(method_status_says_how_the_token_is),
                WORLD_TEST(method_policy_show_is_the_document),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
