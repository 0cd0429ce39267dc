# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by the checks beside it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# sources EXTENSION...: files of the tree, NUL-terminated, in one order everywhere.
sources() {
        local -a names=()
        local extension

        for extension; do
                names+=(-o -name "*.$extension")
        done
        find . \( -path ./build -o -path ./.git \) -prune -o -type f \( "${names[@]:1}" \) -print0 | LC_ALL=C sort -z
}

# need PROGRAM: without it the check is skipped, not passed.
need() {
        command -v "$1" >/dev/null || { echo "$1 is not installed"; exit 77; }
}
