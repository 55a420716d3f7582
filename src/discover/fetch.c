#include "discover/fetch.h"

#include <curl/curl.h>
#include <string.h>

#define MOST_BODY ((size_t)128 << 10)

static size_t on_data(char *data, size_t one, size_t n, void *user)
{
	struct buf *body = (struct buf *)user;
	(void)one;
	return body->len + n <= MOST_BODY && buf_put(body, data, n) == 0 ? n : 0;
}

/* "DOMAIN\user", for both kinds of log-on. */
static const char *login(struct arena *arena, const struct fetch *f)
{
	return f->domain && *f->domain ? arena_printf(arena, "%s\\%s", f->domain, f->user)
	                               : arena_strdup(arena, f->user);
}

/* Tickets of the process's default cache, for the host's HTTP service (RFC 4559); nothing is delegated. They are shown
 * to nobody whose certificate was not verified. */
static void set_tickets(CURL *curl, const struct fetch *f)
{
	if (f->insecure)
		return;
	curl_easy_setopt(curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_NEGOTIATE);
	curl_easy_setopt(curl, CURLOPT_GSSAPI_DELEGATION, (long)CURLGSSAPI_DELEGATION_NONE);
	curl_easy_setopt(curl, CURLOPT_USERNAME, "");
	curl_easy_setopt(curl, CURLOPT_PASSWORD, "");
}

static void set_user(CURL *curl, struct arena *arena, const struct fetch *f)
{
	if (f->tickets)
		set_tickets(curl, f);
	if (!f->user || f->tickets)
		return;
	curl_easy_setopt(curl, CURLOPT_HTTPAUTH, (long)(f->insecure ? CURLAUTH_NTLM : CURLAUTH_NTLM | CURLAUTH_BASIC));
	curl_easy_setopt(curl, CURLOPT_USERNAME, login(arena, f));
	curl_easy_setopt(curl, CURLOPT_PASSWORD, f->password ? f->password : "");
}

static void set_tls(CURL *curl, const struct fetch *f)
{
	curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, f->insecure ? 0L : 1L);
	curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, f->insecure ? 0L : 2L);
	if (f->ca_file)
		curl_easy_setopt(curl, CURLOPT_CAINFO, f->ca_file);
}

static struct curl_slist *set_request(CURL *curl, struct arena *arena, const struct fetch *f, struct buf *body)
{
	struct curl_slist *fields = curl_slist_append(NULL, "Content-Type: text/xml; charset=utf-8");
	/* A password is for TLS; whoever gets here without has none to give. */
	bool tls = strncasecmp(f->url, "https://", 8) == 0;
	curl_easy_setopt(curl, CURLOPT_URL, f->url);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, tls ? "https" : "http");
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)(f->timeout_ns / 1000000));
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "mapiwire");
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);
	if (tls) {
		set_tls(curl, f);
		set_user(curl, arena, f);
	}
	if (f->post) {
		fields = curl_slist_append(fields, "X-MapiHttpCapability: 1");
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)f->post->len);
		curl_easy_setopt(curl, CURLOPT_COPYPOSTFIELDS, f->post->data);
		curl_easy_setopt(curl, CURLOPT_HTTPHEADER, fields);
	}
	return fields;
}

static const char *phrase(struct arena *arena, CURLcode code)
{
	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST:
		return "no such host";
	case CURLE_COULDNT_CONNECT:
		return "nothing answers there";
	case CURLE_OPERATION_TIMEDOUT:
		return "no answer in time";
	case CURLE_PEER_FAILED_VERIFICATION:
		return "its certificate is not trusted, or not its own";
	case CURLE_WRITE_ERROR:
		return "an answer that is too large";
	default:
		return arena_strdup(arena, curl_easy_strerror(code));
	}
}

int fetch(struct arena *arena, const struct fetch *f, struct fetch_answer *out)
{
	CURL *curl = curl_easy_init();
	struct buf body = {0};
	char *location = NULL;
	long status = 0;
	if (!curl)
		return MW_E_NOMEM;
	struct curl_slist *fields = set_request(curl, arena, f, &body);
	CURLcode code = curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(curl, CURLINFO_REDIRECT_URL, &location);
	*out = (struct fetch_answer){.status = (unsigned)status, .body = body};
	out->location = location ? arena_strdup(arena, location) : NULL;
	out->why = code != CURLE_OK ? phrase(arena, code) : NULL;
	curl_slist_free_all(fields);
	curl_easy_cleanup(curl);
	return code == CURLE_OK ? 0 : MW_E_IO;
}
