#include "cli/mail.h"

#include "base/text.h"
#include "base/time.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The way to the mailbox, and to the messages that are meant. */

static int find_port(struct mail *mail, const char *name, uint16_t *port)
{
	struct mapiwire_interface interface;
	int r = mapiwire_interface_named(name, &interface);
	return r < 0 ? r : mapiwire_map(mail->r->m, &interface, port);
}

static char *copy_text(struct mail *mail, const struct mapiwire_rows *rows, uint32_t tag)
{
	return arena_strdup(mail->r->arena, mail_text(rows, 0, tag));
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

int mail_open_store(struct mail *mail, struct mapiwire_store **out)
{
	return mapiwire_store_open(mail->r->m, mail->port, mail->dn, out);
}

int mail_open(struct mail *mail)
{
	int r = find_user(mail);
	if (r == 0)
		r = find_port(mail, "store", &mail->port);
	if (r == 0)
		r = mail_open_store(mail, &mail->store);
	if (r == 0)
		r = mapiwire_folder_find(mail->store, mail->folder ? mail->folder : "inbox", &mail->folder_id);
	return r;
}

int mail_fail(const struct mail *mail)
{
	return cli_remote_fail(mail_command, mail->r);
}

/* ---- What rows say ---- */

const char *mail_text(const struct mapiwire_rows *rows, size_t row, uint32_t tag)
{
	const struct mapiwire_value *v = mapiwire_row_find(rows, row, tag);
	return v && v->text ? v->text : "";
}

int64_t mail_number(const struct mapiwire_rows *rows, size_t row, uint32_t tag)
{
	const struct mapiwire_value *v = mapiwire_row_find(rows, row, tag);
	return v ? v->integer : 0;
}

int64_t mail_date(const struct mapiwire_rows *rows, size_t row)
{
	int64_t ns = mail_number(rows, row, PidTagMessageDeliveryTime);
	return ns ? ns : mail_number(rows, row, PidTagLastModificationTime);
}

const char *mail_sender(const struct mapiwire_rows *rows, size_t row)
{
	const char *name = mail_text(rows, row, PidTagSenderName);
	return *name ? name : mail_text(rows, row, PidTagSentRepresentingName);
}

void mail_local_time(int64_t ns, char out[20])
{
	time_t seconds = (time_t)(ns / NS_PER_S);
	struct tm t;
	if (ns == 0 || !localtime_r(&seconds, &t) || strftime(out, 20, "%Y-%m-%d %H:%M", &t) == 0)
		snprintf(out, 20, "-");
}

void mail_size_text(int64_t bytes, char out[24])
{
	if (bytes < 1000)
		snprintf(out, 24, "%lld B", (long long)bytes);
	else if (bytes < 1000000)
		snprintf(out, 24, "%.1f kB", (double)bytes / 1e3);
	else
		snprintf(out, 24, "%.1f MB", (double)bytes / 1e6);
}

const char *mail_plural(uint64_t count, const char *one, const char *many, char out[64])
{
	char digits[32];
	int n = snprintf(digits, sizeof digits, "%llu", (unsigned long long)count);
	size_t at = 0;
	for (int i = 0; i < n; i++) {
		if (i > 0 && (n - i) % 3 == 0)
			out[at++] = ',';
		out[at++] = digits[i];
	}
	snprintf(out + at, 64 - at, " %s", count == 1 ? one : many);
	return out;
}

/* ---- Which messages ---- */

#define MAX_RANGES 10000
#define ID_DIGITS 16

struct range {
	unsigned first, last;
};

struct wanted {
	struct range *ranges;
	size_t range_count;
	uint64_t *ids; /* named by themselves */
	size_t id_count, id_room;
	bool all;
};

static bool parse_id(const char *text, size_t len, uint64_t *id)
{
	char *end;
	char copy[ID_DIGITS + 1];
	if (len != ID_DIGITS || strspn(text, "0123456789abcdefABCDEF") < ID_DIGITS)
		return false;
	memcpy(copy, text, ID_DIGITS);
	copy[ID_DIGITS] = 0;
	*id = strtoull(copy, &end, 16);
	return *id != 0;
}

static bool parse_range(const char *text, size_t len, struct range *out)
{
	char copy[32], rest;
	if (len == 0 || len >= sizeof copy || strspn(text, "0123456789-") < len)
		return false;
	memcpy(copy, text, len);
	copy[len] = 0;
	if (sscanf(copy, "%9u-%9u%c", &out->first, &out->last, &rest) == 2)
		return out->first > 0 && out->first <= out->last;
	out->last = 0;
	if (sscanf(copy, "%9u%c", &out->first, &rest) != 1 || out->first == 0)
		return false;
	out->last = out->first;
	return true;
}

/* Each part of "1,4-6" to each; false: one of them means nothing. */
static bool each_part(const char *word, struct wanted *w)
{
	for (;;) {
		size_t len = strcspn(word, ",");
		struct range range;
		uint64_t id;
		if (len == 3 && memcmp(word, "all", 3) == 0) {
			if (w)
				w->all = true;
		} else if (parse_id(word, len, &id)) {
			if (w && w->id_count < w->id_room)
				w->ids[w->id_count++] = id;
		} else if (!parse_range(word, len, &range)) {
			return false;
		} else if (w && w->range_count < MAX_RANGES) {
			w->ranges[w->range_count++] = range;
		}
		if (!word[len])
			return true;
		word += len + 1;
	}
}

bool mail_names_messages(const char *word)
{
	return each_part(word, NULL);
}

static bool is_wanted(const struct wanted *w, unsigned no)
{
	for (size_t i = 0; i < w->range_count; i++)
		if (no >= w->ranges[i].first && no <= w->ranges[i].last)
			return true;
	return w->all;
}

static unsigned last_wanted(const struct wanted *w)
{
	unsigned last = w->all ? UINT32_MAX : 0;
	for (size_t i = 0; i < w->range_count; i++)
		if (w->ranges[i].last > last)
			last = w->ranges[i].last;
	return last;
}

/* The rows in the order of 'list', as far as numbers reach. */
static int collect(struct mail *mail, const struct wanted *w, struct mapiwire_table *table, struct mail_messages *out)
{
	struct mapiwire_rows rows = {0};
	unsigned no = 0, last = last_wanted(w);
	size_t count = 1;
	int r = 0;
	while (count > 0 && no < last && (r = mapiwire_table_read(table, 1000, &rows)) == 0) {
		count = rows.count;
		uint64_t *ids = arena_new_array(mail->r->arena, uint64_t, out->count + count);
		if (!ids) {
			mapiwire_rows_free(&rows);
			return MAPIWIRE_E_MEMORY;
		}
		if (out->count > 0)
			memcpy(ids, out->ids, out->count * sizeof *ids);
		out->ids = ids;
		for (size_t i = 0; i < count; i++)
			if (is_wanted(w, ++no))
				out->ids[out->count++] = (uint64_t)mail_number(&rows, i, PidTagMid);
		mapiwire_rows_free(&rows);
	}
	return r;
}

static int look_up(struct mail *mail, const struct wanted *w, struct mail_messages *out)
{
	static const uint32_t tags[] = {PidTagMid};
	struct mapiwire_table *table = NULL;
	*out = (struct mail_messages){w->ids, w->id_count};
	if (!w->all && w->range_count == 0)
		return 0;
	int r = mapiwire_table_open(mail->store, mail->folder_id, MAPIWIRE_MESSAGES, tags, ARRAY_SIZE(tags),
	                            PidTagMessageDeliveryTime, true, &table);
	if (r == 0)
		r = collect(mail, w, table, out);
	mapiwire_table_close(&table);
	return r;
}

int mail_find(struct mail *mail, size_t end, struct mail_messages *out)
{
	struct wanted w = {.id_room = 10000};
	w.ids = arena_new_array(mail->r->arena, uint64_t, w.id_room);
	w.ranges = arena_new_array(mail->r->arena, struct range, MAX_RANGES);
	if (!w.ids || !w.ranges)
		return cli_fail(mail_command, CLI_EXIT_FAILED, "out of memory.");
	for (size_t i = 0; i < end; i++)
		if (!each_part(mail->words[i], &w))
			return cli_usage(mail_command,
			                 "'%s' names no messages: say 3, 3-7, 1,4 or all, as 'list' numbers them.",
			                 mail->words[i]);
	if (look_up(mail, &w, out) < 0)
		return mail_fail(mail);
	if (out->count == 0)
		return w.all ? cli_usage(mail_command, "the folder is empty.")
		             : cli_usage(mail_command, "there is no message %s: 'mapiwire mail list' numbers them.",
		                         mail->words[0]);
	return 0;
}

int mail_open_one(struct mail *mail, const char *word, struct mapiwire_message **out)
{
	struct mail one = *mail;
	struct mail_messages found = {0};
	one.words = &word;
	one.word_count = 1;
	int code = mail_find(&one, 1, &found);
	if (code == 0 && found.count != 1)
		return cli_usage(mail_command, "'%s' is more than one message; name one.", word);
	if (code == 0 && mapiwire_message_open(mail->store, mail->folder_id, found.ids[0], out) < 0)
		return mail_fail(mail);
	return code;
}
