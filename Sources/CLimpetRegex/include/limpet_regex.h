#ifndef LIMPET_REGEX_H
#define LIMPET_REGEX_H

#include <stddef.h>
#include <stdint.h>

/*
 * Only PCRE2's compiler and matcher. No type of PCRE2 is visible here.
 *
 * A compiled pattern is immutable: any number of threads may match with it at once, each with its own scratch.
 */

typedef struct limpet_regex limpet_regex;

/* The memory that one thread needs to match: allocated once, for all patterns. */
typedef struct limpet_regex_scratch limpet_regex_scratch;

typedef struct limpet_regex_error {
    /* In bytes from the start of the pattern. */
    size_t offset;
    char message[128];
} limpet_regex_error;

/* Characters are UTF-8; `$` matches only at the very end; classes such as \w are ASCII. Returns NULL if the pattern is
 * invalid or memory allocation fails; *error then says why. */
limpet_regex *limpet_regex_new(const void *pattern, size_t length, limpet_regex_error *error);
void limpet_regex_free(limpet_regex *regex);

/* NULL if memory allocation fails. */
limpet_regex_scratch *limpet_regex_scratch_new(void);
void limpet_regex_scratch_free(limpet_regex_scratch *scratch);

#define LIMPET_REGEX_NONE 0
#define LIMPET_REGEX_FOUND 1
/* The match would have exceeded its limit of steps or memory. */
#define LIMPET_REGEX_OVER_LIMIT 2

/* Whether the pattern matches anywhere in the subject. `steps` is the maximum number of steps. */
int limpet_regex_match(
    const limpet_regex *regex, limpet_regex_scratch *scratch, const void *subject, size_t length, uint32_t steps
);

#endif
