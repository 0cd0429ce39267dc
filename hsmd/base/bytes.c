/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/bytes.h"
#include "base/error.h"

/* The first allocation of a buffer: most texts fit, and the allocator's classes are not split finer. */
#define BUFFER_FIRST_CAPACITY 64
#define U64_DIGITS            20

bool blob_equal(Blob a, Blob b)
{
        return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

bool blob_equal_string(Blob a, const char *s)
{
        assert(s);

        return blob_equal(a, BLOB_STRING(s));
}

static void buffer_validate(const Buffer *b)
{
        assert(b);
        assert(b->data ? b->size < b->capacity : b->capacity == 0);
        assert(b->data || b->size == 0);
}

void buffer_deinit(Buffer *b)
{
        buffer_validate(b);

        free(b->data);
        *b = (Buffer)BUFFER_NULL;
}

void buffer_clear(Buffer *b)
{
        buffer_validate(b);

        b->size = 0;
        if (b->data)
                b->data[0] = 0;
}

static int buffer_grow(Buffer *b, size_t needed)
{
        size_t capacity = b->capacity > 0 ? b->capacity : BUFFER_FIRST_CAPACITY;
        uint8_t *data;

        assert(needed <= SIZE_MAX / 2 + 1);

        while (capacity < needed)
                capacity *= 2;

        data = realloc(b->data, capacity);
        if (!data)
                return error_origin(-ENOMEM);

        data[b->size] = 0;
        b->data = data;
        b->capacity = capacity;
        return 0;
}

int buffer_reserve(Buffer *b, size_t size)
{
        buffer_validate(b);

        if (size > SIZE_MAX / 2 || b->size > SIZE_MAX / 2 - size)
                return error_origin(-EOVERFLOW);
        if (b->size + size < b->capacity)
                return 0;
        return error_fold(buffer_grow(b, b->size + size + 1));
}

int buffer_append(Buffer *b, const void *data, size_t size)
{
        int r;

        assert(data || size == 0);

        r = buffer_reserve(b, size);
        if (r)
                return error_fold(r);

        if (size > 0)
                memcpy(b->data + b->size, data, size);
        b->size += size;
        b->data[b->size] = 0;
        return 0;
}

int buffer_append_string(Buffer *b, const char *s)
{
        assert(s);

        return error_fold(buffer_append(b, s, strlen(s)));
}

int buffer_append_byte(Buffer *b, uint8_t c)
{
        return error_fold(buffer_append(b, &c, 1));
}

int buffer_append_u64_decimal(Buffer *b, uint64_t v)
{
        char digits[U64_DIGITS];
        size_t i = sizeof(digits);

        do {
                digits[--i] = (char)('0' + v % 10);
                v /= 10;
        } while (v > 0);

        return error_fold(buffer_append(b, digits + i, sizeof(digits) - i));
}

int buffer_printf(Buffer *b, const char *format, ...)
{
        va_list args;
        int n, r;

        assert(format);

        va_start(args, format);
        n = vsnprintf(NULL, 0, format, args);
        va_end(args);
        if (n < 0)
                return error_origin(-EINVAL);

        r = buffer_reserve(b, (size_t)n);
        if (r)
                return error_fold(r);

        va_start(args, format);
        (void)vsnprintf((char *)b->data + b->size, (size_t)n + 1, format, args);
        va_end(args);
        b->size += (size_t)n;
        return 0;
}

void buffer_consume(Buffer *b, size_t size)
{
        buffer_validate(b);
        assert(size <= b->size);

        if (size == 0)
                return;
        b->size -= size;
        memmove(b->data, b->data + size, b->size + 1);
}

Blob buffer_blob(const Buffer *b)
{
        buffer_validate(b);

        return BLOB(b->data, b->size);
}

char *buffer_take(Buffer *b)
{
        char *data;

        buffer_validate(b);

        data = (char *)b->data;
        *b = (Buffer)BUFFER_NULL;
        return data;
}

void put_u16(uint8_t *p, uint16_t v)
{
        p[0] = (uint8_t)(v >> 8);
        p[1] = (uint8_t)v;
}

void put_u32(uint8_t *p, uint32_t v)
{
        put_u16(p, (uint16_t)(v >> 16));
        put_u16(p + 2, (uint16_t)v);
}

void put_u64(uint8_t *p, uint64_t v)
{
        put_u32(p, (uint32_t)(v >> 32));
        put_u32(p + 4, (uint32_t)v);
}

uint16_t get_u16(const uint8_t *p)
{
        return (uint16_t)((unsigned)p[0] << 8 | p[1]);
}

uint32_t get_u32(const uint8_t *p)
{
        return (uint32_t)get_u16(p) << 16 | get_u16(p + 2);
}

uint64_t get_u64(const uint8_t *p)
{
        return (uint64_t)get_u32(p) << 32 | get_u32(p + 4);
}

int string_copy(char **ret, const char *s)
{
        assert(s);

        return error_fold(string_copy_n(ret, s, strlen(s)));
}

int string_copy_n(char **ret, const char *s, size_t size)
{
        char *copy;

        assert(ret);
        assert(s || size == 0);

        if (size > SIZE_MAX / 2)
                return error_origin(-ENOMEM);
        copy = malloc(size + 1);
        if (!copy)
                return error_origin(-ENOMEM);

        if (size > 0)
                memcpy(copy, s, size);
        copy[size] = 0;
        *ret = copy;
        return 0;
}

int string_printf(char **ret, const char *format, ...)
{
        va_list args;
        char *s;
        int n;

        assert(ret);
        assert(format);

        va_start(args, format);
        n = vasprintf(&s, format, args);
        va_end(args);
        if (n < 0)
                return error_origin(-ENOMEM);

        *ret = s;
        return 0;
}

int memory_new(void **ret, size_t n, size_t size)
{
        void *p;

        assert(ret);
        assert(size > 0);

        /* An empty array is a valid object: never NULL, so that NULL always means "not there". */
        p = calloc(n > 0 ? n : 1, size);
        if (!p)
                return error_origin(-ENOMEM);

        *ret = p;
        return 0;
}
