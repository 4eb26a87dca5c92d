/* Answers to an admin. */
#include "auth/control.h"

#include "proxy/net/control.h"

static enum control_status write_status(const struct policy *policy, size_t fronts, struct json *j)
{
    json_open(j, NULL);
    json_word(j, "process", "auth");
    json_number(j, "fronts", (int64_t)fronts);
    json_number(j, "sessions", (int64_t)policy->counts.sessions);
    json_number(j, "users", (int64_t)policy->counts.users.n);
    json_number(j, "addresses", (int64_t)policy->counts.addresses.n);
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

/* As if the credential had been found right: that is not the question here. True: it goes somewhere. */
static bool write_route(const struct policy *policy, const struct msg_ask *ask, struct json *j)
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
static enum control_status route(const struct policy *policy, const struct control *c, struct json *j)
{
    struct span wanted = control_option(c, "proto"), from = control_option(c, "from");
    struct msg_ask ask = { .name = control_word(c, 1) };
    bool goes = false;
    if (ask.name.n == 0 || (from.at != NULL && !addr_parse(from, 0, &ask.client)))
        return CONTROL_USAGE;
    for (uint8_t p = 0; p < PROTOCOLS; p++) {
        ask.protocol = p;
        if (wanted.at != NULL && !span_eq(wanted, span_of(protocol_names[p])))
            continue;
        goes = write_route(policy, &ask, j) || goes;
    }
    return goes ? CONTROL_OK : CONTROL_NO;
}

bool auth_control(const struct policy *policy, size_t fronts, struct ipc *main_channel, struct message *m)
{
    struct control c;
    enum control_status status = CONTROL_OK;
    if (!control_begin(&c, m))
        return true;
    if (control_is(&c, "status"))
        status = write_status(policy, fronts, &c.json);
    else if (control_is(&c, "route"))
        status = route(policy, &c, &c.json);
    else if (!control_common(&c))
        status = CONTROL_USAGE;
    return control_end(&c, main_channel, status, 0, "");
}
