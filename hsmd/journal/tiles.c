/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/limits.h"
#include "journal/tiles.h"

/* What a power loss tears is a multiple of the smallest sector. */
#define TILES_SECTOR    512u
#define TILES_LEVEL_MAX 63u
/* u16be lengths of 256 entries: the largest bundle. */
#define TILES_CONTENT_MAX (256 * (2 + (size_t)UINT16_MAX))

struct Tiles {
        int dir_fd;
};

/* tlog-tiles: "zero-padded 3-digit path elements, all but the last element must begin with an x". */
static int tiles_write_number(char *ret, size_t size, uint64_t n)
{
        uint64_t elements[7]; /* 1000^7 > 2^64 */
        size_t n_elements = 0;
        int used = 0;

        do {
                elements[n_elements++] = n % 1000;
                n /= 1000;
        } while (n > 0);

        while (n_elements > 0) {
                n_elements--;
                used += snprintf(ret + used, size - (size_t)used, n_elements > 0 ? "x%03u/" : "%03u",
                                 (unsigned)elements[n_elements]);
                assert((size_t)used < size);
        }
        return used;
}

void tiles_path(char ret[static TILES_PATH_SIZE], unsigned level, uint64_t n, unsigned width)
{
        int used;

        assert(ret);
        assert(level <= TILES_ENTRIES);
        assert(width < 256);

        if (level == TILES_ENTRIES)
                used = snprintf(ret, TILES_PATH_SIZE, "tile/entries/");
        else
                used = snprintf(ret, TILES_PATH_SIZE, "tile/%u/", level);
        used += tiles_write_number(ret + used, TILES_PATH_SIZE - (size_t)used, n);
        if (width > 0)
                used += snprintf(ret + used, TILES_PATH_SIZE - (size_t)used, ".p/%u", width);
        assert(used < TILES_PATH_SIZE);
}

int tiles_new(Tiles **ret, const char *path)
{
        _cleanup_(tiles_freep) Tiles *t = NULL;
        int r;

        assert(ret);
        assert(path);

        r = memory_new0(&t, 1);
        if (r)
                return error_fold(r);
        t->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (t->dir_fd < 0)
                return error_origin(-errno);

        *ret = TAKE_PTR(t);
        return 0;
}

Tiles *tiles_free(Tiles *t)
{
        if (!t)
                return NULL;

        t->dir_fd = close_fd(t->dir_fd);
        free(t);
        return NULL;
}

/* FILE_E_MISSING, FILE_E_TYPE, FILE_E_TOO_LARGE */
static int tiles_read(Tiles *t, const char *name, size_t max, Buffer *out)
{
        _cleanup_(close_fdp) int fd = -1;
        int r;

        fd = openat(t->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);
        if (fd < 0)
                return errno == ENOENT ? FILE_E_MISSING : error_origin(-errno);
        r = file_read_fd(out, fd, max);
        return r < 0 ? error_fold(r) : r;
}

/*
 * Is `found` what a power loss makes of `content`: cut off, and with sectors that were never written?  Only
 * then, for anything else is somebody's other history and has to be looked at by a person.
 */
static bool tiles_is_torn(Blob found, Blob content)
{
        static const uint8_t nul[TILES_SECTOR];

        if (found.size > content.size)
                return false;
        for (size_t at = 0; at < found.size; at += TILES_SECTOR) {
                size_t n = found.size - at < TILES_SECTOR ? found.size - at : TILES_SECTOR;

                if (memcmp(found.data + at, content.data + at, n) != 0 &&
                    memcmp(found.data + at, nul, n) != 0)
                        return false;
        }
        return true;
}

static int tiles_repair(Tiles *t, const char *name, Blob content)
{
        _cleanup_(buffer_deinit) Buffer found = BUFFER_NULL;
        int r;

        r = tiles_read(t, name, content.size, &found);
        if (r > 0)
                return TILES_E_CONFLICT;
        if (r)
                return error_fold(r);
        if (!tiles_is_torn(buffer_blob(&found), content))
                return TILES_E_CONFLICT;
        return error_fold(file_replace(t->dir_fd, name, content, 0444, false));
}

int tiles_put(Tiles *t, unsigned level, uint64_t n, unsigned width, Blob content)
{
        char name[TILES_PATH_SIZE];
        int r;

        assert(t);
        assert(level <= TILES_LEVEL_MAX || level == TILES_ENTRIES);
        assert(content.size > 0);
        assert(content.size <= TILES_CONTENT_MAX);
        assert(level == TILES_ENTRIES || content.size == (width > 0 ? width : 256) * (size_t)TREE_HASH_SIZE);

        tiles_path(name, level, n, width);
        r = file_make_parents(t->dir_fd, name, 0755);
        if (r)
                return error_fold(r);
        r = file_put_immutable(t->dir_fd, name, content, false);
        if (r == FILE_E_DIFFERENT)
                r = tiles_repair(t, name, content);
        return r == TILES_E_CONFLICT ? TILES_E_CONFLICT : error_fold(r);
}

int tiles_reach_beyond(Tiles *t, uint64_t size, bool *ret)
{
        bool found = false;

        assert(t);
        assert(ret);

        /* The bundle of the next entry, in every width that has it.  Partials are dropped only beside a full
         * one. */
        for (unsigned width = size % 256 + 1; width <= 256 && !found; width++) {
                char name[TILES_PATH_SIZE];

                tiles_path(name, TILES_ENTRIES, size / 256, width % 256);
                found = faccessat(t->dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
                if (!found && errno != ENOENT && errno != ENOTDIR)
                        return error_origin(-errno);
        }
        *ret = found;
        return 0;
}

static void tiles_closedirp(DIR **dir)
{
        if (*dir)
                (void)closedir(*dir); /* nothing was written */
}

/* Empties the folder `name`; ENOENT is fine. */
static int tiles_empty_folder(Tiles *t, const char *name)
{
        _cleanup_(tiles_closedirp) DIR *dir = NULL;
        _cleanup_(close_fdp) int fd = -1;
        struct dirent *entry;

        fd = openat(t->dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
                return errno == ENOENT ? 0 : error_origin(-errno);
        dir = fdopendir(fd);
        if (!dir)
                return error_origin(-errno);
        (void)TAKE_FD(fd);

        while ((errno = 0, entry = readdir(dir))) {
                if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
                        continue;
                if (unlinkat(dirfd(dir), entry->d_name, 0) < 0 && errno != ENOENT)
                        return error_origin(-errno);
        }
        return errno == 0 ? 0 : error_origin(-errno);
}

int tiles_drop_partials(Tiles *t, unsigned level, uint64_t n)
{
        char name[TILES_PATH_SIZE];
        int r;

        assert(t);

        tiles_path(name, level, n, 0);
        if (faccessat(t->dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
                return error_origin(-errno);
        tiles_path(name, level, n, 1);
        *strrchr(name, '/') = 0;

        r = tiles_empty_folder(t, name);
        if (r)
                return error_fold(r);
        if (unlinkat(t->dir_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
                return error_origin(-errno);
        return 0;
}

int tiles_put_checkpoint(Tiles *t, Blob note)
{
        assert(t);
        assert(note.size > 0);
        assert(note.size <= LIMIT_NOTE_SIZE);

        return error_fold(file_replace(t->dir_fd, "checkpoint", note, 0644, false));
}

int tiles_get_checkpoint(Tiles *t, Buffer *out)
{
        int r;

        assert(t);
        assert(out);

        r = tiles_read(t, "checkpoint", LIMIT_NOTE_SIZE, out);
        return r == FILE_E_MISSING ? FILE_E_MISSING : error_fold(r);
}

int tiles_sync(Tiles *t)
{
        assert(t);

        return syncfs(t->dir_fd) < 0 ? error_origin(-errno) : 0;
}
