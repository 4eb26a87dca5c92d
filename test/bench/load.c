/* A load generator for IMAP and POP3 front ends. A run opens its sessions, settles, does its rounds, settles and
 * leaves; it says so in lines of JSON, the last of which holds the figures. Every failure is counted with its reason.
 */
#include "test/bench/load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "test/bench/pattern.h"

/* Ticks look at every session: with many of them, which do little, less often. */
enum { QUICK_MS = 10, SLOW_MS = 50 };

static const char usage[] =
    "usage: load MODE [options]\n"
    "  login     handshake, login and logout, over and over      idle      sign in, IDLE until told to stop, then "
    "NOOP\n"
    "  noop      round trips in open sessions                     download, upload   messages in open sessions\n"
    "  --to ADDRESS:PORT     (127.0.0.1:993)         --pop3, --clear      (IMAP, TLS from the first byte)\n"
    "  --user NAME           %d in it: its number    --users N            how many (1)\n"
    "  --password TEXT       (secret)                --ca FILE            verify the certificate\n"
    "  --name NAME           asked for by SNI (localhost)\n"
    "  --suite NAME          the only one offered of TLS 1.3\n"
    "  --resume              TLS with the ticket of the slot's last session\n"
    "  --source ADDRESS+N    connect from N addresses from this one on\n"
    "  --sessions N          at once (1)             --opening N          of them on their way in at once (64)\n"
    "  --count N             logins or rounds in all --duration-s N       how long; neither: until SIGTERM\n"
    "  --message-kib N       (1024)                  --rate-kib N         read no faster, each second and session\n"
    "  --pause-ms N          between two logins or rounds of a slot (0)\n"
    "  --rounds N            a session leaves after so many (it stays)\n"
    "  --return-ms N         a session that left or was lost comes back after so long (it does not)\n"
    "  --settle-ms N         pause before and after the rounds (200)\n"
    "  --timeout-s N         for each answer (30)\n";

static const char *const mode_names[MODES] = { "login", "idle", "noop", "download", "upload" };

struct load_options options = {
    .to = { .sin_family = AF_INET },
    .server_name = "localhost",
    .user = "user%d@bench.test",
    .password = "secret",
    .users = 1,
    .sessions = 1,
    .opening = 64,
    .message_kib = 1024,
    .tls = true,
    .settle_us = 200000,
    .timeout_us = 30000000,
};
SSL_CTX *client_tls;

enum phase { OPENING, SETTLING, RUNNING, RESTING, LEAVING };

static enum phase phase;
static struct session *sessions;
static uint64_t n_begun;    /* slots that were used at all */
static uint64_t n_arriving; /* on their way in */
static uint64_t n_open;     /* signed in and not yet gone; not in mode login */
static uint64_t n_rounds;   /* given out */
static uint64_t phase_us;   /* when the phase began */
static bool stop;

/* ---- sessions tell ---- */

static bool is_over(void)
{
    return stop || (options.count > 0 && n_rounds >= options.count) ||
           (options.duration_us > 0 && now_us() >= tally.began_us + options.duration_us);
}

bool run_takes_round(void)
{
    if (phase != RUNNING || is_over())
        return false;
    n_rounds++;
    return true;
}

void run_session_opened(struct session *s)
{
    s->opened = true;
    if (phase == RUNNING)
        s->wake_us = now_us() + options.pause_us + 1;
    tally.opened++;
    n_arriving--;
    n_open++;
}

/* In mode login a slot goes on at once; but one that failed waits for the next tick, so that whoever refuses everybody
 * is not asked a million times a second. */
void run_session_over(struct session *s, bool failed)
{
    if (options.mode != MODE_LOGIN) {
        n_open -= s->opened;
        n_arriving -= !s->opened;
        s->opened = false;
        if (options.return_us > 0 && phase <= RUNNING)
            s->wake_us = now_us() + options.return_us;
    } else if (failed || options.pause_us > 0) {
        s->wake_us = now_us() + options.pause_us + 1;
    } else if (run_takes_round()) {
        session_open(s, n_rounds - 1);
    }
}

/* ---- phases ---- */

static void enter(enum phase next, const char *event)
{
    phase = next;
    phase_us = now_us();
    tally_event(event);
}

static uint64_t count_in(enum step step)
{
    uint64_t n = 0;
    for (uint64_t i = 0; i < n_begun; i++)
        n += sessions[i].step == step;
    return n;
}

static void come_in(struct session *s)
{
    n_arriving++;
    session_open(s, (uint64_t)(s - sessions));
}

static void open_more(void)
{
    while (!stop && n_begun < options.sessions && n_arriving < options.opening)
        come_in(&sessions[n_begun++]);
    if ((stop || n_begun == options.sessions) && n_arriving == 0)
        enter(SETTLING, "ready");
}

static bool is_settled(void)
{
    return now_us() >= phase_us + options.settle_us;
}

static void begin(void)
{
    tally.began_us = tally.ended_us = clock_us();
    enter(RUNNING, "begin");
    for (uint64_t i = 0; i < n_begun; i++)
        sessions[i].wake_us = 1;
}

static bool may_return(void)
{
    return options.return_us > 0 && n_arriving < options.opening && !is_over();
}

static void wake_those_due(void)
{
    for (uint64_t i = 0; i < n_begun; i++) {
        struct session *s = &sessions[i];
        if (s->wake_us == 0 || s->wake_us > now_us())
            continue;
        if (s->step == STEP_CLOSED && options.mode == MODE_LOGIN && run_takes_round())
            session_open(s, n_rounds - 1);
        else if (s->step == STEP_CLOSED && options.mode != MODE_LOGIN && may_return())
            come_in(s);
        else if (s->step == STEP_PARKED && options.mode != MODE_IDLE && run_takes_round())
            session_ask(s);
    }
}

static bool has_come_to_rest(void)
{
    if (options.mode == MODE_LOGIN)
        return is_over() && count_in(STEP_CLOSED) == n_begun;
    if (options.return_us > 0 && !is_over())
        return false;
    return n_arriving == 0 && (n_open == 0 || (is_over() && count_in(STEP_PARKED) == n_open));
}

static void leave(void)
{
    enter(LEAVING, "leaving");
    for (uint64_t i = 0; i < n_begun; i++) {
        if (sessions[i].step != STEP_PARKED)
            continue;
        if (options.mode == MODE_IDLE)
            session_ask(&sessions[i]);
        else
            session_leave(&sessions[i]);
    }
}

static bool on_tick(void)
{
    static uint64_t before_us;
    uint64_t passed_us = before_us > 0 ? now_us() - before_us : 0;
    before_us = now_us();
    for (uint64_t i = 0; i < n_begun; i++)
        session_tick(&sessions[i], passed_us);
    switch (phase) {
    case OPENING:
        open_more();
        break;
    case SETTLING:
        if (is_settled())
            begin();
        break;
    case RUNNING:
        wake_those_due();
        if (has_come_to_rest())
            enter(RESTING, "end");
        break;
    case RESTING:
        if (is_settled())
            leave();
        break;
    case LEAVING:
        return count_in(STEP_CLOSED) < n_begun;
    }
    return true;
}

/* ---- the command line ---- */

static void on_stop(struct link *l)
{
    char info[256];
    while (read(l->fd, info, sizeof info) > 0)
        stop = true;
}

static _Noreturn void misused(const char *what)
{
    fprintf(stderr, "load: %s is not understood\n%s", what, usage);
    exit(2);
}

static uint64_t number(const char *text)
{
    char *end;
    errno = 0;
    uint64_t n = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0')
        misused(text);
    return n;
}

/* ADDRESS, then a mark, then a number. */
static uint64_t address_and_number(const char *text, char mark, struct sockaddr_in *address)
{
    char copy[64];
    snprintf(copy, sizeof copy, "%s", text);
    char *at = strrchr(copy, mark);
    if (at == NULL)
        misused(text);
    *at = '\0';
    address->sin_family = AF_INET;
    if (inet_pton(AF_INET, copy, &address->sin_addr) != 1)
        misused(text);
    return number(at + 1);
}

static void set_to(const char *text)
{
    options.to.sin_port = htons((in_port_t)address_and_number(text, ':', &options.to));
}

static void set_source(const char *text)
{
    options.sources = address_and_number(text, '+', &options.source);
}

/* Each option sets a number (in units of its own), a word, a switch, or has a function. */
static const struct row {
    const char *name;
    uint64_t *number, unit;
    const char **word;
    bool *flag, value;
    void (*set)(const char *text);
} rows[] = {
  /* clang-format off */ /* version 14 falls over tables of unequal rows */
    { .name = "to",          .set = set_to },
    { .name = "source",      .set = set_source },
    { .name = "pop3",        .flag = &options.pop3,   .value = true },
    { .name = "clear",       .flag = &options.tls,    .value = false },
    { .name = "resume",      .flag = &options.resume, .value = true },
    { .name = "user",        .word = &options.user },
    { .name = "password",    .word = &options.password },
    { .name = "ca",          .word = &options.ca },
    { .name = "name",        .word = &options.server_name },
    { .name = "suite",       .word = &options.suite },
    { .name = "users",       .number = &options.users,       .unit = 1 },
    { .name = "sessions",    .number = &options.sessions,    .unit = 1 },
    { .name = "opening",     .number = &options.opening,     .unit = 1 },
    { .name = "count",       .number = &options.count,       .unit = 1 },
    { .name = "message-kib", .number = &options.message_kib, .unit = 1 },
    { .name = "rate-kib",    .number = &options.rate_kib,    .unit = 1 },
    { .name = "rounds",      .number = &options.rounds,      .unit = 1 },
    { .name = "duration-s",  .number = &options.duration_us, .unit = 1000000 },
    { .name = "pause-ms",    .number = &options.pause_us,    .unit = 1000 },
    { .name = "return-ms",   .number = &options.return_us,   .unit = 1000 },
    { .name = "settle-ms",   .number = &options.settle_us,   .unit = 1000 },
    { .name = "timeout-s",   .number = &options.timeout_us,  .unit = 1000000 },
  /* clang-format on */
};

enum { ROWS = sizeof rows / sizeof *rows };

static void set_option(const struct row *row, const char *text)
{
    if (row->set != NULL)
        row->set(text);
    else if (row->flag != NULL)
        *row->flag = row->value;
    else if (row->word != NULL)
        *row->word = text;
    else
        *row->number = number(text) * row->unit;
}

static void read_options(int argc, char **argv)
{
    struct option names[ROWS + 1] = { 0 };
    int mode = 0;
    for (size_t i = 0; i < ROWS; i++)
        names[i] =
            (struct option){ rows[i].name, rows[i].flag != NULL ? no_argument : required_argument, NULL, (int)i };
    for (int o; (o = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        if (o == '?')
            misused("that");
        set_option(&rows[o], optarg);
    }
    if (optind != argc - 1)
        misused("a command line without exactly one mode");
    while (mode < MODES && strcmp(mode_names[mode], argv[optind]) != 0)
        mode++;
    if (mode == MODES)
        misused(argv[optind]);
    options.mode = (enum mode)mode;
    if (options.users == 0 || options.sessions == 0 || options.opening == 0 || options.to.sin_port == 0)
        misused("0");
}

static void allow_many_files(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return;
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

int main(int argc, char **argv)
{
    read_options(argc, argv);
    allow_many_files();
    pattern_init();
    loop_init();
    loop_on_stop(on_stop);
    client_tls = tls_client(options.ca, session_on_ticket);
    if (options.suite != NULL && SSL_CTX_set_ciphersuites(client_tls, options.suite) != 1)
        misused(options.suite);
    sessions = calloc(options.sessions, sizeof *sessions);
    if (sessions == NULL)
        return 1;
    if (options.mode == MODE_LOGIN) {
        n_begun = options.sessions;
        begin();
    }
    loop_run(options.rate_kib > 0 || options.pause_us > 0 || options.sessions <= 1000 ? QUICK_MS : SLOW_MS, on_tick);
    tally_result();
    return tally.failed == 0 ? 0 : 1;
}
