/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

#include "base/error.h"
#include "base/file.h"
#include "token/listener.h"
#include "token/log.h"

static int listener_from_systemd(int *ret_fd, int n)
{
        int fd = SD_LISTEN_FDS_START;

        if (n > 1 || sd_is_socket_unix(fd, SOCK_SEQPACKET, 1, NULL, 0) <= 0) {
                log_error("systemd must pass one socket, ListenSequentialPacket=");
                return LISTENER_E_REFUSED;
        }
        if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0)
                return error_origin(-errno);
        *ret_fd = fd;
        return 0;
}

/* Somebody who may still accept is not to be pushed aside: two services would each try a bad PIN. */
static int listener_remove_stale(const struct sockaddr_un *address)
{
        _cleanup_(close_fdp) int fd = -1;
        struct stat st;

        if (lstat(address->sun_path, &st) < 0)
                return errno == ENOENT ? 0 : error_origin(-errno);
        if (!S_ISSOCK(st.st_mode)) {
                log_error("%s is there and is not a socket", address->sun_path);
                return LISTENER_E_REFUSED;
        }
        fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return error_origin(-errno);
        if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 || errno != ECONNREFUSED) {
                log_error("something listens on %s already", address->sun_path);
                return LISTENER_E_REFUSED;
        }
        if (unlink(address->sun_path) < 0)
                return error_origin(-errno);
        return 0;
}

static int listener_bind(int fd, const struct sockaddr_un *address, uid_t client)
{
        mode_t saved = umask(0177);
        int r = bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : 0;

        (void)umask(saved);
        if (r)
                return error_origin(r);
        if (geteuid() == client)
                return 0;
        if (geteuid() != 0) {
                log_warning("uid %u cannot connect to %s: start hsmd-token by its socket unit, or as root",
                            (unsigned)client, address->sun_path);
                return 0;
        }
        if (lchown(address->sun_path, client, (gid_t)-1) < 0)
                return error_origin(-errno);
        return 0;
}

static int listener_make(int *ret_fd, const char *path, uid_t client)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        _cleanup_(close_fdp) int fd = -1;
        int r;

        assert(strlen(path) < sizeof(address.sun_path));
        memcpy(address.sun_path, path, strlen(path) + 1);
        r = listener_remove_stale(&address);
        if (r)
                return r < 0 ? error_fold(r) : r;
        fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return error_origin(-errno);
        r = listener_bind(fd, &address, client);
        if (r)
                return error_fold(r);
        if (listen(fd, LISTENER_BACKLOG) < 0)
                return error_origin(-errno);
        *ret_fd = TAKE_FD(fd);
        return 0;
}

int listener_open(int *ret_fd, bool *ret_own, const char *path, uid_t client)
{
        int n, fd, r;

        assert(ret_fd);
        assert(ret_own);
        assert(path);

        n = sd_listen_fds(1);
        if (n < 0)
                return error_origin(n);
        r = n > 0 ? listener_from_systemd(&fd, n) : listener_make(&fd, path, client);
        if (r)
                return r < 0 ? error_fold(r) : r;
        *ret_fd = fd;
        *ret_own = n == 0;
        return 0;
}
