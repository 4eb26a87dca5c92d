/* Between the files of the loader: from a libconfig setting to the struct, row by row of the table. */
#ifndef CONFIG_LOAD_H
#define CONFIG_LOAD_H

#include "config/options.h"
#include "config/report.h"

struct config_setting_t; /* libconfig's */

struct load {
    struct config *config;
    struct report *report;
    const struct text *text; /* NULL: bytes of config_dump, where options of other roles are left out */
};

/* One option that is neither group nor list: store what was written, or its default after an error. */
void load_value(struct load *l, const struct option *o, void *base, const struct config_setting_t *s);

/* What it has when nothing was written. */
void load_default(struct load *l, const struct option *o, void *base);

/* "limits.errors: 0 found, expected …"; expected NULL: what the table says. */
void load_wrong(struct load *l, const struct option *o, const struct config_setting_t *s, const char *expected);

/* "sites[0].backends[1].weight" */
bool load_path(const struct config_setting_t *s, struct buf *to) MUST_CHECK;

/* No row has this name: say so, with the nearest name that there is. */
void load_unknown(struct load *l, const struct section *section, const struct config_setting_t *s);

#endif
