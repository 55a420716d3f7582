#include "cli/mail.h"

#include "base/text.h"
#include "base/time.h"

#include <stdio.h>
#include <string.h>

/* watch: a line for each new message. */

static const uint32_t tags[] = {PidTagMessageDeliveryTime, PidTagLastModificationTime, PidTagSenderName,
                                PidTagSentRepresentingName, PidTagSubject};

/* It parks again and again: the time only bounds one wait. */
#define PATIENCE_MS (24u * 3600u * 1000u)

static void put_message(struct mail *mail, const struct mapiwire_event *e, const struct mapiwire_rows *rows)
{
	struct buf out MW_CLEANUP(buf_free) = {0};
	char date[20], when[TIME_TEXT_SIZE];
	if (mail->r->json) {
		buf_printf(&out, "{\"folder\":\"%016llx\",\"id\":\"%016llx\"", (unsigned long long)e->folder,
		           (unsigned long long)e->message);
		cli_json_text(&out, "date", time_format(mail_date(rows, 0), when));
		cli_json_text(&out, "from", mail_sender(rows, 0));
		cli_json_text(&out, "subject", mail_text(rows, 0, PidTagSubject));
		buf_put_str(&out, "}\n");
	} else {
		mail_local_time(mail_date(rows, 0), date);
		buf_printf(&out, "%-16s  ", date);
		cli_put_cell(&out, mail->r->colored, CLI_BOLD, mail_sender(rows, 0), 20, true);
		buf_put_str(&out, "  ");
		text_put_terminal(&out, mail_text(rows, 0, PidTagSubject));
		buf_put_u8(&out, '\n');
	}
	cli_write(&out);
}

/* It may be gone again: somebody else reads this mailbox too. */
static int show(struct mail *mail, const struct mapiwire_event *e)
{
	struct mapiwire_message *message = NULL;
	struct mapiwire_rows rows = {0};
	int r = mapiwire_message_open(mail->store, e->folder, e->message, &message);
	if (r == 0)
		r = mapiwire_message_get(message, tags, ARRAY_SIZE(tags), &rows);
	if (r == 0)
		put_message(mail, e, &rows);
	mapiwire_rows_free(&rows);
	mapiwire_message_close(&message);
	return r == MAPIWIRE_E_STATUS ? 0 : r;
}

int mail_watch(struct mail *mail)
{
	struct mapiwire_watch *watch = NULL;
	struct mapiwire_event e;
	unsigned seen = 0;
	int r = mapiwire_watch_open(mail->store, mail->folder_id, MAPIWIRE_NEW_MAIL, &watch);
	if (r == 0 && !mail->r->json)
		fprintf(stderr, "Watching %s for new mail; Ctrl-C ends it.\n", mail->folder ? mail->folder : "inbox");
	while (r == 0 && (mail->count == 0 || seen < mail->count)) {
		r = mapiwire_watch_next(watch, PATIENCE_MS, &e);
		if (r == MAPIWIRE_E_TIMEOUT) {
			r = 0;
		} else if (r == 0 && e.message) {
			r = show(mail, &e);
			seen++;
		}
	}
	int code = r < 0 ? mail_fail(mail) : 0;
	mapiwire_watch_close(&watch);
	return code;
}
