# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by system tests: a whole instance of hsmd in a temporary directory, from the build in $HSMD_BUILD.
#
#     . "$(dirname "$0")/../lib/instance.sh"
#     instance_begin                      # token, keys, policy, configuration; removed when the test ends
#     instance_start                      # hsmd-token and hsmd, ready to sign
#     instance_attest FILE...             # farm and overseer have rebuilt these
#     instance_attest_by farm FILE...     # only one of them has
#     hsmctl sign --key release-p256 FILE
#     instance_stop
#
# What there is: packaging/lib/instance.sh.  Files: $INSTANCE_DIR/{artifact,trust,log,policy.hsmd,hsmd.conf,run,...}.
# Before instance_begin a test may set INSTANCE_* to change origin, release, source or workers, and define
# instance_policy or instance_config anew.  `keep` in HSMD_TEST_KEEP leaves the directory for a look.
set -euo pipefail

SOURCE=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
export SOURCE
HSMD_BUILD=$(cd "${HSMD_BUILD:-$SOURCE/build/test}" && pwd -P)
export HSMD_BUILD

INSTANCE_HSMD=$HSMD_BUILD/hsmd/hsmd
INSTANCE_TOKEN=$HSMD_BUILD/hsmd/token/hsmd-token
INSTANCE_HSMCTL=$HSMD_BUILD/client/hsmctl
# shellcheck source-path=SCRIPTDIR source=../../packaging/lib/instance.sh
. "$SOURCE/packaging/lib/instance.sh"

# What the rebuilders say that they built from.
INSTANCE_COMMIT=${INSTANCE_COMMIT:-0123456789abcdef0123456789abcdef01234567}
INSTANCE_SOURCE_SHA256=${INSTANCE_SOURCE_SHA256:-$(printf source | sha256sum | cut -c-64)}
instance_n_attestations=0

skip() {
        printf 'skipped: %s\n' "$*"
        exit 77
}

fail() {
        printf 'FAILED: %s (line %s)\n' "$*" "${BASH_LINENO[0]}" >&2
        exit 1
}

# need PROGRAM...: without them there is nothing to test.
need() {
        local program

        for program; do
                command -v "$program" >/dev/null || skip "$program is not installed"
        done
}

# expect CODE COMMAND...: anything but this exit code fails the test.
expect() {
        local wanted=$1 code=0

        shift
        "$@" || code=$?
        ((code == wanted)) || fail "'$*' ended with $code, expected $wanted"
}

# expect_text TEXT COMMAND...: the output, stderr included, has this text.
expect_text() {
        local wanted=$1 words

        shift
        words=$("$@" 2>&1) || true
        [[ $words == *"$wanted"* ]] || fail "'$*' did not say '$wanted' but: $words"
}

instance_end() {
        local code=$?

        trap - EXIT
        set +e
        instance_stop
        if ((code != 0 && code != 77)); then
                tail -n 30 "$INSTANCE_DIR"/run/*.log >&2
        fi
        if [[ ${HSMD_TEST_KEEP:-} == keep ]]; then
                echo "kept: $INSTANCE_DIR" >&2
        else
                rm -rf -- "$INSTANCE_DIR"
        fi
        exit "$code"
}

instance_begin() {
        need softhsm2-util openssl python3
        INSTANCE_DIR=$(mktemp -d /tmp/hsmd-test.XXXXXX)
        trap instance_end EXIT
        trap 'exit 130' INT
        trap 'exit 143' TERM
        instance_create >/dev/null
}

# instance_attest_by ORG FILE...: made and handed in; up to 256 files are one attestation.
instance_attest_by() {
        local org=$1 out

        shift
        while (($#)); do
                instance_n_attestations=$((instance_n_attestations + 1))
                out=$INSTANCE_DIR/attestations/$org-$instance_n_attestations.dsse
                instance_attest_make "$org" "$out" "$INSTANCE_COMMIT" "$INSTANCE_SOURCE_SHA256" "${@:1:256}" || return
                "$INSTANCE_HSMCTL" attest submit "$out" >/dev/null || return
                shift $(($# < 256 ? $# : 256))
        done
}

instance_attest() {
        instance_attest_by farm "$@" && instance_attest_by overseer "$@"
}
