/* SPDX-License-Identifier: Apache-2.0 */
#include <dlfcn.h>
#include <stdio.h>

#include "base/error.h"
#include "p11.h"

/* More slots than a benchmark's token directory ever has. */
#define P11_SLOTS 64

static int p11_check(const char *function, CK_RV rv)
{
        if (rv == CKR_OK)
                return 0;
        (void)fprintf(stderr, "%s: CKR %#lx\n", function, rv);
        return error_origin(-EIO);
}

static int p11_load(P11 *p, const char *module)
{
        CK_C_INITIALIZE_ARGS locking = {.flags = CKF_OS_LOCKING_OK};
        CK_C_GetFunctionList get_function_list;

        p->library = dlopen(module, RTLD_NOW | RTLD_LOCAL);
        if (!p->library) {
                (void)fprintf(stderr, "%s\n", dlerror());
                return error_origin(-ELIBACC);
        }
        /* dlsym() returns an object pointer; POSIX promises that its bytes are those of the function's. */
        *(void **)&get_function_list = dlsym(p->library, "C_GetFunctionList");
        if (!get_function_list || get_function_list(&p->functions) != CKR_OK)
                return error_origin(-ELIBACC);
        return p11_check("C_Initialize", p->functions->C_Initialize(&locking));
}

/* Labels are 32 bytes, padded with blanks (PKCS#11 2.40, CK_TOKEN_INFO). */
static bool label_is(const CK_TOKEN_INFO *info, const char *label)
{
        size_t size = strlen(label);

        if (size > sizeof(info->label) || memcmp(info->label, label, size) != 0)
                return false;
        for (size_t i = size; i < sizeof(info->label); i++)
                if (info->label[i] != ' ')
                        return false;
        return true;
}

static int p11_find_slot(P11 *p, const char *token)
{
        CK_SLOT_ID slots[P11_SLOTS];
        CK_ULONG n = P11_SLOTS;
        size_t n_found = 0;
        int r;

        r = p11_check("C_GetSlotList", p->functions->C_GetSlotList(CK_TRUE, slots, &n));
        if (r)
                return r;
        for (CK_ULONG i = 0; i < n; i++) {
                CK_TOKEN_INFO info;

                if (p->functions->C_GetTokenInfo(slots[i], &info) == CKR_OK && label_is(&info, token)) {
                        p->slot = slots[i];
                        n_found++;
                }
        }
        return n_found == 1 ? 0 : error_origin(-ENODEV);
}

int p11_init(P11 *p, const char *module, const char *token, Blob pin)
{
        CK_UTF8CHAR text[64];
        CK_RV rv;
        int r;

        assert(pin.size > 0);

        if (pin.size > sizeof(text))
                return error_origin(-EINVAL);
        *p = (P11)P11_NULL;
        r = p11_load(p, module);
        if (r)
                return error_fold(r);
        r = p11_find_slot(p, token);
        if (r)
                return error_fold(r);
        r = p11_open_session(p, &p->login);
        if (r)
                return error_fold(r);
        memcpy(text, pin.data, pin.size);
        rv = p->functions->C_Login(p->login, CKU_USER, text, pin.size);
        /* Through a p11-kit server the login of an earlier client may still stand. */
        return rv == CKR_USER_ALREADY_LOGGED_IN ? 0 : p11_check("C_Login", rv);
}

void p11_deinit(P11 *p)
{
        if (p->functions)
                (void)p->functions->C_Finalize(NULL);
        if (p->library)
                (void)dlclose(p->library);
        *p = (P11)P11_NULL;
}

int p11_open_session(P11 *p, CK_SESSION_HANDLE *ret)
{
        assert(p->functions);

        return p11_check("C_OpenSession",
                         p->functions->C_OpenSession(p->slot, CKF_SERIAL_SESSION, NULL, NULL, ret));
}

int p11_find_key(P11 *p, CK_SESSION_HANDLE session, const char *label, CK_OBJECT_HANDLE *ret)
{
        CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
        CK_UTF8CHAR text[64];
        size_t size = strlen(label);
        CK_ATTRIBUTE query[] = {
                {CKA_CLASS, &class, sizeof(class)},
                {CKA_LABEL, text, size},
        };
        CK_OBJECT_HANDLE found[2];
        CK_ULONG n = 0;
        int r;

        assert(p->functions);
        assert(size <= sizeof(text));

        memcpy(text, label, size);
        r = p11_check("C_FindObjectsInit",
                      p->functions->C_FindObjectsInit(session, query, ARRAY_SIZE(query)));
        if (r)
                return r;
        r = p11_check("C_FindObjects", p->functions->C_FindObjects(session, found, ARRAY_SIZE(found), &n));
        (void)p->functions->C_FindObjectsFinal(session); /* the answer is here already */
        if (r)
                return r;
        if (n != 1)
                return error_origin(-ENOKEY);
        *ret = found[0];
        return 0;
}

int p11_sign(P11 *p, CK_SESSION_HANDLE session, CK_MECHANISM_TYPE mechanism, CK_OBJECT_HANDLE key,
             Blob message, uint8_t ret[static P11_SIGNATURE_SIZE], size_t *ret_size)
{
        CK_MECHANISM how = {.mechanism = mechanism};
        CK_ULONG size = P11_SIGNATURE_SIZE;
        CK_BYTE text[1024];
        CK_RV rv;

        assert(message.size <= sizeof(text));

        memcpy(text, message.data, message.size); /* C_Sign's prototype would allow it to write */
        rv = p->functions->C_SignInit(session, &how, key);
        if (rv != CKR_OK)
                return p11_check("C_SignInit", rv);
        rv = p->functions->C_Sign(session, text, message.size, ret, &size);
        if (rv != CKR_OK)
                return p11_check("C_Sign", rv);
        *ret_size = size;
        return 0;
}
