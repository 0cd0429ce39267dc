# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by packaging/quickstart and, through tests/lib/instance.sh, by the system tests: a whole instance of
# hsmd with a SoftHSM token of its own, in one directory, as the invoking user.
#
# The caller sets these before instance_create:
INSTANCE_DIR=${INSTANCE_DIR:-}         # absolute, exists, empty
INSTANCE_HSMD=${INSTANCE_HSMD:-}       # the three programs
INSTANCE_TOKEN=${INSTANCE_TOKEN:-}
INSTANCE_HSMCTL=${INSTANCE_HSMCTL:-}
# and may change these:
INSTANCE_ORIGIN=${INSTANCE_ORIGIN:-hsmd.example/quickstart}
INSTANCE_SITE=${INSTANCE_SITE:-here}
INSTANCE_RELEASE=${INSTANCE_RELEASE:-hsmd}
INSTANCE_SOURCE=${INSTANCE_SOURCE:-git+https://git.example/hsmd}
INSTANCE_WORKERS=${INSTANCE_WORKERS:-2}
INSTANCE_LABEL=${INSTANCE_LABEL:-hsmd-instance}

instance_fail() {
        printf '%s: %s\n' "${0##*/}" "$*" >&2
        return 1
}

# A path that hsmd.conf can carry (its grammar has no quotes) and whose sockets the kernel accepts.
instance_check_dir() {
        local dir=$1 longest

        [[ $dir =~ ^/[A-Za-z0-9._/+@-]+$ ]] ||
                { instance_fail "$dir: only letters, digits and . _ / + @ - may be in this path"; return; }
        longest=$dir/run/officer.sock
        ((${#longest} <= 107)) ||
                instance_fail "$dir: too long by $((${#longest} - 107)): the kernel limits the path of a socket to 107 bytes"
}

instance_softhsm_module() {
        local path

        for path in /usr/lib/softhsm/libsofthsm2.so /usr/lib/*/softhsm/libsofthsm2.so; do
                if [[ -e $path ]]; then
                        printf '%s\n' "$path"
                        return 0
                fi
        done
        instance_fail "there is no libsofthsm2.so: install softhsm2"
}

# A throw-away token.
instance_make_token() {
        local dir=$INSTANCE_DIR pin

        INSTANCE_MODULE=$(instance_softhsm_module) || return
        export SOFTHSM2_CONF=$dir/softhsm2.conf
        mkdir -p "$dir/token"
        chmod 0700 "$dir/token"
        printf 'directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n' \
                "$dir/token" >"$SOFTHSM2_CONF"

        (
                umask 077
                od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$dir/pin"
        )
        pin=$(<"$dir/pin")
        softhsm2-util --init-token --free --label "$INSTANCE_LABEL" --pin "$pin" --so-pin "$pin" >/dev/null
}

# instance_make_key TYPE LABEL: a key that can do nothing but sign, and its public key in keys/.
instance_make_key() {
        local out=$INSTANCE_DIR/keys/$2

        mkdir -p "$INSTANCE_DIR/keys"
        "$INSTANCE_TOKEN" --config "$INSTANCE_DIR/hsmd.conf" --generate-key "$1" --label "$2" >"$out.pem" 2>"$out.log" ||
                { cat "$out.log" >&2; return 1; }
        echo "$2: $1, private, sensitive, not extractable, sign only"
        rm "$out.log"
        openssl pkey -pubin -in "$out.pem" -outform DER -out "$out.der"
}

# Tests that want other keys define this and instance_policy anew.
instance_make_keys() {
        instance_make_key ecdsa-p256 release-p256 &&
                instance_make_key rsa-3072 release-rsa3072 &&
                instance_make_key ed25519 journal
}

# instance_make_rebuilder ORG: a key pair of an organisation that rebuilds.
instance_make_rebuilder() {
        local dir=$INSTANCE_DIR/rebuilders

        mkdir -p "$dir"
        chmod 0700 "$dir"
        (
                umask 077
                openssl genpkey -algorithm ed25519 -out "$dir/$1.pem"
        )
}

# stdin: an Ed25519 SubjectPublicKeyInfo, whose last 32 bytes are the key.
instance_ed25519_hex() {
        tail -c 32 | od -An -v -tx1 | tr -d ' \n'
}

instance_builder_id() {
        printf 'https://%s.example/rebuilder' "$1"
}

instance_policy_rebuilder() {
        local key

        key=$(openssl pkey -in "$INSTANCE_DIR/rebuilders/$1.pem" -pubout -outform DER | instance_ed25519_hex)
        printf 'rebuilder %s-1 org %s key ed25519:%s builder-id %s\n' "$1" "$1" "$key" "$(instance_builder_id "$1")"
}

instance_policy_key() {
        local name=$1 algorithm=$2 formats=$3

        printf 'key %s algorithm %s spki %s uri pkcs11:token=%s;object=%s;type=private formats %s\n' "$name" "$algorithm" \
                "$(openssl base64 -A -in "$INSTANCE_DIR/keys/$name.der")" "$INSTANCE_LABEL" "$name" "$formats"
}

# The genesis policy, on stdout.
instance_policy() {
        cat <<END
# The genesis policy of this instance; its SHA-256 is journal entry 0.  Grammar: policy/POLICY.md.
hsmd-policy 1
serial 1
previous none
effective $(date -u +%Y-%m-%dT%H:%M:%SZ)
expires $(date -u -d '+365 days' +%Y-%m-%dT%H:%M:%SZ)
log $INSTANCE_ORIGIN key ed25519:$(instance_ed25519_hex <"$INSTANCE_DIR/keys/journal.der") uri pkcs11:token=$INSTANCE_LABEL;object=journal;type=private
site $INSTANCE_SITE country DE

# Two organisations that share nothing; one of them is not ours.
org farm class internal
org overseer class third-party
$(instance_policy_rebuilder farm)
$(instance_policy_rebuilder overseer)

$(instance_policy_key release-p256 ecdsa-p256 raw-ecdsa)
$(instance_policy_key release-rsa3072 rsa 'raw-rsa-pkcs1-sha256 raw-rsa-pss-sha256')

requester builder uid $(id -u)

release $INSTANCE_RELEASE
        keys release-p256 release-rsa3072
        requesters builder
        source git $INSTANCE_SOURCE
        require orgs 2 of farm overseer
        require class third-party 1
        on-dissent deny
end
END
}

# hsmd.conf, on stdout.
instance_config() {
        local dir=$INSTANCE_DIR

        cat <<END
# hsmd.conf(5): what the administrator of this host decides.
origin $INSTANCE_ORIGIN
site $INSTANCE_SITE
policy $dir/policy.hsmd
state $dir/state
log $dir/log
socket sign $dir/run/sign.sock mode 0600
socket officer $dir/run/officer.sock mode 0600
socket audit $dir/run/audit.sock mode 0600
token-socket $dir/run/token.sock
token-module $INSTANCE_MODULE
token-uri pkcs11:token=$INSTANCE_LABEL
token-pin-file $dir/pin
token-client-user $(id -u)
token-state $dir/token-state
workers $INSTANCE_WORKERS
END
}

# A shell file for people: `. DIR/env`.
instance_env() {
        local dir=$INSTANCE_DIR

        cat <<END
# . $dir/env: hsmctl on PATH, pointed at this instance.
export PATH="$(dirname "$INSTANCE_HSMCTL"):\$PATH"
export HSMCTL_SIGN_SOCKET=$dir/run/sign.sock
export HSMCTL_OFFICER_SOCKET=$dir/run/officer.sock
export HSMCTL_AUDIT_SOCKET=$dir/run/audit.sock
export HSMCTL_TRUST=$dir/trust
export HSMD_DIR=$dir
END
}

# Everything that has to exist before the daemons start.
instance_create() {
        local dir=$INSTANCE_DIR

        # Workers lock their memory where they may; root may.
        ulimit -l unlimited 2>/dev/null || true
        instance_check_dir "$dir" || return
        mkdir -p "$dir"/{run,state,log,token-state,attestations}
        chmod 0700 "$dir"/{run,state,token-state}
        instance_make_token || return
        instance_config >"$dir/hsmd.conf"
        instance_make_keys || return
        instance_make_rebuilder farm || return
        instance_make_rebuilder overseer || return
        instance_policy >"$dir/policy.hsmd"
        instance_env >"$dir/env"
        "$INSTANCE_HSMCTL" policy lint "$dir/policy.hsmd" || return
        "$INSTANCE_HSMCTL" policy trust "$dir/policy.hsmd" >"$dir/trust" || return
        sed -n 's/^log //p' "$dir/trust" >"$dir/log.vkey"
        cp "$dir/keys/release-p256.pem" "$dir/release.pem"
        # shellcheck disable=SC1091
        . "$dir/env"
}

# instance_spawn NAME PROGRAM: in the background, its own session, log and pid file under DIR/run.
instance_spawn() {
        local dir=$INSTANCE_DIR

        setsid "$2" --config "$dir/hsmd.conf" </dev/null >>"$dir/run/$1.log" 2>&1 &
        echo $! >"$dir/run/$1.pid"
}

# instance_running NAME: is the process of DIR/run/NAME.pid alive and ours?  Numbers are used again, so its command line is
# compared; /proc/PID/exe of a daemon that may not be dumped is root's to read.
instance_running() {
        local pid
        local -a words

        pid=$(cat "$INSTANCE_DIR/run/$1.pid" 2>/dev/null) || return 1
        [[ $pid =~ ^[1-9][0-9]*$ ]] || return 1
        { mapfile -d '' -t words <"/proc/$pid/cmdline"; } 2>/dev/null || return 1
        [[ ${words[0]:-} == */"$1" && ${words[1]:-} == --config && ${words[2]:-} == "$INSTANCE_DIR/hsmd.conf" ]]
}

# Ready: the daemon answers and its token has a worker.
instance_ready() {
        "$INSTANCE_HSMCTL" status --json 2>/dev/null |
                python3 -c 'import json, sys; sys.exit(json.load(sys.stdin)["token"]["state"] != "ready")' 2>/dev/null
}

instance_start() {
        local i

        instance_spawn hsmd-token "$INSTANCE_TOKEN"
        instance_spawn hsmd "$INSTANCE_HSMD"
        for ((i = 0; i < 300; i++)); do
                instance_ready && return 0
                instance_running hsmd || ((i < 5)) || break
                sleep 0.1
        done
        echo "the daemons did not become ready; their last words:" >&2
        tail -n 20 "$INSTANCE_DIR"/run/hsmd-token.log "$INSTANCE_DIR"/run/hsmd.log >&2
        return 1
}

# instance_stop_one NAME: ask, wait, insist.
instance_stop_one() {
        local i pid

        if instance_running "$1"; then
                pid=$(<"$INSTANCE_DIR/run/$1.pid")
                kill -TERM "$pid"
                for ((i = 0; i < 200; i++)); do
                        instance_running "$1" || break
                        sleep 0.05
                done
                if instance_running "$1"; then
                        echo "$1 did not stop in 10 s and was killed" >&2
                        kill -KILL "$pid"
                fi
        fi
        rm -f "$INSTANCE_DIR/run/$1.pid"
}

instance_stop() {
        instance_stop_one hsmd
        instance_stop_one hsmd-token
}

# instance_attest_make ORG OUT COMMIT SOURCE-SHA256 FILE...: what ORG says that it rebuilt.
instance_attest_make() {
        "$INSTANCE_HSMCTL" attest make --key "$INSTANCE_DIR/rebuilders/$1.pem" --release "$INSTANCE_RELEASE" \
                --builder-id "$(instance_builder_id "$1")" --source "$INSTANCE_SOURCE" \
                --git-commit "$3" --source-sha256 "$4" --out "$2" "${@:5}"
}
