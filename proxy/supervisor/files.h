/* Files that change under a running Homeward: the map, accounts, certificates, keys, CAs, /etc/hosts. main only looks
 * at them with stat(2), every two seconds and through symbolic links (certbot swaps those); reading and checking is the
 * checker's work. */
#ifndef PROXY_SUPERVISOR_FILES_H
#define PROXY_SUPERVISOR_FILES_H

#include "proxy/base/buf.h"

/* All zero: there is no such file. */
struct stamp {
    uint64_t device, inode, size, mtime_ns;
};

enum files_kind { FILES_MAP = 1, FILES_CERTIFICATES = 2, FILES_ACCOUNTS = 4, FILES_HOSTS = 8 };

enum { FILES_PATH_MAX = 4096, FILES_SCAN_MS = 2000 };

struct watched {
    char *path;
    uint8_t kind;
    struct stamp checked; /* as it was when it was last read */
    struct stamp seen;    /* at the last scan */
};

/* Pure: the file looks like `now`. True when it differs from what was read last and has been still since the last scan:
 * it is time to read it. */
bool watched_step(struct watched *w, const struct stamp *now);

/* What the checker saw just before it read the file, for files_watch. */
bool files_pack(struct buf *to, enum files_kind kind, const char *path) MUST_CHECK;

/* Watch these and no others from now on. What is not such a packed list is not watched. */
void files_watch(struct span packed);

/* changed gets a mask of kinds, all of whose changed files have been still for one scan. It must either call
 * files_taken before it starts to read them, or leave it for the next scan. */
void files_start(void (*changed)(unsigned kinds));
void files_taken(unsigned kinds);
void files_stop(void);

#endif
