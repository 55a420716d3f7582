#include "lens/lens-private.h"

#include <stdlib.h>

/* Connections as views see them, by number: the whole's. */

static bool make_room(struct lens *whole, size_t slot)
{
	if (!whole->options.keep_events || slot < whole->conn_cap)
		return true;
	struct lens_conn **more = realloc(whole->conns, whole->conn_cap * 2 * sizeof(struct lens_conn *));
	if (!more)
		return false;
	memset(more + whole->conn_cap, 0, whole->conn_cap * sizeof(struct lens_conn *));
	whole->conns = more;
	whole->conn_cap *= 2;
	return true;
}

void lens_conn_number(struct lens *whole, struct lens_conn *c)
{
	size_t slot = whole->totals.connections % whole->conn_cap;
	/* A forgotten one that is still in use is freed with its flow. */
	if (whole->conns[slot] && whole->conns[slot]->over)
		free(whole->conns[slot]);
	whole->conns[slot] = c;
	c->number = ++whole->totals.connections;
}

struct lens_conn *lens_conn_new(struct lens *lens)
{
	struct lens *whole = lens->whole;
	struct lens_conn *c = lens->tape || make_room(whole, whole->totals.connections) ? calloc(1, sizeof *c) : NULL;
	if (!c)
		return NULL;
	if (lens->tape)
		lens_tape_conn(lens, c, false);
	else
		lens_conn_number(whole, c);
	return c;
}

void lens_conn_over(struct lens *lens, struct lens_conn *c)
{
	if (lens->tape)
		lens_tape_conn(lens, c, true);
	else
		lens_conn_forget(lens->whole, c);
}

void lens_conn_forget(struct lens *whole, struct lens_conn *c)
{
	c->over = true;
	if (whole->conns[(c->number - 1) % whole->conn_cap] != c)
		free(c);
}

const struct lens_conn *lens_get_conn(const struct lens *lens, unsigned number)
{
	if (number == 0 || number > lens->totals.connections)
		return NULL;
	const struct lens_conn *c = lens->conns[(number - 1) % lens->conn_cap];
	return c && c->number == number ? c : NULL;
}

void lens_conns_free(struct lens *whole)
{
	for (size_t i = 0; whole->conns && i < whole->conn_cap; i++)
		free(whole->conns[i]);
	free(whole->conns);
}
