/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <sys/random.h>

#include <openssl/crypto.h>

#include "base/crypto.h"
#include "base/error.h"

/* A PIN is a few dozen bytes; the arena must stay under the smallest usual RLIMIT_MEMLOCK, 64 KiB. */
#define SECURE_ARENA_SIZE (16 * 1024)
#define SECURE_MINIMUM    16

void random_bytes(void *ret, size_t size)
{
        uint8_t *p = ret;

        assert(ret || size == 0);

        while (size > 0) {
                ssize_t n = getrandom(p, size, 0);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        abort();
                p += n;
                size -= (size_t)n;
        }
}

static int secure_init(void)
{
        if (CRYPTO_secure_malloc_initialized())
                return 0;

        /* 2 is "works, but not locked or not guarded": no place for a PIN. */
        switch (CRYPTO_secure_malloc_init(SECURE_ARENA_SIZE, SECURE_MINIMUM)) {
        case 1:
                return 0;
        case 2:
                (void)CRYPTO_secure_malloc_done();
                return error_origin(-ENOMEM);
        default:
                return error_origin(-ENOMEM);
        }
}

int secure_new(uint8_t **ret, size_t size)
{
        uint8_t *p;
        int r;

        assert(ret);
        assert(size > 0);

        r = secure_init();
        if (r)
                return error_fold(r);
        p = OPENSSL_secure_zalloc(size);
        if (!p)
                return error_origin(-ENOMEM);
        *ret = p;
        return 0;
}

void secure_free(uint8_t *p, size_t size)
{
        OPENSSL_secure_clear_free(p, size);
}
