#include "lens/colors.h"

#include "lens/filter.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_RULES 256

struct rule {
	const char *name;
	struct lens_style style;
	const struct lens_filter *filter;
};

struct lens_colors {
	struct rule rules[MAX_RULES];
	unsigned count;
};

void lens_colors_pick(const struct lens_colors *colors, const struct lens_event *e, struct lens_style *badge,
                      struct lens_style *text)
{
	const struct lens_style none = {-1, -1, false};

	if (badge)
		*badge = none;
	if (text)
		*text = none;
	for (unsigned i = 0; colors && (badge || text) && i < colors->count; i++) {
		const struct rule *r = &colors->rules[i];
		struct lens_style **place = r->style.bg >= 0 ? &badge : &text;
		if (!*place || !lens_filter_match(r->filter, e))
			continue;
		**place = r->style;
		*place = NULL;
	}
}

/* ---- Parsing ---- */

struct parse {
	struct arena *arena;
	unsigned line;
	struct lens_colors_error *error;
};

static int MW_PRINTF(2, 3) complain(struct parse *p, const char *format, ...)
{
	va_list args;

	p->error->line = p->line;
	va_start(args, format);
	vsnprintf(p->error->message, sizeof p->error->message, format, args);
	va_end(args);
	return MW_E_INVALID;
}

static char *trim(char *s)
{
	s += strspn(s, " \t\r");
	size_t n = strlen(s);
	while (n && strchr(" \t\r", s[n - 1]))
		s[--n] = 0;
	return s;
}

/* Yields the place in the palette, or -1. */
static int find_color(const char *word)
{
	static const struct {
		const char *name;
		int place;
	} names[] = {
	        {"black", 16}, {"red", 1},     {"green", 2},  {"yellow", 220}, {"blue", 26},
	        {"cyan", 6},   {"magenta", 5}, {"grey", 250}, {"gray", 250},   {"white", 231},
	};
	char *end;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(names[i].name, word) == 0)
			return names[i].place;
	unsigned long n = strtoul(word, &end, 10);
	return end != word && !*end && n < 256 ? (int)n : -1;
}

static int parse_style(struct parse *p, char *text, struct lens_style *out)
{
	struct lens_style s = {-1, -1, false};
	bool on = false;
	char *rest = NULL;

	for (char *word = strtok_r(text, " \t", &rest); word; word = strtok_r(NULL, " \t", &rest)) {
		if (strcmp(word, "bold") == 0) {
			s.bold = true;
		} else if (strcmp(word, "on") == 0) {
			on = true;
		} else {
			int place = find_color(word);
			if (place < 0)
				return complain(p, "'%.60s' is no colour", word);
			*(on ? &s.bg : &s.fg) = (int16_t)place;
		}
	}
	if (on && s.bg < 0)
		return complain(p, "a colour is missing behind 'on'");
	*out = s;
	return 0;
}

static int parse_rule(struct parse *p, char *line, struct rule *out)
{
	char *color = strchr(line, ':');
	char *filter = color ? strchr(color + 1, ':') : NULL;
	struct lens_filter_error error = {0};
	struct lens_filter *f;

	if (!filter)
		return complain(p, "a rule is NAME: COLOUR: FILTER");
	*color++ = 0;
	*filter++ = 0;
	int r = parse_style(p, color, &out->style);
	if (r < 0)
		return r;
	r = lens_filter_parse(p->arena, trim(filter), &f, &error);
	if (r == MW_E_INVALID)
		return complain(p, "%s (character %u of the filter)", error.message, error.position);
	if (r == 0)
		*out = (struct rule){trim(line), out->style, f};
	return r;
}

int lens_colors_parse(struct arena *arena, const char *text, struct lens_colors **out, struct lens_colors_error *error)
{
	struct lens_colors *c = arena_new_of(arena, struct lens_colors);
	char *copy = arena_strdup(arena, text ? text : lens_colors_builtin);
	struct parse p = {arena, 0, error};

	if (!c || !copy)
		return MW_E_NOMEM;
	while (copy) {
		char *line = strsep(&copy, "\n");
		p.line++;
		line = trim(line);
		if (!*line || *line == '#')
			continue;
		if (c->count == MAX_RULES)
			return complain(&p, "there are more than %d rules", MAX_RULES);
		int r = parse_rule(&p, line, &c->rules[c->count]);
		if (r < 0)
			return r;
		c->count++;
	}
	*out = c;
	return 0;
}

/* ---- For Wireshark ---- */

#define PAPER 0xffffff
#define INK 0x12272e

static int put_rgb(struct buf *out, uint32_t rgb)
{
	return buf_printf(out, "[%u,%u,%u]", (rgb >> 16 & 255) * 257, (rgb >> 8 & 255) * 257, (rgb & 255) * 257);
}

/* @ ends a name there. */
static void put_name(struct buf *out, const char *name)
{
	for (; *name; name++)
		buf_put_u8(out, *name == '@' || (uint8_t)*name < 0x20 ? '-' : (uint8_t)*name);
}

static void put_rule(const struct rule *r, struct buf *out)
{
	struct buf filter MW_CLEANUP(buf_free) = {0};

	if (lens_filter_wireshark(r->filter, &filter) < 0) {
		buf_put_str(out, "# ");
		put_name(out, r->name);
		buf_put_str(out, ": Wireshark has nothing like it\n");
		return;
	}
	buf_put_u8(out, '@');
	put_name(out, r->name);
	buf_put_u8(out, '@');
	buf_put(out, filter.data, filter.len);
	buf_put_u8(out, '@');
	put_rgb(out, r->style.bg < 0 ? PAPER : lens_color_rgb(r->style.bg));
	put_rgb(out, r->style.fg < 0 ? INK : lens_color_rgb(r->style.fg));
	buf_put_u8(out, '\n');
}

int lens_colors_wireshark(const struct lens_colors *colors, struct buf *out)
{
	buf_put_str(out, "# Coloring rules for Wireshark, made by mapiwire from its own.\n");
	for (unsigned i = 0; i < colors->count; i++)
		put_rule(&colors->rules[i], out);
	return buf_error(out);
}

/* ---- The palette of xterm ---- */

uint32_t lens_color_rgb(int place)
{
	static const uint32_t first[16] = {
	        0x000000, 0xcd3131, 0x0f9d58, 0xb58900, 0x2563eb, 0xa626a4, 0x0e8a9b, 0xd0d0d0,
	        0x7f7f7f, 0xff5555, 0x50fa7b, 0xf1fa8c, 0x6ea8fe, 0xff79c6, 0x8be9fd, 0xffffff,
	};
	static const uint8_t levels[6] = {0, 95, 135, 175, 215, 255};

	if (place < 16)
		return first[place < 0 ? 0 : place];
	if (place >= 232) {
		uint32_t v = 8 + 10 * (uint32_t)(place - 232);
		return v << 16 | v << 8 | v;
	}
	unsigned n = (unsigned)place - 16;
	return (uint32_t)levels[n / 36] << 16 | (uint32_t)levels[n / 6 % 6] << 8 | levels[n % 6];
}
