#ifndef MW_HTTP_MAPI_ANSWER_H
#define MW_HTTP_MAPI_ANSWER_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The body of an answer of MAPI over HTTP, [MS-OXCMAPIHTTP] 2.2.2.2 and 2.2.7: meta tags, each a line (PROCESSING,
 * PENDING as often as the server asks for patience, DONE); after DONE further header lines and an empty one; then the
 * request type's own body. Bytes in, in pieces as they come. An answer that begins with no tag is that body alone.
 */
enum http_mapi_place { HTTP_MAPI_TAGS, HTTP_MAPI_FIELDS, HTTP_MAPI_BODY, HTTP_MAPI_DAMAGED };

/* X-ResponseCode, 2.2.3.3.3 */
enum http_mapi_response {
	HTTP_MAPI_R_SUCCESS = 0,
	HTTP_MAPI_R_INVALID_COOKIE = 6,
	HTTP_MAPI_R_ANONYMOUS = 8,
	HTTP_MAPI_R_CONTEXT_NOT_FOUND = 10,
	HTTP_MAPI_R_NO_PRIVILEGE = 11,
	HTTP_MAPI_R_MISSING_COOKIE = 13,
	HTTP_MAPI_R_INVALID_SEQUENCE = 15,
	HTTP_MAPI_R_SHUTTING_DOWN = 18,
};

struct http_mapi {
	enum http_mapi_place place; /* that the next byte belongs to */
	const char *why;            /* DAMAGED: one static phrase */
	unsigned pending;           /* PENDINGs so far */
	bool processing;
	int code;           /* X-ResponseCode of the fields after DONE; -1: they have none */
	int64_t elapsed_ms; /* X-ElapsedTime: how long the server says it took; -1 */
	char line[256];
	unsigned line_len, fields;
	struct buf body; /* failures stay in it (buf_error): MW_E_NOMEM, MW_E_LIMIT */
};
#define HTTP_MAPI_MAX_BODY ((size_t)16 << 20)

void http_mapi_init(struct http_mapi *a);
void http_mapi_feed(struct http_mapi *a, const void *data, size_t len);
/* At the answer's end: 0, MW_E_TRUNCATED (inside of tags or fields), MW_E_MALFORMED (why), or the body's failure. */
MW_NODISCARD int http_mapi_end(const struct http_mapi *a);
void http_mapi_free(struct http_mapi *a);

/* "Context Not Found"; NULL: no such code. */
const char *http_mapi_response_name(int code);

#endif
