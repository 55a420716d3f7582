#include "cli/cli.h"

#include <stddef.h>

/* Every subcommand; the help text stands with its code. */
const struct cli_command cli_commands[] = {
        {"serve", cmd_serve, "the server that Outlook and MAPI programs use instead of Exchange", serve_help},
        {"user", cmd_user, "who may log on: add, list, passwd, remove", user_help},
        {"walk", cmd_walk, "the path that Outlook walks, step by step, causes named", walk_help},
        {"ping", cmd_ping, "what the endpoint mapper has registered, and whether each port answers", ping_help},
        {"mail", cmd_mail, "a mailbox: list, read, send, search, move, mark and watch messages", mail_help},
        {"store", cmd_store, "the mailboxes on this machine: check, backup, restore, compact", store_help},
        {"look", cmd_look, "the lens: who called what, how long it took, what went wrong", look_help},
        {NULL, NULL, NULL, NULL},
};
