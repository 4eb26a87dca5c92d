/* One client in its slot: connect, handshake, greeting, login, rounds of one command, logout, the end. Every answer
 * that is not the one expected ends the session and is counted with its words. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "test/bench/load.h"
#include "test/bench/pattern.h"

enum { SCRATCH = 65536, SLOW_RECEIVE_BYTES = 16384 };

static const char *const step_names[] = {
    [STEP_CLOSED] = "closed", [STEP_CONNECT] = "connect", [STEP_HANDSHAKE] = "handshake", [STEP_GREETING] = "greeting",
    [STEP_USER] = "user",     [STEP_LOGIN] = "login",     [STEP_PARKED] = "parked",       [STEP_IDLE] = "idle",
    [STEP_WAKE] = "done",     [STEP_ASKED] = "round",     [STEP_LOGOUT] = "logout",       [STEP_END] = "end",
};

/* ---- ends ---- */

static void session_over(struct session *s, bool failed)
{
    link_close(&s->link, true);
    s->step = STEP_CLOSED;
    s->idles = false;
    s->wake_us = 0;
    run_session_over(s, failed);
}

static void session_failed(struct session *s, const char *why)
{
    tally_failed(s, step_names[s->step], why);
    session_over(s, true);
}

/* The connection ended, for whatever reason. False, as all that may end a session. */
static bool session_ended(struct session *s, bool is_cut)
{
    if (s->step != STEP_END) {
        session_failed(s, is_cut ? link_error() : "end of the connection");
        return false;
    }
    tally.left++;
    tally.end_cut += is_cut;
    if (options.mode == MODE_LOGIN)
        tally_ok(0);
    session_over(s, false);
    return false;
}

/* ---- words out ---- */

static void send_all(struct session *s)
{
    s->acted_us = now_us();
    /* What cannot be sent shows when the answer is read. */
    if (link_flush(&s->link) == LINK_CUT)
        link_watch(&s->link);
}

static void say(struct session *s, enum step next, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void say(struct session *s, enum step next, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (n < 0 || n >= (int)sizeof text || !link_say(&s->link, text, (size_t)n)) {
        fprintf(stderr, "load: a command is too long\n");
        exit(1);
    }
    s->step = next;
    send_all(s);
}

static void sign_in(struct session *s)
{
    s->asked_us = clock_us();
    if (options.pop3)
        say(s, STEP_USER, "USER %s\r\n", s->user);
    else
        say(s, STEP_LOGIN, "t LOGIN \"%s\" \"%s\"\r\n", s->user, options.password);
}

static void upload(struct session *s)
{
    uint64_t bytes = options.message_kib * 1024;
    char text[64];
    int n = snprintf(text, sizeof text, "t APPEND INBOX {%llu+}\r\n", (unsigned long long)bytes);
    if (!link_say(&s->link, text, (size_t)n))
        exit(1);
    link_body(&s->link, s->start, bytes, "\r\n");
    s->step = STEP_ASKED;
    send_all(s);
}

void session_ask(struct session *s)
{
    s->wake_us = 0;
    if (s->idles) {
        s->idles = false;
        say(s, STEP_WAKE, "DONE\r\n");
        return;
    }
    s->asked_us = clock_us();
    if (options.mode == MODE_UPLOAD)
        upload(s);
    else if (options.mode == MODE_DOWNLOAD)
        say(s, STEP_ASKED, options.pop3 ? "RETR %llu\r\n" : "t FETCH %llu BODY.PEEK[]\r\n",
            (unsigned long long)options.message_kib);
    else
        say(s, STEP_ASKED, options.pop3 ? "NOOP\r\n" : "t NOOP\r\n");
}

void session_leave(struct session *s)
{
    s->wake_us = 0;
    say(s, STEP_LOGOUT, options.pop3 ? "QUIT\r\n" : "t LOGOUT\r\n");
}

/* ---- what an answer leads to; each returns false if the session is over ---- */

static void signed_in(struct session *s)
{
    uint64_t now = clock_us();
    tally_latency(LATENCY_LOGIN, now - s->began_us);
    tally_latency(LATENCY_ANSWER, now - s->asked_us);
    if (options.mode == MODE_LOGIN) {
        tally.opened++;
        session_leave(s);
        return;
    }
    if (options.mode == MODE_IDLE && !options.pop3) {
        say(s, STEP_IDLE, "t IDLE\r\n");
        return;
    }
    s->step = STEP_PARKED;
    run_session_opened(s);
}

static void round_done(struct session *s)
{
    tally_latency(LATENCY_ROUND, clock_us() - s->asked_us);
    tally_ok(options.mode == MODE_UPLOAD || options.mode == MODE_DOWNLOAD ? options.message_kib * 1024 : 0);
    s->step = STEP_PARKED;
    if (options.mode == MODE_IDLE || ++s->rounds == options.rounds)
        session_leave(s);
    else if (options.pause_us > 0)
        s->wake_us = now_us() + options.pause_us;
    else if (run_takes_round())
        session_ask(s);
}

static bool on_good(struct session *s)
{
    switch (s->step) {
    case STEP_GREETING:
        sign_in(s);
        return true;
    case STEP_USER:
        say(s, STEP_LOGIN, "PASS %s\r\n", options.password);
        return true;
    case STEP_LOGIN:
        signed_in(s);
        return true;
    case STEP_WAKE:
        session_ask(s);
        return true;
    case STEP_ASKED:
        round_done(s);
        return true;
    case STEP_LOGOUT:
        s->step = STEP_END;
        return true;
    default:
        session_failed(s, "an answer that nobody asked for");
        return false;
    }
}

static bool on_imap_line(struct session *s)
{
    const char *line = s->line;
    if (strncmp(line, "t OK", 4) == 0 || (s->step == STEP_GREETING && strncmp(line, "* OK", 4) == 0))
        return on_good(s);
    if (strncmp(line, "t ", 2) == 0 || (strncasecmp(line, "* BYE", 5) == 0 && s->step != STEP_LOGOUT)) {
        session_failed(s, line);
        return false;
    }
    if (line[0] == '+' && s->step == STEP_IDLE) {
        s->step = STEP_PARKED;
        s->idles = true;
        run_session_opened(s);
        return true;
    }
    const char *brace = strrchr(line, '{');
    if (s->step == STEP_ASKED && options.mode == MODE_DOWNLOAD && line[0] == '*' && brace != NULL) {
        s->message_left = strtoul(brace + 1, NULL, 10);
        s->message_at = 0;
        if (s->message_left != options.message_kib * 1024) {
            session_failed(s, "a message of another length");
            return false;
        }
    }
    return true;
}

static bool on_pop3_line(struct session *s)
{
    if (s->step == STEP_ASKED && options.mode == MODE_DOWNLOAD && strncmp(s->line, "+OK", 3) == 0) {
        s->message_left = options.message_kib * 1024;
        s->message_at = 0;
        return true;
    }
    if (s->step == STEP_ASKED && options.mode == MODE_DOWNLOAD && s->line[0] == '\0')
        return true;
    if (strncmp(s->line, "+OK", 3) == 0 || (s->message_at > 0 && strcmp(s->line, ".") == 0))
        return on_good(s);
    session_failed(s, s->line);
    return false;
}

/* ---- bytes in ---- */

static bool on_message_bytes(struct session *s, const char *bytes, size_t n)
{
    if (!pattern_is(s->start, s->message_at, bytes, n)) {
        session_failed(s, "a message with other bytes than were stored");
        return false;
    }
    s->message_at += n;
    s->message_left -= n;
    return true;
}

/* What is beyond the room for a line is not looked at. */
static bool on_line_bytes(struct session *s, const char *bytes, size_t n)
{
    size_t room = sizeof s->line - 1 - s->line_n;
    size_t kept = n < room ? n : room;
    memcpy(s->line + s->line_n, bytes, kept);
    s->line_n += kept;
    if (bytes[n - 1] != '\n')
        return true;
    while (s->line_n > 0 && (s->line[s->line_n - 1] == '\n' || s->line[s->line_n - 1] == '\r'))
        s->line_n--;
    s->line[s->line_n] = '\0';
    s->line_n = 0;
    return options.pop3 ? on_pop3_line(s) : on_imap_line(s);
}

static bool on_bytes(struct session *s, const char *bytes, size_t n)
{
    while (n > 0) {
        size_t take = n;
        bool good;
        if (s->message_left > 0) {
            take = n < s->message_left ? n : (size_t)s->message_left;
            good = on_message_bytes(s, bytes, take);
        } else {
            const char *lf = memchr(bytes, '\n', n);
            take = lf != NULL ? (size_t)(lf - bytes) + 1 : n;
            good = on_line_bytes(s, bytes, take);
        }
        if (!good)
            return false;
        bytes += take;
        n -= take;
    }
    return true;
}

static void read_on(struct session *s)
{
    static char scratch[SCRATCH];
    do {
        size_t n = s->message_left > 0 && s->allowance < SCRATCH ? (size_t)s->allowance : SCRATCH;
        s->link.quiet = n == 0;
        if (n == 0)
            break;
        ssize_t got = link_read(&s->link, scratch, n);
        if (got == LINK_AGAIN)
            break;
        if (got <= 0) {
            session_ended(s, got == LINK_CUT);
            return;
        }
        s->acted_us = now_us();
        s->allowance -= (uint64_t)got < s->allowance ? (uint64_t)got : s->allowance;
        if (!on_bytes(s, scratch, (size_t)got))
            return;
    } while (link_pending(&s->link));
    link_flush(&s->link);
}

/* ---- birth ---- */

static void on_handshake(struct session *s)
{
    int done = link_handshake(&s->link);
    if (done == LINK_CUT) {
        session_failed(s, link_error());
        return;
    }
    if (done == LINK_AGAIN)
        return;
    tally.resumed += SSL_session_reused(s->link.ssl) == 1;
    tally.full += SSL_session_reused(s->link.ssl) == 0;
    s->step = STEP_GREETING;
    read_on(s);
}

static void on_connected(struct session *s)
{
    int error = 0;
    socklen_t n = sizeof error;
    getsockopt(s->link.fd, SOL_SOCKET, SO_ERROR, &error, &n);
    if (error != 0) {
        session_failed(s, strerror(error));
        return;
    }
    s->step = STEP_GREETING;
    if (!options.tls) {
        link_watch(&s->link);
        return;
    }
    s->link.ssl = SSL_new(client_tls);
    if (s->link.ssl == NULL || !SSL_set_fd(s->link.ssl, s->link.fd))
        exit(1);
    SSL_set_app_data(s->link.ssl, s);
    SSL_set_tlsext_host_name(s->link.ssl, options.server_name);
    if (options.ca != NULL)
        SSL_set1_host(s->link.ssl, options.server_name);
    if (options.resume && s->ticket != NULL) {
        SSL_set_session(s->link.ssl, s->ticket);
        SSL_SESSION_free(s->ticket); /* RFC 8446 C.4: once */
        s->ticket = NULL;
    }
    SSL_set_connect_state(s->link.ssl);
    s->step = STEP_HANDSHAKE;
    on_handshake(s);
}

int session_on_ticket(SSL *ssl, SSL_SESSION *ticket)
{
    struct session *s = SSL_get_app_data(ssl);
    if (!options.resume)
        return 0;
    SSL_SESSION_free(s->ticket);
    s->ticket = ticket;
    return 1;
}

static void on_ready(struct link *l)
{
    struct session *s = (struct session *)l;
    if (s->step == STEP_CONNECT)
        on_connected(s);
    else if (s->step == STEP_HANDSHAKE)
        on_handshake(s);
    else
        read_on(s);
}

/* %d in the name is the number of the user. */
static void name_user(struct session *s)
{
    const char *mark = strstr(options.user, "%d");
    if (mark == NULL)
        snprintf(s->user, sizeof s->user, "%s", options.user);
    else
        snprintf(s->user, sizeof s->user, "%.*s%llu%s", (int)(mark - options.user), options.user,
                 (unsigned long long)s->number, mark + 2);
    s->start = pattern_start(s->user, strlen(s->user));
}

void session_open(struct session *s, uint64_t number)
{
    struct sockaddr_in source = options.source;
    if (options.sources > 0)
        source.sin_addr.s_addr = htonl(ntohl(source.sin_addr.s_addr) + (uint32_t)(number % options.sources));
    s->number = number % options.users;
    name_user(s);
    s->link.on_ready = on_ready;
    s->began_us = s->acted_us = clock_us();
    s->wake_us = s->message_left = s->message_at = s->rounds = 0;
    s->allowance = options.rate_kib > 0 ? 0 : UINT64_MAX;
    s->line_n = 0;
    s->step = STEP_CONNECT;
    int error = link_connect(&s->link, &options.to, options.sources > 0 ? &source : NULL,
                             options.rate_kib > 0 ? SLOW_RECEIVE_BYTES : 0);
    if (error != 0)
        session_failed(s, strerror(error));
}

/* ---- time ---- */

void session_tick(struct session *s, uint64_t passed_us)
{
    if (s->step == STEP_CLOSED || s->step == STEP_PARKED)
        return;
    if (s->message_left > 0 && options.rate_kib > 0) {
        s->allowance += options.rate_kib * 1024 * passed_us / 1000000;
        read_on(s);
        if (s->step == STEP_CLOSED)
            return;
    }
    if (now_us() > s->acted_us + options.timeout_us)
        session_failed(s, "no answer in time");
}
