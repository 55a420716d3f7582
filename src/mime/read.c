#include "mime/private.h"

#include <string.h>
#include <unistd.h>

#define ARENA_LIMIT ((size_t)512 << 20)

void mime_begin(void)
{
	g_mime_init();
}

/* ---- Lists of values ---- */

void mime_add(struct mime_values *v, struct mapiwire_value value)
{
	if (v->error == 0 && v->count == v->room) {
		size_t room = v->room ? 2 * v->room : 32;
		struct mapiwire_value *list = arena_new_array(v->arena, struct mapiwire_value, room);
		if (!list) {
			v->error = MW_E_NOMEM;
			return;
		}
		if (v->count > 0)
			memcpy(list, v->list, v->count * sizeof *list);
		v->list = list;
		v->room = room;
	}
	if (v->error == 0)
		v->list[v->count++] = value;
}

void mime_add_number(struct mime_values *v, uint32_t tag, int64_t number)
{
	mime_add(v, (struct mapiwire_value){.tag = tag, .integer = number});
}

char *mime_clean(struct arena *arena, const char *text)
{
	char *valid = g_utf8_make_valid(text, -1);
	char *copy = arena_strdup(arena, valid);
	g_free(valid);
	return copy;
}

void mime_add_text(struct mime_values *v, uint32_t tag, const char *text)
{
	if (!text || !*text || v->error != 0)
		return;
	char *copy = mime_clean(v->arena, text);
	if (!copy)
		v->error = MW_E_NOMEM;
	mime_add(v, (struct mapiwire_value){.tag = tag, .text = copy});
}

void mime_add_bytes(struct mime_values *v, uint32_t tag, const void *data, size_t size)
{
	void *copy = v->error == 0 ? arena_copy(v->arena, data, size) : NULL;
	if (!copy && v->error == 0)
		v->error = MW_E_NOMEM;
	mime_add(v, (struct mapiwire_value){.tag = tag, .bytes = copy, .size = size});
}

const struct mapiwire_value *mime_find(const struct mapiwire_value *values, size_t count, uint32_t tag)
{
	for (size_t i = 0; i < count; i++)
		if (mapi_tag_id(values[i].tag) == mapi_tag_id(tag) && mapi_tag_type(values[i].tag) != PTYP_ERROR_CODE &&
		    mapi_tag_type(values[i].tag) != PTYP_NULL)
			return &values[i];
	return NULL;
}

/* ---- A message ---- */

int mime_read_message(struct arena *arena, GMimeMessage *source, struct mime_message *out, struct mime_spool *spool,
                      int depth)
{
	struct mime_values v = {.arena = arena};
	int r = mime_read_headers(arena, source, &v, out);
	if (r == 0)
		r = mime_read_parts(arena, source, &v, out, spool, depth);
	if (r == 0)
		r = v.error;
	out->values = v.list;
	out->value_count = v.count;
	return r;
}

/* Attachments stay in the source's stream; GMime remembers where. */
static GMimeStream *open_source(const struct mime_source *source)
{
	if (source->data) {
		GMimeStream *stream = g_mime_stream_mem_new();
		GByteArray *bytes = g_byte_array_new();
		g_byte_array_append(bytes, (const guint8 *)source->data, (guint)source->size);
		g_mime_stream_mem_set_byte_array(GMIME_STREAM_MEM(stream), bytes);
		g_mime_stream_mem_set_owner(GMIME_STREAM_MEM(stream), TRUE);
		return stream;
	}
	int fd = dup(source->fd);
	if (fd < 0)
		return NULL;
	(void)lseek(fd, 0, SEEK_SET);
	return g_mime_stream_fs_new(fd);
}

static GMimeMessage *parse(const struct mime_source *source)
{
	static const char *const fallback[] = {"utf-8", "windows-1252", NULL};
	GMimeStream *stream = open_source(source);
	if (!stream)
		return NULL;
	GMimeParser *parser = g_mime_parser_new_with_stream(stream);
	GMimeParserOptions *options = g_mime_parser_options_new();
	g_mime_parser_set_format(parser, GMIME_FORMAT_MESSAGE);
	g_mime_parser_set_persist_stream(parser, TRUE);
	g_mime_parser_options_set_fallback_charsets(options, (const char **)fallback);
	GMimeMessage *message = g_mime_parser_construct_message(parser, options);
	g_mime_parser_options_free(options);
	g_object_unref(parser);
	g_object_unref(stream);
	return message;
}

int mime_parse(const struct mime_source *source, struct mime_parsed **out)
{
	struct arena *arena = arena_new(ARENA_LIMIT);
	struct mime_parsed *p = arena ? arena_new_of(arena, struct mime_parsed) : NULL;
	if (!p) {
		arena_free(&arena);
		return MW_E_NOMEM;
	}
	p->arena = arena;
	p->source = source->data && source->size > G_MAXINT ? NULL : parse(source);
	int r = p->source ? mime_read_message(arena, p->source, &p->message, &p->spool, 0) : MW_E_MALFORMED;
	if (r != 0)
		mime_parsed_free(&p);
	else
		*out = p;
	return r;
}

const struct mime_message *mime_parsed_message(const struct mime_parsed *p)
{
	return &p->message;
}

void mime_parsed_free(struct mime_parsed **parsed)
{
	struct mime_parsed *p = TAKE_PTR(*parsed);
	if (!p)
		return;
	struct arena *arena = p->arena;
	if (p->source)
		g_object_unref(p->source);
	if (p->spool.file)
		fclose(p->spool.file);
	arena_free(&arena);
}
