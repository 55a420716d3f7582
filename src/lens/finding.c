#include "lens/view-private.h"

#include "base/arena.h"
#include "causes/causes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FINDINGS 64
#define MAX_HANDED 256
#define MAX_ANONYMOUS 64
#define MAX_SEALED 256
#define MAX_DETAIL 160
#define OPNUM_EPT_MAP 3
#define OPNUM_EC_DO_RPC_EXT2 11
#define NCA_OP_RNG_ERROR 0x1C010002u

struct entry {
	enum cause cause;
	struct lens_address client, server;
	char detail[MAX_DETAIL];
	struct lens_finding told;
};

enum outcome { OUTCOME_OPEN, OUTCOME_ACCEPTED, OUTCOME_REFUSED };

/* A call without authentication that was refused, and what became of it. */
struct anonymous {
	struct lens_address client, server;
	uint64_t frame, retry_frame;
	int64_t time_ns, retry_ns;
	enum auth_type auth;
	enum outcome outcome;
};

/* Who got into a server's store with encryption. */
struct sealed {
	struct lens_address client, server;
};

struct handed {
	struct lens_address host; /* the mapper's */
	uint16_t port;
};

struct lens_findings {
	struct arena *arena;
	struct entry entries[MAX_FINDINGS];
	unsigned count;
	struct anonymous anonymous[MAX_ANONYMOUS];
	unsigned anonymous_count;
	unsigned accepted;
	struct handed handed[MAX_HANDED]; /* a ring */
	unsigned handed_count;
	struct sealed sealed[MAX_SEALED];
	unsigned sealed_count;
	bool concluded;
};

struct lens_findings *lens_findings_new(void)
{
	struct lens_findings *f = (struct lens_findings *)calloc(1, sizeof *f);

	if (f && !(f->arena = arena_new(1 << 20)))
		free(TAKE_PTR(f));
	return f;
}

void lens_findings_free(struct lens_findings **f)
{
	if (!*f)
		return;
	arena_free(&(*f)->arena);
	free(*f);
	*f = NULL;
}

static bool same_address(const struct lens_address *a, const struct lens_address *b)
{
	return a->port == b->port && lens_same_host(a, b);
}

/* ---- One entry a cause, server and detail ---- */

static struct entry *find_entry(struct lens_findings *f, enum cause cause, const struct lens_address *server,
                                const char *detail)
{
	for (unsigned i = 0; i < f->count; i++) {
		struct entry *e = &f->entries[i];
		/* Why calls stay sealed is the same on all ports. */
		if (e->cause == cause && (cause == CAUSE_NONE || same_address(&e->server, server)) &&
		    strncmp(e->detail, detail, MAX_DETAIL - 1) == 0)
			return e;
	}
	return NULL;
}

static void add(struct lens_findings *f, enum cause cause, const struct lens_event *e, const char *detail)
{
	struct entry *known = find_entry(f, cause, &e->conn->server, detail);

	if (known && !known->told.frames[1]) {
		known->told.frames[1] = e->frame;
	} else if (known) {
		known->told.more++;
	} else if (f->count < MAX_FINDINGS) {
		known = &f->entries[f->count++];
		known->cause = cause;
		known->client = e->conn->client;
		known->server = e->conn->server;
		snprintf(known->detail, sizeof known->detail, "%s", detail);
		known->told.frames[0] = e->frame;
	}
}

/* ---- Ports ---- */

static void remember_handed(struct lens_findings *f, const struct lens_event *e)
{
	const char *at = e->endpoint;

	/* "nspi tcp 4997", "rfr http 5000" ... */
	while ((at = strpbrk(at, "0123456789"))) {
		char *end;
		unsigned long port = strtoul(at, &end, 10);
		bool whole = at > e->endpoint && at[-1] == ' ' && (!*end || *end == ',' || *end == ' ' || *end == ';');
		if (whole && port > 0 && port < 65536) {
			struct handed *h = &f->handed[f->handed_count++ % MAX_HANDED];
			h->host = e->conn->server;
			h->port = (uint16_t)port;
		}
		at = end;
	}
}

bool lens_findings_handed_out(const struct lens_findings *f, const struct lens_address *server)
{
	unsigned n = f->handed_count < MAX_HANDED ? f->handed_count : MAX_HANDED;

	for (unsigned i = 0; i < n; i++)
		if (f->handed[i].port == server->port && lens_same_host(&f->handed[i].host, server))
			return true;
	return false;
}

static void see_open(struct lens_findings *f, const struct lens_event *e)
{
	bool refused = e->status && strcmp(e->status, "refused") == 0;
	char port[8];

	if (!e->failed)
		return;
	snprintf(port, sizeof port, "%u", e->conn->server.port);
	if (lens_findings_handed_out(f, &e->conn->server))
		add(f, refused ? CAUSE_DYNAMIC_PORT_REFUSED : CAUSE_DYNAMIC_PORT_BLOCKED, e, port);
	else if (e->conn->server.port == 135)
		add(f, refused ? CAUSE_PORT_REFUSED : CAUSE_PORT_FILTERED, e, port);
}

/* ---- Anonymous, then with a user ---- */

static struct anonymous *find_anonymous(struct lens_findings *f, const struct lens_event *e)
{
	for (unsigned i = f->anonymous_count; i-- > 0;) {
		struct anonymous *a = &f->anonymous[i];
		if (same_address(&a->server, &e->conn->server) && lens_same_host(&a->client, &e->conn->client))
			return a;
	}
	return NULL;
}

static void see_refused_anonymous(struct lens_findings *f, const struct lens_event *e)
{
	struct anonymous *known = find_anonymous(f, e);

	if ((known && known->outcome == OUTCOME_OPEN) || f->anonymous_count == MAX_ANONYMOUS)
		return;
	struct anonymous *a = &f->anonymous[f->anonymous_count++];
	*a = (struct anonymous){
	        .client = e->conn->client,
	        .server = e->conn->server,
	        .frame = e->frame,
	        .time_ns = e->last_time_ns,
	};
}

static void see_bind(struct lens_findings *f, const struct lens_event *e)
{
	struct anonymous *a = f->anonymous_count && e->auth != AUTH_NONE ? find_anonymous(f, e) : NULL;

	if (!a || a->retry_frame)
		return;
	a->retry_frame = e->frame;
	a->retry_ns = e->time_ns;
	a->auth = e->auth;
}

static void see_retry(struct lens_findings *f, const struct lens_event *e)
{
	struct anonymous *a = f->anonymous_count && e->auth != AUTH_NONE ? find_anonymous(f, e) : NULL;

	if (!a || !a->retry_frame || a->outcome != OUTCOME_OPEN)
		return;
	a->outcome = e->failed ? OUTCOME_REFUSED : OUTCOME_ACCEPTED;
	/* Of those that went well the first is told, the others are counted. */
	if (a->outcome == OUTCOME_ACCEPTED && f->accepted++)
		*a = f->anonymous[--f->anonymous_count];
}

static const char *auth_in_print(enum auth_type auth)
{
	switch (auth) {
	case AUTH_NTLM:
		return "NTLM";
	case AUTH_KERBEROS:
		return "Kerberos";
	case AUTH_SPNEGO:
		return "SPNEGO";
	default:
		return "a user";
	}
}

static void conclude_anonymous(struct lens_findings *f, const struct anonymous *a)
{
	struct lens_finding *told = &f->entries[f->count].told;

	if (a->outcome == OUTCOME_REFUSED || f->count == MAX_FINDINGS)
		return; /* the refusal of the user is a finding of its own */
	f->entries[f->count++].cause = CAUSE_ANONYMOUS_REFUSED;
	told->frames[0] = a->frame;
	told->frames[1] = a->retry_frame;
	told->harmless = a->outcome == OUTCOME_ACCEPTED;
	told->more = told->harmless ? f->accepted - 1 : 0;
	if (!a->retry_frame)
		told->sentence = "anonymous refused; not retried with a user.";
	else
		told->sentence = arena_printf(f->arena, "anonymous refused; retried with %s after %.0f ms, %s",
		                              auth_in_print(a->auth), lens_ms(a->retry_ns - a->time_ns),
		                              told->harmless ? "accepted. Harmless." : "outcome not captured.");
}

/* ---- Answers ---- */

/* The calls that decide whether a client gets in; an error of others is everyday business. */
static bool is_entrance(const struct lens_event *e)
{
	if (!e->has_opnum)
		return false;
	switch (e->service) {
	case LENS_SVC_NSPI:
	case LENS_SVC_RFR:
		return e->opnum == 0;
	case LENS_SVC_STORE:
		return e->opnum == 0 || e->opnum == 10;
	default:
		return false;
	}
}

static void see_mapper(struct lens_findings *f, const struct lens_event *e)
{
	const char *asked = e->request ? strchr(e->request->summary, ' ') : NULL;

	/* A lookup ends with this status when it has told all there is. */
	if (e->failed && e->opnum == OPNUM_EPT_MAP &&
	    cause_of_status(CAUSE_OF_EPM, e->status_code) == CAUSE_INTERFACE_NOT_REGISTERED)
		add(f, CAUSE_INTERFACE_NOT_REGISTERED, e, asked ? asked + 1 : "such interface");
	else if (e->endpoint)
		remember_handed(f, e);
}

/* %s of a cause's sentence is a port, a name or nothing; the status tells most where there is no better detail. */
static void add_status(struct lens_findings *f, enum cause_family family, const struct lens_event *e, unsigned code,
                       const char *status)
{
	enum cause cause = cause_of_status(family, code);
	bool wants_status = cause == CAUSE_CALL_FAILED || cause == CAUSE_BIND_REFUSED || cause == CAUSE_PROTOCOL_ERROR;
	char detail[MAX_DETAIL];

	if (cause == CAUSE_NONE)
		return;
	if (wants_status)
		snprintf(detail, sizeof detail, "%s%s%s", e->op ? e->op : "", e->op ? ": " : "", status ? status : "?");
	else if (cause == CAUSE_CREDENTIALS_REFUSED && e->user)
		snprintf(detail, sizeof detail, " of %s", e->user);
	else if (cause == CAUSE_UNKNOWN_MAILBOX)
		snprintf(detail, sizeof detail, "of that name");
	else if (cause == CAUSE_INTERFACE_REFUSED)
		snprintf(detail, sizeof detail, "%s", lens_service_label(e->service, e->iface_name));
	else
		detail[0] = 0;
	add(f, cause, e, detail);
}

static void see_logon(struct lens_findings *f, const struct lens_event *e)
{
	char hex[16];

	for (unsigned i = 0; i < e->rop_count; i++) {
		const struct lens_rop *r = &e->rops[i];
		if (r->has_status && r->status && strcmp(r->name, "Logon") == 0)
			add_status(f, CAUSE_OF_MAPI, e, r->status, lens_rop_status(r, hex));
	}
}

static bool got_in_sealed(const struct lens_findings *f, const struct lens_address *client,
                          const struct lens_address *server)
{
	for (unsigned i = 0; i < f->sealed_count; i++)
		if (lens_same_host(&f->sealed[i].client, client) && lens_same_host(&f->sealed[i].server, server))
			return true;
	return false;
}

/* A call on a session proves it, even one that stays sealed. */
static void see_sealed(struct lens_findings *f, const struct lens_event *e)
{
	bool proved = e->has_opnum && (e->opnum == OPNUM_EC_DO_RPC_EXT2 || (e->status && !e->failed));

	if (e->service != LENS_SVC_STORE || e->level != AUTH_LEVEL_PRIVACY || !proved ||
	    f->sealed_count == MAX_SEALED || got_in_sealed(f, &e->conn->client, &e->conn->server))
		return;
	f->sealed[f->sealed_count].client = e->conn->client;
	f->sealed[f->sealed_count++].server = e->conn->server;
}

static void see_response(struct lens_findings *f, const struct lens_event *e)
{
	if (e->service == LENS_SVC_EPM) {
		see_mapper(f, e);
	} else if (is_entrance(e)) {
		if (e->failed && e->auth == AUTH_NONE &&
		    cause_of_status(CAUSE_OF_MAPI, e->status_code) == CAUSE_CREDENTIALS_REFUSED)
			see_refused_anonymous(f, e);
		else if (e->failed)
			add_status(f, CAUSE_OF_MAPI, e, e->status_code, e->status);
		see_retry(f, e);
	} else if (e->rop_count) {
		see_logon(f, e);
	}
}

void lens_findings_event(struct lens_findings *f, const struct lens_event *e)
{
	switch (e->kind) {
	case LENS_OPEN:
		see_open(f, e);
		break;
	case LENS_BIND:
		see_bind(f, e);
		break;
	case LENS_BIND_ACK:
	case LENS_ALTER_ACK:
		if (e->failed)
			add(f, CAUSE_INTERFACE_REFUSED, e, lens_service_label(e->service, e->iface_name));
		break;
	case LENS_BIND_NAK:
		add_status(f, CAUSE_OF_BIND_NAK, e, e->status_code, e->status);
		break;
	case LENS_RESPONSE:
		see_response(f, e);
		see_sealed(f, e);
		break;
	case LENS_FAULT:
		if (e->status_code == NCA_OP_RNG_ERROR)
			break; /* a newer method tried first: everyday business */
		add_status(f, CAUSE_OF_FAULT, e, e->status_code, e->status);
		see_retry(f, e);
		break;
	default:
		break;
	}
	if (e->signature == RPC_SIG_BAD)
		add(f, CAUSE_BAD_SIGNATURE, e, "");
	if (e->why_sealed)
		add(f, CAUSE_NONE, e, e->why_sealed);
}

/* ---- The end ---- */

/* Not a cause of anything, but what a reader would ask. */
static void conclude_sealed(struct lens_findings *f, struct entry *e)
{
	e->told.harmless = true;
	e->told.sentence = arena_printf(f->arena, "calls stay sealed: %s.", e->detail);
}

/* A probe, or a client that then did as it was told. */
static bool conclude_probe(const struct lens_findings *f, struct entry *e)
{
	if (e->cause != CAUSE_ENCRYPTION_REQUIRED || !got_in_sealed(f, &e->client, &e->server))
		return false;
	e->told.harmless = true;
	e->told.sentence =
	        "store refused without encryption (ecNotEncrypted), as the server requires; with it the same "
	        "client got in. Harmless.";
	return true;
}

/* As they happened. */
static int by_first_frame(const void *a, const void *b)
{
	uint64_t x = ((const struct entry *)a)->told.frames[0], y = ((const struct entry *)b)->told.frames[0];
	return x < y ? -1 : x > y;
}

static void conclude(struct lens_findings *f)
{
	for (unsigned i = 0; i < f->count; i++) {
		struct entry *e = &f->entries[i];
		if (e->cause == CAUSE_NONE) {
			conclude_sealed(f, e);
			continue;
		}
		if (conclude_probe(f, e))
			continue;
		const struct cause_about about = {.detail = e->detail};
		char sentence[CAUSE_TEXT_SIZE], attempt[CAUSE_TEXT_SIZE];
		cause_explain(e->cause, &about, sentence, attempt);
		e->told.sentence = arena_strdup(f->arena, sentence);
		e->told.attempt = arena_strdup(f->arena, attempt);
	}
	for (unsigned i = 0; i < f->anonymous_count; i++)
		conclude_anonymous(f, &f->anonymous[i]);
	for (unsigned i = 0; i < f->count; i++)
		f->entries[i].told.id = cause_get(f->entries[i].cause)->id;
	qsort(f->entries, f->count, sizeof f->entries[0], by_first_frame);
	f->concluded = true;
}

bool lens_findings_get(struct lens_findings *f, unsigned index, struct lens_finding *out)
{
	if (!f->concluded)
		conclude(f);
	if (index >= f->count)
		return false;
	*out = f->entries[index].told;
	if (!out->sentence)
		out->sentence = cause_get(f->entries[index].cause)->sentence;
	return true;
}
