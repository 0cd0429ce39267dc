# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2317
# Sourced after instance.sh by the tests of the whole daemon.

export PYTHONPATH=$SOURCE/tests/lib PYTHONDONTWRITEBYTECODE=1

# daemon_keep FUNCTION NAME: what FUNCTION does now is called NAME from here on, so that FUNCTION can be defined anew.
daemon_keep() {
        local body

        body=$(declare -f "$1")
        eval "$2${body#"$1"}"
}

# daemon_lines LINE...: before instance_begin: settings added to hsmd.conf.
daemon_lines() {
        DAEMON_LINES=("$@")
        daemon_keep instance_config daemon_config
        instance_config() {
                daemon_config
                printf '%s\n' "${DAEMON_LINES[@]}"
        }
}

# daemon_shim: before instance_begin: hsmd-token loads the module that fails on demand (system/token/p11shim.c).
daemon_shim() {
        daemon_keep instance_make_token daemon_make_token
        instance_make_token() {
                daemon_make_token || return
                export P11SHIM_MODULE=$INSTANCE_MODULE P11SHIM_RECORD=$INSTANCE_DIR/record
                INSTANCE_MODULE=$HSMD_BUILD/tests/p11shim.so
                [[ -e $INSTANCE_MODULE ]] || instance_fail "$INSTANCE_MODULE is missing"
        }
}

# The first half of a policy, for those that bring their own keys and releases.
daemon_policy_head() {
        cat <<END
hsmd-policy 1
serial 1
previous none
effective $(date -u +%Y-%m-%dT%H:%M:%SZ)
expires $(date -u -d '+365 days' +%Y-%m-%dT%H:%M:%SZ)
log $INSTANCE_ORIGIN key ed25519:$(instance_ed25519_hex <"$INSTANCE_DIR/keys/journal.der") uri pkcs11:token=$INSTANCE_LABEL;object=journal;type=private
site $INSTANCE_SITE country DE
org farm class internal
org overseer class third-party
$(instance_policy_rebuilder farm)
$(instance_policy_rebuilder overseer)
requester builder uid $(id -u)
END
}

# daemon_policy_release KEYS: farm and overseer, both.
daemon_policy_release() {
        cat <<END
release $INSTANCE_RELEASE
        keys $1
        requesters builder
        source git $INSTANCE_SOURCE
        require orgs 2 of farm overseer
        require class third-party 1
        on-dissent deny
end
END
}

# daemon_python FILE [ARGUMENT...]: a part of a test in daemon/FILE.
daemon_python() {
        python3 "$SOURCE/tests/system/daemon/$1" "${@:2}" || fail "$1 ${*:2}"
}

# daemon_start: both, as instance_start, but without waiting until the token is ready.
daemon_start() {
        instance_spawn hsmd-token "$INSTANCE_TOKEN"
        instance_spawn hsmd "$INSTANCE_HSMD"
        daemon_wait daemon_answers
}

daemon_answers() {
        hsmctl status >/dev/null 2>&1
}

# daemon_wait COMMAND...: until it succeeds; 15 s, since the longest back-off of hsmd is 10 s.
daemon_wait() {
        local i

        for ((i = 0; i < 300; i++)); do
                "$@" && return 0
                sleep 0.05
        done
        fail "waited in vain for: $*"
}

# daemon_run SECONDS: hsmd in the foreground, which has to end by itself; its words go to $DAEMON_WORDS.
daemon_run() {
        DAEMON_WORDS=$INSTANCE_DIR/words
        timeout "$1" "$INSTANCE_HSMD" --config "$INSTANCE_DIR/hsmd.conf" >"$DAEMON_WORDS" 2>&1
}

# daemon_refuses CODE TEXT: hsmd does not start, and says why.
daemon_refuses() {
        local code=0

        daemon_run 15 || code=$?
        [[ $code == "$1" ]] || fail "hsmd ended with $code, expected $1: $(<"$DAEMON_WORDS")"
        grep -qF -- "$2" "$DAEMON_WORDS" || fail "hsmd did not say '$2' but: $(<"$DAEMON_WORDS")"
}

# daemon_json EXPRESSION: of `d`, the JSON on stdin.
daemon_json() {
        python3 -c "import json, sys; d = json.load(sys.stdin); print($1)"
}

# daemon_gives CODE REASON COMMAND...: hsmctl with --json ends so, and the first result (or the whole) has this reason.
daemon_gives() {
        local code=0 said words

        words=$("${@:3}" --json 2>"$INSTANCE_DIR/errors") || code=$?
        said=$(daemon_json '(d.get("results") or [d.get("error", d)])[0].get("reason", "none")' <<<"$words" 2>/dev/null) || true
        [[ $code == "$1" && $said == "$2" ]] ||
                fail "'${*:3}' ended with $code and '$said', expected $1 and '$2': $words $(<"$INSTANCE_DIR/errors")"
}
