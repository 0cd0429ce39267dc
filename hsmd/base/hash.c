/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The low-level functions are deprecated in OpenSSL 3, and used here on purpose: a tree is hashed node by
 * node, and for 65 bytes the fetch and the context of EVP cost several times what the hash does.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

#include "base/crypto.h"
#include "base/error.h"

/* Three hashes take turns on a piece that stays in the first-level cache. */
#define HASHER_PIECE (size_t)(16 * 1024)

static_assert(SHA256_SIZE == SHA256_DIGEST_LENGTH, "a digest of another size");
static_assert(SHA384_SIZE == SHA384_DIGEST_LENGTH, "a digest of another size");
static_assert(SHA512_SIZE == SHA512_DIGEST_LENGTH, "a digest of another size");

struct Hasher {
        SHA256_CTX sha256;
        SHA512_CTX sha384;
        SHA512_CTX sha512;
        bool finished;
};

void sha256(uint8_t ret[static SHA256_SIZE], const void *data, size_t size)
{
        SHA256_CTX context;

        assert(ret);
        assert(data || size == 0);

        /* They return 1 always: there is nothing in them that could fail. */
        (void)SHA256_Init(&context);
        (void)SHA256_Update(&context, data, size);
        (void)SHA256_Final(ret, &context);
}

void sha256_prefixed(uint8_t ret[static SHA256_SIZE], uint8_t prefix, Blob a, Blob b)
{
        SHA256_CTX context;

        assert(ret);
        assert(a.data || a.size == 0);
        assert(b.data || b.size == 0);

        (void)SHA256_Init(&context);
        (void)SHA256_Update(&context, &prefix, 1);
        (void)SHA256_Update(&context, a.data, a.size);
        (void)SHA256_Update(&context, b.data, b.size);
        (void)SHA256_Final(ret, &context);
}

int hasher_new(Hasher **ret)
{
        Hasher *h;
        int r;

        assert(ret);

        r = memory_new0(&h, 1);
        if (r)
                return error_fold(r);
        hasher_reset(h);
        *ret = h;
        return 0;
}

Hasher *hasher_free(Hasher *h)
{
        free(h);
        return NULL;
}

void hasher_reset(Hasher *h)
{
        assert(h);

        (void)SHA256_Init(&h->sha256);
        (void)SHA384_Init(&h->sha384);
        (void)SHA512_Init(&h->sha512);
        h->finished = false;
}

void hasher_update(Hasher *h, const void *data, size_t size)
{
        const uint8_t *p = data;

        assert(h);
        assert(!h->finished);
        assert(data || size == 0);

        while (size > 0) {
                size_t n = size < HASHER_PIECE ? size : HASHER_PIECE;

                (void)SHA256_Update(&h->sha256, p, n);
                (void)SHA384_Update(&h->sha384, p, n);
                (void)SHA512_Update(&h->sha512, p, n);
                p += n;
                size -= n;
        }
}

void hasher_finish(Hasher *h, Digests *ret)
{
        assert(h);
        assert(!h->finished);
        assert(ret);

        (void)SHA256_Final(ret->sha256, &h->sha256);
        (void)SHA384_Final(ret->sha384, &h->sha384);
        (void)SHA512_Final(ret->sha512, &h->sha512);
        ret->have_sha384 = true;
        ret->have_sha512 = true;
        h->finished = true;
}
