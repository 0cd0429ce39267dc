/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/base64.h"
#include "base/crypto.h"
#include "base/error.h"
#include "token/generate.h"
#include "token/key.h"
#include "token/log.h"
#include "token/login.h"
#include "token/worker.h"

#define ID_SIZE 8

typedef struct GenerateType {
        const char *name;
        KeyType type;
        CK_MECHANISM_TYPE mechanism;
        CK_ULONG bits; /* RSA */
        Blob params;   /* CKA_EC_PARAMS */
} GenerateType;

/* The curve of PKCS#11 3.0 2.3.10 as PrintableString: SoftHSM 2.6 and most tokens know this form only. */
#define EDWARDS25519                                                                                        \
        BLOB_LITERAL("\x13\x0c"                                                                             \
                     "edwards25519")

static const GenerateType *generate_type(const char *name)
{
        static GenerateType types[] = {
                {"ed25519", KEY_ED25519, CKM_EC_EDWARDS_KEY_PAIR_GEN, 0, {0}},
                {"ecdsa-p256", KEY_ECDSA_P256, CKM_EC_KEY_PAIR_GEN, 0, {0}},
                {"ecdsa-p384", KEY_ECDSA_P384, CKM_EC_KEY_PAIR_GEN, 0, {0}},
                {"rsa-2048", KEY_RSA, CKM_RSA_PKCS_KEY_PAIR_GEN, 2048, {0}},
                {"rsa-3072", KEY_RSA, CKM_RSA_PKCS_KEY_PAIR_GEN, 3072, {0}},
                {"rsa-4096", KEY_RSA, CKM_RSA_PKCS_KEY_PAIR_GEN, 4096, {0}},
        };

        types[0].params = EDWARDS25519;
        types[1].params = BLOB_LITERAL("\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07");
        types[2].params = BLOB_LITERAL("\x06\x05\x2b\x81\x04\x00\x22");
        for (size_t i = 0; i < ARRAY_SIZE(types); i++)
                if (strcmp(types[i].name, name) == 0)
                        return &types[i];
        return NULL;
}

const char *generate_types(void)
{
        return "ed25519, ecdsa-p256, ecdsa-p384, rsa-2048, rsa-3072, rsa-4096";
}

#define TEMPLATE_MAX 16
/* Some HSMs take minutes for RSA-4096, and token-timeout is what a signature may take. */
#define GENERATE_TIMEOUT_S 900

typedef struct Template {
        CK_ATTRIBUTE attributes[TEMPLATE_MAX];
        CK_ULONG n;
} Template;

/* PKCS#11 has no const; C_GenerateKeyPair only reads. */
static void template_add(Template *t, CK_ATTRIBUTE_TYPE type, const void *value, size_t size)
{
        assert(t->n < TEMPLATE_MAX);
        t->attributes[t->n++] = (CK_ATTRIBUTE){type, (void *)(uintptr_t)value, size};
}

static void template_add_truths(Template *t, const CK_ATTRIBUTE_TYPE *types, size_t n, bool truth)
{
        static const CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

        for (size_t i = 0; i < n; i++)
                template_add(t, types[i], truth ? &yes : &no, sizeof(CK_BBOOL));
}

static int generate_pair(const P11Session *s, const GenerateType *type, const char *label, const uint8_t *id,
                         CK_OBJECT_HANDLE *ret_public, Report *report)
{
        static const CK_ATTRIBUTE_TYPE public_true[] = {CKA_TOKEN, CKA_VERIFY},
                                       public_false[] = {CKA_PRIVATE, CKA_ENCRYPT, CKA_WRAP},
                                       private_true[] = {CKA_TOKEN, CKA_PRIVATE, CKA_SENSITIVE, CKA_SIGN},
                                       private_false[] = {CKA_EXTRACTABLE, CKA_DECRYPT, CKA_UNWRAP,
                                                          CKA_SIGN_RECOVER, CKA_DERIVE};
        static const uint8_t exponent[] = {1, 0, 1};
        CK_MECHANISM mechanism = {.mechanism = type->mechanism};
        P11Session slow = *s;
        Template public = {0}, private = {0};
        CK_OBJECT_HANDLE private_object;
        CK_RV rv;

        template_add_truths(&public, public_true, ARRAY_SIZE(public_true), true);
        template_add_truths(&public, public_false, ARRAY_SIZE(public_false), false);
        template_add_truths(&private, private_true, ARRAY_SIZE(private_true), true);
        template_add_truths(&private, private_false, ARRAY_SIZE(private_false), false);
        template_add(&public, CKA_LABEL, label, strlen(label));
        template_add(&private, CKA_LABEL, label, strlen(label));
        template_add(&public, CKA_ID, id, ID_SIZE);
        template_add(&private, CKA_ID, id, ID_SIZE);
        if (type->type == KEY_RSA) {
                template_add(&public, CKA_MODULUS_BITS, &type->bits, sizeof(type->bits));
                template_add(&public, CKA_PUBLIC_EXPONENT, exponent, sizeof(exponent));
        } else {
                template_add(&public, CKA_EC_PARAMS, type->params.data, type->params.size);
        }
        slow.timeout_s = s->timeout_s > GENERATE_TIMEOUT_S ? s->timeout_s : GENERATE_TIMEOUT_S;
        rv = P11_CALL(&slow, C_GenerateKeyPair(s->handle, &mechanism, public.attributes, public.n,
                                               private.attributes, private.n, ret_public, &private_object));
        if (rv == CKR_OK)
                return 0;
        report_set_ckr(report, TOKEN_FAILED, rv, "the token does not make a key of type %s", type->name);
        return P11_E_REFUSED;
}

static int generate_print(const PublicKey *key)
{
        _cleanup_(buffer_deinit) Buffer text = BUFFER_NULL;
        Blob spki = public_key_spki(key);
        int r;

        r = base64_encode(&text, spki.data, spki.size);
        if (r)
                return error_fold(r);
        (void)printf("-----BEGIN PUBLIC KEY-----\n");
        for (size_t i = 0; i < text.size; i += 64)
                (void)printf("%.64s\n", (const char *)text.data + i);
        (void)printf("-----END PUBLIC KEY-----\n");
        return fflush(stdout) == 0 ? 0 : error_origin(-EIO);
}

static void generate_uri(P11Uri *ret, const char *label)
{
        P11UriValue *v = &ret->fields[P11URI_OBJECT];

        *ret = (P11Uri){0};
        v->set = true;
        v->size = strlen(label);
        memcpy(v->text, label, v->size + 1);
}

/* The key is opened as a worker would open it: what it refuses is found now, not at the first signature. */
static int generate_key(const P11Session *s, const GenerateType *type, const char *label, Report *report)
{
        _cleanup_(public_key_freep) PublicKey *public = NULL;
        CK_OBJECT_HANDLE object;
        uint8_t id[ID_SIZE];
        P11Uri uri;
        size_t n;
        Key key;
        int r;

        r = key_find(s, CKO_PRIVATE_KEY, label, BLOB_NULL, &object, 1, &n, report);
        if (r)
                return r < 0 ? error_fold(r) : r;
        if (n > 0) {
                report_set(report, TOKEN_KEY_AMBIGUOUS, "the token has a private key with this label");
                return P11_E_REFUSED;
        }
        random_bytes(id, sizeof(id));
        r = generate_pair(s, type, label, id, &object, report);
        if (r)
                return r < 0 ? error_fold(r) : r;
        r = key_public(s, object, type->type, &public);
        if (r)
                return error_fold(r);
        if (!public) {
                report_set(report, TOKEN_FAILED, "the token does not show the public key that it has made");
                return P11_E_REFUSED;
        }
        generate_uri(&uri, label);
        r = key_open(&key, s, &(WireOpen){.type = type->type, .spki = public_key_spki(public)}, &uri,
                     report);
        if (r)
                return r < 0 ? error_fold(r) : r;
        return error_fold(generate_print(public));
}

static int generate_login(P11 **p11, const Config *config, const char *config_path, Report *report)
{
        _cleanup_(pinstate_freep) PinState *pin = NULL;
        Outcome outcome = OUTCOME_NOT_TRIED;
        P11Token token;
        bool left_over;
        int r, k;

        r = pinstate_new(&pin, config->token_state);
        if (r)
                return error_fold(r);
        if (pinstate_is_refused(pin)) {
                report_set(report, TOKEN_PIN_REFUSED,
                           "the PIN was refused before; correct it, then run hsmd-token --config %s "
                           "--forget-pin",
                           config_path);
                return P11_E_REFUSED;
        }
        r = pinstate_set_trying(pin, &left_over);
        if (r)
                return error_fold(r);
        r = login_run(p11, config, left_over, true, &token, &outcome, report);
        k = outcome_record(pin, outcome, left_over, report->text);
        if (r < 0 || k < 0)
                return error_fold(r < 0 ? r : k);
        return r;
}

int generate_run(const Config *config, const char *config_path, const char *type, const char *label)
{
        const GenerateType *t = generate_type(type);
        P11 *p11 = NULL;
        Report report;
        int r;

        assert(config);
        assert(label);

        if (!t || strlen(label) == 0 || strlen(label) > P11URI_VALUE_SIZE) {
                log_error("%s", t ? "--label must be 1 to 255 characters" : "unknown type of key");
                return 2;
        }
        worker_harden();
        report_set(&report, TOKEN_OK, "%s", "");
        r = generate_login(&p11, config, config_path, &report);
        if (r == 0)
                r = generate_key(p11_session(p11), t, label, &report);
        if (r > 0)
                log_error("%s: %s", token_status_to_string(report.status), report.text);
        p11 = p11_free(p11);
        return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
