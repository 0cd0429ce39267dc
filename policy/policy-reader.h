/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Reading a policy document, statement by statement, into a Policy.
 *
 * Faults are noted and reading goes on, so that an officer sees all of them at once; what is half-read stays
 * in the Policy with NULL or SIZE_MAX in it, which policy_parse() throws away when there was a fault.  Only
 * memory can run out: `error` is sticky, and after it every reader does nothing.
 */
#include "base/lines.h"
#include "policy/policy-fault.h"
#include "policy/policy.h"

#define POLICY_RELEASE_SOURCES   8
#define POLICY_RELEASE_ORG_RULES 8
#define POLICY_SERIAL_MAX        ((uint64_t)INT64_MAX)

/* Where something stands, for faults that show only once the whole document has been read. */
typedef struct PolicyPlace {
        unsigned line, column;
} PolicyPlace;

/* A key or URI that may not be used for anything else. */
typedef struct PolicyClaim {
        uint8_t key[SHA256_SIZE];
        const char *uri; /* NULL: the claim is on the key */
        unsigned line;
} PolicyClaim;

typedef struct PolicyOrgMention { /* in a rule of a release */
        PolicyPlace place;
        size_t org;
} PolicyOrgMention;

typedef struct PolicyClassMention { /* a class rule */
        PolicyPlace place;
        size_t release, rule;
} PolicyClassMention;

/* Statements that may stand at most once, in the document or in a release. */
typedef enum PolicySingle {
        SINGLE_VERSION,
        SINGLE_SERIAL,
        SINGLE_PREVIOUS,
        SINGLE_EFFECTIVE,
        SINGLE_EXPIRES,
        SINGLE_LOG,
        SINGLE_ALLOW,
        SINGLE_KEYS, /* from here on: of the release that is open */
        SINGLE_REQUESTERS,
        SINGLE_DISSENT,
        _SINGLE_MAX,
        SINGLE_NONE = _SINGLE_MAX,
} PolicySingle;

typedef enum PolicyKind {
        KIND_SITE,
        KIND_ORG,
        KIND_REBUILDER,
        KIND_KEY,
        KIND_REQUESTER,
        KIND_RELEASE,
        _KIND_MAX,
        KIND_NONE = _KIND_MAX,
} PolicyKind;

typedef struct PolicyReader {
        Policy *policy;
        PolicyFaults *faults;
        int error;                        /* sticky: 0 or -ENOMEM */
        Line line;                        /* that is being read */
        PolicyPlace singles[_SINGLE_MAX]; /* line 0: not seen yet */
        bool in_release;
        PolicyPlace *release_places; /* as many as releases */
        size_t n_release_places;
        size_t n_claims, n_org_mentions, n_class_mentions;
        PolicyClaim *claims;
        PolicyOrgMention *org_mentions;
        PolicyClassMention *class_mentions;
} PolicyReader;

/* Reads and checks all of `document` into an empty `policy`; sorts the faults.  -ENOMEM. */
_must_use_ int policy_read(Policy *policy, Blob document, PolicyFaults *faults);

/* Note a fault at word `i` of the line that is being read; i == n_words means just past its end. */
_printf_(3, 4) void policy_reader_fault(PolicyReader *r, size_t i, const char *format, ...);
PolicyPlace policy_reader_place(const PolicyReader *r, size_t i);

/* Room for one more item behind `*n` of them, zeroed; counts it and returns it.  NULL and the sticky error
 * else. */
void *policy_reader_grow(PolicyReader *r, void **items, size_t *n, size_t size);
#define policy_reader_add(_r, _items, _n)                                                                   \
        ((__typeof__(*(_items)))policy_reader_grow((_r), (void **)(_items), (_n), sizeof(**(_items))))

/*
 * A new item of this kind, named by word 1.  A name that is no name or taken already is a fault, and the
 * item has none then.  NULL when there are LIMIT_POLICY_NAMES of them (a fault) or memory ran out.
 */
void *policy_reader_define(PolicyReader *r, PolicyKind kind);
const char *policy_kind_to_string(PolicyKind kind);
size_t policy_kind_count(const Policy *p, PolicyKind kind);
/* Index of the item with this name, or SIZE_MAX. */
size_t policy_kind_find(const Policy *p, PolicyKind kind, Blob name);

/* The release that is open; only while one is. */
PolicyRelease *policy_reader_release(PolicyReader *r);

/* ---- policy-statement.c: what stands outside releases ---- */

void policy_statement_version(PolicyReader *r);
void policy_statement_serial(PolicyReader *r);
void policy_statement_previous(PolicyReader *r);
void policy_statement_effective(PolicyReader *r);
void policy_statement_expires(PolicyReader *r);
void policy_statement_allow(PolicyReader *r);
void policy_statement_log(PolicyReader *r);
void policy_statement_site(PolicyReader *r);
void policy_statement_org(PolicyReader *r);
void policy_statement_rebuilder(PolicyReader *r);
void policy_statement_key(PolicyReader *r);
void policy_statement_requester(PolicyReader *r);

/* ---- policy-release.c: a release and what stands in it ---- */

void policy_release_begin(PolicyReader *r);
void policy_release_end(PolicyReader *r);
/* If a release is open, that is a fault, and it ends here. */
void policy_release_abandon(PolicyReader *r);
void policy_release_keys(PolicyReader *r);
void policy_release_requesters(PolicyReader *r);
void policy_release_source(PolicyReader *r);
void policy_release_require(PolicyReader *r);
void policy_release_dissent(PolicyReader *r);

/* ---- policy-check.c: what shows only in the document as a whole ---- */

void policy_check(PolicyReader *r);
