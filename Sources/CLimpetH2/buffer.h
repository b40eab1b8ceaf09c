#ifndef LIMPET_H2_BUFFER_H
#define LIMPET_H2_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Bytes that grow. All zero: empty. */
typedef struct {
    uint8_t *bytes;
    size_t length, capacity;
} buffer;

enum { BUFFER_FIRST = 1024 };

/* Appends bytes. Returns false, and appends nothing, if memory allocation fails. */
static inline bool buffer_append(buffer *buffer, const void *bytes, size_t length) {
    if (buffer->capacity - buffer->length < length) {
        size_t larger = buffer->capacity ? buffer->capacity : BUFFER_FIRST;
        while (larger - buffer->length < length) larger *= 2;
        uint8_t *moved = realloc(buffer->bytes, larger);
        if (moved == NULL) return false;
        buffer->bytes = moved;
        buffer->capacity = larger;
    }
    if (length > 0) memcpy(buffer->bytes + buffer->length, bytes, length);
    buffer->length += length;
    return true;
}

static inline void buffer_free(buffer *buffer) {
    free(buffer->bytes);
    memset(buffer, 0, sizeof *buffer);
}

#endif
