/* What is weak, and for how long yet. */
#include "proxy/supervisor/weak.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "proxy/net/deadline.h"
#include "proxy/supervisor/house.h"
#include "proxy/supervisor/tell.h"

enum { DAY_S = 86400, TEXT_MAX = 1 << 20 };

static struct alarm daily;

static bool tell_exception(const struct exception *e, const char *kind, const char *name, int64_t now_s, struct buf *to)
{
    if (e->until_s == 0 || e->until_s - now_s > WEAK_NOTICE_S)
        return true;
    if (e->until_s <= now_s)
        return buf_printf(to, "WEAK-OVERDUE: %s %s: until = \"%s\" has passed: %s\n", kind, name, e->until, e->reason);
    return buf_printf(to, "WEAK: %s %s: until = \"%s\" is %" PRId64 " days away: %s\n", kind, name, e->until,
                      (e->until_s - now_s) / DAY_S, e->reason);
}

static bool tell_listener(const struct listener_config *l, int64_t now_s, struct buf *to)
{
    char text[ADDR_TEXT_MAX];
    bool told_already = l->any && l->address.family == AF_INET6;
    return told_already || tell_exception(&l->exception, "listener", addr_text(&l->address, text), now_s, to);
}

bool weak_tell(const struct config *config, int64_t now_s, struct buf *to)
{
    bool good = true;
    for (size_t p = 0; p < PROTOCOLS; p++)
        for (size_t i = 0; config->protocols[p].on && i < config->protocols[p].n_listeners; i++)
            good = good && tell_listener(&config->protocols[p].listeners[i], now_s, to);
    for (size_t i = 0; i < config->n_sites; i++)
        good = good && tell_exception(&config->sites[i].exception, "site", config->sites[i].name, now_s, to);
    return good;
}

static void set_alarm(void);

static void on_day(struct alarm *a UNUSED)
{
    struct buf text;
    buf_init(&text, TEXT_MAX);
    if (house.now.settings != NULL && weak_tell(house.now.settings->config, time(NULL), &text))
        tell_log(buf_span(&text), LOG_WARNING, "weak", NULL);
    buf_fini(&text);
    set_alarm();
}

static void set_alarm(void)
{
    if (!alarm_set(&daily, DAY_S * SECOND, on_day))
        abort(); /* a few bytes of heap: without them main is no supervisor */
}

void weak_start(void)
{
    set_alarm();
}

void weak_stop(void)
{
    alarm_clear(&daily);
}
