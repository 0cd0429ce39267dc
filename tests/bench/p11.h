/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A PKCS#11 module as the benchmarks use it: bare, with nothing between them and C_Sign.  That it shares no
 * code with hsmd-token is the point: this is what hsmd is compared with.
 */
#include <p11-kit/pkcs11.h>

#include "base/bytes.h"

#define P11_SIGNATURE_SIZE 1024

typedef struct P11 {
        void *library;
        CK_FUNCTION_LIST *functions;
        CK_SLOT_ID slot;
        CK_SESSION_HANDLE login; /* the first session: it keeps the login */
} P11;

#define P11_NULL                                                                                            \
        {                                                                                                   \
                0                                                                                           \
        }

/*
 * Load `module`, find the one token labelled `token`, log in.  -ELIBACC: the module does not load or is
 * none. -ENODEV: not exactly one such token.  -EIO: a call failed; its name and CK_RV went to stderr.
 */
_must_use_ int p11_init(P11 *p, const char *module, const char *token, Blob pin);
void p11_deinit(P11 *p);

_must_use_ int p11_open_session(P11 *p, CK_SESSION_HANDLE *ret);
/* The one private key of that label.  -ENOKEY: none, or several. */
_must_use_ int p11_find_key(P11 *p, CK_SESSION_HANDLE session, const char *label, CK_OBJECT_HANDLE *ret);
/* One C_SignInit and C_Sign.  -EIO. */
_must_use_ int p11_sign(P11 *p, CK_SESSION_HANDLE session, CK_MECHANISM_TYPE mechanism, CK_OBJECT_HANDLE key,
                        Blob message, uint8_t ret[static P11_SIGNATURE_SIZE], size_t *ret_size);
