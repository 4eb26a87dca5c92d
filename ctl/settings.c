/* What users enter into their mail programs: as a table, as a page, as the configuration that Thunderbird, K-9 and
 * others fetch by themselves (config-v1.1.xml), and as DNS records (RFC 6186, RFC 8314). */
#include <stdio.h>
#include <string.h>

#include "ctl/markup.h"
#include "ctl/pages.h"

enum { HTTP_OK = 200, HTTP_NOT_FOUND = 404, HTTP_UNAVAILABLE = 503, SRV_TTL_S = 3600, XML_MAX = 1 << 20 };

static const struct kind {
    const char *protocol, *title, *srv[2]; /* names of the service: after STARTTLS, with TLS from the first byte */
} kinds[] = {
    {"imap",  "IMAP4 (incoming)", { "imap", "imaps" }            },
    { "pop3", "POP3 (incoming)",  { "pop3", "pop3s" }            },
    { "smtp", "SMTP (outgoing)",  { "submission", "submissions" }},
};

/* The first row is about the house, each of the others about one server. */
static const json_t *house_of(const struct reply *settings)
{
    return json_array_get(settings->rows, 0); /* lint: nobody asks without an answer in hand */
}

static bool is_server(const json_t *row, const struct kind *kind)
{
    return strcmp(text_of(row, "protocol"), kind->protocol) == 0;
}

static bool is_inside(const json_t *row)
{
    return json_is_true(json_object_get(row, "inside"));
}

static bool is_implicit(const json_t *row)
{
    return strcmp(text_of(row, "tls"), "implicit") == 0;
}

static const char *const login_titles[] = { "your whole address", "what stands before the @ of your address" };

static const char *login_title(const json_t *house)
{
    return login_titles[strcmp(text_of(house, "login"), "name") == 0];
}

static bool has_servers(const struct reply *settings)
{
    return settings != NULL && json_array_size(settings->rows) > 1;
}

/* ---- the page ---- */

static void put_server(struct markup *m, const json_t *row, const struct kind *kind)
{
    markup_put(m, "<tr><th scope=row>");
    markup_put(m, kind->title);
    markup_put(m, is_inside(row) ? ", inside only</th><td>" : "</th><td>");
    markup_text(m, text_of(row, "host"));
    markup_put(m, "<br>port ");
    markup_number(m, number_of(row, "port"));
    markup_put(m, is_implicit(row) ? ", SSL/TLS</td></tr>" : ", STARTTLS</td></tr>");
}

static void put_servers(struct markup *m, const struct reply *settings)
{
    size_t i;
    json_t *row;
    for (size_t k = 0; k < COUNT_OF(kinds); k++)
        json_array_foreach(settings->rows, i, row) if (is_server(row, &kinds[k])) put_server(m, row, &kinds[k]);
}

static void put_login(struct markup *m, const json_t *house)
{
    bool token = strcmp(text_of(house, "authentication"), "oauth2") == 0;
    markup_put(m, "<tr><th scope=row>User name</th><td>");
    markup_put(m, login_title(house));
    markup_put(m, "</td></tr><tr><th scope=row>Authentication</th><td>");
    markup_put(m, token ? "OAuth2" : "normal password");
    markup_put(m, "</td></tr>");
}

unsigned page_settings(const struct reply *settings, const struct reply *none UNUSED, struct buf *to)
{
    struct markup page = { .to = to }, *m = &page;
    const char *title = settings != NULL ? text_of(house_of(settings), "title") : "";
    markup_html(m, title[0] != '\0' ? title : "Mail settings", 0);
    if (!has_servers(settings)) {
        markup_put(m, "<p>There are no settings to show.</p></body></html>\n");
        return settings == NULL || m->failed ? HTTP_UNAVAILABLE : HTTP_NOT_FOUND;
    }
    const json_t *house = house_of(settings);
    markup_put(m, "<p>");
    markup_text(m, text_of(house, "words"));
    markup_put(m, "</p><table class=facts><tbody>");
    put_servers(m, settings);
    put_login(m, house);
    markup_put(m, "</tbody></table>");
    if (text_of(house, "help")[0] != '\0') {
        markup_put(m, "<p><a href=\"");
        markup_text(m, text_of(house, "help"));
        markup_put(m, "\">Help</a></p>");
    }
    markup_put(m, "</body></html>\n");
    return m->failed ? HTTP_UNAVAILABLE : HTTP_OK;
}

/* ---- for mail programs ---- */

static void put_element(struct markup *m, const char *name, const char *text)
{
    markup_put(m, "<");
    markup_put(m, name);
    markup_put(m, ">");
    markup_text(m, text);
    markup_put(m, "</");
    markup_put(m, name);
    markup_put(m, ">");
}

static void put_configured(struct markup *m, const json_t *row, const json_t *house)
{
    const char *element = strcmp(text_of(row, "protocol"), "smtp") == 0 ? "outgoingServer" : "incomingServer";
    bool token = strcmp(text_of(house, "authentication"), "oauth2") == 0;
    markup_put(m, "<");
    markup_put(m, element);
    markup_put(m, " type=\"");
    markup_text(m, text_of(row, "protocol"));
    markup_put(m, "\">");
    put_element(m, "hostname", text_of(row, "host"));
    markup_put(m, "<port>");
    markup_number(m, number_of(row, "port"));
    markup_put(m, "</port>");
    put_element(m, "socketType", is_implicit(row) ? "SSL" : "STARTTLS");
    put_element(m, "username", strcmp(text_of(house, "login"), "name") == 0 ? "%EMAILLOCALPART%" : "%EMAILADDRESS%");
    put_element(m, "authentication", token ? "OAuth2" : "password-cleartext");
    markup_put(m, "</");
    markup_put(m, element);
    markup_put(m, ">\n");
}

unsigned page_autoconfig(const struct reply *settings, const struct reply *none UNUSED, struct buf *to)
{
    struct markup page = { .to = to }, *m = &page;
    size_t i;
    json_t *each;
    if (!has_servers(settings))
        return settings == NULL ? HTTP_UNAVAILABLE : HTTP_NOT_FOUND;
    const json_t *house = house_of(settings), *domains = json_object_get(house, "domains");
    const char *first = json_string_value(json_array_get(domains, 0));
    markup_put(m, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<clientConfig version=\"1.1\"><emailProvider id=\"");
    markup_text(m, first != NULL ? first : text_of(json_array_get(settings->rows, 1), "host"));
    markup_put(m, "\">\n");
    json_array_foreach(domains, i, each) put_element(m, "domain", json_string_value(each));
    put_element(m, "displayName", text_of(house, "title"));
    for (size_t k = 0; k < COUNT_OF(kinds); k++)
        json_array_foreach(settings->rows, i, each) if (is_server(each, &kinds[k]) && !is_inside(each))
            put_configured(m, each, house);
    markup_put(m, "</emailProvider></clientConfig>\n");
    return m->failed ? HTTP_UNAVAILABLE : HTTP_OK;
}

/* ---- for the admin ---- */

static void show_servers(const struct reply *settings)
{
    const json_t *house = house_of(settings);
    size_t i;
    json_t *row;
    for (size_t k = 0; k < COUNT_OF(kinds); k++)
        json_array_foreach(settings->rows, i, row) if (is_server(row, &kinds[k]))
            printf("%-18s%s port %lld, %s%s\n", kinds[k].title, text_of(row, "host"), (long long)number_of(row, "port"),
                   is_implicit(row) ? "SSL/TLS" : "STARTTLS", is_inside(row) ? ", inside only" : "");
    printf("%-18s%s\n", "user name", login_title(house));
}

/* One record for each service of a domain; one that is not offered is said to be so (RFC 6186 section 3.4). */
static void show_srv(const struct reply *settings, const char *domain, const struct kind *kind, bool implicit)
{
    size_t i, n = 0;
    json_t *row;
    json_array_foreach(settings->rows, i, row)
    {
        if (!is_server(row, kind) || is_inside(row) || is_implicit(row) != implicit)
            continue;
        printf("_%s._tcp.%s. %d IN SRV %zu 1 %lld %s.\n", kind->srv[implicit], domain, SRV_TTL_S, n++,
               (long long)number_of(row, "port"), text_of(row, "host"));
    }
    if (n == 0)
        printf("_%s._tcp.%s. %d IN SRV 0 0 0 .\n", kind->srv[implicit], domain, SRV_TTL_S);
}

static void show_dns(const struct reply *settings)
{
    size_t i;
    json_t *domain;
    json_array_foreach(json_object_get(house_of(settings), "domains"), i, domain)
    {
        for (size_t k = 0; k < COUNT_OF(kinds); k++)
            for (int implicit = 1; implicit >= 0; implicit--)
                show_srv(settings, json_string_value(domain), &kinds[k], implicit == 1);
    }
}

static void show_autoconfig(const struct reply *settings)
{
    struct buf xml;
    buf_init(&xml, XML_MAX);
    if (page_autoconfig(settings, NULL, &xml) == HTTP_OK)
        fwrite(xml.at, 1, xml.n, stdout); /* lint: who does not read it does not want it */
    buf_fini(&xml);
}

static const struct form {
    const char *name;
    void (*show)(const struct reply *settings);
} forms[] = {
    {"table",       show_servers   },
    { "dns",        show_dns       },
    { "autoconfig", show_autoconfig},
};

int run_settings(const struct ctl_command *c, const struct options *o)
{
    const struct form *form = o->n_args == 0 ? forms : NULL;
    struct reply r;
    for (size_t i = 0; i < COUNT_OF(forms) && form == NULL; i++)
        form = strcmp(o->args[0], forms[i].name) == 0 ? &forms[i] : NULL;
    if (form == NULL)
        return ctl_usage(c, "expected table, dns or autoconfig");
    if (!ctl_ask(&r, (const char *[]){ "settings" }, 1))
        return CTL_UNREACHABLE;
    if (r.status == CTL_OK && !has_servers(&r)) {
        r.status = CTL_NO;
        snprintf(r.text, sizeof r.text, "the configuration has no settings.servers for a protocol that is on");
    } else if (r.status == CTL_OK && !o->json) {
        form->show(&r);
    }
    return ctl_done(c, o, &r, r.status);
}
