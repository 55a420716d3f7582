#include "base/time.h"
#include "tls/tls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A client and a server of ours over memory. */
struct pair {
	struct tls_session *client, *server;
	struct buf keys;
	int client_result, server_result;
};

static struct buf cert, key;
static struct tls_keys *keys;
static struct tls_roots *roots, *none; /* of the server, of another */

static int make_keys(void **state)
{
	char why[TLS_WHY];
	(void)state;
	assert_int_equal(tls_make_self_signed("mail.demo.test", time_now_ns(), &cert, &key), 0);
	struct buf other = {0}, other_key = {0};
	assert_int_equal(tls_make_self_signed("mail.demo.test", time_now_ns(), &other, &other_key), 0);
	assert_int_equal(tls_roots_load(cert.data, cert.len, &roots), 0);
	assert_int_equal(tls_roots_load(other.data, other.len, &none), 0);
	buf_free(&other);
	buf_free(&other_key);
	return tls_keys_load(cert.data, cert.len, key.data, key.len, &keys, why);
}

static int free_keys(void **state)
{
	(void)state;
	tls_keys_unref(&keys);
	tls_roots_unref(&roots);
	tls_roots_unref(&none);
	buf_free(&cert);
	buf_free(&key);
	return 0;
}

static void note_key(void *user, const char *line, size_t len)
{
	buf_put(&((struct pair *)user)->keys, line, len);
}

static void open_pair(struct pair *p, struct tls_config client, bool log)
{
	struct tls_config server = {.role = TLS_SERVER, .keys = keys, .key_log = log ? note_key : NULL, .user = p};
	client.role = TLS_CLIENT;
	assert_int_equal(tls_new(&client, &p->client), 0);
	assert_int_equal(tls_new(&server, &p->server), 0);
	p->client_result = tls_begin(p->client);
}

static void close_pair(struct pair *p)
{
	tls_free(&p->client);
	tls_free(&p->server);
	buf_free(&p->keys);
}

/* Carries bytes, step at a time, until both have nothing to say. */
static int carry(struct tls_session *from, struct tls_session *to, size_t step)
{
	struct buf *out = tls_output(from);
	int r = 0;
	while (out->len > 0 && r == 0) {
		size_t n = step && step < out->len ? step : out->len;
		r = tls_feed(to, out->data, n);
		buf_consume(out, n);
	}
	return r;
}

static void talk(struct pair *p, size_t step)
{
	while (tls_output(p->client)->len + tls_output(p->server)->len > 0) {
		int r = carry(p->client, p->server, step);
		p->server_result = p->server_result ? p->server_result : r;
		r = carry(p->server, p->client, step);
		p->client_result = p->client_result ? p->client_result : r;
		if (p->client_result || p->server_result)
			return;
	}
}

static const struct tls_config trusting = {.server_name = "mail.demo.test"};

static struct tls_config with_ca(struct tls_config c)
{
	c.roots = roots;
	return c;
}

static void speaks(void **state)
{
	static const size_t steps[] = {0, 1, 7, 1000};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		struct pair p = {0};
		static uint8_t data[40000];
		uint8_t a[TLS_BINDING_MAX], b[TLS_BINDING_MAX];
		size_t a_len, b_len;
		memset(data, 'x', sizeof data);
		open_pair(&p, with_ca(trusting), true);
		assert_int_equal(tls_send(p.client, "early", 5), MW_E_STATE);
		talk(&p, steps[i]);
		assert_true(tls_ready(p.client) && tls_ready(p.server));
		assert_string_equal(tls_version(p.server), "TLS1.3");
		assert_int_equal(tls_send(p.client, "GET", 3), 0);
		assert_int_equal(tls_send(p.server, data, sizeof data), 0);
		talk(&p, steps[i]);
		assert_int_equal(tls_plain(p.server)->len, 3);
		assert_memory_equal(tls_plain(p.server)->data, "GET", 3);
		assert_int_equal(tls_plain(p.client)->len, sizeof data);
		assert_memory_equal(tls_plain(p.client)->data, data, sizeof data);
		assert_int_equal(tls_channel_binding(p.client, a, &a_len), 0);
		assert_int_equal(tls_channel_binding(p.server, b, &b_len), 0);
		assert_int_equal(a_len, 21 + 32);
		assert_int_equal(b_len, a_len);
		assert_memory_equal(a, b, a_len);
		tls_end(p.client);
		talk(&p, steps[i]);
		assert_true(tls_ended(p.server));
		assert_int_equal(p.client_result, 0);
		assert_int_equal(p.server_result, 0);
		close_pair(&p);
	}
}

/* Lines as Wireshark reads them. */
static void logs_secrets(void **state)
{
	static const char *const labels[] = {"CLIENT_HANDSHAKE_TRAFFIC_SECRET ", "SERVER_HANDSHAKE_TRAFFIC_SECRET ",
	                                     "CLIENT_TRAFFIC_SECRET_0 ", "SERVER_TRAFFIC_SECRET_0 "};
	struct pair p = {0};
	(void)state;
	open_pair(&p, with_ca(trusting), true);
	talk(&p, 0);
	buf_put_u8(&p.keys, 0);
	for (size_t i = 0; i < ARRAY_SIZE(labels); i++) {
		const char *line = strstr((char *)p.keys.data, labels[i]);
		assert_non_null(line);
		line += strlen(labels[i]);
		assert_int_equal(strspn(line, "0123456789abcdef"), 64);
		assert_int_equal(line[64], ' ');
		assert_true(strspn(line + 65, "0123456789abcdef") >= 64);
	}
	close_pair(&p);
}

/* Who the server is must be proved, unless the client says that it does not care. */
static void judges_the_server(void **state)
{
	(void)state;
	struct tls_config other_name = {.server_name = "other.demo.test"},
	                  careless = {.server_name = "x", .insecure = true};
	static const struct {
		bool ca, careless, other;
		int result;
	} table[] = {{true, false, false, 0},
	             {true, false, true, MW_E_AUTH},
	             {false, false, false, MW_E_AUTH},
	             {false, true, false, 0}};
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct pair p = {0};
		struct tls_config c = table[i].careless ? careless : table[i].other ? other_name : trusting;
		c.roots = table[i].careless ? NULL : table[i].ca ? roots : none;
		open_pair(&p, c, false);
		talk(&p, 0);
		assert_int_equal(p.client_result, table[i].result);
		assert_int_equal(strlen(tls_why(p.client)) > 0, table[i].result != 0);
		assert_int_equal(tls_ready(p.client), table[i].result == 0);
		close_pair(&p);
	}
}

/* What a client trusts must be said, and be there. */
static void loads_roots(void **state)
{
	struct tls_config config = {.role = TLS_CLIENT, .server_name = "mail.demo.test"};
	struct tls_session *t = NULL;
	struct tls_roots *r = NULL;
	(void)state;
	assert_int_equal(tls_roots_load("rubbish", 7, &r), MW_E_INVALID);
	assert_int_equal(tls_roots_load("", 0, &r), MW_E_INVALID);
	assert_null(r);
	assert_int_equal(tls_roots_load(NULL, 0, &r), 0);
	tls_roots_unref(&r);
	assert_int_equal(tls_new(&config, &t), MW_E_INVALID);
	assert_null(t);
}

static void describes_the_server(void **state)
{
	struct pair p = {0};
	char text[256] = "";
	(void)state;
	open_pair(&p, with_ca(trusting), false);
	assert_int_equal(tls_certificate(p.client, text, sizeof text), MW_E_STATE);
	talk(&p, 0);
	assert_int_equal(tls_certificate(p.client, text, sizeof text), 0);
	assert_memory_equal(text, "CN=mail.demo.test, issued by CN=mail.demo.test, until 20", 56);
	assert_int_equal(tls_certificate(p.server, text, sizeof text), MW_E_STATE);
	close_pair(&p);
}

static void refuses_rubbish(void **state)
{
	static const char *const rubbish[] = {"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
	                                      "\x16\x03\x01\xff\xff\xff\xff\xff\xff", "\x15\x03\x01\x00\x02\x02\x28"};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rubbish); i++) {
		struct tls_config config = {.role = TLS_SERVER, .keys = keys};
		struct tls_session *t;
		size_t len = i == 2 ? 7 : strlen(rubbish[i]);
		assert_int_equal(tls_new(&config, &t), 0);
		int r = tls_feed(t, rubbish[i], len);
		assert_true(r < 0);
		assert_true(strlen(tls_why(t)) > 0);
		assert_true(tls_feed(t, "more", 4) < 0);
		assert_int_equal(tls_plain(t)->len, 0);
		tls_free(&t);
	}
}

static void loads_keys(void **state)
{
	(void)state;
	struct buf other = {0}, other_key = {0};
	struct tls_keys *k = NULL;
	char why[TLS_WHY] = "";
	assert_int_equal(tls_make_self_signed("192.0.2.1", time_now_ns(), &other, &other_key), 0);
	assert_int_equal(tls_keys_load(cert.data, cert.len, other_key.data, other_key.len, &k, why), MW_E_INVALID);
	assert_string_equal(why, "the key is not that of the certificate");
	assert_int_equal(tls_keys_load("rubbish", 7, key.data, key.len, &k, why), MW_E_INVALID);
	assert_non_null(strstr(why, "PEM"));
	assert_null(k);
	assert_int_equal(tls_keys_load(other.data, other.len, other_key.data, other_key.len, &k, why), 0);
	tls_keys_unref(&k);
	buf_free(&other);
	buf_free(&other_key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(loads_roots),
	        cmocka_unit_test(describes_the_server),
	        cmocka_unit_test(speaks),
	        cmocka_unit_test(logs_secrets),
	        cmocka_unit_test(judges_the_server),
	        cmocka_unit_test(refuses_rubbish),
	        cmocka_unit_test(loads_keys),
	};
	return cmocka_run_group_tests(tests, make_keys, free_keys);
}
