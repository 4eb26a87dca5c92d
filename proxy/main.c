/* homeward: the command. What an admin asks for on the command line is answered here; a process that Homeward itself
 * has started, recognised by its argv[0], becomes a role. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/verifiers/features.h"
#include "config/config.h"
#include "proxy/admin/doctor.h"
#include "proxy/admin/explain.h"
#include "proxy/admin/probe.h"
#include "proxy/net/tls.h"
#include "proxy/supervisor/birth.h"
#include "proxy/supervisor/check.h"
#include "proxy/supervisor/supervisor.h"
#include "proxy/supervisor/tell.h"

#define HOMEWARD_CONFIG "/etc/homeward/homeward.cfg"

enum { EXIT_USAGE = 2, TEXT_MAX = 16 << 20 };

static const char usage[] =
    "usage: homeward [-c FILE] [-t | -T]\n"
    "       homeward explain USER [--proto imap|pop3] [--from IP] [--json] [-c FILE]\n"
    "       homeward probe [SITE] [--front] [--user USER] [--proto imap|pop3] [--json] [-c FILE]\n"
    "       homeward doctor [--json] [-c FILE]\n"
    "  -c FILE     the configuration (" HOMEWARD_CONFIG ")\n"
    "  -t          check it, with the files and the map that it names, and exit\n"
    "  -T          print it as it is in force, with all defaults, and exit\n"
    "  --manual    print the options as the body of a manual page (roff)\n"
    "  --version   print the version, and those of the libraries\n"
    "  --help      print this\n"
    "Without -t and -T it serves, in the foreground, until SIGTERM; SIGHUP reloads. See "
    "homeward(8), homeward.cfg(5).\n";

static int check(const char *file)
{
    struct check_order order = { .parts = CHECK_ALL, .file = file };
    struct check_result result;
    bool good = check_run(&order, &result);
    tell_stderr(buf_span(&result.warnings));
    if (good)
        fprintf(stderr, "homeward: configuration %s is good\n", file);
    else
        tell_stderr(buf_span(&result.errors));
    check_fini(&result);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int print(bool good, struct buf *text)
{
    good = good && fwrite(text->at, 1, text->n, stdout) == text->n && fflush(stdout) == 0;
    buf_fini(text);
    if (!good)
        fprintf(stderr, "homeward: cannot print\n");
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int dump(const char *file)
{
    struct buf errors, warnings, text;
    buf_init(&errors, TEXT_MAX);
    buf_init(&warnings, TEXT_MAX);
    buf_init(&text, TEXT_MAX);
    struct config *config = config_load(file, &errors, &warnings);
    tell_stderr(buf_span(&warnings));
    tell_stderr(buf_span(&errors));
    int status = config != NULL ? print(config_dump(config, ~0U, &text), &text) : EXIT_FAILURE;
    config_free(&config);
    buf_fini(&errors);
    buf_fini(&warnings);
    return status;
}

static int manual(void)
{
    struct buf text;
    buf_init(&text, TEXT_MAX);
    return print(config_manual(&text), &text);
}

static int version(void)
{
    struct buf text;
    buf_init(&text, TEXT_MAX);
    return print(
        buf_printf(&text, "homeward %s\n%s\n", HOMEWARD_VERSION, tls_library_version()) && features_tell(&text), &text);
}

/* What is asked for: an option's letter, 0 to serve, '?' for what cannot be understood. */
static int read_options(int argc, char **argv, const char **file)
{
    static const struct option options[] = {
        {"manual",     no_argument, NULL, 'm' },
        { "version",        no_argument, NULL, 'v' },
        { "help",           no_argument, NULL, 'h' },
        { 0}
    };
    int mode = 0;
    for (int o; (o = getopt_long(argc, argv, "c:tT", options, NULL)) != -1;) {
        if (o == 'c')
            *file = optarg;
        else
            mode = mode == 0 ? o : '?';
    }
    return optind < argc ? '?' : mode;
}

/* Commands that look at the configuration and the world, and need no running Homeward. */
static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"explain", explain_run},
    { "probe",  probe_run  },
    { "doctor", doctor_run },
};

static const struct command *find_command(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < COUNT_OF(commands); i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return &commands[i];
    return NULL;
}

int main(int argc, char **argv)
{
    const char *file = HOMEWARD_CONFIG;
    if (argc == 2 && strcmp(argv[0], BIRTH_NAME) == 0)
        return birth_run(argv[1]);
    const struct command *command = find_command(argc, argv);
    if (command != NULL)
        return command->run(argc - 1, argv + 1);
    switch (read_options(argc, argv, &file)) {
    case 0:
        return supervisor_run(file);
    case 't':
        return check(file);
    case 'T':
        return dump(file);
    case 'm':
        return manual();
    case 'v':
        return version();
    case 'h':
        fputs(usage, stdout);
        return EXIT_SUCCESS;
    default:
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
}
