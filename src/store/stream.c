#include "store/stream.h"

#include "base/utf16.h"
#include "store/message_private.h"

#include <stdlib.h>
#include <string.h>

struct store_stream {
	struct store_message *msg;
	uint32_t tag;
	bool writable, dirty;
	uint64_t size, position;
	uint8_t *small; /* STORE_INLINE_MAX bytes, as long as the value is not in chunks */
	bool external;
	bool shared; /* the chunks are the message's: copied before they are written */
	uint64_t value;
	uint8_t *chunk; /* the one in memory */
	uint64_t chunk_number;
	bool chunk_loaded, chunk_dirty;
};

uint64_t store_stream_size(const struct store_stream *s)
{
	return s->size;
}

uint64_t store_stream_position(const struct store_stream *s)
{
	return s->position;
}

/* ---- Opening ---- */

static int load_inline(struct store_stream *s, const struct store_slot *slot)
{
	STORE_ARENA arena = arena_new(0);
	struct store_field f;
	struct mapi_value v;
	int r;

	store_slot_field(slot, &f);
	r = arena ? store_decode(arena, &f, &v) : MW_E_NOMEM;
	if (r < 0)
		return r == MW_E_MALFORMED ? MW_E_IO : r;
	s->size = mapi_tag_type(v.tag) == PTYP_STRING ? utf16_len(v.u.str16) * 2 : v.u.bin.size;
	if (s->size > STORE_INLINE_MAX)
		return MW_E_IO;
	if (s->size > 0)
		memcpy(s->small, mapi_tag_type(v.tag) == PTYP_STRING ? (uint8_t *)v.u.str16 : v.u.bin.data, s->size);
	return 0;
}

static int load(struct store_stream *s, const struct store_slot *slot)
{
	if (!slot->external)
		return load_inline(s, slot);
	s->external = s->shared = true;
	s->value = slot->value;
	s->size = slot->value_size;
	if (s->size > STORE_MAX_VALUE)
		return MW_E_IO;
	s->chunk = malloc(STORE_CHUNK_SIZE);
	return s->chunk ? 0 : MW_E_NOMEM;
}

static void stream_free(struct store_stream *s)
{
	free(s->small);
	free(s->chunk);
	free(s);
}

static bool streams(uint32_t tag)
{
	uint16_t type = mapi_tag_type(tag);

	return type == PTYP_BINARY || type == PTYP_STRING || type == PTYP_OBJECT;
}

int store_stream_open(struct store_message *msg, uint32_t tag, enum store_stream_mode mode, struct store_stream **out)
{
	const struct store_slot *slot = store_bag_slot(&msg->bag, mapi_tag_id(tag));
	struct store_stream *s;
	int r = 0;

	if (!streams(tag))
		return MW_E_INVALID;
	if (mode != STORE_STREAM_READ && (!msg->writable || store_object_refuses(msg->kind, tag)))
		return MW_E_STATE;
	if (mode != STORE_STREAM_CREATE && (!slot || slot->tag != tag))
		return MW_E_NOTFOUND;
	s = calloc(1, sizeof *s);
	if (!s)
		return MW_E_NOMEM;
	*s = (struct store_stream){.msg = msg, .tag = tag, .writable = mode != STORE_STREAM_READ};
	s->dirty = mode == STORE_STREAM_CREATE;
	s->small = malloc(STORE_INLINE_MAX);
	if (!s->small)
		r = MW_E_NOMEM;
	else if (mode != STORE_STREAM_CREATE)
		r = load(s, slot);
	if (r < 0)
		stream_free(s);
	else
		*out = s;
	return r;
}

/* ---- Chunks ---- */

static int flush(struct store_stream *s)
{
	uint64_t begin = s->chunk_number * STORE_CHUNK_SIZE, n;
	int r;

	if (!s->chunk_dirty)
		return 0;
	n = s->size > begin ? s->size - begin : 0;
	n = n < STORE_CHUNK_SIZE ? n : STORE_CHUNK_SIZE;
	r = store_value_write(s->msg->m, s->value, s->chunk_number, s->chunk, n);
	if (r >= 0)
		s->chunk_dirty = false;
	return r;
}

static int need_chunk(struct store_stream *s, uint64_t number)
{
	int r;

	if (s->chunk_loaded && s->chunk_number == number)
		return 0;
	r = flush(s);
	if (r < 0)
		return r;
	s->chunk_loaded = false;
	r = store_value_read(s->msg->m, s->value, number, s->chunk);
	if (r < 0)
		return r;
	s->chunk_loaded = true;
	s->chunk_number = number;
	return 0;
}

/* From memory into chunks. */
static int spill(struct store_stream *s)
{
	uint64_t value;
	int r;

	if (!s->chunk)
		s->chunk = malloc(STORE_CHUNK_SIZE);
	if (!s->chunk)
		return MW_E_NOMEM;
	r = store_value_new(s->msg->m, &value);
	if (r < 0)
		return r;
	memset(s->chunk, 0, STORE_CHUNK_SIZE);
	memcpy(s->chunk, s->small, s->size);
	s->external = true;
	s->shared = false;
	s->value = value;
	s->chunk_loaded = s->chunk_dirty = true;
	s->chunk_number = 0;
	return 0;
}

/* What the message holds stays as it is until the next commit. */
static int own_chunks(struct store_stream *s)
{
	uint64_t value;
	int r;

	if (!s->shared)
		return 0;
	r = store_value_new(s->msg->m, &value);
	if (r >= 0)
		r = store_value_copy(s->msg->m, s->value, value);
	if (r < 0)
		return r;
	s->value = value;
	s->shared = false;
	return 0;
}

static int for_writing(struct store_stream *s, uint64_t end)
{
	if (!s->writable)
		return MW_E_STATE;
	if (end > STORE_MAX_VALUE)
		return MW_E_LIMIT;
	if (s->external)
		return own_chunks(s);
	return end > STORE_INLINE_MAX ? spill(s) : 0;
}

/* ---- Reading and writing ---- */

int store_stream_seek(struct store_stream *s, uint64_t position)
{
	if (position > STORE_MAX_VALUE)
		return MW_E_LIMIT;
	s->position = position;
	return 0;
}

int64_t store_stream_read(struct store_stream *s, void *out, size_t size)
{
	uint64_t left = s->position < s->size ? s->size - s->position : 0;
	uint8_t *to = out;
	size_t want = size < left ? size : (size_t)left, done = 0;

	if (!s->external && want > 0)
		memcpy(to, s->small + s->position, want);
	while (s->external && done < want) {
		uint64_t at = s->position + done, inside = at % STORE_CHUNK_SIZE;
		size_t n = want - done;
		int r = need_chunk(s, at / STORE_CHUNK_SIZE);

		if (r < 0)
			return r;
		n = n < STORE_CHUNK_SIZE - inside ? n : STORE_CHUNK_SIZE - (size_t)inside;
		memcpy(to + done, s->chunk + inside, n);
		done += n;
	}
	s->position += want;
	return (int64_t)want;
}

static int write_chunks(struct store_stream *s, const uint8_t *from, size_t size)
{
	for (size_t done = 0; done < size;) {
		uint64_t at = s->position + done, inside = at % STORE_CHUNK_SIZE;
		size_t n = size - done;
		int r = need_chunk(s, at / STORE_CHUNK_SIZE);

		if (r < 0)
			return r;
		n = n < STORE_CHUNK_SIZE - inside ? n : STORE_CHUNK_SIZE - (size_t)inside;
		memcpy(s->chunk + inside, from + done, n);
		s->chunk_dirty = true;
		done += n;
		if (at + n > s->size)
			s->size = at + n;
	}
	return 0;
}

int store_stream_write(struct store_stream *s, const void *data, size_t size)
{
	int r = size > STORE_MAX_VALUE ? MW_E_LIMIT : for_writing(s, s->position + size);

	if (r < 0 || size == 0)
		return r;
	s->dirty = true;
	if (s->external) {
		r = write_chunks(s, data, size);
		if (r < 0)
			return r;
	} else {
		if (s->position > s->size)
			memset(s->small + s->size, 0, s->position - s->size);
		memcpy(s->small + s->position, data, size);
	}
	s->position += size;
	if (s->position > s->size)
		s->size = s->position;
	return 0;
}

static int shrink_chunks(struct store_stream *s, uint64_t size)
{
	uint64_t whole = size / STORE_CHUNK_SIZE, inside = size % STORE_CHUNK_SIZE;
	int r = flush(s);

	if (r >= 0)
		r = store_value_cut(s->msg->m, s->value, inside ? whole + 1 : whole);
	s->chunk_loaded = false;
	if (r < 0 || inside == 0)
		return r;
	r = need_chunk(s, whole);
	if (r >= 0) {
		memset(s->chunk + inside, 0, STORE_CHUNK_SIZE - inside);
		s->chunk_dirty = true;
	}
	return r;
}

int store_stream_set_size(struct store_stream *s, uint64_t size)
{
	int r = for_writing(s, size);

	if (r >= 0 && s->external && size < s->size)
		r = shrink_chunks(s, size);
	if (r < 0)
		return r;
	if (!s->external && size > s->size)
		memset(s->small + s->size, 0, size - s->size);
	s->size = size;
	s->dirty = true;
	return 0;
}

/* ---- Committing ---- */

static int put_inline(struct store_stream *s)
{
	struct mapi_value v = mapi_bytes(s->tag, s->small, (uint32_t)s->size);
	uint16_t *text;
	int r;

	if (mapi_tag_type(s->tag) != PTYP_STRING)
		return store_bag_put_value(&s->msg->bag, &v);
	text = calloc(s->size / 2 + 1, sizeof *text);
	if (!text)
		return MW_E_NOMEM;
	memcpy(text, s->small, s->size & ~UINT64_C(1));
	v.u.str16 = text;
	r = store_bag_put_value(&s->msg->bag, &v);
	free(text);
	return r;
}

/* A value that has shrunk comes back into memory. */
static int gather(struct store_stream *s)
{
	int r = need_chunk(s, 0);

	if (r < 0)
		return r;
	memcpy(s->small, s->chunk, s->size);
	if (!s->shared)
		(void)!store_value_delete(s->msg->m, s->value);
	s->external = s->shared = s->chunk_loaded = s->chunk_dirty = false;
	return 0;
}

int store_stream_commit(struct store_stream *s)
{
	int r;

	if (!s->writable || !s->dirty)
		return 0;
	r = s->external && s->size <= STORE_INLINE_MAX ? gather(s) : 0;
	if (r >= 0 && s->external)
		r = flush(s);
	if (r < 0)
		return r;
	store_message_forget(s->msg, s->tag);
	r = s->external ? store_bag_put_external(&s->msg->bag, s->tag, s->value, s->size) : put_inline(s);
	if (r < 0)
		return r;
	s->shared = s->external;
	s->dirty = false;
	return 0;
}

int store_stream_close(struct store_stream **stream)
{
	struct store_stream *s = *stream;
	int r;

	*stream = NULL;
	if (!s)
		return 0;
	r = store_stream_commit(s);
	if (s->external && !s->shared)
		(void)!store_value_delete(s->msg->m, s->value);
	stream_free(s);
	return r;
}
