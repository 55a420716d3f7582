#include "lens/lens-private.h"

#include "mapi/status.h"

#include <string.h>

/* The last out field of a method, when it is a status of four bytes: it ends the stub. */
static bool ends_with_status(const struct idl_method *m)
{
	const struct idl_field *last = NULL;
	for (uint16_t i = 0; i < m->args->field_count; i++)
		if (m->args->fields[i].flags & (IDL_FIELD_OUT | IDL_FIELD_RETURN))
			last = &m->args->fields[i];
	if (!last || !(last->flags & (IDL_FIELD_STATUS | IDL_FIELD_RETURN)))
		return false;
	const struct idl_type *t = last->type;
	if (t->kind == IDL_POINTER)
		t = t->element;
	return t->kind == IDL_INT && t->wire_size == 4;
}

static const char *name_of(const struct lens_making *m, uint32_t code)
{
	const char *name = NULL;
	switch (m->event->service) {
	case LENS_SVC_EPM:
	case LENS_SVC_MGMT:
		name = mapi_code_name(MAPI_CODES_DCE_STATUS, code);
		break;
	case LENS_SVC_OTHER:
		break;
	default:
		return mapi_status_name(code);
	}
	if (!name)
		name = mapi_code_name(MAPI_CODES_WIN32, code);
	return name ? name : mapi_code_name(MAPI_CODES_NTSTATUS, code);
}

static const char *hex(struct lens_making *m, uint32_t code)
{
	const char *text = arena_printf(m->arena, "0x%08x", code);
	return text ? text : "?";
}

const char *lens_status_text(struct arena *arena, uint32_t code)
{
	const char *name = code ? mapi_status_name(code) : "ok";
	if (!name)
		name = arena_printf(arena, "0x%08x", code);
	return name ? name : "?";
}

/* [MS-OXNSPI] 3.1.4.1.2: the method that succeeds with 1, which elsewhere is an error. */
#define OPNUM_NSPI_UNBIND 1
#define UNBIND_SUCCESS 1

static bool is_unbound(const struct lens_making *m, uint32_t code)
{
	const struct lens_event *e = m->event;
	return e->service == LENS_SVC_NSPI && e->has_opnum && e->opnum == OPNUM_NSPI_UNBIND && code == UNBIND_SUCCESS;
}

/* MAPI's warnings have the facility 4 and no error bit. */
static bool is_failure(const struct lens_making *m, uint32_t code)
{
	if (code == 0)
		return false;
	bool mapi = m->event->service >= LENS_SVC_RFR;
	return !(mapi && code >> 16 == 4);
}

static void put_status(struct lens_making *m)
{
	const struct rpc_event *ev = m->rpc;
	uint32_t code;
	if (!m->method || ev->stub_len < sizeof code || !ends_with_status(m->method))
		return;
	struct cursor c = cursor_of(ev->stub + ev->stub_len - sizeof code, sizeof code);
	c.big_endian = ev->big_endian;
	if (cursor_u32(&c, &code) < 0)
		return;
	if (is_unbound(m, code))
		code = 0;
	const char *name = code ? name_of(m, code) : "ok";
	m->event->status = name ? name : hex(m, code);
	m->event->status_code = code;
	m->event->failed = is_failure(m, code);
}

static void put_fault(struct lens_making *m)
{
	uint32_t code = m->rpc->status;
	const char *name = mapi_code_name(MAPI_CODES_NCA_FAULT, code);
	if (!name)
		name = mapi_code_name(MAPI_CODES_WIN32, code);
	if (!name)
		name = mapi_code_name(MAPI_CODES_NTSTATUS, code);
	m->event->status = name ? name : hex(m, code);
	m->event->status_code = code;
	m->event->failed = true;
}

static void put_nak(struct lens_making *m)
{
	const char *name = rpc_nak_reason_name((uint16_t)m->rpc->status);
	m->event->status = name ? name : arena_printf(m->arena, "reason %u", m->rpc->status);
	m->event->status_code = m->rpc->status;
	m->event->failed = true;
}

static bool is_readable(const struct rpc_event *ev)
{
	return !ev->sealed || ev->decrypted;
}

/* EcDoAsyncWaitEx's pulFlagsOut, [MS-OXCRPC] 3.3.4.1: NotificationPending. */
#define NOTIFICATION_PENDING 1u

static void read_wait(struct lens_making *m)
{
	struct cursor c = cursor_of(m->rpc->stub, m->rpc->stub_len);
	uint32_t flags;
	c.big_endian = m->rpc->big_endian;
	if (m->event->kind == LENS_RESPONSE && m->event->parked && cursor_u32(&c, &flags) == 0)
		m->event->notified = flags & NOTIFICATION_PENDING;
}

static void read_stub(struct lens_making *m)
{
	if (m->event->service == LENS_SVC_EPM)
		lens_read_epm(m);
	else if (m->event->service == LENS_SVC_STORE && !m->lens->options.heads_only)
		lens_read_store(m);
	else if (m->event->service == LENS_SVC_ASYNC)
		read_wait(m);
}

void lens_read_contents(struct lens_making *m)
{
	switch (m->event->kind) {
	case LENS_RESPONSE:
		if (is_readable(m->rpc)) {
			put_status(m);
			read_stub(m);
		}
		break;
	case LENS_REQUEST:
		if (is_readable(m->rpc))
			read_stub(m);
		break;
	case LENS_FAULT:
		put_fault(m);
		break;
	case LENS_BIND_NAK:
		put_nak(m);
		break;
	default:
		break;
	}
}
