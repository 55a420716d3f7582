#include "mime/private.h"

#include "base/utf16.h"
#include "mapi/code_page.h"

#include <stdlib.h>
#include <string.h>

/* RTF bodies: unpacked ([MS-OXRTFCP]), and what they say as HTML that was put into them ([MS-OXRTFEX]) or as text. */

/* ---- Unpacking ---- */

#define HEADER 16
#define COMPRESSED 0x75465A4Cu   /* "LZFu" */
#define UNCOMPRESSED 0x414C454Du /* "MELA" */
#define DICTIONARY 4096u

/* 2.1.2.1: what the dictionary begins with. */
static const char initial[] =
        "{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern "
        "\\fscript \\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0"
        "\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx";

static uint32_t little(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* 2.1.3.2: CRC-32 without the usual inversions. */
static uint32_t crc_of(const uint8_t *data, size_t size)
{
	uint32_t crc = 0;
	for (size_t i = 0; i < size; i++) {
		crc ^= data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
	}
	return crc;
}

struct unpacking {
	const uint8_t *data;
	size_t size, at;
	uint8_t dictionary[DICTIONARY];
	unsigned write;
	char *out;
	size_t done, room;
};

/* False when the text would grow beyond what was announced. */
static bool put_byte(struct unpacking *u, uint8_t byte)
{
	if (u->done == u->room)
		return false;
	u->out[u->done++] = (char)byte;
	u->dictionary[u->write++ % DICTIONARY] = byte;
	return true;
}

/* One of a run's eight. False at the end, wherever that is. */
static bool token(struct unpacking *u, bool reference)
{
	if (u->at >= u->size)
		return false;
	if (!reference)
		return put_byte(u, u->data[u->at++]);
	if (u->size - u->at < 2)
		return false;
	unsigned word = (unsigned)u->data[u->at] << 8 | u->data[u->at + 1], offset = word >> 4;
	u->at += 2;
	if (offset == u->write % DICTIONARY)
		return false;
	for (unsigned i = 0; i < (word & 15) + 2; i++)
		if (!put_byte(u, u->dictionary[(offset + i) % DICTIONARY]))
			return false;
	return true;
}

static void unpack(struct unpacking *u)
{
	memcpy(u->dictionary, initial, sizeof initial - 1);
	u->write = sizeof initial - 1;
	bool more = true;
	while (more && u->at < u->size) {
		uint8_t control = u->data[u->at++];
		for (int i = 0; more && i < 8; i++)
			more = token(u, control >> i & 1);
	}
}

int mime_unpack_rtf(struct arena *arena, const uint8_t *data, size_t size, char **rtf, size_t *rtf_size)
{
	if (size < HEADER || little(data) < 12 || little(data) - 12 > size - HEADER)
		return MW_E_MALFORMED;
	size_t packed = little(data) - 12, raw = little(data + 4);
	/* A reference of two bytes yields seventeen at most: more was never packed into so little. */
	if (raw > 9 * packed + 16 || raw > MIME_MAX_BODY)
		return MW_E_MALFORMED;
	char *out = (char *)arena_alloc(arena, raw + 1);
	struct unpacking *u = out ? arena_new_of(arena, struct unpacking) : NULL;
	if (!u)
		return MW_E_NOMEM;
	*u = (struct unpacking){.data = data + HEADER, .size = packed, .out = out, .room = raw};
	if (little(data + 8) == UNCOMPRESSED) {
		u->done = raw < packed ? raw : packed;
		memcpy(out, data + HEADER, u->done);
	} else if (little(data + 8) == COMPRESSED && little(data + 12) == crc_of(data + HEADER, packed)) {
		unpack(u);
	} else {
		return MW_E_MALFORMED;
	}
	out[u->done] = 0;
	*rtf = out;
	*rtf_size = u->done;
	return 0;
}

/* ---- Telling ---- */

#define MAX_GROUPS 256

struct group {
	bool skipped, tag,
	        rtf_only; /* a destination that says nothing; {\*\htmltag ...}; between \htmlrtf and \htmlrtf0 */
	unsigned skip_after_u;
};

struct telling {
	struct arena *arena;
	const char *at, *end;
	struct group groups[MAX_GROUPS];
	unsigned depth, beyond; /* beyond: groups that are deeper than we look */
	bool html, star;
	unsigned to_skip; /* characters that stand for one that \u named */
	uint32_t code_page;
	struct buf bytes; /* in the code page, not converted yet */
	struct buf out;
	int error;
};

static struct group *now(struct telling *t)
{
	return &t->groups[t->depth];
}

static void flush(struct telling *t)
{
	if (t->bytes.len == 0 || t->error != 0)
		return;
	buf_put_u8(&t->bytes, 0);
	uint16_t *wide =
	        buf_error(&t->bytes) ? NULL : code_page_to_utf16(t->arena, t->code_page, (char *)t->bytes.data);
	char *text = wide ? utf16_to_utf8(t->arena, wide, utf16_len(wide)) : NULL;
	if (!text)
		t->error = MW_E_NOMEM;
	else
		buf_put_str(&t->out, text);
	buf_clear(&t->bytes);
}

static bool is_shown(struct telling *t)
{
	const struct group *g = now(t);
	return t->beyond == 0 && !g->skipped && !g->rtf_only;
}

static void put_byte_of_text(struct telling *t, uint8_t byte)
{
	if (t->to_skip > 0) {
		t->to_skip--;
		return;
	}
	if (is_shown(t) && byte != 0)
		buf_put_u8(&t->bytes, byte);
}

static void put_text(struct telling *t, const char *text)
{
	if (!is_shown(t))
		return;
	flush(t);
	buf_put_str(&t->out, text);
}

static void put_unicode(struct telling *t, long code)
{
	char text[8];
	uint32_t c = (uint32_t)(code < 0 ? code + 65536 : code);
	t->to_skip = now(t)->skip_after_u;
	if (!is_shown(t) || c == 0)
		return;
	flush(t);
	if (c > 0x10FFFF || (c >= 0xD800 && c < 0xE000))
		c = 0xFFFD;
	buf_put(&t->out, text, (size_t)g_unichar_to_utf8(c, text));
}

/* Destinations without text for readers. */
static bool is_silent(const char *word)
{
	static const char *const words[] = {"fonttbl", "colortbl", "stylesheet", "info",     "pict",     "header",
	                                    "footer",  "object",   "listtable",  "xmlnstbl", "generator"};
	for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
		if (strcmp(words[i], word) == 0)
			return true;
	return false;
}

static void control_word(struct telling *t, const char *word, bool has_number, long number)
{
	static const struct {
		const char *word, *text;
	} plain[] = {{"par", "\n"},        {"line", "\n"},          {"tab", "\t"},           {"lquote", "\u2018"},
	             {"rquote", "\u2019"}, {"ldblquote", "\u201C"}, {"rdblquote", "\u201D"}, {"bullet", "\u2022"},
	             {"endash", "\u2013"}, {"emdash", "\u2014"},    {"cell", "\t"},          {"row", "\n"}};
	struct group *g = now(t);
	bool star = t->star;
	t->star = false;
	if (strcmp(word, "fromhtml") == 0)
		t->html = true;
	else if (strcmp(word, "htmltag") == 0)
		g->tag = true;
	else if (strcmp(word, "htmlrtf") == 0)
		g->rtf_only = !has_number || number != 0;
	else if (strcmp(word, "ansicpg") == 0)
		t->code_page = number > 0 && number < 65536 ? (uint32_t)number : 1252;
	else if (strcmp(word, "uc") == 0)
		g->skip_after_u = number >= 0 && number < 100 ? (unsigned)number : 1;
	else if (strcmp(word, "u") == 0)
		put_unicode(t, number);
	else if (star || is_silent(word))
		g->skipped = true;
	/* Within HTML, \par and \tab stand for what a tag does not say already. */
	for (size_t i = 0; i < G_N_ELEMENTS(plain) && !(t->html && g->tag); i++)
		if (strcmp(plain[i].word, word) == 0)
			put_text(t, plain[i].text);
}

static int digit(char c)
{
	return g_ascii_xdigit_value(c);
}

/* Behind the backslash. */
static void control(struct telling *t)
{
	char word[32], number[12];
	size_t n = 0, digits = 0;
	while (t->at < t->end && g_ascii_isalpha(*t->at) && n < sizeof word - 1)
		word[n++] = *t->at++;
	word[n] = 0;
	if (n == 0 && t->at < t->end) {
		char c = *t->at++;
		if (c == '\'' && t->end - t->at >= 2 && digit(t->at[0]) >= 0 && digit(t->at[1]) >= 0) {
			put_byte_of_text(t, (uint8_t)(digit(t->at[0]) * 16 + digit(t->at[1])));
			t->at += 2;
		} else if (c == '*') {
			t->star = true;
		} else if (c == '~') {
			put_text(t, " ");
		} else if (c == '\\' || c == '{' || c == '}') {
			put_byte_of_text(t, (uint8_t)c);
		}
		return;
	}
	while (t->at < t->end && digits < sizeof number - 1 &&
	       (g_ascii_isdigit(*t->at) || (digits == 0 && *t->at == '-')))
		number[digits++] = *t->at++;
	number[digits] = 0;
	if (t->at < t->end && *t->at == ' ')
		t->at++;
	control_word(t, word, digits > 0, strtol(number, NULL, 10));
}

static void open_group(struct telling *t)
{
	t->star = false;
	if (t->depth + 1 == MAX_GROUPS) {
		t->beyond++;
		return;
	}
	t->depth++;
	t->groups[t->depth] = t->groups[t->depth - 1];
}

static void close_group(struct telling *t)
{
	t->star = false;
	if (t->beyond > 0)
		t->beyond--;
	else if (t->depth > 0)
		t->depth--;
}

int mime_text_of_rtf(struct arena *arena, const char *rtf, size_t size, bool *html, char **text)
{
	struct telling *t = arena_new_of(arena, struct telling);
	if (!t)
		return MW_E_NOMEM;
	*t = (struct telling){
	        .arena = arena, .at = rtf, .end = rtf + size, .code_page = 1252, .out.max = MIME_MAX_BODY};
	t->groups[0].skip_after_u = 1;
	if (size < 5 || memcmp(rtf, "{\\rtf", 5) != 0)
		return MW_E_MALFORMED;
	while (t->at < t->end && t->error == 0) {
		char c = *t->at++;
		if (c == '{' || c == '}')
			t->to_skip = 0;
		if (c == '{')
			open_group(t);
		else if (c == '}')
			close_group(t);
		else if (c == '\\')
			control(t);
		else if (c != '\r' && c != '\n')
			put_byte_of_text(t, (uint8_t)c);
	}
	flush(t);
	*html = t->html;
	*text = arena_strndup(arena, t->out.data ? (const char *)t->out.data : "", t->out.len);
	int r = t->error != 0 ? t->error : *text ? 0 : MW_E_NOMEM;
	buf_free(&t->bytes);
	buf_free(&t->out);
	return r;
}
