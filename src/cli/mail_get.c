#include "cli/mail_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A message of the mailbox with all that a file has room for. */

static const uint32_t tags[] = {PidTagMessageClass,
                                PidTagSubject,
                                PidTagConversationTopic,
                                PidTagConversationIndex,
                                PidTagSentRepresentingName,
                                PidTagSentRepresentingEmailAddress,
                                PidTagSentRepresentingSmtpAddress,
                                PidTagSenderName,
                                PidTagSenderEmailAddress,
                                PidTagSenderSmtpAddress,
                                MAPI_TAG(0x004F, PTYP_BINARY), /* PidTagReplyRecipientEntries */
                                PidTagInternetMessageId,
                                PidTagInReplyToId,
                                PidTagInternetReferences,
                                PidTagClientSubmitTime,
                                PidTagMessageDeliveryTime,
                                PidTagLastModificationTime,
                                PidTagImportance,
                                PidTagSensitivity,
                                PidTagInternetCodepage,
                                PidTagMessageFlags,
                                PidTagFlagStatus,
                                PidTagLastVerbExecuted,
                                PidTagTransportMessageHeaders,
                                PidTagBody,
                                PidTagHtml};
/* Only when there is no other body: it is large, and nearly always says the same again. */
static const uint32_t rtf_tags[] = {PidTagRtfCompressed};
static const uint32_t part_tags[] = {
        PidTagAttachNumber,    PidTagAttachMethod, PidTagAttachLongFilename,
        PidTagAttachFilename,  PidTagDisplayName,  PidTagAttachMimeTag,
        PidTagAttachContentId, PidTagAttachFlags,  MAPI_TAG(0x3713, PTYP_STRING) /* PidTagAttachContentLocation */};
#define BY_VALUE 1
#define EMBEDDED 5

/* Rows live as long as the message. */
struct kept {
	struct kept *next;
	struct mapiwire_rows rows;
	struct mapiwire_recipients recipients;
};

struct mail_got {
	struct arena *arena;
	struct kept *kept;
	FILE *spool;
	struct mime_message message;
};

static struct kept *keep(struct mail_got *g)
{
	struct kept *k = arena_new_of(g->arena, struct kept);
	if (k) {
		k->next = g->kept;
		g->kept = k;
	}
	return k;
}

/* ---- Attachments ---- */

static int copy_content(struct mail_got *g, struct mapiwire_attachment *in, struct mime_attachment *out)
{
	struct mapiwire_stream *stream = NULL;
	static const size_t piece = 256 << 10;
	uint8_t *data = (uint8_t *)malloc(piece);
	size_t got = 1;
	if (!g->spool)
		g->spool = tmpfile();
	if (!data || !g->spool) {
		free(data);
		return MW_E_IO;
	}
	out->fd = fileno(g->spool);
	out->start = ftell(g->spool);
	int r = mapiwire_attachment_stream(in, PidTagAttachDataBinary, false, &stream, NULL);
	while (r == 0 && got > 0 && (r = mapiwire_stream_read(stream, data, piece, &got)) == 0)
		if (got > 0 && fwrite(data, got, 1, g->spool) != 1)
			r = MW_E_IO;
	mapiwire_stream_close(&stream);
	free(data);
	if (r == 0 && fflush(g->spool) != 0)
		r = MW_E_IO;
	out->end = ftell(g->spool);
	return r;
}

static int fill(struct mail_got *g, struct mapiwire_message *msg, struct mime_message *out, int depth);

static int get_embedded(struct mail_got *g, struct mapiwire_attachment *in, struct mime_attachment *out, int depth)
{
	struct mapiwire_message *msg = NULL;
	struct mime_message *m = arena_new_of(g->arena, struct mime_message);
	int r = m ? mapiwire_attachment_message(in, false, &msg) : MAPIWIRE_E_MEMORY;
	if (r == 0)
		r = fill(g, msg, m, depth + 1);
	mapiwire_message_close(&msg);
	if (r == 0)
		out->message = m;
	return r;
}

static int get_attachment(struct mail_got *g, struct mapiwire_message *msg, const struct mapiwire_rows *rows,
                          size_t row, struct mime_attachment *out, int depth)
{
	struct mapiwire_attachment *in = NULL;
	int64_t method = mail_number(rows, row, PidTagAttachMethod);
	*out = (struct mime_attachment){
	        .values = &rows->values[row * rows->columns], .value_count = rows->columns, .fd = -1};
	if (method != BY_VALUE && method != EMBEDDED)
		return 0;
	int r = mapiwire_attachment_open(msg, (uint32_t)mail_number(rows, row, PidTagAttachNumber), &in);
	if (r != 0)
		return r;
	if (method == BY_VALUE)
		r = copy_content(g, in, out);
	else if (depth < MIME_MAX_EMBEDDED)
		r = get_embedded(g, in, out, depth);
	mapiwire_attachment_close(&in);
	/* One without a value is an empty file. */
	return r == MAPIWIRE_E_STATUS && method == BY_VALUE ? 0 : r;
}

static int get_attachments(struct mail_got *g, struct mapiwire_message *msg, struct mime_message *out, int depth)
{
	struct kept *k = keep(g);
	int r = k ? mapiwire_message_attachments(msg, part_tags, ARRAY_SIZE(part_tags), &k->rows) : MAPIWIRE_E_MEMORY;
	if (r != 0)
		return r;
	out->attachments = arena_new_array(g->arena, struct mime_attachment, k->rows.count);
	if (!out->attachments)
		return MAPIWIRE_E_MEMORY;
	for (size_t i = 0; r == 0 && i < k->rows.count; i++)
		r = get_attachment(g, msg, &k->rows, i, &out->attachments[out->attachment_count++], depth);
	return r;
}

/* ---- The message ---- */

static int get_values(struct mail_got *g, struct mapiwire_message *msg, struct mime_message *out)
{
	struct kept *k = keep(g);
	int r = k ? mapiwire_message_get(msg, tags, ARRAY_SIZE(tags), &k->rows) : MAPIWIRE_E_MEMORY;
	if (r != 0)
		return r;
	out->values = k->rows.values;
	out->value_count = k->rows.columns;
	if (mapiwire_row_find(&k->rows, 0, PidTagBody) || mapiwire_row_find(&k->rows, 0, PidTagHtml))
		return 0;
	struct kept *rtf = keep(g);
	r = rtf ? mapiwire_message_get(msg, rtf_tags, ARRAY_SIZE(rtf_tags), &rtf->rows) : MAPIWIRE_E_MEMORY;
	struct mapiwire_value *all =
	        r == 0 ? arena_new_array(g->arena, struct mapiwire_value, out->value_count + 1) : NULL;
	if (!all)
		return r == 0 ? MAPIWIRE_E_MEMORY : r;
	memcpy(all, out->values, out->value_count * sizeof *all);
	all[out->value_count++] = rtf->rows.values[0];
	out->values = all;
	return 0;
}

static int fill(struct mail_got *g, struct mapiwire_message *msg, struct mime_message *out, int depth)
{
	struct kept *k = keep(g);
	int r = k ? get_values(g, msg, out) : MAPIWIRE_E_MEMORY;
	if (r == 0)
		r = mapiwire_message_recipients(msg, &k->recipients);
	if (r != 0)
		return r;
	out->recipients = k->recipients.list;
	out->recipient_count = k->recipients.count;
	return get_attachments(g, msg, out, depth);
}

int mail_get(struct mail *mail, uint64_t folder, uint64_t id, struct mail_got **out)
{
	struct mapiwire_message *msg = NULL;
	struct arena *arena = arena_new(0);
	struct mail_got *g = arena ? arena_new_of(arena, struct mail_got) : NULL;
	if (!g) {
		arena_free(&arena);
		return MAPIWIRE_E_MEMORY;
	}
	g->arena = arena;
	int r = mapiwire_message_open(mail->store, folder, id, &msg);
	if (r == 0)
		r = fill(g, msg, &g->message, 0);
	mapiwire_message_close(&msg);
	if (r != 0)
		mail_got_free(&g);
	else
		*out = g;
	return r;
}

const struct mime_message *mail_got_message(const struct mail_got *g)
{
	return &g->message;
}

void mail_got_free(struct mail_got **got)
{
	struct mail_got *g = TAKE_PTR(*got);
	if (!g)
		return;
	for (struct kept *k = g->kept; k; k = k->next) {
		mapiwire_rows_free(&k->rows);
		mapiwire_recipients_free(&k->recipients);
	}
	if (g->spool)
		fclose(g->spool);
	struct arena *arena = g->arena;
	arena_free(&arena);
}
