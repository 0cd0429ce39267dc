/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * From nothing to a session that is logged in: module, token, PIN.  The one place where the PIN is sent to a
 * token.
 */
#include <stdbool.h>

#include "config/config.h"
#include "token/outcome.h"
#include "token/p11.h"

/*
 * 0: *p11 is logged in.  P11_E_REFUSED: `report` says why.  *p11, which was NULL, is set as soon as the
 * module is loaded and the caller's from then on, whatever is returned: so that the outcome can be told
 * before the module is asked to clean up and perhaps hangs.  *ret_outcome is always written: what is known
 * of the PIN.
 *
 * The PIN is not tried when the token says "final try" or "locked", nor when `left_over` (an earlier login
 * ended without an outcome) and the token counts wrong PINs: that one may have been the PIN that is
 * configured.
 */
_must_use_ int login_run(P11 **p11, const Config *config, bool left_over, bool writable, P11Token *ret_token,
                         Outcome *ret_outcome, Report *report);
