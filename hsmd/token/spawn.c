/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/error.h"
#include "token/outcome.h"
#include "token/spawn.h"

static const char *const passed[] = {
        "CREDENTIALS_DIRECTORY",
        "JOURNAL_STREAM",
        "HOME",
        "TMPDIR",
        "SOFTHSM2_CONF",
        "KRYOPTIC_CONF",
        "OPENSC_CONF",
        "YUBIHSM_PKCS11_CONF",
        "TPM2_PKCS11_STORE",
        "TPM2_PKCS11_TCTI",
        "ChrystokiConfigurationPath",
        "CS_PKCS11_R2_CFG",
        "CS_PKCS11_R3_CFG",
        "NFAST_HOME",
        "NFAST_KMDATA",
        "CKNFAST_LOADSHARING",
        "P11_KIT_SERVER_ADDRESS",
        "PKCS11_PROXY_SOCKET",
        "P11SHIM",
        "P11SHIM_MODULE",
        "P11SHIM_RECORD",
        "P11SHIM_TOKEN_FLAGS",
};

/* Entries of environ whose name is in the list. */
static void spawn_environment(char *ret[static ARRAY_SIZE(passed) + 1])
{
        size_t n = 0;

        for (char **e = environ; e && *e; e++)
                for (size_t i = 0; i < ARRAY_SIZE(passed) && n < ARRAY_SIZE(passed); i++) {
                        size_t size = strlen(passed[i]);

                        if (strncmp(*e, passed[i], size) == 0 && (*e)[size] == '=')
                                ret[n++] = *e;
                }
        ret[n] = NULL;
}

/* In the child: only what is safe between fork and exec. */
_Noreturn static void spawn_exec(char *const argv[], char *const envp[], int connection_fd, int status_fd,
                                 pid_t parent)
{
        sigset_t none;

        /* Out of the way first: each may be where the other has to go. */
        connection_fd = fcntl(connection_fd, F_DUPFD_CLOEXEC, 16);
        status_fd = fcntl(status_fd, F_DUPFD_CLOEXEC, 16);
        if (connection_fd < 0 || status_fd < 0 || dup2(connection_fd, WORKER_CONNECTION_FD) < 0 ||
            dup2(status_fd, WORKER_STATUS_FD) < 0 || close_range(WORKER_STATUS_FD + 1, ~0U, 0) < 0)
                _exit(WORKER_EXIT_FAULT);
        (void)sigemptyset(&none);
        if (sigprocmask(SIG_SETMASK, &none, NULL) < 0 || prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 ||
            getppid() != parent)
                _exit(WORKER_EXIT_FAULT);
        (void)execve("/proc/self/exe", argv, envp);
        _exit(WORKER_EXIT_FAULT);
}

int spawn_worker(pid_t *ret, const char *config_path, bool left_over, int connection_fd, int status_fd)
{
        char name[] = "hsmd-token", worker[] = "--worker", config[] = "--config",
             after[] = "--pin-left-over";
        char *envp[ARRAY_SIZE(passed) + 1];
        _cleanup_(freep) char *path = NULL;
        pid_t parent = getpid(), pid;
        int r;

        assert(ret);
        assert(config_path);
        assert(connection_fd >= 0);
        assert(status_fd >= 0);

        r = string_copy(&path, config_path);
        if (r)
                return error_fold(r);
        spawn_environment(envp);
        pid = fork();
        if (pid < 0)
                return error_origin(-errno);
        if (pid == 0) {
                char *argv[] = {name, worker, config, path, left_over ? after : NULL, NULL};

                spawn_exec(argv, envp, connection_fd, status_fd, parent);
        }
        *ret = pid;
        return 0;
}
