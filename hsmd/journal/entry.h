/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Journal entries: their one form, written and read (JOURNAL.md).  One compact JSON object, at most
 * LIMIT_ENTRY_SIZE, first member "type", second "time".  Pure.
 */
#include "base/bytes.h"
#include "base/crypto.h"
#include "base/sjson.h"

#define ENTRY_GENESIS     "hsmd/genesis@v1"
#define ENTRY_ATTESTATION "hsmd/attestation@v1"
#define ENTRY_SIGNATURE   "hsmd/signature@v1"
#define ENTRY_ABANDONED   "hsmd/abandoned@v1"
#define ENTRY_REFUSAL     "hsmd/refusal@v1"

typedef struct EntryVote {
        const uint8_t *attestation; /* id, 32 bytes */
        const char *org;
} EntryVote;

/* What an intent, and so a signature or abandoned entry, commits to. */
typedef struct EntryRequest {
        uint64_t intent;
        uint64_t requested_usec;
        const char *site;
        const char *requester; /* name in the policy */
        uint32_t uid;
        const char *release;
        const char *artifact_name;
        bool has_size; /* false if only a digest was handed in */
        uint64_t artifact_size;
        const uint8_t *artifact_sha256;
        const char *source_uri, *source_git_commit;
        const uint8_t *source_sha256;
        size_t n_votes;
        const EntryVote *votes;
        uint64_t policy_serial;
        const uint8_t *policy_sha256;
        const char *key;
        const uint8_t *key_id; /* SHA-256 of the SPKI */
        const char *format;
} EntryRequest;

/*
 * Members (without braces) shared by the intent and by the entry that ends it:
 *   "intent":N,"requested":T,"site":S,"requester":{"name":S,"uid":N},"release":S,
 *   "artifact":{"name":S,["size":N,]"sha256":H},"source":{"uri":S,"gitCommit":H,"sha256":H},
 *   "attestations":[{"id":H,"org":S}...],"policy":{"serial":N,"sha256":H},"key":{"name":S,"spki_sha256":H},"format":S
 * Appends to `out`; this is the content of an intent row.
 */
_must_use_ int entry_write_request(const EntryRequest *r, Buffer *out);
/* {"type":"hsmd/signature@v1","time":T,<members>,"signature_sha256":H} */
_must_use_ int entry_write_signature(uint64_t time_usec, Blob request_members,
                                     const uint8_t signature_sha256[static 32], Buffer *out);
/* {"type":"hsmd/abandoned@v1","time":T,<members>,"reason":S} */
_must_use_ int entry_write_abandoned(uint64_t time_usec, Blob request_members, const char *reason,
                                     Buffer *out);

typedef struct EntryGenesis {
        uint64_t time_usec;
        const char *origin, *site;
        uint64_t policy_serial;
        const uint8_t *policy_sha256;
} EntryGenesis;
/* {"type":"hsmd/genesis@v1","time":T,"origin":S,"site":S,"policy":{"serial":N,"sha256":H}} */
_must_use_ int entry_write_genesis(const EntryGenesis *g, Buffer *out);

typedef struct EntryAttestation {
        uint64_t time_usec;
        const char *site;
        uint32_t uid; /* who handed it in */
        const uint8_t *id;
        uint64_t size;
        const char *release;
        const char *source_uri, *source_git_commit;
        const uint8_t *source_sha256;
        size_t n_signers;
        const char *const *rebuilders; /* n_signers each */
        const char *const *orgs;
        size_t n_subjects;
        const char *first_name; /* of the first subject */
        const uint8_t *first_sha256;
        size_t n_contradicts; /* at most 16 are named */
        const uint8_t *const *contradicts;
        uint64_t policy_serial;
        const uint8_t *policy_sha256;
} EntryAttestation;
/*
 * {"type":"hsmd/attestation@v1","time":T,"site":S,"submitter":{"uid":N},"attestation":{"id":H,"size":N},"release":S,
 *  "source":{...},"signers":[{"rebuilder":S,"org":S}...],"subjects":{"n":N,"first":{"name":S,"sha256":H}},
 *  ["contradicts":[H...],]"policy":{"serial":N,"sha256":H}}
 */
_must_use_ int entry_write_attestation(const EntryAttestation *a, Buffer *out);

typedef struct EntryRefusal {
        uint64_t time_usec, first_usec; /* of the last and the first refusal counted here */
        uint64_t count;
        const char *site;
        uint32_t uid;
        const char *reason;
        /* of the first refusal; each may be NULL */
        const char *key, *release, *artifact_name;
        const uint8_t *artifact_sha256;
        uint64_t policy_serial;
        const uint8_t *policy_sha256;
} EntryRefusal;
/*
 * {"type":"hsmd/refusal@v1","time":T,"site":S,"requester":{"uid":N},"reason":S,"count":N,"first":T,["key":S,]["release":S,]
 *  ["artifact":{"name":S,["sha256":H]},]"policy":{"serial":N,"sha256":H}}
 */
_must_use_ int entry_write_refusal(const EntryRefusal *r, Buffer *out);

enum {
        _ENTRY_E_SUCCESS,
        ENTRY_E_SYNTAX, /* not an entry of a known form */
};

/* Reading: what a verifier and the indexes need of any entry.  Strings point into `document`. */
typedef struct Entry {
        SJson *document;
        const char *type;
        uint64_t time_usec;
        /* NULL / false where the type has none */
        const char *key, *format, *release, *artifact_name, *org_first;
        bool has_uid, has_artifact, has_key_id, has_signature, has_attestation, has_intent;
        uint32_t uid;
        uint64_t intent;
        uint8_t artifact_sha256[32], key_id[32], signature_sha256[32], attestation_id[32];
} Entry;

/* Always initialises *ret; entry_deinit() it.  ENTRY_E_SYNTAX, -ENOMEM. */
_must_use_ int entry_decode(Entry *ret, Blob entry);
void entry_deinit(Entry *e);
