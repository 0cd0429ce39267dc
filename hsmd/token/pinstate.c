/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "token/pinstate.h"

#define REFUSED "pin-refused"
#define TRYING  "pin-trying"
#define LOCK    "lock"

struct PinState {
        int dir_fd;
        int lock_fd;
        /* Set where the file could not be written: this process at least must not forget. */
        bool refused_unwritten;
};

PinState *pinstate_free(PinState *s)
{
        if (!s)
                return NULL;
        s->lock_fd = close_fd(s->lock_fd);
        s->dir_fd = close_fd(s->dir_fd);
        free(s);
        return NULL;
}

int pinstate_new(PinState **ret, const char *path)
{
        _cleanup_(pinstate_freep) PinState *s = NULL;
        int r;

        assert(ret);
        assert(path);

        r = memory_new0(&s, 1);
        if (r)
                return error_fold(r);
        s->dir_fd = s->lock_fd = -1;
        if (mkdir(path, 0700) < 0 && errno != EEXIST)
                return error_origin(-errno);
        s->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (s->dir_fd < 0)
                return error_origin(-errno);
        *ret = TAKE_PTR(s);
        return 0;
}

int pinstate_lock(PinState *s)
{
        _cleanup_(close_fdp) int fd = -1;

        assert(s);
        assert(s->lock_fd < 0);
        fd = openat(s->dir_fd, LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return error_origin(-errno);
        if (flock(fd, LOCK_EX | LOCK_NB) < 0)
                return errno == EWOULDBLOCK ? PINSTATE_E_LOCKED : error_origin(-errno);
        s->lock_fd = TAKE_FD(fd);
        return 0;
}

static bool pinstate_has(const PinState *s, const char *name)
{
        return faccessat(s->dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
}

static int pinstate_put(PinState *s, const char *name, const char *text)
{
        _cleanup_(freep) char *line = NULL;
        time_t now = time(NULL);
        char stamp[32];
        struct tm tm;
        int r;

        if (!gmtime_r(&now, &tm) || strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
                return error_origin(-EOVERFLOW);
        r = string_printf(&line, "%s %s\n", stamp, text);
        if (r)
                return error_fold(r);
        return error_fold(file_replace(s->dir_fd, name, BLOB_STRING(line), 0600, true));
}

static int pinstate_remove(PinState *s, const char *name)
{
        if (unlinkat(s->dir_fd, name, 0) < 0 && errno != ENOENT)
                return error_origin(-errno);
        if (fsync(s->dir_fd) < 0)
                return error_origin(-errno);
        return 0;
}

bool pinstate_is_refused(const PinState *s)
{
        assert(s);
        return s->refused_unwritten || pinstate_has(s, REFUSED);
}

int pinstate_set_refused(PinState *s, const char *text)
{
        int r;

        assert(s);
        assert(text);
        s->refused_unwritten = true;
        r = pinstate_put(s, REFUSED, text);
        if (r)
                return error_fold(r);
        s->refused_unwritten = false;
        return 0;
}

int pinstate_set_trying(PinState *s, bool *ret_left_over)
{
        int r;

        assert(s);
        assert(ret_left_over);
        if (pinstate_has(s, TRYING)) {
                *ret_left_over = true;
                return 0;
        }
        r = pinstate_put(s, TRYING, "a login is under way");
        if (r)
                return error_fold(r);
        *ret_left_over = false;
        return 0;
}

int pinstate_clear_trying(PinState *s)
{
        assert(s);
        return error_fold(pinstate_remove(s, TRYING));
}

int pinstate_forget(PinState *s, bool *ret_was_refused)
{
        bool was_refused;
        int r;

        assert(s);
        assert(ret_was_refused);
        was_refused = pinstate_has(s, REFUSED) || pinstate_has(s, TRYING);
        /* In this order: refused without trying is refused, trying without refused is only careful. */
        r = pinstate_remove(s, TRYING);
        if (r == 0)
                r = pinstate_remove(s, REFUSED);
        if (r)
                return error_fold(r);
        *ret_was_refused = was_refused;
        return 0;
}
