#include "server/emsmdb/outbox.h"
#include "server/emsmdb/rops.h"

#include "base/random.h"
#include "server/accounts.h"

#include <string.h>

/* Messages sent, and what a client's spooler does with them: [MS-OXOMSG] 2.2.4, 2.2.5; [MS-OXCROPS] 2.2.7. */

#define SUBMIT_NEEDS_SPOOLER 0x02 /* SubmitFlags, [MS-OXOMSG] 2.2.4.1 */
#define SUBMIT_KNOWN 0x03
/* LockState, [MS-OXOMSG] 2.2.5.3 */
enum { LOCK = 0, UNLOCK = 1, FINISHED = 2 };
#define INTERNET_ID_SIZE 16

/* ---- Who it is from ---- */

static const struct directory_user *user_named(const struct directory_snapshot *book, struct arena *arena,
                                               const struct mapi_value *type, const struct mapi_value *email)
{
	const char *kind = type->flag == MAPI_FLAG_VALUE ? mapi_value_utf8(arena, type, 0) : "";
	const char *address = email->flag == MAPI_FLAG_VALUE ? mapi_value_utf8(arena, email, 0) : NULL;
	if (!kind || !address)
		return NULL;
	return strcmp(kind, "EX") == 0 ? directory_by_dn(book, address) : directory_by_address(book, address);
}

/* 0 when the message speaks for nobody or for the sender; ecSendAsDenied for another. */
static uint32_t check_represented(struct rop_call *rop, const struct directory_snapshot *book,
                                  const struct directory_user *sender, bool *named)
{
	static const uint32_t tags[] = {PidTagSentRepresentingAddressType, PidTagSentRepresentingEmailAddress};
	struct mapi_value v[ARRAY_SIZE(tags)];
	int r = store_message_get(rop->in->u.message, rop->arena, tags, ARRAY_SIZE(tags), v);
	if (r < 0)
		return rop_status(rop, r);
	*named = v[1].flag == MAPI_FLAG_VALUE;
	return *named && user_named(book, rop->arena, &v[0], &v[1]) != sender ? ecSendAsDenied : 0;
}

/* What the server says of a message that is sent, [MS-OXOMSG] 2.2.4.1: the sender, the time, and a name that no
 * other message has. */
static int set_sender(struct rop_call *rop, const struct directory_snapshot *book, const struct directory_user *u,
                      bool represented)
{
	static const uint32_t id_tag = PidTagInternetMessageId;
	struct mapi_value values[2 * ADDRESS_VALUES + 2], id;
	size_t n = 0;
	uint8_t r16[INTERNET_ID_SIZE];
	int r = address_put(rop->arena, u, &address_sender, values);
	n += ADDRESS_VALUES;
	if (r == 0 && !represented) {
		r = address_put(rop->arena, u, &address_sent_representing, values + n);
		n += ADDRESS_VALUES;
	}
	values[n++] = mapi_i64(PidTagClientSubmitTime, (int64_t)filetime_from_ns(rop->now));
	if (r == 0)
		r = store_message_get(rop->in->u.message, rop->arena, &id_tag, 1, &id);
	if (r == 0 && id.flag != MAPI_FLAG_VALUE) {
		struct buf text MW_CLEANUP(buf_free) = {0};
		random_system.fill(random_system.user, r16, sizeof r16);
		buf_put_u8(&text, '<');
		for (size_t i = 0; i < sizeof r16; i++)
			buf_printf(&text, "%02x", r16[i]);
		buf_printf(&text, "@%s>", directory_settings(book)->mail_domain);
		buf_put_u8(&text, 0);
		r = buf_error(&text) < 0 ? MW_E_NOMEM
		                         : mapi_text(rop->arena, id_tag, (const char *)text.data, 0, &values[n++]);
	}
	return r < 0 ? r : store_message_set(rop->in->u.message, values, n, NULL);
}

static uint32_t name_sender(struct rop_call *rop)
{
	struct directory_snapshot *book = accounts_snapshot(rop->session->loop->server);
	const struct directory_user *u = directory_by_mailbox(book, &rop_mailbox(rop)->guid);
	bool represented = false;
	uint32_t status = u ? check_represented(rop, book, u, &represented) : ecUnknownUser;
	if (status == 0) {
		int r = set_sender(rop, book, u, represented);
		status = r < 0 ? rop_status(rop, r) : 0;
	}
	directory_snapshot_unref(&book);
	return status;
}

/* ---- Submitting ---- */

/* PidTagDeferredSendTime; 0: at once. */
static uint64_t due_at(struct rop_call *rop)
{
	static const uint32_t tag = PidTagDeferredSendTime;
	struct mapi_value v;
	if (store_message_get(rop->in->u.message, rop->arena, &tag, 1, &v) < 0 || v.tag != tag)
		return 0;
	return v.u.u64;
}

static uint32_t submit(struct rop_call *rop, enum store_outbox_state state)
{
	struct store_message *msg = rop->in->u.message;
	uint64_t ticket = 0;
	if (store_recipient_count(msg) == 0)
		return ecInvalidRecips;
	uint32_t status = name_sender(rop);
	if (status != 0)
		return status;
	int r = store_message_submit(msg, state, due_at(rop), rop->now, &ticket);
	if (r < 0)
		return r == MW_E_EXISTS  ? ecSubmitted
		       : r == MW_E_STATE ? ecObjectModified
		       : r == MW_E_LIMIT ? ecMaxSubmissionExceeded
		       : r == MW_E_FULL  ? ecQuotaExceeded
		                         : rop_status(rop, r);
	rop_promise(rop, ticket);
	emsmdb_outbox_changed(rop_mailbox(rop), ticket);
	return 0;
}

/* [MS-OXOMSG] 2.2.4.1 */
uint32_t rop_submit_message(struct rop_call *rop)
{
	const struct RopSubmitMessageRequest *q = (const struct RopSubmitMessageRequest *)rop->request;
	if (q->SubmitFlags & ~SUBMIT_KNOWN)
		return ecInvalidParam;
	return submit(rop, q->SubmitFlags & SUBMIT_NEEDS_SPOOLER ? STORE_OUTBOX_HELD : STORE_OUTBOX_QUEUED);
}

static uint32_t changed(struct rop_call *rop, int r, uint64_t ticket)
{
	if (r == MW_E_NOTFOUND)
		return ecNotInQueue;
	if (r < 0)
		return rop_status(rop, r);
	rop_promise(rop, ticket);
	emsmdb_outbox_changed(rop_mailbox(rop), ticket);
	return 0;
}

static bool is_on_its_way(const struct rop_call *rop, uint64_t message)
{
	const struct emsmdb_outgoing *o = rop_mailbox(rop)->outgoing;
	return o && o->submission.message == message;
}

/* [MS-OXCROPS] 2.2.7.6: what a spooler has held back goes now. */
uint32_t rop_transport_send(struct rop_call *rop)
{
	struct RopTransportSendResponse *a = (struct RopTransportSendResponse *)rop->response;
	struct store_submission s;
	uint64_t message = store_message_id(rop->in->u.message), ticket = 0;
	a->NoPropertiesReturned = 1;
	int r = store_outbox_find(rop_store(rop), message, &s);
	if (r == MW_E_NOTFOUND)
		return submit(rop, STORE_OUTBOX_QUEUED);
	if (r == 0 && s.state == STORE_OUTBOX_QUEUED)
		return ecSubmitted;
	if (r == 0)
		r = store_outbox_set(rop_store(rop), message, STORE_OUTBOX_QUEUED, s.due, &ticket);
	return changed(rop, r, ticket);
}

/* [MS-OXOMSG] 2.2.4.2 */
uint32_t rop_abort_submit(struct rop_call *rop)
{
	const struct RopAbortSubmitRequest *q = (const struct RopAbortSubmitRequest *)rop->request;
	struct store_submission s;
	uint64_t ticket = 0;
	int r = store_outbox_find(rop_store(rop), q->MessageId, &s);
	if (r == 0 && (s.state == STORE_OUTBOX_LOCKED || is_on_its_way(rop, q->MessageId)))
		return ecUnableToAbort;
	if (r == 0)
		r = store_outbox_abort(rop_store(rop), q->MessageId, &ticket);
	return changed(rop, r, ticket);
}

/* ---- A client's spooler ---- */

/* [MS-OXCROPS] 2.2.7.4: whoever says so is one; nothing depends on it here. */
uint32_t rop_set_spooler(struct rop_call *rop)
{
	(void)rop;
	return 0;
}

/* [MS-OXOMSG] 2.2.5.3: only what a spooler holds back can be locked. */
uint32_t rop_spooler_lock_message(struct rop_call *rop)
{
	const struct RopSpoolerLockMessageRequest *q = (const struct RopSpoolerLockMessageRequest *)rop->request;
	struct store_mailbox *m = rop_store(rop);
	struct store_submission s;
	uint64_t ticket = 0;
	if (q->LockState > FINISHED)
		return ecInvalidParam;
	int r = store_outbox_find(m, q->MessageId, &s);
	if (r == 0 && s.state == STORE_OUTBOX_QUEUED)
		return ecNotInQueue;
	if (r == 0 && q->LockState == FINISHED)
		r = store_outbox_sent(m, q->MessageId, store_special_id(STORE_SENT_ITEMS), &ticket);
	else if (r == 0)
		r = store_outbox_set(m, q->MessageId, q->LockState == LOCK ? STORE_OUTBOX_LOCKED : STORE_OUTBOX_HELD,
		                     s.due, &ticket);
	return changed(rop, r, ticket);
}

/* [MS-OXOMSG] 2.2.5.2: where a client's transport puts what it sends. */
uint32_t rop_get_transport_folder(struct rop_call *rop)
{
	((struct RopGetTransportFolderResponse *)rop->response)->FolderId = store_special_id(STORE_OUTBOX);
	return 0;
}

/* [MS-OXCROPS] 2.2.7.9: no address type has options. */
uint32_t rop_options_data(struct rop_call *rop)
{
	((struct RopOptionsDataResponse *)rop->response)->Reserved = 1;
	return 0;
}

/* [MS-OXOMSG] 2.2.5.6: a client's transport has put a message there, of which those who wait for new mail hear. */
uint32_t rop_transport_new_mail(struct rop_call *rop)
{
	const struct RopTransportNewMailRequest *q = (const struct RopTransportNewMailRequest *)rop->request;
	int r = store_message_announce(rop_store(rop), q->FolderId, q->MessageId, q->MessageClass, q->MessageFlags);
	return r < 0 ? rop_status(rop, r) : 0;
}
