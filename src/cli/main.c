/* squad - the operator's command. */
#include "command.h"

static const struct command *const commands[] = {
    &migrate_command,
    &topics_command,
    &seed_command,
    &status_command,
    &board_command,
    &show_command,
    &ticket_quarantined_command,
    &ticket_release_command,
    &why_command,
    &verify_command,
    &expert_list_command,
    &expert_show_command,
    &expert_status_command,
    &expert_skills_command,
    &expert_areas_command,
    &expert_capacity_command,
    &expert_week_command,
    &expert_shifts_command,
    &expert_absence_command,
    &expert_back_command,
    &client_add_command,
    &client_change_command,
    &client_rotate_command,
    &client_revoke_command,
    &client_list_command,
};

int main(int argc, char **argv)
{
    return command_main(commands, sizeof commands / sizeof *commands, argc, argv);
}
