#include "cli/mail_files.h"

#include "base/time.h"
#include "mime/mbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* import: files of mail, whatever they are, into a folder. */

/* ---- Sources ---- */

void mail_import_mbox(struct mail_import *i, uint64_t folder, const char *path)
{
	struct mime_mbox *m = NULL;
	struct mime_source source;
	int r = mime_mbox_open(path, &m);
	if (r < 0) {
		mail_import_stop(i, cli_usage(mail_command, "cannot read %s: %s.", path, strerror(errno)));
		return;
	}
	i->progress.total = mime_mbox_size(m);
	i->progress.bytes = true;
	while (i->code == 0 && (r = mime_mbox_next(m, &source)) == 1 &&
	       mail_import_one(i, folder, &source, path, NULL, 0))
		cli_progress_step(&i->progress, mime_mbox_position(m), i->taken);
	mail_import_wait(i);
	mime_mbox_close(&m);
	if (r < 0)
		mail_import_stop(i,
		                 cli_fail(mail_command, CLI_EXIT_FAILED, "cannot read %s: %s.", path, strerror(errno)));
}

static void import_eml(struct mail_import *i, uint64_t folder, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		mail_import_stop(i, cli_usage(mail_command, "cannot read %s: %s.", path, strerror(errno)));
		return;
	}
	(void)mail_import_one(i, folder, &(struct mime_source){.fd = fd}, path, NULL, 0);
	mail_import_wait(i);
	close(fd);
}

static bool has_folder(const char *path, const char *name)
{
	char full[4400];
	struct stat st;
	snprintf(full, sizeof full, "%s/%s", path, name);
	return stat(full, &st) == 0 && S_ISDIR(st.st_mode);
}

/* 0, or an exit code after a sentence. */
static int find_format(const struct mail *mail, const char *path, enum mail_format *out)
{
	static const char *const names[] = {
	        [MAIL_EML] = "eml", [MAIL_MBOX] = "mbox", [MAIL_MAILDIR] = "maildir", [MAIL_PST] = "pst"};
	char start[5] = "";
	struct stat st;
	for (unsigned f = MAIL_EML; mail->format && f <= MAIL_PST; f++)
		if (strcmp(names[f], mail->format) == 0)
			*out = (enum mail_format)f;
	if (*out != MAIL_UNKNOWN)
		return 0;
	if (mail->format)
		return cli_usage(mail_command, "--format is eml, mbox, maildir or pst, not '%s'.", mail->format);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return cli_usage(mail_command, "cannot read %s: %s.", path, strerror(errno));
	ssize_t n = S_ISREG(st.st_mode) ? read(fd, start, sizeof start) : 0;
	close(fd);
	*out = S_ISDIR(st.st_mode)                        ? MAIL_MAILDIR
	       : n >= 4 && memcmp(start, "!BDN", 4) == 0  ? MAIL_PST
	       : n >= 5 && memcmp(start, "From ", 5) == 0 ? MAIL_MBOX
	                                                  : MAIL_EML;
	if (*out == MAIL_MAILDIR && !has_folder(path, "cur") && !has_folder(path, "new"))
		return cli_usage(mail_command, "%s is a folder and no Maildir: there is no cur and no new in it.",
		                 path);
	return 0;
}

static void import_path(struct mail_import *i, const char *path)
{
	enum mail_format format = MAIL_UNKNOWN;
	const char *slash = strrchr(path, '/');
	i->code = find_format(i->mail, path, &format);
	if (i->code != 0)
		return;
	i->progress = (struct cli_progress){.what = slash && slash[1] ? slash + 1 : path, .items = "messages"};
	cli_progress_begin(&i->progress, i->mail->r->json);
	switch (format) {
	case MAIL_MBOX:
		mail_import_mbox(i, i->mail->folder_id, path);
		break;
	case MAIL_MAILDIR:
		mail_import_maildir(i, i->mail->folder_id, path);
		break;
	case MAIL_PST:
		mail_import_pst(i, i->mail->folder_id, path);
		break;
	default:
		import_eml(i, i->mail->folder_id, path);
	}
	cli_progress_end(&i->progress);
}

static void sum_up(const struct mail_import *i, int64_t ns)
{
	char taken[64], refused[64];
	if (i->mail->r->json) {
		printf("{\"imported\":%llu,\"left_out\":%llu,\"seconds\":%.3f}\n", (unsigned long long)i->taken,
		       (unsigned long long)i->refused, (double)ns / (double)NS_PER_S);
		return;
	}
	printf("Imported %s into %s in %.1f s", mail_plural(i->taken, "message", "messages", taken),
	       i->mail->folder ? i->mail->folder : "inbox", (double)ns / (double)NS_PER_S);
	if (i->refused > 0)
		printf("; %s left out", mail_plural(i->refused, "was", "were", refused));
	puts(".");
}

int mail_import(struct mail *mail)
{
	struct mail_import i = {.mail = mail};
	int64_t began = time_monotonic_ns();
	mime_begin();
	for (size_t w = 0; i.code == 0 && w < mail->word_count; w++)
		import_path(&i, mail->words[w]);
	mail_import_end(&i);
	sum_up(&i, time_monotonic_ns() - began);
	return i.code ? i.code : i.refused > 0 ? CLI_EXIT_FAILED : 0;
}
