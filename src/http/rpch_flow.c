#include "http/rpch-private.h"

#include "rpc/pdu.h"

/* Windows, [MS-RPCH] 3.2.1.4.1 and 3.2.1.5.1; pings and deadlines. Only RPC PDUs count. */

#define QUEUE_MOST ((size_t)128 << 20)

void rpch_set_window(struct channel *ch, uint32_t peer_window)
{
	ch->peer_window = ch->available = peer_window;
	ch->sent = 0;
}

bool rpch_exhausted(const struct rpch_connection *c, const struct channel *ch)
{
	return ch->written + RPC_MAX_FRAG + RPCH_RESERVE > c->config.lifetime;
}

/* ---- Sending ---- */

/* Puts out the first size bytes of the PDUs if they may go. 3.2.1.4.1.3: the window must be greater. */
static bool put_pdu(struct rpch_connection *c, struct channel *ch, const uint8_t *pdu, size_t size)
{
	if (ch->plugged || size >= ch->available || ch->written + size + RPCH_RESERVE > c->config.lifetime)
		return false;
	if (buf_put(&ch->pub.output, pdu, size) < 0) {
		rpch_fail(c, "out of memory");
		return false;
	}
	ch->available -= (uint32_t)size;
	ch->sent += (uint32_t)size;
	ch->written += size;
	ch->wrote_ns = c->now;
	return true;
}

/* As many as may go; yields their bytes. */
static size_t put_pdus(struct rpch_connection *c, const uint8_t *pdus, size_t len)
{
	struct channel *ch = c->channels[rpch_written(c)];
	size_t at = 0;
	while (c->state == RPCH_OPENED && at < len) {
		size_t size = rpch_pdu_size(pdus + at);
		if (size >= ch->peer_window)
			rpch_fail(c, "an RPC PDU is larger than the peer's window");
		else if (!put_pdu(c, ch, pdus + at, size))
			break;
		else
			at += size;
	}
	return at;
}

static void recycle_in_time(struct rpch_connection *c)
{
	enum rpch_direction d = rpch_written(c);
	if (c->state != RPCH_OPENED || c->recycle[d] != RPCH_STEADY ||
	    c->channels[d]->written < c->config.lifetime / 4 * 3)
		return;
	c->recycle[d] = RPCH_ASKED;
	c->recycle_ns[d] = c->now;
	if (c->config.role == RPCH_SERVER)
		rpch_server_recycle(c);
	else
		rpch_client_recycle(c);
}

void rpch_pump(struct rpch_connection *c)
{
	size_t sent = c->queue.len > 0 ? put_pdus(c, c->queue.data, c->queue.len) : 0;
	buf_consume(&c->queue, sent);
	if (sent > 0)
		c->moved_ns = c->now;
	recycle_in_time(c);
}

static bool is_whole(const uint8_t *pdus, size_t len)
{
	while (len >= RPC_HEADER_SIZE) {
		size_t size = rpch_pdu_size(pdus);
		if (size == 0 || size > len)
			return false;
		pdus += size;
		len -= size;
	}
	return len == 0;
}

int rpch_send(struct rpch_connection *c, const void *pdus, size_t len, int64_t now_ns)
{
	const uint8_t *data = (const uint8_t *)pdus;
	size_t sent = 0;
	int r = 0;
	if (!is_whole(data, len))
		return MW_E_MALFORMED;
	if (c->state == RPCH_CLOSED)
		return MW_E_STATE;
	rpch_enter(c, now_ns);
	c->queue.max = QUEUE_MOST;
	if (c->queue.len == 0 && c->state == RPCH_OPENED)
		sent = put_pdus(c, data, len);
	if (c->queue.len == 0)
		c->moved_ns = now_ns;
	if (sent < len && c->state != RPCH_CLOSED)
		r = buf_put(&c->queue, data + sent, len - sent);
	if (r < 0)
		rpch_fail(c, "the peer takes nothing, and too much waits");
	recycle_in_time(c);
	rpch_leave(c);
	return r;
}

size_t rpch_waiting(const struct rpch_connection *c)
{
	return c->queue.len;
}

/* 3.2.1.5.1.2: for another channel than the one in use it is too late, and passed over. */
void rpch_acknowledged(struct rpch_connection *c, const struct RtsFlowControlAck *ack)
{
	struct channel *ch = c->channels[rpch_written(c)];
	uint32_t unheard = ch->sent - ack->BytesReceived;
	if (!guid_equal(&ack->ChannelCookie, &ch->pub.cookie))
		return;
	/* No channel lives long enough for the counts to wrap. */
	if (ack->BytesReceived > ch->sent || ack->AvailableWindow > ch->peer_window || unheard > ack->AvailableWindow) {
		rpch_fail(c, "an acknowledgement of bytes that were not sent, or of a larger window");
		return;
	}
	ch->available = ack->AvailableWindow - unheard;
	rpch_pump(c);
}

/* ---- Receiving ---- */

/* Tells the peer how much it may send, when it has used up half of what it knows, or would wait with its next PDU. */
static void acknowledge(struct rpch_connection *c, struct channel *ch)
{
	uint32_t window = c->config.window, waiting = (uint32_t)c->held.len;
	struct rts rts = {.kind = RTS_FLOW_ACK_TO};
	if (c->state != RPCH_OPENED || (ch->room >= window / 2 && ch->room > RPC_MAX_FRAG) ||
	    window - waiting <= ch->room)
		return;
	rts.destination = c->config.role == RPCH_SERVER ? RTS_FD_CLIENT : RTS_FD_OUT_PROXY;
	ch->room = rts.ack.AvailableWindow = window - waiting;
	rts.ack.BytesReceived = ch->received;
	rts.ack.ChannelCookie = ch->pub.cookie;
	rpch_put(c, c->channels[rpch_written(c)], &rts);
}

static void deliver(struct rpch_connection *c, const uint8_t *pdu, size_t size)
{
	c->depth++;
	if (c->config.on_event)
		c->config.on_event(c->config.user, c,
		                   &(struct rpch_event){.type = RPCH_EV_PDU, .data = pdu, .len = size});
	c->depth--;
}

void rpch_take(struct rpch_connection *c, struct channel *ch, const uint8_t *pdu, size_t size)
{
	if (c->state != RPCH_OPENED || ch->pub.direction != rpch_read(c)) {
		rpch_fail(c, "an RPC PDU where only RTS PDUs may be");
		return;
	}
	if (size > ch->room) {
		rpch_fail(c, "more bytes than the window has room for");
		return;
	}
	ch->room -= (uint32_t)size;
	ch->received += (uint32_t)size;
	if (c->hold) {
		if (buf_put(&c->held, pdu, size) < 0)
			rpch_fail(c, "out of memory");
		return;
	}
	deliver(c, pdu, size);
	acknowledge(c, ch);
}

void rpch_hold(struct rpch_connection *c, bool hold, int64_t now_ns)
{
	struct buf MW_CLEANUP(buf_free) held = {0};
	size_t at = 0;
	c->hold = hold;
	if (hold || c->state != RPCH_OPENED)
		return;
	rpch_enter(c, now_ns);
	held = c->held;
	c->held = (struct buf){0};
	for (; at < held.len && !c->hold && c->state == RPCH_OPENED; at += rpch_pdu_size(held.data + at))
		deliver(c, held.data + at, rpch_pdu_size(held.data + at));
	if (at < held.len && buf_put(&c->held, held.data + at, held.len - at) < 0)
		rpch_fail(c, "out of memory");
	if (c->state == RPCH_OPENED) {
		c->channels[rpch_read(c)]->heard_ns = now_ns;
		acknowledge(c, c->channels[rpch_read(c)]);
	}
	rpch_leave(c);
}

/* ---- Time ---- */

/* 3.2.1.2.1: half of what proxies wait, or of what the client wants to know by. */
static int64_t ping_due(const struct rpch_connection *c)
{
	uint32_t most = c->timeouts[rpch_written(c)];
	uint32_t ms = (c->keepalive < most ? c->keepalive : most) / 2;
	return c->channels[rpch_written(c)]->wrote_ns + RPCH_NS(ms);
}

/* Who has not even sent a ping for twice as long as it may is gone. While we hold, we may not have looked. */
static int64_t silence_due(const struct rpch_connection *c)
{
	const struct channel *ch = c->channels[rpch_read(c)];
	return c->hold ? INT64_MAX : ch->heard_ns + 2 * RPCH_NS(c->timeouts[rpch_read(c)]);
}

/* A window that stays shut while PDUs wait for it, though its owner pings. */
static int64_t shut_due(const struct rpch_connection *c)
{
	return c->queue.len == 0 ? INT64_MAX : c->moved_ns + 2 * RPCH_NS(c->timeouts[rpch_written(c)]);
}

/* A client that cannot replace its OUT channel has until nothing fits into it. */
static int64_t recycle_due(const struct rpch_connection *c, enum rpch_direction d)
{
	bool optional = c->config.role == RPCH_SERVER && d == RPCH_OUT && c->recycle[d] == RPCH_ASKED;
	if (c->recycle[d] == RPCH_STEADY || (optional && !rpch_exhausted(c, c->channels[d])))
		return INT64_MAX;
	return c->recycle_ns[d] + RPCH_NS(c->config.setup_timeout);
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int64_t rpch_deadline(const struct rpch_connection *c)
{
	if (c->state == RPCH_CLOSED)
		return INT64_MAX;
	if (c->state == RPCH_OPENING)
		return c->began_ns + RPCH_NS(c->config.setup_timeout);
	return earlier(earlier(earlier(ping_due(c), shut_due(c)), silence_due(c)),
	               earlier(recycle_due(c, RPCH_IN), recycle_due(c, RPCH_OUT)));
}

static void tick_opened(struct rpch_connection *c)
{
	if (c->now >= silence_due(c))
		rpch_fail(c, "the peer is silent, without even a ping");
	else if (c->now >= recycle_due(c, RPCH_IN) || c->now >= recycle_due(c, RPCH_OUT))
		rpch_fail(c, "a channel was not replaced in time");
	else if (c->now >= shut_due(c))
		rpch_fail(c, "the peer's window stays shut");
	else if (c->now >= ping_due(c))
		rpch_put(c, c->channels[rpch_written(c)], &(struct rts){.kind = RTS_PING});
}

void rpch_tick(struct rpch_connection *c, int64_t now_ns)
{
	if (c->state == RPCH_CLOSED)
		return;
	rpch_enter(c, now_ns);
	if (c->state == RPCH_OPENED)
		tick_opened(c);
	else if (now_ns >= rpch_deadline(c))
		rpch_fail(c, "the second channel did not come in time");
	rpch_leave(c);
}
