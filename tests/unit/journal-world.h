/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A journal in a folder of its own, with a log key at hand, for the tests of journal*.c.  It remembers every
 * leaf and every checkpoint shown, which is what the log must never contradict.
 */
#include "journal-fixture.h"

#include <sqlite3.h>

#include "base/crypto.h"
#include "base/hex.h"
#include "base/timestamp.h"
#include "journal/entry.h"
#include "journal/journal.h"
#include "journal/proof.h"
#include "journal/range.h"

#define WORLD_ORIGIN  "test.example/log"
#define WORLD_TIME    UINT64_C(1760000000000000)
#define WORLD_ENTRIES 4096

/* Made for these tests with `openssl genpkey -algorithm ed25519`. */
static const char world_keys[2][160] = {
        "-----BEGIN PRIVATE KEY-----\n"
        "MC4CAQAwBQYDK2VwBCIEIOp59UJibJp3Inj5tu+myfU4g6LMhdueD379Npi2GKrW\n"
        "-----END PRIVATE KEY-----\n",
        "-----BEGIN PRIVATE KEY-----\n"
        "MC4CAQAwBQYDK2VwBCIEIMILCAdaVKIMrqwO4jWEI5wPiZrduAzVY2Vw8JO0LYY/\n"
        "-----END PRIVATE KEY-----\n",
};

typedef struct World {
        char *folder, *state, *log, *evidence;
        PrivateKey *keys[2];
        PublicKey *publics[2];
        Journal *journal;
        Buffer message;
        TreeHash leaves[WORLD_ENTRIES];
        size_t n_leaves;
        uint64_t clock;
} World;

static inline World *world_new(void)
{
        World *w = calloc(1, sizeof(*w));

        w->folder = folder_new();
        w->state = path_in(w->folder, "state");
        w->log = path_in(w->folder, "log");
        w->evidence = path_in(w->folder, "evidence");
        folder_make(w->folder, "state");
        folder_make(w->folder, "log");
        folder_make(w->folder, "evidence");
        for (size_t i = 0; i < 2; i++) {
                assert_int_equal(private_key_new_pem(&w->keys[i], BLOB_STRING(world_keys[i])), 0);
                assert_int_equal(private_key_public(w->keys[i], &w->publics[i]), 0);
        }
        w->clock = WORLD_TIME;
        return w;
}

static inline World *world_free(World *w)
{
        w->journal = journal_free(w->journal);
        folder_remove(AT_FDCWD, w->folder);
        free(w->folder);
        free(w->state);
        free(w->log);
        free(w->evidence);
        for (size_t i = 0; i < 2; i++) {
                public_key_free(w->publics[i]);
                private_key_free(w->keys[i]);
        }
        buffer_deinit(&w->message);
        free(w);
        return NULL;
}

static inline int world_setup(void **state)
{
        *state = world_new();
        return 0;
}

static inline int world_teardown(void **state)
{
        *state = world_free(*state);
        return 0;
}

#define WORLD_TEST(_f) cmocka_unit_test_setup_teardown(_f, world_setup, world_teardown)

static inline int world_try(World *w, bool create, const char *origin, size_t key)
{
        const JournalOptions options = {
                .state_path = w->state,
                .log_path = w->log,
                .evidence_path = w->evidence,
                .origin = origin,
                .log_key = w->publics[key],
                .create = create,
        };

        assert_null(w->journal);
        buffer_clear(&w->message);
        return journal_open(&w->journal, &options, &w->message);
}

static inline void world_open(World *w)
{
        assert_int_equal(world_try(w, true, WORLD_ORIGIN, 0), 0);
        assert_int_equal(w->message.size, 0);
}

static inline void world_close(World *w)
{
        w->journal = journal_free(w->journal);
}

/* A positive code always comes with a sentence. */
static inline void world_refuses(World *w, int code)
{
        assert_int_equal(world_try(w, true, WORLD_ORIGIN, 0), code);
        assert_null(w->journal);
        assert_true(w->message.size > 0);
}

/* Stage one entry. */
static inline uint64_t world_append(World *w, Blob content, Blob signature, uint64_t intent)
{
        uint64_t index;

        assert_int_equal(journal_append(w->journal, content, signature, intent, &index), 0);
        assert_true(index < WORLD_ENTRIES);
        tree_hash_leaf(&w->leaves[index], content);
        w->n_leaves = index + 1;
        return index;
}

static inline void world_write_plain(World *w, Buffer *out)
{
        char time[TIMESTAMP_SIZE];

        timestamp_encode(time, w->clock++);
        assert_int_equal(buffer_printf(out, "{\"type\":\"test\",\"time\":\"%s\",\"pad\":\"entry %ju\"}",
                                       time, (uintmax_t)w->clock),
                         0);
}

static inline void world_append_plain(World *w, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                _cleanup_(buffer_deinit) Buffer entry = BUFFER_NULL;

                world_write_plain(w, &entry);
                world_append(w, buffer_blob(&entry), BLOB_NULL, 0);
        }
}

static inline void world_artifact(unsigned n, uint8_t ret[static 32])
{
        memset(ret, 0x11, 32);
        put_u32(ret, n * 2654435761u);
}

/* The members that intent and entry share, for artifact number `n`. */
static inline void world_write_request(uint64_t intent, unsigned n, Buffer *out)
{
        uint8_t artifact[32], other[32] = {1};
        const EntryVote vote = {other, "org"};
        const EntryRequest r = {
                .intent = intent,
                .requested_usec = WORLD_TIME,
                .site = "de",
                .requester = "farm",
                .uid = 1001,
                .release = "updates",
                .artifact_name = "a.upd",
                .artifact_sha256 = artifact,
                .source_uri = "git+https://example.org/x",
                .source_git_commit = "0123456789012345678901234567890123456789",
                .source_sha256 = other,
                .n_votes = 1,
                .votes = &vote,
                .policy_serial = 1,
                .policy_sha256 = other,
                .key = n % 2 ? "odd" : "even",
                .key_id = other,
                .format = "cms",
        };

        world_artifact(n, artifact);
        assert_int_equal(entry_write_request(&r, out), 0);
}

/* An intent and the signature entry that ends it. */
static inline uint64_t world_sign(World *w, unsigned n)
{
        _cleanup_(buffer_deinit) Buffer request = BUFFER_NULL, entry = BUFFER_NULL;
        uint64_t intent = journal_next_intent(w->journal);
        uint8_t hash[32] = {2};
        Blob blob;

        world_write_request(intent, n, &request);
        blob = buffer_blob(&request);
        assert_int_equal(journal_add_intents(w->journal, 1, &blob), 0);
        assert_int_equal(entry_write_signature(w->clock++, blob, hash, &entry), 0);
        return world_append(w, buffer_blob(&entry), BLOB_LITERAL("signature"), intent);
}

static inline void world_commit(World *w)
{
        assert_int_equal(journal_commit(w->journal), 0);
        assert_int_equal(journal_size(w->journal), w->n_leaves);
        assert_int_equal(journal_n_staged(w->journal), 0);
}

static inline void world_signature(World *w, size_t key, Buffer *out)
{
        _cleanup_(buffer_deinit) Buffer text = BUFFER_NULL;

        assert_int_equal(journal_checkpoint_text(w->journal, &text), 0);
        assert_int_equal(private_key_sign(w->keys[key], SCHEME_ED25519, buffer_blob(&text), out), 0);
}

static inline int world_try_publish(World *w)
{
        _cleanup_(buffer_deinit) Buffer signature = BUFFER_NULL;

        int r;

        world_signature(w, 0, &signature);
        r = journal_publish(w->journal, buffer_blob(&signature));
        return r ?: journal_write_log(w->journal);
}

static inline void world_publish(World *w)
{
        assert_int_equal(world_try_publish(w), 0);
        assert_int_equal(journal_published(w->journal), journal_size(w->journal));
}

/* n plain entries, published. */
static inline void world_grow(World *w, size_t n)
{
        world_append_plain(w, n);
        world_commit(w);
        world_publish(w);
}

/* The root that the entries have as the test knows them. */
static inline void world_root(const World *w, uint64_t size, TreeHash *ret)
{
        Range range = RANGE_NULL;

        assert_true(size <= w->n_leaves);
        for (uint64_t i = 0; i < size; i++)
                range_append(&range, &w->leaves[i]);
        range_root(&range, ret);
}

static inline NoteVerifier world_verifier(World *w)
{
        _cleanup_(buffer_deinit) Buffer vkey = BUFFER_NULL;
        NoteVerifier v;

        assert_int_equal(note_verifier_write(WORLD_ORIGIN, NOTE_TYPE_ED25519,
                                             public_key_raw(w->publics[0]).data, &vkey),
                         0);
        assert_int_equal(note_verifier_parse(&v, (const char *)vkey.data, vkey.size), 0);
        return v;
}

/* A note is of this log, signed, and of the tree that the test knows. */
static inline uint64_t world_check_note(World *w, Blob note)
{
        NoteVerifier v = world_verifier(w);
        Checkpoint c;
        TreeHash root;

        assert_int_equal(checkpoint_verify(&c, note, &v), 0);
        note_verifier_deinit(&v);
        world_root(w, c.size, &root);
        assert_true(tree_hash_equal(&root, &c.root));
        return c.size;
}

static inline void world_check_proof(World *w, uint64_t index, uint64_t size)
{
        _cleanup_(buffer_deinit) Buffer file = BUFFER_NULL;
        _cleanup_(proof_deinit) Proof proof;
        NoteVerifier v = world_verifier(w);
        Checkpoint c;
        TreeHash leaf;

        assert_int_equal(journal_proof(w->journal, index, &file), 0);
        assert_int_equal(proof_decode(&proof, buffer_blob(&file)), 0);
        assert_int_equal(proof_verify(&proof, &v, &c), 0);
        note_verifier_deinit(&v);
        assert_int_equal(c.size, size);
        assert_int_equal(proof.index, index);
        tree_hash_leaf(&leaf, buffer_blob(&proof.extra));
        assert_true(tree_hash_equal(&leaf, &w->leaves[index]));
}

/* Everything that log/ serves for a checkpoint of `size`, read as a client would. */
static inline void world_check_log(World *w, uint64_t size)
{
        _cleanup_(buffer_deinit) Buffer file = BUFFER_NULL;

        for (uint64_t n = 0; n * 256 < size; n++) {
                unsigned width = size - n * 256 < 256 ? (unsigned)(size - n * 256) : 0;
                char partial[8] = "", name[64];
                size_t at = 0;

                if (width > 0)
                        snprintf(partial, sizeof(partial), ".p/%u", width);
                snprintf(name, sizeof(name), "tile/0/%03u%s", (unsigned)n, partial);
                file_get(w->log, name, &file);
                assert_int_equal(file.size, (width > 0 ? width : 256) * 32);
                assert_memory_equal(file.data, &w->leaves[n * 256], file.size);

                snprintf(name, sizeof(name), "tile/entries/%03u%s", (unsigned)n, partial);
                file_get(w->log, name, &file);
                for (unsigned i = 0; i < (width > 0 ? width : 256); i++) {
                        TreeHash leaf;

                        assert_true(at + 2 <= file.size);
                        tree_hash_leaf(&leaf, BLOB(file.data + at + 2, get_u16(file.data + at)));
                        assert_true(tree_hash_equal(&leaf, &w->leaves[n * 256 + i]));
                        at += 2 + get_u16(file.data + at);
                }
                assert_int_equal(at, file.size);
        }
        if (size >= 256) {
                char name[64];

                snprintf(name, sizeof(name), "tile/1/000.p/%u", (unsigned)(size / 256));
                file_get(w->log, name, &file);
                for (uint64_t n = 0; n < size / 256; n++) {
                        Range range = RANGE_NULL;
                        TreeHash root;

                        for (size_t i = 0; i < 256; i++)
                                range_append(&range, &w->leaves[n * 256 + i]);
                        range_root(&range, &root);
                        assert_memory_equal(file.data + n * 32, root.bytes, 32);
                }
        }
}

/* With SQLite itself, as somebody who tampers would. */
static inline void world_execute(World *w, const char *name, const char *sql)
{
        _cleanup_(freep) char *path = path_in(w->state, name);
        sqlite3 *db;

        assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static inline void world_maintain(World *w)
{
        bool more = true;

        while (more)
                assert_int_equal(journal_maintain(w->journal, &more), 0);
}
