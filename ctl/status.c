/* The screen of `status`: is it well, since when, and what is not. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ctl/ctl.h"

static void show_span(int64_t seconds)
{
    if (seconds >= 86400)
        printf("%lld d %lld h", (long long)(seconds / 86400), (long long)(seconds % 86400 / 3600));
    else if (seconds >= 3600)
        printf("%lld h %lld min", (long long)(seconds / 3600), (long long)(seconds % 3600 / 60));
    else if (seconds >= 60)
        printf("%lld min %lld s", (long long)(seconds / 60), (long long)(seconds % 60));
    else
        printf("%lld s", (long long)seconds);
}

static void show_time(int64_t at_s)
{
    char text[32] = "never";
    time_t at = (time_t)at_s;
    struct tm utc;
    if (at_s > 0 && gmtime_r(&at, &utc) != NULL)
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%SZ", &utc);
    fputs(text, stdout);
}

static void show_listeners(const json_t *main_row, const char *key, const char *title)
{
    const json_t *list = json_object_get(main_row, key);
    size_t i;
    json_t *each;
    printf("%-14s%s", title, json_array_size(list) == 0 ? "off" : "");
    json_array_foreach((json_t *)list, i, each) printf("%s%s", i > 0 ? ", " : "", json_string_value(each));
    putchar('\n');
}

static void show_sessions(const json_t *rows)
{
    printf("sessions      %lld of %lld: %lld IMAP4 and %lld POP3 signed in, %lld at rest\n",
           (long long)sum_of(rows, "front", "sessions"), (long long)sum_of(rows, "front", "sessions_max"),
           (long long)sum_of(rows, "front", "imap"), (long long)sum_of(rows, "front", "pop3"),
           (long long)sum_of(rows, "front", "idle"));
    if (sum_of(rows, "auth", "throttled") > 0)
        printf("throttled     %lld logins refused unseen, because too many before failed\n",
               (long long)sum_of(rows, "auth", "throttled"));
}

static void show_map(const json_t *main_row, const json_t *auth)
{
    const json_t *map = json_object_get(main_row, "map");
    int64_t age = (int64_t)time(NULL) - number_of(map, "written_s");
    if (text_of(map, "asked")[0] != '\0') {
        printf("directory     ");
        show_text(text_of(map, "asked"));
        return;
    }
    printf("map           %lld entries, ", (long long)number_of(auth, "map_entries"));
    show_text(text_of(map, "file"));
    if (number_of(map, "written_s") > 0) {
        printf("              written ");
        show_span(age > 0 ? age : 0);
        printf(" ago\n");
    }
}

static void show_certificates(const json_t *main_row)
{
    size_t i;
    json_t *each;
    json_array_foreach(json_object_get(main_row, "certificates"), i, each)
    {
        long long days = number_of(each, "days_left");
        printf("%-14s%s%lld days left, %s: ", i == 0 ? "certificates" : "", days < 7 ? "EXPIRES: " : "", days,
               text_of(each, "names"));
        show_text(text_of(each, "file"));
    }
}

static void show_weak(const json_t *main_row)
{
    size_t i;
    json_t *each;
    json_array_foreach(json_object_get(main_row, "weak"), i, each)
    {
        bool overdue = json_is_true(json_object_get(each, "overdue"));
        printf("WEAK%-10s%s until %s ", overdue ? "-OVERDUE" : "", text_of(each, "site"), text_of(each, "until"));
        show_text(text_of(each, "reason"));
    }
}

static void show_reload(const json_t *main_row)
{
    const json_t *reload = json_object_get(main_row, "reload");
    bool good = json_is_true(json_object_get(reload, "ok"));
    printf("last change   ");
    show_time(number_of(reload, "at_s"));
    printf(", %s", good ? "ok\n" : "REFUSED: ");
    if (!good)
        show_text(text_of(reload, "why"));
}

void status_show(const json_t *rows)
{
    const json_t *main_row = row_of(rows, "main");
    printf("Homeward %s   %s, pid %lld, up ", text_of(main_row, "version"), text_of(main_row, "state"),
           (long long)number_of(main_row, "pid"));
    show_span(number_of(main_row, "uptime_s"));
    printf(", generation %lld (%lld alive)\n", (long long)number_of(main_row, "generation"),
           (long long)number_of(main_row, "generations"));
    show_listeners(main_row, "imap", "IMAP4");
    show_listeners(main_row, "pop3", "POP3");
    show_sessions(rows);
    show_map(main_row, row_of(rows, "auth"));
    show_certificates(main_row);
    show_reload(main_row);
    show_weak(main_row);
}
