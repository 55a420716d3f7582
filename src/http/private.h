#ifndef MW_HTTP_PRIVATE_H
#define MW_HTTP_PRIVATE_H

#include "http/field.h"
#include "http/http.h"

/* Lines up to an empty one: a head, or trailers. The fields point into the bytes. */
struct http_lines {
	struct buf bytes;
	size_t line; /* where the last line begins */
	struct http_field *fields;
	unsigned count;
};

enum http_reading {
	HTTP_AT_START, /* between messages */
	HTTP_IN_HEAD,
	HTTP_IN_BODY,       /* of a known length, or chunk data: left bytes */
	HTTP_IN_BODY_REST,  /* to the close */
	HTTP_IN_CHUNK_LINE, /* the size */
	HTTP_IN_CHUNK_END,  /* CRLF after the data */
	HTTP_IN_TRAILERS,
	HTTP_READ,    /* server: whole, and not answered yet */
	HTTP_HUNTING, /* observer: for the next head */
};

/* What one side sent. */
struct http_stream {
	enum http_reading reading;
	uint64_t offset, head_at; /* of the next byte; of the head's first */
	struct http_lines lines;  /* the head */
	struct http_lines after;  /* trailers, and lines with chunk sizes */
	struct http_head head;
	uint64_t left;     /* of the body or chunk */
	uint64_t received; /* of the body */
	unsigned blank;    /* bytes of an empty line before the head: 9112 2.2 has one passed over */
	bool head_told;    /* the head belongs to a message that has not ended */
};

enum http_sending { HTTP_NOTHING_DUE, HTTP_DUE, HTTP_SENDING };

#define HTTP_MAX_ASKED 64

struct http_connection {
	struct http_config config;
	struct http_stream streams[2];
	int64_t now_ns;
	bool over, paused, raising;
	/* Active roles: the own message. */
	enum http_sending sending;
	struct buf output;
	enum http_body out_body;
	uint64_t out_left; /* HTTP_LENGTH */
	bool last;         /* closes after it */
	/* Server. */
	unsigned minor;          /* of the request */
	bool continue_due, mute; /* an interim 100 is waited for; the request is HEAD */
	bool own_pace;
	bool fresh;           /* nothing was asked yet */
	int64_t since_ns;     /* of the state that has a deadline */
	int64_t paused_at_ns; /* since when the body's clock stands; 0: it goes */
	uint64_t discarded;
	/* Client and observer: what answers are to. */
	enum http_asked { HTTP_ASKED_OTHER, HTTP_ASKED_HEAD, HTTP_ASKED_CONNECT } asked[HTTP_MAX_ASKED];
	unsigned asked_first, asked_count;
};

static inline bool http_is_observer(const struct http_connection *c)
{
	return c->config.role == HTTP_OBSERVER;
}

static inline bool http_is_server(const struct http_connection *c)
{
	return c->config.role == HTTP_SERVER;
}

/* What is wrong with a message: a static phrase, and what a server answers. */
struct http_wrong {
	const char *why;
	unsigned status;
};

/*
 * lines.c. Takes bytes up to the end of an empty line: 1 when it is there, 0 when more is needed, negative with *wrong
 * filled. *used: how many, in any case.
 */
int http_lines_take(struct http_lines *l, const uint8_t *data, size_t len, size_t max, size_t *used,
                    struct http_wrong *wrong);
/* Takes one line, and sets *line (cut at its CRLF); else as above. */
int http_lines_take_one(struct http_lines *l, const uint8_t *data, size_t len, size_t max, size_t *used, char **line,
                        struct http_wrong *wrong);
/* The fields of the lines from offset at on. */
int http_lines_parse(struct http_lines *l, size_t at, unsigned max_fields, struct http_wrong *wrong);
void http_lines_clear(struct http_lines *l);
void http_lines_free(struct http_lines *l);

/* head.c: the whole head in s->lines into s->head. asked: what an answer is to. */
int http_head_parse(const struct http_connection *c, struct http_stream *s, bool request, enum http_asked asked,
                    struct http_wrong *wrong);

/* read.c */
size_t http_read(struct http_connection *c, enum http_side from, const uint8_t *data, size_t len);
void http_read_damaged(struct http_connection *c, enum http_side from, const struct http_wrong *wrong);
/* The message of that side is whole. */
void http_read_end(struct http_connection *c, enum http_side from);
/* Nothing of the last message is kept; the next may begin. */
void http_stream_restart(struct http_stream *s);
/* chunk.c: the chunk lines and trailers of read.c. */
size_t http_read_chunks(struct http_connection *c, enum http_side from, const uint8_t *data, size_t len);

/* hunt.c, the observer's. */
void http_hunt_begin(struct http_connection *c, enum http_side from);
size_t http_hunt(struct http_connection *c, enum http_side from, const uint8_t *data, size_t len);

/* http.c */
void http_raise(struct http_connection *c, enum http_side from, struct http_event *event);
void http_over(struct http_connection *c, const char *why);
void http_asked_push(struct http_connection *c, const char *method);
enum http_asked http_asked_first(const struct http_connection *c);
void http_asked_pop(struct http_connection *c);

/* server.c */
void http_server_asked(struct http_connection *c);
/* A message ended; both sides may be through. */
void http_server_settle(struct http_connection *c);
/* Whether the answer that begins must be the last. */
bool http_server_must_close(const struct http_connection *c);
/* Whether n bytes of body came too late, which nobody is told. */
bool http_server_discards(struct http_connection *c, size_t n);
void http_server_refuse(struct http_connection *c, const struct http_wrong *wrong);
int64_t http_server_deadline(const struct http_connection *c);
void http_server_late(struct http_connection *c);

/* client.c */
bool http_client_is_idle(const struct http_connection *c);
void http_client_settle(struct http_connection *c);

#endif
