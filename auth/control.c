/* Answers to an admin. */
#include "auth/control.h"

#include "proxy/net/control.h"
#include "proxy/net/loop.h"

static enum control_status write_status(const struct policy *policy, const struct penalties *penalties, size_t fronts,
                                        struct json *j)
{
    json_open(j, NULL);
    json_word(j, "process", "auth");
    json_number(j, "fronts", (int64_t)fronts);
    json_number(j, "sessions", (int64_t)policy->counts.sessions);
    json_number(j, "users", (int64_t)policy->counts.users.n);
    json_number(j, "addresses", (int64_t)policy->counts.addresses.n);
    json_number(j, "throttled", (int64_t)penalties_refused(penalties));
    if (policy->map != NULL)
        json_number(j, "map_entries", (int64_t)policy->map->stats.entries);
    json_close(j);
    json_end_line(j);
    return CONTROL_OK;
}

static void write_entry(const struct policy *policy, struct span mailbox, struct json *j)
{
    struct map_entry entry;
    if (policy->map != NULL && mailbox.n > 0 && map_find(policy->map, mailbox, &entry))
        json_text(j, "map_entry", entry.key);
}

static void write_penalties(const struct penalties *penalties, const struct inquiry *q, struct json *j)
{
    const struct addr *client = &q->ask->client;
    struct guess_facts facts = { .account = buf_span(&q->login),
                                 .client = *client,
                                 .exempt = client->family == AF_UNSPEC || policy_exempts(q->policy, client) };
    struct penalties_view view = penalties_look(penalties, &facts, loop_now_ms());
    json_number(j, "failures", view.of_account);
    json_flag(j, "throttled", view.refuses);
    if (client->family == AF_UNSPEC)
        return;
    json_number(j, "address_failures", view.of_address);
    json_flag(j, "known_address", view.known);
}

/* As if the credential had been found right: that is not the question here. True: it goes somewhere. */
static bool write_route(const struct policy *policy, const struct penalties *penalties, const struct msg_ask *ask,
                        struct json *j)
{
    static const struct judgement right = { .is = JUDGED_YES };
    struct inquiry q;
    const struct msg_verdict *verdict = &q.verdict;
    inquiry_init(&q, policy);
    if (inquiry_begin(&q, ask))
        inquiry_end(&q, &right);
    bool good = verdict->status == VERDICT_OK;
    json_open(j, NULL);
    json_word(j, "proto", protocol_names[ask->protocol]);
    json_text(j, "mailbox", verdict->mailbox);
    json_flag(j, "ok", good);
    if (!good)
        json_text(j, "why", verdict->why);
    write_entry(policy, verdict->mailbox, j);
    write_penalties(penalties, &q, j);
    if (good) {
        json_text(j, "site", verdict->site);
        json_text(j, "store_name", verdict->store_name);
        json_number(j, "sessions", (int64_t)counts_of_user(&policy->counts, ask->protocol, verdict->mailbox));
        json_number(j, "sessions_max", (int64_t)verdict->sessions_max);
    }
    json_close(j);
    json_end_line(j);
    inquiry_fini(&q);
    return good;
}

/* route USER [proto=imap|pop3] [from=IP]: one line for each protocol that is asked for. */
static enum control_status route(const struct policy *policy, const struct penalties *penalties,
                                 const struct control *c, struct json *j)
{
    struct span wanted = control_option(c, "proto"), from = control_option(c, "from");
    struct msg_ask ask = { .name = control_word(c, 1) };
    bool goes = false;
    if (ask.name.n == 0 || (from.at != NULL && !addr_parse(from, 0, &ask.client)))
        return CONTROL_USAGE;
    for (int p = 0; p < PROTOCOLS; p++) {
        ask.protocol = (uint8_t)p;
        if (wanted.at != NULL && !span_eq(wanted, span_of(protocol_names[p])))
            continue;
        goes = write_route(policy, penalties, &ask, j) || goes;
    }
    return goes ? CONTROL_OK : CONTROL_NO;
}

/* forgive USER|CIDR */
static const char *forgive(const struct policy *policy, struct penalties *penalties, const struct control *c)
{
    struct span whom = control_word(c, 1);
    struct network network;
    struct buf login, mailbox;
    buf_init(&login, NAME_BYTES_MAX);
    buf_init(&mailbox, NAME_BYTES_MAX);
    const char *wrong = NULL;
    if (network_parse(whom, &network))
        wrong =
            penalties_forgive_network(penalties, &network) ? NULL : "expected a network no larger than /16, IPv6: /48";
    else if (whom.n == 0 || !name_read(&policy->names, whom, &login, &mailbox))
        wrong = "that is neither an account nor a network";
    else
        penalties_forgive_account(penalties, buf_span(&login));
    buf_fini(&login);
    buf_fini(&mailbox);
    return wrong;
}

bool auth_control(const struct policy *policy, struct penalties *penalties, size_t fronts, struct ipc *main_channel,
                  struct message *m)
{
    struct control c;
    enum control_status status = CONTROL_OK;
    const char *text = "";
    if (!control_begin(&c, m))
        return true;
    if (control_is(&c, "status")) {
        status = write_status(policy, penalties, fronts, &c.json);
    } else if (control_is(&c, "route")) {
        status = route(policy, penalties, &c, &c.json);
    } else if (control_is(&c, "forgive")) {
        const char *wrong = forgive(policy, penalties, &c);
        status = wrong != NULL ? CONTROL_USAGE : CONTROL_OK;
        text = wrong != NULL ? wrong : "forgiven";
    } else if (!control_common(&c)) {
        status = CONTROL_USAGE;
    }
    return control_end(&c, main_channel, status, 0, text);
}
