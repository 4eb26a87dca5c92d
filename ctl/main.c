/* homewardctl: the command line, its help and its completion, all from the table of commands. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"

static const struct {
    struct option option;
    size_t at; /* in struct options; 0: handled by hand */
} known[] = {
    {{ "user", required_argument, NULL, 0 },   offsetof(struct options,                                     user) },
    { { "net", required_argument, NULL, 0 },                                       offsetof(struct options,                                                             net) },
    { { "site", required_argument, NULL, 0 },                                    offsetof(struct options,                                  site) },
    { { "proto", required_argument, NULL, 0 },offsetof(struct options,   proto) },
    { { "client", required_argument, NULL, 0 }, offsetof(struct options,                                                        client) },
    { { "sid", required_argument, NULL, 0 },                                       offsetof(struct options,                                                          sid) },
    { { "from", required_argument, NULL, 0 },                                 offsetof(struct options,                                    from) },
    { { "reason", required_argument, NULL, 0 },offsetof(struct options,reason) },
    { { "spread", required_argument, NULL, 0 },  offsetof(struct options,      spread) },
    { { "for", required_argument, NULL, 0 },                                       offsetof(struct options,                                                          time) },
    { { "json", no_argument, NULL, 'j' },                                 0                                                                                                                  },
    { { "all", no_argument, NULL, 'a' },                0                                                              },
    { { "help", no_argument, NULL, 'h' },   0},
    { { "version", no_argument, NULL, 'v' },                                       0                                                               },
    { { "completion", no_argument, NULL, 'C' },                                       0},
    { { "socket", required_argument, NULL, 's' },                                       0  },
};

static void help(FILE *to)
{
    fputs("usage: homewardctl [-s SOCKET] [--json] COMMAND\n", to);
    for (size_t i = 0; i < n_ctl_commands; i++)
        fprintf(to, "  %s %s\n        %s\n", ctl_commands[i].name, ctl_commands[i].args, ctl_commands[i].help);
    fputs("TIME is 30, 30s, 5m or 2h. SOCKET is $HOMEWARD_CONTROL, else /run/homeward/control.\n"
          "Exit status: 0 ok, 1 a negative answer, 2 usage, 3 no Homeward can be reached.\n"
          "homewardctl --completion prints the completion for bash. See homewardctl(1).\n",
          to);
}

/* ---- completion ---- */

static void complete_argument(const char *name, size_t at, const char *words)
{
    printf("    %s:%zu) ", name, at);
    if (strcmp(words, "@sites") == 0)
        puts("words=$(homewardctl --json sites 2>/dev/null | sed -n 's/.*\"site\": \"\\(.*\\)\",*$/\\1/p' | sort -u) "
             ";;");
    else if (strcmp(words, "@members") == 0)
        puts("words=$(homewardctl --json sites \"${COMP_WORDS[2]}\" 2>/dev/null | "
             "sed -n 's/.*\"member\": \"\\(.*\\)\",*$/\\1/p' | sort -u) ;;");
    else
        printf("words=\"%s\" ;;\n", words);
}

static int completion(void)
{
    puts("# bash completion for homewardctl, made by homewardctl --completion\n_homewardctl() {\n"
         "  local cur=${COMP_WORDS[COMP_CWORD]} words=");
    fputs("  case ${COMP_WORDS[1]}:$COMP_CWORD in\n    *:1) words=\"", stdout);
    for (size_t i = 0; i < n_ctl_commands; i++)
        printf("%s%s", i > 0 ? " " : "", ctl_commands[i].name);
    puts("\" ;;");
    for (size_t i = 0; i < n_ctl_commands; i++)
        for (size_t a = 0; a < COUNT_OF(ctl_commands[i].complete) && ctl_commands[i].complete[a] != NULL; a++)
            complete_argument(ctl_commands[i].name, a + 2, ctl_commands[i].complete[a]);
    fputs("  esac\n  case $cur in -*) words=\"", stdout);
    for (size_t i = 0; i < COUNT_OF(known); i++)
        printf("%s--%s", i > 0 ? " " : "", known[i].option.name);
    puts("\" ;; esac\n  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\ncomplete -F _homewardctl homewardctl");
    return CTL_OK;
}

/* ---- the command line ---- */

/* -1: go on. Else the exit status. */
static int take(struct options *o, int option, int index)
{
    switch (option) {
    case 0:
        *(const char **)((char *)o + known[index].at) = optarg;
        return -1;
    case 'j':
        o->json = true;
        return -1;
    case 'a':
        o->all = true;
        return -1;
    case 's':
        ctl_socket = optarg;
        return -1;
    case 'h':
        help(stdout);
        return CTL_OK;
    case 'v':
        printf("homewardctl %s\n", HOMEWARD_VERSION);
        return CTL_OK;
    case 'C':
        return completion();
    default:
        return CTL_USAGE;
    }
}

static int read_options(struct options *o, int argc, char **argv)
{
    struct option options[COUNT_OF(known) + 1] = { 0 };
    int index = 0, status = -1;
    for (size_t i = 0; i < COUNT_OF(known); i++)
        options[i] = known[i].option;
    for (int option; status < 0 && (option = getopt_long(argc, argv, "s:hj", options, &index)) != -1;)
        status = take(o, option, index);
    return status;
}

static int run(const char *name, const struct options *o)
{
    for (size_t i = 0; i < n_ctl_commands; i++) {
        const struct ctl_command *c = &ctl_commands[i];
        if (strcmp(name, c->name) != 0)
            continue;
        if (o->n_args >= c->least && o->n_args <= c->most)
            return c->run(c, o);
        fprintf(stderr, "usage: homewardctl %s %s\n", c->name, c->args);
        return CTL_USAGE;
    }
    fprintf(stderr, "homewardctl: '%s' is not a command; homewardctl --help lists them\n", name);
    return CTL_USAGE;
}

int main(int argc, char **argv)
{
    struct options o = { 0 };
    const char *from_environment = getenv("HOMEWARD_CONTROL");
    if (from_environment != NULL)
        ctl_socket = from_environment;
    int status = read_options(&o, argc, argv);
    if (status >= 0)
        return status;
    if (optind >= argc) {
        help(stderr);
        return CTL_USAGE;
    }
    const char *name = argv[optind++];
    while (optind < argc && o.n_args < COUNT_OF(o.args))
        o.args[o.n_args++] = argv[optind++];
    if (optind < argc)
        o.n_args = COUNT_OF(o.args) + 1;
    return run(name, &o);
}
