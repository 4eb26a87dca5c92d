/* Ports: each listener's settings as its sessions see them: greeting, capabilities, TLS. What is offered before the
 * login is what every site can keep: a client that asks only once would else lose push, or be promised what its store
 * has not. */
#include <stdlib.h>

#include "config/bundle.h"
#include "proxy/front/dialogue.h"
#include "proxy/front/process.h"

enum { CAPABILITIES_MAX = 4096 };

/* ---- capabilities ---- */

/* What a front end can promise for its sites, as far as clients act on it before they have signed in. */
static const char *const promised_imap[] = { "IDLE",     "NAMESPACE", "UIDPLUS", "MOVE",
                                             "CHILDREN", "UNSELECT",  "ENABLE",  "COMPRESS=DEFLATE" };
static const char *const promised_pop3[] = { "UIDL", "TOP", "PIPELINING", "UTF8", "LANG" };

static bool lists(const char *list, const char *word)
{
    struct span rest = span_of(list), each;
    while (span_word(&rest, &each))
        if (span_eq_nocase(each, span_of(word)))
            return true;
    return false;
}

static bool every_site_has(enum protocol protocol, const char *word)
{
    const struct config *c = front.config;
    size_t serving = 0;
    for (size_t i = 0; i < c->n_sites; i++) {
        const struct site_config *site = &c->sites[i];
        if (!site->serves[protocol])
            continue;
        serving++;
        if (!lists(protocol == IMAP ? site->capabilities : site->pop3_capabilities, word))
            return false;
    }
    return serving > 0;
}

/* imap.capability: "+X" adds, "-X" takes away. */
static bool is_taken_away(const char *word)
{
    struct span rest = span_of(front.config->protocols[IMAP].capability), each;
    while (span_word(&rest, &each))
        if (each.n > 1 && each.at[0] == '-' && span_eq_nocase(span_after(each, 1), span_of(word)))
            return true;
    return false;
}

static bool add_word(struct buf *to, const char *word)
{
    return is_taken_away(word) || ((to->n == 0 || buf_add_byte(to, ' ')) && buf_add_text(to, word));
}

static bool add_extra(struct buf *to)
{
    struct span rest = span_of(front.config->protocols[IMAP].capability), each;
    while (span_word(&rest, &each))
        if (each.n > 1 && each.at[0] == '+' && !(buf_add_byte(to, ' ') && buf_add(to, span_after(each, 1))))
            return false;
    return true;
}

static bool may_login(const struct port *port, bool protected_)
{
    return protected_ || port->config->clear_login;
}

static bool imap_capabilities(const struct port *port, bool under_tls, struct buf *to)
{
    bool good = add_word(to, "IMAP4rev1") && add_word(to, "LITERAL-") && add_word(to, "SASL-IR") && add_word(to, "ID");
    if (!under_tls && port->config->tls == TLS_MODE_STARTTLS)
        good = good && add_word(to, "STARTTLS");
    if (!may_login(port, under_tls) || !front.offered[SASL_NONE])
        good = good && add_word(to, "LOGINDISABLED");
    for (enum sasl_mechanism m = SASL_NONE + 1; good && may_login(port, under_tls) && m < SASL_MECHANISMS; m++) {
        char word[32] = "AUTH=";
        strncat(word, sasl_name(m), sizeof word - 6);
        good = !dialogue_offers(m) || add_word(to, word);
    }
    for (size_t i = 0; good && i < COUNT_OF(promised_imap); i++)
        good = !every_site_has(IMAP, promised_imap[i]) || add_word(to, promised_imap[i]);
    return good && add_extra(to);
}

static bool pop3_capabilities(const struct port *port, bool under_tls, struct buf *to)
{
    bool good = buf_add_text(to, "+OK This is what there is.\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\n");
    if (!under_tls && port->config->tls == TLS_MODE_STARTTLS)
        good = good && buf_add_text(to, "STLS\r\n");
    if (may_login(port, under_tls)) {
        good = good && (!front.offered[SASL_NONE] || buf_add_text(to, "USER\r\n")) && buf_add_text(to, "SASL");
        for (enum sasl_mechanism m = SASL_NONE + 1; good && m < SASL_MECHANISMS; m++)
            good = !dialogue_offers(m) || buf_printf(to, " %s", sasl_name(m));
        good = good && buf_add_text(to, "\r\n");
    }
    for (size_t i = 0; good && i < COUNT_OF(promised_pop3); i++)
        good = !every_site_has(POP3, promised_pop3[i]) || buf_printf(to, "%s\r\n", promised_pop3[i]);
    return good && buf_add_text(to, "XCLIENT\r\n.\r\n");
}

static bool write_greeting(const struct port *port, const char *capabilities, struct buf *to)
{
    if (port->protocol == IMAP)
        return buf_printf(to, "* OK [CAPABILITY %s] Homeward is ready.\r\n", capabilities);
    return buf_add_text(to, "+OK [XCLIENT] Homeward is ready.\r\n");
}

static char *keep(struct buf *words, bool good)
{
    char *kept = good ? span_copy(buf_span(words)) : NULL;
    buf_fini(words);
    return kept;
}

static bool write_words(struct port *port)
{
    for (int under_tls = 0; under_tls < 2; under_tls++) {
        struct buf words;
        buf_init(&words, CAPABILITIES_MAX);
        port->capabilities[under_tls] =
            keep(&words, port->protocol == IMAP ? imap_capabilities(port, under_tls, &words)
                                                : pop3_capabilities(port, under_tls, &words));
        if (port->capabilities[under_tls] == NULL)
            return false;
        port->greeting[under_tls] = keep(&words, write_greeting(port, port->capabilities[under_tls], &words));
        if (port->greeting[under_tls] == NULL)
            return false;
    }
    return true;
}

/* ---- TLS ---- */

static struct tls_server *new_tls(const struct port *port, struct span bundle, struct buf *why)
{
    struct tls_certificate certificates[TLS_CERTIFICATES_MAX];
    const struct config *c = front.config;
    char where[ADDR_TEXT_MAX];
    size_t n = c->tls.n_certificates < TLS_CERTIFICATES_MAX ? c->tls.n_certificates : TLS_CERTIFICATES_MAX;
    for (size_t i = 0; i < n; i++) {
        const struct certificate_config *from = &c->tls.certificates[i];
        certificates[i] = (struct tls_certificate){ .chain_name = from->chain,
                                                    .key_name = from->key,
                                                    .chain = bundle_find(bundle, from->chain),
                                                    .key = bundle_find(bundle, from->key) };
    }
    addr_text(&port->config->address, where);
    return tls_server_new(&(struct tls_server_order){ .certificates = certificates,
                                                      .n_certificates = n,
                                                      .min_version = (int)port->config->tls_min_version,
                                                      .ciphers = port->config->tls_ciphers,
                                                      .alpn = protocol_names[port->protocol],
                                                      .session_context = span_of(where) },
                          why);
}

bool ports_reload(struct span bundle, struct buf *why)
{
    struct tls_server **fresh = calloc(front.n_ports + 1, sizeof(struct tls_server *));
    bool good = fresh != NULL;
    for (size_t i = 0; good && i < front.n_ports; i++)
        if (front.ports[i].config->tls != TLS_MODE_NONE)
            good = (fresh[i] = new_tls(&front.ports[i], bundle, why)) != NULL;
    for (size_t i = 0; fresh != NULL && i < front.n_ports; i++) {
        struct tls_server **unwanted = good ? &front.ports[i].tls : &fresh[i];
        tls_server_free(unwanted);
        if (good)
            front.ports[i].tls = fresh[i];
    }
    free(fresh);
    return good;
}

/* ---- all ports ---- */

bool ports_init(struct span bundle, struct buf *why)
{
    const struct config *c = front.config;
    front.n_ports = c->protocols[IMAP].n_listeners + c->protocols[POP3].n_listeners;
    front.ports = calloc(front.n_ports + 1, sizeof *front.ports);
    if (front.ports == NULL)
        return false;
    struct port *port = front.ports;
    for (enum protocol p = 0; p < PROTOCOLS; p++)
        for (size_t i = 0; i < c->protocols[p].n_listeners; i++, port++) {
            port->config = &c->protocols[p].listeners[i];
            port->protocol = p;
            if (!write_words(port))
                return false;
        }
    return ports_reload(bundle, why);
}

struct port *port_find(enum protocol protocol, size_t index)
{
    size_t at = index + (protocol == POP3 ? front.config->protocols[IMAP].n_listeners : 0);
    return protocol < PROTOCOLS && index < front.config->protocols[protocol].n_listeners ? &front.ports[at] : NULL;
}
