/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Varlink methods: which socket offers which, and what each does.  Private to this folder.
 */
#include "server/engine.h"

typedef struct Server Server;

typedef int (*MethodCall)(Server *s, Peer *peer, const PeerCall *call);

struct Server {
        Engine *engine;
        Peers *peers;
        const Config *config;
};

/* Answer a call that arrived; the PeersCallbacks of a Server. */
_must_use_ int methods_call(void *userdata, Peer *peer, const PeerCall *call);
void methods_gone(void *userdata, Peer *peer, void *context);

/* methods-sign.c */
_must_use_ int method_sign(Server *s, Peer *peer, const PeerCall *call);
_must_use_ int method_check(Server *s, Peer *peer, const PeerCall *call);
/* methods-attest.c */
_must_use_ int method_attest(Server *s, Peer *peer, const PeerCall *call);
/* methods-journal.c */
_must_use_ int method_journal_list(Server *s, Peer *peer, const PeerCall *call);
_must_use_ int method_journal_show(Server *s, Peer *peer, const PeerCall *call);
_must_use_ int method_journal_checkpoint(Server *s, Peer *peer, const PeerCall *call);
_must_use_ int method_journal_evidence(Server *s, Peer *peer, const PeerCall *call);
/* methods-status.c */
_must_use_ int method_status(Server *s, Peer *peer, const PeerCall *call);
_must_use_ int method_policy_show(Server *s, Peer *peer, const PeerCall *call);

/* org.varlink.service.InvalidParameter */
_must_use_ int method_invalid(Peer *peer, const char *parameter);
/* Members of the parameters.  0, SJSON_E_MISSING, or SJSON_E_TYPE; null counts as missing. */
_must_use_ int method_get_string(const PeerCall *call, const char *name, const char **ret);
_must_use_ int method_get_u64(const PeerCall *call, const char *name, uint64_t *ret);
