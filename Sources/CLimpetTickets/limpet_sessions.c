#include "limpet_tickets.h"

#include <pthread.h>
#include <stdlib.h>

#include "boringssl.h"
#include "limpet_sessions.h"

// The last session of one context. It belongs to the context, which frees it.
typedef struct {
    pthread_mutex_t lock;
    void *session;
} session_slot;

static int slot_index = -1;
static pthread_once_t slot_index_once = PTHREAD_ONCE_INIT;

static void free_slot(void *parent, void *pointer, void *data, int index, long argl, void *argp) {
    (void)parent, (void)data, (void)index, (void)argl, (void)argp;
    session_slot *slot = pointer;
    if (slot == NULL) return;
    if (slot->session != NULL) boringssl(SSL_SESSION_free)(slot->session);
    pthread_mutex_destroy(&slot->lock);
    free(slot);
}

static void make_slot_index(void) {
    slot_index = boringssl(SSL_CTX_get_ex_new_index)(0, NULL, NULL, NULL, free_slot);
}

static session_slot *slot_of(const void *context) {
    if (context == NULL || slot_index < 0) return NULL;
    return boringssl(SSL_CTX_get_ex_data)(context, slot_index);
}

static void replace_session(session_slot *slot, void *session) {
    pthread_mutex_lock(&slot->lock);
    void *old = slot->session;
    slot->session = session;
    pthread_mutex_unlock(&slot->lock);
    if (old != NULL) boringssl(SSL_SESSION_free)(old);
}

// A server has issued a session. Returns 1: it is kept.
static int keep_session(void *ssl, void *session) {
    session_slot *slot = slot_of(boringssl(SSL_get_SSL_CTX)(ssl));
    if (slot == NULL) return 0;
    replace_session(slot, session);
    return 1;
}

void limpet_sessions_forget(void *context) {
    session_slot *slot = slot_of(context);
    if (slot != NULL) replace_session(slot, NULL);
}

void limpet_sessions_offer(void *ssl) {
    session_slot *slot = slot_of(boringssl(SSL_get_SSL_CTX)(ssl));
    if (slot == NULL) return;
    pthread_mutex_lock(&slot->lock);
    if (slot->session != NULL) boringssl(SSL_set_session)(ssl, slot->session);
    pthread_mutex_unlock(&slot->lock);
}

bool limpet_sessions_keep(void *context) {
    if (context == NULL) return false;
    pthread_once(&slot_index_once, make_slot_index);
    if (slot_index < 0) return false;
    session_slot *slot = calloc(1, sizeof *slot);
    if (slot == NULL) return false;
    pthread_mutex_init(&slot->lock, NULL);
    if (boringssl(SSL_CTX_set_ex_data)(context, slot_index, slot) != 1) {
        pthread_mutex_destroy(&slot->lock);
        free(slot);
        return false;
    }
    boringssl(SSL_CTX_set_session_cache_mode)(context, session_cache_client | session_cache_no_internal);
    boringssl(SSL_CTX_sess_set_new_cb)(context, keep_session);
    return limpet_handshake_note(context);
}
