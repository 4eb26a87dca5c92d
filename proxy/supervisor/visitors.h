/* Between the two files of the control socket: who is connected and what they wait for (control.c), and what each
 * command does (commands.c). */
#ifndef PROXY_SUPERVISOR_VISITORS_H
#define PROXY_SUPERVISOR_VISITORS_H

#include "proxy/net/control.h"
#include "proxy/supervisor/child.h"

struct visitor {
    struct list link;
    struct ipc *channel;
    bool operates; /* may change things; else only look */
    uint32_t uid;
    bool busy;
    uint64_t id;         /* of the question under way, as processes know it */
    struct list awaited; /* processes that have not answered it */
    bool awaits_change;  /* the end of a reload … */
    bool skips_change;   /* … but not of the one that was under way when it asked */
    struct alarm patience;
};

struct command {
    const char *name;
    bool operates;                                                      /* it changes something */
    unsigned asks;                                                      /* whom: bits 1 << enum role_kind */
    bool streams;                                                       /* the lines come over time, through a pipe */
    void (*run)(struct visitor *v, const struct span *words, size_t n); /* what main itself does; may be NULL */
};

const struct command *command_find(struct span name);

/* One answer of main's own. end: no other follows. lines: JSON, may be NULL. */
void visitor_tell(struct visitor *v, enum control_status status, const struct buf *lines, const char *text);
void visitor_end(struct visitor *v, enum control_status status, const char *text);

#endif
