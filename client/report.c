/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/file.h"
#include "base/jsonw.h"

#include "client/command.h"
#include "client/report.h"
#include "client/text.h"

static bool report_json;

void report_set_json(bool json)
{
        report_json = json;
}

static void report_object(int code, const char *reason, const char *message)
{
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;
        JsonWriter w;

        jsonw_init(&w, &out);
        jsonw_object(&w);
        jsonw_name(&w, "error");
        jsonw_object(&w);
        jsonw_member_u64(&w, "exit", (uint64_t)code);
        jsonw_member_string(&w, "reason", reason);
        jsonw_member_string(&w, "message", message);
        jsonw_object_end(&w);
        jsonw_object_end(&w);
        if (jsonw_finish(&w) == 0)
                (void)printf("%s\n", (char *)out.data);
        else /* a file name that is not UTF-8, for example */
                (void)printf("{\"error\":{\"exit\":%d,\"reason\":\"%s\",\"message\":\"\"}}\n", code, reason);
        report_json = false;
}

_printf_(3, 0) static int report_va(int code, const char *reason, const char *format, va_list args)
{
        char message[1024];

        (void)vsnprintf(message, sizeof(message), format, args);
        (void)fputs("hsmctl: ", stderr);
        text_write(stderr, message);
        (void)fputc('\n', stderr);
        if (report_json)
                report_object(code, reason, message);
        return code;
}

int report_usage(const char *command, const char *format, ...)
{
        char message[512];
        va_list args;

        va_start(args, format);
        (void)vsnprintf(message, sizeof(message), format, args);
        va_end(args);
        return report_failure(EXIT_USAGE, "usage", "%s%s%s (see `hsmctl help%s%s`)", command,
                              *command ? ": " : "", message, *command ? " " : "", command);
}

int report_failure(int code, const char *reason, const char *format, ...)
{
        va_list args;

        assert(reason);

        va_start(args, format);
        code = report_va(code, reason, format, args);
        va_end(args);
        return code;
}

int report_errno(int r)
{
        return report_failure(EXIT_FAULT, "fault", "failed: %s", strerror(r < 0 ? -r : ENOTRECOVERABLE));
}

int report_code(int r)
{
        switch (r) {
        case 0:
                return EXIT_DONE;
        case HSMCTL_E_UNREACHABLE:
        case HSMCTL_E_TIMEOUT:
        case HSMCTL_E_BUSY:
                return EXIT_TRY_AGAIN;
        case HSMCTL_E_DENIED:
        case HSMCTL_E_REFUSED:
        case HSMCTL_E_NOT_FOUND:
                return EXIT_REFUSED;
        case HSMCTL_E_TOO_LARGE:
                return EXIT_USAGE;
        case HSMCTL_E_PROTOCOL:
        default:
                return EXIT_FAULT;
        }
}

int report_call(const Hsmctl *h, int r)
{
        assert(r != 0);

        if (r < 0 || !h)
                return report_errno(r);
        return report_failure(report_code(r), hsmctl_reason(h), "%s", hsmctl_message(h));
}

int report_file_read(struct Buffer *out, const char *path, size_t max)
{
        int r;

        r = file_read(out, path, max);
        switch (r) {
        case 0:
                return 0;
        case FILE_E_MISSING:
                return report_failure(EXIT_FAULT, "unreadable", "%s: no such file", path);
        case FILE_E_TYPE:
                return report_failure(EXIT_FAULT, "unreadable", "%s: not a regular file", path);
        case FILE_E_TOO_LARGE:
                return report_failure(EXIT_FAULT, "unreadable", "%s: larger than %zu bytes", path, max);
        default:
                return report_failure(EXIT_FAULT, "unreadable", "%s: %s", path,
                                      strerror(r < 0 ? -r : ENOTRECOVERABLE));
        }
}
