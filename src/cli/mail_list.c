#include "cli/mail.h"

#include "base/text.h"
#include "base/time.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* list and search: rows of messages. */

#define READ 0x00000001 /* mfRead, [MS-OXCMSG] 2.2.1.6 */
#define FLAGGED 2       /* PidTagFlagStatus: followupFlagged, [MS-OXOFLAG] 2.2.1.1 */
#define SEARCH_TIMEOUT_MS 120000

static const uint32_t list_tags[] = {
        PidTagMid,          PidTagFolderId,   PidTagMessageDeliveryTime,  PidTagLastModificationTime,
        PidTagSenderName,   PidTagSubject,    PidTagSentRepresentingName, PidTagMessageSize,
        PidTagMessageFlags, PidTagFlagStatus, PidTagHasAttachments};

/* Whether rows are numbered, or told by folder and id. */
struct view {
	struct mail *mail;
	const struct mail_tree *tree; /* NULL: one folder, numbered */
	struct buf out;
	unsigned no;
};

/* ---- A row ---- */

#define FIXED_COLUMNS 58 /* number, marks, date, sender, size and the gaps */
#define SENDER_COLUMNS 20
#define FOLDER_COLUMNS 16

static unsigned subject_columns(const struct view *v)
{
	unsigned width = cli_width(), fixed = FIXED_COLUMNS + (v->tree ? FOLDER_COLUMNS + 15 : 0);
	return width > fixed + 20 ? width - fixed : 20;
}

static void put_head(struct view *v)
{
	bool colored = v->mail->r->colored;
	char line[96];
	if (v->tree)
		snprintf(line, sizeof line, "%-16s      %-16s  %-*s  %-*s  ", "id", "date", FOLDER_COLUMNS, "folder",
		         SENDER_COLUMNS, "from");
	else
		snprintf(line, sizeof line, "%4s      %-16s  %-*s  ", "no", "date", SENDER_COLUMNS, "from");
	cli_put(&v->out, colored, CLI_BOLD, line);
	cli_put_cell(&v->out, colored, CLI_BOLD, "subject", subject_columns(v), false);
	cli_put(&v->out, colored, CLI_BOLD, "      size");
	buf_put_u8(&v->out, '\n');
}

static const char *folder_of(const struct view *v, const struct mapiwire_rows *rows, size_t row)
{
	const struct mail_folder *f =
	        v->tree ? mail_tree_find(v->tree, (uint64_t)mail_number(rows, row, PidTagFolderId)) : NULL;
	return f ? f->path : "";
}

static void put_json(struct view *v, const struct mapiwire_rows *rows, size_t row)
{
	struct buf *out = &v->out;
	char when[TIME_TEXT_SIZE];
	int64_t flags = mail_number(rows, row, PidTagMessageFlags);
	buf_put_u8(out, '{');
	if (!v->tree)
		buf_printf(out, "\"no\":%u,", v->no);
	buf_printf(out, "\"id\":\"%016llx\"", (unsigned long long)mail_number(rows, row, PidTagMid));
	if (v->tree)
		cli_json_text(out, "folder", folder_of(v, rows, row));
	cli_json_text(out, "date", time_format(mail_date(rows, row), when));
	cli_json_text(out, "from", mail_sender(rows, row));
	cli_json_text(out, "subject", mail_text(rows, row, PidTagSubject));
	buf_printf(out, ",\"size\":%lld,\"read\":%s,\"flagged\":%s,\"attachments\":%s}\n",
	           (long long)mail_number(rows, row, PidTagMessageSize), flags & READ ? "true" : "false",
	           mail_number(rows, row, PidTagFlagStatus) == FLAGGED ? "true" : "false",
	           mail_number(rows, row, PidTagHasAttachments) ? "true" : "false");
}

static void put_row(struct view *v, const struct mapiwire_rows *rows, size_t row)
{
	struct buf *out = &v->out;
	char date[20], size[24];
	bool unread = !(mail_number(rows, row, PidTagMessageFlags) & READ), colored = v->mail->r->colored;
	enum cli_ink ink = unread ? CLI_BOLD : CLI_PLAIN;
	mail_local_time(mail_date(rows, row), date);
	mail_size_text(mail_number(rows, row, PidTagMessageSize), size);
	if (v->tree)
		buf_printf(out, "%016llx", (unsigned long long)mail_number(rows, row, PidTagMid));
	else
		buf_printf(out, "%4u", v->no);
	buf_printf(out, " %c%c%c  %-16s  ", unread ? '*' : ' ',
	           mail_number(rows, row, PidTagFlagStatus) == FLAGGED ? '!' : ' ',
	           mail_number(rows, row, PidTagHasAttachments) ? '@' : ' ', date);
	if (v->tree) {
		cli_put_cell(out, false, CLI_PLAIN, folder_of(v, rows, row), FOLDER_COLUMNS, true);
		buf_put_str(out, "  ");
	}
	cli_put_cell(out, colored, ink, mail_sender(rows, row), SENDER_COLUMNS, true);
	buf_put_str(out, "  ");
	cli_put_cell(out, colored, ink, mail_text(rows, row, PidTagSubject), subject_columns(v), true);
	buf_printf(out, "%10s\n", size);
}

/* Those that the table has, as far as --max goes. */
static int put_rows(struct view *v, struct mapiwire_table *table)
{
	struct mapiwire_rows rows = {0};
	unsigned max = v->mail->max;
	bool json = v->mail->r->json;
	size_t count = 1;
	int r = 0;
	while (count > 0 && v->no < max && (r = mapiwire_table_read(table, max - v->no, &rows)) == 0) {
		count = rows.count;
		if (v->no == 0 && count > 0 && !json)
			put_head(v);
		for (size_t i = 0; i < count && v->no < max; i++) {
			v->no++;
			if (json)
				put_json(v, &rows, i);
			else
				put_row(v, &rows, i);
		}
		mapiwire_rows_free(&rows);
	}
	return r;
}

static void put_foot(struct view *v, uint32_t total, const char *none)
{
	if (v->mail->r->json)
		return;
	if (v->no == 0)
		buf_printf(&v->out, "%s\n", none);
	else if (v->no < total)
		buf_printf(&v->out, "%u of %u; --max %u shows all.\n", v->no, total, total);
}

static int finish(struct view *v, int r)
{
	int code = r < 0 ? mail_fail(v->mail) : 0;
	cli_pager_begin();
	cli_write(&v->out);
	cli_pager_end();
	buf_free(&v->out);
	return code;
}

static int open_table(struct mail *mail, uint64_t folder, struct mapiwire_table **table)
{
	return mapiwire_table_open(mail->store, folder, MAPIWIRE_MESSAGES, list_tags, ARRAY_SIZE(list_tags),
	                           PidTagMessageDeliveryTime, true, table);
}

int mail_list(struct mail *mail)
{
	struct view v = {.mail = mail};
	struct mapiwire_table *table = NULL;
	int r = open_table(mail, mail->folder_id, &table);
	if (r == 0)
		r = put_rows(&v, table);
	if (r == 0)
		put_foot(&v, mapiwire_table_count(table), "The folder is empty.");
	mapiwire_table_close(&table);
	return finish(&v, r);
}

/* ---- search ---- */

#define MAX_PARTS 16

struct query {
	struct mapiwire_restriction all, parts[MAX_PARTS], text[4], sender[2];
	size_t count;
};

static void add(struct query *q, struct mapiwire_restriction part)
{
	if (q->count < MAX_PARTS)
		q->parts[q->count++] = part;
}

static struct mapiwire_restriction contains(uint32_t tag, const char *text)
{
	return (struct mapiwire_restriction){.kind = MAPIWIRE_CONTAINS, .value = {.tag = tag, .text = text}};
}

/* "2024-03-01" or "2024-03-01 15:30", local time. */
static int parse_day(const char *text, int64_t *ns)
{
	struct tm t = {.tm_isdst = -1};
	const char *end = strptime(text, "%Y-%m-%d", &t);
	if (end && *end)
		end = strptime(end, " %H:%M", &t);
	if (!end || *end)
		return MW_E_INVALID;
	*ns = (int64_t)mktime(&t) * NS_PER_S;
	return 0;
}

static int add_day(struct query *q, const char *option, const char *text, enum mapiwire_relation relation)
{
	int64_t ns;
	if (!text)
		return 0;
	if (parse_day(text, &ns) < 0)
		return cli_usage(mail_command, "--%s takes a day such as 2024-03-01, not '%s'.", option, text);
	add(q, (struct mapiwire_restriction){.kind = MAPIWIRE_COMPARE,
	                                     .relation = relation,
	                                     .value = {.tag = PidTagMessageDeliveryTime, .integer = ns}});
	return 0;
}

/* In subject, sender or body. */
static void add_text(struct query *q, const char *text)
{
	q->text[0] = contains(PidTagSubject, text);
	q->text[1] = contains(PidTagBody, text);
	q->text[2] = contains(PidTagSenderName, text);
	q->text[3] = contains(PidTagSentRepresentingEmailAddress, text);
	add(q, (struct mapiwire_restriction){.kind = MAPIWIRE_OR, .parts = q->text, .count = 4});
}

static int build(struct mail *mail, struct query *q)
{
	static const struct mapiwire_restriction is_read = {.kind = MAPIWIRE_BITS,
	                                                    .value = {.tag = PidTagMessageFlags, .integer = READ}};
	if (mail->word_count > 0)
		add_text(q, mail->words[0]);
	if (mail->subject)
		add(q, contains(PidTagSubject, mail->subject));
	if (mail->from) {
		q->sender[0] = contains(PidTagSenderName, mail->from);
		q->sender[1] = contains(PidTagSentRepresentingEmailAddress, mail->from);
		add(q, (struct mapiwire_restriction){.kind = MAPIWIRE_OR, .parts = q->sender, .count = 2});
	}
	if (mail->unread)
		add(q, (struct mapiwire_restriction){.kind = MAPIWIRE_NOT, .parts = &is_read, .count = 1});
	if (mail->flagged)
		add(q, (struct mapiwire_restriction){.kind = MAPIWIRE_COMPARE,
		                                     .relation = MAPIWIRE_EQ,
		                                     .value = {.tag = PidTagFlagStatus, .integer = FLAGGED}});
	if (mail->attachments)
		add(q, (struct mapiwire_restriction){.kind = MAPIWIRE_COMPARE,
		                                     .relation = MAPIWIRE_EQ,
		                                     .value = {.tag = PidTagHasAttachments, .integer = 1}});
	int code = add_day(q, "since", mail->since, MAPIWIRE_GE);
	if (code == 0)
		code = add_day(q, "before", mail->before, MAPIWIRE_LT);
	if (code == 0 && q->count == 0)
		code = cli_usage(mail_command,
		                 "say what to search for: mail search TEXT, or --from, --subject, --since, "
		                 "--before, --unread, --flagged, --attachments.");
	q->all = (struct mapiwire_restriction){.kind = MAPIWIRE_AND, .parts = q->parts, .count = q->count};
	return code;
}

/* One folder is asked by itself; its rows have the numbers that read takes only in 'list', so here too they are told by
 * their ids. */
static int search_folder(struct view *v, const struct query *q, uint32_t *total)
{
	struct mapiwire_table *table = NULL;
	int r = open_table(v->mail, v->mail->folder_id, &table);
	if (r == 0)
		r = mapiwire_table_restrict(table, &q->all);
	if (r == 0)
		r = put_rows(v, table);
	if (r == 0)
		*total = mapiwire_table_count(table);
	mapiwire_table_close(&table);
	return r;
}

static int search_all(struct view *v, const struct query *q, uint64_t top, uint32_t *total)
{
	struct mapiwire_table *table = NULL;
	uint64_t found = 0;
	int r = mapiwire_search_open(v->mail->store, &top, 1, &q->all, true, SEARCH_TIMEOUT_MS, &found);
	if (r < 0)
		return r;
	r = open_table(v->mail, found, &table);
	if (r == 0)
		r = put_rows(v, table);
	if (r == 0)
		*total = mapiwire_table_count(table);
	mapiwire_table_close(&table);
	int closed = r == 0 ? mapiwire_search_close(v->mail->store, found) : 0;
	return r == 0 ? closed : r;
}

int mail_search(struct mail *mail)
{
	struct query q = {.count = 0};
	struct mail_tree tree = {0};
	struct view v = {.mail = mail, .tree = &tree};
	uint64_t top;
	uint32_t total = 0;
	int code = build(mail, &q);
	if (code != 0)
		return code;
	int r = mapiwire_folder_find(mail->store, "top", &top);
	if (r == 0)
		r = mail_tree(mail, top, &tree);
	if (r == 0)
		r = mail->folder ? search_folder(&v, &q, &total) : search_all(&v, &q, top, &total);
	if (r == 0)
		put_foot(&v, total, "Nothing was found.");
	if (r == 0 && v.no > 0 && !mail->r->json)
		buf_put_str(&v.out, "Read one with: mapiwire mail read ID --folder FOLDER\n");
	return finish(&v, r);
}
