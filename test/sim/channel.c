/* proxy/net/ipc.h on queues. Messages are packed and unpacked as they are between processes; descriptors are numbers of
 * this world. A model that dies may take with it what it said last. */
#include "proxy/net/ipc.h"

#include <stdlib.h>

#include "proxy/base/list.h"
#include "test/sim/sim.h"

enum { CHANNELS_MAX = 64 };

struct packet {
    struct list link;
    int fds[MESSAGE_FDS_MAX];
    size_t n_fds, n;
    char bytes[];
};

struct channel {
    struct ipc *front; /* NULL: not taken yet, or freed */
    struct list to_front, to_model;
    void (*take)(void *model, struct message *m);
    void (*let_go)(void *model);
    void *model; /* NULL: dead */
    int fd;      /* until the front takes it */
    bool front_gone;
};

struct ipc {
    struct channel *channel;
    const struct ipc_events *events;
    void *owner;
    bool told;   /* that it is closed */
    bool *freed; /* set by ipc_free while a callback runs */
};

static struct channel *channels[CHANNELS_MAX];
static size_t n_channels;

size_t channels_alive(void)
{
    return n_channels;
}

/* ---- the model's end ---- */

struct channel *channel_new(void (*take)(void *model, struct message *m), void (*let_go)(void *model), void *model)
{
    struct channel *c = calloc(1, sizeof *c);
    SIM_REQUIRE(c != NULL && n_channels < CHANNELS_MAX);
    *c = (struct channel){ .take = take, .let_go = let_go, .model = model, .fd = channel_fd(c) };
    list_init(&c->to_front);
    list_init(&c->to_model);
    channels[n_channels++] = c;
    return c;
}

int channel_front_end(struct channel *c)
{
    return c->fd;
}

static void drop_packets(struct list *queue)
{
    while (!list_empty(queue)) {
        struct packet *p = OWNER_OF(queue->next, struct packet, link);
        for (size_t i = 0; i < p->n_fds; i++)
            if (p->fds[i] >= 0)
                fd_close(p->fds[i]);
        list_remove(&p->link);
        explicit_bzero(p->bytes, p->n);
        free(p);
    }
}

/* Auth is shown what it judges, and gives what is for the store; nobody else hears of any of it. */
static void require_discreet(const struct message *m, struct span packet)
{
    unsigned allowed = house_judges && m->type == MSG_ASK ? SECRETS_OWN : m->type == MSG_VERDICT ? SECRETS_GIVEN : 0;
    SIM_REQUIRE((secrets_in(NULL, packet) & ~allowed) == 0);
}

static bool enqueue(struct list *queue, const struct message *m)
{
    char room[IPC_BYTES_MAX];
    struct buf packed = { .at = room, .room = sizeof room, .max = sizeof room };
    if (!message_pack(m, &packed))
        return false;
    require_discreet(m, buf_span(&packed));
    struct packet *p = malloc(sizeof *p + packed.n);
    SIM_REQUIRE(p != NULL);
    *p = (struct packet){ .n = packed.n, .n_fds = m->n_fds };
    memcpy(p->fds, m->fds, sizeof p->fds);
    memcpy(p->bytes, room, packed.n);
    list_init(&p->link);
    list_add(queue, &p->link);
    return true;
}

void channel_say(struct channel *c, const struct message *m)
{
    if (c->front_gone) {
        for (size_t i = 0; i < m->n_fds; i++)
            fd_close(m->fds[i]);
        return;
    }
    SIM_REQUIRE(enqueue(&c->to_front, m));
}

void channel_die(struct channel *c, bool lose)
{
    c->model = NULL;
    drop_packets(&c->to_model);
    if (lose)
        drop_packets(&c->to_front);
}

bool channel_is_quiet(const struct channel *c)
{
    return list_empty(&c->to_front) && list_empty(&c->to_model);
}

/* ---- the front's end ---- */

struct ipc *ipc_new(int fd, const struct ipc_events *events, void *owner)
{
    struct channel *c = channel_of(fd);
    struct ipc *ipc = calloc(1, sizeof *ipc);
    SIM_REQUIRE(c != NULL && c->front == NULL && ipc != NULL);
    *ipc = (struct ipc){ .channel = c, .events = events, .owner = owner };
    c->front = ipc;
    return ipc;
}

void ipc_set_events(struct ipc *channel, const struct ipc_events *events)
{
    channel->events = events;
}

void ipc_free(struct ipc **pointer)
{
    struct ipc *ipc = *pointer;
    if (ipc == NULL)
        return;
    *pointer = NULL;
    struct channel *c = ipc->channel;
    if (ipc->freed != NULL)
        *ipc->freed = true;
    c->front = NULL;
    c->front_gone = true;
    drop_packets(&c->to_front);
    fd_close(c->fd);
    free(ipc);
}

bool ipc_send(struct ipc *ipc, const struct message *m)
{
    struct channel *c = ipc->channel;
    SIM_REQUIRE(m->n_fds == 0);
    return c->model != NULL && !ipc->told && enqueue(&c->to_model, m);
}

bool ipc_report(struct ipc *ipc, const struct message *m)
{
    return ipc_send(ipc, m);
}

void ipc_flush(struct ipc *channel UNUSED, int64_t for_ms UNUSED)
{
}

int ipc_take_fd(struct message *m, size_t i)
{
    if (i >= m->n_fds)
        return -1;
    int fd = m->fds[i];
    m->fds[i] = -1;
    return fd;
}

/* ---- moving ---- */

static struct packet *unpack(struct list *queue, struct message *m)
{
    struct packet *p = OWNER_OF(queue->next, struct packet, link);
    size_t least, most;
    SIM_REQUIRE(message_unpack(span_bytes(p->bytes, p->n), m));
    message_fds(m->type, &least, &most);
    SIM_REQUIRE(p->n_fds >= least && p->n_fds <= most);
    m->n_fds = p->n_fds;
    memcpy(m->fds, p->fds, sizeof m->fds);
    list_remove(&p->link);
    return p;
}

static void to_model(struct channel *c)
{
    struct message m;
    struct packet *p = unpack(&c->to_model, &m);
    c->take(c->model, &m);
    free(p);
}

static void to_front(struct channel *c)
{
    struct ipc *ipc = c->front;
    struct message m;
    bool freed = false, *outer = ipc->freed;
    struct packet *p = unpack(&c->to_front, &m);
    ipc->freed = &freed;
    helpers_front_hears(&m, ipc);
    ipc->events->message(ipc->owner, &m);
    if (!freed)
        ipc->freed = outer;
    else if (outer != NULL)
        *outer = true;
    for (size_t i = 0; i < m.n_fds; i++)
        if (m.fds[i] >= 0)
            fd_close(m.fds[i]);
    free(p);
}

static void channel_free(size_t at)
{
    struct channel *c = channels[at];
    channels[at] = channels[--n_channels];
    drop_packets(&c->to_model);
    drop_packets(&c->to_front);
    if (!c->front_gone)
        fd_close(c->fd); /* nobody took it */
    free(c);
}

static bool move(size_t at)
{
    struct channel *c = channels[at];
    bool up = !list_empty(&c->to_model) && c->model != NULL;
    bool down = c->front != NULL && !list_empty(&c->to_front);
    if (up && (!down || random_below(2) == 0))
        to_model(c);
    else if (down)
        to_front(c);
    else if (c->front_gone && c->model != NULL) {
        void *model = c->model;
        c->model = NULL;
        c->let_go(model);
    } else if (c->front_gone && c->model == NULL)
        channel_free(at);
    else if (c->front != NULL && c->model == NULL && !c->front->told) {
        c->front->told = true;
        helpers_front_hears(NULL, c->front);
        c->front->events->closed(c->front->owner, "the other end is gone");
    } else
        return false;
    return true;
}

bool channels_move(void)
{
    size_t n = n_channels, first = n > 0 ? random_below((uint32_t)n) : 0;
    for (size_t i = 0; i < n; i++)
        if (move((first + i) % n))
            return true;
    return false;
}
