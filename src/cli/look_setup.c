#include "base/random.h"
#include "base/secret.h"
#include "base/time.h"
#include "cli/cli.h"
#include "cli/look.h"
#include "cli/look_export.h"
#include "cli/look_jobs.h"
#include "idl/parse.h"
#include "lens/colors.h"
#include "lens/filter.h"
#include "lens/scrub.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_TEXT ((size_t)1 << 20)

static int cannot_read(const char *path, int r)
{
	return cli_usage("look", "cannot read %s: %s.", path,
	                 r == MW_E_LIMIT ? "it is larger than 1 MiB" : strerror(errno));
}

/* A path that is not absolute is beside the file that names it. */
static int open_keytab(struct look *l)
{
	char why[AUTH_KEYTAB_WHY];
	const char *path = l->secrets.keytab, *slash = strrchr(l->o.secrets, '/');
	int folder = slash && path && *path != '/' ? (int)(slash - l->o.secrets + 1) : 0;

	if (!path)
		return 0;
	path = arena_printf(l->arena, "%.*s%s", folder, l->o.secrets, path);
	if (!path || auth_keytab_open(path, &l->keytab, why) < 0)
		return cli_usage("look", "cannot use the keytab %s: %s.", path ? path : "",
		                 path ? why : "out of memory");
	return 0;
}

static int read_secrets(struct look *l)
{
	struct auth_secrets_error error = {0};
	char *text;
	size_t len;

	if (!l->o.secrets)
		return 0;
	int r = cli_read_file(l->arena, l->o.secrets, MAX_TEXT, &text, &len);
	if (r < 0)
		return cannot_read(l->o.secrets, r);
	r = auth_secrets_parse(text, len, &l->secrets, &error);
	secret_wipe(text, len);
	if (r == MW_E_INVALID)
		return cli_usage("look", "%s:%u: %s.", l->o.secrets, error.line, error.what);
	if (r < 0)
		return cli_usage("look", "cannot take %s: %s.", l->o.secrets, mw_strerror(r));
	return open_keytab(l);
}

/* ---- IDL ---- */

struct import {
	const char *beside; /* the file that imports */
};

static const char *import_file(void *user, struct arena *arena, const char *name, size_t *len)
{
	const struct import *import = (const struct import *)user;
	const char *slash = strrchr(import->beside, '/');
	int folder = slash ? (int)(slash - import->beside + 1) : 0;
	char *text;

	if (strchr(name, '/'))
		return NULL;
	const char *path = arena_printf(arena, "%.*s%s", folder, import->beside, name);
	if (!path || access(path, R_OK) != 0 || cli_read_file(arena, path, MAX_TEXT, &text, len) < 0)
		return NULL;
	return text;
}

static int read_one_idl(struct look *l, const char *path)
{
	struct import import = {path};
	const struct idl_loader loader = {.import = import_file, .user = &import};
	struct idl_error error = {0};
	char *text;
	size_t len;

	if (l->idl_count == LOOK_MAX_IDL)
		return cli_usage("look", "--idl takes at most %d files.", LOOK_MAX_IDL);
	int r = cli_read_file(l->arena, path, MAX_TEXT, &text, &len);
	if (r < 0)
		return cannot_read(path, r);
	const char *slash = strrchr(path, '/'); /* the sentence has room for the file's own name alone */
	r = idl_parse(l->arena, slash ? slash + 1 : path, text, len, &loader, &l->idl[l->idl_count], &error);
	if (r < 0)
		return cli_usage("look", "%s is no IDL that can be used: %s.", path,
		                 error.message[0] ? error.message : mw_strerror(r));
	l->idl_count++;
	return 0;
}

static int read_idl(struct look *l)
{
	char *list = l->o.idl ? arena_strdup(l->arena, l->o.idl) : NULL;
	int code = 0;

	for (char *path = strsep(&list, ","); path && code == 0; path = strsep(&list, ","))
		code = *path ? read_one_idl(l, path) : 0;
	return code;
}

/* ---- Filter and colours ---- */

static int read_filter(struct look *l)
{
	struct lens_filter_error error = {0};
	struct lens_filter *f = NULL;

	if (!l->o.filter)
		return 0;
	int r = lens_filter_parse(l->arena, l->o.filter, &f, &error);
	if (r < 0) {
		unsigned at = error.position ? error.position - 1 : 0;
		return cli_usage("look", "the filter is wrong at character %u: %s.\n  %s\n  %*s^", at + 1,
		                 error.position ? error.message : mw_strerror(r), l->o.filter, (int)at, "");
	}
	l->view.filter = f;
	return 0;
}

/* The user's own rules, when there are some. */
static const char *find_colors(struct look *l)
{
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	const char *path = NULL;

	if (l->o.colors)
		return l->o.colors;
	if (config && *config)
		path = arena_printf(l->arena, "%s/mapiwire/colors", config);
	else if (home && *home)
		path = arena_printf(l->arena, "%s/.config/mapiwire/colors", home);
	return path && access(path, R_OK) == 0 ? path : NULL;
}

static int read_colors(struct look *l)
{
	const char *path = find_colors(l);
	struct lens_colors_error error = {0};
	struct lens_colors *colors;
	char *text = NULL;
	size_t len;
	int r = path ? cli_read_file(l->arena, path, MAX_TEXT, &text, &len) : 0;

	if (r < 0)
		return cannot_read(path, r);
	r = lens_colors_parse(l->arena, text, &colors, &error);
	if (r < 0)
		return cli_usage("look", "%s:%u: %s.", path ? path : "built-in colours", error.line,
		                 error.line ? error.message : mw_strerror(r));
	l->view.colors = colors;
	return 0;
}

/* ---- Views ---- */

typedef struct lens_view *(*make_view)(const struct lens_view_options *o, struct buf *out);

static int add_output(struct look *l, make_view make, const char *path)
{
	struct look_output *out = &l->outputs[l->output_count++];

	out->path = path;
	out->chunk = path ? LOOK_CHUNK : LOOK_FIRST_CHUNK;
	out->file = path ? fopen(path, "wb") : NULL;
	if (path && !out->file)
		return cli_usage("look", "cannot write %s: %s.", path, strerror(errno));
	out->view = make ? make(&l->view, &out->text) : lens_tree_new(&l->view, l->o.tree, &out->text);
	return out->view ? 0 : cli_fail("look", CLI_EXIT_FAILED, "out of memory.");
}

static int add_main(struct look *l)
{
	const struct look_options *o = &l->o;
	bool list = look_is_list(o);

	if (list && (o->svg || o->mermaid || o->html || o->export || o->rewrite))
		return 0;
	if (list && !o->interface && !o->follow)
		l->view.head = &l->head;
	int code = add_output(l,
	                      o->problems ? (o->json ? lens_problems_json_new : lens_problems_new)
	                      : o->story  ? lens_story_new
	                      : o->json   ? lens_json_new
	                      : o->ladder ? lens_ladder_new
	                      : o->stats  ? lens_stats_new
	                      : o->top    ? lens_top_new
	                      : o->tree   ? (make_view)NULL
	                                  : lens_list_new,
	                      NULL);
	l->view.head = NULL;
	return code;
}

/* The calls anew: as they are, or with other words, for which there is a key that nobody keeps. */
static int add_copy(struct look *l)
{
	const char *path = l->o.rewrite ? l->o.rewrite : l->o.export;
	uint8_t key[16];

	if (!path)
		return 0;
	if (l->o.rewrite) {
		random_system.fill(random_system.user, key, sizeof key);
		l->scrub = lens_scrub_new(key);
		explicit_bzero(key, sizeof key);
		if (!l->scrub)
			return cli_fail("look", CLI_EXIT_FAILED, "out of memory.");
	}
	if (look_export_new(path, l->scrub, &l->export) < 0)
		return cli_usage("look", "cannot write %s: %s.", path, strerror(errno));
	return 0;
}

static int add_views(struct look *l)
{
	int code = add_main(l);

	if (code == 0 && l->o.svg)
		code = add_output(l, lens_svg_new, l->o.svg);
	if (code == 0 && l->o.mermaid)
		code = add_output(l, lens_mermaid_new, l->o.mermaid);
	if (code == 0 && l->o.html)
		code = add_output(l, lens_html_new, l->o.html);
	return code == 0 ? add_copy(l) : code;
}

/* --top: what the tables are sorted by. */
static int set_top(struct look *l)
{
	static const char *const words[] = {
	        [LENS_TOP_TIME] = "time", [LENS_TOP_BYTES] = "bytes", [LENS_TOP_COUNT] = "count"};

	for (unsigned i = 0; l->o.top && i < ARRAY_SIZE(words); i++)
		if (strcmp(l->o.top, words[i]) == 0) {
			l->view.top_by = (enum lens_top_by)i;
			return 0;
		}
	return l->o.top ? cli_usage("look", "--top is time, bytes or count, not '%s'.", l->o.top) : 0;
}

/* --slow: up to four times in ms, each the more serious one. */
static int set_thresholds(struct look *l)
{
	int64_t *const places[] = {&l->thresholds.average_ns, &l->thresholds.outlook_ns, &l->thresholds.waits_ns,
	                           &l->thresholds.dialog_ns};
	const char *at = l->o.slow;

	l->thresholds.silence_ns = (int64_t)l->o.idle * NS_PER_S;
	l->view.thresholds = &l->thresholds;
	for (size_t i = 0; at && *at; i++) {
		char *end;
		double ms = strtod(at, &end);
		if (i == ARRAY_SIZE(places) || end == at || (*end && *end != ',') || !(ms > 0 && ms < 1e9))
			return cli_usage("look",
			                 "--slow takes up to four times in ms, such as 50,100,5000,8000; not '%s'.",
			                 l->o.slow);
		*places[i] = (int64_t)(ms * 1e6);
		at = end + (*end == ',');
	}
	return 0;
}

static int set_view_options(struct look *l)
{
	const char *slash = strrchr(l->o.file ? l->o.file : "", '/');

	if (cli_color(l->o.color, &l->view.color) < 0)
		return cli_usage("look", "--color is auto, always or never.");
	l->view.width = isatty(STDOUT_FILENO) ? cli_width() : 0;
	l->view.show_all = l->o.all;
	l->view.live = l->o.interface != NULL || l->o.follow;
	l->view.title = slash ? slash + 1 : l->o.file ? l->o.file : l->o.interface;
	return 0;
}

int look_set_up(struct look *l)
{
	int code;

	(void)((code = set_view_options(l)) || (code = set_thresholds(l)) || (code = set_top(l)) ||
	       (code = read_secrets(l)) || (code = look_tls_open(l)) || (code = read_idl(l)) ||
	       (code = read_filter(l)) || (code = read_colors(l)) || (code = add_views(l)));
	return code;
}

void look_free(struct look *l)
{
	for (unsigned i = 0; i < l->output_count; i++) {
		lens_view_free(&l->outputs[i].view);
		buf_free(&l->outputs[i].text);
		if (l->outputs[i].file)
			fclose(l->outputs[i].file);
	}
	lens_free(&l->lens);
	look_jobs_free(&l->jobs);
	look_tls_close(l);
	(void)look_export_finish(&l->export);
	lens_scrub_free(&l->scrub);
	buf_free(&l->head);
	auth_keytab_free(&l->keytab);
	auth_secrets_free(&l->secrets);
	arena_free(&l->arena);
}
