#include "mime/private.h"

#include <string.h>

/* HTML as plain text: tags go, what ends a line does, entities become characters. For reading and for searching. */

struct html {
	const char *at, *end;
	struct buf out;
	bool pre, space; /* space: one is due before the next word */
	unsigned hidden; /* within script, style, head's title */
};

static void line_end(struct html *h, bool empty_line)
{
	struct buf *b = &h->out;
	h->space = false;
	while (b->len > 0 && b->data[b->len - 1] == ' ')
		b->len--;
	bool at_start = b->len == 0;
	if (!at_start && b->data[b->len - 1] != '\n')
		buf_put_u8(b, '\n');
	if (empty_line && !at_start && !(b->len > 1 && b->data[b->len - 2] == '\n'))
		buf_put_u8(b, '\n');
}

static void put(struct html *h, const char *text, size_t n)
{
	if (h->hidden)
		return;
	if (h->space && h->out.len > 0 && h->out.data[h->out.len - 1] != '\n')
		buf_put_u8(&h->out, ' ');
	h->space = false;
	buf_put(&h->out, text, n);
}

/* ---- Entities ---- */

static void put_character(struct html *h, uint32_t c)
{
	char text[8];
	if (c == 0 || c > 0x10FFFF || (c >= 0xD800 && c < 0xE000))
		c = 0xFFFD;
	if (c == 0xA0)
		c = ' ';
	put(h, text, (size_t)g_unichar_to_utf8(c, text));
}

static void entity(struct html *h)
{
	static const struct {
		const char *name;
		uint32_t c;
	} names[] = {{"amp", '&'},      {"lt", '<'},       {"gt", '>'},       {"quot", '"'},     {"apos", '\''},
	             {"nbsp", 0xA0},    {"auml", 0xE4},    {"ouml", 0xF6},    {"uuml", 0xFC},    {"szlig", 0xDF},
	             {"Auml", 0xC4},    {"Ouml", 0xD6},    {"Uuml", 0xDC},    {"eacute", 0xE9},  {"egrave", 0xE8},
	             {"copy", 0xA9},    {"reg", 0xAE},     {"euro", 0x20AC},  {"mdash", 0x2014}, {"ndash", 0x2013},
	             {"lsquo", 0x2018}, {"rsquo", 0x2019}, {"ldquo", 0x201C}, {"rdquo", 0x201D}, {"hellip", 0x2026},
	             {"bull", 0x2022},  {"middot", 0xB7},  {"laquo", 0xAB},   {"raquo", 0xBB}};
	const char *start = h->at + 1;
	size_t n = 0, max = (size_t)(h->end - start) < 12 ? (size_t)(h->end - start) : 12;
	while (n < max && (g_ascii_isalnum(start[n]) || start[n] == '#'))
		n++;
	bool closed = n < max && start[n] == ';';
	h->at = start + n + closed;
	bool hex = n > 1 && (start[1] == 'x' || start[1] == 'X');
	if (n > 1u + hex && start[0] == '#') {
		char digits[16];
		g_strlcpy(digits, start + 1 + hex, n - hex < sizeof digits ? n - hex : sizeof digits);
		put_character(h, (uint32_t)g_ascii_strtoull(digits, NULL, hex ? 16 : 10));
		return;
	}
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		if (strlen(names[i].name) == n && memcmp(names[i].name, start, n) == 0) {
			put_character(h, names[i].c);
			return;
		}
	put(h, start - 1, n + 1 + closed);
}

/* ---- Tags ---- */

static bool is(const char *name, size_t n, const char *const *list)
{
	for (; *list; list++)
		if (strlen(*list) == n && g_ascii_strncasecmp(*list, name, n) == 0)
			return true;
	return false;
}

/* Behind the ">" that ends it; a quoted attribute may have one in it. */
static const char *tag_end(const char *p, const char *end)
{
	char quote = 0;
	for (; p < end; p++) {
		if (quote && *p == quote)
			quote = 0;
		else if (!quote && (*p == '"' || *p == '\''))
			quote = *p;
		else if (!quote && *p == '>')
			return p + 1;
	}
	return end;
}

static const char *find(const char *p, const char *end, const char *what)
{
	const char *found = (const char *)memmem(p, (size_t)(end - p), what, strlen(what));
	return found ? found + strlen(what) : end;
}

static void tag(struct html *h)
{
	static const char *const hidden[] = {"script", "style", "title", NULL};
	static const char *const block[] = {"p",  "h1", "h2",    "h3",         "h4", "h5",  "h6",
	                                    "ul", "ol", "table", "blockquote", "hr", "pre", NULL};
	static const char *const line[] = {"br", "div", "tr", "li", "dt", "dd", NULL};
	static const char *const pre[] = {"pre", NULL};
	if (h->end - h->at >= 4 && memcmp(h->at, "<!--", 4) == 0) {
		h->at = find(h->at + 4, h->end, "-->");
		return;
	}
	bool closing = h->at + 1 < h->end && h->at[1] == '/';
	const char *name = h->at + 1 + closing;
	size_t n = 0;
	while (name + n < h->end && n < 12 && g_ascii_isalnum(name[n]))
		n++;
	if (n == 0 && name < h->end && *name != '!' && *name != '?') {
		put(h, "<", 1);
		h->at++;
		return;
	}
	h->at = tag_end(name + n, h->end);
	if (is(name, n, hidden))
		h->hidden = closing ? 0 : 1;
	if (is(name, n, pre))
		h->pre = !closing;
	if (is(name, n, block))
		line_end(h, true);
	else if (is(name, n, line))
		line_end(h, false);
	if (!closing && !h->hidden && n == 2 && g_ascii_strncasecmp(name, "li", 2) == 0)
		put(h, "- ", 2);
}

static void text(struct html *h)
{
	const char *start = h->at;
	while (h->at < h->end && *h->at != '<' && *h->at != '&' && !g_ascii_isspace(*h->at))
		h->at++;
	put(h, start, (size_t)(h->at - start));
}

char *mime_text_of_html(struct arena *arena, const char *html, size_t size)
{
	struct html h = {.at = html, .end = html + size, .out.max = MIME_MAX_BODY};
	while (h.at < h.end) {
		if (*h.at == '<')
			tag(&h);
		else if (*h.at == '&')
			entity(&h);
		else if (!g_ascii_isspace(*h.at))
			text(&h);
		else if (h.pre && *h.at == '\n')
			buf_put_u8(&h.out, (uint8_t)*h.at++);
		else
			h.space = h.at++ < h.end;
	}
	line_end(&h, false);
	while (h.out.len > 1 && h.out.data[h.out.len - 2] == '\n')
		h.out.len--;
	char *out = arena_strndup(arena, h.out.data ? (const char *)h.out.data : "", h.out.len);
	buf_free(&h.out);
	return out;
}
