#include "cli/remote.h"

#include "base/text.h"
#include "base/time.h"
#include "mapi/tags.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const command = "mail";
#define MAX_BODY ((size_t)32 << 20)
#define MAX_RECIPIENTS 100

const char mail_help[] =
        "Usage: mapiwire mail list [FOLDER] --server HOST[:PORT] -U 'DOMAIN\\user' [OPTIONS]\n"
        "       mapiwire mail read N --server HOST[:PORT] -U 'DOMAIN\\user' [--folder FOLDER]\n"
        "       mapiwire mail send --server HOST[:PORT] -U 'DOMAIN\\user' --subject TEXT --to ADDRESS,... < BODY\n"
        "       mapiwire mail save --server HOST[:PORT] -U 'DOMAIN\\user' --subject TEXT [--folder FOLDER] < BODY\n\n"
        "list shows a folder's messages, newest first (default: inbox); read shows the one with number N in\n"
        "that list. send sends a message with the body on standard input; a copy stays among the sent items, and a\n"
        "report in the inbox tells of recipients that are not there. save keeps such a message in a folder\n"
        "(default: inbox) and sends it to nobody. FOLDER is inbox, outbox, sent, deleted, or a path of display\n"
        "names such as Projects/Old.\n\n"
        "  --server HOST[:PORT]    the server; PORT is its endpoint mapper's\n" CLI_REMOTE_HELP
        "  --folder FOLDER         of read and save\n"
        "  --subject TEXT, --to ADDRESS,...   of send and save\n"
        "  --max COUNT             of list: so many rows at most; default 50\n"
        "  --json                  list and read: JSON Lines, an object a message\n\n"
        "Exit codes are those of 'mapiwire walk --help'.\n";

struct mail {
	struct cli_remote *r;
	const char *server, *folder, *subject, *to;
	unsigned max;
	uint16_t port;
	struct mapiwire_store *store;
	uint64_t folder_id;
	char *dn, *name, *address; /* of the user, as the address book has them */
};

/* ---- The way to the mailbox: mapper, address book, store ---- */

static int find_port(struct mail *mail, const char *name, uint16_t *port)
{
	struct mapiwire_interface interface;
	int r = mapiwire_interface_named(name, &interface);
	return r < 0 ? r : mapiwire_map(mail->r->m, &interface, port);
}

static char *copy_text(struct mail *mail, const struct mapiwire_rows *rows, uint32_t tag)
{
	const struct mapiwire_value *v = mapiwire_row_find(rows, 0, tag);
	return arena_strdup(mail->r->arena, v && v->text ? v->text : "");
}

static int find_user(struct mail *mail)
{
	static const uint32_t tags[] = {PidTagEmailAddress, PidTagDisplayName, PidTagSmtpAddress};
	struct mapiwire_book *book = NULL;
	struct mapiwire_rows rows = {0};
	uint16_t port = 0;
	int r = find_port(mail, "nspi", &port);
	if (r == 0)
		r = mapiwire_book_open(mail->r->m, port, &book);
	if (r == 0)
		r = mapiwire_book_resolve(book, mail->r->name, tags, ARRAY_SIZE(tags), &rows);
	if (r == 0) {
		mail->dn = copy_text(mail, &rows, PidTagEmailAddress);
		mail->name = copy_text(mail, &rows, PidTagDisplayName);
		mail->address = copy_text(mail, &rows, PidTagSmtpAddress);
		mapiwire_rows_free(&rows);
	}
	mapiwire_book_close(&book);
	return r == 0 && (!mail->dn || !mail->name || !mail->address) ? MAPIWIRE_E_MEMORY : r;
}

static int open_folder(struct mail *mail)
{
	int r = find_user(mail);
	if (r == 0)
		r = find_port(mail, "store", &mail->port);
	if (r == 0)
		r = mapiwire_store_open(mail->r->m, mail->port, mail->dn, &mail->store);
	if (r == 0)
		r = mapiwire_folder_find(mail->store, mail->folder ? mail->folder : "inbox", &mail->folder_id);
	return r;
}

/* ---- list ---- */

static const uint32_t list_tags[] = {PidTagMid,        PidTagMessageDeliveryTime,  PidTagLastModificationTime,
                                     PidTagSenderName, PidTagSentRepresentingName, PidTagSubject,
                                     PidTagMessageSize};

static int open_list(struct mail *mail, struct mapiwire_table **table)
{
	return mapiwire_table_open(mail->store, mail->folder_id, MAPIWIRE_MESSAGES, list_tags, ARRAY_SIZE(list_tags),
	                           PidTagMessageDeliveryTime, true, table);
}

static const char *text_of(const struct mapiwire_rows *rows, size_t row, uint32_t tag)
{
	const struct mapiwire_value *v = mapiwire_row_find(rows, row, tag);
	return v && v->text ? v->text : "";
}

static int64_t number_of(const struct mapiwire_rows *rows, size_t row, uint32_t tag)
{
	const struct mapiwire_value *v = mapiwire_row_find(rows, row, tag);
	return v ? v->integer : 0;
}

/* When it came, else when it was last changed. */
static int64_t date_of(const struct mapiwire_rows *rows, size_t row)
{
	int64_t ns = number_of(rows, row, PidTagMessageDeliveryTime);
	return ns ? ns : number_of(rows, row, PidTagLastModificationTime);
}

static const char *sender_of(const struct mapiwire_rows *rows, size_t row)
{
	const char *name = text_of(rows, row, PidTagSenderName);
	return *name ? name : text_of(rows, row, PidTagSentRepresentingName);
}

static void local_time(int64_t ns, char out[20])
{
	time_t seconds = (time_t)(ns / NS_PER_S);
	struct tm t;
	if (ns == 0 || !localtime_r(&seconds, &t) || strftime(out, 20, "%Y-%m-%d %H:%M", &t) == 0)
		snprintf(out, 20, "-");
}

static void size_text(int64_t bytes, char out[24])
{
	if (bytes < 1000)
		snprintf(out, 24, "%lld B", (long long)bytes);
	else if (bytes < 1000000)
		snprintf(out, 24, "%.1f kB", (double)bytes / 1e3);
	else
		snprintf(out, 24, "%.1f MB", (double)bytes / 1e6);
}

#define FIXED_COLUMNS 55 /* number, date, sender, size and the gaps */
#define SENDER_COLUMNS 20

static unsigned subject_columns(void)
{
	unsigned width = cli_width();
	return width > FIXED_COLUMNS + 20 ? width - FIXED_COLUMNS : 20;
}

static void put_head(struct buf *out, bool colored)
{
	char line[64];
	snprintf(line, sizeof line, "%4s  %-16s  %-*s  ", "no", "date", SENDER_COLUMNS, "from");
	cli_put(out, colored, CLI_BOLD, line);
	cli_put_cell(out, colored, CLI_BOLD, "subject", subject_columns(), false);
	cli_put(out, colored, CLI_BOLD, "      size");
	buf_put_u8(out, '\n');
}

static void put_row(struct buf *out, const struct mail *mail, const struct mapiwire_rows *rows, size_t row, unsigned no)
{
	char date[20], size[24];
	local_time(date_of(rows, row), date);
	size_text(number_of(rows, row, PidTagMessageSize), size);
	if (mail->r->json) {
		char when[TIME_TEXT_SIZE];
		buf_printf(out, "{\"no\":%u,\"id\":\"%016llx\"", no,
		           (unsigned long long)number_of(rows, row, PidTagMid));
		cli_json_text(out, "date", time_format(date_of(rows, row), when));
		cli_json_text(out, "from", sender_of(rows, row));
		cli_json_text(out, "subject", text_of(rows, row, PidTagSubject));
		buf_printf(out, ",\"size\":%lld}\n", (long long)number_of(rows, row, PidTagMessageSize));
		return;
	}
	buf_printf(out, "%4u  %-16s  ", no, date);
	cli_put_cell(out, false, CLI_PLAIN, sender_of(rows, row), SENDER_COLUMNS, true);
	buf_put_str(out, "  ");
	cli_put_cell(out, false, CLI_PLAIN, text_of(rows, row, PidTagSubject), subject_columns(), true);
	buf_printf(out, "%10s\n", size);
}

static int put_list(struct mail *mail, struct mapiwire_table *table, struct buf *out)
{
	struct mapiwire_rows rows = {0};
	unsigned no = 0;
	size_t count = 1;
	int r = 0;
	while (count > 0 && no < mail->max && (r = mapiwire_table_read(table, mail->max - no, &rows)) == 0) {
		if (no == 0 && rows.count > 0 && !mail->r->json)
			put_head(out, mail->r->colored);
		count = rows.count;
		for (size_t i = 0; i < count && no < mail->max; i++)
			put_row(out, mail, &rows, i, ++no);
		mapiwire_rows_free(&rows);
	}
	if (r == 0 && !mail->r->json && no == 0)
		buf_put_str(out, "The folder is empty.\n");
	else if (r == 0 && !mail->r->json && no < mapiwire_table_count(table))
		buf_printf(out, "%u of %u; --max %u shows all.\n", no, mapiwire_table_count(table),
		           mapiwire_table_count(table));
	return r;
}

static int list(struct mail *mail)
{
	struct buf out MW_CLEANUP(buf_free) = {0};
	struct mapiwire_table *table = NULL;
	int r = open_list(mail, &table);
	if (r == 0)
		r = put_list(mail, table, &out);
	int code = r < 0 ? cli_remote_fail(command, mail->r) : 0;
	mapiwire_table_close(&table);
	cli_pager_begin();
	cli_write(&out);
	cli_pager_end();
	return code;
}

/* ---- read ---- */

/* The id of row no, counted from 1. */
static int find_message(struct mail *mail, unsigned no, uint64_t *id)
{
	struct mapiwire_table *table = NULL;
	struct mapiwire_rows rows = {0};
	unsigned seen = 0;
	size_t count = 1;
	int r = open_list(mail, &table);
	*id = 0;
	while (r == 0 && count > 0 && !*id && (r = mapiwire_table_read(table, 500, &rows)) == 0) {
		count = rows.count;
		if (no <= seen + count && no > seen)
			*id = (uint64_t)number_of(&rows, no - seen - 1, PidTagMid);
		seen += (unsigned)count;
		mapiwire_rows_free(&rows);
	}
	mapiwire_table_close(&table);
	return r;
}

static void put_line(struct buf *out, bool colored, const char *label, const char *text)
{
	if (!*text)
		return;
	cli_put(out, colored, CLI_BOLD, label);
	text_put_terminal(out, text);
	buf_put_u8(out, '\n');
}

/* The body as it is, but harmless: line ends and tabs stay. */
static void put_body(struct buf *out, const char *body)
{
	buf_put_u8(out, '\n');
	while (*body) {
		size_t n = strcspn(body, "\r\n\t");
		char *part = strndup(body, n);
		if (part)
			text_put_terminal(out, part);
		free(part);
		body += n;
		if (*body && *body != '\r')
			buf_put_u8(out, (uint8_t)*body);
		body += *body != 0;
	}
	buf_put_u8(out, '\n');
}

static void put_message(struct buf *out, const struct mail *mail, const struct mapiwire_rows *rows)
{
	char date[20], when[TIME_TEXT_SIZE];
	bool colored = mail->r->colored;
	if (mail->r->json) {
		buf_printf(out, "{\"folder\":\"%016llx\"", (unsigned long long)mail->folder_id);
		cli_json_text(out, "date", time_format(date_of(rows, 0), when));
		cli_json_text(out, "from", sender_of(rows, 0));
		cli_json_text(out, "to", text_of(rows, 0, PidTagDisplayTo));
		cli_json_text(out, "subject", text_of(rows, 0, PidTagSubject));
		cli_json_text(out, "body", text_of(rows, 0, PidTagBody));
		buf_put_str(out, "}\n");
		return;
	}
	local_time(date_of(rows, 0), date);
	put_line(out, colored, "From:    ", sender_of(rows, 0));
	put_line(out, colored, "To:      ", text_of(rows, 0, PidTagDisplayTo));
	put_line(out, colored, "Date:    ", date);
	put_line(out, colored, "Subject: ", text_of(rows, 0, PidTagSubject));
	put_body(out, text_of(rows, 0, PidTagBody));
}

static int read_message(struct mail *mail, unsigned no)
{
	static const uint32_t tags[] = {PidTagMessageDeliveryTime,
	                                PidTagLastModificationTime,
	                                PidTagSenderName,
	                                PidTagSentRepresentingName,
	                                PidTagDisplayTo,
	                                PidTagSubject,
	                                PidTagBody};
	struct buf out MW_CLEANUP(buf_free) = {0};
	struct mapiwire_message *message = NULL;
	struct mapiwire_rows rows = {0};
	uint64_t id;
	int r = find_message(mail, no, &id);
	if (r == 0 && !id)
		return cli_usage(command, "there is no message %u: 'mapiwire mail list' numbers them.", no);
	if (r == 0)
		r = mapiwire_message_open(mail->store, mail->folder_id, id, &message);
	if (r == 0)
		r = mapiwire_message_get(message, tags, ARRAY_SIZE(tags), &rows);
	if (r == 0) {
		put_message(&out, mail, &rows);
		mapiwire_rows_free(&rows);
	}
	int code = r < 0 ? cli_remote_fail(command, mail->r) : 0;
	mapiwire_message_close(&message);
	cli_pager_begin();
	cli_write(&out);
	cli_pager_end();
	return code;
}

/* ---- send ---- */

static int read_body(struct buf *out)
{
	for (;;) {
		uint8_t data[65536];
		ssize_t n = read(STDIN_FILENO, data, sizeof data);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return cli_fail(command, CLI_EXIT_USAGE, "cannot read the body: %s.", strerror(errno));
		if (n == 0)
			return buf_put_u8(out, 0) < 0 ? cli_fail(command, CLI_EXIT_FAILED, "out of memory.") : 0;
		if (out->len + (size_t)n > MAX_BODY)
			return cli_usage(command, "the body is larger than 32 MiB.");
		if (buf_put(out, data, (size_t)n) < 0)
			return cli_fail(command, CLI_EXIT_FAILED, "out of memory.");
	}
}

/* "a@x, b@y" */
static int split_recipients(struct mail *mail, struct mapiwire_recipient *list, size_t *count)
{
	char *text = arena_strdup(mail->r->arena, mail->to ? mail->to : ""), *rest = NULL;
	*count = 0;
	if (!text)
		return cli_fail(command, CLI_EXIT_FAILED, "out of memory.");
	for (char *p = strtok_r(text, ", ", &rest); p; p = strtok_r(NULL, ", ", &rest)) {
		if (!strchr(p, '@') || *count == MAX_RECIPIENTS)
			return cli_usage(
			        command,
			        strchr(p, '@') ? "'%s' is one recipient too many." : "'%s' is no mail address.", p);
		list[(*count)++] = (struct mapiwire_recipient){.kind = MAPIWIRE_TO, .address = p};
	}
	return 0;
}

static int send_draft(struct mail *mail, const struct mapiwire_recipient *to, size_t count, const char *body)
{
	const struct mapiwire_draft draft = {
	        .subject = mail->subject, .body = body, .recipients = to, .recipient_count = count};
	if (mapiwire_message_send(mail->store, &draft) < 0)
		return cli_remote_fail(command, mail->r);
	if (!mail->r->json)
		printf("Sent; a copy is in Sent Items.\n");
	return 0;
}

static int save(struct mail *mail, const struct mapiwire_recipient *to, size_t count, const char *body)
{
	int64_t now = time_now_ns();
	const struct mapiwire_value values[] = {
	        {.tag = PidTagMessageDeliveryTime, .integer = now},
	        {.tag = PidTagClientSubmitTime, .integer = now},
	        {.tag = PidTagSenderName, .text = mail->name},
	        {.tag = PidTagSenderEmailAddress, .text = mail->address},
	        {.tag = PidTagSenderAddressType, .text = "SMTP"},
	        {.tag = PidTagSentRepresentingName, .text = mail->name},
	        {.tag = PidTagSentRepresentingEmailAddress, .text = mail->address},
	        {.tag = PidTagSentRepresentingAddressType, .text = "SMTP"},
	};
	const struct mapiwire_draft draft = {
	        .subject = mail->subject,
	        .body = body,
	        .recipients = to,
	        .recipient_count = count,
	        .values = values,
	        .value_count = ARRAY_SIZE(values),
	};
	uint64_t id;
	if (mapiwire_message_save(mail->store, mail->folder_id, &draft, &id) < 0)
		return cli_remote_fail(command, mail->r);
	if (mail->r->json)
		printf("{\"id\":\"%016llx\"}\n", (unsigned long long)id);
	else
		printf("Saved in %s; not sent to anybody.\n", mail->folder ? mail->folder : "inbox");
	return 0;
}

/* ---- Which of them ---- */

struct job {
	enum { LIST, READ, SEND, SAVE, COUNT } what;
	unsigned number;
};

static int with_folder(struct mail *mail, const struct job *job, const struct mapiwire_recipient *to, size_t count,
                       const char *body)
{
	int code = cli_remote_open(command, mail->r, mail->server, true);
	if (code == 0 && open_folder(mail) < 0)
		code = cli_remote_fail(command, mail->r);
	else if (code == 0)
		code = job->what == LIST   ? list(mail)
		       : job->what == READ ? read_message(mail, job->number)
		       : job->what == SEND ? send_draft(mail, to, count, body)
		                           : save(mail, to, count, body);
	mapiwire_store_close(&mail->store);
	return code;
}

static int run(struct mail *mail, const struct job *job)
{
	struct buf body MW_CLEANUP(buf_free) = {0};
	struct mapiwire_recipient to[MAX_RECIPIENTS];
	struct arena *arena = NULL;
	size_t count = 0;
	int code = 0;
	if (job->what == SEND || job->what == SAVE) {
		mail->r->arena = arena = arena_new(0);
		code = arena ? split_recipients(mail, to, &count)
		             : cli_fail(command, CLI_EXIT_FAILED, "out of memory.");
		if (code == 0)
			code = read_body(&body);
	}
	if (code == 0) {
		code = with_folder(mail, job, to, count, (const char *)body.data);
		int closed = cli_remote_close(command, mail->r);
		code = code ? code : closed;
	}
	arena_free(&arena);
	return code;
}

static int which(struct mail *mail, const char **words, size_t count, struct job *job)
{
	static const char *const names[COUNT] = {"list", "read", "send", "save"};
	char rest;
	int what = 0;
	while (count > 0 && what < COUNT && strcmp(words[0], names[what]) != 0)
		what++;
	if (count == 0 || what == COUNT)
		return cli_usage(command, "say list, read, send or save: 'mapiwire mail --help' tells more.");
	job->what = what == 0 ? LIST : what == 1 ? READ : what == 2 ? SEND : SAVE;
	if (job->what == READ && (count < 2 || sscanf(words[1], "%9u%c", &job->number, &rest) != 1 || !job->number))
		return cli_usage(command, "say which message to read, by its number in 'mapiwire mail list'.");
	if (job->what >= SEND && (count > 1 || !mail->subject))
		return cli_usage(command, "say what the message is about: mail %s --subject TEXT.", names[what]);
	if (job->what == SEND && (!mail->to || mail->folder))
		return cli_usage(command,
		                 mail->to ? "send takes no --folder: 'mapiwire mail save' keeps a message in one."
		                          : "say who gets it: mail send --to ADDRESS,...");
	if (job->what == LIST && count > 1)
		mail->folder = words[1];
	if (!mail->server)
		return cli_usage(command, "say which server has the mailbox: --server HOST[:PORT].");
	return 0;
}

int cmd_mail(int argc, char **argv)
{
	struct cli_remote remote = {0};
	struct mail mail = {.r = &remote, .max = 50};
	struct job job = {0};
	const char *words[2];
	size_t count;
	const struct cli_option options[] = {
	        CLI_REMOTE_OPTIONS(&remote),        {"server", CLI_TEXT, &mail.server},
	        {"folder", CLI_TEXT, &mail.folder}, {"subject", CLI_TEXT, &mail.subject},
	        {"to", CLI_TEXT, &mail.to},         {"max", CLI_NUMBER, &mail.max},
	};
	int r = cli_parse(command, argc, argv, options, ARRAY_SIZE(options), words, 2, &count);
	if (r != 0)
		return r - 1;
	int code = which(&mail, words, count, &job);
	return code ? code : run(&mail, &job);
}
