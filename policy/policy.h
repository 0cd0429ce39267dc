/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The policy document: what may be signed, for whom, on whose word.  Grammar: POLICY.md.
 *
 * Pure: a policy is made from bytes and never changes.  Every reference between its parts is an index into
 * the arrays below, checked at load; so is everything else that can be checked without a clock or a token.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/limits.h"

/* What goes out.  The raw formats are the bare signature, verifiable with openssl alone. */
typedef enum SignatureFormat {
        FORMAT_RAW_ECDSA,            /* "raw-ecdsa": DER, over SHA-256 (P-256) or SHA-384 (P-384) */
        FORMAT_RAW_RSA_PKCS1_SHA256, /* "raw-rsa-pkcs1-sha256" */
        FORMAT_RAW_RSA_PSS_SHA256,   /* "raw-rsa-pss-sha256": MGF1-SHA256, salt 32 */
        FORMAT_RAW_ED25519,          /* "raw-ed25519": over the content */
        _FORMAT_MAX,
        _FORMAT_INVALID = -1,
} SignatureFormat;

const char *signature_format_to_string(SignatureFormat f);
SignatureFormat signature_format_from_string(const char *text, size_t size); /* _FORMAT_INVALID */
bool signature_format_fits(SignatureFormat f, KeyType type);

typedef enum OrgClass {
        ORG_INTERNAL,
        ORG_THIRD_PARTY,
        _ORG_CLASS_MAX,
} OrgClass;

const char *org_class_to_string(OrgClass c); /* "internal", "third-party" */

typedef struct PolicySite {
        char *name;
        char country[3]; /* ISO 3166-1 alpha-2, upper case */
} PolicySite;

typedef struct PolicyOrg {
        char *name;
        OrgClass class;
} PolicyOrg;

typedef struct PolicyRebuilder {
        char *name;
        size_t org;
        PublicKey *key;
        SignatureScheme scheme; /* ED25519, ECDSA_DER or ECDSA_P1363: fixed per key, never detected */
        char *builder_id;
} PolicyRebuilder;

typedef struct PolicyKey {
        char *name;
        KeyType type;
        PublicKey *public_key; /* pinned: a signature counts only if it verifies under this */
        char *uri;             /* RFC 7512, of the private key in the token */
        uint32_t formats;      /* bit (1 << SignatureFormat) */
        size_t n_sites;        /* 0: every site of the policy */
        size_t *sites;
} PolicyKey;

typedef struct PolicyRequester {
        char *name;
        bool is_group;
        uint32_t id; /* uid or gid: numbers, since the policy has to mean the same on every host */
} PolicyRequester;

typedef struct PolicyOrgRule { /* require orgs K of ORG... */
        size_t k;
        size_t n_orgs;
        size_t *orgs;
} PolicyOrgRule;

typedef struct PolicyClassRule { /* require class CLASS K */
        OrgClass class;
        size_t k;
} PolicyClassRule;

typedef struct PolicyRelease {
        char *name;
        size_t n_keys, *keys;
        size_t n_requesters, *requesters;
        size_t n_sources;
        char **sources; /* URIs, compared byte by byte */
        size_t n_org_rules;
        PolicyOrgRule *org_rules; /* at least one; every one has to hold */
        size_t n_class_rules;
        PolicyClassRule *class_rules;
        bool dissent_denies; /* on-dissent deny (the default) or record */
} PolicyRelease;

typedef struct Policy {
        uint64_t serial;
        bool has_previous;
        uint8_t previous[SHA256_SIZE];
        uint64_t effective_usec, expires_usec;
        char *origin; /* of the log */
        PublicKey *log_key;
        char *log_uri; /* of the log's private key in the token */
        size_t n_sites, n_orgs, n_rebuilders, n_keys, n_requesters, n_releases;
        PolicySite *sites;
        PolicyOrg *orgs;
        PolicyRebuilder *rebuilders;
        PolicyKey *keys;
        PolicyRequester *requesters;
        PolicyRelease *releases;
        uint8_t sha256[SHA256_SIZE]; /* of the exact bytes */
        char *bytes;                 /* them, for whoever has to keep or show them; NUL-terminated */
        size_t size;
} Policy;

typedef struct PolicyFault {
        unsigned line, column; /* 1-based; line 0: the document as a whole */
        char text[240];
} PolicyFault;

typedef struct PolicyFaults {
        size_t n; /* at most 100 are kept; then the last says so */
        PolicyFault *items;
} PolicyFaults;

void policy_faults_deinit(PolicyFaults *f);

enum {
        _POLICY_E_SUCCESS,
        POLICY_E_INVALID, /* `faults` has every fault found, in order of line and column */
};

/* Parses and checks a whole document.  `faults` is always initialised; deinit it.  POLICY_E_INVALID,
 * -ENOMEM. */
_must_use_ int policy_parse(Policy **ret, Blob document, PolicyFaults *faults);
Policy *policy_free(Policy *p);
DEFINE_CLEANUP(Policy *, policy_free)

/* Index by name, or SIZE_MAX. */
size_t policy_find_key(const Policy *p, const char *name);
size_t policy_find_release(const Policy *p, const char *name);
size_t policy_find_site(const Policy *p, const char *name);
