#include "micro.h"

#include "auth/auth_keytab.h"
#include "base/time.h"
#include "load.h"
#include "session.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * Calls of 32 KiB each way between two processes, each on its core, over TCP: a server that echoes, on the machine of
 * src/rpc, and a client that waits for each answer. What is sealed is the only difference.
 */
static const struct rpc_syntax echo = {
        {0x11111111, 0x2222, 0x3333, {0x44, 0x44, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55}}, 1, 0};
static const struct idl_interface interface = {
        .name = "echo",
        .uuid = {0x11111111, 0x2222, 0x3333, {0x44, 0x44, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55}},
        .major = 1};

static const struct idl_interface *find_interface(void *user, const struct rpc_syntax *abstract)
{
	(void)user;
	return memcmp(abstract, &echo, sizeof echo) == 0 ? &interface : NULL;
}

/* MD4 of "secret" in UTF-16LE, [MS-NLMP] 3.3.1; Kerberos asks for the name alone. */
static int find_account(void *user, const char *domain, const char *name, struct auth_account *out)
{
	static const uint8_t hash[16] = {0x87, 0x8d, 0x80, 0x14, 0x60, 0x6c, 0xda, 0x29,
	                                 0x67, 0x7a, 0x44, 0xef, 0xa1, 0x35, 0x3f, 0xc7};
	(void)user, (void)domain, (void)name;
	out->id = 1;
	memcpy(out->nt_hash, hash, sizeof hash);
	return 0;
}

static void on_event(void *user, struct rpc_connection *c, const struct rpc_event *e)
{
	(void)user;
	if (e->type == RPC_EV_REQUEST && rpc_server_respond(c, e->call_id, e->stub, e->stub_len) < 0)
		fail("the server cannot answer");
	if (e->type == RPC_EV_DAMAGED)
		fail("the server: %s", e->why);
}

static void serve(int fd, const struct auth_server_config *auth)
{
	static uint8_t data[65536];
	const struct rpc_server_setup setup = {.find_interface = find_interface,
	                                       .associations = rpc_associations_new(1, &random_system),
	                                       .auth = auth,
	                                       .secondary_address = "0"};
	const struct rpc_config config = {.role = RPC_SERVER,
	                                  .on_event = on_event,
	                                  .random = &random_system,
	                                  .clock_offset_ns = time_now_ns() - time_monotonic_ns(),
	                                  .server = &setup};
	struct rpc_connection *c = rpc_connection_new(&config);
	ssize_t n;
	while (c && (n = recv(fd, data, sizeof data, 0)) > 0) {
		rpc_feed(c, RPC_FROM_CLIENT, data, (size_t)n, time_monotonic_ns());
		struct buf *out = rpc_output(c);
		send_all(fd, out->data, out->len);
		buf_clear(out);
	}
}

static int listen_anywhere(uint16_t *port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, 1) < 0 ||
	    getsockname(fd, (struct sockaddr *)&at, &size) < 0)
		fail("cannot listen: %s", strerror(errno));
	*port = ntohs(at.sin_port);
	return fd;
}

/* The other end, on its own core. */
static pid_t start_server(const struct sealed_setup *setup, uint16_t *port)
{
	int listener = listen_anywhere(port), one = 1;
	pid_t pid = fork();
	if (pid != 0)
		return close(listener), pid;
	struct auth_server_config auth = {.netbios_domain = "DEMO",
	                                  .netbios_computer = "MAIL",
	                                  .dns_domain = "demo.test",
	                                  .dns_computer = "mail.demo.test",
	                                  .find_account = find_account};
	struct auth_keytab *keytab = NULL;
	char why[AUTH_KEYTAB_WHY] = "";
	cpu_set_t core;
	CPU_ZERO(&core);
	CPU_SET((size_t)setup->server_core, &core);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (sched_setaffinity(0, sizeof core, &core) < 0)
		fail("no core %d", setup->server_core);
	if (setup->keytab && auth_keytab_open(setup->keytab, &keytab, why) < 0)
		fail("keytab: %s", why);
	auth.keytab = keytab;
	int fd = accept(listener, NULL, NULL);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	serve(fd, &auth);
	_exit(0);
}

void sealed_run(const struct sealed_setup *setup)
{
	static uint8_t stub[SEALED_BYTES];
	bool kerberos = strcmp(setup->provider, "kerberos") == 0, none = strcmp(setup->provider, "none") == 0;
	const struct auth_client_config auth = {.domain = "DEMO",
	                                        .user = kerberos ? setup->user : "alice",
	                                        .password = kerberos ? setup->password : "secret",
	                                        .workstation = "BENCH",
	                                        .target = setup->target,
	                                        .realm = setup->realm};
	struct session s;
	uint16_t port;
	pid_t server = start_server(setup, &port);
	session_open_as(&s, port, &interface, kerberos ? AUTH_KERBEROS : AUTH_NTLM,
	                none ? AUTH_LEVEL_NONE : AUTH_LEVEL_PRIVACY, &auth);
	for (size_t i = 0; i < sizeof stub; i++)
		stub[i] = (uint8_t)(i * 7);
	struct load_result r = {0};
	session_ask(&s, 0, stub, sizeof stub);
	double start = load_now(), cpu = load_cpu();
	while ((r.seconds = load_now() - start) < setup->seconds) {
		session_ask(&s, 0, stub, sizeof stub);
		if (s.stub.len != sizeof stub || memcmp(s.stub.data, stub, sizeof stub) != 0)
			fail("the answer is not what was asked");
		r.calls++;
	}
	r.cpu = load_cpu() - cpu;
	load_print(&r, s.asked.len, s.received.len);
	session_close(&s);
	waitpid(server, NULL, 0);
}
