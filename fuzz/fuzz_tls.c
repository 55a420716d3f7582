#include "fuzz.h"

#include "base/time.h"
#include "tls/tls.h"

#include <stdlib.h>

/*
 * What a stranger sends to a server or a client before the handshake is over, or puts between two who are through it.
 * The first byte: whom it is for (1: the client), whether after a handshake (2), and how many bytes come at a time.
 */
enum { FOR_CLIENT = 1, AFTER = 2 };

static struct tls_keys *make_keys(void)
{
	struct buf cert = {0}, key = {0};
	struct tls_keys *keys = NULL;
	char why[TLS_WHY];
	if (tls_make_self_signed("mail.demo.test", time_now_ns(), &cert, &key) < 0 ||
	    tls_keys_load(cert.data, cert.len, key.data, key.len, &keys, why) < 0)
		abort();
	buf_free(&cert);
	buf_free(&key);
	return keys;
}

/* What one has put out goes to the other; yields how much that was. */
static size_t carry(struct tls_session *from, struct tls_session *to)
{
	struct buf *out = tls_output(from);
	size_t len = out->len;
	must(tls_feed(to, out->data, len) == 0);
	buf_clear(out);
	return len;
}

static void shake_hands(struct tls_session *client, struct tls_session *server)
{
	must(tls_begin(client) == 0);
	while (carry(client, server) + carry(server, client) > 0)
		;
	must(tls_ready(client) && tls_ready(server));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct tls_keys *keys;
	struct tls_session *client, *server;
	if (size < 1)
		return 0;
	if (!keys)
		keys = make_keys();
	const struct tls_config as_server = {.role = TLS_SERVER, .keys = keys};
	const struct tls_config as_client = {.role = TLS_CLIENT, .server_name = "mail.demo.test", .insecure = true};
	must(tls_new(&as_server, &server) == 0 && tls_new(&as_client, &client) == 0);
	struct tls_session *t = data[0] & FOR_CLIENT ? client : server;
	if (data[0] & AFTER)
		shake_hands(client, server);
	else if (t == client)
		must(tls_begin(client) == 0);
	size_t step = data[0] >> 2 ? data[0] >> 2 : size;
	int r = 0;
	for (size_t at = 1; at < size && r == 0;) {
		size_t n = step < size - at ? step : size - at;
		r = tls_feed(t, data + at, n);
		at += n;
	}
	/* Without the keys nobody gets this far, and nobody's bytes are taken for the peer's. */
	must(tls_ready(t) == !!(data[0] & AFTER) && tls_plain(t)->len == 0);
	must(r == 0 || *tls_why(t));
	tls_free(&client);
	tls_free(&server);
	return 0;
}
