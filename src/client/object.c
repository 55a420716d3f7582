#include "client/store.h"

#include <stdlib.h>
#include <string.h>

/* Properties of an open object: [MS-OXCPRPT] 3.1.4. */

static int get(struct client_rops *b, uint32_t handle, const uint32_t *tags, size_t count, const struct mapi_row **row)
{
	const void *answer = NULL;
	const struct RopGetPropertiesSpecificRequest q = {
	        .InputHandleIndex = client_rops_handle(b, handle),
	        .WantUnicode = 1,
	        .PropertyTagCount = (uint16_t)count,
	        .PropertyTags = (uint32_t *)tags,
	};
	client_rops_add(b, ROP_GET_PROPERTIES_SPECIFIC, &q);
	int r = client_rops_run(b);
	if (r == 0)
		r = client_rops_answer(b, ROP_GET_PROPERTIES_SPECIFIC, &answer);
	if (r != 0)
		return r;
	*row = &((const struct RopGetPropertiesSpecificResponse *)answer)->RowData;
	if ((*row)->count != count)
		return client_fail_on(b->store->m, MAPIWIRE_E_PROTOCOL, CAUSE_PROTOCOL_ERROR,
		                      "RopGetPropertiesSpecific answers %u of %zu properties", (*row)->count, count);
	return 0;
}

/* A value, read as a stream where it does not fit into an answer. */
static int put(struct mapiwire_store *s, uint32_t handle, uint32_t tag, struct arena *arena,
               const struct mapi_value *in, struct mapiwire_value *out)
{
	struct mapi_value whole = {0};
	if (in->flag != MAPI_FLAG_ERROR || in->u.error != ecMAPIOOM)
		return client_put_value(s->m, arena, in, out);
	int r = client_stream_read(s, handle, tag, arena, &whole);
	return r != 0 ? r : client_put_value(s->m, arena, &whole, out);
}

int client_get_properties(struct mapiwire_store *s, uint32_t handle, const uint32_t *tags, size_t count,
                          struct mapiwire_rows *out)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = client_arena(s->m);
	struct client_rops b MW_CLEANUP(client_rops_cleanup) = {0};
	struct arena *keep = arena;
	struct mapiwire_rows rows = {0};
	const struct mapi_row *row = NULL;
	client_rops_begin(&b, s, arena);
	if (count == 0 || count > UINT16_MAX)
		return client_fail_inside(s->m, MW_E_INVALID, "the list of properties");
	int r = get(&b, handle, tags, count, &row);
	if (r == 0)
		r = client_rows_new(s->m, &arena, 1, count, &rows);
	if (r != 0)
		return r;
	for (size_t i = 0; r == 0 && i < count; i++)
		r = put(s, handle, tags[i], keep, &row->values[i], &rows.values[i]);
	if (r != 0)
		mapiwire_rows_free(&rows);
	else
		*out = rows;
	return r;
}

int client_set_properties(struct mapiwire_store *s, uint32_t handle, const struct mapi_value *values, size_t count)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = client_arena(s->m);
	struct client_rops b MW_CLEANUP(client_rops_cleanup) = {0};
	const void *answer = NULL;
	client_rops_begin(&b, s, arena);
	if (count > UINT16_MAX)
		return client_fail_inside(s->m, MW_E_INVALID, "the list of properties");
	const struct RopSetPropertiesRequest q = {
	        .InputHandleIndex = client_rops_handle(&b, handle),
	        .PropertyValues = {(uint16_t)count, (struct mapi_value *)values},
	};
	client_rops_add(&b, ROP_SET_PROPERTIES, &q);
	int r = client_rops_run(&b);
	if (r == 0)
		r = client_rops_answer(&b, ROP_SET_PROPERTIES, &answer);
	if (r != 0)
		return r;
	const struct RopSetPropertiesResponse *a = (const struct RopSetPropertiesResponse *)answer;
	return a->PropertyProblemCount == 0
	               ? 0
	               : client_fail_status(s->m, CAUSE_OF_MAPI, a->PropertyProblems[0].ErrorCode, "RopSetProperties");
}

/* ---- Any number and size of them ---- */

/* What goes into one request, as it stands on the wire: well below the 32 KiB of a buffer. */
#define ONE_REQUEST 24000u
#define STREAMED 8000u /* from this size on alone, as a stream */

static bool is_streamed(const struct mapi_value *v)
{
	uint16_t type = mapi_tag_type(v->tag);
	return (type == PTYP_STRING || type == PTYP_BINARY) && mapi_value_size(v) > STREAMED;
}

static int stream(struct mapiwire_store *s, uint32_t handle, const struct mapi_value *v)
{
	if (mapi_tag_type(v->tag) == PTYP_BINARY)
		return client_stream_write(s, handle, v->tag, v->u.bin.data, v->u.bin.size);
	/* Without the NUL. */
	return client_stream_write(s, handle, v->tag, v->u.str16, mapi_value_size(v) - 2);
}

int client_put_properties(struct mapiwire_store *s, uint32_t handle, const struct mapiwire_value *values, size_t count)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = client_arena(s->m);
	struct mapi_value *in = arena ? arena_new_array(arena, struct mapi_value, count) : NULL;
	size_t waiting = 0, size = 0;
	int r = in ? 0 : client_failed(client_fail_inside(s->m, MW_E_NOMEM, "properties"));
	for (size_t i = 0; r == 0 && i < count; i++) {
		struct mapi_value v;
		r = client_take_value(s->m, arena, &values[i], &v);
		if (r == 0 && is_streamed(&v)) {
			r = stream(s, handle, &v);
		} else if (r == 0) {
			size_t more = mapi_value_size(&v) + 8;
			if (waiting > 0 && size + more > ONE_REQUEST) {
				r = client_set_properties(s, handle, in, waiting);
				waiting = size = 0;
			}
			in[waiting++] = v;
			size += more;
		}
	}
	return r == 0 && waiting > 0 ? client_set_properties(s, handle, in, waiting) : r;
}

/* ---- Objects of the library's users ---- */

int client_object_enter(const struct client_object *o, const char *what)
{
	client_no_error(o->store->m);
	return client_store_enter_same(o->store, o->epoch, what);
}

int client_object_get(const struct client_object *o, const char *what, const uint32_t *tags, size_t tag_count,
                      struct mapiwire_rows *out)
{
	int r = client_object_enter(o, what);
	if (r != 0)
		return r;
	r = client_get_properties(o->store, o->handle, tags, tag_count, out);
	client_store_leave(o->store);
	return r;
}

int client_object_set(const struct client_object *o, const char *what, const struct mapiwire_value *values,
                      size_t count)
{
	int r = client_object_enter(o, what);
	if (r != 0)
		return r;
	r = client_put_properties(o->store, o->handle, values, count);
	client_store_leave(o->store);
	return r;
}

void client_object_close(struct client_object *o)
{
	if (!o)
		return;
	client_release(o->store, o->handle, o->epoch);
	free(o);
}
