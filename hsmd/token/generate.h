/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A key pair made in the token with the attributes that key_open() demands.  The usual tools leave
 * decrypting or unwrapping allowed (SoftHSM allows what the template does not forbid, and pkcs11-tool and
 * p11tool forbid neither).
 */
#include "config/config.h"

/*
 * `hsmd-token --generate-key TYPE --label LABEL`: logs in as a worker would, under the same promise about
 * the PIN; refuses a label that is taken; prints the public key (PEM), which the policy pins, on stdout.
 * Returns the exit code.
 */
_must_use_ int generate_run(const Config *config, const char *config_path, const char *type,
                            const char *label);

/* "ed25519, ecdsa-p256, ...": what `type` may be. */
const char *generate_types(void);
