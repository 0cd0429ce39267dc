/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What the tests of the journal's writing half share: a folder of its own for each test, gone afterwards,
 * and small helpers around it.  Include after cmocka.h.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/file.h"

static inline void folder_remove(int at, const char *name)
{
        int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
        struct dirent *e;

        while (dir && (e = readdir(dir))) {
                if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
                        continue;
                if (unlinkat(dirfd(dir), e->d_name, 0) < 0)
                        folder_remove(dirfd(dir), e->d_name);
        }
        if (dir)
                closedir(dir);
        (void)unlinkat(at, name, AT_REMOVEDIR);
}

/* Caller frees, after folder_remove(). */
static inline char *folder_new(void)
{
        const char *base = getenv("TMPDIR");
        char *path;

        assert_int_equal(string_printf(&path, "%s/hsmd-test-XXXXXX", base ? base : "/tmp"), 0);
        assert_non_null(mkdtemp(path));
        return path;
}

static inline char *path_in(const char *folder, const char *name)
{
        char *path;

        assert_int_equal(string_printf(&path, "%s/%s", folder, name), 0);
        return path;
}

static inline void folder_make(const char *folder, const char *name)
{
        _cleanup_(freep) char *path = path_in(folder, name);

        assert_int_equal(mkdir(path, 0700), 0);
}

static inline void file_write(const char *folder, const char *name, Blob content)
{
        _cleanup_(freep) char *path = path_in(folder, name);
        _cleanup_(close_fdp) int fd = -1;

        (void)unlink(path); /* immutable files are 0444 */
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        assert_int_equal(file_write_all(fd, content.data, content.size), 0);
}

static inline void file_get(const char *folder, const char *name, Buffer *out)
{
        _cleanup_(freep) char *path = path_in(folder, name);

        buffer_clear(out);
        assert_int_equal(file_read(out, path, SIZE_MAX / 4), 0);
}

static inline bool file_exists(const char *folder, const char *name)
{
        _cleanup_(freep) char *path = path_in(folder, name);

        return access(path, F_OK) == 0;
}

/* All files of one folder, one level. */
static inline void folder_copy(const char *from, const char *to)
{
        _cleanup_(buffer_deinit) Buffer content = BUFFER_NULL;
        DIR *dir = opendir(from);
        struct dirent *e;

        assert_non_null(dir);
        assert_true(mkdir(to, 0700) == 0 || errno == EEXIST);
        while ((e = readdir(dir))) {
                if (e->d_name[0] == '.' || e->d_type != DT_REG)
                        continue;
                file_get(from, e->d_name, &content);
                file_write(to, e->d_name, buffer_blob(&content));
        }
        closedir(dir);
}

/* A test that provokes errors on purpose keeps its output clean. */
static inline int silence_traces(void **state)
{
        (void)state;
        error_set_trace(NULL);
        return 0;
}

static inline int folder_setup(void **state)
{
        *state = folder_new();
        return 0;
}

static inline int folder_teardown(void **state)
{
        folder_remove(AT_FDCWD, *state);
        free(*state);
        return 0;
}

#define FOLDER_TEST(_f) cmocka_unit_test_setup_teardown(_f, folder_setup, folder_teardown)

/* Exit status of `run` in a child: for what must not share this process. */
static inline int in_child(int (*run)(void *userdata), void *userdata)
{
        pid_t pid = fork();
        int status;

        assert_true(pid >= 0);
        if (pid == 0)
                _exit(run(userdata) & 0xff);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
