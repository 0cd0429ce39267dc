/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * libhsmctl: ask hsmd from a program.
 *
 *         Hsmctl *h;
 *         const char *json;
 *         bool more = true;
 *
 *         r = hsmctl_new(&h, hsmctl_socket_path(HSMCTL_SOCKET_SIGN), HSMCTL_TIMEOUT_USEC);
 *         r = hsmctl_call(h, "org.hsmd.Sign.Sign", parameters, fds, n_fds, true);
 *         while (r == 0 && more) {
 *                 r = hsmctl_receive(h, &more);
 *                 if (r == 0)
 *                         r = hsmctl_text(h, &json, NULL);
 *                 ...
 *         }
 *         if (r > 0)
 *                 fprintf(stderr, "%s: %s\n", hsmctl_reason(h), hsmctl_message(h));
 *         hsmctl_free(h);
 *
 * Parameters and replies are JSON as the .varlink files describe them.  An object is one connection, for one
 * thread; one call is under way at a time.  Functions return 0, a positive HSMCTL_E_ code, or -errno when
 * this program failed (out of memory).  SIGPIPE is not raised.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct SJson;

#define HSMCTL_TIMEOUT_USEC (UINT64_C(120) * 1000 * 1000)

typedef struct Hsmctl Hsmctl;

typedef enum HsmctlSocket {
        HSMCTL_SOCKET_SIGN,    /* org.hsmd.Sign, org.hsmd.Status */
        HSMCTL_SOCKET_OFFICER, /* org.hsmd.Policy, org.hsmd.Journal, org.hsmd.Status */
        HSMCTL_SOCKET_AUDIT,   /* org.hsmd.Journal, org.hsmd.Status */
        _HSMCTL_SOCKET_MAX,
} HsmctlSocket;

enum {
        _HSMCTL_E_SUCCESS,
        HSMCTL_E_UNREACHABLE, /* nobody listens there, or the connection ended early: try again later */
        HSMCTL_E_TIMEOUT,     /* no answer in time: try again later */
        HSMCTL_E_BUSY,        /* a quota is used up, or hsmd is stopping: try again later */
        HSMCTL_E_DENIED,      /* this user may not use the socket, or not this method */
        HSMCTL_E_REFUSED,     /* the policy says no to the whole request */
        HSMCTL_E_NOT_FOUND,   /* no such journal entry or evidence */
        HSMCTL_E_TOO_LARGE,   /* the call does not fit 1 MiB: ask for less at once */
        HSMCTL_E_PROTOCOL,    /* the answer is not what the .varlink files promise, or an unknown error */
};

/* $HSMCTL_SIGN_SOCKET and so on if set, else /run/hsmd/sign.sock and so on. */
const char *hsmctl_socket_path(HsmctlSocket s);

/*
 * Connects.  `timeout_usec` bounds each step: to connect, to send a call, and to get each reply.  On failure
 * *ret is an object too (or NULL on -errno): it can only be asked for reason and message, and be freed.
 * HSMCTL_E_UNREACHABLE, _TIMEOUT, _DENIED.
 */
__attribute__((__warn_unused_result__)) int hsmctl_new(Hsmctl **ret, const char *path,
                                                       uint64_t timeout_usec);
/* Closes the connection.  NULL is fine; returns NULL. */
Hsmctl *hsmctl_free(Hsmctl *h);

/*
 * Sends a call.  `parameters` is the text of a JSON object.  The descriptors stay the caller's and may be
 * closed after the call.  With `more` the answer may come in several replies.  Replies of the call before
 * must all have been received.  HSMCTL_E_TIMEOUT, _TOO_LARGE.
 */
__attribute__((__warn_unused_result__)) int
hsmctl_call(Hsmctl *h, const char *method, const char *parameters, const int *fds, size_t n_fds, bool more);

/*
 * Waits for the next reply.  *ret_continues: another one follows.  Any code but _TOO_LARGE; after one of
 * them the call has ended, and after _UNREACHABLE, _TIMEOUT and _PROTOCOL so has the connection.
 */
__attribute__((__warn_unused_result__)) int hsmctl_receive(Hsmctl *h, bool *ret_continues);

/* Parameters of the last reply, or of the last error (NULL if it had none); valid until the next call. */
const struct SJson *hsmctl_parameters(const Hsmctl *h);
/* The same as text; -EINVAL if there are none. */
__attribute__((__warn_unused_result__)) int hsmctl_text(Hsmctl *h, const char **ret, size_t *ret_size);

/*
 * Why the last function failed: a short stable word (hsmd's reason code, where there is one, e.g.
 * "requester-unknown"), and a sentence for a person.  The sentence may hold text of the daemon's peers:
 * escape it before it meets a terminal.
 */
const char *hsmctl_reason(const Hsmctl *h);
const char *hsmctl_message(const Hsmctl *h);
