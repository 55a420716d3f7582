#include "base/secret.h"
#include "base/time.h"
#include "server/mapihttp/private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const cookie_names[] = {[MAPIHTTP_EMSMDB] = "MapiContext", [MAPIHTTP_NSPI] = "NspiContext"};
static const char sequence_name[] = "MapiSequence";

static struct mapihttp_context **bucket(struct server_loop *loop, const uint8_t key[MAPIHTTP_KEY])
{
	return &loop->mapi_contexts[(key[0] | (unsigned)key[1] << 8) % ARRAY_SIZE(loop->mapi_contexts)];
}

static bool is_room(const struct server_loop *loop, uint64_t account)
{
	unsigned count = 0, of_account = 0;
	for (unsigned i = 0; i < ARRAY_SIZE(loop->mapi_contexts); i++)
		for (const struct mapihttp_context *x = loop->mapi_contexts[i]; x; x = x->next) {
			count++;
			of_account += x->account == account;
		}
	return count < MAPIHTTP_MAX_CONTEXTS && of_account < MAPIHTTP_MAX_OF_ACCOUNT;
}

int mapihttp_context_new(struct server_loop *loop, enum mapihttp_endpoint endpoint, uint64_t account,
                         struct mapihttp_context **out)
{
	if (!is_room(loop, account))
		return MW_E_LIMIT;
	struct mapihttp_context *x = (struct mapihttp_context *)calloc(1, sizeof *x);
	if (!x || rpc_association_join(loop->associations, 0, &x->group) < 0) {
		free(x);
		return MW_E_NOMEM;
	}
	x->loop = loop;
	x->endpoint = endpoint;
	x->account = account;
	mapihttp_context_touch(x);
	random_system.fill(random_system.user, x->key, sizeof x->key);
	mapihttp_context_renew(x);
	x->next = *bucket(loop, x->key);
	*bucket(loop, x->key) = x;
	*out = x;
	return 0;
}

void mapihttp_context_touch(struct mapihttp_context *x)
{
	x->expires_ns = time_monotonic_ns() + x->loop->server->config.context_ms * NS_PER_MS;
}

void mapihttp_context_renew(struct mapihttp_context *x)
{
	random_system.fill(random_system.user, x->sequence, sizeof x->sequence);
}

struct mapihttp_context *mapihttp_context_find(struct server_loop *loop, const uint8_t key[MAPIHTTP_KEY])
{
	struct mapihttp_context *x = *bucket(loop, key);
	while (x && (x->ended || !secret_equal(x->key, key, MAPIHTTP_KEY)))
		x = x->next;
	return x;
}

void mapihttp_context_end(struct mapihttp_context *x)
{
	x->ended = true;
	if (x->running > 0)
		return;
	struct mapihttp_context **link = bucket(x->loop, x->key);
	while (*link != x)
		link = &(*link)->next;
	*link = x->next;
	rpc_association_leave(&x->group);
	secret_wipe(x->key, sizeof x->key);
	free(x);
}

/* ---- Cookies: the loop, then a key that cannot be guessed ---- */

static void put_hex(char *out, const uint8_t *data, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < len; i++) {
		out[2 * i] = digits[data[i] >> 4];
		out[2 * i + 1] = digits[data[i] & 15];
	}
	out[2 * len] = '\0';
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int take_hex(const char *text, uint8_t *out, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		int high = hex_digit(text[2 * i]), low = high < 0 ? -1 : hex_digit(text[2 * i + 1]);
		if (low < 0)
			return MW_E_MALFORMED;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return text[2 * len] ? MW_E_MALFORMED : 0;
}

void mapihttp_context_put_cookies(const struct mapihttp_context *x, char context[MAPIHTTP_COOKIE],
                                  char sequence[MAPIHTTP_COOKIE])
{
	char key[2 * MAPIHTTP_KEY + 1], number[2 * MAPIHTTP_KEY + 1];
	put_hex(key, x->key, MAPIHTTP_KEY);
	put_hex(number, x->sequence, MAPIHTTP_KEY);
	snprintf(context, MAPIHTTP_COOKIE, "%s=%02x%s; path=/mapi", cookie_names[x->endpoint], x->loop->index, key);
	snprintf(sequence, MAPIHTTP_COOKIE, "%s=%s; path=/mapi", sequence_name, number);
}

int mapihttp_cookie_context(const struct web_request *r, enum mapihttp_endpoint endpoint, unsigned *loop,
                            uint8_t key[MAPIHTTP_KEY])
{
	char text[2 * MAPIHTTP_KEY + 3];
	uint8_t both[MAPIHTTP_KEY + 1];
	if (!http_cookie(r->head, cookie_names[endpoint], text, sizeof text))
		return MW_E_NOTFOUND;
	if (take_hex(text, both, sizeof both) < 0 || both[0] >= r->server->loop_count)
		return MW_E_MALFORMED;
	*loop = both[0];
	memcpy(key, both + 1, MAPIHTTP_KEY);
	return 0;
}

bool mapihttp_cookie_sequence_fits(const struct web_request *r, const struct mapihttp_context *x)
{
	char text[2 * MAPIHTTP_KEY + 1];
	uint8_t said[MAPIHTTP_KEY];
	return http_cookie(r->head, sequence_name, text, sizeof text) && take_hex(text, said, sizeof said) == 0 &&
	       secret_equal(said, x->sequence, sizeof said);
}
