/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The auditor's check of a whole log from its folder of tiles (C2SP tlog-tiles), offline: everything is
 * recomputed from the entries, nothing is believed.  Memory does not grow with the log.
 */
#include "journal/checkpoint.h"

typedef struct Logcheck {
        Checkpoint checkpoint;
        bool signed_by_trusted; /* the checkpoint's signature was checked */
        uint64_t n_entries;
        uint64_t n_tiles; /* hash tiles compared */
        uint64_t n_signatures, n_attestations, n_refusals, n_abandoned;
        uint64_t first_usec, last_usec; /* times of the first and last entry */
        char reason[40];                /* of the failure: one stable word */
        char message[512];
} Logcheck;

enum {
        _LOGCHECK_E_SUCCESS,
        LOGCHECK_E_FAILED,     /* reason and message say what does not hold */
        LOGCHECK_E_UNREADABLE, /* message says which file cannot be read */
};

/*
 * `log` may be NULL: then the checkpoint's signature is not checked.  `progress` is called now and then with
 * the number of entries read.  *ret is written always.
 */
_must_use_ int logcheck_run(Logcheck *ret, const char *path, NoteVerifier *log,
                            void (*progress)(void *userdata, uint64_t done, uint64_t total), void *userdata);
