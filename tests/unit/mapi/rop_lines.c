/*
 * Reads lines "Q SESSION HEX" and "R SESSION HEX", payloads of requests and of the
 * responses to the request before, and prints a line of JSON for each: its ROPs, and
 * whether writing them again gives the same bytes. For tests/peers/test_rops_capture.py.
 */
#include "base/text.h"
#include "mapi/rop_buffer.h"
#include "wire/rops.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SESSIONS 64

struct line {
	char kind;
	unsigned session;
	uint8_t *data;
	size_t size;
};

struct side {
	struct mapi_session *reader, *writer;
};

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int parse_line(struct arena *arena, const char *text, struct line *out)
{
	int used = 0;
	if (sscanf(text, "%c %u %n", &out->kind, &out->session, &used) < 2 || out->session >= MAX_SESSIONS)
		return -1;
	const char *hex = text + used;
	size_t digits = strspn(hex, "0123456789abcdef");
	out->size = digits / 2;
	out->data = arena_alloc(arena, out->size);
	for (size_t i = 0; i < out->size; i++)
		out->data[i] = (uint8_t)(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
	return 0;
}

/* The trace: each leaf with its place in the payload. */
struct told {
	struct buf leaves;
	size_t last;
	unsigned out_of_order;
};

static void tell(void *user, const struct ndr_field *f)
{
	struct told *t = user;
	if (f->what != NDR_FIELD_LEAF)
		return;
	if (f->offset < t->last)
		t->out_of_order++;
	t->last = f->offset;
	buf_printf(&t->leaves, "%s[", t->leaves.len ? ", " : "");
	text_put_json(&t->leaves, f->name ? f->name : "");
	buf_printf(&t->leaves, ", %zu, %zu]", f->offset, f->size);
}

static void print_rop(const struct mapi_rop *rop, bool first, struct buf *out)
{
	buf_printf(out, "%s{\"id\": %u, \"name\": \"%s\", \"offset\": %zu, \"size\": %zu, \"in\": %d, \"out\": %d",
	           first ? "" : ", ", rop->id, rop->name, rop->offset, rop->size, rop->input, rop->output);
	if (rop->has_status)
		buf_printf(out, ", \"rv\": %u", rop->status);
	buf_printf(out, ", \"paired\": %s}", rop->request ? "true" : "false");
}

static int write_again(struct side *s, struct arena *arena, char kind, const struct mapi_rop_list *list,
                       const struct mapi_rop_list *requests, struct buf *out)
{
	struct mapi_rop_writer w;
	unsigned next = 0;
	int r = mapi_rop_writer_begin(&w, s->writer, arena, out);
	/* The server's table while it executes: the requests' handles, new ones as they come. */
	uint32_t handles[256];
	memset(handles, 0xFF, sizeof handles);
	if (requests)
		memcpy(handles, requests->handles,
		       4 * (size_t)(requests->handle_count < 256 ? requests->handle_count : 256));
	for (unsigned i = 0; r >= 0 && i < list->count; i++) {
		const struct mapi_rop *rop = &list->rops[i];
		if (kind == 'Q') {
			r = mapi_rop_write_request(&w, rop->id, rop->value);
			continue;
		}
		for (; requests && rop->request && &requests->rops[next] != rop->request; next++)
			if (requests->rops[next].id == MAPI_ROP_RELEASE)
				mapi_rop_released(s->writer, &requests->rops[next], handles, 256);
		if (rop->request && rop->status == 0 && rop->request->output >= 0 &&
		    (unsigned)rop->request->output < list->handle_count)
			handles[rop->request->output] = list->handles[rop->request->output];
		r = mapi_rop_write_response(&w, rop->id, rop->request, rop->value, handles, 256);
		next += rop->request != NULL;
	}
	for (; kind == 'R' && requests && next < requests->count; next++)
		if (requests->rops[next].id == MAPI_ROP_RELEASE)
			mapi_rop_released(s->writer, &requests->rops[next], handles, 256);
	return r < 0 ? r : mapi_rop_writer_end(&w, list->handles, list->handle_count);
}

static void answer(struct side *s, struct arena *arena, const struct line *line, struct mapi_rop_list *requests,
                   bool *have)
{
	struct mapi_rop_list list = {0};
	struct told told = {0};
	struct ndr_tracer tracer = {.field = tell, .user = &told};
	struct buf again = {0}, text = {0};
	struct cursor payload = cursor_of(line->data, line->size);
	const struct mapi_rop_list *paired = *have ? requests : NULL;
	int r = line->kind == 'Q' ? mapi_decode_requests(s->reader, arena, payload, &tracer, &list)
	                          : mapi_decode_responses(s->reader, arena, payload, paired, &tracer, &list);
	int encoded = r < 0 ? r : write_again(s, arena, line->kind, &list, paired, &again);
	bool same = encoded >= 0 && again.len == line->size && memcmp(again.data, line->data, line->size) == 0;
	buf_printf(&text, "{\"result\": %d, \"error\": %d, \"where\": ", r, list.error);
	text_put_json(&text, list.error_where ? list.error_where : "");
	buf_printf(&text, ", \"at\": %zu, \"encoded\": %d, \"same\": %s, \"disorder\": %u, \"leaves\": [",
	           list.error_offset, encoded, same ? "true" : "false", told.out_of_order);
	buf_put(&text, told.leaves.data, told.leaves.len);
	buf_printf(&text, "], \"rops\": [");
	for (unsigned i = 0; i < list.count; i++)
		print_rop(&list.rops[i], i == 0, &text);
	buf_printf(&text, "]}\n");
	fwrite(text.data, 1, text.len, stdout);
	*requests = list;
	*have = line->kind == 'Q' && r >= 0;
	buf_free(&again);
	buf_free(&told.leaves);
	buf_free(&text);
}

int main(void)
{
	static struct side sides[MAX_SESSIONS];
	struct mapi_rop_list requests = {0};
	bool have = false;
	char *text = NULL;
	size_t room = 0;
	/* A response points into its request: both in one arena, which lives as long as the pair. */
	struct arena *arena = arena_new(64 << 20);
	while (arena && getline(&text, &room, stdin) > 0) {
		struct line line;
		if (text[0] == 'Q') {
			arena_reset(arena);
			have = false;
		}
		if (parse_line(arena, text, &line) < 0)
			return 2;
		struct side *s = &sides[line.session];
		if (!s->reader) {
			s->reader = mapi_session_new(1252);
			s->writer = mapi_session_new(1252);
		}
		answer(s, arena, &line, &requests, &have);
	}
	for (unsigned i = 0; i < MAX_SESSIONS; i++) {
		mapi_session_free(&sides[i].reader);
		mapi_session_free(&sides[i].writer);
	}
	arena_free(&arena);
	free(text);
	return 0;
}
