/* Health, in one word. Ready: it serves, has a map, and at least one site can be reached. */
#include <string.h>

#include "ctl/pages.h"

enum { HTTP_OK = 200, HTTP_UNAVAILABLE = 503 };

static bool any_site_is_up(const struct reply *sites)
{
    size_t i;
    json_t *row;
    json_array_foreach(sites->rows, i, row)
    {
        const char *state = text_of(row, "state");
        if (strcmp(state, "up") == 0 || strcmp(state, "standby") == 0 || strcmp(state, "drain") == 0)
            return true;
    }
    return false;
}

const char *pages_unready(const struct reply *status, const struct reply *sites)
{
    const json_t *main_row = status != NULL ? row_of(status->rows, "main") : NULL;
    if (main_row == NULL || sites == NULL)
        return "no Homeward can be asked";
    if (strcmp(text_of(main_row, "state"), "serving") != 0)
        return "it is not serving";
    if (json_array_size(json_object_get(main_row, "imap")) + json_array_size(json_object_get(main_row, "pop3")) == 0)
        return "both protocols are off";
    if (row_of(status->rows, "auth") == NULL || json_object_get(row_of(status->rows, "auth"), "map_entries") == NULL)
        return "there is no directory map";
    return any_site_is_up(sites) ? NULL : "no site can be reached";
}

unsigned page_ready(const struct reply *status, const struct reply *sites, struct buf *to)
{
    const char *why = pages_unready(status, sites);
    bool written = why == NULL ? buf_add_text(to, "ready\n") : buf_printf(to, "not ready: %s\n", why);
    return why == NULL && written ? HTTP_OK : HTTP_UNAVAILABLE;
}

unsigned page_health(const struct reply *status, const struct reply *sites UNUSED, struct buf *to)
{
    bool alive = status != NULL && row_of(status->rows, "main") != NULL;
    bool written = buf_add_text(to, alive ? "alive\n" : "no Homeward can be asked\n");
    return alive && written ? HTTP_OK : HTTP_UNAVAILABLE;
}
