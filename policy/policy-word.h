/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The words of a policy statement and what they mean.  Each reads word `i` of the current line: true and the
 * value, or false and a fault noted at that word (or the reader's sticky error set), and nothing written.
 */
#include "policy/policy-reader.h"

/* A fixed word; for the eye of who reads the fault, `text` is what should stand there. */
bool policy_word_is(PolicyReader *r, size_t i, const char *text);
bool policy_word_decimal(PolicyReader *r, size_t i, uint64_t min, uint64_t max, uint64_t *ret);
bool policy_word_time(PolicyReader *r, size_t i, uint64_t *ret_usec);
bool policy_word_class(PolicyReader *r, size_t i, OrgClass *ret);
bool policy_word_key_type(PolicyReader *r, size_t i, KeyType *ret);
/* The name of something that was defined further up. */
bool policy_word_reference(PolicyReader *r, size_t i, PolicyKind kind, size_t *ret);
/* Words first .. end - 1, each such a name, none twice; caller frees.  False if one is not. */
bool policy_word_references(PolicyReader *r, size_t first, size_t end, PolicyKind kind, size_t **ret,
                            size_t *ret_n);
/* Caller frees. */
bool policy_word_copy(PolicyReader *r, size_t i, char **ret);
bool policy_word_uri(PolicyReader *r, size_t i, char **ret);
/* The URI of a private key; no other may be it.  The text is written even if another claims it already. */
bool policy_word_private_key(PolicyReader *r, size_t i, char **ret);
/* "ed25519:HEX", "ecdsa-p256-der:HEX" or "ecdsa-p256-p1363:HEX"; no other key may be it. */
bool policy_word_public_key(PolicyReader *r, size_t i, PublicKey **ret, SignatureScheme *ret_scheme);
/* A SubjectPublicKeyInfo of this type in base64; no other key may be it. */
bool policy_word_spki(PolicyReader *r, size_t i, KeyType type, PublicKey **ret);
