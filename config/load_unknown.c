/* An unknown option, and the name that was probably meant: the nearest of its group, or the same name elsewhere. */
#include <libconfig.h>

#include "config/load.h"

enum { NAME_MAX_COMPARED = 48 };

static size_t smallest(size_t a, size_t b, size_t c)
{
    size_t ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/* Letters to insert, drop or change to turn one name into the other (Levenshtein). */
static size_t distance(const char *a, const char *b)
{
    size_t row[NAME_MAX_COMPARED + 1], n = strlen(b);
    if (n > NAME_MAX_COMPARED)
        return SIZE_MAX;
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t above = row[j];
            row[j] = smallest(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[n];
}

static const struct option *nearest(const struct section *section, const char *name)
{
    const struct option *best = NULL;
    size_t n = strlen(name), best_distance = n < 6 ? 2 : n < 12 ? 3 : 4; /* further away it would be a guess */
    for (size_t i = 0; i < section->n && n <= NAME_MAX_COMPARED; i++) {
        const struct option *o = &section->rows[i];
        size_t d = distance(o->name, name);
        if (d < best_distance) {
            best = o;
            best_distance = d;
        }
    }
    return best;
}

/* Add the path of the first option of this name below the section. */
static bool elsewhere(const struct section *section, const char *name, struct buf *path)
{
    size_t start = path->n;
    for (size_t i = 0; i < section->n; i++) {
        const struct option *o = &section->rows[i];
        if (!buf_printf(path, "%s%s", start > 0 ? "." : "", o->name))
            return false;
        if (strcmp(o->name, name) == 0)
            return true;
        if (o->section != NULL && elsewhere(o->section, name, path))
            return true;
        path->n = start;
    }
    return false;
}

void load_unknown(struct load *l, const struct section *section, const config_setting_t *s)
{
    struct buf path, meant;
    buf_init(&path, 512);
    buf_init(&meant, 256);
    const struct option *near = nearest(section, config_setting_name(s));
    bool found =
        near != NULL ? buf_add_text(&meant, near->name) : elsewhere(&config_section, config_setting_name(s), &meant);
    int line = (int)config_setting_source_line(s);
    if (!load_path(s, &path))
        report_error(l->report, line, "an unknown option with a very long name");
    else if (found)
        report_error(l->report, line, "%.*s: unknown option, did you mean %.*s?", SPAN_ARG(buf_span(&path)),
                     SPAN_ARG(buf_span(&meant)));
    else
        report_error(l->report, line, "%.*s: unknown option", SPAN_ARG(buf_span(&path)));
    buf_fini(&path);
    buf_fini(&meant);
}
