/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What the operator reads: structured journal messages, or lines on stderr when there is no systemd.  The
 * only user of sd-journal.  Each decision is logged once, where it is made; text that a peer controls is
 * escaped and cut.
 */
#include <stdint.h>

#include "base/macro.h"

typedef enum LogMessage {
        LOG_STARTED,
        LOG_STOPPED,
        LOG_REFUSED, /* a request or an artifact */
        LOG_SIGNED,
        LOG_ATTESTED,
        LOG_ABANDONED, /* an intent without a signature */
        LOG_TOKEN_UP,
        LOG_TOKEN_DOWN,
        LOG_STATE_FAULT, /* state that must not be run on */
        LOG_PEER_DROPPED,
        LOG_FAULT, /* our own bugs and failures of the host */
        _LOG_MESSAGE_MAX,
} LogMessage;

#define LOG_NO_UID UINT32_MAX

/* Decide where to: call once, first. */
void log_open(const char *name);

/*
 * priority: LOG_ERR .. LOG_DEBUG of syslog.h.  uid LOG_NO_UID, key and decision NULL: field left out.  The
 * format is for the text a person reads; use log_escape() for what a peer controls.
 */
void log_write(LogMessage message, int priority, uint32_t uid, const char *key, const char *decision,
               const char *format, ...) _printf_(6, 7);

/* Printable ASCII, anything else as \xNN, cut to the buffer with "..." */
#define LOG_TEXT_SIZE 160
const char *log_escape(char ret[static LOG_TEXT_SIZE], const char *text, size_t size);
