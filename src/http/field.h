#ifndef MW_HTTP_FIELD_H
#define MW_HTTP_FIELD_H

#include "http/http.h"

/* Looking into heads. Names are compared without regard to case. */

/* The value of the first field of that name; NULL: there is none. */
const char *http_field(const struct http_head *head, const char *name);
/* Of the next one from *at on, which moves past it; for names that may stand there twice. */
const char *http_field_next(const struct http_head *head, const char *name, unsigned *at);
/* Whether a comma-separated list in such a field, or in several, has this token. */
bool http_field_has(const struct http_head *head, const char *name, const char *token);
/* Whether an answer's WWW-Authenticate fields (RFC 9110 11.6.1) offer this scheme; *token and *len: what follows its
 * name there, up to the next comma outside of quotes. */
bool http_challenge(const struct http_head *head, const char *scheme, const char **token, size_t *len);
/* Whether this could be a name (RFC 9110 5.1), and this a value: no controls but a tab. */
bool http_is_token(const char *s);
bool http_is_value(const char *s);
/* The value of a cookie of the request into out, without quotes; false: it is not there, or too long. */
bool http_cookie(const struct http_head *head, const char *name, char *out, size_t size);

/* The path of a target, percent-decoded, without query; MW_E_MALFORMED: not an absolute path (or http(s)://host and
 * one), a NUL or a segment "..", MW_E_LIMIT: longer than size. *query (may be NULL): what follows the '?', or NULL. */
MW_NODISCARD int http_target_path(const char *target, char *path, size_t size, const char **query);

/* The usual phrase, "Unknown" for what is not registered. */
const char *http_reason(unsigned status);

#endif
