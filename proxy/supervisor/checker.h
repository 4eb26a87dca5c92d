/* The checking process as main sees it: at most one at a time, bounded in time. */
#ifndef PROXY_SUPERVISOR_CHECKER_H
#define PROXY_SUPERVISOR_CHECKER_H

#include "proxy/supervisor/settings.h"

enum { CHECKER_MS = 60000 };

struct checked {
    bool good;
    struct span text; /* lines: warnings when it is good, else errors; at least one of those */
    /* When it is good. The blobs of parts that were not ordered are empty. The callee takes those that it wants and
     * puts -1 there. */
    int fds[SETTINGS_PARTS];
    struct span seen; /* for files_watch */
};

/* parts: of enum check_parts. in_force: NULL only for the first check of all. done is called once, never inside this,
 * not after checker_cancel. False: the process cannot be started, errno says why. */
bool checker_start(unsigned parts, const char *file, const struct settings *in_force,
                   void (*done)(struct checked *c)) MUST_CHECK;
bool checker_is_busy(void);
void checker_cancel(void); /* safe at any time; busy until the process is gone */
void checker_wait(void);   /* for that, when the loop does not run any more */

#endif
