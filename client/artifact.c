/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"

#include "client/artifact.h"

#define READ_SIZE (256 * 1024)

const char *artifact_name(const char *path)
{
        const char *slash;

        assert(path);

        slash = strrchr(path, '/');
        return slash ? slash + 1 : path;
}

int artifact_open(int *ret_fd, const char *path)
{
        _cleanup_(close_fdp) int fd = -1;
        struct stat st;

        assert(ret_fd);
        assert(path);

        /* Without O_NONBLOCK the open of a FIFO would wait for a writer. */
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0)
                return error_origin(-errno);
        if (fstat(fd, &st) < 0)
                return error_origin(-errno);
        if (!S_ISREG(st.st_mode))
                return ARTIFACT_E_TYPE;

        *ret_fd = TAKE_FD(fd);
        return 0;
}

int artifact_hash(int fd, Digests *ret, uint64_t *ret_size)
{
        _cleanup_(hasher_freep) Hasher *hasher = NULL;
        _cleanup_(freep) uint8_t *piece = NULL;
        uint64_t done = 0;
        ssize_t n;
        int r;

        assert(fd >= 0);
        assert(ret);

        r = hasher_new(&hasher);
        if (r == 0)
                r = memory_new((void **)&piece, 1, READ_SIZE);
        if (r)
                return error_fold(r);
        while ((n = pread(fd, piece, READ_SIZE, (off_t)done)) != 0) {
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return error_origin(-errno);
                hasher_update(hasher, piece, (size_t)n);
                done += (uint64_t)n;
        }

        hasher_finish(hasher, ret);
        if (ret_size)
                *ret_size = done;
        return 0;
}

const char *artifact_strerror(int r)
{
        assert(r != 0);

        return r == ARTIFACT_E_TYPE ? "not a regular file" : strerror(r < 0 ? -r : ENOTRECOVERABLE);
}

int artifact_write(const char *path, const char *suffix, Blob content)
{
        _cleanup_(freep) char *name = NULL;
        int r;

        r = string_printf(&name, "%s%s", path, suffix);
        if (r)
                return error_fold(r);
        return error_fold(file_replace(AT_FDCWD, name, content, 0644, false));
}
