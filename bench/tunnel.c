#include "tunnel.h"

#include "base/time.h"

static void on_event(void *user, struct rpch_connection *machine, const struct rpch_event *e)
{
	struct tunnel *t = (struct tunnel *)user;
	(void)machine;
	if (e->type == RPCH_EV_OPEN)
		t->open = true;
	else if (e->type == RPCH_EV_PDU)
		session_feed(t->session, e->data, e->len);
	else
		fail("a virtual connection: %s", e->why ? e->why : "a channel is to be replaced, or it ended");
}

static void flush_in(struct tunnel *t)
{
	struct buf *out = &rpch_channel(t->machine, RPCH_IN)->output;
	if (out->len > 0 && http_send_body(t->in.http, out->data, out->len) < 0)
		fail("cannot send on the IN channel");
	buf_clear(out);
	web_flush(&t->in);
}

static void carrier_send(void *carrier, const void *data, size_t size)
{
	struct tunnel *t = (struct tunnel *)carrier;
	if (rpch_send(t->machine, data, size, time_monotonic_ns()) < 0)
		fail("cannot send");
	flush_in(t);
}

static void carrier_hear(void *carrier)
{
	struct tunnel *t = (struct tunnel *)carrier;
	web_hear(&t->out);
	flush_in(t);
}

static void on_body(void *user, const void *data, size_t len)
{
	struct tunnel *t = (struct tunnel *)user;
	if (t->out.status != 200)
		fail("the OUT channel: HTTP %u", t->out.status);
	rpch_feed(t->machine, rpch_channel(t->machine, RPCH_OUT), data, len, time_monotonic_ns());
}

static void begin_channel(struct tunnel *t, enum rpch_direction direction, const char *authorization, uint64_t length)
{
	struct web *w = direction == RPCH_IN ? &t->in : &t->out;
	const struct http_field fields[] = {
	        {"Host", "127.0.0.1"}, {"Authorization", authorization}, {"Accept", "application/rpc"}};
	const struct http_head head = {.method = direction == RPCH_IN ? "RPC_IN_DATA" : "RPC_OUT_DATA",
	                               .target = "/rpc/rpcproxy.dll?127.0.0.1:6001",
	                               .fields = fields,
	                               .field_count = ARRAY_SIZE(fields),
	                               .body = HTTP_LENGTH,
	                               .length = length};
	struct buf *out = &rpch_channel(t->machine, direction)->output;
	if (http_send_head(w->http, &head) < 0 || http_send_body(w->http, out->data, out->len) < 0)
		fail("cannot begin a channel");
	buf_clear(out);
	if (direction == RPCH_OUT && http_send_end(w->http, NULL, 0) < 0)
		fail("cannot end a request");
	web_flush(w);
}

void tunnel_open(struct tunnel *t, struct session *s, uint16_t port, const char *user, const char *password)
{
	const struct rpch_config config = {
	        .role = RPCH_CLIENT, .on_event = on_event, .user = t, .random = &random_system};
	char authorization[512];
	*t = (struct tunnel){.session = s};
	web_basic(user, password, authorization);
	web_open(&t->in, port, true);
	web_open(&t->out, port, true);
	t->out.on_body = on_body;
	t->out.user = t;
	t->machine = rpch_connection_new(&config, time_monotonic_ns());
	if (!t->machine)
		fail("out of memory");
	begin_channel(t, RPCH_OUT, authorization, RPCH_OUT_LENGTH);
	begin_channel(t, RPCH_IN, authorization, RPCH_DEFAULT_LIFETIME);
	while (!t->open)
		web_hear(&t->out);
	s->carrier = t;
	s->carrier_send = carrier_send;
	s->carrier_hear = carrier_hear;
}
