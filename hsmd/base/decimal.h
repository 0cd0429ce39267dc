/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Unsigned decimal numbers as the C2SP formats write them: ASCII digits, no sign, no blanks, no leading
 * zeros.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/macro.h"

enum {
        _DECIMAL_E_SUCCESS,
        DECIMAL_E_INVALID, /* empty, a foreign character, a leading zero, or greater than `max` */
};

_must_use_ int decimal_decode(uint64_t *ret, const char *text, size_t size, uint64_t max);
