#include "http/rpch-private.h"

#include "rpc/pdu.h"

/* The server: inbound proxy, outbound proxy and RPC server in one, [MS-RPCH] 3.2.3 to 3.2.5. */

static uint32_t lower(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* ---- The first PDU of a channel ---- */

static bool is_opening(enum rpch_direction direction, enum rts_kind kind)
{
	return direction == RPCH_IN ? kind == RTS_CONN_B1 || kind == RTS_IN_A1
	                            : kind == RTS_CONN_A1 || kind == RTS_OUT_A3;
}

static void fill_opening(const struct rts *rts, enum rpch_direction direction, size_t size, struct rpch_opening *out)
{
	bool successor = rts->kind == RTS_IN_A1 || rts->kind == RTS_OUT_A3;
	*out = (struct rpch_opening){
	        .direction = direction,
	        .successor = successor,
	        .connection = rts->cookies[0],
	        .channel = rts->cookies[successor ? 2 : 1],
	        .version = rts->version,
	        .window = rts->window,
	        .lifetime = rts->lifetime,
	        .keepalive = rts->keepalive,
	        .size = size,
	};
	if (successor)
		out->predecessor = rts->cookies[1];
}

int rpch_read_opening(enum rpch_direction direction, const void *data, size_t len, struct rpch_opening *out,
                      const char **why)
{
	const uint8_t *bytes = (const uint8_t *)data;
	struct rts rts;
	if (len < RPC_HEADER_SIZE)
		return MW_E_AGAIN;
	size_t size = rpch_pdu_size(bytes);
	*why = "a channel that does not begin with an RTS PDU of its kind";
	if (size == 0 || size > RTS_MAX_SIZE || !rts_is(bytes))
		return MW_E_MALFORMED;
	if (size > len)
		return MW_E_AGAIN;
	MW_CLEANUP(arena_cleanup) struct arena *arena = arena_new(0);
	if (!arena)
		return MW_E_NOMEM;
	if (rts_decode(arena, data, size, NULL, &rts, why) != 0)
		return MW_E_MALFORMED;
	*why = "a channel that does not begin with an RTS PDU of its kind";
	if (!is_opening(direction, rts.kind) || rts.version < 1)
		return MW_E_MALFORMED;
	fill_opening(&rts, direction, size, out);
	return 0;
}

void rpch_put_echo(struct buf *out)
{
	MW_CLEANUP(arena_cleanup) struct arena *arena = arena_new(0);
	if (!arena || rts_encode(arena, &(struct rts){.kind = RTS_ECHO}, out) < 0)
		out->error = MW_E_NOMEM;
}

/* ---- Channels come ---- */

/* Both channels are there: CONN/C2. */
static void open_when_both(struct rpch_connection *c)
{
	if (!c->channels[RPCH_IN] || !c->channels[RPCH_OUT])
		return;
	rpch_put(c, c->channels[RPCH_OUT],
	         &(struct rts){.kind = RTS_CONN_C2,
	                       .version = RPCH_VERSION,
	                       .window = c->config.window,
	                       .timeout = c->timeouts[RPCH_IN]});
	if (c->state == RPCH_OPENING)
		rpch_opened(c);
}

static void begin_out(struct rpch_connection *c, struct channel *ch, const struct rpch_opening *opening)
{
	rpch_set_window(ch, opening->window);
	rpch_put(c, ch, &(struct rts){.kind = RTS_CONN_A3, .timeout = c->timeouts[RPCH_OUT]});
}

static void begin_in(struct rpch_connection *c, const struct rpch_opening *opening)
{
	uint32_t wanted = opening->keepalive ? opening->keepalive : RPCH_DEFAULT_KEEPALIVE;
	c->keepalive = wanted > RPCH_LEAST_KEEPALIVE ? wanted : RPCH_LEAST_KEEPALIVE;
}

/* IN_R1/A4 or IN_R2/A4: the client will say on the predecessor when it leaves it. */
static void begin_next_in(struct rpch_connection *c, struct channel *ch, const struct rpch_opening *opening)
{
	struct rts rts = {.kind = c->r1[RPCH_IN] ? RTS_IN_R1_A4 : RTS_IN_R2_A4, .destination = RTS_FD_CLIENT};
	rts.version = lower(opening->version, RPCH_VERSION);
	rts.window = c->config.window;
	rts.timeout = c->timeouts[RPCH_IN];
	ch->early = true;
	c->recycle[RPCH_IN] = RPCH_ASKED;
	c->recycle_ns[RPCH_IN] = c->now;
	rpch_put(c, c->channels[RPCH_OUT], &rts);
}

/* OUT_R1/A6 or OUT_R2/A6: the client will say on the IN channel that it is ready. */
static void begin_next_out(struct rpch_connection *c, struct channel *ch, const struct rpch_opening *opening)
{
	struct rts rts = {.kind = c->r1[RPCH_OUT] ? RTS_OUT_R1_A6 : RTS_OUT_R2_A6, .destination = RTS_FD_CLIENT};
	rts.version = lower(opening->version, RPCH_VERSION);
	rts.timeout = c->timeouts[RPCH_OUT];
	rpch_set_window(ch, opening->window);
	ch->plugged = c->r1[RPCH_OUT];
	c->recycle[RPCH_OUT] = RPCH_FOUND;
	c->recycle_ns[RPCH_OUT] = c->now;
	rpch_put(c, c->channels[RPCH_OUT], &rts);
}

/* Why a channel with this opening cannot be taken; NULL: it can. */
static const char *refusal(const struct rpch_connection *c, const struct rpch_opening *o)
{
	const struct channel *now = c->channels[o->direction], *other = c->channels[!o->direction];
	bool asked = o->direction == RPCH_IN ? c->recycle[RPCH_IN] == RPCH_STEADY : c->recycle[RPCH_OUT] == RPCH_ASKED;
	if (c->state == RPCH_CLOSED)
		return "its virtual connection is over";
	if ((now || other) && !guid_equal(&c->cookie, &o->connection))
		return "another virtual connection's cookie";
	if (!o->successor)
		return now ? "a second channel where there is one" : NULL;
	if (c->state != RPCH_OPENED || !now || !asked || c->next[o->direction])
		return "a successor of a channel that is not to be replaced";
	if (!guid_equal(&now->pub.cookie, &o->predecessor))
		return "a successor that does not know its predecessor's cookie";
	return guid_equal(&now->pub.cookie, &o->channel) ? "a successor with its predecessor's cookie" : NULL;
}

static void begin(struct rpch_connection *c, struct channel *ch, const struct rpch_opening *opening)
{
	enum rpch_direction d = opening->direction;
	*(opening->successor ? &c->next[d] : &c->channels[d]) = ch;
	if (opening->successor) {
		c->r1[d] = c->config.separate_proxies;
		d == RPCH_IN ? begin_next_in(c, ch, opening) : begin_next_out(c, ch, opening);
		return;
	}
	c->cookie = opening->connection;
	d == RPCH_IN ? begin_in(c, opening) : begin_out(c, ch, opening);
	open_when_both(c);
}

int rpch_attach(struct rpch_connection *c, const struct rpch_opening *opening, uint64_t owner, int64_t now_ns,
                struct rpch_channel **out, const char **why)
{
	*why = "a channel that another user asks for";
	if (owner != c->config.owner)
		return MW_E_AUTH;
	*why = refusal(c, opening);
	if (*why)
		return MW_E_STATE;
	rpch_enter(c, now_ns);
	struct channel *ch = rpch_new_channel(c, opening->direction, &opening->channel);
	if (ch) {
		*out = &ch->pub;
		begin(c, ch, opening);
	}
	rpch_leave(c);
	return ch ? 0 : MW_E_NOMEM;
}

/* ---- RTS PDUs come ---- */

void rpch_server_recycle(struct rpch_connection *c)
{
	rpch_put(c, c->channels[RPCH_OUT], &(struct rts){.kind = RTS_OUT_A2, .destination = RTS_FD_CLIENT});
}

/* OUT_R1/A7 or OUT_R2/A7: the predecessor ends with OUT_R1/A10 or OUT_R2/B3. */
static void switch_out(struct rpch_connection *c, const struct rts *rts)
{
	bool r1 = rts->kind == RTS_OUT_R1_A7;
	if (c->recycle[RPCH_OUT] != RPCH_FOUND || r1 != c->r1[RPCH_OUT] || rts->destination != RTS_FD_SERVER ||
	    !guid_equal(&rts->cookies[0], &c->next[RPCH_OUT]->pub.cookie)) {
		rpch_fail(c, "a switch to an OUT channel that is no successor");
		return;
	}
	rpch_put(c, c->channels[RPCH_OUT], &(struct rts){.kind = r1 ? RTS_ANCE : RTS_OUT_R2_B3});
	if (c->state == RPCH_OPENED)
		rpch_switch(c, RPCH_OUT);
}

/* IN_R1/A5 or IN_R2/A5, the predecessor's last PDU. */
static void switch_in(struct rpch_connection *c, const struct rts *rts)
{
	if (c->recycle[RPCH_IN] != RPCH_ASKED || !guid_equal(&rts->cookies[0], &c->next[RPCH_IN]->pub.cookie))
		rpch_fail(c, "a switch to an IN channel that is no successor");
	else
		rpch_switch(c, RPCH_IN);
}

static void on_in_rts(struct rpch_connection *c, const struct rts *rts)
{
	switch (rts->kind) {
	case RTS_PING:
		break;
	case RTS_KEEP_ALIVE:
		begin_in(c, &(struct rpch_opening){.keepalive = rts->keepalive});
		break;
	case RTS_FLOW_ACK_TO:
		if (rts->destination == RTS_FD_OUT_PROXY || rts->destination == RTS_FD_SERVER)
			rpch_acknowledged(c, &rts->ack);
		else
			rpch_fail(c, "an acknowledgement with a destination that has no window");
		break;
	case RTS_COOKIE:
		switch_in(c, rts);
		break;
	case RTS_OUT_R1_A7:
	case RTS_OUT_R2_A7:
		switch_out(c, rts);
		break;
	default:
		rpch_fail(c, "an RTS PDU that no client sends then on an IN channel");
	}
}

/* What a client still sends in the request of an OUT channel: OUT_R1/A11, or OUT_R2/C1, which fills it up. */
static void on_out_rts(struct rpch_connection *c, struct channel *ch, const struct rts *rts)
{
	if (rts->kind == RTS_ANCE && ch->plugged && ch == c->channels[RPCH_OUT]) {
		ch->plugged = false;
		rpch_pump(c);
	} else if (rts->kind != RTS_OUT_R2_C1) {
		rpch_fail(c, "an RTS PDU that no client sends then on an OUT channel");
	}
}

void rpch_server_rts(struct rpch_connection *c, struct channel *ch, const struct rts *rts)
{
	if (ch->pub.direction == RPCH_OUT)
		on_out_rts(c, ch, rts);
	else if (c->state == RPCH_OPENED)
		on_in_rts(c, rts);
	else if (rts->kind != RTS_PING)
		rpch_fail(c, "an RTS PDU before the virtual connection stands");
}
