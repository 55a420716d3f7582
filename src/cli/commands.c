#include "cli/cli.h"

#include <stddef.h>

/* Every subcommand; the help text stands with its code. */
const struct cli_command cli_commands[] = {
        {"serve", cmd_serve, "the server that Outlook and MAPI programs use instead of Exchange", serve_help},
        {"user", cmd_user, "who may log on: add, list, passwd, remove", user_help},
        {NULL, NULL, NULL, NULL},
};
