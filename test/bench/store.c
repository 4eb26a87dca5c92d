/* A stub IMAP and POP3 store for benches and endurance tests: one process, everybody's mail is in pattern.h, message n
 * is n KiB long. It is cheap, so that what is measured is never the store. */
#include "test/bench/store.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test/bench/pattern.h"

enum { DOORS_MAX = 8, TICK_MS = 50, ROOM = 512 };

static const char usage[] =
    "usage: store [options] --listen PROTOCOL:SECURITY:PORT ...\n"
    "  --listen imap:tls:1993   also pop3 and clear; on --address (127.0.0.1)\n"
    "  --chain FILE --key FILE  the certificate, for tls\n"
    "  --password TEXT          of every user; %u in it is the user's name (secret)\n"
    "  --delay-ms N             wait before each greeting and each answer (0)\n"
    "  --log FILE               a line for each login and each end of a session: the time in us (monotonic), \"login\" "
    "or \"end\",\n"
    "                           protocol, user, own port, port of the peer\n";

struct door {
    struct link link;
    const struct dialogue *dialogue;
    const char *protocol;
    in_port_t port;
    SSL_CTX *tls; /* NULL: clear text */
};

static struct {
    const char *doors[DOORS_MAX];
    size_t n_doors;
    const char *address, *password;
    SSL_CTX *tls;
    uint64_t delay_us;
    FILE *log;
} options = { .address = "127.0.0.1", .password = "secret" };

static struct {
    struct visitor *first, **last;
} waiting = { .last = &waiting.first };

/* ---- what the protocols ask for ---- */

void store_say(struct visitor *v, const char *format, ...)
{
    char text[ROOM];
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (n < 0 || n >= (int)sizeof text || !link_say(&v->link, text, (size_t)n))
        v->leaving = true;
}

static bool password_is(const char *user, size_t user_n, const char *password, size_t n)
{
    char want[2 * STORE_NAME_MAX];
    const char *mark = strstr(options.password, "%u");
    if (mark == NULL)
        return n == strlen(options.password) && memcmp(password, options.password, n) == 0;
    int want_n = snprintf(want, sizeof want, "%.*s%.*s%s", (int)(mark - options.password), options.password,
                          (int)user_n, user, mark + 2);
    return want_n == (int)n && memcmp(password, want, n) == 0;
}

static void log_event(const struct visitor *v, const char *event)
{
    if (options.log != NULL)
        fprintf(options.log, "%llu %s %s %s %u %u\n", (unsigned long long)clock_us(), event, v->door->protocol, v->user,
                v->door->port, v->peer_port);
}

static void sign_out(struct visitor *v)
{
    if (v->user[0] != '\0')
        log_event(v, "end");
    v->user[0] = '\0';
}

bool store_sign_in(struct visitor *v, const char *user, size_t user_n, const char *password, size_t password_n)
{
    if (v->user[0] != '\0' || user_n == 0 || user_n >= sizeof v->user ||
        !password_is(user, user_n, password, password_n))
        return false;
    memcpy(v->user, user, user_n);
    v->user[user_n] = '\0';
    v->start = pattern_start(user, user_n);
    log_event(v, "login");
    return true;
}

bool store_sign_in_plain(struct visitor *v, const char *base64, size_t n)
{
    char text[1024];
    if (n == 0 || n % 4 != 0 || n / 4 * 3 > sizeof text)
        return false;
    int got = EVP_DecodeBlock((unsigned char *)text, (const unsigned char *)base64, (int)n);
    if (got < 0)
        return false;
    size_t text_n = (size_t)got - (base64[n - 1] == '=') - (base64[n - 2] == '=');
    char *user = memchr(text, '\0', text_n);
    char *password = user != NULL ? memchr(user + 1, '\0', text_n - (size_t)(user + 1 - text)) : NULL;
    if (password == NULL)
        return false;
    return store_sign_in(v, user + 1, (size_t)(password - user - 1), password + 1,
                         text_n - (size_t)(password + 1 - text));
}

bool store_message_bytes(const char *number, uint64_t *bytes)
{
    unsigned long kib = strtoul(number, NULL, 10);
    *bytes = (uint64_t)kib * 1024;
    return kib > 0 && kib <= 4UL << 20;
}

/* ---- a visit ---- */

static void visit_ends(struct visitor *v)
{
    sign_out(v);
    link_close(&v->link, true);
    free(v);
}

static void take_all(struct visitor *v)
{
    while (v->n > 0 && !v->leaving && link_room(&v->link) >= ROOM) {
        size_t used = v->door->dialogue->take(v);
        if (used == 0)
            break;
        memmove(v->line, v->line + used, v->n - used);
        v->n -= used;
    }
}

/* Answer all that has come. False: the visit has ended, or its answers must leave before more is read. */
static bool answer_all(struct visitor *v)
{
    size_t before;
    do {
        before = v->n;
        take_all(v);
        if (v->leaving)
            sign_out(v); /* before it is answered: who hears of it may be elsewhere at once */
        int sent = link_flush(&v->link);
        if (sent == LINK_CUT || (sent == 1 && v->leaving)) {
            visit_ends(v);
            return false;
        }
        v->link.quiet = sent == LINK_AGAIN;
        link_watch(&v->link);
        if (v->link.quiet)
            return false;
    } while (v->n > 0 && v->n < before);
    if (v->n < sizeof v->line)
        return true;
    visit_ends(v); /* a line that does not fit */
    return false;
}

static void answer_later(struct visitor *v)
{
    v->answer_us = now_us() + options.delay_us;
    v->link.quiet = true;
    link_watch(&v->link);
    v->next_waiting = NULL;
    *waiting.last = v;
    waiting.last = &v->next_waiting;
}

static void on_bytes(struct link *l)
{
    struct visitor *v = (struct visitor *)l;
    if (v->answer_us != 0 || !answer_all(v))
        return;
    do {
        ssize_t got = link_read(l, v->line + v->n, sizeof v->line - v->n);
        if (got == LINK_AGAIN)
            break;
        if (got <= 0) {
            visit_ends(v);
            return;
        }
        v->n += (size_t)got;
        if (options.delay_us > 0) {
            answer_later(v);
            return;
        }
        if (!answer_all(v))
            return;
    } while (link_pending(l));
    link_watch(l);
}

static void greet(struct visitor *v)
{
    v->link.on_ready = on_bytes;
    v->door->dialogue->greet(v);
    if (options.delay_us > 0)
        answer_later(v);
    else
        on_bytes(&v->link);
}

static bool on_tick(void)
{
    while (waiting.first != NULL && waiting.first->answer_us <= now_us()) {
        struct visitor *v = waiting.first;
        waiting.first = v->next_waiting;
        if (waiting.first == NULL)
            waiting.last = &waiting.first;
        v->answer_us = 0;
        on_bytes(&v->link);
    }
    return true;
}

static void on_handshake(struct link *l)
{
    int done = link_handshake(l);
    if (done == LINK_CUT)
        visit_ends((struct visitor *)l);
    else if (done == 1)
        greet((struct visitor *)l);
}

static void visit_begins(const struct door *door, int fd, in_port_t peer_port)
{
    struct visitor *v = malloc(sizeof *v);
    if (v == NULL) {
        close(fd);
        return;
    }
    memset(v, 0, offsetof(struct visitor, line)); /* line[] costs memory only where it is used */
    v->door = door;
    v->peer_port = peer_port;
    v->link.on_ready = on_handshake;
    link_accept(&v->link, fd);
    if (door->tls == NULL) {
        greet(v);
        return;
    }
    v->link.ssl = SSL_new(door->tls);
    if (v->link.ssl == NULL || !SSL_set_fd(v->link.ssl, fd))
        visit_ends(v);
    else
        SSL_set_accept_state(v->link.ssl);
}

static void on_visitors(struct link *l)
{
    for (int i = 0; i < 64; i++) {
        struct sockaddr_in peer = { 0 };
        socklen_t n = sizeof peer;
        int fd = accept4(l->fd, (struct sockaddr *)&peer, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        visit_begins((const struct door *)l, fd, ntohs(peer.sin_port));
    }
}

/* ---- birth ---- */

static void on_signal(struct link *l)
{
    (void)l;
    exit(0);
}

static _Noreturn void misused(void)
{
    fputs(usage, stderr);
    exit(2);
}

/* PROTOCOL:SECURITY:PORT */
static void open_door(struct door *door, const char *text)
{
    struct sockaddr_in at = { .sin_family = AF_INET };
    bool pop3 = strncmp(text, "pop3:", 5) == 0, tls = strncmp(text + 5, "tls:", 4) == 0;
    if ((!pop3 && strncmp(text, "imap:", 5) != 0) || (!tls && strncmp(text + 5, "clear:", 6) != 0) ||
        (tls && options.tls == NULL) || inet_pton(AF_INET, options.address, &at.sin_addr) != 1)
        misused();
    door->port = (in_port_t)strtoul(strrchr(text, ':') + 1, NULL, 10);
    door->protocol = pop3 ? "pop3" : "imap";
    door->dialogue = pop3 ? &dialogue_pop3 : &dialogue_imap;
    door->tls = tls ? options.tls : NULL;
    door->link.on_ready = on_visitors;
    at.sin_port = htons(door->port);
    loop_watch_fd(&door->link, link_listen(&at));
}

static void set_option(int o, const char *value)
{
    static const char *chain;
    switch (o) {
    case 'l':
        if (options.n_doors == DOORS_MAX)
            misused();
        options.doors[options.n_doors++] = value;
        return;
    case 'a':
        options.address = value;
        return;
    case 'c':
        chain = value;
        return;
    case 'k':
        if (chain == NULL)
            misused();
        options.tls = tls_server(chain, value);
        return;
    case 'p':
        options.password = value;
        return;
    case 'd':
        options.delay_us = strtoul(value, NULL, 10) * 1000;
        return;
    case 'o':
        options.log = fopen(value, "ae");
        if (options.log != NULL) {
            setvbuf(options.log, NULL, _IOLBF, 0); /* it says all, even if this process is killed */
            return;
        }
        perror(value);
        exit(1);
    default:
        misused();
    }
}

int main(int argc, char **argv)
{
    static const struct option names[] = {
        {"listen",           required_argument, NULL, 'l' },
        { "address",              required_argument, NULL, 'a' },
        { "chain",                 required_argument, NULL, 'c' },
        { "key",required_argument, NULL, 'k' },
        { "password",               required_argument, NULL, 'p' },
        { "delay-ms",           required_argument, NULL, 'd' },
        { "log",              required_argument, NULL, 'o' },
        { 0                }
    };
    static struct door doors[DOORS_MAX];
    for (int o; (o = getopt_long(argc, argv, "", names, NULL)) != -1;)
        set_option(o, optarg);
    if (options.n_doors == 0 || optind < argc)
        misused();
    pattern_init();
    loop_init();
    loop_on_stop(on_signal);
    for (size_t i = 0; i < options.n_doors; i++)
        open_door(&doors[i], options.doors[i]);
    puts("ready");
    fflush(stdout);
    loop_run(options.delay_us > 0 ? 1 : TICK_MS, on_tick);
}
