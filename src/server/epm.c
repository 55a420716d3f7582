#include "wire/epm.h"
#include "base/time.h"
#include "server/epm_place.h"
#include "server/service.h"
#include "wire/tower.h"

#include <string.h>

/*
 * The endpoint mapper (C706 appendix O, [MS-RPCE] 3.3.3). What it hands out follows
 * from the services themselves: there is no second list. Remote callers may not
 * change it ([MS-RPCE] 3.3.3.4: ept_insert and ept_delete are local).
 */
#define EPT_S_NOT_REGISTERED 0x16C9A0D6u
#define EPT_S_INVALID_CONTEXT 0x16C9A0D5u
#define EPT_S_INVALID_ENTRY 0x16C9A0D3u
#define RPC_S_INVALID_INQUIRY_TYPE 0x16C9A0A9u
#define MAX_TOWERS 500

struct registration {
	const struct service *service;
	enum epm_protocol protocol;
	uint16_t port;
};

struct question {
	bool by_interface;
	struct guid interface;
	uint16_t major, minor;
	unsigned vers_option;
	enum epm_protocol protocol; /* EPM_PROTOCOL_OTHER: any */
	bool nothing;               /* asks for an object or protocol that nobody has */
};

static bool version_fits(const struct question *q, uint16_t major, uint16_t minor)
{
	switch (q->vers_option) {
	case RPC_C_VERS_ALL:
		return true;
	case RPC_C_VERS_COMPATIBLE:
		return major == q->major && minor >= q->minor;
	case RPC_C_VERS_EXACT:
		return major == q->major && minor == q->minor;
	case RPC_C_VERS_MAJOR_ONLY:
		return major == q->major;
	case RPC_C_VERS_UPTO:
		return major < q->major || (major == q->major && minor <= q->minor);
	default:
		return false;
	}
}

static bool fits(const struct question *q, const struct idl_interface *i)
{
	if (q->nothing)
		return false;
	return !q->by_interface || (guid_equal(&q->interface, &i->uuid) && version_fits(q, i->major, i->minor));
}

/* Where a service is to be had: on a socket of ours, or, if there is HTTPS, at its own endpoint behind RPC over HTTP.
 */
static bool is_there(const struct server *server, const struct service *s, unsigned p, struct registration *out)
{
	bool over_http = p >= SERVER_PORT_COUNT;
	if (!s->annotation || (over_http ? s->http_endpoint != p : !(s->ports & 1u << p)))
		return false;
	if (over_http && !server->ports[SERVER_PORT_HTTPS])
		return false;
	out->service = s;
	out->protocol = over_http ? EPM_NCACN_HTTP : EPM_NCACN_IP_TCP;
	out->port = over_http ? (uint16_t)service_http_endpoint((enum server_port)p) : server->ports[p];
	return true;
}

/* The next matching registration from *index on, which moves past it. An index counts services and their ports. */
static bool next_match(const struct server *server, const struct question *q, unsigned *index, struct registration *out)
{
	const struct service *s;
	for (; (s = services[*index / SERVER_SETUP_COUNT]) != NULL; (*index)++) {
		struct registration r;
		if (!fits(q, s->interface) || !is_there(server, s, *index % SERVER_SETUP_COUNT, &r) ||
		    (q->protocol != EPM_PROTOCOL_OTHER && q->protocol != r.protocol))
			continue;
		*out = r;
		(*index)++;
		return true;
	}
	return false;
}

static struct twr_t *make_tower(struct service_call *call, const struct registration *r)
{
	const struct idl_interface *i = r->service->interface;
	struct epm_tower tower = {
	        .interface = i->uuid,
	        .major = i->major,
	        .minor = i->minor,
	        .transfer = rpc_ndr20.uuid,
	        .transfer_major = rpc_ndr20.major,
	        .transfer_minor = rpc_ndr20.minor,
	        .protocol = r->protocol,
	        .port = r->port,
	};
	struct buf octets = {0};
	memcpy(tower.ip, call->local_ip, sizeof tower.ip);
	struct twr_t *out = NULL;
	if (epm_tower_build(&tower, &octets) == 0 && (out = arena_new_of(call->arena, struct twr_t)) != NULL) {
		out->tower_length = (uint32_t)octets.len;
		out->tower_octet_string = (uint8_t *)arena_copy(call->arena, octets.data, octets.len);
		if (!out->tower_octet_string)
			out = NULL;
	}
	buf_free(&octets);
	return out;
}

/* ---- The entry handle ---- */

/* Where to go on; MW_E_NOTFOUND for a handle that is not of this client. */
static int resume(struct service_call *call, const struct idl_context_handle *handle, unsigned *index)
{
	struct rpc_association *a = service_association(call);
	return a ? epm_place_find(a, handle, time_monotonic_ns(), index) : MW_E_NOTFOUND;
}

static void end_inquiry(struct service_call *call, struct idl_context_handle *handle)
{
	struct rpc_association *a = service_association(call);
	if (a)
		epm_place_end(a, handle);
}

static int keep_place(struct service_call *call, unsigned index, struct idl_context_handle *handle)
{
	struct rpc_association *a = service_association(call);
	return a ? epm_place_keep(a, handle, time_monotonic_ns(), index) : MW_E_STATE;
}

/*
 * Clients end a lookup in two ways: Samba's goes on until ept_s_not_registered, impacket's until the
 * handle is nil. Who got fewer than asked for, or asked for as many as the protocol allows, has all and
 * gets no handle; another keeps its place, as the Windows of 2003 did, until an answer is empty.
 */
static int settle_lookup(struct service_call *call, const struct question *q, unsigned index, struct ept_lookup_args *a)
{
	struct registration r;
	unsigned probe = index;
	a->status = a->num_ents ? 0 : EPT_S_NOT_REGISTERED;
	if (a->num_ents < a->max_ents || a->num_ents == 0 ||
	    (a->max_ents >= MAX_TOWERS && !next_match(call->server, q, &probe, &r))) {
		end_inquiry(call, &a->entry_handle);
		return 0;
	}
	return keep_place(call, index, &a->entry_handle);
}

static int settle_map(struct service_call *call, const struct question *q, unsigned index, struct ept_map_args *a)
{
	struct registration r;
	unsigned probe = index;
	a->status = a->num_towers ? 0 : EPT_S_NOT_REGISTERED;
	if (!next_match(call->server, q, &probe, &r)) {
		end_inquiry(call, &a->entry_handle);
		return 0;
	}
	return keep_place(call, index, &a->entry_handle);
}

/* ---- The methods ---- */

/* [MS-RPCE] 3.3.3.4: a remote caller is refused. */
static enum service_result refuse_local_only(struct service_call *call, void *args)
{
	(void)args;
	return service_fault(call, RPC_S_ACCESS_DENIED);
}

static int question_of_lookup(const struct ept_lookup_args *a, struct question *q)
{
	*q = (struct question){.vers_option = a->vers_option};
	bool by_object = a->inquiry_type == RPC_C_EP_MATCH_BY_OBJ || a->inquiry_type == RPC_C_EP_MATCH_BY_BOTH;
	q->by_interface = a->inquiry_type == RPC_C_EP_MATCH_BY_IF || a->inquiry_type == RPC_C_EP_MATCH_BY_BOTH;
	if (a->inquiry_type > RPC_C_EP_MATCH_BY_BOTH || (q->by_interface && !a->interface_id))
		return MW_E_INVALID;
	if (q->by_interface) {
		q->interface = a->interface_id->uuid;
		q->major = a->interface_id->vers_major;
		q->minor = a->interface_id->vers_minor;
	}
	/* Our registrations are all for the nil object. */
	q->nothing = by_object && a->object && !guid_is_nil(a->object);
	return 0;
}

static enum service_result ept_lookup(struct service_call *call, void *args)
{
	struct ept_lookup_args *a = (struct ept_lookup_args *)args;
	struct question q;
	struct registration r;
	unsigned index;
	if (question_of_lookup(a, &q) < 0) {
		a->status = RPC_S_INVALID_INQUIRY_TYPE;
		return SERVICE_DONE;
	}
	if (resume(call, &a->entry_handle, &index) < 0)
		return service_fault(call, NCA_S_FAULT_CONTEXT_MISMATCH);
	unsigned max = a->max_ents < MAX_TOWERS ? a->max_ents : MAX_TOWERS;
	a->entries = arena_new_array(call->arena, struct ept_entry_t, max);
	while (a->entries && a->num_ents < max && next_match(call->server, &q, &index, &r)) {
		struct ept_entry_t *e = &a->entries[a->num_ents++];
		e->annotation = (char *)r.service->annotation;
		if ((e->tower = make_tower(call, &r)) == NULL)
			return service_fault(call, NCA_S_SERVER_TOO_BUSY);
	}
	if (!a->entries || settle_lookup(call, &q, index, a) < 0)
		return service_fault(call, NCA_S_SERVER_TOO_BUSY);
	return SERVICE_DONE;
}

static int question_of_map(const struct twr_t *tower, struct question *q)
{
	struct epm_tower t;
	*q = (struct question){.by_interface = true, .vers_option = RPC_C_VERS_COMPATIBLE};
	int r = epm_tower_parse(cursor_of(tower->tower_octet_string, tower->tower_length), &t);
	if (r < 0)
		return r;
	q->interface = t.interface;
	q->major = t.major;
	q->minor = t.minor;
	q->protocol = t.protocol;
	q->nothing = (t.protocol != EPM_NCACN_IP_TCP && t.protocol != EPM_NCACN_HTTP) ||
	             !guid_equal(&t.transfer, &rpc_ndr20.uuid);
	return 0;
}

static enum service_result ept_map(struct service_call *call, void *args)
{
	struct ept_map_args *a = (struct ept_map_args *)args;
	struct question q;
	struct registration r;
	unsigned index;
	if (!a->map_tower || question_of_map(a->map_tower, &q) < 0) {
		a->status = EPT_S_INVALID_ENTRY;
		return SERVICE_DONE;
	}
	if (resume(call, &a->entry_handle, &index) < 0)
		return service_fault(call, NCA_S_FAULT_CONTEXT_MISMATCH);
	unsigned max = a->max_towers < MAX_TOWERS ? a->max_towers : MAX_TOWERS;
	a->towers = arena_new_array(call->arena, struct twr_t *, max);
	while (a->towers && a->num_towers < max && next_match(call->server, &q, &index, &r)) {
		if ((a->towers[a->num_towers++] = make_tower(call, &r)) == NULL)
			return service_fault(call, NCA_S_SERVER_TOO_BUSY);
	}
	if (!a->towers || settle_map(call, &q, index, a) < 0)
		return service_fault(call, NCA_S_SERVER_TOO_BUSY);
	return SERVICE_DONE;
}

static enum service_result ept_lookup_handle_free(struct service_call *call, void *args)
{
	struct ept_lookup_handle_free_args *a = (struct ept_lookup_handle_free_args *)args;
	unsigned index;
	if (resume(call, &a->entry_handle, &index) < 0)
		a->status = EPT_S_INVALID_CONTEXT;
	else
		end_inquiry(call, &a->entry_handle);
	return SERVICE_DONE;
}

/* The mapper itself has no object. */
static enum service_result ept_inq_object(struct service_call *call, void *args)
{
	(void)call;
	((struct ept_inq_object_args *)args)->status = 0;
	return SERVICE_DONE;
}

static const service_fn methods[] = {
        refuse_local_only,      refuse_local_only, ept_lookup,        ept_map,
        ept_lookup_handle_free, ept_inq_object,    refuse_local_only,
};

const struct service epm_service = {
        .interface = &wire_epm_interface,
        .methods = methods,
        .method_count = ARRAY_SIZE(methods),
        .ports = 1u << SERVER_PORT_EPM,
};
