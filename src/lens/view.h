#ifndef MW_LENS_VIEW_H
#define MW_LENS_VIEW_H

#include "base/buf.h"
#include "lens/lens.h"

#include <stdbool.h>

/*
 * How events are shown. Each view takes events one by one and appends text to a
 * buf that its caller writes out when it likes. Views read struct lens_event and
 * struct lens_conn only, and make all text from the wire harmless for their medium.
 */
struct lens_view;

struct lens_view_options {
	bool color;         /* ANSI sequences */
	unsigned width;     /* columns of the terminal; 0 = 100 */
	bool show_all;      /* list: hidden connections too */
	const char *colors; /* text of a colour-rules file; NULL = the built-in rules */
	const char *title;  /* file name, for headings */
};

struct lens_view *lens_list_new(const struct lens_view_options *o, struct buf *out);
struct lens_view *lens_ladder_new(const struct lens_view_options *o, struct buf *out);
struct lens_view *lens_json_new(const struct lens_view_options *o, struct buf *out);
struct lens_view *lens_stats_new(const struct lens_view_options *o, struct buf *out);
struct lens_view *lens_svg_new(const struct lens_view_options *o, struct buf *out);
struct lens_view *lens_html_new(const struct lens_view_options *o, struct buf *out);
/* --tree: the opened contents of the events that touch this frame. */
struct lens_view *lens_tree_new(const struct lens_view_options *o, uint64_t frame, struct buf *out);

void lens_view_event(struct lens_view *v, const struct lens_event *e);
/* Heads, folds and findings that need the whole; totals and connections come from the lens (may be NULL in tests). */
void lens_view_end(struct lens_view *v, const struct lens *lens);
void lens_view_free(struct lens_view **v);

#endif
