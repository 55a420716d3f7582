#include "mapi/rop_buffer.h"
#include "mapi/status.h"
#include "mapi/tags.h"
#include "wire/rops.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct world {
	struct arena *arena;
	struct mapi_session *session, *peer;
};

static int begin(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	*state = w;
	if (!w)
		return -1;
	w->arena = arena_new(32 << 20);
	w->session = mapi_session_new(1252);
	w->peer = mapi_session_new(1252);
	return w->arena && w->session && w->peer ? 0 : -1;
}

static int finish(void **state)
{
	struct world *w = *state;
	arena_free(&w->arena);
	mapi_session_free(&w->session);
	mapi_session_free(&w->peer);
	free(w);
	return 0;
}

static struct cursor from_hex(struct arena *arena, const char *hex)
{
	size_t n = 0;
	uint8_t *bytes = arena_alloc(arena, strlen(hex));
	unsigned byte;
	int used;
	for (; sscanf(hex, " %2x%n", &byte, &used) == 1; hex += used)
		bytes[n++] = (uint8_t)byte;
	return cursor_of(bytes, n);
}

/* ROPs as RopsList of a payload with handles 0x100, 0x101 ... */
static struct cursor payload_of(struct arena *arena, struct cursor rops, unsigned handles)
{
	size_t size = 2 + rops.len;
	uint8_t *bytes = arena_alloc(arena, size + 4 * (size_t)handles);
	bytes[0] = (uint8_t)size;
	bytes[1] = (uint8_t)(size >> 8);
	memcpy(bytes + 2, rops.data, rops.len);
	for (uint32_t i = 0; i < handles; i++)
		memcpy(bytes + size + 4 * (size_t)i, &(uint32_t){0x100 + i}, 4);
	return cursor_of(bytes, size + 4 * (size_t)handles);
}

static void assert_same(const struct buf *out, struct cursor want, const char *what)
{
	if (out->len != want.len || memcmp(out->data, want.data, want.len) != 0)
		fail_msg("%s: written differently than read", what);
}

static void read_and_write_request(struct world *w, const char *what, struct cursor payload, struct mapi_rop_list *list)
{
	struct mapi_rop_writer writer;
	struct buf out = {0};
	assert_int_equal(mapi_decode_requests(w->session, w->arena, payload, NULL, list), 0);
	if (list->error)
		fail_msg("%s: error %d at %zu, %s", what, list->error, list->error_offset, list->error_where);
	assert_int_equal(mapi_rop_writer_begin(&writer, w->peer, w->arena, &out), 0);
	for (unsigned i = 0; i < list->count; i++)
		assert_int_equal(mapi_rop_write_request(&writer, list->rops[i].id, list->rops[i].value), 0);
	assert_int_equal(mapi_rop_writer_end(&writer, list->handles, list->handle_count), 0);
	assert_same(&out, payload, what);
	buf_free(&out);
}

static void read_and_write_response(struct world *w, const char *what, struct cursor payload,
                                    const struct mapi_rop_list *requests, struct mapi_rop_list *list)
{
	struct mapi_rop_writer writer;
	struct buf out = {0};
	assert_int_equal(mapi_decode_responses(w->session, w->arena, payload, requests, NULL, list), 0);
	if (list->error)
		fail_msg("%s: error %d at %zu, %s", what, list->error, list->error_offset, list->error_where);
	assert_int_equal(mapi_rop_writer_begin(&writer, w->peer, w->arena, &out), 0);
	for (unsigned i = 0; i < list->count; i++)
		assert_int_equal(mapi_rop_write_response(&writer, list->rops[i].id, list->rops[i].request,
		                                         list->rops[i].value, list->handles, list->handle_count),
		                 0);
	assert_int_equal(mapi_rop_writer_end(&writer, list->handles, list->handle_count), 0);
	assert_same(&out, payload, what);
	buf_free(&out);
}

/* Byte examples of the specifications, and others of ours where those have none. */
static const struct {
	const char *section, *name, *hex;
} request_examples[] = {
        {"MS-OXCTABL 4.5.3.1", "QueryRows", "15 00 00 00 01 32 00"},
        {"MS-OXCFOLD 4.5.1", "MoveFolder",
         "35 00 01 02 01 01 01 00 00 00 0E 8E DF 36 46 00 6F 00 6C 00 64 00 65 00 72 00 31 00 00 00"},
        {"MS-OXCPRPT 4.2", "SetProperties",
         "0A 00 00 24 00 02 00 1F 00 3D 00 00 00 1F 00 1D 0E 48 00 65 00 6C 00 6C 00 6F 00 20 00 57 00 6F 00 72 00 6C "
         "00 64 "
         "00 00 00"},
        {"MS-OXCDATA 2.12 nested", "Restrict",
         "14 00 00 00 1F 00 00 02 00 02 08 03 00 37 00 01 02 00 04 04 03 00 17 00 03 00 17 00 01 00 00 00 08 0B 00 69 "
         "0E"},
        {"MS-OXCROPS 2.2.6.5.1", "ModifyRecipients",
         "0E 00 00 02 00 03 00 00 39 1F 00 FE 39 02 00 "
         "00 00 00 00 01 15 00 1B 02 61 00 00 00 41 00 00 00 02 00 00 06 00 00 00 62 00 00 00 "
         "01 00 00 00 02 00 00"},
        {"MS-OXCROPS 2.2.8.1.1", "GetPropertyIdsFromNames",
         "56 00 00 02 02 00 00 08 20 06 00 00 00 00 00 C0 00 00 00 00 00 00 46 52 85 00 00 "
         "01 29 03 02 00 00 00 00 00 C0 00 00 00 00 00 00 46 06 61 00 62 00 00 00"},
        {"MS-OXCROPS 2.2.14.1.1", "RegisterNotification", "29 00 00 01 78 00 01"},
        {"MS-OXCROPS 2.2.13.3.1", "SynchronizationImportReadStateChanges", "80 00 00 09 00 02 00 AA BB 01 01 00 CC 00"},
        {"MS-OXORULE 2.2.5, one action", "ModifyRules",
         "41 00 00 00 01 00 01 01 00 FE 00 80 66 01 00 09 00 0A 00 00 00 00 00 00 00 00"},
};

static void request_examples_come_back(void **state)
{
	struct world *w = *state;
	for (size_t i = 0; i < ARRAY_SIZE(request_examples); i++) {
		struct mapi_rop_list list;
		struct cursor rops = from_hex(w->arena, request_examples[i].hex);
		struct cursor payload = payload_of(w->arena, rops, 2);
		read_and_write_request(w, request_examples[i].section, payload, &list);
		assert_int_equal(list.count, 1);
		assert_string_equal(list.rops[0].name, request_examples[i].name);
		assert_int_equal(list.rops[0].size, rops.len);
	}
}

static const struct {
	const char *section, *name, *hex;
} response_examples[] = {
        {"MS-OXORULE 4.2.2", "GetRulesTable", "3F 01 00 00 00 00"},
        {"MS-OXORULE 4.2.2", "SetColumns", "12 01 00 00 00 00 00"},
        {"MS-OXCTABL 4.3.2", "SortTable", "13 01 00 00 00 00 00"},
        {"MS-OXORULE 4.2.2, columns not known", "QueryRows",
         "15 01 00 00 00 00 02 01 00 00 01 00 00 00 01 3F F8 56 10 00 01 00 00 00 01 00 00 00 55 55 55 55 D1 44 E3 40 "
         "50 00 "
         "72 00 6F 00 6A 00 65 00 63 00 74 00 20 00 58 00 00 00"},
        {"MS-OXCROPS 2.2.3.4.2, fixed columns", "GetReceiveFolderTable",
         "68 00 00 00 00 00 01 00 00 00 00 01 00 00 00 00 00 00 05 49 50 4D 00 00 01 02 03 04 05 06 07"},
        {"MS-OXCROPS 2.2.3.1.4", "Logon", "FE 00 78 04 00 00 01 03 61 62 00"},
        {"MS-OXCNOTIF 2.2.1.4.1.2, hierarchy table", "Notify", "2A 00 01 00 00 00 00 01 04 00 01 00 00 00 00 00 79 20"},
        {"MS-OXCNOTIF 2.2.1.4.1.2, message moved", "Notify",
         "2A 00 01 00 00 00 20 80 01 00 00 00 00 00 00 01 01 00 00 00 00 00 00 02 01 00 00 00 00 00 00 03 01 00 00 00 "
         "00 00 "
         "00 04"},
        {"MS-OXCNOTIF 2.2.1.4.1.2, new mail", "Notify",
         "2A 00 01 00 00 00 02 80 01 00 00 00 00 00 00 01 01 00 00 00 00 00 00 02 00 00 00 00 01 41 00 00 00"},
        {"MS-OXCROPS 2.2.14.3.1", "Pending", "6E DC 00"},
        {"MS-OXCROPS 2.2.15.1.1", "BufferTooSmall", "FF 0F 3C 15 00 00 00 01 32 00"},
        {"MS-OXCROPS 2.2.15.2.1", "Backoff", "F9 00 E8 03 00 00 01 15 64 00 00 00 02 00 AA BB"},
        {"MS-OXCROPS 2.2.12.4.2, busy", "FastTransferSourceGetBuffer",
         "4E 00 80 04 00 00 00 00 01 00 02 00 00 00 00 E8 03 00 00"},
};

static void response_examples_come_back(void **state)
{
	struct world *w = *state;
	for (size_t i = 0; i < ARRAY_SIZE(response_examples); i++) {
		struct mapi_rop_list list;
		struct cursor rops = from_hex(w->arena, response_examples[i].hex);
		read_and_write_response(w, response_examples[i].section, payload_of(w->arena, rops, 2), NULL, &list);
		assert_int_equal(list.count, 1);
		assert_string_equal(list.rops[0].name, response_examples[i].name);
		assert_int_equal(list.rops[0].size, rops.len);
	}
}

/* Every cut of every example is an error, and none touches what is not there (AddressSanitizer watches). */
static void cuts_are_errors(void **state)
{
	struct world *w = *state;
	for (size_t i = 0; i < ARRAY_SIZE(request_examples); i++) {
		struct cursor rops = from_hex(w->arena, request_examples[i].hex);
		for (size_t n = 1; n < rops.len; n++) {
			struct mapi_rop_list list;
			uint8_t *exact = malloc(2 + n);
			memcpy(exact, &(uint16_t){(uint16_t)(2 + n)}, 2);
			memcpy(exact + 2, rops.data, n);
			assert_int_equal(
			        mapi_decode_requests(w->session, w->arena, cursor_of(exact, 2 + n), NULL, &list), 0);
			assert_true(list.error < 0);
			assert_int_equal(list.count, 0);
			free(exact);
		}
	}
}

/* A table opened, its columns set and its rows asked for in one buffer: the rows are read by those columns. */
static void rows_follow_their_columns(void **state)
{
	struct world *w = *state;
	struct mapi_rop_list q, a;
	read_and_write_request(
	        w, "request",
	        payload_of(w->arena,
	                   from_hex(w->arena, "05 00 00 01 00 "
	                                      "12 00 01 00 04 00 03 00 17 00 1F 00 37 00 00 00 01 30 03 30 05 80 "
	                                      "01 00 00 "
	                                      "15 00 01 00 01 32 00"),
	                   2),
	        &q);
	assert_int_equal(q.count, 4);
	read_and_write_response(
	        w, "response",
	        payload_of(w->arena,
	                   from_hex(w->arena, "05 01 00 00 00 00 02 00 00 00 "
	                                      "12 01 00 00 00 00 00 "
	                                      "15 01 00 00 00 00 02 02 00 "
	                                      "00 01 00 00 00 41 00 00 00 1E 00 78 00 07 00 00 00 "
	                                      "01 00 01 00 00 00 0A 0F 01 04 80 1F 00 00 79 00 00 00 01 "
	                                      "2A 01 01 00 00 00 00 81 01 00"),
	                   2),
	        &q, &a);
	assert_int_equal(a.count, 4);
	assert_ptr_equal(a.rops[2].request, &q.rops[3]);
	const struct RopQueryRowsResponse *r = a.rops[2].value;
	assert_int_equal(r->RowData.count, 2);
	const struct mapi_value *v = r->RowData.rows[0].values;
	assert_int_equal(v[0].u.i32, 1);
	assert_int_equal(v[2].tag, MAPI_TAG(0x3001, PTYP_STRING8)); /* the value brought its type */
	assert_string_equal(v[2].u.str8, "x");
	assert_int_equal(v[3].tag, MAPI_TAG(0x8005, PTYP_INTEGER32)); /* one of many */
	v = r->RowData.rows[1].values;
	assert_int_equal(v[1].flag, MAPI_FLAG_ERROR);
	assert_int_equal(v[1].u.error, ecNotFound);
	assert_int_equal(v[3].flag, MAPI_FLAG_ABSENT);
	assert_true(mapi_session_columns(w->session, 0x101).known);
	/* The folder's handle was released in between. */
	assert_false(mapi_session_columns(w->session, 0x100).known);
}

static void status_is_answered_as_another(void **state)
{
	struct world *w = *state;
	struct mapi_rop_list q, a;
	read_and_write_request(w, "request",
	                       payload_of(w->arena, from_hex(w->arena, "1F 00 00 01 00 00 00 00 00 00 05"), 1), &q);
	read_and_write_response(w, "response",
	                        payload_of(w->arena, from_hex(w->arena, "20 00 00 00 00 00 08 00 00 00"), 1), &q, &a);
	assert_int_equal(a.rops[0].id, 0x1F);
	assert_string_equal(a.rops[0].name, "GetMessageStatus");
}

static void public_logons_have_client_data(void **state)
{
	struct world *w = *state;
	struct mapi_rop_list q;
	/* Logon without the private flag, and a read flag with its 24 bytes in the same buffer. */
	read_and_write_request(
	        w, "request",
	        payload_of(w->arena,
	                   from_hex(w->arena,
	                            "FE 05 00 00 00 00 00 00 00 00 00 00 00 00 "
	                            "11 05 00 00 01 "
	                            "00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F 10 11 12 13 14 15 16 17"),
	                   1),
	        &q);
	assert_int_equal(q.count, 2);
	assert_int_equal(((const struct RopSetMessageReadFlagRequest *)q.rops[1].value)->ClientData.size, 24);
	assert_false(mapi_session_logon_is_private(w->session, 5));
}

static void reserved_ids_end_the_list(void **state)
{
	struct world *w = *state;
	struct mapi_rop_list list;
	struct cursor payload = payload_of(w->arena, from_hex(w->arena, "01 00 00 28 00 00"), 3);
	assert_int_equal(mapi_decode_requests(w->session, w->arena, payload, NULL, &list), 0);
	assert_int_equal(list.count, 1);
	assert_int_equal(list.error, MW_E_UNSUPPORTED);
	assert_int_equal(list.error_offset, 5);
	assert_int_equal(list.handle_count, 3);
	assert_null(mapi_rop_name(0x28));
}

static void sizes_that_lie(void **state)
{
	struct world *w = *state;
	struct mapi_rop_list list;
	assert_int_equal(mapi_decode_requests(w->session, w->arena, from_hex(w->arena, "01"), NULL, &list),
	                 MW_E_TRUNCATED);
	assert_int_equal(mapi_decode_requests(w->session, w->arena, from_hex(w->arena, "01 00"), NULL, &list),
	                 MW_E_MALFORMED);
	assert_int_equal(mapi_decode_requests(w->session, w->arena, from_hex(w->arena, "09 00 01 00 00"), NULL, &list),
	                 MW_E_TRUNCATED);
	assert_int_equal(mapi_decode_requests(w->session, w->arena, from_hex(w->arena, "02 00"), NULL, &list), 0);
	assert_int_equal(list.count + list.handle_count, 0);
}

/* And, Not, Not, ... deeper than anybody means it. */
static void nesting_has_an_end(void **state)
{
	struct world *w = *state;
	struct mapi_rop_list list;
	uint8_t rops[6 + 4000] = {0x14, 0, 0, 0, 4000 & 0xFF, 4000 >> 8};
	memset(rops + 6, MAPI_RES_NOT, 4000);
	assert_int_equal(mapi_decode_requests(w->session, w->arena,
	                                      payload_of(w->arena, cursor_of(rops, sizeof rops), 1), NULL, &list),
	                 0);
	assert_int_equal(list.error, MW_E_LIMIT);
}

static void what_does_not_fit_leaves_no_trace(void **state)
{
	struct world *w = *state;
	struct mapi_rop_writer writer;
	struct buf out = {.max = 16};
	struct RopReadStreamResponse answer = {.DataSize = 64, .Data = (uint8_t[64]){0}};
	assert_int_equal(mapi_rop_writer_begin(&writer, w->session, w->arena, &out), 0);
	assert_int_equal(mapi_rop_write_response(&writer, 0x2C, NULL, &answer, NULL, 0), MW_E_LIMIT);
	assert_int_equal(out.len, 2);
	answer.DataSize = 4;
	assert_int_equal(mapi_rop_write_response(&writer, 0x2C, NULL, &answer, NULL, 0), 0);
	assert_int_equal(mapi_rop_writer_end(&writer, NULL, 0), 0);
	assert_int_equal(out.len, 14);
	assert_int_equal(out.data[2], 0x2C);
	buf_free(&out);
}

static void bare_failures_are_read(void **state)
{
	struct world *w = *state;
	struct mapi_rop_list list;
	struct cursor payload = payload_of(w->arena, from_hex(w->arena, "6E 01 00 2C 00 02 01 04 80"), 1);
	assert_int_equal(mapi_decode_responses(w->session, w->arena, payload, NULL, NULL, &list), 0);
	assert_int_equal(list.error, 0);
	assert_int_equal(list.count, 2);
	assert_int_equal(list.rops[1].status, ecNotSupported);
	assert_int_equal(list.rops[1].size, 6);
	assert_int_equal(((const struct RopReadStreamResponse *)list.rops[1].value)->DataSize, 0);
}

static void a_logon_names_its_folders(void **state)
{
	struct world *w = *state;
	struct mapi_rop_list q, a;
	struct mapi_rop_writer writer;
	struct buf out = {0};
	struct RopLogonResponse answer = {.LogonFlags = 1};
	for (uint64_t i = 0; i < 13; i++)
		answer.FolderIds[i] = 0x100 + i;
	read_and_write_request(w, "request",
	                       payload_of(w->arena, from_hex(w->arena, "FE 00 00 01 00 00 00 00 00 00 00 00 00 00"), 1),
	                       &q);
	assert_int_equal(mapi_rop_writer_begin(&writer, w->peer, w->arena, &out), 0);
	assert_int_equal(mapi_rop_write_response(&writer, 0xFE, &q.rops[0], &answer, q.handles, q.handle_count), 0);
	assert_int_equal(mapi_rop_writer_end(&writer, q.handles, q.handle_count), 0);
	assert_string_equal(mapi_session_folder_name(w->peer, 0x104), "Inbox");
	assert_int_equal(mapi_decode_responses(w->session, w->arena, cursor_of(out.data, out.len), &q, NULL, &a), 0);
	assert_int_equal(a.count, 1);
	assert_string_equal(mapi_session_folder_name(w->session, 0x106), "Sent Items");
	assert_null(mapi_session_folder_name(w->session, 0x10D));
	buf_free(&out);
}

static void keep_leaf(void *user, const struct ndr_field *f)
{
	struct buf *b = user;
	if (f->what == NDR_FIELD_LEAF && f->text)
		buf_printf(b, "%u %s %zu %zu %s\n", f->depth, f->name, f->offset, f->size, f->text);
}

/* What people see: one line a value, with the names that the session learnt. */
static void the_trace_names_things(void **state)
{
	struct world *w = *state;
	struct mapi_rop_list list;
	struct buf text = {0};
	struct ndr_tracer tracer = {.field = keep_leaf, .user = &text};
	struct mapi_property_name name = {.kind = MAPI_NAME_LID, .lid = 0x8503};
	struct cursor payload = payload_of(w->arena,
	                                   from_hex(w->arena, "02 00 00 01 01 00 00 00 00 00 79 20 00 "
	                                                      "0A 00 00 0B 00 01 00 0B 00 05 80 01"
	                                                      "00 00 00 00"),
	                                   1);
	payload.len -= 4;
	mapi_session_set_folder_name(w->session, UINT64_C(0x2079000000000001), "Inbox");
	mapi_session_set_property_name(w->session, w->arena, 0x8005, &name);
	assert_int_equal(mapi_decode_requests(w->session, w->arena, payload, &tracer, &list), 0);
	assert_int_equal(buf_put_u8(&text, 0), 0);
	assert_non_null(strstr((char *)text.data, "1 FolderId 6 8 0001-000000007920 (Inbox)\n"));
	assert_non_null(strstr((char *)text.data, "{00000000-0000-0000-0000-000000000000}:0x8503 22 5 true\n"));
	buf_free(&text);
}

static uint64_t next_random(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

/* Small values mostly, so that counts and types make sense now and then. */
static void fill(uint8_t *bytes, size_t n, unsigned zeros, uint64_t *seed)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t x = next_random(seed);
		bytes[i] = (uint8_t)(x % zeros == 0 ? x >> 32 : x % zeros == 1 ? x >> 32 & 3 : 0);
	}
}

/* All 132 ROPs: what can be read can be written, and what was written is read and written the same again. */
static void every_rop_is_stable(void **state)
{
	struct world *w = *state;
	uint64_t seed = 0x123456789;
	unsigned requests = 0, responses = 0;
	for (unsigned id = 0; id < 256; id++)
		for (int answer = 0; answer < 2; answer++) {
			unsigned understood = 0;
			const struct idl_type *type =
			        (answer ? wire_rops_module.responses : wire_rops_module.requests)[id];
			for (unsigned round = 0; type && round < 200; round++) {
				uint8_t bytes[200];
				struct buf once = {0}, twice = {0};
				void *value = arena_alloc(w->arena, type->size),
				     *again = arena_alloc(w->arena, type->size);
				fill(bytes, sizeof bytes, 2 + round % 16 * 3, &seed);
				bytes[0] = (uint8_t)id;
				if (answer && round % 4)
					memset(bytes + 2, 0, 4);
				struct ndr in = ndr_decoder(NDR_PACKED, w->arena, cursor_of(bytes, sizeof bytes));
				if (ndr_decode(&in, type, value) == 0) {
					struct ndr out = ndr_encoder(NDR_PACKED, w->arena, &once);
					assert_int_equal(ndr_encode(&out, type, value), 0);
					struct ndr in2 =
					        ndr_decoder(NDR_PACKED, w->arena, cursor_of(once.data, once.len));
					assert_int_equal(ndr_decode(&in2, type, again), 0);
					assert_int_equal(in2.in.pos, once.len);
					struct ndr out2 = ndr_encoder(NDR_PACKED, w->arena, &twice);
					assert_int_equal(ndr_encode(&out2, type, again), 0);
					assert_same(&twice, cursor_of(once.data, once.len), type->name);
					understood++;
				}
				buf_free(&once);
				buf_free(&twice);
				arena_reset(w->arena);
			}
			if (type && understood == 0)
				fail_msg("%s was never read", type->name);
			*(answer ? &responses : &requests) += type != NULL;
		}
	/* 132 ROPs: four have no request, Release has no response. */
	assert_int_equal(requests, 128);
	assert_int_equal(responses, 131);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(request_examples_come_back, begin, finish),
	        cmocka_unit_test_setup_teardown(response_examples_come_back, begin, finish),
	        cmocka_unit_test_setup_teardown(cuts_are_errors, begin, finish),
	        cmocka_unit_test_setup_teardown(rows_follow_their_columns, begin, finish),
	        cmocka_unit_test_setup_teardown(status_is_answered_as_another, begin, finish),
	        cmocka_unit_test_setup_teardown(public_logons_have_client_data, begin, finish),
	        cmocka_unit_test_setup_teardown(reserved_ids_end_the_list, begin, finish),
	        cmocka_unit_test_setup_teardown(sizes_that_lie, begin, finish),
	        cmocka_unit_test_setup_teardown(nesting_has_an_end, begin, finish),
	        cmocka_unit_test_setup_teardown(what_does_not_fit_leaves_no_trace, begin, finish),
	        cmocka_unit_test_setup_teardown(bare_failures_are_read, begin, finish),
	        cmocka_unit_test_setup_teardown(a_logon_names_its_folders, begin, finish),
	        cmocka_unit_test_setup_teardown(the_trace_names_things, begin, finish),
	        cmocka_unit_test_setup_teardown(every_rop_is_stable, begin, finish),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
