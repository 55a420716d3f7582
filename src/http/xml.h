#ifndef MW_HTTP_XML_H
#define MW_HTTP_XML_H

#include "base/arena.h"
#include "base/buf.h"

#include <stdbool.h>

/*
 * Small XML documents from strangers, by libxml2, as a tree in an arena: elements with their local names and texts, and
 * nothing else. UTF-8 only, whatever the document says of itself; no DTD, so no entities but XML's own five; no
 * network; bounded in size, depth and number of elements.
 */
#define XML_MAX_DEPTH 24
#define XML_MAX_ELEMENTS 4096

struct xml_element {
	const char *name; /* without its prefix */
	const char *text; /* of its own text nodes, blanks around it taken off; "" */
	struct xml_element *parent, *child, *last, *next;
	const char *type; /* its attribute Type; NULL */
};

/* MW_E_MALFORMED, MW_E_LIMIT, MW_E_NOMEM; why is one phrase. */
MW_NODISCARD int xml_read(struct arena *arena, const void *data, size_t len, size_t max, struct xml_element **root,
                          const char **why);
/* The first child of that name, or NULL; NULL of NULL. Case counts. */
const struct xml_element *xml_child(const struct xml_element *e, const char *name);
/* Down a path of names "Body/GetUserSettingsRequestMessage"; NULL when one is missing. */
const struct xml_element *xml_path(const struct xml_element *e, const char *path);
/* The text of the first child of that name; "" when there is none. */
const char *xml_text(const struct xml_element *e, const char *name);

/* ---- Writing: text in elements; what XML cannot hold becomes U+FFFD ---- */
void xml_put_text(struct buf *out, const char *text);
/* <name>text</name>; nothing when text is NULL. */
void xml_put(struct buf *out, const char *name, const char *text);

#endif
