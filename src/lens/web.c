#include "lens/lens-private.h"

#include "http/field.h"
#include "http/http.h"
#include "http/rpch_observer.h"

#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

/*
 * HTTP in the clear: each request and its answer as context, with what it is for; RPC over HTTP v2 ([MS-RPCH]) opened:
 * the bodies of RPC_IN_DATA and RPC_OUT_DATA go to http/rpch_observer.h, which pairs them, and what it finds to the
 * conversation of their virtual connection.
 */
#define WEB_MAX 1024          /* connections followed at one time */
#define WEB_MAX_CHANNELS 4096 /* then all virtual connections are begun anew */
#define WEB_MAX_VIRTUALS 1024
#define WEB_ASKED 8 /* requests of one connection that wait for their answer */
#define WEB_WORDS 160
#define PLACES_KEPT (UINT64_C(1) << 17) /* of a body: twice the largest PDU */
#define LONE 0x80000000u                /* numbers of channels whose first PDU was not seen */

struct web_asked {
	struct lens_stamp stamp;
	bool execute; /* an answer says in X-ResponseCode how it went */
};

struct lens_web {
	struct lens_flow *flow;
	struct lens_web *newer, *older;
	struct http_connection *http;
	struct lens_where stream[2]; /* places of the connection's bytes, from_client */
	struct lens_where body[2];   /* and of the bodies in hand */
	struct lens_stamp now;
	struct web_asked asked[WEB_ASKED]; /* a ring */
	unsigned first_asked, asked_count;
	enum rpch_direction direction; /* of the request in hand, if it is a channel's */
	bool is_channel;
	struct rpch_seen *channel;
	struct web_virtual *current; /* the latest, if it still is */
	unsigned lone;               /* number while the connection's is not known */
};

/* A virtual connection. */
struct web_virtual {
	unsigned number; /* 0: free */
	struct lens_conversation *talk;
	struct lens_web *web[2]; /* by enum rpch_direction */
	uint64_t used;           /* frame */
};

struct lens_webs {
	struct lens_web *newest, *oldest;
	unsigned count;
	struct rpch_observer *observer;
	unsigned channels, lone;
	bool inside; /* of the observer's callback */
	struct web_virtual virtuals[WEB_MAX_VIRTUALS];
};

/* ---- Which connections ---- */

static const char *const methods[] = {"GET ",     "POST ",     "HEAD ",    "PUT ",         "DELETE ",
                                      "OPTIONS ", "PROPFIND ", "CONNECT ", "RPC_IN_DATA ", "RPC_OUT_DATA "};

bool lens_web_asks(const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		size_t n = strlen(methods[i]);
		if (len > n && memcmp(data, methods[i], n) == 0 && isgraph(data[n]))
			return true;
	}
	return false;
}

bool lens_web_looks_like(const uint8_t *data, size_t len)
{
	return lens_web_asks(data, len) || (len >= 12 && memcmp(data, "HTTP/1.", 7) == 0 && isdigit(data[9]));
}

/* ---- Words ---- */

static const char *service_of(const char *path)
{
	static const char *const services[][2] = {
	        {"/rpc/", "RPC over HTTP"},
	        {"/mapi/", "MAPI over HTTP"},
	        {"/ews/", "EWS"},
	        {"/autodiscover/", "Autodiscover"},
	        {"/oab/", "offline address book"},
	        {"/microsoft-server-activesync", "ActiveSync"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(services); i++)
		if (strncasecmp(path, services[i][0], strlen(services[i][0])) == 0)
			return services[i][1];
	return "HTTP";
}

/* The method of a SOAP request: what stands behind the last slash of its action. */
static const char *soap_action(struct arena *a, const struct http_head *head)
{
	const char *action = http_field(head, "SOAPAction"), *slash = action ? strrchr(action, '/') : NULL;
	if (!slash)
		return NULL;
	size_t n = strcspn(slash + 1, "\" ");
	return n && n < WEB_WORDS ? arena_strndup(a, slash + 1, n) : NULL;
}

/* Without what follows a question mark: there stand names and tokens. */
static const char *request_words(struct arena *a, const struct http_head *head)
{
	size_t n = strcspn(head->target, "?");
	const char *path = arena_strndup(a, head->target, n < WEB_WORDS ? n : WEB_WORDS);
	const char *service = path ? service_of(path) : "HTTP";
	const char *type = http_field(head, "X-RequestType"); /* [MS-OXCMAPIHTTP] 2.2.3.3.1 */
	if (!type || strcmp(service, "MAPI over HTTP") != 0)
		type = soap_action(a, head);
	return arena_printf(a, "%s: %s%s%s %s", service, type ? type : "", type ? ", " : "", head->method,
	                    path ? path : "");
}

/* ---- Events ---- */

static struct lens_stamp place(const struct lens_web *w, const struct http_event *ev, uint64_t at)
{
	return lens_where_find(&w->stream[ev->from == HTTP_FROM_CLIENT], at);
}

static void tell(struct lens_web *w, const struct http_event *ev, int64_t took_ns, const char *status,
                 const char *words)
{
	struct lens_stamp first = place(w, ev, ev->first),
	                  last = place(w, ev, ev->end > ev->first ? ev->end - 1 : ev->first);
	if (words)
		lens_tell_plain(w->flow, LENS_CONTEXT, ev->from == HTTP_FROM_CLIENT, first,
		                last.frame > first.frame ? last : first, took_ns, status, words);
}

static void take_request(struct lens_web *w, const struct http_event *ev)
{
	struct lens *lens = w->flow->lens;
	const struct http_head *head = ev->head;
	arena_reset(lens->scratch);
	w->is_channel = strcmp(head->method, "RPC_IN_DATA") == 0 || strcmp(head->method, "RPC_OUT_DATA") == 0;
	w->direction = strcmp(head->method, "RPC_IN_DATA") == 0 ? RPCH_IN : RPCH_OUT;
	if (w->asked_count == WEB_ASKED) {
		w->first_asked = (w->first_asked + 1) % WEB_ASKED;
		w->asked_count--;
	}
	w->asked[(w->first_asked + w->asked_count++) % WEB_ASKED] = (struct web_asked){
	        .stamp = place(w, ev, ev->first),
	        .execute = http_field(head, "X-RequestType") != NULL,
	};
	tell(w, ev, -1, NULL, request_words(lens_event_arena(lens), head));
}

/* [MS-OXCMAPIHTTP] 2.2.3.3.3: 0 is success. */
static const char *response_code(struct arena *a, const struct http_head *head)
{
	const char *code = http_field(head, "X-ResponseCode");
	return code && strcmp(code, "0") != 0 ? arena_printf(a, "X-ResponseCode %.20s", code) : NULL;
}

static void take_response(struct lens_web *w, const struct http_event *ev)
{
	struct lens *lens = w->flow->lens;
	struct arena *a = lens_event_arena(lens);
	struct web_asked asked = {.stamp = {0}};
	if (ev->head->status < 200)
		return;
	arena_reset(lens->scratch);
	if (w->asked_count) {
		asked = w->asked[w->first_asked];
		w->first_asked = (w->first_asked + 1) % WEB_ASKED;
		w->asked_count--;
	}
	const char *code = arena_printf(a, "%u", ev->head->status);
	const char *status = ev->head->status >= 400 ? code : asked.execute ? response_code(a, ev->head) : NULL;
	const char *more = status && status != code ? status : NULL;
	tell(w, ev, asked.stamp.frame ? place(w, ev, ev->first).time_ns - asked.stamp.time_ns : -1, status,
	     code ? arena_printf(a, "HTTP answer %s%s%s", code, more ? ", " : "", more ? more : "") : NULL);
}

/* ---- Virtual connections ---- */

static void detach(struct web_virtual *v, struct lens_web *w)
{
	for (unsigned d = 0; d < 2; d++)
		if (v->web[d] == w)
			v->web[d] = NULL;
	struct lens_web *other = v->web[0] ? v->web[0] : v->web[1];
	if (v->talk && v->talk->flow == w->flow) {
		if (other)
			v->talk->flow = other->flow;
		else
			lens_talk_free(&v->talk);
	}
	if (!other)
		v->number = 0;
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
	v->web[w->direction] = w;
	if (!v->talk && (v->talk = lens_talk_new(w->flow, NULL, NULL)))
		v->talk->transport = "rpc-http";
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
}

static void take_body(struct lens_web *w, const struct http_event *ev)
{
	bool from_client = ev->from == HTTP_FROM_CLIENT;
	if (!w->is_channel)
		return;
	if (!w->channel && from_client)
		begin_channel(w);
	if (!w->channel)
		return;
	struct lens_where *places = &w->body[from_client];
	lens_where_add(places, ev->len, &w->now, places->end > PLACES_KEPT ? places->end - PLACES_KEPT : 0);
	rpch_observe(w->flow->lens->webs->observer, w->channel, from_client, ev->data, ev->len);
}

static void on_event(void *user, struct http_connection *c, const struct http_event *ev)
{
	struct lens_web *w = user;
	(void)c;
	switch (ev->type) {
	case HTTP_EV_REQUEST:
		end_channel(w);
		take_request(w, ev);
		break;
	case HTTP_EV_RESPONSE:
		take_response(w, ev);
		break;
	case HTTP_EV_BODY:
		take_body(w, ev);
		break;
	case HTTP_EV_END: /* of an IN channel's request, of an OUT channel's answer */
		if (w->channel && (ev->from == HTTP_FROM_CLIENT) == (w->direction == RPCH_IN))
			end_channel(w);
		break;
	case HTTP_EV_GAP:
		if (w->channel) {
			struct lens_where *places = &w->body[ev->from == HTTP_FROM_CLIENT];
			lens_where_add(places, ev->len, &w->now, 0);
			rpch_observe_gap(w->flow->lens->webs->observer, w->channel, ev->from == HTTP_FROM_CLIENT,
			                 ev->len);
		}
		break;
	case HTTP_EV_DAMAGED:
	case HTTP_EV_CLOSED:
		break;
	}
}

/* ---- Connections ---- */

static void unlink_web(struct lens_webs *all, struct lens_web *w)
{
	*(w->newer ? &w->newer->older : &all->newest) = w->older;
	*(w->older ? &w->older->newer : &all->oldest) = w->newer;
	all->count--;
}

static void link_web(struct lens_webs *all, struct lens_web *w)
{
	w->newer = NULL;
	w->older = all->newest;
	*(all->newest ? &all->newest->newer : &all->oldest) = w;
	all->newest = w;
	all->count++;
}

struct lens_web *lens_web_new(struct lens_flow *flow, const struct lens_stamp *stamp)
{
	struct lens *lens = flow->lens;
	if (!lens->webs && !(lens->webs = calloc(1, sizeof *lens->webs)))
		return NULL;
	if (lens->webs->count >= WEB_MAX)
		lens_flow_forget(lens->webs->oldest->flow);
	struct lens_web *w = calloc(1, sizeof *w);
	const struct http_config config = {.role = HTTP_OBSERVER, .on_event = on_event, .user = w};
	if (!w || !(w->http = http_connection_new(&config, stamp->time_ns))) {
		free(w);
		return NULL;
	}
	w->flow = flow;
	link_web(lens->webs, w);
	if (!flow->begins)
		for (unsigned from = 0; from < 2; from++)
			http_gap(w->http, from ? HTTP_FROM_SERVER : HTTP_FROM_CLIENT, 0);
	if (!flow->conn->iface)
		flow->conn->iface_name = "http";
	return w;
}

void lens_web_free(struct lens_web **web)
{
	struct lens_web *w = TAKE_PTR(*web);
	if (!w)
		return;
	struct lens_webs *all = w->flow->lens->webs;
	end_channel(w);
	for (unsigned i = 0; i < WEB_MAX_VIRTUALS; i++)
		if (all->virtuals[i].number && (all->virtuals[i].web[0] == w || all->virtuals[i].web[1] == w))
			detach(&all->virtuals[i], w);
	unlink_web(all, w);
	http_connection_free(&w->http);
	for (unsigned side = 0; side < 2; side++) {
		lens_where_free(&w->stream[side]);
		lens_where_free(&w->body[side]);
	}
	free(w);
}

void lens_webs_free(struct lens *lens)
{
	if (lens->webs)
		rpch_observer_free(&lens->webs->observer);
	free(TAKE_PTR(lens->webs));
}

static enum http_side http_side_of(const struct lens_web *w, unsigned side)
{
	return side == w->flow->client ? HTTP_FROM_CLIENT : HTTP_FROM_SERVER;
}

void lens_web_data(struct lens_web *w, unsigned side, const uint8_t *data, size_t len, const struct lens_stamp *stamp)
{
	enum http_side from = http_side_of(w, side);
	struct lens_where *places = &w->stream[from == HTTP_FROM_CLIENT];
	struct lens_webs *all = w->flow->lens->webs;
	if (all->newest != w) {
		unlink_web(all, w);
		link_web(all, w);
	}
	w->now = *stamp;
	lens_where_add(places, len, stamp, places->end > PLACES_KEPT ? places->end - PLACES_KEPT : 0);
	(void)http_feed(w->http, from, data, len, stamp->time_ns);
}

void lens_web_gap(struct lens_web *w, unsigned side, uint64_t n, const struct lens_stamp *stamp)
{
	enum http_side from = http_side_of(w, side);
	w->now = *stamp;
	if (n)
		lens_where_add(&w->stream[from == HTTP_FROM_CLIENT], n, stamp, 0);
	http_gap(w->http, from, n);
}

void lens_web_end(struct lens_web *w, unsigned side, const struct lens_stamp *stamp)
{
	w->now = *stamp;
	http_eof(w->http, http_side_of(w, side), stamp->time_ns);
}
