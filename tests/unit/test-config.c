/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "config/config.h"

/* Every required setting, one a line, so that a test can leave one out or put one in its place. */
static const char *const minimum[] = {
        "origin log.example/hsmd",
        "site oslo",
        "policy /etc/hsmd/policy",
        "state /var/lib/hsmd",
        "log /srv/log",
        "socket sign /run/hsmd/sign.sock",
        "socket officer /run/hsmd/officer.sock mode 0600 group 0",
        "socket audit /run/hsmd/audit.sock group 12345 mode 666",
        "token-socket /run/hsmd-token/token.sock",
        "token-module /usr/lib/module.so",
        "token-uri pkcs11:token=release",
        "token-pin-file /etc/hsmd/pin",
        "token-client-user 4711",
        "token-state /var/lib/hsmd-token",
};

typedef struct Fixture {
        Buffer file;
        Buffer messages;
        Config *config;
} Fixture;

static int setup(void **state)
{
        static Fixture f;

        f = (Fixture){0};
        *state = &f;
        return 0;
}

static int teardown(void **state)
{
        Fixture *f = *state;

        buffer_deinit(&f->file);
        buffer_deinit(&f->messages);
        f->config = config_free(f->config);
        return 0;
}

/* The minimum without line `skip` (0-based, -1 for none), then `extra`. */
static int parse(Fixture *f, int skip, const char *extra)
{
        buffer_clear(&f->file);
        buffer_clear(&f->messages);
        f->config = config_free(f->config);
        for (int i = 0; i < (int)ARRAY_SIZE(minimum); i++)
                if (i != skip)
                        assert_int_equal(buffer_printf(&f->file, "%s\n", minimum[i]), 0);
        assert_int_equal(buffer_append_string(&f->file, extra), 0);
        return config_parse(&f->config, "c", buffer_blob(&f->file), &f->messages);
}

static void assert_refused(Fixture *f, int skip, const char *extra, const char *message)
{
        assert_int_equal(parse(f, skip, extra), CONFIG_E_INVALID);
        assert_null(f->config);
        assert_string_equal((const char *)f->messages.data, message);
}

static void config_parse_minimum_has_defaults(void **state)
{
        Fixture *f = *state;
        const Config *c;

        assert_int_equal(parse(f, -1, ""), 0);
        c = f->config;
        assert_string_equal(c->origin, "log.example/hsmd");
        assert_string_equal(c->site, "oslo");
        assert_string_equal(c->policy_path, "/etc/hsmd/policy");
        assert_string_equal(c->state_path, "/var/lib/hsmd");
        assert_string_equal(c->log_path, "/srv/log");
        assert_string_equal(c->evidence_path, "/var/lib/hsmd/evidence");
        assert_string_equal(c->token_socket, "/run/hsmd-token/token.sock");
        assert_string_equal(c->token_module, "/usr/lib/module.so");
        assert_null(c->token_module_args);
        assert_string_equal(c->token_uri, "pkcs11:token=release");
        assert_string_equal(c->token_state, "/var/lib/hsmd-token");
        assert_string_equal(c->pin_file, "/etc/hsmd/pin");
        assert_null(c->pin_credential);
        assert_int_equal(c->token_client_uid, 4711);
        assert_int_equal(c->token_timeout_usec, 10000000);
        assert_int_equal(c->request_timeout_usec, 60000000);
        assert_int_equal(c->workers, 2);
        assert_int_equal(f->messages.size, 0);
}

static void config_parse_sockets_take_mode_and_group(void **state)
{
        Fixture *f = *state;

        assert_int_equal(parse(f, -1, ""), 0);
        assert_string_equal(f->config->sockets[ROLE_SIGN].path, "/run/hsmd/sign.sock");
        assert_int_equal(f->config->sockets[ROLE_SIGN].mode, 0660);
        assert_true(f->config->sockets[ROLE_SIGN].gid == (gid_t)-1);
        assert_int_equal(f->config->sockets[ROLE_OFFICER].mode, 0600);
        assert_int_equal(f->config->sockets[ROLE_OFFICER].gid, 0);
        assert_int_equal(f->config->sockets[ROLE_AUDIT].mode, 0666);
        assert_int_equal(f->config->sockets[ROLE_AUDIT].gid, 12345);
}

static void config_parse_optional_settings_are_taken(void **state)
{
        Fixture *f = *state;

        assert_int_equal(parse(f, 12,
                               "evidence /srv/evidence # a comment\n"
                               "token-module-args one  two=2\n"
                               "token-client-user root\n"
                               "token-timeout 300\n"
                               "workers 32\n"
                               "request-timeout 3600\n"),
                         0);
        assert_string_equal(f->config->evidence_path, "/srv/evidence");
        assert_string_equal(f->config->token_module_args, "one two=2");
        assert_int_equal(f->config->token_client_uid, 0);
        assert_int_equal(f->config->token_timeout_usec, 300000000);
        assert_int_equal(f->config->workers, 32);
        assert_int_equal(f->config->request_timeout_usec, 3600000000);
}

static void config_parse_pin_credential_instead_of_file_is_taken(void **state)
{
        Fixture *f = *state;

        assert_int_equal(parse(f, 11, "token-pin-credential pin\n"), 0);
        assert_string_equal(f->config->pin_credential, "pin");
        assert_null(f->config->pin_file);
}

static void config_parse_missing_setting_is_named(void **state)
{
        static const char *const messages[] = {
                "c:14:1: origin is missing\n",
                "c:14:1: site is missing\n",
                "c:14:1: policy is missing\n",
                "c:14:1: state is missing\n",
                "c:14:1: log is missing\n",
                "c:14:1: socket sign is missing\n",
                "c:14:1: socket officer is missing\n",
                "c:14:1: socket audit is missing\n",
                "c:14:1: token-socket is missing\n",
                "c:14:1: token-module is missing\n",
                "c:14:1: token-uri is missing\n",
                "c:14:1: token-pin-file or token-pin-credential is missing\n",
                "c:14:1: token-client-user is missing\n",
                "c:14:1: token-state is missing\n",
        };
        Fixture *f = *state;

        static_assert(ARRAY_SIZE(messages) == ARRAY_SIZE(minimum), "one for each");
        for (size_t i = 0; i < ARRAY_SIZE(messages); i++)
                assert_refused(f, (int)i, "", messages[i]);
}

static void config_parse_bad_value_is_shown_with_its_place(void **state)
{
        static const struct {
                int skip;
                const char *line, *message;
        } cases[] = {
                {0, "origin a+b\n", "c:14:8: origin must not contain a plus sign\n"},
                {1, "site a/b\n",
                 "c:14:6: site is not a name: letters, digits, '.', '_', '-', at most 64\n"},
                {2, "policy etc/p\n", "c:14:8: policy is not an absolute path without a slash at its end\n"},
                {3, "state /\n", "c:14:7: state is not an absolute path without a slash at its end\n"},
                {4, "log  /srv/log/\n", "c:14:6: log is not an absolute path without a slash at its end\n"},
                {5, "socket signs /a\n",
                 "c:14:8: socket: expected sign, officer or audit\n"
                 "c:15:1: socket sign is missing\n"},
                {5, "socket sign a\n", "c:14:13: not an absolute path, or too long for a socket\n"},
                {5, "socket sign /a mode\n", "c:14:16: a value is missing after this word\n"},
                {5, "socket sign /a mode 680\n", "c:14:21: mode is not three octal digits such as 0660\n"},
                {5, "socket sign /a mode 1777\n", "c:14:21: mode is not three octal digits such as 0660\n"},
                {5, "socket sign /a mode 0660 mode 0660\n",
                 "c:14:26: expected 'mode' or 'group', each at most once\n"},
                {5, "socket sign /a owner me\n", "c:14:16: expected 'mode' or 'group', each at most once\n"},
                {5, "socket sign /a group no-such-group\n", "c:14:22: there is no group 'no-such-group'\n"},
                {5, "socket sign\n", "c:14:1: socket: a value is missing\nc:15:1: socket sign is missing\n"},
                {10, "token-uri file:token=a\n", "c:14:11: not a PKCS#11 URI: it begins with pkcs11:\n"},
                {12, "token-client-user no-such-user\n",
                 "c:14:19: token-client-user: there is no user 'no-such-user'\n"},
                {-1, "token-timeout 0\n", "c:15:15: token-timeout is not a number from 1 to 300\n"},
                {-1, "token-timeout 301\n", "c:15:15: token-timeout is not a number from 1 to 300\n"},
                {-1, "token-timeout 5s\n", "c:15:15: token-timeout is not a number from 1 to 300\n"},
                {-1, "workers 0\n", "c:15:9: workers is not a number from 1 to 32\n"},
                {-1, "workers 33\n", "c:15:9: workers is not a number from 1 to 32\n"},
                {-1, "request-timeout 3601\n", "c:15:17: request-timeout is not a number from 1 to 3600\n"},
                {-1, "workers\n", "c:15:1: workers: a value is missing\n"},
                {-1, "workers 1 2\n", "c:15:11: workers: a word too many\n"},
                {-1, "worker 1\n", "c:15:1: unknown setting 'worker'\n"},
                {-1, "site bergen\n", "c:15:1: site was set in line 2\n"},
                {-1, "socket audit /b\n", "c:15:8: socket audit was set in line 8\n"},
                {-1, "token-pin-credential pin\n",
                 "c:15:1: token-pin-file and token-pin-credential exclude each other\n"},
                {-1, "workers 1", "c:15:10: the last line does not end in a line feed\n"},
                {-1, "workers \x01\n", "c:15:9: byte that is not printable ASCII\n"},
        };
        Fixture *f = *state;

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
                assert_refused(f, cases[i].skip, cases[i].line, cases[i].message);
}

static void config_parse_two_faults_shows_both(void **state)
{
        assert_refused(*state, -1, "\n# a comment\n  nonsense 1\nworkers x\n",
                       "c:17:3: unknown setting 'nonsense'\n"
                       "c:18:9: workers is not a number from 1 to 32\n");
}

static void config_parse_socket_path_over_limit_is_invalid(void **state)
{
        Fixture *f = *state;
        char line[256];

        (void)snprintf(line, sizeof(line), "token-socket /%0106d\n", 0);
        assert_int_equal(parse(f, 8, line), 0);
        (void)snprintf(line, sizeof(line), "token-socket /%0107d\n", 0);
        assert_refused(f, 8, line, "c:14:14: path is too long for a socket\n");
}

static void config_load_missing_file_is_invalid(void **state)
{
        Fixture *f = *state;

        assert_int_equal(config_load(&f->config, "/nonexistent/hsmd.conf", &f->messages), CONFIG_E_INVALID);
        assert_string_equal((const char *)f->messages.data,
                            "/nonexistent/hsmd.conf:1:1: there is no such file\n");
}

static void config_load_directory_is_invalid(void **state)
{
        Fixture *f = *state;

        assert_int_equal(config_load(&f->config, "/", &f->messages), CONFIG_E_INVALID);
        assert_string_equal((const char *)f->messages.data, "/:1:1: not a regular file\n");
}

#define TEST(_f) cmocka_unit_test_setup_teardown(_f, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(config_parse_minimum_has_defaults),
                TEST(config_parse_sockets_take_mode_and_group),
                TEST(config_parse_optional_settings_are_taken),
                TEST(config_parse_pin_credential_instead_of_file_is_taken),
                TEST(config_parse_missing_setting_is_named),
                TEST(config_parse_bad_value_is_shown_with_its_place),
                TEST(config_parse_two_faults_shows_both),
                TEST(config_parse_socket_path_over_limit_is_invalid),
                TEST(config_load_missing_file_is_invalid),
                TEST(config_load_directory_is_invalid),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
