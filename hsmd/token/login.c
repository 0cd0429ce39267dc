/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "token/login.h"
#include "token/pin.h"

static int login_check_token(const P11Token *token, bool left_over, Outcome *ret_outcome, Report *report)
{
        if (token->pin_locked) {
                report_set(report, TOKEN_PIN_REFUSED,
                           "the token '%s' says that its PIN is locked: unlock it as security officer",
                           token->label);
                return P11_E_REFUSED;
        }
        if (token->pin_final_try) {
                report_set(report, TOKEN_PIN_REFUSED,
                           "the token '%s' says that one more wrong PIN locks it: log in once with another "
                           "tool and the "
                           "right PIN, which resets the count",
                           token->label);
                return P11_E_REFUSED;
        }
        if (left_over && token->pin_count_low) {
                *ret_outcome = OUTCOME_REFUSED;
                report_set(report, TOKEN_PIN_REFUSED,
                           "an earlier login ended without an outcome, and the token '%s' counts wrong PINs",
                           token->label);
                return P11_E_REFUSED;
        }
        return 0;
}

static int login_send_pin(P11 *p11, const Config *config, Outcome *ret_outcome, Report *report)
{
        _cleanup_(pin_wipe) Pin pin = PIN_NULL;
        int r;

        r = pin_read(&pin, config, report);
        if (r < 0)
                return error_fold(r);
        if (r > 0)
                return P11_E_REFUSED;
        *ret_outcome = OUTCOME_UNKNOWN;
        r = p11_login(p11, (const char *)pin.data, report);
        if (r < 0)
                return error_fold(r);
        if (r == 0)
                *ret_outcome = OUTCOME_LOGGED_IN;
        else if (report->status == TOKEN_PIN_REFUSED)
                *ret_outcome = OUTCOME_REFUSED;
        return r;
}

int login_run(P11 **p11, const Config *config, bool left_over, bool writable, P11Token *ret_token,
              Outcome *ret_outcome, Report *report)
{
        const char *reason = NULL;
        P11Uri uri;
        int r;

        assert(p11);
        assert(!*p11);
        assert(config);
        assert(ret_token);
        assert(ret_outcome);
        assert(report);

        *ret_outcome = OUTCOME_NOT_TRIED;
        if (p11uri_parse_token(&uri, BLOB_STRING(config->token_uri), &reason) != 0) {
                report_set(report, TOKEN_FAULT, "token-uri is not usable: %s", reason);
                return P11_E_REFUSED;
        }
        r = p11_load(p11, config->token_module, config->token_module_args,
                     (unsigned)(config->token_timeout_usec / 1000000), report);
        if (r == 0)
                r = p11_find_token(*p11, &uri, ret_token, report);
        if (r == 0)
                r = login_check_token(ret_token, left_over, ret_outcome, report);
        if (r == 0)
                r = p11_open_session(*p11, writable, report);
        if (r == 0)
                r = login_send_pin(*p11, config, ret_outcome, report);
        return r < 0 ? error_fold(r) : r;
}
