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

/* The last failure. */
static struct {
        int code;
        char reason[80];
        char message[1024]; /* UTF-8, whatever file names were */
} last;

void report_set_json(bool json)
{
        report_json = json;
}

void report_write_last(JsonWriter *w)
{
        jsonw_name(w, "error");
        jsonw_object(w);
        jsonw_member_u64(w, "exit", (uint64_t)last.code);
        jsonw_member_string(w, "reason", last.reason);
        jsonw_member_string(w, "message", last.message);
        jsonw_object_end(w);
}

static void report_print_json(void)
{
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;
        JsonWriter w;

        jsonw_init(&w, &out);
        jsonw_object(&w);
        report_write_last(&w);
        jsonw_object_end(&w);
        if (jsonw_finish(&w) == 0)
                (void)printf("%s\n", (char *)out.data);
        report_json = false;
}

/* Keeps, and tells on stderr what `prefix` (may be empty) and the message say. */
static int report_message(int code, const char *reason, const char *prefix, const char *message)
{
        _cleanup_(buffer_deinit) Buffer text = BUFFER_NULL;

        last.code = code;
        (void)snprintf(last.reason, sizeof(last.reason), "%s", reason);
        last.message[0] = 0;
        if (text_escape(&text, message, strlen(message)) == 0 && text.data &&
            text.size < sizeof(last.message))
                memcpy(last.message, text.data, text.size + 1);

        (void)fprintf(stderr, "hsmctl: %s%s", prefix, *prefix ? ": " : "");
        text_write(stderr, message);
        (void)fputc('\n', stderr);
        if (report_json)
                report_print_json();
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
        char message[1000];
        va_list args;

        assert(reason);

        va_start(args, format);
        (void)vsnprintf(message, sizeof(message), format, args);
        va_end(args);
        return report_message(code, reason, "", message);
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
        return report_message(report_code(r), hsmctl_reason(h), hsmctl_reason(h), hsmctl_message(h));
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
