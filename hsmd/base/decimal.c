/* SPDX-License-Identifier: Apache-2.0 */
#include "base/decimal.h"

int decimal_decode(uint64_t *ret, const char *text, size_t size, uint64_t max)
{
        uint64_t v = 0;

        assert(ret);
        assert(text || size == 0);

        if (size == 0 || (size > 1 && text[0] == '0'))
                return DECIMAL_E_INVALID;

        for (size_t i = 0; i < size; i++) {
                uint64_t digit;

                if (text[i] < '0' || text[i] > '9')
                        return DECIMAL_E_INVALID;
                digit = (uint64_t)(text[i] - '0');
                if (digit > max || v > (max - digit) / 10)
                        return DECIMAL_E_INVALID;
                v = v * 10 + digit;
        }

        *ret = v;
        return 0;
}
