#include "micro.h"

#include "load.h"
#include "ndr/ndr.h"
#include "session.h"
#include "wire/nspi.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS 50
#define QUERY_ROWS 3 /* NspiQueryRows, [MS-OXNSPI] 3.1.4.1.8 */

static uint16_t *wide(struct arena *arena, const char *text, unsigned number)
{
	char full[128];
	int n = snprintf(full, sizeof full, "%s %u", text, number);
	uint16_t *out = arena_new_array(arena, uint16_t, (size_t)n + 1);
	for (int i = 0; out && i < n; i++)
		out[i] = (uint8_t)full[i];
	return out;
}

/* What Outlook asks for in a first page: an entry id, names, addresses, types. */
static void fill_row(struct arena *arena, struct PropertyRow_r *row, unsigned number)
{
	static const struct {
		uint32_t tag;
		const char *text;
	} columns[] = {
	        {0x0FFF0102, ""},
	        {0x3001001F, "A name of somebody"},
	        {0x39FE001F, "somebody@demo.test"},
	        {0x3003001F, "/o=DEMO/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Recipients/cn=somebody"},
	        {0x3002001F, "EX"},
	        {0x3A00001F, "somebody"},
	        {0x39000003, ""},
	        {0x0FFE0003, ""},
	        {0x3A18001F, "A department of some size"},
	        {0x3A1A001F, "+49 30 1234567"}};
	row->cValues = ARRAY_SIZE(columns);
	row->lpProps = arena_new_array(arena, struct PropertyValue_r, row->cValues);
	for (unsigned i = 0; row->lpProps && i < row->cValues; i++) {
		struct PropertyValue_r *v = &row->lpProps[i];
		v->ulPropTag = columns[i].tag;
		if ((v->ulPropTag & 0xFFFF) == 0x1F)
			v->Value.lpszW = wide(arena, columns[i].text, number);
		else if ((v->ulPropTag & 0xFFFF) == 0x0102)
			v->Value.bin = (struct Binary_r){120, (uint8_t *)arena_alloc(arena, 120)};
		else
			v->Value.l = 6;
	}
}

static void encode(struct arena *arena, struct NspiQueryRows_args *a, struct buf *out)
{
	buf_clear(out);
	struct ndr n = ndr_encoder(NDR_20, arena, out);
	int r = ndr_encode_args(&n, &wire_nspi_interface.methods[QUERY_ROWS], IDL_RESPONSE, a);
	if (r < 0)
		fail("cannot encode the rows at %s: %s", n.where ? n.where : "?", mw_strerror(r));
}

static void decode(struct arena *arena, const struct buf *in)
{
	struct NspiQueryRows_args *a = arena_new_of(arena, struct NspiQueryRows_args);
	struct ndr n = ndr_decoder(NDR_20, arena, cursor_of(in->data, in->len));
	int r = ndr_decode_args(&n, &wire_nspi_interface.methods[QUERY_ROWS], IDL_RESPONSE, a);
	if (r < 0 || a->ppRows->cRows != ROWS)
		fail("cannot decode the rows: %s", mw_strerror(r));
}

static struct arena *new_arena(void)
{
	struct arena *arena = arena_new(0);
	if (!arena)
		fail("out of memory");
	return arena;
}

/* The last byte goes on, so that no copy can be left out. */
static void copy(const struct buf *from, uint8_t *to)
{
	memcpy(to, from->data, from->len);
	__asm__ volatile("" : : "r"(to) : "memory");
}

void rows_run(double seconds)
{
	struct arena *of_rows = new_arena(), *arena = new_arena();
	struct buf out = {0}, wire = {0};
	struct NspiQueryRows_args a = {.ppRows = arena_new_of(of_rows, struct PropertyRowSet_r)};
	double took[3] = {0};
	uint64_t rounds = 0;
	a.ppRows->cRows = ROWS;
	a.ppRows->aRow = arena_new_array(of_rows, struct PropertyRow_r, ROWS);
	for (unsigned i = 0; i < ROWS; i++)
		fill_row(of_rows, &a.ppRows->aRow[i], i);
	encode(arena, &a, &wire);
	uint8_t *copied = (uint8_t *)malloc(wire.len);
	/* In turns, a few at a time: whatever disturbs one disturbs all. */
	for (double end = load_now() + seconds; copied && load_now() < end; rounds += 20) {
		double t[4] = {load_now()};
		for (int i = 0; i < 20; i++) {
			arena_reset(arena);
			decode(arena, &wire);
		}
		t[1] = load_now();
		for (int i = 0; i < 20; i++) {
			arena_reset(arena);
			encode(arena, &a, &out);
		}
		t[2] = load_now();
		for (int i = 0; i < 20; i++)
			copy(&wire, copied);
		t[3] = load_now();
		for (int i = 0; i < 3; i++)
			took[i] += t[i + 1] - t[i];
	}
	if (out.len != wire.len || memcmp(out.data, wire.data, out.len) != 0)
		fail("the rows were encoded otherwise");
	double bytes = (double)wire.len * (double)rounds;
	printf("{\"size\": %zu, \"decode\": %.0f, \"encode\": %.0f, \"copy\": %.0f}\n", wire.len, bytes / took[0],
	       bytes / took[1], bytes / took[2]);
	free(copied);
	buf_free(&out);
	buf_free(&wire);
	arena_free(&of_rows);
	arena_free(&arena);
}
