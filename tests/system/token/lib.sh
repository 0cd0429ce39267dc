# SPDX-License-Identifier: Apache-2.0
# For system tests that need a SoftHSM token and hsmd-token: a folder of their own in $T, everything else below it.
# Sourced by bash scripts; ends them with 77 if SoftHSM is missing.

TOKEN_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
BUILD=${HSMD_BUILD:-$TOKEN_DIR/../../../build/test}
BUILD=$(cd "$BUILD" && pwd) || exit 1
HSMD_TOKEN=${HSMD_TOKEN:-$BUILD/hsmd/token/hsmd-token}
SHIM=$BUILD/tests/p11shim.so
TOKEN_PIN=831746

SOFTHSM_MODULE=
for module in /usr/lib/softhsm/libsofthsm2.so /usr/lib/*/softhsm/libsofthsm2.so; do
        [ -e "$module" ] && SOFTHSM_MODULE=$module && break
done
for tool in softhsm2-util pkcs11-tool openssl python3; do
        command -v "$tool" >/dev/null || { echo "skip: $tool is missing"; exit 77; }
done
[ -n "$SOFTHSM_MODULE" ] || { echo "skip: SoftHSM is missing"; exit 77; }

T=$(mktemp -d "${TMPDIR:-/tmp}/hsmd-token.XXXXXX")
TOKEN_PID=

token_cleanup() {
        token_stop
        rm -rf "$T"
}
trap token_cleanup EXIT

fail() {
        echo "FAIL: $*" >&2
        [ -e "$T/log" ] && sed 's/^/  log: /' "$T/log" >&2
        exit 1
}

# A fresh, empty token and the configuration that goes with it.
token_init() {
        mkdir -p "$T/tokens" "$T/state"
        chmod 0755 "$T"
        printf 'directories.tokendir = %s/tokens\nobjectstore.backend = file\nlog.level = ERROR\n' "$T" >"$T/softhsm2.conf"
        export SOFTHSM2_CONF=$T/softhsm2.conf
        softhsm2-util --init-token --free --label hsmd-test --pin "$TOKEN_PIN" --so-pin 12345678 >/dev/null || fail "init-token"
        token_pin "$TOKEN_PIN"
        token_config
}

token_pin() {
        (umask 077 && printf '%s\n' "$1" >"$T/pin")
}

# token_config [MODULE [LINE...]]: hsmd.conf, with lines that the test adds.
token_config() {
        local module=${1:-$SOFTHSM_MODULE}
        shift || true
        cat >"$T/hsmd.conf" <<END
origin test.example/log
site test
policy $T/policy
state $T/hsmd
log $T/log.d
socket sign $T/sign.sock
socket officer $T/officer.sock
socket audit $T/audit.sock
token-socket $T/token.sock
token-module $module
token-uri ${TOKEN_URI:-pkcs11:token=hsmd-test}
token-pin-file $T/pin
token-client-user ${TOKEN_CLIENT:-$(id -u)}
token-state $T/state
token-timeout ${TOKEN_TIMEOUT:-3}
END
        printf '%s\n' "$@" >>"$T/hsmd.conf"
}

# token_key TYPE LABEL: a proper key; its public key in $T/LABEL.pem and $T/LABEL.der.
token_key() {
        "$HSMD_TOKEN" --config "$T/hsmd.conf" --generate-key "$1" --label "$2" >"$T/$2.pem" || fail "generate-key $1"
        openssl pkey -pubin -in "$T/$2.pem" -outform DER -out "$T/$2.der" || fail "public key of $2"
}

# The service in the background, and its socket there.
token_start() {
        "$HSMD_TOKEN" --config "$T/hsmd.conf" 2>>"$T/log" &
        TOKEN_PID=$!
        for _ in $(seq 100); do
                [ -S "$T/token.sock" ] && python3 - "$T/token.sock" <<'END' 2>/dev/null && return 0
import os, sys
os.stat(sys.argv[1])
with open("/proc/net/unix") as f:
    sys.exit(0 if any(line.rstrip().endswith(sys.argv[1]) for line in f) else 1)
END
                kill -0 "$TOKEN_PID" 2>/dev/null || return 1
                sleep 0.05
        done
        return 1
}

token_stop() {
        [ -n "$TOKEN_PID" ] || return 0
        kill -TERM "$TOKEN_PID" 2>/dev/null
        wait "$TOKEN_PID"
        local rc=$?
        TOKEN_PID=
        return $rc
}

token_client() {
        python3 "$TOKEN_DIR/client.py" "$T/token.sock" "$@"
}
