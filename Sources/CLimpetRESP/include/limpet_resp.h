#ifndef LIMPET_RESP_H
#define LIMPET_RESP_H

#include <stddef.h>
#include <stdint.h>

/*
 * Only hiredis's reply reader and command formatter. No type of hiredis is visible here, so the same source works
 * with 0.14 and 1.x.
 *
 * A reader is confined to one thread. It collects replies as flat records: an array is one record followed by the
 * records of its elements, depth first. A record refers to its bytes by an offset into one arena. Records and arena
 * live until limpet_reader_consume. They grow to the size of the largest batch, so a steady state allocates nothing.
 */

#define LIMPET_STRING 1
#define LIMPET_ARRAY 2
#define LIMPET_INTEGER 3
#define LIMPET_NIL 4
#define LIMPET_STATUS 5
#define LIMPET_ERROR 6

typedef struct limpet_record {
    int32_t type;
    /* For an array: the number of its direct elements. */
    uint32_t elements;
    int64_t integer;
    /* For a string, status or error: the position of its bytes in the arena. */
    size_t offset;
    size_t length;
} limpet_record;

/* Limits on what one reply may make the reader hold. Exceeding one ends the reader with LIMPET_TOO_LARGE. */
typedef struct limpet_limits {
    /* Bytes received of an incomplete reply. Bounds the cost of a bulk string, whatever length it announces. */
    size_t buffered;
    /* Bytes of one string, status or error. */
    size_t bulk;
    /* Records of one reply, including nested ones. */
    uint32_t records;
    /* Depth of nested arrays; 1 allows no array inside another. */
    uint32_t nesting;
} limpet_limits;

#define LIMPET_OK 0
/* Not RESP2. */
#define LIMPET_MALFORMED 1
#define LIMPET_TOO_LARGE 2
#define LIMPET_NO_MEMORY 3

typedef struct limpet_reader limpet_reader;

/* NULL if memory allocation fails. */
limpet_reader *limpet_reader_new(limpet_limits limits);
void limpet_reader_free(limpet_reader *reader);

/*
 * Takes bytes as received and parses every reply that they complete. The bytes are not needed afterwards.
 *
 * Returns LIMPET_OK, or the fault that ended the reader. An ended reader takes no more bytes, but the replies completed
 * before the fault can still be read.
 */
int limpet_reader_feed(limpet_reader *reader, const void *bytes, size_t length);

/* The records of all complete replies that are not consumed, oldest first. Valid until the next feed or consume. */
const limpet_record *limpet_reader_records(const limpet_reader *reader, size_t *count);
const char *limpet_reader_bytes(const limpet_reader *reader);

/* Discards all complete replies. */
void limpet_reader_consume(limpet_reader *reader);

/*
 * Formats a command with any arguments. Returns its length and stores the bytes, to be freed with
 * limpet_command_free. Returns -1 if memory allocation fails.
 */
int64_t limpet_command_format(char **command, int count, const char **arguments, const size_t *lengths);
void limpet_command_free(char *command);

#endif
