/*
 * Several mailboxes watched in one poll loop, with libmapiwire's event-loop form.
 *
 *     cc -o watch_many watch_many.c -lmapiwire
 *     watch_many HOST MAPPER-PORT DOMAIN USER PASSWORD [USER PASSWORD ...]
 *
 * Prints a line for each change in one of the inboxes. At the end of standard input all watches are cancelled.
 * MAPIWIRE_CAPTURE=PREFIX keeps a capture of each conversation in PREFIX.USER.pcapng.
 */
#include <mapiwire.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MAX_CLIENTS 16
#define DN_TAG 0x3003001Fu /* PidTagEmailAddress */

struct mailbox {
	const char *user;
	struct mapiwire *m;
	struct mapiwire_task *task;
	int running, result;
};

static int port_of(struct mapiwire *m, const char *name, uint16_t *port)
{
	struct mapiwire_interface interface;
	int r = mapiwire_interface_named(name, &interface);
	return r < 0 ? r : mapiwire_map(m, &interface, port);
}

static int open_store(struct mailbox *box, struct mapiwire_store **store)
{
	const uint32_t tags[] = {DN_TAG};
	struct mapiwire_book *book = NULL;
	struct mapiwire_rows rows = {0};
	uint16_t nspi = 0, port = 0;
	int r = port_of(box->m, "nspi", &nspi);
	if (r == 0)
		r = port_of(box->m, "store", &port);
	if (r == 0)
		r = mapiwire_book_open(box->m, nspi, &book);
	if (r == 0)
		r = mapiwire_book_resolve(book, box->user, tags, 1, &rows);
	if (r == 0) {
		const struct mapiwire_value *dn = mapiwire_row_find(&rows, 0, DN_TAG);
		r = dn ? mapiwire_store_open(box->m, port, dn->text, store) : MAPIWIRE_E_NOTFOUND;
		mapiwire_rows_free(&rows);
	}
	mapiwire_book_close(&book);
	return r;
}

/* The task: written as if each call blocked. */
static int watch(struct mapiwire *m, void *user)
{
	struct mailbox *box = (struct mailbox *)user;
	struct mapiwire_store *store = NULL;
	struct mapiwire_watch *w = NULL;
	struct mapiwire_event event;
	uint64_t inbox = 0;
	int r = open_store(box, &store);
	if (r == 0)
		r = mapiwire_folder_find(store, "inbox", &inbox);
	if (r == 0)
		r = mapiwire_watch_open(store, inbox, MAPIWIRE_CREATED | MAPIWIRE_DELETED | MAPIWIRE_NEW_MAIL, &w);
	if (r == 0)
		printf("%s: watching\n", box->user);
	while (r == 0 || r == MAPIWIRE_E_TIMEOUT) {
		r = mapiwire_watch_next(w, 60000, &event);
		if (r == 0)
			printf("%s: change %#x\n", box->user, event.kind);
	}
	if (r < 0)
		printf("%s: %s\n", box->user, mapiwire_error(m)->sentence);
	mapiwire_watch_close(&w);
	mapiwire_store_close(&store);
	return r;
}

static void ended(struct mapiwire *m, int result, void *user)
{
	struct mailbox *box = (struct mailbox *)user;
	(void)m;
	box->running = 0;
	box->result = result;
}

static int begin(struct mailbox *box, char **argv, int i)
{
	static char capture[256];
	const char *prefix = getenv("MAPIWIRE_CAPTURE");
	snprintf(capture, sizeof capture, "%s.%s.pcapng", prefix ? prefix : "", argv[i]);
	const struct mapiwire_options o = {
	        .host = argv[1],
	        .mapper_port = (uint16_t)strtoul(argv[2], NULL, 10),
	        .domain = argv[3],
	        .user = argv[i],
	        .password = argv[i + 1],
	        .capture = prefix ? capture : NULL,
	};
	box->user = argv[i];
	box->running = 1;
	int r = mapiwire_new(&o, &box->m);
	return r < 0 ? r : mapiwire_start(box->m, watch, ended, box, &box->task);
}

/* One round of the loop: standard input and the descriptors of all clients. */
static int turn(struct mailbox *boxes, int count, int *input)
{
	struct pollfd fds[1 + MAX_CLIENTS * 8];
	char line[256];
	size_t n = 1;
	int timeout_ms = -1;
	fds[0] = (struct pollfd){.fd = *input, .events = POLLIN};
	for (int i = 0; i < count; i++)
		n += mapiwire_poll_list(boxes[i].m, fds + n, sizeof fds / sizeof *fds - n, &timeout_ms);
	if (poll(fds, (nfds_t)n, timeout_ms) < 0)
		return -1;
	if (*input >= 0 && fds[0].revents && read(*input, line, sizeof line) <= 0) {
		*input = -1;
		for (int i = 0; i < count; i++)
			if (boxes[i].running)
				mapiwire_cancel(boxes[i].task, 1000);
	}
	for (int i = 0; i < count; i++)
		mapiwire_process(boxes[i].m);
	return 0;
}

static int any(const struct mailbox *boxes, int count)
{
	for (int i = 0; i < count; i++)
		if (boxes[i].running)
			return 1;
	return 0;
}

int main(int argc, char **argv)
{
	struct mailbox boxes[MAX_CLIENTS] = {0};
	int count = 0, failed = 0, input = STDIN_FILENO;
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = 4; i + 1 < argc && count < MAX_CLIENTS; i += 2)
		if (begin(&boxes[count++], argv, i) < 0)
			return 2;
	while (any(boxes, count) && turn(boxes, count, &input) == 0)
		;
	for (int i = 0; i < count; i++) {
		failed |= boxes[i].result != MAPIWIRE_E_CANCELLED;
		mapiwire_free(&boxes[i].m);
	}
	return failed;
}
