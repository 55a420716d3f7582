#include "base/text.h"
#include "client/private.h"
#include "client/site.h"
#include "wire/asyncemsmdb.h"
#include "wire/emsmdb.h"
#include "wire/epm.h"
#include "wire/mgmt.h"
#include "wire/nspi.h"
#include "wire/rfr.h"
#include "wire/tower.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The endpoint mapper: C706 appendix O, [MS-RPCE] 2.2.1.2. */

#define OP_EPT_LOOKUP 2
#define OP_EPT_MAP 3
#define OP_EPT_LOOKUP_HANDLE_FREE 4
#define MAX_TOWERS 4
#define LOOKUP_AT_ONCE 100
#define MAX_REGISTRATIONS 20000

/* ---- Interfaces by name ---- */

static const struct idl_interface *const known[] = {
        &wire_epm_interface,  &wire_mgmt_interface,   &wire_rfr_interface,
        &wire_nspi_interface, &wire_emsmdb_interface, &wire_asyncemsmdb_interface,
};

static const struct idl_interface *find_known(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (text_casecmp(known[i]->alias, name) == 0)
			return known[i];
	return text_casecmp(name, "store") == 0 ? &wire_emsmdb_interface : NULL;
}

static void describe(const struct guid *uuid, uint16_t major, uint16_t minor, struct mapiwire_interface *out)
{
	*out = (struct mapiwire_interface){.major = major, .minor = minor};
	guid_format(uuid, out->uuid);
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (guid_equal(&known[i]->uuid, uuid))
			snprintf(out->name, sizeof out->name, "%s", known[i]->alias);
}

static int parse_version(const char *text, uint16_t *major, uint16_t *minor)
{
	unsigned a, b = 0;
	char rest;
	int n = sscanf(text, "%5u.%5u%c", &a, &b, &rest);
	if ((n != 1 && n != 2) || a > UINT16_MAX || b > UINT16_MAX)
		return MAPIWIRE_E_ARGUMENT;
	*major = (uint16_t)a;
	*minor = (uint16_t)b;
	return 0;
}

int mapiwire_interface_named(const char *text, struct mapiwire_interface *out)
{
	const struct idl_interface *i = find_known(text);
	char uuid[48];
	struct guid g;
	uint16_t major = 0, minor = 0;
	if (i) {
		describe(&i->uuid, i->major, i->minor, out);
		return 0;
	}
	size_t len = strcspn(text, "/");
	if (len >= sizeof uuid)
		return MAPIWIRE_E_ARGUMENT;
	memcpy(uuid, text, len);
	uuid[len] = 0;
	if (guid_parse(uuid, &g) < 0 || (text[len] && parse_version(text + len + 1, &major, &minor) < 0))
		return MAPIWIRE_E_ARGUMENT;
	for (size_t k = 0; !text[len] && k < ARRAY_SIZE(known); k++)
		if (guid_equal(&known[k]->uuid, &g)) {
			major = known[k]->major;
			minor = known[k]->minor;
		}
	describe(&g, major, minor, out);
	return 0;
}

/* ---- ept_map ---- */

static int question(struct arena *arena, const struct mapiwire_interface *interface, struct twr_t *out)
{
	struct buf octets MW_CLEANUP(buf_free) = {0};
	struct epm_tower tower = {
	        .major = interface->major,
	        .minor = interface->minor,
	        .transfer = rpc_ndr20.uuid,
	        .transfer_major = rpc_ndr20.major,
	        .transfer_minor = rpc_ndr20.minor,
	        .protocol = EPM_NCACN_IP_TCP,
	};
	int r = guid_parse(interface->uuid, &tower.interface);
	if (r == 0)
		r = epm_tower_build(&tower, &octets);
	if (r != 0)
		return r;
	out->tower_length = (uint32_t)octets.len;
	out->tower_octet_string = (uint8_t *)arena_copy(arena, octets.data, octets.len);
	return out->tower_octet_string ? 0 : MW_E_NOMEM;
}

/* The port of the first tower that leads to the interface over TCP; 0: none. */
static uint16_t port_of(const struct ept_map_args *a, const struct guid *interface)
{
	for (uint32_t i = 0; a->towers && i < a->num_towers; i++) {
		const struct twr_t *t = a->towers[i];
		struct epm_tower tower;
		if (t && epm_tower_parse(cursor_of(t->tower_octet_string, t->tower_length), &tower) == 0 &&
		    tower.protocol == EPM_NCACN_IP_TCP && tower.port != 0 && guid_equal(&tower.interface, interface))
			return tower.port;
	}
	return 0;
}

/* What people call it. */
static const char *title(const struct mapiwire_interface *i)
{
	return strcmp(i->name, "nspi") == 0     ? "address book (nspi)"
	       : strcmp(i->name, "rfr") == 0    ? "referral (rfr)"
	       : strcmp(i->name, "emsmdb") == 0 ? "store (emsmdb)"
	       : *i->name                       ? i->name
	                                        : i->uuid;
}

static int map(struct client_conn *c, struct arena *arena, const struct mapiwire_interface *interface, uint16_t *port)
{
	struct mapiwire *m = c->m;
	struct twr_t tower = {0};
	struct guid uuid;
	struct ept_map_args a = {.map_tower = &tower, .max_towers = MAX_TOWERS};
	int r = question(arena, interface, &tower);
	if (r < 0 || (r = guid_parse(interface->uuid, &uuid)) < 0)
		return client_fail_inside(m, r, "ept_map");
	r = client_call(c, 0, OP_EPT_MAP, arena, &a);
	if (r != 0)
		return r;
	uint16_t found = a.status == 0 ? port_of(&a, &uuid) : 0;
	if (found == 0 &&
	    (a.status == 0 || cause_of_status(CAUSE_OF_EPM, a.status) == CAUSE_INTERFACE_NOT_REGISTERED)) {
		client_fail_on(m, MAPIWIRE_E_NOTFOUND, CAUSE_INTERFACE_NOT_REGISTERED, "%s", title(interface));
		m->said->error.status = a.status;
		return MAPIWIRE_E_NOTFOUND;
	}
	if (found == 0)
		return client_fail_status(m, CAUSE_OF_EPM, a.status, "ept_map");
	*port = found;
	return 0;
}

/* The mapper's connection stays for the next question, unless it was lost meanwhile. */
static int open_mapper(struct mapiwire *m, struct client_conn **out)
{
	for (struct client_conn *c = m->conns, *next; c; c = next) {
		next = c->next;
		if (!c->bound || !c->idle || c->interfaces[0] != &wire_epm_interface)
			continue;
		if (client_is_up(c)) {
			*out = c;
			return 0;
		}
		client_close(&c);
	}
	return client_open(m, m->mapper_port, NULL, &wire_epm_interface, AUTH_LEVEL_NONE, out);
}

int mapiwire_map(struct mapiwire *m, const struct mapiwire_interface *interface, uint16_t *port)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = client_arena(m);
	struct client_conn *c = NULL;
	client_no_error(m);
	if (m->transport == MAPIWIRE_MAPI_HTTP) {
		*port = m->site->port;
		return 0;
	}
	if (strcmp(interface->name, "epm") == 0) {
		*port = m->mapper_port;
		return 0;
	}
	if (m->transport == MAPIWIRE_RPC_HTTP) {
		*port = client_rpc_http_port(interface->name);
		return *port ? 0
		             : client_fail_on(m, MAPIWIRE_E_NOTFOUND, CAUSE_INTERFACE_NOT_REGISTERED, "%s",
		                              title(interface));
	}
	if (!arena)
		return MAPIWIRE_E_MEMORY;
	int r = open_mapper(m, &c);
	return r != 0 ? r : map(c, arena, interface, port);
}

/* ---- ept_lookup ---- */

static const char *endpoint_text(struct arena *arena, const struct epm_tower *t)
{
	return t->port ? arena_printf(arena, "%u", t->port) : arena_strdup(arena, t->name);
}

static const char *tower_address(struct arena *arena, const struct epm_tower *t)
{
	char text[INET_ADDRSTRLEN] = "";
	if (t->port)
		inet_ntop(AF_INET, t->ip, text, sizeof text);
	return arena_strdup(arena, t->port ? text : t->host);
}

/* false: a tower that makes no sense; it is left out. */
static bool read_entry(struct arena *arena, const struct ept_entry_t *e, struct mapiwire_registration *out)
{
	struct epm_tower t;
	if (!e->tower || epm_tower_parse(cursor_of(e->tower->tower_octet_string, e->tower->tower_length), &t) < 0)
		return false;
	describe(&t.interface, t.major, t.minor, &out->interface);
	out->protocol = epm_protocol_name(t.protocol);
	out->port = t.port;
	out->address = tower_address(arena, &t);
	out->endpoint = endpoint_text(arena, &t);
	out->annotation = arena_strdup(arena, e->annotation ? (const char *)e->annotation : "");
	return out->address && out->endpoint && out->annotation;
}

static int add_entries(struct mapiwire *m, struct arena *arena, const struct ept_lookup_args *a,
                       struct mapiwire_registrations *out)
{
	if (out->count + a->num_ents > MAX_REGISTRATIONS)
		return client_fail_inside(m, MW_E_LIMIT, "ept_lookup");
	size_t size = (out->count + a->num_ents) * sizeof *out->list;
	struct mapiwire_registration *list = (struct mapiwire_registration *)arena_alloc(arena, size);
	if (!list)
		return client_fail_inside(m, MW_E_NOMEM, "ept_lookup");
	if (out->count)
		memcpy(list, out->list, out->count * sizeof *list);
	out->list = list;
	for (uint32_t i = 0; a->entries && i < a->num_ents; i++)
		if (read_entry(arena, &a->entries[i], &list[out->count]))
			out->count++;
	return 0;
}

static int lookup(struct client_conn *c, struct arena *arena, struct mapiwire_registrations *out)
{
	struct idl_context_handle handle = {0};
	for (;;) {
		struct ept_lookup_args a = {
		        .inquiry_type = RPC_C_EP_ALL_ELTS,
		        .vers_option = RPC_C_VERS_ALL,
		        .entry_handle = handle,
		        .max_ents = LOOKUP_AT_ONCE,
		};
		int r = client_call(c, 0, OP_EPT_LOOKUP, arena, &a);
		if (r != 0)
			return r;
		if (a.status != 0)
			return cause_of_status(CAUSE_OF_EPM, a.status) == CAUSE_INTERFACE_NOT_REGISTERED
			               ? 0
			               : client_fail_status(c->m, CAUSE_OF_EPM, a.status, "ept_lookup");
		r = add_entries(c->m, arena, &a, out);
		handle = a.entry_handle;
		if (r < 0 || guid_is_nil(&handle.uuid) || a.num_ents == 0)
			return r;
	}
}

int mapiwire_lookup(struct mapiwire *m, struct mapiwire_registrations *out)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = client_arena(m);
	struct mapiwire_registrations found = {0};
	struct client_conn *c = NULL;
	client_no_error(m);
	if (!arena)
		return MAPIWIRE_E_MEMORY;
	int r = open_mapper(m, &c);
	if (r == 0)
		r = lookup(c, arena, &found);
	if (r != 0)
		return r;
	found.owner = TAKE_PTR(arena);
	*out = found;
	return 0;
}

void mapiwire_registrations_free(struct mapiwire_registrations *r)
{
	struct arena *arena = (struct arena *)r->owner;
	arena_free(&arena);
	*r = (struct mapiwire_registrations){0};
}
