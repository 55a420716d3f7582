#ifndef MW_SERVER_WEB_CONN_H
#define MW_SERVER_WEB_CONN_H

#include "server/stream.h"
#include "server/web.h"
#include "tls/tls.h"

/* Behind web.h: one HTTP connection, for web.c, web_auth.c and web_move.c only. */

/* Who is at the other end, by NTLM or Negotiate for the connection, by Basic for the request. */
struct web_auth {
	struct auth_context *context;
	enum auth_type scheme;
	uint64_t account;
	char user[128];
	enum auth_type type;
	struct buf reply; /* a last token that goes with the answer */
	uint8_t binding[TLS_BINDING_MAX];
	size_t binding_len;
};

struct web_conn {
	struct web_request request; /* a request is found by it */
	struct web_conn *hash_next;
	struct server_stream *stream;
	struct http_connection *http;
	struct tls_session *tls; /* NULL: plain */
	struct web_auth auth;
	struct buf left; /* plain bytes that were not wanted yet */
	struct loop_unsent unsent;
	bool open;      /* the request is its route's */
	bool in_feed;   /* its bytes are being read: it is not freed, closed and moved before the end of that */
	bool finishing; /* nothing more comes or goes but what waits */
	bool dead;      /* the stream is gone */
	bool plenty;    /* output waits, and the route wants to know when it has gone */
	bool proxied;   /* a trusted proxy is at the other end, with requests of many */
	char path[1024];
	char address[48]; /* of who connected */
	struct server_loop *moving;
	bool end_waits; /* the request has no body, and its end was told before it had moved */
	void (*moved)(struct web_request *r);
	uint64_t bytes_seen;
};

static inline struct web_conn *web_conn_of(const struct web_request *r)
{
	return (struct web_conn *)(uintptr_t)r;
}

/* After whatever may have put something out, closed it or moved it. May free it. */
void web_settle(struct web_conn *c);
void web_feed_plain(struct web_conn *c, const uint8_t *data, size_t len);
void web_hash_in(struct web_conn *c);
void web_hash_out(struct web_conn *c);
void web_conn_free(struct web_conn *c);
extern const struct stream_ops web_stream;

/* web_auth.c: whether the request may be its route's; else it is answered. */
bool web_auth_passes(struct web_conn *c);
void web_auth_clear(struct web_auth *a);

/* web_move.c */
void web_move_now(struct web_conn *c);

#endif
