/* An intrusive, doubly linked ring. The list itself is a link; an unlinked link points to itself. */
#ifndef PROXY_BASE_LIST_H
#define PROXY_BASE_LIST_H

#include "proxy/base/check.h"

struct list {
    struct list *next, *prev;
};

#define LIST_EACH(link, ring) for (struct list *link = (ring)->next; link != (ring); link = link->next)
/* Survives the removal of `link` itself (and of nothing else). */
#define LIST_EACH_SAFE(link, ring)                                                                                     \
    for (struct list *link = (ring)->next, *link##_next = link->next; link != (ring);                                  \
         link = link##_next, link##_next = link->next)

static inline void list_init(struct list *l)
{
    l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}

static inline void list_add(struct list *list, struct list *link) /* at the tail */
{
    link->prev = list->prev;
    link->next = list;
    list->prev->next = link;
    list->prev = link;
}

static inline void list_remove(struct list *link) /* safe for an unlinked one */
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    list_init(link);
}

#endif
