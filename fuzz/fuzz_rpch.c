/*
 * A virtual connection whose peer sends what it likes. The first byte: bit 0 the role, 1 separate proxies. Then
 * records: what to do (1 byte), length (2 bytes), bytes. A server's channels begin with their opening.
 */
#include "fuzz.h"

#include "http/rpch.h"

#include "base/cursor.h"

#include <string.h>

enum { FEED_IN, FEED_OUT, ATTACH_IN, ATTACH_OUT, SEND, HOLD, FEED_NEXT_IN, FEED_NEXT_OUT, WAIT, ACTIONS };

struct run {
	bool over;
	size_t pdus;
};

/* The same cookies in each run, so that a corpus can know them. */
static void fill(void *user, void *out, size_t n)
{
	uint8_t *count = user;
	memset(out, ++*count, n);
}

static void on_event(void *user, struct rpch_connection *c, const struct rpch_event *event)
{
	struct run *run = user;
	(void)c;
	must(!run->over);
	run->over = event->type == RPCH_EV_CLOSED;
	if (event->type == RPCH_EV_PDU) {
		must(event->len >= 16);
		run->pdus++;
	}
}

static void attach(struct rpch_connection *c, enum rpch_direction d, struct cursor bytes, int64_t now)
{
	struct rpch_opening opening;
	struct rpch_channel *ch = NULL;
	const char *why = NULL;
	if (rpch_read_opening(d, cursor_here(&bytes), cursor_left(&bytes), &opening, &why) != 0)
		return;
	must(opening.size <= cursor_left(&bytes) && opening.direction == d);
	if (rpch_attach(c, &opening, 0, now, &ch, &why) != 0)
		must(why != NULL);
}

static void feed(struct rpch_connection *c, struct rpch_channel *ch, struct cursor bytes, int64_t now)
{
	if (ch)
		rpch_feed(c, ch, cursor_here(&bytes), cursor_left(&bytes), now);
}

static void act(struct rpch_connection *c, bool server, uint8_t action, struct cursor bytes, int64_t *now)
{
	static const uint8_t pdu[32] = {5, 0, 0, 3, 16, 0, 0, 0, 32, 0};
	switch (action % ACTIONS) {
	case FEED_IN:
	case FEED_OUT:
		feed(c, rpch_channel(c, action % ACTIONS == FEED_IN ? RPCH_IN : RPCH_OUT), bytes, *now);
		break;
	case FEED_NEXT_IN:
	case FEED_NEXT_OUT:
		feed(c, rpch_successor(c, action % ACTIONS == FEED_NEXT_IN ? RPCH_IN : RPCH_OUT), bytes, *now);
		break;
	case ATTACH_IN:
	case ATTACH_OUT:
		if (server)
			attach(c, action % ACTIONS == ATTACH_IN ? RPCH_IN : RPCH_OUT, bytes, *now);
		break;
	case SEND:
		for (size_t i = 0; i <= cursor_left(&bytes); i++)
			(void)!rpch_send(c, pdu, sizeof pdu, *now);
		break;
	case HOLD:
		rpch_hold(c, cursor_left(&bytes) % 2, *now);
		break;
	default:
		*now += INT64_C(1000000000) * (int64_t)(1 + cursor_left(&bytes));
		rpch_tick(c, *now);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor in = cursor_of(data, size), bytes;
	struct run run = {0};
	uint8_t first, action, count = 0;
	uint16_t len;
	int64_t now = 1;
	struct random_source random = {fill, &count};
	if (cursor_u8(&in, &first) < 0)
		return 0;
	struct rpch_config config = {.role = first & 1 ? RPCH_SERVER : RPCH_CLIENT,
	                             .on_event = on_event,
	                             .user = &run,
	                             .random = &random,
	                             .window = 8192,
	                             .lifetime = 20000,
	                             .separate_proxies = first & 2};
	struct rpch_connection *c = rpch_connection_new(&config, now);
	while (c && cursor_u8(&in, &action) == 0 && cursor_u16(&in, &len) == 0) {
		if (len > cursor_left(&in))
			len = (uint16_t)cursor_left(&in);
		must(cursor_child(&in, len, &bytes) == 0);
		act(c, first & 1, action, bytes, &now);
		must(run.over == (rpch_deadline(c) == INT64_MAX));
	}
	rpch_connection_free(&c);
	return 0;
}
