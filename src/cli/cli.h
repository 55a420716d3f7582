#ifndef MW_CLI_CLI_H
#define MW_CLI_CLI_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/log.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * What the subcommands share: options, colour, pager, passwords, exit codes.
 * One file a subcommand: cmd_NAME in NAME.c.
 */

#define CLI_EXIT_USAGE 1  /* a mistake in the command line, or a file that is not what it should be */
#define CLI_EXIT_FAILED 2 /* something went wrong that has no code of its own */

struct cli_command {
	const char *name;
	int (*run)(int argc, char **argv); /* argv[0] is the subcommand's name; yields the exit code */
	const char *line;                  /* for the overview */
	const char *help;                  /* for --help */
};
extern const struct cli_command cli_commands[];

/* One file each. */
extern const char serve_help[], user_help[], mail_help[], walk_help[], ping_help[], look_help[], store_help[];
int cmd_serve(int argc, char **argv);
int cmd_user(int argc, char **argv);
int cmd_mail(int argc, char **argv);
int cmd_walk(int argc, char **argv);
int cmd_ping(int argc, char **argv);
int cmd_look(int argc, char **argv);
int cmd_store(int argc, char **argv);

/* "mapiwire serve: " and one sentence on stderr; yields CLI_EXIT_USAGE. */
int cli_usage(const char *command, const char *format, ...) MW_PRINTF(2, 3);
/* The same, yields code. */
int cli_fail(const char *command, int code, const char *format, ...) MW_PRINTF(3, 4);

/*
 * Options: --name VALUE, --name=VALUE, -x VALUE, --flag. Each row points to what it sets.
 * Positional arguments are gathered in order. --help prints the command's help and yields 1.
 */
struct cli_option {
	const char *name; /* without dashes; one letter: a short option */
	enum { CLI_FLAG, CLI_TEXT, CLI_NUMBER, CLI_PORT, CLI_SECONDS, CLI_LIST } kind;
	void *value; /* bool *, const char **, unsigned *, uint16_t *, int64_t * (ns), struct cli_list * */
};
/* An option that may be repeated. */
struct cli_list {
	const char **texts;
	unsigned max, *count;
};
/* 0 = go on; else the exit code plus one (help: 1). */
int cli_parse(const char *command, int argc, char **argv, const struct cli_option *options, size_t option_count,
              const char **positional, size_t positional_max, size_t *positional_count);

/* --color=auto|always|never; auto: a terminal, and NO_COLOR not set. MW_E_INVALID for another word. */
MW_NODISCARD int cli_color(const char *word, bool *out);
/* Columns of the terminal on stdout, or 100. */
unsigned cli_width(void);
/* Writes out to stdout and empties it; through a pager once it is more than a screen on a terminal. */
void cli_write(struct buf *out);
void cli_pager_begin(void);
void cli_pager_end(void);

/* The first line of a file, or a prompt on the terminal without echo. Wipe it with secret_wipe. why: one sentence. */
MW_NODISCARD int cli_password(const char *file, const char *prompt, char out[256], char why[256]);
/* DOMAIN\user or user@domain; parts in the arena. */
void cli_split_user(struct arena *arena, const char *text, const char **domain, const char **user);
/* Reads a whole file of at most max bytes into the arena. */
MW_NODISCARD int cli_read_file(struct arena *arena, const char *path, size_t max, char **out, size_t *len);

#endif
