#include "mime/mbox.h"

#include "base/buf.h"
#include "base/time.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define IN_MEMORY ((size_t)1 << 20)
#define PIECE 65536u

/* ---- Lines of a file, in pieces where they are long ---- */

struct lines {
	int fd;
	uint8_t data[PIECE];
	size_t at, len;
	bool at_start; /* the next piece begins a line */
	uint64_t taken;
};

struct piece {
	const uint8_t *data;
	size_t size;
	bool begins; /* a line */
};

/* Refills what is left of the window; false at the end of the file. */
static int refill(struct lines *l)
{
	memmove(l->data, l->data + l->at, l->len - l->at);
	l->len -= l->at;
	l->at = 0;
	ssize_t n;
	do
		n = read(l->fd, l->data + l->len, sizeof l->data - l->len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return MW_E_IO;
	l->len += (size_t)n;
	return n > 0;
}

/* 1 and the next piece, with its line end; not yet taken. 0 at the end. */
static int peek(struct lines *l, struct piece *out)
{
	for (;;) {
		const uint8_t *start = l->data + l->at;
		size_t left = l->len - l->at;
		const uint8_t *end = left ? (const uint8_t *)memchr(start, '\n', left) : NULL;
		if (end || left == sizeof l->data) {
			*out = (struct piece){start, end ? (size_t)(end - start) + 1 : left, l->at_start};
			return 1;
		}
		int r = refill(l);
		if (r < 0)
			return r;
		if (r == 0 && left == 0)
			return 0;
		if (r == 0) {
			*out = (struct piece){l->data + l->at, left, l->at_start};
			return 1;
		}
	}
}

static void take(struct lines *l, const struct piece *p)
{
	l->at += p->size;
	l->taken += p->size;
	l->at_start = p->data[p->size - 1] == '\n';
}

/* ---- Reading ---- */

struct mime_mbox {
	struct lines lines;
	uint64_t size;
	struct buf bytes;
	FILE *spool; /* of a large message */
	bool began;
};

int mime_mbox_open(const char *path, struct mime_mbox **out)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0) {
		int error = errno;
		if (fd >= 0)
			close(fd);
		errno = error;
		return MW_E_IO;
	}
	struct mime_mbox *m = (struct mime_mbox *)calloc(1, sizeof *m);
	if (!m) {
		close(fd);
		return MW_E_NOMEM;
	}
	m->lines.fd = fd;
	m->lines.at_start = true;
	m->size = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
	*out = m;
	return 0;
}

void mime_mbox_close(struct mime_mbox **mbox)
{
	struct mime_mbox *m = TAKE_PTR(*mbox);
	if (!m)
		return;
	close(m->lines.fd);
	buf_free(&m->bytes);
	if (m->spool)
		fclose(m->spool);
	free(m);
}

static bool is_separator(const struct piece *p)
{
	return p->begins && p->size >= 5 && memcmp(p->data, "From ", 5) == 0;
}

static bool is_empty_line(const struct piece *p)
{
	return p->begins && (p->size == 1 || (p->size == 2 && p->data[0] == '\r')) && p->data[p->size - 1] == '\n';
}

/* ">From ", ">>From ": one ">" goes. */
static void unquote(struct piece *p)
{
	size_t n = 0;
	while (p->begins && n < p->size && p->data[n] == '>')
		n++;
	if (n > 0 && p->size - n >= 5 && memcmp(p->data + n, "From ", 5) == 0) {
		p->data++;
		p->size--;
	}
}

static int keep(struct mime_mbox *m, const struct piece *p)
{
	if (!m->spool && m->bytes.len + p->size <= IN_MEMORY)
		return buf_put(&m->bytes, p->data, p->size);
	if (!m->spool) {
		m->spool = tmpfile();
		if (!m->spool || (m->bytes.len > 0 && fwrite(m->bytes.data, m->bytes.len, 1, m->spool) != 1))
			return MW_E_IO;
	}
	return fwrite(p->data, p->size, 1, m->spool) == 1 ? 0 : MW_E_IO;
}

/* Up to the next separator; the empty line before it belongs to it. */
static int gather(struct mime_mbox *m)
{
	struct piece p, line;
	bool empty = false; /* an empty line is held back */
	int r;
	while ((r = peek(&m->lines, &p)) == 1) {
		if (is_separator(&p) && (empty || m->bytes.len == 0))
			return 0;
		static const uint8_t newline = '\n';
		line = (struct piece){&newline, 1, true};
		if (empty && (r = keep(m, &line)) < 0)
			return r;
		empty = is_empty_line(&p);
		line = p;
		unquote(&line);
		r = empty ? 0 : keep(m, &line);
		take(&m->lines, &p);
		if (r < 0)
			return r;
	}
	return r;
}

/* The rest of a line that is not wanted. */
static int skip_line(struct mime_mbox *m)
{
	struct piece p;
	int r;
	do {
		r = peek(&m->lines, &p);
		if (r == 1)
			take(&m->lines, &p);
	} while (r == 1 && !m->lines.at_start);
	return r;
}

int mime_mbox_next(struct mime_mbox *m, struct mime_source *out)
{
	struct piece p;
	buf_clear(&m->bytes);
	if (m->spool)
		fclose(m->spool);
	m->spool = NULL;
	int r = peek(&m->lines, &p);
	while (r == 1 && !m->began && is_empty_line(&p)) {
		take(&m->lines, &p);
		r = peek(&m->lines, &p);
	}
	if (r != 1)
		return r;
	m->began = true;
	if (is_separator(&p) && (r = skip_line(m)) < 0)
		return r;
	r = gather(m);
	if (r < 0)
		return r;
	if (m->spool && fflush(m->spool) != 0)
		return MW_E_IO;
	*out = m->spool ? (struct mime_source){.fd = fileno(m->spool)}
	                : (struct mime_source){.data = m->bytes.data ? (const void *)m->bytes.data : "",
	                                       .size = m->bytes.len,
	                                       .fd = -1};
	return 1;
}

uint64_t mime_mbox_position(const struct mime_mbox *m)
{
	return m->lines.taken;
}

uint64_t mime_mbox_size(const struct mime_mbox *m)
{
	return m->size;
}

/* ---- Writing ---- */

static void put_separator(FILE *out, const char *sender, int64_t when)
{
	char text[64] = "Thu Jan  1 00:00:00 1970";
	time_t seconds = (time_t)(when / NS_PER_S);
	struct tm t;
	if (gmtime_r(&seconds, &t))
		strftime(text, sizeof text, "%a %b %e %H:%M:%S %Y", &t);
	fputs("From ", out);
	if (!*sender)
		fputs("MAILER-DAEMON", out);
	for (; *sender; sender++)
		fputc((unsigned char)*sender > ' ' && (unsigned char)*sender < 0x7F ? *sender : '_', out);
	fprintf(out, " %s\n", text);
}

int mime_mbox_append(FILE *out, const char *sender, int64_t when, int fd)
{
	struct lines *l = (struct lines *)calloc(1, sizeof *l);
	struct piece p;
	bool ended = true;
	int r;
	if (!l || lseek(fd, 0, SEEK_SET) < 0) {
		free(l);
		return l ? MW_E_IO : MW_E_NOMEM;
	}
	l->fd = fd;
	l->at_start = true;
	put_separator(out, sender, when);
	while ((r = peek(l, &p)) == 1) {
		size_t n = 0;
		while (p.begins && n < p.size && p.data[n] == '>')
			n++;
		if (p.begins && p.size - n >= 5 && memcmp(p.data + n, "From ", 5) == 0)
			fputc('>', out);
		fwrite(p.data, p.size, 1, out);
		ended = p.data[p.size - 1] == '\n';
		take(l, &p);
	}
	fputs(ended ? "\n" : "\n\n", out);
	free(l);
	return r < 0 || ferror(out) ? MW_E_IO : 0;
}
