#include "session.h"

#include "base/time.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void fail(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	fputs("bench: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

int connect_to(uint16_t port)
{
	struct sockaddr_in at = {
	        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof at) < 0)
		fail("cannot connect to port %u: %s", port, strerror(errno));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	return fd;
}

void send_all(int fd, const void *data, size_t size)
{
	const char *p = (const char *)data;
	while (size > 0) {
		ssize_t n = send(fd, p, size, MSG_NOSIGNAL);
		if (n < 0 && errno != EINTR)
			fail("cannot send: %s", strerror(errno));
		if (n > 0) {
			p += n;
			size -= (size_t)n;
		}
	}
}

static void on_event(void *user, struct rpc_connection *rpc, const struct rpc_event *e)
{
	struct session *s = (struct session *)user;
	(void)rpc;
	switch (e->type) {
	case RPC_EV_BIND_ACK:
		s->bound = true;
		break;
	case RPC_EV_RESPONSE:
		s->answered = true;
		buf_clear(&s->stub);
		if (buf_put(&s->stub, e->stub, e->stub_len) < 0)
			fail("out of memory");
		break;
	case RPC_EV_FAULT:
		fail("the server answered with fault 0x%08X", e->status);
	case RPC_EV_BIND_NAK:
		fail("the server refused the bind: %u", e->status);
	case RPC_EV_DAMAGED:
		fail("%s", e->why);
	default:
		break;
	}
}

static void flush(struct session *s)
{
	struct buf *out = rpc_output(s->rpc);
	if (out->len > 0 && s->carrier)
		s->carrier_send(s->carrier, out->data, out->len);
	else
		send_all(s->fd, out->data, out->len);
	buf_clear(out);
}

void session_feed(struct session *s, const void *data, size_t size)
{
	buf_clear(&s->received);
	buf_put(&s->received, data, size);
	rpc_feed(s->rpc, RPC_FROM_SERVER, data, size, time_monotonic_ns());
	flush(s);
}

void session_hear(struct session *s)
{
	uint8_t data[65536];
	if (s->carrier) {
		s->carrier_hear(s->carrier);
		return;
	}
	ssize_t n = recv(s->fd, data, sizeof data, 0);
	if (n == 0 || (n < 0 && errno != EINTR))
		fail("the server closed the connection");
	if (n > 0)
		session_feed(s, data, (size_t)n);
}

void session_open(struct session *s, uint16_t port, const struct idl_interface *interface, enum auth_level level,
                  const struct auth_client_config *auth)
{
	session_open_as(s, port, interface, AUTH_NTLM, level, auth);
}

void session_open_as(struct session *s, uint16_t port, const struct idl_interface *interface, enum auth_type type,
                     enum auth_level level, const struct auth_client_config *auth)
{
	*s = (struct session){.fd = connect_to(port)};
	session_begin(s, &interface, 1, type, level, auth);
}

void session_begin(struct session *s, const struct idl_interface *const *interfaces, unsigned count,
                   enum auth_type type, enum auth_level level, const struct auth_client_config *auth)
{
	const struct rpc_config config = {
	        .role = RPC_CLIENT,
	        .on_event = on_event,
	        .user = s,
	        .random = &random_system,
	        .clock_offset_ns = time_now_ns() - time_monotonic_ns(),
	};
	struct rpc_syntax syntaxes[4];
	for (unsigned i = 0; i < count && i < ARRAY_SIZE(syntaxes); i++)
		syntaxes[i] = (struct rpc_syntax){interfaces[i]->uuid, interfaces[i]->major, interfaces[i]->minor};
	s->interface = interfaces[0];
	if (auth)
		s->auth = *auth;
	const struct rpc_client_bind bind = {
	        .interfaces = syntaxes,
	        .interface_count = count,
	        .auth_type = level > AUTH_LEVEL_NONE ? type : AUTH_NONE,
	        .level = level,
	        .auth = &s->auth,
	};
	s->rpc = rpc_connection_new(&config);
	if (!s->rpc || rpc_client_bind(s->rpc, &bind, time_monotonic_ns()) < 0)
		fail("cannot bind");
	flush(s);
	while (!s->bound || !rpc_client_ready(s->rpc)) /* Kerberos has a third leg */
		session_hear(s);
}

void session_send(struct session *s, uint16_t context, uint16_t opnum, const void *stub, size_t size)
{
	uint32_t id;
	int r = rpc_client_call(s->rpc, context, opnum, NULL, stub, size, &id);
	if (r < 0)
		fail("cannot call: %s", mw_strerror(r));
	struct buf *out = rpc_output(s->rpc);
	buf_clear(&s->asked);
	buf_put(&s->asked, out->data, out->len);
	s->answered = false;
	flush(s);
}

void session_ask(struct session *s, uint16_t opnum, const void *stub, size_t size)
{
	session_send(s, 0, opnum, stub, size);
	while (!s->answered)
		session_hear(s);
}

void session_call(struct session *s, uint16_t opnum, struct arena *arena, void *args)
{
	const struct idl_method *m = &s->interface->methods[opnum];
	struct buf stub MW_CLEANUP(buf_free) = {0};
	struct ndr out = ndr_encoder(NDR_20, arena, &stub);
	int r = ndr_encode_args(&out, m, IDL_REQUEST, args);
	if (r < 0)
		fail("cannot encode %s: %s", m->name, mw_strerror(r));
	session_ask(s, opnum, stub.data, stub.len);
	struct ndr in = ndr_decoder(NDR_20, arena, cursor_of(s->stub.data, s->stub.len));
	r = ndr_decode_args(&in, m, IDL_RESPONSE, args);
	if (r < 0)
		fail("cannot decode the answer of %s: %s", m->name, mw_strerror(r));
}

void session_close(struct session *s)
{
	rpc_connection_free(&s->rpc);
	buf_free(&s->stub);
	buf_free(&s->asked);
	buf_free(&s->received);
	close(s->fd);
}
