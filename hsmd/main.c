/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hsmd: decides what is signed, and records it.  See hsmd(8).
 */
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <syslog.h>

#include "base/error.h"
#include "server/log.h"
#include "server/server.h"

static const char *arg_config = "/etc/hsmd/hsmd.conf";
static bool arg_check;

static void usage(FILE *out)
{
        (void)fputs("Usage: hsmd [--config FILE] [--check]\n"
                    "\n"
                    "Sign attested artifacts with keys in an HSM, and journal every signature.\n"
                    "\n"
                    "  --config FILE   configuration; default /etc/hsmd/hsmd.conf\n"
                    "  --check         read the configuration, say what is wrong with it, and exit\n"
                    "  --version       print the version\n"
                    "  --help          print this text\n"
                    "\n"
                    "Exit status: 0 stopped in order; 1 fault; 2 usage, configuration, policy or key;\n"
                    "3 the state must not be run on.  See hsmd(8), hsmd.conf(5) and hsmd-policy(5).\n",
                    out);
}

/* 0: go on; 1: done; negative: a usage error was printed. */
static int parse_argv(int argc, char **argv)
{
        enum { OPTION_CONFIG = 256, OPTION_CHECK, OPTION_VERSION, OPTION_HELP };
        static const struct option options[] = {
                {"config", required_argument, NULL, OPTION_CONFIG},
                {"check", no_argument, NULL, OPTION_CHECK},
                {"version", no_argument, NULL, OPTION_VERSION},
                {"help", no_argument, NULL, OPTION_HELP},
                {NULL, 0, NULL, 0},
        };
        int c;

        while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0)
                switch (c) {
                case OPTION_CONFIG:
                        arg_config = optarg;
                        break;
                case OPTION_CHECK:
                        arg_check = true;
                        break;
                case OPTION_VERSION:
                        (void)puts("hsmd " HSMD_VERSION);
                        return 1;
                case OPTION_HELP:
                        usage(stdout);
                        return 1;
                default:
                        usage(stderr);
                        return -EINVAL;
                }
        if (optind < argc) {
                (void)fprintf(stderr, "hsmd: unexpected argument: %s\n", argv[optind]);
                usage(stderr);
                return -EINVAL;
        }
        return 0;
}

/* No core, no debugger; descriptors for every artifact that the limits admit. */
static int setup(void)
{
        struct rlimit limit = {0, 0};

        if (prctl(PR_SET_DUMPABLE, 0) < 0 || setrlimit(RLIMIT_CORE, &limit) < 0 ||
            getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return error_origin(-errno);
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
                return error_origin(-errno);
        /* Large replies go back to the kernel when they are sent: without this malloc learns to keep them.
         */
        if (mallopt(M_MMAP_THRESHOLD, 256 * 1024) != 1 || mallopt(M_TRIM_THRESHOLD, 512 * 1024) != 1)
                return error_origin(-ENOMEM);
        (void)umask(0022); /* log/ is for everybody; the state folder has its own mode */
        if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
                return error_origin(-errno);
        return 0;
}

int main(int argc, char **argv)
{
        _cleanup_(config_freep) Config *config = NULL;
        _cleanup_(buffer_deinit) Buffer messages = BUFFER_NULL;
        int r;

        r = parse_argv(argc, argv);
        if (r != 0)
                return r < 0 ? SERVER_EXIT_CONFIG : SERVER_EXIT_OK;
        log_open("hsmd");
        r = setup();
        if (r < 0)
                return SERVER_EXIT_FAULT;
        r = config_load(&config, arg_config, &messages);
        if (r != 0) {
                if (messages.size > 0)
                        (void)fputs((const char *)messages.data, stderr);
                else
                        (void)fprintf(stderr, "hsmd: %s: %s\n", arg_config, strerror(r < 0 ? -r : EINVAL));
                return r < 0 ? SERVER_EXIT_FAULT : SERVER_EXIT_CONFIG;
        }
        if (arg_check)
                return SERVER_EXIT_OK;
        return (int)server_run(config);
}
