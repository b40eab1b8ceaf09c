#include "limpet_resp.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

#if defined(HIREDIS_MAJOR) && HIREDIS_MAJOR >= 1
typedef size_t element_count;
typedef long long format_length;
#else
typedef int element_count;
typedef int format_length;
#endif

/* Bytes are passed to hiredis in parts of size PART. For every 1 KiB that it has parsed, hiredis moves the rest of its
 * buffer forward, so the cost grows with the square of the part's size. */
enum { PART = 4096, FIRST_RECORDS = 64, FIRST_BYTES = 1024 };

struct limpet_reader {
    redisReader *parser;
    limpet_limits limits;
    int status;

    limpet_record *records;
    size_t record_count, record_capacity;
    char *bytes;
    size_t byte_count, byte_capacity;

    /* Records and bytes of complete replies. The rest belongs to the reply being parsed. */
    size_t complete_records, complete_bytes;
};

/* hiredis treats NULL as "no memory" and ends. The reader keeps the actual reason. */
static void *fail(limpet_reader *reader, int status) {
    if (reader->status == LIMPET_OK) reader->status = status;
    return NULL;
}

/* Doubles the capacity until `needed` fits. Returns 0 if memory allocation fails. */
static int grow(void **storage, size_t *capacity, size_t needed, size_t first, size_t size) {
    if (needed <= *capacity) return 1;
    size_t larger = *capacity ? *capacity : first;
    while (larger < needed) larger *= 2;
    void *moved = realloc(*storage, larger * size);
    if (moved == NULL) return 0;
    *storage = moved;
    *capacity = larger;
    return 1;
}

static unsigned nesting(const redisReadTask *task) {
    unsigned depth = 1;
    for (const redisReadTask *parent = task->parent; parent != NULL; parent = parent->parent) depth += 1;
    return depth;
}

/* hiredis only needs a non-null object for each value: the reader itself serves as all of them. */
static void *append(const redisReadTask *task, limpet_record record) {
    limpet_reader *reader = task->privdata;
    if (reader->record_count - reader->complete_records >= reader->limits.records)
        return fail(reader, LIMPET_TOO_LARGE);
    if (!grow((void **)&reader->records, &reader->record_capacity, reader->record_count + 1, FIRST_RECORDS,
              sizeof(limpet_record)))
        return fail(reader, LIMPET_NO_MEMORY);
    reader->records[reader->record_count++] = record;
    return reader;
}

static void *create_string(const redisReadTask *task, char *text, size_t length) {
    limpet_reader *reader = task->privdata;
    if (task->type != REDIS_REPLY_STRING && task->type != REDIS_REPLY_STATUS && task->type != REDIS_REPLY_ERROR)
        return fail(reader, LIMPET_MALFORMED);
    if (length > reader->limits.bulk) return fail(reader, LIMPET_TOO_LARGE);
    if (!grow((void **)&reader->bytes, &reader->byte_capacity, reader->byte_count + length, FIRST_BYTES, 1))
        return fail(reader, LIMPET_NO_MEMORY);
    size_t offset = reader->byte_count;
    memcpy(reader->bytes + offset, text, length);
    reader->byte_count += length;
    return append(task, (limpet_record){.type = task->type, .offset = offset, .length = length});
}

static void *create_array(const redisReadTask *task, element_count elements) {
    limpet_reader *reader = task->privdata;
    if (task->type != REDIS_REPLY_ARRAY) return fail(reader, LIMPET_MALFORMED);
    if ((size_t)elements > reader->limits.records || nesting(task) > reader->limits.nesting)
        return fail(reader, LIMPET_TOO_LARGE);
    return append(task, (limpet_record){.type = LIMPET_ARRAY, .elements = (uint32_t)elements});
}

static void *create_integer(const redisReadTask *task, long long value) {
    return append(task, (limpet_record){.type = LIMPET_INTEGER, .integer = value});
}

static void *create_nil(const redisReadTask *task) {
    return append(task, (limpet_record){.type = LIMPET_NIL});
}

#if defined(HIREDIS_MAJOR) && HIREDIS_MAJOR >= 1
/* RESP3 types. The reader never requests RESP3. */
static void *create_double(const redisReadTask *task, double value, char *text, size_t length) {
    (void)value, (void)text, (void)length;
    return fail(task->privdata, LIMPET_MALFORMED);
}

static void *create_bool(const redisReadTask *task, int value) {
    (void)value;
    return fail(task->privdata, LIMPET_MALFORMED);
}
#endif

static void free_object(void *object) { (void)object; }

static redisReplyObjectFunctions functions = {
    .createString = create_string,
    .createArray = create_array,
    .createInteger = create_integer,
    .createNil = create_nil,
#if defined(HIREDIS_MAJOR) && HIREDIS_MAJOR >= 1
    .createDouble = create_double,
    .createBool = create_bool,
#endif
    .freeObject = free_object,
};

_Static_assert(LIMPET_STRING == REDIS_REPLY_STRING && LIMPET_STATUS == REDIS_REPLY_STATUS &&
                   LIMPET_ERROR == REDIS_REPLY_ERROR,
               "the types of strings are handed through");

limpet_reader *limpet_reader_new(limpet_limits limits) {
    limpet_reader *reader = calloc(1, sizeof(limpet_reader));
    if (reader == NULL) return NULL;
    reader->limits = limits;
    reader->parser = redisReaderCreateWithFunctions(&functions);
    if (reader->parser == NULL) {
        free(reader);
        return NULL;
    }
    reader->parser->privdata = reader;
    return reader;
}

void limpet_reader_free(limpet_reader *reader) {
    if (reader == NULL) return;
    redisReaderFree(reader->parser);
    free(reader->records);
    free(reader->bytes);
    free(reader);
}

static int parse(limpet_reader *reader) {
    for (;;) {
        void *reply = NULL;
        if (redisReaderGetReply(reader->parser, &reply) != REDIS_OK) {
            fail(reader, reader->parser->err == REDIS_ERR_OOM ? LIMPET_NO_MEMORY : LIMPET_MALFORMED);
            return reader->status;
        }
        if (reply == NULL) break;
        reader->complete_records = reader->record_count;
        reader->complete_bytes = reader->byte_count;
    }
    size_t waiting = reader->parser->len - reader->parser->pos + reader->byte_count - reader->complete_bytes;
    if (waiting > reader->limits.buffered) fail(reader, LIMPET_TOO_LARGE);
    return reader->status;
}

int limpet_reader_feed(limpet_reader *reader, const void *bytes, size_t length) {
    const char *next = bytes;
    while (length > 0 && reader->status == LIMPET_OK) {
        size_t part = length < PART ? length : PART;
        if (redisReaderFeed(reader->parser, next, part) != REDIS_OK) fail(reader, LIMPET_NO_MEMORY);
        else parse(reader);
        next += part;
        length -= part;
    }
    return reader->status;
}

const limpet_record *limpet_reader_records(const limpet_reader *reader, size_t *count) {
    *count = reader->complete_records;
    return reader->records;
}

const char *limpet_reader_bytes(const limpet_reader *reader) { return reader->bytes; }

void limpet_reader_consume(limpet_reader *reader) {
    size_t records = reader->record_count - reader->complete_records;
    size_t bytes = reader->byte_count - reader->complete_bytes;
    if (records > 0) memmove(reader->records, reader->records + reader->complete_records, records * sizeof(limpet_record));
    if (bytes > 0) memmove(reader->bytes, reader->bytes + reader->complete_bytes, bytes);
    for (size_t index = 0; index < records; index += 1) {
        limpet_record *record = &reader->records[index];
        if (record->offset >= reader->complete_bytes) record->offset -= reader->complete_bytes;
    }
    reader->record_count = records;
    reader->byte_count = bytes;
    reader->complete_records = 0;
    reader->complete_bytes = 0;
}

int64_t limpet_command_format(char **command, int count, const char **arguments, const size_t *lengths) {
    format_length length = redisFormatCommandArgv(command, count, arguments, lengths);
    return length < 0 ? -1 : (int64_t)length;
}

void limpet_command_free(char *command) { redisFreeCommand(command); }
