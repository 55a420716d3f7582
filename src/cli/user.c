#include "base/secret.h"
#include "base/text.h"
#include "base/time.h"
#include "cli/cli.h"
#include "directory/snapshot.h"
#include "store/mailbox.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const char *const command = "user";

const char user_help[] =
        "Usage: mapiwire user add ADDRESS --state DIR [--name NAME] [--password-file FILE]\n"
        "       mapiwire user list --state DIR [--json]\n"
        "       mapiwire user passwd USER --state DIR [--password-file FILE]\n"
        "       mapiwire user lock|unlock USER --state DIR\n"
        "       mapiwire user redirect USER ADDRESS|URL|none --state DIR\n"
        "       mapiwire user remove USER --state DIR\n\n"
        "ADDRESS is a mail address, such as alice@demo.test; the first one names the mail domain, and\n"
        "its first label in capitals the NTLM domain: alice logs on as DEMO\\alice. USER is an address\n"
        "or the name before the @. Who is locked cannot log on; sessions that are open stay. Whose mailbox is\n"
        "on another server is redirected to an address there, or to the https URL of its Autodiscover service: clients "
        "are\n"
        "told so and go there. The password is asked for, or read from the first line of FILE (- is standard input).\n";

struct user_options {
	const char *state, *name, *password_file;
	bool json;
};

static int ask_hash(const struct user_options *o, const char *address, uint8_t hash[16])
{
	char password[256], why[256], prompt[320];
	snprintf(prompt, sizeof prompt, "Password for %s", address);
	int r = cli_password(o->password_file, prompt, password, why);
	if (r < 0) {
		cli_fail(command, 0, "%s", why);
		return r;
	}
	r = directory_nt_hash(password, hash);
	secret_wipe(password, sizeof password);
	if (r < 0)
		cli_fail(command, 0, "the password is longer than 256 characters, or not UTF-8.");
	return r;
}

static int open_state(const struct user_options *o, const char *address, struct directory **out)
{
	const char *at = address ? strchr(address, '@') : NULL;
	struct directory_settings settings = {.mail_domain = at ? at + 1 : NULL};
	if (at && mkdir(o->state, 0700) < 0 && errno != EEXIST)
		return cli_fail(command, CLI_EXIT_FAILED, "cannot make %s: %s.", o->state, strerror(errno));
	struct directory_why why = {0};
	int r = directory_open(o->state, at != NULL, at ? &settings : NULL, out, &why);
	if (r == MW_E_NOTFOUND)
		return cli_fail(command, CLI_EXIT_FAILED, "there is no directory in %s: add a first user.", o->state);
	if (r < 0)
		return cli_fail(command, CLI_EXIT_FAILED, "cannot open the directory in %s: %s", o->state, why.text);
	return 0;
}

/* The user that an address, an account or DOMAIN\account names; NULL with a sentence said. */
static const struct directory_user *find_user(struct directory_snapshot *s, const char *who)
{
	const struct directory_user *u = directory_by_address(s, who);
	if (!u)
		u = directory_by_account(s, NULL, who);
	if (!u)
		cli_fail(command, 0, "there is no user %s: 'mapiwire user list' shows who exists.", who);
	return u;
}

static int make_mailbox(const struct user_options *o, struct directory *d, uint32_t id)
{
	struct directory_snapshot *s = NULL;
	if (directory_snapshot(d, &s) < 0)
		return cli_fail(command, CLI_EXIT_FAILED, "%s.", directory_error(d));
	const struct directory_user *u = directory_by_id(s, id);
	struct store_place place = {.state = o->state};
	struct store_owner owner = {.name = u->name, .address = u->address, .dn = u->dn};
	struct store_why why = {0};
	int r = store_mailbox_create(&place, &u->mailbox, &owner, time_now_ns(), &why);
	if (r == 0)
		printf("%s added: log on as %s\\%s, mailbox \"%s\"\n", u->address, directory_settings(s)->ntlm_domain,
		       u->account, u->name);
	directory_snapshot_unref(&s);
	if (r == 0)
		return 0;
	int undone = directory_remove(d, id);
	return cli_fail(command, CLI_EXIT_FAILED, "cannot make the mailbox: %s%s", why.text,
	                undone < 0 ? " (the user stays without one)" : "");
}

static int add(const struct user_options *o, struct directory *d, const char *address)
{
	struct directory_new_user user = {.address = address, .name = o->name};
	uint32_t id;
	struct guid mailbox;
	if (ask_hash(o, address, user.nt_hash) < 0)
		return CLI_EXIT_FAILED;
	int r = directory_add(d, &user, &id, &mailbox);
	secret_wipe(user.nt_hash, sizeof user.nt_hash);
	if (r == MW_E_EXISTS)
		return cli_fail(command, CLI_EXIT_FAILED, "%s exists already: 'mapiwire user passwd' sets a password.",
		                address);
	if (r < 0)
		return cli_fail(command, CLI_EXIT_FAILED, "cannot add %s: %s.", address, directory_error(d));
	return make_mailbox(o, d, id);
}

static void print_user(const struct directory_user *u, const struct directory_settings *settings, bool json)
{
	struct buf out = {0};
	if (json) {
		buf_put_str(&out, "{\"address\":");
		text_put_json(&out, u->address);
		buf_put_str(&out, ",\"name\":");
		text_put_json(&out, u->name);
		buf_put_str(&out, ",\"account\":");
		text_put_json(&out, u->account);
		buf_put_str(&out, ",\"redirect\":");
		if (u->redirect)
			text_put_json(&out, u->redirect);
		else
			buf_put_str(&out, "null");
		buf_printf(&out, ",\"locked\":%s,\"expired\":%s}\n", u->flags & DIRECTORY_LOCKED ? "true" : "false",
		           u->flags & DIRECTORY_EXPIRED ? "true" : "false");
	} else {
		buf_printf(&out, "%-32s %s\\%-16s ", u->address, settings->ntlm_domain, u->account);
		text_put_terminal(&out, u->name);
		buf_put_str(&out, u->flags & DIRECTORY_LOCKED    ? "  (locked)"
		                  : u->flags & DIRECTORY_EXPIRED ? "  (expired)"
		                                                 : "");
		if (u->redirect) {
			buf_put_str(&out, "  -> ");
			text_put_terminal(&out, u->redirect);
		}
		buf_put_u8(&out, '\n');
	}
	cli_write(&out);
	buf_free(&out);
}

static int list(const struct user_options *o, struct directory_snapshot *s)
{
	for (size_t i = 0; i < directory_count(s); i++)
		print_user(directory_at(s, i), directory_settings(s), o->json);
	return 0;
}

static int set_locked(struct directory *d, const struct directory_user *u, bool locked)
{
	uint32_t flags = locked ? u->flags | DIRECTORY_LOCKED : u->flags & ~(uint32_t)DIRECTORY_LOCKED;
	if (directory_set_flags(d, u->id, flags) < 0)
		return CLI_EXIT_FAILED;
	printf("%s is %s\n", u->address, locked ? "locked" : "unlocked");
	return 0;
}

static int set_redirect(struct directory *d, const struct directory_user *u, const char *where)
{
	bool none = strcmp(where, "none") == 0;
	if (directory_set_redirect(d, u->id, none ? NULL : where) < 0)
		return CLI_EXIT_FAILED;
	if (none)
		printf("%s is here\n", u->address);
	else
		printf("%s is redirected to %s\n", u->address, where);
	return 0;
}

static int change(const struct user_options *o, struct directory *d, const char *const words[3])
{
	const char *what = words[0], *who = words[1];
	struct directory_snapshot *s = NULL;
	if (directory_snapshot(d, &s) < 0)
		return cli_fail(command, CLI_EXIT_FAILED, "%s.", directory_error(d));
	int code = CLI_EXIT_FAILED;
	uint8_t hash[16];
	const struct directory_user *u;
	if (strcmp(what, "list") == 0) {
		code = list(o, s);
	} else if ((u = find_user(s, who)) == NULL) {
		code = CLI_EXIT_FAILED;
	} else if (strcmp(what, "passwd") == 0) {
		if (ask_hash(o, u->address, hash) == 0)
			code = directory_set_nt_hash(d, u->id, hash) < 0 ? CLI_EXIT_FAILED : 0;
	} else if (strcmp(what, "lock") == 0 || strcmp(what, "unlock") == 0) {
		code = set_locked(d, u, *what == 'l');
	} else if (strcmp(what, "redirect") == 0) {
		code = set_redirect(d, u, words[2]);
	} else if (directory_remove(d, u->id) == 0) {
		char guid[GUID_TEXT_SIZE];
		guid_format(&u->mailbox, guid);
		printf("%s removed; the mailbox file %s/mailboxes/%s.sqlite stays\n", u->address, o->state, guid);
		code = 0;
	}
	if (code != 0 && *directory_error(d))
		cli_fail(command, 0, "%s.", directory_error(d));
	directory_snapshot_unref(&s);
	return code;
}

int cmd_user(int argc, char **argv)
{
	struct user_options o = {0};
	const char *words[3] = {NULL};
	size_t count;
	const struct cli_option options[] = {
	        {"state", CLI_TEXT, &o.state},
	        {"name", CLI_TEXT, &o.name},
	        {"password-file", CLI_TEXT, &o.password_file},
	        {"json", CLI_FLAG, &o.json},
	};
	int r = cli_parse(command, argc, argv, options, ARRAY_SIZE(options), words, 3, &count);
	if (r != 0)
		return r - 1;
	static const char *const known[] = {"add", "list", "passwd", "lock", "unlock", "redirect", "remove"};
	size_t which = 0;
	while (count > 0 && which < ARRAY_SIZE(known) && strcmp(words[0], known[which]) != 0)
		which++;
	if (count == 0 || which == ARRAY_SIZE(known))
		return cli_usage(command, "say what to do: add, list, passwd, lock, unlock, redirect or remove.");
	bool is_list = strcmp(words[0], "list") == 0, is_add = strcmp(words[0], "add") == 0;
	if (!is_list && count < 2)
		return cli_usage(command, "say whom: mapiwire user %s NAME@DOMAIN.", words[0]);
	bool is_redirect = strcmp(words[0], "redirect") == 0;
	if (is_redirect && count < 3)
		return cli_usage(command, "say where to: mapiwire user redirect %s ADDRESS|URL|none.", words[1]);
	if (count == 3 && !is_redirect)
		return cli_usage(command, "'%s' is one word too many.", words[2]);
	if (is_add && !strchr(words[1], '@'))
		return cli_usage(command, "'%s' is no mail address: give one such as alice@demo.test.", words[1]);
	if (!o.state)
		return cli_usage(command, "say where users and mailboxes are kept: --state DIR.");
	struct directory *d = NULL;
	r = open_state(&o, is_add ? words[1] : NULL, &d);
	if (r == 0)
		r = is_add ? add(&o, d, words[1]) : change(&o, d, words);
	directory_close(&d);
	return r;
}
