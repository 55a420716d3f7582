#include "lens/finding-private.h"

/* Which ports can be reached: those that everybody knows, and those that the mapper hands out. */

#define OPNUM_EPT_MAP 3
#define PORT_MAPPER 135
#define PORT_MAPPER_HTTP 593
/* So long a SYN must have been without an answer when the capture ends, unless it was sent again. */
#define PATIENCE_NS (3 * NS_PER_S)

/* ---- What the mapper hands out ---- */

/* "nspi tcp 4997", "rfr http 5000" ... */
static void remember(struct lens_findings *f, const struct lens_event *e)
{
	struct lens_evidence told = {0};
	const char *at = e->endpoint;

	while ((at = strpbrk(at, "0123456789"))) {
		char *end;
		unsigned long port = strtoul(at, &end, 10);
		bool whole = at > e->endpoint && at[-1] == ' ' && (!*end || *end == ',' || *end == ' ' || *end == ';');
		at = end;
		if (!whole || port == 0 || port > UINT16_MAX)
			continue;
		struct lens_address there = e->conn->server;
		there.port = (uint16_t)port;
		if (lens_findings_handed_out(f, &there))
			continue;
		if (!told.frame)
			told = finding_seen(f, e);
		f->handed[f->handed_count++ % FINDING_HANDED] =
		        (struct finding_handed){e->conn->server, (uint16_t)port, told};
	}
}

static const struct finding_handed *find_handed(const struct lens_findings *f, const struct lens_address *server)
{
	unsigned n = f->handed_count < FINDING_HANDED ? f->handed_count : FINDING_HANDED;

	for (unsigned i = 0; i < n; i++)
		if (f->handed[i].port == server->port && lens_same_host(&f->handed[i].mapper, server))
			return &f->handed[i];
	return NULL;
}

bool lens_findings_handed_out(const struct lens_findings *f, const struct lens_address *server)
{
	return find_handed(f, server) != NULL;
}

void finding_reach_mapper(struct lens_findings *f, const struct lens_event *e)
{
	const char *asked = e->request ? strchr(e->request->summary, ' ') : NULL;

	if (e->service != LENS_SVC_EPM)
		return;
	/* A lookup ends with this status when it has told all there is. */
	if (e->failed && e->opnum == OPNUM_EPT_MAP &&
	    cause_of_status(CAUSE_OF_EPM, e->status_code) == CAUSE_INTERFACE_NOT_REGISTERED)
		finding_add(f, CAUSE_INTERFACE_NOT_REGISTERED, e, asked ? asked + 1 : "such interface");
	else if (e->endpoint)
		remember(f, e);
}

/* ---- Connects ---- */

static void unreachable(struct lens_findings *f, const struct lens_address *client, const struct lens_address *server,
                        bool refused, const struct lens_evidence *seen)
{
	const struct finding_handed *handed = find_handed(f, server);
	char port[8];

	snprintf(port, sizeof port, "%u", server->port);
	enum cause cause = handed    ? (refused ? CAUSE_DYNAMIC_PORT_REFUSED : CAUSE_DYNAMIC_PORT_BLOCKED)
	                   : refused ? CAUSE_PORT_REFUSED
	                             : CAUSE_PORT_FILTERED;
	struct finding *to = finding_note(f, cause, client, server, port);
	if (handed && to->told.evidence_count == 0) {
		finding_evidence(f, to, &handed->told);
		snprintf(to->mapper_port, sizeof to->mapper_port, "%u", handed->mapper.port);
	}
	finding_evidence(f, to, seen);
}

/* A port of ours: the mapper's, one that it handed out, or one where such an interface was seen. */
static bool concerns_us(const struct lens_findings *f, const struct lens_event *e)
{
	uint16_t port = e->conn->server.port;

	return port == PORT_MAPPER || port == PORT_MAPPER_HTTP || e->service != LENS_SVC_OTHER ||
	       find_handed(f, &e->conn->server) != NULL;
}

/* It answers after all. */
static void see_answered(struct lens_findings *f, const struct lens_event *e)
{
	for (unsigned i = 0; i < f->count; i++) {
		struct finding *one = &f->all[i];
		bool port = one->cause == CAUSE_PORT_REFUSED || one->cause == CAUSE_DYNAMIC_PORT_REFUSED ||
		            one->cause == CAUSE_PORT_FILTERED || one->cause == CAUSE_DYNAMIC_PORT_BLOCKED;
		if (!port || one->told.grade != LENS_PROBLEM || one->told.server.port != e->conn->server.port ||
		    !lens_same_host(&one->told.server, &e->conn->server))
			continue;
		one->told.grade = LENS_WARNING;
		one->told.sentence = arena_printf(
		        f->arena, "Port %u %s at first; from frame %" PRIu64 " on it answered.", e->conn->server.port,
		        one->cause == CAUSE_PORT_REFUSED || one->cause == CAUSE_DYNAMIC_PORT_REFUSED ? "refused"
		                                                                                     : "did not answer",
		        e->frame);
	}
}

void finding_reach_open(struct lens_findings *f, const struct lens_event *e)
{
	bool refused = e->status && strcmp(e->status, "refused") == 0;

	if (!e->failed) {
		if (e->took_ns >= 0)
			see_answered(f, e);
		return;
	}
	if (!concerns_us(f, e))
		return;
	const struct lens_evidence seen = finding_seen(f, e);
	if (refused || e->last_frame != e->frame)
		unreachable(f, &e->conn->client, &e->conn->server, refused, &seen);
	else if (f->unsure_count < FINDING_UNSURE)
		f->unsure[f->unsure_count++] = (struct finding_unsure){e->conn->client, e->conn->server, seen};
}

void finding_reach_end(struct lens_findings *f, const struct lens *lens)
{
	struct lens_totals t = {.last_time_ns = INT64_MAX};

	if (lens)
		lens_get_totals(lens, &t);
	for (unsigned i = 0; i < f->unsure_count; i++) {
		const struct finding_unsure *u = &f->unsure[i];
		if (t.last_time_ns - u->told.time_ns >= PATIENCE_NS)
			unreachable(f, &u->client, &u->server, false, &u->told);
	}
}
