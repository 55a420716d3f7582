#include "fuzz.h"

#include "base/time.h"
#include "tls/tls.h"

#include <stdlib.h>

/* What a stranger sends to a server before the handshake is over. The first byte: how many bytes at a time. */

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct tls_keys *keys;
	struct tls_session *t;
	if (size < 1)
		return 0;
	if (!keys)
		keys = make_keys();
	const struct tls_config config = {.role = TLS_SERVER, .keys = keys};
	if (tls_new(&config, &t) < 0)
		abort();
	size_t step = data[0] ? data[0] : size;
	int r = 0;
	for (size_t at = 1; at < size && r == 0;) {
		size_t n = step < size - at ? step : size - at;
		r = tls_feed(t, data + at, n);
		at += n;
	}
	/* Without the key nobody gets this far. */
	if (tls_ready(t) || tls_plain(t)->len > 0)
		abort();
	if (r < 0 && !*tls_why(t))
		abort();
	tls_free(&t);
	return 0;
}
