/*
 * A request payload and the response payload that answers it, in one session: what was read is written, and
 * what was written is read and written the same again. Input: u16 size of the request payload, then both.
 */
#include "fuzz.h"

#include "mapi/rop_buffer.h"

#include <string.h>

static void write_all(struct mapi_session *s, struct arena *arena, const struct mapi_rop_list *list, bool answers,
                      struct buf *out)
{
	struct mapi_rop_writer w;
	int r = mapi_rop_writer_begin(&w, s, arena, out);
	for (unsigned i = 0; r >= 0 && i < list->count; i++) {
		const struct mapi_rop *rop = &list->rops[i];
		r = answers ? mapi_rop_write_response(&w, rop->id, rop->request, rop->value, list->handles,
		                                      list->handle_count)
		            : mapi_rop_write_request(&w, rop->id, rop->value);
		/* Encoding can only grow beyond RopSize, or refuse a row of columns that this session does not have. */
		if (r < 0)
			out->error = r;
	}
	if (r >= 0)
		must(mapi_rop_writer_end(&w, list->handles, list->handle_count) == 0);
}

/* Requests depend on little that a session knows: they must come back. */
static void check_requests(struct arena *arena, const struct mapi_rop_list *list)
{
	MW_CLEANUP(mapi_session_cleanup) struct mapi_session *first = mapi_session_new(1252);
	MW_CLEANUP(mapi_session_cleanup) struct mapi_session *second = mapi_session_new(1252);
	MW_CLEANUP(mapi_session_cleanup) struct mapi_session *third = mapi_session_new(1252);
	struct buf once = {0}, twice = {0};
	struct mapi_rop_list again;
	write_all(first, arena, list, false, &once);
	if (once.error == 0) {
		int r = mapi_decode_requests(second, arena, cursor_of(once.data, once.len), NULL, &again);
		must(r == MW_E_NOMEM || (r == 0 && (again.error == MW_E_NOMEM || again.count == list->count)));
		if (r == 0 && again.error == 0) {
			write_all(third, arena, &again, false, &twice);
			must(twice.len == once.len && memcmp(twice.data, once.data, once.len) == 0);
		}
	}
	buf_free(&once);
	buf_free(&twice);
}

static void count_leaf(void *user, const struct ndr_field *field)
{
	size_t *leaves = user;
	*leaves += field->what == NDR_FIELD_LEAF;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	MW_CLEANUP(arena_cleanup) struct arena *arena = arena_new(64 << 20);
	MW_CLEANUP(mapi_session_cleanup) struct mapi_session *session = mapi_session_new(1252);
	struct cursor in = cursor_of(data, size), request;
	struct mapi_rop_list requests = {0}, responses = {0};
	size_t leaves = 0;
	struct ndr_tracer tracer = {.field = count_leaf, .user = &leaves};
	uint16_t cut;
	if (!arena || !session || cursor_u16(&in, &cut) < 0)
		return 0;
	if (cut > cursor_left(&in))
		cut = (uint16_t)cursor_left(&in);
	must(cursor_child(&in, cut, &request) == 0);
	struct cursor response = cursor_of(cursor_here(&in), cursor_left(&in));
	bool have = mapi_decode_requests(session, arena, request, &tracer, &requests) == 0;
	if (have)
		check_requests(arena, &requests);
	if (mapi_decode_responses(session, arena, response, have ? &requests : NULL, &tracer, &responses) == 0) {
		struct buf out = {0};
		write_all(session, arena, &responses, true, &out);
		buf_free(&out);
	}
	return 0;
}
