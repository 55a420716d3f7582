#include "server/emsmdb/rop.h"

#include "mapi/code_page.h"

#include <stdlib.h>
#include <string.h>

/*
 * A stream on a text as PTYP_STRING8: the store keeps texts as PTYP_STRING, so the bytes in the client's code page are
 * held here until they are committed. Clients that do not speak Unicode read and write bodies so.
 */
#define MAX_TEXT ((size_t)8 << 20) /* bytes in the code page */

struct emsmdb_text {
	struct store_message *message;
	uint32_t tag; /* as PTYP_STRING */
	uint32_t code_page;
	bool writable, dirty;
	struct buf bytes;
	size_t at;
};

static int read_all(struct store_stream *s, struct arena *arena, uint16_t **out)
{
	uint64_t size = store_stream_size(s);
	if (size > MAX_TEXT * 2)
		return MW_E_LIMIT;
	uint16_t *text = (uint16_t *)arena_alloc(arena, (size_t)size + 2);
	int64_t n = text ? store_stream_read(s, text, (size_t)size) : MW_E_NOMEM;
	if (n < 0)
		return (int)n;
	*out = text;
	return 0;
}

static int load(struct emsmdb_text *t, struct arena *arena, enum store_stream_mode mode)
{
	struct store_stream *s;
	uint16_t *text = NULL;
	char *bytes;
	int r = store_stream_open(t->message, t->tag, mode, &s);
	if (r < 0)
		return r;
	r = read_all(s, arena, &text);
	int closed = store_stream_close(&s);
	if (r < 0 || closed < 0)
		return r < 0 ? r : closed;
	bytes = code_page_from_utf16(arena, t->code_page, text);
	if (!bytes)
		return MW_E_NOMEM;
	t->bytes.max = MAX_TEXT;
	buf_put(&t->bytes, bytes, strlen(bytes));
	return buf_error(&t->bytes);
}

int emsmdb_text_open(struct rop_call *rop, uint32_t tag, enum store_stream_mode mode, struct emsmdb_text **out)
{
	struct emsmdb_text *t = (struct emsmdb_text *)calloc(1, sizeof *t);
	if (!t)
		return MW_E_NOMEM;
	t->message = rop->in->u.message;
	t->tag = mapi_tag_as(tag, PTYP_STRING);
	t->code_page = rop_code_page(rop, rop->in);
	t->writable = mode != STORE_STREAM_READ;
	int r = load(t, rop->arena, mode);
	if (r < 0) {
		buf_free(&t->bytes);
		free(t);
		return r;
	}
	*out = t;
	return 0;
}

size_t emsmdb_text_size(const struct emsmdb_text *t)
{
	return t->bytes.len;
}

size_t emsmdb_text_read(struct emsmdb_text *t, void *out, size_t size)
{
	size_t left = t->at < t->bytes.len ? t->bytes.len - t->at : 0;
	size = size < left ? size : left;
	if (size > 0)
		memcpy(out, t->bytes.data + t->at, size);
	t->at += size;
	return size;
}

int emsmdb_text_write(struct emsmdb_text *t, const void *data, size_t size)
{
	if (!t->writable)
		return MW_E_STATE;
	if (t->at > t->bytes.len && size > 0) {
		int r = buf_put_zero(&t->bytes, t->at - t->bytes.len);
		if (r < 0)
			return r;
	}
	if (size == 0)
		return 0;
	size_t over = t->bytes.len - t->at < size ? t->bytes.len - t->at : size;
	if (size - over > MAX_TEXT - t->bytes.len)
		return MW_E_LIMIT;
	if (over > 0)
		memcpy(t->bytes.data + t->at, data, over);
	buf_put(&t->bytes, (const uint8_t *)data + over, size - over);
	if (buf_error(&t->bytes) < 0)
		return buf_error(&t->bytes);
	t->at += size;
	t->dirty = true;
	return 0;
}

size_t emsmdb_text_position(const struct emsmdb_text *t)
{
	return t->at;
}

int emsmdb_text_seek(struct emsmdb_text *t, uint64_t position)
{
	if (position > MAX_TEXT)
		return MW_E_LIMIT;
	t->at = (size_t)position;
	return 0;
}

int emsmdb_text_set_size(struct emsmdb_text *t, uint64_t size)
{
	if (!t->writable)
		return MW_E_STATE;
	if (size > MAX_TEXT)
		return MW_E_LIMIT;
	if (size > t->bytes.len) {
		int r = buf_put_zero(&t->bytes, (size_t)size - t->bytes.len);
		if (r < 0)
			return r;
	}
	t->bytes.len = (size_t)size;
	t->dirty = true;
	return 0;
}

int emsmdb_text_commit(struct emsmdb_text *t)
{
	MW_CLEANUP(arena_cleanup) struct arena *arena = t->dirty ? arena_new(8 * MAX_TEXT) : NULL;
	struct store_stream *s;
	if (!t->dirty)
		return 0;
	char *bytes = arena ? arena_strndup(arena, (const char *)t->bytes.data, t->bytes.len) : NULL;
	uint16_t *text = bytes ? code_page_to_utf16(arena, t->code_page, bytes) : NULL;
	if (!text)
		return MW_E_NOMEM;
	int r = store_stream_open(t->message, t->tag, STORE_STREAM_CREATE, &s);
	if (r < 0)
		return r;
	r = store_stream_write(s, text, utf16_len(text) * 2);
	int closed = store_stream_close(&s);
	t->dirty = r < 0 || closed < 0;
	return r < 0 ? r : closed;
}

int emsmdb_text_close(struct emsmdb_text **text)
{
	struct emsmdb_text *t = *text;
	*text = NULL;
	if (!t)
		return 0;
	int r = emsmdb_text_commit(t);
	buf_free(&t->bytes);
	free(t);
	return r;
}
