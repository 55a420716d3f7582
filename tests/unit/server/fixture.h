#ifndef TEST_SERVER_FIXTURE_H
#define TEST_SERVER_FIXTURE_H

#include "base/error.h"
#include "directory/snapshot.h"
#include "mapi/tags.h"
#include "mapiwire.h"
#include "server/server.h"
#include "store/mailbox.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* A server in a child of the test, with one user and her mailbox; clients in the test itself. */
#define NUMBER MAPI_TAG(0x6000, PTYP_INTEGER32)
#define PASSWORD "Wonderland-1"

struct ports {
	uint16_t mapper, store;
};

static char state_dir[64];
static char dn[256];
static struct guid mailbox_guid;
static struct ports ports;
static pid_t server_pid;

/* ---- The state ---- */

static inline int make_user(void)
{
	const struct directory_settings settings = {.mail_domain = "demo.test"};
	struct directory_new_user user = {.address = "alice@demo.test", .name = "Alice"};
	struct directory *d = NULL;
	struct directory_snapshot *s = NULL;
	uint32_t id;
	int r = directory_nt_hash(PASSWORD, user.nt_hash);

	if (r == 0)
		r = directory_open(state_dir, true, &settings, &d, NULL);
	if (r == 0)
		r = directory_add(d, &user, &id, &mailbox_guid);
	if (r == 0)
		r = directory_snapshot(d, &s);
	if (r == 0) {
		const struct directory_user *u = directory_by_id(s, id);
		struct store_owner owner = {.name = u->name, .address = u->address, .dn = u->dn};
		struct store_place place = {.state = state_dir};
		snprintf(dn, sizeof dn, "%s", u->dn);
		r = store_mailbox_create(&place, &mailbox_guid, &owner, INT64_C(1790000000000000000), NULL);
	}
	directory_snapshot_unref(&s);
	directory_close(&d);
	return r;
}

static inline int set_up(void **state)
{
	(void)state;
	snprintf(state_dir, sizeof state_dir, "/tmp/mw-power-XXXXXX");
	server_pid = 0;
	return mkdtemp(state_dir) ? make_user() : -1;
}

static inline void end_server(void)
{
	int status;

	if (server_pid <= 0)
		return;
	assert_int_equal(kill(server_pid, SIGKILL), 0);
	assert_true(waitpid(server_pid, &status, 0) == server_pid);
	server_pid = 0;
	/* Nobody but this test ended it. */
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static inline int tear_down(void **state)
{
	char command[128];

	(void)state;
	if (server_pid > 0) {
		kill(server_pid, SIGKILL);
		waitpid(server_pid, NULL, 0);
	}
	snprintf(command, sizeof command, "rm -rf %s", state_dir);
	return system(command);
}

/* ---- The server ---- */

static inline _Noreturn void serve(int out, const struct server_config *config)
{
	struct server *s = NULL;
	char why[512] = "";

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	if (server_new(config, &s, why) < 0) {
		fprintf(stderr, "%s\n", why);
		_exit(2);
	}
	ports = (struct ports){server_port(s, SERVER_PORT_EPM), server_port(s, SERVER_PORT_STORE)};
	if (write(out, &ports, sizeof ports) != sizeof ports)
		_exit(3);
	close(out);
	_exit(server_run(s) < 0 ? 4 : 0);
}

/* The state directory, dynamic ports and two loops are added to it. before is called in the child. */
static inline void start_server(struct server_config config, void (*before)(void))
{
	int ends[2];

	config.state = state_dir;
	config.loops = 2;
	assert_int_equal(pipe(ends), 0);
	server_pid = fork();
	assert_true(server_pid >= 0);
	if (server_pid == 0) {
		close(ends[0]);
		if (before)
			before();
		serve(ends[1], &config);
	}
	close(ends[1]);
	assert_int_equal(read(ends[0], &ports, sizeof ports), sizeof ports);
	close(ends[0]);
}

/* ---- Its clients ---- */

struct client {
	struct mapiwire *m;
	struct mapiwire_store *store;
	uint64_t inbox;
	pthread_t thread;
	int result; /* of the last save */
	atomic_bool done;
};

static inline int try_open(struct client *c)
{
	const struct mapiwire_options options = {.host = "127.0.0.1",
	                                         .mapper_port = ports.mapper,
	                                         .domain = "DEMO",
	                                         .user = "alice",
	                                         .password = PASSWORD,
	                                         .timeout_ms = 20000};
	int r = mapiwire_new(&options, &c->m);

	if (r == 0)
		r = mapiwire_store_open(c->m, ports.store, dn, &c->store);
	return r < 0 ? r : mapiwire_folder_find(c->store, "inbox", &c->inbox);
}

static inline void open_client(struct client *c)
{
	*c = (struct client){0};
	int r = try_open(c);
	if (r < 0)
		fail_msg("cannot log on: %d %s", r, c->m ? mapiwire_error(c->m)->sentence : "");
}

static inline void close_client(struct client *c)
{
	mapiwire_store_close(&c->store);
	assert_int_equal(mapiwire_free(&c->m), 0);
}

static inline int save(struct client *c, int32_t number, uint64_t *id)
{
	const struct mapiwire_value v = {.tag = NUMBER, .integer = number};
	const struct mapiwire_draft draft = {.subject = "kept", .values = &v, .value_count = 1};

	return mapiwire_message_save(c->store, c->inbox, &draft, id);
}

#endif
