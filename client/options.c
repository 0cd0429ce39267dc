/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/decimal.h"
#include "base/error.h"
#include "base/timestamp.h"

#include "client/options.h"
#include "client/report.h"

#define USEC_PER_SEC UINT64_C(1000000)
#define SECONDS_MAX  UINT64_C(86400)

static Option *options_find(Option *options, size_t n_options, const char *name, size_t size)
{
        for (size_t i = 0; i < n_options; i++)
                if (strlen(options[i].name) == size && memcmp(options[i].name, name, size) == 0)
                        return &options[i];
        return NULL;
}

static int option_set(const Option *o, const char *value)
{
        uint64_t v = 0;
        int r;

        switch (o->kind) {
        case OPTION_FLAG:
                *(bool *)o->ret = true;
                return 0;
        case OPTION_STRING:
                *(const char **)o->ret = value;
                return *value ? 0 : OPTIONS_E_USAGE;
        case OPTION_U64:
                r = decimal_decode(&v, value, strlen(value), INT64_MAX);
                break;
        case OPTION_SECONDS:
                r = decimal_decode(&v, value, strlen(value), SECONDS_MAX);
                break;
        case OPTION_TIMESTAMP:
                r = timestamp_decode(&v, value, strlen(value));
                break;
        default:
                return error_origin(-EUCLEAN);
        }
        if (r < 0)
                return error_fold(r);
        if (r > 0 || v == 0)
                return OPTIONS_E_USAGE;
        *(uint64_t *)o->ret = o->kind == OPTION_SECONDS ? v * USEC_PER_SEC : v;
        return 0;
}

static const char *option_expects(OptionKind kind)
{
        switch (kind) {
        case OPTION_FLAG:
                return "no value";
        case OPTION_STRING:
                return "a value";
        case OPTION_U64:
                return "a number from 1 on";
        case OPTION_SECONDS:
                return "whole seconds, 1 to 86400";
        case OPTION_TIMESTAMP:
                return "a time like 2026-01-31T12:00:00Z";
        }
        return "something else";
}

/* One option at argv[i]; *ret_used words belong to it. */
static int option_parse(const char *command, Option *options, size_t n_options, int argc, char **argv, int i,
                        int *ret_used)
{
        const char *name = argv[i] + 2, *value = strchr(name, '=');
        size_t size = value ? (size_t)(value - name) : strlen(name);
        int used = 1, r;
        Option *o;

        o = options_find(options, n_options, name, size);
        if (!o || strncmp(argv[i], "--", 2) != 0) {
                (void)report_usage(command, "unknown option %s", argv[i]);
                return OPTIONS_E_USAGE;
        }
        if (o->seen) {
                (void)report_usage(command, "option --%s is given twice", o->name);
                return OPTIONS_E_USAGE;
        }
        if (value)
                value++;
        else if (o->kind != OPTION_FLAG && i + 1 < argc)
                value = argv[i + used++];

        r = (o->kind == OPTION_FLAG) == (value == NULL) ? option_set(o, value) : OPTIONS_E_USAGE;
        if (r < 0)
                return error_fold(r);
        if (r > 0) {
                (void)report_usage(command, "option --%s expects %s", o->name, option_expects(o->kind));
                return OPTIONS_E_USAGE;
        }
        o->seen = true;
        *ret_used = used;
        return 0;
}

int options_parse(const char *command, Option *options, size_t n_options, int argc, char **argv,
                  size_t *ret_n_operands)
{
        bool literal = false;
        size_t n = 0;
        int used, r;

        assert(command);
        assert(options || n_options == 0);
        assert(ret_n_operands);

        for (int i = 0; i < argc; i += used) {
                used = 1;
                if (literal || argv[i][0] != '-' || argv[i][1] == 0) {
                        argv[n++] = argv[i];
                        continue;
                }
                if (strcmp(argv[i], "--") == 0) {
                        literal = true;
                        continue;
                }
                r = option_parse(command, options, n_options, argc, argv, i, &used);
                if (r)
                        return r;
        }
        *ret_n_operands = n;
        return 0;
}
