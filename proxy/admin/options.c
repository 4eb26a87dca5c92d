/* Reading options. */
#include "proxy/admin/options.h"

#include <getopt.h>
#include <stdio.h>

const char admin_config_file[] = "/etc/homeward/homeward.cfg";

enum { EXIT_USAGE = 2 };

static bool take_protocol(struct admin_options *o, const char *word)
{
    for (enum protocol p = 0; p < PROTOCOLS; p++)
        if (strcmp(word, protocol_names[p]) == 0) {
            o->protocol = p;
            o->has_protocol = true;
            return true;
        }
    fprintf(stderr, "homeward: --proto %s is not known; expected imap or pop3\n", word);
    return false;
}

static bool take_from(struct admin_options *o, const char *word)
{
    if (addr_parse(span_of(word), 0, &o->from))
        return true;
    fprintf(stderr, "homeward: --from %s is not an address\n", word);
    return false;
}

static bool take(struct admin_options *o, int option)
{
    switch (option) {
    case 'c':
        o->file = optarg;
        return true;
    case 'p':
        return take_protocol(o, optarg);
    case 'f':
        return take_from(o, optarg);
    case 'u':
        o->user = optarg;
        return true;
    case 'j':
        o->json = true;
        return true;
    case 'F':
        o->front = true;
        return true;
    default:
        return false;
    }
}

bool admin_options_read(struct admin_options *o, int argc, char **argv, const char *usage, bool needs_word)
{
    static const struct option options[] = {
        {"proto",            required_argument, NULL, 'p' },
        { "from",              required_argument, NULL, 'f' },
        { "user",                 required_argument, NULL, 'u' },
        { "json",no_argument, NULL, 'j' },
        { "front",               no_argument, NULL, 'F' },
        { "help",            no_argument, NULL, 'h' },
        { 0             }
    };
    *o = (struct admin_options){ .file = admin_config_file, .status = EXIT_USAGE };
    bool good = true;
    for (int option; good && (option = getopt_long(argc, argv, "c:h", options, NULL)) != -1;) {
        if (option == 'h')
            o->status = 0;
        good = option != 'h' && take(o, option);
    }
    if (good && optind < argc)
        o->word = argv[optind++];
    if (good && optind == argc && (o->word != NULL || !needs_word))
        return true;
    fprintf(o->status == 0 ? stdout : stderr, "usage: homeward %s %s\n", argv[0], usage);
    return false;
}
