/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <stdio.h>

#include "base/error.h"
#include "config/config.h"
#include "token/generate.h"
#include "token/log.h"
#include "token/pinstate.h"
#include "token/service.h"
#include "token/worker.h"

#define EXIT_USAGE 2

typedef enum Action {
        ACTION_SERVE,
        ACTION_WORK,
        ACTION_FORGET_PIN,
        ACTION_GENERATE_KEY,
        ACTION_DONE, /* --help, --version */
} Action;

static const char *arg_config = NULL;
static const char *arg_key_type = NULL;
static const char *arg_label = NULL;
static bool arg_left_over = false;
static Action arg_action = ACTION_SERVE;

static void print_help(void)
{
        (void)printf(
                "hsmd-token --config FILE [OPTION]\n"
                "\n"
                "Holds the keys of hsmd: the only program that loads the PKCS#11 module and knows the PIN.\n"
                "Without an option it serves on token-socket, or on the socket that systemd passes.\n"
                "\n"
                "  --forget-pin             the refused PIN has been corrected: try it again, once\n"
                "  --generate-key TYPE --label LABEL\n"
                "                           make a key that signs and does nothing else, and print its "
                "public key;\n"
                "                           TYPE: %s\n"
                "  --help, --version\n",
                generate_types());
}

/* 0, or -EINVAL after a line on stderr. */
static int parse_argv(int argc, char *argv[])
{
        enum {
                OPT_CONFIG = 256,
                OPT_HELP,
                OPT_VERSION,
                OPT_FORGET,
                OPT_GENERATE,
                OPT_LABEL,
                OPT_WORKER,
                OPT_LEFT
        };
        static const struct option options[] = {
                {"config", required_argument, NULL, OPT_CONFIG},
                {"help", no_argument, NULL, OPT_HELP},
                {"version", no_argument, NULL, OPT_VERSION},
                {"forget-pin", no_argument, NULL, OPT_FORGET},
                {"generate-key", required_argument, NULL, OPT_GENERATE},
                {"label", required_argument, NULL, OPT_LABEL},
                {"worker", no_argument, NULL, OPT_WORKER},
                {"pin-left-over", no_argument, NULL, OPT_LEFT},
                {NULL, 0, NULL, 0},
        };
        int c;

        while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0)
                switch (c) {
                case OPT_CONFIG:
                        arg_config = optarg;
                        break;
                case OPT_HELP:
                        print_help();
                        arg_action = ACTION_DONE;
                        return 0;
                case OPT_VERSION:
                        (void)printf("hsmd-token %s\n", HSMD_VERSION);
                        arg_action = ACTION_DONE;
                        return 0;
                case OPT_FORGET:
                        arg_action = ACTION_FORGET_PIN;
                        break;
                case OPT_GENERATE:
                        arg_action = ACTION_GENERATE_KEY;
                        arg_key_type = optarg;
                        break;
                case OPT_LABEL:
                        arg_label = optarg;
                        break;
                case OPT_WORKER:
                        arg_action = ACTION_WORK;
                        break;
                case OPT_LEFT:
                        arg_left_over = true;
                        break;
                default:
                        return -EINVAL; /* getopt_long() has said why */
                }
        if (optind < argc || !arg_config || (arg_action == ACTION_GENERATE_KEY) != (arg_label != NULL)) {
                (void)fprintf(stderr, "hsmd-token: %s; see --help\n",
                              optind < argc ? "too many arguments"
                              : !arg_config ? "--config is missing"
                                            : "--generate-key and --label go together");
                return -EINVAL;
        }
        return 0;
}

static int load_config(Config **ret)
{
        _cleanup_(buffer_deinit) Buffer messages = BUFFER_NULL;
        int r;

        r = config_load(ret, arg_config, &messages);
        if (r > 0 && messages.size > 0)
                (void)fprintf(stderr, "%s", (const char *)messages.data);
        if (r)
                log_error("%s is not usable", arg_config);
        return r == 0 ? 0 : -EINVAL;
}

static int forget_pin(const Config *config)
{
        _cleanup_(pinstate_freep) PinState *pin = NULL;
        bool was_refused;
        int r;

        r = pinstate_new(&pin, config->token_state);
        if (r == 0)
                r = pinstate_forget(pin, &was_refused);
        if (r) {
                log_error("%s: %s", config->token_state, strerrordesc_np(-r));
                return EXIT_FAILURE;
        }
        log_notice("%s", was_refused
                                 ? "the refused PIN is forgotten; the next connection tries the PIN, once"
                                 : "no PIN was refused; nothing to forget");
        return EXIT_SUCCESS;
}

int main(int argc, char *argv[])
{
        _cleanup_(config_freep) Config *config = NULL;

        if (parse_argv(argc, argv) < 0)
                return EXIT_USAGE;
        if (arg_action == ACTION_DONE)
                return EXIT_SUCCESS;
        log_open("hsmd-token");
        error_set_trace(log_trace);
        /* Worker: it has to say HELLO even if the file is not usable any more. */
        if (arg_action == ACTION_WORK)
                return worker_run(arg_config, arg_left_over);
        if (load_config(&config) < 0)
                return EXIT_FAILURE;
        if (arg_action == ACTION_FORGET_PIN)
                return forget_pin(config);
        if (arg_action == ACTION_GENERATE_KEY)
                return generate_run(config, arg_config, arg_key_type, arg_label);
        return service_run(config, arg_config);
}
