/* Watching files by their stamps. */
#include "proxy/supervisor/files.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "proxy/base/pack.h"
#include "proxy/net/deadline.h"

enum { FILES_MAX = 4096 };

static struct {
    struct watched *at;
    size_t n;
    struct alarm alarm;
    void (*changed)(unsigned kinds);
} files;

static struct stamp stamp_of(const char *path)
{
    struct stat is;
    if (stat(path, &is) != 0)
        return (struct stamp){ 0 };
    return (struct stamp){ is.st_dev, is.st_ino, (uint64_t)is.st_size,
                           (uint64_t)is.st_mtim.tv_sec * 1000000000 + (uint64_t)is.st_mtim.tv_nsec };
}

static bool stamp_eq(const struct stamp *a, const struct stamp *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size && a->mtime_ns == b->mtime_ns;
}

bool watched_step(struct watched *w, const struct stamp *now)
{
    bool still = stamp_eq(&w->seen, now);
    w->seen = *now;
    return still && !stamp_eq(&w->checked, now);
}

bool files_pack(struct buf *to, enum files_kind kind, const char *path)
{
    struct stamp s = stamp_of(path);
    return pack_number(to, kind, 1) && pack_string(to, span_of(path)) && pack_number(to, s.device, 8) &&
           pack_number(to, s.inode, 8) && pack_number(to, s.size, 8) && pack_number(to, s.mtime_ns, 8);
}

static void forget(void)
{
    for (size_t i = 0; i < files.n; i++)
        free(files.at[i].path);
    free(files.at);
    files.at = NULL;
    files.n = 0;
}

static bool take(struct unpack *from, struct watched *w)
{
    w->kind = (uint8_t)unpack_number(from, 1);
    w->path = span_copy(unpack_string(from, FILES_PATH_MAX));
    w->checked.device = unpack_number(from, 8);
    w->checked.inode = unpack_number(from, 8);
    w->checked.size = unpack_number(from, 8);
    w->checked.mtime_ns = unpack_number(from, 8);
    w->seen = w->checked;
    if (!from->bad && w->path != NULL)
        return true;
    free(w->path);
    return false;
}

void files_watch(struct span packed)
{
    struct unpack from = { .rest = packed };
    forget();
    files.at = calloc(FILES_MAX, sizeof *files.at);
    while (files.at != NULL && from.rest.n > 0 && files.n < FILES_MAX && take(&from, &files.at[files.n]))
        files.n++;
}

/* A chain and its key are two files: what has changed is told only when nothing of its kind is in motion. */
static void scan(struct alarm *alarm)
{
    unsigned due = 0, moving = 0;
    for (size_t i = 0; i < files.n; i++) {
        struct watched *w = &files.at[i];
        struct stamp before = w->seen, now = stamp_of(w->path);
        if (watched_step(w, &now))
            due |= w->kind;
        else if (!stamp_eq(&before, &now))
            moving |= w->kind;
    }
    if ((due & ~moving) != 0)
        files.changed(due & ~moving);
    if (!alarm_set(alarm, FILES_SCAN_MS, scan))
        abort(); /* a few bytes of heap for one alarm: the process is beyond help */
}

void files_start(void (*changed)(unsigned kinds))
{
    files.changed = changed;
    scan(&files.alarm);
}

void files_taken(unsigned kinds)
{
    for (size_t i = 0; i < files.n; i++)
        if ((files.at[i].kind & kinds) != 0)
            files.at[i].checked = files.at[i].seen;
}

void files_stop(void)
{
    alarm_clear(&files.alarm);
    forget();
}
