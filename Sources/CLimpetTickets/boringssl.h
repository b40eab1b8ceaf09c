#ifndef LIMPET_BORINGSSL_H
#define LIMPET_BORINGSSL_H

#include <stddef.h>
#include <stdint.h>

// The functions of the BoringSSL that NIOSSL carries, under the names it gives them. That package does not offer their
// headers, so they are declared here, as its version 2.37.6 has them; objects of BoringSSL are `void`.

#define boringssl(name) CNIOBoringSSL_##name

enum {
    session_cache_off = 0x0000,
    session_cache_client = 0x0001,
    session_cache_no_internal = 0x0300,
    option_no_ticket = 0x00004000,
    event_handshake_start = 0x10,
    event_handshake_done = 0x20,
    event_alert_received = 0x4004,
    event_alert_sent = 0x4008,
    protocol_chosen = 0,
    protocol_none = 3,
};

extern int boringssl(SSL_CTX_get_ex_new_index)(
    long argl, void *argp, void *unused, void *dup_unused,
    void (*free_function)(void *parent, void *pointer, void *data, int index, long argl, void *argp));
extern int boringssl(SSL_CTX_set_ex_data)(void *context, int index, void *data);
extern void *boringssl(SSL_CTX_get_ex_data)(const void *context, int index);
extern int boringssl(SSL_CTX_set_tlsext_ticket_key_cb)(
    void *context,
    int (*callback)(void *ssl, uint8_t *name, uint8_t *iv, void *cipher, void *mac, int is_sealed));
extern int boringssl(SSL_CTX_set_session_cache_mode)(void *context, int mode);
extern void boringssl(SSL_CTX_sess_set_new_cb)(void *context, int (*callback)(void *ssl, void *session));
extern int boringssl(SSL_set_session)(void *ssl, void *session);
extern void boringssl(SSL_SESSION_free)(void *session);
extern int boringssl(SSL_is_server)(const void *ssl);
extern uint32_t boringssl(SSL_CTX_set_options)(void *context, uint32_t options);
extern void boringssl(SSL_CTX_set_info_callback)(
    void *context, void (*callback)(const void *ssl, int type, int value));

extern void boringssl(SSL_CTX_set_alpn_select_cb)(
    void *context,
    int (*callback)(
        void *ssl, const uint8_t **chosen, uint8_t *chosen_length, const uint8_t *offered, unsigned offered_length,
        void *argument),
    void *argument);

extern void *boringssl(SSL_get_SSL_CTX)(const void *ssl);
extern int boringssl(SSL_version)(const void *ssl);
extern int boringssl(SSL_in_init)(const void *ssl);
extern int boringssl(SSL_session_reused)(const void *ssl);
extern const void *boringssl(SSL_get_current_cipher)(const void *ssl);
extern const void *boringssl(SSL_get_pending_cipher)(const void *ssl);
extern int boringssl(SSL_CIPHER_is_aead)(const void *suite);
extern const char *boringssl(SSL_CIPHER_standard_name)(const void *suite);

extern int boringssl(RAND_bytes)(uint8_t *bytes, size_t count);
extern const void *boringssl(EVP_aes_256_cbc)(void);
extern const void *boringssl(EVP_sha256)(void);
extern int boringssl(EVP_EncryptInit_ex)(
    void *context, const void *cipher, void *engine, const uint8_t *key, const uint8_t *iv);
extern int boringssl(EVP_DecryptInit_ex)(
    void *context, const void *cipher, void *engine, const uint8_t *key, const uint8_t *iv);
extern int boringssl(HMAC_Init_ex)(
    void *context, const void *key, size_t length, const void *digest, void *engine);

#endif
