#include "limpet_regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

/* Limits on the cost of a match, in addition to its steps. */
enum {
    /* For the interpreter: backtracking depth, and heap in KiB. */
    DEPTH = 20000,
    HEAP = 4096,
    /* For machine code: the initial and the maximum stack, in bytes. */
    FIRST_STACK = 32 * 1024,
    LARGEST_STACK = 512 * 1024,
    /* Nested parentheses. No real pattern has more. */
    NESTING = 100
};

/*
 * PCRE2 restarts its step count at each position where a match may begin, so a long subject would multiply the limit.
 * With the search as part of the pattern, there is only one such position. \E ends a \Q that the pattern left open.
 */
static const char before[] = "(?s:.*?)(?:", after[] = "\\E)";

struct limpet_regex {
    pcre2_code *code;
};

struct limpet_regex_scratch {
    pcre2_match_context *limits;
    pcre2_match_data *match;
    pcre2_jit_stack *stack;
};

static const uint32_t options = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_ALT_CIRCUMFLEX
    | PCRE2_NEVER_BACKSLASH_C | PCRE2_NEVER_UCP | PCRE2_NO_AUTO_CAPTURE;

static void explain(int number, size_t offset, limpet_regex_error *error) {
    memset(error, 0, sizeof *error);
    error->offset = offset;
    if (pcre2_get_error_message(number, (PCRE2_UCHAR *)error->message, sizeof error->message) < 0 && !error->message[0])
        strcpy(error->message, "unknown error");
}

static int is_anchored(const pcre2_code *code) {
    uint32_t all = 0;
    return pcre2_pattern_info(code, PCRE2_INFO_ALLOPTIONS, &all) == 0 && (all & PCRE2_ANCHORED) != 0;
}

/* The pattern with the search as part of it, anchored at the subject's first byte. */
static pcre2_code *searching(
    const void *pattern, size_t length, int *number, PCRE2_SIZE *offset, pcre2_compile_context *context
) {
    const size_t front = sizeof before - 1, back = sizeof after - 1;
    pcre2_code *code = NULL;
    char *whole = malloc(front + length + back);
    if (whole == NULL) return NULL;
    memcpy(whole, before, front);
    if (length > 0) memcpy(whole + front, pattern, length);
    memcpy(whole + front + length, after, back);
    code = pcre2_compile(
        (PCRE2_SPTR)whole, front + length + back, options | PCRE2_ANCHORED, number, offset, context);
    if (code == NULL) *offset = *offset < front ? 0 : *offset - front < length ? *offset - front : length;
    free(whole);
    return code;
}

/* Compiles the unchanged pattern first, so that errors are reported at their real position. */
static pcre2_code *compile(
    const void *pattern, size_t length, int *number, PCRE2_SIZE *offset, pcre2_compile_context *context
) {
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    pcre2_set_parens_nest_limit(context, NESTING);
    pcre2_code *code = pcre2_compile(pattern, length, options, number, offset, context);
    if (code == NULL || is_anchored(code)) return code;
    pcre2_code_free(code);
    *number = PCRE2_ERROR_NOMEMORY;
    return searching(pattern, length, number, offset, context);
}

limpet_regex *limpet_regex_new(const void *pattern, size_t length, limpet_regex_error *error) {
    int number = PCRE2_ERROR_NOMEMORY;
    PCRE2_SIZE offset = 0;
    pcre2_code *code = NULL;
    limpet_regex *regex = malloc(sizeof *regex);
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    if (regex != NULL && context != NULL) code = compile(pattern, length, &number, &offset, context);
    pcre2_compile_context_free(context);
    if (code == NULL) {
        free(regex);
        explain(number, offset, error);
        return NULL;
    }
    regex->code = code;
    /* Fails where memory may not be both writable and executable; the interpreter is then used. */
    (void)pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
    return regex;
}

void limpet_regex_free(limpet_regex *regex) {
    if (regex == NULL) return;
    pcre2_code_free(regex->code);
    free(regex);
}

limpet_regex_scratch *limpet_regex_scratch_new(void) {
    limpet_regex_scratch *scratch = calloc(1, sizeof *scratch);
    if (scratch == NULL) return NULL;
    scratch->limits = pcre2_match_context_create(NULL);
    scratch->match = pcre2_match_data_create(1, NULL);
    if (scratch->limits == NULL || scratch->match == NULL) {
        limpet_regex_scratch_free(scratch);
        return NULL;
    }
    pcre2_set_depth_limit(scratch->limits, DEPTH);
    pcre2_set_heap_limit(scratch->limits, HEAP);
    /* NULL without machine code; PCRE2 then uses the thread's own stack, or needs none. */
    scratch->stack = pcre2_jit_stack_create(FIRST_STACK, LARGEST_STACK, NULL);
    pcre2_jit_stack_assign(scratch->limits, NULL, scratch->stack);
    return scratch;
}

void limpet_regex_scratch_free(limpet_regex_scratch *scratch) {
    if (scratch == NULL) return;
    if (scratch->stack != NULL) pcre2_jit_stack_free(scratch->stack);
    pcre2_match_data_free(scratch->match);
    pcre2_match_context_free(scratch->limits);
    free(scratch);
}

int limpet_regex_match(
    const limpet_regex *regex, limpet_regex_scratch *scratch, const void *subject, size_t length, uint32_t steps
) {
    pcre2_set_match_limit(scratch->limits, steps);
    if (subject == NULL) subject = "";
    int result = pcre2_match(regex->code, subject, length, 0, 0, scratch->match, scratch->limits);
    /* 0 means that it matched and has more groups than the match data holds. */
    if (result >= 0) return LIMPET_REGEX_FOUND;
    return result == PCRE2_ERROR_NOMATCH ? LIMPET_REGEX_NONE : LIMPET_REGEX_OVER_LIMIT;
}
