/* The loss rules of the directory map. Half a file, cut at a line's end, is valid text: what a new map has lost against
 * the one in force is the only sign, so a great loss must be stated in the file itself before it is believed. */
#include "auth/directory/map_format.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct guard {
    const char *path;
    size_t line;
    int64_t stated;
    const struct map *now;
    struct buf *errors;
    size_t broken;
};

static void say(struct guard *g, const char *format, ...) PRINTF_LIKE(2, 3);
static void say(struct guard *g, const char *format, ...)
{
    char text[512], but[64] = "";
    if (g->broken++ >= MAP_ERRORS_MAX)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (g->stated >= 0)
        snprintf(but, sizeof but, " instead of \"# entries: %" PRId64 "\"", g->stated);
    /* When this finds no room the map is refused with fewer words. */
    if (!buf_printf(g->errors,
                    "%s:%zu: %s; if it is meant so, write this line into the file%s: # entries: %" PRIu64 "\n", g->path,
                    g->line, text, but, g->now->stats.entries))
        return;
}

static void count_by_site(const struct map *map, uint64_t *counts)
{
    for (size_t i = 0; i < map->stats.entries; i++)
        counts[map_entry_site(map, i)]++;
}

/* A site that the configuration has no more was given up there, on purpose. */
static void find_emptied(struct guard *g, const struct config *config, const struct map *before)
{
    uint64_t had[SITES_MAX] = { 0 }, has[SITES_MAX] = { 0 };
    count_by_site(before, had);
    count_by_site(g->now, has);
    for (size_t i = 0; i < map_sites(before); i++) {
        ptrdiff_t site = config_site(config, map_site_name(before, i));
        if (had[i] > 0 && site >= 0 && has[site] == 0)
            say(g, "found no entry for the site \"%s\", expected some: the map in force has %" PRIu64,
                config->sites[site].name, had[i]);
    }
}

/* Keys of the old map that the new one does not have: both are walked once, in the order of their keys. */
static uint64_t count_gone(const struct map *before, const struct map *now)
{
    struct map_entry old, new;
    uint64_t gone = 0;
    size_t at = 0;
    for (size_t i = 0; i < before->stats.entries; i++) {
        int order = -1;
        map_entry_number(before, i, &old);
        for (; at < now->stats.entries; at++) {
            map_entry_number(now, at, &new);
            order = span_compare(old.key, new.key);
            if (order <= 0)
                break;
        }
        gone += order != 0 || at == now->stats.entries;
    }
    return gone;
}

static void find_loss(struct guard *g, const struct config *config, const struct map *before)
{
    uint64_t had = before->stats.entries, gone = count_gone(before, g->now);
    uint64_t percent = (uint64_t)config->directory.max_loss_percent;
    if (gone * 100 > percent * had)
        say(g,
            "found %" PRIu64 " of the %" PRIu64 " entries in force gone, expected at most %" PRIu64
            " percent (directory.max_loss_percent)",
            gone, had, percent);
}

size_t map_guard(const struct config *config, const char *path, size_t line, int64_t stated, struct span before,
                 const struct map *now, struct buf *errors)
{
    struct guard g = { .path = path, .line = line, .stated = stated, .now = now, .errors = errors };
    struct map old;
    if (stated >= 0 && (uint64_t)stated == now->stats.entries)
        return 0;
    if (now->stats.entries == 0) {
        say(&g, "found no entry at all, expected at least one");
    } else if (before.n > 0 && map_open(&old, before)) {
        find_emptied(&g, config, &old);
        find_loss(&g, config, &old);
    }
    return g.broken;
}
