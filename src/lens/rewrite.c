#include "lens/lens-private.h"

#include "lens/scrub.h"
#include "mapi/ext_buffer.h"
#include "ndr/ndr.h"
#include "wire/emsmdb.h"

#include <stdlib.h>

/*
 * --rewrite: what a call says, with other words. Numbers, codes, ids and sizes stay; strings, byte arrays and
 * addresses are changed where the tables say that they stand, without changing their length. What the tables do not
 * open is made zeros. Extended buffers of the store are packed anew, as they are.
 */
#define OPNUM_RPC 2
#define OPNUM_RPC_EXT2 11
#define RANGES_MAX 65536u

struct range {
	size_t at, size;
	enum { RANGE_TEXT, RANGE_WIDE, RANGE_BYTES, RANGE_TOWER } what;
};

struct ranges {
	struct range *list;
	unsigned count, cap;
	bool beyond; /* some found no place: nothing of it is to be trusted */
};

struct lens_rewrite {
	struct ranges stub, rops;
	struct buf payloads; /* extended buffers, changed; of EcDoRpc the payload, obfuscated */
	struct buf out;
	size_t last;   /* where the header of the last extended buffer begins */
	size_t rgb_at; /* in the stub of EcDoRpc */
	bool failed;
};

static void add_range(struct ranges *r, size_t at, size_t size, unsigned what)
{
	if (r->count == r->cap) {
		unsigned cap = r->cap ? r->cap * 2 : 64;
		struct range *more = cap > RANGES_MAX ? NULL : reallocarray(r->list, cap, sizeof *more);
		if (!more) {
			r->beyond = true;
			return;
		}
		r->list = more;
		r->cap = cap;
	}
	r->list[r->count++] = (struct range){.at = at, .size = size, .what = what};
}

static void apply(struct lens_scrub *s, const struct ranges *r, uint8_t *data, size_t len)
{
	if (r->beyond) {
		memset(data, 0, len);
		return;
	}
	for (unsigned i = 0; i < r->count; i++) {
		const struct range *x = &r->list[i];
		if (x->at > len || x->size > len - x->at)
			continue;
		switch (x->what) {
		case RANGE_TEXT:
			lens_scrub_text(s, data + x->at, x->size);
			break;
		case RANGE_WIDE:
			lens_scrub_wide(s, data + x->at, x->size);
			break;
		case RANGE_TOWER:
			lens_scrub_tower(s, data + x->at, x->size);
			break;
		case RANGE_BYTES:
			lens_scrub_bytes(s, data + x->at, x->size);
			break;
		}
	}
}

void lens_rewrite_free(struct lens *lens)
{
	struct lens_rewrite *w = TAKE_PTR(lens->rewrite);
	if (!w)
		return;
	free(w->stub.list);
	free(w->rops.list);
	buf_free(&w->payloads);
	buf_free(&w->out);
	free(w);
}

void lens_rewrite_begin(struct lens *lens)
{
	if (!lens->options.scrub || (!lens->rewrite && !(lens->rewrite = calloc(1, sizeof *lens->rewrite))))
		return;
	struct lens_rewrite *w = lens->rewrite;
	w->stub.count = w->rops.count = 0;
	w->stub.beyond = w->rops.beyond = w->failed = false;
	w->rgb_at = 0;
	buf_clear(&w->payloads);
	buf_clear(&w->out);
}

void lens_rewrite_note(struct lens *lens, bool in_rops, const struct ndr_field *f)
{
	struct lens_rewrite *w = lens->rewrite;
	const struct idl_type *t = f->type;
	if (!w || f->what != NDR_FIELD_LEAF || !t || !f->value || !f->size)
		return;
	struct ranges *r = in_rops ? &w->rops : &w->stub;
	if (!in_rops && f->depth == 0 && f->name && strcmp(f->name, "rgb") == 0)
		w->rgb_at = f->offset;
	else if (t->kind == IDL_OPAQUE)
		add_range(r, f->offset, f->size, RANGE_BYTES);
	else if (t->kind == IDL_ARRAY && t->element->is_char && t->element->size == 2)
		/* A byte before it tells what sort of string it is ([MS-OXCDATA] 2.11.7). */
		add_range(r, f->offset + (f->size & 1), f->size & ~(size_t)1, RANGE_WIDE);
	else if (t->kind == IDL_ARRAY && t->element->is_char)
		add_range(r, f->offset, f->size, RANGE_TEXT);
	else if (t->kind == IDL_ARRAY)
		add_range(r, f->offset, f->size,
		          f->name && strcmp(f->name, "tower_octet_string") == 0 ? RANGE_TOWER : RANGE_BYTES);
}

void lens_rewrite_payload(struct lens_making *m, struct cursor payload, size_t good, bool extended)
{
	struct lens_rewrite *w = m->lens->rewrite;
	size_t len = cursor_left(&payload);
	uint8_t *copy = w ? arena_copy(m->work, cursor_here(&payload), len) : NULL;
	if (!copy)
		return;
	apply(m->lens->options.scrub, &w->rops, copy, len);
	if (good < len)
		memset(copy + good, 0, len - good);
	w->rops.count = 0;
	if (extended) {
		w->last = w->payloads.len;
		w->failed |= mapi_ext_append(&w->payloads, copy, len, 0) < 0;
	} else {
		mapi_obfuscate(copy, len);
		w->failed |= buf_put(&w->payloads, copy, len) < 0;
	}
}

/* ---- Stubs ---- */

static bool is_store_call(const struct lens_making *m, uint16_t opnum)
{
	return m->event->service == LENS_SVC_STORE && m->event->has_opnum && m->event->opnum == opnum;
}

/* Flags of RPC_HEADER_EXT, [MS-OXCRPC] 2.2.2.1: behind its version. */
static void mark_last(struct lens_rewrite *w)
{
	if (w->payloads.len)
		buf_poke_u16(&w->payloads, w->last + 2, MAPI_EXT_LAST);
}

/* The payloads are other ones, and longer than what was compressed: the arguments are encoded anew. */
static bool encode_ext2(struct lens_making *m)
{
	struct lens_rewrite *w = m->lens->rewrite;
	struct lens_scrub *s = m->lens->options.scrub;
	const struct idl_method *method = &wire_emsmdb_interface.methods[OPNUM_RPC_EXT2];
	enum idl_direction d = m->event->kind == LENS_REQUEST ? IDL_REQUEST : IDL_RESPONSE;
	struct EcDoRpcExt2_args *a = arena_new_of(m->work, struct EcDoRpcExt2_args);
	struct ndr n = ndr_decoder(m->rpc->syntax, m->work, cursor_of(m->rpc->stub, m->rpc->stub_len));
	n.in.big_endian = m->rpc->big_endian;
	n.lenient = true;
	if (!a || ndr_decode_args(&n, method, d, a) < 0)
		return false;
	mark_last(w);
	if (a->rgbAuxIn)
		lens_scrub_bytes(s, a->rgbAuxIn, a->cbAuxIn);
	if (a->rgbAuxOut)
		lens_scrub_bytes(s, a->rgbAuxOut, a->pcbAuxOut);
	if (d == IDL_REQUEST) {
		a->rgbIn = w->payloads.data;
		a->cbIn = (uint32_t)w->payloads.len;
	} else {
		a->rgbOut = w->payloads.data;
		a->pcbOut = (uint32_t)w->payloads.len;
	}
	struct ndr e = ndr_encoder(m->rpc->syntax, m->work, &w->out);
	return ndr_encode_args(&e, method, d, a) == 0;
}

/* In place, by what the tracer told. */
static bool change_stub(struct lens_making *m)
{
	struct lens_rewrite *w = m->lens->rewrite;
	if (!m->method || m->event->damaged || buf_put(&w->out, m->rpc->stub, m->rpc->stub_len) < 0)
		return false;
	apply(m->lens->options.scrub, &w->stub, w->out.data, w->out.len);
	if (!is_store_call(m, OPNUM_RPC))
		return true;
	if (w->payloads.len > w->out.len - w->rgb_at)
		return false;
	memcpy(w->out.data + w->rgb_at, w->payloads.data, w->payloads.len);
	return true;
}

bool lens_rewrite_stub(struct lens_making *m, struct lens_said *said)
{
	struct lens_rewrite *w = m->lens->rewrite;
	bool call = m->event->kind == LENS_REQUEST || m->event->kind == LENS_RESPONSE;
	if (!w || !call)
		return w != NULL;
	bool good = !said->sealed && !w->failed;
	good = good && (is_store_call(m, OPNUM_RPC_EXT2) ? encode_ext2(m) : change_stub(m));
	if (!good) {
		buf_clear(&w->out);
		buf_put_zero(&w->out, said->stub_len);
	}
	if (buf_error(&w->out))
		return false;
	said->emptied = !good && said->stub_len;
	said->big_endian &= !(good && is_store_call(m, OPNUM_RPC_EXT2));
	said->stub = w->out.data ? w->out.data : said->stub;
	said->stub_len = w->out.len;
	return true;
}
