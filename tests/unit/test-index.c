/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/crypto.h"
#include "journal/index.h"
#include "unit/journal-fixture.h"

#define MAX_ROWS 60000

/* All rows ever added, in order: what the index has to agree with. */
typedef struct Model {
        struct ModelRow {
                IndexKind kind;
                unsigned key;
                uint64_t entry;
        } * rows;
        size_t n;
} Model;

/* Keys 0..9 are shared by many entries, the others by few. */
static void make_key(unsigned n, uint8_t ret[static 32])
{
        sha256(ret, &n, sizeof(n));
}

static Index *index_in(const char *folder)
{
        Index *x;

        assert_int_equal(index_open(&x, folder), 0);
        return x;
}

static void add(Index *x, Model *m, IndexKind kind, unsigned key, uint64_t entry)
{
        uint8_t hash[32];

        make_key(key, hash);
        assert_int_equal(index_add(x, kind, hash, entry), 0);
        if (!m)
                return;
        assert_true(m->n < MAX_ROWS);
        m->rows[m->n++] = (struct ModelRow){kind, key, entry};
}

static void expect(Index *x, const Model *m, IndexKind kind, unsigned key, uint64_t before, size_t max)
{
        uint64_t found[512], last = UINT64_MAX;
        uint8_t hash[32];
        size_t n = 0, k = 0;

        make_key(key, hash);
        assert_int_equal(index_find(x, kind, hash, before, found, max, &n), 0);
        for (size_t i = m->n; i-- > 0 && k < max;) {
                const struct ModelRow *row = &m->rows[i];

                if (row->kind != kind || row->key != key || row->entry >= before || row->entry == last)
                        continue;
                assert_true(k < n);
                assert_int_equal(found[k++], row->entry);
                last = row->entry;
        }
        assert_int_equal(n, k);
}

static void expect_all(Index *x, const Model *m, uint64_t size)
{
        for (unsigned kind = 0; kind < _INDEX_KIND_MAX; kind++) {
                for (unsigned key = 0; key < 30; key++) {
                        expect(x, m, kind, key, UINT64_MAX, 512);
                        expect(x, m, kind, key, size / 2, 300);
                        expect(x, m, kind, key, size / 3 + key, 1);
                        expect(x, m, kind, key, size, 7);
                        expect(x, m, kind, key, 0, 7);
                }
        }
}

static void flush_all(Index *x, uint64_t size)
{
        bool more;

        for (unsigned i = 0; index_size(x) < size; i++) {
                assert_true(i < 10000);
                assert_int_equal(index_flush(x, &more), 0);
        }
        assert_int_equal(index_size(x), size);
        assert_false(more);
}

/* Rows of entries [from, to). */
static void add_entries(Index *x, Model *m, uint64_t from, uint64_t to)
{
        for (uint64_t e = from; e < to; e++) {
                add(x, m, INDEX_SIGNED, 10 + (unsigned)(e * 7919 % 5000), e);
                add(x, m, INDEX_KEY, (unsigned)(e % 3), e);
                add(x, m, INDEX_TYPE, 1, e);
                if (e % 5 == 0)
                        add(x, m, INDEX_TYPE, 1, e); /* the same twice */
        }
        index_seal(x, to);
}

static int model_setup(void **state)
{
        Model *m = calloc(1, sizeof(*m));

        m->rows = calloc(MAX_ROWS, sizeof(*m->rows));
        *state = m;
        return 0;
}

static int model_teardown(void **state)
{
        Model *m = *state;

        free(m->rows);
        free(m);
        return 0;
}

/* ---- index_find ---- */

static void index_find_through_all_stages_is_exact(void **state)
{
        Model *m = *state;
        char *folder = folder_new();
        Index *x = index_in(folder);
        bool more;

        expect_all(x, m, 0);
        add_entries(x, m, 0, 4000);
        expect_all(x, m, 4000); /* in memory */
        assert_int_equal(index_flush(x, &more), 0);
        add_entries(x, m, 4000, 5000);
        expect_all(x, m, 5000); /* some in the database, some sealed, some new */
        flush_all(x, 5000);
        expect_all(x, m, 5000);
        add_entries(x, m, 5000, 9000);
        expect_all(x, m, 9000);
        flush_all(x, 9000);
        expect_all(x, m, 9000);
        x = index_free(x);

        x = index_in(folder);
        assert_int_equal(index_size(x), 9000);
        expect_all(x, m, 9000);
        x = index_free(x);
        folder_remove(AT_FDCWD, folder);
        free(folder);
}

static void index_find_between_slices_is_exact(void **state)
{
        Model *m = *state;
        char *folder = folder_new();
        Index *x = index_in(folder);
        unsigned n_slices = 0;
        bool more;

        add_entries(x, m, 0, 14000);
        for (; index_size(x) < 14000; n_slices++) {
                assert_int_equal(index_flush(x, &more), 0);
                for (unsigned key = 0; key < 300; key++)
                        expect(x, m, INDEX_SIGNED, key, UINT64_MAX, 8);
                expect(x, m, INDEX_KEY, 2, UINT64_MAX, 512);
                expect(x, m, INDEX_TYPE, 1, 7000, 512);
        }
        assert_true(n_slices > 2);
        x = index_free(x);
        folder_remove(AT_FDCWD, folder);
        free(folder);
}

static void index_find_after_interrupted_flush_is_exact(void **state)
{
        Model *m = *state;
        char *folder = folder_new();
        Index *x = index_in(folder);
        bool more = false;

        add_entries(x, m, 0, 3000);
        flush_all(x, 3000);
        add_entries(x, m, 3000, 14000);
        for (unsigned i = 0; i < 100 && !more; i++)
                assert_int_equal(index_flush(x, &more), 0);
        assert_true(more);
        x = index_free(x); /* as killed: a part of it stays there */

        x = index_in(folder);
        assert_int_equal(index_size(x), 3000);
        m->n = 0;
        add_entries(x, NULL, 3000, 5000);
        x = index_free(x);

        /* Once more, with other borders of chunks. */
        x = index_in(folder);
        add_entries(x, NULL, index_size(x), 5001);
        flush_all(x, 5001);
        add_entries(x, NULL, 5001, 14000);
        for (uint64_t e = 0; e < 14000; e++) {
                m->rows[m->n++] = (struct ModelRow){INDEX_SIGNED, 10 + (unsigned)(e * 7919 % 5000), e};
                m->rows[m->n++] = (struct ModelRow){INDEX_KEY, (unsigned)(e % 3), e};
                m->rows[m->n++] = (struct ModelRow){INDEX_TYPE, 1, e};
        }
        expect_all(x, m, 14000);
        flush_all(x, 14000);
        expect_all(x, m, 14000);
        x = index_free(x);
        folder_remove(AT_FDCWD, folder);
        free(folder);
}

static void index_find_kinds_are_apart(void **state)
{
        _cleanup_(index_freep) Index *x = index_in(*state);
        uint64_t found[4];
        uint8_t key[32];
        size_t n;

        make_key(3, key);
        add(x, NULL, INDEX_SUBJECT, 3, 7);
        index_seal(x, 8);
        for (unsigned kind = 0; kind < _INDEX_KIND_MAX; kind++) {
                assert_int_equal(index_find(x, kind, key, UINT64_MAX, found, 4, &n), 0);
                assert_int_equal(n, kind == INDEX_SUBJECT);
        }
        assert_int_equal(index_find(x, INDEX_SUBJECT, key, UINT64_MAX, NULL, 0, &n), 0);
        assert_int_equal(n, 0);
}

/* ---- flushing ---- */

static void index_flush_unsealed_entry_waits(void **state)
{
        _cleanup_(index_freep) Index *x = index_in(*state);
        bool more = true;

        add(x, NULL, INDEX_KEY, 1, 0);
        index_seal(x, 1);
        add(x, NULL, INDEX_KEY, 1, 1);
        assert_int_equal(index_flush(x, &more), 0);
        assert_false(more);
        assert_int_equal(index_size(x), 0);
        index_seal(x, 2);
        flush_all(x, 2);
}

static void index_should_flush_when_idle_or_forced(void **state)
{
        _cleanup_(index_freep) Index *x = index_in(*state);
        uint64_t e = 0;

        assert_false(index_should_flush(x, true));
        for (; e < 10000; e++)
                add(x, NULL, INDEX_KEY, 1, e);
        assert_true(index_should_flush(x, true));
        assert_false(index_should_flush(x, false));
        while (!index_should_flush(x, false)) {
                add(x, NULL, INDEX_KEY, 1, e++);
                assert_true(e < 1000000);
        }
        assert_false(index_overdue(x));
        while (!index_overdue(x)) {
                add(x, NULL, INDEX_KEY, 1, e++);
                assert_true(e < 1000000);
        }
        index_seal(x, e);
        flush_all(x, e);
        assert_false(index_should_flush(x, true));
}

static void index_free_unflushed_rows_are_lost(void **state)
{
        Index *x = index_in(*state);
        uint64_t found[4];
        uint8_t key[32];
        size_t n;

        add(x, NULL, INDEX_KEY, 1, 0);
        index_seal(x, 1);
        x = index_free(x);
        x = index_in(*state);
        make_key(1, key);
        assert_int_equal(index_size(x), 0);
        assert_int_equal(index_find(x, INDEX_KEY, key, UINT64_MAX, found, 4, &n), 0);
        assert_int_equal(n, 0);
        x = index_free(x);
}

static void index_should_flush_long_gap_with_few_rows(void **state)
{
        _cleanup_(index_freep) Index *x = index_in(*state);

        /* One artifact in an eternity must not make the next start read all of it again. */
        add(x, NULL, INDEX_ARTIFACT, 1, 0);
        index_seal(x, 1000);
        assert_false(index_should_flush(x, true));
        index_seal(x, 100000);
        assert_true(index_should_flush(x, true));
        assert_false(index_should_flush(x, false));
        index_seal(x, 1000000);
        assert_true(index_should_flush(x, false));
        flush_all(x, 1000000);
        assert_false(index_should_flush(x, true));
}

/* ---- index_open, index_reset ---- */

static void index_open_damaged_begins_anew(void **state)
{
        Index *x = index_in(*state);
        uint8_t noise[8192];

        add(x, NULL, INDEX_KEY, 1, 0);
        index_seal(x, 1);
        flush_all(x, 1);
        x = index_free(x);

        memset(noise, 0x5a, sizeof(noise));
        file_write(*state, "index.db", BLOB(noise, sizeof(noise)));
        assert_int_equal(index_open(&x, *state), INDEX_E_CORRUPT);
        assert_int_equal(index_size(x), 0);
        assert_true(file_exists(*state, "index.db.corrupt"));
        add(x, NULL, INDEX_KEY, 1, 0);
        index_seal(x, 1);
        flush_all(x, 1);
        x = index_free(x);
        assert_int_equal(index_open(&x, *state), 0);
        assert_int_equal(index_size(x), 1);
        x = index_free(x);
}

static void index_reset_forgets_everything(void **state)
{
        Index *x = index_in(*state);
        uint64_t found[4];
        uint8_t key[32];
        size_t n;

        add(x, NULL, INDEX_KEY, 1, 0);
        index_seal(x, 1);
        flush_all(x, 1);
        x = index_free(x);
        x = index_in(*state);
        assert_int_equal(index_reset(x), 0);
        assert_int_equal(index_size(x), 0);
        make_key(1, key);
        assert_int_equal(index_find(x, INDEX_KEY, key, UINT64_MAX, found, 4, &n), 0);
        assert_int_equal(n, 0);
        x = index_free(x);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(index_find_through_all_stages_is_exact, model_setup,
                                                model_teardown),
                cmocka_unit_test_setup_teardown(index_find_between_slices_is_exact, model_setup,
                                                model_teardown),
                cmocka_unit_test_setup_teardown(index_find_after_interrupted_flush_is_exact, model_setup,
                                                model_teardown),
                FOLDER_TEST(index_find_kinds_are_apart),
                FOLDER_TEST(index_flush_unsealed_entry_waits),
                FOLDER_TEST(index_should_flush_when_idle_or_forced),
                FOLDER_TEST(index_should_flush_long_gap_with_few_rows),
                FOLDER_TEST(index_free_unflushed_rows_are_lost),
                FOLDER_TEST(index_open_damaged_begins_anew),
                FOLDER_TEST(index_reset_forgets_everything),
        };

        return cmocka_run_group_tests(tests, silence_traces, NULL);
}
