#include "http/xml.h"

#include "base/utf8.h"

#include <libxml/parser.h>
#include <libxml/parserInternals.h>

#include <string.h>

/* What the parser's callbacks build, and why it stopped. */
struct builder {
	struct arena *arena;
	xmlParserCtxtPtr parser;
	struct xml_element *root, *at;
	unsigned depth, count;
	size_t text; /* bytes of text copied */
	int error;
	const char *why;
};

static void stop(struct builder *b, int error, const char *why)
{
	if (b->error == 0) {
		b->error = error;
		b->why = why;
		xmlStopParser(b->parser);
	}
}

static const char *type_of(struct builder *b, int count, const xmlChar **attributes)
{
	/* localname, prefix, URI, value, end */
	for (int i = 0; i < count; i++) {
		const xmlChar **a = attributes + (ptrdiff_t)5 * i;
		if (strcmp((const char *)a[0], "Type") == 0)
			return arena_strndup(b->arena, (const char *)a[3], (size_t)(a[4] - a[3]));
	}
	return NULL;
}

static void on_start(void *user, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri, int namespace_count,
                     const xmlChar **namespaces, int count, int defaulted, const xmlChar **attributes)
{
	struct builder *b = (struct builder *)user;
	(void)prefix, (void)uri, (void)namespace_count, (void)namespaces, (void)defaulted;
	if (b->error != 0)
		return;
	if (b->depth == XML_MAX_DEPTH || b->count == XML_MAX_ELEMENTS) {
		stop(b, MW_E_LIMIT, "XML that is nested too deep or has too many elements");
		return;
	}
	struct xml_element *e = arena_new_of(b->arena, struct xml_element);
	if (!e || !(e->name = arena_strdup(b->arena, (const char *)name))) {
		stop(b, MW_E_NOMEM, "out of memory");
		return;
	}
	e->text = "";
	e->type = type_of(b, count, attributes);
	e->parent = b->at;
	if (!b->at)
		b->root = e;
	else if (b->at->last)
		b->at->last->next = e;
	else
		b->at->child = e;
	if (b->at)
		b->at->last = e;
	b->at = e;
	b->depth++;
	b->count++;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void trim(struct builder *b, struct xml_element *e)
{
	const char *s = e->text;
	while (is_blank(*s))
		s++;
	size_t len = strlen(s);
	while (len > 0 && is_blank(s[len - 1]))
		len--;
	e->text = arena_strndup(b->arena, s, len);
	if (!e->text)
		stop(b, MW_E_NOMEM, "out of memory");
}

static void on_end(void *user, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
	struct builder *b = (struct builder *)user;
	(void)name, (void)prefix, (void)uri;
	if (b->error != 0 || !b->at)
		return;
	if (*b->at->text)
		trim(b, b->at);
	b->at = b->at->parent;
	b->depth--;
}

/* Text comes in pieces, which may be many: each is copied behind the one before, so their sum is bounded. */
static void on_text(void *user, const xmlChar *text, int len)
{
	struct builder *b = (struct builder *)user;
	if (b->error != 0 || !b->at)
		return;
	size_t have = strlen(b->at->text);
	b->text += have + (size_t)len;
	if (b->text > (size_t)4 << 20) {
		stop(b, MW_E_LIMIT, "XML whose texts are in too many pieces");
		return;
	}
	char *joined = (char *)arena_alloc(b->arena, have + (size_t)len + 1);
	if (!joined) {
		stop(b, MW_E_NOMEM, "out of memory");
		return;
	}
	memcpy(joined, b->at->text, have);
	memcpy(joined + have, text, (size_t)len);
	b->at->text = joined;
}

static void on_dtd(void *user, const xmlChar *name, const xmlChar *external, const xmlChar *system)
{
	(void)name, (void)external, (void)system;
	stop((struct builder *)user, MW_E_MALFORMED, "XML with a document type, which is not read");
}

/* Entities but XML's own come with a document type. */
static xmlEntityPtr on_entity(void *user, const xmlChar *name)
{
	(void)user;
	return xmlGetPredefinedEntity(name);
}

static void on_error(void *user, xmlErrorPtr error)
{
	(void)user, (void)error; /* told by the parser's result; never printed */
}

int xml_read(struct arena *arena, const void *data, size_t len, size_t max, struct xml_element **root, const char **why)
{
	xmlSAXHandler handler = {
	        .initialized = XML_SAX2_MAGIC,
	        .startElementNs = on_start,
	        .endElementNs = on_end,
	        .characters = on_text,
	        .cdataBlock = on_text,
	        .ignorableWhitespace = on_text,
	        .internalSubset = on_dtd,
	        .getEntity = on_entity,
	        .serror = on_error,
	};
	struct builder b = {.arena = arena};
	*why = "XML that is too large";
	if (len > max)
		return MW_E_LIMIT;
	/* Other encodings than UTF-8 have them. */
	*why = "no XML in UTF-8";
	if (len == 0 || memchr(data, 0, len))
		return MW_E_MALFORMED;
	*why = "out of memory";
	b.parser = xmlCreatePushParserCtxt(&handler, &b, NULL, 0, NULL);
	if (!b.parser)
		return MW_E_NOMEM;
	/* Told what it is, it does not believe the document, which could hide a DTD in another encoding. */
	xmlCtxtUseOptions(b.parser, XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_IGNORE_ENC);
	xmlSwitchEncoding(b.parser, XML_CHAR_ENCODING_UTF8);
	int r = xmlParseChunk(b.parser, (const char *)data, (int)len, 1);
	bool well_formed = r == 0 && b.parser->wellFormed;
	xmlFreeParserCtxt(b.parser);
	*why = b.why;
	if (b.error != 0)
		return b.error;
	*why = "XML that is not well-formed";
	if (!well_formed || !b.root)
		return MW_E_MALFORMED;
	*root = b.root;
	return 0;
}

const struct xml_element *xml_child(const struct xml_element *e, const char *name)
{
	for (const struct xml_element *c = e ? e->child : NULL; c; c = c->next)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

const struct xml_element *xml_path(const struct xml_element *e, const char *path)
{
	char name[64];
	while (e && *path) {
		size_t len = strcspn(path, "/");
		if (len >= sizeof name)
			return NULL;
		memcpy(name, path, len);
		name[len] = '\0';
		e = xml_child(e, name);
		path += len + (path[len] == '/');
	}
	return e;
}

const char *xml_text(const struct xml_element *e, const char *name)
{
	const struct xml_element *c = xml_child(e, name);
	return c ? c->text : "";
}

void xml_put_text(struct buf *out, const char *text)
{
	while (*text) {
		uint32_t c;
		char utf8[4];
		text += utf8_decode(text, &c);
		if (c == UTF8_BAD || (c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0xfffe || c == 0xffff)
			c = UTF8_REPLACEMENT;
		if (c == '<')
			buf_put_str(out, "&lt;");
		else if (c == '>')
			buf_put_str(out, "&gt;");
		else if (c == '&')
			buf_put_str(out, "&amp;");
		else if (c == '"')
			buf_put_str(out, "&quot;");
		else
			buf_put(out, utf8, utf8_encode(c, utf8));
	}
}

void xml_put(struct buf *out, const char *name, const char *text)
{
	if (!text)
		return;
	buf_printf(out, "<%s>", name);
	xml_put_text(out, text);
	buf_printf(out, "</%s>", name);
}
