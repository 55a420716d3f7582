#ifndef MW_BASE_TEXT_H
#define MW_BASE_TEXT_H

#include "base/buf.h"

/*
 * Text from the wire on its way to people. Each function appends to a buf and
 * makes the text harmless for its medium; none trusts its input.
 */

/* For a terminal: control characters, escapes, bidi overrides and bad UTF-8 become \xNN or \u{N}. */
int text_put_terminal(struct buf *out, const char *s);
/* A JSON string with its quotes; bad UTF-8 becomes U+FFFD. Harmless for a terminal and inside <script>, too. */
int text_put_json(struct buf *out, const char *s);
/* For HTML and SVG, in text and in quoted attributes; controls and bidi overrides become visible as for a terminal. */
int text_put_html(struct buf *out, const char *s);
/* Lower-case hex, at most max bytes shown, then "… (N bytes)". */
int text_put_hex(struct buf *out, const void *data, size_t n, size_t max);

/* Columns that s takes as text_put_terminal shows it (wide and combining characters counted as such). */
size_t text_width(const char *s);
/* Case-insensitive for ASCII letters only. */
int text_casecmp(const char *a, const char *b);

#endif
