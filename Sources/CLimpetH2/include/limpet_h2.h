#ifndef LIMPET_H2_H
#define LIMPET_H2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * One HTTP/2 connection (RFC 9113) without a socket. It takes the bytes that were received, reports events, and gives
 * out the bytes to be sent. libnghttp2 does frames, HPACK, flow control and priorities; none of its types is visible
 * here.
 *
 * Heads have the form of HTTP/1.1 on this side, so that one grammar judges all versions: a head that was received is a
 * request line or status line with its field lines, and a head to be sent is given in that form. What could break out
 * of that form is refused before.
 *
 * A connection is confined to one thread. Events are reported from within limpet_h2_receive and limpet_h2_output. In an
 * event every function may be called but these two and limpet_h2_free.
 */
typedef struct limpet_h2 limpet_h2;

/* Streams are numbered by RFC 9113, section 5.1.1. */

/* Why a head was refused. The stream is reset for a malformed one; a head that is too large can still be answered. */
#define LIMPET_H2_HEAD_MALFORMED 1
#define LIMPET_H2_HEAD_TOO_LARGE 2

typedef struct limpet_h2_events {
    /*
     * The head of a request or response is complete. The bytes are valid during the call. `ends`: no content follows.
     */
    void (*head)(void *owner, int32_t stream, const uint8_t *bytes, size_t length, bool ends);
    /* `is_to_head`: the method is HEAD. `is_grpc`: the content is gRPC's. As far as the fields came to be seen. */
    void (*head_refused)(void *owner, int32_t stream, int fault, bool is_to_head, bool is_grpc);
    /* Content of a body; it must be given back to the windows by limpet_h2_consume. The bytes lie in those received. */
    void (*content)(void *owner, int32_t stream, const uint8_t *bytes, size_t length);
    /* The peer's side of the stream is complete. `trailers`: field lines and an empty line, or nothing. */
    void (*end)(void *owner, int32_t stream, const uint8_t *trailers, size_t length);
    /* The stream is closed, by both ends or by a reset. */
    void (*closed)(void *owner, int32_t stream, uint32_t error);
    /* The peer accepts no more streams; those above `last` were not processed. */
    void (*goaway)(void *owner, int32_t last, uint32_t error);
    /*
     * Asks how many bytes of content can be sent now, at most `limit`, and sets `*end` to one of LIMPET_H2_CONTENT_.
     * Without any, and with more to come, the stream is asked again after limpet_h2_resume.
     */
    size_t (*ready)(void *owner, int32_t stream, size_t limit, int *end);
    /* The frame's head, and after it `length` bytes of content of the stream, are the next bytes to be sent. */
    void (*take)(void *owner, int32_t stream, const uint8_t *frame_head, size_t length);
    /* Asks for a nonce for an HTTP/1.1 server that speaks WebSocket (RFC 6455, section 4.1), in base 64. */
    void (*websocket_key)(void *owner, uint8_t *key);
    /*
     * Asks for what answers the nonce of the request that limpet_h2_send_websocket sent on the stream (RFC 6455, section
     * 4.2.2), in base 64. Returns false if the request had none.
     */
    bool (*websocket_accept)(void *owner, int32_t stream, uint8_t *accept);
} limpet_h2_events;

#define LIMPET_H2_FRAME_HEAD_LENGTH 9
#define LIMPET_H2_WEBSOCKET_KEY_LENGTH 24
#define LIMPET_H2_WEBSOCKET_ACCEPT_LENGTH 28

/* More content follows. */
#define LIMPET_H2_CONTENT_GOES_ON 0
/* The body is complete with these bytes. */
#define LIMPET_H2_CONTENT_ENDS 1
/* Likewise, and trailers follow: limpet_h2_send_trailers was called before. */
#define LIMPET_H2_CONTENT_ENDS_WITH_TRAILERS 2

typedef struct limpet_h2_settings {
    bool is_server;
    /* Streams that the peer may have open at once. */
    uint32_t streams;
    /* Bytes that the peer may send before they are consumed: of one stream, and of all. */
    int32_t stream_window, connection_window;
    /* Bytes of one head or trailer section in the form of HTTP/1.1. */
    uint32_t head_bytes;
    /* Frames without use that are tolerated at once, and how many more each second. */
    uint32_t glitches, glitches_per_second;
} limpet_h2_settings;

/* NULL if memory allocation fails. */
limpet_h2 *limpet_h2_new(const limpet_h2_settings *settings, const limpet_h2_events *events);
/* What is given to each event. Must be called before any bytes are received or sent. */
void limpet_h2_set_owner(limpet_h2 *h2, void *owner);
void limpet_h2_free(limpet_h2 *h2);

#define LIMPET_H2_OK 0
/* The peer broke the protocol, or flooded the connection: what limpet_h2_output still gives is to be sent, no more. */
#define LIMPET_H2_ENDED 1

/* Takes bytes as received. `milliseconds` is a clock that never goes back. */
int limpet_h2_receive(limpet_h2 *h2, const uint8_t *bytes, size_t length, uint64_t milliseconds);
/*
 * How many of the last bytes were not taken, because they begin more requests than may begin at once: as many as streams
 * may be open, or a tenth of that once a tenth of the frames without use that are tolerated is used up.
 */
size_t limpet_h2_unread(const limpet_h2 *h2);

/*
 * The next bytes to be sent, valid until the next call. Returns their number; 0: none for now. Content is not among
 * them: it is given by the event `take`, which comes in its turn from within this call, until about 64 KiB of it were
 * given.
 */
size_t limpet_h2_output(limpet_h2 *h2, const uint8_t **bytes);
/* The last call of limpet_h2_output gave as much content as one call may, and there may be more. */
bool limpet_h2_has_more(const limpet_h2 *h2);

/* Neither more will be received nor is there anything to send: the connection is over. */
bool limpet_h2_is_over(const limpet_h2 *h2);

/* A block of fields has begun and is not complete. */
bool limpet_h2_is_in_head(const limpet_h2 *h2);

/* The kind of frame that flooded the connection (RFC 9113, section 6), or one above 255 for another flood; -1: none. */
int limpet_h2_flood(const limpet_h2 *h2);
#define LIMPET_H2_FLOOD_RESETS_SENT 256
#define LIMPET_H2_FLOOD_HEAD 257

/*
 * Sends the head of a response. Its bytes are changed. `ends`: no body follows; otherwise the body comes by `ready`.
 * Returns false if the head cannot be sent.
 */
bool limpet_h2_send_response(limpet_h2 *h2, int32_t stream, uint8_t *head, size_t length, bool ends);
/* Sends the head of an interim response (1xx). */
bool limpet_h2_send_interim(limpet_h2 *h2, int32_t stream, uint8_t *head, size_t length);
/* Opens a stream for a request. Returns its number, or -1 if the connection takes no more. */
int32_t limpet_h2_send_request(
    limpet_h2 *h2, uint8_t *head, size_t length, const char *scheme, bool accepts_trailers, bool ends);

/* The peer has said that it takes requests for WebSockets. */
bool limpet_h2_takes_websockets(const limpet_h2 *h2);
/*
 * Opens a stream for a request for a WebSocket (RFC 8441), which the head makes in the form of HTTP/1.1. An answer that
 * accepts it is reported as a 101, and content follows in both directions. Returns as limpet_h2_send_request does.
 */
int32_t limpet_h2_send_websocket(limpet_h2 *h2, uint8_t *head, size_t length, const char *scheme);

/* Sends trailers after the content, from within the event `ready`. Returns false if they cannot be sent. */
bool limpet_h2_send_trailers(limpet_h2 *h2, int32_t stream, uint8_t *lines, size_t length);

/* There is content again for a stream whose `ready` had none. */
void limpet_h2_resume(limpet_h2 *h2, int32_t stream);
/* Gives bytes of content that are used up back to the peer's windows. */
void limpet_h2_consume(limpet_h2 *h2, int32_t stream, size_t length);
/* The peer takes content of the stream, as far as the stream's own window says. */
bool limpet_h2_window_is_open(const limpet_h2 *h2, int32_t stream);
void limpet_h2_reset(limpet_h2 *h2, int32_t stream, uint32_t error);
/*
 * The peer may send after our side of the stream is complete, as in a tunnel. Otherwise a server tells it to stop (RFC
 * 9113, section 8.1).
 */
void limpet_h2_keep_input(limpet_h2 *h2, int32_t stream);

/* Asks the peer for a sign of life. */
void limpet_h2_ping(limpet_h2 *h2);

/* Says that the connection will end soon: the peer should open no more streams (RFC 9113, section 6.8). */
void limpet_h2_announce_end(limpet_h2 *h2);
/* Accepts no more streams from now on. Those that are open go on. */
void limpet_h2_refuse_streams(limpet_h2 *h2);
/* Ends the connection and all streams. */
void limpet_h2_terminate(limpet_h2 *h2, uint32_t error);

/* How many streams of ours the peer accepts at once; 0 once it accepts none. 100 before it has said. */
uint32_t limpet_h2_peer_streams(const limpet_h2 *h2);
/* The peer has said what it accepts. */
bool limpet_h2_has_peer_settings(const limpet_h2 *h2);

#endif
