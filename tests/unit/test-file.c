/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/file.h"

/* A directory of its own for every test. */
typedef struct Place {
        char path[64];
        int fd;
} Place;

static int setup(void **state)
{
        static Place place;

        (void)snprintf(place.path, sizeof(place.path), "/tmp/test-file-XXXXXX");
        if (!mkdtemp(place.path))
                return -1;
        place.fd = open(place.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        *state = &place;
        return place.fd < 0 ? -1 : 0;
}

static size_t count_files(const char *path)
{
        DIR *dir = opendir(path);
        size_t n = 0;

        assert_non_null(dir);
        for (struct dirent *e; (e = readdir(dir));)
                n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
        (void)closedir(dir);
        return n;
}

static int remove_below(int fd)
{
        DIR *dir = fdopendir(fd);

        if (!dir)
                return -1;
        for (struct dirent *e; (e = readdir(dir));) {
                if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
                        continue;
                if (unlinkat(dirfd(dir), e->d_name, 0) < 0) {
                        int child = openat(dirfd(dir), e->d_name,
                                           O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

                        (void)remove_below(child);
                        (void)unlinkat(dirfd(dir), e->d_name, AT_REMOVEDIR);
                }
        }
        return closedir(dir);
}

static int teardown(void **state)
{
        Place *place = *state;

        (void)remove_below(place->fd);
        return rmdir(place->path);
}

static void assert_content(const Place *place, const char *name, const char *text, mode_t mode)
{
        _cleanup_(buffer_deinit) Buffer content = BUFFER_NULL;
        _cleanup_(close_fdp) int fd = openat(place->fd, name, O_RDONLY | O_CLOEXEC);
        struct stat st;

        assert_true(fd >= 0);
        assert_int_equal(file_read_fd(&content, fd, 1 << 20), 0);
        assert_string_equal((char *)content.data, text);
        assert_int_equal(fstat(fd, &st), 0);
        assert_int_equal(st.st_mode & 07777, mode);
}

/* ---- close_fd ---- */

static void close_fd_any_fd_keeps_errno(void **state)
{
        int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);

        (void)state;
        errno = EDOM;
        assert_int_equal(close_fd(-1), -1);
        assert_int_equal(close_fd(fd), -1);
        assert_int_equal(fcntl(fd, F_GETFD), -1);
        errno = EDOM;
        assert_int_equal(close_fd(fd), -1);
        assert_int_equal(errno, EDOM);
}

/* ---- file_read ---- */

static void file_read_regular_file_is_appended(void **state)
{
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;
        Place *place = *state;
        char path[128];

        assert_int_equal(file_replace(place->fd, "f", BLOB_LITERAL("content"), 0600, false), 0);
        (void)snprintf(path, sizeof(path), "%s/f", place->path);
        assert_int_equal(buffer_append_string(&out, "> "), 0);
        assert_int_equal(file_read(&out, path, 7), 0);
        assert_string_equal((char *)out.data, "> content");
        assert_int_equal(out.size, 9);
}

static void file_read_large_file_is_whole(void **state)
{
        _cleanup_(buffer_deinit) Buffer content = BUFFER_NULL, out = BUFFER_NULL;
        _cleanup_(close_fdp) int fd = -1;
        Place *place = *state;

        for (unsigned i = 0; i < 100000; i++)
                assert_int_equal(buffer_append_byte(&content, (uint8_t)(i * 7)), 0);
        assert_int_equal(file_replace(place->fd, "f", buffer_blob(&content), 0600, false), 0);
        fd = openat(place->fd, "f", O_RDONLY | O_CLOEXEC);
        assert_int_equal(lseek(fd, 500, SEEK_SET), 500);
        assert_int_equal(file_read_fd(&out, fd, 100000), 0);
        assert_true(blob_equal(buffer_blob(&out), buffer_blob(&content)));
        assert_int_equal(lseek(fd, 0, SEEK_CUR), 500);
}

static void file_read_larger_than_max_is_refused(void **state)
{
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;
        Place *place = *state;
        char path[128];

        assert_int_equal(file_replace(place->fd, "f", BLOB_LITERAL("content"), 0600, false), 0);
        (void)snprintf(path, sizeof(path), "%s/f", place->path);
        assert_int_equal(buffer_append_string(&out, "> "), 0);
        assert_int_equal(file_read(&out, path, 6), FILE_E_TOO_LARGE);
        assert_string_equal((char *)out.data, "> ");
        assert_int_equal(out.size, 2);
}

/* Its size is given as 0: the bound has to hold for what is read, too. */
static void file_read_growing_file_is_bounded(void **state)
{
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL, fresh = BUFFER_NULL;

        (void)state;
        assert_int_equal(file_read(&out, "/proc/self/status", 1 << 20), 0);
        assert_true(out.size > 100);
        assert_int_equal(out.data[out.size], 0);
        assert_int_equal(file_read(&fresh, "/proc/self/status", 100), FILE_E_TOO_LARGE);
        assert_int_equal(fresh.size, 0);
}

static void file_read_empty_file_gives_empty_string(void **state)
{
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;
        Place *place = *state;
        char path[128];

        assert_int_equal(file_replace(place->fd, "f", BLOB_NULL, 0600, true), 0);
        (void)snprintf(path, sizeof(path), "%s/f", place->path);
        assert_int_equal(file_read(&out, path, 0), 0);
        assert_int_equal(out.size, 0);
        assert_string_equal((char *)out.data, "");
}

static void file_read_missing_and_other_types_are_told(void **state)
{
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;
        Place *place = *state;
        char path[128];

        (void)snprintf(path, sizeof(path), "%s/none", place->path);
        assert_int_equal(file_read(&out, path, 100), FILE_E_MISSING);
        assert_int_equal(file_read(&out, place->path, 100), FILE_E_TYPE);
        assert_int_equal(mkfifo(path, 0600), 0);
        assert_int_equal(file_read(&out, path, 100), FILE_E_TYPE);
        assert_int_equal(file_read(&out, "/dev/zero", 100), FILE_E_TYPE);
        assert_int_equal(file_read(&out, "/dev/zero/x", 100), -ENOTDIR);
        assert_null(out.data);
}

static void file_read_fd_of_memory_file_succeeds(void **state)
{
        _cleanup_(close_fdp) int fd = memfd_create("test", MFD_CLOEXEC);
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;

        (void)state;
        assert_int_equal(file_write_all(fd, "abc", 3), 0);
        assert_int_equal(file_read_fd(&out, fd, 3), 0);
        assert_string_equal((char *)out.data, "abc");
}

static void file_read_fd_write_only_is_an_error(void **state)
{
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;
        _cleanup_(close_fdp) int fd = -1;
        Place *place = *state;

        fd = openat(place->fd, "f", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_int_equal(file_read_fd(&out, fd, 3), -EBADF);
        assert_int_equal(out.size, 0);
        assert_int_equal(file_read_fd(&out, 1000, 3), -EBADF);
}

/* ---- file_replace ---- */

static void file_replace_new_and_old_files_get_content_and_mode(void **state)
{
        Place *place = *state;
        mode_t mask = umask(0077);

        assert_int_equal(file_replace(place->fd, "f", BLOB_LITERAL("one"), 0644, true), 0);
        assert_content(place, "f", "one", 0644);
        assert_int_equal(file_replace(place->fd, "f", BLOB_LITERAL("2"), 0600, false), 0);
        assert_content(place, "f", "2", 0600);
        assert_int_equal(count_files(place->path), 1);
        (void)umask(mask);
}

static void file_replace_name_with_folders_is_written_there(void **state)
{
        Place *place = *state;

        assert_int_equal(file_make_parents(place->fd, "a/b/f", 0755), 0);
        assert_int_equal(file_replace(place->fd, "a/b/f", BLOB_LITERAL("x"), 0644, true), 0);
        assert_content(place, "a/b/f", "x", 0644);
        assert_int_equal(file_replace(place->fd, "none/f", BLOB_LITERAL("x"), 0644, true), -ENOENT);
}

static void file_replace_failed_rename_leaves_nothing(void **state)
{
        Place *place = *state;

        assert_int_equal(mkdirat(place->fd, "d", 0755), 0);
        assert_int_equal(file_replace(place->fd, "d", BLOB_LITERAL("x"), 0644, false), -EISDIR);
        assert_int_equal(count_files(place->path), 1);
}

/* ---- file_put_immutable ---- */

static void file_put_immutable_new_file_is_read_only(void **state)
{
        Place *place = *state;

        assert_int_equal(file_put_immutable(place->fd, "f", BLOB_LITERAL("tile"), true), 0);
        assert_content(place, "f", "tile", 0444);
        assert_int_equal(file_put_immutable(place->fd, "g", BLOB_NULL, false), 0);
        assert_content(place, "g", "", 0444);
        assert_int_equal(count_files(place->path), 2);
}

static void file_put_immutable_same_content_is_fine(void **state)
{
        Place *place = *state;

        assert_int_equal(file_put_immutable(place->fd, "f", BLOB_LITERAL("tile"), false), 0);
        assert_int_equal(file_put_immutable(place->fd, "f", BLOB_LITERAL("tile"), false), 0);
        assert_int_equal(file_put_immutable(place->fd, "f", BLOB_LITERAL("tile"), true), 0);
        assert_int_equal(count_files(place->path), 1);
}

static void file_put_immutable_other_content_is_refused(void **state)
{
        static const char *const other[] = {"tilf", "til", "tiles", ""};
        Place *place = *state;

        assert_int_equal(file_put_immutable(place->fd, "f", BLOB_LITERAL("tile"), false), 0);
        for (size_t i = 0; i < ARRAY_SIZE(other); i++)
                assert_int_equal(file_put_immutable(place->fd, "f", BLOB_STRING(other[i]), true),
                                 FILE_E_DIFFERENT);
        assert_content(place, "f", "tile", 0444);
        assert_int_equal(count_files(place->path), 1);
}

static void file_put_immutable_what_is_not_a_file_is_never_followed(void **state)
{
        Place *place = *state;

        assert_int_equal(mkdirat(place->fd, "d", 0755), 0);
        assert_int_equal(file_put_immutable(place->fd, "d", BLOB_LITERAL("x"), false), FILE_E_DIFFERENT);
        assert_int_equal(symlinkat("target", place->fd, "l"), 0);
        assert_int_equal(file_put_immutable(place->fd, "l", BLOB_LITERAL("x"), false), -ELOOP);
        assert_int_equal(file_put_immutable(place->fd, "none/f", BLOB_LITERAL("x"), false), -ENOENT);
        assert_int_equal(count_files(place->path), 2);
}

/* ---- file_make_parents ---- */

static void file_make_parents_makes_all_but_the_last(void **state)
{
        Place *place = *state;
        struct stat st;

        assert_int_equal(file_make_parents(place->fd, "a/b/c", 0755), 0);
        assert_int_equal(file_make_parents(place->fd, "a/b/d/e", 0755), 0);
        assert_int_equal(fstatat(place->fd, "a/b/d", &st, 0), 0);
        assert_true(S_ISDIR(st.st_mode));
        assert_int_not_equal(fstatat(place->fd, "a/b/c", &st, 0), 0);
        assert_int_equal(file_make_parents(place->fd, "plain", 0755), 0);
        assert_int_equal(count_files(place->path), 1);
}

static void file_make_parents_absolute_path_is_taken(void **state)
{
        Place *place = *state;
        struct stat st;
        char path[128];

        (void)snprintf(path, sizeof(path), "%s/x/y", place->path);
        assert_int_equal(file_make_parents(AT_FDCWD, path, 0755), 0);
        assert_int_equal(fstatat(place->fd, "x", &st, 0), 0);
}

static void file_make_parents_file_in_the_way_is_an_error(void **state)
{
        Place *place = *state;

        assert_int_equal(file_replace(place->fd, "f", BLOB_LITERAL("x"), 0644, false), 0);
        assert_int_equal(file_make_parents(place->fd, "f/a/b", 0755), -ENOTDIR);
}

/* ---- file_write_all ---- */

static void file_write_all_broken_fd_is_an_error(void **state)
{
        _cleanup_(close_fdp) int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

        (void)state;
        assert_int_equal(file_write_all(fd, "x", 1), -ENOSPC);
        assert_int_equal(file_write_all(fd, NULL, 0), 0);
}

#define TEST(_f) cmocka_unit_test_setup_teardown(_f, setup, teardown)

int main(void)
{
        static const struct CMUnitTest tests[] = {
                TEST(close_fd_any_fd_keeps_errno),
                TEST(file_read_regular_file_is_appended),
                TEST(file_read_large_file_is_whole),
                TEST(file_read_larger_than_max_is_refused),
                TEST(file_read_growing_file_is_bounded),
                TEST(file_read_empty_file_gives_empty_string),
                TEST(file_read_missing_and_other_types_are_told),
                TEST(file_read_fd_of_memory_file_succeeds),
                TEST(file_read_fd_write_only_is_an_error),
                TEST(file_replace_new_and_old_files_get_content_and_mode),
                TEST(file_replace_name_with_folders_is_written_there),
                TEST(file_replace_failed_rename_leaves_nothing),
                TEST(file_put_immutable_new_file_is_read_only),
                TEST(file_put_immutable_same_content_is_fine),
                TEST(file_put_immutable_other_content_is_refused),
                TEST(file_put_immutable_what_is_not_a_file_is_never_followed),
                TEST(file_make_parents_makes_all_but_the_last),
                TEST(file_make_parents_absolute_path_is_taken),
                TEST(file_make_parents_file_in_the_way_is_an_error),
                TEST(file_write_all_broken_fd_is_an_error),
        };

        error_set_trace(NULL);
        return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}
