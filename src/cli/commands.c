#include "cli/cli.h"

#include <stddef.h>

/* Every subcommand; the help text stands with its code. */
const struct cli_command cli_commands[] = {
        {"look", cmd_look, "the lens: who called what, how long it took, what went wrong", look_help},
        {NULL, NULL, NULL, NULL},
};
