#ifndef LIMPET_SESSIONS_H
#define LIMPET_SESSIONS_H

// Offers the session that was kept of the connection's context. Only at the start of a client's first handshake: later
// BoringSSL ends the process, so renegotiation must be off.
void limpet_sessions_offer(void *ssl);

#endif
