#ifndef MW_LENS_COLORS_H
#define MW_LENS_COLORS_H

#include "base/arena.h"
#include "base/buf.h"
#include "lens/event.h"

/*
 * Colour rules: lines of NAME: COLOUR: FILTER, as share/colors explains. A colour
 * with a background paints the service's name, one without the text; of each sort the first rule that fits counts.
 */
struct lens_colors;

/* Places in an xterm's palette of 256; -1: as it is. */
struct lens_style {
	int16_t fg, bg;
	bool bold;
};

struct lens_colors_error {
	unsigned line; /* 1-based */
	char message[200];
};

/* Lives in the arena. text NULL: the built-in rules. MW_E_INVALID with *error filled, MW_E_NOMEM. */
MW_NODISCARD int lens_colors_parse(struct arena *arena, const char *text, struct lens_colors **out,
                                   struct lens_colors_error *error);
/* colors NULL: nothing is painted. Each out may be NULL. */
void lens_colors_pick(const struct lens_colors *colors, const struct lens_event *e, struct lens_style *badge,
                      struct lens_style *text);
/*
 * Appends the rules as a file that Wireshark imports (View, Coloring Rules): "@NAME@FILTER@[red,green,blue][...]",
 * first the background. What Wireshark cannot say stands as a comment with the reason.
 */
MW_NODISCARD int lens_colors_wireshark(const struct lens_colors *colors, struct buf *out);
/* 0xrrggbb of a place in the palette. */
uint32_t lens_color_rgb(int place);

extern const char lens_colors_builtin[];

#endif
