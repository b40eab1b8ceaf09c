#ifndef LIMPET_H2_RECEIVED_HEAD_H
#define LIMPET_H2_RECEIVED_HEAD_H

#include <nghttp2/nghttp2.h>

#include "buffer.h"
#include "limpet_h2.h"

/*
 * A block of fields that is being received, and the head in the form of HTTP/1.1 that comes of it. Blocks of a
 * connection follow one another (RFC 9113, section 4.3), so a connection has one at most.
 */
typedef struct {
    int32_t stream;
    /* 0, or why the head is refused. Fields that follow are not looked at. */
    int fault;
    /* The request line or status line is written. */
    bool has_start;
    bool has_length;
    /* The content is a call of gRPC. */
    bool is_grpc;
    /* Bytes of all fields, also of those that are not kept. */
    size_t decoded;
    buffer lines;
    /* The values of the cookie fields, joined (RFC 9113, section 8.2.3). */
    buffer cookies;
    nghttp2_rcbuf *method, *path, *authority, *protocol, *status;
    const uint8_t *websocket_key;
    /* The block answers a request for a WebSocket. */
    bool is_to_websocket;
    /* What answers the nonce of that request; NULL: it had none. */
    const uint8_t *websocket_accept;
} received_head;

typedef enum { FORM_REQUEST, FORM_RESPONSE, FORM_TRAILERS } head_form;

/* websocket_key: for a request that opens a WebSocket. It must stay valid until the head is complete. */
void received_head_begin(received_head *head, int32_t stream, const uint8_t *websocket_key);

/* Adds a field. At most `limit` bytes are kept. */
void received_head_add(received_head *head, nghttp2_rcbuf *name, nghttp2_rcbuf *value, size_t limit);

/* What the block turned out to be: its pseudo-header fields tell. */
head_form received_head_form(const received_head *head);

/* The request's method is HEAD. */
bool received_head_is_for_head(const received_head *head);

/*
 * All fields are there: completes the bytes in `lines`. Returns 0, or why the head is refused.
 *
 * ends: nothing follows the head.
 * is_to_head: a response to a HEAD request, whose fields say what another response would have.
 */
int received_head_complete(received_head *head, bool ends, bool is_to_head);

/* The head is not needed any more. */
void received_head_clear(received_head *head);

#endif
