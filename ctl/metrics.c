/* /metrics in the text format of Prometheus. Labels are bounded by the configuration and by closed sets: never a user,
 * never a client's address.
 *
 * Counters of front processes end with them; to keep the sums growing over reloads and crashes this process remembers
 * what each front said last, and adds that of fronts that are gone. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl/pages.h"

enum { HTTP_OK = 200 };

static json_t *last;  /* the last totals of each front, by its process id */
static json_t *ended; /* the totals of all that are gone, added up */

/* ---- sums ---- */

static json_t *added(const json_t *a, const json_t *b)
{
    json_t *sum, *value;
    const char *key;
    if (!json_is_object(b))
        return json_integer(json_integer_value(a) + json_integer_value(b));
    sum = json_is_object(a) ? json_copy((json_t *)a) : json_object();
    json_object_foreach((json_t *)b, key, value) json_object_set_new(sum, key, added(json_object_get(sum, key), value));
    return sum;
}

static void add_to(json_t **sum, const json_t *more)
{
    json_t *result = added(*sum, more);
    json_decref(*sum);
    *sum = result;
}

/* The totals of all fronts that ever were, as far as they have been seen. */
static json_t *totals(const struct reply *status)
{
    json_t *now = json_object(), *row, *value, *sum;
    const char *key;
    size_t i;
    if (ended == NULL)
        ended = json_object();
    json_array_foreach(status->rows, i, row)
    {
        char pid[24];
        if (strcmp(text_of(row, "process"), "front") != 0)
            continue;
        snprintf(pid, sizeof pid, "%lld", (long long)number_of(row, "pid"));
        json_object_set(now, pid, json_object_get(row, "totals"));
    }
    json_object_foreach(last, key, value) if (json_object_get(now, key) == NULL) add_to(&ended, value);
    json_decref(last);
    last = now;
    sum = json_deep_copy(ended);
    json_object_foreach(now, key, value) add_to(&sum, value);
    return sum;
}

/* ---- writing ---- */

static bool written; /* false: the page has grown over its bound */

static void put(struct buf *to, const char *format, ...) PRINTF_LIKE(2, 3);
static void put(struct buf *to, const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    written = vasprintf(&text, format, args) >= 0 && buf_add_text(to, text) && written;
    va_end(args);
    free(text);
}

static void head(struct buf *to, const char *name, const char *type, const char *help)
{
    put(to, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* A label's value, quoted as the format wants it. */
static void label(struct buf *to, const char *name, const char *value, const char *behind)
{
    put(to, "%s=\"", name);
    for (; *value != '\0'; value++) {
        if (*value == '\\' || *value == '"')
            put(to, "\\%c", *value);
        else
            put(to, "%c", (unsigned char)*value < 0x20 ? ' ' : *value);
    }
    put(to, "\"%s", behind);
}

static void gauge(struct buf *to, const char *name, const char *help, int64_t value)
{
    head(to, name, "gauge", help);
    put(to, "%s %lld\n", name, (long long)value);
}

/* ---- what fronts did ---- */

static const char *const protocols[] = { "imap", "pop3" };

static void write_logins(struct buf *to, const json_t *all)
{
    head(to, "homeward_logins_total", "counter", "Logins by protocol and result.");
    for (size_t p = 0; p < COUNT_OF(protocols); p++) {
        const char *result;
        json_t *value;
        json_object_foreach(json_object_get(json_object_get(all, protocols[p]), "logins"), result, value)
            put(to, "homeward_logins_total{proto=\"%s\",result=\"%s\"} %lld\n", protocols[p], result,
                (long long)json_integer_value(value));
    }
}

static void write_connections(struct buf *to, const json_t *all)
{
    head(to, "homeward_connections_total", "counter", "Connections of clients.");
    for (size_t p = 0; p < COUNT_OF(protocols); p++)
        put(to, "homeward_connections_total{proto=\"%s\"} %lld\n", protocols[p],
            (long long)number_of(json_object_get(all, protocols[p]), "connections"));
    head(to, "homeward_connections_turned_away_total", "counter", "Connections over a limit.");
    put(to, "homeward_connections_turned_away_total %lld\n", (long long)number_of(all, "turned_away"));
    head(to, "homeward_relayed_bytes_total", "counter", "Bytes of sessions that have ended.");
    put(to, "homeward_relayed_bytes_total{direction=\"up\"} %lld\n", (long long)number_of(all, "up_bytes"));
    put(to, "homeward_relayed_bytes_total{direction=\"down\"} %lld\n", (long long)number_of(all, "down_bytes"));
}

static void write_times(struct buf *to, const json_t *all)
{
    const json_t *buckets = json_object_get(all, "login_ms");
    const char *most;
    json_t *value;
    long long sum = 0;
    head(to, "homeward_login_duration_seconds", "histogram", "From the client's credential to the store's yes.");
    json_object_foreach((json_t *)buckets, most, value)
    {
        sum += json_integer_value(value);
        if (strcmp(most, "more") != 0)
            /* lint: the daemon writes numbers here, and the other word is looked at above */
            put(to, "homeward_login_duration_seconds_bucket{le=\"%g\"} %lld\n", atof(most) / 1000, sum);
    }
    put(to, "homeward_login_duration_seconds_bucket{le=\"+Inf\"} %lld\n", sum);
    put(to, "homeward_login_duration_seconds_sum %.3f\n", (double)number_of(all, "login_ms_sum") / 1000);
    put(to, "homeward_login_duration_seconds_count %lld\n", sum);
}

/* ---- how it is ---- */

static void write_gauges(struct buf *to, const struct reply *status)
{
    const json_t *m = row_of(status->rows, "main");
    head(to, "homeward_sessions", "gauge", "Sessions that are signed in.");
    for (size_t p = 0; p < COUNT_OF(protocols); p++)
        put(to, "homeward_sessions{proto=\"%s\"} %lld\n", protocols[p],
            (long long)sum_of(status->rows, "front", protocols[p]));
    gauge(to, "homeward_clients", "Clients, signed in or not.", sum_of(status->rows, "front", "sessions"));
    gauge(to, "homeward_clients_max", "Clients that there is room for.", sum_of(status->rows, "front", "sessions_max"));
    gauge(to, "homeward_map_entries", "Entries of the directory map.", sum_of(status->rows, "auth", "map_entries"));
    gauge(to, "homeward_map_written_timestamp_seconds", "When the file of the map was written.",
          number_of(json_object_get(m, "map"), "written_s"));
    gauge(to, "homeward_start_time_seconds", "When main was started.", (int64_t)time(NULL) - number_of(m, "uptime_s"));
    gauge(to, "homeward_generations", "Generations of front processes that are alive.", number_of(m, "generations"));
    gauge(to, "homeward_weak_links", "Sites reached in a weak way.",
          (int64_t)json_array_size(json_object_get(m, "weak")));
    gauge(to, "homeward_last_reload_successful", "Whether the last change of the configuration was taken.",
          json_is_true(json_object_get(json_object_get(m, "reload"), "ok")));
    head(to, "homeward_logins_throttled_total", "counter", "Logins refused unseen, because too many before failed.");
    put(to, "homeward_logins_throttled_total %lld\n", (long long)sum_of(status->rows, "auth", "throttled"));
    head(to, "homeward_log_lines_dropped_total", "counter", "Lines of the log that main had no room for.");
    put(to, "homeward_log_lines_dropped_total %lld\n", (long long)number_of(m, "log_dropped"));
}

static void write_certificates(struct buf *to, const struct reply *status)
{
    size_t i;
    json_t *each;
    head(to, "homeward_certificate_expiry_timestamp_seconds", "gauge", "When a certificate ends.");
    json_array_foreach(json_object_get(row_of(status->rows, "main"), "certificates"), i, each)
    {
        put(to, "homeward_certificate_expiry_timestamp_seconds{");
        label(to, "file", text_of(each, "file"), "} ");
        put(to, "%lld\n", (long long)number_of(each, "ends_s"));
    }
}

static void write_member(struct buf *to, const char *name, const json_t *row, long long value)
{
    put(to, "%s{", name);
    label(to, "site", text_of(row, "site"), ",");
    label(to, "member", text_of(row, "member"), ",");
    put(to, "port=\"%lld\",proto=\"%s\"} %lld\n", (long long)number_of(row, "port"), text_of(row, "proto"), value);
}

static void write_sites(struct buf *to, const struct reply *sites)
{
    size_t i;
    json_t *row;
    head(to, "homeward_member_up", "gauge", "Whether a back end is used.");
    json_array_foreach(sites->rows, i, row)
    {
        const char *state = text_of(row, "state");
        bool down = strcmp(state, "avoided") == 0 || strcmp(state, "due") == 0 || strcmp(state, "maint") == 0;
        write_member(to, "homeward_member_up", row, !down);
    }
    head(to, "homeward_member_sessions", "gauge", "Sessions and logins that hold a back end.");
    json_array_foreach(sites->rows, i, row)
        write_member(to, "homeward_member_sessions", row, number_of(row, "sessions"));
    head(to, "homeward_member_spares", "gauge", "Connections to a back end that stand ready.");
    json_array_foreach(sites->rows, i, row) write_member(to, "homeward_member_spares", row, number_of(row, "spare"));
}

unsigned page_metrics(const struct reply *status, const struct reply *sites, struct buf *to)
{
    written = true;
    gauge(to, "homeward_up", "Whether Homeward can be asked.", status != NULL && row_of(status->rows, "main") != NULL);
    gauge(to, "homeward_ready", "Whether clients may be sent here, as /readyz has it.",
          pages_unready(status, sites) == NULL);
    if (status != NULL && row_of(status->rows, "main") != NULL) {
        json_t *all = totals(status);
        write_logins(to, all);
        write_connections(to, all);
        write_times(to, all);
        write_gauges(to, status);
        write_certificates(to, status);
        json_decref(all);
    }
    if (sites != NULL)
        write_sites(to, sites);
    return written ? HTTP_OK : 500;
}
