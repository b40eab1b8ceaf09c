#include "limpet_tickets.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "boringssl.h"

// The protocols of one context, each with its length before it. They belong to the context, which frees them.
typedef struct {
    size_t length;
    uint8_t bytes[];
} protocol_list;

static int list_index = -1;
static pthread_once_t list_index_once = PTHREAD_ONCE_INIT;

static void free_list(void *parent, void *pointer, void *data, int index, long argl, void *argp) {
    (void)parent, (void)data, (void)index, (void)argl, (void)argp;
    free(pointer);
}

static void make_list_index(void) {
    list_index = boringssl(SSL_CTX_get_ex_new_index)(0, NULL, NULL, NULL, free_list);
}

bool limpet_suite_fits_http2(const void *suite) {
    const char *name = suite == NULL ? NULL : boringssl(SSL_CIPHER_standard_name)(suite);
    if (name == NULL || boringssl(SSL_CIPHER_is_aead)(suite) == 0) return false;
    // The names of TLS 1.3 say nothing of the key exchange, which is always ephemeral.
    return strstr(name, "_WITH_") == NULL || strncmp(name, "TLS_ECDHE_", strlen("TLS_ECDHE_")) == 0;
}

// The place of a protocol, given with its length before it, in what the client offers; NULL: it does not offer it.
static const uint8_t *find(const uint8_t *protocol, const uint8_t *offered, size_t length) {
    for (size_t place = 0; place < length && place + 1 + offered[place] <= length; place += 1 + offered[place]) {
        if (offered[place] == protocol[0] && memcmp(offered + place + 1, protocol + 1, protocol[0]) == 0) {
            return offered + place;
        }
    }
    return NULL;
}

// The cipher suite is known by now.
static int choose_protocol(
    void *ssl, const uint8_t **chosen, uint8_t *chosen_length, const uint8_t *offered, unsigned offered_length,
    void *argument) {
    (void)argument;
    const protocol_list *list = boringssl(SSL_CTX_get_ex_data)(boringssl(SSL_get_SSL_CTX)(ssl), list_index);
    if (list == NULL) return protocol_none;
    bool fits_http2 = limpet_suite_fits_http2(boringssl(SSL_get_pending_cipher)(ssl));
    for (size_t place = 0; place < list->length; place += 1 + list->bytes[place]) {
        const uint8_t *protocol = list->bytes + place;
        if (!fits_http2 && protocol[0] == 2 && memcmp(protocol + 1, "h2", 2) == 0) continue;
        const uint8_t *found = find(protocol, offered, offered_length);
        if (found == NULL) continue;
        *chosen = found + 1;
        *chosen_length = found[0];
        return protocol_chosen;
    }
    return protocol_none;
}

bool limpet_protocols_set(void *context, const uint8_t *protocols, size_t length) {
    if (context == NULL) return false;
    pthread_once(&list_index_once, make_list_index);
    if (list_index < 0 || boringssl(SSL_CTX_get_ex_data)(context, list_index) != NULL) return false;
    protocol_list *list = malloc(sizeof *list + length);
    if (list == NULL) return false;
    list->length = length;
    memcpy(list->bytes, protocols, length);
    if (boringssl(SSL_CTX_set_ex_data)(context, list_index, list) != 1) {
        free(list);
        return false;
    }
    boringssl(SSL_CTX_set_alpn_select_cb)(context, choose_protocol, NULL);
    return true;
}
