/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The two kinds of URI that a policy has: of sources and builders, compared byte by byte and never opened;
 * and of private keys in a token (RFC 7512).
 */
#include <stdbool.h>
#include <stddef.h>

/* The shape of RFC 3986: a scheme, a colon, and 1.. of its characters; at most LIMIT_URI_SIZE bytes in all.
 */
bool uri_is_valid(const char *text, size_t size);

/*
 * Why this is not the RFC 7512 URI of one private key, as a static string, or NULL if it is: path attributes
 * of the standard, each at most once, `object` or `id` among them, `type` not other than "private"; and no
 * query, since PIN and module are the host's business and would end up in the journal.
 */
const char *uri_private_key_fault(const char *text, size_t size);
