#include "lens/web-private.h"

#include "auth/ntlm_message.h"
#include "base/base64.h"
#include "base/secret.h"
#include "base/utf16.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

/* Words for what is asked in HTTP, and who asks. */

#define WEB_WORDS 160

static const char *service_of(const char *path)
{
	static const char *const services[][2] = {
	        {"/rpc/", "RPC over HTTP"},
	        {"/mapi/", "MAPI over HTTP"},
	        {"/ews/", "EWS"},
	        {"/autodiscover/", "Autodiscover"},
	        {"/oab/", "offline address book"},
	        {"/microsoft-server-activesync", "ActiveSync"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(services); i++)
		if (strncasecmp(path, services[i][0], strlen(services[i][0])) == 0)
			return services[i][1];
	return "HTTP";
}

/* The method of a SOAP request: what stands behind the last slash of its action. */
static const char *soap_action(struct arena *a, const struct http_head *head)
{
	const char *action = http_field(head, "SOAPAction"), *slash = action ? strrchr(action, '/') : NULL;
	if (!slash)
		return NULL;
	size_t n = strcspn(slash + 1, "\" ");
	return n && n < WEB_WORDS ? arena_strndup(a, slash + 1, n) : NULL;
}

/* Without what follows a question mark: there stand names and tokens. */
const char *web_request_words(struct arena *a, const struct http_head *head)
{
	size_t n = strcspn(head->target, "?");
	const char *path = arena_strndup(a, head->target, n < WEB_WORDS ? n : WEB_WORDS);
	const char *service = path ? service_of(path) : "HTTP";
	const char *type = http_field(head, "X-RequestType"); /* [MS-OXCMAPIHTTP] 2.2.3.3.1 */
	if (!type || strcmp(service, "MAPI over HTTP") != 0)
		type = soap_action(a, head);
	return arena_printf(a, "%s: %s%s%s %s", service, type ? type : "", type ? ", " : "", head->method,
	                    path ? path : "");
}

/* ---- Answers of MAPI over HTTP ---- */

/* [MS-OXCMAPIHTTP] 2.2.3.3.3 */
static const char *const response_codes[] = {
        NULL,
        "unknown failure",
        "invalid verb",
        "invalid path",
        "invalid header",
        "invalid request type",
        "invalid context cookie",
        "missing header",
        "anonymous not allowed",
        "too large",
        "context not found",
        "no privilege",
        "invalid request body",
        "missing cookie",
        NULL,
        "invalid sequence",
        "endpoint disabled",
        "invalid response",
        "endpoint shutting down",
};

const char *web_response_code(struct arena *a, const struct http_head *head)
{
	const char *text = http_field(head, "X-ResponseCode");
	unsigned long code = text ? strtoul(text, NULL, 10) : 0;
	if (!text || strcmp(text, "0") == 0)
		return NULL;
	const char *name = code < ARRAY_SIZE(response_codes) ? response_codes[code] : NULL;
	return name ? arena_printf(a, "X-ResponseCode %lu (%s)", code, name)
	            : arena_printf(a, "X-ResponseCode %.20s", text);
}

/* ---- Who asks ---- */

#define SIGNATURE "NTLMSSP"

/* RFC 7617: the name before the colon. */
static void take_basic(struct lens_web *w, const struct buf *token)
{
	const uint8_t *colon = token->len ? memchr(token->data, ':', token->len) : NULL;
	size_t n = colon ? (size_t)(colon - token->data) : 0;
	if (n == 0 || n >= sizeof w->user || memchr(token->data, 0, n))
		return;
	snprintf(w->user, sizeof w->user, "%.*s", (int)n, (const char *)token->data);
	w->auth = AUTH_NONE;
}

/* [MS-NLMP] 2.2.1.3, wherever it stands in SPNEGO's wrapping. */
static bool take_ntlm(struct lens_web *w, const struct buf *token)
{
	const uint8_t *at = token->len ? memmem(token->data, token->len, SIGNATURE, sizeof SIGNATURE) : NULL;
	struct arena *scratch = w->flow->lens->scratch;
	struct ntlm_authenticate m;
	enum ntlm_type type;
	if (!at)
		return false;
	struct cursor c = cursor_of(at, token->len - (size_t)(at - token->data));
	if (ntlm_message_type(c, &type) < 0 || type != NTLM_AUTHENTICATE || ntlm_authenticate_parse(c, &m) < 0)
		return true;
	const char *user = utf16le_to_utf8(scratch, m.user.data, m.user.len);
	const char *domain = utf16le_to_utf8(scratch, m.domain.data, m.domain.len);
	if (user && domain && *user)
		snprintf(w->user, sizeof w->user, "%s%s%s", domain, *domain ? "\\" : "", user);
	return true;
}

void web_note_user(struct lens_web *w, const struct http_head *head)
{
	const char *value = http_field(head, "Authorization"), *space = value ? strchr(value, ' ') : NULL;
	struct buf token MW_CLEANUP(buf_free) = {0};
	if (!space || base64_decode(&token, space + 1, strlen(space + 1)) < 0)
		return;
	if (strncasecmp(value, "Basic ", 6) == 0) {
		take_basic(w, &token);
	} else if (strncasecmp(value, "NTLM ", 5) == 0) {
		(void)take_ntlm(w, &token);
		w->auth = AUTH_NTLM;
	} else if (strncasecmp(value, "Negotiate ", 10) == 0) {
		w->auth = take_ntlm(w, &token) ? AUTH_NTLM : AUTH_KERBEROS;
	}
	if (token.data)
		secret_wipe(token.data, token.len);
}
