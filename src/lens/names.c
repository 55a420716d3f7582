#include "lens/lens-private.h"

#include <string.h>

#define FIRST_SIZE 64

/* The interfaces that have a short name, and what views colour them by. */
struct own {
	struct guid uuid;
	const char *alias;
	enum lens_service service;
};

static const struct own own[] = {
        {{0xe1af8308, 0x5d1f, 0x11c9, {0x91, 0xa4, 0x08, 0x00, 0x2b, 0x14, 0xa0, 0xfa}}, "epm", LENS_SVC_EPM},
        {{0xafa8bd80, 0x7d8a, 0x11c9, {0xbe, 0xf4, 0x08, 0x00, 0x2b, 0x10, 0x29, 0x89}}, "mgmt", LENS_SVC_MGMT},
        {{0x1544f5e0, 0x613c, 0x11d1, {0x93, 0xdf, 0x00, 0xc0, 0x4f, 0xd7, 0xbd, 0x09}}, "rfr", LENS_SVC_RFR},
        {{0xf5cc5a18, 0x4264, 0x101a, {0x8c, 0x59, 0x08, 0x00, 0x2b, 0x2f, 0x84, 0x26}}, "nspi", LENS_SVC_NSPI},
        {{0xa4f1db00, 0xca47, 0x1067, {0xb3, 0x1f, 0x00, 0xdd, 0x01, 0x06, 0x62, 0xda}}, "emsmdb", LENS_SVC_STORE},
        {{0x5261574a, 0x4572, 0x206e, {0xb2, 0x68, 0x6b, 0x19, 0x92, 0x13, 0xb4, 0xe4}}, "asyncemsmdb", LENS_SVC_ASYNC},
};

const struct rpc_syntax lens_epm_syntax = {
        {0xe1af8308, 0x5d1f, 0x11c9, {0x91, 0xa4, 0x08, 0x00, 0x2b, 0x14, 0xa0, 0xfa}}, 3, 0};

int lens_names_init(struct lens_names *n, const struct idl_module *const *idl, size_t idl_count)
{
	struct arena *arena = arena_new(0);
	struct lens_iface **table = arena ? arena_new_array(arena, struct lens_iface *, FIRST_SIZE) : NULL;
	if (!table) {
		arena_free(&arena);
		return MW_E_NOMEM;
	}
	*n = (struct lens_names){
	        .arena = arena, .idl = idl, .idl_count = idl_count, .table = table, .size = FIRST_SIZE};
	return 0;
}

void lens_names_free(struct lens_names *n)
{
	arena_free(&n->arena);
}

static size_t hash(const struct rpc_syntax *s)
{
	uint64_t v[2];
	memcpy(v, &s->uuid, sizeof v);
	uint64_t h = (v[0] ^ v[1] ^ s->major ^ (uint64_t)s->minor << 16) * UINT64_C(0x9E3779B97F4A7C15);
	return (size_t)(h >> 24);
}

static bool same(const struct rpc_syntax *a, const struct rpc_syntax *b)
{
	return guid_equal(&a->uuid, &b->uuid) && a->major == b->major && a->minor == b->minor;
}

static struct lens_iface **slot(struct lens_iface **table, size_t size, const struct rpc_syntax *s)
{
	size_t i = hash(s) & (size - 1);
	while (table[i] && !same(&table[i]->syntax, s))
		i = (i + 1) & (size - 1);
	return &table[i];
}

static bool grow(struct lens_names *n)
{
	size_t size = n->size * 2;
	struct lens_iface **table = arena_new_array(n->arena, struct lens_iface *, size);
	if (!table)
		return false;
	for (size_t i = 0; i < n->size; i++)
		if (n->table[i])
			*slot(table, size, &n->table[i]->syntax) = n->table[i];
	n->table = table;
	n->size = size;
	return true;
}

static const struct idl_interface *find_in(const struct idl_module *m, const struct rpc_syntax *s)
{
	for (uint16_t i = 0; i < m->interface_count; i++) {
		const struct idl_interface *f = m->interfaces[i];
		if (guid_equal(&f->uuid, &s->uuid) && f->major == s->major)
			return f;
	}
	return NULL;
}

/* The user's descriptions first: he may know better. */
static const struct idl_interface *find_idl(const struct lens_names *n, const struct rpc_syntax *s)
{
	for (size_t i = 0; i < n->idl_count; i++) {
		const struct idl_interface *f = find_in(n->idl[i], s);
		if (f)
			return f;
	}
	for (size_t i = 0; i < lens_wire_module_count; i++) {
		const struct idl_interface *f = find_in(lens_wire_modules[i], s);
		if (f)
			return f;
	}
	return NULL;
}

static bool name_it(struct lens_names *n, struct lens_iface *i)
{
	char uuid[GUID_TEXT_SIZE];
	i->idl = find_idl(n, &i->syntax);
	i->known = lens_known_find(&i->syntax.uuid, i->syntax.major, i->syntax.minor);
	for (size_t k = 0; k < ARRAY_SIZE(own); k++)
		if (guid_equal(&own[k].uuid, &i->syntax.uuid)) {
			i->iface = i->name = own[k].alias;
			i->service = own[k].service;
			return true;
		}
	if (i->idl)
		i->name = i->idl->alias ? i->idl->alias : i->idl->name;
	else if (i->known)
		i->name = lens_known_name(i->known);
	guid_format(&i->syntax.uuid, uuid);
	i->iface = arena_strdup(n->arena, uuid);
	return i->iface != NULL;
}

const struct lens_iface *lens_names_get(struct lens_names *n, const struct rpc_syntax *syntax)
{
	struct lens_iface **at = slot(n->table, n->size, syntax);
	if (*at)
		return *at;
	if (n->count == LENS_MAX_IFACES || (n->count * 2 >= n->size && !grow(n)))
		return NULL;
	struct lens_iface *i = arena_new_of(n->arena, struct lens_iface);
	if (!i)
		return NULL;
	i->syntax = *syntax;
	if (!name_it(n, i))
		return NULL;
	*slot(n->table, n->size, syntax) = i;
	n->count++;
	return i;
}

const struct idl_method *lens_method_of(const struct lens_iface *i, uint16_t opnum)
{
	if (!i || !i->idl || opnum >= i->idl->method_count || i->idl->methods[opnum].not_used)
		return NULL;
	return &i->idl->methods[opnum];
}

const char *lens_method_name(const struct lens_iface *i, uint16_t opnum)
{
	const struct idl_method *m = lens_method_of(i, opnum);
	if (m)
		return m->name;
	return i && i->known ? lens_known_method(i->known, opnum) : NULL;
}
