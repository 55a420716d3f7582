#include "rpc/private.h"

#include <stdlib.h>

static const struct auth_observer_config no_secrets;

struct rpc_security *rpc_security_find(struct rpc_connection *c, uint32_t id)
{
	for (unsigned i = c->security_count; i > 0; i--)
		if (c->security[i - 1]->id == id)
			return c->security[i - 1];
	return NULL;
}

static struct rpc_security *add(struct rpc_connection *c)
{
	struct rpc_security **grown, *s;

	if (c->security_count >= RPC_MAX_SECURITY)
		return NULL;
	grown = realloc(c->security, (c->security_count + 1) * sizeof(struct rpc_security *));
	if (!grown)
		return NULL;
	c->security = grown;
	s = calloc(1, sizeof *s);
	if (s)
		c->security[c->security_count++] = s;
	return s;
}

struct rpc_security *rpc_security_place(struct rpc_connection *c, const struct rpc_sec_trailer *trailer)
{
	struct rpc_security *s = rpc_security_find(c, trailer->context_id);

	if (!s)
		s = add(c);
	if (!s)
		return NULL;
	auth_free(&s->auth);
	*s = (struct rpc_security){
	        .id = trailer->context_id, .type = trailer->type, .level = rpc_level_of(trailer->level)};
	return s;
}

void rpc_security_free(struct rpc_connection *c)
{
	for (unsigned i = 0; i < c->security_count; i++) {
		auth_free(&c->security[i]->auth);
		free(c->security[i]);
	}
	free(c->security);
	c->security = NULL;
	c->security_count = 0;
}

void rpc_security_agree(struct rpc_connection *c, struct rpc_security *s, uint8_t flags)
{
	/* PFC_SUPPORT_HEADER_SIGN, [MS-RPCE] 2.2.2.3 */
	c->sign_header = c->sign_header || (flags & RPC_PFC_PENDING_CANCEL);
	for (unsigned i = 0; (flags & RPC_PFC_PENDING_CANCEL) && i < c->security_count; i++)
		if (c->security[i]->auth)
			auth_sign_header(c->security[i]->auth, true);
	if (s && s->auth)
		auth_sign_header(s->auth, c->sign_header);
}

void rpc_security_lost(struct rpc_connection *c, enum rpc_side from)
{
	for (unsigned i = 0; i < c->security_count; i++)
		if (c->security[i]->auth)
			auth_lost(c->security[i]->auth, rpc_auth_side(from));
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

	s = t->pdu.has_auth ? rpc_security_find(c, trailer->context_id) : NULL;
	if (t->pdu.has_auth && (!s || t->pdu.header.ptype == RPC_BIND || s->type != trailer->type))
		s = observe_new(c, trailer);
	t->security = s;
	/* The server repeats the flag only where both agree. */
	if (t->from == RPC_FROM_SERVER)
		rpc_security_agree(c, s, t->pdu.header.flags);
	if (s && s->auth)
		auth_watch(s->auth, rpc_auth_side(t->from), cursor_of(t->pdu.auth_value, t->pdu.header.auth_length));
}

/*
 * Whose a PDU without a verifier is: at level connect it may be left out. A server's is the context of the bind;
 * a further one never stands for requests that do not name it. [MS-RPCE] 3.3.1.5.4.
 */
static struct rpc_security *implied(struct rpc_connection *c)
{
	if (c->config.role == RPC_SERVER)
		return c->of_bind;
	return c->security_count == 1 && !rpc_is_protected(c->security[0]) ? c->security[0] : NULL;
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
	struct rpc_security *s = implied(c);

	if (rpc_is_observer(c) || !call) {
		t->security = s;
		return 0;
	}
	if (rpc_is_protected(s) || (c->config.role == RPC_CLIENT && c->security_count > 0 && !s))
		return MW_E_NOTFOUND;
	t->security = s;
	return !s || s->complete ? 0 : MW_E_STATE;
}

/* Under a context that is complete. */
static int open_under(struct rpc_connection *c, struct rpc_taken *t, struct rpc_security *s)
{
	int r;

	t->security = s;
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

int rpc_security_open_as(struct rpc_connection *c, struct rpc_taken *t, struct rpc_security *s)
{
	if (rpc_is_protected(s) ? !t->pdu.has_auth : !s && t->pdu.has_auth)
		return MW_E_NOTFOUND;
	return s ? open_under(c, t, s) : 0;
}

int rpc_security_open(struct rpc_connection *c, struct rpc_taken *t)
{
	const struct rpc_sec_trailer *trailer = &t->pdu.trailer;
	struct rpc_security *s;

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
	return s->complete ? open_under(c, t, s) : MW_E_STATE;
}
