/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto-internal.h"

#define DER_INTEGER   0x02
#define DER_SEQUENCE  0x30
#define DER_LONG_FORM 0x81 /* the length is in one byte that follows */

size_t ecdsa_half_size(KeyType type)
{
        assert(type == KEY_ECDSA_P256 || type == KEY_ECDSA_P384);

        return type == KEY_ECDSA_P256 ? 32 : 48;
}

/* X.690 8.3.2: the shortest form, with a zero in front of a set top bit; returns the size, 0 for zero. */
static size_t integer_encode(uint8_t *out, const uint8_t *n, size_t size)
{
        size_t sign;

        while (size > 0 && n[0] == 0) {
                n++;
                size--;
        }
        if (size == 0)
                return 0;

        sign = n[0] >> 7;
        out[0] = DER_INTEGER;
        out[1] = (uint8_t)(size + sign);
        out[2] = 0;
        memcpy(out + 2 + sign, n, size);
        return 2 + sign + size;
}

size_t ecdsa_encode(uint8_t ret[static ECDSA_DER_MAX], const uint8_t *p1363, size_t half)
{
        uint8_t body[ECDSA_DER_MAX];
        size_t r_size, s_size, n = 0;

        assert(ret);
        assert(p1363);
        assert(half <= ECDSA_HALF_MAX);

        r_size = integer_encode(body, p1363, half);
        s_size = integer_encode(body + r_size, p1363 + half, half);
        if (r_size == 0 || s_size == 0)
                return 0;

        ret[n++] = DER_SEQUENCE;
        if (r_size + s_size > 127)
                ret[n++] = DER_LONG_FORM;
        ret[n++] = (uint8_t)(r_size + s_size);
        memcpy(ret + n, body, r_size + s_size);
        return n + r_size + s_size;
}

/* Takes one INTEGER from *p into `size` bytes.  Lax on purpose: the caller encodes again and compares. */
static bool integer_decode(uint8_t *ret, size_t size, Blob *p)
{
        const uint8_t *n;
        size_t n_size;

        if (p->size < 2 || p->data[1] > p->size - 2)
                return false;
        n = p->data + 2;
        n_size = p->data[1];
        *p = BLOB(n + n_size, p->size - 2 - n_size);

        while (n_size > size && n[0] == 0) {
                n++;
                n_size--;
        }
        if (n_size > size)
                return false;
        memset(ret, 0, size - n_size);
        memcpy(ret + size - n_size, n, n_size);
        return true;
}

bool ecdsa_decode(uint8_t *ret_p1363, size_t half, Blob der)
{
        uint8_t canonical[ECDSA_DER_MAX];
        size_t header;
        Blob body;

        assert(ret_p1363);
        assert(half <= ECDSA_HALF_MAX);

        if (der.size < 3)
                return false;
        header = der.data[1] == DER_LONG_FORM ? 3 : 2;
        body = BLOB(der.data + header, der.size - header);
        if (!integer_decode(ret_p1363, half, &body) || !integer_decode(ret_p1363 + half, half, &body))
                return false;

        return blob_equal(der, BLOB(canonical, ecdsa_encode(canonical, ret_p1363, half)));
}

int ecdsa_p1363_to_der(Buffer *out, Blob p1363)
{
        uint8_t der[ECDSA_DER_MAX];
        size_t size;

        assert(out);

        if (p1363.size % 2 != 0 || p1363.size == 0 || p1363.size > 2 * ECDSA_HALF_MAX)
                return CRYPTO_E_SIGNATURE;
        size = ecdsa_encode(der, p1363.data, p1363.size / 2);
        if (size == 0)
                return CRYPTO_E_SIGNATURE;
        return error_fold(buffer_append(out, der, size));
}
