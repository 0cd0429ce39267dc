/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The return values of PKCS#11: their names, and which of them end a worker.
 */
#include <stdbool.h>

#include "base/macro.h"

/* "CKR_DEVICE_ERROR"; "a code that PKCS#11 does not define" for one that is not in the table. */
const char *ckr_to_string(unsigned long ckr);
/*
 * True if session, login, key handle or module can no longer be relied on, and so for every code that is not
 * known to concern one operation only.  The worker then ends; a fresh one starts from C_Initialize.
 */
bool ckr_is_fatal(unsigned long ckr);
/* True if the token judged the PIN and did not take it: the same PIN must not be tried again. */
bool ckr_is_pin_refusal(unsigned long ckr);
