/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify-bench: what hsmd's verification of its own signature costs, by the very function that it calls.
 *
 *     verify-bench SPKI.der SCHEME DIGEST SIGNATURE COUNT      prints microseconds of CPU for one
 *
 * SCHEME is ecdsa-der or rsa-pkcs1; DIGEST and SIGNATURE are files.
 */
#include <stdio.h>

#include "base/crypto.h"
#include "base/error.h"
#include "base/file.h"
#include "samples.h"

static int measure(PublicKey *key, SignatureScheme scheme, Blob digest, Blob signature, unsigned long count)
{
        uint64_t start = samples_clock(CLOCK_PROCESS_CPUTIME_ID);

        for (unsigned long i = 0; i < count; i++) {
                int r = public_key_verify(key, scheme, digest, signature);

                if (r)
                        return error_fold(r);
        }
        (void)printf("%.2f\n",
                     (double)(samples_clock(CLOCK_PROCESS_CPUTIME_ID) - start) / 1e3 / (double)count);
        return 0;
}

int main(int argc, char *argv[])
{
        Buffer spki = BUFFER_NULL, digest = BUFFER_NULL, signature = BUFFER_NULL;
        _cleanup_(public_key_freep) PublicKey *key = NULL;
        unsigned long count;
        SignatureScheme scheme;
        int r;

        if (argc != 6) {
                (void)fprintf(stderr,
                              "usage: verify-bench SPKI.der ecdsa-der|rsa-pkcs1 DIGEST SIGNATURE COUNT\n");
                return 2;
        }
        scheme = strcmp(argv[2], "rsa-pkcs1") == 0 ? SCHEME_RSA_PKCS1_SHA256 : SCHEME_ECDSA_DER;
        count = strtoul(argv[5], NULL, 10);
        r = file_read(&spki, argv[1], 4096);
        if (!r)
                r = file_read(&digest, argv[3], SHA256_SIZE);
        if (!r)
                r = file_read(&signature, argv[4], 4096);
        if (!r)
                r = public_key_new_spki(&key, buffer_blob(&spki));
        if (!r)
                r = measure(key, scheme, buffer_blob(&digest), buffer_blob(&signature),
                            count > 0 ? count : 1);
        buffer_deinit(&spki);
        buffer_deinit(&digest);
        buffer_deinit(&signature);
        return r ? EXIT_FAILURE : EXIT_SUCCESS;
}
