/* The verdict: steps that each either end the question or let it pass to the next. What depends on the client's address
 * comes first, so that a full address learns nothing about mailboxes. */
#include "auth/verdict.h"

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

bool policy_exempts(const struct policy *policy, const struct addr *client)
{
    return networks_have(&policy->config->limits.exempt, client);
}

void inquiry_init(struct inquiry *q, const struct policy *policy)
{
    *q = (struct inquiry){ .policy = policy };
    buf_init(&q->login, NAME_BYTES_MAX);
    buf_init(&q->mailbox, NAME_BYTES_MAX);
    buf_init(&q->store_name, NAME_BYTES_MAX);
    buf_init(&q->store_login, NAME_BYTES_MAX);
    for (size_t i = 0; i < COUNT_OF(q->names_text); i++)
        buf_init(&q->names_text[i], SWITCHES_NAMES_MAX);
}

void inquiry_fini(struct inquiry *q)
{
    buf_fini(&q->login);
    buf_fini(&q->mailbox);
    buf_fini(&q->store_name);
    buf_fini(&q->store_login);
    for (size_t i = 0; i < COUNT_OF(q->names_text); i++)
        buf_fini(&q->names_text[i]);
}

/* Ends the question. */
static bool end(struct inquiry *q, enum verdict_status status, const char *why)
{
    q->verdict.status = status;
    q->verdict.why = span_of(why);
    return false;
}

/* What is not granted says no more than it must. */
static bool pass(struct inquiry *q, bool (*const *steps)(struct inquiry *q), size_t n)
{
    for (size_t i = 0; i < n && !q->ended; i++)
        q->ended = !steps[i](q);
    if (!q->ended)
        return true;
    struct msg_verdict *v = &q->verdict;
    v->site = v->store_name = v->store_login = v->password = SPAN_NONE;
    v->verified = v->user_full = false;
    return false;
}

/* ---- before the judgement ---- */

static bool check_address(struct inquiry *q)
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
static bool read_mailbox(struct inquiry *q)
{
    const struct name_rules *names = &q->policy->names;
    struct buf authzid;
    if (!name_read(names, q->ask->name, &q->login, &q->mailbox))
        return false;
    if (q->mailbox.n == 0 && q->ask->authzid.n == 0)
        return buf_add(&q->mailbox, buf_span(&q->login));
    if (q->ask->authzid.n == 0)
        return true;
    if (q->mailbox.n == 0)
        return name_canonical(names, q->ask->authzid, &q->mailbox);
    buf_init(&authzid, NAME_BYTES_MAX);
    bool good = name_canonical(names, q->ask->authzid, &authzid) && span_eq(buf_span(&authzid), buf_span(&q->mailbox));
    buf_fini(&authzid);
    return good;
}

static void tell_names(struct inquiry *q)
{
    q->verdict.mailbox = buf_span(&q->mailbox);
    q->is_delegate = !span_eq(q->verdict.mailbox, buf_span(&q->login));
    q->verdict.delegate = q->is_delegate ? buf_span(&q->login) : SPAN_NONE;
}

static bool check_name(struct inquiry *q)
{
    if (!read_mailbox(q))
        return end(q, VERDICT_REFUSED, "name");
    tell_names(q);
    return true;
}

static bool check_denied(struct inquiry *q)
{
    if (deny_has(&q->policy->deny, buf_span(&q->login)) || deny_has(&q->policy->deny, buf_span(&q->mailbox)))
        return end(q, VERDICT_DENIED, "denied");
    return true;
}

bool inquiry_begin(struct inquiry *q, const struct msg_ask *ask)
{
    static bool (*const steps[])(struct inquiry *) = { check_address, check_name, check_denied };
    q->ask = ask;
    q->verdict = (struct msg_verdict){ .status = VERDICT_OK };
    q->heard = 0;
    q->ended = false;
    q->judged = q->placed[OF_MAILBOX] = q->placed[OF_DELEGATE] = NULL;
    q->entry = q->delegate = (struct map_entry){ .key = SPAN_NONE };
    q->said = (struct switches){ .user = SPAN_NONE };
    q->has_entry = q->has_delegate = false;
    q->site = NULL;
    return pass(q, steps, COUNT_OF(steps));
}

/* ---- after it ---- */

static bool check_judgement(struct inquiry *q)
{
    switch (q->judged != NULL ? q->judged->is : JUDGED_BY_SITE) {
    case JUDGED_BY_SITE:
    case JUDGED_YES:
        return true;
    case JUDGED_NO:
        return end(q, VERDICT_REFUSED, "refused");
    case JUDGED_UNKNOWN:
        return end(q, VERDICT_REFUSED, "unknown");
    case JUDGED_DENIED:
        return end(q, VERDICT_DENIED, "denied");
    case JUDGED_DOWN:
        break;
    }
    return end(q, VERDICT_UNAVAILABLE, "verifier_down");
}

static bool is_verified(const struct inquiry *q)
{
    return q->judged != NULL && q->judged->is == JUDGED_YES;
}

/* Whoever judges or places an account may know it by another name: that one is looked up, counted, and denied like
 * any. Whose mailbox it is has then another name too, unless somebody else opens it. */
static bool rename_to(struct inquiry *q, const char *name, struct buf *to)
{
    if (name == NULL)
        return true;
    if (!name_canonical(&q->policy->names, span_of(name), to))
        return end(q, VERDICT_UNAVAILABLE, "verifier_name");
    struct buf *other = to == &q->login ? &q->mailbox : &q->login;
    if (!q->is_delegate) {
        buf_clear(other);
        if (!buf_add(other, buf_span(to)))
            return end(q, VERDICT_UNAVAILABLE, "no_memory");
    }
    tell_names(q);
    return check_denied(q);
}

static bool take_name(struct inquiry *q)
{
    return !is_verified(q) || rename_to(q, q->judged->name, &q->login);
}

static bool read_words(struct inquiry *q, const char *text, struct switches *to, struct buf *names_text)
{
    struct switches_reader reader = { .names = &q->policy->names, .to = to, .text = names_text };
    struct span words = span_of(text), word;
    const char *expected;
    while (span_word(&words, &word))
        if (switches_read(&reader, word, &expected) != SWITCHES_READ)
            return end(q, VERDICT_UNAVAILABLE, "verifier_options");
    return true;
}

static bool take_options(struct inquiry *q)
{
    return !is_verified(q) || read_words(q, q->judged->options, &q->said, &q->names_text[PLACES]);
}

static void hear_judgement(struct inquiry *q, const struct judgement *judged)
{
    static bool (*const steps[])(struct inquiry *) = { check_judgement, take_name, take_options };
    q->judged = judged != NULL && judged->is != JUDGED_BY_SITE ? judged : NULL;
    pass(q, steps, COUNT_OF(steps));
}

/* ---- the directory ---- */

/* Of whom; a verifier that is a directory may have said it all. */
static struct span name_to_ask(const struct inquiry *q, size_t place)
{
    bool all_said = is_verified(q) && q->judged->is_all && !q->is_delegate;
    if (q->ended || q->policy->config->directory.driver != DIRECTORY_LDAP || all_said)
        return SPAN_NONE;
    return place == OF_MAILBOX ? q->verdict.mailbox : place == OF_DELEGATE ? q->verdict.delegate : SPAN_NONE;
}

/* As if the map had a line of it. */
static bool take_entry(struct inquiry *q, enum place place)
{
    const struct judgement *said = q->placed[place];
    struct map_entry *entry = place == OF_MAILBOX ? &q->entry : &q->delegate;
    if (!rename_to(q, said->name, place == OF_MAILBOX ? &q->mailbox : &q->login))
        return false;
    *entry = (struct map_entry){ .site = span_of(said->site), .switches.user = SPAN_NONE };
    *(place == OF_MAILBOX ? &q->has_entry : &q->has_delegate) = true;
    return read_words(q, said->options, &entry->switches, &q->names_text[place]);
}

static bool take_placing(struct inquiry *q, enum place place)
{
    switch (q->placed[place]->is) {
    case JUDGED_YES:
        return take_entry(q, place);
    case JUDGED_UNKNOWN:
        return true;
    case JUDGED_DENIED:
        return end(q, VERDICT_DENIED, "denied");
    case JUDGED_NO:
        return end(q, VERDICT_REFUSED, "disabled");
    default:
        return end(q, VERDICT_UNAVAILABLE, "directory_down");
    }
}

static bool take_mailbox(struct inquiry *q)
{
    return take_placing(q, OF_MAILBOX);
}

static bool take_delegate(struct inquiry *q)
{
    return take_placing(q, OF_DELEGATE);
}

struct span inquiry_hears(struct inquiry *q, const struct judgement *said)
{
    static bool (*const steps[PLACES])(struct inquiry *) = { take_mailbox, take_delegate };
    size_t part = q->heard++;
    if (part == 0) {
        hear_judgement(q, said);
    } else if (part <= PLACES) {
        q->placed[part - 1] = said;
        pass(q, &steps[part - 1], 1);
    }
    return name_to_ask(q, part);
}

/* ---- all together ---- */

/* The verifier may say where home is; of the mailbox of somebody else it says nothing. */
static struct span told_site(const struct inquiry *q)
{
    /* lint: who is verified has been judged */
    return is_verified(q) && !q->is_delegate ? span_of(q->judged->site) : SPAN_NONE;
}

static bool find_in_map(struct inquiry *q)
{
    const struct map *map = q->policy->map;
    if (map == NULL && told_site(q).n == 0)
        return end(q, VERDICT_UNAVAILABLE, "no_map");
    q->has_entry = map != NULL && map_find(map, q->verdict.mailbox, &q->entry);
    q->has_delegate = map != NULL && q->is_delegate && map_find(map, q->verdict.delegate, &q->delegate);
    return true;
}

static bool find_entries(struct inquiry *q)
{
    bool needed = told_site(q).n == 0;
    if (q->policy->config->directory.driver == DIRECTORY_FILE && !find_in_map(q))
        return false;
    if (!needed || q->has_entry)
        return true;
    if (q->policy->config->directory.driver == DIRECTORY_LDAP && q->placed[OF_MAILBOX] == NULL)
        return end(q, VERDICT_UNAVAILABLE, "directory_not_asked");
    return end(q, VERDICT_REFUSED, "unknown");
}

/* Who opens the mailbox of another must be somebody here, and be granted it. */
static bool check_delegate(struct inquiry *q)
{
    if (!q->is_delegate)
        return true;
    if (!q->has_delegate && !is_verified(q))
        return end(q, VERDICT_REFUSED, "unknown");
    if (switches_grant(&q->entry.switches, q->verdict.delegate) ||
        switches_open(&q->delegate.switches, q->verdict.mailbox) || switches_open(&q->said, q->verdict.mailbox))
        return true;
    return end(q, VERDICT_REFUSED, "delegate");
}

/* What is off for one of them is off. */
static bool check_switches(struct inquiry *q)
{
    const struct switches *const all[] = { &q->entry.switches, &q->delegate.switches, &q->said };
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        if (!switches_serve(all[i], q->ask->protocol))
            return end(q, VERDICT_REFUSED, "protocol_off");
        if (!switches_allow(all[i], &q->ask->client))
            return end(q, VERDICT_REFUSED, "network");
    }
    return true;
}

/* The map names its sites: it may be older or newer than this configuration. */
static bool find_site(struct inquiry *q)
{
    struct span name = told_site(q);
    ptrdiff_t i = config_site(q->policy->config, name.n > 0 ? name : q->entry.site);
    if (i < 0)
        return end(q, VERDICT_UNAVAILABLE, "no_site");
    q->site = &q->policy->config->sites[i];
    if (!q->site->serves[q->ask->protocol])
        return end(q, VERDICT_REFUSED, "protocol_off");
    q->verdict.site = span_of(q->site->name);
    return true;
}

/* A site that is signed in to as its master would let everybody in: it cannot judge. */
static bool check_judge(struct inquiry *q)
{
    if (!is_verified(q) && q->site->credentials == CREDENTIALS_MASTER)
        return end(q, VERDICT_REFUSED, "unknown");
    q->verdict.verified = is_verified(q);
    if (is_verified(q))
        q->verdict.password = secret_span(&q->judged->password);
    return true;
}

static bool expand(struct inquiry *q, const struct map_entry *entry, struct span canonical, struct buf *to)
{
    struct span own = entry->switches.user;
    struct span format = own.at != NULL ? own : span_of(q->site->user_format);
    struct span typed = q->is_delegate ? canonical : q->ask->name;
    return name_expand(format, canonical, typed, to) || end(q, VERDICT_REFUSED, "name");
}

/* A name as it is, no format. */
static bool take_told(struct inquiry *q, const char *name, struct buf *to)
{
    buf_clear(to);
    return buf_add_text(to, name) || end(q, VERDICT_UNAVAILABLE, "verifier_name");
}

static const char *told_by_verifier(const struct inquiry *q)
{
    return is_verified(q) ? q->judged->store_name : NULL;
}

static const char *told_by_directory(const struct inquiry *q, enum place place)
{
    return q->placed[place] != NULL ? q->placed[place]->store_name : NULL;
}

/* The verifier's own word for the login goes before that of the directory. */
static bool make_store_name(struct inquiry *q)
{
    const char *told = q->is_delegate ? NULL : told_by_verifier(q);
    bool said = q->said.user.at != NULL && !q->is_delegate;
    if (told == NULL && !said)
        told = told_by_directory(q, OF_MAILBOX);
    if (told == NULL && said)
        q->entry.switches.user = q->said.user;
    if (!(told != NULL ? take_told(q, told, &q->store_name) : expand(q, &q->entry, q->verdict.mailbox, &q->store_name)))
        return false;
    q->verdict.store_name = buf_span(&q->store_name);
    return true;
}

/* A name of the delegate's own at the store counts only at the delegate's own site. */
static bool make_store_login(struct inquiry *q)
{
    struct map_entry here = q->delegate;
    if (!q->is_delegate)
        return true;
    const char *told = told_by_verifier(q);
    bool at_home = q->has_delegate && span_eq(q->delegate.site, q->entry.site);
    if (!at_home)
        here.switches.user = SPAN_NONE;
    if (told == NULL && at_home)
        told = told_by_directory(q, OF_DELEGATE);
    if (!(told != NULL ? take_told(q, told, &q->store_login) : expand(q, &here, q->verdict.delegate, &q->store_login)))
        return false;
    q->verdict.store_login = buf_span(&q->store_login);
    return true;
}

static uint32_t sessions_max(const struct policy *policy, enum protocol protocol, unsigned own)
{
    int64_t most = policy->config->limits.sessions_per_user[protocol];
    if (own > 0)
        return own;
    return most <= 0 ? 0 : most < UINT32_MAX ? (uint32_t)most : UINT32_MAX;
}

uint32_t policy_sessions_max(const struct policy *policy, enum protocol protocol, struct span mailbox)
{
    struct map_entry entry;
    bool known = policy->map != NULL && map_find(policy->map, mailbox, &entry);
    return sessions_max(policy, protocol, known ? entry.switches.sessions : 0);
}

/* Never ends the question: who has not proved to be this user must not learn how busy the user is. */
static bool look_at_user(struct inquiry *q)
{
    enum protocol protocol = q->ask->protocol;
    unsigned own = !q->is_delegate && q->said.sessions > 0 ? q->said.sessions : q->entry.switches.sessions;
    uint32_t most = sessions_max(q->policy, protocol, own);
    q->verdict.sessions_max = most;
    q->verdict.user_full = most > 0 && counts_of_user(&q->policy->counts, protocol, q->verdict.mailbox) >= most;
    return true;
}

void inquiry_end(struct inquiry *q, const struct judgement *judged)
{
    static bool (*const steps[])(struct inquiry *) = {
        find_entries, check_delegate,  check_switches,   find_site,
        check_judge,  make_store_name, make_store_login, look_at_user,
    };
    if (q->heard == 0)
        hear_judgement(q, judged);
    pass(q, steps, COUNT_OF(steps));
}
