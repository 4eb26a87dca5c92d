/* The directory map from its text: every line is read once into a packed entry; the entries are sorted, doubles told,
 * and written in the order of their keys, so that whoever opens the result reads straight through it.
 *
 * The trick that makes a million lines cheap: what is sorted carries the first eight bytes of its key as a number, and
 * most comparisons need no more. */
#include "auth/directory/map_format.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "auth/names/names.h"
#include "proxy/base/pack.h"

struct draft { /* one good line */
    uint64_t head;
    uint32_t at;
    uint32_t line;
};

struct site_ref {
    struct span name;
    uint16_t number;
};

struct compiler {
    const struct config *config;
    struct name_rules names;
    const char *path;
    struct buf *errors;
    size_t n_errors;
    size_t line;    /* the one being read, from 1 */
    int64_t stated; /* by "# entries: N", or -1 */
    bool no_memory;
    struct site_ref sites[SITES_MAX]; /* by name */
    const struct site_ref *last_site; /* neighbours in the text often share one */
    struct buf packed;                /* the entries, in the order of the lines */
    struct draft *drafts;
    size_t n_drafts, room;
    struct buf key, names_text; /* canonical, of the line being read */
};

struct line_entry {
    struct span key;
    uint16_t site;
    struct switches switches;
};

static void complain(struct compiler *c, size_t line, const char *format, ...) PRINTF_LIKE(3, 4);
static void complain(struct compiler *c, size_t line, const char *format, ...)
{
    char text[MAP_LINE_MAX + 256];
    if (c->n_errors++ >= MAP_ERRORS_MAX)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    /* An error that finds no room for its text has been counted nevertheless: the map is refused. */
    c->no_memory |= !buf_printf(c->errors, "%s:%zu: %s\n", c->path, line, text);
}

/* Sites. */

static int compare_sites(const void *a, const void *b)
{
    return span_compare(((const struct site_ref *)a)->name, ((const struct site_ref *)b)->name);
}

static void sort_sites(struct compiler *c)
{
    assert(c->config->n_sites <= SITES_MAX);
    for (size_t i = 0; i < c->config->n_sites; i++)
        c->sites[i] = (struct site_ref){ span_of(c->config->sites[i].name), (uint16_t)i };
    qsort(c->sites, c->config->n_sites, sizeof *c->sites, compare_sites);
}

static const struct site_ref *find_site(struct compiler *c, struct span name)
{
    if (c->last_site == NULL || !span_eq(c->last_site->name, name)) {
        struct site_ref wanted = { .name = name };
        c->last_site = bsearch(&wanted, c->sites, c->config->n_sites, sizeof *c->sites, compare_sites);
    }
    return c->last_site;
}

/* One line. */

/* A line that is not text is told and never looked into. */
static bool line_is_text(struct compiler *c, struct span line)
{
    bool ascii = true;
    if (line.n > MAP_LINE_MAX) {
        complain(c, c->line, "found a line of %zu bytes, expected at most %d", line.n, MAP_LINE_MAX);
        return false;
    }
    for (size_t i = 0; i < line.n; i++) {
        unsigned char byte = (unsigned char)line.at[i];
        ascii = ascii && byte < 0x80;
        if ((byte < 0x20 && byte != '\t') || byte == 0x7f) {
            complain(c, c->line, "found the control character 0x%02x in column %zu, expected text", byte, i + 1);
            return false;
        }
    }
    if (!ascii && !span_is_utf8(line)) {
        complain(c, c->line, "found bytes that are not UTF-8, expected UTF-8 text");
        return false;
    }
    return true;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* What stands before a comment. A '#' inside a word is part of it. */
static struct span without_comment(struct span line)
{
    for (size_t i = 0; i < line.n; i++)
        if (line.at[i] == '#' && (i == 0 || is_blank(line.at[i - 1])))
            return span_first(line, i);
    return line;
}

/* "# entries: N" states how many entries the file means to have. Any other comment is one. */
static void read_statement(struct compiler *c, struct span line)
{
    struct span word, rest = span_trim(line);
    uint64_t n;
    if (!span_starts(rest, SPAN("#")))
        return;
    rest = span_after(rest, 1);
    if (span_word(&rest, &word) && span_eq(word, SPAN("entries:")) && span_number(rest, UINT32_MAX, &n))
        c->stated = (int64_t)n;
}

static bool read_key(struct compiler *c, struct span word, struct line_entry *entry)
{
    bool good = true;
    buf_clear(&c->key);
    if (span_eq(word, SPAN("*")))
        good = buf_add(&c->key, word);
    else if (span_starts(word, SPAN("@")))
        good = buf_add_byte(&c->key, '@') && name_canonical_domain(&c->names, span_after(word, 1), &c->key);
    else
        good = !span_starts(word, SPAN("*@")) && name_canonical(&c->names, word, &c->key);
    entry->key = buf_span(&c->key);
    if (!good)
        complain(c, c->line, "found \"%.*s\", expected a mailbox, \"@domain\" or \"*\"", SPAN_ARG(word));
    return good;
}

static bool read_site(struct compiler *c, struct span word, struct line_entry *entry)
{
    const struct site_ref *site = find_site(c, word);
    if (word.n == 0)
        complain(c, c->line, "found a mailbox without a site, expected: mailbox site options");
    else if (site == NULL)
        complain(c, c->line, "found the site \"%.*s\", expected one that the configuration has", SPAN_ARG(word));
    else
        entry->site = site->number;
    return site != NULL;
}

static bool read_option(struct compiler *c, struct switches_reader *reader, struct span word)
{
    const char *expected;
    switch (switches_read(reader, word, &expected)) {
    case SWITCHES_READ:
        return true;
    case SWITCHES_TWICE:
        complain(c, c->line, "found %s twice, expected it once", expected);
        return false;
    case SWITCHES_UNKNOWN:
        complain(c, c->line, "found the option \"%.*s\", expected %s", SPAN_ARG(word), expected);
        return false;
    case SWITCHES_BAD:
        complain(c, c->line, "found \"%.*s\", expected %s", SPAN_ARG(word), expected);
        return false;
    }
    return false;
}

static bool read_entry(struct compiler *c, struct span line, struct line_entry *entry)
{
    struct span rest = line, word;
    struct switches_reader reader = { .names = &c->names, .to = &entry->switches, .text = &c->names_text };
    *entry = (struct line_entry){ .key = SPAN_NONE };
    if (!span_word(&rest, &word) || !read_key(c, word, entry))
        return false;
    span_word(&rest, &word);
    if (!read_site(c, word, entry))
        return false;
    while (span_word(&rest, &word))
        if (!read_option(c, &reader, word))
            return false;
    return true;
}

/* Keeping a good line. */

static uint64_t key_head(struct span key)
{
    uint64_t head = 0;
    for (size_t i = 0; i < 8; i++)
        head = head << 8 | (i < key.n ? (unsigned char)key.at[i] : 0);
    return head;
}

static bool pack_entry(struct buf *to, const struct line_entry *e)
{
    const struct switches *w = &e->switches;
    return pack_number(to, e->site, 2) && pack_number(to, w->protocols, 1) && pack_number(to, w->sessions, 2) &&
           pack_number(to, e->key.n, 2) && pack_number(to, w->user.n, 2) && pack_number(to, w->networks.n, 2) &&
           pack_number(to, w->delegates.n, 2) && pack_number(to, w->opens.n, 2) && buf_add(to, e->key) &&
           buf_add(to, w->user) && buf_add(to, w->networks) && buf_add(to, w->delegates) && buf_add(to, w->opens);
}

static void keep_entry(struct compiler *c, const struct line_entry *entry)
{
    if (c->n_drafts == c->room) {
        size_t room = c->room > 0 ? 2 * c->room : 1024;
        struct draft *drafts = reallocarray(c->drafts, room, sizeof *drafts);
        if (drafts == NULL) {
            c->no_memory = true;
            return;
        }
        c->drafts = drafts;
        c->room = room;
    }
    c->drafts[c->n_drafts++] = (struct draft){ key_head(entry->key), (uint32_t)c->packed.n, (uint32_t)c->line };
    c->no_memory |= !pack_entry(&c->packed, entry);
}

static void read_line(struct compiler *c, struct span line)
{
    struct line_entry entry;
    if (!line_is_text(c, line))
        return;
    struct span content = without_comment(line);
    if (content.n < line.n)
        read_statement(c, line);
    if (span_trim(content).n > 0 && read_entry(c, content, &entry))
        keep_entry(c, &entry);
}

/* Lines end in LF or CR LF; an editor's byte order mark at the very start is no part of the first. */
static void read_lines(struct compiler *c, struct span text)
{
    static const struct span mark = { "\xef\xbb\xbf", 3 };
    if (span_starts(text, mark))
        text = span_after(text, mark.n);
    while (text.n > 0 && !c->no_memory) {
        ptrdiff_t end = span_find(text, '\n');
        struct span line = end < 0 ? text : span_first(text, (size_t)end);
        c->line++;
        if (end < 0)
            complain(c, c->line,
                     "found a last line without its end, expected a newline: "
                     "the file seems to be still written");
        if (end > 0 && line.at[line.n - 1] == '\r')
            line.n--;
        read_line(c, line);
        text = span_after(text, end < 0 ? text.n : (size_t)end + 1);
    }
}

/* All lines are read. */

static size_t number_at(const struct buf *packed, size_t at)
{
    const unsigned char *p = (const unsigned char *)packed->at + at;
    return p[0] + ((size_t)p[1] << 8);
}

static struct span draft_key(const struct buf *packed, const struct draft *d)
{
    return span_bytes(packed->at + d->at + MAP_ENTRY_HEAD_BYTES, number_at(packed, d->at + 5));
}

static struct span draft_bytes(const struct buf *packed, const struct draft *d)
{
    size_t n = MAP_ENTRY_HEAD_BYTES;
    for (size_t length = 5; length < MAP_ENTRY_HEAD_BYTES; length += 2)
        n += number_at(packed, d->at + length);
    return span_bytes(packed->at + d->at, n);
}

/* Equal keys stand in the order of their lines. */
static int compare_drafts(const void *left, const void *right, void *packed)
{
    const struct draft *a = left, *b = right;
    if (a->head != b->head)
        return a->head < b->head ? -1 : 1;
    int order = span_compare(draft_key(packed, a), draft_key(packed, b));
    if (order != 0)
        return order;
    return a->line < b->line ? -1 : a->line > b->line;
}

static void sort_and_find_doubles(struct compiler *c)
{
    if (c->n_drafts == 0)
        return;
    qsort_r(c->drafts, c->n_drafts, sizeof *c->drafts, compare_drafts, &c->packed);
    const struct draft *first = &c->drafts[0];
    for (const struct draft *d = first + 1; d < c->drafts + c->n_drafts; d++) {
        struct span key = draft_key(&c->packed, d);
        if (!span_eq(key, draft_key(&c->packed, first)))
            first = d;
        else
            complain(c, d->line, "found %.*s again, expected it once: it stands in line %u already", SPAN_ARG(key),
                     first->line);
    }
}

/* After sorting, offsets in `packed` are not needed any more: each draft's becomes the one in `to`. */
static bool write_entries(struct compiler *c, struct buf *to)
{
    for (size_t i = 0; i < c->n_drafts; i++) {
        struct draft *d = &c->drafts[i];
        size_t at = to->n;
        if (at > UINT32_MAX || !buf_add(to, draft_bytes(&c->packed, d)))
            return false;
        d->at = (uint32_t)at;
    }
    return true;
}

static bool write_tail(const struct compiler *c, struct buf *to)
{
    size_t names_at = to->n;
    for (size_t i = 0; i < c->config->n_sites; i++)
        if (!buf_add_text(to, c->config->sites[i].name))
            return false;
    for (size_t i = 0; i < c->n_drafts; i++)
        if (!pack_number(to, c->drafts[i].at, MAP_INDEX_BYTES))
            return false;
    for (size_t i = 0; i < c->config->n_sites; i++) {
        size_t n = strlen(c->config->sites[i].name);
        if (names_at + n > UINT32_MAX || !pack_number(to, names_at, 4) || !pack_number(to, n, 4))
            return false;
        names_at += n;
    }
    return true;
}

/* The length is known last and written first: the header goes into its place again. */
static bool write_map(struct compiler *c, struct buf *to)
{
    struct buf header;
    buf_init(&header, MAP_HEADER_BYTES);
    bool good = buf_space(to, MAP_HEADER_BYTES) != NULL;
    if (good)
        buf_grew(to, MAP_HEADER_BYTES);
    good = good && write_entries(c, to) && write_tail(c, to) && buf_add(&header, MAP_MAGIC) &&
           pack_number(&header, to->n, 8) && pack_number(&header, c->n_drafts, 4) &&
           pack_number(&header, c->config->n_sites, 4);
    if (good)
        memcpy(to->at, header.at, MAP_HEADER_BYTES);
    buf_fini(&header);
    return good;
}

/* The text as a whole: reached when every line is good. */
static void check_whole(struct compiler *c, bool guard, struct span before, struct buf *to)
{
    struct map now;
    if (!write_map(c, to))
        complain(c, c->line, "found %zu entries, expected no more than memory can hold", c->n_drafts);
    else if (!map_open(&now, buf_span(to)))
        complain(c, c->line, "the compiled map is damaged: this is a bug in homeward, please report it");
    else if (guard)
        c->n_errors += map_guard(c->config, c->path, c->line > 0 ? c->line : 1, c->stated, before, &now, c->errors);
}

bool map_compile(const struct config *config, const char *path, struct span text, struct span before, bool guard,
                 struct buf *to, struct buf *errors)
{
    const char *wrong;
    struct compiler c = { .config = config, .path = path, .errors = errors, .stated = -1 };
    buf_clear(to);
    buf_init(&c.packed, UINT32_MAX);
    buf_init(&c.key, NAME_BYTES_MAX + 1);
    buf_init(&c.names_text, SWITCHES_NAMES_MAX);
    sort_sites(&c);
    c.no_memory = !name_rules_init(&c.names, config, &wrong);
    read_lines(&c, text);
    if (c.no_memory)
        complain(&c, c.line, "found %zu entries so far, expected no more than memory can hold", c.n_drafts);
    else
        sort_and_find_doubles(&c);
    if (c.n_errors == 0)
        check_whole(&c, guard, before, to);
    /* Whether or not this finds room, the map is refused. */
    bool told = c.n_errors <= MAP_ERRORS_MAX ||
                buf_printf(errors, "%s: and %zu more errors\n", path, c.n_errors - MAP_ERRORS_MAX);
    buf_fini(&c.packed);
    buf_fini(&c.key);
    buf_fini(&c.names_text);
    name_rules_fini(&c.names);
    free(c.drafts);
    return told && c.n_errors == 0;
}
