#include "mime/write.h"

#include <string.h>

/* Bodies and attachments to MIME: [MS-OXCMAIL] 2.1.3.3, 2.1.3.4. */

static const char *text_of(const struct mapiwire_value *values, size_t count, uint32_t tag)
{
	const struct mapiwire_value *v = mime_find(values, count, tag);
	return v && v->text ? v->text : "";
}

static int64_t number_of(const struct mapiwire_value *values, size_t count, uint32_t tag)
{
	const struct mapiwire_value *v = mime_find(values, count, tag);
	return v ? v->integer : 0;
}

/* ---- Texts ---- */

/* Lines end in LF inside; what is written decides how they end outside. */
static GMimeObject *text_part(const char *subtype, const char *charset, const char *text, size_t size)
{
	GByteArray *bytes = g_byte_array_sized_new((guint)size);
	for (size_t i = 0; i < size; i++)
		if (text[i] != '\r' || i + 1 == size || text[i + 1] != '\n')
			g_byte_array_append(bytes, (const guint8 *)&text[i], 1);
	GMimeStream *stream = g_mime_stream_mem_new_with_byte_array(bytes);
	GMimeDataWrapper *content = g_mime_data_wrapper_new_with_stream(stream, GMIME_CONTENT_ENCODING_DEFAULT);
	GMimeTextPart *part = g_mime_text_part_new_with_subtype(subtype);
	g_mime_text_part_set_charset(part, charset);
	g_mime_part_set_content(GMIME_PART(part), content);
	GMimeContentEncoding best =
	        g_mime_part_get_best_content_encoding(GMIME_PART(part), GMIME_ENCODING_CONSTRAINT_7BIT);
	g_mime_part_set_content_encoding(GMIME_PART(part), best);
	g_object_unref(content);
	g_object_unref(stream);
	return GMIME_OBJECT(part);
}

static GMimeObject *join(const char *subtype, GMimeObject *first, GMimeObject *second)
{
	if (!first || !second)
		return first ? first : second;
	GMimeMultipart *both = g_mime_multipart_new_with_subtype(subtype);
	g_mime_multipart_add(both, first);
	g_mime_multipart_add(both, second);
	g_object_unref(first);
	g_object_unref(second);
	return GMIME_OBJECT(both);
}

/* A message that has RTF alone, as old clients wrote them: what can be told of it. */
static int from_rtf(const struct mime_message *m, struct arena *arena, GMimeObject **plain, GMimeObject **html)
{
	const struct mapiwire_value *v = mime_find(m->values, m->value_count, PidTagRtfCompressed);
	char *rtf = NULL, *text = NULL;
	size_t size = 0;
	bool is_html = false;
	if (!v || !v->bytes || mime_unpack_rtf(arena, (const uint8_t *)v->bytes, v->size, &rtf, &size) < 0)
		return 0;
	int r = mime_text_of_rtf(arena, rtf, size, &is_html, &text);
	if (r < 0)
		return r == MW_E_NOMEM ? r : 0;
	*(is_html ? html : plain) = text_part(is_html ? "html" : "plain", "utf-8", text, strlen(text));
	return 0;
}

static int texts(const struct mime_message *m, GMimeObject **made)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new((size_t)256 << 20);
	const struct mapiwire_value *body = mime_find(m->values, m->value_count, PidTagBody);
	const struct mapiwire_value *html = mime_find(m->values, m->value_count, PidTagHtml);
	GMimeObject *plain = NULL, *marked = NULL;
	const char *charset = mime_charset((uint32_t)number_of(m->values, m->value_count, PidTagInternetCodepage));
	if (!arena)
		return MW_E_NOMEM;
	if (html && html->text)
		marked = text_part("html", "utf-8", html->text, strlen(html->text));
	else if (html && html->bytes)
		marked = text_part("html", charset ? charset : "utf-8", (const char *)html->bytes, html->size);
	if (body && body->text && (*body->text || !marked))
		plain = text_part("plain", "utf-8", body->text, strlen(body->text));
	int r = marked || (plain && *body->text) ? 0 : from_rtf(m, arena, &plain, &marked);
	*made = join("alternative", plain, marked);
	return r;
}

/* ---- Attachments ---- */

static GMimeObject *file_part(const struct mime_attachment *a)
{
	const char *type = text_of(a->values, a->value_count, PidTagAttachMimeTag), *slash = strchr(type, '/');
	bool plausible = slash && slash != type && slash[1] && strcspn(type, " \t\r\n;\"(),:<>@[]") == strlen(type) &&
	                 !g_str_has_prefix(type, "multipart/") && !g_str_has_prefix(type, "message/");
	char *main = plausible ? g_strndup(type, (gsize)(slash - type)) : g_strdup("application");
	GMimePart *part = g_mime_part_new_with_type(main, plausible ? slash + 1 : "octet-stream");
	g_free(main);
	return GMIME_OBJECT(part);
}

/* Several attachments share a file. */
static GMimeStream *open_file(const struct mime_attachment *a)
{
	if (a->fd < 0)
		return g_mime_stream_mem_new();
	GMimeStream *stream = g_mime_stream_fs_new_with_bounds(a->fd, a->start, a->end);
	g_mime_stream_fs_set_owner(GMIME_STREAM_FS(stream), FALSE);
	return stream;
}

static void set_file(GMimeObject *part, const struct mime_attachment *a)
{
	GMimeStream *stream = open_file(a);
	GMimeDataWrapper *content = g_mime_data_wrapper_new_with_stream(stream, GMIME_CONTENT_ENCODING_DEFAULT);
	g_mime_part_set_content(GMIME_PART(part), content);
	g_mime_part_set_content_encoding(GMIME_PART(part), GMIME_CONTENT_ENCODING_BASE64);
	g_object_unref(content);
	g_object_unref(stream);
}

/* 2.1.3.4.1.2: by its flag, or because the HTML can only mean it by its id. */
static bool is_inline(const struct mime_attachment *a)
{
	bool placed = *text_of(a->values, a->value_count, PidTagAttachContentId) ||
	              *text_of(a->values, a->value_count, PidTagAttachContentLocation);
	return placed && !a->message && number_of(a->values, a->value_count, PidTagAttachFlags) & RENDERED_IN_BODY;
}

static void set_place(GMimeObject *part, const struct mime_attachment *a)
{
	const char *id = text_of(a->values, a->value_count, PidTagAttachContentId);
	const char *location = text_of(a->values, a->value_count, PidTagAttachContentLocation);
	const char *name = text_of(a->values, a->value_count, PidTagAttachLongFilename);
	if (!*name)
		name = text_of(a->values, a->value_count, PidTagAttachFilename);
	g_mime_object_set_disposition(part, is_inline(a) ? GMIME_DISPOSITION_INLINE : GMIME_DISPOSITION_ATTACHMENT);
	if (*id)
		g_mime_object_set_content_id(part, id);
	if (*location)
		g_mime_object_set_header(part, "Content-Location", location, "utf-8");
	if (*name && GMIME_IS_PART(part))
		g_mime_part_set_filename(GMIME_PART(part), name);
}

static int build_attachment(const struct mime_attachment *a, int depth, GMimeObject **made)
{
	GMimeMessage *inner = NULL;
	if (a->message && depth < MIME_MAX_EMBEDDED) {
		int r = mime_build(a->message, depth + 1, &inner);
		if (r != 0)
			return r;
		*made = GMIME_OBJECT(g_mime_message_part_new_with_message("rfc822", inner));
		g_object_unref(inner);
	} else {
		*made = file_part(a);
		set_file(*made, a);
	}
	set_place(*made, a);
	return 0;
}

/* ---- S/MIME: the one attachment is the body, [MS-OXOSMIME] 2.1.1, 2.1.2 ---- */

static GMimeObject *parse_part(const struct mime_attachment *a)
{
	GMimeStream *stream = open_file(a);
	(void)g_mime_stream_reset(stream);
	GMimeParser *parser = g_mime_parser_new_with_stream(stream);
	GMimeObject *part = g_mime_parser_construct_part(parser, NULL);
	g_object_unref(parser);
	g_object_unref(stream);
	return part;
}

static GMimeObject *smime_body(const struct mime_message *m)
{
	const char *class = text_of(m->values, m->value_count, PidTagMessageClass);
	if (!g_str_has_prefix(class, "IPM.Note.SMIME") || m->attachment_count != 1 || m->attachments[0].fd < 0)
		return NULL;
	if (strcmp(class, "IPM.Note.SMIME.MultipartSigned") == 0)
		return parse_part(&m->attachments[0]);
	GMimeObject *part = file_part(&m->attachments[0]);
	set_file(part, &m->attachments[0]);
	set_place(part, &m->attachments[0]);
	return part;
}

/* ---- All of it ---- */

static void add_to(GMimeObject **tree, GMimeMultipart **into, const char *subtype, GMimeObject *part)
{
	if (!*into) {
		*into = g_mime_multipart_new_with_subtype(subtype);
		if (*tree) {
			g_mime_multipart_add(*into, *tree);
			g_object_unref(*tree);
		}
		*tree = GMIME_OBJECT(*into);
	}
	g_mime_multipart_add(*into, part);
	g_object_unref(part);
}

static int add_attachments(const struct mime_message *m, int depth, bool in_body, const char *subtype,
                           GMimeObject **tree)
{
	GMimeMultipart *into = NULL;
	int r = 0;
	for (size_t i = 0; r == 0 && i < m->attachment_count; i++) {
		GMimeObject *part = NULL;
		if (is_inline(&m->attachments[i]) != in_body)
			continue;
		r = build_attachment(&m->attachments[i], depth, &part);
		if (r == 0)
			add_to(tree, &into, subtype, part);
	}
	return r;
}

int mime_build_body(const struct mime_message *m, int depth, GMimeObject **made)
{
	GMimeObject *tree = smime_body(m);
	int r = 0;
	if (tree) {
		*made = tree;
		return 0;
	}
	r = texts(m, &tree);
	if (r == 0)
		r = add_attachments(m, depth, true, "related", &tree);
	if (r == 0)
		r = add_attachments(m, depth, false, "mixed", &tree);
	if (r == 0 && !tree)
		tree = text_part("plain", "utf-8", "", 0);
	if (r != 0 && tree)
		g_object_unref(tree);
	else
		*made = tree;
	return r;
}
