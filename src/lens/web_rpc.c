#include "lens/web-private.h"

/*
 * RPC over HTTP v2 ([MS-RPCH]): the bodies of RPC_IN_DATA and RPC_OUT_DATA go to http/rpch_observer.h, which pairs
 * them, and what it finds to the conversation of their virtual connection.
 */
#define WEB_MAX_CHANNELS 4096 /* then all virtual connections are begun anew */
#define LONE 0x80000000u      /* numbers of channels whose first PDU was not seen */

/* The client is heard on the IN channel, the server on the OUT channel. */
static void put_flows(const struct web_virtual *v)
{
	const struct lens_web *in = v->web[RPCH_IN], *out = v->web[RPCH_OUT];
	lens_talk_move(v->talk, in ? in->flow : out->flow, out ? out->flow : in->flow);
}

static void detach(struct web_virtual *v, const struct lens_web *w)
{
	for (unsigned d = 0; d < 2; d++)
		if (v->web[d] == w)
			v->web[d] = NULL;
	if (!v->web[0] && !v->web[1]) {
		lens_talk_free(&v->talk);
		v->number = 0;
	} else if (v->talk) {
		put_flows(v);
	}
}

/* Its entry, or the one that was idle longest, for it. */
static struct web_virtual *find_virtual(struct lens_webs *all, struct lens_web *w, unsigned number)
{
	struct web_virtual *v = NULL, *oldest = &all->virtuals[0];
	for (unsigned i = 0; i < WEB_MAX_VIRTUALS; i++) {
		struct web_virtual *x = &all->virtuals[i];
		if (x->number == number)
			v = x;
		else if (x->number && (x->web[0] == w || x->web[1] == w))
			detach(x, w); /* the connection carries another one now */
		if (!x->number || (oldest->number && x->used < oldest->used))
			oldest = x;
	}
	if (v)
		return v;
	lens_talk_free(&oldest->talk);
	*oldest = (struct web_virtual){.number = number};
	return oldest;
}

static struct web_virtual *virtual_of(struct lens *lens, struct lens_web *w, unsigned number)
{
	struct web_virtual *v = w->current;
	if (!v || v->number != number || v->web[w->direction] != w)
		v = w->current = find_virtual(lens->webs, w, number);
	v->used = lens->now.frame;
	bool moved = v->web[w->direction] != w;
	v->web[w->direction] = w;
	if (!v->talk && (v->talk = lens_talk_new(w->flow, NULL, NULL)))
		v->talk->transport = "rpc-http";
	else if (!moved)
		return v;
	if (v->talk)
		put_flows(v);
	return v;
}

static unsigned number_of(struct lens_web *w, const struct rpch_seen *channel)
{
	if (channel->connection)
		return channel->connection;
	if (!w->lone)
		w->lone = LONE | ++w->flow->lens->webs->lone;
	return w->lone;
}

static unsigned side_of(const struct lens_conversation *t, bool from_client)
{
	return from_client ? t->flow->client : !t->flow->client;
}

static void take_pdu(struct lens *lens, struct lens_web *w, const struct rpch_sight *sight)
{
	struct web_virtual *v = virtual_of(lens, w, number_of(w, sight->channel));
	const uint8_t *data = sight->data;
	uint64_t at = sight->first;
	lens_flow_has_rpc(w->flow);
	for (size_t left = sight->len; left && v->talk;) {
		uint64_t room;
		struct lens_stamp stamp = lens_where_span(&w->body[sight->from_client], at, &room);
		size_t n = room < left ? (size_t)room : left;
		lens_talk_data(v->talk, side_of(v->talk, sight->from_client), data, n, &stamp);
		data += n;
		at += n;
		left -= n;
	}
}

static void take_rts(struct lens *lens, struct lens_web *w, const struct rpch_sight *sight)
{
	enum rts_kind kind = sight->rts->kind;
	w->connected |= kind == RTS_CONN_C2;
	/* What only keeps the channels going says nothing. */
	if (kind == RTS_FLOW_ACK || kind == RTS_FLOW_ACK_TO || kind == RTS_PING || kind == RTS_KEEP_ALIVE)
		return;
	arena_reset(lens->scratch);
	struct arena *a = lens_event_arena(lens);
	struct lens_stamp stamp = lens_where_find(&w->body[sight->from_client], sight->first);
	const char *words =
	        arena_printf(a, "RTS %s on the %s channel", rts_name(kind), w->direction == RPCH_IN ? "IN" : "OUT");
	lens_flow_has_rpc(w->flow);
	if (words)
		lens_tell_plain(w->flow, LENS_CONTEXT, sight->from_client, stamp, stamp, -1, NULL, words);
}

static void take_loss(struct lens *lens, struct lens_web *w, const struct rpch_sight *sight)
{
	struct web_virtual *v =
	        sight->channel->connection || w->lone ? virtual_of(lens, w, number_of(w, sight->channel)) : NULL;
	if (v && v->talk)
		lens_talk_gap(v->talk, side_of(v->talk, sight->from_client), sight->len, &w->now);
}

static void on_sight(void *user, const struct rpch_sight *sight)
{
	struct lens *lens = user;
	struct lens_web *w = sight->channel->user;
	if (!w)
		return;
	lens->webs->inside = true;
	if (sight->type == RPCH_SAW_PDU)
		take_pdu(lens, w, sight);
	else if (sight->type == RPCH_SAW_RTS)
		take_rts(lens, w, sight);
	else if (sight->type == RPCH_SAW_GAP)
		take_loss(lens, w, sight);
	lens->webs->inside = false;
}

/* All are forgotten, so that memory stays bounded. */
static void begin_anew(struct lens_webs *all)
{
	for (struct lens_web *w = all->newest; w; w = w->older)
		w->channel = NULL;
	for (unsigned i = 0; i < WEB_MAX_VIRTUALS; i++) {
		lens_talk_free(&all->virtuals[i].talk);
		all->virtuals[i] = (struct web_virtual){0};
	}
	rpch_observer_free(&all->observer);
	all->channels = 0;
}

static void begin_channel(struct lens_web *w)
{
	struct lens *lens = w->flow->lens;
	struct lens_webs *all = lens->webs;
	if (all->channels >= WEB_MAX_CHANNELS)
		begin_anew(all);
	if (!all->observer && !(all->observer = rpch_observer_new(on_sight, lens)))
		return;
	w->channel = rpch_observe_channel(all->observer, w->direction, w);
	all->channels += w->channel != NULL;
	w->lone = 0;
	for (unsigned side = 0; side < 2; side++)
		lens_where_free(&w->body[side]);
}

static void end_channel(struct lens_web *w)
{
	struct lens_webs *all = w->flow->lens->webs;
	struct rpch_seen *channel = TAKE_PTR(w->channel);
	if (!channel)
		return;
	if (!all->inside)
		rpch_observe_end(all->observer, channel);
	channel->user = NULL;
	web_channel_end(w, channel);
}

/* ---- What web.c tells ---- */

void web_rpc_request(struct lens_web *w, const struct http_head *head)
{
	end_channel(w);
	w->is_channel = strcmp(head->method, "RPC_IN_DATA") == 0 || strcmp(head->method, "RPC_OUT_DATA") == 0;
	w->direction = strcmp(head->method, "RPC_IN_DATA") == 0 ? RPCH_IN : RPCH_OUT;
	web_channel_asked(w);
}

void web_rpc_body(struct lens_web *w, const struct http_event *ev)
{
	bool from_client = ev->from == HTTP_FROM_CLIENT;
	if (!w->is_channel)
		return;
	if (!w->channel && from_client)
		begin_channel(w);
	if (!w->channel)
		return;
	if (!from_client)
		web_channel_heard(w);
	struct lens_where *places = &w->body[from_client];
	lens_where_add(places, ev->len, &w->now, places->end > WEB_PLACES ? places->end - WEB_PLACES : 0);
	rpch_observe(w->flow->lens->webs->observer, w->channel, from_client, ev->data, ev->len);
}

/* Of an IN channel's request, of an OUT channel's answer. */
void web_rpc_end(struct lens_web *w, const struct http_event *ev)
{
	if (w->channel && (ev->from == HTTP_FROM_CLIENT) == (w->direction == RPCH_IN))
		end_channel(w);
}

void web_rpc_gap(struct lens_web *w, const struct http_event *ev)
{
	bool from_client = ev->from == HTTP_FROM_CLIENT;
	if (!w->channel)
		return;
	lens_where_add(&w->body[from_client], ev->len, &w->now, 0);
	rpch_observe_gap(w->flow->lens->webs->observer, w->channel, from_client, ev->len);
}

void web_rpc_close(struct lens_web *w)
{
	struct lens_webs *all = w->flow->lens->webs;
	end_channel(w);
	for (unsigned i = 0; i < WEB_MAX_VIRTUALS; i++)
		if (all->virtuals[i].number && (all->virtuals[i].web[0] == w || all->virtuals[i].web[1] == w))
			detach(&all->virtuals[i], w);
}
