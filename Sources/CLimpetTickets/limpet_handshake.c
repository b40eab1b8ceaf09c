#include "limpet_tickets.h"

#include "boringssl.h"
#include "limpet_sessions.h"

static const limpet_handshake nothing = {0, false, "", false, -1, -1};
static _Thread_local limpet_handshake noted = {0, false, "", false, -1, -1};

static void handshake_event(const void *ssl, int type, int value) {
    if (type == event_handshake_start) {
        noted = nothing;
        if (boringssl(SSL_is_server)(ssl) == 0) limpet_sessions_offer((void *)ssl);
    } else if (type == event_handshake_done) {
        const void *suite = boringssl(SSL_get_current_cipher)(ssl);
        const char *name = suite == NULL ? NULL : boringssl(SSL_CIPHER_standard_name)(suite);
        noted.version = (uint16_t)boringssl(SSL_version)(ssl);
        noted.is_resumed = boringssl(SSL_session_reused)(ssl) == 1;
        noted.suite = name == NULL ? "" : name;
        noted.fits_http2 = limpet_suite_fits_http2(suite);
    } else if (boringssl(SSL_in_init)(ssl) == 0) {
        return; // The alerts of an open connection, close_notify for one.
    } else if (type == event_alert_received) {
        noted.alert_received = value & 0xff;
    } else if (type == event_alert_sent) {
        noted.alert_sent = value & 0xff;
    }
}

bool limpet_handshake_note(void *context) {
    if (context == NULL) return false;
    boringssl(SSL_CTX_set_info_callback)(context, handshake_event);
    return true;
}

limpet_handshake limpet_handshake_take(void) {
    limpet_handshake taken = noted;
    noted = nothing;
    return taken;
}
