/* The one table of options, from which the loader, `-T`, the manual page and the question "which role must be born
 * again?" are made. A section is the table of one group; a row of a section is an option, a group, or a list of groups.
 *
 * A row says where its value lies in the struct of its section: `at`, and for kinds that fill two fields, `with`. */
#ifndef CONFIG_OPTIONS_H
#define CONFIG_OPTIONS_H

#include "config/config.h"

enum option_kind {
    KIND_BOOL,
    KIND_INT,      /* whole number of 2 or 8 bytes, least to most */
    KIND_CHOICE,   /* one of `choices`; an enum, or a bool */
    KIND_STRING,   /* obeys `rule` */
    KIND_PATH,     /* made absolute; with most > 0, at most so many bytes */
    KIND_DATE,     /* text, and in `with` the end of that day in seconds */
    KIND_HOST,     /* name or literal, and in `with` the literal */
    KIND_ADDRESS,  /* of a listener: literal or "*", and in `with` whether it was "*" */
    KIND_LOG_TO,   /* "stderr", "syslog" or a file, whose path is in `with` */
    KIND_NETWORKS, /* struct networks */
    KIND_STRINGS,  /* struct strings, each obeys `rule` */
    KIND_GROUP,    /* `section` with its base here */
    KIND_SWITCH,   /* a group that may be "off"; `with`: the bool that says so */
    KIND_LIST,     /* least to most groups: pointer here, count in `with` */
};

enum {
    OPTION_REQUIRED = 1,
    OPTION_SHARED = 2, /* stands in the group for all its listeners: lands in the struct they start from */
    OPTION_KEPT = 4,   /* the other side: when left out, a listener keeps what it started from */
};

struct choice {
    const char *name; /* NULL ends the table */
    int value;
    const char *refused; /* why this one cannot be had; else NULL */
};

/* What the text of a string must be like. */
struct rule {
    bool (*holds)(struct span text);
    const char *expected; /* goes on after "expected" */
};

struct section;
struct option {
    const char *name;
    enum option_kind kind;
    unsigned flags;
    unsigned roles; /* 0 for groups and lists: they concern whom their rows concern */
    size_t at, bytes, with;
    int64_t least, most;
    const char *normal;   /* the default as text; NULL: nothing, empty, false, or 0 for "worked out later" */
    const char *normally; /* the default in words, where one value cannot say it */
    const struct choice *choices;
    const struct rule *rule;
    const struct section *section;
    size_t start; /* of a list: where in the group's struct its items start from, if `starts` */
    bool starts;
    bool from_config; /* default is copied from `from` of struct config, which is loaded before */
    size_t from;
    const char *help; /* a sentence or two for the manual, plain text */
};

struct section {
    const struct option *rows;
    size_t n;
    size_t item_bytes;                   /* of a list's items */
    size_t line_at, file_at;             /* where an item or group keeps its place, if it does (never 0) */
    size_t items_max;                    /* structs that one written item can become: 1, or 2 */
    size_t (*spread)(void *item);        /* make the others behind it; how many there are now */
    bool (*is_spread)(const void *item); /* one of those */
    const char *help;
};

extern const struct section config_section; /* the whole file */

unsigned option_roles(const struct option *o);                                /* of a group: of all its rows together */
const struct option *section_find(const struct section *s, const char *name); /* NULL: unknown */

int64_t option_number(const struct option *o, const void *base); /* BOOL, INT, CHOICE, LOG_TO */
void option_set_number(const struct option *o, void *base, int64_t value);
const struct choice *option_choice(const struct option *o, struct span name); /* NULL: none of them */
const char *option_choice_name(const struct option *o, int64_t value);

/* "a whole number from 1 to 100": for messages and the manual. */
bool option_expects(const struct option *o, struct buf *to) MUST_CHECK;

#endif
