/* The walk. Everything here happens one after the other, so each step starts something, runs the loop until it has come
 * to an end or its time is over, and is written down. */
#include "proxy/admin/walk.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "backends/ipsec/associations.h"
#include "backends/ways/connecting.h"
#include "proxy/net/conn.h"
#include "proxy/net/dns.h"
#include "proxy/wire/imap_command.h"

enum { STEPS_MAX = 12, TEXT_MAX = 400, INPUT_MAX = 65536, DAY_S = 86400, SOON_DAYS = 7, NO_SA_US = 200000 };

struct step {
    const char *name;
    int64_t ms;
    bool good;
    char text[TEXT_MAX];
};

struct walk {
    const struct walk_order *order;
    struct step steps[STEPS_MAX];
    size_t n;
    int64_t began_ms;
    bool late;
    struct alarm limit;
    struct dns_wait *question;
    struct dns_answer answer;
    struct connecting connecting;
    int fd;
    struct conn *conn;
    struct tls_client *tls; /* takes tickets as long as conn lives */
    char input[INPUT_MAX + 1];
    size_t n_input;
};

/* ---- waiting ---- */

static void on_limit(struct alarm *a)
{
    OWNER_OF(a, struct walk, limit)->late = true;
    loop_stop();
}

static void begin(struct walk *w)
{
    w->late = false;
    loop_refresh();
    w->began_ms = loop_now_ms();
    if (!alarm_set(&w->limit, w->order->step_ms, on_limit))
        w->late = true;
}

static void on_ready(void *owner UNUSED, unsigned events UNUSED)
{
    loop_stop();
}

/* Writes a step down, and returns whether it was good. */
static bool end(struct walk *w, const char *name, bool good, const char *format, ...) PRINTF_LIKE(4, 5);
static bool end(struct walk *w, const char *name, bool good, const char *format, ...)
{
    struct step *s = &w->steps[w->n < STEPS_MAX ? w->n++ : STEPS_MAX - 1];
    va_list args;
    loop_refresh();
    *s = (struct step){ .name = name, .ms = loop_now_ms() - w->began_ms, .good = good };
    va_start(args, format);
    vsnprintf(s->text, sizeof s->text, format, args);
    va_end(args);
    alarm_clear(&w->limit);
    return good;
}

/* ---- address and connection ---- */

static void on_dns(void *owner, const struct dns_answer *answer)
{
    struct walk *w = owner;
    w->question = NULL;
    w->answer = *answer;
    loop_stop();
}

static bool resolve(struct walk *w)
{
    char text[ADDR_TEXT_MAX];
    if (addr_parse(span_of(w->order->host), 0, &w->answer.addrs[0])) {
        w->answer.n = 1;
        return true;
    }
    begin(w);
    w->question = dns_ask(w->order->host, on_dns, w);
    while (w->question != NULL && !w->late)
        loop_run();
    dns_cancel(&w->question);
    if (w->answer.n == 0)
        return end(w, "dns", false, "%s: %s", w->order->host, w->answer.reason != NULL ? w->answer.reason : "timeout");
    return end(w, "dns", true, "%s%s", addr_host_text(&w->answer.addrs[0], text), w->answer.n > 1 ? " and others" : "");
}

static void on_connected(struct connecting *c, int fd, const struct addr *address UNUSED)
{
    OWNER_OF(c, struct walk, connecting)->fd = fd;
    loop_stop();
}

static bool try_to_connect(struct walk *w)
{
    w->fd = -2;
    connecting_start(&w->connecting, &w->order->ipsec, w->answer.addrs, w->answer.n, on_connected);
    while (w->fd == -2 && !w->late)
        loop_run();
    return w->fd >= 0;
}

static bool connect_to(struct walk *w)
{
    char text[ADDR_TEXT_MAX];
    for (size_t i = 0; i < w->answer.n; i++)
        w->answer.addrs[i].port = w->order->port;
    begin(w);
    while (!try_to_connect(w) && !w->late && strcmp(w->connecting.why, ipsec_words[IPSEC_NO_SA]) == 0)
        usleep(NO_SA_US); /* an IKE daemon may be negotiating */
    const char *why = w->fd == -2 ? "timeout" : w->connecting.why;
    connecting_stop(&w->connecting);
    if (w->fd < 0)
        return end(w, "tcp", false, "%s", why != NULL ? why : "failed");
    w->conn = conn_new(w->fd, on_ready, w);
    if (w->conn == NULL)
        return end(w, "tcp", false, "memory is short");
    struct addr peer = conn_peer(w->conn);
    return end(w, "tcp", true, "%s", addr_text(&peer, text));
}

/* ---- IPsec ---- */

static void on_change(void)
{
}

/* Connected inside something: is that worth a password? */
static bool judge(struct walk *w)
{
    const struct ipsec_rule *rule = &w->order->ipsec;
    struct ipsec_pair pair = { .local = conn_local(w->conn), .peer = conn_peer(w->conn) };
    const struct association *all = NULL, *culprit = NULL;
    const char *why = "the kernel does not tell its associations";
    char text[ASSOCIATION_TEXT_MAX] = "";
    size_t n = 0;
    if (rule->reqid == 0)
        return true;
    begin(w);
    bool open = associations_open(on_change, &why);
    bool read = open && associations_read(&all, &n);
    enum ipsec_verdict v = read ? ipsec_judge(rule, &pair, all, n, &culprit) : IPSEC_UNREADABLE;
    if (culprit != NULL)
        association_text(culprit, text);
    if (open)
        associations_close();
    if (!read)
        return end(w, "ipsec", false, "%s", why);
    return end(w, "ipsec", v == IPSEC_GOOD, "%s%s%s", ipsec_words[v], text[0] != '\0' ? ": " : "", text);
}

/* ---- TLS ---- */

static struct tls_client *new_tls(const struct walk_order *o, bool verify)
{
    struct buf why;
    buf_init(&why, 1024);
    struct tls_client *tls = tls_client_new(&(struct tls_client_order){ .ca_name = "CA",
                                                                        .ca = o->ca,
                                                                        .verify = verify,
                                                                        .verify_name = o->verify_name,
                                                                        .pin_sha256 = verify ? o->pin_sha256 : "",
                                                                        .min_version = o->min_version,
                                                                        .ciphers = o->ciphers,
                                                                        .alpn = protocol_names[o->protocol] },
                                            &why);
    buf_fini(&why);
    return tls;
}

static bool tell_certificate(struct walk *w, const char *trust)
{
    struct buf names;
    int64_t ends_s = 0;
    buf_init(&names, 4096);
    bool known = conn_tls_peer(w->conn, &ends_s, &names);
    int64_t days = (ends_s - (int64_t)time(NULL)) / DAY_S;
    bool good =
        end(w, "tls", known && days >= 0, "%s, certificate for %.*s, %lld days left%s, %s", conn_tls_version(w->conn),
            SPAN_ARG(span_first(buf_span(&names), 200)), (long long)days, days < SOON_DAYS ? " (SOON)" : "", trust);
    buf_fini(&names);
    return good;
}

static bool shake(struct walk *w)
{
    int done = CONN_BROKEN;
    begin(w);
    w->tls = new_tls(w->order, w->order->verify);
    if (w->tls == NULL)
        return end(w, "tls", false, "the CAs or the pin cannot be used");
    if (conn_tls_connect(w->conn, w->tls, w->order->host, 1))
        while ((done = conn_handshake(w->conn)) == CONN_AGAIN && !w->late)
            loop_run();
    if (done != 1)
        return end(w, "tls", false, "%s", w->late ? "timeout" : conn_why(w->conn));
    return tell_certificate(w, w->order->verify ? "trusted" : "not verified");
}

/* ---- lines ---- */

/* One line without its end, in w->input; what was there before is gone. NULL: none came. */
static const char *read_line(struct walk *w)
{
    size_t used = strlen(w->input) + (w->n_input > strlen(w->input) ? 1 : 0);
    memmove(w->input, w->input + used, w->n_input - used);
    w->n_input -= used;
    conn_watch(w->conn, WATCH_READ);
    for (;;) {
        char *line_end = memchr(w->input, '\n', w->n_input);
        if (line_end != NULL) {
            *line_end = '\0';
            return w->input;
        }
        ssize_t n = w->n_input < INPUT_MAX && !w->late
                        ? conn_read(w->conn, w->input + w->n_input, INPUT_MAX - w->n_input)
                        : CONN_BROKEN;
        if (n == CONN_AGAIN)
            loop_run();
        else if (n < 0)
            return NULL;
        else
            w->n_input += (size_t)n;
    }
}

static void say(struct walk *w, const char *line)
{
    size_t done = 0, n = strlen(line);
    while (done < n && !w->late) {
        ssize_t sent = conn_write(w->conn, line + done, n - done);
        if (sent == CONN_AGAIN) {
            conn_watch(w->conn, WATCH_READ | WATCH_WRITE);
            loop_run();
        } else if (sent < 0) {
            return;
        } else {
            done += (size_t)sent;
        }
    }
}

/* Its end: the tagged reply, or POP3's one status line. */
static bool is_last(const struct walk *w, const char *line)
{
    return w->order->protocol == POP3 || strncmp(line, "p ", 2) == 0;
}

static bool is_good(const struct walk *w, const char *line)
{
    return w->order->protocol == POP3 ? strncmp(line, "+OK", 3) == 0 : strncmp(line, "p OK", 4) == 0;
}

/* Says a command and waits for its answer; the last line is told. */
static bool ask(struct walk *w, const char *step, const char *command)
{
    const char *line;
    begin(w);
    say(w, command);
    while ((line = read_line(w)) != NULL && !is_last(w, line))
        continue;
    if (line == NULL)
        return end(w, step, false, "%s", w->late ? "timeout" : "the connection ended");
    return end(w, step, is_good(w, line), "%.*s", SPAN_ARG(span_trim(span_of(line))));
}

static bool greet(struct walk *w)
{
    begin(w);
    const char *line = read_line(w);
    bool good = line != NULL &&
                strncmp(line, w->order->protocol == IMAP ? "* OK" : "+OK", w->order->protocol == IMAP ? 4 : 3) == 0;
    if (line == NULL)
        return end(w, "greeting", false, "%s", w->late ? "timeout" : "the connection ended");
    return end(w, "greeting", good, "%.*s", SPAN_ARG(span_trim(span_of(line))));
}

static bool list(struct walk *w, const char *step)
{
    struct buf all;
    const char *line;
    bool imap = w->order->protocol == IMAP;
    buf_init(&all, TEXT_MAX);
    begin(w);
    say(w, imap ? "p CAPABILITY\r\n" : "CAPA\r\n");
    while ((line = read_line(w)) != NULL) {
        struct span text = span_trim(span_of(line));
        if (imap ? is_last(w, line) : span_eq(text, SPAN(".")) || span_starts(text, SPAN("-ERR")))
            break;
        if (imap && span_starts_nocase(text, SPAN("* CAPABILITY ")))
            text = span_after(text, 13);
        if (!imap && span_starts(text, SPAN("+OK")))
            continue;
        if ((all.n > 0 && !buf_add_byte(&all, ' ')) || !buf_add(&all, span_first(text, TEXT_MAX - 50)))
            break;
    }
    bool good = line != NULL && end(w, step, true, "%.*s", SPAN_ARG(buf_span(&all)));
    if (line == NULL)
        end(w, step, false, "%s", w->late ? "timeout" : "the connection ended");
    buf_fini(&all);
    return good;
}

static bool start_tls(struct walk *w)
{
    return ask(w, "starttls", w->order->protocol == IMAP ? "p STARTTLS\r\n" : "STLS\r\n") && shake(w);
}

/* ---- the login ---- */

static bool write_login(const struct walk_order *o, struct buf *to)
{
    return buf_add_text(to, "p LOGIN ") && imap_write_argument(to, span_of(o->user), IMAP_SYNC_ONLY) == IMAP_WRITTEN &&
           buf_add_byte(to, ' ') && imap_write_argument(to, span_of(o->password), IMAP_SYNC_ONLY) == IMAP_WRITTEN &&
           buf_add_text(to, "\r\n") && buf_add_byte(to, '\0');
}

static bool sign_in(struct walk *w)
{
    const struct walk_order *o = w->order;
    struct buf line;
    buf_init_secret(&line, 8192);
    bool good = imap_fits_quoted(span_of(o->user)) && imap_fits_quoted(span_of(o->password));
    if (!good)
        end(w, "login", false, "this name or password does not fit into a quoted string");
    else if (o->protocol == IMAP)
        good = write_login(o, &line) && ask(w, "login", line.at);
    else
        good = buf_printf(&line, "USER %s\r\n%c", o->user, '\0') && ask(w, "user", line.at);
    if (good && o->protocol == POP3) {
        buf_clear(&line);
        good = buf_printf(&line, "PASS %s\r\n%c", o->password, '\0') && ask(w, "login", line.at);
    }
    buf_fini(&line);
    return good;
}

static bool look_inside(struct walk *w)
{
    if (w->order->protocol == POP3)
        return ask(w, "mailbox", "STAT\r\n");
    return list(w, "capability after") && ask(w, "mailbox", "p EXAMINE INBOX\r\n");
}

/* ---- all of it ---- */

static bool announce(struct walk *w)
{
    static const char local[] = "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"; /* PROXY v2, LOCAL */
    return !w->order->announce || conn_write(w->conn, local, sizeof local - 1) == (ssize_t)sizeof local - 1;
}

static bool go(struct walk *w)
{
    const struct walk_order *o = w->order;
    if (!resolve(w) || !connect_to(w) || !judge(w) || !announce(w) || (o->implicit_tls && !shake(w)) || !greet(w) ||
        (o->starttls && !start_tls(w)) || !list(w, "capability"))
        return false;
    bool good = o->user == NULL || (sign_in(w) && look_inside(w));
    say(w, o->protocol == IMAP ? "p LOGOUT\r\n" : "QUIT\r\n");
    return good;
}

/* ---- telling ---- */

static void tell_json(const struct walk *w, bool good)
{
    struct buf line;
    struct json j;
    buf_init(&line, 65536);
    json_init(&j, &line);
    json_open(&j, NULL);
    json_word(&j, "what", w->order->what);
    json_word(&j, "host", w->order->host);
    json_number(&j, "port", w->order->port);
    json_word(&j, "proto", protocol_names[w->order->protocol]);
    json_flag(&j, "ok", good);
    json_list(&j, "steps");
    for (size_t i = 0; i < w->n; i++) {
        json_open(&j, NULL);
        json_word(&j, "step", w->steps[i].name);
        json_flag(&j, "ok", w->steps[i].good);
        json_number(&j, "ms", w->steps[i].ms);
        json_word(&j, "text", w->steps[i].text);
        json_close(&j);
    }
    json_list_close(&j);
    json_close(&j);
    json_end_line(&j);
    fwrite(line.at, 1, line.n, stdout); /* lint: who does not read it does not want it */
    buf_fini(&line);
}

static void tell(const struct walk *w, bool good)
{
    printf("%s: %s port %u, %s: %s\n", w->order->what, w->order->host, w->order->port,
           w->order->protocol == IMAP ? "IMAP4" : "POP3", good ? "well" : "BROKEN");
    for (size_t i = 0; i < w->n; i++) {
        const struct step *s = &w->steps[i];
        printf("  %-18s%5lld ms  %s", s->name, (long long)s->ms, s->good ? "" : "FAILED: ");
        for (const char *at = s->text; *at != '\0'; at++)
            putchar((unsigned char)*at < 0x20 || *at == 0x7f ? '?' : *at);
        putchar('\n');
    }
}

void walk_init(const struct config *config)
{
    const char *why = NULL;
    loop_init();
    if (!dns_open(config->dns.servers.at, config->dns.servers.n, &why))
        fprintf(stderr, "homeward: no DNS: %s\n", why);
}

bool walk(const struct walk_order *order)
{
    struct walk *w = calloc(1, sizeof *w);
    if (w == NULL)
        return false;
    w->order = order;
    bool good = go(w);
    conn_free(&w->conn);
    tls_client_free(&w->tls);
    if (order->json)
        tell_json(w, good);
    else
        tell(w, good);
    fflush(stdout);
    free(w);
    return good;
}

bool walk_name(const char *host, char text[512])
{
    const struct walk_order order = { .host = host, .step_ms = 5000 };
    struct walk *w = calloc(1, sizeof *w);
    if (w == NULL)
        return false;
    w->order = &order;
    bool good = resolve(w);
    snprintf(text, 512, "%s", w->n > 0 ? w->steps[0].text : host);
    free(w);
    return good;
}
