#include "mime/private.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "mime/write.h"

/* Properties to headers: [MS-OXCMAIL] 2.1.3.1, 2.1.3.2. */

#define MAX_KEPT_HEADERS 1000

static const char *text_of(const struct mime_message *m, uint32_t tag)
{
	const struct mapiwire_value *v = mime_find(m->values, m->value_count, tag);
	return v && v->text ? v->text : "";
}

static bool number_of(const struct mime_message *m, uint32_t tag, int64_t *out)
{
	const struct mapiwire_value *v = mime_find(m->values, m->value_count, tag);
	if (v)
		*out = v->integer;
	return v != NULL;
}

/* ---- People ---- */

/* What has no SMTP address is encapsulated, 2.1.3.3.4.2 of [MS-OXCMAIL]:
 * "IMCEAEX-_o=First+20Organization_cn=x@invalid". */
static char *smtp_of(const char *address)
{
	if (strchr(address, '@'))
		return g_strdup(address);
	GString *s = g_string_new("IMCEAEX-");
	for (; *address; address++) {
		if (g_ascii_isalnum(*address) || *address == '-' || *address == '=')
			g_string_append_c(s, *address);
		else if (*address == '/')
			g_string_append_c(s, '_');
		else
			g_string_append_printf(s, "+%02X", (unsigned char)*address);
	}
	g_string_append(s, "@invalid");
	return g_string_free(s, FALSE);
}

static void add_person(InternetAddressList *list, const char *name, const char *address)
{
	char *smtp = smtp_of(address);
	bool named = *name && strcmp(name, address) != 0;
	InternetAddress *a = internet_address_mailbox_new(named ? name : NULL, smtp);
	internet_address_set_charset(a, "utf-8");
	internet_address_list_add(list, a);
	g_object_unref(a);
	g_free(smtp);
}

static const char *first_of(const char *a, const char *b)
{
	return *a ? a : b;
}

static void write_senders(const struct mime_message *m, GMimeMessage *out)
{
	const char *from =
	        first_of(text_of(m, PidTagSentRepresentingSmtpAddress), text_of(m, PidTagSentRepresentingEmailAddress));
	const char *sender = first_of(text_of(m, PidTagSenderSmtpAddress), text_of(m, PidTagSenderEmailAddress));
	const char *name = text_of(m, PidTagSentRepresentingName);
	if (*from)
		add_person(g_mime_message_get_from(out), name, from);
	if (*sender && g_ascii_strcasecmp(sender, from) != 0)
		add_person(*from ? g_mime_message_get_sender(out) : g_mime_message_get_from(out),
		           text_of(m, PidTagSenderName), sender);
}

/* Through lists of their own: a message renders its header anew whenever one of its lists changes. */
static void write_recipients(const struct mime_message *m, GMimeMessage *out)
{
	static const int kinds[] = {MAPIWIRE_TO, MAPIWIRE_CC, MAPIWIRE_BCC};
	for (size_t k = 0; k < G_N_ELEMENTS(kinds); k++) {
		InternetAddressList *list = internet_address_list_new();
		for (size_t i = 0; i < m->recipient_count; i++)
			if ((int)m->recipients[i].kind == kinds[k])
				add_person(list, m->recipients[i].name ? m->recipients[i].name : "",
				           m->recipients[i].address);
		if (internet_address_list_length(list) > 0)
			internet_address_list_append(
			        g_mime_message_get_addresses(out, (GMimeAddressType)(GMIME_ADDRESS_TYPE_TO + (int)k)),
			        list);
		g_object_unref(list);
	}
}

/* A FlatEntryList, [MS-OXCDATA] 2.3.3 */
static int write_replies(const struct mime_message *m, GMimeMessage *out)
{
	const struct mapiwire_value *v = mime_find(m->values, m->value_count, PidTagReplyRecipientEntries);
	const uint8_t *data = v ? (const uint8_t *)v->bytes : NULL;
	size_t left = v ? v->size : 0, at = 8;
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(16 << 20);
	if (!arena)
		return MW_E_NOMEM;
	while (data && left >= 4 && at <= left - 4) {
		uint32_t size = (uint32_t)data[at] | (uint32_t)data[at + 1] << 8 | (uint32_t)data[at + 2] << 16 |
		                (uint32_t)data[at + 3] << 24;
		char *name, *address;
		at += 4;
		if (size > left - at)
			break;
		if (mime_read_one_off(arena, data + at, size, &name, &address) == 0)
			add_person(g_mime_message_get_reply_to(out), name, address);
		at += size;
		at += (4 - at % 4) % 4;
	}
	return 0;
}

/* ---- The others ---- */

static void set(GMimeMessage *out, const char *name, const char *value)
{
	if (*value)
		g_mime_object_set_header(GMIME_OBJECT(out), name, value, "utf-8");
}

static void write_date(const struct mime_message *m, GMimeMessage *out)
{
	int64_t ns = 0;
	if (!number_of(m, PidTagClientSubmitTime, &ns) && !number_of(m, PidTagMessageDeliveryTime, &ns))
		(void)number_of(m, PidTagLastModificationTime, &ns);
	GDateTime *date = g_date_time_new_from_unix_utc(ns / 1000000000);
	if (date)
		g_mime_message_set_date(out, date);
	if (date)
		g_date_time_unref(date);
}

static void write_words(const struct mime_message *m, GMimeMessage *out)
{
	static const char *const importance[] = {"Low", NULL, "High"};
	static const char *const sensitivity[] = {NULL, "Personal", "Private", "Company-Confidential"};
	int64_t n = 1;
	if (number_of(m, PidTagImportance, &n) && n >= 0 && n <= 2 && importance[n])
		set(out, "Importance", importance[n]);
	if (number_of(m, PidTagSensitivity, &n) && n > 0 && n <= 3)
		set(out, "Sensitivity", sensitivity[n]);
	const struct mapiwire_value *index = mime_find(m->values, m->value_count, PidTagConversationIndex);
	if (index && index->bytes && index->size >= 22 && index->size < 4096) {
		char *text = g_base64_encode((const guchar *)index->bytes, index->size);
		set(out, "Thread-Index", text);
		set(out, "Thread-Topic", text_of(m, PidTagConversationTopic));
		g_free(text);
	}
}

static void write_ids(const struct mime_message *m, GMimeMessage *out)
{
	const char *id = text_of(m, PidTagInternetMessageId);
	char *bare = *id ? g_mime_utils_decode_message_id(id) : NULL;
	if (bare && *bare)
		g_mime_message_set_message_id(out, bare);
	g_free(bare);
	set(out, "In-Reply-To", text_of(m, PidTagInReplyToId));
	set(out, "References", text_of(m, PidTagInternetReferences));
}

/* ---- Headers that came with it and stand for no property ---- */

static bool is_own(const char *name, size_t n)
{
	static const char *const own[] = {"from",         "to",
	                                  "cc",           "bcc",
	                                  "subject",      "date",
	                                  "message-id",   "in-reply-to",
	                                  "references",   "sender",
	                                  "reply-to",     "importance",
	                                  "sensitivity",  "thread-topic",
	                                  "thread-index", "mime-version",
	                                  "x-priority",   "x-msmail-priority",
	                                  "priority",     "status",
	                                  "x-status",     "content-length",
	                                  "lines"};
	if (n > 8 && g_ascii_strncasecmp(name, "content-", 8) == 0)
		return true;
	for (size_t i = 0; i < G_N_ELEMENTS(own); i++)
		if (strlen(own[i]) == n && g_ascii_strncasecmp(own[i], name, n) == 0)
			return true;
	return false;
}

static size_t name_length(const char *line)
{
	size_t n = 0;
	while ((unsigned char)line[n] > ' ' && line[n] != ':' && (unsigned char)line[n] < 0x7F && n < 100)
		n++;
	return line[n] == ':' ? n : 0;
}

/* Its value, over all lines that continue it. */
static const char *value_end(const char *p)
{
	for (;;) {
		p += strcspn(p, "\n");
		if (!*p || (p[1] != ' ' && p[1] != '\t'))
			return p;
		p++;
	}
}

static void keep_one(GMimeMessage *out, const char *name, size_t n, const char *value, const char *end)
{
	char *key = g_strndup(name, n), *text = g_strndup(value, (gsize)(end - value));
	for (char *p = text; *p; p++)
		if (*p == '\r' || *p == '\n' || *p == '\t')
			*p = ' ';
	g_mime_object_append_header(GMIME_OBJECT(out), key, g_strstrip(text), "utf-8");
	g_free(key);
	g_free(text);
}

static void keep_headers(const struct mime_message *m, GMimeMessage *out)
{
	const char *p = text_of(m, PidTagTransportMessageHeaders);
	for (unsigned i = 0; *p && i < MAX_KEPT_HEADERS; i++) {
		size_t n = name_length(p);
		const char *end = value_end(p + n);
		if (n > 0 && !is_own(p, n))
			keep_one(out, p, n, p + n + 1, end);
		p = *end ? end + 1 : end;
	}
}

/* ---- All of it ---- */

int mime_build(const struct mime_message *m, int depth, GMimeMessage **made)
{
	GMimeMessage *out = g_mime_message_new(FALSE);
	GMimeObject *body = NULL;
	keep_headers(m, out);
	write_date(m, out);
	write_senders(m, out);
	write_recipients(m, out);
	int r = write_replies(m, out);
	g_mime_message_set_subject(out, text_of(m, PidTagSubject), "utf-8");
	write_ids(m, out);
	write_words(m, out);
	if (r == 0)
		r = mime_build_body(m, depth, &body);
	if (body) {
		g_mime_message_set_mime_part(out, body);
		g_object_unref(body);
	}
	if (r != 0)
		g_object_unref(out);
	else
		*made = out;
	return r;
}

int mime_write(const struct mime_message *m, int fd, enum mime_lines lines)
{
	GMimeMessage *message = NULL;
	int own = dup(fd), r = own < 0 ? MW_E_IO : mime_build(m, 0, &message);
	if (r != 0) {
		if (own >= 0)
			close(own);
		return r;
	}
	GMimeStream *stream = g_mime_stream_fs_new(own);
	GMimeFormatOptions *options = g_mime_format_options_new();
	g_mime_format_options_set_newline_format(options, lines == MIME_CRLF ? GMIME_NEWLINE_FORMAT_DOS
	                                                                     : GMIME_NEWLINE_FORMAT_UNIX);
	errno = 0;
	if (g_mime_object_write_to_stream(GMIME_OBJECT(message), options, stream) < 0 ||
	    g_mime_stream_flush(stream) < 0)
		r = MW_E_IO;
	g_mime_format_options_free(options);
	g_object_unref(stream);
	g_object_unref(message);
	return r;
}
