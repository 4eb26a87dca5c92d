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

struct manual {
    struct buf *to;
    /* Sections that stand in two places are explained at the first. */
    struct {
        const struct section *section;
        char path[96];
    } told[32];
    size_t n_told;
};

static bool manual_section(struct manual *m, const struct section *section, const char *prefix);

static bool manual_option(struct manual *m, const struct option *o, const char *prefix)
{
    return buf_add_text(m->to, ".TP\n.B ") && add_words(m->to, prefix) && add_words(m->to, o->name) &&
           buf_add_byte(m->to, '\n') && add_expectation(m->to, o) &&
           (o->help == NULL || (buf_add_text(m->to, ".br\n") && add_words(m->to, o->help))) &&
           buf_add_byte(m->to, '\n');
}

static bool manual_below(struct manual *m, const struct option *o, const char *prefix)
{
    char below[96];
    snprintf(below, sizeof below, "%s%s.", prefix, o->name);
    for (size_t i = 0; i < m->n_told; i++)
        if (m->told[i].section == o->section)
            return buf_add_text(m->to, ".TP\n.B ") && add_words(m->to, below) && buf_add_text(m->to, "*\nAs ") &&
                   add_words(m->to, m->told[i].path) && buf_add_text(m->to, "*\n");
    assert(m->n_told < COUNT_OF(m->told));
    m->told[m->n_told].section = o->section;
    memcpy(m->told[m->n_told++].path, below, sizeof below);
    return manual_section(m, o->section, below);
}

/* The options that may stand in a listener too are explained there. */
static bool manual_shared(struct manual *m, const struct section *section, const char *prefix)
{
    size_t n = 0;
    for (size_t i = 0; i < section->n; i++) {
        if ((section->rows[i].flags & OPTION_SHARED) == 0)
            continue;
        if (!buf_add_text(m->to, n == 0 ? ".TP\n.B " : ", ") || !add_words(m->to, prefix) ||
            !add_words(m->to, section->rows[i].name))
            return false;
        n++;
    }
    return n == 0 ||
           buf_add_text(m->to, "\nFor all listeners of the group; what a listener says itself goes before it.\n");
}

static bool manual_section(struct manual *m, const struct section *section, const char *prefix)
{
    for (size_t i = 0; i < section->n; i++) {
        const struct option *o = &section->rows[i];
        if ((o->flags & OPTION_SHARED) != 0)
            continue;
        if (!manual_option(m, o, prefix) || (o->section != NULL && !manual_below(m, o, prefix)))
            return false;
    }
    return manual_shared(m, section, prefix);
}

static bool manual_group(struct manual *m, const struct option *o)
{
    const char *help = o->section != NULL && o->section->help != NULL ? o->section->help : o->help;
    if (!buf_printf(m->to, ".SS %s\n", o->name) || !add_words(m->to, help) || !buf_add_byte(m->to, '\n'))
        return false;
    return o->section == NULL || manual_below(m, o, "");
}

bool config_manual(struct buf *to)
{
    struct manual m = { .to = to };
    for (size_t i = 0; i < config_section.n; i++)
        if (!manual_group(&m, &config_section.rows[i]))
            return false;
    return true;
}
