/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hex.h"

#define TEMPORARY_PREFIX ".tmp-"
#define TEMPORARY_RANDOM 8
#define TEMPORARY_SIZE   (sizeof(TEMPORARY_PREFIX) + 2 * TEMPORARY_RANDOM)

int close_fd(int fd)
{
        int saved = errno;

        if (fd >= 0)
                (void)close(fd); /* nothing was written through it that fsync() had not reported */
        errno = saved;
        return -1;
}

/* FILE_E_TOO_LARGE, or an error, may leave part of the file behind the old end of `out`. */
static int file_append_fd(Buffer *out, int fd, size_t max, size_t expected)
{
        size_t done = 0;
        ssize_t n;
        int r;

        for (;;) {
                /* One byte more than expected: the read that finds the end also finds that the file grew. */
                r = buffer_reserve(out, expected > done ? expected - done + 1 : 4096);
                if (r)
                        return error_fold(r);
                n = pread(fd, out->data + out->size, out->capacity - out->size - 1, (off_t)done);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return error_origin(-errno);
                if (n == 0)
                        break;
                done += (size_t)n;
                out->size += (size_t)n;
                if (done > max)
                        return FILE_E_TOO_LARGE;
        }
        out->data[out->size] = 0;
        return 0;
}

int file_read_fd(Buffer *out, int fd, size_t max)
{
        size_t before;
        struct stat st;
        int r;

        assert(out);
        assert(fd >= 0);

        if (fstat(fd, &st) < 0)
                return error_origin(-errno);
        if (!S_ISREG(st.st_mode))
                return FILE_E_TYPE;
        if ((uintmax_t)st.st_size > max)
                return FILE_E_TOO_LARGE;

        before = out->size;
        r = file_append_fd(out, fd, max, (size_t)st.st_size);
        if (r != 0 && out->data) {
                out->size = before;
                out->data[before] = 0;
        }
        return r;
}

int file_read(Buffer *out, const char *path, size_t max)
{
        _cleanup_(close_fdp) int fd = -1;

        assert(path);

        /* Without O_NONBLOCK the open of a FIFO would wait for a writer. */
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0 && errno == ENOENT)
                return FILE_E_MISSING;
        if (fd < 0)
                return error_origin(-errno);
        return file_read_fd(out, fd, max);
}

int file_write_all(int fd, const void *data, size_t size)
{
        const uint8_t *p = data;

        assert(fd >= 0);
        assert(data || size == 0);

        while (size > 0) {
                ssize_t n = write(fd, p, size);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return error_origin(-errno);
                p += n;
                size -= (size_t)n;
        }
        return 0;
}

/* Opens the folder that `name` is in; *ret_base points into `name`. */
static int file_open_parent(int dir_fd, const char *name, int *ret_fd, const char **ret_base)
{
        _cleanup_(freep) char *parent = NULL;
        const char *slash = strrchr(name, '/');
        int fd, r;

        r = slash ? string_copy_n(&parent, name, (size_t)(slash - name) + 1) : string_copy(&parent, ".");
        if (r)
                return error_fold(r);
        fd = openat(dir_fd, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return error_origin(-errno);

        *ret_fd = fd;
        *ret_base = slash ? slash + 1 : name;
        return 0;
}

static int file_fill(int fd, Blob content, mode_t mode, bool durable)
{
        int r;

        r = file_write_all(fd, content.data, content.size);
        if (r)
                return error_fold(r);
        /* The umask has cut what open() was given. */
        if (fchmod(fd, mode) < 0)
                return error_origin(-errno);
        if (durable && fsync(fd) < 0)
                return error_origin(-errno);
        return 0;
}

/* A complete file under a new name in `dir_fd`. */
static int file_write_temporary(char ret[static TEMPORARY_SIZE], int dir_fd, Blob content, mode_t mode,
                                bool durable)
{
        _cleanup_(close_fdp) int fd = -1;
        uint8_t random[TEMPORARY_RANDOM];
        char name[TEMPORARY_SIZE] = TEMPORARY_PREFIX;
        int r;

        random_bytes(random, sizeof(random));
        hex_encode(name + sizeof(TEMPORARY_PREFIX) - 1, random, sizeof(random));

        fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return error_origin(-errno);
        r = file_fill(fd, content, mode, durable);
        if (r) {
                (void)unlinkat(dir_fd, name, 0); /* the first error is the one that matters */
                return error_fold(r);
        }

        memcpy(ret, name, sizeof(name));
        return 0;
}

int file_replace(int dir_fd, const char *name, Blob content, mode_t mode, bool durable)
{
        _cleanup_(close_fdp) int parent = -1;
        char temporary[TEMPORARY_SIZE];
        const char *base;
        int r;

        assert(name);

        r = file_open_parent(dir_fd, name, &parent, &base);
        if (r)
                return error_fold(r);
        r = file_write_temporary(temporary, parent, content, mode, durable);
        if (r)
                return error_fold(r);
        if (renameat(parent, temporary, parent, base) < 0) {
                r = error_origin(-errno);
                (void)unlinkat(parent, temporary, 0);
                return r;
        }
        if (durable && fsync(parent) < 0)
                return error_origin(-errno);
        return 0;
}

/* FILE_E_MISSING, FILE_E_DIFFERENT, or 0: it is there with this content. */
static int file_compare(int dir_fd, const char *base, Blob content, bool durable)
{
        _cleanup_(buffer_deinit) Buffer existing = BUFFER_NULL;
        _cleanup_(close_fdp) int fd = -1;
        int r;

        fd = openat(dir_fd, base, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0 && errno == ENOENT)
                return FILE_E_MISSING;
        if (fd < 0)
                return error_origin(-errno);

        r = file_read_fd(&existing, fd, content.size);
        if (r < 0)
                return error_fold(r);
        if (r > 0 || !blob_equal(buffer_blob(&existing), content))
                return FILE_E_DIFFERENT;
        /* Whoever wrote it may not have synced it. */
        if (durable && fsync(fd) < 0)
                return error_origin(-errno);
        return 0;
}

/* FILE_E_DIFFERENT as of file_compare(). */
static int file_create_immutable(int dir_fd, const char *base, Blob content, bool durable)
{
        char temporary[TEMPORARY_SIZE];
        int r;

        r = file_write_temporary(temporary, dir_fd, content, 0444, durable);
        if (r)
                return error_fold(r);

        /* Unlike rename(), link() never replaces what somebody else has put there in between. */
        r = linkat(dir_fd, temporary, dir_fd, base, 0) < 0 ? -errno : 0;
        (void)unlinkat(dir_fd, temporary, 0); /* a leftover is harmless */
        if (r == -EEXIST) {
                r = file_compare(dir_fd, base, content, durable);
                return r == FILE_E_MISSING ? error_origin(-EAGAIN) : r;
        }
        return r == 0 ? 0 : error_origin(r);
}

int file_put_immutable(int dir_fd, const char *name, Blob content, bool durable)
{
        _cleanup_(close_fdp) int parent = -1;
        const char *base;
        int r;

        assert(name);

        r = file_open_parent(dir_fd, name, &parent, &base);
        if (r)
                return error_fold(r);

        r = file_compare(parent, base, content, durable);
        if (r == FILE_E_MISSING)
                r = file_create_immutable(parent, base, content, durable);
        if (r == FILE_E_DIFFERENT)
                return FILE_E_DIFFERENT;
        if (r)
                return error_fold(r);

        if (durable && fsync(parent) < 0)
                return error_origin(-errno);
        return 0;
}

int file_make_parents(int dir_fd, const char *path, mode_t mode)
{
        _cleanup_(freep) char *copy = NULL;
        int r;

        assert(path);

        r = string_copy(&copy, path);
        if (r)
                return error_fold(r);

        for (char *slash = copy; (slash = strchr(slash, '/')); slash++) {
                if (slash == copy)
                        continue;
                *slash = 0;
                if (mkdirat(dir_fd, copy, mode) < 0 && errno != EEXIST)
                        return error_origin(-errno);
                *slash = '/';
        }
        return 0;
}
