/* glob.c - the glob rules of KEYS, SCAN and CONFIG GET.
 *
 * `*` any run, `?` one byte, `[abc] [a-z] [^x]` a class, backslash takes the next byte literally. A
 * star backtracks only to the last star, so matching costs at most pattern times string.
 */
#include "cmd/call.h"

static unsigned char fold(char c, bool nocase) {
    return (unsigned char)(nocase && c >= 'A' && c <= 'Z' ? c + 32 : c);
}

/* Matches c against the class that begins after '[' at p; *end is the place after the class. A
 * class that never ends takes the rest of the pattern. */
static bool class_match(const char *p, const char *pattern_end, char c, bool nocase,
                        const char **end) {
    bool negated = p < pattern_end && *p == '^', found = false;
    if (negated) p++;
    for (; p < pattern_end && *p != ']'; p++) {
        if (*p == '\\' && pattern_end - p >= 2) {
            p++;
            found |= fold(*p, nocase) == fold(c, nocase);
        } else if (pattern_end - p >= 3 && p[1] == '-') {
            unsigned char lo = fold(p[0], nocase), hi = fold(p[2], nocase);
            if (lo > hi) {
                unsigned char swap = lo;
                lo = hi;
                hi = swap;
            }
            found |= fold(c, nocase) >= lo && fold(c, nocase) <= hi;
            p += 2;
        } else {
            found |= fold(*p, nocase) == fold(c, nocase);
        }
    }
    *end = p < pattern_end ? p + 1 : p;
    return found != negated;
}

/* Whether the single-byte element at p matches c; *next is the place after the element. */
static bool element_match(const char *p, const char *pattern_end, char c, bool nocase,
                          const char **next) {
    if (*p == '?') {
        *next = p + 1;
        return true;
    }
    if (*p == '[') return class_match(p + 1, pattern_end, c, nocase, next);
    if (*p == '\\' && pattern_end - p >= 2) p++;
    *next = p + 1;
    return fold(*p, nocase) == fold(c, nocase);
}

bool glob_match(struct str pattern, struct str s, bool nocase) {
    const char *p = pattern.p, *pattern_end = p + pattern.n;
    const char *at = s.p, *end = s.p + s.n;
    const char *star = NULL, *star_at = NULL;
    if (s.n == 0) return pattern.n == 0; /* to Redis no star matches the empty string */
    while (at < end) {
        const char *next;
        if (p < pattern_end && *p == '*') {
            star = ++p;
            star_at = at;
            if (p == pattern_end) return true;
        } else if (p < pattern_end && element_match(p, pattern_end, *at, nocase, &next)) {
            p = next;
            at++;
        } else if (star) {
            p = star;
            at = ++star_at;
        } else {
            return false;
        }
    }
    while (p < pattern_end && *p == '*') p++;
    return p == pattern_end;
}
