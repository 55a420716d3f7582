#include "lens/finding-private.h"

/* Time: slow servers and slow networks, calls that make people wait, and what TCP lost. */

#define ENOUGH_CALLS 10
#define LOST_NS (200 * NS_PER_MS) /* below that nobody notices */
#define LOST_SEGMENTS 2
#define SHUT_NS (500 * NS_PER_MS)

/* ---- Calls ---- */

static bool is_timed(const struct lens_event *e)
{
	return e->took_ns >= 0 && !e->parked && e->request &&
	       (e->service == LENS_SVC_RFR || e->service == LENS_SVC_NSPI || e->service == LENS_SVC_STORE);
}

static struct lens_evidence slow_call(struct lens_findings *f, const struct lens_event *e)
{
	struct lens_evidence seen = finding_seen(f, e);
	const char *what = arena_printf(f->texts, "%s (%.0f ms: server %.0f, network %.0f)", seen.what,
	                                lens_ms(e->took_ns), lens_ms(e->server_ns), lens_ms(e->network_ns));

	seen.what = what ? what : seen.what;
	return seen;
}

/* From 5 s on Outlook's icon says that it waits for the server, from 8 s on a dialog does. */
static void see_wait(struct lens_findings *f, const struct lens_event *e)
{
	char detail[FINDING_DETAIL];
	bool dialog = e->took_ns >= f->limits.dialog_ns;

	if (e->took_ns < f->limits.waits_ns)
		return;
	snprintf(detail, sizeof detail, "%s took more than %.3g s, when %s", e->op ? e->op : "a call",
	         (double)(dialog ? f->limits.dialog_ns : f->limits.waits_ns) / 1e9,
	         dialog ? "its dialog opens" : "it says that it waits for the server");
	struct finding *to = finding_note(f, CAUSE_CALL_WAITS, &e->conn->client, &e->conn->server, detail);
	const struct lens_evidence seen = slow_call(f, e);
	finding_evidence(f, to, &seen);
}

void finding_time_answer(struct lens_findings *f, const struct lens_event *e)
{
	struct finding_pair *p = is_timed(e) ? finding_pair_of(f, e->conn) : NULL;

	if (!p)
		return;
	p->calls++;
	p->took_ns += e->took_ns;
	p->server_ns += e->server_ns;
	p->network_ns += e->network_ns;
	if (e->conn->rtt_ns && (!p->rtt_ns || e->conn->rtt_ns < p->rtt_ns))
		p->rtt_ns = e->conn->rtt_ns;
	/* Evidence is what is much slower than what was seen so far: so its texts stay few. */
	if (e->took_ns > p->slowest_ns + p->slowest_ns / 4) {
		p->slowest_ns = e->took_ns;
		p->slowest = slow_call(f, e);
	}
	see_wait(f, e);
}

static void conclude_average(struct lens_findings *f, const struct finding_pair *p)
{
	char detail[FINDING_DETAIL];
	double calls = (double)(p->calls ? p->calls : 1);
	int64_t average = p->calls ? p->took_ns / (int64_t)p->calls : 0;
	bool server = p->server_ns >= p->network_ns, bad = average >= f->limits.outlook_ns;

	if (p->calls < ENOUGH_CALLS || average < f->limits.average_ns)
		return;
	snprintf(detail, sizeof detail,
	         "%.0f ms a call on average (%" PRIu64 " calls: server %.0f ms, network %.0f ms, of it %.1f ms a round "
	         "trip)%s",
	         lens_ms(average), p->calls, lens_ms(p->server_ns) / calls, lens_ms(p->network_ns) / calls,
	         lens_ms(p->rtt_ns), bad ? "; Outlook itself calls that bad" : "");
	struct finding *to =
	        finding_note(f, server ? CAUSE_SLOW_SERVER : CAUSE_SLOW_NETWORK, &p->client, &p->server, detail);
	to->told.grade = bad ? LENS_PROBLEM : LENS_WARNING;
	finding_evidence(f, to, &p->slowest);
}

/* ---- TCP ---- */

static void note_lost(struct lens_findings *f, struct finding_pair *p, const struct lens_trouble *t)
{
	if (t->resent < LOST_SEGMENTS || t->resend_ns < LOST_NS)
		return;
	for (unsigned i = 0; i < 2 && t->resent_frames[i] && p->lost_count < ARRAY_SIZE(p->lost); i++)
		p->lost[p->lost_count++] = t->resent_frames[i];
	p->resent += t->resent;
	p->resend_ns += t->resend_ns;
	(void)f;
}

static void see_shut(struct lens_findings *f, const struct lens_conn *c)
{
	const struct lens_trouble *t = &c->trouble;
	char detail[FINDING_DETAIL];

	if (t->zero_ns < SHUT_NS)
		return;
	snprintf(detail, sizeof detail, "The %s took no data for %.1f s (zero window, %u time%s)",
	         t->zero_by_server ? "server" : "client", (double)t->zero_ns / 1e9, t->zero_windows,
	         t->zero_windows == 1 ? "" : "s");
	struct finding *to = finding_note(f, CAUSE_ZERO_WINDOW, &c->client, &c->server, detail);
	to->told.grade = LENS_WARNING;
	for (unsigned i = 0; i < 2 && t->zero_frames[i]; i++)
		finding_evidence(f, to, &(struct lens_evidence){t->zero_frames[i], 0, "window 0"});
}

/* ---- Silence ---- */

enum idle { IDLE_NOT, IDLE_RESET, IDLE_CLOSED, IDLE_DEAD };

/* What came behind a long silence: nothing but the end, or nothing at all. */
static enum idle idle_end(const struct lens_findings *f, const struct lens_conn *c)
{
	const struct lens_trouble *t = &c->trouble;
	bool at_once = t->heard[0] + t->heard[1] <= 4;

	if (!c->rpc || t->silence_ns < f->limits.silence_ns)
		return IDLE_NOT;
	if (t->cut && t->cut_by_server && t->cut_by_reset && at_once)
		return IDLE_RESET;
	if (t->cut && t->cut_by_server && at_once && t->cut_waiting + t->cut_parked)
		return IDLE_CLOSED;
	if (!t->heard[1] && t->heard[0] > 1 && t->resent && t->spoke[1])
		return IDLE_DEAD;
	return IDLE_NOT;
}

bool finding_was_idle(const struct lens_findings *f, const struct lens_conn *c)
{
	return idle_end(f, c) != IDLE_NOT;
}

static void see_idle(struct lens_findings *f, const struct lens_conn *c)
{
	static const char *const ends[] = {"", "reset", "closed under a waiting call", "nothing came through any more"};
	const struct lens_trouble *t = &c->trouble;
	enum idle end = idle_end(f, c);
	char detail[FINDING_DETAIL], alive[48] = "no keep-alives were sent";

	if (end == IDLE_NOT)
		return;
	if (t->keep_alives)
		snprintf(alive, sizeof alive, "%u keep-alives were sent", t->keep_alives);
	snprintf(detail, sizeof detail, "after %.0f s %s; %s", (double)t->silence_ns / 1e9, ends[end], alive);
	struct finding *to = finding_note(f, CAUSE_IDLE_CUT, &c->client, &c->server, detail);
	finding_evidence(f, to, &(struct lens_evidence){t->silence_frame, 0, "the first behind the silence"});
	if (t->cut)
		finding_evidence(f, to,
		                 &(struct lens_evidence){t->cut_frame, t->cut_ns, t->cut_by_reset ? "reset" : "close"});
}

void finding_time_over(struct lens_findings *f, const struct lens_conn *c)
{
	struct finding_pair *p = c->rpc ? finding_pair_of(f, c) : NULL;

	if (!p)
		return;
	note_lost(f, p, &c->trouble);
	see_shut(f, c);
	see_idle(f, c);
}

static void conclude_lost(struct lens_findings *f, const struct finding_pair *p)
{
	char detail[FINDING_DETAIL];

	if (!p->resent)
		return;
	snprintf(detail, sizeof detail, "%u segments were sent again, and %.1f s went by until something new came",
	         p->resent, (double)p->resend_ns / 1e9);
	struct finding *to = finding_note(f, CAUSE_SEGMENTS_LOST, &p->client, &p->server, detail);
	to->told.grade = LENS_WARNING;
	for (unsigned i = 0; i < p->lost_count; i++)
		finding_evidence(f, to, &(struct lens_evidence){p->lost[i], 0, "sent again"});
}

void finding_time_end(struct lens_findings *f, const struct lens *lens)
{
	struct lens_totals t = {0};

	if (lens)
		lens_get_totals(lens, &t);
	for (unsigned i = 1; i <= t.connections; i++) {
		const struct lens_conn *c = lens_get_conn(lens, i);
		if (c && !c->ended)
			finding_time_over(f, c);
	}
	for (unsigned i = 0; i < f->pair_count; i++) {
		conclude_average(f, &f->pairs[i]);
		conclude_lost(f, &f->pairs[i]);
	}
}
