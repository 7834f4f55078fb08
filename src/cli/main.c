/* squad - the operator's command. */
#include "command.h"

static const struct command *const commands[] = {
    &migrate_command, &topics_command, &seed_command,
    &status_command,  &show_command,   &verify_command,
};

int main(int argc, char **argv)
{
    return command_main(commands, sizeof commands / sizeof *commands, argc, argv);
}
