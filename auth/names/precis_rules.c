/* The rules of characters. The tables are libunistring's; what stands here are the few exceptions that the RFCs list
 * by name. */
#include "auth/names/precis_rules.h"

#ifdef HOMEWARD_HAS_UNISTRING
#include <string.h>
#include <unictype.h>
#include <unigbrk.h>
#include <uninorm.h>

/* RFC 8264 9.6. What depends on its neighbours is looked at there. */
static const struct exception {
    uint32_t first, last;
    bool allowed;
} exceptions[] = {
    {0x00b7,  0x00b7, true },
    { 0x00df, 0x00df, true },
    { 0x0375, 0x0375, true },
    { 0x03c2, 0x03c2, true },
    { 0x05f3, 0x05f4, true },
    { 0x0640, 0x0640, false},
    { 0x0660, 0x0669, true },
    { 0x06f0, 0x06f9, true },
    { 0x06fd, 0x06fe, true },
    { 0x07fa, 0x07fa, false},
    { 0x0f0b, 0x0f0b, true },
    { 0x3007, 0x3007, true },
    { 0x302e, 0x302f, false},
    { 0x3031, 0x3035, false},
    { 0x303b, 0x303b, false},
    { 0x30fb, 0x30fb, true },
};

static const struct exception *exception_of(uint32_t c)
{
    for (size_t i = 0; i < COUNT_OF(exceptions); i++)
        if (c >= exceptions[i].first && c <= exceptions[i].last)
            return &exceptions[i];
    return NULL;
}

static bool is_old_hangul(uint32_t c)
{
    int part = uc_graphemeclusterbreak_property(c);
    return part == GBP_L || part == GBP_V || part == GBP_T;
}

/* It is written like another character: RFC 8264 9.17. */
static bool has_compatible(uint32_t c)
{
    uint32_t result[UC_DECOMPOSITION_MAX_LENGTH];
    size_t n = COUNT_OF(result);
    return u32_normalize(UNINORM_NFKC, &c, 1, result, &n) != result || n != 1 || result[0] != c;
}

static bool is_letter_or_digit(uint32_t c)
{
    return uc_is_general_category_withtable(c, UC_CATEGORY_MASK_Lu | UC_CATEGORY_MASK_Ll | UC_CATEGORY_MASK_Lo |
                                                   UC_CATEGORY_MASK_Nd | UC_CATEGORY_MASK_Lm | UC_CATEGORY_MASK_Mn |
                                                   UC_CATEGORY_MASK_Mc);
}

/* RFC 8264 8, in its order. */
static bool is_identifier(uint32_t c)
{
    const struct exception *e = exception_of(c);
    if (e != NULL)
        return e->allowed;
    if (c < 0x80)
        return c > 0x20 && c < 0x7f;
    if (c == 0x200c || c == 0x200d) /* in their context */
        return true;
    if (is_old_hangul(c) || uc_is_property(c, UC_PROPERTY_DEFAULT_IGNORABLE_CODE_POINT) ||
        uc_is_property(c, UC_PROPERTY_NOT_A_CHARACTER))
        return false;
    return !has_compatible(c) && is_letter_or_digit(c);
}

/* ---- context: RFC 5892 appendix A ---- */

static bool is_script(uint32_t c, const char *name)
{
    const uc_script_t *script = uc_script(c);
    return script != NULL && strcmp(script->name, name) == 0;
}

static bool has_between(const uint32_t *at, size_t n, uint32_t first, uint32_t last)
{
    for (size_t i = 0; i < n; i++)
        if (at[i] >= first && at[i] <= last)
            return true;
    return false;
}

static bool has_japanese(const uint32_t *at, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (at[i] != 0x30fb &&
            (is_script(at[i], "Hiragana") || is_script(at[i], "Katakana") || is_script(at[i], "Han")))
            return true;
    return false;
}

static bool fits_context(const uint32_t *at, size_t n, size_t i)
{
    uint32_t before = i > 0 ? at[i - 1] : 0, after = i + 1 < n ? at[i + 1] : 0;
    switch (at[i]) {
    case 0x200c: /* the joiners: after a virama; between joining letters would be allowed too, and is not missed */
    case 0x200d:
        return uc_combining_class(before) == UC_CCC_VR;
    case 0x00b7:
        return before == 'l' && after == 'l';
    case 0x0375:
        return is_script(after, "Greek");
    case 0x05f3:
    case 0x05f4:
        return is_script(before, "Hebrew");
    case 0x30fb:
        return has_japanese(at, n);
    default:
        break;
    }
    if (at[i] >= 0x0660 && at[i] <= 0x0669)
        return !has_between(at, n, 0x06f0, 0x06f9);
    return true;
}

/* ---- direction: RFC 5893 2 ---- */

enum direction { LEFT_TO_RIGHT, RIGHT_TO_LEFT };

static bool is_right_to_left(int class)
{
    return class == UC_BIDI_R || class == UC_BIDI_AL;
}

static bool may_stand(int class, enum direction d)
{
    static const int neutral[] = {
        UC_BIDI_EN, UC_BIDI_ES, UC_BIDI_CS, UC_BIDI_ET, UC_BIDI_ON, UC_BIDI_BN, UC_BIDI_NSM
    };
    for (size_t i = 0; i < COUNT_OF(neutral); i++)
        if (class == neutral[i])
            return true;
    return d == LEFT_TO_RIGHT ? class == UC_BIDI_L : is_right_to_left(class) || class == UC_BIDI_AN;
}

static bool may_end(int class, enum direction d)
{
    return class == UC_BIDI_EN ||
           (d == LEFT_TO_RIGHT ? class == UC_BIDI_L : is_right_to_left(class) || class == UC_BIDI_AN);
}

static bool obeys_bidi(const uint32_t *at, size_t n)
{
    int first = uc_bidi_class(at[0]);
    enum direction d = is_right_to_left(first) ? RIGHT_TO_LEFT : LEFT_TO_RIGHT;
    bool european = false, arabic = false;
    size_t end = n;
    if (d == LEFT_TO_RIGHT && first != UC_BIDI_L)
        return false;
    for (size_t i = 0; i < n; i++) {
        int class = uc_bidi_class(at[i]);
        european = european || class == UC_BIDI_EN;
        arabic = arabic || class == UC_BIDI_AN;
        if (!may_stand(class, d))
            return false;
    }
    while (end > 1 && uc_bidi_class(at[end - 1]) == UC_BIDI_NSM)
        end--;
    return may_end(uc_bidi_class(at[end - 1]), d) && !(d == RIGHT_TO_LEFT && european && arabic);
}

static bool has_right_to_left(const uint32_t *at, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int class = uc_bidi_class(at[i]);
        if (is_right_to_left(class) || class == UC_BIDI_AN)
            return true;
    }
    return false;
}

bool precis_allows(const uint32_t *at, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!is_identifier(at[i]) || !fits_context(at, n, i))
            return false;
    return n > 0 && (!has_right_to_left(at, n) || obeys_bidi(at, n));
}
#else
bool precis_allows(const uint32_t *at UNUSED, size_t n UNUSED)
{
    return false;
}
#endif
