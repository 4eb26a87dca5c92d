/* Settings: reference-counted, because old generations keep theirs. */
#include "proxy/supervisor/settings.h"

#include <stdlib.h>
#include <unistd.h>

#include "proxy/supervisor/blobs.h"

enum { CONFIG_TEXT_MAX = 16 << 20 };

static uint64_t number;

struct settings *settings_new(const int fds[SETTINGS_PARTS])
{
    struct span dumped = SPAN_NONE;
    struct settings *s = calloc(1, sizeof *s);
    struct config *config = NULL;
    if (s != NULL && blob_map(fds[SETTINGS_CONFIG], &dumped))
        config = config_parse(dumped);
    blob_unmap(&dumped);
    if (config == NULL) {
        for (size_t i = 0; i < SETTINGS_PARTS; i++)
            close(fds[i]);
        free(s);
        return NULL;
    }
    number++;
    *s = (struct settings){ .refs = 1, .number = number, .config = config };
    memcpy(s->fds, fds, sizeof s->fds);
    return s;
}

struct settings *settings_foreign(uint64_t of)
{
    struct settings *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    *s = (struct settings){ .refs = 1, .number = of };
    for (size_t i = 0; i < SETTINGS_PARTS; i++)
        s->fds[i] = -1;
    number = of > number ? of : number;
    return s;
}

struct settings *settings_ref(struct settings *s)
{
    s->refs++;
    return s;
}

void settings_unref(struct settings **pointer)
{
    struct settings *s = *pointer;
    *pointer = NULL;
    if (s == NULL || --s->refs > 0)
        return;
    for (size_t i = 0; i < SETTINGS_PARTS; i++)
        if (s->fds[i] >= 0)
            close(s->fds[i]);
    config_free(&s->config);
    free(s);
}

void settings_replace(struct settings *s, enum settings_part part, int fd)
{
    close(s->fds[part]);
    s->fds[part] = fd;
}

bool settings_differ(const struct settings *a, const struct settings *b, unsigned roles)
{
    struct buf in_a, in_b;
    buf_init(&in_a, CONFIG_TEXT_MAX);
    buf_init(&in_b, CONFIG_TEXT_MAX);
    bool same = config_dump(a->config, roles, &in_a) && config_dump(b->config, roles, &in_b) &&
                span_eq(buf_span(&in_a), buf_span(&in_b));
    buf_fini(&in_a);
    buf_fini(&in_b);
    return !same;
}

bool settings_listener(const struct settings *s, const struct addr *address, uint64_t *listener)
{
    for (uint64_t protocol = 0; s->config != NULL && protocol < PROTOCOLS; protocol++) {
        const struct protocol_config *p = &s->config->protocols[protocol];
        for (size_t i = 0; p->on && i < p->n_listeners; i++) {
            if (!addr_eq(&p->listeners[i].address, address))
                continue;
            *listener = protocol << 16 | i;
            return true;
        }
    }
    return false;
}

static bool tell_listener(const struct listener_config *l, struct buf *to)
{
    static const char *const modes[PROTOCOLS][3] = {
        [IMAP] = {[TLS_MODE_IMPLICIT] = "implicit TLS",  [TLS_MODE_STARTTLS] = "STARTTLS", [TLS_MODE_NONE] = "no TLS"},
        [POP3] = { [TLS_MODE_IMPLICIT] = "implicit TLS", [TLS_MODE_STARTTLS] = "STLS",     [TLS_MODE_NONE] = "no TLS"},
    };
    char text[ADDR_TEXT_MAX];
    return buf_printf(to, "%s (%s)", addr_text(&l->address, text), modes[l->protocol][l->tls]);
}

static bool tell_protocol(const struct protocol_config *p, const char *name, struct buf *to)
{
    bool good = buf_printf(to, "%s: %s", name, p->on ? "" : "off");
    for (size_t i = 0; p->on && i < p->n_listeners; i++)
        good = good && buf_add_text(to, i > 0 ? ", " : "") && tell_listener(&p->listeners[i], to);
    return good;
}

bool settings_tell(const struct config *config, struct buf *to)
{
    return tell_protocol(&config->protocols[POP3], "POP3", to) && buf_add_text(to, ", ") &&
           tell_protocol(&config->protocols[IMAP], "IMAP4", to);
}
