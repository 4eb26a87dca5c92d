/* The options as the body of homeward.cfg(5), by the table. */
#include <stdio.h>

#include "config/options.h"

/* Plain text to roff: no line may begin a request, no backslash may begin an escape. */
static bool add_text(struct buf *to, struct span text)
{
    bool fits = true;
    for (size_t i = 0; i < text.n && fits; i++) {
        if (text.at[i] == '\\')
            fits = buf_add_text(to, "\\e");
        else if (text.at[i] == '-')
            fits = buf_add_text(to, "\\-");
        else if ((text.at[i] == '.' || text.at[i] == '\'') && i == 0)
            fits = buf_printf(to, "\\&%c", text.at[i]);
        else
            fits = buf_add_byte(to, text.at[i]);
    }
    return fits;
}

static bool add_words(struct buf *to, const char *words)
{
    return add_text(to, span_of(words));
}

static bool add_default(struct buf *to, const struct option *o)
{
    if (o->normally != NULL)
        return add_words(to, "; default: ") && add_words(to, o->normally);
    if ((o->flags & OPTION_REQUIRED) != 0)
        return add_words(to, "; must be given");
    if (o->normal == NULL)
        return o->kind == KIND_LIST || o->least > 0 || add_words(to, "; default: none");
    bool quoted = o->kind != KIND_INT && o->kind != KIND_BOOL && o->kind != KIND_SWITCH;
    const char *mark = quoted ? "\"" : "";
    return add_words(to, "; default: ") && add_words(to, mark) && add_words(to, o->normal) && add_words(to, mark);
}

static bool add_expectation(struct buf *to, const struct option *o)
{
    struct buf text;
    buf_init(&text, 1024);
    bool fits = option_expects(o, &text) && buf_add_byte(to, '(') && add_text(to, buf_span(&text)) &&
                add_default(to, o) && buf_add_text(to, ")\n");
    buf_fini(&text);
    return fits;
}

static bool manual_option(struct buf *to, const struct option *o, const char *prefix)
{
    return buf_add_text(to, ".TP\n.B ") && add_words(to, prefix) && add_words(to, o->name) && buf_add_byte(to, '\n') &&
           add_expectation(to, o) && (o->help == NULL || (buf_add_text(to, ".br\n") && add_words(to, o->help))) &&
           buf_add_byte(to, '\n');
}

static bool manual_section(struct buf *to, const struct section *section, const char *prefix);

static bool manual_below(struct buf *to, const struct option *o, const char *prefix)
{
    char below[96];
    snprintf(below, sizeof below, "%s%s.", prefix, o->name);
    return manual_section(to, o->section, below);
}

/* The options that may stand in a listener too are explained there. */
static bool manual_shared(struct buf *to, const struct section *section, const char *prefix)
{
    size_t n = 0;
    for (size_t i = 0; i < section->n; i++) {
        if ((section->rows[i].flags & OPTION_SHARED) == 0)
            continue;
        if (!buf_add_text(to, n == 0 ? ".TP\n.B " : ", ") || !add_words(to, prefix) ||
            !add_words(to, section->rows[i].name))
            return false;
        n++;
    }
    return n == 0 ||
           buf_add_text(to, "\nFor all listeners of the group; what a listener says itself goes before it.\n");
}

static bool manual_section(struct buf *to, const struct section *section, const char *prefix)
{
    for (size_t i = 0; i < section->n; i++) {
        const struct option *o = &section->rows[i];
        if (o->kind == KIND_UNAVAILABLE || (o->flags & OPTION_SHARED) != 0)
            continue;
        if (!manual_option(to, o, prefix) || (o->section != NULL && !manual_below(to, o, prefix)))
            return false;
    }
    return manual_shared(to, section, prefix);
}

static bool manual_group(struct buf *to, const struct option *o)
{
    const char *help = o->section != NULL && o->section->help != NULL ? o->section->help : o->help;
    if (!buf_printf(to, ".SS %s\n", o->name) || !add_words(to, help) || !buf_add_byte(to, '\n'))
        return false;
    return o->section == NULL || manual_below(to, o, "");
}

bool config_manual(struct buf *to)
{
    for (size_t i = 0; i < config_section.n; i++) {
        const struct option *o = &config_section.rows[i];
        if (o->kind != KIND_UNAVAILABLE && !manual_group(to, o))
            return false;
    }
    return true;
}
