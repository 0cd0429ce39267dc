/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "base/base64.h"
#include "base/error.h"
#include "base/hex.h"
#include "journal/note.h"

#define NOTE_DASH         "\xe2\x80\x94 " /* U+2014 and one space */
#define NOTE_ID_SIZE      4
#define NOTE_KEY_SIZE     32
#define NOTE_ED25519_SIZE 64
/* signed-note: "post-quantum signatures can be up to nearly 5kB" */
#define NOTE_SIGNATURE_MAX 5120

/*
 * The next character of UTF-8 text (RFC 3629: shortest form, no surrogates, up to U+10FFFF).  False if there
 * is none.
 */
static bool note_utf8_next(Blob *text, uint32_t *ret)
{
        static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
        uint8_t first = text->data[0];
        size_t more;
        uint32_t c;

        if (first < 0x80) {
                more = 0;
                c = first;
        } else if (first >= 0xc2 && first < 0xe0) {
                more = 1;
                c = first & 0x1fu;
        } else if (first >= 0xe0 && first < 0xf0) {
                more = 2;
                c = first & 0x0fu;
        } else if (first >= 0xf0 && first < 0xf5) {
                more = 3;
                c = first & 0x07u;
        } else
                return false;

        if (text->size < more + 1)
                return false;
        for (size_t i = 1; i <= more; i++) {
                if ((text->data[i] & 0xc0) != 0x80)
                        return false;
                c = (c << 6) | (text->data[i] & 0x3fu);
        }
        if (c < least[more] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
                return false;

        *text = BLOB(text->data + more + 1, text->size - more - 1);
        *ret = c;
        return true;
}

/* White_Space of the Unicode character database, without the control characters among them. */
static bool note_is_space(uint32_t c)
{
        return c == ' ' || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 ||
               c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

static bool note_is_control(uint32_t c)
{
        return c < 0x20 || (c >= 0x7f && c < 0xa0);
}

/* signed-note: a key name "MUST be non-empty and not have any Unicode spaces or plus (U+002B) characters".
 */
static bool note_name_characters_valid(Blob name)
{
        uint32_t c;

        if (name.size == 0)
                return false;
        while (name.size > 0) {
                if (!note_utf8_next(&name, &c))
                        return false;
                if (note_is_space(c) || note_is_control(c) || c == '+')
                        return false;
        }
        return true;
}

bool note_name_valid(const char *name, size_t size)
{
        assert(name || size == 0);

        return size <= LIMIT_ORIGIN_SIZE && note_name_characters_valid(BLOB(name, size));
}

uint32_t note_key_id(const char *name, uint8_t type, const uint8_t key[static NOTE_KEY_SIZE])
{
        uint8_t input[LIMIT_ORIGIN_SIZE + 2 + NOTE_KEY_SIZE], hash[SHA256_SIZE];
        size_t size;

        assert(name);
        assert(key);
        size = strlen(name);
        assert(size <= LIMIT_ORIGIN_SIZE);

        memcpy(input, name, size);
        input[size] = '\n';
        input[size + 1] = type;
        memcpy(input + size + 2, key, NOTE_KEY_SIZE);
        sha256(hash, input, size + 2 + NOTE_KEY_SIZE);
        return get_u32(hash);
}

/* "<name>+<8 hex digits>+<base64>" into its parts; the base64 may have further '+'. */
static bool note_verifier_split(NoteVerifier *v, uint8_t key[static 1 + NOTE_KEY_SIZE], Blob vkey)
{
        const uint8_t *plus = vkey.size > 0 ? memchr(vkey.data, '+', vkey.size) : NULL;
        size_t name_size;
        uint8_t id[NOTE_ID_SIZE];
        Blob rest;

        if (!plus)
                return false;
        name_size = (size_t)(plus - vkey.data);
        if (!note_name_valid((const char *)vkey.data, name_size))
                return false;
        memcpy(v->name, vkey.data, name_size);
        v->name[name_size] = '\0';

        rest = BLOB(plus + 1, vkey.size - name_size - 1);
        if (rest.size < 2 * NOTE_ID_SIZE + 1 || rest.data[2 * NOTE_ID_SIZE] != '+')
                return false;
        if (hex_decode(id, sizeof(id), (const char *)rest.data, 2 * NOTE_ID_SIZE) != 0)
                return false;
        v->id = get_u32(id);

        rest = BLOB(rest.data + 2 * NOTE_ID_SIZE + 1, rest.size - 2 * NOTE_ID_SIZE - 1);
        if (rest.size != BASE64_SIZE(1 + NOTE_KEY_SIZE))
                return false;
        return base64_decode_exact(key, 1 + NOTE_KEY_SIZE, (const char *)rest.data, rest.size) == 0;
}

int note_verifier_parse(NoteVerifier *ret, const char *vkey, size_t size)
{
        NoteVerifier v = {0};
        uint8_t key[1 + NOTE_KEY_SIZE];
        int r;

        assert(ret);
        assert(vkey || size == 0);

        if (!note_verifier_split(&v, key, BLOB(vkey, size)))
                return NOTE_E_SYNTAX;
        v.type = key[0];
        if (v.type != NOTE_TYPE_ED25519 && v.type != NOTE_TYPE_COSIGNATURE)
                return NOTE_E_SYNTAX;
        if (v.id != note_key_id(v.name, v.type, key + 1))
                return NOTE_E_SYNTAX;

        r = public_key_new_ed25519(&v.key, key + 1);
        if (r > 0)
                return NOTE_E_SYNTAX;
        if (r < 0)
                return error_fold(r);
        *ret = v;
        return 0;
}

void note_verifier_deinit(NoteVerifier *v)
{
        assert(v);

        v->key = public_key_free(v->key);
        *v = (NoteVerifier){0};
}

int note_verifier_write(const char *name, uint8_t type, const uint8_t key[static NOTE_KEY_SIZE], Buffer *out)
{
        uint8_t body[1 + NOTE_KEY_SIZE];
        int r;

        assert(name);
        assert(note_name_valid(name, strlen(name)));
        assert(type == NOTE_TYPE_ED25519 || type == NOTE_TYPE_COSIGNATURE);
        assert(out);

        body[0] = type;
        memcpy(body + 1, key, NOTE_KEY_SIZE);
        r = buffer_printf(out, "%s+%08x+", name, note_key_id(name, type, key));
        if (r == 0)
                r = base64_encode(out, body, sizeof(body));
        return error_fold(r);
}

/* signed-note: "valid UTF-8" without "ASCII control characters (those below U+0020)" other than newline. */
static bool note_text_valid(Blob text)
{
        uint32_t c;

        while (text.size > 0) {
                if (!note_utf8_next(&text, &c))
                        return false;
                if (c < 0x20 && c != '\n')
                        return false;
        }
        return true;
}

/* "the text is separated from the signatures by the last empty line in the note" */
static bool note_split(Blob note, Blob *ret_text, Blob *ret_signatures)
{
        const uint8_t *end = note.size > 0 ? memrchr(note.data, '\n', note.size) : NULL;

        for (const uint8_t *p = end; p && p > note.data; p--)
                if (p[0] == '\n' && p[-1] == '\n') {
                        *ret_text = BLOB(note.data, (size_t)(p - note.data));
                        *ret_signatures = BLOB(p + 1, note.size - ret_text->size - 1);
                        return true;
                }
        return false;
}

/* One line "— name base64", LF cut off. */
static int note_decode_line(Note *n, Blob line)
{
        struct NoteSignature s;
        const size_t dash = sizeof(NOTE_DASH) - 1;
        const uint8_t *blank;
        size_t begin = n->store.size;
        int r;

        if (n->n_signatures == LIMIT_NOTE_SIGNATURES)
                return NOTE_E_SYNTAX;
        if (line.size < dash || memcmp(line.data, NOTE_DASH, dash) != 0)
                return NOTE_E_SYNTAX;
        line = BLOB(line.data + dash, line.size - dash);

        blank = line.size > 0 ? memchr(line.data, ' ', line.size) : NULL;
        if (!blank)
                return NOTE_E_SYNTAX;
        s.name = BLOB(line.data, (size_t)(blank - line.data));
        /* Not note_name_valid(): the bound on length is ours, and a stranger's line has to be ignored. */
        if (!note_name_characters_valid(s.name))
                return NOTE_E_SYNTAX;

        r = base64_decode(&n->store, BASE64_STANDARD, (const char *)blank + 1, line.size - s.name.size - 1);
        if (r < 0)
                return error_fold(r);
        if (r > 0 || n->store.size - begin <= NOTE_ID_SIZE)
                return NOTE_E_SYNTAX;
        s.id = get_u32(n->store.data + begin);
        s.body = BLOB(n->store.data + begin + NOTE_ID_SIZE, n->store.size - begin - NOTE_ID_SIZE);
        n->signatures[n->n_signatures++] = s;
        return 0;
}

static int note_decode_signatures(Note *n, Blob lines)
{
        const uint8_t *end, *memory;
        int r;

        /* The bodies point into the store: it must not move while it fills.  Text is longer than what it
         * decodes to. */
        r = buffer_reserve(&n->store, lines.size);
        if (r != 0)
                return error_fold(r);
        memory = n->store.data;

        while (lines.size > 0) {
                end = memchr(lines.data, '\n', lines.size);
                if (!end)
                        return NOTE_E_SYNTAX;
                r = note_decode_line(n, BLOB(lines.data, (size_t)(end - lines.data)));
                if (r != 0)
                        return r;
                lines = BLOB(end + 1, lines.size - (size_t)(end - lines.data) - 1);
        }
        assert(n->store.data == memory);
        return n->n_signatures > 0 ? 0 : NOTE_E_SYNTAX;
}

int note_decode(Note *ret, Blob note)
{
        Blob signatures;

        assert(ret);
        assert(note.data || note.size == 0);

        ret->text = BLOB_NULL;
        ret->n_signatures = 0;
        ret->store = (Buffer)BUFFER_NULL;

        if (note.size > LIMIT_NOTE_SIZE || !note_text_valid(note))
                return NOTE_E_SYNTAX;
        if (!note_split(note, &ret->text, &signatures))
                return NOTE_E_SYNTAX;
        return note_decode_signatures(ret, signatures);
}

void note_deinit(Note *n)
{
        assert(n);

        n->text = BLOB_NULL;
        n->n_signatures = 0;
        buffer_deinit(&n->store);
}

/* signed-note: a line is a key's if name and ID are; "even if they share a name or ID (but not both)" it is
 * another's. */
static bool note_signature_is_of(const struct NoteSignature *s, const NoteVerifier *v)
{
        return v->type == NOTE_TYPE_ED25519 && s->id == v->id && blob_equal_string(s->name, v->name);
}

static int note_verify_signature(const Note *n, const struct NoteSignature *s, NoteVerifier *v)
{
        int r;

        if (s->body.size != NOTE_ED25519_SIZE)
                return NOTE_E_SIGNATURE;
        r = public_key_verify(v->key, SCHEME_ED25519, n->text, s->body);
        if (r < 0)
                return error_fold(r);
        return r > 0 ? NOTE_E_SIGNATURE : 0;
}

int note_verify(const Note *n, NoteVerifier *verifiers, size_t n_verifiers, uint64_t *ret_verified)
{
        uint64_t verified = 0;
        int r;

        assert(n);
        assert(verifiers || n_verifiers == 0);
        assert(n_verifiers <= 64);

        for (size_t i = 0; i < n->n_signatures; i++)
                for (size_t j = 0; j < n_verifiers; j++) {
                        if (!note_signature_is_of(&n->signatures[i], &verifiers[j]))
                                continue;
                        r = note_verify_signature(n, &n->signatures[i], &verifiers[j]);
                        if (r != 0)
                                return r;
                        verified |= UINT64_C(1) << j;
                }

        if (verified == 0)
                return NOTE_E_UNSIGNED;
        if (ret_verified)
                *ret_verified = verified;
        return 0;
}

int note_write_signature(const char *name, uint32_t id, Blob signature, Buffer *out)
{
        uint8_t body[NOTE_ID_SIZE + NOTE_SIGNATURE_MAX];
        int r;

        assert(name);
        assert(note_name_valid(name, strlen(name)));
        assert(signature.size > 0);
        assert(signature.size <= NOTE_SIGNATURE_MAX);
        assert(out);

        put_u32(body, id);
        memcpy(body + NOTE_ID_SIZE, signature.data, signature.size);
        r = buffer_append_string(out, NOTE_DASH);
        if (r == 0)
                r = buffer_append_string(out, name);
        if (r == 0)
                r = buffer_append_byte(out, ' ');
        if (r == 0)
                r = base64_encode(out, body, NOTE_ID_SIZE + signature.size);
        if (r == 0)
                r = buffer_append_byte(out, '\n');
        return error_fold(r);
}
