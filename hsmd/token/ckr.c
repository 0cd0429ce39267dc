/* SPDX-License-Identifier: Apache-2.0 */
#include <p11-kit/pkcs11.h>

#include "token/ckr.h"

typedef enum CkrMeaning {
        CKR_MEANS_FATAL,
        CKR_MEANS_OPERATION, /* this operation is refused; the session is as good as before */
        CKR_MEANS_PIN,
} CkrMeaning;

#define ENTRY(_code, _meaning)                                                                              \
        {                                                                                                   \
                _code, #_code, _meaning                                                                     \
        }

static const struct {
        unsigned long code;
        const char *name;
        CkrMeaning meaning;
} codes[] = {
        ENTRY(CKR_OK, CKR_MEANS_OPERATION),
        ENTRY(CKR_HOST_MEMORY, CKR_MEANS_FATAL),
        ENTRY(CKR_SLOT_ID_INVALID, CKR_MEANS_FATAL),
        ENTRY(CKR_GENERAL_ERROR, CKR_MEANS_FATAL),
        ENTRY(CKR_FUNCTION_FAILED, CKR_MEANS_FATAL),
        ENTRY(CKR_ARGUMENTS_BAD, CKR_MEANS_FATAL),
        ENTRY(CKR_ATTRIBUTE_SENSITIVE, CKR_MEANS_OPERATION),
        ENTRY(CKR_ATTRIBUTE_TYPE_INVALID, CKR_MEANS_OPERATION),
        ENTRY(CKR_ATTRIBUTE_VALUE_INVALID, CKR_MEANS_OPERATION),
        ENTRY(CKR_TEMPLATE_INCOMPLETE, CKR_MEANS_OPERATION),
        ENTRY(CKR_TEMPLATE_INCONSISTENT, CKR_MEANS_OPERATION),
        ENTRY(CKR_DATA_INVALID, CKR_MEANS_OPERATION),
        ENTRY(CKR_DATA_LEN_RANGE, CKR_MEANS_OPERATION),
        ENTRY(CKR_DEVICE_ERROR, CKR_MEANS_FATAL),
        ENTRY(CKR_DEVICE_MEMORY, CKR_MEANS_FATAL),
        ENTRY(CKR_DEVICE_REMOVED, CKR_MEANS_FATAL),
        ENTRY(CKR_FUNCTION_CANCELED, CKR_MEANS_FATAL),
        ENTRY(CKR_FUNCTION_NOT_SUPPORTED, CKR_MEANS_FATAL),
        ENTRY(CKR_KEY_HANDLE_INVALID, CKR_MEANS_FATAL),
        ENTRY(CKR_KEY_SIZE_RANGE, CKR_MEANS_OPERATION),
        ENTRY(CKR_KEY_TYPE_INCONSISTENT, CKR_MEANS_OPERATION),
        ENTRY(CKR_KEY_FUNCTION_NOT_PERMITTED, CKR_MEANS_OPERATION),
        ENTRY(CKR_MECHANISM_INVALID, CKR_MEANS_OPERATION),
        ENTRY(CKR_MECHANISM_PARAM_INVALID, CKR_MEANS_OPERATION),
        ENTRY(CKR_OBJECT_HANDLE_INVALID, CKR_MEANS_FATAL),
        ENTRY(CKR_OPERATION_ACTIVE, CKR_MEANS_FATAL),
        ENTRY(CKR_OPERATION_NOT_INITIALIZED, CKR_MEANS_FATAL),
        ENTRY(CKR_PIN_INCORRECT, CKR_MEANS_PIN),
        ENTRY(CKR_PIN_INVALID, CKR_MEANS_PIN),
        ENTRY(CKR_PIN_LEN_RANGE, CKR_MEANS_PIN),
        ENTRY(CKR_PIN_EXPIRED, CKR_MEANS_PIN),
        ENTRY(CKR_PIN_LOCKED, CKR_MEANS_PIN),
        ENTRY(CKR_SESSION_CLOSED, CKR_MEANS_FATAL),
        ENTRY(CKR_SESSION_COUNT, CKR_MEANS_FATAL),
        ENTRY(CKR_SESSION_HANDLE_INVALID, CKR_MEANS_FATAL),
        ENTRY(CKR_SESSION_READ_ONLY, CKR_MEANS_FATAL),
        ENTRY(CKR_TOKEN_NOT_PRESENT, CKR_MEANS_FATAL),
        ENTRY(CKR_TOKEN_NOT_RECOGNIZED, CKR_MEANS_FATAL),
        ENTRY(CKR_TOKEN_WRITE_PROTECTED, CKR_MEANS_FATAL),
        ENTRY(CKR_USER_ALREADY_LOGGED_IN, CKR_MEANS_FATAL),
        ENTRY(CKR_USER_NOT_LOGGED_IN, CKR_MEANS_FATAL),
        ENTRY(CKR_USER_PIN_NOT_INITIALIZED, CKR_MEANS_PIN),
        ENTRY(CKR_USER_TYPE_INVALID, CKR_MEANS_FATAL),
        ENTRY(CKR_BUFFER_TOO_SMALL, CKR_MEANS_FATAL),
        ENTRY(CKR_CRYPTOKI_NOT_INITIALIZED, CKR_MEANS_FATAL),
        ENTRY(CKR_CRYPTOKI_ALREADY_INITIALIZED, CKR_MEANS_FATAL),
        ENTRY(CKR_FUNCTION_REJECTED, CKR_MEANS_OPERATION),
        ENTRY(CKR_VENDOR_DEFINED, CKR_MEANS_FATAL),
};

const char *ckr_to_string(unsigned long ckr)
{
        for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
                if (codes[i].code == ckr)
                        return codes[i].name;
        return "a code that PKCS#11 does not define";
}

static CkrMeaning ckr_meaning(unsigned long ckr)
{
        for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
                if (codes[i].code == ckr)
                        return codes[i].meaning;
        return CKR_MEANS_FATAL;
}

bool ckr_is_fatal(unsigned long ckr)
{
        return ckr_meaning(ckr) != CKR_MEANS_OPERATION;
}

bool ckr_is_pin_refusal(unsigned long ckr)
{
        return ckr_meaning(ckr) == CKR_MEANS_PIN;
}
