#include "cli/mail_files.h"

#include "base/text.h"
#include "base/time.h"
#include "mime/mbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* export: messages of the mailbox to EML files, an mbox, a Maildir. */

#define MFREAD 1
#define FLAGGED 2
#define REPLIED 102

struct export
{
	struct mail *mail;
	enum mail_format format;
	const char *path;
	FILE *mbox;
	uint64_t written;
	struct cli_progress progress;
};

static int fail_file(struct export *e, const char *path)
{
	int error = errno;
	cli_progress_end(&e->progress);
	return cli_fail(mail_command, CLI_EXIT_FAILED, "cannot write %s: %s.", path, strerror(error));
}

static int64_t number(const struct mime_message *m, uint32_t tag)
{
	const struct mapiwire_value *v = mime_find(m->values, m->value_count, tag);
	return v ? v->integer : 0;
}

static const char *text(const struct mime_message *m, uint32_t tag)
{
	const struct mapiwire_value *v = mime_find(m->values, m->value_count, tag);
	return v && v->text ? v->text : "";
}

/* ---- A message to each of them ---- */

/* A name from the date and the subject, of characters that every file system takes. */
static void eml_name(const struct mime_message *m, uint64_t no, char out[160])
{
	char date[20];
	const char *subject = text(m, PidTagSubject);
	mail_local_time(number(m, PidTagMessageDeliveryTime), date);
	date[10] = 0;
	size_t at = (size_t)snprintf(out, 160, "%04llu %s ", (unsigned long long)no, *date == '-' ? "" : date);
	for (; *subject && at < 120; subject++) {
		unsigned char c = (unsigned char)*subject;
		out[at++] = c < 0x20 || c == 0x7F || strchr("/\\<>:\"|?*", c) ? '_' : (char)c;
	}
	while (at > 0 && ((unsigned char)out[at - 1] & 0xC0) == 0x80 && ((unsigned char)*subject & 0xC0) == 0x80)
		at--;
	if (at > 0 && ((unsigned char)out[at - 1] & 0xC0) == 0xC0)
		at--;
	snprintf(out + at, 160 - at, ".eml");
}

static int put_file(struct export *e, const struct mime_message *m, const char *path, int fd, enum mime_lines lines)
{
	if (fd < 0)
		return fail_file(e, path);
	int r = mime_write(m, fd, lines);
	int closed = close(fd);
	if (r == 0 && closed < 0)
		r = MW_E_IO;
	return r < 0 ? fail_file(e, path) : 0;
}

static int put_eml(struct export *e, const struct mime_message *m)
{
	char path[4600], name[160];
	struct stat st;
	if (stat(e->path, &st) < 0 || !S_ISDIR(st.st_mode)) {
		int fd = open(e->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
		return put_file(e, m, e->path, fd, MIME_CRLF);
	}
	eml_name(m, e->written + 1, name);
	snprintf(path, sizeof path, "%s/%s", e->path, name);
	return put_file(e, m, path, open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666), MIME_CRLF);
}

/* By way of a file without a name: lines that begin with "From " are seen only once they are written. */
static int put_mbox(struct export *e, const struct mime_message *m)
{
	FILE *spool = tmpfile();
	if (!spool)
		return fail_file(e, "a temporary file");
	const char *sender = text(m, PidTagSenderSmtpAddress);
	int r = mime_write(m, fileno(spool), MIME_LF);
	if (r == 0)
		r = mime_mbox_append(e->mbox, *sender ? sender : text(m, PidTagSenderEmailAddress),
		                     number(m, PidTagMessageDeliveryTime), fileno(spool));
	fclose(spool);
	return r < 0 ? fail_file(e, e->path) : 0;
}

static int put_maildir(struct export *e, const struct mime_message *m)
{
	char name[160], tmp[4600], path[4600], flags[4] = "";
	size_t n = 0;
	bool read = number(m, PidTagMessageFlags) & MFREAD;
	if (number(m, PidTagFlagStatus) == FLAGGED)
		flags[n++] = 'F';
	if (number(m, PidTagLastVerbExecuted) == REPLIED)
		flags[n++] = 'R';
	if (read)
		flags[n++] = 'S';
	snprintf(name, sizeof name, "%lld.M%06lldP%ldQ%llu.mapiwire",
	         (long long)(number(m, PidTagMessageDeliveryTime) / NS_PER_S),
	         (long long)(time_now_ns() / 1000 % 1000000), (long)getpid(), (unsigned long long)e->written);
	snprintf(tmp, sizeof tmp, "%s/tmp/%s", e->path, name);
	snprintf(path, sizeof path, "%s/cur/%s:2,%s", e->path, name, flags);
	int code = put_file(e, m, tmp, open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), MIME_LF);
	return code == 0 && rename(tmp, path) < 0 ? fail_file(e, path) : code;
}

static int put(struct export *e, const struct mime_message *m)
{
	return e->format == MAIL_MBOX ? put_mbox(e, m) : e->format == MAIL_MAILDIR ? put_maildir(e, m) : put_eml(e, m);
}

/* ---- All of them ---- */

static int open_target(struct export *e)
{
	static const char *const parts[] = {"", "/tmp", "/new", "/cur"};
	char path[4400];
	if (e->format == MAIL_MBOX) {
		int fd = open(e->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		e->mbox = fd >= 0 ? fdopen(fd, "w") : NULL;
		return e->mbox ? 0 : fail_file(e, e->path);
	}
	for (size_t i = 0; e->format == MAIL_MAILDIR && i < ARRAY_SIZE(parts); i++) {
		snprintf(path, sizeof path, "%s%s", e->path, parts[i]);
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			return fail_file(e, path);
	}
	return 0;
}

static int write_all(struct export *e, const struct mail_messages *found)
{
	int code = open_target(e);
	for (size_t i = 0; code == 0 && i < found->count; i++) {
		struct mail_got *got = NULL;
		int r = mail_get(e->mail, e->mail->folder_id, found->ids[i], &got);
		if (r == MW_E_IO && mapiwire_error(e->mail->r->m)->code == 0)
			return fail_file(e, "a temporary file");
		if (r != 0) {
			cli_progress_end(&e->progress);
			return mail_fail(e->mail);
		}
		code = put(e, mail_got_message(got));
		mail_got_free(&got);
		e->written += code == 0;
		cli_progress_step(&e->progress, i + 1, e->written);
	}
	if (e->mbox && fclose(e->mbox) != 0 && code == 0)
		code = fail_file(e, e->path);
	e->mbox = NULL;
	return code;
}

static int choose(struct mail *mail, struct export *e)
{
	*e = (struct export){.mail = mail};
	e->path = mail->eml ? mail->eml : mail->mbox ? mail->mbox : mail->maildir;
	e->format = mail->eml ? MAIL_EML : mail->mbox ? MAIL_MBOX : MAIL_MAILDIR;
	return (mail->eml != NULL) + (mail->mbox != NULL) + (mail->maildir != NULL) == 1
	               ? 0
	               : cli_usage(mail_command, "say where to: --eml FILE or DIR, --mbox FILE, or --maildir DIR.");
}

int mail_check_export(struct mail *mail, const char *name)
{
	struct export e;
	(void)name;
	if (mail->word_count > 0 && !mail_names_messages(mail->words[0]))
		return cli_usage(mail_command, "'%s' names no messages: say 3, 3-7, 1,4 or all.", mail->words[0]);
	return choose(mail, &e);
}

int mail_export(struct mail *mail)
{
	static const char *const all[] = {"all"};
	struct mail_messages found = {0};
	struct export e;
	struct stat st;
	char count[64];
	int code = choose(mail, &e);
	if (code == 0 && mail->word_count == 0) {
		mail->words = (const char **)all;
		mail->word_count = 1;
	}
	if (code == 0)
		code = mail_find(mail, mail->word_count, &found);
	if (code == 0 && mail->eml && found.count > 1 && (stat(mail->eml, &st) < 0 || !S_ISDIR(st.st_mode)))
		code = cli_usage(mail_command, "%s is no folder, and one EML file has one message.", mail->eml);
	if (code != 0)
		return code;
	mime_begin();
	e.progress = (struct cli_progress){.what = e.path, .total = found.count, .items = "messages"};
	cli_progress_begin(&e.progress, mail->r->json);
	code = write_all(&e, &found);
	cli_progress_end(&e.progress);
	if (code == 0 && mail->r->json)
		printf("{\"exported\":%llu}\n", (unsigned long long)e.written);
	else if (code == 0)
		printf("Exported %s to %s.\n", mail_plural(e.written, "message", "messages", count), e.path);
	return code;
}
