/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The trust file of a customer: which log and which keys to believe.  Grammar: hsmd/journal/JOURNAL.md.
 *
 *         hsmd-trust 1
 *         log VKEY
 *         key NAME algorithm ALGORITHM spki BASE64 formats FORMAT...
 */
#include "journal/note.h"
#include "policy/policy.h"

typedef struct TrustKey {
        char *name;
        KeyType type;
        PublicKey *public_key;
        uint32_t formats; /* bit (1 << SignatureFormat) */
} TrustKey;

typedef struct Trust {
        NoteVerifier log;
        size_t n_keys;
        TrustKey keys[LIMIT_POLICY_NAMES];
} Trust;

enum {
        _TRUST_E_SUCCESS,
        TRUST_E_INVALID, /* *ret_fault says where and why */
};

/* Reads a whole file.  Exactly one log, at least one key; names and keys are unique.  TRUST_E_INVALID,
 * -ENOMEM. */
_must_use_ int trust_parse(Trust **ret, Blob file, PolicyFault *ret_fault);
Trust *trust_free(Trust *t);
DEFINE_CLEANUP(Trust *, trust_free)

/* Index, or SIZE_MAX. */
size_t trust_find_key(const Trust *t, const char *name);

/* Appends the trust file that says of log and keys what the policy says. */
_must_use_ int trust_write(const Policy *policy, Buffer *out);
