#include "client/web-private.h"

#include "base/base64.h"
#include "base/secret.h"
#include "base/time.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * The dance of authorization: Basic (RFC 7617) with each request, NTLM and Negotiate (RFC 4559, [MS-NTHT]) for the
 * connection, bound to its TLS channel. What the server took last is where the next connection begins.
 */

#define MOST_ROUNDS 12
#define STATUS_LOGON_FAILURE 0xC000006Du /* [MS-ERREF] 2.3.1 */

static const char *scheme_name(enum mapiwire_web_auth scheme)
{
	static const char *const names[] = {
	        [MAPIWIRE_WEB_AUTH_BASIC] = "Basic",
	        [MAPIWIRE_WEB_AUTH_NTLM] = "NTLM",
	        [MAPIWIRE_WEB_AUTH_NEGOTIATE] = "Negotiate",
	};
	return names[scheme];
}

static void drop_field(struct web_dance *d)
{
	if (d->field)
		secret_wipe(d->field, strlen(d->field));
	free(TAKE_PTR(d->field));
}

void web_dance_field_sent(struct client_web *w)
{
	drop_field(&w->dance);
}

static void drop_leg(struct web_dance *d)
{
	client_leg_drop(TAKE_PTR(d->leg));
}

void web_dance_clear(struct client_web *w)
{
	struct web_dance *d = &w->dance;
	drop_field(d);
	drop_leg(d);
	if (d->aside && client_aside_end(w->m, &d->aside, MW_E_CANCELLED) == 0)
		client_leg_drop(d->made);
	*d = (struct web_dance){0};
}

/* ---- The field ---- */

static int put_field(struct client_web *w, const void *data, size_t len)
{
	struct buf text = {0};
	drop_field(&w->dance);
	buf_put_str(&text, scheme_name(w->dance.scheme));
	buf_put_u8(&text, ' ');
	base64_put(&text, data, len);
	if (buf_put_u8(&text, 0) < 0) {
		buf_free(&text);
		web_lose(w, MAPIWIRE_E_MEMORY, CAUSE_CALL_FAILED, 0, "out of memory");
		return MW_E_NOMEM;
	}
	w->dance.field = (char *)text.data;
	return 1;
}

/* The password as it is goes to nobody who has not proved who it is. */
static int put_basic(struct client_web *w)
{
	const struct client_login *l = w->m->login;
	struct buf text MW_CLEANUP(buf_free) = {0};
	if (!w->tls || w->site->insecure || !l->password) {
		web_lose(w, MAPIWIRE_E_REFUSED, CAUSE_PASSWORD_WITHHELD, 401, "%s", w->site->authority);
		return MW_E_AUTH;
	}
	if (*l->domain)
		buf_printf(&text, "%s\\", l->domain);
	buf_printf(&text, "%s:%s", l->user, l->password);
	w->dance.complete = true;
	w->dance.mechanism = AUTH_NONE;
	int r = put_field(w, text.data, text.len);
	if (text.data)
		secret_wipe(text.data, text.len);
	return r;
}

/* What the leg has to say, or why it cannot go on. */
static int take_token(struct client_web *w)
{
	struct web_dance *d = &w->dance;
	struct auth_info info = {0};
	const struct client_leg *leg = d->leg;
	if (leg && (leg->result == 0 || leg->result == MW_E_AGAIN)) {
		auth_get_info(leg->auth, &info);
		d->mechanism = info.mechanism;
		/* A ticket's first token is its last, but for the server's proof; NTLM's is the second. */
		d->complete = leg->result == 0 || info.mechanism == AUTH_KERBEROS || ++d->steps > 1;
		return put_field(w, leg->token.data, leg->token.len);
	}
	if (leg && leg->result == MW_E_AUTH) {
		web_lose(w, MAPIWIRE_E_REFUSED, CAUSE_CALL_FAILED, leg->status, "%s", leg->target);
		w->end.by_status = true;
	} else if (!leg || leg->result == MW_E_NOMEM) {
		web_lose(w, MAPIWIRE_E_MEMORY, CAUSE_CALL_FAILED, 0, "authentication: out of memory");
	} else {
		web_lose(w, MAPIWIRE_E_PROTOCOL, CAUSE_PROTOCOL_ERROR, 0, "a token of %s that makes no sense",
		         scheme_name(d->scheme));
	}
	return MW_E_AUTH;
}

/* ---- Beginning ---- */

static int begin_leg(struct client_web *w)
{
	struct web_dance *d = &w->dance;
	bool tickets = d->scheme == MAPIWIRE_WEB_AUTH_NEGOTIATE && w->m->login->type != AUTH_NTLM;
	struct client_leg *leg;
	drop_leg(d);
	if (client_leg_new(w->m->login, "HTTP", w->site->host, AUTH_LEVEL_NONE, &leg) < 0)
		return take_token(w);
	leg->type = d->scheme == MAPIWIRE_WEB_AUTH_NTLM ? AUTH_NTLM : AUTH_SPNEGO;
	leg->config.kerberos = tickets;
	if (!tickets)
		leg->config.user = w->m->login->user;
	if (w->tls && tls_channel_binding(w->tls, leg->binding, &leg->binding_len) < 0)
		leg->binding_len = 0;
	if (!tickets) {
		client_leg_run(leg);
		d->leg = leg;
		return take_token(w);
	}
	d->made = leg;
	d->aside = client_aside_begin(w->m, client_leg_run, client_leg_drop, leg);
	return d->aside ? 0 : take_token(w);
}

static int begin(struct client_web *w, enum mapiwire_web_auth scheme)
{
	struct web_dance *d = &w->dance;
	d->scheme = scheme;
	d->complete = false;
	d->steps = 0;
	d->known = scheme == MAPIWIRE_WEB_AUTH_NONE ? WEB_KNOWN : WEB_DANCING;
	if (d->known == WEB_DANCING && d->began == 0)
		d->began = time_monotonic_ns();
	switch (scheme) {
	case MAPIWIRE_WEB_AUTH_BASIC:
		return put_basic(w);
	case MAPIWIRE_WEB_AUTH_NTLM:
	case MAPIWIRE_WEB_AUTH_NEGOTIATE:
		return begin_leg(w);
	default:
		return 1;
	}
}

/* Whether this request needs a field though the connection is known. */
static bool holds_for_one_request(const struct client_web *w)
{
	return w->dance.scheme == MAPIWIRE_WEB_AUTH_BASIC ||
	       (w->site->each && w->dance.scheme == MAPIWIRE_WEB_AUTH_NEGOTIATE);
}

int web_dance_prepare(struct client_web *w, bool *probe)
{
	struct web_dance *d = &w->dance;
	int r = 1;
	if (d->aside && !d->aside->finished)
		return 0;
	if (d->aside) {
		d->leg = client_aside_end(w->m, &d->aside, MW_E_AGAIN) == 0 ? d->made : NULL;
		d->made = NULL;
		r = take_token(w);
	} else if (!d->field && d->known == WEB_STRANGER && w->site->known != MAPIWIRE_WEB_AUTH_DEFAULT) {
		r = begin(w, w->site->known);
	} else if (!d->field && d->known == WEB_KNOWN && holds_for_one_request(w)) {
		r = begin(w, d->scheme);
	}
	if (d->began == 0 && d->known == WEB_STRANGER)
		d->began = time_monotonic_ns();
	*probe = d->known == WEB_STRANGER || (d->known == WEB_DANCING && !d->complete);
	return r;
}

/* ---- What the server says ---- */

/* The best that both sides have; DEFAULT: nothing. */
static enum mapiwire_web_auth choose(const struct client_web *w, const struct http_head *head)
{
	static const enum mapiwire_web_auth by_ticket[] = {MAPIWIRE_WEB_AUTH_NEGOTIATE, MAPIWIRE_WEB_AUTH_NTLM,
	                                                   MAPIWIRE_WEB_AUTH_BASIC};
	static const enum mapiwire_web_auth by_password[] = {MAPIWIRE_WEB_AUTH_NTLM, MAPIWIRE_WEB_AUTH_NEGOTIATE,
	                                                     MAPIWIRE_WEB_AUTH_BASIC};
	const struct client_login *l = w->m->login;
	const enum mapiwire_web_auth *order = l->type == AUTH_NTLM ? by_password : by_ticket, wanted = w->site->wanted;
	const char *token;
	size_t len;
	for (unsigned i = 0; i < ARRAY_SIZE(by_ticket); i++) {
		bool fits = wanted == MAPIWIRE_WEB_AUTH_DEFAULT ? order[i] == MAPIWIRE_WEB_AUTH_NEGOTIATE || l->password
		                                                : order[i] == wanted;
		if (fits && http_challenge(head, scheme_name(order[i]), &token, &len))
			return order[i];
	}
	return MAPIWIRE_WEB_AUTH_DEFAULT;
}

/* "Negotiate, Basic": the schemes on offer, for people. */
static void list_offers(const struct http_head *head, char *out, size_t size)
{
	unsigned at = 0;
	size_t n = 0;
	*out = 0;
	for (const char *v; n < size && (v = http_field_next(head, "WWW-Authenticate", &at));)
		n += (size_t)snprintf(out + n, size - n, "%s%.*s", n > 0 ? ", " : "",
		                      (int)(strcspn(v, " ") < 40 ? strcspn(v, " ") : 40), v);
}

static void lose_by_offer(struct client_web *w, const struct http_head *head)
{
	char offers[120];
	list_offers(head, offers, sizeof offers);
	web_lose(w, MAPIWIRE_E_REFUSED, CAUSE_AUTH_TYPE_REFUSED, 401, " (HTTP; it offers %s)",
	         *offers ? offers : "none");
}

static bool start_anew(struct client_web *w, const struct http_head *head)
{
	enum mapiwire_web_auth scheme = choose(w, head);
	if (w->dance.known == WEB_KNOWN && w->dance.scheme == MAPIWIRE_WEB_AUTH_NEGOTIATE)
		w->site->each = true;
	if (scheme != MAPIWIRE_WEB_AUTH_DEFAULT)
		return begin(w, scheme) >= 0;
	lose_by_offer(w, head);
	return false;
}

void web_dance_refuse(struct client_web *w, const struct http_head *head)
{
	const struct client_login *l = w->m->login;
	const char *scheme = scheme_name(w->dance.scheme), *token;
	size_t len;
	w->site->known = w->site->wanted;
	if (!scheme || !http_challenge(head, scheme, &token, &len))
		lose_by_offer(w, head);
	else if (w->dance.mechanism == AUTH_KERBEROS && w->dance.leg)
		web_lose(w, MAPIWIRE_E_REFUSED, CAUSE_TICKET_REFUSED, 401, "%s", w->dance.leg->target);
	else
		web_lose(w, MAPIWIRE_E_REFUSED, CAUSE_CREDENTIALS_REFUSED, 401, " of %s%s%s (HTTP, %s)", l->domain,
		         *l->domain ? "\\" : "", l->user, scheme);
}

/* The server's next token. False: it has none. */
static bool take_challenge(struct client_web *w, const struct http_head *head)
{
	struct web_dance *d = &w->dance;
	struct buf token MW_CLEANUP(buf_free) = {0};
	const char *text;
	size_t len;
	if (!d->leg || !http_challenge(head, scheme_name(d->scheme), &text, &len) || len == 0)
		return false;
	char *copy = strndup(text, len);
	if (!copy || base64_decode(&token, copy, len) < 0)
		d->leg->result = copy ? MW_E_MALFORMED : MW_E_NOMEM;
	else
		client_leg_step(d->leg, cursor_of(token.data, token.len));
	free(copy);
	return true;
}

bool web_dance_refused(struct client_web *w, const struct http_head *head)
{
	struct web_dance *d = &w->dance;
	const char *token;
	size_t len;
	if (++d->rounds > MOST_ROUNDS) {
		web_lose(w, MAPIWIRE_E_PROTOCOL, CAUSE_PROTOCOL_ERROR, 401, "it asks without end who we are");
		return false;
	}
	if (d->known != WEB_DANCING)
		return start_anew(w, head);
	if (!http_challenge(head, scheme_name(d->scheme), &token, &len) && w->site->wanted == MAPIWIRE_WEB_AUTH_DEFAULT)
		return start_anew(w, head); /* what it took once it takes no more */
	/* A ticket may be answered by the wish for another mechanism; a leg that said all may not be answered. */
	if (d->leg && d->leg->result == MW_E_AGAIN && take_challenge(w, head))
		return take_token(w) > 0;
	web_dance_refuse(w, head);
	return false;
}

void web_dance_accepted(struct client_web *w, const struct http_head *head)
{
	struct web_dance *d = &w->dance;
	if (d->known == WEB_KNOWN)
		return;
	w->site->known = d->known == WEB_STRANGER ? MAPIWIRE_WEB_AUTH_NONE : d->scheme;
	if (d->leg && d->leg->result == MW_E_AGAIN && take_challenge(w, head) && d->leg->result != 0)
		web_lose(w, MAPIWIRE_E_PROTOCOL, CAUSE_PROTOCOL_ERROR, 0, "its proof of who it is does not fit");
	drop_leg(d);
	if (d->known == WEB_DANCING && w->times.auth_ns == 0)
		w->times.auth_ns = time_monotonic_ns() - d->began;
	d->known = WEB_KNOWN;
	d->rounds = 0;
}

const char *client_web_auth(const struct client_web *w)
{
	const struct web_dance *d = &w->dance;
	if (d->known != WEB_KNOWN || d->scheme == MAPIWIRE_WEB_AUTH_DEFAULT || d->scheme == MAPIWIRE_WEB_AUTH_NONE)
		return "none";
	return d->scheme == MAPIWIRE_WEB_AUTH_BASIC ? "basic" : auth_type_name(d->mechanism);
}
