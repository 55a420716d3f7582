#include "server/emsmdb/outbox.h"

#include <string.h>

/* Non-delivery reports: [MS-OXOMSG], in the words of [MS-OXPROPS]. */

#define REPORT_CLASS "REPORT.IPM.Note.NDR"
#define REPORTER "Mail delivery"
#define BODY_MAX 16384
/* PidTagNonDeliveryReportReasonCode and PidTagNonDeliveryReportDiagCode: MAPI's numbers of X.411's. */
#define REASON_TRANSFER_IMPOSSIBLE 1
#define DIAG_NONE (-1)
#define DIAG_NAME_UNRECOGNIZED 0
#define DIAG_TOO_LONG 7

static const struct {
	const char *text;
	int32_t diag;
} failures[] = {
        [OUTBOX_UNKNOWN] = {"there is no such recipient here. Check the address and send the message again.",
                            DIAG_NAME_UNRECOGNIZED},
        [OUTBOX_NO_MAILBOX] = {"the recipient has no mailbox. Ask the administrator of this server.", DIAG_NONE},
        [OUTBOX_TOO_BIG] = {"the message does not fit into the recipient's mailbox. Send a smaller one, or later.",
                            DIAG_TOO_LONG},
        [OUTBOX_LATER] = {"the mailbox could not be reached for two days. Send the message again.", DIAG_NONE},
};

static const struct store_recipient *recipient_of(const struct emsmdb_outgoing *o, uint32_t row_id)
{
	for (size_t i = 0; i < store_recipient_count(o->message); i++)
		if (store_recipient_at(o->message, i)->row_id == row_id)
			return store_recipient_at(o->message, i);
	return NULL;
}

static const char *name_of(struct arena *arena, const struct store_recipient *r)
{
	static const uint32_t tags[] = {PidTagSmtpAddress, PidTagEmailAddress, PidTagDisplayName};
	for (size_t i = 0; i < ARRAY_SIZE(tags); i++) {
		const struct mapi_value *v = mapi_find(r->values, r->count, tags[i]);
		const char *text = v ? mapi_value_utf8(arena, v, 0) : NULL;
		if (text && *text)
			return text;
	}
	return "?";
}

static char *make_body(const struct emsmdb_outgoing *o, const char *subject)
{
	struct buf b MW_CLEANUP(buf_free) = {.max = BODY_MAX};
	buf_printf(&b, "Your message \"%s\" did not reach:\r\n\r\n", subject);
	for (size_t i = 0; i < o->count; i++) {
		const struct store_recipient *r = recipient_of(o, o->targets[i].row_id);
		if (o->targets[i].failure != OUTBOX_SENT && r)
			buf_printf(&b, "%s: %s\r\n", name_of(o->arena, r), failures[o->targets[i].failure].text);
	}
	if (buf_error(&b) < 0) { /* with very many the list ends early */
		b.error = 0;
		b.max += 1;
	}
	buf_put_u8(&b, 0);
	return buf_error(&b) < 0 ? NULL : arena_strdup(o->arena, (const char *)b.data);
}

/* The failed recipient, and why. */
static int put_recipient(const struct emsmdb_outgoing *o, const struct outbox_target *t, struct store_message *msg)
{
	const struct store_recipient *r = recipient_of(o, t->row_id);
	struct store_recipient copy;
	if (!r || t->failure == OUTBOX_SENT)
		return 0;
	copy = *r;
	copy.values = arena_new_array(o->arena, struct mapi_value, r->count + 3);
	if (!copy.values)
		return MW_E_NOMEM;
	memcpy(copy.values, r->values, r->count * sizeof *r->values);
	copy.values[copy.count++] = mapi_i32(PidTagNonDeliveryReportReasonCode, REASON_TRANSFER_IMPOSSIBLE);
	copy.values[copy.count++] = mapi_i32(PidTagNonDeliveryReportDiagCode, failures[t->failure].diag);
	int e = mapi_text(o->arena, PidTagSupplementaryInfo, failures[t->failure].text, 0, &copy.values[copy.count++]);
	return e < 0 ? e : store_recipient_put(msg, &copy);
}

/* What the report takes over: under the tag of the report. */
static int copy_values(const struct emsmdb_outgoing *o, struct store_message *msg, char **subject)
{
	static const uint32_t from[] = {PidTagSubject, PidTagDisplayTo, PidTagClientSubmitTime, PidTagSearchKey};
	static const uint32_t to[] = {PidTagOriginalSubject, PidTagOriginalDisplayTo, PidTagOriginalSubmitTime,
	                              PidTagParentKey};
	struct mapi_value v[ARRAY_SIZE(from)];
	int r = store_message_get(o->message, o->arena, from, ARRAY_SIZE(from), v);
	*subject = r == 0 && v[0].tag == PidTagSubject ? mapi_value_utf8(o->arena, &v[0], 0) : NULL;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(from); i++) {
		if (v[i].flag != MAPI_FLAG_VALUE)
			continue;
		v[i].tag = to[i];
		r = store_message_set(msg, &v[i], 1, NULL);
	}
	if (r == 0 && !*subject)
		*subject = arena_strdup(o->arena, "");
	return r == 0 && !*subject ? MW_E_NOMEM : r;
}

static int set_texts(const struct emsmdb_outgoing *o, struct store_message *msg, const char *subject, int64_t now)
{
	const char *body = make_body(o, subject);
	char *title = arena_printf(o->arena, "Undeliverable: %s", subject);
	struct mapi_value values[] = {
	        mapi_i64(PidTagReportTime, (int64_t)filetime_from_ns(now)),
	        mapi_i64(PidTagMessageDeliveryTime, (int64_t)filetime_from_ns(now)),
	        mapi_i64(PidTagClientSubmitTime, (int64_t)filetime_from_ns(now)),
	        mapi_i32(PidTagMessageFlags, 0),
	        {0},
	        {0},
	        {0},
	        {0},
	        {0},
	        {0},
	};
	const struct {
		uint32_t tag;
		const char *text;
	} texts[] = {
	        {PidTagMessageClass, REPORT_CLASS},
	        {PidTagSubject, title},
	        {PidTagBody, body},
	        {PidTagReportText, body},
	        {PidTagSenderName, REPORTER},
	        {PidTagSentRepresentingName, REPORTER},
	};
	int r = body && title ? 0 : MW_E_NOMEM;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(texts); i++)
		r = mapi_text(o->arena, texts[i].tag, texts[i].text, 0, &values[4 + i]);
	return r < 0 ? r : store_message_set(msg, values, ARRAY_SIZE(values), NULL);
}

static int fill(const struct emsmdb_outgoing *o, struct store_message *msg, int64_t now)
{
	char *subject;
	int r = copy_values(o, msg, &subject);
	if (r == 0)
		r = set_texts(o, msg, subject, now);
	for (size_t i = 0; r == 0 && i < o->count; i++)
		r = put_recipient(o, &o->targets[i], msg);
	return r;
}

int emsmdb_report(const struct emsmdb_outgoing *o, int64_t now, uint64_t *ticket)
{
	struct store_mailbox *m = o->mailbox->store;
	struct store_message *msg = NULL;
	uint8_t id[STORE_SUBMISSION];
	uint64_t folder;
	char *matched;
	memcpy(id, o->submission.id, sizeof id);
	id[0] ^= 0xFF; /* the report's own: the sender may be among the recipients */
	int r = store_receive_folder(m, o->arena, REPORT_CLASS, &folder, &matched);
	if (r == 0)
		r = store_message_create(m, folder, false, now, &msg);
	if (r == 0)
		r = fill(o, msg, now);
	if (r == 0)
		r = store_message_deliver_once(msg, id, true, now, ticket);
	store_message_close(&msg);
	return r == MW_E_EXISTS ? 0 : r;
}
