/* Assigning sockets to fronts. A hold is one copy of a socket in one front: from MSG_LISTEN to MSG_UNLISTENED. */
#include "proxy/supervisor/assign.h"

#include <stdlib.h>

#include "proxy/supervisor/generation.h"
#include "proxy/supervisor/sockets.h"

struct hold {
    struct list of_socket, of_front;
    struct socket *socket;
    struct child *front;
    bool leaving; /* told MSG_UNLISTEN, and still accepting what waits */
};

size_t assign_pick(const bool *can, size_t n, uint64_t slot)
{
    for (size_t i = 0; i < n; i++)
        if (can[(slot + i) % n])
            return (slot + i) % n;
    return n;
}

/* ---- holds ---- */

static struct hold *hold_of(const struct socket *s, const struct child *front)
{
    LIST_EACH(link, &s->holds) {
        struct hold *h = OWNER_OF(link, struct hold, of_socket);
        if (h->front == front)
            return h;
    }
    return NULL;
}

static void hold_free(struct hold *h)
{
    list_remove(&h->of_socket);
    list_remove(&h->of_front);
    free(h);
}

static void tell(const struct hold *h, enum message_type type, uint64_t listener)
{
    struct message m = { .type = type };
    m.listen.socket = h->socket->number;
    m.listen.listener = listener;
    if (type == MSG_LISTEN)
        m.fds[m.n_fds++] = h->socket->fd;
    child_send(h->front, &m);
}

static struct hold *hold_new(struct socket *s, struct child *front)
{
    struct hold *h = malloc(sizeof *h);
    if (h == NULL)
        return NULL;
    *h = (struct hold){ .socket = s, .front = front };
    list_init(&h->of_socket);
    list_init(&h->of_front);
    list_add(&s->holds, &h->of_socket);
    list_add(&front->holds, &h->of_front);
    return h;
}

static bool listen_at(struct socket *s, struct child *front)
{
    uint64_t listener;
    struct hold *h = settings_listener(front->settings, &s->address, &listener) ? hold_new(s, front) : NULL;
    if (h != NULL)
        tell(h, MSG_LISTEN, listener);
    return h != NULL;
}

static void unlisten(struct hold *h)
{
    if (h->leaving)
        return;
    h->leaving = true;
    tell(h, MSG_UNLISTEN, 0);
}

/* ---- choosing ---- */

/* An old generation's front can take clients too, in need, if its own configuration has the listener. */
static bool can_listen(const struct socket *s, const struct child *front, bool is_current)
{
    uint64_t listener;
    return front != NULL && child_is_there(front) &&
           (front->state == CHILD_READY || (!is_current && front->state == CHILD_LEAVING)) &&
           settings_listener(front->settings, &s->address, &listener);
}

static struct child *pick_from(const struct socket *s, const struct generation *g, bool is_current)
{
    bool can[GENERATION_SLOTS_MAX];
    for (size_t slot = 0; slot < g->n_slots; slot++)
        can[slot] = can_listen(s, g->fronts[slot], is_current);
    size_t slot = assign_pick(can, g->n_slots, s->slot);
    return slot < g->n_slots ? g->fronts[slot] : NULL;
}

static struct child *pick(const struct socket *s, const struct generation *current)
{
    struct child *front = current != NULL ? pick_from(s, current, true) : NULL;
    for (struct list *link = generations.prev; front == NULL && link != &generations; link = link->prev) {
        const struct generation *g = OWNER_OF(link, struct generation, link);
        if (g->retired && !g->says_bye)
            front = pick_from(s, g, false);
    }
    return front;
}

/* The new one listens before the old one is told to stop. A front that is just about to close its copy of this socket
 * is asked again when it has said so. */
static void assign_socket(struct socket *s, const struct generation *current)
{
    struct child *front = s->state == SOCKET_OPEN ? pick(s, current) : NULL;
    struct hold *held = front != NULL ? hold_of(s, front) : NULL;
    if (front != NULL && held == NULL && !listen_at(s, front))
        return;
    if ((held != NULL && held->leaving) || (front == NULL && s->state == SOCKET_OPEN))
        return;
    LIST_EACH(link, &s->holds) {
        struct hold *h = OWNER_OF(link, struct hold, of_socket);
        if (h->front != front)
            unlisten(h);
    }
}

void assign(const struct generation *current)
{
    LIST_EACH_SAFE(link, &sockets) {
        struct socket *s = OWNER_OF(link, struct socket, link);
        if (s->state != SOCKET_BOUND)
            assign_socket(s, current);
        if (s->state == SOCKET_REMOVED && !s->wanted && list_empty(&s->holds))
            socket_close(s);
    }
}

/* ---- the end of a hold ---- */

void assign_unlistened(struct child *front, uint64_t number)
{
    LIST_EACH(link, &front->holds) {
        struct hold *h = OWNER_OF(link, struct hold, of_front);
        if (h->socket->number != number || !h->leaving)
            continue;
        hold_free(h);
        return;
    }
}

void assign_forget(struct child *front)
{
    LIST_EACH_SAFE(link, &front->holds)
        hold_free(OWNER_OF(link, struct hold, of_front));
}

/* ---- over a takeover ---- */

void assign_adopt(struct child *front, uint64_t number)
{
    struct message m = { .type = MSG_UNLISTEN, .listen.socket = number };
    LIST_EACH(link, &sockets) {
        struct socket *s = OWNER_OF(link, struct socket, link);
        if (s->number == number && hold_new(s, front) != NULL)
            return;
    }
    child_send(front, &m);
}

void assign_tell(const struct child *front, void (*found)(void *to, uint64_t number), void *to)
{
    LIST_EACH(link, &front->holds) {
        const struct hold *h = OWNER_OF(link, struct hold, of_front);
        if (!h->leaving)
            found(to, h->socket->number);
    }
}
