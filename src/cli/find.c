#include "find.h"

#include "mem.h"
#include "opt.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int find_ticket_name(const char *text, struct ticket_name *ret, struct err *reterr)
{
    uint8_t id[16];
    *ret = (struct ticket_name){.is_id = uuid_parse(text, strlen(text), id)};
    if (ret->is_id || ticket_ref_parse(text, strlen(text), ret->ref))
        return 0;
    err_fatal(reterr, EXIT_CONFIG, "\"%s\" is not a reference: a symbol is wrong or missing", text);
    return err_hint(reterr, "A reference has ten symbols, as 4V7QK-9XW2M; the last one checks "
                            "the others. The id of a ticket will do too.");
}

/* The name of which the whole or a word is near to text; or NULL. */
static const char *nearest_name(const PGresult *res, const char *text)
{
    size_t n = (size_t)PQntuples(res), n_words = 0, room = 0;
    char **words = NULL;
    const char **owners = NULL, *found = NULL;
    for (size_t i = 0; i < n; i++) {
        char *copy = mem_text(PQgetvalue(res, (int)i, 0)), *save;
        for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
            if (n_words == room) {
                room = room ? 2 * room : 64;
                words = mem_resize(words, room, sizeof *words);
                owners = mem_resize(owners, room, sizeof *owners);
            }
            words[n_words] = mem_text(word);
            owners[n_words++] = PQgetvalue(res, (int)i, 0);
        }
        free(copy);
    }
    const char *near = opt_nearest(text, owners, n_words);
    const char *word = near ? NULL : opt_nearest(text, (const char *const *)words, n_words);
    for (size_t i = 0; i < n_words; i++)
        if (near ? strcmp(owners[i], near) == 0 : word == words[i])
            found = owners[i];
    for (size_t i = 0; i < n_words; i++)
        free(words[i]);
    free(words);
    free(owners);
    return found;
}

static int nobody(struct pg *pg, const char *text, struct err *reterr)
{
    _cleanup_result_ PGresult *res = NULL;
    if (pg_run(pg, "expert_names", NULL, &res, reterr))
        return -1;
    const char *near = nearest_name(res, text);
    err_fatal(reterr, EXIT_FOUND, "there is no expert \"%s\"", text);
    return near ? err_hint(reterr, "Did you mean: %s?", near)
                : err_hint(reterr, "squad expert list shows them.");
}

static int several(const PGresult *res, const char *text, struct err *reterr)
{
    char list[512] = "";
    size_t used = 0;
    for (int row = 0; row < PQntuples(res) && row < 5 && used < sizeof list; row++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s (%s)", row ? ", " : "",
                                 PQgetvalue(res, row, 1), PQgetvalue(res, row, 0));
    err_fatal(reterr, EXIT_CONFIG, "\"%s\" is more than one expert", text);
    return err_hint(reterr, "%s%s: give the number.", list, PQntuples(res) > 5 ? ", ..." : "");
}

int find_expert(struct pg *pg, const char *text, struct expert_name *ret, struct err *reterr)
{
    _cleanup_result_ PGresult *res = NULL;
    struct pg_params params = {0};
    char *end;
    long number = strtol(text, &end, 10);
    bool is_number = *text && !*end;
    if (is_number && (number < 1 || number > INT32_MAX))
        return err_fatal(reterr, EXIT_CONFIG, "%s is not the number of an expert", text);
    pg_param_text(&params, is_number ? text : NULL);
    pg_param_text(&params, text);
    if (pg_run(pg, "expert_find", &params, &res, reterr))
        return -1;
    if (!PQntuples(res))
        return nobody(pg, text, reterr);
    bool exact = strcasecmp(PQgetvalue(res, 0, 1), text) == 0;
    if (PQntuples(res) > 1 && (!exact || strcasecmp(PQgetvalue(res, 1, 1), text) == 0))
        return several(res, text, reterr);
    ret->id = (int32_t)pg_get_int8(res, 0, 0);
    snprintf(ret->name, sizeof ret->name, "%s", PQgetvalue(res, 0, 1));
    return 0;
}
