/* The lock on the runtime directory. */
#include "proxy/supervisor/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proxy/supervisor/tell.h"

/* The file that we locked may have been taken away, by the one that held it, between our open and our lock. */
static bool is_still(int fd, const char *path)
{
    struct stat ours, there;
    return fstat(fd, &ours) == 0 && stat(path, &there) == 0 && ours.st_ino == there.st_ino &&
           ours.st_dev == there.st_dev;
}

/* 0, or errno; EWOULDBLOCK leaves *fd open, so that the holder's number can be read. */
static int lock_file(const char *path, int *fd)
{
    for (;;) {
        *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
        if (*fd < 0)
            return errno;
        if (flock(*fd, LOCK_EX | LOCK_NB) != 0)
            return errno;
        if (is_still(*fd, path))
            return 0;
        close(*fd);
    }
}

/* A courtesy to whoever is refused: nothing depends on it. */
static void write_pid(int fd)
{
    char pid[16];
    int n = snprintf(pid, sizeof pid, "%d\n", (int)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, pid, (size_t)n, 0) != n)
        return;
}

static enum lock_result busy(int fd, const char *dir, struct buf *why)
{
    char pid[16] = { 0 };
    ssize_t n = pread(fd, pid, sizeof pid - 1, 0);
    pid[n > 0 ? strspn(pid, "0123456789") : 0] = '\0';
    complain(why,
             "another Homeward (pid %s) is running with run.runtime_dir = \"%s\"; stop it, or give this one a "
             "runtime_dir of its own",
             pid[0] != '\0' ? pid : "unknown", dir);
    return LOCK_BUSY;
}

static enum lock_result hopeless(int error, const char *path, struct buf *why)
{
    complain(why, "%s: %s; another Homeward with the same run.runtime_dir would not be noticed", path, strerror(error));
    return LOCK_HOPELESS;
}

enum lock_result lock_take(struct lock *lock, const char *dir, struct buf *why)
{
    *lock = (struct lock){ .fd = -1 };
    if (asprintf(&lock->path, "%s/lock", dir) < 0)
        return hopeless(ENOMEM, dir, why);
    int error = mkdir(dir, 0755) == 0 || errno == EEXIST ? lock_file(lock->path, &lock->fd) : errno;
    if (error == 0) {
        write_pid(lock->fd);
        return LOCK_TAKEN;
    }
    enum lock_result result = error == EWOULDBLOCK ? busy(lock->fd, dir, why) : hopeless(error, lock->path, why);
    if (lock->fd >= 0)
        close(lock->fd);
    free(lock->path);
    *lock = (struct lock){ .fd = -1 };
    return result;
}

void lock_release(struct lock *lock)
{
    if (lock->fd < 0)
        return;
    unlink(lock->path); /* while it is held: nobody else can have locked this very file */
    close(lock->fd);
    free(lock->path);
    *lock = (struct lock){ .fd = -1 };
}
