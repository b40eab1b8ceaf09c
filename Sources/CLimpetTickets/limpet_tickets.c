#define _GNU_SOURCE
#include "limpet_tickets.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "boringssl.h"

// The keys of one context. It belongs to the context, which frees it.
typedef struct {
    pthread_mutex_t lock;
    size_t count;
    limpet_ticket_key keys[limpet_ticket_keys_max];
} key_ring;

static int ring_index = -1;
static pthread_once_t ring_index_once = PTHREAD_ONCE_INIT;

static void free_ring(void *parent, void *pointer, void *data, int index, long argl, void *argp) {
    (void)parent, (void)data, (void)index, (void)argl, (void)argp;
    key_ring *ring = pointer;
    if (ring == NULL) return;
    pthread_mutex_destroy(&ring->lock);
    explicit_bzero(ring, sizeof *ring);
    free(ring);
}

static void make_ring_index(void) {
    ring_index = boringssl(SSL_CTX_get_ex_new_index)(0, NULL, NULL, NULL, free_ring);
}

static key_ring *ring_of(const void *context) {
    if (context == NULL || ring_index < 0) return NULL;
    return boringssl(SSL_CTX_get_ex_data)(context, ring_index);
}

// Copies the key that seals, or the one with this name. Returns its place, and -1 if there is none.
static int copy_key(key_ring *ring, const uint8_t *name, limpet_ticket_key *key) {
    int place = -1;
    pthread_mutex_lock(&ring->lock);
    for (size_t index = 0; index < ring->count && place < 0; index++) {
        if (name != NULL && memcmp(ring->keys[index].name, name, sizeof key->name) != 0) continue;
        *key = ring->keys[index];
        place = (int)index;
    }
    pthread_mutex_unlock(&ring->lock);
    return place;
}

enum { iv_length = 16 };

static bool begin_sealing(const limpet_ticket_key *key, uint8_t *name, uint8_t *iv, void *cipher, void *mac) {
    memcpy(name, key->name, sizeof key->name);
    return boringssl(RAND_bytes)(iv, iv_length) == 1
        && boringssl(EVP_EncryptInit_ex)(cipher, boringssl(EVP_aes_256_cbc)(), NULL, key->cipher, iv) == 1
        && boringssl(HMAC_Init_ex)(mac, key->mac, sizeof key->mac, boringssl(EVP_sha256)(), NULL) == 1;
}

static bool begin_opening(const limpet_ticket_key *key, const uint8_t *iv, void *cipher, void *mac) {
    return boringssl(HMAC_Init_ex)(mac, key->mac, sizeof key->mac, boringssl(EVP_sha256)(), NULL) == 1
        && boringssl(EVP_DecryptInit_ex)(cipher, boringssl(EVP_aes_256_cbc)(), NULL, key->cipher, iv) == 1;
}

// For a ticket to be sealed: 1, or 0 for no ticket. To be opened: 1, 2 if it is to be renewed, 0 for a full handshake.
// An error costs the client a full handshake, no more.
static int ticket_key(void *ssl, uint8_t *name, uint8_t *iv, void *cipher, void *mac, int is_sealed) {
    key_ring *ring = ring_of(boringssl(SSL_get_SSL_CTX)(ssl));
    if (ring == NULL) return 0;
    limpet_ticket_key key;
    int result = 0;
    int place = copy_key(ring, is_sealed ? NULL : name, &key);
    if (place >= 0 && is_sealed) result = begin_sealing(&key, name, iv, cipher, mac) ? 1 : 0;
    if (place >= 0 && !is_sealed) result = begin_opening(&key, iv, cipher, mac) ? (place == 0 ? 1 : 2) : 0;
    explicit_bzero(&key, sizeof key);
    return result;
}

bool limpet_tickets_install(void *context) {
    if (context == NULL) return false;
    pthread_once(&ring_index_once, make_ring_index);
    if (ring_index < 0 || ring_of(context) != NULL) return false;
    key_ring *ring = calloc(1, sizeof *ring);
    if (ring == NULL) return false;
    if (pthread_mutex_init(&ring->lock, NULL) != 0) {
        free(ring);
        return false;
    }
    if (boringssl(SSL_CTX_set_ex_data)(context, ring_index, ring) != 1) {
        free_ring(NULL, ring, NULL, ring_index, 0, NULL);
        return false;
    }
    boringssl(SSL_CTX_set_session_cache_mode)(context, session_cache_off);
    return boringssl(SSL_CTX_set_tlsext_ticket_key_cb)(context, ticket_key) == 1;
}

bool limpet_tickets_set(void *context, const limpet_ticket_key *keys, size_t count) {
    key_ring *ring = ring_of(context);
    if (ring == NULL || count > limpet_ticket_keys_max) return false;
    pthread_mutex_lock(&ring->lock);
    explicit_bzero(ring->keys, sizeof ring->keys);
    if (count > 0) memcpy(ring->keys, keys, count * sizeof *keys);
    ring->count = count;
    pthread_mutex_unlock(&ring->lock);
    return true;
}

bool limpet_tickets_off(void *context) {
    if (context == NULL) return false;
    boringssl(SSL_CTX_set_options)(context, option_no_ticket);
    boringssl(SSL_CTX_set_session_cache_mode)(context, session_cache_off);
    return true;
}
