#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scene.h"

#include "http/rts.h"

/* RPC over HTTP v2: the scene's store call in the channels of a virtual connection. */

static const struct capture_endpoint client_in = {4, {10, 1, 1, 1}, 50002}, client_out = {4, {10, 1, 1, 1}, 50003},
                                     proxy = {4, {10, 1, 1, 2}, 80};
static struct scene *scene;
static unsigned in, out;
static bool chunked; /* the server's answer */

static void say(bool from_client, unsigned conn, const char *head, const struct rts *rts, size_t count)
{
	struct buf b = {0};
	buf_put_str(&b, head);
	for (size_t i = 0; i < count; i++) {
		struct buf pdu = {0};
		assert_int_equal(rts_encode(scene->arena, &rts[i], &pdu), 0);
		if (chunked && !from_client)
			buf_printf(&b, "%zx\r\n", pdu.len);
		buf_put(&b, pdu.data, pdu.len);
		if (chunked && !from_client)
			buf_put_str(&b, "\r\n");
		buf_free(&pdu);
	}
	size_t step = scene->portion ? scene->portion : b.len;
	for (size_t at = 0; at < b.len; at += step)
		capture_data(scene->w, conn, from_client, b.data + at, step < b.len - at ? step : b.len - at,
		             scene->now);
	buf_free(&b);
}

static void open_channels(struct scene *s)
{
	static const struct guid connection = {1, 2, 3, {4}}, out_cookie = {5}, in_cookie = {6}, group = {7};
	const struct rts a1 = {.kind = RTS_CONN_A1, .version = 1, .window = 65536, .cookies = {connection, out_cookie}};
	const struct rts b1 = {.kind = RTS_CONN_B1,
	                       .version = 1,
	                       .lifetime = 1 << 30,
	                       .keepalive = 300000,
	                       .group = group,
	                       .cookies = {connection, in_cookie}};
	const struct rts answers[] = {
	        {.kind = RTS_CONN_A3, .timeout = 120000},
	        {.kind = RTS_CONN_C2, .version = 1, .window = 65536, .timeout = 120000},
	};
	scene = s;
	in = capture_connected(s->w, &client_in, &proxy, s->now, s->now + 100000);
	out = capture_connected(s->w, &client_out, &proxy, s->now, s->now + 100000);
	say(true, out, "RPC_OUT_DATA /rpc/rpcproxy.dll?mail:6001 HTTP/1.1\r\nContent-Length: 76\r\n\r\n", &a1, 1);
	say(true, in, "RPC_IN_DATA /rpc/rpcproxy.dll?mail:6001 HTTP/1.1\r\nContent-Length: 1073741824\r\n\r\n", &b1, 1);
	say(false, out,
	    chunked ? "HTTP/1.1 200 Success\r\nTransfer-Encoding: chunked\r\n\r\n"
	            : "HTTP/1.1 200 Success\r\nContent-Length: 1073741824\r\n\r\n",
	    answers, 2);
}

static void wrap(bool from_client, const struct buf *data, struct buf *wrapped)
{
	scene->conn = from_client ? in : out;
	if (chunked && !from_client)
		buf_printf(wrapped, "%zx\r\n", data->len);
	buf_put(wrapped, data->data, data->len);
	if (chunked && !from_client)
		buf_put_str(wrapped, "\r\n");
}

struct told {
	unsigned answered, over_http, rts, answers, damaged;
	uint64_t last_frame;
};

static void on_event(void *user, const struct lens_event *e)
{
	struct told *t = user;
	t->rts += e->kind == LENS_CONTEXT && strncmp(e->summary, "RTS CONN/", 9) == 0;
	t->answers += strcmp(e->summary, "HTTP answer 200") == 0;
	t->damaged += e->damaged != NULL;
	if (e->kind >= LENS_BIND && e->kind <= LENS_FAULT) {
		t->over_http += strcmp(e->transport, "rpc-http") == 0;
		assert_int_equal(e->conn->server.port, 80);
		assert_int_equal(e->conn->client.port, e->from_client ? client_in.port : client_out.port);
		assert_true(e->conn->rpc);
	}
	t->answered += e->kind == LENS_RESPONSE && e->request && e->took_ns >= 0 && e->status &&
	               strcmp(e->status, "ok") == 0 && strcmp(e->iface, "emsmdb") == 0;
	assert_true(e->frame >= 1 && e->last_frame >= e->frame);
}

static struct told look(const char *path, uint64_t first, uint64_t drop, bool keep)
{
	struct told t = {0};
	struct lens *lens = lens_new(&(struct lens_options){.keep_events = keep}, &(struct lens_sink){on_event, &t});
	struct capture_reader *r = NULL;
	struct capture_frame f;
	assert_non_null(lens);
	assert_int_equal(capture_open(path, &r, NULL), 0);
	while (capture_next(r, &f) > 0) {
		t.last_frame = f.number;
		if (f.number >= first && f.number != drop)
			lens_frame(lens, f.linktype, f.data, f.captured, f.original, f.time_ns);
	}
	capture_close(&r);
	lens_end(lens);
	lens_free(&lens);
	return t;
}

static void play(enum auth_level level, size_t portion, char path[64])
{
	struct scene s = scene_begin(level, portion, path);
	s.open = open_channels;
	s.wrap = wrap;
	scene_ask_store(&s);
	scene_end(&s);
}

static void opens_channels(void **state)
{
	(void)state;
	static const size_t portions[] = {0, 1, 7, 60};
	static const enum auth_level levels[] = {AUTH_LEVEL_NONE, AUTH_LEVEL_INTEGRITY};
	for (int i = 0; i < 16; i++) {
		char path[64];
		enum auth_level level = levels[i & 1];
		chunked = i & 2;
		play(level, portions[i / 4], path);
		for (int keep = 0; keep < 2; keep++) {
			struct told t = look(path, 1, 0, keep);
			assert_int_equal(t.answered, 1);
			assert_int_equal(t.over_http, level == AUTH_LEVEL_NONE ? 4 : 5);
			assert_int_equal(t.rts, 4);
			assert_int_equal(t.answers, 1);
			assert_int_equal(t.damaged, 0);
		}
		unlink(path);
	}
}

/* Any frame lost, or the capture begun anywhere: what follows is found again, and nothing is made up. */
static void goes_on_after_losses(void **state)
{
	(void)state;
	char path[64];
	unsigned answered = 0;
	chunked = false;
	play(AUTH_LEVEL_NONE, 100, path);
	uint64_t frames = look(path, 1, 0, false).last_frame;
	for (uint64_t n = 1; n < frames; n++) {
		answered += look(path, 1, n, false).answered;
		struct told t = look(path, n, 0, false);
		assert_true(t.answered <= 1);
	}
	assert_true(answered > frames / 4 && answered < frames);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(opens_channels),
	        cmocka_unit_test(goes_on_after_losses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
