#include "cli/store.h"

#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Which mailboxes a command is about. */

#define MAX_NAMED 1000
#define SUFFIX ".sqlite"
#define WAIT_S 10

const char store_command[] = "store";

const char store_help[] =
        "Usage: mapiwire store check --state DIR [USER...] | FILE...\n"
        "       mapiwire store backup --state DIR [USER...] | FILE...  --to DIR|FILE\n"
        "       mapiwire store restore --state DIR USER FILE [--force] [--adopt]\n"
        "       mapiwire store compact --state DIR [USER...] | FILE...\n\n"
        "check looks whether mailboxes are whole: the pages of the file, as SQLite checks them, and what the\n"
        "server relies on, such as counters of folders and the order of ids. One line a mailbox, with what is\n"
        "wrong below it; the exit code is 2 when one is damaged or cannot be read.\n"
        "backup writes a copy of each mailbox as it is at one moment. restore checks such a copy and puts it in\n"
        "the place of the user's mailbox, which nobody may use meanwhile. compact rewrites mailboxes without\n"
        "the room of what was deleted; those that the server has open are waited for, and told if they stay so.\n"
        "check and backup run beside the server. Without USER every mailbox in DIR is meant; USER is an address\n"
        "or the name before the @; FILE has a / in it or ends in .sqlite.\n\n"
        "  --state DIR       where the server keeps directory and mailboxes\n"
        "  --to DIR|FILE     of backup: where to; in a folder a file is called as its user\n"
        "  --force           of restore: in the place of a mailbox that is there\n"
        "  --adopt           of restore: a backup of another mailbox, such as one of another server\n"
        "  --wait SECONDS    of compact: for the server to let go of a mailbox; default 10\n";

static const char *owner_of(const struct stores *s, const char *file)
{
	char text[GUID_TEXT_SIZE];
	struct guid guid;
	const struct directory_user *u = NULL;

	snprintf(text, sizeof text, "%.*s", GUID_TEXT_SIZE - 1, file);
	if (s->users && guid_parse(text, &guid) == 0)
		u = directory_by_mailbox(s->users, &guid);
	return u ? u->address : file;
}

static int is_mailbox(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name), suffix = strlen(SUFFIX);

	return len > suffix && strcmp(entry->d_name + len - suffix, SUFFIX) == 0;
}

static int every_one(struct stores *s, stores_fn *fn)
{
	char folder[4096], path[4400];
	struct dirent **entries = NULL;
	int n, r = 0;

	snprintf(folder, sizeof folder, "%s/mailboxes", s->state);
	n = scandir(folder, &entries, is_mailbox, alphasort);
	if (n < 0)
		return cli_fail(store_command, CLI_EXIT_FAILED, "cannot read %s: %s.", folder, strerror(errno));
	if (n == 0)
		puts("There is no mailbox.");
	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
		if (r == 0)
			r = fn(s, owner_of(s, entries[i]->d_name), path);
		free(entries[i]);
	}
	free(entries);
	return r != 0 ? r : s->code;
}

static bool is_file(const char *word)
{
	size_t len = strlen(word), suffix = strlen(SUFFIX);

	return strchr(word, '/') || (len > suffix && strcmp(word + len - suffix, SUFFIX) == 0);
}

const struct directory_user *stores_user(const struct stores *s, const char *who)
{
	const struct directory_user *u = s->users ? directory_by_address(s->users, who) : NULL;

	if (!u && s->users)
		u = directory_by_account(s->users, NULL, who);
	if (!u && s->state)
		cli_usage(store_command, "there is no user %s: 'mapiwire user list' shows who exists.", who);
	else if (!u)
		cli_usage(store_command, "say where the users are kept that '%s' is one of: --state DIR.", who);
	return u;
}

static int one_user(struct stores *s, const char *who, stores_fn *fn)
{
	char path[4400], guid[GUID_TEXT_SIZE];
	const struct directory_user *u = stores_user(s, who);

	if (!u)
		return CLI_EXIT_USAGE;
	guid_format(&u->mailbox, guid);
	snprintf(path, sizeof path, "%s/mailboxes/%s" SUFFIX, s->state, guid);
	return fn(s, u->address, path);
}

int stores_each(struct stores *s, const char *const *words, size_t count, stores_fn *fn)
{
	int r = 0;

	if (count == 0)
		return every_one(s, fn);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = is_file(words[i]) ? fn(s, words[i], words[i]) : one_user(s, words[i], fn);
	return r != 0 ? r : s->code;
}

void stores_size(uint64_t bytes, char out[24])
{
	if (bytes < 1000000)
		snprintf(out, 24, "%.1f kB", (double)bytes / 1e3);
	else
		snprintf(out, 24, "%.1f MB", (double)bytes / 1e6);
}

/* Without a directory, mailboxes have their files' names. */
static int open_users(struct stores *s)
{
	struct directory_why why = {0};
	int r = s->state ? directory_open(s->state, false, NULL, &s->directory, &why) : 0;

	if (r == 0 && s->directory)
		r = directory_snapshot(s->directory, &s->users);
	if (r == 0 || r == MW_E_NOTFOUND)
		return 0;
	return cli_fail(store_command, CLI_EXIT_FAILED, "cannot open the directory in %s: %s", s->state,
	                s->directory ? directory_error(s->directory) : why.text);
}

/* ---- The commands ---- */

static const struct command {
	const char *name;
	stores_fn *each; /* NULL: restore */
} commands[] = {
        {"check", store_check_one}, {"backup", store_backup_one}, {"compact", store_compact_one}, {"restore", NULL}};

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static int check_words(const struct stores *s, const struct command *c, size_t count)
{
	if (!c->each && (count != 2 || !s->state))
		return cli_usage(store_command,
		                 "say whose mailbox, and from which file: store restore --state DIR USER FILE.");
	if (c->each == store_backup_one && !s->to)
		return cli_usage(store_command, "say where to: store backup --to DIR or FILE.");
	if (c->each && count == 0 && !s->state)
		return cli_usage(store_command, "say where the mailboxes are kept: --state DIR, or name files.");
	return 0;
}

static int run(struct stores *s, const struct command *c, const char *const *words, size_t count)
{
	int r = check_words(s, c, count);

	if (r == 0)
		r = open_users(s);
	if (r == 0)
		r = c->each ? stores_each(s, words, count, c->each) : store_restore_one(s, words[0], words[1]);
	directory_snapshot_unref(&s->users);
	directory_close(&s->directory);
	buf_free(&s->out);
	return r;
}

int cmd_store(int argc, char **argv)
{
	struct stores s = {.wait_s = WAIT_S};
	const char *words[MAX_NAMED];
	size_t count;
	const struct cli_option options[] = {{"state", CLI_TEXT, &s.state},
	                                     {"to", CLI_TEXT, &s.to},
	                                     {"force", CLI_FLAG, &s.force},
	                                     {"adopt", CLI_FLAG, &s.adopt},
	                                     {"wait", CLI_NUMBER, &s.wait_s}};
	int r = cli_parse(store_command, argc, argv, options, ARRAY_SIZE(options), words, MAX_NAMED, &count);

	if (r != 0)
		return r - 1;
	const struct command *c = count > 0 ? find(words[0]) : NULL;
	return c ? run(&s, c, words + 1, count - 1)
	         : cli_usage(store_command, "say what to do: check, backup, restore or compact.");
}
