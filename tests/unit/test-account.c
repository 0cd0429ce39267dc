/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/account.h"

static void account_admit_up_to_the_quota_of_a_uid_then_refuses(void **state)
{
        static Accounts a;
        Account *account = NULL, *other;

        (void)state;
        for (size_t i = 0; i < LIMIT_PEERS_PER_UID; i++)
                assert_int_equal(account_admit(&a, 1000, &account), 0);
        assert_int_equal(a.n, 1);
        other = account;
        assert_int_equal(account_admit(&a, 1000, &other), ACCOUNT_E_QUOTA);
        assert_ptr_equal(other, account);
        assert_int_equal(account_admit(&a, 1001, &other), 0);
        account_release(&a, account);
        assert_int_equal(account_admit(&a, 1000, &account), 0);
        for (size_t i = 0; i < LIMIT_PEERS_PER_UID; i++)
                account_release(&a, account);
        assert_int_equal(a.n, 1); /* the one of 1001 */
        assert_int_equal(a.items[0]->uid, 1001);
        account_release(&a, other);
        assert_int_equal(a.n, 0);
        assert_int_equal(a.n_peers, 0);
}

static void account_admit_over_the_quota_of_all_refuses(void **state)
{
        static Accounts a;
        static Account *accounts[LIMIT_PEERS];
        Account *more;

        (void)state;
        for (uint32_t i = 0; i < LIMIT_PEERS; i++)
                assert_int_equal(account_admit(&a, i, &accounts[i]), 0);
        assert_int_equal(account_admit(&a, LIMIT_PEERS, &more), ACCOUNT_E_QUOTA);
        assert_int_equal(account_admit(&a, 0, &more), ACCOUNT_E_QUOTA);
        for (uint32_t i = 0; i < LIMIT_PEERS; i++)
                account_release(&a, accounts[i]);
        assert_int_equal(a.n, 0);
}

static void account_charge_is_exact(void **state)
{
        static Accounts a;
        Account *account;

        (void)state;
        assert_int_equal(account_admit(&a, 1000, &account), 0);
        assert_int_equal(account_charge_bytes(account, 0, LIMIT_BYTES_PER_UID), 0);
        assert_int_equal(account_charge_bytes(account, 0, 1), ACCOUNT_E_QUOTA);
        assert_int_equal(account->n_bytes, LIMIT_BYTES_PER_UID);
        assert_int_equal(account_charge_bytes(account, 10, 11), ACCOUNT_E_QUOTA);
        assert_int_equal(account_charge_bytes(account, 11, 10), 0);
        assert_int_equal(account_charge_bytes(account, 10, 11), 0);
        assert_int_equal(account_charge_bytes(account, 0, SIZE_MAX), ACCOUNT_E_QUOTA);
        assert_int_equal(account_charge_bytes(account, LIMIT_BYTES_PER_UID, 0), 0);
        assert_int_equal(account_charge_fds(account, 0, LIMIT_FDS_PER_UID), 0);
        assert_int_equal(account_charge_fds(account, 0, 1), ACCOUNT_E_QUOTA);
        assert_int_equal(account_charge_fds(account, LIMIT_FDS_PER_UID, 0), 0);
        account_release(&a, account);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(account_admit_up_to_the_quota_of_a_uid_then_refuses),
                cmocka_unit_test(account_admit_over_the_quota_of_all_refuses),
                cmocka_unit_test(account_charge_is_exact),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
