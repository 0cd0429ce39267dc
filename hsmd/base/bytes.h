/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Byte views and growable buffers.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/macro.h"

/* Bytes that somebody else owns.  `data` may be NULL only if `size` is 0. */
typedef struct Blob {
        const uint8_t *data;
        size_t size;
} Blob;

#define BLOB(_data, _size) ((Blob){.data = (const uint8_t *)(_data), .size = (_size)})
#define BLOB_STRING(_s)    BLOB((_s), strlen(_s))
#define BLOB_LITERAL(_s)   BLOB(("" _s), sizeof(_s) - 1)
#define BLOB_NULL          ((Blob){NULL, 0})

bool blob_equal(Blob a, Blob b);
bool blob_equal_string(Blob a, const char *s);

/* A growable buffer, embedded in its owner.  Always followed by a NUL byte that `size` does not count. */
typedef struct Buffer {
        uint8_t *data;
        size_t size;
        size_t capacity;
} Buffer;

#define BUFFER_NULL                                                                                         \
        {                                                                                                   \
                NULL, 0, 0                                                                                  \
        }

void buffer_deinit(Buffer *b);
/* Forget the content, keep the memory. */
void buffer_clear(Buffer *b);
/* Make room for `size` more bytes.  -ENOMEM, or -EOVERFLOW past SIZE_MAX / 2; then the buffer is unchanged.
 */
_must_use_ int buffer_reserve(Buffer *b, size_t size);
/* Append bytes.  Errors as buffer_reserve(); all or nothing. */
_must_use_ int buffer_append(Buffer *b, const void *data, size_t size);
_must_use_ int buffer_append_string(Buffer *b, const char *s);
_must_use_ int buffer_append_byte(Buffer *b, uint8_t c);
_must_use_ int buffer_append_u64_decimal(Buffer *b, uint64_t v);
_must_use_ _printf_(2, 3) int buffer_printf(Buffer *b, const char *format, ...);
/* Remove the first `size` bytes; `size` may be at most b->size. */
void buffer_consume(Buffer *b, size_t size);
/* View of what is in it; valid until the next call that changes the buffer. */
Blob buffer_blob(const Buffer *b);
/* Hand over the NUL-terminated memory (free() it) and become empty.  NULL when nothing was ever appended. */
char *buffer_take(Buffer *b);

/* Big-endian integers at unaligned places. */
void put_u16(uint8_t *p, uint16_t v);
void put_u32(uint8_t *p, uint32_t v);
void put_u64(uint8_t *p, uint64_t v);
uint16_t get_u16(const uint8_t *p);
uint32_t get_u32(const uint8_t *p);
uint64_t get_u64(const uint8_t *p);

/*
 * strdup()/memdup with this program's error convention: writes *ret on success (caller frees), -ENOMEM else.
 */
_must_use_ int string_copy(char **ret, const char *s);
_must_use_ int string_copy_n(char **ret, const char *s, size_t size);
_must_use_ _printf_(2, 3) int string_printf(char **ret, const char *format, ...);
/* calloc() that keeps to the convention; `n * size` is checked.  For arrays and objects alike. */
_must_use_ int memory_new(void **ret, size_t n, size_t size);
#define memory_new0(_ret, _n) memory_new((void **)(_ret), (_n), sizeof(**(_ret)))
