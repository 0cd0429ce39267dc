/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "token/ckr.h"
#include "token/report.h"

static_assert(8 + LIMIT_TOKEN_KEYS * (5 + REPORT_TEXT_SIZE) <= LIMIT_TOKEN_FRAME,
              "a full OPENED frame fits");

_printf_(2, 0) static void report_append_va(Report *report, const char *format, va_list ap)
{
        size_t used = strlen(report->text);

        assert(used < sizeof(report->text));
        (void)vsnprintf(report->text + used, sizeof(report->text) - used, format,
                        ap); /* cut where it ends */
        for (char *p = report->text + used; *p; p++)
                if (*p < 0x20 || *p > 0x7e)
                        *p = '?';
}

void report_append(Report *report, const char *format, ...)
{
        va_list ap;

        assert(report);
        va_start(ap, format);
        report_append_va(report, format, ap);
        va_end(ap);
}

void report_set(Report *report, TokenStatus status, const char *format, ...)
{
        va_list ap;

        assert(report);
        assert(status < _TOKEN_STATUS_MAX);
        *report = (Report){.status = status};
        va_start(ap, format);
        report_append_va(report, format, ap);
        va_end(ap);
}

void report_set_ckr(Report *report, TokenStatus status, unsigned long ckr, const char *format, ...)
{
        va_list ap;

        assert(report);
        assert(status < _TOKEN_STATUS_MAX);
        *report = (Report){.status = status, .ckr = (uint32_t)ckr};
        va_start(ap, format);
        report_append_va(report, format, ap);
        va_end(ap);
        report_append(report, ": %s (0x%lx)", ckr_to_string(ckr), ckr);
}
