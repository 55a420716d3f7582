/* Prints the events of a capture, a line each, or its figures: for tests of the lens without the program. */
#include "auth/auth_secrets.h"
#include "base/text.h"
#include "capture/capture.h"
#include "lens/lens.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool quiet, fields, kept, json;
static uint64_t seen;

static const char *words(const struct lens_event *e)
{
	static const char *const known_by[] = {"-", "bind", "mapper", "port"};
	return known_by[e->known_by];
}

static void put_text(struct buf *b, const char *key, const char *value)
{
	if (!value)
		return;
	buf_printf(b, ", \"%s\": ", key);
	text_put_json(b, value);
}

static void put_rops(struct buf *b, const struct lens_event *e)
{
	if (!e->rop_count)
		return;
	buf_put_str(b, ", \"rops\": [");
	for (unsigned i = 0; i < e->rop_count; i++)
		buf_printf(b, "%s\"%s\"", i ? ", " : "", e->rops[i].name);
	buf_put_str(b, "], \"rop_codes\": [");
	for (unsigned i = 0; i < e->rop_count; i++)
		buf_printf(b, e->rops[i].has_status ? "%s%u" : "%snull", i ? ", " : "", e->rops[i].status);
	buf_put_str(b, "]");
}

static void put_fields(struct buf *b, const struct lens_event *e)
{
	buf_put_str(b, ", \"fields\": [");
	for (unsigned i = 0; fields && i < e->field_count; i++) {
		buf_put_str(b, i ? ", [" : "[");
		text_put_json(b, e->fields[i].name);
		buf_put_str(b, ", ");
		text_put_json(b, e->fields[i].value ? e->fields[i].value : "");
		buf_printf(b, ", %u, %u, %u]", e->fields[i].depth, e->fields[i].offset, e->fields[i].size);
	}
	buf_put_str(b, "]");
}

/* The keys of the program's JSON, and a few that only tests want. */
static void print_json(const struct lens_event *e, const char *from, const char *to)
{
	static struct buf b;
	buf_clear(&b);
	buf_printf(&b,
	           "{\"frame\": %" PRIu64 ", \"last_frame\": %" PRIu64
	           ", \"conn\": %u, \"rpc\": %s, \"src\": \"%s\", \"dst\": \"%s\"",
	           e->frame, e->last_frame, e->conn->number, e->conn->rpc ? "true" : "false", from, to);
	put_text(&b, "event", lens_kind_name(e->kind));
	if (e->has_call)
		buf_printf(&b, ", \"call\": %u", e->call_id);
	if (e->has_opnum)
		buf_printf(&b, ", \"opnum\": %u", e->opnum);
	put_text(&b, "iface", e->iface);
	put_text(&b, "known_by", words(e));
	put_text(&b, "op", e->op);
	put_text(&b, "transport", e->transport);
	put_text(&b, "pipe", e->pipe);
	put_text(&b, "status", e->status);
	put_text(&b, "endpoint", e->endpoint);
	put_text(&b, "auth", auth_type_name(e->auth));
	put_text(&b, "level", auth_level_name(e->level));
	buf_printf(&b, ", \"sealed\": %d, \"decrypted\": %d, \"signature\": %d, \"fragments\": %u, \"encoding\": %u",
	           e->sealed, e->decrypted, e->signature, e->fragments, e->encoding);
	put_text(&b, "user", e->user);
	put_text(&b, "why_sealed", e->why_sealed);
	put_text(&b, "damaged", e->damaged);
	put_text(&b, "summary", e->summary);
	if (e->took_ns >= 0)
		buf_printf(&b, ", \"ms\": %.6f", (double)e->took_ns / 1e6);
	put_rops(&b, e);
	put_fields(&b, e);
	printf("%.*s}\n", (int)b.len, (const char *)b.data);
}

static void on_event(void *user, const struct lens_event *e)
{
	char from[LENS_ADDRESS_TEXT], to[LENS_ADDRESS_TEXT];
	(void)user;
	seen++;
	if (quiet)
		return;
	lens_address_format(e->from_client ? &e->conn->client : &e->conn->server, from);
	lens_address_format(e->from_client ? &e->conn->server : &e->conn->client, to);
	if (json) {
		print_json(e, from, to);
		return;
	}
	printf("%" PRIu64 "-%" PRIu64 " conn %u%s %s > %s %s %s %s %s", e->frame, e->last_frame, e->conn->number,
	       e->conn->rpc ? "" : "(not rpc)", from, to, lens_kind_name(e->kind), e->iface ? e->iface : "-",
	       e->iface_name ? e->iface_name : "-", words(e));
	if (strcmp(e->transport, "pipe") == 0)
		printf(" in pipe %s", e->pipe ? e->pipe : "?");
	if (e->has_call)
		printf(" call %u", e->call_id);
	if (e->has_opnum)
		printf(" op %u %s", e->opnum, e->op ? e->op : "-");
	if (e->status)
		printf(" status %s%s", e->status, e->failed ? "!" : "");
	if (e->endpoint)
		printf(" endpoint [%s]", e->endpoint);
	printf(" %s/%s", auth_type_name(e->auth), auth_level_name(e->level));
	if (e->sealed)
		printf(" sealed%s", e->decrypted ? "+opened" : "");
	if (e->user)
		printf(" user %s", e->user);
	if (e->took_ns >= 0)
		printf(" %.3f ms", (double)e->took_ns / 1e6);
	if (e->damaged)
		printf(" DAMAGED %s", e->damaged);
	if (e->why_sealed)
		printf(" (%s)", e->why_sealed);
	for (unsigned i = 0; i < e->rop_count; i++)
		printf(" %s%s=%x", e->rops[i].name, e->rops[i].has_status ? "" : "-", e->rops[i].status);
	printf(" | %s\n", e->summary);
	for (unsigned i = 0; fields && i < e->field_count; i++)
		printf("    %*s%s%s%s @%u+%u\n", (int)e->fields[i].depth * 2, "", e->fields[i].name,
		       e->fields[i].value ? " = " : "", e->fields[i].value ? e->fields[i].value : "",
		       e->fields[i].offset, e->fields[i].size);
}

static int pass(const char *path, struct lens *lens, bool learn)
{
	struct capture_reader *r = NULL;
	struct capture_frame f;
	const char *why = "cannot be opened";
	int got;
	if (capture_open(path, &r, &why) < 0) {
		fprintf(stderr, "%s: %s\n", path, why);
		return 1;
	}
	while ((got = capture_next(r, &f)) > 0)
		if (learn)
			lens_learn(lens, f.linktype, f.data, f.captured, f.original);
		else
			lens_frame(lens, f.linktype, f.data, f.captured, f.original, f.time_ns);
	if (got < 0)
		fprintf(stderr, "%s: %s %s\n", path, mw_strerror(got), capture_why(r));
	capture_close(&r);
	return 0;
}

static int read_secrets(const char *path, struct auth_secrets *out)
{
	static char text[65536];
	struct auth_secrets_error error;
	FILE *f = fopen(path, "rb");
	if (!f)
		return MW_E_IO;
	size_t n = fread(text, 1, sizeof text, f);
	fclose(f);
	return auth_secrets_parse(text, n, out, &error);
}

int main(int argc, char **argv)
{
	struct auth_secrets secrets = {0};
	bool learn = true;
	int i = 1;
	for (; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
		quiet |= strcmp(argv[i], "--quiet") == 0;
		fields |= strcmp(argv[i], "--fields") == 0;
		kept |= strcmp(argv[i], "--keep") == 0;
		json |= strcmp(argv[i], "--json") == 0;
		learn &= strcmp(argv[i], "--one-pass") != 0;
		if (strcmp(argv[i], "--secrets") == 0 && i + 1 < argc && read_secrets(argv[++i], &secrets) < 0)
			return 2;
	}
	if (i + 1 != argc) {
		fprintf(stderr, "usage: lens_dump [--quiet] [--json] [--fields] [--keep] [--one-pass] [--secrets FILE] "
		                "CAPTURE\n");
		return 1;
	}
	const struct lens_options options = {
	        .want_fields = fields,
	        .keep_events = kept,
	        .secrets = secrets.list,
	        .secret_count = secrets.count,
	};
	struct lens *lens = lens_new(&options, &(struct lens_sink){.event = on_event});
	struct lens_totals t;
	int failed = !lens || (learn && pass(argv[i], lens, true)) || pass(argv[i], lens, false);
	if (!failed) {
		lens_end(lens);
		lens_get_totals(lens, &t);
		fprintf(json ? stderr : stdout,
		        "%" PRIu64 " frames, %u connections, %u rpc, %" PRIu64 " events, %" PRIu64 " damaged, %" PRIu64
		        " dropped\n",
		        t.frames, t.connections, t.rpc_connections, t.events, t.damaged, t.bytes_dropped);
		failed = seen != t.events;
	}
	lens_free(&lens);
	auth_secrets_free(&secrets);
	return failed;
}
