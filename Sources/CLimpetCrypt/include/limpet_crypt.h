#ifndef LIMPET_CRYPT_H
#define LIMPET_CRYPT_H

#include <stdbool.h>

// The part of the system's libcrypt that bcrypt needs.

// Whether the password, which ends at its first zero byte, matches the bcrypt hash: 60 characters that begin with $2a$,
// $2b$ or $2y$. False for any other hash, for a password above 512 bytes, and if memory is short. May be called on any
// thread. The time taken depends on the cost in the hash; the comparison takes constant time.
bool limpet_bcrypt_matches(const char *password, const char *hash);

#endif
