/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/error.h"

static void error_print(const char *file, int line, const char *func, int r)
{
        /* A positive number is a code of the callee that its caller forgot to deal with. */
        if (r > 0)
                (void)fprintf(stderr, "%s:%d: %s(): unexpected outcome %d\n", file, line, func, r);
        else
                (void)fprintf(stderr, "%s:%d: %s(): %s\n", file, line, func, strerror(-r));
}

static ErrorTrace error_trace = error_print;

void error_set_trace(ErrorTrace trace)
{
        error_trace = trace;
}

int error_trace_origin(int r, const char *file, int line, const char *func)
{
        assert(r < 0);

        if (error_trace)
                error_trace(file, line, func, r);
        return r;
}

int error_trace_fold(int r, const char *file, int line, const char *func)
{
        assert(r != 0);

        if (error_trace)
                error_trace(file, line, func, r);
        return r > 0 ? -ENOTRECOVERABLE : r;
}
