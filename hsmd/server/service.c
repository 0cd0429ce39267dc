/* SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

#include "base/file.h"
#include "server/service.h"

int service_take_socket(const char *name)
{
        static char **names;
        static int n = -1;

        if (n < 0)
                n = sd_listen_fds_with_names(true, &names);
        for (int i = 0; i < n; i++)
                if (names && names[i] && strcmp(names[i], name) == 0) {
                        int fd = SD_LISTEN_FDS_START + i;

                        names[i][0] = '\0'; /* taken */
                        if (sd_is_socket(fd, AF_UNIX, SOCK_STREAM, 1) > 0)
                                return fd;
                        close_fd(fd);
                }
        return -1;
}

void service_ready(void)
{
        (void)sd_notify(0, "READY=1"); /* without a manager there is nobody to tell */
}

void service_stopping(void)
{
        (void)sd_notify(0, "STOPPING=1");
}
