/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * One signature: does this mechanism go with this key and this message, and if so C_SignInit and C_Sign.
 */
#include "token/key.h"
#include "token/p11.h"
#include "token/wire.h"

/*
 * TOKEN_OK with the signature as the module gave it; TOKEN_REFUSED without a call into the module;
 * TOKEN_FAILED with the module's code.  `out` has room for LIMIT_SIGNATURE_SIZE bytes; *ret_size and
 * *ret_ckr are always written.
 */
_must_use_ TokenStatus sign_message(const P11Session *s, const Key *key, TokenMechanism mechanism,
                                    Blob message, uint8_t *out, size_t *ret_size, CK_RV *ret_ckr);
