/* regex.h - regular expressions that never take longer than the text times the pattern.
 *
 * POSIX extended expressions over bytes, with what Redis's library adds: (?:…), (?i), \d \w \s \D
 * \W \S, \b \B \< \>, \xHH, \Q…\E, and ? behind a repetition, which says nothing about whether
 * there is a match. No back-references. A pattern becomes a program of instructions; a text is read
 * once while the set of instructions that may go on is kept, so no text and no pattern takes
 * exponential time.
 *
 * Owns      the program: malloc.
 * Fails     regex_compile with an error text, nothing is then left to free.
 */
#ifndef SHMREDIS_REGEX_H
#define SHMREDIS_REGEX_H

#include "mem/bytes.h"

#define REGEX_PROGRAM_MAX 8192u /* instructions; larger patterns are refused */
#define REGEX_NESTING_MAX 1000u
#define REGEX_REPEAT_MAX 255u

struct regex;

/* NULL: *error is what is wrong, static storage. */
struct regex *regex_compile(struct str pattern, bool nocase, const char **error);
/* Whether it matches anywhere in s. */
bool regex_search(const struct regex *re, struct str s);
void regex_free(struct regex *re);

extern const char regex_backreference[]; /* the error of \1 … \9 */

#endif
