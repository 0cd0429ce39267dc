/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hsmctl: the tool of the build farm, officers, auditors and customers.
 */
#include <stdio.h>
#include <string.h>

#include "base/error.h"

#include "client/command.h"
#include "client/report.h"

static const Command *const commands[] = {
        &sign_command,        &check_command,       &attest_make_command,  &attest_submit_command,
        &verify_command,      &log_list_command,    &log_show_command,     &log_verify_command,
        &policy_lint_command, &policy_show_command, &policy_trust_command, &key_list_command,
        &status_command,
};

static void print_overview(void)
{
        (void)printf("Usage: hsmctl COMMAND [OPTION...] [ARGUMENT...]\n\n");
        for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
                (void)printf("  %-14s %s\n", commands[i]->name, commands[i]->summary);
        (void)printf(
                "\n"
                "`hsmctl help COMMAND` tells more; `hsmctl --version` the version.\n"
                "\n"
                "Exit codes: 0 done; 1 refused; 2 wrong usage; 3 verification failed; 4 unreachable or\n"
                "busy, try again; 5 fault.\n");
}

/* The command that the first words name; *ret_words of them.  NULL if there is none. */
static const Command *find_command(int argc, char **argv, int *ret_words)
{
        for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
                const char *name = commands[i]->name, *blank = strchr(name, ' ');
                size_t first = blank ? (size_t)(blank - name) : strlen(name);

                if (argc < 1 || strlen(argv[0]) != first || memcmp(argv[0], name, first) != 0)
                        continue;
                if (blank && (argc < 2 || strcmp(argv[1], blank + 1) != 0))
                        continue;
                *ret_words = blank ? 2 : 1;
                return commands[i];
        }
        return NULL;
}

static int unknown_command(int argc, char **argv)
{
        return report_usage("", "no such command: %s%s%s", argv[0], argc > 1 ? " " : "",
                            argc > 1 ? argv[1] : "");
}

static int help(int argc, char **argv)
{
        const Command *command;
        int words;

        if (argc == 0) {
                print_overview();
                return EXIT_DONE;
        }
        command = find_command(argc, argv, &words);
        if (!command || words != argc)
                return unknown_command(argc, argv);
        (void)fputs(command->help, stdout);
        return EXIT_DONE;
}

static bool wants_help(int argc, char **argv)
{
        for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
                if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
                        return true;
        return false;
}

static int run(int argc, char **argv)
{
        const Command *command;
        int words;

        if (argc == 0)
                return report_usage("", "no command");
        if (strcmp(argv[0], "--version") == 0 && argc == 1) {
                (void)printf("hsmctl %s\n", HSMD_VERSION);
                return EXIT_DONE;
        }
        if (strcmp(argv[0], "help") == 0 || strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0)
                return help(argc - 1, argv + 1);

        command = find_command(argc, argv, &words);
        if (!command)
                return unknown_command(argc, argv);
        if (wants_help(argc - words, argv + words))
                return help(words, argv);
        return command->run(argc - words, argv + words);
}

int main(int argc, char **argv)
{
        int code;

        /* Every failure is told in a sentence; where in the program it came from is for the tests. */
        error_set_trace(NULL);
        code = run(argc > 0 ? argc - 1 : 0, argv + 1);
        if (fflush(stdout) != 0 || ferror(stdout)) {
                (void)fprintf(stderr, "hsmctl: cannot write to the standard output\n");
                return EXIT_FAULT;
        }
        return code;
}
