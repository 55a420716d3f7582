#include "server/supplies.h"

#include "auth/auth_keytab.h"
#include "base/secret.h"
#include "base/text.h"
#include "server/helper.h"
#include "server/tls_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct supplies {
	struct helper *helper;
	struct auth_keytab *keytab;
	uv_poll_t poll;
	bool skip_tls;              /* the first one tells nothing new */
	struct helper_snapshot got; /* wiped once it was taken */
};

int supplies_start(struct server *s, char why[512])
{
	const struct server_config *c = &s->config;
	const struct helper_paths paths = {
	        .part = {[HELPER_KEYTAB] = {c->keytab}, [HELPER_TLS] = {c->tls_cert, c->tls_key}}};
	if (!c->keytab && !c->tls_cert)
		return 0;
	s->supplies = (struct supplies *)calloc(1, sizeof *s->supplies);
	if (!s->supplies)
		return MW_E_NOMEM;
	int r = helper_start(&paths, s->config.confine, &s->supplies->helper);
	if (r < 0)
		snprintf(why, 512, "Cannot start the helper process that reads keys: %s.", mw_strerror(r));
	return r;
}

/* ---- A snapshot ---- */

/* Keys for a server that has none yet, or others than it has. */
static int take_keytab(struct server *s, const struct helper_snapshot *got, char reason[AUTH_KEYTAB_WHY])
{
	struct supplies *have = s->supplies;
	if (have->keytab)
		return auth_keytab_replace(have->keytab, got->bytes, got->size[0], reason);
	int r = auth_keytab_from(got->bytes, got->size[0], &have->keytab, reason);
	s->auth.keytab = have->keytab;
	return r;
}

/* reason: a phrase, on failure. */
static int take_snapshot(struct server *s, const struct helper_snapshot *got, char reason[AUTH_KEYTAB_WHY])
{
	if (*got->trouble) {
		snprintf(reason, AUTH_KEYTAB_WHY, "%.200s", got->trouble);
		return MW_E_IO;
	}
	switch (got->source) {
	case HELPER_KEYTAB:
		return take_keytab(s, got, reason);
	case HELPER_TLS:
		return tls_files_take(s, got->bytes, got->size[0], got->bytes + got->size[0], got->size[1], reason);
	default:
		return 0;
	}
}

int supplies_take(struct server *s, char why[512])
{
	struct supplies *have = s->supplies;
	char reason[AUTH_KEYTAB_WHY] = "";
	if (!have)
		return 0;
	if (s->config.tls_cert) /* which the server has read by itself, while it may: that snapshot comes after the
	                           keytab's */
		have->skip_tls = true;
	if (!s->config.keytab)
		return 0;
	int r = helper_first(have->helper, HELPER_KEYTAB, &have->got);
	if (r < 0)
		snprintf(reason, sizeof reason, "the helper process has ended");
	else
		r = take_snapshot(s, &have->got, reason);
	secret_wipe(&have->got, sizeof have->got);
	if (r < 0)
		snprintf(why, 512, "Cannot use the keytab %s: %s; make one with ktutil or kadmin's ktadd.",
		         s->config.keytab, *reason ? reason : mw_strerror(r));
	return r;
}

/* ---- Later ---- */

static void say(const struct server *s, enum helper_source source, int r, const char *reason)
{
	bool tls = source == HELPER_TLS;
	const char *what = tls ? "certificate" : "keytab", *path = tls ? s->config.tls_cert : s->config.keytab;
	if (r == 0)
		log_line(s->config.log, LOG_INFO, "read the %s %s%s anew", what, path, tls ? " and its key" : "");
	else
		log_line(s->config.log, LOG_WARNING,
		         "cannot read the %s %s%s anew: %s; serves with the keys that it has", what, path,
		         tls ? " and its key" : "", *reason ? reason : mw_strerror(r));
}

static bool skips(struct supplies *have)
{
	bool skip = have->got.source == HELPER_TLS && have->skip_tls;
	if (skip) {
		have->skip_tls = false;
		secret_wipe(&have->got, sizeof have->got);
	}
	return skip;
}

static void on_message(uv_poll_t *poll, int status, int events)
{
	struct server *s = (struct server *)poll->data;
	struct supplies *have = s->supplies;
	char reason[AUTH_KEYTAB_WHY] = "";
	(void)events;
	int r = status < 0 ? MW_E_IO : helper_next(have->helper, &have->got);
	if (r == MW_E_AGAIN || (r == 0 && skips(have)))
		return;
	if (r == 0) {
		r = take_snapshot(s, &have->got, reason);
		say(s, have->got.source, r, reason);
		secret_wipe(&have->got, sizeof have->got);
		return;
	}
	uv_poll_stop(poll);
	log_line(s->config.log, LOG_ERROR,
	         "the helper process has ended: serves with the keys that it has; files that change are not read "
	         "until the server is started anew");
}

int supplies_watch(struct server *s)
{
	struct supplies *have = s->supplies;
	if (!have)
		return 0;
	have->poll.data = s;
	if (uv_poll_init(&s->loops[0].uv, &have->poll, helper_fd(have->helper)) < 0 ||
	    uv_poll_start(&have->poll, UV_READABLE, on_message) < 0)
		return MW_E_IO;
	uv_unref((uv_handle_t *)&have->poll);
	return 0;
}

void supplies_ask(const struct server *s)
{
	if (s->supplies)
		helper_ask(s->supplies->helper);
}

void supplies_end(struct server *s)
{
	struct supplies *have = s->supplies;
	if (!have)
		return;
	s->supplies = NULL;
	helper_stop(&have->helper);
	auth_keytab_free(&have->keytab);
	free(have);
}
