#include "base/text.h"
#include "capture/capture.h"
#include "cli/cli.h"
#include "cli/look.h"

#include <arpa/inet.h>
#include <string.h>

/* What the one who captured wrote into the file: comments, and names of addresses (pcapng). */

#define FEW 10
#define MANY 1000
#define NAME_IPV4 1
#define NAME_IPV6 2

static void put_harmless(struct look *l, struct buf *out, const uint8_t *data, size_t len)
{
	const char *text = arena_strndup(l->arena, (const char *)data, len);

	if (text)
		text_put_terminal(out, text);
}

static void put_comment(struct look *l, struct buf *out, const struct capture_extra *e)
{
	if (e->type)
		buf_printf(out, "Comment on frame %u: ", e->type);
	else
		buf_put_str(out, "Comment: ");
	put_harmless(l, out, e->data, e->len);
	buf_put_u8(out, '\n');
}

/* An address, and names behind it, each with a NUL. */
static void put_names(struct look *l, struct buf *out, const struct capture_extra *e)
{
	char host[INET6_ADDRSTRLEN];
	size_t size = e->type == NAME_IPV6 ? 16 : 4, at = size;

	if ((e->type != NAME_IPV4 && e->type != NAME_IPV6) || e->len <= size ||
	    !inet_ntop(e->type == NAME_IPV6 ? AF_INET6 : AF_INET, e->data, host, sizeof host))
		return;
	buf_printf(out, "Name of %s: ", host);
	while (at < e->len) {
		size_t n = strnlen((const char *)e->data + at, e->len - at);
		if (n && at > size)
			buf_put_str(out, ", ");
		put_harmless(l, out, e->data + at, n);
		at += n + 1;
	}
	buf_put_u8(out, '\n');
}

void look_put_notes(struct look *l, const struct capture_reader *r)
{
	struct buf out MW_CLEANUP(buf_free) = {0};
	const struct capture_extra *e;
	size_t notes = 0, shown = 0;

	for (size_t i = 0; (e = capture_get_extra(r, i)); i++)
		notes += e->kind != CAPTURE_SECRETS;
	size_t most = l->o.all || notes <= FEW ? MANY : 0;
	for (size_t i = 0; (e = capture_get_extra(r, i)) && shown < most; i++) {
		shown += e->kind != CAPTURE_SECRETS;
		if (e->kind == CAPTURE_COMMENT)
			put_comment(l, &out, e);
		else if (e->kind == CAPTURE_NAMES)
			put_names(l, &out, e);
	}
	if (shown < notes)
		buf_printf(&out, "%zu comments and names are in the file%s.\n", notes,
		           shown ? ", these are the first" : " (--all shows them)");
	cli_write(&out);
}
