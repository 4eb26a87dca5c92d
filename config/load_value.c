/* One written value into its field. A wrong one is told and gets its default, so that the checks go on. */
#include <libconfig.h>

#include "config/load.h"

#include <stdlib.h>

#include "config/memory.h"
#include "config/rules.h"

static int line_of(const config_setting_t *s)
{
    return (int)config_setting_source_line(s);
}

static struct span text_of(const config_setting_t *s) /* empty for what is not a string */
{
    return span_of(config_setting_get_string(s));
}

static bool is_string(const config_setting_t *s)
{
    return config_setting_type(s) == CONFIG_TYPE_STRING;
}

/* --- messages --- */

bool load_path(const config_setting_t *s, struct buf *to)
{
    const config_setting_t *parent = config_setting_parent(s);
    if (parent == NULL)
        return true;
    if (!load_path(parent, to))
        return false;
    if (config_setting_name(s) == NULL)
        return buf_printf(to, "[%d]", config_setting_index(s));
    return buf_printf(to, "%s%s", config_setting_is_root(parent) ? "" : ".", config_setting_name(s));
}

static bool add_found(const config_setting_t *s, struct buf *to)
{
    switch (config_setting_type(s)) {
    case CONFIG_TYPE_BOOL:
        return buf_add_text(to, config_setting_get_bool(s) ? "true" : "false");
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        return buf_printf(to, "%lld", config_setting_get_int64(s));
    case CONFIG_TYPE_FLOAT:
        return buf_printf(to, "%g", config_setting_get_float(s));
    case CONFIG_TYPE_STRING:
        return quote(to, text_of(s));
    case CONFIG_TYPE_GROUP:
        return buf_add_text(to, "a group");
    default:
        return buf_printf(to, "a list of %d", config_setting_length(s));
    }
}

void load_wrong(struct load *l, const struct option *o, const config_setting_t *s, const char *expected)
{
    struct buf text;
    buf_init(&text, 4096);
    bool fits = load_path(s, &text) && buf_add_text(&text, ": ") && add_found(s, &text) &&
                buf_add_text(&text, " found, expected ") &&
                (expected != NULL ? buf_add_text(&text, expected) : option_expects(o, &text));
    if (fits)
        report_error(l->report, line_of(s), "%.*s", SPAN_ARG(buf_span(&text)));
    else
        l->report->short_of_memory = true;
    buf_fini(&text);
}

/* --- storing --- */

static const char *keep(struct load *l, struct span text)
{
    const char *copy = config_string(l->config, text);
    if (copy == NULL)
        l->report->short_of_memory = true;
    return copy;
}

static void set_text(const struct option *o, void *base, const char *text)
{
    *(const char **)((char *)base + o->at) = text;
}

static bool set_bool(const struct option *o, void *base, const config_setting_t *s)
{
    if (config_setting_type(s) != CONFIG_TYPE_BOOL)
        return false;
    option_set_number(o, base, config_setting_get_bool(s));
    return true;
}

static bool set_int(const struct option *o, void *base, const config_setting_t *s)
{
    int type = config_setting_type(s);
    int64_t number = config_setting_get_int64(s);
    if ((type != CONFIG_TYPE_INT && type != CONFIG_TYPE_INT64) || number < o->least || number > o->most)
        return false;
    option_set_number(o, base, number);
    return true;
}

static bool set_choice(struct load *l, const struct option *o, void *base, const config_setting_t *s)
{
    const struct choice *choice = is_string(s) ? option_choice(o, text_of(s)) : NULL;
    if (choice == NULL)
        return false;
    if (choice->refused == NULL) {
        option_set_number(o, base, choice->value);
        return true;
    }
    struct buf path;
    buf_init(&path, 512);
    if (load_path(s, &path))
        report_error(l->report, line_of(s), "%.*s: \"%s\" found, but %s", SPAN_ARG(buf_span(&path)), choice->name,
                     choice->refused);
    else
        l->report->short_of_memory = true;
    buf_fini(&path);
    load_default(l, o, base);
    return true;
}

static bool set_string(struct load *l, const struct option *o, void *base, const config_setting_t *s)
{
    if (!is_string(s) || !o->rule->holds(text_of(s)))
        return false;
    if (o->kind == KIND_HOST)
        (void)addr_parse(text_of(s), 0, (struct addr *)((char *)base + o->with)); /* a name leaves it AF_UNSPEC */
    set_text(o, base, keep(l, text_of(s)));
    return true;
}

/* The path as a copy of the configuration; "" when that is what is written, or when memory is short. */
static const char *absolute(struct load *l, const config_setting_t *s)
{
    if (l->text == NULL || text_of(s).n == 0)
        return keep(l, text_of(s));
    char *path = text_path(text_place(l->text, line_of(s)).file, text_of(s), true);
    const char *kept = path != NULL ? keep(l, span_of(path)) : NULL;
    free(path);
    if (kept == NULL)
        l->report->short_of_memory = true;
    return kept != NULL ? kept : "";
}

static bool set_path(struct load *l, const struct option *o, void *base, const config_setting_t *s)
{
    bool needed = (o->flags & OPTION_REQUIRED) != 0 || o->normal != NULL;
    if (!is_string(s) || (needed && text_of(s).n == 0))
        return false;
    const char *path = absolute(l, s);
    set_text(o, base, path);
    return o->most == 0 || path == NULL || strlen(path) <= (size_t)o->most;
}

static bool set_date(struct load *l, const struct option *o, void *base, const config_setting_t *s)
{
    int64_t *end_s = (int64_t *)((char *)base + o->with);
    *end_s = 0;
    if (!is_string(s) || (text_of(s).n > 0 && !date_end(text_of(s), end_s)))
        return false;
    set_text(o, base, keep(l, text_of(s)));
    return true;
}

static bool set_address(const struct option *o, void *base, struct span text)
{
    struct addr *a = (struct addr *)((char *)base + o->at);
    bool *any = (bool *)((char *)base + o->with);
    *any = span_eq(text, SPAN("*"));
    return addr_parse(*any ? SPAN("0.0.0.0") : text, a->port, a);
}

static void set_log_to(struct load *l, const struct option *o, void *base, const config_setting_t *s)
{
    struct span text = text_of(s);
    enum log_target to = span_eq(text, SPAN("stderr"))   ? LOG_TO_STDERR
                         : span_eq(text, SPAN("syslog")) ? LOG_TO_SYSLOG
                                                         : LOG_TO_FILE;
    option_set_number(o, base, to);
    *(const char **)((char *)base + o->with) = to == LOG_TO_FILE ? absolute(l, s) : "";
}

/* --- lists of words; libconfig's ( ) and [ ] are both taken --- */

static bool is_list(const config_setting_t *s)
{
    return config_setting_is_list(s) || config_setting_is_array(s);
}

static void set_networks(struct load *l, const struct option *o, void *base, const config_setting_t *s)
{
    struct networks *list = (struct networks *)((char *)base + o->at);
    size_t n = (size_t)config_setting_length(s);
    *list = (struct networks){ .at = config_alloc(l->config, n, sizeof *list->at) };
    if (list->at == NULL)
        l->report->short_of_memory = true;
    for (size_t i = 0; i < n && list->at != NULL; i++) {
        const config_setting_t *word = config_setting_get_elem(s, (unsigned)i);
        if (is_string(word) && network_parse(text_of(word), &list->at[list->n]))
            list->n++;
        else
            load_wrong(l, o, word, "a network such as \"10.0.0.0/8\" or \"2001:db8::/32\", or an IP address");
    }
}

static void set_place(struct load *l, struct strings *list, int line)
{
    struct place place = text_place(l->text, line);
    list->file = keep(l, span_of(place.file));
    list->line = place.line;
}

static void set_strings(struct load *l, const struct option *o, void *base, const config_setting_t *s)
{
    struct strings *list = (struct strings *)((char *)base + o->at);
    size_t n = (size_t)config_setting_length(s);
    *list = (struct strings){ .at = config_alloc(l->config, n, sizeof *list->at) };
    if (l->text != NULL)
        set_place(l, list, line_of(s));
    if (list->at == NULL)
        l->report->short_of_memory = true;
    for (size_t i = 0; i < n && list->at != NULL; i++) {
        const config_setting_t *word = config_setting_get_elem(s, (unsigned)i);
        if (is_string(word) && o->rule->holds(text_of(word)))
            list->at[list->n++] = keep(l, text_of(word));
        else
            load_wrong(l, o, word, o->rule->expected);
    }
}

static bool set_list(struct load *l, const struct option *o, void *base, const config_setting_t *s)
{
    if (!is_list(s) || (o->most > 0 && config_setting_length(s) > o->most))
        return false;
    if (o->kind == KIND_NETWORKS)
        set_networks(l, o, base, s);
    else
        set_strings(l, o, base, s);
    return true;
}

/* --- by kind --- */

static bool set(struct load *l, const struct option *o, void *base, const config_setting_t *s)
{
    switch (o->kind) {
    case KIND_BOOL:
        return set_bool(o, base, s);
    case KIND_INT:
        return set_int(o, base, s);
    case KIND_CHOICE:
        return set_choice(l, o, base, s);
    case KIND_STRING:
    case KIND_HOST:
        return set_string(l, o, base, s);
    case KIND_PATH:
        return set_path(l, o, base, s);
    case KIND_DATE:
        return set_date(l, o, base, s);
    case KIND_ADDRESS:
        return is_string(s) && set_address(o, base, text_of(s));
    case KIND_LOG_TO:
        if (text_of(s).n == 0)
            return false;
        set_log_to(l, o, base, s);
        return true;
    case KIND_NETWORKS:
    case KIND_STRINGS:
        return set_list(l, o, base, s);
    default:
        return false; /* groups and lists are load.c's */
    }
}

void load_value(struct load *l, const struct option *o, void *base, const config_setting_t *s)
{
    if (set(l, o, base, s))
        return;
    load_default(l, o, base);
    load_wrong(l, o, s, NULL);
}

/* The default of a list of strings is written as words. */
static void set_words(struct load *l, struct strings *list, struct span words)
{
    struct span word;
    *list = (struct strings){ .at = config_alloc(l->config, words.n, sizeof *list->at) };
    if (list->at == NULL && words.n > 0)
        l->report->short_of_memory = true;
    while (list->at != NULL && span_word(&words, &word))
        list->at[list->n++] = keep(l, word);
}

void load_default(struct load *l, const struct option *o, void *base)
{
    char *field = (char *)base + o->at;
    if (o->from_config) {
        memcpy(field, (const char *)l->config + o->from, o->bytes);
        return;
    }
    switch (o->kind) {
    case KIND_BOOL:
        option_set_number(o, base, o->normal != NULL && strcmp(o->normal, "true") == 0);
        break;
    case KIND_INT:
        option_set_number(o, base, o->normal != NULL ? strtoll(o->normal, NULL, 10) : 0);
        break;
    case KIND_CHOICE:
        if (o->normal != NULL)
            option_set_number(o, base, option_choice(o, span_of(o->normal))->value);
        break;
    case KIND_ADDRESS:
        (void)set_address(o, base, span_of(o->normal));
        break;
    case KIND_NETWORKS:
        memset(field, 0, o->bytes);
        break;
    case KIND_STRINGS:
        set_words(l, (struct strings *)field, span_of(o->normal));
        break;
    case KIND_LOG_TO:
        option_set_number(o, base, LOG_TO_STDERR);
        *(const char **)((char *)base + o->with) = "";
        break;
    default:
        set_text(o, base, o->normal != NULL ? o->normal : "");
    }
}
