#include "cli/mail.h"

#include "base/text.h"
#include "base/time.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* read, and attachments: list and save them. */

static const uint32_t part_tags[] = {PidTagAttachNumber,       PidTagAttachMethod,   PidTagAttachSize,
                                     PidTagAttachLongFilename, PidTagAttachFilename, PidTagDisplayName,
                                     PidTagAttachMimeTag,      PidTagAttachContentId};
#define BY_VALUE 1 /* PidTagAttachMethod, [MS-OXCMSG] 2.2.2.9 */
#define EMBEDDED 5

static const char *part_name(const struct mapiwire_rows *rows, size_t row)
{
	static const uint32_t tags[] = {PidTagAttachLongFilename, PidTagAttachFilename, PidTagDisplayName};
	for (size_t i = 0; i < ARRAY_SIZE(tags); i++)
		if (*mail_text(rows, row, tags[i]))
			return mail_text(rows, row, tags[i]);
	return "attachment";
}

/* ---- read ---- */

static void put_line(struct buf *out, bool colored, const char *label, const char *text)
{
	if (!*text)
		return;
	cli_put(out, colored, CLI_BOLD, label);
	text_put_terminal(out, text);
	buf_put_u8(out, '\n');
}

/* The body as it is, but harmless: line ends and tabs stay. */
static void put_body(struct buf *out, const char *body)
{
	buf_put_u8(out, '\n');
	while (*body) {
		size_t n = strcspn(body, "\r\n\t");
		char *part = strndup(body, n);
		if (part)
			text_put_terminal(out, part);
		free(part);
		body += n;
		if (*body && *body != '\r')
			buf_put_u8(out, (uint8_t)*body);
		body += *body != 0;
	}
	buf_put_u8(out, '\n');
}

static void put_part(struct buf *out, bool json, const struct mapiwire_rows *rows, size_t row)
{
	char size[24];
	int64_t bytes = mail_number(rows, row, PidTagAttachSize);
	mail_size_text(bytes, size);
	if (json) {
		buf_printf(out, "{\"number\":%lld", (long long)mail_number(rows, row, PidTagAttachNumber));
		cli_json_text(out, "name", part_name(rows, row));
		cli_json_text(out, "type", mail_text(rows, row, PidTagAttachMimeTag));
		cli_json_text(out, "content_id", mail_text(rows, row, PidTagAttachContentId));
		buf_printf(out, ",\"message\":%s,\"size\":%lld}",
		           mail_number(rows, row, PidTagAttachMethod) == EMBEDDED ? "true" : "false", (long long)bytes);
		return;
	}
	buf_printf(out, "%4lld  ", (long long)mail_number(rows, row, PidTagAttachNumber));
	cli_put_cell(out, false, CLI_PLAIN, part_name(rows, row), 40, true);
	buf_printf(out, "%10s  ", size);
	text_put_terminal(out, mail_number(rows, row, PidTagAttachMethod) == EMBEDDED
	                               ? "message"
	                               : mail_text(rows, row, PidTagAttachMimeTag));
	buf_put_u8(out, '\n');
}

static void put_parts(struct buf *out, const struct mail *mail, const struct mapiwire_rows *parts)
{
	if (mail->r->json) {
		buf_put_str(out, ",\"attachments\":[");
		for (size_t i = 0; i < parts->count; i++) {
			buf_put_str(out, i ? "," : "");
			put_part(out, true, parts, i);
		}
		buf_put_u8(out, ']');
	} else if (parts->count > 0) {
		buf_put_u8(out, '\n');
		cli_put(out, mail->r->colored, CLI_BOLD, "Attachments:");
		buf_put_u8(out, '\n');
		for (size_t i = 0; i < parts->count; i++)
			put_part(out, false, parts, i);
	}
}

static void put_message(struct buf *out, const struct mail *mail, const struct mapiwire_rows *rows,
                        const struct mapiwire_rows *parts)
{
	char date[20], when[TIME_TEXT_SIZE];
	bool colored = mail->r->colored;
	const struct mapiwire_value *body = mapiwire_row_find(rows, 0, PidTagBody);
	if (mail->r->json) {
		buf_printf(out, "{\"folder\":\"%016llx\"", (unsigned long long)mail->folder_id);
		cli_json_text(out, "date", time_format(mail_date(rows, 0), when));
		cli_json_text(out, "from", mail_sender(rows, 0));
		cli_json_text(out, "to", mail_text(rows, 0, PidTagDisplayTo));
		cli_json_text(out, "cc", mail_text(rows, 0, PidTagDisplayCc));
		cli_json_text(out, "bcc", mail_text(rows, 0, PidTagDisplayBcc));
		cli_json_text(out, "subject", mail_text(rows, 0, PidTagSubject));
		cli_json_text(out, "message_id", mail_text(rows, 0, PidTagInternetMessageId));
		cli_json_text(out, "body", mail_text(rows, 0, PidTagBody));
		put_parts(out, mail, parts);
		buf_put_str(out, "}\n");
		return;
	}
	mail_local_time(mail_date(rows, 0), date);
	put_line(out, colored, "From:    ", mail_sender(rows, 0));
	put_line(out, colored, "To:      ", mail_text(rows, 0, PidTagDisplayTo));
	put_line(out, colored, "Cc:      ", mail_text(rows, 0, PidTagDisplayCc));
	put_line(out, colored, "Bcc:     ", mail_text(rows, 0, PidTagDisplayBcc));
	put_line(out, colored, "Date:    ", date);
	put_line(out, colored, "Subject: ", mail_text(rows, 0, PidTagSubject));
	put_body(out, body && body->text ? body->text : "");
	put_parts(out, mail, parts);
}

int mail_read(struct mail *mail)
{
	static const uint32_t tags[] = {PidTagMessageDeliveryTime, PidTagLastModificationTime,
	                                PidTagSenderName,          PidTagSentRepresentingName,
	                                PidTagDisplayTo,           PidTagDisplayCc,
	                                PidTagDisplayBcc,          PidTagSubject,
	                                PidTagInternetMessageId,   PidTagBody};
	struct buf out MW_CLEANUP(buf_free) = {0};
	struct mapiwire_message *message = NULL;
	struct mapiwire_rows rows = {0}, parts = {0};
	int code = mail_open_one(mail, mail->words[0], &message);
	if (code != 0)
		return code;
	int r = mapiwire_message_get(message, tags, ARRAY_SIZE(tags), &rows);
	if (r == 0)
		r = mapiwire_message_attachments(message, part_tags, ARRAY_SIZE(part_tags), &parts);
	if (r == 0)
		put_message(&out, mail, &rows, &parts);
	code = r < 0 ? mail_fail(mail) : 0;
	mapiwire_rows_free(&rows);
	mapiwire_rows_free(&parts);
	mapiwire_message_close(&message);
	cli_pager_begin();
	cli_write(&out);
	cli_pager_end();
	return code;
}

/* ---- attachments ---- */

/* A name that a stranger gave: no path, nothing hidden, nothing that a terminal or a file system takes amiss. */
static void safe_name(const char *name, char out[200])
{
	size_t at = 0;
	const char *base = name;
	for (const char *p = name; *p; p++)
		if (*p == '/' || *p == '\\')
			base = p + 1;
	while (*base == '.' || *base == ' ')
		base++;
	for (; *base && at < 180; base++) {
		unsigned char c = (unsigned char)*base;
		out[at++] = c < 0x20 || c == 0x7F || strchr("<>:\"|?*", c) ? '_' : (char)c;
	}
	while (at > 0 && ((unsigned char)out[at - 1] & 0xC0) == 0x80 && ((unsigned char)*base & 0xC0) == 0x80)
		at--; /* cut within a character */
	out[at] = 0;
	if (at == 0)
		snprintf(out, 200, "attachment");
}

/* A file that was not there; "name (2).ext" where the name is taken. */
static int create_file(const char *folder, const char *name, char path[4400])
{
	const char *dot = strrchr(name, '.');
	int stem = (int)(dot && dot != name ? dot - name : (long)strlen(name));
	for (unsigned i = 1; i < 10000; i++) {
		if (i == 1)
			snprintf(path, 4400, "%s/%s", folder, name);
		else
			snprintf(path, 4400, "%s/%.*s (%u)%s", folder, stem, name, i, name + stem);
		int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
		if (fd >= 0 || errno != EEXIST)
			return fd;
	}
	return -1;
}

static bool write_all(int fd, const uint8_t *data, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, data, size);
		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0) {
			data += n;
			size -= (size_t)n;
		}
	}
	return true;
}

/* Piece by piece. 0, or an exit code after a sentence. */
static int copy_out(struct mail *mail, struct mapiwire_stream *stream, int fd, const char *path)
{
	static const size_t piece = 256 << 10;
	uint8_t *data = (uint8_t *)malloc(piece);
	size_t got = 1;
	int r = 0;
	bool written = data != NULL;
	while (r == 0 && written && got > 0 && (r = mapiwire_stream_read(stream, data, piece, &got)) == 0)
		written = write_all(fd, data, got);
	free(data);
	if (r < 0)
		return mail_fail(mail);
	return written ? 0 : cli_fail(mail_command, CLI_EXIT_FAILED, "cannot write %s: %s.", path, strerror(errno));
}

static int save_part(struct mail *mail, struct mapiwire_message *message, const struct mapiwire_rows *parts, size_t row)
{
	struct mapiwire_attachment *a = NULL;
	struct mapiwire_stream *stream = NULL;
	struct buf line MW_CLEANUP(buf_free) = {0};
	char name[200], path[4400];
	uint64_t size = 0;
	safe_name(part_name(parts, row), name);
	if (mapiwire_attachment_open(message, (uint32_t)mail_number(parts, row, PidTagAttachNumber), &a) < 0 ||
	    mapiwire_attachment_stream(a, PidTagAttachDataBinary, false, &stream, &size) < 0) {
		mapiwire_attachment_close(&a);
		return mail_fail(mail);
	}
	int fd = create_file(mail->save, name, path);
	int code = fd >= 0 ? copy_out(mail, stream, fd, path)
	                   : cli_fail(mail_command, CLI_EXIT_USAGE, "cannot make a file in %s: %s.", mail->save,
	                              strerror(errno));
	if (fd >= 0 && close(fd) < 0 && code == 0)
		code = cli_fail(mail_command, CLI_EXIT_FAILED, "cannot write %s: %s.", path, strerror(errno));
	mapiwire_stream_close(&stream);
	mapiwire_attachment_close(&a);
	if (code == 0 && !mail->r->json) {
		char text[24];
		mail_size_text((int64_t)size, text);
		buf_put_str(&line, "Saved ");
		text_put_terminal(&line, path);
		buf_printf(&line, ", %s.\n", text);
		cli_write(&line);
	}
	return code;
}

static bool is_named(const struct mail *mail, int64_t number)
{
	bool named = mail->word_count == 1;
	for (size_t i = 1; i < mail->word_count; i++)
		named = named || strtoll(mail->words[i], NULL, 10) == number;
	return named;
}

static int save_parts(struct mail *mail, struct mapiwire_message *message, const struct mapiwire_rows *parts)
{
	int code = 0;
	unsigned count = 0, messages = 0;
	for (size_t i = 0; code == 0 && i < parts->count; i++) {
		if (!is_named(mail, mail_number(parts, i, PidTagAttachNumber)))
			continue;
		if (mail_number(parts, i, PidTagAttachMethod) == BY_VALUE) {
			code = save_part(mail, message, parts, i);
			count++;
		} else {
			messages++;
		}
	}
	if (code == 0 && messages > 0)
		fprintf(stderr, "mapiwire mail: %u of them %s a message: 'mapiwire mail export' writes them.\n",
		        messages, messages == 1 ? "is" : "are each");
	if (code == 0 && count == 0 && messages == 0)
		return cli_usage(mail_command,
		                 "there is no such attachment: 'mapiwire mail attachments %s' numbers them.",
		                 mail->words[0]);
	return code;
}

int mail_attachments(struct mail *mail)
{
	struct buf out MW_CLEANUP(buf_free) = {0};
	struct mapiwire_message *message = NULL;
	struct mapiwire_rows parts = {0};
	int code = mail_open_one(mail, mail->words[0], &message);
	if (code != 0)
		return code;
	if (mapiwire_message_attachments(message, part_tags, ARRAY_SIZE(part_tags), &parts) < 0)
		code = mail_fail(mail);
	else if (mail->save)
		code = save_parts(mail, message, &parts);
	for (size_t i = 0; code == 0 && !mail->save && i < parts.count; i++) {
		put_part(&out, mail->r->json, &parts, i);
		if (mail->r->json)
			buf_put_u8(&out, '\n');
	}
	if (code == 0 && !mail->save && parts.count == 0 && !mail->r->json)
		buf_put_str(&out, "The message has no attachments.\n");
	cli_write(&out);
	mapiwire_rows_free(&parts);
	mapiwire_message_close(&message);
	return code;
}
