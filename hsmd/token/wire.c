/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "base/error.h"
#include "token/wire.h"

#define WIRE_VERSION     1
#define WIRE_HEADER_SIZE 8
#define WIRE_FLAG_FD     0x01
/* Text for a person. */
#define WIRE_TEXT_SIZE LIMIT_LINE_SIZE

/* The biggest answer to a batch must fit one frame whatever the token returns. */
static_assert(WIRE_HEADER_SIZE + LIMIT_TOKEN_BATCH * (11 + LIMIT_SIGNATURE_SIZE) <= LIMIT_TOKEN_FRAME,
              "a full SIGNED frame fits");
static_assert(WIRE_HEADER_SIZE + LIMIT_TOKEN_BATCH * (6 + LIMIT_TOKEN_MESSAGE) <= LIMIT_TOKEN_FRAME,
              "a full SIGN frame fits");

const char *token_status_to_string(TokenStatus status)
{
        static const char *const names[] = {
                [TOKEN_OK] = "token-ok",
                [TOKEN_MODULE] = "token-module",
                [TOKEN_ABSENT] = "token-absent",
                [TOKEN_PIN_REFUSED] = "token-pin-refused",
                [TOKEN_LOGIN] = "token-login",
                [TOKEN_KEY_MISSING] = "token-key-missing",
                [TOKEN_KEY_AMBIGUOUS] = "token-key-ambiguous",
                [TOKEN_KEY_UNSAFE] = "token-key-unsafe",
                [TOKEN_KEY_MISMATCH] = "token-key-mismatch",
                [TOKEN_FAILED] = "token-failed",
                [TOKEN_REFUSED] = "token-refused",
                [TOKEN_FAULT] = "token-fault",
        };

        static_assert(ARRAY_SIZE(names) == _TOKEN_STATUS_MAX, "every status has its reason code");
        assert(status < _TOKEN_STATUS_MAX);
        return names[status];
}

/* Everything a frame may hold is bounded by its type: items, and the size of each text in an item. */
static size_t wire_max_items(WireType type)
{
        switch (type) {
        case WIRE_HELLO:
                return 1;
        case WIRE_OPEN:
        case WIRE_OPENED:
                return LIMIT_TOKEN_KEYS;
        case WIRE_SIGN:
        case WIRE_SIGNED:
                return LIMIT_TOKEN_BATCH;
        }
        return 0;
}

/* ---- encoding: a cursor that remembers that it once ran out of room ---- */

typedef struct Writer {
        uint8_t *p;
        size_t capacity;
        size_t size;
        bool full;
} Writer;

static uint8_t *writer_take(Writer *w, size_t size)
{
        uint8_t *p;

        if (w->full || w->capacity - w->size < size) {
                w->full = true;
                return NULL;
        }
        p = w->p + w->size;
        w->size += size;
        return p;
}

static void writer_u8(Writer *w, unsigned v)
{
        uint8_t *p = writer_take(w, 1);

        assert(v <= UINT8_MAX);
        if (p)
                *p = (uint8_t)v;
}

static void writer_u16(Writer *w, uint16_t v)
{
        uint8_t *p = writer_take(w, 2);

        if (p)
                put_u16(p, v);
}

static void writer_u32(Writer *w, uint32_t v)
{
        uint8_t *p = writer_take(w, 4);

        if (p)
                put_u32(p, v);
}

static void writer_blob(Writer *w, Blob b, size_t max)
{
        uint8_t *p;

        assert(max <= UINT16_MAX);
        if (b.size > max) {
                w->full = true;
                return;
        }
        writer_u16(w, (uint16_t)b.size);
        p = writer_take(w, b.size);
        if (p && b.size > 0)
                memcpy(p, b.data, b.size);
}

static void wire_encode_hello(Writer *w, const WireFrame *f, size_t i)
{
        const WireHello *h = &f->hello;

        assert(i == 0);
        assert(h->status < _TOKEN_STATUS_MAX);
        writer_u8(w, h->status);
        writer_blob(w, h->label, WIRE_TEXT_SIZE);
        writer_blob(w, h->manufacturer, WIRE_TEXT_SIZE);
        writer_blob(w, h->model, WIRE_TEXT_SIZE);
        writer_blob(w, h->serial, WIRE_TEXT_SIZE);
        writer_blob(w, h->message, WIRE_TEXT_SIZE);
}

static void wire_encode_open(Writer *w, const WireFrame *f, size_t i)
{
        assert(f->open[i].type < _KEY_TYPE_MAX);
        writer_u16(w, f->open[i].handle);
        writer_u8(w, f->open[i].type);
        writer_blob(w, f->open[i].uri, LIMIT_URI_SIZE);
        writer_blob(w, f->open[i].spki, LIMIT_SPKI_SIZE);
}

static void wire_encode_opened(Writer *w, const WireFrame *f, size_t i)
{
        assert(f->opened[i].status < _TOKEN_STATUS_MAX);
        writer_u16(w, f->opened[i].handle);
        writer_u8(w, f->opened[i].status);
        writer_blob(w, f->opened[i].message, WIRE_TEXT_SIZE);
}

static void wire_encode_sign(Writer *w, const WireFrame *f, size_t i)
{
        const WireSign *s = &f->sign[i];

        assert(s->mechanism < _MECHANISM_MAX);
        assert(!s->content_in_fd || (f->n == 1 && s->message.size == 0));
        writer_u16(w, s->handle);
        writer_u8(w, s->mechanism);
        writer_u8(w, s->content_in_fd ? WIRE_FLAG_FD : 0);
        writer_blob(w, s->message, LIMIT_TOKEN_MESSAGE);
}

static void wire_encode_signed(Writer *w, const WireFrame *f, size_t i)
{
        assert(f->signature[i].status < _TOKEN_STATUS_MAX);
        writer_u8(w, f->signature[i].status);
        writer_u32(w, f->signature[i].ckr);
        writer_u32(w, f->signature[i].usec);
        writer_blob(w, f->signature[i].signature, LIMIT_SIGNATURE_SIZE);
}

int wire_encode(const WireFrame *frame, uint8_t *buf, size_t capacity, size_t *ret_size)
{
        static void (*const encode[])(Writer *, const WireFrame *, size_t) = {
                [WIRE_HELLO] = wire_encode_hello,   [WIRE_OPEN] = wire_encode_open,
                [WIRE_OPENED] = wire_encode_opened, [WIRE_SIGN] = wire_encode_sign,
                [WIRE_SIGNED] = wire_encode_signed,
        };
        Writer w = {.p = buf, .capacity = capacity};

        assert(frame);
        assert(buf);
        assert(ret_size);
        assert(frame->type >= WIRE_HELLO && frame->type < ARRAY_SIZE(encode));
        assert(frame->n >= 1);
        assert(frame->n <= wire_max_items(frame->type));

        if (w.capacity > LIMIT_TOKEN_FRAME)
                w.capacity = LIMIT_TOKEN_FRAME;
        writer_u8(&w, WIRE_VERSION);
        writer_u8(&w, frame->type);
        writer_u16(&w, (uint16_t)frame->n);
        writer_u32(&w, frame->sequence);
        for (size_t i = 0; i < frame->n; i++)
                encode[frame->type](&w, frame, i);
        if (w.full)
                return WIRE_E_TOO_LARGE;
        *ret_size = w.size;
        return 0;
}

/* ---- decoding: a cursor that remembers its first fault and then reads zeros ---- */

typedef struct Reader {
        const uint8_t *p;
        size_t size;
        bool bad;
} Reader;

static const uint8_t *reader_take(Reader *r, size_t size)
{
        const uint8_t *p = r->p;

        if (r->bad || r->size < size) {
                r->bad = true;
                return NULL;
        }
        r->p += size;
        r->size -= size;
        return p;
}

/* A byte that is a member of an enumeration with `max` members. */
static unsigned reader_enum(Reader *r, unsigned max)
{
        const uint8_t *p = reader_take(r, 1);

        if (!p)
                return 0;
        if (*p >= max) {
                r->bad = true;
                return 0;
        }
        return *p;
}

static uint16_t reader_u16(Reader *r)
{
        const uint8_t *p = reader_take(r, 2);

        return p ? get_u16(p) : 0;
}

static uint32_t reader_u32(Reader *r)
{
        const uint8_t *p = reader_take(r, 4);

        return p ? get_u32(p) : 0;
}

static Blob reader_blob(Reader *r, size_t max)
{
        size_t size = reader_u16(r);
        const uint8_t *p;

        if (size > max) {
                r->bad = true;
                return BLOB_NULL;
        }
        p = reader_take(r, size);
        return p ? BLOB(p, size) : BLOB_NULL;
}

static void wire_decode_hello(Reader *r, WireFrame *f, size_t i)
{
        WireHello *h = &f->hello;

        assert(i == 0);
        h->status = (TokenStatus)reader_enum(r, _TOKEN_STATUS_MAX);
        h->label = reader_blob(r, WIRE_TEXT_SIZE);
        h->manufacturer = reader_blob(r, WIRE_TEXT_SIZE);
        h->model = reader_blob(r, WIRE_TEXT_SIZE);
        h->serial = reader_blob(r, WIRE_TEXT_SIZE);
        h->message = reader_blob(r, WIRE_TEXT_SIZE);
}

static void wire_decode_open(Reader *r, WireFrame *f, size_t i)
{
        f->open[i].handle = reader_u16(r);
        f->open[i].type = (KeyType)reader_enum(r, _KEY_TYPE_MAX);
        f->open[i].uri = reader_blob(r, LIMIT_URI_SIZE);
        f->open[i].spki = reader_blob(r, LIMIT_SPKI_SIZE);
}

static void wire_decode_opened(Reader *r, WireFrame *f, size_t i)
{
        f->opened[i].handle = reader_u16(r);
        f->opened[i].status = (TokenStatus)reader_enum(r, _TOKEN_STATUS_MAX);
        f->opened[i].message = reader_blob(r, WIRE_TEXT_SIZE);
}

static void wire_decode_sign(Reader *r, WireFrame *f, size_t i)
{
        WireSign *s = &f->sign[i];

        s->handle = reader_u16(r);
        s->mechanism = (TokenMechanism)reader_enum(r, _MECHANISM_MAX);
        s->content_in_fd = reader_enum(r, WIRE_FLAG_FD + 1) == WIRE_FLAG_FD;
        s->message = reader_blob(r, LIMIT_TOKEN_MESSAGE);
        if (s->content_in_fd && (f->n != 1 || s->message.size != 0))
                r->bad = true;
}

static void wire_decode_signed(Reader *r, WireFrame *f, size_t i)
{
        f->signature[i].status = (TokenStatus)reader_enum(r, _TOKEN_STATUS_MAX);
        f->signature[i].ckr = reader_u32(r);
        f->signature[i].usec = reader_u32(r);
        f->signature[i].signature = reader_blob(r, LIMIT_SIGNATURE_SIZE);
}

int wire_decode(WireFrame *ret, const uint8_t *buf, size_t size)
{
        static void (*const decode[])(Reader *, WireFrame *, size_t) = {
                [WIRE_HELLO] = wire_decode_hello,   [WIRE_OPEN] = wire_decode_open,
                [WIRE_OPENED] = wire_decode_opened, [WIRE_SIGN] = wire_decode_sign,
                [WIRE_SIGNED] = wire_decode_signed,
        };
        Reader r = {.p = buf, .size = size};
        unsigned type;

        assert(ret);
        assert(buf);
        if (size < WIRE_HEADER_SIZE || size > LIMIT_TOKEN_FRAME)
                return WIRE_E_INVALID;
        if (reader_enum(&r, WIRE_VERSION + 1) != WIRE_VERSION)
                return WIRE_E_INVALID;
        type = reader_enum(&r, ARRAY_SIZE(decode));
        if (type < WIRE_HELLO)
                return WIRE_E_INVALID;
        ret->type = (WireType)type;
        ret->n = reader_u16(&r);
        ret->sequence = reader_u32(&r);
        if (ret->n < 1 || ret->n > wire_max_items(ret->type))
                return WIRE_E_INVALID;
        for (size_t i = 0; i < ret->n && !r.bad; i++)
                decode[ret->type](&r, ret, i);
        if (r.bad || r.size != 0)
                return WIRE_E_INVALID;
        return 0;
}
