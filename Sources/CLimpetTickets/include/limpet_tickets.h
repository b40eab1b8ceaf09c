#ifndef LIMPET_TICKETS_H
#define LIMPET_TICKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What a TLS server needs of the BoringSSL in NIOSSL and NIOSSL does not offer: the keys of session tickets, a choice of
// the protocol that heeds the cipher suite, and facts about a handshake. `context` is NIOSSL's SSL_CTX; all functions
// accept a null pointer, and then do nothing.

enum { limpet_ticket_keys_max = 3 };

// One key of session tickets. The name is public: a ticket begins with it.
typedef struct limpet_ticket_key {
    uint8_t name[16];
    uint8_t cipher[32];
    uint8_t mac[32];
} limpet_ticket_key;

// Seals the tickets of the context with keys that limpet_tickets_set sets (AES-256-CBC with HMAC-SHA-256), and turns
// the session cache of the process off. Until then the context issues no tickets. Call it before the context serves;
// returns false if nothing was changed.
bool limpet_tickets_install(void *context);

// Replaces the keys of a context that limpet_tickets_install has prepared. The first key seals new tickets; all of
// them open tickets, and a ticket that another key than the first has sealed is renewed. May be called on any thread
// while the context serves. At most limpet_ticket_keys_max keys; returns false if nothing was changed.
bool limpet_tickets_set(void *context, const limpet_ticket_key *keys, size_t count);

// The context issues no tickets, accepts none, and remembers no session. Call it before the context serves.
bool limpet_tickets_off(void *context);

// Chooses the application protocol of each connection of the context (RFC 7301): the first of these that the client
// offers, and `h2` only with a cipher suite that HTTP/2 does not prohibit (RFC 9113, section 9.2.2). `protocols` has the
// length of each before it, and is copied. Call it once, before the context serves; returns false if nothing was changed.
bool limpet_protocols_set(void *context, const uint8_t *protocols, size_t length);

// Whether HTTP/2 may be spoken with a cipher suite, BoringSSL's SSL_CIPHER: it has an ephemeral key exchange and
// authenticated encryption (RFC 9113, appendix A).
bool limpet_suite_fits_http2(const void *suite);

// A client's context remembers the last session that a server issued, and offers it in the next handshake. The server
// was verified when the session was issued. Call it before the context is used; renegotiation must be off. Implies
// limpet_handshake_note; returns false if nothing was changed.
bool limpet_sessions_keep(void *context);

// Forgets that session: the next handshake is a full one.
void limpet_sessions_forget(void *context);

// A handshake of the current thread.
typedef struct limpet_handshake {
    // 0x0303 is TLS 1.2, 0x0304 is TLS 1.3; 0 if no handshake has been completed.
    uint16_t version;
    bool is_resumed;
    // The name of the cipher suite in the IANA registry; lives as long as the process.
    const char *suite;
    // Whether HTTP/2 may be spoken with the suite.
    bool fits_http2;
    // The last alert (RFC 8446, section 6.2) received and sent; -1 if there was none.
    int alert_received;
    int alert_sent;
} limpet_handshake;

// Notes facts about every handshake of the context. Call it before the context serves.
bool limpet_handshake_note(void *context);

// What the current thread has noted since the last call, which forgets it.
limpet_handshake limpet_handshake_take(void);

#endif
