#ifndef LIMPET_RESP_H
#define LIMPET_RESP_H

#include <stddef.h>
#include <stdint.h>

/*
 * hiredis's reply reader and command formatter, and nothing else of it. No type of hiredis is visible here, so one
 * source serves 0.14 and 1.x.
 *
 * A reader is confined to one thread. It collects replies as flat records: an array is one record followed by those
 * of its elements, depth first. What a record says of its bytes is an offset into one arena. Both live until
 * limpet_reader_consume, and grow to what the largest batch needed, so a steady state allocates nothing.
 */

#define LIMPET_STRING 1
#define LIMPET_ARRAY 2
#define LIMPET_INTEGER 3
#define LIMPET_NIL 4
#define LIMPET_STATUS 5
#define LIMPET_ERROR 6

typedef struct limpet_record {
    int32_t type;
    /* Of an array: its direct elements. */
    uint32_t elements;
    int64_t integer;
    /* Of a string, status or error: where its bytes lie in the arena. */
    size_t offset;
    size_t length;
} limpet_record;

/* What one reply may make the reader hold. Whatever exceeds a limit ends the reader with LIMPET_TOO_LARGE. */
typedef struct limpet_limits {
    /* Bytes received of a reply that is not complete. Bounds what a bulk of any announced length can cost. */
    size_t buffered;
    /* Bytes of one string, status or error. */
    size_t bulk;
    /* Records of one reply, nested ones included. */
    uint32_t records;
    /* Arrays within arrays; 1 allows none inside another. */
    uint32_t nesting;
} limpet_limits;

#define LIMPET_OK 0
/* Not RESP2. */
#define LIMPET_MALFORMED 1
#define LIMPET_TOO_LARGE 2
#define LIMPET_NO_MEMORY 3

typedef struct limpet_reader limpet_reader;

/* NULL when there is no memory. */
limpet_reader *limpet_reader_new(limpet_limits limits);
void limpet_reader_free(limpet_reader *reader);

/*
 * Takes bytes as they came and parses every reply they complete. The bytes are not needed afterwards.
 *
 * Returns LIMPET_OK or why the reader is at its end; then it takes no more bytes, but the replies completed before
 * the fault can still be read.
 */
int limpet_reader_feed(limpet_reader *reader, const void *bytes, size_t length);

/* The records of all complete replies not consumed, oldest first. Valid until the next feed or consume. */
const limpet_record *limpet_reader_records(const limpet_reader *reader, size_t *count);
const char *limpet_reader_bytes(const limpet_reader *reader);

/* Forgets all complete replies. */
void limpet_reader_consume(limpet_reader *reader);

/*
 * Formats a command of any arguments. Returns its length and stores the bytes, to be freed with
 * limpet_command_free; or -1 when there is no memory.
 */
int64_t limpet_command_format(char **command, int count, const char **arguments, const size_t *lengths);
void limpet_command_free(char *command);

#endif
