/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "base/bytes.h"
#include "base/error.h"
#include "server/account.h"

int account_admit(Accounts *a, uint32_t uid, Account **ret)
{
        Account *account = NULL;
        int r;

        if (a->n_peers >= LIMIT_PEERS)
                return ACCOUNT_E_QUOTA;
        for (size_t i = 0; i < a->n && !account; i++)
                if (a->items[i]->uid == uid)
                        account = a->items[i];
        if (account && account->n_peers >= LIMIT_PEERS_PER_UID)
                return ACCOUNT_E_QUOTA;
        if (!account) {
                r = memory_new0(&account, 1);
                if (r != 0)
                        return error_fold(r);
                account->uid = uid;
                a->items[a->n++] = account;
        }
        account->n_peers++;
        a->n_peers++;
        *ret = account;
        return 0;
}

void account_release(Accounts *a, Account *account)
{
        assert(account->n_peers > 0 && a->n_peers > 0);
        a->n_peers--;
        if (--account->n_peers > 0)
                return;
        assert(account->n_bytes == 0 && account->n_fds == 0);
        for (size_t i = 0; i < a->n; i++)
                if (a->items[i] == account) {
                        a->items[i] = a->items[--a->n];
                        free(account);
                        return;
                }
        assert(!"an account that is not on the list");
}

static int account_charge(size_t *used, size_t limit, size_t before, size_t now)
{
        assert(*used >= before);
        if (now > before && now - before > limit - *used)
                return ACCOUNT_E_QUOTA;
        *used = *used - before + now;
        return 0;
}

int account_charge_bytes(Account *account, size_t before, size_t now)
{
        return account_charge(&account->n_bytes, LIMIT_BYTES_PER_UID, before, now);
}

int account_charge_fds(Account *account, size_t before, size_t now)
{
        return account_charge(&account->n_fds, LIMIT_FDS_PER_UID, before, now);
}
