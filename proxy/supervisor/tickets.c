/* Ticket keys and their rotation. */
#include "proxy/supervisor/tickets.h"

#include <stdlib.h>

#include "proxy/net/hash.h"

enum { CURRENT, NEXT, PREVIOUS };

static struct {
    unsigned char keys[TICKET_KEYS_MAX][TICKET_KEY_BYTES]; /* the first encrypts */
    int64_t period_ms;
    struct alarm alarm;
} tickets;

static void rotate(struct alarm *alarm);

static void set_alarm(void)
{
    if (!alarm_set(&tickets.alarm, tickets.period_ms, rotate))
        abort(); /* a few bytes of heap: without them main is no supervisor */
}

void tickets_send(struct child *front)
{
    struct message m = { .type = MSG_TICKET_KEYS };
    m.ticket_keys.keys = span_bytes(tickets.keys, sizeof tickets.keys);
    child_send(front, &m);
}

static void rotate(struct alarm *alarm UNUSED)
{
    memcpy(tickets.keys[PREVIOUS], tickets.keys[CURRENT], TICKET_KEY_BYTES);
    memcpy(tickets.keys[CURRENT], tickets.keys[NEXT], TICKET_KEY_BYTES);
    random_bytes(tickets.keys[NEXT], TICKET_KEY_BYTES);
    LIST_EACH(link, &children) {
        struct child *c = OWNER_OF(link, struct child, link);
        if (c->kind == ROLE_FRONT && child_is_there(c))
            tickets_send(c);
    }
    set_alarm();
}

void tickets_start(int64_t period_ms)
{
    random_bytes(tickets.keys, sizeof tickets.keys); /* the one that is previous now has never encrypted anything */
    tickets.period_ms = period_ms;
    set_alarm();
}

void tickets_set_period(int64_t period_ms)
{
    if (tickets.period_ms == period_ms)
        return;
    tickets.period_ms = period_ms;
    set_alarm();
}

void tickets_stop(void)
{
    alarm_clear(&tickets.alarm);
    explicit_bzero(tickets.keys, sizeof tickets.keys);
}
