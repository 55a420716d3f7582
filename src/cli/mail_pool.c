#include "cli/mail_files.h"

#include "base/text.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

/* Messages of files on their way into the mailbox, several at once: each is a task of libmapiwire's, in a session of
 * its own. They are parsed here, on the program's own stack. */

#define MAX_TOLD 10

void mail_import_stop(struct mail_import *i, int code)
{
	cli_progress_end(&i->progress);
	if (i->code == 0)
		i->code = code;
}

/* One message that cannot be taken does not keep the others out. */
static void tell(struct mail_import *i, uint64_t number, const char *where, const char *why)
{
	struct buf line MW_CLEANUP(buf_free) = {0};
	i->refused++;
	if (i->told++ >= MAX_TOLD)
		return;
	if (i->progress.shown)
		fputs("\r\033[K", stderr);
	text_put_terminal(&line, where);
	buf_printf(&line, ", message %llu: ", (unsigned long long)number);
	text_put_terminal(&line, why);
	buf_put_u8(&line, 0);
	if (buf_error(&line) == 0)
		fprintf(stderr, "mapiwire mail: %s\n", (const char *)line.data);
}

/* ---- One on its way ---- */

static int work(struct mapiwire *m, void *user)
{
	struct mail_job *job = (struct mail_job *)user;
	(void)m;
	int r = job->store ? 0 : mail_open_store(job->import->mail, &job->store);
	if (r != 0)
		return r;
	return mail_put(job->store, job->folder, mime_parsed_message(job->message), job->flags, job->flag_count);
}

static void done(struct mapiwire *m, int result, void *user)
{
	struct mail_job *job = (struct mail_job *)user;
	struct mail_import *i = job->import;
	const struct mapiwire_error *e = mapiwire_error(m);
	mime_parsed_free(&job->message);
	if (result == 0) {
		i->taken++;
	} else if (result == MAPIWIRE_E_STATUS) {
		tell(i, job->number, job->where, e->sentence);
	} else if (e->code == 0) {
		tell(i, job->number, job->where, "its attachments cannot be read; left out.");
	} else if (i->code == 0) {
		cli_progress_end(&i->progress);
		mail_import_stop(i, mail_fail(i->mail));
	}
}

/* ---- All of them ---- */

static void step(struct mapiwire *m)
{
	struct pollfd fds[MAPIWIRE_POLL_MAX];
	int timeout_ms = -1;
	size_t n = mapiwire_poll_list(m, fds, MAPIWIRE_POLL_MAX, &timeout_ms);
	poll(fds, n, timeout_ms);
	mapiwire_process(m);
}

static struct mail_job *idle(struct mail_import *i)
{
	for (size_t j = 0; j < MAIL_SESSIONS; j++)
		if (!i->jobs[j].message)
			return &i->jobs[j];
	return NULL;
}

static void start(struct mail_import *i, struct mail_job *job)
{
	job->import = i;
	if (job == &i->jobs[0])
		job->store = i->mail->store;
	if (mapiwire_start(i->mail->r->m, work, done, job, NULL) == 0) {
		/* So that the first has its way before a second session is opened for the next. */
		mapiwire_process(i->mail->r->m);
		return;
	}
	mime_parsed_free(&job->message);
	mail_import_stop(i, cli_fail(mail_command, CLI_EXIT_FAILED, "out of memory."));
}

bool mail_import_one(struct mail_import *i, uint64_t folder, const struct mime_source *source, const char *where,
                     const struct mapiwire_value *flags, size_t flag_count)
{
	struct mime_parsed *message = NULL;
	struct mail_job *job;
	uint64_t number = ++i->seen;
	int r = mime_parse(source, &message);
	if (r != 0)
		tell(i, number, where,
		     r == MW_E_MALFORMED ? "this is no mail; left out." : "it cannot be taken apart; left out.");
	if (r != 0)
		return i->code == 0;
	while (i->code == 0 && !(job = idle(i)))
		step(i->mail->r->m);
	if (i->code != 0) {
		mime_parsed_free(&message);
		return false;
	}
	struct mapiwire_store *store = job->store;
	*job = (struct mail_job){.store = store,
	                         .message = message,
	                         .folder = folder,
	                         .number = number,
	                         .where = where,
	                         .flag_count = flag_count};
	if (flag_count > 0)
		memcpy(job->flags, flags, flag_count * sizeof *flags);
	start(i, job);
	return i->code == 0;
}

static bool any(const struct mail_import *i)
{
	for (size_t j = 0; j < MAIL_SESSIONS; j++)
		if (i->jobs[j].message)
			return true;
	return false;
}

void mail_import_wait(struct mail_import *i)
{
	while (any(i))
		step(i->mail->r->m);
}

void mail_import_end(struct mail_import *i)
{
	mail_import_wait(i);
	for (size_t j = 1; j < MAIL_SESSIONS; j++)
		mapiwire_store_close(&i->jobs[j].store);
}
