#ifndef MW_CLI_LOOK_H
#define MW_CLI_LOOK_H

#include "auth/auth_keytab.h"
#include "auth/auth_secrets.h"
#include "base/arena.h"
#include "idl/idl.h"
#include "lens/finding.h"
#include "lens/view.h"

#include <stdio.h>

/* `mapiwire look`, in two files: look_setup.c makes ready what the command line names, look.c runs. */

/* Text is written out in pieces: the first ones are small, so that a reader has something to read. */
#define LOOK_FIRST_CHUNK ((size_t)2 << 10)
#define LOOK_CHUNK ((size_t)64 << 10)
#define LOOK_MAX_IDL 32

struct look_options {
	const char *file, *interface, *live_filter;
	const char *const *files; /* as named, the first is file; none with -r */
	size_t file_count;
	const char *secrets, *tls_keys, *idl, *filter, *color, *colors, *svg, *mermaid, *html, *slow, *export, *rewrite,
	        *top, *wireshark;
	bool follow, json, ladder, stats, problems, story, diff, all, no_pager;
	unsigned tree, idle, jobs;
};

/* The list, which is shown where nothing else is asked for. */
static inline bool look_is_list(const struct look_options *o)
{
	return !o->json && !o->ladder && !o->stats && !o->tree && !o->problems && !o->story && !o->top;
}

/* Where a view writes. */
struct look_output {
	struct lens_view *view;
	struct buf text;
	size_t chunk;     /* of the text that is written next */
	const char *path; /* NULL: standard output */
	FILE *file;       /* path's */
	bool failed;
};

/* look_tls.c */
struct look_tls {
	FILE *file; /* --tls-keys; NULL */
	struct buf part;
	int64_t looked_ns;
	bool failed; /* out of memory */
};

#define LOOK_OUTPUTS 4

struct look {
	struct look_options o;
	struct arena *arena;
	struct auth_secrets secrets;
	struct look_tls tls;
	struct auth_keytab *keytab;
	const struct idl_module *idl[LOOK_MAX_IDL];
	size_t idl_count;
	struct lens_view_options view;
	struct lens_thresholds thresholds;
	struct buf head;
	struct look_output outputs[LOOK_OUTPUTS];
	unsigned output_count;
	struct lens *lens;
	struct look_jobs *jobs;     /* or NULL */
	struct look_export *export; /* or NULL */
	struct lens_scrub *scrub;   /* or NULL */
	bool paging;
	bool head_behind; /* the list is long: its beginning is out already, or will not wait */
};

struct capture_reader;
/* look_notes.c: the file's own comments and names, behind the list. */
void look_put_notes(struct look *l, const struct capture_reader *r);

/* look_tls.c: the key log is opened; read into a new lens; what has come since, and the capture's own secrets. */
int look_tls_open(struct look *l);
void look_tls_begin(struct look *l);
void look_tls_more(struct look *l, struct capture_reader *r);
void look_tls_close(struct look *l);

/* Secrets, IDL, filter, colours and views. 0, or the exit code after one sentence on stderr. */
int look_set_up(struct look *l);
void look_free(struct look *l);

#endif
