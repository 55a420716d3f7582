#include "cli/mail.h"

#include "base/time.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* send and save. */

#define MAX_BODY ((size_t)32 << 20)
#define MAX_RECIPIENTS 500
#define BY_VALUE 1
#define UTF8_CODE_PAGE 65001

/* ---- Before the server is asked ---- */

static int read_body(struct buf *out)
{
	for (;;) {
		uint8_t data[65536];
		ssize_t n = read(STDIN_FILENO, data, sizeof data);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return cli_fail(mail_command, CLI_EXIT_USAGE, "cannot read the body: %s.", strerror(errno));
		if (n == 0)
			return buf_put_u8(out, 0) < 0 ? cli_fail(mail_command, CLI_EXIT_FAILED, "out of memory.") : 0;
		if (out->len + (size_t)n > MAX_BODY)
			return cli_usage(mail_command, "the body is larger than 32 MiB.");
		if (buf_put(out, data, (size_t)n) < 0)
			return cli_fail(mail_command, CLI_EXIT_FAILED, "out of memory.");
	}
}

/* "a@x, b@y" */
static int split(struct mail *mail, const char *option, int kind)
{
	char *text = arena_strdup(mail->r->arena, option ? option : ""), *rest = NULL;
	if (!text)
		return cli_fail(mail_command, CLI_EXIT_FAILED, "out of memory.");
	for (char *p = strtok_r(text, ", ", &rest); p; p = strtok_r(NULL, ", ", &rest)) {
		if (!strchr(p, '@') || mail->recipient_count == MAX_RECIPIENTS)
			return cli_usage(
			        mail_command,
			        strchr(p, '@') ? "'%s' is one recipient too many." : "'%s' is no mail address.", p);
		struct mapiwire_recipient *r = &mail->recipients[mail->recipient_count++];
		*r = (struct mapiwire_recipient){.address = p};
		r->kind = kind;
	}
	return 0;
}

static int look_at_attachments(const struct mail *mail)
{
	for (unsigned i = 0; i < mail->attach_count; i++) {
		struct stat st;
		if (stat(mail->attach[i], &st) < 0)
			return cli_usage(mail_command, "cannot read %s: %s.", mail->attach[i], strerror(errno));
		if (!S_ISREG(st.st_mode))
			return cli_usage(mail_command, "%s is no file.", mail->attach[i]);
	}
	return 0;
}

int mail_prepare_send(struct mail *mail)
{
	mail->recipients = arena_new_array(mail->r->arena, struct mapiwire_recipient, MAX_RECIPIENTS);
	if (!mail->recipients)
		return cli_fail(mail_command, CLI_EXIT_FAILED, "out of memory.");
	int code = split(mail, mail->to, MAPIWIRE_TO);
	if (code == 0)
		code = split(mail, mail->cc, MAPIWIRE_CC);
	if (code == 0)
		code = split(mail, mail->bcc, MAPIWIRE_BCC);
	if (code == 0)
		code = look_at_attachments(mail);
	return code == 0 ? read_body(&mail->body) : code;
}

/* ---- The message ---- */

static int set_content(struct mail *mail, struct mapiwire_message *msg)
{
	struct mapiwire_value values[4] = {{.tag = PidTagMessageClass, .text = "IPM.Note"},
	                                   {.tag = PidTagSubject, .text = mail->subject}};
	size_t count = 2;
	const char *body = (const char *)mail->body.data;
	if (mail->html) {
		values[count++] = (struct mapiwire_value){.tag = PidTagHtml, .bytes = body, .size = mail->body.len - 1};
		values[count++] = (struct mapiwire_value){.tag = PidTagInternetCodepage, .integer = UTF8_CODE_PAGE};
	} else {
		values[count++] = (struct mapiwire_value){.tag = PidTagBody, .text = body};
	}
	int r = mapiwire_message_set(msg, values, count);
	if (r == 0 && mail->recipient_count > 0)
		r = mapiwire_message_set_recipients(msg, mail->recipients, mail->recipient_count);
	return r;
}

static int set_sender(struct mail *mail, struct mapiwire_message *msg)
{
	int64_t now = time_now_ns();
	const struct mapiwire_value values[] = {
	        {.tag = PidTagMessageDeliveryTime, .integer = now},
	        {.tag = PidTagClientSubmitTime, .integer = now},
	        {.tag = PidTagSenderName, .text = mail->name},
	        {.tag = PidTagSenderEmailAddress, .text = mail->address},
	        {.tag = PidTagSenderAddressType, .text = "SMTP"},
	        {.tag = PidTagSentRepresentingName, .text = mail->name},
	        {.tag = PidTagSentRepresentingEmailAddress, .text = mail->address},
	        {.tag = PidTagSentRepresentingAddressType, .text = "SMTP"},
	};
	return mapiwire_message_set(msg, values, ARRAY_SIZE(values));
}

/* 0, or an exit code after a sentence. */
static int copy_in(struct mail *mail, int fd, const char *path, struct mapiwire_stream *stream)
{
	static const size_t piece = 256 << 10;
	uint8_t *data = (uint8_t *)malloc(piece);
	ssize_t n = data ? 1 : -1;
	int r = 0;
	while (r == 0 && n > 0 && (n = read(fd, data, piece)) > 0)
		r = mapiwire_stream_write(stream, data, (size_t)n);
	free(data);
	if (r == 0 && n < 0)
		return cli_fail(mail_command, CLI_EXIT_USAGE, "cannot read %s: %s.", path, strerror(errno));
	return r < 0 || mapiwire_stream_commit(stream) < 0 ? mail_fail(mail) : 0;
}

static int fill_attachment(struct mail *mail, struct mapiwire_attachment *a, int fd, const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');
	struct mapiwire_stream *stream = NULL;
	struct mapiwire_value values[] = {
	        {.tag = PidTagAttachMethod, .integer = BY_VALUE},
	        {.tag = PidTagRenderingPosition, .integer = -1},
	        {.tag = PidTagAttachLongFilename, .text = name},
	        {.tag = PidTagAttachFilename, .text = name},
	        {.tag = PidTagDisplayName, .text = name},
	        {.tag = PidTagAttachExtension, .text = dot ? dot : ""},
	};
	if (mapiwire_attachment_set(a, values, ARRAY_SIZE(values)) < 0 ||
	    mapiwire_attachment_stream(a, PidTagAttachDataBinary, true, &stream, NULL) < 0)
		return mail_fail(mail);
	int code = copy_in(mail, fd, path, stream);
	mapiwire_stream_close(&stream);
	return code == 0 && mapiwire_attachment_commit(a) < 0 ? mail_fail(mail) : code;
}

static int attach(struct mail *mail, struct mapiwire_message *msg, const char *path)
{
	struct mapiwire_attachment *a = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return cli_usage(mail_command, "cannot read %s: %s.", path, strerror(errno));
	int code = mapiwire_attachment_create(msg, &a) < 0 ? mail_fail(mail) : fill_attachment(mail, a, fd, path);
	mapiwire_attachment_close(&a);
	close(fd);
	return code;
}

static int compose(struct mail *mail, uint64_t folder, bool kept, struct mapiwire_message **out)
{
	int r = mapiwire_message_create(mail->store, folder, out);
	if (r == 0)
		r = set_content(mail, *out);
	if (r == 0 && kept)
		r = set_sender(mail, *out);
	int code = r < 0 ? mail_fail(mail) : 0;
	for (unsigned i = 0; code == 0 && i < mail->attach_count; i++)
		code = attach(mail, *out, mail->attach[i]);
	return code;
}

int mail_send(struct mail *mail)
{
	struct mapiwire_message *msg = NULL;
	uint64_t outbox;
	if (mapiwire_folder_find(mail->store, "outbox", &outbox) < 0)
		return mail_fail(mail);
	int code = compose(mail, outbox, false, &msg);
	if (code == 0 && mapiwire_message_submit(msg) < 0)
		code = mail_fail(mail);
	mapiwire_message_close(&msg);
	if (code == 0 && !mail->r->json)
		printf("Sent; a copy is in Sent Items.\n");
	return code;
}

int mail_save(struct mail *mail)
{
	struct mapiwire_message *msg = NULL;
	uint64_t id = 0;
	int code = compose(mail, mail->folder_id, true, &msg);
	if (code == 0 && mapiwire_message_commit(msg, &id) < 0)
		code = mail_fail(mail);
	mapiwire_message_close(&msg);
	if (code == 0 && mail->r->json)
		printf("{\"id\":\"%016llx\"}\n", (unsigned long long)id);
	else if (code == 0)
		printf("Saved in %s; not sent to anybody.\n", mail->folder ? mail->folder : "inbox");
	return code;
}
