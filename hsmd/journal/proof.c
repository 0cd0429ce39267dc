/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "base/base64.h"
#include "base/decimal.h"
#include "base/error.h"
#include "journal/proof.h"

#define PROOF_FIRST_LINE "c2sp.org/tlog-proof@v1"
#define PROOF_EXTRA      "extra "
#define PROOF_INDEX      "index "
#define PROOF_HASH_TEXT  BASE64_SIZE(TREE_HASH_SIZE)

static_assert(LIMIT_PROOF_SIZE > sizeof(PROOF_FIRST_LINE) + sizeof(PROOF_EXTRA) +
                                         BASE64_SIZE(LIMIT_ENTRY_SIZE) +
                                         LIMIT_PROOF_HASHES * (PROOF_HASH_TEXT + 1) + 1024,
              "the biggest entry and path leave room for the checkpoint");

static int proof_write_line(Buffer *out, const char *label, const void *data, size_t size)
{
        int r;

        r = buffer_append_string(out, label);
        if (r == 0)
                r = base64_encode(out, data, size);
        if (r == 0)
                r = buffer_append_byte(out, '\n');
        return error_fold(r);
}

static int proof_write_index(Buffer *out, uint64_t index)
{
        int r;

        r = buffer_append_string(out, PROOF_INDEX);
        if (r == 0)
                r = buffer_append_u64_decimal(out, index);
        if (r == 0)
                r = buffer_append_byte(out, '\n');
        return error_fold(r);
}

int proof_write(uint64_t index, const TreeHash *hashes, size_t n_hashes, Blob extra, Blob checkpoint,
                Buffer *out)
{
        int r;

        assert(index < TREE_SIZE_MAX);
        assert(hashes || n_hashes == 0);
        assert(n_hashes <= LIMIT_PROOF_HASHES);
        assert(extra.size <= LIMIT_ENTRY_SIZE);
        assert(checkpoint.size > 0);
        assert(out);

        r = buffer_append_string(out, PROOF_FIRST_LINE "\n");
        if (r == 0 && extra.size > 0)
                r = proof_write_line(out, PROOF_EXTRA, extra.data, extra.size);
        if (r == 0)
                r = proof_write_index(out, index);
        for (size_t i = 0; r == 0 && i < n_hashes; i++)
                r = proof_write_line(out, "", hashes[i].bytes, TREE_HASH_SIZE);
        if (r == 0)
                r = buffer_append_byte(out, '\n');
        if (r == 0)
                r = buffer_append(out, checkpoint.data, checkpoint.size);
        return error_fold(r);
}

/* What is still to be read. */
typedef struct ProofReader {
        Blob rest;
        Blob line; /* the one last read, without LF */
} ProofReader;

static bool proof_next_line(ProofReader *reader)
{
        const uint8_t *end =
                reader->rest.size > 0 ? memchr(reader->rest.data, '\n', reader->rest.size) : NULL;
        size_t size;

        if (!end)
                return false;
        size = (size_t)(end - reader->rest.data);
        reader->line = BLOB(reader->rest.data, size);
        reader->rest = BLOB(end + 1, reader->rest.size - size - 1);
        return true;
}

/* True, and the label cut off, if the line begins with it. */
static bool proof_line_has(ProofReader *reader, const char *label)
{
        size_t size = strlen(label);

        if (reader->line.size < size || memcmp(reader->line.data, label, size) != 0)
                return false;
        reader->line = BLOB(reader->line.data + size, reader->line.size - size);
        return true;
}

static int proof_decode_extra(Proof *p, ProofReader *reader)
{
        int r;

        /* The writer leaves an empty one out; a second spelling of the same proof is refused. */
        if (reader->line.size == 0 || reader->line.size > BASE64_SIZE(LIMIT_ENTRY_SIZE))
                return PROOF_E_SYNTAX;
        r = base64_decode(&p->extra, BASE64_STANDARD, (const char *)reader->line.data, reader->line.size);
        if (r < 0)
                return error_fold(r);
        return r == 0 && p->extra.size <= LIMIT_ENTRY_SIZE ? 0 : PROOF_E_SYNTAX;
}

static int proof_decode_hashes(Proof *p, ProofReader *reader)
{
        for (;;) {
                if (!proof_next_line(reader))
                        return PROOF_E_SYNTAX;
                if (reader->line.size == 0)
                        return 0; /* the head ends at the FIRST empty line */
                if (p->n_hashes == LIMIT_PROOF_HASHES || reader->line.size != PROOF_HASH_TEXT)
                        return PROOF_E_SYNTAX;
                if (base64_decode_exact(p->hashes[p->n_hashes].bytes, TREE_HASH_SIZE,
                                        (const char *)reader->line.data, reader->line.size) != 0)
                        return PROOF_E_SYNTAX;
                p->n_hashes++;
        }
}

static int proof_decode_head(Proof *p, ProofReader *reader)
{
        int r;

        if (!proof_next_line(reader) || !blob_equal_string(reader->line, PROOF_FIRST_LINE))
                return PROOF_E_SYNTAX;
        if (!proof_next_line(reader))
                return PROOF_E_SYNTAX;
        if (proof_line_has(reader, PROOF_EXTRA)) {
                r = proof_decode_extra(p, reader);
                if (r != 0)
                        return r;
                if (!proof_next_line(reader))
                        return PROOF_E_SYNTAX;
        }
        if (!proof_line_has(reader, PROOF_INDEX) ||
            decimal_decode(&p->index, (const char *)reader->line.data, reader->line.size,
                           TREE_SIZE_MAX - 1) != 0)
                return PROOF_E_SYNTAX;
        return proof_decode_hashes(p, reader);
}

int proof_decode(Proof *ret, Blob file)
{
        ProofReader reader = {.rest = file};
        int r;

        assert(ret);
        assert(file.data || file.size == 0);

        *ret = (Proof){0};
        if (file.size > LIMIT_PROOF_SIZE)
                return PROOF_E_SYNTAX;
        r = proof_decode_head(ret, &reader);
        if (r != 0)
                return r;
        if (reader.rest.size == 0)
                return PROOF_E_SYNTAX;
        ret->checkpoint = reader.rest;
        return 0;
}

void proof_deinit(Proof *p)
{
        assert(p);

        buffer_deinit(&p->extra);
        *p = (Proof){0};
}

int proof_verify(const Proof *p, NoteVerifier *log, Checkpoint *ret_checkpoint)
{
        Checkpoint c;
        TreeHash leaf;
        int r;

        assert(p);
        assert(log);

        r = checkpoint_verify(&c, p->checkpoint, log);
        if (r > 0)
                return PROOF_E_CHECKPOINT;
        if (r < 0)
                return error_fold(r);

        tree_hash_leaf(&leaf, buffer_blob(&p->extra));
        if (tree_verify_inclusion(p->index, c.size, &leaf, &c.root, p->hashes, p->n_hashes) != 0)
                return PROOF_E_INCLUSION;
        if (ret_checkpoint)
                *ret_checkpoint = c;
        return 0;
}
