#include "http/rpch-private.h"

/* The client, [MS-RPCH] 3.2.2. */

#define LEAST_TIMEOUT 30000

static struct channel *client_channel(struct rpch_connection *c, enum rpch_direction direction)
{
	struct guid cookie;
	random_guid(c->config.random, &cookie);
	return rpch_new_channel(c, direction, &cookie);
}

void rpch_client_start(struct rpch_connection *c)
{
	struct rts rts = {.version = RPCH_VERSION};
	random_guid(c->config.random, &c->cookie);
	random_guid(c->config.random, &rts.group);
	c->channels[RPCH_OUT] = client_channel(c, RPCH_OUT);
	c->channels[RPCH_IN] = client_channel(c, RPCH_IN);
	if (c->state == RPCH_CLOSED)
		return;
	rts.kind = RTS_CONN_A1;
	rts.window = c->config.window;
	rts.cookies[0] = c->cookie;
	rts.cookies[1] = c->channels[RPCH_OUT]->pub.cookie;
	rpch_put(c, c->channels[RPCH_OUT], &rts);
	rts.kind = RTS_CONN_B1;
	rts.cookies[1] = c->channels[RPCH_IN]->pub.cookie;
	rts.lifetime = c->config.lifetime;
	rts.keepalive = c->keepalive;
	rpch_put(c, c->channels[RPCH_IN], &rts);
}

/* A successor, whose first PDU names its predecessor; the caller is asked for a request to carry it. */
static void begin_successor(struct rpch_connection *c, enum rpch_direction d, enum rts_kind first)
{
	struct rts rts = {.kind = first, .version = RPCH_VERSION, .window = c->config.window};
	struct channel *ch = c->next[d] = client_channel(c, d);
	if (!ch)
		return;
	c->recycle[d] = RPCH_ASKED;
	c->recycle_ns[d] = c->now;
	rts.cookies[0] = c->cookie;
	rts.cookies[1] = c->channels[d]->pub.cookie;
	rts.cookies[2] = ch->pub.cookie;
	rpch_put(c, ch, &rts);
	ch->early = d == RPCH_OUT;
	rpch_raise(c, RPCH_EV_CHANNEL, ch);
}

void rpch_client_recycle(struct rpch_connection *c)
{
	begin_successor(c, RPCH_IN, RTS_IN_A1);
}

/* 3.2.1.1.6.1: proxies wait 30 seconds at least; who says less would have us ping without end. */
static void set_timeout(struct rpch_connection *c, enum rpch_direction d, uint32_t ms)
{
	c->timeouts[d] = ms > LEAST_TIMEOUT ? ms : LEAST_TIMEOUT;
}

static void on_c2(struct rpch_connection *c, const struct rts *rts)
{
	set_timeout(c, RPCH_IN, rts->timeout);
	rpch_set_window(c->channels[RPCH_IN], rts->window);
	rpch_opened(c);
}

/* IN_R1/A4 or IN_R2/A4: the predecessor ends with A5, and what waits goes over the successor. */
static void switch_in(struct rpch_connection *c, const struct rts *rts)
{
	struct channel *old = c->channels[RPCH_IN], *ch = c->next[RPCH_IN];
	if (!ch || c->recycle[RPCH_IN] != RPCH_ASKED) {
		rpch_fail(c, "an answer to a successor IN channel that was not asked for");
		return;
	}
	rpch_set_window(ch, rts->kind == RTS_IN_R1_A4 ? rts->window : old->peer_window);
	if (rts->kind == RTS_IN_R1_A4)
		set_timeout(c, RPCH_IN, rts->timeout);
	rpch_put(c, old, &(struct rts){.kind = RTS_COOKIE, .cookies = {ch->pub.cookie}});
	if (c->state == RPCH_OPENED)
		rpch_switch(c, RPCH_IN);
}

/* OUT_R1/A2 or OUT_R2/A2 */
static void replace_out(struct rpch_connection *c)
{
	if (c->recycle[RPCH_OUT] != RPCH_STEADY)
		rpch_fail(c, "the server asks twice for a successor OUT channel");
	else
		begin_successor(c, RPCH_OUT, RTS_OUT_A3);
}

/* OUT_R1/A6 or OUT_R2/A6 */
static void ready_for_out(struct rpch_connection *c, const struct rts *rts)
{
	struct rts a7 = {.destination = RTS_FD_SERVER, .version = RPCH_VERSION};
	if (c->recycle[RPCH_OUT] != RPCH_ASKED) {
		rpch_fail(c, "an answer to a successor OUT channel that was not asked for");
		return;
	}
	c->r1[RPCH_OUT] = rts->kind == RTS_OUT_R1_A6;
	if (c->r1[RPCH_OUT])
		set_timeout(c, RPCH_OUT, rts->timeout);
	c->recycle[RPCH_OUT] = RPCH_FOUND;
	a7.kind = c->r1[RPCH_OUT] ? RTS_OUT_R1_A7 : RTS_OUT_R2_A7;
	a7.cookies[0] = c->next[RPCH_OUT]->pub.cookie;
	rpch_put(c, c->channels[RPCH_IN], &a7);
}

/* OUT_R1/A10 or OUT_R2/B3, the predecessor's last PDU. A11, or C1, fills up the successor's request. */
static void switch_out(struct rpch_connection *c)
{
	if (c->recycle[RPCH_OUT] != RPCH_FOUND) {
		rpch_fail(c, "the end of an OUT channel that is not being replaced");
		return;
	}
	rpch_put(c, c->next[RPCH_OUT], &(struct rts){.kind = c->r1[RPCH_OUT] ? RTS_ANCE : RTS_OUT_R2_C1});
	rpch_switch(c, RPCH_OUT);
}

static void on_opened(struct rpch_connection *c, const struct rts *rts)
{
	switch (rts->kind) {
	case RTS_PING:
		break;
	case RTS_FLOW_ACK_TO:
	case RTS_FLOW_ACK:
		rpch_acknowledged(c, &rts->ack);
		break;
	case RTS_IN_R1_A4:
	case RTS_IN_R2_A4:
		switch_in(c, rts);
		break;
	case RTS_OUT_A2:
		replace_out(c);
		break;
	case RTS_OUT_R1_A6:
	case RTS_OUT_R2_A6:
		ready_for_out(c, rts);
		break;
	case RTS_ANCE:
	case RTS_OUT_R2_B3:
		switch_out(c);
		break;
	default:
		rpch_fail(c, "an RTS PDU that no server sends then");
	}
}

void rpch_client_rts(struct rpch_connection *c, struct channel *ch, const struct rts *rts)
{
	if (ch->pub.direction != RPCH_OUT || rts->destination != RTS_FD_CLIENT) {
		rpch_fail(c, "an RTS PDU that is not for the client");
	} else if (c->state == RPCH_OPENED) {
		on_opened(c, rts);
	} else if (rts->kind == RTS_CONN_A3 && !c->a3) {
		c->a3 = true;
		set_timeout(c, RPCH_OUT, rts->timeout);
	} else if (rts->kind == RTS_CONN_C2 && c->a3) {
		on_c2(c, rts);
	} else if (rts->kind != RTS_PING) {
		rpch_fail(c, "an RTS PDU out of order");
	}
}
