/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/policy-reader.h"

/* The kinds of named things are arrays of structs of their own; what they share is that the name comes
 * first. */
#define NAME_FIRST(_type) static_assert(offsetof(_type, name) == 0, "the name comes first")
NAME_FIRST(PolicySite);
NAME_FIRST(PolicyOrg);
NAME_FIRST(PolicyRebuilder);
NAME_FIRST(PolicyKey);
NAME_FIRST(PolicyRequester);
NAME_FIRST(PolicyRelease);

#define KIND(_text, _items)                                                                                 \
        {                                                                                                   \
                _text, offsetof(Policy, _items), offsetof(Policy, n_##_items),                              \
                        sizeof(*((Policy *)0)->_items)                                                      \
        }

static const struct {
        const char *text;
        size_t items, count; /* where in a Policy the array and its size are */
        size_t size;
} kinds[_KIND_MAX] = {
        [KIND_SITE] = KIND("site", sites),
        [KIND_ORG] = KIND("org", orgs),
        [KIND_REBUILDER] = KIND("rebuilder", rebuilders),
        [KIND_KEY] = KIND("key", keys),
        [KIND_REQUESTER] = KIND("requester", requesters),
        [KIND_RELEASE] = KIND("release", releases),
};

const char *policy_kind_to_string(PolicyKind kind)
{
        assert(kind < _KIND_MAX);
        return kinds[kind].text;
}

size_t policy_kind_count(const Policy *p, PolicyKind kind)
{
        assert(kind < _KIND_MAX);
        return *(const size_t *)((const uint8_t *)p + kinds[kind].count);
}

size_t policy_kind_find(const Policy *p, PolicyKind kind, Blob name)
{
        const uint8_t *items;
        size_t n;

        assert(p);
        assert(kind < _KIND_MAX);

        items = *(uint8_t *const *)((const uint8_t *)p + kinds[kind].items);
        n = policy_kind_count(p, kind);
        for (size_t i = 0; i < n; i++) {
                const char *item = *(char *const *)(items + i * kinds[kind].size);

                if (item && blob_equal_string(name, item))
                        return i;
        }
        return SIZE_MAX;
}

size_t policy_find_key(const Policy *p, const char *name)
{
        assert(name);
        return policy_kind_find(p, KIND_KEY, BLOB_STRING(name));
}

size_t policy_find_release(const Policy *p, const char *name)
{
        assert(name);
        return policy_kind_find(p, KIND_RELEASE, BLOB_STRING(name));
}

size_t policy_find_site(const Policy *p, const char *name)
{
        assert(name);
        return policy_kind_find(p, KIND_SITE, BLOB_STRING(name));
}

/* The name that word 1 gives to a new item, or NULL and a fault. */
static char *name_read(PolicyReader *r, PolicyKind kind)
{
        const Word *word = &r->line.words[1];
        char *name;

        if (r->line.n_words < 2)
                return NULL; /* the count of words is a fault already */
        if (!word_is_name(word)) {
                policy_reader_fault(r, 1, "a name is 1 to %d letters, digits and '._-', the first no mark",
                                    LIMIT_NAME_SIZE);
                return NULL;
        }
        if (policy_kind_find(r->policy, kind, BLOB(word->text, word->size)) != SIZE_MAX) {
                policy_reader_fault(r, 1, "another %s has this name already", kinds[kind].text);
                return NULL;
        }
        r->error = word_copy(&name, word);
        return r->error ? NULL : name;
}

void *policy_reader_define(PolicyReader *r, PolicyKind kind)
{
        uint8_t *policy = (uint8_t *)r->policy;
        char *name, **item;

        assert(kind < _KIND_MAX);

        if (r->error)
                return NULL;
        if (policy_kind_count(r->policy, kind) >= LIMIT_POLICY_NAMES) {
                policy_reader_fault(r, 0, "more than %d of kind %s", LIMIT_POLICY_NAMES, kinds[kind].text);
                return NULL;
        }

        name = name_read(r, kind);
        item = policy_reader_grow(r, (void **)(policy + kinds[kind].items),
                                  (size_t *)(policy + kinds[kind].count), kinds[kind].size);
        if (!item) {
                free(name);
                return NULL;
        }
        *item = name;
        return item;
}
