/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Whole files, bounded and durable.
 */
#include <stdbool.h>
#include <sys/types.h>

#include "base/bytes.h"

int close_fd(int fd); /* closes unless -1; returns -1; keeps errno */
static inline void close_fdp(int *fd)
{
        *fd = close_fd(*fd);
}

enum {
        _FILE_E_SUCCESS,
        FILE_E_MISSING,   /* no such file */
        FILE_E_TYPE,      /* not a regular file */
        FILE_E_TOO_LARGE, /* more than `max` bytes */
        FILE_E_DIFFERENT, /* file_put_immutable(): it exists with other content */
};

/* Appends the whole content of a regular file (O_NOFOLLOW is not set: configuration may be a link). */
_must_use_ int file_read(Buffer *out, const char *path, size_t max);
/* The same from an open fd by pread() from offset 0; the fd's position does not matter. */
_must_use_ int file_read_fd(Buffer *out, int fd, size_t max);

/*
 * Replace `name` in the directory `dir_fd` atomically: temporary file, write, [fsync], rename, [fsync
 * directory]. A reader sees the old or the new content whole.  With `durable` false nothing is synced.
 */
_must_use_ int file_replace(int dir_fd, const char *name, Blob content, mode_t mode, bool durable);

/* Write a file that never changes.  FILE_E_DIFFERENT if it is there with other bytes; fine if it is there
 * with these. */
_must_use_ int file_put_immutable(int dir_fd, const char *name, Blob content, bool durable);

/* mkdir -p below dir_fd for the folders of `path` (all but its last element).  */
_must_use_ int file_make_parents(int dir_fd, const char *path, mode_t mode);

/* Write all bytes to an fd (stdout, a pipe), retrying short writes. */
_must_use_ int file_write_all(int fd, const void *data, size_t size);
