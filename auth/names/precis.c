/* Preparation by the tables of libunistring. What is ASCII, as nearly all names are, never gets there. */
#include "auth/names/precis.h"

#include "auth/names/precis_rules.h"

static bool is_ascii(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.at[i] >= 0x80)
            return false;
    return true;
}

/* ASCII7 of RFC 8264 9.11: 0x21 to 0x7e. */
static bool add_ascii(struct span s, struct buf *to)
{
    char *room = buf_space(to, s.n);
    for (size_t i = 0; i < s.n && room != NULL; i++) {
        char c = s.at[i];
        if (c < 0x21 || c > 0x7e)
            return false;
        room[i] = c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
    }
    if (room == NULL)
        return false;
    buf_grew(to, s.n);
    return true;
}

#ifdef HOMEWARD_HAS_UNISTRING
#include <stdio.h>
#include <stdlib.h>
#include <unicase.h>
#include <uninorm.h>
#include <unistr.h>
#include <unistring/version.h>

enum { POINTS_MAX = PRECIS_BYTES_MAX, ROUNDS_MAX = 4 };

struct points {
    uint32_t at[POINTS_MAX];
    size_t n;
};

/* What does not fit the room that libunistring was given comes in memory of its own. */
static bool fits(void *result, const void *room)
{
    if (result == room)
        return true;
    free(result);
    return false;
}

static bool to_points(struct span s, struct points *to)
{
    to->n = POINTS_MAX;
    if (s.n > PRECIS_BYTES_MAX || !span_is_utf8(s))
        return false;
    return fits(u8_to_u32((const uint8_t *)s.at, s.n, to->at, &to->n), to->at);
}

static bool add_points(const struct points *from, struct buf *to)
{
    uint8_t bytes[PRECIS_BYTES_MAX];
    size_t n = sizeof bytes;
    return fits(u32_to_u8(from->at, from->n, bytes, &n), bytes) && buf_add(to, span_bytes(bytes, n));
}

static void map_widths(struct points *p)
{
    for (size_t i = 0; i < p->n; i++) {
        ucs4_t parts[UC_DECOMPOSITION_MAX_LENGTH];
        int tag, n = uc_decomposition(p->at[i], &tag, parts);
        if (n == 1 && (tag == UC_DECOMP_WIDE || tag == UC_DECOMP_NARROW))
            p->at[i] = parts[0];
    }
}

static bool lower(struct points *p)
{
    uint32_t result[POINTS_MAX];
    size_t n = POINTS_MAX;
    if (!fits(u32_tolower(p->at, p->n, NULL, UNINORM_NFC, result, &n), result))
        return false;
    memcpy(p->at, result, n * sizeof *result);
    p->n = n;
    return true;
}

/* RFC 8264 7: some strings change again when the rules are applied to what they made; applied until nothing does. */
static bool prepare(struct points *p)
{
    for (int round = 0; round < ROUNDS_MAX; round++) {
        struct points before = *p;
        map_widths(p);
        if (!lower(p))
            return false;
        if (p->n == before.n && memcmp(p->at, before.at, p->n * sizeof *p->at) == 0)
            return true;
    }
    return false;
}

static bool add_widths(struct span s, struct buf *to)
{
    struct points p;
    if (!to_points(s, &p))
        return false;
    map_widths(&p);
    return add_points(&p, to);
}

static bool add_prepared(struct span s, struct buf *to)
{
    struct points p;
    return to_points(s, &p) && prepare(&p) && precis_allows(p.at, p.n) && add_points(&p, to);
}

const char *precis_library_version(void)
{
    static char text[16];
    snprintf(text, sizeof text, "%d.%d", _libunistring_version >> 16, _libunistring_version >> 8 & 0xff);
    return text;
}
#else
const char *precis_library_version(void)
{
    return "";
}

static bool add_widths(struct span s UNUSED, struct buf *to UNUSED)
{
    return false;
}

static bool add_prepared(struct span s UNUSED, struct buf *to UNUSED)
{
    return false;
}
#endif

bool precis_map_widths(struct span s, struct buf *to)
{
    return is_ascii(s) ? buf_add(to, s) : add_widths(s, to);
}

bool precis_username(struct span s, struct buf *to)
{
    if (s.n == 0 || s.n > PRECIS_BYTES_MAX)
        return false;
    return is_ascii(s) ? add_ascii(s, to) : add_prepared(s, to);
}
