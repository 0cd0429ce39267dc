/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "artifact.h"

void artifact_name(char ret[static ARTIFACT_NAME_SIZE], uint32_t i)
{
        int n;

        n = snprintf(ret, ARTIFACT_NAME_SIZE, "update-%010u.bin", i);
        assert(n > 0);
        assert(n < ARTIFACT_NAME_SIZE);
}

void artifact_content(uint8_t ret[static ARTIFACT_SIZE], uint32_t i)
{
        memset(ret, 0x5a, ARTIFACT_SIZE);
        put_u32(ret, i);
}

void artifact_sha256(uint8_t ret[static SHA256_SIZE], uint32_t i)
{
        uint8_t content[ARTIFACT_SIZE];

        artifact_content(content, i);
        sha256(ret, content, sizeof(content));
}
