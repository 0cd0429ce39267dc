/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "server/socket.h"

#define SOCKET_BACKLOG 128

/* Is a socket file there, and does anybody accept on it?  A stale one is removed (failure F25). */
static int socket_clear(const struct sockaddr_un *address)
{
        _cleanup_(close_fdp) int fd = -1;
        struct stat st;

        if (lstat(address->sun_path, &st) < 0)
                return errno == ENOENT ? 0 : error_origin(-errno);
        if (!S_ISSOCK(st.st_mode))
                return SOCKET_E_PATH;
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return error_origin(-errno);
        if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 || errno != ECONNREFUSED)
                return SOCKET_E_IN_USE;
        return unlink(address->sun_path) < 0 ? error_origin(-errno) : 0;
}

int socket_listen(const ConfigSocket *config, int *ret)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        _cleanup_(close_fdp) int fd = -1;
        mode_t mask;
        int r;

        if (strlen(config->path) >= sizeof(address.sun_path))
                return SOCKET_E_PATH;
        memcpy(address.sun_path, config->path, strlen(config->path) + 1);
        r = socket_clear(&address);
        if (r != 0)
                return r < 0 ? error_fold(r) : r;
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return error_origin(-errno);
        /* Nobody but the owner until owner and mode are right. */
        mask = umask(0177);
        r = bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
        (void)umask(mask);
        if (r < 0)
                return error_origin(r);
        /* Before listen(): whoever swapped the path could only gain a socket that nobody serves (F21). */
        if (config->gid != (gid_t)-1 && lchown(config->path, (uid_t)-1, config->gid) < 0)
                return error_origin(-errno);
        if (chmod(config->path, config->mode) < 0 || listen(fd, SOCKET_BACKLOG) < 0)
                return error_origin(-errno);
        *ret = TAKE_FD(fd);
        return 0;
}
