/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Many files, asked for in portions: what `sign` and `check` share.
 */
#include "base/crypto.h"
#include "client/libhsmctl.h"
#include "client/options.h"
#include "client/result.h"

#define REQUEST_CHUNK 256

typedef struct RequestItem {
        const char *path;
        const char *name; /* the artifact's: the last element of the path */
        int fd;
        unsigned n_results;
        unsigned n_good; /* signed or allowed */
        Digests digests; /* if the request wanted them */
} RequestItem;

typedef struct Request {
        const char *method;
        const char *key, *format, *release; /* NULL: left out */
        bool digest;                        /* send the SHA-256, not the file */
        bool hash;                          /* know the digests of each file when its result comes */
        uint64_t chunk;
        const char *socket;
        uint64_t timeout_usec;
        size_t n_paths;
        char **paths;

        /* Takes one result.  An exit code other than 0 ends the run. */
        int (*take)(void *userdata, const RequestItem *item, const Result *result);
        void *userdata;
} Request;

/*
 * Before anything is asked: every path is a regular file that can be read, and its name may stand in the
 * journal.  0, or the exit code, reported.
 */
_must_use_ int request_check_paths(const char *command, size_t n_paths, char **paths);

/*
 * Asks for all files and hands every result over.  0, or the exit code, reported.
 */
_must_use_ int request_run(Request *request);
