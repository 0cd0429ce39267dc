/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hex.h"

/* Value of a digit, plus one so that everything not named here is 0 and hence foreign. */
static const uint8_t hex_value_plus_1[256] = {
        ['0'] = 1, ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
        ['8'] = 9, ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
};

void hex_encode(char *ret, const void *data, size_t size)
{
        static const char digits[] = "0123456789abcdef";
        const uint8_t *p = data;

        assert(ret);
        assert(data || size == 0);

        for (size_t i = 0; i < size; i++) {
                ret[2 * i] = digits[p[i] >> 4];
                ret[2 * i + 1] = digits[p[i] & 15];
        }
        ret[2 * size] = 0;
}

int hex_decode(uint8_t *ret, size_t size, const char *text, size_t text_size)
{
        assert(ret || size == 0);
        assert(text || text_size == 0);

        if (text_size % 2 != 0 || text_size / 2 != size)
                return HEX_E_INVALID;

        for (size_t i = 0; i < size; i++) {
                unsigned high = hex_value_plus_1[(uint8_t)text[2 * i]];
                unsigned low = hex_value_plus_1[(uint8_t)text[2 * i + 1]];

                if (high == 0 || low == 0)
                        return HEX_E_INVALID;
                ret[i] = (uint8_t)((high - 1) << 4 | (low - 1));
        }
        return 0;
}
