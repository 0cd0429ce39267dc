/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Members of a reply that are only shown: where one is missing or of another type, a fallback is shown.
 * Objects may be NULL, so that members of members can be asked for in one expression.
 */
#include <stdbool.h>

#include "base/sjson.h"

const char *member_string(const SJson *object, const char *name, const char *fallback);
uint64_t member_u64(const SJson *object, const char *name, uint64_t fallback);
double member_number(const SJson *object, const char *name, double fallback);
bool member_bool(const SJson *object, const char *name, bool fallback);
const SJson *member_object(const SJson *object, const char *name); /* or NULL */
const SJson *member_array(const SJson *object, const char *name);  /* or NULL */
bool member_exists(const SJson *object, const char *name);
