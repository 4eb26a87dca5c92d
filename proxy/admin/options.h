/* The options that the commands of `homeward` share. */
#ifndef PROXY_ADMIN_OPTIONS_H
#define PROXY_ADMIN_OPTIONS_H

#include "config/config.h"

struct admin_options {
    const char *file; /* the configuration */
    const char *word; /* USER or SITE; NULL when it was left out */
    enum protocol protocol;
    bool has_protocol; /* else both, where that makes sense */
    struct addr from;  /* AF_UNSPEC: not said */
    const char *user;
    bool json, front;
    int status; /* what to exit with when reading them ended the command */
};

extern const char admin_config_file[]; /* where the configuration is when nobody says */

/* argv[0] is the command's name; usage: what stands behind it. False: exit with o->status; help or what was wrong has
 * been printed. */
bool admin_options_read(struct admin_options *o, int argc, char **argv, const char *usage, bool needs_word) MUST_CHECK;

#endif
