/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"

#include "unit/client-data.h"

void client_data_read(Buffer *out, const char *name)
{
        char path[512];

        (void)snprintf(path, sizeof(path), "%s/tests/unit/data/client/%s", TEST_SOURCE_DIR, name);
        buffer_clear(out);
        assert_int_equal(file_read(out, path, 1024 * 1024), 0);
}

char *client_data_folder(void)
{
        const char *tmp = getenv("TMPDIR");
        char *path;

        assert_int_equal(string_printf(&path, "%s/hsmctl-test-XXXXXX", tmp ? tmp : "/tmp"), 0);
        assert_non_null(mkdtemp(path));
        return path;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
        (void)st;
        (void)type;
        (void)ftw;
        return remove(path);
}

void client_data_remove(char *path)
{
        assert_int_equal(nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
        free(path);
}

void client_data_write(const char *folder, const char *name, Blob content)
{
        int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        assert_true(fd >= 0);
        assert_int_equal(file_make_parents(fd, name, 0700), 0);
        assert_int_equal(file_replace(fd, name, content, 0600, false), 0);
        close_fd(fd);
}
