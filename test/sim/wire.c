/* Links: two directions of bytes each, with room for so many under way, which arrive in pieces. Numbers from FD_BASE on
 * are descriptors of this world. */
#include "test/sim/sim.h"

#include <stdlib.h>

enum { FDS_MAX = 4096, SCRAMBLE = 0xa5, ROOM_LEAST = 8 };
enum manner { AT_ONCE, IN_PIECES, BYTE_BY_BYTE, MANNERS };

const struct span shake_words[3] = {
    {"\x16HELLO",  6},
    { "\x16SERVE", 6},
    { "\x14OVER!", 6}
};

static struct {
    struct link *link;
    void *channel;
} fds[FDS_MAX];
static size_t n_open, next_fd;

/* ---- descriptors ---- */

static int new_fd(struct link *link, void *channel)
{
    for (size_t i = 0; i < FDS_MAX; i++) {
        size_t at = next_fd++ % FDS_MAX;
        if (fds[at].link != NULL || fds[at].channel != NULL)
            continue;
        fds[at].link = link;
        fds[at].channel = channel;
        return FD_BASE + (int)at;
    }
    SIM_REQUIRE(!"too many descriptors");
    return -1;
}

bool fd_is_ours(int fd)
{
    return fd >= FD_BASE;
}

struct link *link_of(int fd)
{
    return fd_is_ours(fd) ? fds[fd - FD_BASE].link : NULL;
}

int channel_fd(void *channel)
{
    return new_fd(NULL, channel);
}

void *channel_of(int fd)
{
    return fd_is_ours(fd) ? fds[fd - FD_BASE].channel : NULL;
}

void wire_begin(void)
{
    next_fd = 0;
}

size_t links_open(void)
{
    return n_open;
}

/* ---- life ---- */

struct link *link_new(bool to_site, unsigned slot)
{
    struct link *l = malloc(sizeof *l);
    SIM_REQUIRE(l != NULL);
    memset(l, 0, offsetof(struct link, rooms));
    l->to_site = to_site;
    l->slot = slot;
    l->in = &l->wires[0];
    l->out = &l->wires[1];
    l->in->at = l->rooms[0];
    l->out->at = l->rooms[1];
    l->in->room = ROOM_LEAST + random_size(random_chance(200) ? 64 : WIRE_ROOM - ROOM_LEAST);
    l->out->room = ROOM_LEAST + random_size(random_chance(200) ? 64 : WIRE_ROOM - ROOM_LEAST);
    l->manner = (uint8_t)(random_chance(30) ? BYTE_BY_BYTE : random_below(2));
    l->fd = new_fd(l, NULL);
    n_open++;
    return l;
}

/* Not byte by byte, and with room for some lines. */
void link_widen(struct link *l)
{
    enum { ROOM = 2000 };
    l->in->room = l->in->room < ROOM ? ROOM : l->in->room;
    l->out->room = l->out->room < ROOM ? ROOM : l->out->room;
    l->manner = l->manner == BYTE_BY_BYTE ? IN_PIECES : l->manner;
}

static void free_if_done(struct link *l)
{
    if (l->fd >= 0 || !l->peer_gone)
        return;
    free(l);
    n_open--;
}

/* The front's end is closed: with bytes unread that is a reset, as TCP has it. */
void fd_close(int fd)
{
    struct link *l = fds[fd - FD_BASE].link;
    SIM_REQUIRE(l != NULL || fds[fd - FD_BASE].channel != NULL);
    fds[fd - FD_BASE].link = NULL;
    fds[fd - FD_BASE].channel = NULL;
    if (l == NULL)
        return;
    sim_note(l->slot, l->to_site ? "site closed" : "client closed", SPAN_NONE);
    if (l->in->n > 0)
        l->out->reset = true;
    l->out->ended = true;
    l->fd = -1;
    free_if_done(l);
}

/* ---- bytes under way ---- */

static bool moves(const struct wire *w)
{
    return w->seen < w->n || (w->ended && !w->end_seen);
}

bool link_has_news(const struct link *l)
{
    return moves(l->in) || moves(l->out);
}

static bool arrive(const struct link *l, struct wire *w)
{
    if (!moves(w))
        return false;
    size_t under_way = w->n - w->seen;
    w->seen += under_way == 0 || l->manner == AT_ONCE ? under_way
               : l->manner == BYTE_BY_BYTE            ? 1
                                                      : random_size(under_way);
    w->end_seen = w->ended && w->seen == w->n && (under_way == 0 || random_below(2) == 0);
    return true;
}

bool link_arrives(struct link *l)
{
    bool first = random_below(2) == 0;
    return arrive(l, first ? l->in : l->out) || arrive(l, first ? l->out : l->in);
}

void wire_scramble(char *at, size_t n)
{
    for (size_t i = 0; i < n; i++)
        at[i] = (char)(at[i] ^ SCRAMBLE);
}

/* ---- the model's end ---- */

bool peer_can_read(const struct link *l)
{
    return l->out->seen > 0 || l->out->end_seen || l->out->reset;
}

bool peer_can_write(const struct link *l)
{
    return l->fd >= 0 && !l->in->ended && l->in->n < l->in->room;
}

bool peer_sees_end(const struct link *l)
{
    return l->out->reset || (l->out->end_seen && l->out->n == 0);
}

static size_t take(struct wire *w, char *to, size_t room)
{
    size_t n = w->seen < room ? w->seen : room;
    memcpy(to, w->at, n);
    memmove(w->at, w->at + n, w->n - n);
    w->n -= n;
    w->seen -= n;
    return n;
}

size_t peer_read(struct link *l, char *to, size_t room)
{
    size_t n = take(l->out, to, room);
    if (l->peer_tls)
        wire_scramble(to, n);
    sim_note(l->slot, l->to_site ? "store hears" : "client hears", span_bytes(to, n));
    return n;
}

static size_t put(struct wire *w, struct span bytes, bool scrambled)
{
    size_t n = bytes.n < w->room - w->n ? bytes.n : w->room - w->n;
    if (n > 0)
        memcpy(w->at + w->n, bytes.at, n);
    if (scrambled)
        wire_scramble(w->at + w->n, n);
    w->n += n;
    return n;
}

size_t peer_write(struct link *l, struct span bytes)
{
    SIM_REQUIRE(!l->in->ended);
    size_t n = l->fd >= 0 ? put(l->in, bytes, l->peer_tls) : bytes.n;
    sim_note(l->slot, l->to_site ? "store says" : "client says", span_first(bytes, n));
    return n;
}

static bool say_word(struct link *l, unsigned word)
{
    return l->in->room - l->in->n >= shake_words[word].n && put(l->in, shake_words[word], false) > 0;
}

/* 1: the word has come; 0: not yet; -1: something else has. */
static int hear_word(struct link *l, unsigned word)
{
    char heard[8];
    struct span want = shake_words[word];
    if (l->out->seen < want.n)
        return peer_sees_end(l) || l->out->end_seen ? -1 : 0;
    take(l->out, heard, want.n);
    return span_eq(span_bytes(heard, want.n), want) ? 1 : -1;
}

int peer_handshake(struct link *l, bool as_server)
{
    static const struct {
        bool says;
        uint8_t word;
    } steps[2][3] = {
        {{ true, 0 },   { false, 1 }, { true, 2 } },
        { { false, 0 }, { true, 1 },  { false, 2 }},
    };
    while (l->peer_shake < 3) {
        unsigned word = steps[as_server][l->peer_shake].word;
        int done = steps[as_server][l->peer_shake].says ? say_word(l, word) : hear_word(l, word);
        if (done != 1)
            return done;
        l->peer_shake++;
    }
    l->peer_tls = true;
    return 1;
}

void peer_end(struct link *l, bool cut)
{
    sim_note(l->slot, l->to_site ? "store ends" : "client ends", SPAN_NONE);
    l->in->notified = l->peer_tls && !cut;
    l->in->ended = true;
}

void peer_reset(struct link *l)
{
    sim_note(l->slot, l->to_site ? "store resets" : "client resets", SPAN_NONE);
    l->in->reset = l->in->ended = true;
    l->in->n = l->in->seen = 0; /* what was under way is lost */
}

void peer_let_go(struct link **pointer)
{
    struct link *l = *pointer;
    *pointer = NULL;
    if (l == NULL)
        return;
    if (l->out->n > 0 && !l->in->ended)
        peer_reset(l);
    l->in->ended = true;
    l->peer_gone = true;
    free_if_done(l);
}
