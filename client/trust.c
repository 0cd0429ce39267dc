/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/base64.h"
#include "base/error.h"
#include "base/lines.h"

#include "client/trust.h"

/* Where the words of a key statement stand. */
enum { KEY_NAME = 1, KEY_ALGORITHM = 3, KEY_SPKI = 5, KEY_FORMATS = 6 };

typedef struct TrustReader {
        Trust *trust;
        PolicyFault *fault;
        bool have_header, have_log;
} TrustReader;

_printf_(4, 5) static int trust_fail(TrustReader *t, unsigned line, unsigned column, const char *format, ...)
{
        va_list args;

        t->fault->line = line;
        t->fault->column = column;
        va_start(args, format);
        (void)vsnprintf(t->fault->text, sizeof(t->fault->text), format, args);
        va_end(args);
        return TRUST_E_INVALID;
}

#define WORD_FAIL(_t, _line, _i, ...)                                                                       \
        trust_fail((_t), (_line)->number, (_line)->words[(_i)].column, __VA_ARGS__)

static int trust_read_header(TrustReader *t, const Line *line)
{
        if (!word_is(&line->words[0], "hsmd-trust"))
                return WORD_FAIL(t, line, 0, "the first statement has to be: hsmd-trust 1");
        if (line->n_words != 2 || !word_is(&line->words[1], "1"))
                return WORD_FAIL(t, line, line->n_words - 1, "this program knows hsmd-trust 1 only");
        t->have_header = true;
        return 0;
}

static int trust_read_log(TrustReader *t, const Line *line)
{
        int r;

        if (t->have_log)
                return WORD_FAIL(t, line, 0, "a second log");
        if (line->n_words != 2)
                return WORD_FAIL(t, line, line->n_words - 1, "expected: log VKEY");
        r = note_verifier_parse(&t->trust->log, line->words[1].text, line->words[1].size);
        if (r < 0)
                return error_fold(r);
        if (r > 0)
                return WORD_FAIL(t, line, 1, "not a verifier key (NAME+ID+BASE64)");
        t->have_log = true;
        if (t->trust->log.type != NOTE_TYPE_ED25519)
                return WORD_FAIL(t, line, 1, "the key of a log has to be of type 1 (Ed25519)");
        return 0;
}

/* Number, not enum: the caller's loop ends where no type has that name. */
static bool trust_read_type(KeyType *ret, const Word *w)
{
        for (unsigned type = 0; type < _KEY_TYPE_MAX; type++)
                if (word_is(w, key_type_to_string((KeyType)type))) {
                        *ret = (KeyType)type;
                        return true;
                }
        return false;
}

static int trust_read_spki(TrustReader *t, const Line *line, TrustKey *key)
{
        _cleanup_(buffer_deinit) Buffer der = BUFFER_NULL;
        const Word *w = &line->words[KEY_SPKI];
        int r;

        r = base64_decode(&der, BASE64_STANDARD, w->text, w->size);
        if (r < 0)
                return error_fold(r);
        if (r > 0 || der.size > LIMIT_SPKI_SIZE)
                return WORD_FAIL(t, line, KEY_SPKI, "not canonical base64");
        r = public_key_new_spki(&key->public_key, buffer_blob(&der));
        if (r < 0)
                return error_fold(r);
        if (r > 0)
                return WORD_FAIL(t, line, KEY_SPKI, "%s",
                                 r == CRYPTO_E_KEY_WEAK ? "a key that cannot be trusted"
                                                        : "not a public key of a supported kind");
        if (public_key_type(key->public_key) != key->type)
                return WORD_FAIL(t, line, KEY_SPKI, "the key is of another algorithm: %s",
                                 key_type_to_string(public_key_type(key->public_key)));
        return 0;
}

static int trust_read_formats(TrustReader *t, const Line *line, TrustKey *key)
{
        for (size_t i = KEY_FORMATS + 1; i < line->n_words; i++) {
                const Word *w = &line->words[i];
                SignatureFormat f = signature_format_from_string(w->text, w->size);

                if (f == _FORMAT_INVALID)
                        return WORD_FAIL(t, line, i, "unknown format");
                if (!signature_format_fits(f, key->type))
                        return WORD_FAIL(t, line, i, "this format does not go with the key");
                if (key->formats & (1U << f))
                        return WORD_FAIL(t, line, i, "the format is there twice");
                key->formats |= 1U << f;
        }
        return 0;
}

static int trust_check_unique(TrustReader *t, const Line *line, const TrustKey *key)
{
        for (size_t i = 0; i < t->trust->n_keys; i++) {
                const TrustKey *other = &t->trust->keys[i];

                if (strcmp(other->name, key->name) == 0)
                        return WORD_FAIL(t, line, KEY_NAME, "a second key of this name");
                if (memcmp(public_key_id(other->public_key), public_key_id(key->public_key), SHA256_SIZE) ==
                    0)
                        return WORD_FAIL(t, line, KEY_SPKI, "the same key as %s", other->name);
        }
        return 0;
}

static void trust_key_deinit(TrustKey *key)
{
        free(key->name);
        key->public_key = public_key_free(key->public_key);
        key->name = NULL;
}

static int trust_read_key(TrustReader *t, const Line *line)
{
        _cleanup_(trust_key_deinit) TrustKey key = {};
        const Word *w = line->words;
        int r;

        if (line->n_words <= KEY_FORMATS + 1 || !word_is(&w[KEY_ALGORITHM - 1], "algorithm") ||
            !word_is(&w[KEY_SPKI - 1], "spki") || !word_is(&w[KEY_FORMATS], "formats"))
                return WORD_FAIL(t, line, 0,
                                 "expected: key NAME algorithm ALGORITHM spki BASE64 formats FORMAT...");
        if (!word_is_name(&w[KEY_NAME]))
                return WORD_FAIL(t, line, KEY_NAME, "not a name");
        if (t->trust->n_keys == ARRAY_SIZE(t->trust->keys))
                return WORD_FAIL(t, line, 0, "too many keys");
        if (!trust_read_type(&key.type, &w[KEY_ALGORITHM]))
                return WORD_FAIL(t, line, KEY_ALGORITHM, "unknown algorithm");

        r = word_copy(&key.name, &w[KEY_NAME]);
        if (r)
                return error_fold(r);
        r = trust_read_spki(t, line, &key);
        if (r == 0)
                r = trust_read_formats(t, line, &key);
        if (r == 0)
                r = trust_check_unique(t, line, &key);
        if (r)
                return r;

        t->trust->keys[t->trust->n_keys++] = key;
        key = (TrustKey){};
        return 0;
}

static int trust_read_statement(TrustReader *t, const Line *line)
{
        if (!t->have_header)
                return trust_read_header(t, line);
        if (word_is(&line->words[0], "log"))
                return trust_read_log(t, line);
        if (word_is(&line->words[0], "key"))
                return trust_read_key(t, line);
        return WORD_FAIL(t, line, 0, "unknown statement");
}

static int trust_read(TrustReader *t, LineReader *reader)
{
        const char *reason;
        Line line;
        int r;

        while ((r = lines_next(reader, &line, &reason)) != LINES_E_END) {
                if (r < 0)
                        return error_fold(r);
                if (r > 0)
                        return WORD_FAIL(t, &line, 0, "%s", reason);
                r = trust_read_statement(t, &line);
                if (r)
                        return r;
        }
        if (!t->have_header)
                return trust_fail(t, 1, 1, "empty: the first statement has to be: hsmd-trust 1");
        if (!t->have_log)
                return trust_fail(t, 0, 0, "no log");
        if (t->trust->n_keys == 0)
                return trust_fail(t, 0, 0, "no key");
        return 0;
}

int trust_parse(Trust **ret, Blob file, PolicyFault *ret_fault)
{
        _cleanup_(trust_freep) Trust *trust = NULL;
        _cleanup_(lines_freep) LineReader *reader = NULL;
        TrustReader t = {.fault = ret_fault};
        int r;

        assert(ret);
        assert(ret_fault);

        r = memory_new0(&trust, 1);
        if (r)
                return error_fold(r);
        t.trust = trust;
        r = lines_new(&reader, file);
        if (r)
                return error_fold(r);
        r = trust_read(&t, reader);
        if (r)
                return r;

        *ret = TAKE_PTR(trust);
        return 0;
}

Trust *trust_free(Trust *t)
{
        if (!t)
                return NULL;
        note_verifier_deinit(&t->log);
        for (size_t i = 0; i < t->n_keys; i++)
                trust_key_deinit(&t->keys[i]);
        free(t);
        return NULL;
}

size_t trust_find_key(const Trust *t, const char *name)
{
        assert(t);
        assert(name);

        for (size_t i = 0; i < t->n_keys; i++)
                if (strcmp(t->keys[i].name, name) == 0)
                        return i;
        return SIZE_MAX;
}

static int trust_write_key(const PolicyKey *key, Buffer *out)
{
        Blob spki = public_key_spki(key->public_key);
        int r;

        r = buffer_printf(out, "key %s algorithm %s spki ", key->name, key_type_to_string(key->type));
        if (r == 0)
                r = base64_encode(out, spki.data, spki.size);
        if (r == 0)
                r = buffer_append_string(out, " formats");
        for (int f = 0; f < _FORMAT_MAX && r == 0; f++)
                if (key->formats & (1U << f))
                        r = buffer_printf(out, " %s", signature_format_to_string((SignatureFormat)f));
        if (r == 0)
                r = buffer_append_byte(out, '\n');
        return error_fold(r);
}

int trust_write(const Policy *policy, Buffer *out)
{
        Blob raw;
        int r;

        assert(policy);
        assert(out);

        raw = public_key_raw(policy->log_key);
        assert(raw.size == 32);
        r = buffer_append_string(out, "hsmd-trust 1\nlog ");
        if (r == 0)
                r = note_verifier_write(policy->origin, NOTE_TYPE_ED25519, raw.data, out);
        if (r == 0)
                r = buffer_append_byte(out, '\n');
        for (size_t i = 0; i < policy->n_keys && r == 0; i++)
                r = trust_write_key(&policy->keys[i], out);
        return error_fold(r);
}
