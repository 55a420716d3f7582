#include "cli/mail_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * PST: readpst (of pst-utils) writes a folder for each folder and in it a file "mbox" (mboxrd), into a directory of
 * ours that is removed again. It is another program under another licence: run, never linked.
 */

#define MAX_DEPTH 32

static int start(const char *path, const char *into)
{
	pid_t child = fork();
	int status;
	if (child == 0) {
		int nowhere = open("/dev/null", O_WRONLY);
		if (nowhere >= 0)
			dup2(nowhere, STDOUT_FILENO); /* it tells its mistakes there */
		execlp("readpst", "readpst", "-q", "-r", "-8", "-te", "-o", into, path, (char *)NULL);
		_exit(errno == ENOENT ? 127 : 126);
	}
	if (child < 0)
		return 126;
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return 126;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 126;
}

static int is_folder(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

static void import_tree(struct mail_import *i, uint64_t folder, const char *path, int depth);

static void import_child(struct mail_import *i, uint64_t folder, const char *path, const char *name, int depth)
{
	char full[4400];
	struct stat st;
	uint64_t child;
	if ((size_t)snprintf(full, sizeof full, "%s/%s", path, name) >= sizeof full || lstat(full, &st) < 0)
		return;
	if (S_ISREG(st.st_mode) && strcmp(name, "mbox") == 0) {
		mail_import_mbox(i, folder, full);
	} else if (S_ISDIR(st.st_mode)) {
		if (mapiwire_folder_create(i->mail->store, folder, name, &child, NULL) < 0) {
			mail_import_stop(i, 0);
			i->code = mail_fail(i->mail);
			return;
		}
		import_tree(i, child, full, depth + 1);
	}
}

static void import_tree(struct mail_import *i, uint64_t folder, const char *path, int depth)
{
	struct dirent **entries = NULL;
	int n = depth < MAX_DEPTH ? scandir(path, &entries, is_folder, alphasort) : 0;
	for (int e = 0; e < n; e++) {
		if (i->code == 0)
			import_child(i, folder, path, entries[e]->d_name, depth);
		free(entries[e]);
	}
	free(entries);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st, (void)kind, (void)where;
	return remove(path);
}

void mail_import_pst(struct mail_import *i, uint64_t folder, const char *path)
{
	const char *tmp = getenv("TMPDIR");
	char into[4200], full[4200];
	snprintf(into, sizeof into, "%s/mapiwire-pst-XXXXXX", tmp && *tmp ? tmp : "/tmp");
	if (!realpath(path, full) || !mkdtemp(into)) {
		mail_import_stop(i, cli_usage(mail_command, "cannot unpack %s: %s.", path, strerror(errno)));
		return;
	}
	int status = start(full, into);
	if (status == 127)
		mail_import_stop(i, cli_usage(mail_command, "a PST file is read by the program readpst, which is not "
		                                            "installed: get it with apt install pst-utils."));
	else if (status != 0)
		mail_import_stop(i, cli_usage(mail_command, "readpst cannot read %s (exit code %d).", path, status));
	else
		import_tree(i, folder, into, 0);
	nftw(into, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
