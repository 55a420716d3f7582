#include "base/text.h"
#include "cli/store.h"
#include "store/check.h"

#include <stdlib.h>
#include <string.h>

/* store check: a line a mailbox, with what is wrong below it. */

static void add_fault(void *user, const char *text)
{
	struct buf *faults = user;

	buf_put_str(faults, "    ");
	for (const char *line; (line = strchr(text, '\n')) != NULL; text = line + 1) {
		char *one = strndup(text, (size_t)(line - text));
		text_put_terminal(faults, one ? one : "");
		buf_put_str(faults, "; ");
		free(one);
	}
	text_put_terminal(faults, text);
	buf_put_u8(faults, '\n');
}

int store_check_one(struct stores *s, const char *label, const char *path)
{
	struct store_checked found;
	struct store_why why = {0};
	struct buf faults = {0};
	int r = store_check(path, add_fault, &faults, &found, &why);

	text_put_terminal(&s->out, label);
	if (r == 0 && found.faults == 0) {
		buf_printf(&s->out, ": whole, %llu folders, %llu messages\n", (unsigned long long)found.folders,
		           (unsigned long long)found.messages);
	} else if (r == 0) {
		buf_printf(&s->out, ": DAMAGED, restore it from a backup (%s)\n", path);
		buf_put(&s->out, faults.data, faults.len);
	} else {
		buf_put_str(&s->out, ": NOT CHECKED, ");
		text_put_terminal(&s->out, *why.text ? why.text : mw_strerror(r));
		buf_printf(&s->out, " (%s)\n", path);
	}
	if (r != 0 || found.faults > 0)
		s->code = CLI_EXIT_FAILED;
	buf_free(&faults);
	cli_write(&s->out);
	return 0;
}
