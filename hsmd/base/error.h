/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Errors: the one convention of the whole program.
 *
 *   0          success
 *   negative   -errno, unexpected.  Raised once with error_origin(), passed up unchanged with error_fold().
 *              Never matched on.  On the signing path it ends the request without a signature.
 *   positive   X_E_..., a documented outcome of the function called.  The caller must deal with it and must
 *              not forward it; error_fold() turns one that slipped through into -ENOTRECOVERABLE.
 */
#include <errno.h>

#include "base/macro.h"

/* Called once per error_origin()/error_fold() on the failing path; the default writes a line to stderr. */
typedef void (*ErrorTrace)(const char *file, int line, const char *func, int r);

/* Replaces the trace sink; NULL silences it.  Not thread safe: call it once, early. */
void error_set_trace(ErrorTrace trace);

int error_trace_origin(int r, const char *file, int line, const char *func);
int error_trace_fold(int r, const char *file, int line, const char *func);

/*
 * Raise -errno; returns it.  Asserts that it is negative, outside the function too: so the compiler knows
 * that what follows `if (r)` has its outputs.
 */
#define error_origin(_r)                                                                                    \
        ({                                                                                                  \
                int _raised = (_r);                                                                         \
                assert(_raised < 0);                                                                        \
                (void)error_trace_origin(_raised, __FILE__, __LINE__, __func__);                            \
                _raised;                                                                                    \
        })

/* Pass on the result of a callee: 0 stays 0, negative is traced and kept, positive becomes -ENOTRECOVERABLE.
 */
#define error_fold(_r)                                                                                      \
        ({                                                                                                  \
                int _folded = (_r);                                                                         \
                if (_folded != 0) {                                                                         \
                        (void)error_trace_fold(_folded, __FILE__, __LINE__, __func__);                      \
                        _folded = _folded > 0 ? -ENOTRECOVERABLE : _folded;                                 \
                }                                                                                           \
                _folded;                                                                                    \
        })
