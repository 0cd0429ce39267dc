/* SPDX-License-Identifier: Apache-2.0 */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <assert.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <syslog.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "base/bytes.h"
#include "server/log.h"

/* Made once with systemd-id128 new; hsmd.catalog explains each to the operator. */
static const char *const log_ids[_LOG_MESSAGE_MAX] = {
        [LOG_STARTED] = "c3f7a1d0b8e34e0d9a5f1b6c7d2e4f01",
        [LOG_STOPPED] = "c3f7a1d0b8e34e0d9a5f1b6c7d2e4f02",
        [LOG_REFUSED] = "c3f7a1d0b8e34e0d9a5f1b6c7d2e4f03",
        [LOG_SIGNED] = "c3f7a1d0b8e34e0d9a5f1b6c7d2e4f04",
        [LOG_ATTESTED] = "c3f7a1d0b8e34e0d9a5f1b6c7d2e4f05",
        [LOG_ABANDONED] = "c3f7a1d0b8e34e0d9a5f1b6c7d2e4f06",
        [LOG_TOKEN_UP] = "c3f7a1d0b8e34e0d9a5f1b6c7d2e4f07",
        [LOG_TOKEN_DOWN] = "c3f7a1d0b8e34e0d9a5f1b6c7d2e4f08",
        [LOG_STATE_FAULT] = "c3f7a1d0b8e34e0d9a5f1b6c7d2e4f09",
        [LOG_PEER_DROPPED] = "c3f7a1d0b8e34e0d9a5f1b6c7d2e4f0a",
        [LOG_FAULT] = "c3f7a1d0b8e34e0d9a5f1b6c7d2e4f0b",
};

static const char *log_name = "hsmd";
static bool log_to_journal;

void log_open(const char *name)
{
        const char *stream = secure_getenv("JOURNAL_STREAM");
        unsigned long dev, ino;
        struct stat st;

        assert(name);
        log_name = name;
        /* systemd.exec(5): set when stderr is the journal; then fields are worth sending. */
        if (stream && sscanf(stream, "%lu:%lu", &dev, &ino) == 2 && fstat(STDERR_FILENO, &st) == 0)
                log_to_journal = st.st_dev == dev && st.st_ino == ino;
}

/* A line on stderr in one write, so that lines of several processes do not mix. */
static void log_stderr(int priority, const char *text)
{
        char line[1024];
        int n = snprintf(line, sizeof(line), "%s: %s%s\n", log_name, priority <= LOG_ERR ? "error: " : "",
                         text);

        if (n < 0)
                return;
        if ((size_t)n >= sizeof(line)) {
                n = sizeof(line) - 1;
                line[n - 1] = '\n';
        }
        (void)!write(STDERR_FILENO, line, (size_t)n); /* nowhere else to complain */
}

static size_t log_field(struct iovec *iov, char *store, size_t size, const char *name, const char *value)
{
        int n = snprintf(store, size, "%s=%s", name, value);

        assert(n > 0);
        iov->iov_base = store;
        iov->iov_len = (size_t)n < size ? (size_t)n : size - 1;
        return 1;
}

void log_write(LogMessage message, int priority, uint32_t uid, const char *key, const char *decision,
               const char *format, ...)
{
        char text[900], store[6][1000], number[16];
        struct iovec iov[6];
        size_t n = 0;
        va_list ap;

        assert(message < _LOG_MESSAGE_MAX);
        va_start(ap, format);
        (void)vsnprintf(text, sizeof(text), format, ap); /* cut is fine */
        va_end(ap);

        if (!log_to_journal) {
                if (priority < LOG_DEBUG)
                        log_stderr(priority, text);
                return;
        }
        n += log_field(&iov[n], store[n], sizeof(store[n]), "MESSAGE", text);
        n += log_field(&iov[n], store[n], sizeof(store[n]), "MESSAGE_ID", log_ids[message]);
        (void)snprintf(number, sizeof(number), "%d", priority);
        n += log_field(&iov[n], store[n], sizeof(store[n]), "PRIORITY", number);
        if (uid != LOG_NO_UID) {
                (void)snprintf(number, sizeof(number), "%u", uid);
                n += log_field(&iov[n], store[n], sizeof(store[n]), "HSMD_PEER_UID", number);
        }
        if (key)
                n += log_field(&iov[n], store[n], sizeof(store[n]), "HSMD_KEY", key);
        if (decision)
                n += log_field(&iov[n], store[n], sizeof(store[n]), "HSMD_DECISION", decision);
        (void)sd_journal_sendv(iov, (int)n); /* logging is lossy by choice: the journal of record is ours */
}

const char *log_escape(char ret[static LOG_TEXT_SIZE], const char *text, size_t size)
{
        size_t n = 0;

        for (size_t i = 0; i < size; i++) {
                unsigned char c = (unsigned char)text[i];

                if (n + 8 > LOG_TEXT_SIZE) {
                        memcpy(ret + n, "...", 3);
                        n += 3;
                        break;
                }
                if (c >= 0x20 && c < 0x7f && c != '\\')
                        ret[n++] = (char)c;
                else
                        n += (size_t)snprintf(ret + n, 5, "\\x%02x", c);
        }
        ret[n] = '\0';
        return ret;
}
