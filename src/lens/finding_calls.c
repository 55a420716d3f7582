#include "lens/finding-private.h"

#include "mapi/rop_buffer.h"
#include "mapi/status.h"

/* Calls that go wrong once the client is in: busy servers, ROPs that fail again and again, news that nobody fetches,
 * connections that end under a call. */

#define OPNUM_EC_DO_RPC_EXT2 11
#define FAILS_IN_ROW 5
#define UNKNOWN_TIMES 3

/* ---- ROPs ---- */

/* Answers that a client counts on: nothing there, or the echo of another ROP that failed. */
static bool is_everyday(uint32_t status)
{
	return status >> 16 == 4 || status == 0x8004010F /* MAPI_E_NOT_FOUND */ || status == ecNullObject ||
	       status == ecBufferTooSmall;
}

/* make: it is entered where it is not known. One that has not been told makes room. */
static struct finding_rop *find_rop(struct lens_findings *f, const struct lens_event *e, uint8_t id, bool make)
{
	struct finding_rop *free_place = NULL;

	for (unsigned i = 0; i < f->rop_count; i++) {
		struct finding_rop *r = &f->rops[i];
		if (r->id == id && lens_same_host(&r->client, &e->conn->client) &&
		    lens_same_host(&r->server, &e->conn->server))
			return r;
		if (!r->finding && !free_place)
			free_place = r;
	}
	if (!make)
		return NULL;
	if (f->rop_count < FINDING_ROPS)
		free_place = &f->rops[f->rop_count++];
	if (free_place)
		*free_place = (struct finding_rop){.client = e->conn->client, .server = e->conn->server, .id = id};
	return free_place;
}

static void tell_rop(struct lens_findings *f, struct finding_rop *known, const struct lens_event *e,
                     const struct lens_rop *r)
{
	char detail[FINDING_DETAIL], hex[16];
	bool unknown = r->status == ecNotSupported || r->status == ecNotImplemented;

	if (known->in_row < (unknown ? UNKNOWN_TIMES : FAILS_IN_ROW))
		return;
	snprintf(detail, sizeof detail, "%s answers %s", r->name, lens_rop_status(r, hex));
	known->finding = finding_note(f, unknown ? CAUSE_ROP_UNKNOWN : CAUSE_ROP_FAILS, &e->conn->client,
	                              &e->conn->server, detail);
	known->finding->told.grade = LENS_WARNING;
	if (!known->finding->told.evidence_count)
		finding_evidence(f, known->finding, &known->first);
	const struct lens_evidence seen = finding_seen(f, e);
	finding_evidence(f, known->finding, &seen);
}

static void see_rop(struct lens_findings *f, const struct lens_event *e, const struct lens_rop *r)
{
	if (!r->has_status || strcmp(r->name, "Logon") == 0)
		return;
	bool failed = r->status && !is_everyday(r->status);
	/* Counted from its first failure on. */
	struct finding_rop *known = f->rop_count || failed ? find_rop(f, e, r->id, failed) : NULL;
	if (!known)
		return;
	known->answered++;
	if (!failed || r->status != known->status) {
		known->in_row = 0;
		known->status = r->status;
	}
	if (!failed)
		return;
	known->failed++;
	if (known->in_row++ == 0)
		known->first = (struct lens_evidence){e->frame, e->time_ns, r->name};
	tell_rop(f, known, e, r);
}

/* ---- Busy ---- */

static void see_busy(struct lens_findings *f, const struct lens_event *e)
{
	bool in_session = e->service == LENS_SVC_STORE && e->has_opnum && e->opnum == OPNUM_EC_DO_RPC_EXT2;

	for (unsigned i = 0; i < e->rop_count; i++)
		if (e->rops[i].id == MAPI_ROP_BACKOFF || (e->rops[i].has_status && e->rops[i].status == ecServerBusy)) {
			finding_status(f, CAUSE_OF_MAPI, e, ecServerBusy, "");
			return;
		}
	if (in_session && e->failed && cause_of_status(CAUSE_OF_MAPI, e->status_code) == CAUSE_SERVER_BUSY)
		finding_status(f, CAUSE_OF_MAPI, e, e->status_code, e->status);
}

/* ---- News ---- */

static void not_fetched(struct lens_findings *f, const struct finding_pair *p)
{
	struct finding *to = finding_note(f, CAUSE_NOTIFICATION_NOT_FETCHED, &p->client, &p->server, "");

	to->told.grade = LENS_WARNING;
	finding_evidence(f, to, &p->news);
}

static void see_news(struct lens_findings *f, const struct lens_event *e)
{
	struct finding_pair *p = e->notified ? finding_pair_of(f, e->conn) : NULL;

	if (!p)
		return;
	if (!p->news.frame)
		p->news = (struct lens_evidence){e->frame, e->time_ns, "EcDoAsyncWaitEx: there is news"};
	else if (e->time_ns - p->news.time_ns >= f->limits.waits_ns)
		not_fetched(f, p);
}

void finding_calls_request(struct lens_findings *f, const struct lens_event *e)
{
	bool fetches = e->service == LENS_SVC_STORE && e->has_opnum && e->opnum == OPNUM_EC_DO_RPC_EXT2;
	struct finding_pair *p = fetches ? finding_pair_of(f, e->conn) : NULL;

	if (p)
		p->news.frame = 0;
}

void finding_calls_answer(struct lens_findings *f, const struct lens_event *e)
{
	see_busy(f, e);
	see_news(f, e);
	for (unsigned i = 0; i < e->rop_count; i++)
		see_rop(f, e, &e->rops[i]);
}

/* ---- Ends ---- */

static const char *calls(unsigned n, char out[40])
{
	snprintf(out, 40, "%u call%s waited", n, n == 1 ? "" : "s");
	return out;
}

/* The server, or something in its name, ends a connection on which a call waits. */
static void see_cut(struct lens_findings *f, const struct lens_conn *c)
{
	const struct lens_trouble *t = &c->trouble;
	char detail[FINDING_DETAIL], waiting[40];

	if (!c->rpc || !t->cut || !t->cut_by_server || !t->cut_waiting || finding_was_idle(f, c))
		return;
	snprintf(detail, sizeof detail, ": the server's side %s it while %s for an answer",
	         t->cut_by_reset ? "reset" : "closed", calls(t->cut_waiting, waiting));
	struct finding *to = finding_note(f, CAUSE_CONNECTION_LOST, &c->client, &c->server, detail);
	finding_evidence(f, to, &(struct lens_evidence){t->cut_frame, t->cut_ns, t->cut_by_reset ? "reset" : "close"});
}

void finding_calls_over(struct lens_findings *f, const struct lens_conn *c)
{
	see_cut(f, c);
}

/* A call that was still waiting when the capture ended, long after it was sent. */
static void see_unanswered(struct lens_findings *f, const struct lens_conn *c, int64_t end_ns)
{
	const struct lens_trouble *t = &c->trouble;
	char detail[FINDING_DETAIL];

	if (!c->rpc || c->ended || !t->cut_waiting || !t->spoke[1] || end_ns - t->last_ns < f->limits.dialog_ns)
		return;
	snprintf(detail, sizeof detail, " (%.0f s until the capture ended)", (double)(end_ns - t->last_ns) / 1e9);
	struct finding *to = finding_note(f, CAUSE_NO_ANSWER, &c->client, &c->server, detail);
	finding_evidence(f, to, &(struct lens_evidence){t->last_frame, t->last_ns, "the last that was heard"});
}

static void conclude_rop(struct lens_findings *f, const struct finding_rop *r)
{
	struct finding *to = r->finding;

	if (!to || to == &f->beyond || strchr(to->detail, ','))
		return;
	size_t n = strlen(to->detail);
	snprintf(to->detail + n, sizeof to->detail - n, ", %u of %u times", r->failed, r->answered);
}

void finding_calls_end(struct lens_findings *f, const struct lens *lens)
{
	struct lens_totals t = {0};

	for (unsigned i = 0; i < f->rop_count; i++)
		conclude_rop(f, &f->rops[i]);
	if (!lens)
		return;
	lens_get_totals(lens, &t);
	for (unsigned i = 0; i < f->pair_count; i++)
		if (f->pairs[i].news.frame && t.last_time_ns - f->pairs[i].news.time_ns >= f->limits.waits_ns)
			not_fetched(f, &f->pairs[i]);
	for (unsigned i = 1; i <= t.connections; i++) {
		const struct lens_conn *c = lens_get_conn(lens, i);
		if (c && !c->ended) {
			see_cut(f, c);
			see_unanswered(f, c, t.last_time_ns);
		}
	}
}
