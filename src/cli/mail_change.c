#include "cli/mail.h"

#include "base/time.h"

#include <stdio.h>
#include <string.h>

/* move, copy, delete and mark: many messages at once. */

static int tell(const struct mail *mail, const char *what, size_t count, const char *where)
{
	char text[64];
	if (mail->r->json)
		printf("{\"messages\":%zu}\n", count);
	else
		printf("%s %s%s%s.\n", what, mail_plural(count, "message", "messages", text), where ? " to " : "",
		       where ? where : "");
	return 0;
}

static int move_or_copy(struct mail *mail, bool copy)
{
	const char *to = mail->words[mail->word_count - 1];
	struct mail_messages found = {0};
	uint64_t target;
	if (mapiwire_folder_find(mail->store, to, &target) < 0)
		return mail_fail(mail);
	int code = mail_find(mail, mail->word_count - 1, &found);
	if (code != 0)
		return code;
	int r = copy ? mapiwire_messages_copy(mail->store, mail->folder_id, found.ids, found.count, target)
	             : mapiwire_messages_move(mail->store, mail->folder_id, found.ids, found.count, target);
	return r < 0 ? mail_fail(mail) : tell(mail, copy ? "Copied" : "Moved", found.count, to);
}

int mail_move(struct mail *mail)
{
	return move_or_copy(mail, false);
}

int mail_copy(struct mail *mail)
{
	return move_or_copy(mail, true);
}

/* As Outlook does it: to the deleted items, and out of those for good. */
int mail_delete(struct mail *mail)
{
	struct mail_messages found = {0};
	uint64_t deleted;
	int code = mail_find(mail, mail->word_count, &found);
	if (code != 0)
		return code;
	if (mapiwire_folder_find(mail->store, "deleted", &deleted) < 0)
		return mail_fail(mail);
	if (mail->hard || mail->folder_id == deleted) {
		int r = mapiwire_messages_delete(mail->store, mail->folder_id, found.ids, found.count, mail->hard);
		return r < 0 ? mail_fail(mail) : tell(mail, "Deleted", found.count, NULL);
	}
	int r = mapiwire_messages_move(mail->store, mail->folder_id, found.ids, found.count, deleted);
	return r < 0 ? mail_fail(mail) : tell(mail, "Moved", found.count, "Deleted Items");
}

/* ---- mark ---- */

#define FLAGGED 2 /* PidTagFlagStatus, [MS-OXOFLAG] 2.2.1.1 */
#define RED 6     /* PidTagFollowupIcon, 2.2.1.2 */

static int flag(struct mail *mail, uint64_t id, bool on)
{
	const struct mapiwire_value values[] = {
	        {.tag = PidTagFlagStatus, .integer = on ? FLAGGED : 0},
	        {.tag = PidTagFollowupIcon, .integer = on ? RED : 0},
	};
	struct mapiwire_message *msg = NULL;
	int r = mapiwire_message_edit(mail->store, mail->folder_id, id, &msg);
	if (r == 0)
		r = mapiwire_message_set(msg, values, ARRAY_SIZE(values));
	if (r == 0)
		r = mapiwire_message_commit(msg, NULL);
	mapiwire_message_close(&msg);
	return r;
}

int mail_mark(struct mail *mail)
{
	static const char *const words[] = {"read", "unread", "flag", "unflag"};
	static const char *const done[] = {"Marked as read:", "Marked as unread:", "Flagged", "Unflagged"};
	struct mail_messages found = {0};
	size_t which = 0;
	int r = 0;
	const char *as = mail->words[mail->word_count - 1];
	while (which < ARRAY_SIZE(words) && strcmp(words[which], as) != 0)
		which++;
	if (which == ARRAY_SIZE(words))
		return cli_usage(mail_command, "say how to mark them: read, unread, flag or unflag, not '%s'.", as);
	int code = mail_find(mail, mail->word_count - 1, &found);
	if (code != 0)
		return code;
	if (which < 2)
		r = mapiwire_messages_mark(mail->store, mail->folder_id, found.ids, found.count, which == 0);
	for (size_t i = 0; r == 0 && which >= 2 && i < found.count; i++)
		r = flag(mail, found.ids[i], which == 2);
	return r < 0 ? mail_fail(mail) : tell(mail, done[which], found.count, NULL);
}
