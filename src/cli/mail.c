#include "cli/mail.h"

#include <stdio.h>
#include <string.h>

/* Which commands there are, what each of them takes, and how each is begun. */

const char mail_command[] = "mail";

const char mail_help[] =
        "Usage: mapiwire mail COMMAND ... --server HOST[:PORT] -U 'DOMAIN\\user' [OPTIONS]\n\n"
        "  list [FOLDER]                messages, newest first: * unread, ! flagged, @ with attachments\n"
        "  read MESSAGE                 one message; it is not marked as read\n"
        "  attachments MESSAGE [N...]   what is attached; with --save DIR writes it there\n"
        "  search [TEXT]                in all folders by the beginnings of words in subject, sender and body;\n"
        "                               with --folder anywhere in the texts of that folder\n"
        "  send --subject TEXT --to ADDRESS,... < BODY    sends; a copy stays in Sent Items, and a\n"
        "                               report in the inbox tells of recipients that are not there\n"
        "  save --subject TEXT < BODY   keeps such a message in a folder and sends it to nobody\n"
        "  move MESSAGES... FOLDER      to another folder\n"
        "  copy MESSAGES... FOLDER\n"
        "  delete MESSAGES...           to Deleted Items, from there for good; --hard: at once\n"
        "  mark MESSAGES... read|unread|flag|unflag\n"
        "  folders [create|empty|delete FOLDER | move|copy FOLDER PATH]    lists the folders, or changes them\n"
        "  watch                        a line for each new message, until Ctrl-C or --count\n"
        "  import FILE...               EML, mbox, Maildir, and PST by the program readpst, into --folder\n"
        "  export [MESSAGES]            to --eml FILE or DIR, --mbox FILE, or --maildir DIR; all unless named\n\n"
        "MESSAGE is a number of 'list' or an id of 'search'; MESSAGES are 3, 3-7, 1,4-6 or all. They are in the\n"
        "inbox unless --folder says otherwise. FOLDER is inbox, outbox, sent, deleted, or a path of display names\n"
        "such as Projects/Old.\n\n"
        "  --server HOST[:PORT]    the server; PORT is its endpoint mapper's\n" CLI_REMOTE_HELP CLI_WEB_HELP
        "  --folder FOLDER         where the messages are; of save: where it goes\n"
        "  --subject TEXT          of send, save and search\n"
        "  --to, --cc, --bcc ADDRESS,...   of send and save\n"
        "  --html                  of send and save: the body is HTML, in UTF-8\n"
        "  --attach FILE           of send and save; may be repeated\n"
        "  --from TEXT, --since DAY, --before DAY, --unread, --flagged, --attachments\n"
        "                          of search; DAY is 2024-03-01\n"
        "  --max COUNT             of list and search: so many rows at most; default 50\n"
        "  --count COUNT           of watch: ends after so many messages\n"
        "  --format eml|mbox|maildir|pst   of import; else told from the file itself\n"
        "  --json                  JSON Lines, an object a message\n\n"
        "Exit codes are those of 'mapiwire walk --help'.\n";

/* ---- What they take ---- */

static int check_send(struct mail *mail, const char *name)
{
	if (!mail->subject)
		return cli_usage(mail_command, "say what the message is about: mail %s --subject TEXT.", name);
	if (strcmp(name, "save") == 0)
		return 0;
	if (!mail->to && !mail->cc && !mail->bcc)
		return cli_usage(mail_command, "say who gets it: mail send --to ADDRESS,...");
	return mail->folder
	               ? cli_usage(mail_command, "send takes no --folder: 'mapiwire mail save' keeps a message in one.")
	               : 0;
}

static int check_list(struct mail *mail, const char *name)
{
	(void)name;
	if (mail->word_count > 0)
		mail->folder = mail->words[0];
	return 0;
}

static int check_one(struct mail *mail, const char *name)
{
	return mail->word_count > 0 && mail_names_messages(mail->words[0])
	               ? 0
	               : cli_usage(mail_command, "say which message: mail %s N, by its number in 'mapiwire mail list'.",
	                           name);
}

static int check_some(struct mail *mail, const char *name)
{
	bool more = strcmp(name, "delete") != 0;
	if (mail->word_count > (more ? 1u : 0u) && mail_names_messages(mail->words[0]))
		return 0;
	return cli_usage(mail_command, "say which messages%s: mail %s 3-7%s.",
	                 more ? " and then what becomes of them" : "", name,
	                 !more                       ? ""
	                 : strcmp(name, "mark") == 0 ? " read"
	                                             : " FOLDER");
}

static int check_import(struct mail *mail, const char *name)
{
	return mail->word_count > 0 ? 0 : cli_usage(mail_command, "say what to import: mail %s FILE...", name);
}

static const struct command {
	const char *name;
	size_t max_words;
	int (*check)(struct mail *mail, const char *name);
	int (*prepare)(struct mail *mail); /* or NULL */
	int (*run)(struct mail *mail);
} commands[] = {
        {"list", 1, check_list, NULL, mail_list},
        {"read", 1, check_one, NULL, mail_read},
        {"attachments", MAIL_MAX_WORDS, check_one, NULL, mail_attachments},
        {"search", 1, NULL, NULL, mail_search},
        {"send", 0, check_send, mail_prepare_send, mail_send},
        {"save", 0, check_send, mail_prepare_send, mail_save},
        {"move", MAIL_MAX_WORDS, check_some, NULL, mail_move},
        {"copy", MAIL_MAX_WORDS, check_some, NULL, mail_copy},
        {"delete", MAIL_MAX_WORDS, check_some, NULL, mail_delete},
        {"mark", MAIL_MAX_WORDS, check_some, NULL, mail_mark},
        {"folders", 3, NULL, NULL, mail_folders},
        {"watch", 0, NULL, NULL, mail_watch},
        {"import", MAIL_MAX_WORDS, check_import, NULL, mail_import},
        {"export", MAIL_MAX_WORDS, mail_check_export, NULL, mail_export},
};

/* ---- How each is begun ---- */

static int with_server(struct mail *mail, const struct command *c)
{
	int code = cli_remote_open(mail_command, mail->r, mail->server, true);
	if (code == 0 && mail_open(mail) < 0)
		code = mail_fail(mail);
	else if (code == 0)
		code = c->run(mail);
	mapiwire_store_close(&mail->store);
	int closed = cli_remote_close(mail_command, mail->r);
	return code ? code : closed;
}

static int run(struct mail *mail, const struct command *c)
{
	struct arena *arena = arena_new(0);
	mail->r->arena = arena;
	int code = arena ? 0 : cli_fail(mail_command, CLI_EXIT_FAILED, "out of memory.");
	if (code == 0 && c->prepare)
		code = c->prepare(mail);
	if (code == 0)
		code = with_server(mail, c);
	buf_free(&mail->body);
	arena_free(&arena);
	return code;
}

static int check(struct mail *mail, const struct command *c)
{
	if (mail->word_count > c->max_words)
		return cli_usage(mail_command, "'%s' is one argument too many: 'mapiwire mail --help' tells more.",
		                 mail->words[c->max_words]);
	int code = c->check ? c->check(mail, c->name) : 0;
	if (code == 0 && !mail->server)
		code = cli_usage(mail_command, "say which server has the mailbox: --server HOST[:PORT].");
	return code;
}

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

int cmd_mail(int argc, char **argv)
{
	struct cli_remote remote = {0};
	struct mail mail = {.r = &remote, .max = 50};
	const char *words[MAIL_MAX_WORDS + 1];
	size_t count;
	struct cli_list attach = {mail.attach, ARRAY_SIZE(mail.attach), &mail.attach_count};
	const struct cli_option options[] = {
	        CLI_REMOTE_OPTIONS(&remote),
	        CLI_WEB_OPTIONS(&remote),
	        {"server", CLI_TEXT, &mail.server},
	        {"folder", CLI_TEXT, &mail.folder},
	        {"subject", CLI_TEXT, &mail.subject},
	        {"to", CLI_TEXT, &mail.to},
	        {"cc", CLI_TEXT, &mail.cc},
	        {"bcc", CLI_TEXT, &mail.bcc},
	        {"html", CLI_FLAG, &mail.html},
	        {"attach", CLI_LIST, &attach},
	        {"save", CLI_TEXT, &mail.save},
	        {"hard", CLI_FLAG, &mail.hard},
	        {"from", CLI_TEXT, &mail.from},
	        {"since", CLI_TEXT, &mail.since},
	        {"before", CLI_TEXT, &mail.before},
	        {"unread", CLI_FLAG, &mail.unread},
	        {"flagged", CLI_FLAG, &mail.flagged},
	        {"max", CLI_NUMBER, &mail.max},
	        {"attachments", CLI_FLAG, &mail.attachments},
	        {"count", CLI_NUMBER, &mail.count},
	        {"format", CLI_TEXT, &mail.format},
	        {"eml", CLI_TEXT, &mail.eml},
	        {"mbox", CLI_TEXT, &mail.mbox},
	        {"maildir", CLI_TEXT, &mail.maildir},
	};
	int r = cli_parse(mail_command, argc, argv, options, ARRAY_SIZE(options), words, MAIL_MAX_WORDS + 1, &count);
	if (r != 0)
		return r - 1;
	const struct command *c = count > 0 ? find(words[0]) : NULL;
	if (!c)
		return cli_usage(mail_command,
		                 "say what to do, such as list, read, send or search: 'mapiwire mail --help' "
		                 "lists what there is.");
	mail.words = words + 1;
	mail.word_count = count - 1;
	int code = check(&mail, c);
	return code ? code : run(&mail, c);
}
