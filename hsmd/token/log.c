/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "token/log.h"

#define LINE_SIZE 1024

static const char *log_program = "hsmd-token";
static bool log_to_journal;

/* MESSAGE_ID of each event, made with `systemd-id128 new`: the keys of the message catalog. */
static const char *const message_ids[] = {
        [LOG_EVENT_NONE] = NULL,
        [LOG_EVENT_PIN_REFUSED] = "7c9fea6952ad4516a5fcf164868c2649",
        [LOG_EVENT_PEER_REFUSED] = "bfba85212fc342a2afa9ea6580c712d7",
        [LOG_EVENT_WORKER_HUNG] = "7abd26dd319b40089869e6af1dae0072",
        [LOG_EVENT_WORKER_CRASHED] = "f88ed4f5fcd94cc49301ac9640ac2508",
        [LOG_EVENT_KEY_REFUSED] = "b5d951bbbcd14d70a2cfe366975a08d8",
};
static_assert(sizeof(message_ids) / sizeof(message_ids[0]) == _LOG_EVENT_MAX, "each event has its id");

/* sd_journal_stream_fd(3): JOURNAL_STREAM is "DEVICE:INODE" of the stream, to be compared with fstat(). */
static bool stderr_is_journal(void)
{
        const char *stream = secure_getenv("JOURNAL_STREAM");
        char expected[64];
        struct stat st;

        if (!stream || fstat(STDERR_FILENO, &st) < 0)
                return false;
        (void)snprintf(expected, sizeof(expected), "%llu:%llu", (unsigned long long)st.st_dev,
                       (unsigned long long)st.st_ino);
        return strcmp(stream, expected) == 0;
}

void log_open(const char *program)
{
        assert(program);
        log_program = program;
        log_to_journal = stderr_is_journal();
}

void log_event(int priority, LogEvent event, const char *format, ...)
{
        char text[LINE_SIZE];
        va_list ap;
        int r = 0;

        assert(event < _LOG_EVENT_MAX);
        va_start(ap, format);
        (void)vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        for (char *p = text; *p; p++)
                if (*p < 0x20 || *p > 0x7e)
                        *p = '?';
        if (log_to_journal)
                r = sd_journal_send("MESSAGE=%s", text, "PRIORITY=%d", priority, "SYSLOG_IDENTIFIER=%s",
                                    log_program, message_ids[event] ? "MESSAGE_ID=%s" : NULL,
                                    message_ids[event], NULL);
        if (!log_to_journal || r < 0)
                (void)dprintf(STDERR_FILENO, "%s[%ld]: %s\n", log_program, (long)getpid(), text);
}

void log_trace(const char *file, int line, const char *func, int r)
{
        log_error("%s:%d: %s(): %s", file, line, func,
                  r < 0 ? strerrordesc_np(-r) : "an outcome was not dealt with");
}
