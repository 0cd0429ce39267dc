/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The frames between hsmd and one hsmd-token worker: one SOCK_SEQPACKET record each, at most
 * LIMIT_TOKEN_FRAME bytes, big-endian, no padding.  Decoding is strict: every byte is accounted for, every
 * count and size is bounded.
 *
 *     header   u8 version = 1 | u8 type | u16 n | u32 sequence
 *     HELLO    worker -> hsmd, once, after login (n = 1):  u8 status | 5 x (u16 size | text): label,
 * manufacturer, model, serial, message.  Anything but TOKEN_OK is followed by the end of the connection.
 *     OPEN     hsmd -> worker, n keys:    u16 handle | u8 key type | u16 size | URI | u16 size | SPKI (DER)
 *     OPENED   worker -> hsmd, n answers: u16 handle | u8 status | u16 size | message
 *     SIGN     hsmd -> worker, n items:   u16 handle | u8 mechanism | u8 flags | u16 size | message
 *              flags bit 0: the message is the content of the memfd (sealed against write, shrink and grow)
 * that comes with the record; then n = 1 and size = 0. SIGNED   worker -> hsmd, n answers in the order
 * asked: u8 status | u32 CK_RV | u32 usec | u16 size | signature as C_Sign gave it
 *
 * `sequence` of an answer is that of its question.  The worker answers questions in order, one at a time.
 */
#include <stdint.h>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/limits.h"

typedef enum WireType {
        WIRE_HELLO = 1,
        WIRE_OPEN,
        WIRE_OPENED,
        WIRE_SIGN,
        WIRE_SIGNED,
} WireType;

typedef enum TokenStatus {
        TOKEN_OK,
        TOKEN_MODULE,        /* the module does not load or initialise */
        TOKEN_ABSENT,        /* no slot holds the token, or more than one does */
        TOKEN_PIN_REFUSED,   /* the PIN was refused, is locked, or was refused before: an operator has to act
                              */
        TOKEN_LOGIN,         /* login failed for another reason */
        TOKEN_KEY_MISSING,   /* no private key matches the URI */
        TOKEN_KEY_AMBIGUOUS, /* more than one does */
        TOKEN_KEY_UNSAFE,    /* not private, not sensitive, extractable, or good for more than signing */
        TOKEN_KEY_MISMATCH,  /* the token's public key is not the pinned one, or the type differs */
        TOKEN_FAILED,        /* C_Sign or C_SignInit returned `ckr` */
        TOKEN_REFUSED,       /* the worker refuses: unknown handle, mechanism that does not fit the key, bad
                                content */
        TOKEN_FAULT,         /* a fault of hsmd-token itself (PIN file unreadable, out of memory) */
        _TOKEN_STATUS_MAX,
} TokenStatus;

const char *token_status_to_string(TokenStatus status); /* "token-pin-refused", ...: stable reason codes */

typedef enum TokenMechanism {
        MECHANISM_ECDSA,          /* message: digest of the curve's size; signature r || s */
        MECHANISM_RSA_PKCS1,      /* message: DigestInfo */
        MECHANISM_RSA_PSS_SHA256, /* message: SHA-256 digest; salt 32 */
        MECHANISM_EDDSA,          /* message: the message; signature 64 bytes */
        _MECHANISM_MAX,
} TokenMechanism;

typedef struct WireHello {
        TokenStatus status;
        Blob label, manufacturer, model, serial, message;
} WireHello;

typedef struct WireOpen {
        uint16_t handle;
        KeyType type;
        Blob uri, spki;
} WireOpen;

typedef struct WireOpened {
        uint16_t handle;
        TokenStatus status;
        Blob message; /* for a person: what was found and what to do */
} WireOpened;

typedef struct WireSign {
        uint16_t handle;
        TokenMechanism mechanism;
        bool content_in_fd;
        Blob message;
} WireSign;

typedef struct WireSigned {
        TokenStatus status;
        uint32_t ckr;
        uint32_t usec; /* what the calls into the module took; 0: none was made */
        Blob signature;
} WireSigned;

typedef struct WireFrame {
        WireType type;
        uint32_t sequence;
        size_t n;
        union {
                WireHello hello;
                WireOpen open[LIMIT_TOKEN_KEYS];
                WireOpened opened[LIMIT_TOKEN_KEYS];
                WireSign sign[LIMIT_TOKEN_BATCH];
                WireSigned signature[LIMIT_TOKEN_BATCH];
        };
} WireFrame;

enum {
        _WIRE_E_SUCCESS,
        WIRE_E_INVALID,   /* decode: not a frame of this version */
        WIRE_E_TOO_LARGE, /* encode: does not fit the buffer */
};

/* Blobs of the frame are copied into `buf`.  Asserts the bounds of n. */
_must_use_ int wire_encode(const WireFrame *frame, uint8_t *buf, size_t capacity, size_t *ret_size);
/* Blobs of the frame point into `buf`. */
_must_use_ int wire_decode(WireFrame *ret, const uint8_t *buf, size_t size);
