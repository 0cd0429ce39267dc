# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by packaging/quickstart and tests/run: install what is missing of packaging/build-deps.

# deps_list FILE STAGE...: the packages of these stages.
deps_list() {
        local file=$1 stage package wanted=" ${*:2} "

        while read -r stage package; do
                case $stage in
                '' | '#'*) ;;
                *) [[ $wanted == *" $stage "* ]] && printf '%s\n' "$package" ;;
                esac
        done <"$file"
        return 0
}

# deps_missing FILE STAGE...: those of them that are not installed.
deps_missing() {
        local package

        while read -r package; do
                dpkg-query --show --showformat='${db:Status-Status}\n' "$package" 2>/dev/null |
                        grep -qx installed || printf '%s\n' "$package"
        done < <(deps_list "$@")
}

# deps_install FILE STAGE...: root or sudo is needed only if something is missing.
deps_install() {
        local -a missing as_root=()

        mapfile -t missing < <(deps_missing "$@")
        if ((${#missing[@]} == 0)); then
                echo "everything is installed"
                return 0
        fi
        echo "installing: ${missing[*]}"
        if ((EUID != 0)); then
                if ! command -v sudo >/dev/null; then
                        echo "not root and no sudo: have an administrator install these first" >&2
                        return 1
                fi
                as_root=(sudo)
        fi
        "${as_root[@]}" apt-get -q update || return
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
                apt-get -q install --yes --no-install-recommends "${missing[@]}"
}
