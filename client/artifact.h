/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Files to be signed, attested or verified, as the user names them.
 */
#include "base/bytes.h"
#include "base/crypto.h"

enum {
        _ARTIFACT_E_SUCCESS,
        ARTIFACT_E_TYPE, /* not a regular file */
};

/* The last element of a path: the name under which a file is signed. */
const char *artifact_name(const char *path);

/* Opens for reading.  ARTIFACT_E_TYPE, or -errno as open() had it. */
_must_use_ int artifact_open(int *ret_fd, const char *path);

/* Digests and size of all that is in it, whatever the position of the descriptor. */
_must_use_ int artifact_hash(int fd, Digests *ret, uint64_t *ret_size);

/* What went wrong, for a person, from the result of one of the two above. */
const char *artifact_strerror(int r);

/* Replaces PATH + SUFFIX, whole or not at all.  Errors are -errno. */
_must_use_ int artifact_write(const char *path, const char *suffix, Blob content);
