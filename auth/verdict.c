/* The verdict: steps that each either end the question or let it pass to the next. What depends on the client's address
 * comes first, so that a full address learns nothing about mailboxes. */
#include "auth/verdict.h"

struct question {
    const struct policy *policy;
    const struct msg_ask *ask;
    struct verdict_bytes *bytes;
    struct msg_verdict *verdict;
    struct map_entry entry;
    const struct site_config *site;
};

bool policy_init(struct policy *policy, const struct config *config)
{
    const char *wrong;
    policy->config = config;
    return name_rules_init(&policy->names, config, &wrong) && deny_init(&policy->deny, &policy->names, config, &wrong);
}

void policy_fini(struct policy *policy)
{
    name_rules_fini(&policy->names);
    deny_fini(&policy->deny);
}

void verdict_bytes_init(struct verdict_bytes *bytes)
{
    buf_init(&bytes->login, NAME_BYTES_MAX);
    buf_init(&bytes->mailbox, NAME_BYTES_MAX);
    buf_init(&bytes->store_name, NAME_BYTES_MAX);
}

void verdict_bytes_fini(struct verdict_bytes *bytes)
{
    buf_fini(&bytes->login);
    buf_fini(&bytes->mailbox);
    buf_fini(&bytes->store_name);
}

/* Ends the question. */
static bool end(struct question *q, enum verdict_status status, const char *why)
{
    q->verdict->status = status;
    q->verdict->why = span_of(why);
    return false;
}

bool policy_exempts(const struct policy *policy, const struct addr *client)
{
    return networks_have(&policy->config->limits.exempt, client);
}

static bool check_address(struct question *q)
{
    const struct addr *client = &q->ask->client;
    int64_t most = q->policy->config->limits.sessions_per_address;
    if (most <= 0 || policy_exempts(q->policy, client))
        return true;
    if (counts_of_address(&q->policy->counts, client) < (uint64_t)most)
        return true;
    return end(q, VERDICT_ADDRESS_FULL, "address_full");
}

/* Whose mailbox is meant: the name itself may say so, or the authzid (RFC 4616), in which clients often name
 * themselves. Both at once must agree. */
static bool read_mailbox(struct question *q)
{
    const struct name_rules *names = &q->policy->names;
    struct buf *login = &q->bytes->login, *mailbox = &q->bytes->mailbox;
    struct buf authzid;
    if (!name_read(names, q->ask->name, login, mailbox))
        return false;
    if (mailbox->n == 0 && q->ask->authzid.n == 0)
        return buf_add(mailbox, buf_span(login));
    if (q->ask->authzid.n == 0)
        return true;
    if (mailbox->n == 0)
        return name_canonical(names, q->ask->authzid, mailbox);
    buf_init(&authzid, NAME_BYTES_MAX);
    bool good = name_canonical(names, q->ask->authzid, &authzid) && span_eq(buf_span(&authzid), buf_span(mailbox));
    buf_fini(&authzid);
    return good;
}

static bool check_name(struct question *q)
{
    if (!read_mailbox(q))
        return end(q, VERDICT_REFUSED, "name");
    q->verdict->mailbox = buf_span(&q->bytes->mailbox);
    return true;
}

static bool check_denied(struct question *q)
{
    if (deny_has(&q->policy->deny, buf_span(&q->bytes->login)) ||
        deny_has(&q->policy->deny, buf_span(&q->bytes->mailbox)))
        return end(q, VERDICT_DENIED, "denied");
    return true;
}

static bool check_delegate(struct question *q)
{
    if (span_eq(buf_span(&q->bytes->login), buf_span(&q->bytes->mailbox)))
        return true;
    return end(q, VERDICT_REFUSED, "delegate");
}

static bool find_entry(struct question *q)
{
    if (q->policy->map == NULL)
        return end(q, VERDICT_UNAVAILABLE, "no_map");
    if (!map_find(q->policy->map, q->verdict->mailbox, &q->entry))
        return end(q, VERDICT_REFUSED, "unknown");
    if (!q->entry.serves[q->ask->protocol])
        return end(q, VERDICT_REFUSED, "protocol_off");
    return true;
}

/* The map names its sites: it may be older or newer than this configuration. */
static bool find_site(struct question *q)
{
    ptrdiff_t i = config_site(q->policy->config, q->entry.site);
    if (i < 0)
        return end(q, VERDICT_UNAVAILABLE, "no_site");
    q->site = &q->policy->config->sites[i];
    if (!q->site->serves[q->ask->protocol])
        return end(q, VERDICT_REFUSED, "protocol_off");
    q->verdict->site = span_of(q->site->name);
    return true;
}

static bool make_store_name(struct question *q)
{
    struct span format = q->entry.user.at != NULL ? q->entry.user : span_of(q->site->user_format);
    if (!name_expand(format, q->verdict->mailbox, q->ask->name, &q->bytes->store_name))
        return end(q, VERDICT_REFUSED, "name");
    q->verdict->store_name = buf_span(&q->bytes->store_name);
    return true;
}

bool policy_over_user_limit(const struct policy *policy, enum protocol protocol, size_t sessions)
{
    int64_t most = policy->config->limits.sessions_per_user[protocol];
    return most > 0 && sessions > (uint64_t)most;
}

/* Never ends the question: who has not proved to be this user must not learn how busy the user is. */
static bool look_at_user(struct question *q)
{
    enum protocol protocol = q->ask->protocol;
    int64_t most = q->policy->config->limits.sessions_per_user[protocol];
    size_t sessions = counts_of_user(&q->policy->counts, protocol, q->verdict->mailbox);
    q->verdict->sessions_max = most > 0 ? (uint64_t)most : 0;
    q->verdict->user_full = policy_over_user_limit(q->policy, protocol, sessions + 1);
    return true;
}

void verdict_decide(const struct policy *policy, const struct msg_ask *ask, struct verdict_bytes *bytes,
                    struct msg_verdict *verdict)
{
    static bool (*const steps[])(struct question *) = {
        check_address, check_name, check_denied, check_delegate, find_entry, find_site, make_store_name, look_at_user,
    };
    struct question q = { .policy = policy, .ask = ask, .bytes = bytes, .verdict = verdict };
    *verdict = (struct msg_verdict){ .status = VERDICT_OK };
    for (size_t i = 0; i < COUNT_OF(steps) && steps[i](&q); i++)
        continue;
    if (verdict->status == VERDICT_OK)
        return;
    verdict->site = verdict->store_name = SPAN_NONE;
}
