#include "server/supplies.h"

#include "auth/auth_keytab.h"
#include "base/secret.h"
#include "base/text.h"
#include "server/helper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct supplies {
	struct helper *helper;
	struct auth_keytab *keytab;
	uv_poll_t poll;
	struct helper_snapshot got; /* wiped once it was taken */
};

int supplies_start(struct server *s, char why[512])
{
	const struct helper_paths paths = {.part = {[HELPER_KEYTAB] = {s->config.keytab}}};
	if (!s->config.keytab)
		return 0;
	s->supplies = (struct supplies *)calloc(1, sizeof *s->supplies);
	if (!s->supplies)
		return MW_E_NOMEM;
	int r = helper_start(&paths, s->config.confine, &s->supplies->helper);
	if (r < 0)
		snprintf(why, 512, "Cannot start the helper process that reads the keytab: %s.", mw_strerror(r));
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

static void say(const struct server *s, int r, const char *reason)
{
	if (r == 0)
		log_line(s->config.log, LOG_INFO, "read the keytab %s anew", s->config.keytab);
	else
		log_line(s->config.log, LOG_WARNING,
		         "cannot read the keytab %s anew: %s; serves with the keys that it has", s->config.keytab,
		         *reason ? reason : mw_strerror(r));
}

static void on_message(uv_poll_t *poll, int status, int events)
{
	struct server *s = (struct server *)poll->data;
	struct supplies *have = s->supplies;
	char reason[AUTH_KEYTAB_WHY] = "";
	(void)events;
	int r = status < 0 ? MW_E_IO : helper_next(have->helper, &have->got);
	if (r == MW_E_AGAIN)
		return;
	if (r == 0) {
		r = take_snapshot(s, &have->got, reason);
		secret_wipe(&have->got, sizeof have->got);
		say(s, r, reason);
		return;
	}
	uv_poll_stop(poll);
	log_line(s->config.log, LOG_ERROR,
	         "the helper process has ended: serves with the keys that it has; a keytab that changes is not read "
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
