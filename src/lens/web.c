#include "lens/web-private.h"

#include <ctype.h>
#include <stdlib.h>

/* HTTP: each request and its answer as context, with what it is for; what is opened further goes to its own file. */

#define WEB_MAX 1024 /* connections followed at one time */

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

/* ---- Events ---- */

static struct lens_stamp place(struct lens_web *w, const struct http_event *ev, uint64_t at)
{
	return lens_where_find(web_places(w, ev), at);
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

static struct web_asked *push_asked(struct lens_web *w)
{
	if (w->asked_count == WEB_ASKED) {
		w->first_asked = (w->first_asked + 1) % WEB_ASKED;
		w->asked_count--;
	}
	return &w->asked[(w->first_asked + w->asked_count++) % WEB_ASKED];
}

static struct web_asked pop_asked(struct lens_web *w)
{
	struct web_asked asked = {.stamp = {0}};
	if (w->asked_count) {
		asked = w->asked[w->first_asked];
		w->first_asked = (w->first_asked + 1) % WEB_ASKED;
		w->asked_count--;
	}
	return asked;
}

static void take_request(struct lens_web *w, const struct http_event *ev)
{
	struct lens *lens = w->flow->lens;
	/* Nobody asks before the last answer: all that was asked has been answered, in what is missing. */
	if (w->answers_lost)
		w->asked_count = 0;
	w->answers_lost = false;
	struct web_asked *asked = push_asked(w);
	arena_reset(lens->scratch);
	web_note_user(w, ev->head);
	web_rpc_request(w, ev->head);
	*asked = (struct web_asked){.stamp = place(w, ev, ev->first)};
	web_mapi_request(w, ev, asked);
	if (!asked->mapi)
		tell(w, ev, -1, NULL, web_request_words(lens_event_arena(lens), ev->head));
}

static void take_response(struct lens_web *w, const struct http_event *ev)
{
	struct lens *lens = w->flow->lens;
	struct arena *a = lens_event_arena(lens);
	if (ev->head->status < 200)
		return;
	struct web_asked asked = pop_asked(w);
	if (web_mapi_response(w, ev, &asked))
		return;
	const struct lens_stamp at = place(w, ev, ev->first);
	if (web_channel_refused(w, ev, &at))
		return;
	arena_reset(lens->scratch);
	const char *code = arena_printf(a, "%u", ev->head->status);
	const char *status = ev->head->status >= 400 ? code : web_response_code(a, ev->head);
	const char *more = status && status != code ? status : NULL;
	tell(w, ev, asked.stamp.frame ? place(w, ev, ev->first).time_ns - asked.stamp.time_ns : -1, status,
	     code ? arena_printf(a, "HTTP answer %s%s%s", code, more ? ", " : "", more ? more : "") : NULL);
}

static void on_event(void *user, struct http_connection *c, const struct http_event *ev)
{
	struct lens_web *w = user;
	(void)c;
	switch (ev->type) {
	case HTTP_EV_REQUEST:
		take_request(w, ev);
		break;
	case HTTP_EV_RESPONSE:
		take_response(w, ev);
		break;
	case HTTP_EV_BODY:
		web_rpc_body(w, ev);
		web_mapi_body(w, ev);
		break;
	case HTTP_EV_END:
		web_rpc_end(w, ev);
		web_mapi_end(w, ev);
		break;
	case HTTP_EV_GAP:
		w->answers_lost |= ev->from == HTTP_FROM_SERVER;
		web_rpc_gap(w, ev);
		web_mapi_gap(w, ev);
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
	web_rpc_close(w);
	web_mapi_close(w);
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

/* A channel is known by its first head. */
static void say(const struct lens_web *w, bool from_client, const uint8_t *data, size_t len)
{
	const struct lens_options *o = &w->flow->lens->options;
	const struct lens_text text = {w->flow->conn, from_client, data, len, w->now.frame, w->now.time_ns};
	if (o->text && !w->is_channel)
		o->text(o->said_user, &text);
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
	lens_where_add(places, len, stamp, places->end > WEB_PLACES ? places->end - WEB_PLACES : 0);
	(void)http_feed(w->http, from, data, len, stamp->time_ns);
	w->last_ns = stamp->time_ns;
	say(w, from == HTTP_FROM_CLIENT, data, len);
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
