/*
 * Our side of tests/peers/test_rpc.py, over real sockets and nothing else.
 *   rpc_tool serve         listens, prints its port, serves until stdin ends
 *   rpc_tool call PORT N   binds without authentication, echoes N bytes twice in one connection
 * The interface: 0 echoes, 1 reverses, 2 faults with 0x1234567, 3 answers with the length and the object's first word.
 */
#include "base/buf.h"
#include "base/random.h"
#include "base/time.h"
#include "rpc/connection.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct rpc_syntax echo = {
        {0x11111111, 0x2222, 0x3333, {0x44, 0x44, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55}}, 1, 0};
static const struct idl_interface interface = {.name = "echo"};

static const struct idl_interface *find_interface(void *user, const struct rpc_syntax *abstract)
{
	(void)user;
	return memcmp(abstract, &echo, sizeof echo) == 0 ? &interface : NULL;
}

/* alice, secret */
static int find_account(void *user, const char *domain, const char *name, struct auth_account *out)
{
	static const uint8_t hash[16] = {0x87, 0x8d, 0x80, 0x14, 0x60, 0x6c, 0xda, 0x29,
	                                 0x67, 0x7a, 0x44, 0xef, 0xa1, 0x35, 0x3f, 0xc7};
	(void)user, (void)domain;
	if (strcmp(name, "alice") != 0)
		return MW_E_NOTFOUND;
	out->id = 1;
	memcpy(out->nt_hash, hash, sizeof hash);
	return 0;
}

static void answer(struct rpc_connection *c, const struct rpc_event *e)
{
	struct buf reply MW_CLEANUP(buf_free) = {0};
	int r = -1;

	switch (e->opnum) {
	case 0:
		r = rpc_server_respond(c, e->call_id, e->stub, e->stub_len);
		break;
	case 1:
		for (size_t i = e->stub_len; i > 0; i--)
			buf_put_u8(&reply, e->stub[i - 1]);
		r = rpc_server_respond(c, e->call_id, reply.data, reply.len);
		break;
	case 2:
		r = rpc_server_fault(c, e->call_id, 0x1234567);
		break;
	case 3:
		buf_put_u32(&reply, (uint32_t)e->stub_len);
		buf_put_u32(&reply, e->object ? e->object->data1 : 0);
		r = rpc_server_respond(c, e->call_id, reply.data, reply.len);
		break;
	default:
		r = rpc_server_fault(c, e->call_id, NCA_S_OP_RNG_ERROR);
	}
	if (r < 0)
		exit(1);
}

static void server_event(void *user, struct rpc_connection *c, const struct rpc_event *e)
{
	(void)user;
	if (e->type == RPC_EV_REQUEST)
		answer(c, e);
	else if (e->type == RPC_EV_DAMAGED || e->type == RPC_EV_CLOSED)
		fprintf(stderr, "%s\n", e->why ? e->why : "closed by the peer");
}

/* ---- Sockets ---- */

static void flush(struct rpc_connection *c, int fd)
{
	struct buf *out = rpc_output(c);

	while (out->len > 0) {
		ssize_t n = write(fd, out->data, out->len);
		if (n <= 0)
			return;
		buf_consume(out, (size_t)n);
	}
}

static bool receive(struct rpc_connection *c, enum rpc_side from, int fd)
{
	uint8_t bytes[3000];
	ssize_t n = read(fd, bytes, sizeof bytes);

	if (n <= 0) {
		rpc_eof(c, from, time_monotonic_ns());
		return false;
	}
	rpc_feed(c, from, bytes, (size_t)n, time_monotonic_ns());
	flush(c, fd);
	return true;
}

#define MAX_PEERS 32

/* Slot 0 is the listener, 1 is stdin, the others are peers. */
struct peers {
	struct pollfd fds[MAX_PEERS + 2];
	struct rpc_connection *rpc[MAX_PEERS + 2];
	nfds_t count;
};

static void admit(struct peers *p, const struct rpc_server_setup *setup)
{
	struct rpc_config config = {.role = RPC_SERVER,
	                            .on_event = server_event,
	                            .random = &random_system,
	                            .clock_offset_ns = time_now_ns() - time_monotonic_ns(),
	                            .server = setup};
	int fd = accept(p->fds[0].fd, NULL, NULL);

	if (fd < 0)
		return;
	if (p->count == ARRAY_SIZE(p->fds)) {
		close(fd);
		return;
	}
	p->fds[p->count] = (struct pollfd){.fd = fd, .events = POLLIN};
	p->rpc[p->count] = rpc_connection_new(&config);
	if (!p->rpc[p->count++])
		exit(1);
}

static void dismiss(struct peers *p, nfds_t i)
{
	close(p->fds[i].fd);
	rpc_connection_free(&p->rpc[i]);
	p->count--;
	p->fds[i] = p->fds[p->count];
	p->rpc[i] = p->rpc[p->count];
}

static void serve_peers(int listener, const struct rpc_server_setup *setup)
{
	struct peers p = {.count = 2};

	p.fds[0] = (struct pollfd){.fd = listener, .events = POLLIN};
	p.fds[1] = (struct pollfd){.fd = 0, .events = POLLIN};
	while (poll(p.fds, p.count, -1) >= 0 && !p.fds[1].revents) {
		for (nfds_t i = p.count; i-- > 2;)
			if (p.fds[i].revents && !receive(p.rpc[i], RPC_FROM_CLIENT, p.fds[i].fd))
				dismiss(&p, i);
		if (p.fds[0].revents)
			admit(&p, setup);
	}
	while (p.count > 2)
		dismiss(&p, p.count - 1);
}

static int serve(void)
{
	static const struct auth_server_config auth = {.netbios_domain = "DEMO",
	                                               .netbios_computer = "MAIL",
	                                               .dns_domain = "demo.test",
	                                               .dns_computer = "mail.demo.test",
	                                               .find_account = find_account};
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof address;
	struct rpc_associations *associations = rpc_associations_new(1, &random_system);
	char port[8];
	struct rpc_server_setup setup = {.find_interface = find_interface,
	                                 .associations = associations,
	                                 .auth = &auth,
	                                 .secondary_address = port};
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) < 0 || listen(listener, 8) < 0 ||
	    getsockname(listener, (struct sockaddr *)&address, &size) < 0)
		return 1;
	snprintf(port, sizeof port, "%u", ntohs(address.sin_port));
	puts(port);
	fflush(stdout);
	serve_peers(listener, &setup);
	rpc_associations_free(&associations);
	close(listener);
	return 0;
}

struct caller {
	uint8_t *stub;
	size_t len;
	unsigned answered;
	bool bound, failed;
};

static void client_event(void *user, struct rpc_connection *c, const struct rpc_event *e)
{
	struct caller *caller = user;

	(void)c;
	if (e->type == RPC_EV_BIND_ACK)
		caller->bound = e->bind->results[0].result == 0;
	else if (e->type == RPC_EV_RESPONSE && e->stub_len == caller->len &&
	         memcmp(e->stub, caller->stub, e->stub_len) == 0)
		caller->answered++;
	else
		caller->failed = true;
}

static int call(uint16_t port, size_t len)
{
	struct sockaddr_in address = {
	        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct caller caller = {.stub = malloc(len + 1), .len = len};
	struct rpc_config config = {
	        .role = RPC_CLIENT, .on_event = client_event, .user = &caller, .random = &random_system};
	struct rpc_client_bind bind_to = {.interfaces = &echo, .interface_count = 1};
	struct rpc_connection *c = rpc_connection_new(&config);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	uint32_t id;

	if (!c || fd < 0 || !caller.stub || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
		return 1;
	random_system.fill(NULL, caller.stub, len);
	if (rpc_client_bind(c, &bind_to, time_monotonic_ns()) < 0)
		return 1;
	flush(c, fd);
	while (!caller.bound && !caller.failed && receive(c, RPC_FROM_SERVER, fd))
		continue;
	for (unsigned i = 0; i < 2 && !caller.failed; i++) {
		if (rpc_client_call(c, 0, 0, NULL, caller.stub, len, &id) < 0)
			break;
		flush(c, fd);
		while (caller.answered <= i && !caller.failed && receive(c, RPC_FROM_SERVER, fd))
			continue;
	}
	printf("%u\n", caller.answered);
	rpc_connection_free(&c);
	free(caller.stub);
	close(fd);
	return caller.answered == 2 ? 0 : 1;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "serve") == 0)
		return serve();
	if (argc == 4 && strcmp(argv[1], "call") == 0)
		return call((uint16_t)strtoul(argv[2], NULL, 10), strtoul(argv[3], NULL, 10));
	return 2;
}
