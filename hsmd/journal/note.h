/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * C2SP signed-note: text, signature lines, verifier keys.  Types 0x01 (Ed25519) are verified here; 0x04
 * (timestamped cosignature) keys parse and get their id; lines of any other key are ignored as the
 * specification demands.
 */
#include "base/crypto.h"
#include "base/limits.h"

#define NOTE_TYPE_ED25519     0x01
#define NOTE_TYPE_COSIGNATURE 0x04

enum {
        _NOTE_E_SUCCESS,
        NOTE_E_SYNTAX,    /* not a note, not a vkey, not a key name */
        NOTE_E_SIGNATURE, /* a line of a known key does not verify: the whole note is refused */
        NOTE_E_UNSIGNED,  /* no line of a known key */
};

/* "<name>+<id>+<base64(type || key)>" */
typedef struct NoteVerifier {
        char name[LIMIT_ORIGIN_SIZE + 1];
        uint8_t type;
        uint32_t id;
        PublicKey *key;
} NoteVerifier;

/* Non-empty, at most 255 bytes, valid UTF-8 without Unicode space or control, no '+'. */
bool note_name_valid(const char *name, size_t size);
/* Key ID = SHA-256(name || 0x0A || type || key)[:4] */
uint32_t note_key_id(const char *name, uint8_t type, const uint8_t key[static 32]);

/* NOTE_E_SYNTAX also when the id does not match, the key is weak, or the type is not one of the two above.
 */
_must_use_ int note_verifier_parse(NoteVerifier *ret, const char *vkey, size_t size);
void note_verifier_deinit(NoteVerifier *v);
/* Appends the vkey text, without newline. */
_must_use_ int note_verifier_write(const char *name, uint8_t type, const uint8_t key[static 32],
                                   Buffer *out);

typedef struct Note {
        Blob text; /* including its final newline; points into what was decoded */
        size_t n_signatures;
        struct NoteSignature {
                Blob name;
                uint32_t id;
                Blob body; /* decoded signature without the id; points into `store` */
        } signatures[LIMIT_NOTE_SIGNATURES];
        Buffer store;
} Note;

/* Strict split at the last empty line; at most LIMIT_NOTE_SIZE and LIMIT_NOTE_SIGNATURES.  Note is
 * initialised always. */
_must_use_ int note_decode(Note *ret, Blob note);
void note_deinit(Note *n);

/*
 * Verify all lines of the known Ed25519 (0x01) verifiers.  NOTE_E_SIGNATURE if any of them fails,
 * NOTE_E_UNSIGNED if there is none.  ret_verified, if not NULL: bit i for verifiers[i] (at most 64).
 */
_must_use_ int note_verify(const Note *n, NoteVerifier *verifiers, size_t n_verifiers,
                           uint64_t *ret_verified);

/* Appends one signature line "— name base64(id || signature)\n". */
_must_use_ int note_write_signature(const char *name, uint32_t id, Blob signature, Buffer *out);
