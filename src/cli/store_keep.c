#include "base/text.h"
#include "base/time.h"
#include "cli/progress.h"
#include "cli/store.h"
#include "store/check.h"
#include "store/keep.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* store backup, restore and compact. */

/* ---- What is said ---- */

static int failed(struct stores *s, const char *label, int error, const struct store_why *why)
{
	buf_clear(&s->out);
	text_put_terminal(&s->out, label);
	buf_put_str(&s->out, ": ");
	text_put_terminal(&s->out, *why->text ? why->text : mw_strerror(error));
	buf_put_u8(&s->out, 0);
	s->code = CLI_EXIT_FAILED;
	return cli_fail(store_command, CLI_EXIT_FAILED, "%s.",
	                buf_error(&s->out) ? "out of memory" : (char *)s->out.data);
}

static void tell(struct stores *s, const char *label, const char *what, const char *where, const struct store_kept *k)
{
	char before[24], after[24];
	stores_size(k->before, before);
	stores_size(k->after, after);
	buf_clear(&s->out);
	text_put_terminal(&s->out, label);
	buf_printf(&s->out, ": %s", what);
	if (where) {
		buf_put_str(&s->out, " ");
		text_put_terminal(&s->out, where);
		buf_printf(&s->out, ", %s\n", after);
	} else {
		buf_printf(&s->out, ", %s before, %s now\n", before, after);
	}
	cli_write(&s->out);
}

static void step(void *user, uint64_t done, uint64_t total)
{
	struct cli_progress *p = (struct cli_progress *)user;
	p->total = total;
	cli_progress_step(p, done, 0);
}

/* ---- backup ---- */

/* A file in the folder that --to names, called as the mailbox is; or --to itself. */
static void place_of(const struct stores *s, const char *label, char out[4400])
{
	const char *base = strrchr(label, '/') ? strrchr(label, '/') + 1 : label;
	size_t len = strlen(base), suffix = strlen(".sqlite");
	bool has = len > suffix && strcmp(base + len - suffix, ".sqlite") == 0;
	struct stat st;
	if (stat(s->to, &st) == 0 && S_ISDIR(st.st_mode))
		snprintf(out, 4400, "%s/%s%s", s->to, base, has ? "" : ".sqlite");
	else
		snprintf(out, 4400, "%s", s->to);
}

int store_backup_one(struct stores *s, const char *label, const char *path)
{
	struct cli_progress progress = {.what = label, .bytes = true};
	struct store_kept kept;
	struct store_why why = {0};
	char to[4400];
	place_of(s, label, to);
	cli_progress_begin(&progress, false);
	int r = store_backup(path, to, step, &progress, &kept, &why);
	cli_progress_end(&progress);
	if (r != 0)
		failed(s, label, r, &why);
	else
		tell(s, label, "backed up to", to, &kept);
	return 0;
}

/* ---- restore ---- */

static void count_fault(void *user, const char *text)
{
	char *first = (char *)user;
	if (!*first)
		snprintf(first, 200, "%s", text);
}

static int check_backup(const char *file)
{
	struct store_checked found;
	struct store_why why = {0};
	char first[200] = "";
	int r = store_check(file, count_fault, first, &found, &why);
	if (r != 0)
		return cli_fail(store_command, r == MW_E_NOTFOUND ? CLI_EXIT_USAGE : CLI_EXIT_FAILED,
		                "cannot restore %s: %s.", file, *why.text ? why.text : mw_strerror(r));
	return found.faults == 0
	               ? 0
	               : cli_fail(store_command, CLI_EXIT_FAILED,
	                          "cannot restore %s: it is damaged itself (%s); take an older backup.", file, first);
}

int store_restore_one(struct stores *s, const char *who, const char *file)
{
	const struct directory_user *u = stores_user(s, who);
	const struct store_place place = {.state = s->state};
	struct cli_progress progress = {.what = file, .bytes = true};
	struct store_kept kept;
	struct store_why why = {0};
	int code = u ? check_backup(file) : CLI_EXIT_USAGE;
	if (code != 0)
		return code;
	unsigned flags = (s->force ? STORE_RESTORE_REPLACE : 0) | (s->adopt ? STORE_RESTORE_ADOPT : 0);
	cli_progress_begin(&progress, false);
	int r = store_restore(&place, &u->mailbox, file, flags, step, &progress, &kept, &why);
	cli_progress_end(&progress);
	if (r == 0)
		tell(s, u->address, "restored from", file, &kept);
	else if (r == MW_E_EXISTS)
		return cli_usage(store_command,
		                 "%s has a mailbox; --force puts the backup in its place, and what came since "
		                 "is gone.",
		                 u->address);
	else if (r == MW_E_BUSY)
		return cli_usage(store_command,
		                 "the server has the mailbox of %s open: stop it, or try again when nobody has "
		                 "been logged on for some seconds.",
		                 u->address);
	else if (r == MW_E_INVALID)
		return cli_usage(store_command, "%s is the backup of another mailbox; --adopt makes it that of %s.",
		                 file, u->address);
	else
		return failed(s, u->address, r, &why);
	return 0;
}

/* ---- compact ---- */

/* The server lets go of a mailbox some seconds after its last session. */
int store_compact_one(struct stores *s, const char *label, const char *path)
{
	int64_t until = time_monotonic_ns() + (int64_t)s->wait_s * NS_PER_S;
	const struct timespec pause = {.tv_nsec = 100 * NS_PER_MS};
	struct store_kept kept;
	struct store_why why = {0};
	int r = store_compact(path, &kept, &why);
	while (r == MW_E_BUSY && time_monotonic_ns() < until) {
		nanosleep(&pause, NULL);
		r = store_compact(path, &kept, &why);
	}
	if (r == MW_E_BUSY)
		snprintf(why.text, sizeof why.text,
		         "the server has it open; it lets go some seconds after the last log-off");
	if (r != 0)
		failed(s, label, r, &why);
	else
		tell(s, label, "compacted", NULL, &kept);
	return 0;
}
