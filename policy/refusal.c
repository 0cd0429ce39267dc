/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/refusal.h"

#include <stdio.h>

#include "base/error.h"

int refusal_make(const Refusal *refusal, Reason reason, const char *format, ...)
{
        char text[501];
        va_list args;
        int r;

        assert(refusal);
        assert(reason != REASON_NONE);

        va_start(args, format);
        r = vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        if (NEVER(r < 0))
                return error_origin(-EUCLEAN);

        r = buffer_append_string(refusal->message, text);
        if (r)
                return error_fold(r);

        *refusal->reason = reason;
        return REFUSAL_E_REFUSED;
}

RefusalQuote refusal_quote(const char *text, size_t size)
{
        static_assert(REFUSAL_QUOTE_SIZE == 64 + sizeof("..."), "64 bytes, an ellipsis and a NUL");
        RefusalQuote quote = {0};
        size_t n = size < 64 ? size : 64;

        assert(text || size == 0);

        for (size_t i = 0; i < n; i++)
                quote.text[i] = text[i] >= 0x20 && text[i] <= 0x7e ? text[i] : '?';
        if (n < size)
                memcpy(quote.text + n, "...", sizeof("..."));
        return quote;
}
