#include "server/emsmdb/outbox.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Mail that waited when the server ended goes out although nobody opens its mailbox: soon after the start the pool
 * looks into the loop's files, and those with something in their outbox are opened, a few a round.
 */

#define MAILBOXES_MAX 65536
#define MAILBOXES_A_SLICE 4

struct scan {
	struct loop_message message;
	uv_work_t work;
	struct server_loop *loop;
	struct buf found; /* struct guid */
	size_t at;
};

/* "GUID.sqlite" */
static bool read_name(const char *name, struct guid *out)
{
	char text[GUID_TEXT_SIZE];
	size_t n = strlen(name);
	if (n != sizeof text - 1 + 7 || strcmp(name + sizeof text - 1, ".sqlite") != 0)
		return false;
	memcpy(text, name, sizeof text - 1);
	text[sizeof text - 1] = 0;
	return guid_parse(text, out) == 0;
}

static void look_at(struct scan *s, const struct store_place *place, const char *name)
{
	struct guid guid;
	if (read_name(name, &guid) && emsmdb_owner_of(s->loop->server, &guid) == s->loop &&
	    store_outbox_waits(place, &guid))
		(void)!buf_put(&s->found, &guid, sizeof guid);
}

static void run_scan(uv_work_t *work)
{
	struct scan *s = (struct scan *)work->data;
	const struct store_place place = {.state = s->loop->server->config.state};
	char path[4200];
	snprintf(path, sizeof path, "%s/mailboxes", place.state);
	DIR *dir = opendir(path);
	if (!dir)
		return;
	for (const struct dirent *e = readdir(dir); e && !atomic_load(&s->loop->server->stopping); e = readdir(dir))
		look_at(s, &place, e->d_name);
	closedir(dir);
}

static void open_some(struct server_loop *loop, struct loop_message *message)
{
	struct scan *s = (struct scan *)message;
	size_t count = s->found.len / sizeof(struct guid);
	for (unsigned i = 0; i < MAILBOXES_A_SLICE && s->at < count && !atomic_load(&loop->server->stopping); i++) {
		struct emsmdb_mailbox *m;
		struct guid guid;
		memcpy(&guid, s->found.data + s->at++ * sizeof guid, sizeof guid);
		if (emsmdb_mailbox_ref(loop, &guid, &m) == 0) /* which looks into its outbox */
			emsmdb_mailbox_unref(&m);
	}
	if (s->at < count && !atomic_load(&loop->server->stopping)) {
		loop_post(loop, &s->message);
		return;
	}
	buf_free(&s->found);
	free(s);
}

static void end_scan(uv_work_t *work, int status)
{
	struct scan *s = (struct scan *)work->data;
	(void)status;
	s->message.run = open_some;
	loop_post(s->loop, &s->message);
}

void emsmdb_outboxes_start(struct server_loop *loop)
{
	struct scan *s = (struct scan *)calloc(1, sizeof *s);
	if (!s)
		return;
	s->loop = loop;
	s->work.data = s;
	s->found.max = MAILBOXES_MAX * sizeof(struct guid);
	if (uv_queue_work(&loop->uv, &s->work, run_scan, end_scan) < 0)
		free(s);
}
