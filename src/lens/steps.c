#include "lens/steps.h"

#include "base/buf.h"
#include "lens/view-private.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GATHERED_NAMES 24
#define NAMED 5
#define OPNUM_EC_DO_CONNECT 0
#define OPNUM_EC_DO_CONNECT_EX 10

/* Calls of one service in a row. */
struct gathered {
	enum lens_service service;
	const char *label;
	int64_t first_ns, last_ns, slowest_ns;
	uint64_t frame;
	unsigned calls, failed, names;
	struct {
		const char *name;
		unsigned count;
	} named[GATHERED_NAMES];
};

struct telling {
	struct lens_teller t;
	struct gathered g;
};

struct lens_steps {
	struct arena *arena;
	struct telling *clients[LENS_STEPS_CLIENTS];
	unsigned count;
	uint64_t older;
};

struct lens_steps *lens_steps_new(void)
{
	struct lens_steps *s = (struct lens_steps *)calloc(1, sizeof *s);

	if (s && !(s->arena = arena_new(8 << 20)))
		free(TAKE_PTR(s));
	return s;
}

void lens_steps_free(struct lens_steps **s)
{
	if (!*s)
		return;
	for (unsigned i = 0; i < (*s)->count; i++)
		free((*s)->clients[i]);
	arena_free(&(*s)->arena);
	free(*s);
	*s = NULL;
}

static struct telling *client_of(struct lens_steps *s, const struct lens_event *e)
{
	for (unsigned i = 0; i < s->count; i++)
		if (lens_same_host(&s->clients[i]->t.client, &e->conn->client))
			return s->clients[i];
	struct telling *new = s->count < LENS_STEPS_CLIENTS ? (struct telling *)calloc(1, sizeof *new) : NULL;
	if (new) {
		new->t.client = e->conn->client;
		s->clients[s->count++] = new;
	}
	return new;
}

/* ---- Steps ---- */

static void add(struct lens_steps *s, struct telling *c, const struct lens_step *step)
{
	if (c->t.count == LENS_STEPS_MAX || !step->key || !step->text) {
		c->t.beyond++;
		return;
	}
	c->t.steps[c->t.count++] = *step;
	(void)s;
}

static const char *kept(struct lens_steps *s, const char *text)
{
	return arena_strndup(s->arena, text, strnlen(text, 300));
}

/* "Logon 1, GetProps 20": the most frequent first. */
static void put_names(struct buf *out, const struct gathered *g)
{
	unsigned last = UINT32_MAX;

	for (unsigned told = 0; told < NAMED && told < g->names; told++) {
		unsigned best = 0, at = GATHERED_NAMES;
		for (unsigned i = 0; i < g->names; i++) {
			/* Ties in order: a name is below the last when its count is, or is equal and it stands behind.
			 */
			unsigned rank = g->named[i].count * GATHERED_NAMES + (GATHERED_NAMES - 1 - i);
			if (rank < last && rank >= best) {
				best = rank;
				at = i;
			}
		}
		if (at == GATHERED_NAMES)
			break;
		last = best;
		buf_printf(out, "%s%s %u", told ? ", " : "", g->named[at].name, g->named[at].count);
	}
	if (g->names > NAMED)
		buf_put_str(out, " and others");
}

/* The calls so far become a step. */
static void flush(struct lens_steps *s, struct telling *c)
{
	struct gathered *g = &c->g;
	struct buf names MW_CLEANUP(buf_free) = {0};

	if (!g->calls)
		return;
	put_names(&names, g);
	buf_put_u8(&names, 0);
	const char *of = buf_error(&names) ? "" : (const char *)names.data;
	struct lens_step step = {
	        .time_ns = g->first_ns,
	        .took_ns = g->last_ns - g->first_ns,
	        .frame = g->frame,
	        .key = arena_printf(s->arena, "calls %s", g->label),
	        .text = arena_printf(s->arena, "makes %u call%s of %s (%s)", g->calls, g->calls == 1 ? "" : "s",
	                             g->label, of),
	};
	if (g->failed)
		step.text = arena_printf(s->arena, "%s, of which %u failed", step.text ? step.text : "", g->failed);
	if (g->calls > 1)
		step.text = arena_printf(s->arena, "%s; the slowest took %.*f ms", step.text ? step.text : "",
		                         lens_ms_decimals(g->slowest_ns), lens_ms(g->slowest_ns));
	add(s, c, &step);
	*g = (struct gathered){0};
}

static void count_name(struct gathered *g, const char *name)
{
	for (unsigned i = 0; i < g->names; i++)
		if (strcmp(g->named[i].name, name) == 0) {
			g->named[i].count++;
			return;
		}
	if (g->names < GATHERED_NAMES) {
		g->named[g->names].name = name;
		g->named[g->names++].count = 1;
	}
}

static void gather(struct lens_steps *s, struct telling *c, const struct lens_event *e)
{
	struct gathered *g = &c->g;
	const char *label = lens_service_label(e->service, e->iface_name);

	if (g->calls && (g->service != e->service || strcmp(g->label, label) != 0))
		flush(s, c);
	if (!g->calls) {
		*g = (struct gathered){.service = e->service, .label = kept(s, label), .frame = e->request->frame};
		g->first_ns = e->request->time_ns;
	}
	if (!g->label)
		return;
	g->calls++;
	g->failed += e->failed;
	g->last_ns = e->last_time_ns;
	g->slowest_ns = e->took_ns > g->slowest_ns ? e->took_ns : g->slowest_ns;
	/* Names of ROPs and of known methods live as long as the program. */
	for (unsigned i = 0; i < e->rop_count; i++)
		count_name(g, e->rops[i].name);
	if (!e->rop_count)
		count_name(g, e->op ? kept(s, e->op) : "?");
}

/* A step of its own: at the request where there is one. */
static void tell(struct lens_steps *s, struct telling *c, const struct lens_event *e, const char *key, const char *text)
{
	const struct lens_event *first = e->request ? e->request : e;

	flush(s, c);
	add(s, c,
	    &(struct lens_step){
	            .time_ns = first->time_ns,
	            .took_ns = e->took_ns,
	            .frame = first->frame,
	            .failed = e->failed,
	            .key = kept(s, key),
	            .text = text,
	    });
}

/* ---- Words ---- */

static const char *how(struct lens_steps *s, const struct lens_event *e)
{
	static const char *const names[] = {
	        [AUTH_NTLM] = "NTLM", [AUTH_KERBEROS] = "Kerberos", [AUTH_SPNEGO] = "SPNEGO"};
	/* A fault carries no proof of its own. */
	e = e->auth == AUTH_NONE && e->request ? e->request : e;
	const char *name = (size_t)e->auth < ARRAY_SIZE(names) ? names[e->auth] : NULL;

	if (strcmp(e->transport, "mapi-http") == 0)
		return arena_printf(s->arena, "by MAPI over HTTP%s%s, %s", e->user ? " as " : "",
		                    e->user ? e->user : "", e->conn->tls ? "encrypted" : "not encrypted");
	if (e->auth == AUTH_NONE)
		return "without saying who it is";
	return arena_printf(s->arena, "with %s%s%s, %s", name ? name : auth_type_name(e->auth), e->user ? " as " : "",
	                    e->user ? e->user : "", e->level == AUTH_LEVEL_PRIVACY ? "encrypted" : "not encrypted");
}

/* What came of a call: "", ": it is refused (MAPI_E_LOGON_FAILED)", ": the answer is sealed" */
static const char *outcome(struct lens_steps *s, const struct lens_event *e)
{
	if (e->failed)
		return arena_printf(s->arena, ", and is refused (%s)", e->status ? e->status : "?");
	return e->sealed && !e->decrypted ? "; the answer is sealed" : "";
}

static void see_mapper(struct lens_steps *s, struct telling *c, const struct lens_event *e)
{
	const char *asked = e->request && strchr(e->request->summary, ' ') ? strchr(e->request->summary, ' ') + 1 : "";
	const char *told = strstr(e->summary, " → ");

	if (!e->op || strncmp(e->op, "ept_", 4) != 0 || strcmp(e->op, "ept_lookup_handle_free") == 0)
		return;
	const char *text =
	        arena_printf(s->arena, "asks the endpoint mapper%s%s%s%.200s", *asked ? " for " : " what it has", asked,
	                     told        ? ": "
	                     : e->failed ? ": "
	                                 : "",
	                     told        ? told + strlen(" → ")
	                     : e->failed ? "it has none"
	                                 : "");
	tell(s, c, e, arena_printf(s->arena, "mapper %.100s", asked), text);
}

static void see_entrance(struct lens_steps *s, struct telling *c, const struct lens_event *e)
{
	bool store = e->service == LENS_SVC_STORE;
	enum auth_type auth = e->request->auth;
	const char *what = store ? "connects to the store" : "opens the address book";

	if (!store && !e->failed)
		c->t.book = true;
	tell(s, c, e, arena_printf(s->arena, "%s%s", store ? "store" : "book", auth == AUTH_NONE ? " anonymous" : ""),
	     arena_printf(s->arena, "%s %s%s", what, how(s, e), outcome(s, e)));
}

static void see_referral(struct lens_steps *s, struct telling *c, const struct lens_event *e)
{
	const char *told = strstr(e->summary, " → ");

	tell(s, c, e, arena_printf(s->arena, "referral %s", e->op ? e->op : "?"),
	     arena_printf(s->arena, "asks the referral (%s)%s%.200s%s", e->op ? e->op : "?", told ? ": " : "",
	                  told ? told + strlen(" → ") : "", outcome(s, e)));
}

/* The ROPs that are a step of a start. */
static const char *rop_step(const char *name)
{
	static const char *const steps[][2] = {
	        {"Logon", "logs on to the mailbox"},
	        {"RegisterNotification", "asks to be told of changes"},
	        {"SubmitMessage", "sends a message"},
	        {"SynchronizationConfigure", "begins to synchronise"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		if (strcmp(steps[i][0], name) == 0)
			return steps[i][1];
	return NULL;
}

static bool see_rops(struct lens_steps *s, struct telling *c, const struct lens_event *e)
{
	char hex[16];

	for (unsigned i = 0; i < e->rop_count; i++) {
		const struct lens_rop *r = &e->rops[i];
		const char *words = rop_step(r->name);
		if (!words)
			continue;
		bool failed = r->has_status && r->status;
		c->t.logged_on |= strcmp(r->name, "Logon") == 0 && !failed;
		tell(s, c, e, arena_printf(s->arena, "rop %s", r->name),
		     arena_printf(s->arena, "%s%s%s%s%s%s", words, failed ? ", and is refused (" : "",
		                  failed ? lens_rop_status(r, hex) : "", failed && e->says ? ": " : "",
		                  failed && e->says ? e->says : "", failed ? ")" : ""));
		c->t.steps[c->t.count ? c->t.count - 1 : 0].failed |= failed;
		return true;
	}
	return false;
}

static void see_answer(struct lens_steps *s, struct telling *c, const struct lens_event *e)
{
	bool connects =
	        e->service == LENS_SVC_STORE && (e->opnum == OPNUM_EC_DO_CONNECT || e->opnum == OPNUM_EC_DO_CONNECT_EX);

	if (!e->request || !e->has_opnum)
		return;
	c->t.outlook |= e->service >= LENS_SVC_RFR;
	if (e->service == LENS_SVC_EPM)
		see_mapper(s, c, e);
	else if (e->service == LENS_SVC_RFR)
		see_referral(s, c, e);
	else if (connects || (e->service == LENS_SVC_NSPI && e->opnum == 0))
		see_entrance(s, c, e);
	else if (e->parked)
		tell(s, c, e, "wait",
		     arena_printf(s->arena, "waits for news on a connection of its own%s",
		                  e->notified ? "; some comes"
		                  : e->failed ? outcome(s, e)
		                              : "; none comes"));
	else if (!see_rops(s, c, e))
		gather(s, c, e);
}

static void see_open(struct lens_steps *s, struct telling *c, const struct lens_event *e)
{
	bool ours = e->conn->server.port == 135 || e->conn->rpc || e->service != LENS_SVC_OTHER;

	if (e->failed && ours)
		tell(s, c, e, arena_printf(s->arena, "connect %s", lens_service_label(e->service, e->iface_name)),
		     arena_printf(s->arena, "tries to reach port %u (%s): %s", e->conn->server.port,
		                  lens_service_label(e->service, e->iface_name), e->status ? e->status : "failed"));
}

void lens_steps_event(struct lens_steps *s, const struct lens_event *e)
{
	bool answer = lens_answers(e);

	if (e->conn->midstream) {
		s->older += e->kind == LENS_REQUEST;
		return;
	}
	if (!answer && e->kind != LENS_OPEN && e->kind != LENS_RESET)
		return;
	if (e->kind == LENS_OPEN && !e->failed)
		return;
	if (e->kind == LENS_RESET && !e->conn->rpc)
		return;
	struct telling *c = client_of(s, e);
	if (!c)
		return;
	if (e->kind == LENS_OPEN)
		see_open(s, c, e);
	else if (e->kind == LENS_RESET)
		tell(s, c, e, "reset",
		     arena_printf(s->arena, "sees its connection to port %u reset by the %s", e->conn->server.port,
		                  e->from_client ? "client" : "server"));
	else if (e->kind == LENS_RESPONSE || (e->kind == LENS_FAULT && e->request && e->request->kind == LENS_REQUEST))
		see_answer(s, c, e);
	else if (e->failed)
		tell(s, c, e, arena_printf(s->arena, "bind %s", lens_service_label(e->service, e->iface_name)),
		     arena_printf(s->arena, "binds to port %u (%s), and is refused (%s)", e->conn->server.port,
		                  lens_service_label(e->service, e->iface_name), e->status ? e->status : "?"));
}

/* What nobody answered is told late, at the end of its connection. */
static int by_time(const void *a, const void *b)
{
	const struct lens_step *x = (const struct lens_step *)a, *y = (const struct lens_step *)b;

	if (x->time_ns != y->time_ns)
		return x->time_ns < y->time_ns ? -1 : 1;
	return x->frame < y->frame ? -1 : x->frame > y->frame;
}

void lens_steps_end(struct lens_steps *s)
{
	for (unsigned i = 0; i < s->count; i++) {
		struct telling *c = s->clients[i];
		flush(s, c);
		qsort(c->t.steps, c->t.count, sizeof c->t.steps[0], by_time);
	}
}

const struct lens_teller *lens_steps_client(const struct lens_steps *s, unsigned index)
{
	return index < s->count ? &s->clients[index]->t : NULL;
}

uint64_t lens_steps_older(const struct lens_steps *s)
{
	return s->older;
}
