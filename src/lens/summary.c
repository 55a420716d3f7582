#include "lens/lens-private.h"

#include <stdio.h>
#include <string.h>

#define MAX_ROPS_NAMED 4

/* ---- Who, and how protected ---- */

static const char *auth_words(enum auth_type type)
{
	switch (type) {
	case AUTH_NTLM:
		return "NTLM";
	case AUTH_KERBEROS:
		return "Kerberos";
	case AUTH_SPNEGO:
		return "SPNEGO";
	case AUTH_NETLOGON:
		return "Netlogon schannel";
	case AUTH_SCHANNEL_TLS:
		return "TLS";
	case AUTH_NONE:
		return "no authentication";
	}
	return "unknown authentication";
}

static const char *make_user(struct arena *arena, const struct auth_info *info)
{
	if (info->anonymous)
		return "anonymous";
	if (!info->user)
		return NULL;
	if (info->domain && *info->domain)
		return arena_printf(arena, "%s\\%s", info->domain, info->user);
	return arena_strdup(arena, info->user);
}

/* Built anew only when a handshake may have changed it. */
static const char *user_of(struct lens_making *m)
{
	struct lens_conversation *t = m->talk;
	enum lens_kind k = m->event->kind;
	bool handshake =
	        k == LENS_BIND || k == LENS_ALTER || k == LENS_AUTH3 || k == LENS_BIND_ACK || k == LENS_ALTER_ACK;
	if (t->user && !handshake)
		return t->user;
	struct auth_info info;
	auth_get_info(m->rpc->auth, &info);
	const char *user = make_user(m->work, &info);
	if (!user || (t->user && strcmp(user, t->user) == 0))
		return user ? t->user : NULL;
	t->user = arena_strdup(m->lens->options.keep_events ? m->lens->kept : t->arena, user);
	return t->user;
}

static const char *why_sealed(struct lens_making *m)
{
	const char *user = m->event->user ? m->event->user : "its user";
	struct auth_info info = {.key = AUTH_KEY_NO_HANDSHAKE};
	if (m->rpc->auth)
		auth_get_info(m->rpc->auth, &info);
	switch (info.key) {
	case AUTH_KEY_UNKNOWN:
		return "the handshake is not finished";
	case AUTH_KEY_FITS:
		return "bytes are missing before it, and no signature has proved the cipher's position again";
	case AUTH_KEY_NO_SECRETS:
		if (info.mechanism == AUTH_KERBEROS)
			return "no keytab was given; the service's would open it (--secrets, a line 'keytab FILE')";
		return arena_printf(m->arena, "no secrets were given; %s's password would open it (--secrets)", user);
	case AUTH_KEY_NO_SUCH_USER:
		if (info.mechanism == AUTH_KERBEROS)
			return arena_printf(m->arena, "no key in the keytab opens the ticket for %s",
			                    info.target_name ? info.target_name : "this service");
		return arena_printf(m->arena, "no secret for %s", user);
	case AUTH_KEY_WRONG_PROOF:
		if (info.mechanism == AUTH_KERBEROS)
			return "the server's answer in the handshake does not fit the ticket's key";
		return arena_printf(m->arena, "wrong password for %s: the proof in the handshake does not match", user);
	case AUTH_KEY_NO_HANDSHAKE:
		return "the handshake is not in the capture";
	case AUTH_KEY_UNSUPPORTED:
		return arena_printf(m->arena, "%s is not opened by this program yet", auth_words(m->rpc->auth_type));
	}
	return NULL;
}

void lens_note_auth(struct lens_making *m)
{
	struct lens_event *e = m->event;
	const struct rpc_event *ev = m->rpc;
	e->auth = m->call ? m->call->auth : ev->auth_type;
	e->level = e->auth == AUTH_NONE ? AUTH_LEVEL_NONE : m->call ? AUTH_LEVEL_CONNECT : ev->level;
	e->sealed = ev->sealed;
	e->decrypted = ev->decrypted;
	e->signature = ev->signature;
	if (m->call && m->call->user)
		e->user = arena_strdup(m->arena, m->call->user);
	else if (ev->auth)
		e->user = user_of(m);
	if (e->sealed && !e->decrypted)
		e->why_sealed = why_sealed(m);
}

/* ---- The short phrase ---- */

static const char *bind_words(struct lens_making *m, const char *verb)
{
	const struct lens_event *e = m->event;
	if (e->auth == AUTH_NONE)
		return arena_printf(m->arena, "%s, no authentication", verb);
	return arena_printf(m->arena, "%s, %s level %s", verb, auth_words(e->auth), auth_level_name(e->level));
}

static const char *rops_words(struct lens_making *m)
{
	const struct lens_event *e = m->event;
	const char *parts[MAX_ROPS_NAMED * 2 + 1];
	char more[32];
	size_t count = 0;
	for (unsigned i = 0; i < e->rop_count && i < MAX_ROPS_NAMED; i++) {
		if (i)
			parts[count++] = ", ";
		parts[count++] = e->rops[i].name;
	}
	if (e->rop_count > MAX_ROPS_NAMED) {
		snprintf(more, sizeof more, " and %u more", e->rop_count - MAX_ROPS_NAMED);
		parts[count++] = more;
	}
	return arena_join(m->arena, parts, count);
}

static const char *call_words(struct lens_making *m)
{
	const struct lens_event *e = m->event;
	if (m->what)
		return m->what;
	if (e->rop_count && e->kind == LENS_REQUEST)
		return rops_words(m);
	if (e->op)
		return e->op;
	if (e->has_opnum)
		return arena_printf(m->arena, "opnum %u", e->opnum);
	return "a call whose request was not captured";
}

#define ROP_NOTIFY 0x2A
#define ROP_PENDING 0x6E

/* An answer of the store that only brings news: what was asked matters little. */
static bool brings_news(const struct lens_event *e)
{
	if (e->kind != LENS_RESPONSE || e->service != LENS_SVC_STORE || !e->rop_count)
		return false;
	for (unsigned i = 0; i < e->rop_count; i++)
		if (e->rops[i].id != ROP_NOTIFY && e->rops[i].id != ROP_PENDING)
			return false;
	return true;
}

/* What was asked, as the request's own event said. */
static const char *asked(struct lens_making *m)
{
	const struct lens_event *e = m->event;
	if (brings_news(e))
		return rops_words(m);
	if (e->request)
		return e->request->summary;
	if (e->kind == LENS_BIND_ACK || e->kind == LENS_BIND_NAK)
		return "bind";
	return e->kind == LENS_ALTER_ACK ? "alter context" : call_words(m);
}

/* The first ROP that failed, else how the call went. */
static const char *outcome(struct lens_making *m)
{
	const struct lens_event *e = m->event;
	for (unsigned i = 0; i < e->rop_count; i++)
		if (e->rops[i].has_status && e->rops[i].status != 0 && e->rops[i].status >> 16 != 4) {
			const char *name = lens_status_text(m->arena, e->rops[i].status);
			return e->rop_count == 1 ? name : arena_printf(m->arena, "%s: %s", e->rops[i].name, name);
		}
	if (e->sealed && !e->decrypted)
		return "answered, sealed";
	return e->status ? e->status : "answered";
}

static const char *response_words(struct lens_making *m)
{
	const struct lens_event *e = m->event;
	const char *what = asked(m);
	if (m->result && !e->failed)
		return ARENA_JOIN(m->arena, what, " → ", m->result);
	const char *how = "";
	if (e->encoding & LENS_ENCODING_XOR && !e->sealed && !m->call && !m->talk->store_told) {
		how = " (obfuscated, not sealed)";
		m->talk->store_told = true;
	}
	return ARENA_JOIN(m->arena, what, ": ", outcome(m), how);
}

static const char *handshake_words(struct lens_making *m)
{
	const struct lens_event *e = m->event;
	if (e->kind == LENS_BIND_NAK || e->failed)
		return arena_printf(m->arena, "%s: refused (%s)", asked(m), e->status);
	return ARENA_JOIN(m->arena, asked(m), ": ", e->status);
}

static const char *gap_words(struct lens_making *m)
{
	return arena_printf(m->arena, "%zu bytes of the %s were not captured", m->rpc->stub_len,
	                    m->event->from_client ? "client" : "server");
}

static const char *auth3_words(struct lens_making *m)
{
	if (m->event->user)
		return arena_printf(m->arena, "auth3, user %s", m->event->user);
	return bind_words(m, "auth3");
}

static const char *words(struct lens_making *m)
{
	const struct lens_event *e = m->event;
	switch (e->kind) {
	case LENS_BIND:
		return bind_words(m, "bind");
	case LENS_ALTER:
		return bind_words(m, "alter context");
	case LENS_AUTH3:
		return auth3_words(m);
	case LENS_BIND_ACK:
	case LENS_BIND_NAK:
	case LENS_ALTER_ACK:
		return handshake_words(m);
	case LENS_REQUEST:
		return call_words(m);
	case LENS_RESPONSE:
		return response_words(m);
	case LENS_FAULT:
		return arena_printf(m->arena, "%s: fault %s", asked(m), e->status);
	case LENS_CANCEL:
		return arena_printf(m->arena, "cancel of %s", asked(m));
	case LENS_ORPHANED:
		return arena_printf(m->arena, "%s is given up by the client", asked(m));
	case LENS_SHUTDOWN:
		return "shutdown, asked for by the server";
	case LENS_DAMAGED:
		return arena_printf(m->arena, "damaged at byte %s", e->damaged);
	case LENS_GAP:
		return gap_words(m);
	default:
		return NULL;
	}
}

void lens_summarize(struct lens_making *m)
{
	const struct lens_options *o = &m->lens->options;
	const char *s = o->heads_only || o->no_phrases ? NULL : words(m);
	m->event->summary = s ? s : "";
}
