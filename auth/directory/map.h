/* The directory map: which mailbox lives at which site. Text that an admin edits is checked and compiled by a
 * short-lived process into one sealed memfd; the auth process maps that and looks up in it. See homeward.cfg(5) for the
 * text. */
#ifndef AUTH_DIRECTORY_MAP_H
#define AUTH_DIRECTORY_MAP_H

#include "auth/directory/switches.h"

enum { MAP_LINE_MAX = SWITCHES_TEXT_MAX, MAP_ERRORS_MAX = 20 /* told at most */ };

/* Check the text and compile it. Every error is a line "PATH:12: what was found, what was expected\n" in errors.
 *   before   the compiled map in force, or SPAN_NONE: the loss rules compare with it
 *   guard    apply the loss rules: empty, a site emptied, more than max_loss_percent gone are errors, unless a
 *            "# entries: N" line states the exact number; the error says how to accept it on purpose
 * Returns the compiled bytes in `to`. */
bool map_compile(const struct config *config, const char *path, struct span text, struct span before, bool guard,
                 struct buf *to, struct buf *errors) MUST_CHECK;

struct map_stats {
    uint64_t entries;
};

/* A view of compiled bytes; checks the header and every offset that a look-up will follow, so that a damaged file is
 * refused here and never later. Keeps borrowing. */
struct map {
    struct span bytes;
    struct map_stats stats;
    const unsigned char *index;
    struct span sites;
};
bool map_open(struct map *map, struct span compiled) MUST_CHECK;

struct map_entry {
    struct span key; /* as it stands in the map: "anna@example.com", "@branch.example.com", "*" */
    struct span site;
    struct switches switches; /* its options */
};

/* The most specific entry: the mailbox, its domain ("@domain"), "*". False: unknown. O(log n), no allocation. */
bool map_find(const struct map *map, struct span mailbox, struct map_entry *entry);

#endif
