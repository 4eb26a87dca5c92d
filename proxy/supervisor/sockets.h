/* The listening sockets: for every listener one for each front slot, all of one port joined by SO_REUSEPORT, so that
 * the kernel spreads the clients. main opens them and keeps them open while the listener is configured, because closing
 * one resets the connections that wait in it. */
#ifndef PROXY_SUPERVISOR_SOCKETS_H
#define PROXY_SUPERVISOR_SOCKETS_H

#include "proxy/base/list.h"
#include "proxy/supervisor/settings.h"

enum socket_state {
    SOCKET_BOUND,  /* for settings that are not in force yet: nobody can connect */
    SOCKET_OPEN,   /* listens */
    SOCKET_REMOVED /* closed as soon as no front holds it */
};

struct socket {
    struct list link;
    uint64_t number; /* never used twice */
    struct addr address;
    uint64_t slot;
    int fd;
    enum socket_state state;
    bool given;        /* by a service manager: for slots without one it is shared, since nobody here may bind it */
    bool wanted;       /* by settings that are being prepared: a removed one stays until they are in force or dropped */
    struct list holds; /* fronts that accept from it, see assign.h */
};

extern struct list sockets;

/* Bind what these settings need and is not there yet. False: a line in errors, nothing has changed. patient: wait up to
 * a second for ports in use, for the fronts of a main that has just died are about to close theirs. */
bool sockets_prepare(const struct settings *settings, bool patient, struct buf *errors) MUST_CHECK;
/* A listening socket that a predecessor left to us under that number: it is in use from the next sockets_prepare on, or
 * removed with the next commit. False: it is none, and is left alone. */
bool sockets_adopt(int fd, uint64_t slot, uint64_t number, bool given) MUST_CHECK;
/* The same for one that a service manager opened. */
bool sockets_take_given(int fd) MUST_CHECK;
void sockets_abort(void); /* forget what sockets_prepare bound */

/* The settings are in force: listen on what is new, remove what they do not name. assign() comes next. */
void sockets_commit(const struct settings *settings);
void sockets_remove_all(void);

void socket_close(struct socket *s); /* for assign.c: a removed one that nobody holds */

#endif
