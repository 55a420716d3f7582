#include "lens/lens-private.h"

#include <stdlib.h>
#include <string.h>

#define TABLE_SIZE ((size_t)LENS_MAX_PORTS * 2)

static size_t hash(const struct lens_address *a)
{
	uint64_t v[2];
	memcpy(v, a->bytes, sizeof v);
	uint64_t h = (v[0] ^ a->port) * UINT64_C(0x9E3779B97F4A7C15);
	h = (h ^ (h >> 29) ^ v[1]) * UINT64_C(0xBF58476D1CE4E5B9);
	return (size_t)(h >> 32) & (TABLE_SIZE - 1);
}

/* Its slot, or the empty one where it would stand. */
static struct lens_port *slot(const struct lens_ports *p, const struct lens_address *a)
{
	size_t i = hash(a);
	while (p->table[i].count && !lens_same_address(&p->table[i].address, a))
		i = (i + 1) & (TABLE_SIZE - 1);
	return &p->table[i];
}

int lens_ports_init(struct lens_ports *p)
{
	p->table = calloc(TABLE_SIZE, sizeof *p->table);
	p->count = 0;
	return p->table ? 0 : MW_E_NOMEM;
}

void lens_ports_free(struct lens_ports *p)
{
	free(p->table);
	p->table = NULL;
}

void lens_ports_learn(struct lens_ports *p, const struct lens_address *a, const struct lens_iface *i, bool by_mapper)
{
	struct lens_port *port = slot(p, a);
	if (!i || (!port->count && p->count == LENS_MAX_PORTS))
		return;
	unsigned at = 0;
	while (at < port->count && port->ifaces[at] != i)
		at++;
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
