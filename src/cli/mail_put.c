#include "cli/mail_files.h"

#include "mime/mime.h"

/* A message of a file into the mailbox, by the server that owns it. */

static int write_stream(void *user, const void *data, size_t size)
{
	return mapiwire_stream_write((struct mapiwire_stream *)user, data, size);
}

static int put_content(const struct mime_attachment *in, struct mapiwire_attachment *out)
{
	struct mapiwire_stream *stream = NULL;
	int r = mapiwire_attachment_stream(out, PidTagAttachDataBinary, true, &stream, NULL);
	if (r == 0)
		r = mime_content(in, write_stream, stream);
	if (r == 0)
		r = mapiwire_stream_commit(stream);
	mapiwire_stream_close(&stream);
	return r;
}

static int fill(struct mapiwire_message *msg, const struct mime_message *m);

static int put_embedded(const struct mime_message *in, struct mapiwire_attachment *out)
{
	struct mapiwire_message *msg = NULL;
	int r = mapiwire_attachment_message(out, true, &msg);
	if (r == 0)
		r = fill(msg, in);
	if (r == 0)
		r = mapiwire_message_commit(msg, NULL);
	mapiwire_message_close(&msg);
	return r;
}

static int put_attachment(struct mapiwire_message *msg, const struct mime_attachment *in)
{
	struct mapiwire_attachment *out = NULL;
	int r = mapiwire_attachment_create(msg, &out);
	if (r == 0)
		r = mapiwire_attachment_set(out, in->values, in->value_count);
	if (r == 0)
		r = in->message ? put_embedded(in->message, out) : put_content(in, out);
	if (r == 0)
		r = mapiwire_attachment_commit(out);
	mapiwire_attachment_close(&out);
	return r;
}

static int fill(struct mapiwire_message *msg, const struct mime_message *m)
{
	int r = mapiwire_message_set(msg, m->values, m->value_count);
	if (r == 0 && m->recipient_count > 0)
		r = mapiwire_message_set_recipients(msg, m->recipients, m->recipient_count);
	for (size_t i = 0; r == 0 && i < m->attachment_count; i++)
		r = put_attachment(msg, &m->attachments[i]);
	return r;
}

int mail_put(struct mapiwire_store *store, uint64_t folder, const struct mime_message *m,
             const struct mapiwire_value *more, size_t more_count)
{
	struct mapiwire_message *msg = NULL;
	int r = mapiwire_message_create(store, folder, &msg);
	if (r == 0)
		r = fill(msg, m);
	if (r == 0 && more_count > 0)
		r = mapiwire_message_set(msg, more, more_count);
	if (r == 0)
		r = mapiwire_message_commit(msg, NULL);
	mapiwire_message_close(&msg);
	return r;
}
