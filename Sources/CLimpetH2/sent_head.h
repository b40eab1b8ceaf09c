#ifndef LIMPET_H2_SENT_HEAD_H
#define LIMPET_H2_SENT_HEAD_H

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Fields for libnghttp2, which refer to the bytes of a head in the form of HTTP/1.1. */
typedef struct {
    nghttp2_nv *fields;
    size_t count, capacity;
    /* Room for the fields of an ordinary head. */
    nghttp2_nv first[64];
} sent_head;

void sent_head_begin(sent_head *head);

/*
 * Reads the head of a response; the bytes are changed: names become lower case (RFC 9113, section 8.2.1). The fields of
 * an HTTP/1.1 connection are left out. Returns false if it is no such head, or memory allocation fails.
 */
bool sent_head_read_response(sent_head *head, uint8_t *bytes, size_t length);

/*
 * Reads the head of a request, as `sent_head_read_response` does.
 *
 * protocol: what the request opens by an extended CONNECT (RFC 8441); NULL: it is an ordinary request.
 */
bool sent_head_read_request(
    sent_head *head, uint8_t *bytes, size_t length, const char *scheme, const char *protocol, bool accepts_trailers);

/* Reads field lines. */
bool sent_head_read_lines(sent_head *head, uint8_t *bytes, size_t length);

void sent_head_free(sent_head *head);

#endif
