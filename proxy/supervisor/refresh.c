/* One check at a time: what finds the checker busy, or a change under way, is found again at the next scan. */
#include "proxy/supervisor/refresh.h"

#include <errno.h>
#include <string.h>

#include "proxy/supervisor/change.h"
#include "proxy/supervisor/check.h"
#include "proxy/supervisor/checker.h"
#include "proxy/supervisor/files.h"
#include "proxy/supervisor/house.h"
#include "proxy/supervisor/swap.h"
#include "proxy/supervisor/tell.h"

static void finish(struct checked *c, const char *event, enum settings_part part, bool (*take)(int fd))
{
    if (!c->good) {
        tell_log(c->text, LOG_ERROR, event, "refused");
        return;
    }
    tell_log(c->text, LOG_WARNING, event, NULL);
    int fd = c->fds[part];
    c->fds[part] = -1;
    if (take(fd))
        tell_log(SPAN("what has changed on disk is in force"), LOG_INFO, event, "ok");
}

static void on_map(struct checked *c)
{
    finish(c, "map", SETTINGS_MAP, swap_map);
}

static void on_accounts(struct checked *c)
{
    finish(c, "accounts", SETTINGS_ACCOUNTS, swap_accounts);
}

static void on_certificates(struct checked *c)
{
    finish(c, "certificates", SETTINGS_FRONT_BUNDLE, swap_bundle);
    if (!c->good)
        return;
    if (swap_backends_bundle(c->fds[SETTINGS_BACKENDS_BUNDLE]))
        tell_log(SPAN("what has changed on disk is in force"), LOG_INFO, "test_accounts", "ok");
    c->fds[SETTINGS_BACKENDS_BUNDLE] = -1;
}

static const struct refreshed {
    enum files_kind kind;
    enum check_parts part;
    const char *event;
    void (*done)(struct checked *c);
} kinds_of_files[] = {
    {FILES_MAP,           CHECK_MAP,      "map",          on_map         },
    { FILES_ACCOUNTS,     CHECK_ACCOUNTS, "accounts",     on_accounts    },
    { FILES_CERTIFICATES, CHECK_FILES,    "certificates", on_certificates},
};

void refresh(unsigned kinds)
{
    const struct refreshed *r = kinds_of_files;
    if (house.phase != PHASE_SERVE || change_is_under_way() || checker_is_busy())
        return;
    if ((kinds & FILES_HOSTS) != 0) {
        files_taken(FILES_HOSTS);
        swap_hosts();
        return;
    }
    while ((kinds & r->kind) == 0)
        r++;
    files_taken(r->kind);
    if (!checker_start(r->part, house.file, house.now.settings, r->done))
        log_say(LOG_ERROR, r->event, "the check cannot be started: %s", strerror(errno));
}
