/* One Homeward per runtime directory: <runtime_dir>/lock, held with flock(2) as long as main lives, however it ends. */
#ifndef PROXY_SUPERVISOR_LOCK_H
#define PROXY_SUPERVISOR_LOCK_H

#include "proxy/base/buf.h"

struct lock {
    int fd; /* -1: not held */
    char *path;
};

enum lock_result {
    LOCK_TAKEN,
    LOCK_BUSY,    /* another Homeward has it: `why` has a sentence */
    LOCK_HOPELESS /* the directory cannot be had, `why` says why; one can live without */
};

/* Creates the directory if its parent is there. */
enum lock_result lock_take(struct lock *lock, const char *dir, struct buf *why) MUST_CHECK;
void lock_release(struct lock *lock); /* takes the file away too; safe when nothing is held */

#endif
