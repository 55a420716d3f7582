#include "base/secret.h"
#include "base/time.h"
#include "capture/capture.h"
#include "cli/cli.h"
#include "cli/look.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Secrets of TLS: the key log that --tls-keys names, read on while it grows, and those that the capture carries. */

#define KEY_LOG_BLOCK 0x544c534bu /* pcapng's type of secrets: an SSLKEYLOGFILE's text */
#define PIECE ((size_t)64 << 10)
#define LINE_MOST ((size_t)1 << 12)
#define LOOK_AGAIN_NS (5 * NS_PER_MS)

int look_tls_open(struct look *l)
{
	struct stat st;

	if (!l->o.tls_keys)
		return 0;
	l->tls.file = fopen(l->o.tls_keys, "re");
	if (!l->tls.file || fstat(fileno(l->tls.file), &st) < 0)
		return cli_usage("look", "cannot read %s: %s.", l->o.tls_keys, strerror(errno));
	if (S_ISDIR(st.st_mode))
		return cli_usage("look", "cannot read %s: %s.", l->o.tls_keys, strerror(EISDIR));
	return 0;
}

/* Whole lines; at the end of a file that nobody writes any more also one without its line end. */
static void give_lines(struct look *l, struct buf *b, bool last)
{
	const uint8_t *end = b->len ? (const uint8_t *)memrchr(b->data, '\n', b->len) : NULL;
	size_t n = last ? b->len : end ? (size_t)(end - b->data) + 1 : 0;

	/* No line of secrets is that long. */
	if (n == 0 && b->len > LINE_MOST)
		n = b->len;
	else if (n && lens_tls_keys(l->lens, b->data, n) < 0)
		l->tls.failed = true;
	if (n) {
		secret_wipe(b->data, n);
		buf_consume(b, n);
	}
}

static void read_on(struct look *l, bool last)
{
	uint8_t *at;
	size_t n;

	clearerr(l->tls.file);
	do {
		at = buf_extend(&l->tls.part, PIECE);
		if (!at)
			return;
		n = fread(at, 1, PIECE, l->tls.file);
		l->tls.part.len -= PIECE - n;
		give_lines(l, &l->tls.part, false);
	} while (n == PIECE);
	if (last)
		give_lines(l, &l->tls.part, true);
}

void look_tls_begin(struct look *l)
{
	if (!l->tls.file)
		return;
	rewind(l->tls.file);
	/* Known to be given, though nothing may stand in it yet. */
	l->tls.failed |= lens_tls_keys(l->lens, "", 0) < 0;
	read_on(l, !l->o.interface && !l->o.follow);
}

void look_tls_more(struct look *l, struct capture_reader *r)
{
	const struct capture_extra *e;

	while ((e = capture_new_extra(r)))
		if (e->kind == CAPTURE_SECRETS && e->type == KEY_LOG_BLOCK)
			l->tls.failed |= lens_tls_keys(l->lens, e->data, e->len) < 0;
	if (!l->tls.file || !(l->o.interface || l->o.follow))
		return;
	int64_t now = time_monotonic_ns();
	if (now - l->tls.looked_ns < LOOK_AGAIN_NS)
		return;
	l->tls.looked_ns = now;
	read_on(l, false);
}

void look_tls_close(struct look *l)
{
	if (l->tls.file)
		fclose(l->tls.file);
	if (l->tls.part.data)
		secret_wipe(l->tls.part.data, l->tls.part.len);
	buf_free(&l->tls.part);
}
