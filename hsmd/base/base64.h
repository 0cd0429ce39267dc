/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * RFC 4648 base64, canonical both ways.  OpenSSL's decoders accept blanks, non-zero trailing bits and data
 * after padding (attestations reference, finding 8), hence our own.
 */
#include "base/bytes.h"

typedef enum Base64Alphabet {
        BASE64_STANDARD,        /* section 4, padded */
        BASE64_STANDARD_OR_URL, /* section 4 or section 5, never mixed in one text, padded (DSSE: "MUST
                                   accept either") */
} Base64Alphabet;

enum {
        _BASE64_E_SUCCESS,
        BASE64_E_INVALID, /* length not a multiple of 4, foreign character, mixed alphabets, wrong padding,
                             non-zero trailing bits */
};

#define BASE64_SIZE(_n) ((((_n) + 2) / 3) * 4)

/* Appends the section 4 encoding.  -ENOMEM. */
_must_use_ int base64_encode(Buffer *out, const void *data, size_t size);
/* Appends the decoded bytes.  BASE64_E_INVALID leaves `out` unchanged; -ENOMEM.  Empty text decodes to
 * nothing. */
_must_use_ int base64_decode(Buffer *out, Base64Alphabet alphabet, const char *text, size_t size);
/* Decodes to exactly `size` bytes; BASE64_E_INVALID also for any other length, and `ret` is then undefined.
 */
_must_use_ int base64_decode_exact(uint8_t *ret, size_t size, const char *text, size_t text_size);
