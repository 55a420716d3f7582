#include "base/secret.h"
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

int cli_color(const char *word, bool *out)
{
	const char *no_color = getenv("NO_COLOR");
	if (!word || strcmp(word, "auto") == 0)
		*out = isatty(STDOUT_FILENO) && !(no_color && *no_color);
	else if (strcmp(word, "always") == 0)
		*out = true;
	else if (strcmp(word, "never") == 0)
		*out = false;
	else
		return MW_E_INVALID;
	return 0;
}

unsigned cli_width(void)
{
	struct winsize size;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20)
		return size.ws_col;
	return 100;
}

void cli_write(struct buf *out)
{
	size_t done = 0;
	while (done < out->len) {
		ssize_t n = write(STDOUT_FILENO, out->data + done, out->len - done);
		if (n < 0 && errno != EINTR)
			break;
		if (n > 0)
			done += (size_t)n;
	}
	buf_clear(out);
}

/* One process has one pager: the child that reads what was our stdout. */
static pid_t pager = -1;

void cli_pager_begin(void)
{
	const char *command = getenv("PAGER");
	int ends[2];
	if (!isatty(STDOUT_FILENO) || (command && !*command) || pipe2(ends, O_CLOEXEC) < 0)
		return;
	setenv("LESS", "FRX", 0);
	pager = fork();
	if (pager == 0) {
		dup2(ends[0], STDIN_FILENO);
		execl("/bin/sh", "sh", "-c", command ? command : "less || cat", (char *)NULL);
		_exit(127);
	}
	if (pager > 0)
		dup2(ends[1], STDOUT_FILENO);
	close(ends[0]);
	close(ends[1]);
}

void cli_pager_end(void)
{
	if (pager <= 0)
		return;
	close(STDOUT_FILENO);
	while (waitpid(pager, NULL, 0) < 0 && errno == EINTR)
		;
	pager = -1;
}

static int first_line(FILE *f, char out[256])
{
	if (!fgets(out, 256, f))
		return MW_E_IO;
	out[strcspn(out, "\r\n")] = 0;
	return 0;
}

static int prompt_line(const char *prompt, char out[256])
{
	FILE *tty = fopen("/dev/tty", "r+");
	if (!tty)
		return MW_E_IO;
	struct termios old, silent;
	bool have = tcgetattr(fileno(tty), &old) == 0;
	silent = old;
	silent.c_lflag &= ~(tcflag_t)ECHO;
	if (have)
		tcsetattr(fileno(tty), TCSAFLUSH, &silent);
	fprintf(tty, "%s: ", prompt);
	fflush(tty);
	int r = first_line(tty, out);
	if (have)
		tcsetattr(fileno(tty), TCSAFLUSH, &old);
	fputc('\n', tty);
	fclose(tty);
	return r;
}

int cli_password(const char *file, const char *prompt, char out[256], char why[256])
{
	if (!file) {
		if (prompt_line(prompt, out) == 0)
			return 0;
		snprintf(why, 256, "There is no terminal to ask for the password: give it with --password-file.");
		return MW_E_IO;
	}
	FILE *f = strcmp(file, "-") == 0 ? stdin : fopen(file, "r");
	int r = f ? first_line(f, out) : MW_E_IO;
	if (r < 0)
		snprintf(why, 256, "Cannot read a password from %s: %s.", file,
		         f ? "the file has no line" : strerror(errno));
	if (f && f != stdin)
		fclose(f);
	return r;
}

void cli_split_user(struct arena *arena, const char *text, const char **domain, const char **user)
{
	const char *slash = strchr(text, '\\');
	*domain = slash ? arena_strndup(arena, text, (size_t)(slash - text)) : "";
	*user = slash ? slash + 1 : text;
}

int cli_read_file(struct arena *arena, const char *path, size_t max, char **out, size_t *len)
{
	FILE *f = fopen(path, "rb");
	char *data = f ? (char *)arena_alloc(arena, max + 1) : NULL;
	size_t n = data ? fread(data, 1, max + 1, f) : 0;
	bool bad = !data || ferror(f) || n > max;
	if (f)
		fclose(f);
	if (bad)
		return f && n > max ? MW_E_LIMIT : MW_E_IO;
	data[n] = 0;
	*out = data;
	*len = n;
	return 0;
}
