#include "base/log.h"

#include "base/buf.h"
#include "base/text.h"
#include "base/time.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LINE_MAX_BYTES 1000
/* As much of a time's text as shows milliseconds. */
#define MILLISECONDS_END ((int)sizeof "2003-06-30 16:52:06.123" - 1)

/* Cuts at a character's start and says so. */
static void cut_line(struct buf *line)
{
	static const char mark[] = "…";
	size_t at = LINE_MAX_BYTES - strlen(mark);

	if (line->len <= LINE_MAX_BYTES)
		return;
	while (at > 0 && (line->data[at] & 0xc0) == 0x80)
		at--;
	line->len = at;
	buf_put_str(line, mark);
}

void log_line(const struct log *log, enum log_level level, const char *format, ...)
{
	/* One byte more than a line, so that a line that was cut here is cut visibly there. */
	char raw[LINE_MAX_BYTES + 2];
	struct buf line MW_CLEANUP(buf_free) = {0};
	va_list args;

	if (!log || !log->write || level > log->level)
		return;
	va_start(args, format);
	vsnprintf(raw, sizeof raw, format, args);
	va_end(args);
	text_put_terminal(&line, raw);
	cut_line(&line);
	buf_put_u8(&line, 0);
	log->write(log->user, level, buf_error(&line) ? "a line is missing here: out of memory" : (char *)line.data);
}

static void write_stderr(void *user, enum log_level level, const char *line)
{
	static const char *const names[] = {"error", "warning", "info", "debug"};
	char when[TIME_TEXT_SIZE];

	(void)user;
	time_format(time_now_ns(), when);
	fprintf(stderr, "%.*sZ %s: %s\n", MILLISECONDS_END, when, names[level], line);
}

const struct log log_stderr = {.level = LOG_INFO, .write = write_stderr};
