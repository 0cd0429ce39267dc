/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The vendor's PKCS#11 module: loaded and initialised by libp11, which also finds the token and logs in.
 * Keys are then used through the module's own function list on a session of our own, since login is shared
 * by all sessions of an application, and a key handle that libp11 keeps cannot be checked for what else it
 * may do.
 *
 * Every call into libp11 or the module runs under alarm(): SIGALRM, in its default action, ends the process
 * whatever the module is stuck in.  libp11 0.4.12 waits for ever when C_OpenSession fails in PKCS11_login();
 * therefore our own session is opened before it.
 *
 * Not for a process that forks after p11_load().
 */
#include <p11-kit/pkcs11.h>
#include <unistd.h>

#include "base/macro.h"
#include "token/p11uri.h"
#include "token/report.h"

typedef struct P11 P11;

/* What signing needs, and nothing of libp11. */
typedef struct P11Session {
        CK_FUNCTION_LIST *f;
        CK_SESSION_HANDLE handle;
        unsigned timeout_s;
} P11Session;

/* rv = P11_CALL(session, C_Sign(session->handle, ...)); bounded by the session's timeout. */
#define P11_CALL(_session, _call)                                                                           \
        ({                                                                                                  \
                CK_RV _rv;                                                                                  \
                (void)alarm((_session)->timeout_s);                                                         \
                _rv = (_session)->f->_call;                                                                 \
                (void)alarm(0);                                                                             \
                _rv;                                                                                        \
        })

/* The token as it describes itself; strings live as long as the P11. */
typedef struct P11Token {
        const char *label, *manufacturer, *model, *serial;
        bool pin_count_low, pin_final_try, pin_locked;
} P11Token;

enum {
        _P11_E_SUCCESS,
        P11_E_REFUSED, /* `report` says why */
};

/* Loads the module and calls C_Initialize.  P11_E_REFUSED: TOKEN_MODULE. */
_must_use_ int p11_load(P11 **ret, const char *module, const char *args, unsigned timeout_s, Report *report);
/* C_Finalize.  Do not call it when the module is known to be broken: just exit. */
P11 *p11_free(P11 *p);
DEFINE_CLEANUP(P11 *, p11_free)

/* Exactly one token must match.  P11_E_REFUSED: TOKEN_ABSENT, the text lists what was seen. */
_must_use_ int p11_find_token(P11 *p, const P11Uri *uri, P11Token *ret, Report *report);
/* True if the token that was found has the attributes of `uri` (object, id and type do not matter). */
bool p11_token_matches(P11 *p, const P11Uri *uri);
/* C_OpenSession on the token that was found.  P11_E_REFUSED: TOKEN_LOGIN. */
_must_use_ int p11_open_session(P11 *p, bool writable, Report *report);
/* C_Login as user.  P11_E_REFUSED: TOKEN_PIN_REFUSED if the token judged the PIN, TOKEN_LOGIN for any other
 * failure. */
_must_use_ int p11_login(P11 *p, const char *pin, Report *report);
/* The session, once open; owned by `p`. */
const P11Session *p11_session(const P11 *p);
