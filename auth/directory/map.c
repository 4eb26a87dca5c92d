/* The compiled directory map: opening and looking up. Everything is checked once, in one pass in the order in which
 * the bytes lie; afterwards offsets are followed without another look. */
#include "auth/directory/map_format.h"

static uint64_t number(const unsigned char *p, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value |= (uint64_t)p[i] << (8 * i);
    return value;
}

static const unsigned char *bytes_at(const struct map *map, size_t at)
{
    return (const unsigned char *)map->bytes.at + at;
}

/* The parts of one entry, without names. */
struct raw_entry {
    size_t site, bytes;
    struct span key;
    struct switches switches;
};

static struct span take(const char **at, size_t n)
{
    struct span s = { n > 0 ? *at : NULL, n };
    *at += n;
    return s;
}

static struct raw_entry raw_entry(const struct map *map, size_t at)
{
    const unsigned char *p = bytes_at(map, at);
    const char *text = (const char *)p + MAP_ENTRY_HEAD_BYTES;
    struct raw_entry e = { .site = number(p, 2) };
    e.switches.protocols = p[2];
    e.switches.sessions = (unsigned)number(p + 3, 2);
    e.key = take(&text, number(p + 5, 2));
    e.switches.user = take(&text, number(p + 7, 2));
    e.switches.networks = take(&text, number(p + 9, 2));
    e.switches.delegates = take(&text, number(p + 11, 2));
    e.switches.opens = take(&text, number(p + 13, 2));
    e.bytes = (size_t)(text - (const char *)p);
    return e;
}

static size_t entry_at(const struct map *map, size_t i)
{
    return number(map->index + i * MAP_INDEX_BYTES, MAP_INDEX_BYTES);
}

size_t map_sites(const struct map *map)
{
    return map->sites.n / MAP_SITE_BYTES;
}

/* Where the entries end, or 0 when one of them is wrong. They fill their part without a gap, in ascending order. */
static size_t check_entries(const struct map *map, size_t end)
{
    size_t at = MAP_HEADER_BYTES;
    struct span last = SPAN_NONE;
    for (size_t i = 0; i < map->stats.entries; i++) {
        if (entry_at(map, i) != at || end - at < MAP_ENTRY_HEAD_BYTES)
            return 0;
        struct raw_entry e = raw_entry(map, at);
        if (e.bytes > end - at || e.site >= map_sites(map) || e.switches.protocols >> PROTOCOLS != 0)
            return 0;
        if (e.key.n == 0 || span_compare(last, e.key) >= 0)
            return 0;
        at += e.bytes;
        last = e.key;
    }
    return at;
}

static bool check_sites(const struct map *map, size_t at, size_t end)
{
    const unsigned char *p = (const unsigned char *)map->sites.at;
    for (size_t i = 0; i < map_sites(map); i++, p += MAP_SITE_BYTES) {
        size_t n = number(p + 4, 4);
        if (number(p, 4) != at || n == 0 || n > end - at)
            return false;
        at += n;
    }
    return at == end;
}

bool map_open(struct map *map, struct span compiled)
{
    if (compiled.n < MAP_HEADER_BYTES || !span_starts(compiled, MAP_MAGIC))
        return false;
    const unsigned char *header = (const unsigned char *)compiled.at;
    uint64_t entries = number(header + 16, 4), sites = number(header + 20, 4);
    uint64_t tail = entries * MAP_INDEX_BYTES + sites * MAP_SITE_BYTES;
    if (number(header + 8, 8) != compiled.n || sites > SITES_MAX || tail > compiled.n - MAP_HEADER_BYTES)
        return false;
    size_t end = compiled.n - tail;
    *map = (struct map){
        .bytes = compiled,
        .stats.entries = entries,
        .index = header + end,
        .sites = {compiled.at + end + entries * MAP_INDEX_BYTES, sites * MAP_SITE_BYTES},
    };
    size_t names_at = check_entries(map, end);
    return names_at != 0 && check_sites(map, names_at, end);
}

struct span map_site_name(const struct map *map, size_t site)
{
    const unsigned char *p = (const unsigned char *)map->sites.at + site * MAP_SITE_BYTES;
    return (struct span){ map->bytes.at + number(p, 4), number(p + 4, 4) };
}

size_t map_entry_site(const struct map *map, size_t i)
{
    return raw_entry(map, entry_at(map, i)).site;
}

void map_entry_number(const struct map *map, size_t i, struct map_entry *entry)
{
    struct raw_entry e = raw_entry(map, entry_at(map, i));
    *entry = (struct map_entry){ .key = e.key, .site = map_site_name(map, e.site), .switches = e.switches };
}

static bool find_key(const struct map *map, struct span key, struct map_entry *entry)
{
    size_t low = 0, high = map->stats.entries;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = span_compare(key, raw_entry(map, entry_at(map, middle)).key);
        if (order == 0) {
            map_entry_number(map, middle, entry);
            return true;
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return false;
}

bool map_find(const struct map *map, struct span mailbox, struct map_entry *entry)
{
    ptrdiff_t at = span_find_last(mailbox, '@');
    return find_key(map, mailbox, entry) || (at > 0 && find_key(map, span_after(mailbox, (size_t)at), entry)) ||
           find_key(map, SPAN("*"), entry);
}
