/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/reason.h"

#include "base/macro.h"

const char *reason_to_string(Reason reason)
{
        static const char *const texts[_REASON_MAX] = {
#define X(_name, _text) [REASON_##_name] = (_text),
                REASONS(X)
#undef X
        };

        assert(reason < _REASON_MAX);
        return texts[reason];
}
