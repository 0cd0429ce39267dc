/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Lower-case hexadecimal, strictly: upper case, prefixes and odd lengths are refused (attestations P13).
 */
#include <stddef.h>
#include <stdint.h>

#include "base/macro.h"

enum {
        _HEX_E_SUCCESS,
        HEX_E_INVALID, /* a character outside 0-9a-f, or not exactly 2 * size characters */
};

/* Writes 2 * size characters and a NUL to `ret`. */
void hex_encode(char *ret, const void *data, size_t size);
/* Decodes exactly `size` bytes from `text_size` characters; HEX_E_INVALID otherwise, and `ret` is then
 * undefined. */
_must_use_ int hex_decode(uint8_t *ret, size_t size, const char *text, size_t text_size);
