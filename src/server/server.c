#include "server/server.h"

#include "server/accounts.h"
#include "server/conn.h"
#include "server/policy.h"
#include "server/process.h"
#include "server/service.h"
#include "server/supplies.h"
#include "server/tls_files.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define DEFAULT_MAX_CONNECTIONS 16384
#define DEFAULT_MAX_UNAUTHENTICATED ((size_t)256 << 20)

static const char *const port_names[SERVER_PORT_COUNT] = {
        "--epm-port", "--rfr-port", "--nspi-port", "--store-port", "--https-port", "--http-port", "--monitor-port"};

static int parse_address(const char *text, uint16_t port, struct sockaddr_storage *out, socklen_t *size)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	memset(out, 0, sizeof *out);
	if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
		memcpy(out, &v4, *size = sizeof v4);
		return 0;
	}
	if (inet_pton(AF_INET6, text, &v6.sin6_addr) == 1) {
		memcpy(out, &v6, *size = sizeof v6);
		return 0;
	}
	return MW_E_INVALID;
}

static uint16_t bound_port(int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} a;
	memset(&a, 0, sizeof a);
	socklen_t size = sizeof a;
	if (getsockname(fd, &a.any, &size) < 0)
		return 0;
	return ntohs(a.any.sa_family == AF_INET6 ? a.v6.sin6_port : a.v4.sin_port);
}

static void explain_bind(const struct server *s, int p, uint16_t port, int error, char why[512])
{
	if (error == EADDRINUSE)
		snprintf(why, 512, "TCP port %u on %s is taken by another program: stop it, or give another with %s.",
		         port, s->listen, port_names[p]);
	else if (error == EACCES)
		snprintf(why, 512,
		         "TCP port %u needs root (or CAP_NET_BIND_SERVICE): start as root, or give a port above "
		         "1023 with %s.",
		         port, port_names[p]);
	else if (error == EADDRNOTAVAIL)
		snprintf(why, 512, "%s is no address of this machine: give one of its own with --listen.", s->listen);
	else
		snprintf(why, 512, "Cannot listen on %s port %u: %s.", s->listen, port, strerror(error));
}

static int bind_port(struct server *s, int p, char why[512])
{
	uint16_t port = s->config.ports[p];
	struct sockaddr_storage a;
	socklen_t size;
	if (parse_address(s->listen, port, &a, &size) != 0) {
		snprintf(why, 512, "'%s' is no IP address: give one such as 127.0.0.1 with --listen.", s->listen);
		return MW_E_INVALID;
	}
	int fd = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1;
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, size) < 0 || listen(fd, 1024) < 0) {
		explain_bind(s, p, port, errno, why);
		if (fd >= 0)
			close(fd);
		return MW_E_IO;
	}
	s->sockets[p] = fd;
	s->ports[p] = bound_port(fd);
	snprintf(s->port_text[p], sizeof s->port_text[p], "%u", s->ports[p]);
	return 0;
}

static void set_up_ports(struct server *s)
{
	for (unsigned p = SERVER_PORT_COUNT; p < SERVER_SETUP_COUNT; p++)
		snprintf(s->port_text[p], sizeof s->port_text[p], "%u", service_http_endpoint((enum server_port)p));
	for (unsigned p = 0; p < SERVER_SETUP_COUNT; p++)
		for (unsigned l = 0; l < s->loop_count; l++)
			s->setups[p][l] = (struct rpc_server_setup){
			        .find_interface = dispatch_find_interface,
			        .user = (void *)(uintptr_t)p,
			        .associations = s->loops[l].associations,
			        .auth = &s->auth,
			        .secondary_address = s->port_text[p],
			};
}

static int start_loops(struct server *s, char why[512])
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned count = s->config.loops ? s->config.loops : (unsigned)(cores > 0 ? cores : 1);
	s->loop_count = count < SERVER_MAX_LOOPS ? count : SERVER_MAX_LOOPS;
	s->loops = (struct server_loop *)calloc(s->loop_count, sizeof *s->loops);
	for (unsigned i = 0; s->loops && i < s->loop_count; i++) {
		if (loop_init(&s->loops[i], s, (uint8_t)i) < 0 || service_loops_init(&s->loops[i]) < 0) {
			snprintf(why, 512, "Cannot start event loop %u: %s.", i, strerror(errno));
			return MW_E_IO;
		}
	}
	return s->loops ? 0 : MW_E_NOMEM;
}

static void choose_host(struct server *s)
{
	if (s->config.host)
		snprintf(s->host, sizeof s->host, "%s", s->config.host);
	else if (strncmp(s->listen, "127.", 4) == 0 || strcmp(s->listen, "::1") == 0 ||
	         gethostname(s->host, sizeof s->host - 1) < 0)
		snprintf(s->host, sizeof s->host, "%s", s->listen);
}

/* Each connection is a descriptor; a quarter of all stays free for mailboxes and the rest. */
static void bound_connections(struct server *s)
{
	struct rlimit limit;
	if (!s->config.max_connections)
		s->config.max_connections = DEFAULT_MAX_CONNECTIONS;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	rlim_t wanted = (rlim_t)s->config.max_connections / 3 * 4 + 64;
	if (limit.rlim_cur < wanted) {
		limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur / 4 * 3 < s->config.max_connections)
		s->config.max_connections = (unsigned)(limit.rlim_cur / 4 * 3);
}

/* [MS-OXCRPC] 3.3.4.1 says five minutes; the others are what Exchange says in X-ExpirationInfo and X-PendingPeriod. */
static void set_periods(struct server_config *c)
{
	c->wait_ms = c->wait_ms ? c->wait_ms : 300000;
	c->context_ms = c->context_ms ? c->context_ms : 900000;
	c->pending_ms = c->pending_ms ? c->pending_ms : 15000;
}

int server_new(const struct server_config *config, struct server **out, char why[512])
{
	struct server *s = (struct server *)calloc(1, sizeof *s);
	if (!s)
		return MW_E_NOMEM;
	s->config = *config;
	s->listen = config->listen ? config->listen : "127.0.0.1";
	bound_connections(s);
	set_periods(&s->config);
	if (!s->config.max_unauthenticated)
		s->config.max_unauthenticated = DEFAULT_MAX_UNAUTHENTICATED;
	choose_host(s);
	for (int p = 0; p < SERVER_PORT_COUNT; p++)
		s->sockets[p] = -1;
	s->key_log_fd = -1;
	int r = supplies_start(s, why);
	if (r == 0)
		r = policy_check(config->blocked_clients, config->moved, why);
	for (int p = 0; r == 0 && p < SERVER_PORT_COUNT; p++)
		if (!(config->no_ports & 1u << p))
			r = bind_port(s, p, why);
	if (r == 0)
		r = supplies_take(s, why);
	if (r == 0)
		r = tls_files_open(s, why);
	/* The files that SQLite makes beside its own belong to who opens them: become the user first. */
	if (r == 0 && config->user)
		r = process_become(config->user, config->state, why);
	if (r == 0)
		r = accounts_open(s, why);
	if (r == 0)
		r = start_loops(s, why);
	if (r < 0) {
		server_free(&s);
		return r;
	}
	set_up_ports(s);
	*out = s;
	return 0;
}

uint16_t server_port(const struct server *s, enum server_port port)
{
	return s->ports[port];
}

static void thread_main(void *loop)
{
	loop_run((struct server_loop *)loop);
}

int server_run(struct server *s)
{
	unsigned started = 1;
	if (s->config.confine && process_confine() < 0)
		log_line(s->config.log, LOG_WARNING,
		         "serves without a seccomp filter: this kernel or build takes none");
	while (started < s->loop_count &&
	       uv_thread_create(&s->loops[started].thread, thread_main, &s->loops[started]) == 0)
		started++;
	if (started < s->loop_count)
		server_stop(s);
	if (supplies_watch(s) < 0)
		log_line(s->config.log, LOG_WARNING, "what the helper process reads anew is not seen");
	loop_run(&s->loops[0]);
	for (unsigned i = 1; i < started; i++)
		uv_thread_join(&s->loops[i].thread);
	return started == s->loop_count ? 0 : MW_E_NOMEM;
}

void server_reload(struct server *s)
{
	supplies_ask(s);
	atomic_store(&s->reload, true);
	uv_async_send(&s->loops[0].wake);
}

void server_stop(struct server *s)
{
	atomic_store(&s->stopping, true);
	for (unsigned i = 0; i < s->loop_count; i++)
		uv_async_send(&s->loops[i].wake);
}

/* Calls on their way between loops go home, where nobody waits for them any more. What a loop's last work sent to
 * a loop before it is found by the next round. */
static void drain_loops(struct server *s)
{
	for (int quiet = 0; quiet < 2; quiet++)
		for (unsigned i = 0; i < s->loop_count; i++)
			if (loop_drain(&s->loops[i]))
				quiet = -1;
}

void server_free(struct server **server)
{
	struct server *s = *server;
	if (!s)
		return;
	*server = NULL;
	if (!s->loops)
		s->loop_count = 0;
	drain_loops(s);
	for (unsigned i = 0; i < s->loop_count; i++)
		service_loops_end(&s->loops[i]);
	drain_loops(s);
	for (unsigned i = 0; i < s->loop_count; i++) {
		service_loops_free(&s->loops[i]);
		loop_free(&s->loops[i]);
	}
	for (int p = 0; p < SERVER_PORT_COUNT; p++)
		if (s->sockets[p] >= 0)
			close(s->sockets[p]);
	supplies_end(s);
	accounts_close(s);
	tls_files_close(s);
	free(s->loops);
	free(s);
}
