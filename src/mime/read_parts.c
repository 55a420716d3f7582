#include "mime/private.h"

#include <string.h>

/* Bodies and attachments: [MS-OXCMAIL] 2.2.3.3, 2.2.3.4. */

struct reading {
	struct arena *arena;
	struct mime_values *v;
	struct mime_message *out;
	struct mime_spool *spool;
	size_t room;
	int depth;        /* messages around this one */
	int level;        /* multiparts around this part */
	struct buf plain; /* texts one behind the other, without a NUL */
	bool has_plain;
	char *html;
	size_t html_size;
	bool bodies_only; /* within a signed part, which is attached as a whole */
};

/* ---- Attachments ---- */

static struct mime_attachment *new_attachment(struct reading *in)
{
	struct mime_message *m = in->out;
	if (m->attachment_count == in->room) {
		in->room = in->room ? 2 * in->room : 8;
		struct mime_attachment *list = arena_new_array(in->arena, struct mime_attachment, in->room);
		if (!list)
			return NULL;
		if (m->attachment_count > 0)
			memcpy(list, m->attachments, m->attachment_count * sizeof *list);
		m->attachments = list;
	}
	struct mime_attachment *a = &m->attachments[m->attachment_count++];
	*a = (struct mime_attachment){.fd = -1};
	return a;
}

static char *type_of(GMimeObject *part)
{
	GMimeContentType *type = g_mime_object_get_content_type(part);
	return type ? g_mime_content_type_get_mime_type(type) : g_strdup("application/octet-stream");
}

/* 2.2.3.4.1.3 */
static void add_name(struct mime_values *v, const char *name)
{
	const char *dot = strrchr(name, '.');
	mime_add_text(v, PidTagAttachLongFilename, name);
	mime_add_text(v, PidTagAttachFilename, name);
	mime_add_text(v, PidTagDisplayName, name);
	if (dot && dot != name && strlen(dot) < 32)
		mime_add_text(v, PidTagAttachExtension, dot);
}

static const char *name_of(GMimeObject *part, const char *type)
{
	const char *name = GMIME_IS_PART(part) ? g_mime_part_get_filename(GMIME_PART(part)) : NULL;
	if (name && *name)
		return name;
	return g_str_has_prefix(type, "message/") ? "message.eml" : "";
}

/* 2.2.3.4.1.4: what the HTML shows in its place is not listed beside it. */
static void add_place(struct mime_values *v, GMimeObject *part, bool related)
{
	const char *id = g_mime_object_get_content_id(part);
	const char *location = g_mime_object_get_header(part, "Content-Location");
	const char *disposition = g_mime_object_get_disposition(part);
	bool in_body =
	        related && (id || location) && !(disposition && g_ascii_strcasecmp(disposition, "attachment") == 0);
	mime_add_text(v, PidTagAttachContentId, id);
	mime_add_text(v, PidTagAttachContentLocation, location);
	mime_add_number(v, PidTagAttachFlags, in_body ? RENDERED_IN_BODY : 0);
	if (in_body)
		mime_add_number(v, PidTagAttachmentHidden, 1);
	mime_add_number(v, PidTagRenderingPosition, -1);
}

static int finish(struct mime_attachment *a, const struct mime_values *v)
{
	a->values = v->list;
	a->value_count = v->count;
	return v->error;
}

/* What has no encoding of its own is written as it stands. */
static int write_out(struct mime_spool *spool, GMimeObject *part)
{
	GMimeObject *inner = part;
	if (GMIME_IS_MESSAGE_PART(part) && g_mime_message_part_get_message(GMIME_MESSAGE_PART(part)))
		inner = GMIME_OBJECT(g_mime_message_part_get_message(GMIME_MESSAGE_PART(part)));
	if (!spool->file)
		spool->file = tmpfile();
	if (!spool->file)
		return MW_E_IO;
	GMimeStream *stream = g_mime_stream_fs_new_with_bounds(fileno(spool->file), spool->end, -1);
	g_mime_stream_fs_set_owner(GMIME_STREAM_FS(stream), FALSE);
	ssize_t n = g_mime_object_write_to_stream(inner, NULL, stream);
	g_object_unref(stream);
	spool->end += n > 0 ? n : 0;
	return n < 0 ? MW_E_IO : 0;
}

static int set_content(struct reading *in, struct mime_attachment *a, GMimeObject *part)
{
	if (GMIME_IS_PART(part)) {
		a->content = part;
		return 0;
	}
	a->start = in->spool->end;
	int r = write_out(in->spool, part);
	a->end = in->spool->end;
	a->fd = in->spool->file ? fileno(in->spool->file) : -1;
	return r;
}

/* As a file, with the bytes as they are once decoded. */
static int attach(struct reading *in, GMimeObject *part, bool related)
{
	struct mime_values v = {.arena = in->arena};
	if (in->bodies_only || in->out->attachment_count == MIME_MAX_PARTS)
		return 0;
	struct mime_attachment *a = new_attachment(in);
	if (!a)
		return MW_E_NOMEM;
	char *type = type_of(part);
	mime_add_number(&v, PidTagAttachMethod, ATTACH_BY_VALUE);
	mime_add_text(&v, PidTagAttachMimeTag, type);
	add_name(&v, name_of(part, type));
	add_place(&v, part, related);
	g_free(type);
	int r = set_content(in, a, part);
	return r == 0 ? finish(a, &v) : r;
}

static int attach_message(struct reading *in, GMimeObject *part)
{
	struct mime_values v = {.arena = in->arena};
	GMimeMessage *inner = g_mime_message_part_get_message(GMIME_MESSAGE_PART(part));
	if (!inner || in->depth >= MIME_MAX_EMBEDDED)
		return attach(in, part, false);
	if (in->bodies_only || in->out->attachment_count == MIME_MAX_PARTS)
		return 0;
	struct mime_message *message = arena_new_of(in->arena, struct mime_message);
	struct mime_attachment *a = message ? new_attachment(in) : NULL;
	if (!a)
		return MW_E_NOMEM;
	size_t index = in->out->attachment_count - 1;
	const char *subject = g_mime_message_get_subject(inner);
	mime_add_number(&v, PidTagAttachMethod, ATTACH_EMBEDDED);
	mime_add_text(&v, PidTagDisplayName, subject && *subject ? subject : "message");
	mime_add_number(&v, PidTagRenderingPosition, -1);
	mime_add_number(&v, PidTagAttachFlags, 0);
	a->message = message;
	int r = finish(a, &v);
	return r == 0 ? mime_read_message(in->arena, inner, in->out->attachments[index].message, in->spool,
	                                  in->depth + 1)
	              : r;
}

/* ---- Bodies ---- */

static bool is_attached(GMimeObject *part)
{
	const char *disposition = g_mime_object_get_disposition(part);
	return disposition && g_ascii_strcasecmp(disposition, "attachment") == 0;
}

static size_t length_of(GMimePart *part)
{
	GMimeDataWrapper *content = g_mime_part_get_content(part);
	GMimeStream *stream = content ? g_mime_data_wrapper_get_stream(content) : NULL;
	gint64 length = stream ? g_mime_stream_length(stream) : -1;
	return length < 0 ? SIZE_MAX : (size_t)length;
}

/* In UTF-8, whatever it says or does not say about its charset; NULs are gone. */
static char *text_of(struct arena *arena, GMimeObject *part)
{
	char *text = g_mime_text_part_get_text(GMIME_TEXT_PART(part));
	/* A charset that nobody knows: the bytes came through as they are. Most of such mail is Western. */
	if (text && !g_utf8_validate(text, -1, NULL)) {
		char *western = g_convert_with_fallback(text, -1, "UTF-8", "WINDOWS-1252", "?", NULL, NULL, NULL);
		if (!western)
			western = g_convert(text, -1, "UTF-8", "ISO-8859-1", NULL, NULL, NULL);
		g_free(text);
		text = western;
	}
	char *copy = text ? mime_clean(arena, text) : arena_strdup(arena, "");
	g_free(text);
	return copy;
}

/* Behind what there is, such as a list's footer behind the text; what is too much is left out. */
static int append(struct buf *body, const char *more)
{
	size_t n = strlen(more);
	if (body->len + n > MIME_MAX_BODY)
		return 0;
	if (body->len > 0 && body->data[body->len - 1] != '\n')
		buf_put_u8(body, '\n');
	buf_put(body, more, n);
	return buf_error(body);
}

static int read_text(struct reading *in, GMimeObject *part, bool related)
{
	GMimeContentType *type = g_mime_object_get_content_type(part);
	bool html = g_mime_content_type_is_type(type, "text", "html");
	bool plain = g_mime_content_type_is_type(type, "text", "plain");
	const char *name = g_mime_part_get_filename(GMIME_PART(part));
	bool named = name && *name && in->level > 0;
	bool free = html ? !in->html : !in->has_plain || !in->html;
	if ((!html && !plain) || is_attached(part) || named || !free || related ||
	    length_of(GMIME_PART(part)) > MIME_MAX_BODY)
		return attach(in, part, related);
	char *text = text_of(in->arena, part);
	if (!text)
		return MW_E_NOMEM;
	if (html) {
		in->html = text;
		in->html_size = strlen(text);
		return 0;
	}
	in->has_plain = true;
	return append(&in->plain, text);
}

/* ---- Trees of parts ---- */

static int read_part(struct reading *in, GMimeObject *part, bool related);

static int read_children(struct reading *in, GMimeMultipart *multipart, bool related)
{
	int count = g_mime_multipart_get_count(multipart), r = 0;
	const char *start = related ? g_mime_object_get_content_type_parameter(GMIME_OBJECT(multipart), "start") : NULL;
	char *id = start ? g_mime_utils_decode_message_id(start) : NULL;
	int root = 0;
	for (int i = 0; id && i < count; i++) {
		const char *own = g_mime_object_get_content_id(g_mime_multipart_get_part(multipart, i));
		if (own && strcmp(own, id) == 0)
			root = i;
	}
	g_free(id);
	in->level++;
	if (related && count > 0)
		r = read_part(in, g_mime_multipart_get_part(multipart, root), false);
	for (int i = 0; r == 0 && i < count; i++)
		if (!related || i != root)
			r = read_part(in, g_mime_multipart_get_part(multipart, i), related);
	in->level--;
	return r;
}

static void set_class(struct mime_values *v, const char *class)
{
	for (size_t i = 0; i < v->count; i++)
		if (v->list[i].tag == PidTagMessageClass)
			v->list[i].text = class;
}

static bool is_smime_signature(GMimeObject *part)
{
	const char *protocol = g_mime_object_get_content_type_parameter(part, "protocol");
	return protocol && (g_ascii_strcasecmp(protocol, "application/pkcs7-signature") == 0 ||
	                    g_ascii_strcasecmp(protocol, "application/x-pkcs7-signature") == 0);
}

/* A signature covers bytes: the whole part is the one attachment, and its texts are there to be read ([MS-OXOSMIME]
 * 2.1.2). */
static int read_signed(struct reading *in, GMimeObject *part)
{
	struct mime_values v = {.arena = in->arena};
	struct mime_attachment *a = new_attachment(in);
	if (!a)
		return MW_E_NOMEM;
	mime_add_number(&v, PidTagAttachMethod, ATTACH_BY_VALUE);
	mime_add_text(&v, PidTagAttachMimeTag, "multipart/signed");
	add_name(&v, "smime.p7m");
	mime_add_number(&v, PidTagRenderingPosition, -1);
	int r = set_content(in, a, part);
	if (r == 0)
		r = finish(a, &v);
	set_class(in->v, "IPM.Note.SMIME.MultipartSigned");
	in->bodies_only = true;
	if (r == 0)
		r = read_children(in, GMIME_MULTIPART(part), false);
	in->bodies_only = false;
	return r;
}

static int read_part(struct reading *in, GMimeObject *part, bool related)
{
	if (!part)
		return 0;
	if (GMIME_IS_MULTIPART(part)) {
		GMimeContentType *type = g_mime_object_get_content_type(part);
		if (in->level >= MIME_MAX_DEPTH)
			return attach(in, part, false);
		if (in->level == 0 && in->depth == 0 && g_mime_content_type_is_type(type, "multipart", "signed") &&
		    is_smime_signature(part))
			return read_signed(in, part);
		return read_children(in, GMIME_MULTIPART(part),
		                     g_mime_content_type_is_type(type, "multipart", "related"));
	}
	if (GMIME_IS_MESSAGE_PART(part))
		return attach_message(in, part);
	return GMIME_IS_TEXT_PART(part) ? read_text(in, part, related) : attach(in, part, related);
}

static bool is_pkcs7(GMimeObject *part)
{
	GMimeContentType *type = part ? g_mime_object_get_content_type(part) : NULL;
	return type && (g_mime_content_type_is_type(type, "application", "pkcs7-mime") ||
	                g_mime_content_type_is_type(type, "application", "x-pkcs7-mime"));
}

/* 2.2.3.3; which of them is the best one, [MS-OXBBODY] 2.1.3.1. HTML alone is told as plain text too. */
static int add_bodies(struct reading *in)
{
	char *plain = NULL;
	if (in->has_plain)
		plain = arena_strndup(in->arena, in->plain.data ? (const char *)in->plain.data : "", in->plain.len);
	else if (in->html)
		plain = mime_text_of_html(in->arena, in->html, in->html_size);
	if (!plain)
		return in->has_plain || in->html ? MW_E_NOMEM : 0;
	mime_add(in->v, (struct mapiwire_value){.tag = PidTagBody, .text = plain});
	if (in->html) {
		mime_add(in->v, (struct mapiwire_value){.tag = PidTagHtml, .bytes = in->html, .size = in->html_size});
		mime_add_number(in->v, PidTagInternetCodepage, UTF8_CODE_PAGE);
	}
	mime_add_number(in->v, PidTagNativeBody, in->html ? 3 : 1);
	return 0;
}

int mime_read_parts(struct arena *arena, GMimeMessage *source, struct mime_values *v, struct mime_message *out,
                    struct mime_spool *spool, int depth)
{
	struct reading in = {.arena = arena, .v = v, .out = out, .spool = spool, .depth = depth};
	GMimeObject *body = g_mime_message_get_mime_part(source);
	if (depth == 0 && is_pkcs7(body))
		set_class(v, "IPM.Note.SMIME");
	int r = read_part(&in, body, false);
	if (r == 0)
		r = add_bodies(&in);
	buf_free(&in.plain);
	return r;
}

/* ---- Contents ---- */

static int drain(GMimeStream *stream, mime_sink *sink, void *user)
{
	char *piece = g_malloc(65536);
	ssize_t n = 0;
	int r = 0;
	/* To read at the end of a bounded stream is an error to GMime. */
	while (r == 0 && !g_mime_stream_eos(stream) && (n = g_mime_stream_read(stream, piece, 65536)) > 0)
		r = sink(user, piece, (size_t)n);
	g_free(piece);
	return r != 0 ? r : n < 0 ? MW_E_IO : 0;
}

static int decode(GMimePart *part, mime_sink *sink, void *user)
{
	GMimeDataWrapper *content = g_mime_part_get_content(part);
	GMimeStream *stream = content ? g_mime_data_wrapper_get_stream(content) : NULL;
	if (!stream)
		return 0;
	(void)g_mime_stream_reset(stream);
	GMimeStream *filtered = g_mime_stream_filter_new(stream);
	GMimeFilter *decoder = g_mime_filter_basic_new(g_mime_data_wrapper_get_encoding(content), FALSE);
	g_mime_stream_filter_add(GMIME_STREAM_FILTER(filtered), decoder);
	int r = drain(filtered, sink, user);
	g_object_unref(decoder);
	g_object_unref(filtered);
	return r;
}

int mime_content(const struct mime_attachment *a, mime_sink *sink, void *user)
{
	if (a->content)
		return decode((GMimePart *)a->content, sink, user);
	if (a->fd < 0)
		return 0;
	GMimeStream *stream = g_mime_stream_fs_new_with_bounds(a->fd, a->start, a->end);
	g_mime_stream_fs_set_owner(GMIME_STREAM_FS(stream), FALSE);
	(void)g_mime_stream_reset(stream);
	int r = drain(stream, sink, user);
	g_object_unref(stream);
	return r;
}
