#include "lens/lens-private.h"

#include "mapi/ext_buffer.h"
#include "mapi/rop_buffer.h"
#include "mapi/status.h"
#include "wire/emsmdb.h"
#include "wire/rops.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define OPNUM_CONNECT 0
#define OPNUM_RPC 2
#define OPNUM_CONNECT_EX 10
#define OPNUM_RPC_EXT2 11
#define ROP_LOGON 0xFE
/* In EcDoRpc's stub, after the context handle: the array's maximum, which an answer repeats from its request. */
#define MAXIMUM_AT 20
#define STUB_PADDING 8
/* Of the table of a part's sessions. */
#define SETS 64u
#define WAYS 8u

static const uint16_t carriers[] = {OPNUM_RPC, OPNUM_RPC_EXT2};

/* ---- Sessions, by context handle ---- */

static unsigned set_of(const struct guid *cxh)
{
	uint64_t v[2];
	memcpy(v, cxh, sizeof v);
	return (unsigned)(((v[0] ^ v[1]) * UINT64_C(0x9E3779B97F4A7C15)) >> 32) % SETS;
}

void lens_session_forget(struct lens *lens, struct lens_session *s)
{
	if (s->session)
		lens_age_remove(&lens->known_sessions, &s->age);
	mapi_session_free(&s->session);
}

/* That session, begun when it is not known; the one of its set that was idle longest makes room. */
static struct mapi_session *session_of(struct lens *lens, const struct guid *cxh)
{
	if (!lens->sessions && !(lens->sessions = calloc(SETS * WAYS, sizeof *lens->sessions)))
		return NULL;
	struct lens_session *set = lens->sessions + (size_t)set_of(cxh) * WAYS, *oldest = set;
	if (guid_is_nil(cxh))
		return NULL;
	for (unsigned i = 0; i < WAYS; i++) {
		if (set[i].session && guid_equal(&set[i].cxh, cxh)) {
			lens_age_touch(&lens->known_sessions, &set[i].age, lens->now.frame);
			return set[i].session;
		}
		if (!set[i].session || (oldest->session && set[i].age.used < oldest->age.used))
			oldest = &set[i];
	}
	lens_session_forget(lens, oldest);
	oldest->cxh = *cxh;
	oldest->session = mapi_session_new(0);
	if (oldest->session)
		lens_age_add(&lens->known_sessions, &oldest->age, lens->now.frame);
	return oldest->session;
}

void lens_sessions_free(struct lens *lens)
{
	for (unsigned i = 0; lens->sessions && i < SETS * WAYS; i++)
		lens_session_forget(lens, &lens->sessions[i]);
	free(lens->sessions);
}

/* ---- Stubs ---- */

static uint16_t array_maximum(const struct lens_making *m)
{
	struct cursor c = cursor_of(m->rpc->stub, m->rpc->stub_len);
	uint32_t v;
	c.big_endian = m->rpc->big_endian;
	if (cursor_skip(&c, MAXIMUM_AT) < 0 || cursor_u32(&c, &v) < 0 || v > UINT16_MAX)
		return 0;
	return (uint16_t)v;
}

static void *decode(struct lens_making *m, uint16_t opnum)
{
	const struct idl_method *method = &wire_emsmdb_interface.methods[opnum];
	bool request = m->event->kind == LENS_REQUEST;
	void *args = arena_alloc(m->work, method->args->size);
	if (!args)
		return NULL;
	if (opnum == OPNUM_RPC)
		((struct EcDoRpc_args *)args)->cbMax = array_maximum(m);
	struct ndr n = ndr_decoder(m->rpc->syntax, m->work, cursor_of(m->rpc->stub, m->rpc->stub_len));
	n.in.big_endian = m->rpc->big_endian;
	n.lenient = true;
	if (ndr_decode_args(&n, method, request ? IDL_REQUEST : IDL_RESPONSE, args) < 0) {
		lens_note_damage(m, n.where_offset, n.where);
		return NULL;
	}
	return args;
}

/* ---- ROPs ---- */

static void add_rops(struct lens_making *m, const struct mapi_rop_list *list)
{
	struct lens_event *e = m->event;
	struct lens_rop *rops = arena_new_array(m->arena, struct lens_rop, e->rop_count + list->count);
	if (!rops)
		return;
	if (e->rop_count)
		memcpy(rops, e->rops, e->rop_count * sizeof *rops);
	for (unsigned i = 0; i < list->count; i++) {
		const struct mapi_rop *r = &list->rops[i];
		rops[e->rop_count + i] = (struct lens_rop){
		        .id = r->id,
		        .name = r->name ? r->name : "?",
		        .status = r->status,
		        .has_status = r->has_status,
		};
	}
	e->rops = rops;
	e->rop_count += list->count;
}

/* What an answer says besides its status: [MS-OXCSTOR] 2.2.1.1.2, [MS-OXCROPS] 2.2.15.2.1. */
static void note_said(struct lens_making *m, const struct mapi_rop_list *list)
{
	for (unsigned i = 0; i < list->count && !m->event->says; i++) {
		const struct mapi_rop *r = &list->rops[i];
		if (r->id == ROP_LOGON && r->status == ecWrongServer) {
			const char *name = ((const struct RopLogonResponse *)r->value)->ServerName;
			m->event->says = name ? arena_strdup(m->arena, name) : NULL;
		} else if (r->id == MAPI_ROP_BACKOFF) {
			uint32_t ms = ((const struct RopBackoffResponse *)r->value)->Duration;
			m->event->says = arena_printf(m->arena, "back off for %.1f s", ms / 1000.0);
		}
	}
}

static bool folder_at(struct mapi_session *s, const struct mapi_rop_list *list, int index, uint64_t *id)
{
	return list && index >= 0 && (unsigned)index < list->handle_count &&
	       mapi_session_folder(s, list->handles[index], id);
}

/* The folder that an answer is about: that of the first object in it whose folder is known. */
static void note_folder(struct lens_making *m, struct mapi_session *s, const struct mapi_rop_list *list)
{
	uint64_t id;
	for (unsigned i = 0; i < list->count && !m->event->folder; i++) {
		const struct mapi_rop *r = &list->rops[i], *asked = r->request;
		if (!folder_at(s, list, r->output, &id) &&
		    !folder_at(s, m->request ? m->request->rops : NULL, asked ? asked->input : -1, &id))
			continue;
		const char *name = mapi_session_folder_name(s, id);
		m->event->folder =
		        name ? arena_strdup(m->arena, name) : arena_printf(m->arena, "folder 0x%016" PRIx64, id);
	}
}

static void read_payload(struct lens_making *m, struct mapi_session *s, struct cursor payload, struct lens_opening *o)
{
	struct mapi_rop_list *list = arena_new_of(m->work, struct mapi_rop_list);
	struct ndr_tracer tracer = lens_rop_tracer(o);
	const struct ndr_tracer *t = m->lens->options.want_fields ? &tracer : NULL;
	int bad;
	if (!list || !s)
		return;
	if (m->event->kind == LENS_REQUEST)
		bad = mapi_decode_requests(s, m->work, payload, t, list);
	else
		bad = mapi_decode_responses(s, m->work, payload, m->request ? m->request->rops : NULL, t, list);
	lens_rewrite_payload(m, payload, bad < 0 ? 0 : list->error ? list->error_offset : SIZE_MAX, o->extended);
	if (bad < 0) {
		lens_note_damage(m, 0, "the ROP buffer's size does not fit");
		return;
	}
	if (list->error)
		lens_note_damage(m, list->error_offset, list->error_where);
	add_rops(m, list);
	if (m->event->kind == LENS_RESPONSE) {
		note_said(m, list);
		note_folder(m, s, list);
	}
	if (m->pending)
		m->pending->rops = list;
}

static void read_old(struct lens_making *m, struct mapi_session *s, const uint8_t *data, size_t size)
{
	uint8_t *plain = arena_copy(m->work, data, size);
	struct lens_opening o = {.making = m};
	if (!plain)
		return;
	mapi_obfuscate(plain, size);
	m->event->encoding |= LENS_ENCODING_XOR;
	read_payload(m, s, cursor_of(plain, size), &o);
}

static void read_extended(struct lens_making *m, struct mapi_session *s, const uint8_t *data, size_t size)
{
	struct mapi_ext_payload *p;
	unsigned count;
	int bad = mapi_ext_decode(m->work, cursor_of(data, size), &p, &count);
	if (bad < 0) {
		lens_note_damage(m, 0, "the extended buffer's headers do not fit");
		return;
	}
	for (unsigned i = 0; i < count; i++) {
		struct lens_opening o = {.making = m, .extended = true, .base = p[i].offset + MAPI_EXT_HEADER_SIZE};
		if (p[i].flags & MAPI_EXT_XOR_MAGIC)
			m->event->encoding |= LENS_ENCODING_XOR;
		if (p[i].flags & MAPI_EXT_COMPRESSED) {
			m->event->encoding |= LENS_ENCODING_LZ;
			o.packed = true;
		}
		read_payload(m, s, p[i].data, &o);
	}
}

void lens_read_rops(struct lens_making *m, const struct guid *session, const uint8_t *data, size_t size)
{
	read_extended(m, session_of(m->lens, session), data, size);
}

void lens_session_code_page(struct lens *lens, const struct guid *session, uint32_t code_page)
{
	struct mapi_session *s = session_of(lens, session);
	if (s)
		mapi_session_set_code_page(s, code_page);
}

static void read_rpc(struct lens_making *m)
{
	struct EcDoRpc_args *a = decode(m, OPNUM_RPC);
	if (a && a->rgb)
		read_old(m, session_of(m->lens, &a->pcxh.uuid), a->rgb, a->pcbRgb);
}

static void read_rpc_ext2(struct lens_making *m)
{
	struct EcDoRpcExt2_args *a = decode(m, OPNUM_RPC_EXT2);
	if (!a)
		return;
	struct mapi_session *s = session_of(m->lens, &a->pcxh.uuid);
	if (m->event->kind == LENS_REQUEST && a->rgbIn)
		read_extended(m, s, a->rgbIn, a->cbIn);
	else if (m->event->kind == LENS_RESPONSE && a->rgbOut)
		read_extended(m, s, a->rgbOut, a->pcbOut);
}

/* [MS-OXCRPC] 3.1.4.1.3.1: three words, in one of two forms, told apart by the high bit of the second. */
static const char *version_text(struct arena *arena, const uint16_t w[3])
{
	if (w[1] & 0x8000)
		return arena_printf(arena, "version %u.%u.%u.%u", w[0] >> 8, w[0] & 0xFF, w[1] & 0x7FFF, w[2]);
	return arena_printf(arena, "version %u.0.%u.%u", w[0], w[1], w[2]);
}

/* The session's code page is in the request, its handle in the answer. */
static void read_connect(struct lens_making *m)
{
	void *args = decode(m, m->event->opnum);
	if (!args)
		return;
	bool old = m->event->opnum == OPNUM_CONNECT;
	if (m->pending) {
		m->pending->args = args;
		m->event->says = version_text(m->arena, old ? ((struct EcDoConnect_args *)args)->rgwClientVersion
		                                            : ((struct EcDoConnectEx_args *)args)->rgwClientVersion);
		return;
	}
	const void *asked = m->request ? m->request->args : NULL;
	const struct idl_context_handle *cxh =
	        old ? &((struct EcDoConnect_args *)args)->pcxh : &((struct EcDoConnectEx_args *)args)->pcxh;
	struct mapi_session *s = session_of(m->lens, &cxh->uuid);
	if (s && asked)
		mapi_session_set_code_page(s, old ? ((const struct EcDoConnect_args *)asked)->ulCpid
		                                  : ((const struct EcDoConnectEx_args *)asked)->ulCpid);
}

/* An answer whose request was not captured: is it one of this method? Decoded strictly, to the last byte. */
static bool is_answer_of(struct lens_making *m, uint16_t opnum)
{
	const struct idl_method *method = &wire_emsmdb_interface.methods[opnum];
	struct ndr n = ndr_decoder(m->rpc->syntax, m->work, cursor_of(m->rpc->stub, m->rpc->stub_len));
	void *args = arena_alloc(m->work, method->args->size);
	n.in.big_endian = m->rpc->big_endian;
	if (!args)
		return false;
	if (opnum == OPNUM_RPC)
		((struct EcDoRpc_args *)args)->cbMax = array_maximum(m);
	return ndr_decode_args(&n, method, IDL_RESPONSE, args) == 0 && cursor_left(&n.in) < STUB_PADDING;
}

/* The method of an answer alone is not on the wire; the ROPs in it are. */
static int opnum_of(struct lens_making *m)
{
	if (m->event->has_opnum)
		return m->event->opnum;
	if (m->event->kind == LENS_RESPONSE)
		for (size_t i = 0; i < ARRAY_SIZE(carriers); i++)
			if (is_answer_of(m, carriers[i]))
				return carriers[i];
	return -1;
}

void lens_read_store(struct lens_making *m)
{
	int opnum = opnum_of(m);
	switch (opnum) {
	case OPNUM_RPC:
		read_rpc(m);
		break;
	case OPNUM_RPC_EXT2:
		read_rpc_ext2(m);
		break;
	case OPNUM_CONNECT:
	case OPNUM_CONNECT_EX:
		read_connect(m);
		break;
	}
}
