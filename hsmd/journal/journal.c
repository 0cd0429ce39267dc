/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "base/file.h"
#include "journal/journal-internal.h"

/* Beyond this the memory of one large commit goes back. */
#define JOURNAL_BYTES_KEPT (size_t)(1024 * 1024)

static void journal_clear_staged(Journal *j)
{
        for (size_t i = 0; i < j->n_evidence; i++)
                buffer_deinit(&j->evidence[i].content);
        j->n_evidence = 0;
        j->n_staged = 0;
        j->n_keys = 0;
        if (j->staged_bytes.capacity > JOURNAL_BYTES_KEPT)
                buffer_deinit(&j->staged_bytes);
        else
                buffer_clear(&j->staged_bytes);
}

Journal *journal_free(Journal *j)
{
        if (!j)
                return NULL;

        journal_clear_staged(j);
        free(j->staged);
        free(j->keys);
        free(j->evidence);
        buffer_deinit(&j->staged_bytes);
        buffer_deinit(&j->bundle);
        buffer_deinit(&j->note);
        buffer_deinit(&j->scratch);
        buffer_deinit(&j->scratch2);
        j->index = index_free(j->index);
        j->tiles = tiles_free(j->tiles);
        j->tree = merkle_free(j->tree);
        j->evidence_fd = close_fd(j->evidence_fd);
        /* Last: it holds the lock. */
        j->store = store_free(j->store);
        free(j);
        return NULL;
}

uint64_t journal_size(const Journal *j)
{
        assert(j);

        return j->lock.size;
}

uint64_t journal_published(const Journal *j)
{
        assert(j);

        return j->published;
}

uint64_t journal_time(const Journal *j)
{
        assert(j);

        return j->staged_time_usec;
}

size_t journal_n_intents(const Journal *j)
{
        assert(j);

        return j->n_intents;
}

size_t journal_n_staged(const Journal *j)
{
        assert(j);

        return j->n_staged;
}

Blob journal_checkpoint(const Journal *j)
{
        assert(j);

        return buffer_blob(&j->note);
}

/* ---- intents ---- */

int journal_each_open_intent(Journal *j, StoreIntent each, void *userdata)
{
        assert(j);
        assert(each);

        return store_each_intent(j->store, each, userdata);
}

uint64_t journal_next_intent(const Journal *j)
{
        assert(j);

        return j->lock.next_intent;
}

int journal_add_intents(Journal *j, size_t n, const Blob *contents)
{
        StoreLock lock;
        int r;

        assert(j);
        assert(n > 0);
        assert(contents);

        lock = j->lock;
        r = store_begin(j->store);
        for (size_t i = 0; r == 0 && i < n; i++)
                r = store_put_intent(j->store, lock.next_intent++, contents[i]);
        r = r ?: store_put_lock(j->store, &lock);
        r = r ?: store_commit(j->store);
        if (r)
                return error_fold(r);

        j->lock = lock;
        j->n_intents += n;
        return 0;
}

/* ---- staging ---- */

static int journal_grow(void **array, size_t *n_allocated, size_t n, size_t size)
{
        size_t wanted = *n_allocated > 0 ? 2 * *n_allocated : 64;
        void *p;

        if (n < *n_allocated)
                return 0;
        p = reallocarray(*array, wanted, size);
        if (!p)
                return error_origin(-ENOMEM);
        *array = p;
        *n_allocated = wanted;
        return 0;
}

int journal_add_key(Journal *j, uint64_t entry, IndexKind kind, const uint8_t hash[static 32], bool extra)
{
        JournalKey *key;
        int r;

        assert(kind < _INDEX_KIND_MAX);

        r = journal_grow((void **)&j->keys, &j->n_keys_allocated, j->n_keys, sizeof(*j->keys));
        if (r)
                return error_fold(r);

        key = &j->keys[j->n_keys++];
        *key = (JournalKey){.entry = entry, .kind = kind, .extra = extra};
        memcpy(key->hash, hash, sizeof(key->hash));
        return 0;
}

static int journal_stage(Journal *j, Blob content, Blob signature, uint64_t intent)
{
        JournalStaged s = {.content_size = content.size, .signature_size = signature.size, .intent = intent};
        int r;

        r = journal_grow((void **)&j->staged, &j->n_staged_allocated, j->n_staged, sizeof(*j->staged));
        if (r)
                return error_fold(r);
        s.content_at = j->staged_bytes.size;
        r = buffer_append(&j->staged_bytes, content.data, content.size);
        if (r)
                return error_fold(r);
        s.signature_at = j->staged_bytes.size;
        r = buffer_append(&j->staged_bytes, signature.data, signature.size);
        if (r)
                return error_fold(r);

        j->staged[j->n_staged++] = s;
        return 0;
}

int journal_append(Journal *j, Blob content, Blob signature, uint64_t intent, uint64_t *ret_index)
{
        uint64_t index;
        Keys keys;
        int r;

        assert(j);
        assert(intent < j->lock.next_intent);
        assert(ret_index);

        if (content.size > LIMIT_ENTRY_SIZE)
                return JOURNAL_E_TOO_LARGE;
        r = keys_derive(&keys, content);
        if (r)
                return r < 0 ? error_fold(r) : error_origin(-EINVAL);
        /* A checkpoint vouches for the order of its entries. */
        if (keys.time_usec < j->staged_time_usec)
                return error_origin(-EINVAL);

        index = j->lock.size + j->n_staged;
        r = journal_stage(j, content, signature, intent);
        if (r)
                return error_fold(r);
        for (size_t i = 0; i < keys.n; i++) {
                r = journal_add_key(j, index, keys.keys[i].kind, keys.keys[i].hash, false);
                if (r)
                        return error_fold(r);
        }

        j->staged_time_usec = keys.time_usec;
        *ret_index = index;
        return 0;
}

int journal_append_key(Journal *j, IndexKind kind, const uint8_t key[static 32])
{
        assert(j);
        assert(j->n_staged > 0);
        assert(key);

        return error_fold(journal_add_key(j, j->lock.size + j->n_staged - 1, kind, key, true));
}

int journal_append_evidence(Journal *j, const uint8_t sha256_[static 32], Blob content)
{
        _cleanup_(buffer_deinit) Buffer copy = BUFFER_NULL;
        uint8_t hash[SHA256_SIZE];
        int r;

        assert(j);
        assert(sha256_);

        sha256(hash, content.data, content.size);
        if (memcmp(hash, sha256_, sizeof(hash)) != 0)
                return error_origin(-EINVAL);
        r = buffer_append(&copy, content.data, content.size);
        if (r)
                return error_fold(r);
        r = journal_grow((void **)&j->evidence, &j->n_evidence_allocated, j->n_evidence,
                         sizeof(*j->evidence));
        if (r)
                return error_fold(r);

        memcpy(j->evidence[j->n_evidence].sha256, hash, sizeof(hash));
        j->evidence[j->n_evidence++].content = copy;
        copy = (Buffer)BUFFER_NULL;
        return 0;
}

/* ---- commit ---- */

static Blob journal_staged_content(const Journal *j, const JournalStaged *s)
{
        return BLOB(j->staged_bytes.data + s->content_at, s->content_size);
}

static int journal_put_staged(Journal *j, const JournalStaged *s, uint64_t index)
{
        Blob content = journal_staged_content(j, s);
        TreeHash leaf;
        int r;

        r = store_put_entry(j->store, index, content,
                            BLOB(j->staged_bytes.data + s->signature_at, s->signature_size));
        if (r)
                return error_fold(r);
        if (s->intent > 0) {
                r = store_delete_intent(j->store, s->intent);
                if (r)
                        return error_fold(r);
                assert(j->n_intents > 0);
                j->n_intents--;
        }
        tree_hash_leaf(&leaf, content);
        return error_fold(merkle_append(j->tree, &leaf));
}

/* Keys that are not in the content: kind and the first eight bytes, one after the other. */
static int journal_put_extra_keys(Journal *j)
{
        for (size_t i = 0, n; i < j->n_keys; i += n) {
                int r = 0;

                buffer_clear(&j->scratch);
                for (n = 0; i + n < j->n_keys && j->keys[i + n].entry == j->keys[i].entry; n++) {
                        const JournalKey *key = &j->keys[i + n];

                        if (!key->extra)
                                continue;
                        r = r ?: buffer_append_byte(&j->scratch, (uint8_t)key->kind);
                        r = r ?: buffer_append(&j->scratch, key->hash, sizeof(uint64_t));
                }
                if (j->scratch.size > 0)
                        r = r ?: store_put_keys(j->store, j->keys[i].entry, buffer_blob(&j->scratch));
                if (r)
                        return error_fold(r);
        }
        return 0;
}

static int journal_put_evidence(Journal *j)
{
        int r;

        for (size_t i = 0; i < j->n_evidence; i++) {
                r = store_put_evidence(j->store, j->evidence[i].sha256,
                                       buffer_blob(&j->evidence[i].content));
                if (r)
                        return error_fold(r);
                j->evidence_waits = true;
        }
        return 0;
}

/* Entries and the lock record that speaks of them. */
static int journal_put_all(Journal *j, StoreLock *lock)
{
        int r;

        for (size_t i = 0; i < j->n_staged; i++) {
                r = journal_put_staged(j, &j->staged[i], lock->size++);
                if (r)
                        return error_fold(r);
        }
        r = journal_put_extra_keys(j);
        if (r)
                return error_fold(r);
        r = journal_put_evidence(j);
        if (r)
                return error_fold(r);
        if (j->n_staged == 0)
                return 0;

        assert(merkle_size(j->tree) == lock->size);
        merkle_root(j->tree, &lock->root);
        lock->time_usec = j->staged_time_usec;
        lock->generation++;
        return error_fold(store_put_lock(j->store, lock));
}

static int journal_index_staged(Journal *j)
{
        bool more;
        int r;

        for (size_t i = 0; i < j->n_keys; i++) {
                r = index_add(j->index, j->keys[i].kind, j->keys[i].hash, j->keys[i].entry);
                if (r)
                        return error_fold(r);
        }
        index_seal(j->index, j->lock.size);
        /* Whoever does not call journal_maintain() in time pays for it here. */
        while (index_overdue(j->index)) {
                r = index_flush(j->index, &more);
                if (r)
                        return error_fold(r);
        }
        return 0;
}

int journal_commit(Journal *j)
{
        StoreLock lock;
        int r;

        assert(j);

        if (j->n_staged == 0 && j->n_evidence == 0)
                return 0;

        lock = j->lock;
        r = store_begin(j->store);
        if (r)
                return error_fold(r);
        r = journal_put_all(j, &lock);
        if (r)
                return error_fold(r);
        r = store_commit(j->store);
        if (r)
                return error_fold(r);

        j->lock = lock;
        r = journal_index_staged(j);
        if (r)
                return error_fold(r);
        journal_clear_staged(j);
        return 0;
}

/* ---- lookups ---- */

static int journal_index_extra_keys(Journal *j, uint64_t index)
{
        enum { SIZE = 1 + sizeof(uint64_t) };
        uint8_t hash[32] = {};
        int r;

        buffer_clear(&j->scratch2);
        r = store_get_keys(j->store, index, &j->scratch2);
        if (r == STORE_E_MISSING)
                return 0;
        if (r < 0)
                return error_fold(r);
        if (r || j->scratch2.size % SIZE != 0)
                return JOURNAL_E_CORRUPT;

        for (const uint8_t *p = j->scratch2.data; p < j->scratch2.data + j->scratch2.size; p += SIZE) {
                if (p[0] >= _INDEX_KIND_MAX)
                        return JOURNAL_E_CORRUPT;
                memcpy(hash, p + 1, sizeof(uint64_t));
                r = index_add(j->index, (IndexKind)p[0], hash, index);
                if (r)
                        return error_fold(r);
        }
        return 0;
}

int journal_index_entry(Journal *j, uint64_t index, Blob content)
{
        Keys keys;
        int r;

        r = keys_derive(&keys, content);
        if (r)
                return r < 0 ? error_fold(r) : JOURNAL_E_CORRUPT;
        for (size_t i = 0; i < keys.n; i++) {
                r = index_add(j->index, keys.keys[i].kind, keys.keys[i].hash, index);
                if (r)
                        return error_fold(r);
        }
        return journal_index_extra_keys(j, index);
}

int journal_get(Journal *j, uint64_t index, Buffer *content, Buffer *signature)
{
        assert(j);
        assert(content);

        if (index >= j->lock.size)
                return JOURNAL_E_MISSING;
        return error_fold(store_get_entry(j->store, index, content, signature));
}

int journal_get_evidence(Journal *j, const uint8_t sha256_[static 32], Buffer *out)
{
        int r;

        assert(j);
        assert(sha256_);
        assert(out);

        r = store_get_evidence(j->store, sha256_, out);
        return r == STORE_E_MISSING ? JOURNAL_E_MISSING : error_fold(r);
}

int journal_find(Journal *j, IndexKind kind, const uint8_t key[static 32], uint64_t before, uint64_t *ret,
                 size_t max, size_t *ret_n)
{
        assert(j);

        return error_fold(index_find(j->index, kind, key, before, ret, max, ret_n));
}

static int journal_get_time(Journal *j, uint64_t index, uint64_t *ret_usec)
{
        int r;

        buffer_clear(&j->scratch);
        r = store_get_entry(j->store, index, &j->scratch, NULL);
        if (r)
                return error_fold(r);
        return error_fold(keys_time(ret_usec, buffer_blob(&j->scratch)));
}

int journal_find_time(Journal *j, uint64_t usec, uint64_t *ret_index)
{
        uint64_t low = 0, high;
        int r;

        assert(j);
        assert(ret_index);

        high = j->lock.size;
        while (low < high) {
                uint64_t middle = low + (high - low) / 2, time = 0;

                r = journal_get_time(j, middle, &time);
                if (r)
                        return error_fold(r);
                if (time < usec)
                        low = middle + 1;
                else
                        high = middle;
        }
        *ret_index = low;
        return 0;
}
