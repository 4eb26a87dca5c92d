/* How the rows of the table are written; for the files of the table only (config/options*.c). */
#ifndef CONFIG_OPTIONS_ROWS_H
#define CONFIG_OPTIONS_ROWS_H

#include "config/options.h"
#include "config/rules.h"

#define FIELD(type, member) .at = offsetof(type, member), .bytes = sizeof(((type *)0)->member)
#define WITH(type, member) .with = offsetof(type, member)
#define ROWS(table) .rows = (table), .n = COUNT_OF(table)
#define MAIN FOR_MAIN
#define FRONT FOR_FRONT
#define AUTH FOR_AUTH
#define BACKENDS FOR_BACKENDS
#define EVERYBODY (MAIN | FRONT | AUTH | BACKENDS)

/* Sections in files of their own. */
extern const struct section directory_section, auth_section, accounts_section; /* options_auth.c */
extern const struct section settings_section;                                  /* options_settings.c */

#endif
