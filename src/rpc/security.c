#include "rpc/private.h"

static const struct auth_observer_config no_secrets;

struct rpc_security *rpc_security_find(struct rpc_connection *c, uint32_t id)
{
	for (unsigned i = 0; i < c->security_count; i++)
		if (c->security[i].id == id)
			return &c->security[i];
	return NULL;
}

struct rpc_security *rpc_security_place(struct rpc_connection *c, const struct rpc_sec_trailer *trailer)
{
	struct rpc_security *s = rpc_security_find(c, trailer->context_id);

	if (!s) {
		if (c->security_count >= RPC_MAX_SECURITY)
			return NULL;
		s = &c->security[c->security_count++];
	}
	auth_free(&s->auth);
	*s = (struct rpc_security){
	        .id = trailer->context_id, .type = trailer->type, .level = rpc_level_of(trailer->level)};
	return s;
}

void rpc_security_free(struct rpc_connection *c)
{
	for (unsigned i = 0; i < c->security_count; i++)
		auth_free(&c->security[i].auth);
	c->security_count = 0;
}

void rpc_security_agree(struct rpc_connection *c, struct rpc_security *s, bool first, uint8_t flags)
{
	if (first)
		c->sign_header = flags & RPC_PFC_PENDING_CANCEL; /* PFC_SUPPORT_HEADER_SIGN, [MS-RPCE] 2.2.2.3 */
	if (s && s->auth)
		auth_sign_header(s->auth, c->sign_header);
}

void rpc_security_lost(struct rpc_connection *c, enum rpc_side from)
{
	for (unsigned i = 0; i < c->security_count; i++)
		if (c->security[i].auth)
			auth_lost(c->security[i].auth, rpc_auth_side(from));
}

static struct rpc_security *observe_new(struct rpc_connection *c, const struct rpc_sec_trailer *trailer)
{
	const struct auth_observer_config *config = c->config.observer ? c->config.observer : &no_secrets;
	struct rpc_security *s = rpc_security_place(c, trailer);

	if (s && auth_observer_new(trailer->type, s->level, config, &s->auth) < 0)
		s->auth = NULL;
	return s;
}

void rpc_security_watch(struct rpc_connection *c, struct rpc_taken *t)
{
	const struct rpc_sec_trailer *trailer = &t->pdu.trailer;
	struct rpc_security *s;

	if (!t->pdu.has_auth)
		return;
	s = rpc_security_find(c, trailer->context_id);
	if (!s || t->pdu.header.ptype == RPC_BIND || s->type != trailer->type)
		s = observe_new(c, trailer);
	t->security = s;
	/* The server repeats the flag only where both agree. */
	if (s && s->auth && t->from == RPC_FROM_SERVER && t->pdu.header.flags & RPC_PFC_PENDING_CANCEL)
		auth_sign_header(s->auth, true);
	if (s && s->auth)
		auth_watch(s->auth, rpc_auth_side(t->from), cursor_of(t->pdu.auth_value, t->pdu.header.auth_length));
}

/* With one security context at level connect its verifier may be left out, [MS-RPCE] 3.3.1.5.4. */
static struct rpc_security *implied(struct rpc_connection *c)
{
	return c->security_count == 1 && !rpc_is_protected(&c->security[0]) ? &c->security[0] : NULL;
}

/* Unseals into a copy: what was fed belongs to the caller. */
static int unseal(struct rpc_connection *c, struct rpc_taken *t)
{
	size_t signed_len = t->pdu.header.frag_length - t->pdu.header.auth_length;

	buf_clear(&c->scratch);
	if (buf_put(&c->scratch, t->data, t->pdu.header.frag_length) < 0)
		return MW_E_NOMEM;
	t->data = c->scratch.data;
	return auth_check(t->security->auth, rpc_auth_side(t->from), c->scratch.data, signed_len, t->pdu.body,
	                  t->pdu.body_len, c->scratch.data + signed_len, t->pdu.header.auth_length);
}

static void observe(struct rpc_connection *c, struct rpc_taken *t)
{
	const struct rpc_sec_trailer *trailer = &t->pdu.trailer;
	int r;

	t->security = rpc_security_find(c, trailer->context_id);
	if (!t->security)
		t->security = observe_new(c, trailer);
	if (rpc_level_of(trailer->level) <= AUTH_LEVEL_CONNECT)
		return;
	t->sealed = trailer->level == AUTH_LEVEL_PRIVACY;
	t->signature = RPC_SIG_UNCHECKED;
	if (!t->security || !t->security->auth)
		return;
	if (t->security->level != trailer->level) {
		rpc_security_lost(c, t->from);
		return;
	}
	r = unseal(c, t);
	if (r == 0 || r == MW_E_AUTH) {
		t->signature = r == 0 ? RPC_SIG_OK : RPC_SIG_BAD;
		t->decrypted = t->sealed;
	}
}

/* No verifier: allowed without any security, at level connect, and in PDUs that carry no call. */
static int open_bare(struct rpc_connection *c, struct rpc_taken *t)
{
	bool call = t->pdu.header.ptype == RPC_REQUEST || t->pdu.header.ptype == RPC_RESPONSE;

	t->security = implied(c);
	if (rpc_is_observer(c) || c->security_count == 0 || !call)
		return 0;
	if (!t->security)
		return MW_E_NOTFOUND;
	return t->security->complete ? 0 : MW_E_STATE;
}

int rpc_security_open(struct rpc_connection *c, struct rpc_taken *t)
{
	const struct rpc_sec_trailer *trailer = &t->pdu.trailer;
	struct rpc_security *s;
	int r;

	if (!t->pdu.has_auth)
		return open_bare(c, t);
	if (rpc_is_observer(c)) {
		observe(c, t);
		return 0;
	}
	s = rpc_security_find(c, trailer->context_id);
	if (!s)
		return MW_E_NOTFOUND;
	if (s->type != trailer->type || s->level != rpc_level_of(trailer->level))
		return MW_E_INVALID;
	t->security = s;
	if (!s->complete)
		return MW_E_STATE;
	if (!rpc_is_protected(s))
		return 0;
	t->sealed = s->level == AUTH_LEVEL_PRIVACY;
	r = unseal(c, t);
	if (r < 0)
		return r == MW_E_NOMEM ? r : MW_E_AUTH;
	t->signature = RPC_SIG_OK;
	t->decrypted = t->sealed;
	return 0;
}
