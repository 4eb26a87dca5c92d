/* From a file to a checked configuration: text (with its includes), libconfig's tree, the struct by the table of
 * options, what follows from other options, the checks across options. Nothing stops at the first error but syntax. */
#include <libconfig.h>

#include "config/load.h"

#include <stdlib.h>
#include <unistd.h>

#include "config/check.h"
#include "config/memory.h"

static void load_group(struct load *l, const struct section *section, void *base, const config_setting_t *group);

/* --- groups and lists --- */

static void set_place(struct load *l, const struct section *section, void *item, const config_setting_t *s)
{
    if (section->line_at == 0)
        return;
    struct place place = { "", 0 };
    if (l->text != NULL)
        place = text_place(l->text, (int)config_setting_source_line(s));
    const char *file = config_string(l->config, span_of(place.file));
    if (file == NULL)
        l->report->short_of_memory = true;
    *(const char **)((char *)item + section->file_at) = file;
    *(int *)((char *)item + section->line_at) = place.line;
}

static void *new_items(struct load *l, const struct option *o, void *base, size_t n)
{
    void *items = n > 0 ? config_alloc(l->config, n * o->section->items_max, o->section->item_bytes) : NULL;
    if (n > 0 && items == NULL)
        l->report->short_of_memory = true;
    *(void **)((char *)base + o->at) = items;
    *(size_t *)((char *)base + o->with) = 0;
    return items;
}

static size_t load_item(struct load *l, const struct option *o, void *base, void *item, const config_setting_t *s)
{
    if (o->starts)
        memcpy(item, (char *)base + o->start, o->section->item_bytes);
    if (s != NULL) {
        report_set_line(l->report, item, (int)config_setting_source_line(s));
        set_place(l, o->section, item, s);
    }
    load_group(l, o->section, item, s);
    return o->section->spread != NULL ? o->section->spread(item) : 1;
}

static void load_items(struct load *l, const struct option *o, void *base, const config_setting_t *list, size_t n)
{
    char *item = new_items(l, o, base, n);
    size_t *held = (size_t *)((char *)base + o->with);
    for (size_t i = 0; i < n && item != NULL; i++) {
        const config_setting_t *s = list != NULL ? config_setting_get_elem(list, (unsigned)i) : NULL;
        if (s != NULL && !config_setting_is_group(s)) {
            load_wrong(l, o, s, "a group { ... }");
            continue;
        }
        size_t more = load_item(l, o, base, item, s);
        *held += more;
        item += more * o->section->item_bytes;
    }
}

static void load_list(struct load *l, const struct option *o, void *base, const config_setting_t *s)
{
    size_t n = config_setting_is_list(s) ? (size_t)config_setting_length(s) : 0;
    bool empty_array = config_setting_is_array(s) && config_setting_length(s) == 0;
    if ((!config_setting_is_list(s) && !empty_array) || n < (size_t)o->least || n > (size_t)o->most) {
        load_wrong(l, o, s, NULL);
        n = 0;
    }
    load_items(l, o, base, s, n);
}

static void load_switch(struct load *l, const struct option *o, void *base, const config_setting_t *s)
{
    bool *on = (bool *)((char *)base + o->with);
    const char *word = config_setting_get_string(s);
    bool group = config_setting_is_group(s);
    *on = group;
    if (!group && (word == NULL || strcmp(word, "off") != 0)) {
        *on = strcmp(o->normal, "on") == 0;
        load_wrong(l, o, s, NULL);
    }
    load_group(l, o->section, (char *)base + o->at, group ? s : NULL);
}

static void load_option(struct load *l, const struct option *o, void *base, const config_setting_t *s)
{
    report_set_line(l->report, (char *)base + o->at, (int)config_setting_source_line(s));
    switch (o->kind) {
    case KIND_GROUP:
        if (!config_setting_is_group(s))
            load_wrong(l, o, s, NULL);
        set_place(l, o->section, (char *)base + o->at, s);
        load_group(l, o->section, (char *)base + o->at, config_setting_is_group(s) ? s : NULL);
        break;
    case KIND_SWITCH:
        load_switch(l, o, base, s);
        break;
    case KIND_LIST:
        load_list(l, o, base, s);
        break;
    default:
        load_value(l, o, base, s);
    }
}

static void load_absent(struct load *l, const struct option *o, void *base)
{
    switch (o->kind) {
    case KIND_GROUP:
        load_group(l, o->section, (char *)base + o->at, NULL);
        break;
    case KIND_SWITCH:
        *(bool *)((char *)base + o->with) = strcmp(o->normal, "on") == 0;
        load_group(l, o->section, (char *)base + o->at, NULL);
        break;
    case KIND_LIST:
        load_items(l, o, base, NULL, (o->flags & OPTION_REQUIRED) != 0 ? 0 : (size_t)o->least);
        break;
    default:
        if ((o->flags & OPTION_KEPT) == 0)
            load_default(l, o, base);
    }
}

static void load_missing(struct load *l, const struct option *o, const config_setting_t *group)
{
    struct buf text;
    buf_init(&text, 1024);
    bool fits =
        load_path(group, &text) && buf_printf(&text, ".%s: missing, expected ", o->name) && option_expects(o, &text);
    if (fits)
        report_error(l->report, (int)config_setting_source_line(group), "%.*s", SPAN_ARG(buf_span(&text)));
    else
        l->report->short_of_memory = true;
    buf_fini(&text);
}

/* group NULL: it was not written, all has its default. */
static void load_group(struct load *l, const struct section *section, void *base, const config_setting_t *group)
{
    for (size_t i = 0; i < section->n; i++) {
        const struct option *o = &section->rows[i];
        const config_setting_t *s = group != NULL ? config_setting_get_member(group, o->name) : NULL;
        if (s != NULL) {
            load_option(l, o, base, s);
            continue;
        }
        load_absent(l, o, base);
        if (group != NULL && (o->flags & OPTION_REQUIRED) != 0 && l->text != NULL)
            load_missing(l, o, group);
    }
    int n = group != NULL ? config_setting_length(group) : 0;
    for (int i = 0; i < n; i++) {
        const config_setting_t *s = config_setting_get_elem(group, (unsigned)i);
        if (section_find(section, config_setting_name(s)) == NULL)
            load_unknown(l, section, s);
    }
}

/* --- what follows from other options --- */

/* A dump (which has no text to report on) says everything; of a store from before RFC 2449 nothing can be assumed. */
static void complete_pop3(struct config *config, const struct report *report)
{
    for (size_t i = 0; i < config->n_sites && report->text != NULL; i++) {
        struct site_config *site = &config->sites[i];
        if (site->security != SECURITY_IPSEC && report_line(report, &site->pop3_capabilities) == 0)
            site->pop3_capabilities = "UIDL TOP PIPELINING";
    }
}

static const struct preset {
    const char *filter, *name_attribute, *site_attribute;
} presets[] = {
    [PRESET_NONE] = {"",                                             "",                  ""                    },
    [PRESET_OPENLDAP] = { "(&(objectClass=person)(|(mail=%u)(uid=%u)))", "mail",              "mailHost"            },
    [PRESET_AD] = { "(&(objectCategory=person)(objectClass=user)(|(userPrincipalName=%u)(proxyAddresses=smtp:%u)"
                    "(sAMAccountName=%u)))",    "userPrincipalName", "msExchHomeServerName"},
};

static void complete_verifier(struct verifier_config *v)
{
    const struct preset *p = &presets[v->driver == VERIFIER_LDAP ? v->preset : PRESET_NONE];
    if (v->filter[0] == '\0')
        v->filter = p->filter;
    if (v->name_attribute[0] == '\0')
        v->name_attribute = p->name_attribute;
    if (v->site_attribute[0] == '\0')
        v->site_attribute = p->site_attribute;
}

static void complete_servers(struct settings_config *settings)
{
    static const uint16_t ports[SERVER_PROTOCOLS][2] = {
        [SERVER_IMAP] = {143,  993},
          [SERVER_POP3] = { 110, 995},
          [SERVER_SMTP] = { 587, 465}
    };
    for (size_t i = 0; i < settings->n_servers; i++) {
        struct server_config *s = &settings->servers[i];
        if (s->port == 0)
            s->port = ports[s->protocol][s->tls == TLS_MODE_IMPLICIT];
    }
}

/* It has not all the options of a verifier. */
static void complete_directory(struct config *config)
{
    struct verifier_config *v = &config->directory.ldap;
    v->path = v->user_format = v->secret_header = v->client_id = v->name_claim = v->scope = v->audience = "";
    if (config->directory.driver == DIRECTORY_LDAP) {
        v->driver = VERIFIER_LDAP;
        complete_verifier(v);
    }
}

static void complete(struct config *config, const struct report *report)
{
    complete_servers(&config->settings);
    for (size_t i = 0; i < config->auth.n_verifiers; i++)
        complete_verifier(&config->auth.verifiers[i]);
    complete_directory(config);
    static const uint16_t ports[PROTOCOLS][2] = {
        [IMAP] = {143,  993},
          [POP3] = { 110, 995}
    };
    if (config->run.workers == 0) {
        long processors = sysconf(_SC_NPROCESSORS_ONLN);
        config->run.workers = processors < 1 ? 1 : processors > 256 ? 256 : processors;
    }
    for (enum protocol p = IMAP; p < PROTOCOLS; p++) {
        struct protocol_config *protocol = &config->protocols[p];
        for (size_t i = 0; i < protocol->n_listeners; i++) {
            struct listener_config *l = &protocol->listeners[i];
            if (l->address.port == 0)
                l->address.port = ports[p][l->tls == TLS_MODE_IMPLICIT];
        }
        for (size_t i = 0; i < config->n_sites; i++) {
            struct site_config *site = &config->sites[i];
            if (!site->serves[p])
                site->port[p] = 0;
            else if (site->port[p] == 0)
                site->port[p] = ports[p][site->security == SECURITY_TLS];
        }
    }
    complete_pop3(config, report);
}

/* --- whole configurations --- */

static struct config *load_tree(const config_t *tree, const struct text *text, struct report *report)
{
    struct load l = { .config = config_new(), .report = report, .text = text };
    if (l.config == NULL) {
        report->short_of_memory = true;
        return NULL;
    }
    load_group(&l, &config_section, l.config, config_root_setting(tree));
    if (!report->short_of_memory) {
        complete(l.config, report);
        if (text != NULL)
            check_config(l.config, report);
    }
    if (report->errors > 0 || report->short_of_memory)
        config_free(&l.config);
    return l.config;
}

static void report_syntax(struct report *report, const config_t *tree)
{
    struct buf line;
    buf_init(&line, 512);
    if (quote(&line, text_line(report->text, config_error_line(tree))))
        report_error(report, config_error_line(tree), "%s at or before %.*s", config_error_text(tree),
                     SPAN_ARG(buf_span(&line)));
    else
        report->short_of_memory = true;
    buf_fini(&line);
}

static struct config *load_text(const struct text *text, struct buf *errors, struct buf *warnings)
{
    struct config *config = NULL;
    struct report report;
    config_t tree;
    report_init(&report, text);
    config_init(&tree);
    if (config_read_string(&tree, text->bytes.at))
        config = load_tree(&tree, text, &report);
    else
        report_syntax(&report, &tree);
    config_destroy(&tree);
    report_write(&report, errors, warnings);
    report_fini(&report);
    return config;
}

struct config *config_load(const char *file, struct buf *errors, struct buf *warnings)
{
    struct config *config = NULL;
    struct text text;
    size_t told = errors->n;
    text_init(&text);
    if (text_read(&text, file, errors))
        config = load_text(&text, errors, warnings);
    text_fini(&text);
    if (config == NULL && errors->n == told && !buf_printf(errors, "%s: out of memory\n", file))
        return NULL;
    return config;
}

struct config *config_parse(struct span dumped)
{
    struct config *config = NULL;
    struct report report;
    config_t tree;
    char *text = span_has(dumped, '\0') ? NULL : span_copy(dumped);
    if (text == NULL)
        return NULL;
    report_init(&report, NULL);
    config_init(&tree);
    if (config_read_string(&tree, text))
        config = load_tree(&tree, NULL, &report);
    config_destroy(&tree);
    report_fini(&report);
    free(text);
    return config;
}
