#include "base/base64.h"
#include "base/secret.h"
#include "base/text.h"
#include "base/time.h"
#include "causes/causes.h"
#include "server/web_conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Who asks: Basic (RFC 7617) for one request, over TLS alone; NTLM and Negotiate (RFC 4559) for the connection. A
 * trusted proxy's connection carries requests of many: there they hold for one request, too.
 */

void web_auth_clear(struct web_auth *a)
{
	auth_free(&a->context);
	buf_free(&a->reply);
	a->account = 0;
}

static struct auth_env env_of(const struct web_conn *c)
{
	return (struct auth_env){
	        .now_ns = time_now_ns(),
	        .random = &random_system,
	        .binding = c->auth.binding,
	        .binding_len = c->auth.binding_len,
	        .binding_required = c->tls && c->request.server->config.binding_required,
	};
}

/* 401 with all that may be tried, or with the next token of a handshake that goes on. */
static void ask(struct web_conn *c, const char *token)
{
	struct http_field fields[4];
	unsigned n = 0;
	fields[n++] = (struct http_field){"Content-Type", "text/plain; charset=utf-8"};
	if (token) {
		fields[n++] = (struct http_field){"WWW-Authenticate", token};
	} else {
		fields[n++] = (struct http_field){"WWW-Authenticate", "Negotiate"};
		fields[n++] = (struct http_field){"WWW-Authenticate", "NTLM"};
		if (c->request.secure)
			fields[n++] =
			        (struct http_field){"WWW-Authenticate", "Basic realm=\"mapiwire\", charset=\"UTF-8\""};
	}
	struct http_head head = {.status = 401, .fields = fields, .field_count = n};
	static const char text[] = "Say who you are.\n";
	web_answer(&c->request, &head, text, sizeof text - 1);
}

static void log_refused(const struct web_conn *c, const char *user, uint32_t status)
{
	enum cause cause = cause_of_status(CAUSE_OF_FAULT, status);
	char sentence[CAUSE_TEXT_SIZE] = "", attempt[CAUSE_TEXT_SIZE];
	if (cause != CAUSE_CALL_FAILED) /* which says no more than the number */
		cause_explain(cause, &(struct cause_about){0}, sentence, attempt);
	log_line(c->request.server->config.log, LOG_WARNING, "authentication refused: user %s at %s, 0x%08X %s",
	         user && *user ? user : "?", c->request.peer, status, sentence);
}

static void know(struct web_conn *c, uint64_t account, const char *domain, const char *user, enum auth_type type)
{
	struct web_auth *a = &c->auth;
	a->account = account;
	a->type = type;
	if (domain && *domain)
		snprintf(a->user, sizeof a->user, "%s\\%s", domain, user);
	else
		snprintf(a->user, sizeof a->user, "%s", user ? user : "");
	crowd_know(c->stream);
}

/* ---- Basic ---- */

/* "DOMAIN\user:password"; the password may have colons, the user not. */
static bool check_basic(struct web_conn *c, char *text)
{
	char *password = strchr(text, ':'), *user = text, *slash;
	const char *domain = "";
	uint64_t account;
	uint32_t status = 0;
	if (!password)
		return false;
	*password++ = '\0';
	if ((slash = strchr(text, '\\'))) {
		*slash = '\0';
		domain = text;
		user = slash + 1;
	}
	struct auth_env env = env_of(c);
	if (auth_check_password(&c->request.server->auth, &env, domain, user, password, &account, &status) < 0) {
		log_refused(c, user, status);
		return false;
	}
	know(c, account, domain, user, AUTH_NONE);
	return true;
}

static bool take_basic(struct web_conn *c, const char *credentials)
{
	struct buf text MW_CLEANUP(buf_free) = {0};
	bool known = false;
	if (!c->request.secure) /* anybody could have read it: it must not become a habit */
		return false;
	if (base64_decode(&text, credentials, strlen(credentials)) == 0 &&
	    (text.len == 0 || !memchr(text.data, 0, text.len)) && buf_put_u8(&text, 0) == 0)
		known = check_basic(c, (char *)text.data);
	if (text.data)
		secret_wipe(text.data, text.len);
	return known;
}

/* ---- NTLM and Negotiate ---- */

static bool finish_handshake(struct web_conn *c)
{
	struct auth_info info;
	auth_get_info(c->auth.context, &info);
	if (info.anonymous || !info.account_id) {
		log_refused(c, "", 0xC0000022); /* STATUS_ACCESS_DENIED */
		return false;
	}
	know(c, info.account_id, info.domain, info.user, info.mechanism);
	return true;
}

static int put_token(struct buf *out, const char *scheme, const struct buf *token)
{
	buf_put_str(out, scheme);
	buf_put_u8(out, ' ');
	return base64_put(out, token->data, token->len);
}

/* One leg. 1: known; 0: not; negative: answered with the next leg. */
static int step(struct web_conn *c, const char *scheme, struct cursor in)
{
	struct buf token MW_CLEANUP(buf_free) = {0}, field MW_CLEANUP(buf_free) = {0};
	struct auth_env env = env_of(c);
	uint32_t status = 0;
	int r = auth_step(c->auth.context, &env, in, &token, &status);
	if (r == MW_E_AGAIN) {
		if (put_token(&field, scheme, &token) < 0 || buf_put_u8(&field, 0) < 0)
			return 0;
		ask(c, (const char *)field.data);
		return -1;
	}
	if (r == 0 && finish_handshake(c)) {
		buf_clear(&c->auth.reply);
		if (token.len > 0 && put_token(&c->auth.reply, scheme, &token) < 0)
			return 0;
		return 1;
	}
	struct auth_info info = {0};
	auth_get_info(c->auth.context, &info);
	if (r < 0)
		log_refused(c, info.user, status);
	return 0;
}

static int take_token(struct web_conn *c, const char *scheme, enum auth_type type, const char *text)
{
	struct web_auth *a = &c->auth;
	struct buf token MW_CLEANUP(buf_free) = {0};
	if (base64_decode(&token, text, strlen(text)) < 0 || token.len == 0)
		return 0;
	if (a->account || (a->context && a->scheme != type)) {
		a->account = 0;
		auth_free(&a->context);
	}
	a->scheme = type;
	if (!a->context && auth_server_new(type, AUTH_LEVEL_NONE, &c->request.server->auth, &a->context) < 0)
		return 0;
	int r = step(c, scheme, cursor_of(token.data, token.len));
	if (r >= 0)
		auth_free(&a->context);
	return r;
}

static const char *after_scheme(const char *value, const char *scheme)
{
	size_t n = strlen(scheme);
	if (strncasecmp(value, scheme, n) != 0 || (value[n] && value[n] != ' '))
		return NULL;
	return value + n + strspn(value + n, " ");
}

/* 1: known; 0: to be asked; negative: answered. */
static int take_authorization(struct web_conn *c, const char *value)
{
	const char *rest;
	if ((rest = after_scheme(value, "Basic")))
		return take_basic(c, rest);
	if ((rest = after_scheme(value, "NTLM")))
		return take_token(c, "NTLM", AUTH_NTLM, rest);
	if ((rest = after_scheme(value, "Negotiate")))
		return take_token(c, "Negotiate", AUTH_SPNEGO, rest);
	return 0;
}

/* What was proved for the connection holds for the next request; what was for a request, or by way of a proxy, not. */
static bool still_known(struct web_conn *c)
{
	if (c->proxied || c->auth.type == AUTH_NONE)
		c->auth.account = 0;
	return c->auth.account != 0;
}

bool web_auth_passes(struct web_conn *c)
{
	struct web_request *r = &c->request;
	if (r->route->open)
		return true;
	const char *value = http_field(r->head, "Authorization");
	bool known = still_known(c);
	int result = value ? take_authorization(c, value) : known;
	if (result < 0)
		return false;
	if (result == 0) {
		web_auth_clear(&c->auth);
		ask(c, NULL);
		return false;
	}
	r->account = c->auth.account;
	r->user = c->auth.user;
	r->auth_type = c->auth.type;
	return true;
}
