# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
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
