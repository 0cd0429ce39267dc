/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The artifacts of the load: number i has always the same name and content, so that who attests it and who
 * has it signed need to agree on numbers only.  4 KiB: a small update of a detection database.
 */
#include "base/crypto.h"

#define ARTIFACT_SIZE      4096
#define ARTIFACT_NAME_SIZE 24

void artifact_name(char ret[static ARTIFACT_NAME_SIZE], uint32_t i);
void artifact_content(uint8_t ret[static ARTIFACT_SIZE], uint32_t i);
void artifact_sha256(uint8_t ret[static SHA256_SIZE], uint32_t i);
