#include "state.h"

#include <string.h>

const struct state state_table[] = {
    {STATE_TICKET, "received", true},
    {STATE_TICKET, "review", true},
    {STATE_TICKET, "parked", true},
    {STATE_TICKET, "assigned", true},
    {STATE_TICKET, "completed", false},
    {STATE_TICKET, "canceled", false},
    {STATE_TICKET, "quarantined", true},
    {STATE_ASSIGNMENT, "reserved", true},
    {STATE_ASSIGNMENT, "offered", true},
    {STATE_ASSIGNMENT, "accepted", true},
    {STATE_ASSIGNMENT, "en_route", true},
    {STATE_ASSIGNMENT, "on_site", true},
    {STATE_ASSIGNMENT, "completed", false},
    {STATE_ASSIGNMENT, "declined", false},
    {STATE_ASSIGNMENT, "timed_out", false},
    {STATE_ASSIGNMENT, "rescinded", false},
    {STATE_ASSIGNMENT, "undeliverable", false},
    {STATE_ASSIGNMENT, "canceled", false},
    {STATE_NOTICE, "pending", true},
    {STATE_NOTICE, "sending", true},
    {STATE_NOTICE, "delivered", false},
    {STATE_NOTICE, "undeliverable", false},
    {STATE_NOTICE, "dropped", false},
};
const size_t state_count = sizeof state_table / sizeof *state_table;

const struct transition transition_table[] = {
    {STATE_TICKET, "received", "review"},        {STATE_TICKET, "received", "parked"},
    {STATE_TICKET, "received", "assigned"},      {STATE_TICKET, "received", "canceled"},
    {STATE_TICKET, "review", "parked"},          {STATE_TICKET, "review", "assigned"},
    {STATE_TICKET, "review", "canceled"},        {STATE_TICKET, "parked", "review"},
    {STATE_TICKET, "parked", "assigned"},        {STATE_TICKET, "parked", "canceled"},
    {STATE_TICKET, "assigned", "parked"},        {STATE_TICKET, "assigned", "completed"},
    {STATE_TICKET, "assigned", "canceled"},      {STATE_TICKET, "received", "quarantined"},
    {STATE_TICKET, "quarantined", "parked"},     {STATE_TICKET, "quarantined", "canceled"},
    {STATE_ASSIGNMENT, "reserved", "offered"},   {STATE_ASSIGNMENT, "reserved", "accepted"},
    {STATE_ASSIGNMENT, "reserved", "completed"}, {STATE_ASSIGNMENT, "reserved", "declined"},
    {STATE_ASSIGNMENT, "reserved", "rescinded"}, {STATE_ASSIGNMENT, "reserved", "undeliverable"},
    {STATE_ASSIGNMENT, "reserved", "canceled"},  {STATE_ASSIGNMENT, "offered", "accepted"},
    {STATE_ASSIGNMENT, "offered", "completed"},  {STATE_ASSIGNMENT, "offered", "declined"},
    {STATE_ASSIGNMENT, "offered", "timed_out"},  {STATE_ASSIGNMENT, "offered", "rescinded"},
    {STATE_ASSIGNMENT, "offered", "canceled"},   {STATE_ASSIGNMENT, "accepted", "en_route"},
    {STATE_ASSIGNMENT, "accepted", "on_site"},   {STATE_ASSIGNMENT, "accepted", "completed"},
    {STATE_ASSIGNMENT, "accepted", "declined"},  {STATE_ASSIGNMENT, "accepted", "rescinded"},
    {STATE_ASSIGNMENT, "accepted", "canceled"},  {STATE_ASSIGNMENT, "en_route", "on_site"},
    {STATE_ASSIGNMENT, "en_route", "completed"}, {STATE_ASSIGNMENT, "en_route", "declined"},
    {STATE_ASSIGNMENT, "en_route", "rescinded"}, {STATE_ASSIGNMENT, "en_route", "canceled"},
    {STATE_ASSIGNMENT, "on_site", "completed"},  {STATE_ASSIGNMENT, "on_site", "declined"},
    {STATE_ASSIGNMENT, "on_site", "rescinded"},  {STATE_ASSIGNMENT, "on_site", "canceled"},
    {STATE_NOTICE, "pending", "sending"},        {STATE_NOTICE, "sending", "delivered"},
    {STATE_NOTICE, "sending", "undeliverable"},  {STATE_NOTICE, "pending", "dropped"},
    {STATE_NOTICE, "sending", "dropped"},
};
const size_t transition_count = sizeof transition_table / sizeof *transition_table;

const char *state_entity_name(enum state_entity entity)
{
    static const char *const names[] = {"ticket", "assignment", "notice"};
    return names[entity];
}

bool state_known(enum state_entity entity, const char *name)
{
    for (size_t i = 0; i < state_count; i++)
        if (state_table[i].entity == entity && strcmp(state_table[i].name, name) == 0)
            return true;
    return false;
}

bool state_may_change(enum state_entity entity, const char *from, const char *to)
{
    for (size_t i = 0; i < transition_count; i++) {
        const struct transition *t = &transition_table[i];
        if (t->entity == entity && strcmp(t->from, from) == 0 && strcmp(t->to, to) == 0)
            return true;
    }
    return false;
}
