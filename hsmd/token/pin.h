/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The PIN: read by the worker that logs in, kept in memory that is locked and not dumped, wiped by its
 * destructor.
 */
#include "config/config.h"
#include "token/report.h"

/* PKCS#11 tokens take 4 to 255 characters. */
#define PIN_SIZE_MAX 255

typedef struct Pin {
        uint8_t *data; /* NUL-terminated */
        size_t size;
} Pin;

#define PIN_NULL ((Pin){NULL, 0})

enum {
        _PIN_E_SUCCESS,
        PIN_E_REFUSED, /* `report` says why: TOKEN_FAULT */
};

/*
 * From token-pin-file, or from token-pin-credential in $CREDENTIALS_DIRECTORY.  One line feed at its end is
 * not part of the PIN.  PIN_E_REFUSED: not readable; not a regular file; of another owner than root or us;
 * readable for group or others; empty, too long, or with a NUL in it.  A credential's group bits are not
 * looked at: there systemd shows the mask of the access list that lets the service read it.
 */
_must_use_ int pin_read(Pin *ret, const Config *config, Report *report);
void pin_wipe(Pin *pin);
