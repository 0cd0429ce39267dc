/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Keeping what `sign` got: FILE.sig and FILE.tlog-proof.
 */
#include "client/request.h"

/*
 * Checks that the reply is about this very file and signature, as far as that goes without a trust file, and
 * writes both files beside `path`, each whole or not at all; the proof first, so that a signature never lies
 * there without it.  0, or the exit code, reported.
 */
_must_use_ int keep_result(const RequestItem *item, const Result *result, const char *path);
