"""A program on libmapiwire that does what it is told, word by word."""
import subprocess

import pytest
from building import build
from conftest import USERS

# Reads a word a line, does it, and says how it ended.
PROGRAM = r"""
#include <mapiwire.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct mapiwire *m;
static struct mapiwire_store *store;
static struct mapiwire_book *book;
static struct mapiwire_table *table;
static struct mapiwire_watch *watch;
static uint64_t inbox;
static const uint32_t tags[] = {0x3003001F, 0x3001001F};

static int port_of(const char *name, uint16_t *port)
{
	struct mapiwire_interface interface;
	int r = mapiwire_interface_named(name, &interface);
	return r < 0 ? r : mapiwire_map(m, &interface, port);
}

static int open_all(void)
{
	struct mapiwire_rows rows;
	uint16_t nspi = 0, port = 0;
	int r = port_of("nspi", &nspi);
	if (r == 0)
		r = port_of("store", &port);
	if (r == 0)
		r = mapiwire_book_open(m, nspi, &book);
	if (r == 0)
		r = mapiwire_book_resolve(book, "alice", tags, 2, &rows);
	if (r < 0)
		return r;
	r = mapiwire_store_open(m, port, mapiwire_row_find(&rows, 0, tags[0])->text, &store);
	mapiwire_rows_free(&rows);
	return r < 0 ? r : mapiwire_folder_find(store, "inbox", &inbox);
}

static int act(const char *word)
{
	struct mapiwire_rows rows = {0};
	struct mapiwire_event event;
	const struct mapiwire_draft draft = {.subject = "one", .body = "body"};
	uint16_t port;
	int r = MAPIWIRE_E_ARGUMENT;
	if (strcmp(word, "open") == 0)
		return open_all();
	if (strcmp(word, "map") == 0)
		return port_of("rfr", &port);
	if (strcmp(word, "table") == 0) {
		mapiwire_table_close(&table);
		return mapiwire_table_open(store, inbox, MAPIWIRE_MESSAGES, tags, 1, 0, false, &table);
	}
	if (strcmp(word, "watch") == 0)
		return mapiwire_watch_open(store, inbox, MAPIWIRE_CREATED, &watch);
	if (strcmp(word, "next") == 0)
		return mapiwire_watch_next(watch, 5000, &event);
	if (strncmp(word, "save:", 5) == 0) { /* so many KiB */
		size_t size = strtoul(word + 5, NULL, 10) * 1024;
		char *body = calloc(1, size + 1);
		memset(body, 'x', size);
		const struct mapiwire_draft large = {.subject = "one", .body = body};
		r = mapiwire_message_save(store, inbox, &large, NULL);
		free(body);
		return r;
	}
	if (strcmp(word, "save") == 0)
		return mapiwire_message_save(store, inbox, &draft, NULL);
	if (strcmp(word, "close") == 0) {
		mapiwire_watch_close(&watch);
		mapiwire_table_close(&table);
		mapiwire_store_close(&store);
		return 0;
	}
	if (strcmp(word, "get") == 0)
		r = mapiwire_folder_get(store, inbox, tags + 1, 1, &rows);
	if (strcmp(word, "read") == 0)
		r = mapiwire_table_read(table, 10, &rows);
	if (strcmp(word, "resolve") == 0)
		r = mapiwire_book_resolve(book, "alice", tags, 2, &rows);
	if (strcmp(word, "first") == 0)
		r = mapiwire_book_first(book, tags, 2, 5, &rows, NULL);
	if (r == 0)
		mapiwire_rows_free(&rows);
	return r;
}

struct turn {
	const char *word;
	int result;
	bool done;
	char cause[64];
};

static int in_task(struct mapiwire *client, void *user)
{
	struct turn *t = user;
	t->result = act(t->word);
	snprintf(t->cause, sizeof t->cause, "%s", mapiwire_error(client)->cause);
	return t->result;
}

static void done(struct mapiwire *client, int result, void *user)
{
	(void)client;
	(void)result;
	((struct turn *)user)->done = true;
}

/* The event-loop form. "cancel:WORD" is given up once nothing has happened for 200 ms. */
static void loop(struct turn *t)
{
	struct pollfd fds[MAPIWIRE_POLL_MAX];
	struct mapiwire_task *task;
	bool cancel = strncmp(t->word, "cancel:", 7) == 0;
	t->word += cancel ? 7 : 0;
	if (mapiwire_start(m, in_task, done, t, &task) < 0)
		exit(1);
	while (!t->done) {
		int ms = cancel ? 200 : -1;
		size_t n = mapiwire_poll_list(m, fds, MAPIWIRE_POLL_MAX, &ms);
		if (poll(fds, n, ms) == 0 && cancel && ms == 200)
			mapiwire_cancel(task, 0);
		mapiwire_process(m);
	}
}

int main(int argc, char **argv)
{
	const uint16_t port = (uint16_t)strtoul(argv[1], NULL, 10);
	struct mapiwire_options o = {.host = "127.0.0.1", .mapper_port = port, .domain = "DEMO", .user = "alice",
	                             .password = argv[2], .timeout_ms = 5000, .web = {.port = port}};
	bool loops = false;
	char word[32];
	for (int i = 3; i < argc; i++) {
		if (strcmp(argv[i], "connect") == 0)
			o.level = MAPIWIRE_LEVEL_CONNECT;
		if (strcmp(argv[i], "mapi-http") == 0)
			o.transport = MAPIWIRE_MAPI_HTTP;
		if (strcmp(argv[i], "rpc-http") == 0)
			o.transport = MAPIWIRE_RPC_HTTP;
		if (strncmp(argv[i], "host=", 5) == 0) { /* behind the proxy on 127.0.0.1 */
			o.host = argv[i] + 5;
			o.web.host = "127.0.0.1";
		}
		if (strncmp(argv[i], "principal=", 10) == 0)
			o.web.principal = argv[i] + 10;
		if (strncmp(argv[i], "channel=", 8) == 0)
			o.web.channel_bytes = (uint32_t)strtoul(argv[i] + 8, NULL, 10);
		if (strcmp(argv[i], "plain") == 0)
			o.web.plain = true;
		if (strncmp(argv[i], "ca=", 3) == 0)
			o.web.ca_file = argv[i] + 3;
		if (strncmp(argv[i], "timeout=", 8) == 0)
			o.timeout_ms = (unsigned)strtoul(argv[i] + 8, NULL, 10);
		if (strcmp(argv[i], "basic") == 0)
			o.web.auth = MAPIWIRE_WEB_AUTH_BASIC;
		if (strcmp(argv[i], "loop") == 0)
			loops = true;
	}
	if (mapiwire_new(&o, &m) < 0)
		return 1;
	while (scanf("%31s", word) == 1) {
		struct turn t = {.word = word};
		if (loops)
			loop(&t);
		else
			in_task(m, &t);
		printf("%s %s\n", word, t.result == 0 ? "ok" : t.cause);
		fflush(stdout);
	}
	mapiwire_watch_close(&watch);
	mapiwire_table_close(&table);
	mapiwire_book_close(&book);
	mapiwire_store_close(&store);
	return mapiwire_free(&m) < 0;
}
"""


@pytest.fixture(scope="session")
def workshop(tmp_path_factory):
    return tmp_path_factory.mktemp("scripted")


@pytest.fixture
def actor(library, workshop):
    """Starts the program: act = actor(port, options); act(word) says "ok" or the cause."""
    built = workshop / "p"
    if not built.exists():
        (workshop / "p.c").write_text(PROGRAM)
        build(library, workshop / "p.c", built)
    started = []

    def start(port, *more):
        process = subprocess.Popen([built, str(port), USERS["alice"][1], *more], text=True, stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        started.append(process)

        def act(word):
            process.stdin.write(word + "\n")
            process.stdin.flush()
            return process.stdout.readline().split()[1]

        return act

    yield start
    for process in started:
        errors = process.communicate(timeout=30)[1]
        assert process.returncode == 0 and "Sanitizer" not in errors, errors
