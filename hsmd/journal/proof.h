/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * C2SP tlog-proof v1 (".tlog-proof"): extra (our entry), index, inclusion path, checkpoint.
 */
#include "journal/checkpoint.h"

typedef struct Proof {
        uint64_t index;
        size_t n_hashes;
        TreeHash hashes[LIMIT_PROOF_HASHES];
        Buffer extra;    /* decoded: the entry; untrusted until proof_verify() */
        Blob checkpoint; /* the note, verbatim; points into what was decoded */
} Proof;

enum {
        _PROOF_E_SUCCESS,
        PROOF_E_SYNTAX,     /* not a canonical tlog-proof v1 */
        PROOF_E_CHECKPOINT, /* the checkpoint is not one of this log, or is not signed by it */
        PROOF_E_INCLUSION,  /* the entry is not in the tree of the checkpoint */
};

_must_use_ int proof_write(uint64_t index, const TreeHash *hashes, size_t n_hashes, Blob extra,
                           Blob checkpoint, Buffer *out);
/* Always initialises *ret; proof_deinit() it. */
_must_use_ int proof_decode(Proof *ret, Blob file);
void proof_deinit(Proof *p);
/* Verify checkpoint and inclusion of `extra` as the entry.  ret_checkpoint may be NULL. */
_must_use_ int proof_verify(const Proof *p, NoteVerifier *log, Checkpoint *ret_checkpoint);
