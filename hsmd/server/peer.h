/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Connections: Varlink framing (one JSON object and a NUL), credentials, bounds, time-outs.
 *
 * One call at a time: while it is answered, and while the answer is not read, nothing more is read from that
 * peer.  A peer that stops in the middle of a message, does not read its answer, or says nothing for long is
 * dropped.  All that it makes hsmd hold is charged to its uid first.
 */
#include "base/sjson.h"
#include "config/config.h"
#include "policy/decision.h"
#include "server/account.h"
#include "server/loop.h"

#define PEER_MESSAGE_TIMEOUT_USEC (10 * 1000 * 1000) /* from the first byte of a message to its last */
#define PEER_WRITE_TIMEOUT_USEC   (30 * 1000 * 1000) /* without progress */
#define PEER_IDLE_TIMEOUT_USEC    (10 * 60 * 1000 * 1000ull)
#define PEER_ACCEPT_PAUSE_USEC    (100 * 1000) /* when no connection can be accepted */
#define PEER_GROUPS_MAX           256

typedef struct Peer Peer;
typedef struct Peers Peers;

typedef struct PeerCall {
        const char *method;
        SJson *parameters; /* an object; NULL when the call had none */
        bool more;
} PeerCall;

typedef struct PeersCallbacks {
        /*
         * A whole call.  It is answered by peer_reply() or peer_error(), now or later; the parameters are
         * valid until the callback returns.  0, or a negative errno that ends the daemon.
         */
        int (*call)(void *userdata, Peer *peer, const PeerCall *call);
        /* The peer is gone with a call unanswered. */
        void (*gone)(void *userdata, Peer *peer, void *context);
} PeersCallbacks;

_must_use_ int peers_new(Peers **ret, Loop *loop, const PeersCallbacks *callbacks, void *userdata);
Peers *peers_free(Peers *p);
DEFINE_CLEANUP(Peers *, peers_free)
/* Accept on this listening socket from now on; takes the fd. */
_must_use_ int peers_listen(Peers *p, ConfigRole role, int fd);
/* No further connections, no further calls; answers under way are still sent. */
void peers_stop(Peers *p);
size_t peers_n(const Peers *p);
bool peers_writing(const Peers *p); /* answers wait to be read */

ConfigRole peer_role(const Peer *peer);
const DecisionPeer *peer_identity(const Peer *peer);
/* A word of the callee's, handed to `gone`. */
void peer_set_context(Peer *peer, void *context);

/* Descriptors of the call under way.  Take: ownership goes to the caller; -1 if there is none of this number
 * (any more). */
size_t peer_n_fds(const Peer *peer);
int peer_take_fd(Peer *peer, size_t i);

/*
 * Bytes that the callee holds for this peer's answer and has not handed over: charged like buffers.  A peer
 * that cannot be charged is dropped.
 */
void peer_hold(Peer *peer, size_t size);

/*
 * Answer.  `parameters` is a JSON object.  With `continues` more answers follow; without, the call is over.
 * A peer that cannot be charged for the answer is dropped.
 */
_must_use_ int peer_reply(Peer *peer, Blob parameters, bool continues);
_must_use_ int peer_error(Peer *peer, const char *error, Blob parameters);
