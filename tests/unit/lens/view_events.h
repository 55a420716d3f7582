#ifndef MW_TESTS_VIEW_EVENTS_H
#define MW_TESTS_VIEW_EVENTS_H

#include "lens/event.h"

#include <string.h>

/* A made-up conversation for the views: times in ms, frames counted up. */
struct made {
	struct lens_conn conn;
	struct lens_event events[16];
	unsigned count;
};

#define MADE_START INT64_C(1000000000000000000)

static inline void made_conn(struct made *m, unsigned number, uint16_t client_port, uint16_t server_port)
{
	memset(m, 0, sizeof *m);
	m->conn = (struct lens_conn){
	        .number = number,
	        .client = {4, {10, 0, 0, 7}, client_port},
	        .server = {4, {10, 0, 0, 1}, server_port},
	        .rpc = true,
	        .service = LENS_SVC_NSPI,
	        .iface = "nspi",
	        .iface_name = "nspi",
	};
}

static inline struct lens_event *made_event(struct made *m, uint64_t number, enum lens_kind kind, int at_ms,
                                            const char *summary)
{
	struct lens_event *e = &m->events[m->count++];

	*e = (struct lens_event){
	        .number = number,
	        .kind = kind,
	        .frame = number * 10,
	        .last_frame = number * 10,
	        .time_ns = MADE_START + at_ms * INT64_C(1000000),
	        .last_time_ns = MADE_START + at_ms * INT64_C(1000000),
	        .conn = &m->conn,
	        .from_client = kind == LENS_OPEN || kind == LENS_BIND || kind == LENS_REQUEST,
	        .transport = "tcp",
	        .took_ns = -1,
	        .summary = summary,
	        .level = AUTH_LEVEL_NONE,
	};
	if (kind != LENS_OPEN) {
		e->service = LENS_SVC_NSPI;
		e->iface = e->iface_name = "nspi";
		e->known_by = LENS_KNOWN_BIND;
	}
	return e;
}

/* The answer to q, took_ms later. */
static inline struct lens_event *made_answer(struct made *m, uint64_t number, enum lens_kind kind,
                                             const struct lens_event *q, int took_ms, const char *summary)
{
	struct lens_event *e = made_event(m, number, kind, 0, summary);

	e->time_ns = e->last_time_ns = q->time_ns + took_ms * INT64_C(1000000);
	e->took_ns = took_ms * INT64_C(1000000);
	e->request = q;
	e->has_opnum = q->has_opnum;
	e->opnum = q->opnum;
	e->op = q->op;
	return e;
}

#endif
