#include "server/rpc_http.h"

#include "base/text.h"
#include "server/accounts.h"

#include <stdlib.h>
#include <string.h>

/* Requests of RPC over HTTP, [MS-RPCH] 2.1.2.1, to channels. */

/* RPC_S_SERVER_UNAVAILABLE, and RPC_S_PROTOCOL_ERROR: what Windows' proxies say in the reason phrase. */
#define UNAVAILABLE 0x6ba
#define PROTOCOL_ERROR 0x6c0

/* ---- Answers ---- */

/* [MS-RPCH] 2.1.2.1.3: the reason phrase is for machines, the sentence for people. */
static void refuse(struct web_request *r, unsigned code, const char *why)
{
	static const struct http_field fields[] = {{"Content-Type", "text/plain; charset=utf-8"}};
	char reason[32];
	struct http_head head = {.status = 503, .reason = reason, .fields = fields, .field_count = 1};
	snprintf(reason, sizeof reason, "RPC Error: %x", code);
	log_line(r->server->config.log, LOG_WARNING, "RPC over HTTP of %s from %s refused: %s", r->user, r->peer, why);
	web_answer(r, &head, why, strlen(why));
}

static const struct http_field rpc_fields[] = {{"Content-Type", "application/rpc"}};

static void answer_echo(struct web_request *r)
{
	struct http_head head = {.status = 200, .reason = "Success", .fields = rpc_fields, .field_count = 1};
	struct buf MW_CLEANUP(buf_free) echo = {0};
	rpch_put_echo(&echo);
	web_answer(r, &head, echo.data, echo.len);
}

/* The request may be gone afterwards, and its channel with it. */
void rpc_http_send(struct rpc_http_channel *ch, struct buf *out)
{
	struct http_head head = {
	        .status = 200,
	        .reason = "Success",
	        .fields = rpc_fields,
	        .field_count = 1,
	        .body = HTTP_LENGTH,
	        .length = RPCH_DEFAULT_LIFETIME,
	};
	struct web_request *r = ch->request;
	bool first = !ch->answered;
	if (out->len == 0)
		return;
	/* Sending may send what others have, and more may come into the buffer from there. */
	struct buf MW_CLEANUP(buf_free) taken = *out;
	*out = (struct buf){.max = taken.max};
	ch->answered = true;
	if (first)
		web_begin(r, &head);
	web_send(r, taken.data, taken.len);
}

void rpc_http_finish(struct rpc_http_channel *ch, struct buf *out)
{
	struct web_request *r = ch->request;
	r->state = NULL; /* so that it is not freed by its request's end */
	rpc_http_send(ch, out);
	free(ch);
	web_cut(r);
}

/* ---- Whose name it asks for: never to be connected to, only compared ---- */

static bool same(const char *name, size_t len, const char *ours)
{
	return strlen(ours) == len && strncasecmp(name, ours, len) == 0;
}

static bool is_our_name(struct web_request *r, const char *name, size_t len)
{
	struct directory_snapshot *s = accounts_snapshot(r->server);
	const struct directory_settings *d = s ? directory_settings(s) : NULL;
	char whole[512] = "", address[16];
	snprintf(address, sizeof address, "%u.%u.%u.%u", r->local_ip[0], r->local_ip[1], r->local_ip[2],
	         r->local_ip[3]);
	if (d)
		snprintf(whole, sizeof whole, "%s.%s", d->server_name, d->mail_domain);
	bool ours = same(name, len, r->server->host) || same(name, len, address) ||
	            (d && (same(name, len, d->server_name) || same(name, len, whole)));
	directory_snapshot_unref(&s);
	/* What Exchange Server 2013 and later hand out: the mailbox as a server's name. */
	return ours || accounts_has_mailbox(r->server, name, len);
}

/* "host:6001" */
static bool read_target(struct web_request *r, enum server_port *out)
{
	const char *query = r->query ? r->query : "", *colon = strrchr(query, ':');
	if (!colon || !is_our_name(r, query, (size_t)(colon - query)))
		return false;
	for (enum server_port p = SERVER_PORT_COUNT; p < SERVER_SETUP_COUNT; p++)
		if (strcmp(colon + 1, r->server->port_text[p]) == 0) {
			*out = p;
			return true;
		}
	return false;
}

/* ---- The route ---- */

static bool is_echo(const struct http_head *head)
{
	return head->body == HTTP_NO_BODY || (head->body == HTTP_LENGTH && head->length <= RPCH_ECHO_MOST);
}

/* In the loop of the user. */
static void begin_here(struct web_request *r)
{
	bool in = strcmp(r->head->method, "RPC_IN_DATA") == 0;
	if (!in && strcmp(r->head->method, "RPC_OUT_DATA") != 0) {
		web_refuse(r, 405, "This address is for RPC over HTTP: RPC_IN_DATA and RPC_OUT_DATA.");
		return;
	}
	struct rpc_http_channel *ch = (struct rpc_http_channel *)calloc(1, sizeof *ch);
	if (!ch) {
		web_refuse(r, 503, "The server is out of memory.");
		return;
	}
	ch->request = r;
	ch->direction = in ? RPCH_IN : RPCH_OUT;
	ch->unknown = !read_target(r, &ch->port);
	ch->echo = is_echo(r->head);
	r->state = ch;
	if (!ch->echo && !ch->unknown)
		web_no_deadline(r);
}

void rpc_http_begin(struct web_request *r)
{
	web_move(r, &r->server->loops[r->account % r->server->loop_count], begin_here);
}

static void refuse_channel(struct rpc_http_channel *ch, const char *why)
{
	struct web_request *r = ch->request;
	bool unknown = ch->unknown;
	r->state = NULL;
	free(ch);
	refuse(r, unknown ? UNAVAILABLE : PROTOCOL_ERROR, unknown ? "no such RPC server here" : why);
}

/* Holds the first bytes back until they are the first PDU; what follows goes on as it is. */
static void read_first(struct rpc_http_channel *ch, const uint8_t *data, size_t len)
{
	struct rpch_opening opening;
	const char *why = "a channel that does not begin with an RTS PDU of its kind";
	unsigned had = ch->first_len;
	size_t n = sizeof ch->first - had < len ? sizeof ch->first - had : len;
	memcpy(ch->first + had, data, n);
	ch->first_len += (unsigned)n;
	int r = rpch_read_opening(ch->direction, ch->first, ch->first_len, &opening, &why);
	if (r == MW_E_AGAIN && ch->first_len < sizeof ch->first)
		return;
	size_t used = r == 0 ? opening.size - had : 0;
	if (r != 0 || ch->unknown || !rpc_http_attach(ch, &opening, data + used, len - used, &why))
		refuse_channel(ch, why);
}

void rpc_http_body(struct web_request *r, const uint8_t *data, size_t len)
{
	struct rpc_http_channel *ch = (struct rpc_http_channel *)r->state;
	if (!ch || ch->echo)
		return;
	if (ch->connection)
		rpc_http_feed(ch, data, len);
	else
		read_first(ch, data, len);
}

void rpc_http_end(struct web_request *r)
{
	struct rpc_http_channel *ch = (struct rpc_http_channel *)r->state;
	if (!ch)
		return;
	if (ch->echo) {
		r->state = NULL;
		free(ch);
		answer_echo(r);
	} else if (!ch->connection) {
		refuse_channel(ch, "a channel that ends before its first RTS PDU");
	} else if (ch->direction == RPCH_IN) {
		rpc_http_lost(ch, "the IN channel has ended and was not replaced");
	}
}

void rpc_http_gone(struct web_request *r)
{
	struct rpc_http_channel *ch = (struct rpc_http_channel *)r->state;
	r->state = NULL;
	if (ch && ch->connection)
		rpc_http_lost(ch, NULL);
	free(ch);
}

void rpc_http_drained(struct web_request *r)
{
	struct rpc_http_channel *ch = (struct rpc_http_channel *)r->state;
	if (ch && ch->connection)
		rpc_http_relax(ch->connection);
}
