#ifndef MW_BENCH_TUNNEL_H
#define MW_BENCH_TUNNEL_H

#include "session.h"
#include "web.h"

#include "http/rpch.h"

/* RPC over HTTP in TLS as a session's carrier: two connections, Basic outside. */
struct tunnel {
	struct web in, out;
	struct rpch_connection *machine;
	struct session *session;
	bool open;
};

/* Sets the carrier of s; session_begin is next. It is heard on t->out.fd. */
void tunnel_open(struct tunnel *t, struct session *s, uint16_t port, const char *user, const char *password);

#endif
