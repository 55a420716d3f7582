#include "cli/mail_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Maildir: a file a message in cur and new; what stands behind ":2," in a name are its flags. */

#define MFREAD 1
#define FLAGGED 2
#define REPLIED 102 /* PidTagLastVerbExecuted: NOTEIVERB_REPLYTOSENDER, [MS-OXOMSG] 2.2.1.6 */

static size_t read_flags(const char *name, bool seen, struct mapiwire_value out[3])
{
	const char *flags = strstr(name, ":2,");
	size_t count = 0;
	seen = seen && flags && strchr(flags, 'S');
	out[count++] = (struct mapiwire_value){.tag = PidTagMessageFlags, .integer = seen ? MFREAD : 0};
	if (flags && strchr(flags, 'F'))
		out[count++] = (struct mapiwire_value){.tag = PidTagFlagStatus, .integer = FLAGGED};
	if (flags && strchr(flags, 'R'))
		out[count++] = (struct mapiwire_value){.tag = PidTagLastVerbExecuted, .integer = REPLIED};
	return count;
}

static int is_message(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

static bool import_file(struct mail_import *i, uint64_t folder, const char *dir, const char *name, bool seen)
{
	char path[4800];
	struct mapiwire_value flags[3];
	struct stat st;
	snprintf(path, sizeof path, "%s/%s", dir, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		if (fd >= 0)
			close(fd);
		return true;
	}
	bool more =
	        mail_import_one(i, folder, &(struct mime_source){.fd = fd}, path, flags, read_flags(name, seen, flags));
	close(fd);
	return more;
}

static void import_dir(struct mail_import *i, uint64_t folder, const char *path, const char *sub)
{
	char dir[4400];
	struct dirent **entries = NULL;
	snprintf(dir, sizeof dir, "%s/%s", path, sub);
	int n = scandir(dir, &entries, is_message, alphasort);
	if (n < 0 && errno != ENOENT)
		mail_import_stop(i, cli_usage(mail_command, "cannot read %s: %s.", dir, strerror(errno)));
	i->progress.total = n > 0 ? (uint64_t)n : 0;
	i->progress.bytes = false;
	bool more = true;
	for (int e = 0; e < n; e++) {
		more = more && i->code == 0 && import_file(i, folder, dir, entries[e]->d_name, strcmp(sub, "cur") == 0);
		cli_progress_step(&i->progress, (uint64_t)e + 1, i->taken);
		free(entries[e]);
	}
	free(entries);
	mail_import_wait(i);
}

void mail_import_maildir(struct mail_import *i, uint64_t folder, const char *path)
{
	import_dir(i, folder, path, "cur");
	if (i->code == 0)
		import_dir(i, folder, path, "new");
}
