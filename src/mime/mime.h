#ifndef MW_MIME_MIME_H
#define MW_MIME_MIME_H

#include "base/arena.h"
#include "mapiwire.h"

#include <stdint.h>

/*
 * Mail as files have it (RFC 5322, MIME) and as MAPI has it, by the rules of [MS-OXCMAIL]; GMime parses and writes.
 * What comes from strangers is bounded: nesting, parts, recipients, sizes; what is beyond a bound becomes an
 * attachment as it stands or is left out, and the message is taken all the same.
 */

#define MIME_MAX_EMBEDDED 12 /* messages in messages; deeper ones are attached as files */
#define MIME_MAX_DEPTH 30    /* multiparts in multiparts */
#define MIME_MAX_PARTS 1000  /* attachments of one message */
#define MIME_MAX_RECIPIENTS 10000
#define MIME_MAX_BODY ((size_t)32 << 20)
#define MIME_MAX_HEADERS ((size_t)64 << 10) /* kept in PidTagTransportMessageHeaders */

struct mime_message {
	struct mapiwire_value *values;
	size_t value_count;
	struct mapiwire_recipient *recipients;
	size_t recipient_count;
	struct mime_attachment *attachments;
	size_t attachment_count;
};
struct mime_attachment {
	struct mapiwire_value *values;
	size_t value_count;
	struct mime_message *message; /* PidTagAttachMethod 5; else NULL */
	void *content;                /* what mime_content reads; opaque. NULL: */
	int fd;                       /* a file that has its bytes, from start up to end; -1: none */
	int64_t start, end;
};

/* Once a program. */
void mime_begin(void);

/* ---- From a file to properties ---- */

struct mime_source {
	const void *data; /* the message, and is there until mime_parsed_free; or NULL: */
	size_t size;
	int fd; /* a file that can seek, read from its beginning; the caller's */
};
struct mime_parsed;
/* MW_E_MALFORMED: no message; MW_E_NOMEM. Attachments stay where they are, unread.
 * GMime follows up to 1,024 nested parts by recursion: call it where the stack is large. */
MW_NODISCARD int mime_parse(const struct mime_source *source, struct mime_parsed **out);
const struct mime_message *mime_parsed_message(const struct mime_parsed *p);
void mime_parsed_free(struct mime_parsed **p);

/* Takes bytes; anything but 0 ends it. */
typedef int mime_sink(void *user, const void *data, size_t size);
/* An attachment's bytes, decoded piece by piece; needs little stack. What the sink said, or MW_E_IO. */
MW_NODISCARD int mime_content(const struct mime_attachment *a, mime_sink *sink, void *user);

/* ---- From properties to a file ---- */

enum mime_lines { MIME_LF, MIME_CRLF };
/* Writes to fd, from where it stands. MW_E_IO (errno), MW_E_NOMEM. */
MW_NODISCARD int mime_write(const struct mime_message *m, int fd, enum mime_lines lines);
/* The value of a property, whatever its type; NULL. */
const struct mapiwire_value *mime_find(const struct mapiwire_value *values, size_t count, uint32_t tag);

/* ---- Between bodies ---- */

/* What HTML says, as plain text; in the arena. NULL: out of memory. */
char *mime_text_of_html(struct arena *arena, const char *html, size_t size);

#endif
