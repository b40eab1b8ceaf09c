#define _GNU_SOURCE
#include "limpet_crypt.h"

#include <crypt.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { bcrypt_length = 60 };

static bool is_bcrypt(const char *hash) {
    return strlen(hash) == bcrypt_length && hash[0] == '$' && hash[1] == '2'
        && (hash[2] == 'a' || hash[2] == 'b' || hash[2] == 'y') && hash[3] == '$';
}

static bool equal_in_constant_time(const char *one, const char *other) {
    unsigned char difference = 0;
    for (size_t index = 0; index < bcrypt_length; index++) difference |= (unsigned char)(one[index] ^ other[index]);
    return difference == 0;
}

bool limpet_bcrypt_matches(const char *password, const char *hash) {
    if (!is_bcrypt(hash)) return false;
    struct crypt_data *data = calloc(1, sizeof *data);
    if (data == NULL) return false;
    const char *made = crypt_r(password, hash, data);
    // crypt_r reports a failure by a null pointer or by a text that is not a hash.
    bool matches = made != NULL && strlen(made) == bcrypt_length && equal_in_constant_time(made, hash);
    explicit_bzero(data, sizeof *data);
    free(data);
    return matches;
}
