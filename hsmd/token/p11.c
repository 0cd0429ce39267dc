/* SPDX-License-Identifier: Apache-2.0 */
#include <dlfcn.h>

#include <libp11.h>

#include "base/error.h"
#include "token/ckr.h"
#include "token/p11.h"

struct P11 {
        PKCS11_CTX *ctx;
        bool loaded;
        PKCS11_SLOT *slots;
        unsigned n_slots;
        PKCS11_SLOT *slot; /* the one that holds our token */
        void *module;
        P11Session session;
        bool session_open;
};

/* One bounded call into libp11. */
#define LIBP11_CALL(_p, _call)                                                                              \
        ({                                                                                                  \
                __typeof__(_call) _result;                                                                  \
                ERR_clear_error();                                                                          \
                (void)alarm((_p)->session.timeout_s);                                                       \
                _result = (_call);                                                                          \
                (void)alarm(0);                                                                             \
                _result;                                                                                    \
        })

/* The CK_RV behind the failure of libp11 just seen; CKR_GENERAL_ERROR if it failed without one. */
static CK_RV libp11_ckr(void)
{
        unsigned long e = ERR_peek_last_error(), reason = (unsigned long)ERR_GET_REASON(e);

        if (e == 0 || ERR_GET_LIB(e) != ERR_get_CKR_code() || reason == CKR_OK)
                return CKR_GENERAL_ERROR;
        return reason;
}

P11 *p11_free(P11 *p)
{
        if (!p)
                return NULL;
        (void)alarm(p->session.timeout_s);
        if (p->session_open)
                (void)p->session.f->C_CloseSession(
                        p->session.handle); /* C_Finalize follows whatever it says */
        if (p->slots)
                PKCS11_release_all_slots(p->ctx, p->slots, p->n_slots);
        if (p->loaded)
                PKCS11_CTX_unload(p->ctx);
        if (p->ctx)
                PKCS11_CTX_free(p->ctx);
        if (p->module)
                (void)dlclose(p->module);
        (void)alarm(0);
        free(p);
        return NULL;
}

/* The module that libp11 has just loaded, a second time: the same object, with its function list. */
static int p11_bind(P11 *p, const char *module, Report *report)
{
        CK_C_GetFunctionList get_list;
        CK_FUNCTION_LIST *list = NULL;
        CK_RV rv;

        p->module = dlopen(module, RTLD_NOLOAD | RTLD_NOW);
        get_list = p->module ? (CK_C_GetFunctionList)dlsym(p->module, "C_GetFunctionList") : NULL;
        if (!get_list) {
                report_set(report, TOKEN_MODULE, "module %s has no C_GetFunctionList", module);
                return P11_E_REFUSED;
        }
        (void)alarm(p->session.timeout_s);
        rv = get_list(&list);
        (void)alarm(0);
        if (rv != CKR_OK || !list) {
                report_set_ckr(report, TOKEN_MODULE, rv, "C_GetFunctionList of %s failed", module);
                return P11_E_REFUSED;
        }
        p->session.f = list;
        return 0;
}

int p11_load(P11 **ret, const char *module, const char *args, unsigned timeout_s, Report *report)
{
        _cleanup_(p11_freep) P11 *p = NULL;
        int r;

        assert(ret);
        assert(module);
        assert(timeout_s > 0);
        assert(report);

        r = memory_new0(&p, 1);
        if (r)
                return error_fold(r);
        p->session.timeout_s = timeout_s;
        p->ctx = PKCS11_CTX_new();
        if (!p->ctx)
                return error_origin(-ENOMEM);
        if (args)
                PKCS11_CTX_init_args(p->ctx, args);
        if (LIBP11_CALL(p, PKCS11_CTX_load(p->ctx, module)) != 0) {
                report_set_ckr(report, TOKEN_MODULE, libp11_ckr(),
                               "module %s does not load or initialise; check token-module, its libraries "
                               "and its own "
                               "configuration",
                               module);
                return P11_E_REFUSED;
        }
        p->loaded = true;
        r = p11_bind(p, module, report);
        if (r)
                return r < 0 ? error_fold(r) : r;
        *ret = TAKE_PTR(p);
        return 0;
}

/* ---- the token ---- */

static bool value_is(const P11UriValue *v, const char *text)
{
        return !v->set || strcmp(v->text, text ? text : "") == 0;
}

static bool slot_matches(PKCS11_SLOT *slot, const P11Uri *uri)
{
        const PKCS11_TOKEN *t = slot->token;

        if (!t || !t->initialized)
                return false;
        if (uri->fields[P11URI_SLOT_ID].set && PKCS11_get_slotid_from_slot(slot) != uri->slot_id)
                return false;
        return value_is(&uri->fields[P11URI_TOKEN], t->label) &&
               value_is(&uri->fields[P11URI_MANUFACTURER], t->manufacturer) &&
               value_is(&uri->fields[P11URI_MODEL], t->model) &&
               value_is(&uri->fields[P11URI_SERIAL], t->serialnr);
}

static void report_slots(P11 *p, Report *report)
{
        unsigned n = 0;

        for (unsigned i = 0; i < p->n_slots; i++) {
                const PKCS11_TOKEN *t = p->slots[i].token;

                if (!t || !t->initialized)
                        continue;
                report_append(report, "%s token '%s' serial '%s' model '%s' slot-id %lu",
                              n++ == 0 ? "" : ",", t->label ? t->label : "", t->serialnr ? t->serialnr : "",
                              t->model ? t->model : "", PKCS11_get_slotid_from_slot(&p->slots[i]));
        }
        if (n == 0)
                report_append(report, " none (%u slots)", p->n_slots);
}

int p11_find_token(P11 *p, const P11Uri *uri, P11Token *ret, Report *report)
{
        const PKCS11_TOKEN *t;
        unsigned n = 0;

        assert(p);
        assert(!p->slots);
        assert(uri);
        assert(ret);
        assert(report);

        if (LIBP11_CALL(p, PKCS11_enumerate_slots(p->ctx, &p->slots, &p->n_slots)) != 0) {
                report_set_ckr(report, TOKEN_ABSENT, libp11_ckr(),
                               "the slots of the module cannot be listed");
                return P11_E_REFUSED;
        }
        for (unsigned i = 0; i < p->n_slots; i++)
                if (slot_matches(&p->slots[i], uri)) {
                        p->slot = &p->slots[i];
                        n++;
                }
        if (n != 1) {
                p->slot = NULL;
                report_set(report, TOKEN_ABSENT, "%u tokens match token-uri, it must be one; seen:", n);
                report_slots(p, report);
                return P11_E_REFUSED;
        }
        t = p->slot->token;
        *ret = (P11Token){
                .label = t->label ? t->label : "",
                .manufacturer = t->manufacturer ? t->manufacturer : "",
                .model = t->model ? t->model : "",
                .serial = t->serialnr ? t->serialnr : "",
                .pin_count_low = t->userPinCountLow,
                .pin_final_try = t->userPinFinalTry,
                .pin_locked = t->userPinLocked,
        };
        return 0;
}

bool p11_token_matches(P11 *p, const P11Uri *uri)
{
        assert(p);
        assert(p->slot);
        assert(uri);
        return slot_matches(p->slot, uri);
}

/* ---- session and login ---- */

int p11_open_session(P11 *p, bool writable, Report *report)
{
        CK_SLOT_ID slot_id;
        CK_RV rv;

        assert(p);
        assert(p->slot);
        assert(!p->session_open);
        assert(report);

        slot_id = PKCS11_get_slotid_from_slot(p->slot);
        rv = P11_CALL(&p->session,
                      C_OpenSession(slot_id, CKF_SERIAL_SESSION | (writable ? CKF_RW_SESSION : 0), NULL,
                                    NULL, &p->session.handle));
        if (rv != CKR_OK) {
                report_set_ckr(report, TOKEN_LOGIN, rv, "the token opens no session%s",
                               rv == CKR_SESSION_COUNT ? " (a worker needs two: lower 'workers')" : "");
                return P11_E_REFUSED;
        }
        p->session_open = true;
        return 0;
}

int p11_login(P11 *p, const char *pin, Report *report)
{
        CK_RV rv;

        assert(p);
        assert(p->session_open);
        assert(pin);
        assert(report);

        if (LIBP11_CALL(p, PKCS11_login(p->slot, 0, pin)) == 0)
                return 0;
        rv = libp11_ckr();
        if (ckr_is_pin_refusal(rv))
                report_set_ckr(report, TOKEN_PIN_REFUSED, rv, "the token does not take the PIN");
        else
                report_set_ckr(report, TOKEN_LOGIN, rv, "login to the token failed");
        return P11_E_REFUSED;
}

const P11Session *p11_session(const P11 *p)
{
        assert(p);
        assert(p->session_open);
        return &p->session;
}
