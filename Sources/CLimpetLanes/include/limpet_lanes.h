/* Questions about sixteen bytes at once. Each returns one bit a byte, the first byte's lowest, and reads exactly sixteen
 * bytes. Swift's own vectors make dozens of instructions of such a comparison, this makes three. */
#ifndef LIMPET_LANES_H
#define LIMPET_LANES_H

#include <stdint.h>
#include <string.h>

typedef uint8_t limpet_vector __attribute__((ext_vector_type(16)));
typedef _Bool limpet_lanes __attribute__((ext_vector_type(16)));

static inline limpet_vector limpet_load(const void *bytes) {
    limpet_vector vector;
    memcpy(&vector, bytes, sizeof vector);
    return vector;
}

static inline uint32_t limpet_bits(limpet_vector isSet) {
    limpet_lanes lanes = __builtin_convertvector(isSet, limpet_lanes);
    uint16_t bits;
    memcpy(&bits, &lanes, sizeof bits);
    return bits;
}

/* Bytes that equal this one. */
static inline uint32_t limpet_equal(const void *bytes, uint8_t byte) {
    return limpet_bits((limpet_vector)(limpet_load(bytes) == byte));
}

/* Control characters other than HTAB, and DEL. */
static inline uint32_t limpet_controls(const void *bytes) {
    limpet_vector vector = limpet_load(bytes);
    return limpet_bits((limpet_vector)((vector < 0x20) & (vector != 0x09) | (vector == 0x7F)));
}

/* Bytes that cannot be part of a request target: white space, control characters, DEL, non-ASCII bytes, and '#'. */
static inline uint32_t limpet_non_targets(const void *bytes) {
    limpet_vector vector = limpet_load(bytes);
    return limpet_bits((limpet_vector)((vector < 0x21) | (vector > 0x7E) | (vector == '#')));
}

/* Bytes that are neither letters, digits nor hyphens. */
static inline uint32_t limpet_non_names(const void *bytes) {
    limpet_vector vector = limpet_load(bytes);
    limpet_vector letter = (limpet_vector)((vector | 0x20) - 'a' < 26);
    limpet_vector digit = (limpet_vector)(vector - '0' < 10);
    return limpet_bits(~(letter | digit | (limpet_vector)(vector == '-')));
}

#endif
