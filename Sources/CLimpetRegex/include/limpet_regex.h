#ifndef LIMPET_REGEX_H
#define LIMPET_REGEX_H

#include <stddef.h>
#include <stdint.h>

/*
 * PCRE2's compiler and matcher, and nothing else of it. No type of PCRE2 is visible here.
 *
 * A compiled pattern is immutable: any number of threads may match with it at once, each with a scratch of its own.
 */

typedef struct limpet_regex limpet_regex;

/* What one thread needs to match: allocated once, for all patterns. */
typedef struct limpet_regex_scratch limpet_regex_scratch;

typedef struct limpet_regex_error {
    /* In bytes of the pattern. */
    size_t offset;
    char message[128];
} limpet_regex_error;

/* Characters are those of UTF-8; `$` is the very end; classes such as \w are those of ASCII. NULL where the pattern is
 * none, and then *error says why. */
limpet_regex *limpet_regex_new(const void *pattern, size_t length, limpet_regex_error *error);
void limpet_regex_free(limpet_regex *regex);

/* NULL when there is no memory. */
limpet_regex_scratch *limpet_regex_scratch_new(void);
void limpet_regex_scratch_free(limpet_regex_scratch *scratch);

#define LIMPET_REGEX_NONE 0
#define LIMPET_REGEX_FOUND 1
/* Finding out would have taken more steps or more memory than a match may take. */
#define LIMPET_REGEX_OVER_LIMIT 2

/* Whether the pattern matches anywhere in the subject, if that takes at most so many steps. */
int limpet_regex_match(
    const limpet_regex *regex, limpet_regex_scratch *scratch, const void *subject, size_t length, uint32_t steps
);

#endif
