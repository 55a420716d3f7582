#include "lens/lens-private.h"

#include "mapi/context.h"
#include "mapi/status.h"
#include "wire/mapihttp.h"

/* What stands in the body of a call in HTTP: [MS-OXCMAPIHTTP] 2.2.4 and 2.2.5. */

/* [MS-OXNSPI] 3.1.4.1.2: the method that succeeds with 1, which elsewhere is an error. */
#define OPNUM_NSPI_UNBIND 1

static const struct mapi_shape_context book = {.extended_rules = true, .address_book = true};

void lens_take_call(struct lens_making *m)
{
	struct lens_event *e = m->event;
	m->iface = lens_names_get(&m->lens->names, m->call->iface);
	e->known_by = LENS_KNOWN_BIND;
	e->has_call = false;
	e->has_opnum = true;
	e->opnum = m->call->opnum;
	e->op = m->call->op;
	lens_take_names(m);
}

/* An answer that failed as a whole has a body of its own: 2.2.4.1.3. */
static const struct idl_type *type_of(const struct lens_making *m)
{
	struct cursor c = cursor_of(m->rpc->stub, m->rpc->stub_len);
	uint32_t code;
	if (m->event->kind == LENS_RESPONSE && m->call->body && cursor_u32(&c, &code) == 0 && code != 0)
		return &MapiFailureResponse_type;
	return m->call->body;
}

static void *decode(struct lens_making *m, const struct idl_type *type, const struct ndr_tracer *tracer)
{
	struct ndr n = ndr_decoder(NDR_PACKED, m->work, cursor_of(m->rpc->stub, m->rpc->stub_len));
	void *value = arena_alloc(m->work, type->size);
	if (m->call->book)
		n.context = (struct mapi_shape_context *)(uintptr_t)&book;
	n.lenient = true;
	n.tracer = tracer;
	if (!value)
		return NULL;
	if (ndr_decode(&n, type, value) < 0) {
		lens_note_damage(m, n.where_offset, n.where);
		return NULL;
	}
	return value;
}

static void put_status(struct lens_making *m)
{
	struct lens_event *e = m->event;
	struct cursor c = cursor_of(m->rpc->stub, m->rpc->stub_len);
	uint32_t status, error;
	if (cursor_u32(&c, &status) < 0)
		return;
	if (status == 0 && cursor_u32(&c, &error) == 0)
		status = error;
	if (e->service == LENS_SVC_NSPI && e->opnum == OPNUM_NSPI_UNBIND && status == 1)
		status = 0;
	e->status = lens_status_text(m->arena, status);
	e->status_code = status;
	/* MAPI's warnings have the facility 4 and no error bit. */
	e->failed = status != 0 && status >> 16 != 4;
}

static void read_execute(struct lens_making *m, const struct idl_type *type)
{
	const void *value = decode(m, type, NULL);
	if (value && type == &MapiExecuteRequest_type) {
		const struct MapiExecuteRequest *r = value;
		lens_read_rops(m, &m->call->session, r->RopBuffer, r->RopBufferSize);
	} else if (value && type == &MapiExecuteResponse_type) {
		const struct MapiExecuteResponse *r = value;
		if (r->RopBufferSize)
			lens_read_rops(m, &m->call->session, r->RopBuffer, r->RopBufferSize);
	}
}

/* The session's code page is in the request, what names the session in the answer. */
static void read_connect(struct lens_making *m, const struct idl_type *type)
{
	void *value = decode(m, type, NULL);
	if (!value)
		return;
	if (m->pending) {
		m->pending->args = value;
		m->event->says = m->call->client ? arena_strdup(m->arena, m->call->client) : NULL;
	}
	if (m->request && m->request->args && type == &MapiConnectResponse_type)
		lens_session_code_page(m->lens, &m->call->session,
		                       ((const struct MapiConnectRequest *)m->request->args)->DefaultCodePage);
}

static void read_wait(struct lens_making *m, const struct idl_type *type)
{
	const void *value = decode(m, type, NULL);
	if (value && type == &MapiNotificationWaitResponse_type)
		m->event->notified = ((const struct MapiNotificationWaitResponse *)value)->EventPending & 1;
}

static void read_body(struct lens_making *m, const struct idl_type *type)
{
	if (m->call->body == &MapiExecuteRequest_type || m->call->body == &MapiExecuteResponse_type)
		read_execute(m, type);
	else if (m->call->body == &MapiConnectRequest_type || m->call->body == &MapiConnectResponse_type)
		read_connect(m, type);
	else if (m->event->service == LENS_SVC_ASYNC)
		read_wait(m, type);
}

void lens_read_call(struct lens_making *m)
{
	struct lens_event *e = m->event;
	const struct idl_type *type = type_of(m);
	if (m->call->damaged) {
		lens_note_damage(m, 0, m->call->damaged);
		return;
	}
	if (m->call->fault) {
		e->status = arena_strdup(m->arena, m->call->fault);
		e->failed = true;
		return;
	}
	if (e->kind == LENS_RESPONSE)
		put_status(m);
	if (type && !m->lens->options.heads_only)
		read_body(m, type);
	else if (type && e->service == LENS_SVC_ASYNC)
		read_wait(m, type);
}

void lens_open_call(struct lens_making *m, const struct ndr_tracer *tracer)
{
	(void)decode(m, type_of(m), tracer);
}
