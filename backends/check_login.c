/* Bytes between the dialogue and the connection, and the handshake where the dialogue wants one. */
#include "backends/check_login.h"

#include "proxy/net/loop.h"

enum { READ_BYTES = 4096, OUT_BYTES_MAX = 16384 };

bool check_login_start(struct check_login *l, struct conn *conn, const struct member *m, enum protocol p,
                       const struct tester *tester)
{
    const struct site_config *site = m->site->config;
    *l = (struct check_login){ .conn = conn, .member = m, .tester = tester, .why = "memory" };
    l->order = (struct login_order){
        .site = site,
        .protocol = p,
        .implicit_tls = site->security == SECURITY_TLS,
        .starttls = site->security == SECURITY_STARTTLS,
        .client_mechanism = SASL_PLAIN,
        .user = span_of(site->check_user),
        .credential = &tester->password,
    };
    buf_init(&l->in, SITE_INPUT_MAX);
    buf_init_secret(&l->out, OUT_BYTES_MAX);
    l->login = login_new(&l->order);
    return l->login != NULL &&
           (!l->order.implicit_tls || conn_tls_connect(conn, tester->tls[p], m->config->host, m->key));
}

void check_login_stop(struct check_login *l)
{
    if (l->conn == NULL)
        return;
    login_free(&l->login);
    buf_fini(&l->in);
    buf_fini(&l->out);
    *l = (struct check_login){ 0 };
}

static bool is_shaking(const struct check_login *l)
{
    return conn_is_tls(l->conn) && conn_tls_version(l->conn) == NULL;
}

const char *check_login_stage(const struct check_login *l)
{
    if (is_shaking(l))
        return "tls";
    return login_greeted(l->login) ? "login" : "greeting";
}

static enum check_login_is fail(struct check_login *l, const char *why)
{
    l->why = why;
    return CHECK_LOGIN_FAILED;
}

/* Only what the member itself is to blame for is held against it: with a wrong test account all would be down. */
static enum check_login_is answered(struct check_login *l)
{
    const struct login_answer *a = login_answer(l->login);
    bool ours = span_eq(span_of(a->why), SPAN("unwritable")) || span_eq(span_of(a->why), SPAN("no_memory"));
    l->why = a->why;
    if (a->outcome == LOGIN_IN)
        return CHECK_LOGIN_IN;
    return a->outcome == LOGIN_WRONG || a->outcome == LOGIN_SAYS || ours ? CHECK_LOGIN_REFUSED : CHECK_LOGIN_FAILED;
}

static enum check_login_is flush(struct check_login *l)
{
    while (l->out.n > 0) {
        ssize_t n = conn_write(l->conn, l->out.at, l->out.n);
        if (n == CONN_AGAIN)
            break;
        if (n < 0)
            return fail(l, conn_why(l->conn));
        buf_take(&l->out, (size_t)n);
    }
    conn_watch(l->conn, WATCH_READ | (l->out.n > 0 ? WATCH_WRITE : 0));
    return CHECK_LOGIN_WAITS;
}

static enum check_login_is shake(struct check_login *l);

static enum check_login_is step(struct check_login *l, enum login_step next)
{
    if (next == LOGIN_DONE)
        return answered(l);
    enum check_login_is is = flush(l);
    if (is != CHECK_LOGIN_WAITS || next != LOGIN_START_TLS)
        return is;
    if (!conn_tls_connect(l->conn, l->tester->tls[l->order.protocol], l->member->config->host, l->member->key))
        return fail(l, "memory");
    return shake(l);
}

static enum check_login_is shake(struct check_login *l)
{
    int done = conn_handshake(l->conn);
    if (done == CONN_AGAIN)
        return CHECK_LOGIN_WAITS;
    if (done != 1)
        return fail(l, conn_why(l->conn));
    conn_watch(l->conn, WATCH_READ);
    return l->order.implicit_tls ? CHECK_LOGIN_WAITS : step(l, login_protected(l->login, &l->out));
}

static enum check_login_is feed(struct check_login *l)
{
    struct span input = buf_span(&l->in);
    enum login_step next = login_feed(l->login, &input, &l->out);
    l->begun = true;
    buf_take(&l->in, l->in.n - input.n);
    return step(l, next);
}

static enum check_login_is read_more(struct check_login *l)
{
    char *room = buf_space(&l->in, READ_BYTES);
    ssize_t n = room != NULL ? conn_read(l->conn, room, READ_BYTES) : CONN_BROKEN;
    if (room == NULL)
        return fail(l, "too_much");
    if (n == CONN_AGAIN)
        return CHECK_LOGIN_WAITS;
    if (n < 0)
        return fail(l, n == CONN_BROKEN ? conn_why(l->conn) : "eof");
    buf_grew(&l->in, (size_t)n);
    return feed(l);
}

enum check_login_is check_login_ready(struct check_login *l)
{
    enum check_login_is is = is_shaking(l) ? shake(l) : flush(l);
    if (is == CHECK_LOGIN_WAITS && !is_shaking(l) && !l->begun)
        is = feed(l);
    return is != CHECK_LOGIN_WAITS || is_shaking(l) ? is : read_more(l);
}
