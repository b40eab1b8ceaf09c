#include "limpet_h2.h"

#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <string.h>

#include "received_head.h"
#include "sent_head.h"

enum { FRAME_HEAD = LIMPET_H2_FRAME_HEAD_LENGTH };

/* Where the frames lie in what is received. */
typedef struct {
    uint8_t head[FRAME_HEAD];
    size_t head_length;
    /* Of the payload, or of the preface. */
    size_t left;
    /* Bytes of the last input that are to be given once more. */
    size_t unread;
} frame_scan;

struct limpet_h2 {
    nghttp2_session *session;
    limpet_h2_settings settings;
    limpet_h2_events events;
    void *owner;
    received_head head;
    uint8_t websocket_key[LIMPET_H2_WEBSOCKET_KEY_LENGTH];
    uint8_t websocket_accept[LIMPET_H2_WEBSOCKET_ACCEPT_LENGTH];
    /* Nothing more is received. */
    bool is_ended;
    int flood;
    /* Thousandths of frames without use that are tolerated now. */
    uint64_t tolerance, tolerance_at;
    /* Frames that answer what was sent and are of use: they are tolerated as long as it is sent. */
    uint32_t window_updates, pings, resets;
    /* The same for answers to our pings, for heads that cross our resets, and for extensions next to what is of use. */
    uint32_t pongs, late_heads, extensions;
    /* HEADERS have begun whose block has not: libnghttp2 passes over those of streams that it has forgotten. */
    bool awaits_block;
    /* The peer's first SETTINGS have arrived. */
    bool has_settings;
    frame_scan scan;
    /* Requests whose end may come as DATA without content. */
    uint32_t open_ends;
    /* How many bytes of content the current call of limpet_h2_output may still give out. */
    size_t output_left;
};

enum { NO_FLOOD = -1, THOUSANDTHS = 1000, WINDOW_UPDATES_FOR_DATA = 2, CREDIT_MAX = 1000 };

/* What may be on its way on a stream that we reset: the head of a response, and trailers. */
enum { HEADS_AFTER_RESET = 2 };

/* Content of many streams is given out in pieces of about this size, so that the caller can stop between them. */
enum { OUTPUT_MAX = 64 * 1024 };

/*
 * What a head to be sent may take up: more than a head that can be received. libnghttp2 adds twelve bytes for each
 * field, and by default sends no head of more than 64 KiB.
 */
enum { SENT_HEAD_MAX = 256 * 1024 };

/* How many times the limit of a head a block may have decoded: a block that goes on and on is meant to cost. */
enum { DECODED_HEADS = 8 };

/* What is remembered of a stream, by the address of one of these: libnghttp2 keeps a pointer. */
static const char to_head, to_websocket, keeps_input;

static bool is_marked(nghttp2_session *session, int32_t stream, const char *mark) {
    return nghttp2_session_get_stream_user_data(session, stream) == mark;
}

// MARK: Floods

static void flooded(limpet_h2 *h2, int kind) {
    if (h2->flood != NO_FLOOD) return;
    h2->flood = kind;
    nghttp2_session_terminate_session(h2->session, NGHTTP2_ENHANCE_YOUR_CALM);
}

static void refill(limpet_h2 *h2, uint64_t milliseconds) {
    uint64_t full = (uint64_t)h2->settings.glitches * THOUSANDTHS;
    uint64_t elapsed = milliseconds > h2->tolerance_at ? milliseconds - h2->tolerance_at : 0;
    h2->tolerance_at = milliseconds;
    uint64_t added = elapsed > full ? full : elapsed * h2->settings.glitches_per_second;
    h2->tolerance = h2->tolerance + added > full ? full : h2->tolerance + added;
}

static void glitch(limpet_h2 *h2, int kind) {
    if (h2->tolerance < THOUSANDTHS) return flooded(h2, kind);
    h2->tolerance -= THOUSANDTHS;
}

static uint32_t earned(uint32_t credit, uint32_t more) {
    return credit + more > CREDIT_MAX ? CREDIT_MAX : credit + more;
}

/* A frame that is of use after DATA that was sent. */
static void glitch_unless_earned(limpet_h2 *h2, uint32_t *credit, int kind) {
    if (*credit > 0) {
        *credit -= 1;
    } else {
        glitch(h2, kind);
    }
}

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *frame, void *user) {
    (void)session;
    limpet_h2 *h2 = user;
    bool is_ack = frame->flags & NGHTTP2_FLAG_ACK;
    if (h2->awaits_block) glitch_unless_earned(h2, &h2->late_heads, NGHTTP2_HEADERS);
    h2->awaits_block = frame->type == NGHTTP2_HEADERS;
    switch (frame->type) {
    case NGHTTP2_HEADERS: break;
    /* Counted by scan_frames. */
    case NGHTTP2_DATA: break;
    case NGHTTP2_WINDOW_UPDATE: glitch_unless_earned(h2, &h2->window_updates, frame->type); break;
    case NGHTTP2_PING: glitch_unless_earned(h2, is_ack ? &h2->pongs : &h2->pings, frame->type); break;
    case NGHTTP2_SETTINGS:
        if (!is_ack) glitch(h2, frame->type);
        break;
    case NGHTTP2_RST_STREAM: glitch_unless_earned(h2, &h2->resets, frame->type); break;
    /* It was ruled out with the first SETTINGS (RFC 9113, section 8.4). */
    case NGHTTP2_PUSH_PROMISE: return NGHTTP2_ERR_CALLBACK_FAILURE;
    /* Counted by scan_frames. */
    case NGHTTP2_PRIORITY_UPDATE: break;
    default: glitch(h2, frame->type); break;
    }
    return h2->flood == NO_FLOOD ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* libnghttp2 does not tell of DATA on a stream that is closed, and of types that it does not know. */
static void scanned_frame(limpet_h2 *h2, size_t length) {
    uint8_t type = h2->scan.head[3];
    bool ends = h2->scan.head[4] & NGHTTP2_FLAG_END_STREAM;
    if (type > NGHTTP2_CONTINUATION) return glitch_unless_earned(h2, &h2->extensions, type);
    if (type == NGHTTP2_HEADERS || (type == NGHTTP2_DATA && length > 0)) h2->extensions = earned(h2->extensions, 1);
    if (type == NGHTTP2_HEADERS && !ends) h2->open_ends = earned(h2->open_ends, 1);
    if (type != NGHTTP2_DATA || length > 0) return;
    if (ends) {
        glitch_unless_earned(h2, &h2->open_ends, type);
    } else {
        glitch(h2, type);
    }
}

/* How many requests may begin at once: so that one connection does not hold up the others. */
static uint32_t most_heads(const limpet_h2 *h2) {
    uint64_t full = (uint64_t)h2->settings.glitches * THOUSANDTHS;
    if (!h2->settings.is_server) return UINT32_MAX;
    return h2->tolerance >= full - full / 10 ? h2->settings.streams : h2->settings.streams / 10 + 1;
}

/* Returns how many bytes may be read at once. */
static size_t scan_frames(limpet_h2 *h2, const uint8_t *bytes, size_t length) {
    frame_scan *scan = &h2->scan;
    uint32_t heads = 0, most = most_heads(h2);
    for (size_t at = 0; at < length;) {
        if (scan->left > 0) {
            size_t skipped = scan->left < length - at ? scan->left : length - at;
            scan->left -= skipped;
            at += skipped;
            continue;
        }
        scan->head[scan->head_length++] = bytes[at++];
        if (scan->head_length < FRAME_HEAD) continue;
        scan->head_length = 0;
        if (scan->head[3] == NGHTTP2_HEADERS && heads++ == most) return at - FRAME_HEAD;
        scan->left = (size_t)scan->head[0] << 16 | (size_t)scan->head[1] << 8 | scan->head[2];
        scanned_frame(h2, scan->left);
    }
    return length;
}

// MARK: Heads

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    limpet_h2 *h2 = user;
    int32_t stream = frame->hd.stream_id;
    h2->awaits_block = false;
    received_head_begin(&h2->head, stream, h2->websocket_key);
    if (!is_marked(session, stream, &to_websocket)) return 0;
    h2->head.is_to_websocket = true;
    bool had_key = h2->events.websocket_accept(h2->owner, stream, h2->websocket_accept);
    h2->head.websocket_accept = had_key ? h2->websocket_accept : NULL;
    return 0;
}

static int on_header(
    nghttp2_session *session, const nghttp2_frame *frame, nghttp2_rcbuf *name, nghttp2_rcbuf *value, uint8_t flags,
    void *user) {
    (void)session, (void)flags;
    limpet_h2 *h2 = user;
    if (frame->hd.stream_id != h2->head.stream) return 0;
    bool had_protocol = h2->head.protocol != NULL;
    received_head_add(&h2->head, name, value, h2->settings.head_bytes);
    /* Before the line that it is a part of is written, with the first field or the end. */
    if (!had_protocol && h2->head.protocol != NULL) h2->events.websocket_key(h2->owner, h2->websocket_key);
    if (h2->head.decoded / DECODED_HEADS <= h2->settings.head_bytes) return 0;
    flooded(h2, LIMPET_H2_FLOOD_HEAD);
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* By default libnghttp2 would leave such a field out and go on. */
static int on_invalid_header(
    nghttp2_session *session, const nghttp2_frame *frame, nghttp2_rcbuf *name, nghttp2_rcbuf *value, uint8_t flags,
    void *user) {
    (void)session, (void)frame, (void)name, (void)value, (void)flags, (void)user;
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static void tell_refused(limpet_h2 *h2, int32_t stream, int fault) {
    bool is_to_head = received_head_is_for_head(&h2->head), is_grpc = h2->head.is_grpc;
    received_head_clear(&h2->head);
    h2->events.head_refused(h2->owner, stream, fault, is_to_head, is_grpc);
}

static void head_refused(limpet_h2 *h2, int32_t stream, int fault) {
    if (fault == LIMPET_H2_HEAD_MALFORMED) limpet_h2_reset(h2, stream, NGHTTP2_PROTOCOL_ERROR);
    tell_refused(h2, stream, fault);
}

/* Whether the block can only be a head: to a server each block after the first one is trailers. */
static bool is_first_block(const limpet_h2 *h2, const nghttp2_frame *frame) {
    return !h2->settings.is_server || frame->headers.cat == NGHTTP2_HCAT_REQUEST;
}

/*
 * libnghttp2 resets the stream of such a frame, but not before it is asked for output. Until then the request of the
 * stream must not go on.
 */
static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error, void *user) {
    (void)session;
    limpet_h2 *h2 = user;
    int32_t stream = frame->hd.stream_id;
    bool is_head = frame->hd.type == NGHTTP2_HEADERS && stream == h2->head.stream &&
        (error == NGHTTP2_ERR_HTTP_HEADER || error == NGHTTP2_ERR_HTTP_MESSAGING || error == NGHTTP2_ERR_PROTO);
    if (is_head && is_first_block(h2, frame)) {
        tell_refused(h2, stream, LIMPET_H2_HEAD_MALFORMED);
    } else if (is_head) {
        received_head_clear(&h2->head);
    } else if (frame->hd.type == NGHTTP2_WINDOW_UPDATE && stream != 0 && h2->settings.is_server) {
        h2->events.closed(h2->owner, stream, NGHTTP2_FLOW_CONTROL_ERROR);
    }
    return 0;
}

static void received_block(limpet_h2 *h2, int32_t stream, bool is_first, bool ends) {
    head_form form = received_head_form(&h2->head);
    int fault = received_head_complete(&h2->head, ends, is_marked(h2->session, stream, &to_head));
    /* Trailers end the stream (RFC 9113, section 8.1). */
    if (fault == 0 && form == FORM_TRAILERS && !ends) fault = LIMPET_H2_HEAD_MALFORMED;
    if (fault != 0 && form == FORM_TRAILERS && !(is_first && h2->settings.is_server)) {
        limpet_h2_reset(h2, stream, NGHTTP2_PROTOCOL_ERROR);
    } else if (fault != 0) {
        return head_refused(h2, stream, fault);
    } else if (form == FORM_TRAILERS) {
        h2->events.end(h2->owner, stream, h2->head.lines.bytes, h2->head.lines.length);
    } else {
        h2->events.head(h2->owner, stream, h2->head.lines.bytes, h2->head.lines.length, ends);
    }
    received_head_clear(&h2->head);
}

// MARK: Other events

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    (void)session;
    limpet_h2 *h2 = user;
    bool ends = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        if (frame->hd.stream_id == h2->head.stream) {
            received_block(h2, frame->hd.stream_id, is_first_block(h2, frame), ends);
        }
        break;
    case NGHTTP2_DATA:
        if (ends) {
            h2->events.end(h2->owner, frame->hd.stream_id, NULL, 0);
        } else if (frame->hd.length > 0 && frame->hd.length == frame->data.padlen) {
            glitch(h2, frame->hd.type);
        }
        break;
    case NGHTTP2_SETTINGS: h2->has_settings = true; break;
    case NGHTTP2_GOAWAY:
        h2->events.goaway(h2->owner, frame->goaway.last_stream_id, frame->goaway.error_code);
        break;
    default: break;
    }
    return 0;
}

static int on_data(
    nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *bytes, size_t length, void *user) {
    (void)session, (void)flags;
    limpet_h2 *h2 = user;
    h2->events.content(h2->owner, stream, bytes, length);
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream, uint32_t error, void *user) {
    (void)session;
    limpet_h2 *h2 = user;
    /* libnghttp2 does not tell of the end of a block whose stream has closed. */
    if (stream == h2->head.stream) received_head_clear(&h2->head);
    h2->events.closed(h2->owner, stream, error);
    return 0;
}

/* A reset that the peer has not caused: we have no use for the stream any more. */
static bool is_our_wish(const limpet_h2 *h2, uint32_t error) {
    return error == NGHTTP2_NO_ERROR || (error == NGHTTP2_CANCEL && !h2->settings.is_server);
}

static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    limpet_h2 *h2 = user;
    if (frame->hd.type == NGHTTP2_DATA) {
        h2->window_updates = earned(h2->window_updates, WINDOW_UPDATES_FOR_DATA);
        h2->pings = earned(h2->pings, 1);
    }
    /* A server may refuse each request, and open the window of each. */
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        h2->window_updates = earned(h2->window_updates, 1);
        h2->resets = earned(h2->resets, 1);
    }
    if (frame->hd.type == NGHTTP2_PING && !(frame->hd.flags & NGHTTP2_FLAG_ACK)) h2->pongs = earned(h2->pongs, 1);
    if (frame->hd.type == NGHTTP2_RST_STREAM) h2->late_heads = earned(h2->late_heads, HEADS_AFTER_RESET);
    if (frame->hd.type == NGHTTP2_RST_STREAM && !is_our_wish(h2, frame->rst_stream.error_code)) {
        glitch(h2, LIMPET_H2_FLOOD_RESETS_SENT);
    }
    /* A response may be complete before its request: the rest of that is not wanted (RFC 9113, section 8.1). */
    bool ends = (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
        (frame->hd.flags & NGHTTP2_FLAG_END_STREAM);
    int32_t stream = frame->hd.stream_id;
    if (ends && h2->settings.is_server && nghttp2_session_get_stream_remote_close(session, stream) == 0 &&
        !is_marked(session, stream, &keeps_input)) {
        limpet_h2_reset(h2, stream, NGHTTP2_NO_ERROR);
    }
    return 0;
}

/* A head was too large for libnghttp2: without the reset the stream would stay open. */
static int on_frame_not_send(nghttp2_session *session, const nghttp2_frame *frame, int error, void *user) {
    (void)session, (void)error;
    if (frame->hd.type == NGHTTP2_HEADERS) limpet_h2_reset(user, frame->hd.stream_id, NGHTTP2_INTERNAL_ERROR);
    return 0;
}

// MARK: Content to be sent

static ssize_t read_content(
    nghttp2_session *session, int32_t stream, uint8_t *bytes, size_t length, uint32_t *flags, nghttp2_data_source *source,
    void *user) {
    (void)session, (void)bytes, (void)source;
    limpet_h2 *h2 = user;
    if (h2->output_left == 0) return NGHTTP2_ERR_PAUSE;
    int end = LIMPET_H2_CONTENT_GOES_ON;
    size_t count = h2->events.ready(h2->owner, stream, length, &end);
    if (count == 0 && end == LIMPET_H2_CONTENT_GOES_ON) return NGHTTP2_ERR_DEFERRED;
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (end != LIMPET_H2_CONTENT_GOES_ON) *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (end == LIMPET_H2_CONTENT_ENDS_WITH_TRAILERS) *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    return (ssize_t)count;
}

static int send_content(
    nghttp2_session *session, nghttp2_frame *frame, const uint8_t *frame_head, size_t length, nghttp2_data_source *source,
    void *user) {
    (void)session, (void)source;
    limpet_h2 *h2 = user;
    h2->output_left -= length < h2->output_left ? length : h2->output_left;
    h2->events.take(h2->owner, frame->hd.stream_id, frame_head, length);
    return 0;
}

// MARK: Making a connection

static nghttp2_session_callbacks *make_callbacks(void) {
    nghttp2_session_callbacks *callbacks;
    if (nghttp2_session_callbacks_new(&callbacks) != 0) return NULL;
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback2(callbacks, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback2(callbacks, on_invalid_header);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_frame_not_send);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, send_content);
    return callbacks;
}

static nghttp2_option *make_options(const limpet_h2_settings *settings) {
    nghttp2_option *option;
    if (nghttp2_option_new(&option) != 0) return NULL;
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_option_set_max_send_header_block_length(option, SENT_HEAD_MAX);
    if (settings->is_server) nghttp2_option_set_builtin_recv_extension_type(option, NGHTTP2_PRIORITY_UPDATE);
    /* None of its own: it goes by another clock than our tolerance, and ends the connection with INTERNAL_ERROR. */
    nghttp2_option_set_stream_reset_rate_limit(option, UINT64_MAX, 0);
    return option;
}

static int make_session(limpet_h2 *h2) {
    nghttp2_session_callbacks *callbacks = make_callbacks();
    nghttp2_option *option = make_options(&h2->settings);
    int result = NGHTTP2_ERR_NOMEM;
    if (callbacks != NULL && option != NULL) {
        result = h2->settings.is_server ? nghttp2_session_server_new2(&h2->session, callbacks, h2, option)
                                        : nghttp2_session_client_new2(&h2->session, callbacks, h2, option);
    }
    if (callbacks != NULL) nghttp2_session_callbacks_del(callbacks);
    if (option != NULL) nghttp2_option_del(option);
    return result;
}

static int submit_settings(limpet_h2 *h2) {
    const limpet_h2_settings *settings = &h2->settings;
    nghttp2_settings_entry entries[] = {
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, (uint32_t)settings->stream_window},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, settings->head_bytes},
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, settings->streams},
        {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
    };
    nghttp2_settings_entry of_client[] = {
        entries[0], entries[1], {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
    };
    int result = settings->is_server
        ? nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, entries, sizeof entries / sizeof *entries)
        : nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, of_client, sizeof of_client / sizeof *of_client);
    if (result != 0) return result;
    return nghttp2_session_set_local_window_size(h2->session, NGHTTP2_FLAG_NONE, 0, settings->connection_window);
}

limpet_h2 *limpet_h2_new(const limpet_h2_settings *settings, const limpet_h2_events *events) {
    limpet_h2 *h2 = calloc(1, sizeof *h2);
    if (h2 == NULL) return NULL;
    h2->settings = *settings;
    h2->events = *events;
    h2->flood = NO_FLOOD;
    h2->tolerance = (uint64_t)settings->glitches * THOUSANDTHS;
    h2->scan.left = settings->is_server ? NGHTTP2_CLIENT_MAGIC_LEN : 0;
    if (make_session(h2) != 0 || submit_settings(h2) != 0) {
        limpet_h2_free(h2);
        return NULL;
    }
    return h2;
}

void limpet_h2_set_owner(limpet_h2 *h2, void *owner) { h2->owner = owner; }

void limpet_h2_free(limpet_h2 *h2) {
    if (h2 == NULL) return;
    received_head_clear(&h2->head);
    if (h2->session != NULL) nghttp2_session_del(h2->session);
    free(h2);
}

// MARK: Bytes in and out

int limpet_h2_receive(limpet_h2 *h2, const uint8_t *bytes, size_t length, uint64_t milliseconds) {
    if (h2->is_ended) return LIMPET_H2_ENDED;
    refill(h2, milliseconds);
    size_t count = scan_frames(h2, bytes, length);
    h2->scan.unread = length - count;
    ssize_t result = nghttp2_session_mem_recv(h2->session, bytes, count);
    /* Its own limits of libnghttp2: frames of one block, and answers to SETTINGS and PING that are not read. */
    if (result == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS) flooded(h2, LIMPET_H2_FLOOD_HEAD);
    if (result == NGHTTP2_ERR_FLOODED) flooded(h2, NGHTTP2_PING);
    if (result < 0) {
        nghttp2_session_terminate_session(h2->session, NGHTTP2_PROTOCOL_ERROR);
        h2->is_ended = true;
    }
    if (h2->flood != NO_FLOOD || !nghttp2_session_want_read(h2->session)) h2->is_ended = true;
    return h2->is_ended ? LIMPET_H2_ENDED : LIMPET_H2_OK;
}

size_t limpet_h2_unread(const limpet_h2 *h2) { return h2->scan.unread; }

size_t limpet_h2_output(limpet_h2 *h2, const uint8_t **bytes) {
    h2->output_left = OUTPUT_MAX;
    ssize_t count = nghttp2_session_mem_send(h2->session, bytes);
    if (count >= 0) return (size_t)count;
    h2->is_ended = true;
    return 0;
}

bool limpet_h2_has_more(const limpet_h2 *h2) { return h2->output_left == 0; }

bool limpet_h2_is_over(const limpet_h2 *h2) {
    return !nghttp2_session_want_read(h2->session) && !nghttp2_session_want_write(h2->session);
}

bool limpet_h2_is_in_head(const limpet_h2 *h2) { return h2->head.stream != 0; }

int limpet_h2_flood(const limpet_h2 *h2) { return h2->flood; }

// MARK: Streams

bool limpet_h2_send_response(limpet_h2 *h2, int32_t stream, uint8_t *bytes, size_t length, bool ends) {
    sent_head head;
    sent_head_begin(&head);
    nghttp2_data_provider provider = {.read_callback = read_content};
    bool is_sent = sent_head_read_response(&head, bytes, length) &&
        nghttp2_submit_response(h2->session, stream, head.fields, head.count, ends ? NULL : &provider) == 0;
    sent_head_free(&head);
    return is_sent;
}

bool limpet_h2_send_interim(limpet_h2 *h2, int32_t stream, uint8_t *bytes, size_t length) {
    sent_head head;
    sent_head_begin(&head);
    bool is_sent = sent_head_read_response(&head, bytes, length) &&
        nghttp2_submit_headers(h2->session, NGHTTP2_FLAG_NONE, stream, NULL, head.fields, head.count, NULL) == 0;
    sent_head_free(&head);
    return is_sent;
}

/* The first field of a request is its method. */
static bool equals_head(const nghttp2_nv *method) {
    return method->valuelen == 4 && memcmp(method->value, "HEAD", 4) == 0;
}

static int32_t submit_request(limpet_h2 *h2, const sent_head *head, bool ends, const char *mark) {
    nghttp2_data_provider provider = {.read_callback = read_content};
    int32_t stream =
        nghttp2_submit_request(h2->session, NULL, head->fields, head->count, ends ? NULL : &provider, (void *)mark);
    return stream < 0 ? -1 : stream;
}

int32_t limpet_h2_send_request(
    limpet_h2 *h2, uint8_t *bytes, size_t length, const char *scheme, bool accepts_trailers, bool ends) {
    sent_head head;
    sent_head_begin(&head);
    int32_t stream = -1;
    if (nghttp2_session_check_request_allowed(h2->session) &&
        sent_head_read_request(&head, bytes, length, scheme, NULL, accepts_trailers)) {
        stream = submit_request(h2, &head, ends, equals_head(head.fields) ? &to_head : NULL);
    }
    sent_head_free(&head);
    return stream;
}

bool limpet_h2_takes_websockets(const limpet_h2 *h2) {
    return h2->has_settings &&
        nghttp2_session_get_remote_settings(h2->session, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1;
}

int32_t limpet_h2_send_websocket(limpet_h2 *h2, uint8_t *bytes, size_t length, const char *scheme) {
    sent_head head;
    sent_head_begin(&head);
    int32_t stream = -1;
    if (nghttp2_session_check_request_allowed(h2->session) &&
        sent_head_read_request(&head, bytes, length, scheme, "websocket", false)) {
        stream = submit_request(h2, &head, false, &to_websocket);
    }
    sent_head_free(&head);
    return stream;
}

bool limpet_h2_send_trailers(limpet_h2 *h2, int32_t stream, uint8_t *lines, size_t length) {
    sent_head head;
    sent_head_begin(&head);
    bool is_sent = sent_head_read_lines(&head, lines, length) && head.count > 0 &&
        nghttp2_submit_trailer(h2->session, stream, head.fields, head.count) == 0;
    sent_head_free(&head);
    return is_sent;
}

void limpet_h2_resume(limpet_h2 *h2, int32_t stream) { nghttp2_session_resume_data(h2->session, stream); }

void limpet_h2_consume(limpet_h2 *h2, int32_t stream, size_t length) {
    nghttp2_session_consume(h2->session, stream, length);
}

bool limpet_h2_window_is_open(const limpet_h2 *h2, int32_t stream) {
    return nghttp2_session_get_stream_remote_window_size(h2->session, stream) > 0;
}

void limpet_h2_reset(limpet_h2 *h2, int32_t stream, uint32_t error) {
    nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, stream, error);
}

void limpet_h2_keep_input(limpet_h2 *h2, int32_t stream) {
    nghttp2_session_set_stream_user_data(h2->session, stream, (void *)&keeps_input);
}

void limpet_h2_ping(limpet_h2 *h2) { nghttp2_submit_ping(h2->session, NGHTTP2_FLAG_NONE, NULL); }

void limpet_h2_announce_end(limpet_h2 *h2) { nghttp2_submit_shutdown_notice(h2->session); }

void limpet_h2_refuse_streams(limpet_h2 *h2) {
    int32_t last = nghttp2_session_get_last_proc_stream_id(h2->session);
    nghttp2_submit_goaway(h2->session, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, NULL, 0);
}

void limpet_h2_terminate(limpet_h2 *h2, uint32_t error) { nghttp2_session_terminate_session(h2->session, error); }

bool limpet_h2_has_peer_settings(const limpet_h2 *h2) { return h2->has_settings; }

uint32_t limpet_h2_peer_streams(const limpet_h2 *h2) {
    if (!nghttp2_session_check_request_allowed(h2->session)) return 0;
    return nghttp2_session_get_remote_settings(h2->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}
