/* What an answer says: rows of keys and values. */
#include <string.h>

#include "ctl/ctl.h"

const json_t *row_of(const json_t *rows, const char *process)
{
    size_t i;
    json_t *row;
    json_array_foreach((json_t *)rows, i, row) if (strcmp(text_of(row, "process"), process) == 0) return row;
    return NULL;
}

int64_t sum_of(const json_t *rows, const char *process, const char *key)
{
    size_t i;
    json_t *row;
    int64_t all = 0;
    json_array_foreach((json_t *)rows, i, row) if (strcmp(text_of(row, "process"), process) == 0) all +=
        number_of(row, key);
    return all;
}

const char *text_of(const json_t *row, const char *key)
{
    const char *text = json_string_value(json_object_get(row, key));
    return text != NULL ? text : "";
}

int64_t number_of(const json_t *row, const char *key)
{
    return json_integer_value(json_object_get(row, key));
}
