/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The start of a worker: fork and exec of our own program, with two fds and an environment of named
 * variables only.
 *
 * What passes: CREDENTIALS_DIRECTORY, JOURNAL_STREAM (systemd); HOME, TMPDIR; and where vendors' modules
 * look for their configuration: SOFTHSM2_CONF, KRYOPTIC_CONF, OPENSC_CONF, YUBIHSM_PKCS11_CONF,
 * TPM2_PKCS11_STORE, TPM2_PKCS11_TCTI, ChrystokiConfigurationPath, CS_PKCS11_R2_CFG, CS_PKCS11_R3_CFG,
 * NFAST_HOME, NFAST_KMDATA, CKNFAST_LOADSHARING, P11_KIT_SERVER_ADDRESS, PKCS11_PROXY_SOCKET; and P11SHIM*
 * of the tests' fault module, which mean nothing to others.
 */
#include <stdbool.h>
#include <sys/types.h>

#include "base/macro.h"

/* Both fds stay the caller's.  -errno if there is no process; what exec says is seen as the worker's exit.
 */
_must_use_ int spawn_worker(pid_t *ret, const char *config_path, bool left_over, int connection_fd,
                            int status_fd);
