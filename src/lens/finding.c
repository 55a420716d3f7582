#include "lens/finding-private.h"

static int64_t or_else(int64_t value, int64_t fallback)
{
	return value > 0 ? value : fallback;
}

struct lens_findings *lens_findings_new(const struct lens_thresholds *t)
{
	const struct lens_thresholds none = {0};
	struct lens_findings *f = (struct lens_findings *)calloc(1, sizeof *f);

	if (!f || !(f->arena = arena_new(1 << 20)) || !(f->texts = arena_new(1 << 20))) {
		lens_findings_free(&f);
		return NULL;
	}
	t = t ? t : &none;
	f->limits = (struct lens_thresholds){
	        .average_ns = or_else(t->average_ns, 50 * NS_PER_MS),
	        .outlook_ns = or_else(t->outlook_ns, 100 * NS_PER_MS),
	        .waits_ns = or_else(t->waits_ns, 5 * NS_PER_S),
	        .dialog_ns = or_else(t->dialog_ns, 8 * NS_PER_S),
	        .silence_ns = or_else(t->silence_ns, 60 * NS_PER_S),
	};
	return f;
}

void lens_findings_free(struct lens_findings **f)
{
	if (!f || !*f)
		return;
	arena_free(&(*f)->arena);
	arena_free(&(*f)->texts);
	free(*f);
	*f = NULL;
}

const char *lens_grade_name(enum lens_grade grade)
{
	static const char *const names[] = {"note", "warning", "problem"};
	return names[grade];
}

/* ---- Keeping ---- */

/* What is wrong with a port. All else is wrong with its server, and told once of its services. */
static bool is_of_port(enum cause cause)
{
	switch (cause) {
	case CAUSE_PORT_REFUSED:
	case CAUSE_PORT_FILTERED:
	case CAUSE_DYNAMIC_PORT_BLOCKED:
	case CAUSE_DYNAMIC_PORT_REFUSED:
	case CAUSE_INTERFACE_REFUSED:
	case CAUSE_BIND_REFUSED:
	case CAUSE_ANONYMOUS_REFUSED:
		return true;
	default:
		return false;
	}
}

static bool same_server(const struct finding *a, const struct lens_address *server)
{
	/* Why calls stay sealed is the same everywhere. */
	return a->cause == CAUSE_NONE || (lens_same_host(&a->told.server, server) &&
	                                  (a->told.server.port == server->port || !is_of_port(a->cause)));
}

struct finding *finding_note(struct lens_findings *f, enum cause cause, const struct lens_address *client,
                             const struct lens_address *server, const char *detail)
{
	unsigned alike = 0;

	for (unsigned i = 0; i < f->count; i++) {
		struct finding *known = &f->all[i];
		if (known->cause != cause)
			continue;
		alike++;
		if (same_server(known, server) && strncmp(known->detail, detail, FINDING_DETAIL - 1) == 0)
			return known;
	}
	bool room = f->count < FINDING_MAX && alike < FINDING_MAX_CAUSE;
	f->beyond_count += !room;
	struct finding *made = room ? &f->all[f->count++] : &f->beyond;
	made->cause = cause;
	made->told.client = *client;
	made->told.server = *server;
	made->told.grade = LENS_PROBLEM;
	snprintf(made->detail, sizeof made->detail, "%s", detail);
	return made;
}

void finding_evidence(struct lens_findings *f, struct finding *to, const struct lens_evidence *what)
{
	struct lens_finding *told = &to->told;

	(void)f;
	if (told->evidence_count && told->evidence[told->evidence_count - 1].frame == what->frame)
		return;
	if (told->evidence_count < LENS_EVIDENCE)
		told->evidence[told->evidence_count++] = *what;
	else
		told->more++;
}

struct lens_evidence finding_seen(struct lens_findings *f, const struct lens_event *e)
{
	const char *what = arena_strndup(f->texts, e->summary, strnlen(e->summary, FINDING_DETAIL));

	return (struct lens_evidence){e->frame, e->time_ns, what ? what : ""};
}

struct finding *finding_add(struct lens_findings *f, enum cause cause, const struct lens_event *e, const char *detail)
{
	struct finding *to = finding_note(f, cause, &e->conn->client, &e->conn->server, detail);

	if (to->told.evidence_count < LENS_EVIDENCE) {
		const struct lens_evidence seen = finding_seen(f, e);
		finding_evidence(f, to, &seen);
	} else {
		to->told.more++;
	}
	return to;
}

struct finding_pair *finding_pair_of(struct lens_findings *f, const struct lens_conn *c)
{
	struct finding_pair *last = &f->pairs[f->last_pair]; /* mostly the same again */

	if (lens_same_host(&last->client, &c->client) && lens_same_host(&last->server, &c->server))
		return last;
	for (unsigned i = f->pair_count; i-- > 0;)
		if (lens_same_host(&f->pairs[i].client, &c->client) &&
		    lens_same_host(&f->pairs[i].server, &c->server)) {
			f->last_pair = i;
			return &f->pairs[i];
		}
	if (f->pair_count == FINDING_PAIRS)
		return NULL;
	struct finding_pair *p = &f->pairs[f->pair_count++];
	p->client = c->client;
	p->server = c->server;
	return p;
}

void lens_findings_event(struct lens_findings *f, const struct lens_event *e)
{
	switch (e->kind) {
	case LENS_OPEN:
		finding_reach_open(f, e);
		break;
	case LENS_RESPONSE:
		finding_reach_mapper(f, e);
		finding_calls_answer(f, e);
		finding_time_answer(f, e);
		break;
	case LENS_REQUEST:
		finding_calls_request(f, e);
		break;
	case LENS_CLOSE:
	case LENS_RESET:
		finding_calls_over(f, e->conn);
		finding_time_over(f, e->conn);
		break;
	default:
		break;
	}
	finding_entrance_event(f, e);
	finding_http_event(f, e);
	if (e->signature == RPC_SIG_BAD)
		finding_add(f, CAUSE_BAD_SIGNATURE, e, "");
	if (e->why_sealed)
		finding_add(f, CAUSE_NONE, e, e->why_sealed);
}

/* ---- The end ---- */

static void put_sentence(struct lens_findings *f, struct finding *one)
{
	const struct cause_about about = {.detail = one->detail,
	                                  .mapper_port = one->mapper_port[0] ? one->mapper_port : NULL};
	char sentence[CAUSE_TEXT_SIZE], attempt[CAUSE_TEXT_SIZE];

	if (one->cause == CAUSE_NONE) {
		/* Not a cause of anything, but what a reader would ask. */
		one->told.grade = LENS_NOTE;
		one->told.sentence = arena_printf(f->arena, "calls stay sealed: %s.", one->detail);
		return;
	}
	cause_explain(one->cause, &about, sentence, attempt);
	if (!one->told.sentence)
		one->told.sentence = arena_strdup(f->arena, sentence);
	one->told.attempt = arena_strdup(f->arena, attempt);
}

/* As they happened. */
static int by_first_frame(const void *a, const void *b)
{
	uint64_t x = ((const struct finding *)a)->told.evidence[0].frame;
	uint64_t y = ((const struct finding *)b)->told.evidence[0].frame;
	return x < y ? -1 : x > y;
}

void lens_findings_end(struct lens_findings *f, const struct lens *lens)
{
	finding_reach_end(f, lens);
	finding_calls_end(f, lens);
	finding_time_end(f, lens);
	finding_entrance_end(f);
	for (unsigned i = 0; i < f->count; i++) {
		put_sentence(f, &f->all[i]);
		f->all[i].told.id = f->all[i].cause == CAUSE_NONE ? "sealed" : cause_get(f->all[i].cause)->id;
	}
	qsort(f->all, f->count, sizeof f->all[0], by_first_frame);
}

unsigned lens_findings_beyond(const struct lens_findings *f)
{
	return f->beyond_count;
}

bool lens_findings_get(const struct lens_findings *f, unsigned index, struct lens_finding *out)
{
	if (index >= f->count)
		return false;
	*out = f->all[index].told;
	if (!out->sentence)
		out->sentence = cause_get(f->all[index].cause)->sentence;
	return true;
}
