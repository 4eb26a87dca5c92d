/* Mail programs: they greet the balancer's way, start TLS, ask, sign in by one of the ways there are, work, and leave;
 * each command gets exactly one reply, in order. Some leave earlier, or talk nonsense, at a moment that the plan says.
 */
#include <stdlib.h>

#include "config/config.h"
#include "proxy/wire/proxy_protocol.h"
#include "test/sim/client_inside.h"

enum { NOISES = 16 };

struct client *client_new(const struct plan *p, struct link *l)
{
    struct client *c = calloc(1, sizeof *c);
    SIM_REQUIRE(c != NULL);
    *c = (struct client){ .plan = p, .link = l, .commands = p->commands, .noise = random_below(3) };
    c->fault_at = p->client_fault_at;
    c->phase = p->proxied ? CL_HEADER : p->implicit ? CL_TLS : CL_TALK;
    buf_init(&c->in, LOG_MAX);
    buf_init(&c->out, LOG_MAX);
    buf_init(&c->up_log, LOG_MAX);
    buf_init(&c->down_log, LOG_MAX);
    return c;
}

void client_free(struct client **pointer)
{
    struct client *c = *pointer;
    *pointer = NULL;
    if (c == NULL)
        return;
    for (size_t i = 0; i < c->n_window; i++)
        command_fini(&c->window[i]);
    buf_fini(&c->in);
    buf_fini(&c->out);
    buf_fini(&c->up_log);
    buf_fini(&c->down_log);
    peer_let_go(&c->link);
    free(c);
}

bool client_is_over(const struct client *c)
{
    return c->phase == CL_OVER;
}

bool client_is_owed(const struct client *c)
{
    const struct command *k = &c->window[0];
    bool has_all = c->phase == CL_TALK && c->out.n == 0 && c->link->in->n == 0 && c->plan->client_fault == FAULT_NO;
    return has_all && c->n_window > 0 && k->kind == C_LOGIN && k->sent + k->may_be_challenged == k->n_parts;
}

const struct buf *client_up_log(const struct client *c)
{
    return &c->up_log;
}

/* ---- replies ---- */

/* Byte for byte the same, whatever the reason. */
static bool is_the_refusal(const struct client *c, const struct command *k, struct span line)
{
    if (c->plan->protocol == POP3)
        return span_eq(line, SPAN("-ERR [AUTH] Authentication failed."));
    return span_eq(span_after(line, strlen(k->tag)), SPAN(" NO [AUTHENTICATIONFAILED] Authentication failed."));
}

/* An outage never looks like a wrong password. A refused token is explained first, and nothing else is. */
static void require_honest(const struct client *c, const struct command *k, struct span line)
{
    bool refused =
        span_contains_nocase(line, SPAN("AUTHENTICATIONFAILED")) || span_contains_nocase(line, SPAN("[AUTH]"));
    bool by_auth = c->plan->verdict == VERDICT_REFUSED || c->plan->verdict == VERDICT_DENIED;
    bool garbled = c->plan->store_fault == FAULT_GARBAGE;
    SIM_REQUIRE(!refused || k->wrong || by_auth || c->plan->hopeless || garbled);
    SIM_REQUIRE(refused || !k->wrong || !c->plan->clean); /* and a wrong one never like an outage */
    SIM_REQUIRE(!refused || is_the_refusal(c, k, line));
    SIM_REQUIRE(!refused || k->challenged == k->may_be_challenged);
    bool dismissed = c->plan->protocol == POP3 && span_starts(line, SPAN("-ERR [SYS/TEMP] ")); /* before its answer */
    SIM_REQUIRE(refused || dismissed || !k->challenged);
}

/* Its store talks nonsense: whatever comes is only compared with what that said. */
static bool is_garbled(const struct client *c)
{
    return c->in_session && c->plan->store_fault == FAULT_GARBAGE;
}

static void logged_in(struct client *c)
{
    c->in_session = true;
    totals.logins++;
    SIM_REQUIRE(buf_add(&c->down_log, buf_span(&c->in)));
    if (is_garbled(c))
        buf_clear(&c->in);
}

static void finish(struct client *c, bool good, struct span line)
{
    SIM_REQUIRE(c->n_window > 0);
    struct command k = c->window[0];
    memmove(c->window, c->window + 1, --c->n_window * sizeof c->window[0]);
    if (k.kind == C_LOGIN) {
        SIM_REQUIRE(!good || !k.wrong || c->plan->store_fault == FAULT_GARBAGE); /* which may well say OK */
        SIM_REQUIRE(good || k.wrong || !c->plan->clean);
        if (good) {
            logged_in(c);
        } else {
            require_honest(c, &k, line);
            totals.refused++;
        }
    }
    if (k.kind == C_STARTTLS) {
        SIM_REQUIRE(good || !c->plan->clean);
        SIM_REQUIRE(!good || c->in.n == 0); /* nothing follows it in clear */
        if (good)                           /* what was injected and comes behind is taken for a handshake */
            c->phase = CL_TLS;
    }
    if (k.kind == C_COMPRESS && good) {
        c->compressed = true;
        compress(c->in.at, c->in.n);
    }
    if (k.kind == C_MULTI && c->plan->protocol == POP3)
        c->in_multi = good;
    if (k.kind == C_LOGOUT)
        c->ended_well = good;
    c->answers++;
    command_fini(&k);
}

static void take_untagged(struct client *c, struct span line)
{
    uint64_t n;
    ptrdiff_t brace = span_find_last(line, '{');
    c->bye = c->bye || span_starts(line, SPAN("* BYE "));
    c->greeted = true;
    if (brace < 0 || line.at[line.n - 1] != '}')
        return;
    struct span digits = span_after(line, (size_t)brace + 1);
    digits.n--;
    SIM_REQUIRE(span_number(digits, LOG_MAX, &n));
    c->literal = n;
    c->in_tail = true;
}

static void take_imap(struct client *c, struct span line)
{
    struct span rest = line, tag, status;
    if (c->in_tail) {
        c->in_tail = false;
        return;
    }
    if (span_starts(line, SPAN("* "))) {
        take_untagged(c, line);
        return;
    }
    if (span_starts(line, SPAN("+"))) {
        client_goes_on(c, line);
        return;
    }
    SIM_REQUIRE(c->n_window > 0 && span_word(&rest, &tag) && span_word(&rest, &status));
    SIM_REQUIRE(span_eq(tag, span_of(c->window[0].tag)));
    bool good = span_eq(status, SPAN("OK"));
    SIM_REQUIRE(good || span_eq(status, SPAN("NO")) || span_eq(status, SPAN("BAD")));
    finish(c, good, line);
}

static void take_pop3(struct client *c, struct span line)
{
    if (c->in_multi) {
        c->in_multi = !span_eq(line, SPAN("."));
        return;
    }
    bool good = span_starts(line, SPAN("+OK"));
    if (!good && span_starts(line, SPAN("+"))) {
        client_goes_on(c, line);
        return;
    }
    SIM_REQUIRE(good || span_starts(line, SPAN("-ERR")));
    if (!c->greeted && good) {
        c->greeted = true;
        return;
    }
    if (c->n_window > 0)
        finish(c, good, line);
    else {
        SIM_REQUIRE(!good && !c->bye); /* a good-bye that nobody asked for */
        c->bye = true;
    }
}

static bool take_line(struct client *c)
{
    if (c->literal > 0) {
        size_t n = c->literal < c->in.n ? c->literal : c->in.n;
        c->literal -= n;
        buf_take(&c->in, n);
        return n > 0;
    }
    struct span in = buf_span(&c->in);
    ptrdiff_t end = span_find(in, '\n');
    if (end < 0 || c->phase != CL_TALK)
        return false;
    SIM_REQUIRE(end > 0 && in.at[end - 1] == '\r');
    char *copy = span_copy(span_first(in, (size_t)end - 1));
    struct span line = span_bytes(copy, (size_t)end - 1);
    buf_take(&c->in, (size_t)end + 1);
    if (c->plan->protocol == IMAP)
        take_imap(c, line);
    else
        take_pop3(c, line);
    free(copy);
    return true;
}

/* ---- a step ---- */

static void over(struct client *c)
{
    c->phase = CL_OVER;
    peer_let_go(&c->link);
}

static void heard_end(struct client *c)
{
    c->ended = true;
    c->reset = c->link->out->reset;
    bool proper = !c->link->peer_tls || c->link->out->notified;
    if (c->plan->clean) {
        SIM_REQUIRE(c->ended_well && c->n_window == 0 && !c->reset);
        SIM_REQUIRE(proper); /* a cut is not an end */
        totals.clean++;
    }
    over(c);
}

static bool hear(struct client *c)
{
    char room[4096];
    if (!peer_can_read(c->link))
        return false;
    size_t n = peer_read(c->link, room, random_size(sizeof room));
    if (n == 0) {
        if (!peer_sees_end(c->link))
            return false;
        heard_end(c);
        return true;
    }
    totals.bytes += n;
    if (c->in_session)
        SIM_REQUIRE(buf_add(&c->down_log, span_bytes(room, n)));
    if (c->lawless)
        return true;
    if (c->compressed)
        compress(room, n);
    SIM_REQUIRE(buf_add(&c->in, span_bytes(room, n)));
    if (is_garbled(c))
        buf_clear(&c->in);
    while (c->in.n > 0 && take_line(c))
        ;
    return true;
}

static bool speak(struct client *c)
{
    if (c->out.n == 0 || !peer_can_write(c->link) || c->half_closed)
        return false;
    size_t n = peer_write(c->link, span_first(buf_span(&c->out), random_size(c->out.n)));
    buf_take(&c->out, n);
    return n > 0;
}

static bool wait_for_end(struct client *c)
{
    if (c->link->fd >= 0 && !c->link->out->ended)
        return false;
    over(c);
    return true;
}

static bool shake(struct client *c)
{
    uint8_t before = c->link->peer_shake;
    if (c->out.n > 0 || c->half_closed)
        return speak(c) || wait_for_end(c);
    int done = peer_handshake(c->link, false);
    if (done < 0) {
        SIM_REQUIRE(!c->plan->clean);
        over(c);
        return true;
    }
    if (done == 1) {
        c->protected = true;
        c->answers = 0;
        c->phase = CL_TALK;
    }
    return done == 1 || c->link->peer_shake != before || wait_for_end(c);
}

static void write_header(struct client *c)
{
    struct addr from = {
        .family = AF_INET, .port = 7, .bytes = {192, 0, 2, (uint8_t)(1 + random_below(200))}
    };
    struct addr to = {
        .family = AF_INET, .port = 993, .bytes = {192, 0, 2, 250}
    };
    if (random_below(2) == 0)
        SIM_REQUIRE(proxy_header_write(&c->out, &from, &to));
    else
        SIM_REQUIRE(buf_printf(&c->out, "PROXY TCP4 192.0.2.%u 192.0.2.250 7 993\r\n", from.bytes[3]));
    c->phase = c->plan->implicit ? CL_TLS : CL_TALK;
}

static void fail(struct client *c)
{
    char noise[64];
    totals.faults++;
    switch (c->plan->client_fault) {
    case FAULT_FIN:
        peer_end(c->link, random_below(2) == 0);
        c->half_closed = true;
        break;
    case FAULT_RESET:
        peer_reset(c->link);
        over(c);
        break;
    case FAULT_GARBAGE:
        c->lawless = true;
        random_noise(noise, random_size(sizeof noise - 1), "\r\nA1 LOGIN{9+}\"* AUTH PLAIN=\x16\x80");
        SIM_REQUIRE(buf_add(&c->out, span_of(noise)));
        SIM_REQUIRE(buf_add(&c->up_log, span_of(noise)));
        c->fault_at = ++c->noises < NOISES ? c->steps + 1 + random_below(8) : 0; /* and again */
        break;
    default:
        c->phase = CL_SILENT;
        break;
    }
}

bool client_acts(struct client *c)
{
    if (c->phase == CL_OVER)
        return false;
    if (c->phase == CL_SILENT)
        return wait_for_end(c);
    if (c->plan->client_fault != FAULT_NO && c->steps == c->fault_at) {
        c->steps++;
        fail(c);
        return true;
    }
    bool acted = true;
    if (c->phase == CL_HEADER)
        write_header(c);
    else if (c->phase == CL_TLS)
        acted = shake(c);
    else
        switch (random_below(3)) {
        case 0:
            acted = client_issues(c) || speak(c) || hear(c);
            break;
        case 1:
            acted = speak(c) || hear(c) || client_issues(c);
            break;
        default:
            acted = hear(c) || client_issues(c) || speak(c);
            break;
        }
    c->steps += acted;
    return acted;
}

/* ---- afterwards ---- */

/* The last place at or before `at` where a line of ours may stand. In POP3 that is every line's start: which answers
 * have many lines only the commands tell, which the relay does not read. */
static size_t safe_before(const struct client *c, const struct store *s, struct span got, size_t at)
{
    if (c->plan->protocol == IMAP)
        return store_safe_before(s, at);
    while (at > 0 && got.at[at - 1] != '\n')
        at--;
    return at;
}

/* It begins with that, as far as there is so much of it. */
static bool may_become(struct span s, struct span start)
{
    return span_starts(s, span_first(start, s.n));
}

/* An IMAP session that nobody but the front has ended: where a line may be put in, it says why. */
static bool must_be_explained(const struct client *c)
{
    bool ours = c->plan->client_fault == FAULT_NO && c->plan->store_fault == FAULT_NO && !c->plan->injects &&
                !c->left && !c->asks_to_compress;
    return c->plan->protocol == IMAP && ours && c->ended && !c->reset && c->answers > 0;
}

/* What came down in the session is what the store said, in order; behind it at most one line of ours. */
void client_judge(const struct client *c, const struct store *s)
{
    if (!c->in_session && s == NULL) /* else its welcome may have been cut */
        SIM_REQUIRE(!must_be_explained(c) || c->bye);
    if (s == NULL || !c->in_session)
        return;
    struct span got = buf_span(&c->down_log), said = buf_span(store_down_log(s));
    size_t same = 0, least = got.n < said.n ? got.n : said.n;
    while (same < least && got.at[same] == said.at[same])
        same++;
    if (c->plan->clean) {
        SIM_REQUIRE(same == got.n && same == said.n);
        SIM_REQUIRE(store_up_got(s) == c->up_log.n);
    }
    bool all_said = got.n == said.n && store_safe_before(s, got.n) == got.n;
    SIM_REQUIRE(!must_be_explained(c) || !all_said || same < got.n);
    if (same == got.n)
        return;
    SIM_REQUIRE(!c->compressed); /* a line of ours would break the stream */
    struct span ours = span_after(got, safe_before(c, s, got, same));
    bool garbled = c->plan->store_fault == FAULT_GARBAGE;
    SIM_REQUIRE(garbled || may_become(ours, SPAN("* BYE ")) || may_become(ours, SPAN("-ERR [SYS/TEMP] ")));
    bool heard_all = c->ended && !c->reset;
    SIM_REQUIRE(garbled || !heard_all || span_find(ours, '\n') == (ptrdiff_t)ours.n - 1);
}
