#include "lens/finding-private.h"

/* Getting in: binds, logons, encryption, Kerberos beside them. */

#define OPNUM_EC_DO_RPC_EXT2 11
#define NCA_OP_RNG_ERROR 0x1C010002u
#define NAK_AUTH_TYPE 8 /* authentication_type_not_recognized */

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

/* ---- Anonymous, then with a user ---- */

static struct finding_anonymous *find_anonymous(struct lens_findings *f, const struct lens_event *e)
{
	for (unsigned i = f->anonymous_count; i-- > 0;) {
		struct finding_anonymous *a = &f->anonymous[i];
		if (a->server.port == e->conn->server.port && lens_same_host(&a->server, &e->conn->server) &&
		    lens_same_host(&a->client, &e->conn->client))
			return a;
	}
	return NULL;
}

static void see_refused_anonymous(struct lens_findings *f, const struct lens_event *e)
{
	struct finding_anonymous *known = find_anonymous(f, e);

	if ((known && known->outcome == FINDING_OPEN) || f->anonymous_count == FINDING_ANONYMOUS)
		return;
	f->anonymous[f->anonymous_count++] = (struct finding_anonymous){
	        .client = e->conn->client,
	        .server = e->conn->server,
	        .refused = finding_seen(f, e),
	        .time_ns = e->last_time_ns,
	};
}

static void see_bind(struct lens_findings *f, const struct lens_event *e)
{
	struct finding_anonymous *a = f->anonymous_count && e->auth != AUTH_NONE ? find_anonymous(f, e) : NULL;

	if (!a || a->retried.frame)
		return;
	a->retried = finding_seen(f, e);
	a->auth = e->auth;
}

static void see_retry(struct lens_findings *f, const struct lens_event *e)
{
	struct finding_anonymous *a = f->anonymous_count && e->auth != AUTH_NONE ? find_anonymous(f, e) : NULL;

	if (!a || !a->retried.frame || a->outcome != FINDING_OPEN)
		return;
	a->outcome = e->failed ? FINDING_REFUSED : FINDING_ACCEPTED;
	/* Of those that went well the first is told, the others are counted. */
	if (a->outcome == FINDING_ACCEPTED && f->accepted++)
		*a = f->anonymous[--f->anonymous_count];
}

static void conclude_anonymous(struct lens_findings *f, const struct finding_anonymous *a)
{
	if (a->outcome == FINDING_REFUSED)
		return; /* the refusal of the user is a finding of its own */
	struct finding *to = finding_note(f, CAUSE_ANONYMOUS_REFUSED, &a->client, &a->server, a->refused.what);
	bool went_well = a->outcome == FINDING_ACCEPTED;

	finding_evidence(f, to, &a->refused);
	to->told.grade = went_well ? LENS_NOTE : LENS_WARNING;
	to->told.more = went_well ? f->accepted - 1 : 0;
	if (!a->retried.frame) {
		to->told.sentence = "anonymous refused; not retried with a user.";
		return;
	}
	finding_evidence(f, to, &a->retried);
	to->told.sentence = arena_printf(f->arena, "anonymous refused; retried with %s after %.0f ms, %s",
	                                 auth_in_print(a->auth), lens_ms(a->retried.time_ns - a->time_ns),
	                                 went_well ? "accepted. Harmless." : "outcome not captured.");
}

/* ---- Statuses ---- */

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

/* %s of a cause's sentence is a port, a name or nothing; the status tells most where there is no better detail. */
static void put_detail(enum cause cause, const struct lens_event *e, const char *status, char out[FINDING_DETAIL])
{
	const char *version = e->request ? e->request->says : NULL;
	const char *user = e->user || !e->request ? e->user : e->request->user;

	out[0] = 0;
	if (cause == CAUSE_CALL_FAILED || cause == CAUSE_BIND_REFUSED || cause == CAUSE_PROTOCOL_ERROR)
		snprintf(out, FINDING_DETAIL, "%s%s%s", e->op ? e->op : "", e->op ? ": " : "", status ? status : "?");
	else if (cause == CAUSE_CREDENTIALS_REFUSED && user)
		snprintf(out, FINDING_DETAIL, " of %s", user);
	else if (cause == CAUSE_UNKNOWN_MAILBOX)
		snprintf(out, FINDING_DETAIL, "of that name");
	else if (cause == CAUSE_INTERFACE_REFUSED)
		snprintf(out, FINDING_DETAIL, "%s", lens_service_label(e->service, e->iface_name));
	else if (cause == CAUSE_AUTH_TYPE_REFUSED)
		snprintf(out, FINDING_DETAIL, ": %s was offered",
		         auth_in_print(e->request ? e->request->auth : e->auth));
	else if (cause == CAUSE_WRONG_SERVER && e->says)
		snprintf(out, FINDING_DETAIL, ": %s", e->says);
	else if (cause == CAUSE_SERVER_BUSY && e->says)
		snprintf(out, FINDING_DETAIL, " (%s)", e->says);
	else if (cause == CAUSE_CLIENT_VERSION_BLOCKED && version)
		snprintf(out, FINDING_DETAIL, " (%s)", version);
}

void finding_status(struct lens_findings *f, enum cause_family family, const struct lens_event *e, unsigned code,
                    const char *status)
{
	enum cause cause = cause_of_status(family, code);
	char detail[FINDING_DETAIL];

	if (cause == CAUSE_NONE)
		return;
	put_detail(cause, e, status, detail);
	finding_add(f, cause, e, detail);
}

static void see_logon(struct lens_findings *f, const struct lens_event *e)
{
	char hex[16];

	for (unsigned i = 0; i < e->rop_count; i++) {
		const struct lens_rop *r = &e->rops[i];
		if (r->has_status && r->status && strcmp(r->name, "Logon") == 0)
			finding_status(f, CAUSE_OF_MAPI, e, r->status, lens_rop_status(r, hex));
	}
}

/* A call on a session proves that its client got in, even one that stays sealed. */
static void see_success(struct lens_findings *f, const struct lens_event *e)
{
	bool in_session = e->service == LENS_SVC_STORE && e->has_opnum && e->opnum == OPNUM_EC_DO_RPC_EXT2;
	bool proved = in_session || (is_entrance(e) && e->status && !e->failed);
	struct finding_pair *p = proved && e->auth != AUTH_NONE ? finding_pair_of(f, e->conn) : NULL;

	if (!p)
		return;
	p->got_in = e->frame;
	if (e->service == LENS_SVC_STORE && e->level == AUTH_LEVEL_PRIVACY)
		p->sealed_in = e->frame;
}

/* The reverse of ecNotEncrypted: the store takes a client whose calls anybody on the way can read. */
static void see_plain(struct lens_findings *f, const struct lens_event *e)
{
	char detail[FINDING_DETAIL];

	if (e->service != LENS_SVC_STORE || !is_entrance(e) || e->failed || !e->status || e->sealed ||
	    e->level == AUTH_LEVEL_PRIVACY || strcmp(e->transport, "tcp") != 0)
		return;
	snprintf(detail, sizeof detail, " (level %s)", auth_level_name(e->level));
	finding_add(f, CAUSE_NOT_ENCRYPTED, e, detail)->told.grade = LENS_WARNING;
}

static void see_response(struct lens_findings *f, const struct lens_event *e)
{
	if (is_entrance(e)) {
		if (e->failed && e->auth == AUTH_NONE &&
		    cause_of_status(CAUSE_OF_MAPI, e->status_code) == CAUSE_CREDENTIALS_REFUSED)
			see_refused_anonymous(f, e);
		else if (e->failed)
			finding_status(f, CAUSE_OF_MAPI, e, e->status_code, e->status);
		see_retry(f, e);
		see_plain(f, e);
	} else if (e->rop_count) {
		see_logon(f, e);
	}
	see_success(f, e);
}

/* What the KDC answers, RFC 4120 7.5.9. A service's name that it does not know the client gets round, with NTLM. */
static void see_kerberos(struct lens_findings *f, const struct lens_event *e)
{
	static const struct {
		const char *status;
		enum cause cause;
		enum lens_grade grade;
	} answers[] = {
	        {"KDC_ERR_C_PRINCIPAL_UNKNOWN", CAUSE_CREDENTIALS_REFUSED, LENS_PROBLEM},
	        {"KDC_ERR_S_PRINCIPAL_UNKNOWN", CAUSE_SERVICE_NAME_UNKNOWN, LENS_WARNING},
	        {"KDC_ERR_CLIENT_REVOKED", CAUSE_ACCOUNT_LOCKED, LENS_PROBLEM},
	        {"KDC_ERR_KEY_EXPIRED", CAUSE_PASSWORD_EXPIRED, LENS_PROBLEM},
	        {"KDC_ERR_PREAUTH_FAILED", CAUSE_CREDENTIALS_REFUSED, LENS_PROBLEM},
	        {"KRB_AP_ERR_SKEW", CAUSE_CLOCK_SKEW, LENS_PROBLEM},
	};

	for (size_t i = 0; e->status && i < ARRAY_SIZE(answers); i++)
		if (strcmp(e->status, answers[i].status) == 0)
			finding_add(f, answers[i].cause, e, "")->told.grade = answers[i].grade;
}

void finding_entrance_event(struct lens_findings *f, const struct lens_event *e)
{
	switch (e->kind) {
	case LENS_BIND:
		see_bind(f, e);
		break;
	case LENS_BIND_ACK:
	case LENS_ALTER_ACK:
		if (e->failed)
			finding_add(f, CAUSE_INTERFACE_REFUSED, e, lens_service_label(e->service, e->iface_name));
		break;
	case LENS_BIND_NAK:
		finding_status(f, CAUSE_OF_BIND_NAK, e, e->status_code, e->status);
		break;
	case LENS_RESPONSE:
		see_response(f, e);
		break;
	case LENS_FAULT:
		if (e->status_code == NCA_OP_RNG_ERROR)
			break; /* a newer method tried first: everyday business */
		finding_status(f, CAUSE_OF_FAULT, e, e->status_code, e->status);
		see_retry(f, e);
		break;
	case LENS_CONTEXT:
		see_kerberos(f, e);
		break;
	default:
		break;
	}
}

/* ---- The end ---- */

static const struct finding_pair *pair_of(const struct lens_findings *f, const struct finding *one)
{
	for (unsigned i = 0; i < f->pair_count; i++)
		if (lens_same_host(&f->pairs[i].client, &one->told.client) &&
		    lens_same_host(&f->pairs[i].server, &one->told.server))
			return &f->pairs[i];
	return NULL;
}

/* What was refused and then let in: a probe, or somebody who then did as told. */
static void conclude_refusal(struct lens_findings *f, struct finding *one)
{
	const struct finding_pair *p = pair_of(f, one);
	uint64_t last = one->told.evidence_count ? one->told.evidence[one->told.evidence_count - 1].frame : 0;

	if (!p || one->told.sentence)
		return;
	if (one->cause == CAUSE_ENCRYPTION_REQUIRED && p->sealed_in) {
		one->told.grade = LENS_NOTE;
		one->told.sentence =
		        "store refused without encryption (ecNotEncrypted), as the server requires; with it the same "
		        "client got in. Harmless.";
	} else if (one->cause == CAUSE_CREDENTIALS_REFUSED && p->got_in > last) {
		one->told.grade = LENS_WARNING;
		one->told.sentence = arena_printf(f->arena,
		                                  "The server refused the user name or password%s at first; from "
		                                  "frame %" PRIu64 " on the same client got in.",
		                                  one->detail, p->got_in);
	} else if (one->cause == CAUSE_AUTH_TYPE_REFUSED && p->got_in > last) {
		one->told.grade = LENS_WARNING;
		one->told.sentence = arena_printf(f->arena,
		                                  "The server does not take this kind of authentication%s; with "
		                                  "another the same client got in.",
		                                  one->detail);
	}
}

void finding_entrance_end(struct lens_findings *f)
{
	for (unsigned i = 0; i < f->count; i++)
		conclude_refusal(f, &f->all[i]);
	for (unsigned i = 0; i < f->anonymous_count; i++)
		conclude_anonymous(f, &f->anonymous[i]);
}
