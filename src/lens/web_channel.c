#include "lens/web-private.h"

#include "base/time.h"

#include <stdio.h>

/*
 * What proxies do to long requests: a channel of RPC over HTTP ([MS-RPCH] 2.1.2.1) that is refused, held back or cut, a
 * parked wait of MAPI over HTTP that is cut. Told as context, with enum lens_channel.
 */
#define HELD_NS (2 * NS_PER_S) /* a server answers a channel's first PDU at once */
#define IDLE_NS NS_PER_S

static void tell(struct lens_web *w, enum lens_channel what, struct lens_stamp at, bool from_client, const char *text)
{
	struct arena *a = lens_event_arena(w->flow->lens);
	arena_reset(w->flow->lens->scratch);
	const char *status = arena_strdup(a, text);
	const struct lens_event e = {
	        .kind = LENS_CONTEXT,
	        .frame = at.frame,
	        .time_ns = at.time_ns,
	        .last_frame = at.frame,
	        .last_time_ns = at.time_ns,
	        .conn = w->flow->conn,
	        .from_client = from_client,
	        .transport = "tcp",
	        .level = AUTH_LEVEL_NONE,
	        .took_ns = -1,
	        .status = status,
	        .failed = true,
	        .channel = what,
	        .summary = status,
	};
	if (status)
		lens_tell_made(w->flow, &e);
}

static const char *name_of(const struct lens_web *w)
{
	return w->direction == RPCH_IN ? "IN" : "OUT";
}

/* Another channel of the same virtual connection, in that direction. */
static const struct lens_web *other(const struct lens_web *w, const struct rpch_seen *channel,
                                    enum rpch_direction direction)
{
	for (const struct lens_web *x = w->flow->lens->webs->newest; x; x = x->older)
		if (x != w && x->channel && x->channel->connection == channel->connection && x->direction == direction)
			return x;
	return NULL;
}

/* Its channel in the other direction, unless the client has closed that. */
static bool is_open(const struct lens_web *w)
{
	const struct lens_web *partner = other(w, w->channel, w->direction == RPCH_IN ? RPCH_OUT : RPCH_IN);
	const struct lens_trouble *t = partner ? &partner->flow->conn->trouble : NULL;
	return t && (!t->cut || t->cut_by_server);
}

/* Nothing came back, or no answer to what went in. */
static bool tell_held(struct lens_web *w)
{
	const struct lens_stamp now = w->flow->lens->now;
	int64_t waited = now.time_ns - w->asked_ns;
	char text[120];
	if (w->direction != RPCH_OUT || w->connected || waited < HELD_NS)
		return false;
	snprintf(text, sizeof text,
	         w->heard ? "the server's half of the OUT channel begins, but what goes into the IN channel is not "
	                    "answered for %.0f s"
	                  : "nothing comes through the OUT channel for %.0f s",
	         (double)waited / 1e9);
	tell(w, w->heard ? LENS_CHANNEL_HELD_IN : LENS_CHANNEL_HELD_OUT, now, false, text);
	return true;
}

static void tell_cut(struct lens_web *w, const struct rpch_seen *channel)
{
	const struct lens_trouble *t = &w->flow->conn->trouble;
	const struct lens_web *partner = other(w, channel, w->direction == RPCH_IN ? RPCH_OUT : RPCH_IN);
	const struct lens_trouble *p = partner ? &partner->flow->conn->trouble : NULL;
	int64_t silence = t->cut_ns - w->last_ns;
	char text[120];
	/* The client has closed the other one, or put another in its place. */
	if (!t->cut || !t->cut_by_server || !p || (p->cut && !p->cut_by_server && p->cut_ns <= t->cut_ns) ||
	    other(w, channel, w->direction))
		return;
	if (silence >= IDLE_NS)
		snprintf(text, sizeof text, "the %s channel is cut after %.0f s of silence", name_of(w),
		         (double)silence / 1e9);
	else
		snprintf(text, sizeof text, "the %s channel is cut %.0f s after it was opened", name_of(w),
		         (double)(t->cut_ns - w->asked_ns) / 1e9);
	tell(w, silence >= IDLE_NS ? LENS_CHANNEL_IDLE : LENS_CHANNEL_CUT, (struct lens_stamp){t->cut_frame, t->cut_ns},
	     false, text);
}

void web_channel_asked(struct lens_web *w)
{
	w->asked_ns = w->now.time_ns;
	w->heard = w->connected = false;
}

void web_channel_heard(struct lens_web *w)
{
	int64_t waited = w->now.time_ns - w->asked_ns;
	char text[80];
	if (w->heard)
		return;
	w->heard = true;
	if (w->direction != RPCH_OUT || waited < HELD_NS || !w->channel->connection)
		return;
	snprintf(text, sizeof text, "the first of the OUT channel comes after %.0f s", (double)waited / 1e9);
	tell(w, LENS_CHANNEL_HELD_OUT, w->now, false, text);
}

void web_channel_end(struct lens_web *w, const struct rpch_seen *channel)
{
	/* An echo request has no connection. */
	if (channel->connection && !channel->successor && !tell_held(w))
		tell_cut(w, channel);
}

/* A gateway that has waited long enough. */
static bool is_timeout(unsigned status)
{
	return status == 504 || status == 502 || status == 408;
}

bool web_channel_refused(struct lens_web *w, const struct http_event *ev, const struct lens_stamp *at)
{
	unsigned status = ev->head->status;
	bool through = w->channel && w->channel->connection;
	int64_t silence = at->time_ns - w->last_ns;
	char text[96];
	if (!w->is_channel || status < 400 || status == 401 || status == 407)
		return false;
	/* What a proxy says to the one channel when the client has closed the other is no refusal. */
	if (status >= 500 && through && !is_open(w))
		return false;
	bool idle = through && is_timeout(status) && silence >= IDLE_NS;
	if (idle)
		snprintf(text, sizeof text, "the %s channel is answered with %u after %.0f s of silence", name_of(w),
		         status, (double)silence / 1e9);
	else
		snprintf(text, sizeof text, "RPC_%s_DATA is answered with %u %.40s", name_of(w), status,
		         ev->head->reason);
	tell(w, idle ? LENS_CHANNEL_IDLE : LENS_CHANNEL_REFUSED, *at, false, text);
	return true;
}

bool web_wait_refused(struct lens_web *w, const struct http_event *ev, const struct web_asked *asked,
                      const struct lens_stamp *at)
{
	int64_t waited = at->time_ns - asked->stamp.time_ns;
	unsigned status = ev->head->status;
	char text[80];
	if (!is_timeout(status) || waited < IDLE_NS || !asked->stamp.frame)
		return false;
	snprintf(text, sizeof text, "a parked NotificationWait is answered with %u after %.0f s", status,
	         (double)waited / 1e9);
	tell(w, LENS_CHANNEL_IDLE, *at, false, text);
	return true;
}

/* A wait that its server would have ended itself ([MS-OXCMAPIHTTP] 3.2.5.7). */
void web_wait_end(struct lens_web *w)
{
	const struct lens_trouble *t = &w->flow->conn->trouble;
	int64_t silence = t->cut_ns - w->last_ns;
	char text[80];
	if (!w->flow->conn->parked || !t->cut || !t->cut_by_server)
		return;
	snprintf(text, sizeof text, "a parked NotificationWait is cut after %.0f s of silence", (double)silence / 1e9);
	tell(w, silence >= IDLE_NS ? LENS_CHANNEL_IDLE : LENS_CHANNEL_CUT, (struct lens_stamp){t->cut_frame, t->cut_ns},
	     false, text);
}
