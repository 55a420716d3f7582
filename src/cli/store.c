#include "base/text.h"
#include "cli/cli.h"
#include "directory/snapshot.h"
#include "store/check.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_NAMED 1000
#define SUFFIX ".sqlite"

static const char *const command = "store";

const char store_help[] =
        "Usage: mapiwire store check --state DIR [USER...]\n"
        "       mapiwire store check FILE...\n\n"
        "Looks whether mailboxes are whole: the pages of the file, as SQLite checks them, and what the\n"
        "server relies on, such as counters of folders and the order of ids. Without USER every mailbox\n"
        "in DIR is checked. USER is an address or the name before the @; FILE has a / in it or ends in\n"
        ".sqlite. Nothing is written, and the server may run meanwhile. One line a mailbox, with what is\n"
        "wrong below it; the exit code is 2 when one is damaged or cannot be read.\n";

struct checker {
	const char *state;
	struct directory_snapshot *users; /* NULL: no directory is there */
	struct buf out;
	int code;
};

/* ---- One mailbox ---- */

static void add_fault(void *user, const char *text)
{
	struct buf *faults = user;

	buf_put_str(faults, "    ");
	for (const char *line; (line = strchr(text, '\n')) != NULL; text = line + 1) {
		char *one = strndup(text, (size_t)(line - text));
		text_put_terminal(faults, one ? one : "");
		buf_put_str(faults, "; ");
		free(one);
	}
	text_put_terminal(faults, text);
	buf_put_u8(faults, '\n');
}

static void check_file(struct checker *c, const char *label, const char *path)
{
	struct store_checked found;
	struct store_why why = {0};
	struct buf faults = {0};
	int r = store_check(path, add_fault, &faults, &found, &why);

	text_put_terminal(&c->out, label);
	if (r == 0 && found.faults == 0) {
		buf_printf(&c->out, ": whole, %llu folders, %llu messages\n", (unsigned long long)found.folders,
		           (unsigned long long)found.messages);
	} else if (r == 0) {
		buf_printf(&c->out, ": DAMAGED, restore it from a backup (%s)\n", path);
		buf_put(&c->out, faults.data, faults.len);
	} else {
		buf_put_str(&c->out, ": NOT CHECKED, ");
		text_put_terminal(&c->out, *why.text ? why.text : mw_strerror(r));
		buf_printf(&c->out, " (%s)\n", path);
	}
	if (r != 0 || found.faults > 0)
		c->code = CLI_EXIT_FAILED;
	buf_free(&faults);
	cli_write(&c->out);
}

/* ---- Which ones ---- */

static const char *owner_of(const struct checker *c, const char *file)
{
	char text[GUID_TEXT_SIZE];
	struct guid guid;
	const struct directory_user *u = NULL;

	snprintf(text, sizeof text, "%.*s", GUID_TEXT_SIZE - 1, file);
	if (c->users && guid_parse(text, &guid) == 0)
		u = directory_by_mailbox(c->users, &guid);
	return u ? u->address : file;
}

static int is_mailbox(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name), suffix = strlen(SUFFIX);

	return len > suffix && strcmp(entry->d_name + len - suffix, SUFFIX) == 0;
}

static int check_everything(struct checker *c)
{
	char folder[4096], path[4400];
	struct dirent **entries = NULL;
	int n;

	snprintf(folder, sizeof folder, "%s/mailboxes", c->state);
	n = scandir(folder, &entries, is_mailbox, alphasort);
	if (n < 0)
		return cli_fail(command, CLI_EXIT_FAILED, "cannot read %s: %s.", folder, strerror(errno));
	if (n == 0)
		puts("There is no mailbox.");
	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
		check_file(c, owner_of(c, entries[i]->d_name), path);
		free(entries[i]);
	}
	free(entries);
	return c->code;
}

static bool is_file(const char *word)
{
	size_t len = strlen(word), suffix = strlen(SUFFIX);

	return strchr(word, '/') || (len > suffix && strcmp(word + len - suffix, SUFFIX) == 0);
}

static int check_user(struct checker *c, const char *who)
{
	char path[4400], guid[GUID_TEXT_SIZE];
	const struct directory_user *u = directory_by_address(c->users, who);

	if (!u)
		u = directory_by_account(c->users, NULL, who);
	if (!u)
		return cli_fail(command, CLI_EXIT_USAGE, "there is no user %s: 'mapiwire user list' shows who exists.",
		                who);
	guid_format(&u->mailbox, guid);
	snprintf(path, sizeof path, "%s/mailboxes/%s" SUFFIX, c->state, guid);
	check_file(c, u->address, path);
	return 0;
}

static int check_named(struct checker *c, const char *const *words, size_t count)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++) {
		if (is_file(words[i]))
			check_file(c, words[i], words[i]);
		else if (c->users)
			r = check_user(c, words[i]);
		else
			r = cli_usage(command, "say where the users are kept that '%s' is one of: --state DIR.",
			              words[i]);
	}
	return r != 0 ? r : c->code;
}

/* Without a directory, mailboxes have their files' names. */
static int open_users(struct checker *c, struct directory **d)
{
	struct directory_why why = {0};
	int r = directory_open(c->state, false, NULL, d, &why);

	if (r == 0)
		r = directory_snapshot(*d, &c->users);
	if (r == 0 || r == MW_E_NOTFOUND)
		return 0;
	return cli_fail(command, CLI_EXIT_FAILED, "cannot open the directory in %s: %s", c->state,
	                *d ? directory_error(*d) : why.text);
}

static int check(const char *state, const char *const *words, size_t count)
{
	struct checker c = {.state = state};
	struct directory *d = NULL;
	int r = state ? open_users(&c, &d) : 0;

	if (r == 0)
		r = count > 0 ? check_named(&c, words, count) : check_everything(&c);
	directory_snapshot_unref(&c.users);
	directory_close(&d);
	buf_free(&c.out);
	return r;
}

int cmd_store(int argc, char **argv)
{
	const char *state = NULL, *words[MAX_NAMED];
	size_t count;
	const struct cli_option options[] = {{"state", CLI_TEXT, &state}};
	int r = cli_parse(command, argc, argv, options, ARRAY_SIZE(options), words, MAX_NAMED, &count);

	if (r != 0)
		return r - 1;
	if (count == 0 || strcmp(words[0], "check") != 0)
		return cli_usage(command, "say what to do: check.");
	if (count == 1 && !state)
		return cli_usage(command, "say where the mailboxes are kept: --state DIR, or name files.");
	return check(state, words + 1, count - 1);
}
