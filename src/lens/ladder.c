#include "lens/ladder.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PAUSE_NS INT64_C(250000000)

/* ---- Which arrows ---- */

static bool is_handshake(enum lens_kind k)
{
	return k == LENS_BIND || k == LENS_BIND_ACK || k == LENS_ALTER || k == LENS_ALTER_ACK || k == LENS_AUTH3;
}

/* Connects, binds and closes that went well say nothing that the calls after them do not say. */
static bool is_drawn(const struct lens_view *v, const struct lens_event *e)
{
	if (!v->o.show_all && !v->o.filter && (!e->conn->rpc || e->conn->midstream))
		return e->kind == LENS_OPEN && e->failed && (e->conn->server.port == 135 || e->conn->service);
	if (e->kind == LENS_OPEN || e->kind == LENS_AUTH3)
		return e->failed;
	if (is_handshake(e->kind))
		return e->failed || e->unanswered;
	return e->kind != LENS_CLOSE && lens_view_wants(v, e);
}

static struct ladder *find_pair(struct ladders *l, const struct lens_conn *c)
{
	for (unsigned i = 0; i < l->count; i++)
		if (lens_same_host(&l->all[i]->client, &c->client) && lens_same_host(&l->all[i]->server, &c->server))
			return l->all[i];
	struct ladder *p = l->count < LADDER_PAIRS ? (struct ladder *)calloc(1, sizeof *p) : NULL;
	if (p) {
		p->client = c->client;
		p->server = c->server;
		l->all[l->count++] = p;
	}
	return p;
}

static uint8_t find_port(struct ladder *p, const struct lens_view *v, const struct lens_event *e)
{
	uint16_t port = e->conn->server.port;

	for (unsigned i = 0; i < p->port_count; i++)
		if (p->ports[i].port == port)
			return (uint8_t)i;
	if (p->port_count == LADDER_PORTS) {
		p->crowded = true;
		return LADDER_PORTS - 1;
	}
	struct ladder_port *new = &p->ports[p->port_count];
	new->port = port;
	lens_colors_pick(v->o.colors, e, &new->badge, NULL);
	return (uint8_t)p->port_count++;
}

static bool note_call(struct ladders *l, unsigned conn)
{
	if (conn >= l->called_room) {
		size_t room = ((size_t)conn + 1024) * 2;
		uint8_t *bigger = (uint8_t *)realloc(l->called, room);
		if (!bigger)
			return false;
		memset(bigger + l->called_room, 0, room - l->called_room);
		l->called = bigger;
		l->called_room = room;
	}
	bool first = !l->called[conn];
	l->called[conn] = 1;
	return first;
}

static bool make_room(struct ladder *p)
{
	size_t room = p->room ? p->room * 2 : 64;

	if (p->count < p->room)
		return true;
	struct ladder_arrow *bigger = (struct ladder_arrow *)reallocarray(p->arrows, room, sizeof *bigger);
	if (!bigger)
		return false;
	p->arrows = bigger;
	p->room = room;
	return true;
}

/* At the end, but for a connect that nobody answered: that is told late. Never between an answer and its request. */
static struct ladder_arrow *place_for(struct ladder *p, const struct lens_event *e)
{
	size_t at = p->count;

	while (e->kind == LENS_OPEN && at > 0 && p->arrows[at - 1].event->time_ns > e->time_ns)
		at--;
	while (at > 0 && at < p->count && p->arrows[at].beside)
		at--;
	memmove(&p->arrows[at + 1], &p->arrows[at], (p->count - at) * sizeof p->arrows[0]);
	p->count++;
	return &p->arrows[at];
}

/* ---- News and what made it ---- */

static const char *change_in(const struct lens_event *e)
{
	static const char *const changes[] = {
	        "SaveChangesMessage", "SubmitMessage",
	        "TransportSend",      "DeleteMessages",
	        "HardDeleteMessages", "MoveCopyMessages",
	        "SetReadFlags",       "SetMessageReadFlag",
	        "CreateFolder",       "DeleteFolder",
	        "EmptyFolder",        "MoveFolder",
	        "CopyFolder",         "SetProperties",
	        "DeleteProperties",   "ModifyRecipients",
	        "SetMessageStatus",   "HardDeleteMessagesAndSubfolders",
	        "ModifyRules",        "SynchronizationImportMessageChange",
	};

	for (unsigned i = 0; i < e->rop_count; i++)
		for (size_t k = 0; k < ARRAY_SIZE(changes); k++)
			if (strcmp(e->rops[i].name, changes[k]) == 0)
				return changes[k];
	return NULL;
}

static void note_change(struct ladders *l, const struct lens_event *e)
{
	if (e->kind == LENS_REQUEST && e->service == LENS_SVC_STORE && change_in(e))
		l->changes[l->change_count++ % LADDER_CHANGES] = e;
}

/* The last change that the same server was asked for while the wait was parked, by whomever. */
static const struct lens_event *find_change(const struct ladders *l, const struct lens_event *answer)
{
	unsigned n = l->change_count < LADDER_CHANGES ? l->change_count : LADDER_CHANGES;

	for (unsigned i = 1; answer->notified && i <= n; i++) {
		const struct lens_event *c = l->changes[(l->change_count - i) % LADDER_CHANGES];
		if (lens_same_host(&c->conn->server, &answer->conn->server) && c->time_ns <= answer->time_ns)
			return c->time_ns >= answer->request->time_ns ? c : NULL;
	}
	return NULL;
}

void ladders_add(struct ladders *l, const struct lens_view *v, const struct lens_event *e)
{
	note_change(l, e);
	if (!is_drawn(v, e))
		return;
	struct ladder *p = find_pair(l, e->conn);
	if (!p || !make_room(p)) {
		l->beyond++;
		return;
	}
	const struct lens_event *before = p->count ? p->arrows[p->count - 1].event : NULL;
	struct ladder_arrow *a = place_for(p, e);
	*a = (struct ladder_arrow){0};
	a->event = e;
	a->port = find_port(p, v, e);
	a->first_call = e->kind == LENS_REQUEST && note_call(l, e->conn->number);
	a->beside = e->request && e->request == before;
	a->woke = e->parked && e->request ? find_change(l, e) : NULL;
	p->outlook |= e->service >= LENS_SVC_RFR;
}

void ladders_free(struct ladders *l)
{
	for (unsigned i = 0; i < l->count; i++) {
		free(l->all[i]->arrows);
		free(l->all[i]);
	}
	free(l->called);
}

/* ---- Words ---- */

static const char *auth_short(const struct lens_event *e)
{
	switch (e->auth) {
	case AUTH_NONE:
		return "anonymous";
	case AUTH_NTLM:
		return "NTLM";
	case AUTH_KERBEROS:
		return "Kerberos";
	case AUTH_SPNEGO:
		return "SPNEGO";
	default:
		return "schannel";
	}
}

static bool is_mapper(const struct lens_event *e)
{
	return e->service == LENS_SVC_EPM || e->service == LENS_SVC_MGMT;
}

/* An answer's summary begins with its request's: behind that stands what is new. */
static const char *answer_words(const struct lens_event *e)
{
	size_t asked = strlen(e->request->summary);

	if (strncmp(e->summary, e->request->summary, asked) != 0)
		return e->summary;
	const char *rest = e->summary + asked;
	if (strncmp(rest, " → ", strlen(" → ")) == 0)
		rest += strlen(" → ");
	else if (strncmp(rest, ": ", 2) == 0)
		rest += 2;
	return strncmp(rest, "MAPI_E_", 7) == 0 ? rest + 7 : rest;
}

static void put_parked(const struct ladder_arrow *a, struct buf *out)
{
	const struct lens_event *e = a->event;

	if (!e->request)
		buf_put_str(out, "waits for news: parked");
	else if (!e->status)
		buf_put_str(out, "the wait comes back");
	else
		buf_put_str(out, e->notified ? "news" : e->failed ? e->status : "no news");
	if (a->woke)
		buf_printf(out, ", after %s (frame %" PRIu64 ")", change_in(a->woke), a->woke->frame);
	if (e->unanswered)
		buf_put_str(out, ", to the end");
}

void ladder_label(const struct ladder_arrow *a, struct buf *out)
{
	const struct lens_event *e = a->event;

	if (e->parked && (e->kind == LENS_REQUEST || e->kind == LENS_RESPONSE)) {
		put_parked(a, out);
		return;
	}
	buf_put_str(out, a->beside ? answer_words(e) : e->summary);
	if (a->first_call && (e->auth != AUTH_NONE || !is_mapper(e))) {
		buf_put_str(out, ", ");
		buf_put_str(out, auth_short(e));
		if (e->level == AUTH_LEVEL_PRIVACY)
			buf_put_str(out, ", sealed");
	}
	if (e->unanswered)
		buf_put_str(out, ": no answer captured");
	if (e->signature == RPC_SIG_BAD)
		buf_put_str(out, " (signature does not verify)");
}

bool ladder_failed(const struct ladder_arrow *a)
{
	const struct lens_event *e = a->event;

	return e->failed || e->damaged || e->signature == RPC_SIG_BAD;
}

int64_t ladder_pause(const struct ladder *l, size_t i)
{
	int64_t silence = i ? l->arrows[i].event->time_ns - l->arrows[i - 1].event->last_time_ns : 0;

	return silence >= PAUSE_NS ? silence : 0;
}

const char *ladder_pause_words(const struct ladder *l, size_t i)
{
	if (!l->arrows[i].event->from_client)
		return "waiting for the server";
	return l->outlook ? "nothing from Outlook" : "nothing from the client";
}
