/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Language helpers: attributes, cleanup, ownership transfer, impossible conditions.
 */
#include <assert.h>
#include <stddef.h>
#include <stdlib.h>

#define _cleanup_(_f)    __attribute__((__cleanup__(_f)))
#define _must_use_       __attribute__((__warn_unused_result__))
#define _printf_(_a, _b) __attribute__((__format__(__printf__, _a, _b)))
#define _pure_           __attribute__((__pure__))
#define _unused_         __attribute__((__unused__))

#define ARRAY_SIZE(_x) (sizeof(_x) / sizeof((_x)[0]))

/* Hand an owned pointer to somebody else; the variable that _cleanup_ watches becomes NULL. */
#define TAKE_PTR(_p)                                                                                        \
        ({                                                                                                  \
                __typeof__(_p) _taken = (_p);                                                               \
                (_p) = NULL;                                                                                \
                _taken;                                                                                     \
        })

/* The same for a file descriptor, whose empty value is -1. */
#define TAKE_FD(_fd)                                                                                        \
        ({                                                                                                  \
                int _taken = (_fd);                                                                         \
                (_fd) = -1;                                                                                 \
                _taken;                                                                                     \
        })

/*
 * A condition that defends against the impossible.  In a coverage build it is the constant it always is, so
 * that branch coverage stays honest, and is not evaluated: it may have no side effects.  Elsewhere it is
 * evaluated and the caller fails closed.
 */
#ifdef HSMD_COVERAGE
#define NEVER(_x)  (0 && (_x))
#define ALWAYS(_x) (1 || (_x))
#else
#define NEVER(_x)  __builtin_expect(!!(_x), 0)
#define ALWAYS(_x) __builtin_expect(!!(_x), 1)
#endif

/* Define `static inline void FUNCp(TYPE *p)` for _cleanup_(FUNCp), from a destructor that accepts the empty
 * value. */
#define DEFINE_CLEANUP(_type, _func)                                                                        \
        static inline void _func##p(_type *_p)                                                              \
        {                                                                                                   \
                if (*_p)                                                                                    \
                        (void)_func(*_p);                                                                   \
        }

static inline void freep(void *p)
{
        free(*(void **)p);
}
