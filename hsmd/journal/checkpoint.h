/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * C2SP tlog-checkpoint: origin, size, root; ours never have extension lines, and one that has is refused.
 */
#include "journal/note.h"
#include "journal/tree.h"

typedef struct Checkpoint {
        char origin[LIMIT_ORIGIN_SIZE + 1];
        uint64_t size;
        TreeHash root;
} Checkpoint;

enum {
        _CHECKPOINT_E_SUCCESS,
        CHECKPOINT_E_SYNTAX,    /* not exactly three lines in canonical form */
        CHECKPOINT_E_ORIGIN,    /* of another log than asked for (pitfall 6) */
        CHECKPOINT_E_SIGNATURE, /* not signed by the log key, or a known line fails */
};

/* Appends the note text (three lines): what the log key signs. */
_must_use_ int checkpoint_write(const Checkpoint *c, Buffer *out);
/* Parses note text. */
_must_use_ int checkpoint_decode(Checkpoint *ret, Blob text);
/* Decode a signed note, require `log`'s valid signature, and origin == log->name. */
_must_use_ int checkpoint_verify(Checkpoint *ret, Blob note, NoteVerifier *log);
/* Appends text, empty line and the log's signature line. */
_must_use_ int checkpoint_write_note(const Checkpoint *c, const NoteVerifier *log, Blob signature,
                                     Buffer *out);
