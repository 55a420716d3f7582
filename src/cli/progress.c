#include "cli/progress.h"

#include "base/buf.h"
#include "base/text.h"
#include "base/time.h"
#include "cli/mail.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define BAR 24
#define NAME_COLUMNS 24
#define EVERY (100 * NS_PER_MS)

void cli_progress_begin(struct cli_progress *p, bool quiet)
{
	const char *term = getenv("TERM");
	p->shown = !quiet && isatty(STDERR_FILENO) && !(term && strcmp(term, "dumb") == 0);
	p->began = time_monotonic_ns();
	p->drawn = 0;
}

static void put_bar(struct buf *out, uint64_t done, uint64_t total)
{
	unsigned full = total ? (unsigned)(BAR * (double)done / (double)total) : 0;
	buf_put_u8(out, '[');
	for (unsigned i = 0; i < BAR; i++)
		buf_put_str(out, i < full ? "█" : "░");
	buf_printf(out, "] %3u %%", total ? (unsigned)(100 * (double)done / (double)total) : 0);
}

static void put_bytes(struct buf *out, uint64_t done, uint64_t total)
{
	char a[24], b[24];
	mail_size_text((int64_t)done, a);
	mail_size_text((int64_t)total, b);
	buf_printf(out, "  %s of %s", a, b);
}

static void put_time(struct buf *out, double seconds)
{
	if (seconds < 90)
		buf_printf(out, "  %.0f s left", seconds);
	else
		buf_printf(out, "  %.0f min left", seconds / 60);
}

static unsigned terminal_width(void)
{
	struct winsize size;
	return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 100;
}

/* The parts, as many as fit. */
static void draw(struct cli_progress *p, uint64_t done, uint64_t count, double seconds)
{
	struct buf line MW_CLEANUP(buf_free) = {0};
	unsigned width = terminal_width();
	char text[64];
	buf_put_str(&line, "\r\033[K");
	cli_put_cell(&line, false, CLI_PLAIN, p->what, NAME_COLUMNS, true);
	buf_put_str(&line, "  ");
	if (p->total)
		put_bar(&line, done < p->total ? done : p->total, p->total);
	if (p->bytes && p->total && width > 80)
		put_bytes(&line, done, p->total);
	if (p->items && width > 60)
		buf_printf(&line, "  %s", mail_plural(count, p->items, p->items, text));
	if (p->items && seconds > 0.5 && width > 95)
		buf_printf(&line, "  %.0f/s", (double)count / seconds);
	if (p->total && done > 0 && seconds > 1 && width > 105)
		put_time(&line, seconds * (double)(p->total - (done < p->total ? done : p->total)) / (double)done);
	if (buf_error(&line) == 0)
		fwrite(line.data, line.len, 1, stderr);
	fflush(stderr);
}

void cli_progress_step(struct cli_progress *p, uint64_t done, uint64_t count)
{
	int64_t now = p->shown ? time_monotonic_ns() : 0;
	if (!p->shown || now - p->drawn < EVERY)
		return;
	p->drawn = now;
	draw(p, done, count, (double)(now - p->began) / (double)NS_PER_S);
}

void cli_progress_end(struct cli_progress *p)
{
	if (p->shown && p->drawn)
		fputs("\r\033[K", stderr);
	fflush(stderr);
	p->shown = false;
}
