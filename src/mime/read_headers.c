#include "mime/private.h"

#include <stdlib.h>
#include <string.h>

/* Headers to properties: [MS-OXCMAIL] 2.2.3.1, 2.2.3.2. */

#define MAX_GROUP_DEPTH 4
#define MAX_REFERENCES 32000 /* in bytes */
#define MAX_ID 1000

/* ---- People ---- */

struct person {
	const char *name, *address;
};

/* Anybody of a list, groups opened. Their addresses may be nonsense, but are texts. */
typedef int person_fn(void *user, const struct person *p);
static int each_person(struct arena *arena, InternetAddressList *list, int depth, person_fn *fn, void *user)
{
	int count = list && depth < MAX_GROUP_DEPTH ? internet_address_list_length(list) : 0, r = 0;
	for (int i = 0; r == 0 && i < count; i++) {
		InternetAddress *a = internet_address_list_get_address(list, i);
		if (INTERNET_ADDRESS_IS_GROUP(a)) {
			r = each_person(arena, internet_address_group_get_members(INTERNET_ADDRESS_GROUP(a)), depth + 1,
			                fn, user);
			continue;
		}
		const char *address = internet_address_mailbox_get_addr(INTERNET_ADDRESS_MAILBOX(a));
		const char *name = internet_address_get_name(a);
		if (!address || !*address)
			continue;
		struct person p = {.address = mime_clean(arena, address),
		                   .name = mime_clean(arena, name && *name ? name : address)};
		r = p.address && p.name ? fn(user, &p) : MW_E_NOMEM;
	}
	return r;
}

struct first {
	struct person person;
	bool found;
};

static int take_first(void *user, const struct person *p)
{
	struct first *f = (struct first *)user;
	if (!f->found)
		f->person = *p;
	f->found = true;
	return 0;
}

/* The properties of one who sent: of PidTagSentRepresenting... and PidTagSender..., 2.2.3.1.2, 2.2.3.1.3 */
struct sender_tags {
	uint32_t name, type, address, smtp, entry, key;
};

static int add_sender(struct mime_values *v, const struct sender_tags *t, const struct person *p)
{
	struct buf entry MW_CLEANUP(buf_free) = {0}, key MW_CLEANUP(buf_free) = {0};
	mime_add_text(v, t->name, p->name);
	mime_add_text(v, t->type, "SMTP");
	mime_add_text(v, t->address, p->address);
	mime_add_text(v, t->smtp, p->address);
	int r = mime_put_one_off(&entry, p->name, p->address);
	/* PidTagSearchKey's form: type, colon, address in capitals, NUL ([MS-OXCDATA] 2.2.5, [MS-OXOABK] 2.2.3.5) */
	char *upper = g_ascii_strup(p->address, -1);
	buf_put_str(&key, "SMTP:");
	buf_put_str(&key, upper);
	buf_put_u8(&key, 0);
	g_free(upper);
	if (r == 0 && buf_error(&key) == 0) {
		mime_add_bytes(v, t->entry, entry.data, entry.len);
		mime_add_bytes(v, t->key, key.data, key.len);
	}
	return r == 0 ? buf_error(&key) : r;
}

static const struct sender_tags representing = {PidTagSentRepresentingName,         PidTagSentRepresentingAddressType,
                                                PidTagSentRepresentingEmailAddress, PidTagSentRepresentingSmtpAddress,
                                                PidTagSentRepresentingEntryId,      PidTagSentRepresentingSearchKey};
static const struct sender_tags sending = {PidTagSenderName,        PidTagSenderAddressType, PidTagSenderEmailAddress,
                                           PidTagSenderSmtpAddress, PidTagSenderEntryId,     PidTagSenderSearchKey};

static int read_senders(struct arena *arena, GMimeMessage *source, struct mime_values *v)
{
	struct first from = {.found = false}, sender = {.found = false};
	int r = each_person(arena, g_mime_message_get_from(source), 0, take_first, &from);
	if (r == 0)
		r = each_person(arena, g_mime_message_get_sender(source), 0, take_first, &sender);
	if (r == 0 && from.found)
		r = add_sender(v, &representing, &from.person);
	if (r == 0 && (sender.found || from.found))
		r = add_sender(v, &sending, sender.found ? &sender.person : &from.person);
	return r;
}

/* ---- Recipients: 2.2.3.1.1 ---- */

struct recipients {
	struct arena *arena;
	struct mime_message *out;
	size_t room;
	int kind;
};

static int add_recipient(void *user, const struct person *p)
{
	struct recipients *l = (struct recipients *)user;
	struct mime_message *m = l->out;
	if (m->recipient_count == MIME_MAX_RECIPIENTS)
		return 0;
	if (m->recipient_count == l->room) {
		l->room = l->room ? 2 * l->room : 8;
		struct mapiwire_recipient *list = arena_new_array(l->arena, struct mapiwire_recipient, l->room);
		if (!list)
			return MW_E_NOMEM;
		if (m->recipient_count > 0)
			memcpy(list, m->recipients, m->recipient_count * sizeof *list);
		m->recipients = list;
	}
	struct mapiwire_recipient *r = &m->recipients[m->recipient_count++];
	*r = (struct mapiwire_recipient){.name = p->name, .address = p->address};
	r->kind = l->kind;
	return 0;
}

static int read_recipients(struct arena *arena, GMimeMessage *source, struct mime_message *out)
{
	struct recipients l = {.arena = arena, .out = out, .kind = MAPIWIRE_TO};
	int r = each_person(arena, g_mime_message_get_to(source), 0, add_recipient, &l);
	l.kind = MAPIWIRE_CC;
	if (r == 0)
		r = each_person(arena, g_mime_message_get_cc(source), 0, add_recipient, &l);
	l.kind = MAPIWIRE_BCC;
	return r == 0 ? each_person(arena, g_mime_message_get_bcc(source), 0, add_recipient, &l) : r;
}

/* ---- Reply-To: 2.2.3.1.4, a FlatEntryList of [MS-OXCDATA] 2.3.3 ---- */

struct replies {
	struct buf names, entries;
	uint32_t count;
};

static int add_reply(void *user, const struct person *p)
{
	struct replies *l = (struct replies *)user;
	struct buf entry MW_CLEANUP(buf_free) = {0};
	int r = mime_put_one_off(&entry, p->name, p->address);
	if (r != 0 || l->count == 100)
		return r;
	buf_put_str(&l->names, l->count ? "; " : "");
	buf_put_str(&l->names, p->name);
	buf_put_u32(&l->entries, (uint32_t)entry.len);
	buf_put(&l->entries, entry.data, entry.len);
	buf_align(&l->entries, 4);
	l->count++;
	return buf_error(&l->entries);
}

static int read_replies(struct arena *arena, GMimeMessage *source, struct mime_values *v)
{
	struct replies l = {.count = 0};
	buf_put_u32(&l.entries, 0);
	buf_put_u32(&l.entries, 0);
	int r = each_person(arena, g_mime_message_get_reply_to(source), 0, add_reply, &l);
	buf_put_u8(&l.names, 0);
	if (r == 0 && l.count > 0 && buf_error(&l.names) == 0) {
		buf_poke_u32(&l.entries, 0, l.count);
		buf_poke_u32(&l.entries, 4, (uint32_t)l.entries.len - 8);
		mime_add_text(v, PidTagReplyRecipientNames, (const char *)l.names.data);
		mime_add_bytes(v, PidTagReplyRecipientEntries, l.entries.data, l.entries.len);
	}
	buf_free(&l.names);
	buf_free(&l.entries);
	return r;
}

/* ---- Subject, ids, times ---- */

static const char *header(GMimeMessage *source, const char *name)
{
	return g_mime_object_get_header(GMIME_OBJECT(source), name);
}

/* Unfolded and bounded. */
static void add_header(struct mime_values *v, uint32_t tag, GMimeMessage *source, const char *name)
{
	const char *raw = header(source, name);
	if (!raw)
		return;
	char *text = g_strndup(raw, MAX_REFERENCES);
	for (char *p = text; *p; p++)
		if (*p == '\r' || *p == '\n' || *p == '\t')
			*p = ' ';
	mime_add_text(v, tag, g_strstrip(text));
	g_free(text);
}

/* "<id@host>", with its brackets, whatever stands around it; words without any are no id. */
static void add_id(struct mime_values *v, uint32_t tag, const char *raw)
{
	const char *open = raw ? strchr(raw, '<') : NULL, *close = open ? strchr(open, '>') : NULL;
	if (!close || close - open > MAX_ID)
		return;
	char *id = g_strndup(open, (gsize)(close - open) + 1);
	mime_add_text(v, tag, id);
	g_free(id);
}

/* The subject without "Re: " and such, [MS-OXCMSG] 3.2.5.2: at most three letters and a colon. */
static const char *without_prefix(const char *subject)
{
	size_t n = 0;
	while (n < 4 && g_ascii_isalpha(subject[n]))
		n++;
	if (n == 0 || n > 3 || subject[n] != ':' || subject[n + 1] != ' ')
		return subject;
	return subject + n + 1 + strspn(subject + n + 1, " ");
}

static void read_subject(GMimeMessage *source, struct mime_values *v)
{
	const char *subject = g_mime_message_get_subject(source), *topic = header(source, "Thread-Topic");
	const char *index = header(source, "Thread-Index");
	mime_add_text(v, PidTagSubject, subject);
	/* 2.2.3.2.8, 2.2.3.2.9 */
	char *decoded = topic ? g_mime_utils_header_decode_text(NULL, topic) : NULL;
	mime_add_text(v, PidTagConversationTopic, decoded ? decoded : subject ? without_prefix(subject) : NULL);
	g_free(decoded);
	gsize size = 0;
	guchar *bytes = index && strlen(index) < 4096 ? g_base64_decode(index, &size) : NULL;
	if (bytes && size >= 22)
		mime_add_bytes(v, PidTagConversationIndex, bytes, size);
	g_free(bytes);
}

static bool read_time(GDateTime *date, int64_t *ns)
{
	if (!date)
		return false;
	gint64 seconds = g_date_time_to_unix(date);
	/* What neither a FILETIME nor anybody's mail has. */
	if (seconds < -11644473600 || seconds > 9000000000)
		return false;
	*ns = seconds * 1000000000;
	return true;
}

/* When it was sent is the Date; when it came, what the last of those that handed it on wrote: the first Received. */
static void read_times(GMimeMessage *source, struct mime_values *v)
{
	int64_t sent = 0, came = 0;
	const char *received = header(source, "Received"), *semicolon = received ? strrchr(received, ';') : NULL;
	GDateTime *date = semicolon ? g_mime_utils_header_decode_date(semicolon + 1) : NULL;
	bool has_sent = read_time(g_mime_message_get_date(source), &sent), has_come = read_time(date, &came);
	if (date)
		g_date_time_unref(date);
	if (has_sent)
		mime_add_number(v, PidTagClientSubmitTime, sent);
	if (has_sent || has_come)
		mime_add_number(v, PidTagMessageDeliveryTime, has_come ? came : sent);
}

/* ---- Words that stand for numbers ---- */

struct word {
	const char *text;
	int value;
};

static bool is_word(const char *raw, const struct word *words, int *value)
{
	while (raw && g_ascii_isspace(*raw))
		raw++;
	for (; raw && words->text; words++) {
		size_t n = strlen(words->text);
		if (g_ascii_strncasecmp(raw, words->text, n) == 0 && !g_ascii_isalnum(raw[n]) && raw[n] != '-') {
			*value = words->value;
			return true;
		}
	}
	return false;
}

/* 2.2.3.2.5: Importance before the others. */
static void read_importance(GMimeMessage *source, struct mime_values *v)
{
	static const struct word plain[] = {{"low", 0}, {"normal", 1}, {"high", 2}, {NULL, 0}};
	static const struct word priority[] = {{"non-urgent", 0}, {"normal", 1}, {"urgent", 2}, {NULL, 0}};
	static const struct word number[] = {{"5", 0}, {"4", 0}, {"3", 1}, {"2", 2}, {"1", 2}, {NULL, 0}};
	int value = 1;
	if (is_word(header(source, "Importance"), plain, &value) ||
	    is_word(header(source, "X-Priority"), number, &value) ||
	    is_word(header(source, "X-MSMail-Priority"), plain, &value) ||
	    is_word(header(source, "Priority"), priority, &value))
		mime_add_number(v, PidTagImportance, value);
}

static void read_wishes(GMimeMessage *source, struct mime_values *v)
{
	static const struct word words[] = {{"personal", 1}, {"private", 2}, {"company-confidential", 3}, {NULL, 0}};
	int value = 0;
	if (is_word(header(source, "Sensitivity"), words, &value)) /* 2.2.3.2.7 */
		mime_add_number(v, PidTagSensitivity, value);
	if (header(source, "Disposition-Notification-To"))
		mime_add_number(v, PidTagReadReceiptRequested, 1);
	if (header(source, "Return-Receipt-To"))
		mime_add_number(v, PidTagOriginatorDeliveryReportRequested, 1);
}

/* What a mailbox file says about a message: mfRead, and a flag. */
static void read_status(GMimeMessage *source, struct mime_values *v)
{
	const char *status = header(source, "Status"), *more = header(source, "X-Status");
	mime_add_number(v, PidTagMessageFlags, status && !strchr(status, 'R') ? 0 : MFREAD);
	if (more && strchr(more, 'F'))
		mime_add_number(v, PidTagFlagStatus, 2);
}

/* ---- All headers as they stood ---- */

static void keep_headers(GMimeMessage *source, struct mime_values *v)
{
	GMimeHeaderList *list = g_mime_object_get_header_list(GMIME_OBJECT(source));
	struct buf all MW_CLEANUP(buf_free) = {0};
	int count = g_mime_header_list_get_count(list);
	for (int i = 0; i < count; i++) {
		GMimeHeader *h = g_mime_header_list_get_header_at(list, i);
		const char *name = g_mime_header_get_name(h), *raw = g_mime_header_get_raw_value(h);
		if (!raw || all.len + strlen(name) + strlen(raw) + 3 > MIME_MAX_HEADERS)
			break;
		buf_put_str(&all, name);
		buf_put_u8(&all, ':');
		buf_put_str(&all, raw);
		if (all.len > 0 && all.data[all.len - 1] != '\n')
			buf_put_u8(&all, '\n');
	}
	buf_put_u8(&all, 0);
	if (buf_error(&all) == 0)
		mime_add_text(v, PidTagTransportMessageHeaders, (const char *)all.data);
}

int mime_read_headers(struct arena *arena, GMimeMessage *source, struct mime_values *v, struct mime_message *out)
{
	mime_add_text(v, PidTagMessageClass, "IPM.Note");
	read_subject(source, v);
	int r = read_senders(arena, source, v);
	if (r == 0)
		r = read_recipients(arena, source, out);
	if (r == 0)
		r = read_replies(arena, source, v);
	add_id(v, PidTagInternetMessageId, header(source, "Message-ID"));
	add_id(v, PidTagInReplyToId, header(source, "In-Reply-To"));
	add_header(v, PidTagInternetReferences, source, "References");
	read_times(source, v);
	read_importance(source, v);
	read_wishes(source, v);
	read_status(source, v);
	keep_headers(source, v);
	return r;
}
