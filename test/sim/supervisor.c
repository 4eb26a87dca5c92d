/* Main as the front sees it: it brings sockets and channels, and an admin's orders. */
#include <stdio.h>

#include "proxy/base/pack.h"
#include "test/sim/sim.h"

static struct channel *main_channel;

void main_says(const struct message *m)
{
    channel_say(main_channel, m);
}

bool main_is_quiet(void)
{
    return channel_is_quiet(main_channel);
}

static void take_main(void *model UNUSED, struct message *m)
{
    /* Channels die here with their helpers only, so who is unconnected waits for the next one. */
    SIM_REQUIRE(m->type == MSG_READY || m->type == MSG_CONTROLLED || m->type == MSG_UNCONNECTED);
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

void main_listen(void)
{
    unsigned index[2] = { 0, 0 };
    for (size_t i = 0; i < n_port_facts; i++) {
        unsigned protocol = port_facts[i].protocol;
        struct message m = { .type = MSG_LISTEN, .n_fds = 1, .fds = { channel_fd(&main_channel) } };
        m.listen = (struct msg_listen){ .socket = i, .listener = (uint64_t)protocol << 16 | index[protocol]++ };
        main_says(&m);
    }
}

void main_kick(void)
{
    char room[200];
    struct buf words = { .at = room, .room = sizeof room, .max = sizeof room };
    struct message m = { .type = MSG_CONTROL, .id = 1 };
    SIM_REQUIRE(pack_string(&words, SPAN("kick")) &&
                pack_string(&words, random_below(2) ? SPAN("all=1") : SPAN("spread=5")));
    m.control.words = buf_span(&words);
    main_says(&m);
}
