#include "store/words.h"

#include "base/utf16.h"
#include "mapi/tags.h"
#include "store/condition.h"
#include "store/message_private.h"

#include <string.h>
#include <unicode/uchar.h>

#define DOING "Indexing words"
#define SLICE_MAX 256
#define QUERY_MAX 4096
#define TOKENS_MAX 32
/* Up to here letters fold here and in FTS5 alike, and nothing but letters and digits is part of a word. */
#define LAST_LETTER 0x24F

/* ---- Indexing ---- */

static int put_text(struct arena *arena, const struct store_object *o, uint32_t tag, struct buf *out)
{
	struct mapi_value v;
	uint16_t *folded;
	char *text;

	if (store_object_get(o, arena, tag, 0, &v) < 0)
		return MW_E_NOMEM;
	if (v.tag != tag)
		return 0;
	folded = store_text_fold(arena, v.u.str16, MAPI_FUZZY_LOOSE);
	text = folded ? utf16_to_utf8(arena, folded, utf16_len(folded)) : NULL;
	if (!text) /* lone surrogates: such a text is not indexed, and its message always asked */
		return MW_E_INVALID;
	buf_put_str(out, text);
	return buf_put_u8(out, '\n');
}

static int write_words(struct store_mailbox *m, uint64_t document, const struct buf *text)
{
	STORE_STMT s = store_statement(m, STMT_WORDS_ADD);

	if (!s)
		return MW_E_IO;
	sqlite3_bind_int64(s, 1, (int64_t)document);
	sqlite3_bind_text(s, 2, (const char *)text->data, (int)text->len, SQLITE_STATIC);
	return store_run(m, s, DOING);
}

static int write_document(struct store_mailbox *m, uint64_t id, uint64_t document)
{
	STORE_STMT s = store_statement(m, STMT_WORDS_SET);

	if (!s)
		return MW_E_IO;
	sqlite3_bind_int64(s, 1, (int64_t)id);
	sqlite3_bind_int64(s, 2, (int64_t)document);
	return store_run(m, s, DOING);
}

static int read_text(struct store_mailbox *m, struct arena *arena, uint64_t id, struct buf *out)
{
	STORE_STMT s = store_statement(m, STMT_FOUND_LOOK);
	struct store_object o;
	int r;

	if (!s)
		return MW_E_IO;
	sqlite3_bind_int64(s, 1, (int64_t)id);
	r = store_step(m, s, DOING);
	if (r <= 0)
		return r < 0 ? r : MW_E_NOTFOUND;
	r = store_message_row(m, s, &o);
	if (r >= 0)
		r = put_text(arena, &o, PidTagSubject, out);
	return r < 0 ? r : put_text(arena, &o, PidTagBody, out);
}

struct behind {
	uint64_t id;
	bool associated; /* whose words nobody looks for */
};

static int index_one(struct store_mailbox *m, struct arena *arena, const struct behind *b)
{
	struct buf text = {.max = STORE_MAX_RECORD * 4};
	uint64_t document = store_next_id(m);
	int r = b->associated ? MW_E_INVALID : read_text(m, arena, b->id, &text);

	if (r >= 0)
		r = write_words(m, document, &text);
	if (r == MW_E_INVALID || r == MW_E_LIMIT) {
		document = 0; /* not in the index: looked at itself */
		r = 0;
	}
	if (r >= 0)
		r = write_document(m, b->id, document);
	buf_free(&text);
	return r;
}

static int list_behind(struct store_mailbox *m, unsigned max, struct behind *behind, unsigned *count)
{
	STORE_STMT s = store_statement(m, STMT_WORDS_BEHIND);
	int r = s ? 1 : MW_E_IO;

	*count = 0;
	if (s)
		sqlite3_bind_int64(s, 1, max);
	while (r > 0 && (r = store_step(m, s, DOING)) > 0)
		behind[(*count)++] = (struct behind){.id = (uint64_t)sqlite3_column_int64(s, 0),
		                                     .associated = sqlite3_column_int(s, 1) != 0};
	return r < 0 ? r : 0;
}

int store_words_step(struct store_mailbox *m, unsigned max, bool *more)
{
	STORE_ARENA arena = arena_new(0);
	struct behind behind[SLICE_MAX];
	unsigned count = 0;
	int r = arena ? list_behind(m, max < SLICE_MAX ? max : SLICE_MAX, behind, &count) : MW_E_NOMEM;

	*more = false;
	if (r < 0 || count == 0)
		return r;
	r = store_reserve_ids(m, count);
	if (r >= 0)
		r = store_begin(m);
	if (r < 0)
		return r;
	for (unsigned i = 0; r >= 0 && i < count; i++) {
		r = index_one(m, arena, &behind[i]);
		arena_reset(arena);
	}
	if (r < 0) {
		store_rollback(m);
		return r;
	}
	*more = count == (max < SLICE_MAX ? max : SLICE_MAX);
	return store_commit(m, NULL);
}

int store_words_behind(struct store_mailbox *m, uint64_t folder, int associated, unsigned max, unsigned *count)
{
	STORE_STMT s = store_statement(m, STMT_WORDS_COUNT);
	int r;

	if (!s)
		return MW_E_IO;
	sqlite3_bind_int64(s, 1, (int64_t)folder);
	sqlite3_bind_int(s, 2, associated);
	sqlite3_bind_int64(s, 3, max);
	r = store_step(m, s, DOING);
	if (r > 0)
		*count = (unsigned)sqlite3_column_int(s, 0);
	return r < 0 ? r : 0;
}

/* ---- Asking ---- */

/* A word of a pattern: of the text it may be the end, the beginning, or all of one. */
struct token {
	const uint16_t *at;
	size_t size;
	bool open_front, open_end;
};

static bool is_word(uint16_t c)
{
	return u_isalnum(c);
}

/* False: there is something in it that FTS5 might take otherwise. */
static bool is_plain(const uint16_t *text)
{
	for (; *text; text++)
		if (*text > 0x7F && !(*text <= LAST_LETTER && u_isalpha(*text)))
			return false;
	return true;
}

static size_t split(const uint16_t *text, struct token *tokens)
{
	size_t n = 0;

	for (const uint16_t *p = text; *p && n < TOKENS_MAX;) {
		const uint16_t *begin = p;
		while (*p && is_word(*p))
			p++;
		if (p > begin)
			tokens[n++] = (struct token){.at = begin,
			                             .size = (size_t)(p - begin),
			                             .open_front = begin == text,
			                             .open_end = *p == 0};
		else
			p++;
	}
	return n;
}

static int put_token(struct arena *arena, const struct token *t, bool prefix, struct buf *out)
{
	char *text = utf16_to_utf8(arena, t->at, t->size);

	if (!text)
		return MW_E_NOMEM;
	return buf_printf(out, "%s\"%s\"%s", out->len > 0 ? " AND " : "", text, prefix ? "*" : "");
}

/* Words that a text must have to match: 0 and maybe none. */
static int put_content(struct arena *arena, const struct mapi_restriction *r, bool by_words, struct buf *out)
{
	struct token tokens[TOKENS_MAX];
	uint16_t id = mapi_tag_id(r->tag);
	uint16_t *folded;
	size_t n;
	int e = 0;

	if ((id != mapi_tag_id(PidTagSubject) && id != mapi_tag_id(PidTagBody)) || !r->values ||
	    mapi_tag_type(r->values[0].tag) != PTYP_STRING)
		return 0;
	folded = store_text_fold(arena, r->values[0].u.str16, MAPI_FUZZY_LOOSE);
	if (!folded)
		return MW_E_NOMEM;
	n = is_plain(folded) ? split(folded, tokens) : 0;
	for (size_t i = 0; e >= 0 && i < n; i++) {
		bool words = by_words && r->fuzzy_low != MAPI_FUZZY_FULL;
		if (!words && tokens[i].open_front && r->fuzzy_low == MAPI_FUZZY_SUBSTRING)
			continue; /* the end of a word, which the index cannot find */
		e = put_token(arena, &tokens[i], words || (tokens[i].open_end && r->fuzzy_low != MAPI_FUZZY_FULL), out);
	}
	return e;
}

static int put_query(struct arena *arena, const struct mapi_restriction *r, bool by_words, struct buf *out);

/* All of them help, or none. */
static int put_or(struct arena *arena, const struct mapi_restriction *r, bool by_words, struct buf *out)
{
	struct buf all = {.max = QUERY_MAX};
	int e = 0;

	for (uint32_t i = 0; e >= 0 && i < r->count; i++) {
		struct buf one = {.max = QUERY_MAX};
		e = put_query(arena, &r->children[i], by_words, &one);
		if (e >= 0 && one.len == 0)
			e = MW_E_NOTFOUND;
		if (e >= 0)
			e = buf_printf(&all, "%s(%.*s)", i > 0 ? " OR " : "", (int)one.len, (const char *)one.data);
		buf_free(&one);
	}
	if (e >= 0 && all.len > 0)
		e = buf_printf(out, "%s(%.*s)", out->len > 0 ? " AND " : "", (int)all.len, (const char *)all.data);
	buf_free(&all);
	return e == MW_E_NOTFOUND ? 0 : e;
}

static int put_query(struct arena *arena, const struct mapi_restriction *r, bool by_words, struct buf *out)
{
	int e = 0;

	switch (r->type) {
	case MAPI_RES_AND:
		for (uint32_t i = 0; e >= 0 && i < r->count; i++)
			e = put_query(arena, &r->children[i], by_words, out);
		return e;
	case MAPI_RES_OR:
		return put_or(arena, r, by_words, out);
	case MAPI_RES_CONTENT:
		return put_content(arena, r, by_words, out);
	case MAPI_RES_COMMENT:
		return r->children ? put_query(arena, r->children, by_words, out) : 0;
	default:
		return 0;
	}
}

char *store_words_query(struct arena *arena, const struct mapi_restriction *r, bool by_words)
{
	struct buf out = {.max = QUERY_MAX};
	int e = put_query(arena, r, by_words, &out);
	char *text = NULL;

	if (e == MW_E_LIMIT) /* a very long pattern: without the index */
		text = arena_strdup(arena, "");
	else if (e >= 0)
		text = arena_strndup(arena, out.len > 0 ? (const char *)out.data : "", out.len);
	buf_free(&out);
	return text;
}
