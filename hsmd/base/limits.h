/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Every bound in the program, with its reason.  Configuration may lower some of them, never raise one.
 */

/* Journal entry, in bytes: one compact JSON object; bigger things are referred to by hash (JOURNAL.md). */
#define LIMIT_ENTRY_SIZE (8 * 1024)
/* Origin of a log and name of a note key: struct fields of C2SP cosignatures are one length byte. */
#define LIMIT_ORIGIN_SIZE 255
/* Signed note: room for a checkpoint with 16 post-quantum signatures of "nearly 5kB" (signed-note). */
#define LIMIT_NOTE_SIZE (128 * 1024)
/* Signature lines in a note: signed-note demands at least 16. */
#define LIMIT_NOTE_SIGNATURES 64
/* Elements of an inclusion or consistency proof: the height of a tree of 2^63 leaves. */
#define LIMIT_PROOF_HASHES 63
/* A .tlog-proof file as a whole. */
#define LIMIT_PROOF_SIZE (64 * 1024)

/* An attestation as handed in: a DSSE envelope (attestations reference 6.3, step 3). */
#define LIMIT_ATTESTATION_SIZE (1024 * 1024)
/* The decoded payload of an envelope (step 5). */
#define LIMIT_STATEMENT_SIZE (768 * 1024)
/* Signatures in one envelope (step 6). */
#define LIMIT_ENVELOPE_SIGNATURES 16
/* Subjects of one statement (step 10): a batch of database updates needs one attestation per rebuilder. */
#define LIMIT_SUBJECTS 256
/* Algorithms in one digest set (step 10). */
#define LIMIT_DIGESTS 16
/* Name of a subject or artifact, in bytes: it has to fit an entry together with all else. */
#define LIMIT_ARTIFACT_NAME 255
/* URI of a source. */
#define LIMIT_URI_SIZE 512
/* Attestations looked at for one artifact. */
#define LIMIT_EVIDENCE 64
/* Nesting of any JSON that comes from outside. */
#define LIMIT_JSON_DEPTH 32

/* Policy document and configuration file, and one line of them. */
#define LIMIT_POLICY_SIZE (1024 * 1024)
#define LIMIT_LINE_SIZE   4096
#define LIMIT_LINE_WORDS  64
/* Named things of one kind in a policy (organisations, rebuilders, keys, requesters, releases). */
#define LIMIT_POLICY_NAMES 256
/* Length of a name in a policy, and so of anything that refers to one. */
#define LIMIT_NAME_SIZE 64
/* A public key as SubjectPublicKeyInfo: RSA-8192 needs about 1 KiB. */
#define LIMIT_SPKI_SIZE 2048
/* A signature as a token returns it: RSA-8192. */
#define LIMIT_SIGNATURE_SIZE 1024

/* One frame between hsmd and hsmd-token; both ends use stack or static buffers of this size. */
#define LIMIT_TOKEN_FRAME (32 * 1024)
/* Operations in one sign frame. */
#define LIMIT_TOKEN_BATCH 16
/* Keys opened on one worker connection. */
#define LIMIT_TOKEN_KEYS 64
/* What is signed inline: a digest, a DigestInfo, or a checkpoint. */
#define LIMIT_TOKEN_MESSAGE 1024
/* Content that PureEdDSA has to see whole; it travels as a sealed memfd. */
#define LIMIT_CONTENT_SIZE (16 * 1024 * 1024)
/* Copies of such content that wait to be signed, of one uid and in all. */
#define LIMIT_CONTENT_PER_UID (2 * LIMIT_CONTENT_SIZE)
#define LIMIT_CONTENT_TOTAL   (8 * LIMIT_CONTENT_SIZE)
/* Workers, each a process with one session: more than any HSM gains from. */
#define LIMIT_WORKERS 32

/* One Varlink message from a peer (DESIGN: 1 MiB). */
#define LIMIT_MESSAGE_SIZE (1024 * 1024)
/* Artifacts in one request. */
#define LIMIT_ARTIFACTS 1024
/* Connections in all, and of one uid. */
#define LIMIT_PEERS         512
#define LIMIT_PEERS_PER_UID 64
/* Bytes of one uid that hsmd holds in input and output buffers. */
#define LIMIT_BYTES_PER_UID (32 * 1024 * 1024)
/* File descriptors of one uid that hsmd holds. */
#define LIMIT_FDS_PER_UID 2048
/* Artifacts under way, in all and of one uid: the fixed pool of the request path. */
#define LIMIT_JOBS         8192
#define LIMIT_JOBS_PER_UID 4096
/* Entries committed at once: bounds the time that one commit blocks the loop. */
#define LIMIT_COMMIT_BATCH 512
