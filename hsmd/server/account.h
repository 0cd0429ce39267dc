/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What each uid holds in hsmd: connections, bytes, file descriptors.  Charged before the thing exists, given
 * back by the destructor of the thing; an account that is charged for nothing is gone.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/macro.h"

typedef struct Account {
        uint32_t uid;
        size_t n_peers, n_bytes, n_fds;
} Account;

typedef struct Accounts {
        size_t n_peers; /* of all */
        size_t n;
        Account *items[LIMIT_PEERS]; /* each has at least one connection */
} Accounts;

enum {
        _ACCOUNT_E_SUCCESS,
        ACCOUNT_E_QUOTA, /* this uid's, or everybody's, is used up */
};

/* Admit one connection of `uid`; the account lives until account_release(). */
_must_use_ int account_admit(Accounts *a, uint32_t uid, Account **ret);
void account_release(Accounts *a, Account *account);
/* Give back what was charged before, take what is needed now. */
_must_use_ int account_charge_bytes(Account *account, size_t before, size_t now);
_must_use_ int account_charge_fds(Account *account, size_t before, size_t now);
