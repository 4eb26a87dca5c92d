/* What mail programs say: they look around, start TLS, sign in by one of the ways there are, work, and leave. */
#include <stdarg.h>
#include <stdio.h>

#include "config/config.h"
#include "proxy/wire/sasl.h"
#include "test/sim/client_inside.h"

enum { ATTEMPTS_MOST = 3 };

/* Who is not let in tries again as somebody else. */
const char *client_user(const struct client *c)
{
    return c->attempts <= 1 ? c->plan->name : c->plan->other;
}

unsigned client_attempt(const struct client *c)
{
    return c->attempts;
}

static const char *message_of(const struct client *c, bool wrong)
{
    return c->plan->forms[c->attempts > 1 ? FORM_SASL_OTHER : wrong ? FORM_SASL_WRONG : FORM_SASL];
}

/* ---- commands ---- */

void command_fini(struct command *k)
{
    for (size_t i = 0; i < k->n_parts; i++)
        buf_fini(&k->parts[i]);
}

static struct command *new_command(struct client *c, enum kind kind)
{
    SIM_REQUIRE(c->n_window < WINDOW);
    struct command *k = &c->window[c->n_window++];
    *k = (struct command){ .kind = kind };
    snprintf(k->tag, sizeof k->tag, "T%u", ++c->tag);
    return k;
}

/* Behind it the client waits for a continuation before the next part. */
static void add_part(struct command *k, const char *format, ...) PRINTF_LIKE(2, 3);
static void add_part(struct command *k, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    SIM_REQUIRE(k->n_parts < PARTS && n > 0 && (size_t)n < sizeof text);
    buf_init(&k->parts[k->n_parts], LOG_MAX);
    SIM_REQUIRE(buf_add(&k->parts[k->n_parts++], span_bytes(text, (size_t)n)));
}

static void send_part(struct client *c, struct command *k)
{
    struct span bytes = buf_span(&k->parts[k->sent++]);
    if (c->compressed)
        compress(k->parts[k->sent - 1].at, bytes.n);
    SIM_REQUIRE(buf_add(&c->out, bytes) && (k->kind == C_LOGIN || buf_add(&c->up_log, bytes)));
}

void client_goes_on(struct client *c, struct span challenge)
{
    SIM_REQUIRE(c->n_window > 0 && c->window[0].sent < c->window[0].n_parts);
    struct command *k = &c->window[0];
    k->challenged = k->may_be_challenged && k->sent == k->n_parts - 1;
    SIM_REQUIRE(!k->challenged || span_starts(challenge, SPAN("+ eyJzdGF0dXMi"))); /* {"status" */
    send_part(c, k);
}

static void issue(struct client *c, struct command *k)
{
    if (k->kind == C_LOGIN)
        buf_clear(&c->up_log); /* what came before it is answered by the front */
    send_part(c, k);
}

static void encode(struct span bytes, struct buf *to)
{
    buf_init(to, 1024);
    SIM_REQUIRE(base64_encode(bytes, to) && buf_add_byte(to, '\0'));
}

/* AUTHENTICATE or AUTH: the message with the command, or when it is asked for. A refused token is explained in a
 * challenge, to which something has to be said before the answer comes. */
static void add_exchange(const struct client *c, struct command *k)
{
    static const char *const words[] = { "\r\n", "AQ==\r\n", "*\r\n" };
    enum sasl_mechanism m = c->plan->mechanism;
    const char *message = message_of(c, k->wrong), *name = sasl_name(m);
    bool at_once = random_below(2) == 0;
    if (c->plan->protocol == IMAP)
        add_part(k, "%s AUTHENTICATE %s%s%s\r\n", k->tag, name, at_once ? " " : "", at_once ? message : "");
    else
        add_part(k, "AUTH %s%s%s\r\n", name, at_once ? " " : "", at_once ? message : "");
    if (!at_once)
        add_part(k, "%s\r\n", message);
    k->may_be_challenged = m != SASL_PLAIN;
    if (k->may_be_challenged)
        add_part(k, "%s", words[random_below(COUNT_OF(words))]);
}

static void login_imap(struct client *c, struct command *k, const char *password)
{
    const char *name = client_user(c);
    struct buf b64_name, b64_password;
    switch (random_below(6)) {
    case 0:
        add_part(k, "%s LOGIN %s \"%s\"\r\n", k->tag, name, password);
        break;
    case 1:
        add_part(k, "%s login {%zu+}\r\n%s {%zu+}\r\n%s\r\n", k->tag, strlen(name), name, strlen(password), password);
        break;
    case 2:
        add_part(k, "%s LOGIN {%zu}\r\n", k->tag, strlen(name));
        add_part(k, "%s {%zu}\r\n", name, strlen(password));
        add_part(k, "%s\r\n", password);
        break;
    case 3:
        encode(span_of(name), &b64_name);
        encode(span_of(password), &b64_password);
        add_part(k, "%s AUTHENTICATE LOGIN\r\n", k->tag);
        add_part(k, "%s\r\n", b64_name.at);
        add_part(k, "%s\r\n", b64_password.at);
        buf_fini(&b64_name);
        buf_fini(&b64_password);
        break;
    default:
        add_exchange(c, k);
        break;
    }
}

static void sign_in(struct client *c)
{
    bool pop3 = c->plan->protocol == POP3, password = c->plan->mechanism == SASL_PLAIN;
    bool by_pass = pop3 && password && random_below(3) == 0;
    bool wrong = c->plan->wrong_first && c->attempts == 0;
    const char *secret = c->plan->forms[wrong ? FORM_WRONG : FORM_PASSWORD];
    c->attempts++;
    if (by_pass) {
        struct command *user = new_command(c, C_ONE);
        add_part(user, "USER %s\r\n", client_user(c));
        issue(c, user);
    }
    struct command *k = new_command(c, C_LOGIN);
    k->wrong = wrong;
    if (by_pass)
        add_part(k, "PASS %s\r\n", secret);
    else if (pop3 || !password)
        add_exchange(c, k);
    else
        login_imap(c, k, secret);
    issue(c, k);
}

static void ask(struct client *c, enum kind kind, const char *imap, const char *pop3)
{
    struct command *k = new_command(c, kind);
    if (c->plan->protocol == IMAP)
        add_part(k, "%s %s\r\n", k->tag, imap);
    else
        add_part(k, "%s\r\n", pop3);
    issue(c, k);
}

static void add_literal(struct command *k, size_t n)
{
    struct buf *part = &k->parts[k->n_parts - 1];
    for (size_t done = 0; done < n;) {
        char piece[256];
        size_t some = n - done < sizeof piece - 1 ? n - done : sizeof piece - 1;
        random_text(piece, some, "ab\r\n T1 LOGOUT{}3+\x80");
        SIM_REQUIRE(buf_add(part, span_bytes(piece, some)));
        done += some;
    }
    SIM_REQUIRE(buf_add_text(part, "\r\n"));
}

static void append(struct client *c)
{
    struct command *k = new_command(c, C_ONE);
    size_t n = random_size(c->plan->largest);
    bool waits = random_below(2) == 0;
    add_part(k, "%s APPEND x {%zu%s}\r\n", k->tag, n, waits ? "" : "+");
    if (waits) {
        add_part(k, "%s", "x");
        buf_clear(&k->parts[1]);
    }
    add_literal(k, n);
    issue(c, k);
}

static void work(struct client *c)
{
    char imap[40], pop3[40];
    unsigned n = (unsigned)random_size(c->plan->largest);
    if (c->commands == 0) {
        ask(c, C_LOGOUT, "LOGOUT", "QUIT");
        c->left = true;
        return;
    }
    c->commands--;
    if (c->plan->protocol == IMAP && !c->asks_to_compress && random_below(8) == 0) {
        c->asks_to_compress = true;
        ask(c, C_COMPRESS, "COMPRESS DEFLATE", "");
        return;
    }
    snprintf(imap, sizeof imap, "FETCH %u", n);
    snprintf(pop3, sizeof pop3, "RETR %u", n);
    switch (random_below(3)) {
    case 0:
        ask(c, C_ONE, "NOOP", "NOOP");
        break;
    case 1:
        ask(c, C_MULTI, imap, pop3);
        break;
    default:
        if (c->plan->protocol == IMAP)
            append(c);
        else
            ask(c, C_ONE, "", "STAT");
        break;
    }
}

static void make_noise(struct client *c)
{
    c->noise--;
    switch (random_below(3)) {
    case 0:
        ask(c, C_MULTI, "CAPABILITY", "CAPA");
        break;
    case 1:
        ask(c, C_ONE, "ID (\"name\" \"sim\" \"version\" NIL)", "XCLIENT ADDR=10.0.0.7 PORT=1 TTL=4");
        break;
    default:
        ask(c, C_ONE, "NOOP", "NOOP");
        break;
    }
}

static void start_tls(struct client *c)
{
    ask(c, C_STARTTLS, "STARTTLS", "STLS");
    if (!c->plan->injects)
        return;
    c->injected = true;
    SIM_REQUIRE(buf_add_text(&c->out, c->plan->protocol == IMAP ? "x LOGIN a b\r\n" : "USER a\r\n"));
}

static bool may_issue(const struct client *c)
{
    if (c->left || c->lawless || c->bye || c->injected || c->half_closed)
        return false;
    if (c->n_window == 0)
        return c->greeted || random_chance(100);
    const struct command *last = &c->window[c->n_window - 1];
    bool barrier =
        last->sent < last->n_parts || last->kind == C_STARTTLS || last->kind == C_COMPRESS || last->kind == C_LOGOUT;
    return !barrier && c->n_window + 2 < WINDOW && (last->kind != C_LOGIN || !c->in_session) && random_chance(300);
}

static bool waits_for_login(const struct client *c)
{
    for (size_t i = 0; i < c->n_window; i++)
        if (c->window[i].kind == C_LOGIN)
            return true;
    return false;
}

bool client_issues(struct client *c)
{
    if (!may_issue(c))
        return false;
    if (waits_for_login(c))
        ask(c, C_ONE, "NOOP", "NOOP"); /* good before and after it */
    else if (c->in_session)
        work(c);
    else if (c->noise > 0)
        make_noise(c);
    else if (c->plan->starttls && !c->protected)
        start_tls(c);
    else if (c->attempts < ATTEMPTS_MOST && c->n_window + 2 < WINDOW)
        sign_in(c);
    else if (c->attempts == ATTEMPTS_MOST) {
        ask(c, C_LOGOUT, "LOGOUT", "QUIT");
        c->left = true;
    } else
        return false;
    return true;
}
