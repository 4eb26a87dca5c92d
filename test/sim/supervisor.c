/* Main as the front sees it: it brings sockets and channels and takes sockets away, says what it is told to (orders.c),
 * and may die. */
#include "test/sim/sim.h"

static struct channel *main_channel; /* NULL: it is dead */

void main_says(const struct message *m)
{
    channel_say(main_channel, m);
}

bool main_is_quiet(void)
{
    return main_channel == NULL || channel_is_quiet(main_channel);
}

bool main_is_dead(void)
{
    return main_channel == NULL;
}

static void take_main(void *model UNUSED, struct message *m)
{
    /* Channels die here with their helpers only, so who is unconnected waits for the next one. */
    SIM_REQUIRE(m->type == MSG_READY || m->type == MSG_CONTROLLED || m->type == MSG_UNCONNECTED ||
                m->type == MSG_UNLISTENED);
}

static void main_let_go(void *model UNUSED)
{
    SIM_REQUIRE(!"the front has let go of main");
}

int main_begin(void)
{
    main_channel = channel_new(take_main, main_let_go, &main_channel);
    return channel_front_end(main_channel);
}

static void say_all(enum message_type type)
{
    unsigned index[2] = { 0, 0 };
    for (size_t i = 0; i < n_port_facts; i++) {
        unsigned protocol = port_facts[i].protocol;
        struct message m = { .type = type };
        m.listen = (struct msg_listen){ .socket = i, .listener = (uint64_t)protocol << 16 | index[protocol]++ };
        m.n_fds = type == MSG_LISTEN;
        m.fds[0] = type == MSG_LISTEN ? channel_fd(&main_channel) : -1;
        main_says(&m);
    }
}

void main_listens(void)
{
    say_all(MSG_LISTEN);
}

void main_unlistens(void)
{
    say_all(MSG_UNLISTEN);
}

void main_dies(void)
{
    channel_die(main_channel, true);
    main_channel = NULL;
}
