/* Patterns. */
#include "auth/names/pattern.h"

static size_t character_bytes(struct span s)
{
    size_t n = 1;
    while (n < s.n && ((unsigned char)s.at[n] & 0xc0) == 0x80)
        n++;
    return n;
}

/* The usual walk with one place to come back to: of several stars only the last one needs it. */
bool pattern_fits(struct span pattern, struct span s)
{
    struct span star = SPAN_NONE, retry = SPAN_NONE;
    while (s.n > 0) {
        if (pattern.n > 0 && pattern.at[0] == '*') {
            star = pattern = span_after(pattern, 1);
            retry = s;
        } else if (pattern.n > 0 && (pattern.at[0] == '?' || pattern.at[0] == s.at[0])) {
            s = span_after(s, pattern.at[0] == '?' ? character_bytes(s) : 1);
            pattern = span_after(pattern, 1);
        } else if (retry.at != NULL) {
            s = retry = span_after(retry, 1);
            pattern = star;
        } else {
            return false;
        }
    }
    while (pattern.n > 0 && pattern.at[0] == '*')
        pattern = span_after(pattern, 1);
    return pattern.n == 0;
}
