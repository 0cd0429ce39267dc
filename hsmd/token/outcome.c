/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "token/outcome.h"

int outcome_record(PinState *pin, Outcome outcome, bool left_over, const char *text)
{
        assert(pin);
        assert(text);

        switch (outcome) {
        case OUTCOME_REFUSED: {
                int r = pinstate_set_refused(pin, text);

                if (r)
                        return error_fold(r);
                return error_fold(pinstate_clear_trying(pin));
        }
        case OUTCOME_LOGGED_IN:
                return error_fold(pinstate_clear_trying(pin));
        case OUTCOME_NOT_TRIED:
                /* What an earlier login left is not known any better now. */
                return left_over ? 0 : error_fold(pinstate_clear_trying(pin));
        case OUTCOME_UNKNOWN:
        case _OUTCOME_MAX:
                break;
        }
        return 0;
}
