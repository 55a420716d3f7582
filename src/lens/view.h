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
struct lens_filter;
struct lens_colors;
struct lens_thresholds;

enum lens_top_by { LENS_TOP_TIME, LENS_TOP_BYTES, LENS_TOP_COUNT };

struct lens_view_options {
	bool color;        /* ANSI sequences */
	unsigned width;    /* columns of the terminal; 0 = not a terminal: 100, and the list cuts no text off */
	bool show_all;     /* list, ladder: hidden and folded connections too */
	bool live;         /* list: tell a call when it is over, not in the order of requests */
	const char *title; /* file name, for headings */
	struct buf *head;  /* list: where its heading goes, which needs the whole; NULL: to the end of out */
	/* Borrowed, may be NULL: what is shown (a call when its request or its answer matches), and the colours. */
	const struct lens_filter *filter;
	const struct lens_colors *colors;
	const struct lens_thresholds *thresholds; /* of findings */
	enum lens_top_by top_by;
};

struct lens_view *lens_list_new(const struct lens_view_options *o, struct buf *out);
/* Ladder, SVG and Mermaid want events that are kept (lens.h): they draw at the end. */
struct lens_view *lens_ladder_new(const struct lens_view_options *o, struct buf *out);
struct lens_view *lens_json_new(const struct lens_view_options *o, struct buf *out);
struct lens_view *lens_stats_new(const struct lens_view_options *o, struct buf *out);
struct lens_view *lens_svg_new(const struct lens_view_options *o, struct buf *out);
struct lens_view *lens_mermaid_new(const struct lens_view_options *o, struct buf *out);
struct lens_view *lens_html_new(const struct lens_view_options *o, struct buf *out);
/* --problems: what is wrong, in which frames, and what to do; as JSON Lines, one object a finding. */
struct lens_view *lens_problems_new(const struct lens_view_options *o, struct buf *out);
struct lens_view *lens_problems_json_new(const struct lens_view_options *o, struct buf *out);
/* --top: who and what takes most: users, folders, methods, ROPs. */
struct lens_view *lens_top_new(const struct lens_view_options *o, struct buf *out);
/* --story: the start in sentences. */
struct lens_view *lens_story_new(const struct lens_view_options *o, struct buf *out);
/* --diff: two starts side by side, and the first step that differs. */
struct lens_steps;
void lens_diff_put(const struct lens_view_options *o, const struct lens_steps *first, const struct lens_steps *second,
                   struct buf *out);
/* --tree: the opened contents of the events that touch this frame. */
struct lens_view *lens_tree_new(const struct lens_view_options *o, uint64_t frame, struct buf *out);

/* Seconds count from here: the time of the first frame. Without it, from the first event. */
void lens_view_start(struct lens_view *v, int64_t first_time_ns);
void lens_view_event(struct lens_view *v, const struct lens_event *e);
/* Heads, folds and findings that need the whole; totals and connections come from the lens (may be NULL in tests). */
void lens_view_end(struct lens_view *v, const struct lens *lens);
void lens_view_free(struct lens_view **v);

#endif
