#include "cli/walk.h"

#include "base/text.h"
#include "base/time.h"

#include <stdio.h>
#include <string.h>

const char *const walk_names[STEPS] = {"name", "mapper", "referral", "address book", "store", "inbox", "notification"};

/* The colours that the lens has for these services. */
static const enum cli_ink inks[STEPS] = {CLI_PLAIN, CLI_GREY, CLI_BLUE, CLI_BLUE, CLI_YELLOW, CLI_YELLOW, CLI_YELLOW};

/* "127.0.0.1:135", "[::1]:135"; of the name step, the address alone. */
static void put_json_address(struct buf *out, const struct walk *w, const struct step *s)
{
	char text[160];
	const char *host = s->host ? s->host : w->host;
	bool brackets = strchr(host, ':') != NULL;
	if (s->address[0] != ':')
		snprintf(text, sizeof text, "%s", s->address);
	else
		snprintf(text, sizeof text, "%s%s%s%s", brackets ? "[" : "", host, brackets ? "]" : "", s->address);
	if (*text)
		cli_json_text(out, "address", text);
}

static void put_json_step(struct buf *out, const struct walk *w, enum step_number i)
{
	static const char *const states[] = {"skipped", "ok", "failed"};
	const struct step *s = &w->steps[i];
	buf_printf(out, "{\"step\":%d", (int)i + 1);
	cli_json_text(out, "name", walk_names[i]);
	put_json_address(out, w, s);
	if (*s->what)
		cli_json_text(out, "what", s->what);
	if (s->state != SKIPPED)
		cli_json_ms(out, "ms", s->ns);
	cli_json_text(out, "result", states[s->state]);
	if (s->state == FAILED) {
		cli_json_text(out, "cause", s->error.cause);
		cli_json_text(out, "sentence", s->error.sentence);
		cli_json_text(out, "try", s->error.attempt);
		if (s->error.status)
			buf_printf(out, ",\"status\":%u", s->error.status);
		if (*s->error.status_name)
			cli_json_text(out, "status_name", s->error.status_name);
		buf_printf(out, ",\"exit\":%d", s->error.exit_code);
	}
	buf_put_str(out, "}\n");
}

/* Whole milliseconds, never none. */
static void put_ms(struct buf *out, int64_t ns)
{
	int64_t ms = (ns + NS_PER_MS / 2) / NS_PER_MS;
	buf_printf(out, "%7lld ms", (long long)(ms > 0 ? ms : 1));
}

/* Which step before failed of the very same; 0: none. */
static int same_cause(const struct walk *w, enum step_number i)
{
	for (int k = 0; k < (int)i; k++)
		if (w->steps[k].state == FAILED && strcmp(w->steps[k].error.sentence, w->steps[i].error.sentence) == 0)
			return k + 1;
	return 0;
}

static void put_cause(struct buf *out, const struct walk *w, enum step_number i)
{
	const struct mapiwire_error *e = &w->steps[i].error;
	int same = same_cause(w, i);
	buf_put_str(out, "  ");
	cli_put(out, w->r->colored, CLI_BOLD, "Cause");
	buf_put_str(out, "  ");
	if (same) {
		buf_printf(out, "The same as in step %d.\n", same);
		return;
	}
	text_put_terminal(out, e->sentence);
	buf_put_str(out, "\n  ");
	cli_put(out, w->r->colored, CLI_BOLD, "Try");
	buf_put_str(out, "    ");
	text_put_terminal(out, e->attempt);
	buf_put_u8(out, '\n');
}

static void put_step(struct buf *out, const struct walk *w, enum step_number i)
{
	const struct step *s = &w->steps[i];
	bool colored = w->r->colored;
	buf_printf(out, "%d ", (int)i + 1);
	cli_put_cell(out, colored, inks[i], walk_names[i], 14, false);
	cli_put_cell(out, false, CLI_PLAIN, s->address, 7, false);
	buf_put_u8(out, ' ');
	cli_put_cell(out, false, CLI_PLAIN, s->what, strlen(s->address) > 7 ? 43 - (unsigned)strlen(s->address) : 36,
	             false);
	if (s->state == SKIPPED) {
		buf_put_str(out, "         -\n");
		return;
	}
	put_ms(out, s->ns);
	buf_put_str(out, "  ");
	cli_put(out, colored, s->state == OK ? CLI_GREEN : CLI_RED, s->state == OK ? "ok" : "FAILED");
	buf_put_u8(out, '\n');
	if (s->state == FAILED)
		put_cause(out, w, i);
}

static const char *level_name(enum mapiwire_level level)
{
	static const char *const names[] = {"privacy", "none", "connect", "call", "packet", "integrity", "privacy"};
	return names[level];
}

static const char *auth_name(const struct walk *w)
{
	const char *used = mapiwire_auth_used(w->home ? w->home : w->m);
	return strcmp(used, "kerberos") == 0 ? "Kerberos, " : strcmp(used, "ntlm") == 0 ? "NTLM, " : "";
}

static void put_verdict(struct buf *out, const struct walk *w, int code)
{
	static const char *const demands[] = {"whether the server requires it was not tried",
	                                      "not required by the server", "required by the server"};
	unsigned failed = 0;
	for (int i = 0; i < STEPS; i++)
		failed += w->steps[i].state == FAILED;
	cli_put(out, w->r->colored, code ? CLI_RED : CLI_GREEN,
	        code ? "Outlook would not start:" : "Outlook would start.");
	if (failed)
		buf_put_str(out, failed > 1 ? " steps" : " step");
	for (int i = 0, seen = 0; i < STEPS; i++)
		if (w->steps[i].state == FAILED)
			buf_printf(out, "%s%d", seen++ ? ", " : " ", i + 1);
	if (failed)
		buf_put_u8(out, '.');
	buf_put_str(out, " Encryption: ");
	if (w->steps[STORE].state == OK || w->encryption == REQUIRED)
		buf_printf(out, "%s (%s%s)", w->r->chosen == MAPIWIRE_LEVEL_PRIVACY ? "used" : "not used", auth_name(w),
		           level_name(w->r->chosen));
	else
		buf_put_str(out, "not seen, since there was no store session");
	if (w->steps[STORE].state == OK || w->encryption != UNKNOWN)
		buf_printf(out, "; %s", demands[w->encryption]);
	buf_put_u8(out, '.');
	if (code)
		buf_printf(out, " Exit %d.", code);
	buf_put_u8(out, '\n');
}

static void put_json_verdict(struct buf *out, const struct walk *w, int code)
{
	buf_printf(out, "{\"starts\":%s,\"failed\":[", code ? "false" : "true");
	for (int i = 0, seen = 0; i < STEPS; i++)
		if (w->steps[i].state == FAILED)
			buf_printf(out, "%s%d", seen++ ? "," : "", i + 1);
	buf_printf(out, "],\"auth\":\"%s\",\"level\":\"%s\"", mapiwire_auth_used(w->m), level_name(w->r->chosen));
	if (w->steps[STORE].state == OK)
		buf_printf(out, ",\"encrypted\":%s", w->r->chosen == MAPIWIRE_LEVEL_PRIVACY ? "true" : "false");
	if (w->encryption != UNKNOWN)
		buf_printf(out, ",\"encryption_required\":%s", w->encryption == REQUIRED ? "true" : "false");
	buf_printf(out, ",\"exit\":%d}\n", code);
}

void walk_put_step(struct buf *out, const struct walk *w, enum step_number i)
{
	if (w->r->json)
		put_json_step(out, w, i);
	else
		put_step(out, w, i);
}

void walk_put_verdict(struct buf *out, const struct walk *w)
{
	if (w->r->json)
		put_json_verdict(out, w, walk_exit(w));
	else
		put_verdict(out, w, walk_exit(w));
}
