#include "tls/log.h"

#include "base/error.h"
#include "base/secret.h"

#include <gnutls/crypto.h>
#include <stdlib.h>
#include <string.h>

#define LOG_MAX ((size_t)1 << 18)
#define LOG_FIRST ((size_t)64)
#define LINE_WORDS 3

struct entry {
	uint8_t id[TLS_ID_SIZE];
	uint8_t kind; /* plus one; 0: free */
	struct tls_secret secret;
};

struct tls_log {
	struct entry *table; /* open addressing; a power of two, at most half full */
	size_t size, count;
	uint64_t seed;
};

static const struct {
	const char *label;
	enum tls_secret_kind kind;
} labels[] = {
        {"CLIENT_RANDOM", TLS_MASTER},
        {"CLIENT_EARLY_TRAFFIC_SECRET", TLS_CLIENT_EARLY},
        {"CLIENT_HANDSHAKE_TRAFFIC_SECRET", TLS_CLIENT_HANDSHAKE},
        {"SERVER_HANDSHAKE_TRAFFIC_SECRET", TLS_SERVER_HANDSHAKE},
        {"CLIENT_TRAFFIC_SECRET_0", TLS_CLIENT_TRAFFIC},
        {"SERVER_TRAFFIC_SECRET_0", TLS_SERVER_TRAFFIC},
};

/* ---- The table ---- */

/* Whoever wrote the log chose the ids: where they stand is for the seed to say. */
static size_t slot_of(const struct tls_log *log, enum tls_secret_kind kind, const uint8_t id[TLS_ID_SIZE])
{
	uint64_t h = log->seed + (uint64_t)kind;
	for (size_t i = 0; i < TLS_ID_SIZE; i += sizeof h) {
		uint64_t v;
		memcpy(&v, id + i, sizeof v);
		h = (h ^ v) * UINT64_C(0x9E3779B97F4A7C15);
		h ^= h >> 29;
	}
	return (size_t)h & (log->size - 1);
}

/* Its entry, or the free one for it. */
static struct entry *entry_of(const struct tls_log *log, enum tls_secret_kind kind, const uint8_t id[TLS_ID_SIZE])
{
	size_t at = slot_of(log, kind, id);
	for (;; at = (at + 1) & (log->size - 1)) {
		struct entry *e = &log->table[at];
		if (e->kind == 0 || (e->kind == (uint8_t)kind + 1 && memcmp(e->id, id, TLS_ID_SIZE) == 0))
			return e;
	}
}

static int grow(struct tls_log *log)
{
	struct entry *old = log->table;
	size_t size = log->size;
	struct entry *more = (struct entry *)calloc(size ? size * 2 : LOG_FIRST, sizeof *more);
	if (!more)
		return MW_E_NOMEM;
	log->table = more;
	log->size = size ? size * 2 : LOG_FIRST;
	for (size_t i = 0; i < size; i++)
		if (old[i].kind)
			*entry_of(log, (enum tls_secret_kind)(old[i].kind - 1), old[i].id) = old[i];
	if (old)
		secret_wipe(old, size * sizeof *old);
	free(old);
	return 0;
}

struct tls_log *tls_log_new(void)
{
	struct tls_log *log = (struct tls_log *)calloc(1, sizeof *log);
	if (!log)
		return NULL;
	if (gnutls_rnd(GNUTLS_RND_NONCE, &log->seed, sizeof log->seed) < 0 || grow(log) < 0)
		tls_log_free(&log);
	return log;
}

void tls_log_free(struct tls_log **l)
{
	struct tls_log *log = *l;
	*l = NULL;
	if (!log)
		return;
	if (log->table)
		secret_wipe(log->table, log->size * sizeof *log->table);
	free(log->table);
	free(log);
}

struct tls_log *tls_log_copy(const struct tls_log *log)
{
	struct tls_log *copy = (struct tls_log *)malloc(sizeof *copy);
	if (!copy)
		return NULL;
	*copy = *log;
	copy->table = (struct entry *)malloc(log->size * sizeof *copy->table);
	if (copy->table)
		memcpy(copy->table, log->table, log->size * sizeof *copy->table);
	else
		tls_log_free(&copy);
	return copy;
}

int tls_log_add(struct tls_log *log, enum tls_secret_kind kind, const uint8_t id[TLS_ID_SIZE],
                const struct tls_secret *secret)
{
	struct entry *e = entry_of(log, kind, id);
	if (e->kind)
		return 0;
	if (log->count >= LOG_MAX)
		return MW_E_LIMIT;
	if (log->count + 1 > log->size / 2) {
		int r = grow(log);
		if (r < 0)
			return r;
		e = entry_of(log, kind, id);
	}
	*e = (struct entry){.kind = (uint8_t)((uint8_t)kind + 1), .secret = *secret};
	memcpy(e->id, id, TLS_ID_SIZE);
	log->count++;
	return 0;
}

const struct tls_secret *tls_log_find(const struct tls_log *log, enum tls_secret_kind kind,
                                      const uint8_t id[TLS_ID_SIZE])
{
	const struct entry *e = entry_of(log, kind, id);
	return e->kind ? &e->secret : NULL;
}

size_t tls_log_count(const struct tls_log *log)
{
	return log->count;
}

/* ---- The text ---- */

struct word {
	const char *at;
	size_t len;
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Yields how many words the line has; those beyond LINE_WORDS are only counted. */
static size_t split(const char *line, size_t len, struct word words[LINE_WORDS])
{
	size_t count = 0;
	for (size_t i = 0; i < len;) {
		size_t from = i;
		while (i < len && !is_space(line[i]))
			i++;
		if (i > from && count < LINE_WORDS)
			words[count] = (struct word){line + from, i - from};
		count += i > from;
		while (i < len && is_space(line[i]))
			i++;
	}
	return count;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool from_hex(const struct word *w, uint8_t *out, size_t size)
{
	if (w->len != size * 2)
		return false;
	for (size_t i = 0; i < size; i++) {
		int high = digit(w->at[2 * i]), low = digit(w->at[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static bool read_secret(const struct word *w, enum tls_secret_kind kind, struct tls_secret *out)
{
	bool fits = w->len == 2 * TLS_SECRET_MAX || (w->len == 64 && kind != TLS_MASTER);
	out->len = (uint8_t)(w->len / 2);
	return fits && from_hex(w, out->bytes, out->len);
}

static bool take_line(struct tls_log *log, const char *line, size_t len)
{
	struct word words[LINE_WORDS];
	struct tls_secret secret;
	uint8_t id[TLS_ID_SIZE];
	if (split(line, len, words) != LINE_WORDS || !from_hex(&words[1], id, sizeof id))
		return false;
	for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++)
		if (strlen(labels[i].label) == words[0].len &&
		    memcmp(labels[i].label, words[0].at, words[0].len) == 0) {
			bool taken = read_secret(&words[2], labels[i].kind, &secret) &&
			             tls_log_add(log, labels[i].kind, id, &secret) == 0;
			secret_wipe(&secret, sizeof secret);
			return taken;
		}
	return false;
}

size_t tls_log_read(struct tls_log *log, const void *text, size_t len)
{
	const char *at = (const char *)text, *end = at + len;
	size_t taken = 0;
	while (at < end) {
		const char *stop = (const char *)memchr(at, '\n', (size_t)(end - at));
		size_t n = (size_t)((stop ? stop : end) - at);
		taken += take_line(log, at, n);
		at += n + (stop != NULL);
	}
	return taken;
}
