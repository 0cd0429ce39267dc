/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The log of hsmd-token: the journal under systemd (stderr is its stream), lines on stderr elsewhere.  Text
 * is made printable and cut.  Nothing secret is ever handed to it.
 */
#include <syslog.h>

#include "base/macro.h"

/* Events that have an entry in the message catalog; LOG_EVENT_NONE for the others. */
typedef enum LogEvent {
        LOG_EVENT_NONE,
        LOG_EVENT_PIN_REFUSED,    /* the PIN was refused; nothing is signed until an operator acts */
        LOG_EVENT_PEER_REFUSED,   /* somebody other than token-client-user connected */
        LOG_EVENT_WORKER_HUNG,    /* a call into the module did not return in time */
        LOG_EVENT_WORKER_CRASHED, /* the module took its worker down */
        LOG_EVENT_KEY_REFUSED,    /* a key is missing, ambiguous, unsafe or not the pinned one */
        _LOG_EVENT_MAX,
} LogEvent;

/* Looks at stderr once; before it, lines go to stderr. */
void log_open(const char *program);
/* `priority` as in syslog(3). */
_printf_(3, 4) void log_event(int priority, LogEvent event, const char *format, ...);
#define log_error(...)   log_event(LOG_ERR, LOG_EVENT_NONE, __VA_ARGS__)
#define log_warning(...) log_event(LOG_WARNING, LOG_EVENT_NONE, __VA_ARGS__)
#define log_notice(...)  log_event(LOG_NOTICE, LOG_EVENT_NONE, __VA_ARGS__)
#define log_info(...)    log_event(LOG_INFO, LOG_EVENT_NONE, __VA_ARGS__)
/* For error_set_trace(). */
void log_trace(const char *file, int line, const char *func, int r);
