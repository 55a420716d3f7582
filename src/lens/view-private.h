#ifndef MW_LENS_VIEW_PRIVATE_H
#define MW_LENS_VIEW_PRIVATE_H

#include "lens/colors.h"
#include "lens/filter.h"
#include "lens/finding.h"
#include "lens/view.h"

/* What the views share. A view's own struct begins with this one. */
struct lens_view_ops {
	void (*event)(struct lens_view *v, const struct lens_event *e);
	void (*end)(struct lens_view *v, const struct lens *lens);
	void (*free)(struct lens_view *v); /* what it owns; not the struct itself */
};

struct lens_view {
	const struct lens_view_ops *ops;
	struct lens_view_options o;
	struct buf *out;
	int64_t start_ns;
	bool started;
};

/* size: of the whole struct, zeroed. NULL: out of memory. */
struct lens_view *lens_view_alloc(size_t size, const struct lens_view_ops *ops, const struct lens_view_options *o,
                                  struct buf *out);

static inline double lens_view_seconds(const struct lens_view *v, int64_t time_ns)
{
	return (double)(time_ns - v->start_ns) / 1e9;
}

/* Seven columns: "2.203 ", from 100 s on with fewer decimals. */
void lens_put_seconds(const struct lens_view *v, struct buf *out, int64_t time_ns);

static inline double lens_ms(int64_t ns)
{
	return (double)ns / 1e6;
}

/* Decimals that a time in ms deserves: 0.4, 0.02, 0.001 and, from 100 s on, none. */
int lens_ms_decimals(int64_t ns);

/* e or the request that it answers passes the filter. */
bool lens_view_wants(const struct lens_view *v, const struct lens_event *e);
/* One that opens a pair: request, bind, alter. */
bool lens_asks(const struct lens_event *e);
/* One that may close a pair. */
bool lens_answers(const struct lens_event *e);
/* "epm", "store", "svcctl" ...; "rpc" when nothing is known. Not harmless. */
const char *lens_service_label(enum lens_service service, const char *iface_name);
/* ".173" when both are IPv4 in one /24, else the address. */
const char *lens_short_host(const struct lens_address *a, const struct lens_address *near, char out[LENS_ADDRESS_TEXT]);
/* "ok", "bad", "unchecked"; NULL where there is none. */
const char *lens_signature_name(enum rpc_signature s);
/* "ok", the name of the code, else hex, made in hex. */
const char *lens_rop_status(const struct lens_rop *r, char hex[16]);
/* The address without its port. */
const char *lens_host(const struct lens_address *a, char out[LENS_ADDRESS_TEXT]);
bool lens_same_host(const struct lens_address *a, const struct lens_address *b);

/* Words made harmless, on lines of the terminal's width; used: columns taken already. */
void lens_put_wrapped(const struct lens_view *v, struct buf *out, const char *text, size_t used, size_t indent);
/* Appends s made harmless for a terminal and cut to width columns ("…"); 0: not cut. Yields the columns taken. */
size_t lens_put_cut(struct buf *out, const char *s, size_t width);
void lens_put_spaces(struct buf *out, size_t n);
/* "1,234,567" */
void lens_put_count(struct buf *out, uint64_t n);
/* "800 frames, 3.02 s. 24 TCP connections: 11 carry RPC" */
void lens_put_totals(struct buf *out, const struct lens_totals *t);
/* Of those, what stays sealed: sentences that begin with a full stop. */
void lens_put_sealed(struct buf *out, const struct lens_totals *t);
/* ANSI on and off; nothing when color is off or the style empty. */
void lens_put_style(const struct lens_view *v, struct buf *out, const struct lens_style *style);
void lens_put_plain(const struct lens_view *v, struct buf *out, const struct lens_style *style);

#endif
