#include "lens/web-private.h"

#include "wire/asyncemsmdb.h"
#include "wire/emsmdb.h"
#include "wire/mapihttp.h"
#include "wire/nspi.h"
#include "wire/rfr.h"

#include <stdio.h>
#include <strings.h>

/*
 * MAPI over HTTP ([MS-OXCMAPIHTTP]): the bodies of requests and answers are gathered, answers without their meta tags
 * (2.2.2.2) and the header lines behind these, and told as calls of the methods that mean the same.
 */
#define BODY_MOST ((size_t)1 << 20)

struct web_mapi_type {
	const char *name; /* 2.2.3.3.1 */
	const struct idl_interface *iface;
	uint16_t opnum;
	const struct idl_type *request, *response;
};

#define STORE(n, o, q, r)                                                                                              \
	{                                                                                                              \
		n, &wire_emsmdb_interface, o, &q##_type, &r##_type                                                     \
	}
#define BOOK(n, o, q, r)                                                                                               \
	{                                                                                                              \
		n, &wire_nspi_interface, o, &q##_type, &r##_type                                                       \
	}
#define URL(n)                                                                                                         \
	{                                                                                                              \
		n, &wire_rfr_interface, 1, &BookUrlRequest_type, &BookUrlResponse_type                                 \
	}

static const struct web_mapi_type types[] = {
        STORE("Connect", 10, MapiConnectRequest, MapiConnectResponse),
        STORE("Execute", 11, MapiExecuteRequest, MapiExecuteResponse),
        STORE("Disconnect", 1, MapiDisconnectRequest, MapiPlainResponse),
        {"NotificationWait", &wire_asyncemsmdb_interface, 0, &MapiNotificationWaitRequest_type,
         &MapiNotificationWaitResponse_type},
        BOOK("Bind", 0, BookBindRequest, BookBindResponse),
        BOOK("Unbind", 1, BookUnbindRequest, MapiPlainResponse),
        BOOK("UpdateStat", 2, BookUpdateStatRequest, BookUpdateStatResponse),
        BOOK("QueryRows", 3, BookQueryRowsRequest, BookRowsResponse),
        BOOK("SeekEntries", 4, BookSeekEntriesRequest, BookRowsResponse),
        BOOK("GetMatches", 5, BookGetMatchesRequest, BookGetMatchesResponse),
        BOOK("ResortRestriction", 6, BookResortRestrictionRequest, BookResortRestrictionResponse),
        BOOK("DNToMinId", 7, BookDnToMinIdRequest, BookMinimalIdsResponse),
        BOOK("GetPropList", 8, BookGetPropListRequest, BookTagsResponse),
        BOOK("GetProps", 9, BookGetPropsRequest, BookValuesResponse),
        BOOK("CompareMinIds", 10, BookCompareMinIdsRequest, BookCompareMinIdsResponse),
        BOOK("ModProps", 11, BookModPropsRequest, MapiPlainResponse),
        BOOK("GetSpecialTable", 12, BookGetSpecialTableRequest, BookGetSpecialTableResponse),
        BOOK("GetTemplateInfo", 13, BookGetTemplateInfoRequest, BookValuesResponse),
        BOOK("ModLinkAtt", 14, BookModLinkAttRequest, MapiPlainResponse),
        BOOK("QueryColumns", 16, BookQueryColumnsRequest, BookTagsResponse),
        BOOK("ResolveNames", 20, BookResolveNamesRequest, BookResolveNamesResponse),
        URL("GetMailboxUrl"),
        URL("GetAddressBookUrl"),
};

static const struct web_mapi_type *type_of(const struct http_head *head)
{
	const char *name = http_field(head, "X-RequestType");
	for (size_t i = 0; name && i < ARRAY_SIZE(types); i++)
		if (strcasecmp(types[i].name, name) == 0)
			return &types[i];
	return NULL;
}

/* ---- Sessions ---- */

static void mix(uint64_t h[2], const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		h[0] = (h[0] ^ (uint8_t)s[i]) * UINT64_C(0x100000001B3);
		h[1] = (h[1] + (uint8_t)s[i]) * UINT64_C(0x9E3779B97F4A7C15);
		h[1] ^= h[1] >> 29;
	}
}

static struct guid name_session(const char *value, size_t len)
{
	uint64_t h[2] = {UINT64_C(0xcbf29ce484222325), 1};
	struct guid id;
	mix(h, value, len);
	memcpy(&id, h, sizeof id);
	return id;
}

/* Where no cookie is known: the connection's. */
static struct guid connection_session(const struct lens_web *w)
{
	char client[LENS_ADDRESS_TEXT], server[LENS_ADDRESS_TEXT], both[2 * LENS_ADDRESS_TEXT];
	int n = snprintf(both, sizeof both, "%s %s", lens_address_format(&w->flow->conn->client, client),
	                 lens_address_format(&w->flow->conn->server, server));
	return name_session(both, (size_t)n);
}

/* A cookie of that name, "name=value", in a list of them; of any name but a sequence's when name is NULL. */
static const char *find_cookie(const char *list, const char *name, size_t *len)
{
	while (*list) {
		list += strspn(list, "; ");
		size_t n = strcspn(list, ";"), equals = strcspn(list, "=;");
		bool fits = name ? strlen(name) == equals && strncasecmp(list, name, equals) == 0
		                 : !(equals >= 8 && strncasecmp(list + equals - 8, "sequence", 8) == 0);
		if (n && fits) {
			*len = n;
			return list;
		}
		list += n;
	}
	return NULL;
}

/* 3.1.5.1: what names the session is a cookie that the server has set. Exchange calls it MapiContext. */
static struct guid session_of(const struct http_head *head, const char *field)
{
	static const char *const names[] = {"MapiContext", "sid", NULL};
	const char *value;
	size_t len;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		for (unsigned at = 0; (value = http_field_next(head, field, &at));) {
			/* Of Set-Cookie only the first part is the cookie. */
			const char *found = find_cookie(value, names[i], &len);
			if (found && (strcasecmp(field, "Cookie") == 0 || found == value))
				return name_session(found, len);
		}
	return (struct guid){0};
}

/* ---- Bodies ---- */

/* For who opens an event: X-RequestId and its like. */
static void keep_field(struct buf *heads, const char *name, size_t name_len, const char *value, size_t value_len)
{
	if (name_len < 2 || strncasecmp(name, "X-", 2) != 0 || memchr(value, 0, value_len))
		return;
	buf_put(heads, name, name_len);
	buf_put_u8(heads, 0);
	buf_put(heads, value, value_len);
	buf_put_u8(heads, 0);
}

static void keep_heads(struct lens_web *w, struct web_body *b, const struct http_head *head)
{
	for (unsigned i = 0; w->flow->lens->options.want_fields && i < head->field_count; i++)
		keep_field(&b->heads, head->fields[i].name, strlen(head->fields[i].name), head->fields[i].value,
		           strlen(head->fields[i].value));
}

static struct web_body *body_of(struct lens_web *w, enum http_side from)
{
	return &w->gathered[from == HTTP_FROM_CLIENT];
}

static void drop(struct web_body *b)
{
	buf_free(&b->data);
	buf_free(&b->heads);
	*b = (struct web_body){.type = NULL};
}

static bool make_talk(struct lens_web *w)
{
	if (!w->talk && (w->talk = lens_talk_new(w->flow, NULL, NULL)))
		w->talk->transport = "mapi-http";
	return w->talk != NULL;
}

static void tell(struct lens_web *w, enum http_side from, const struct web_body *b, uint64_t end, struct cursor body,
                 enum rpc_event_type kind, const char *fault, const char *damaged)
{
	const struct web_mapi_type *t = b->type;
	bool from_client = from == HTTP_FROM_CLIENT;
	const struct rpc_event ev = {
	        .type = kind,
	        .from = from_client ? RPC_FROM_CLIENT : RPC_FROM_SERVER,
	        .first = b->first,
	        .end = end,
	        .call_id = b->call,
	        .opnum = t->opnum,
	        .opnum_known = true,
	        .fragments = 1,
	        .stub = cursor_here(&body),
	        .stub_len = cursor_left(&body),
	};
	const struct rpc_syntax syntax = {t->iface->uuid, t->iface->major, t->iface->minor};
	const struct lens_call call = {
	        .op = t->name,
	        .iface = &syntax,
	        .opnum = t->opnum,
	        .body = fault || damaged ? NULL
	                : from_client    ? t->request
	                                 : t->response,
	        .book = t->iface == &wire_nspi_interface,
	        .session = guid_is_nil(&b->session) ? connection_session(w) : b->session,
	        .places = &w->stream[from_client],
	        .user = *w->user ? w->user : NULL,
	        .auth = w->auth,
	        .client = *w->client ? w->client : NULL,
	        .heads = &b->heads,
	        .fault = fault,
	        .damaged = damaged,
	};
	if (!make_talk(w))
		return;
	lens_flow_has_rpc(w->flow);
	lens_make_call(w->talk, &ev, &call);
}

/* ---- Answers ---- */

static const char *const tags[] = {"PROCESSING", "PENDING", "DONE"};

/* 2.2.2.2: one tag a line, DONE the last. */
static bool strip_tags(struct cursor *c, unsigned counts[ARRAY_SIZE(tags)])
{
	for (;;) {
		const uint8_t *at = cursor_here(c), *end = memmem(at, cursor_left(c), "\r\n", 2);
		size_t tag = 0, n = end ? (size_t)(end - at) : 0;
		while (tag < ARRAY_SIZE(tags) && (strlen(tags[tag]) != n || memcmp(tags[tag], at, n) != 0))
			tag++;
		if (!end || tag == ARRAY_SIZE(tags) || cursor_skip(c, n + 2) < 0)
			return false;
		counts[tag]++;
		if (tag == ARRAY_SIZE(tags) - 1)
			return true;
	}
}

/* The header lines behind DONE, up to an empty one. */
static bool strip_lines(struct cursor *c, struct buf *heads)
{
	for (;;) {
		const uint8_t *at = cursor_here(c), *end = memmem(at, cursor_left(c), "\r\n", 2);
		const char *line = (const char *)at;
		size_t n = end ? (size_t)(end - at) : 0;
		if (!end || cursor_skip(c, n + 2) < 0)
			return false;
		if (n == 0)
			return true;
		const char *colon = memchr(line, ':', n);
		if (!colon || !heads)
			continue;
		size_t name = (size_t)(colon - line), value = name + 1;
		value += value < n && line[value] == ' ';
		keep_field(heads, line, name, line + value, n - value);
	}
}

static bool strip(struct lens_web *w, struct cursor *c, struct buf *heads)
{
	bool wanted = w->flow->lens->options.want_fields;
	unsigned counts[ARRAY_SIZE(tags)] = {0};
	char text[80];
	if (!strip_tags(c, counts))
		return false;
	snprintf(text, sizeof text, "PROCESSING %u, PENDING %u, DONE %u", counts[0], counts[1], counts[2]);
	if (wanted) {
		buf_put(heads, "meta tags", sizeof "meta tags");
		buf_put(heads, text, strlen(text) + 1);
	}
	return strip_lines(c, wanted ? heads : NULL);
}

static void tell_answer(struct lens_web *w, struct web_body *b, uint64_t end)
{
	struct cursor c = cursor_of(b->data.data, b->data.len);
	const char *damaged = b->cut                     ? "parts of the body are missing, or it is too large"
	                      : !strip(w, &c, &b->heads) ? "the meta tags before the body do not fit"
	                                                 : NULL;
	tell(w, HTTP_FROM_SERVER, b, end, c, RPC_EV_RESPONSE, NULL, damaged);
}

/* ---- What web.c tells ---- */

/* Connect and Bind. */
static bool makes_session(const struct web_mapi_type *t)
{
	return t->request == &MapiConnectRequest_type || t->request == &BookBindRequest_type;
}

void web_mapi_request(struct lens_web *w, const struct http_event *ev, struct web_asked *asked)
{
	struct web_body *b = body_of(w, ev->from);
	drop(b);
	const struct web_mapi_type *t = type_of(ev->head);
	if (!t)
		return;
	*b = (struct web_body){
	        .type = t, .call = ++w->calls, .session = session_of(ev->head, "Cookie"), .first = ev->first};
	keep_heads(w, b, ev->head);
	const char *client = http_field(ev->head, "X-ClientApplication");
	snprintf(w->client, sizeof w->client, "%s", client ? client : "");
	asked->mapi = t;
	asked->call = b->call;
	asked->session = w->session = b->session;
}

/* What was asked will not be answered any more, and did not fail either: the dance of authorization, a redirect. */
static void forget_request(struct lens_web *w, uint32_t call)
{
	struct lens_pending *p = w->talk ? lens_pending_find(w->talk, call, false) : NULL;
	if (!p)
		return;
	lens_pending_take(w->talk, p);
	lens_pending_free(w->flow->lens, p);
}

static void tell_request(struct lens_web *w, struct web_body *b, uint64_t end)
{
	tell(w, HTTP_FROM_CLIENT, b, end, cursor_of(b->data.data, b->data.len), RPC_EV_REQUEST, NULL,
	     b->cut ? "parts of the body are missing, or it is too large" : NULL);
}

/* Without a body: a request that was taken for a call; else a step of the dance of authorization (RFC 4559 5). */
static void judge_bare(struct lens_web *w, bool is_call)
{
	struct web_body *b = body_of(w, HTTP_FROM_CLIENT);
	struct web_body held = *b;
	if (!b->bare)
		return;
	*b = (struct web_body){.type = NULL};
	if (is_call)
		tell_request(w, &held, held.end);
	drop(&held);
}

/* What is answered: 2.2.3.3.1 has the answer repeat its request's type, so that none is taken for another's. */
static struct web_asked match(const struct lens_web *w, const struct http_head *head, const struct web_asked *asked)
{
	const struct web_mapi_type *t = type_of(head);
	if (!t || t == asked->mapi)
		return *asked;
	return (struct web_asked){.mapi = t, .session = w->session};
}

bool web_mapi_response(struct lens_web *w, const struct http_event *ev, const struct web_asked *first)
{
	struct web_body *b = body_of(w, ev->from);
	const struct web_asked found = match(w, ev->head, first), *asked = &found;
	drop(b);
	if (!asked->mapi)
		return false;
	judge_bare(w, ev->head->status == 200);
	if (ev->head->status != 200) {
		if (asked->call)
			forget_request(w, asked->call);
		const struct lens_stamp at = lens_where_find(web_places(w, ev), ev->first);
		return asked->mapi->iface == &wire_asyncemsmdb_interface && web_wait_refused(w, ev, asked, &at);
	}
	*b = (struct web_body){.type = asked->mapi, .call = asked->call, .first = ev->first};
	b->session = asked->session;
	if (makes_session(asked->mapi))
		b->session = w->session = session_of(ev->head, "Set-Cookie");
	keep_heads(w, b, ev->head);
	arena_reset(w->flow->lens->scratch);
	const char *code = web_response_code(w->flow->lens->scratch, ev->head);
	if (!code)
		return true;
	char fault[64];
	snprintf(fault, sizeof fault, "%s", code);
	tell(w, ev->from, b, ev->end, cursor_of(NULL, 0), RPC_EV_FAULT, fault, NULL);
	drop(b);
	return true;
}

void web_mapi_body(struct lens_web *w, const struct http_event *ev)
{
	struct web_body *b = body_of(w, ev->from);
	if (!b->type)
		return;
	b->cut |= ev->len > BODY_MOST - b->data.len || buf_put(&b->data, ev->data, ev->len) < 0;
}

void web_mapi_end(struct lens_web *w, const struct http_event *ev)
{
	struct web_body *b = body_of(w, ev->from);
	if (!b->type || b->bare)
		return;
	if (ev->from == HTTP_FROM_CLIENT && !b->data.len && !b->cut) {
		b->bare = true;
		b->end = ev->end;
		return;
	}
	struct web_body whole = *b;
	*b = (struct web_body){.type = NULL};
	if (ev->from == HTTP_FROM_CLIENT)
		tell_request(w, &whole, ev->end);
	else
		tell_answer(w, &whole, ev->end);
	drop(&whole);
}

/* What is missing may be all of it; the rest is not looked for. */
void web_mapi_gap(struct lens_web *w, const struct http_event *ev)
{
	struct web_body *b = body_of(w, ev->from);
	if (!b->type || b->bare)
		return;
	b->cut = true;
	struct http_event end = *ev;
	end.end = ev->first > b->first ? ev->first : b->first + 1;
	web_mapi_end(w, &end);
}

void web_mapi_close(struct lens_web *w)
{
	web_wait_end(w);
	judge_bare(w, true);
	drop(&w->gathered[0]);
	drop(&w->gathered[1]);
	lens_talk_free(&w->talk);
}
