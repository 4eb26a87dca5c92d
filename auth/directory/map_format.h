/* The compiled directory map, inside: shared by who writes it (map_compile.c), who compares two (map_guard.c) and who
 * reads it (map.c). All numbers are little endian.
 *
 *   header     magic, length of everything (8), number of entries (4), number of sites (4)
 *   entries    in the order of their keys: site (2), protocols as bits (1, 0: not said), sessions (2, 0: not said),
 *              lengths of key, user, networks, delegates and opens (2 each, 0: not said), then these
 *   names      of the sites, one behind the other
 *   index      per entry: where it starts (4)
 *   sites      per site: where its name starts (4) and how long it is (4)
 *
 * Nothing lies between these parts, so there is exactly one right value for every offset. */
#ifndef AUTH_DIRECTORY_MAP_FORMAT_H
#define AUTH_DIRECTORY_MAP_FORMAT_H

#include "auth/directory/map.h"

enum { MAP_HEADER_BYTES = 24, MAP_ENTRY_HEAD_BYTES = 15, MAP_SITE_BYTES = 8, MAP_INDEX_BYTES = 4 };
#define MAP_MAGIC SPAN("HWMAP 3\n")

/* Entry number i of an open map, i < stats.entries; in the order of keys. */
void map_entry_number(const struct map *map, size_t i, struct map_entry *entry);

size_t map_sites(const struct map *map);
struct span map_site_name(const struct map *map, size_t site);
size_t map_entry_site(const struct map *map, size_t i); /* the number of entry i's site */

/* The loss rules. Adds to errors, each line complete, one for every rule that is broken; how many lines that are.
 *   line    the last one of the text, for the messages
 *   stated  the number in its "# entries: N" line, or -1 */
size_t map_guard(const struct config *config, const char *path, size_t line, int64_t stated, struct span before,
                 const struct map *now, struct buf *errors);

#endif
