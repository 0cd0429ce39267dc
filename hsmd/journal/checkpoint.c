/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "base/base64.h"
#include "base/decimal.h"
#include "base/error.h"
#include "journal/checkpoint.h"

#define CHECKPOINT_ROOT_TEXT BASE64_SIZE(TREE_HASH_SIZE)

int checkpoint_write(const Checkpoint *c, Buffer *out)
{
        int r;

        assert(c);
        assert(out);
        assert(note_name_valid(c->origin, strlen(c->origin)));
        assert(c->size <= TREE_SIZE_MAX);

        r = buffer_append_string(out, c->origin);
        if (r == 0)
                r = buffer_append_byte(out, '\n');
        if (r == 0)
                r = buffer_append_u64_decimal(out, c->size);
        if (r == 0)
                r = buffer_append_byte(out, '\n');
        if (r == 0)
                r = base64_encode(out, c->root.bytes, TREE_HASH_SIZE);
        if (r == 0)
                r = buffer_append_byte(out, '\n');
        return error_fold(r);
}

/* Cut the next line, without its LF, off `text`.  False if there is no whole one. */
static bool checkpoint_next_line(Blob *text, Blob *ret)
{
        const uint8_t *end = text->size > 0 ? memchr(text->data, '\n', text->size) : NULL;

        if (!end)
                return false;
        *ret = BLOB(text->data, (size_t)(end - text->data));
        *text = BLOB(end + 1, text->size - ret->size - 1);
        return true;
}

/* RFC 6962 2.1: "The hash of an empty list is the hash of an empty string". */
static bool checkpoint_root_possible(const Checkpoint *c)
{
        TreeHash empty;

        tree_hash_empty(&empty);
        return c->size > 0 || tree_hash_equal(&c->root, &empty);
}

int checkpoint_decode(Checkpoint *ret, Blob text)
{
        Checkpoint c = {0};
        Blob origin, size, root;

        assert(ret);
        assert(text.data || text.size == 0);

        if (!checkpoint_next_line(&text, &origin) || !checkpoint_next_line(&text, &size) ||
            !checkpoint_next_line(&text, &root) || text.size > 0)
                return CHECKPOINT_E_SYNTAX;

        /* Our logs call themselves by the name of their key, so the origin obeys the rules for that name. */
        if (!note_name_valid((const char *)origin.data, origin.size))
                return CHECKPOINT_E_SYNTAX;
        memcpy(c.origin, origin.data, origin.size);

        if (decimal_decode(&c.size, (const char *)size.data, size.size, TREE_SIZE_MAX) != 0)
                return CHECKPOINT_E_SYNTAX;
        if (root.size != CHECKPOINT_ROOT_TEXT ||
            base64_decode_exact(c.root.bytes, TREE_HASH_SIZE, (const char *)root.data, root.size) != 0)
                return CHECKPOINT_E_SYNTAX;
        if (!checkpoint_root_possible(&c))
                return CHECKPOINT_E_SYNTAX;

        *ret = c;
        return 0;
}

/* The signature first: the text is not looked into before the log key vouches for it. */
static int checkpoint_verify_note(Checkpoint *ret, const Note *note, NoteVerifier *log)
{
        Checkpoint c;
        int r;

        r = note_verify(note, log, 1, NULL);
        if (r > 0)
                return CHECKPOINT_E_SIGNATURE;
        if (r < 0)
                return error_fold(r);

        r = checkpoint_decode(&c, note->text);
        if (r != 0)
                return r; /* only CHECKPOINT_E_SYNTAX, which means the same here */
        if (strcmp(c.origin, log->name) != 0)
                return CHECKPOINT_E_ORIGIN;

        *ret = c;
        return 0;
}

int checkpoint_verify(Checkpoint *ret, Blob note, NoteVerifier *log)
{
        _cleanup_(note_deinit) Note n;
        int r;

        assert(ret);
        assert(log);
        assert(log->key);

        r = note_decode(&n, note);
        if (r > 0)
                return CHECKPOINT_E_SYNTAX;
        if (r < 0)
                return error_fold(r);
        return checkpoint_verify_note(ret, &n, log);
}

int checkpoint_write_note(const Checkpoint *c, const NoteVerifier *log, Blob signature, Buffer *out)
{
        int r;

        assert(c);
        assert(log);
        assert(strcmp(c->origin, log->name) == 0);
        assert(log->type == NOTE_TYPE_ED25519);
        assert(signature.size == 64);
        assert(out);

        r = checkpoint_write(c, out);
        if (r == 0)
                r = buffer_append_byte(out, '\n');
        if (r == 0)
                r = note_write_signature(log->name, log->id, signature, out);
        return error_fold(r);
}
