#include "client/mapi.h"

#include "base/text.h"
#include "http/field.h"

#include <stdlib.h>
#include <string.h>

/* Session contexts and their cookies: [MS-OXCMAPIHTTP] 3.1.5.1; RFC 6265 as far as one server and one path need it. */

struct client_context *client_context_new(enum client_endpoint endpoint)
{
	struct client_context *x = (struct client_context *)calloc(1, sizeof *x);
	struct guid guid;
	if (!x)
		return NULL;
	x->references = 1;
	x->endpoint = endpoint;
	random_guid(&random_system, &guid);
	guid_format(&guid, x->group);
	return x;
}

static void free_cookie(struct client_cookie *c)
{
	free(c->name);
	free(c->value);
}

void client_context_unref(struct client_context **context)
{
	struct client_context *x = *context;
	*context = NULL;
	if (!x || --x->references > 0)
		return;
	for (unsigned i = 0; i < x->cookie_count; i++)
		free_cookie(&x->cookies[i]);
	free(x);
}

static struct client_cookie *find_cookie(struct client_context *x, const char *name)
{
	for (unsigned i = 0; i < x->cookie_count; i++)
		if (strcmp(x->cookies[i].name, name) == 0)
			return &x->cookies[i];
	return NULL;
}

/* A value that has changed is what tells requests apart: the sequence cookie, 3.2.5.1. */
static int put_cookie(struct client_context *x, const char *name, const char *value)
{
	struct client_cookie *c = find_cookie(x, name);
	if (c && strcmp(c->value, value) == 0)
		return 0;
	if (!c && x->cookie_count == CLIENT_MAX_COOKIES)
		return MW_E_LIMIT;
	struct client_cookie made = {strdup(name), strdup(value)};
	if (!made.name || !made.value) {
		free_cookie(&made);
		return MW_E_NOMEM;
	}
	if (c) {
		x->sequenced = true;
		free_cookie(c);
	} else {
		c = &x->cookies[x->cookie_count++];
	}
	*c = made;
	return 0;
}

static const char *trim(char *text)
{
	text += strspn(text, " \t");
	for (size_t n = strlen(text); n > 0 && (text[n - 1] == ' ' || text[n - 1] == '\t'); n--)
		text[n - 1] = '\0';
	return text;
}

/* "name=value; attributes". What no header could say back is no cookie; the attributes are about other requests than
 * those to the endpoint that set it. */
static int take_cookie(struct client_context *x, const char *text)
{
	char pair[CLIENT_MAX_COOKIE];
	size_t len = strcspn(text, ";");
	if (len >= sizeof pair)
		return MW_E_LIMIT;
	memcpy(pair, text, len);
	pair[len] = '\0';
	char *equals = strchr(pair, '=');
	if (!equals)
		return 0;
	*equals = '\0';
	const char *name = trim(pair), *value = trim(equals + 1);
	return http_is_token(name) && http_is_value(value) ? put_cookie(x, name, value) : 0;
}

int client_context_take_cookies(struct client_context *x, const struct http_head *head)
{
	const char *text;
	unsigned at = 0;
	int r = 0;
	while (r == 0 && (text = http_field_next(head, "Set-Cookie", &at)) != NULL)
		r = take_cookie(x, text);
	return r;
}

int client_context_cookies(const struct client_context *x, struct arena *arena, const char **out)
{
	const char *all = NULL;
	for (unsigned i = 0; i < x->cookie_count; i++) {
		const struct client_cookie *c = &x->cookies[i];
		all = all ? arena_printf(arena, "%s; %s=%s", all, c->name, c->value)
		          : arena_printf(arena, "%s=%s", c->name, c->value);
		if (!all)
			return MW_E_NOMEM;
	}
	*out = all;
	return 0;
}
