#include "received_head.h"

#include <strings.h>

typedef struct {
    const uint8_t *base;
    size_t length;
} text;

static text text_of(nghttp2_rcbuf *bytes) {
    if (bytes == NULL) return (text){(const uint8_t *)"", 0};
    nghttp2_vec vector = nghttp2_rcbuf_get_buf(bytes);
    return (text){vector.base, vector.len};
}

static bool equals(text text, const char *other) {
    return text.length == strlen(other) && memcmp(text.base, other, text.length) == 0;
}

static bool equals_ignoring_case(text left, text right) {
    return left.length == right.length && strncasecmp((const char *)left.base, (const char *)right.base, left.length) == 0;
}

/* A token in lower case (RFC 9113, section 8.2.1). */
static bool is_name(text name) {
    for (size_t index = 0; index < name.length; index++) {
        uint8_t byte = name.base[index];
        if ((byte >= 'a' && byte <= 'z') || byte == '-' || (byte >= '0' && byte <= '9')) continue;
        if (byte == 0 || strchr("!#$%&'*+.^_`|~", byte) == NULL) return false;
    }
    return name.length > 0;
}

/* Nothing that ends a line, and no other control character but the tab. */
static bool is_value(text value) {
    for (size_t index = 0; index < value.length; index++) {
        uint8_t byte = value.base[index];
        if ((byte < 0x20 && byte != '\t') || byte == 0x7f) return false;
    }
    return true;
}

/* No space and no control character: a part of a request line, or the value of Host. */
static bool is_visible(text value) {
    for (size_t index = 0; index < value.length; index++) {
        if (value.base[index] <= 0x20 || value.base[index] == 0x7f) return false;
    }
    return value.length > 0;
}

/* Fields of one connection alone have no place in HTTP/2 (RFC 9113, section 8.2.2). */
static bool is_of_connection(text name, text value) {
    static const char *const names[] = {
        "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "http2-settings"};
    for (size_t index = 0; index < sizeof names / sizeof *names; index++) {
        if (equals(name, names[index])) return true;
    }
    return equals(name, "te") && !equals_ignoring_case(value, (text){(const uint8_t *)"trailers", 8});
}

static void refuse(received_head *head, int fault) {
    if (head->fault == 0) head->fault = fault;
}

static void append(received_head *head, text text) {
    if (!buffer_append(&head->lines, text.base, text.length)) refuse(head, LIMPET_H2_HEAD_TOO_LARGE);
}

static void append_text(received_head *head, const char *other) {
    append(head, (text){(const uint8_t *)other, strlen(other)});
}

static void append_line(received_head *head, text name, text value) {
    append(head, name);
    append_text(head, ": ");
    append(head, value);
    append_text(head, "\r\n");
}

void received_head_begin(received_head *head, int32_t stream, const uint8_t *websocket_key) {
    received_head_clear(head);
    head->stream = stream;
    head->websocket_key = websocket_key;
}

static void keep(received_head *head, nghttp2_rcbuf **place, nghttp2_rcbuf *value) {
    if (*place != NULL || head->has_start) return refuse(head, LIMPET_H2_HEAD_MALFORMED);
    nghttp2_rcbuf_incref(value);
    *place = value;
}

static void add_pseudo(received_head *head, text name, nghttp2_rcbuf *value) {
    if (equals(name, ":method")) return keep(head, &head->method, value);
    if (equals(name, ":path")) return keep(head, &head->path, value);
    if (equals(name, ":authority")) return keep(head, &head->authority, value);
    if (equals(name, ":protocol")) return keep(head, &head->protocol, value);
    if (equals(name, ":status")) return keep(head, &head->status, value);
    /* What the client calls the scheme says nothing of how it reached us. */
    if (!equals(name, ":scheme")) refuse(head, LIMPET_H2_HEAD_MALFORMED);
}

head_form received_head_form(const received_head *head) {
    if (head->method != NULL) return FORM_REQUEST;
    return head->status != NULL ? FORM_RESPONSE : FORM_TRAILERS;
}

/*
 * An extended CONNECT (RFC 8441) becomes the request that asks an HTTP/1.1 server for the same protocol. HTTP/2 has no
 * key of the handshake (section 5.1), HTTP/1.1 needs one (RFC 6455, section 4.1).
 */
static void write_upgrade(received_head *head) {
    append_text(head, "GET ");
    append(head, text_of(head->path));
    append_text(head, " HTTP/1.1\r\n");
    append_text(head, "Connection: upgrade\r\nUpgrade: ");
    append(head, text_of(head->protocol));
    append_text(head, "\r\n");
    if (!equals_ignoring_case(text_of(head->protocol), (text){(const uint8_t *)"websocket", 9})) return;
    append_text(head, "Sec-WebSocket-Key: ");
    append(head, (text){head->websocket_key, LIMPET_H2_WEBSOCKET_KEY_LENGTH});
    append_text(head, "\r\n");
}

static void write_request_line(received_head *head) {
    text method = text_of(head->method), path = text_of(head->path), authority = text_of(head->authority);
    bool is_connect = equals(method, "CONNECT");
    bool is_asterisk = equals(path, "*") && equals(method, "OPTIONS");
    bool has_path = path.length > 0 && (path.base[0] == '/' || is_asterisk) && is_visible(path);
    if (nghttp2_check_method(method.base, method.length) == 0 || (head->authority != NULL && !is_visible(authority)) || (head->protocol != NULL && !is_connect) ||
        (head->protocol != NULL && !is_name(text_of(head->protocol)))) {
        return refuse(head, LIMPET_H2_HEAD_MALFORMED);
    }
    if (is_connect && head->protocol == NULL) {
        if (head->path != NULL || head->authority == NULL) return refuse(head, LIMPET_H2_HEAD_MALFORMED);
        append_text(head, "CONNECT ");
        append(head, authority);
        append_text(head, " HTTP/1.1\r\n");
    } else {
        if (!has_path) return refuse(head, LIMPET_H2_HEAD_MALFORMED);
        if (head->protocol != NULL) {
            write_upgrade(head);
        } else {
            append(head, method);
            append_text(head, " ");
            append(head, path);
            append_text(head, " HTTP/1.1\r\n");
        }
    }
    if (head->authority != NULL) append_line(head, (text){(const uint8_t *)"host", 4}, authority);
}

/* The head accepts a request for a WebSocket (RFC 8441, section 5). */
static bool opens_websocket(const received_head *head) {
    text status = text_of(head->status);
    return head->is_to_websocket && status.length == 3 && status.base[0] == '2';
}

/* An HTTP/1.1 server would have answered so. */
static void write_switch(received_head *head) {
    append_text(head, "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n");
    if (head->websocket_accept == NULL) return;
    append_text(head, "sec-websocket-accept: ");
    append(head, (text){head->websocket_accept, LIMPET_H2_WEBSOCKET_ACCEPT_LENGTH});
    append_text(head, "\r\n");
}

static void write_status_line(received_head *head) {
    text status = text_of(head->status);
    /* HTTP/2 has no 101 (RFC 9113, section 8.6). */
    if (status.length != 3 || !is_visible(status) || equals(status, "101")) {
        return refuse(head, LIMPET_H2_HEAD_MALFORMED);
    }
    if (opens_websocket(head)) return write_switch(head);
    append_text(head, "HTTP/1.1 ");
    append(head, status);
    append_text(head, " \r\n");
}

static void write_start(received_head *head) {
    if (head->has_start) return;
    head->has_start = true;
    switch (received_head_form(head)) {
    case FORM_REQUEST: return write_request_line(head);
    case FORM_RESPONSE: return write_status_line(head);
    case FORM_TRAILERS: return;
    }
}

static void add_cookie(received_head *head, text value) {
    bool is_kept = head->cookies.length == 0 || buffer_append(&head->cookies, "; ", 2);
    if (!is_kept || !buffer_append(&head->cookies, value.base, value.length)) refuse(head, LIMPET_H2_HEAD_TOO_LARGE);
}

/* A Host in addition to the authority must name the same (RFC 9113, section 8.3.1), and only one of them goes on. */
static void add_host(received_head *head, text name, text value) {
    if (received_head_form(head) != FORM_REQUEST || head->authority == NULL) return append_line(head, name, value);
    if (!equals_ignoring_case(value, text_of(head->authority))) refuse(head, LIMPET_H2_HEAD_MALFORMED);
}

static void add_regular(received_head *head, text name, text value) {
    write_start(head);
    if (!is_name(name) || !is_value(value) || is_of_connection(name, value)) {
        return refuse(head, LIMPET_H2_HEAD_MALFORMED);
    }
    if (equals(name, "cookie")) return add_cookie(head, value);
    if (equals(name, "host")) return add_host(head, name, value);
    /* A CONNECT has no content (RFC 9110, section 9.3.6). */
    if (head->protocol != NULL && equals(name, "content-length")) return refuse(head, LIMPET_H2_HEAD_MALFORMED);
    if (opens_websocket(head) && (equals(name, "content-length") || equals(name, "sec-websocket-accept"))) return;
    if (equals(name, "content-length")) head->has_length = true;
    append_line(head, name, value);
}

/* `application/grpc`, alone or followed by `+` or `;`. */
static bool is_grpc(text name, text value) {
    static const char type[] = "application/grpc";
    size_t length = sizeof type - 1;
    if (!equals(name, "content-type") || value.length < length || memcmp(value.base, type, length) != 0) return false;
    return value.length == length || value.base[length] == '+' || value.base[length] == ';';
}

bool received_head_is_for_head(const received_head *head) { return equals(text_of(head->method), "HEAD"); }

void received_head_add(received_head *head, nghttp2_rcbuf *name, nghttp2_rcbuf *value, size_t limit) {
    text field = text_of(name), content = text_of(value);
    head->decoded += field.length + content.length;
    if (is_grpc(field, content)) head->is_grpc = true;
    if (head->fault != 0) return;
    if (head->lines.length + head->cookies.length + field.length + content.length > limit) {
        return refuse(head, LIMPET_H2_HEAD_TOO_LARGE);
    }
    if (field.length > 0 && field.base[0] == ':') {
        add_pseudo(head, field, value);
    } else {
        add_regular(head, field, content);
    }
}

/* Methods for which the absence of a length would leave open whether a body follows (RFC 9110, section 8.6). */
static bool expects_body(text method) {
    return equals(method, "POST") || equals(method, "PUT") || equals(method, "PATCH");
}

static bool may_have_body(const received_head *head) {
    if (received_head_form(head) == FORM_REQUEST) return !equals(text_of(head->method), "CONNECT");
    text status = text_of(head->status);
    return status.length > 0 && status.base[0] != '1' && !equals(status, "204") && !equals(status, "304");
}

/* How an HTTP/1.1 message says what the frames say in HTTP/2. */
static void write_framing(received_head *head, bool ends, bool is_to_head) {
    if (head->has_length || is_to_head || opens_websocket(head)) return;
    bool is_request = received_head_form(head) == FORM_REQUEST;
    if (!ends && may_have_body(head)) append_text(head, "transfer-encoding: chunked\r\n");
    if (ends && (is_request ? expects_body(text_of(head->method)) : may_have_body(head))) {
        append_text(head, "content-length: 0\r\n");
    }
}

int received_head_complete(received_head *head, bool ends, bool is_to_head) {
    if (head->fault == 0) write_start(head);
    if (head->fault != 0) return head->fault;
    if (head->cookies.length > 0) {
        text cookies = {head->cookies.bytes, head->cookies.length};
        append_line(head, (text){(const uint8_t *)"cookie", 6}, cookies);
    }
    if (received_head_form(head) != FORM_TRAILERS) write_framing(head, ends, is_to_head);
    append_text(head, "\r\n");
    return head->fault;
}

static void let_go(nghttp2_rcbuf **place) {
    if (*place != NULL) nghttp2_rcbuf_decref(*place);
    *place = NULL;
}

void received_head_clear(received_head *head) {
    buffer_free(&head->lines);
    buffer_free(&head->cookies);
    let_go(&head->method);
    let_go(&head->path);
    let_go(&head->authority);
    let_go(&head->protocol);
    let_go(&head->status);
    memset(head, 0, sizeof *head);
}
