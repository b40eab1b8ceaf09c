#ifndef LIMPET_CRYPT_H
#define LIMPET_CRYPT_H

#include <stdbool.h>

// The system's libcrypt, as far as bcrypt needs it.

// Whether the password (which ends with its first zero byte) is the one that the bcrypt hash was made of: 60 characters
// that begin with $2a$, $2b$ or $2y$. False for any other hash, for a password above 512 bytes and where memory is short.
// Takes as long as the cost in the hash says, on any thread; the comparison takes as long wherever the two differ.
bool limpet_bcrypt_matches(const char *password, const char *hash);

#endif
