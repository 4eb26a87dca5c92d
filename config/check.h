/* The rules that no single option can break alone. */
#ifndef CONFIG_CHECK_H
#define CONFIG_CHECK_H

#include "config/config.h"
#include "config/report.h"

struct check {
    const struct config *config;
    struct report *report;
    int64_t now_s; /* since 1970 */
};

/* Errors and warnings go to the report. All rules are gone through, whatever the others found. */
void check_config(const struct config *config, struct report *report);

/* Of them, those of one site each and of sites among themselves. */
void check_sites(const struct check *k);

/* Those of accounts.*, and of auth.* with what it means for sites. */
void check_accounts(const struct check *k);
void check_auth(const struct check *k);
void check_guessing(const struct check *k);

/* What users are told must be what is served. */
void check_settings(const struct check *k);

/* And of them, those of security = "ipsec". */
void check_ipsec(const struct check *k, const struct site_config *s);

/* The line of an option, or of the item it belongs to where it was left out. */
int check_line(const struct check *k, const void *field, const void *item);

/* `what` is weak ("site \"old\" is reached in clear text"): it needs a reason and a day that has not passed, and is
 * named as WEAK. */
void check_exception(const struct check *k, const struct exception *e, const void *item, int line, const char *what);

#endif
