#include "sent_head.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    uint8_t *base;
    size_t length;
} line;

void sent_head_begin(sent_head *head) {
    head->fields = head->first;
    head->count = 0;
    head->capacity = sizeof head->first / sizeof *head->first;
}

void sent_head_free(sent_head *head) {
    if (head->fields != head->first) free(head->fields);
}

static bool grow(sent_head *head) {
    if (head->count < head->capacity) return true;
    bool is_first = head->fields == head->first;
    nghttp2_nv *larger = realloc(is_first ? NULL : head->fields, 2 * head->capacity * sizeof *larger);
    if (larger == NULL) return false;
    if (is_first) memcpy(larger, head->first, sizeof head->first);
    head->fields = larger;
    head->capacity *= 2;
    return true;
}

static bool add(sent_head *head, const void *name, size_t name_length, const void *value, size_t value_length) {
    if (!grow(head)) return false;
    head->fields[head->count++] = (nghttp2_nv){
        .name = (uint8_t *)name, .value = (uint8_t *)value, .namelen = name_length, .valuelen = value_length};
    return true;
}

/* Takes the next line, without its end, off the bytes. Returns false if there is none. */
static bool next_line(line *rest, line *found) {
    uint8_t *end = rest->length > 0 ? memchr(rest->base, '\n', rest->length) : NULL;
    if (end == NULL) return false;
    found->base = rest->base;
    found->length = (size_t)(end - rest->base);
    rest->length -= found->length + 1;
    rest->base = end + 1;
    if (found->length > 0 && found->base[found->length - 1] == '\r') found->length -= 1;
    return true;
}

static line trimmed(line text) {
    while (text.length > 0 && (text.base[0] == ' ' || text.base[0] == '\t')) text.base += 1, text.length -= 1;
    while (text.length > 0 && (text.base[text.length - 1] == ' ' || text.base[text.length - 1] == '\t')) text.length -= 1;
    return text;
}

static void lower(line text) {
    for (size_t index = 0; index < text.length; index++) {
        if (text.base[index] >= 'A' && text.base[index] <= 'Z') text.base[index] |= 0x20;
    }
}

static bool is_named(line name, const char *other) {
    return name.length == strlen(other) && memcmp(name.base, other, name.length) == 0;
}

/* They belong to an HTTP/1.1 connection (RFC 9113, section 8.2.2). */
static bool is_left_out(line name) {
    switch (name.length) {
    case 7: return is_named(name, "upgrade");
    case 10: return is_named(name, "connection") || is_named(name, "keep-alive");
    case 16: return is_named(name, "proxy-connection");
    case 17: return is_named(name, "transfer-encoding");
    default: return false;
    }
}

/* Splits a field line. The name becomes lower case. Returns false if it is none. */
static bool split(line field, line *name, line *value) {
    uint8_t *colon = field.length > 0 ? memchr(field.base, ':', field.length) : NULL;
    if (colon == NULL || colon == field.base) return false;
    *name = (line){field.base, (size_t)(colon - field.base)};
    *value = trimmed((line){colon + 1, field.length - name->length - 1});
    lower(*name);
    return true;
}

static bool read_fields(sent_head *head, line rest) {
    line field, name, value;
    while (next_line(&rest, &field) && field.length > 0) {
        if (!split(field, &name, &value)) return false;
        if (is_left_out(name)) continue;
        if (!add(head, name.base, name.length, value.base, value.length)) return false;
    }
    return true;
}

bool sent_head_read_lines(sent_head *head, uint8_t *bytes, size_t length) {
    return read_fields(head, (line){bytes, length});
}

bool sent_head_read_response(sent_head *head, uint8_t *bytes, size_t length) {
    static const char version[] = "HTTP/1.1 ";
    enum { before = sizeof version - 1 };
    line rest = {bytes, length}, start;
    if (!next_line(&rest, &start) || start.length < before + 3 || memcmp(start.base, version, before) != 0) return false;
    return add(head, ":status", 7, start.base + before, 3) && read_fields(head, rest);
}

static bool read_request_line(line start, line *method, line *target) {
    uint8_t *first = memchr(start.base, ' ', start.length);
    if (first == NULL) return false;
    *method = (line){start.base, (size_t)(first - start.base)};
    line after = {first + 1, start.length - method->length - 1};
    uint8_t *second = memchr(after.base, ' ', after.length);
    if (second == NULL) return false;
    *target = (line){after.base, (size_t)(second - after.base)};
    return method->length > 0 && target->length > 0;
}

/* Host becomes the authority (RFC 9113, section 8.3.1). HTTP/2 has no nonce of a handshake (RFC 8441, section 5.1). */
static bool read_request_fields(sent_head *head, line rest, bool has_nonce, line *authority) {
    line field, name, value;
    while (next_line(&rest, &field) && field.length > 0) {
        if (!split(field, &name, &value)) return false;
        if (is_left_out(name) || is_named(name, "te")) continue;
        if (has_nonce && is_named(name, "sec-websocket-key")) continue;
        if (is_named(name, "host")) {
            *authority = value;
        } else if (!add(head, name.base, name.length, value.base, value.length)) {
            return false;
        }
    }
    return true;
}

bool sent_head_read_request(
    sent_head *head, uint8_t *bytes, size_t length, const char *scheme, const char *protocol, bool accepts_trailers) {
    line rest = {bytes, length}, start, method, target, authority = {NULL, 0};
    if (!next_line(&rest, &start) || !read_request_line(start, &method, &target)) return false;
    if (protocol == NULL ? !add(head, ":method", 7, method.base, method.length)
                         : !add(head, ":method", 7, "CONNECT", 7) ||
                !add(head, ":protocol", 9, protocol, strlen(protocol))) {
        return false;
    }
    if (!add(head, ":scheme", 7, scheme, strlen(scheme)) || !add(head, ":path", 5, target.base, target.length)) {
        return false;
    }
    /* The authority is known once the fields are read, and goes before them. */
    size_t authority_place = head->count;
    if (!add(head, ":authority", 10, "", 0) || !read_request_fields(head, rest, protocol != NULL, &authority)) {
        return false;
    }
    if (authority.base != NULL) {
        head->fields[authority_place].value = authority.base;
        head->fields[authority_place].valuelen = authority.length;
    } else {
        memmove(
            head->fields + authority_place, head->fields + authority_place + 1,
            (head->count - authority_place - 1) * sizeof *head->fields);
        head->count -= 1;
    }
    return !accepts_trailers || add(head, "te", 2, "trailers", 8);
}
