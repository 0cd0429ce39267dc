/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto.h"
#include "base/decimal.h"
#include "base/error.h"
#include "base/hex.h"
#include "base/timestamp.h"
#include "journal/entry.h"
#include "journal/keys.h"

/* ---- the outline of compact JSON ---- */

typedef struct Scan {
        const char *p, *end;
} Scan;

static bool scan_is(Scan *s, char c)
{
        if (s->p >= s->end || *s->p != c)
                return false;
        s->p++;
        return true;
}

/* Over a string, including its quotes. */
static bool scan_skip_string(Scan *s)
{
        if (!scan_is(s, '"'))
                return false;
        for (; s->p < s->end; s->p++) {
                if (*s->p == '"') {
                        s->p++;
                        return true;
                }
                if (*s->p == '\\')
                        s->p++;
        }
        return false;
}

/* Over a value, to the comma or bracket that ends it. */
static bool scan_skip_value(Scan *s)
{
        const char *start = s->p;
        size_t depth = 0;

        while (s->p < s->end) {
                switch (*s->p) {
                case '"':
                        if (!scan_skip_string(s))
                                return false;
                        continue;
                case '{':
                case '[':
                        depth++;
                        break;
                case '}':
                case ']':
                        if (depth == 0)
                                return s->p > start;
                        depth--;
                        break;
                case ',':
                        if (depth == 0)
                                return s->p > start;
                        break;
                default:
                        break;
                }
                s->p++;
        }
        return depth == 0 && s->p > start;
}

typedef struct Member {
        Blob name; /* between the quotes */
        Blob value;
} Member;

/* One member of an object; false where there is none. */
static bool scan_member(Scan *s, Member *ret)
{
        const char *start = s->p;

        if (!scan_skip_string(s))
                return false;
        ret->name = BLOB(start + 1, (size_t)(s->p - start) - 2);
        if (!scan_is(s, ':'))
                return false;
        start = s->p;
        if (!scan_skip_value(s))
                return false;
        ret->value = BLOB(start, (size_t)(s->p - start));
        return true;
}

static Scan scan_begin(Blob value)
{
        return (Scan){(const char *)value.data, (const char *)value.data + value.size};
}

/* What stands between the quotes of a string that has no escapes: names, types and hashes have none. */
static bool scan_plain(Blob value, Blob *ret)
{
        if (value.size < 2 || value.data[0] != '"' || memchr(value.data, '\\', value.size))
                return false;
        *ret = BLOB(value.data + 1, value.size - 2);
        return true;
}

/* Member `name` of the object `object`. */
static bool scan_find(Blob object, const char *name, Blob *ret)
{
        Scan s = scan_begin(object);
        Member m;

        if (!scan_is(&s, '{'))
                return false;
        do {
                if (!scan_member(&s, &m))
                        return false;
                if (blob_equal_string(m.name, name)) {
                        *ret = m.value;
                        return true;
                }
        } while (scan_is(&s, ','));
        return false;
}

/* ---- members ---- */

/* The members that matter; `data` is NULL where there is none. */
typedef struct KeysMembers {
        Blob type, time, requester, submitter, artifact, key;
} KeysMembers;

static void keys_take_member(KeysMembers *members, const Member *m)
{
        const struct {
                const char *name;
                Blob *place;
        } known[] = {
                {"requester", &members->requester},
                {"submitter", &members->submitter},
                {"artifact", &members->artifact},
                {"key", &members->key},
        };

        for (size_t i = 0; i < ARRAY_SIZE(known); i++)
                if (blob_equal_string(m->name, known[i].name) && !known[i].place->data)
                        *known[i].place = m->value;
}

static bool keys_scan_head(Scan *s, KeysMembers *members)
{
        Member m;

        if (!scan_is(s, '{') || !scan_member(s, &m) || !blob_equal_string(m.name, "type") ||
            !scan_plain(m.value, &members->type))
                return false;
        return scan_is(s, ',') && scan_member(s, &m) && blob_equal_string(m.name, "time") &&
               scan_plain(m.value, &members->time);
}

static bool keys_scan(Blob entry, KeysMembers *members)
{
        Scan s = scan_begin(entry);
        Member m;

        if (!keys_scan_head(&s, members))
                return false;
        while (scan_is(&s, ',')) {
                if (!scan_member(&s, &m))
                        return false;
                keys_take_member(members, &m);
        }
        return scan_is(&s, '}') && s.p == s.end;
}

int keys_time(uint64_t *ret_usec, Blob entry)
{
        Scan s = scan_begin(entry);
        KeysMembers members = {};
        uint64_t usec;

        assert(ret_usec);

        if (!keys_scan_head(&s, &members) ||
            timestamp_decode(&usec, (const char *)members.time.data, members.time.size) != 0)
                return KEYS_E_SYNTAX;

        *ret_usec = usec;
        return 0;
}

/* ---- keys ---- */

static uint8_t *keys_add(Keys *k, IndexKind kind)
{
        assert(k->n < KEYS_MAX);

        k->keys[k->n].kind = kind;
        return k->keys[k->n++].hash;
}

static void keys_add_text(Keys *k, IndexKind kind, Blob text)
{
        sha256(keys_add(k, kind), text.data, text.size);
}

/* "requester":{["name":S,]"uid":N} or "submitter":{"uid":N} */
static bool keys_add_uid(Keys *k, Blob object)
{
        uint64_t uid;
        Blob digits;

        if (!scan_find(object, "uid", &digits) ||
            decimal_decode(&uid, (const char *)digits.data, digits.size, UINT32_MAX) != 0)
                return false;
        keys_add_text(k, INDEX_REQUESTER, digits);
        return true;
}

/* "key":{"name":S,...}, or "key":S in a refusal */
static bool keys_add_key(Keys *k, Blob value)
{
        Blob name = value;

        if (value.data[0] == '{' && !scan_find(value, "name", &name))
                return false;
        if (!scan_plain(name, &name))
                return false;
        keys_add_text(k, INDEX_KEY, name);
        return true;
}

/* "artifact":{"name":S,...,"sha256":H}; a refusal may lack the hash */
static bool keys_add_artifact(Keys *k, IndexKind kind, bool required, Blob object)
{
        Blob text;

        if (!scan_find(object, "sha256", &text))
                return !required;
        return scan_plain(text, &text) &&
               hex_decode(keys_add(k, kind), SHA256_SIZE, (const char *)text.data, text.size) == 0;
}

static bool keys_add_members(Keys *k, const KeysMembers *m)
{
        bool refusal = blob_equal_string(m->type, ENTRY_REFUSAL);
        bool signature = blob_equal_string(m->type, ENTRY_SIGNATURE);

        keys_add_text(k, INDEX_TYPE, m->type);
        if (blob_equal_string(m->type, ENTRY_ATTESTATION))
                return m->submitter.data && keys_add_uid(k, m->submitter);
        if (!refusal && !signature && !blob_equal_string(m->type, ENTRY_ABANDONED))
                return true;

        if (!m->requester.data || !keys_add_uid(k, m->requester))
                return false;
        if (m->key.data ? !keys_add_key(k, m->key) : !refusal)
                return false;
        return m->artifact.data ? keys_add_artifact(k, signature ? INDEX_SIGNED : INDEX_ARTIFACT, !refusal,
                                                    m->artifact)
                                : refusal;
}

int keys_derive(Keys *ret, Blob entry)
{
        KeysMembers members = {};
        Keys k = {};

        assert(ret);
        assert(entry.data || entry.size == 0);

        if (!keys_scan(entry, &members) ||
            timestamp_decode(&k.time_usec, (const char *)members.time.data, members.time.size) != 0 ||
            !keys_add_members(&k, &members))
                return KEYS_E_SYNTAX;

        *ret = k;
        return 0;
}
