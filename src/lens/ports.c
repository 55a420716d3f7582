#include "lens/lens-private.h"

#include <stdlib.h>
#include <string.h>

static size_t hash(const struct lens_ports *p, const struct lens_address *a)
{
	uint64_t v[2];
	memcpy(v, a->bytes, sizeof v);
	uint64_t h = (v[0] ^ a->port) * UINT64_C(0x9E3779B97F4A7C15);
	h = (h ^ (h >> 29) ^ v[1]) * UINT64_C(0xBF58476D1CE4E5B9);
	return (size_t)(h >> 32) & (p->size - 1);
}

/* Its slot, or the empty one where it would stand. */
static struct lens_port *slot(const struct lens_ports *p, const struct lens_address *a)
{
	size_t i = hash(p, a);
	while (p->table[i].count && !lens_same_address(&p->table[i].address, a))
		i = (i + 1) & (p->size - 1);
	return &p->table[i];
}

int lens_ports_init(struct lens_ports *p, size_t most)
{
	*p = (struct lens_ports){.table = calloc(most * 2, sizeof *p->table), .size = most * 2};
	return p->table ? 0 : MW_E_NOMEM;
}

void lens_ports_free(struct lens_ports *p)
{
	free(p->table);
	p->table = NULL;
}

void lens_ports_clear(struct lens_ports *p)
{
	if (p->count)
		memset(p->table, 0, p->size * sizeof *p->table);
	p->count = 0;
}

static bool same(const struct rpc_syntax *a, const struct rpc_syntax *b)
{
	return guid_equal(&a->uuid, &b->uuid) && a->major == b->major && a->minor == b->minor;
}

static unsigned find_iface(const struct lens_port *port, const struct rpc_syntax *syntax)
{
	unsigned at = 0;
	while (at < port->count && !same(&port->ifaces[at]->syntax, syntax))
		at++;
	return at;
}

bool lens_port_has(const struct lens_port *port, const struct rpc_syntax *syntax, bool by_mapper)
{
	unsigned at = find_iface(port, syntax);
	return at < port->count && (!by_mapper || port->mapped >> at & 1);
}

static bool has_room(const struct lens_ports *p, const struct lens_port *slot)
{
	return slot->count || p->count < p->size / 2;
}

bool lens_ports_put(struct lens_ports *p, const struct lens_port *port)
{
	struct lens_port *at = slot(p, &port->address);
	if (!has_room(p, at))
		return false;
	p->count += !at->count;
	*at = *port;
	return true;
}

void lens_ports_learn(struct lens_ports *p, const struct lens_address *a, const struct lens_iface *i, bool by_mapper)
{
	struct lens_port *port = slot(p, a);
	if (!i || !has_room(p, port))
		return;
	unsigned at = find_iface(port, &i->syntax);
	if (at == LENS_PORT_IFACES)
		return;
	if (!port->count) {
		port->address = *a;
		p->count++;
	}
	if (at == port->count)
		port->ifaces[port->count++] = i;
	if (by_mapper)
		port->mapped |= (uint8_t)(1u << at);
}

const struct lens_port *lens_ports_find(const struct lens_ports *p, const struct lens_address *a)
{
	const struct lens_port *port = slot(p, a);
	return port->count ? port : NULL;
}

const struct lens_port *lens_find_port(const struct lens *lens, const struct lens_address *a)
{
	const struct lens_port *port = lens->ports.count ? lens_ports_find(&lens->ports, a) : NULL;
	return port ? port : lens_ports_find(&lens->whole->ports, a);
}

static bool add_lesson(struct lens_lessons *l, const struct lens_lesson *lesson)
{
	if (l->count == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 16;
		struct lens_lesson *more = cap <= LENS_MAX_LESSONS ? realloc(l->list, cap * sizeof *more) : NULL;
		if (!more)
			return false;
		l->list = more;
		l->cap = cap;
	}
	l->list[l->count++] = *lesson;
	return true;
}

void lens_learn_port(struct lens *lens, const struct lens_address *a, const struct lens_iface *i, bool by_mapper)
{
	if (lens == lens->whole) {
		lens_ports_learn(&lens->ports, a, i, by_mapper);
		return;
	}
	const struct lens_port *known = lens_find_port(lens, a);
	if (!i || (known && lens_port_has(known, &i->syntax, by_mapper)) ||
	    !add_lesson(&lens->lessons, &(struct lens_lesson){lens->now.frame, *a, i->syntax, by_mapper}))
		return;
	if (!known || lens_ports_put(&lens->ports, known))
		lens_ports_learn(&lens->ports, a, i, by_mapper);
}
