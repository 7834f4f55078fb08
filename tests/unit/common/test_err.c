#include "err.h"
#include "pg.h"
#include "state.h"

#include <criterion/criterion.h>
#include <string.h>

Test(err, a_text_may_quote_the_error_it_replaces)
{
    struct err e = {0};
    err_set(&e, ERR_RETRY, "could not read: %s", "reset");
    err_set(&e, ERR_FATAL, "could not start: %s", e.text);
    cr_assert_str_eq(e.text, "could not start: could not read: reset");
    cr_assert_eq(e.kind, ERR_FATAL);
}

Test(err, nobody_needs_to_ask_for_one)
{
    cr_assert_eq(err_set(NULL, ERR_RETRY, "x"), -1);
    cr_assert_eq(err_hint(NULL, "x"), -1);
}

Test(err, sqlstates_become_kinds)
{
    static const struct {
        const char *state;
        enum err_kind kind;
    } rows[] = {
        {"", ERR_RETRY},       {NULL, ERR_RETRY},     {"08006", ERR_RETRY},  {"40001", ERR_RETRY},
        {"40P01", ERR_RETRY},  {"53300", ERR_RETRY},  {"53100", ERR_RETRY},  {"55P03", ERR_RETRY},
        {"57P01", ERR_RETRY},  {"57P03", ERR_RETRY},  {"57014", ERR_RETRY},  {"25006", ERR_RETRY},
        {"22P05", ERR_REJECT}, {"22021", ERR_REJECT}, {"23505", ERR_REJECT}, {"23514", ERR_REJECT},
        {"42501", ERR_FATAL},  {"42P01", ERR_FATAL},  {"3D000", ERR_FATAL},  {"28P01", ERR_FATAL},
        {"25P02", ERR_FATAL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        cr_assert_eq(pg_err_kind(rows[i].state), rows[i].kind, "%s", rows[i].state);
}

Test(state, transitions_name_known_states_and_start_from_live_ones)
{
    for (size_t i = 0; i < transition_count; i++) {
        const struct transition *t = &transition_table[i];
        cr_assert(state_known(t->entity, t->from) && state_known(t->entity, t->to));
        cr_assert(state_may_change(t->entity, t->from, t->to));
    }
    cr_assert_not(state_may_change(STATE_NOTICE, "delivered", "sending"));
    cr_assert_not(state_may_change(STATE_ASSIGNMENT, "completed", "offered"));
    cr_assert_not(state_known(STATE_TICKET, "lost"));
}
