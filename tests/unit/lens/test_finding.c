#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/time.h"
#include "lens/finding.h"
#include "view_events.h"

#include <stdio.h>

/* Made-up events into the findings: what is told of each fault, and that its healthy twin is not. */

#define FIRST_FRAME 10

static struct lens_findings *find(const struct lens_event *const *events, size_t count)
{
	struct lens_findings *f = lens_findings_new(NULL);
	assert_non_null(f);
	for (size_t i = 0; i < count; i++)
		lens_findings_event(f, events[i]);
	lens_findings_end(f, NULL);
	return f;
}

/* The finding of that id, or NULL. */
static bool has(const struct lens_findings *f, const char *id, struct lens_finding *out)
{
	for (unsigned i = 0; lens_findings_get(f, i, out); i++)
		if (strcmp(out->id, id) == 0)
			return true;
	return false;
}

static bool finds(struct made *m, const char *id, struct lens_finding *out, char text[400])
{
	const struct lens_event *events[16];
	for (unsigned i = 0; i < m->count; i++)
		events[i] = &m->events[i];
	struct lens_findings *f = find(events, m->count);
	bool found = has(f, id, out);
	if (found)
		snprintf(text, 400, "%s", out->sentence);
	lens_findings_free(&f);
	return found;
}

static void store(struct made *m)
{
	made_conn(m, 1, 4000, 1032);
	m->conn.service = LENS_SVC_STORE;
	m->conn.iface = m->conn.iface_name = "emsmdb";
}

static struct lens_event *store_event(struct made *m, enum lens_kind kind, uint16_t opnum, const char *op)
{
	struct lens_event *e = made_event(m, m->count + 1, kind, (int)m->count * 10, op);
	e->service = LENS_SVC_STORE;
	e->has_opnum = true;
	e->opnum = opnum;
	e->op = op;
	e->auth = AUTH_NTLM;
	e->level = AUTH_LEVEL_PRIVACY;
	return e;
}

static struct lens_event *store_answer(struct made *m, uint16_t opnum, const char *op, int took_ms)
{
	struct lens_event *q = store_event(m, LENS_REQUEST, opnum, op), *e = store_event(m, LENS_RESPONSE, opnum, op);
	e->request = q;
	e->took_ns = took_ms * NS_PER_MS;
	e->server_ns = e->took_ns - NS_PER_MS;
	e->network_ns = NS_PER_MS;
	return e;
}

/* One answer of the entrance with each status. */
static void entrance_statuses(void **state)
{
	static const struct {
		uint32_t status;
		const char *id, *part;
	} cases[] = {
	        {0x80040110, "client-version-blocked", "version (version 11.0.1.2)"},
	        {0x000004DF, "client-version-blocked", "version"},
	        {0x00000970, "encryption-required", "ecNotEncrypted"},
	        {0x000003EB, "unknown-mailbox", "of that name"},
	        {0x80070005, "no-mailbox-access", "may not open"},
	        {0x0000050C, "mailbox-in-transit", "being moved"},
	        {0x00000480, "server-busy", "too busy"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct made m;
		struct lens_finding f;
		char text[400];
		store(&m);
		struct lens_event *e = store_answer(&m, 10, "EcDoConnectEx", 3);
		m.events[0].says = "version 11.0.1.2";
		e->status = "ok";
		assert_false(finds(&m, cases[i].id, &f, text));
		e->status = "?";
		e->status_code = cases[i].status;
		e->failed = true;
		assert_true(finds(&m, cases[i].id, &f, text));
		assert_non_null(strstr(text, cases[i].part));
		assert_int_equal(f.grade, LENS_PROBLEM);
		assert_int_equal(f.evidence[0].frame, 20);
	}
}

static void wrong_server_is_named(void **state)
{
	const struct lens_rop logon = {.id = 0xFE, .name = "Logon", .status = 0x478, .has_status = true};
	struct made m;
	struct lens_finding f;
	char text[400];
	(void)state;
	store(&m);
	struct lens_event *e = store_answer(&m, 11, "EcDoRpcExt2", 3);
	e->rops = &logon;
	e->rop_count = 1;
	e->says = "/o=X/cn=OTHER";
	assert_true(finds(&m, "wrong-server", &f, text));
	assert_string_equal(text, "The mailbox is on another server: /o=X/cn=OTHER.");
}

static void plain_store(void **state)
{
	struct made m;
	struct lens_finding f;
	char text[400];
	(void)state;
	store(&m);
	struct lens_event *e = store_answer(&m, 10, "EcDoConnectEx", 3);
	e->status = "ok";
	assert_false(finds(&m, "not-encrypted", &f, text));
	e->level = AUTH_LEVEL_CONNECT;
	assert_true(finds(&m, "not-encrypted", &f, text));
	assert_int_equal(f.grade, LENS_WARNING);
}

/* Refused, and let in later: not what the reader looks for, but told. */
static void second_try(void **state)
{
	struct made m;
	struct lens_finding f;
	char text[400];
	(void)state;
	store(&m);
	struct lens_event *refused = store_event(&m, LENS_FAULT, 10, "EcDoConnectEx");
	refused->status_code = 5;
	refused->failed = true;
	refused->user = "DEMO\\alice";
	assert_true(finds(&m, "credentials-refused", &f, text));
	assert_int_equal(f.grade, LENS_PROBLEM);
	store_answer(&m, 11, "EcDoRpcExt2", 3);
	assert_true(finds(&m, "credentials-refused", &f, text));
	assert_int_equal(f.grade, LENS_WARNING);
	assert_non_null(strstr(text, "of DEMO\\alice at first; from frame 30 on"));
}

static void rop_of(struct lens_event *e, struct lens_rop *r, uint32_t status)
{
	*r = (struct lens_rop){.id = 0x03, .name = "OpenMessage", .status = status, .has_status = true};
	e->rops = r;
	e->rop_count = 1;
}

static void rop_in_row(void **state)
{
	static const struct {
		uint32_t status;
		unsigned times;
		const char *id; /* NULL: nothing is told */
	} cases[] = {
	        {0x80070005, 4, NULL},          {0x80070005, 5, "rop-fails"}, {0x80040102, 2, NULL},
	        {0x80040102, 3, "rop-unknown"}, {0x8004010F, 6, NULL}, /* not found: a client asks */
	        {0x000004B9, 6, NULL},                                 /* null object: the echo of another failure */
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct lens_rop rops[8];
		struct made m;
		struct lens_finding f;
		char text[400];
		store(&m);
		for (unsigned k = 0; k < cases[i].times; k++)
			rop_of(store_event(&m, LENS_RESPONSE, 11, "EcDoRpcExt2"), &rops[k], cases[i].status);
		assert_int_equal(finds(&m, "rop-fails", &f, text) || finds(&m, "rop-unknown", &f, text),
		                 cases[i].id != NULL);
		if (cases[i].id) {
			assert_true(finds(&m, cases[i].id, &f, text));
			assert_non_null(strstr(text, "OpenMessage answers "));
			assert_int_equal(f.evidence[0].frame, FIRST_FRAME);
		}
	}
}

static void busy_server(void **state)
{
	const struct lens_rop backoff = {.id = 0xF9, .name = "Backoff"};
	struct made m;
	struct lens_finding f;
	char text[400];
	(void)state;
	store(&m);
	struct lens_event *e = store_answer(&m, 11, "EcDoRpcExt2", 3);
	e->rops = &backoff;
	e->rop_count = 1;
	e->says = "back off for 2.0 s";
	assert_true(finds(&m, "server-busy", &f, text));
	assert_non_null(strstr(text, "(back off for 2.0 s)"));
	store(&m);
	store_event(&m, LENS_FAULT, 11, "EcDoRpcExt2")->status_code = 0x1C010014;
	assert_true(finds(&m, "server-busy", &f, text));
}

/* Seven answers fit a made conversation: it is shown twice. */
static void averages(void **state)
{
	static const struct {
		int took_ms, network_ms;
		const char *id;
		enum lens_grade grade;
	} cases[] = {
	        {40, 1, NULL, 0},
	        {60, 1, "slow-server", LENS_WARNING},
	        {60, 59, "slow-network", LENS_WARNING},
	        {140, 1, "slow-server", LENS_PROBLEM},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct made m;
		struct lens_finding f;
		store(&m);
		for (int k = 0; k < 7; k++) {
			struct lens_event *e = store_answer(&m, 11, "EcDoRpcExt2", cases[i].took_ms);
			e->network_ns = cases[i].network_ms * NS_PER_MS;
			e->server_ns = e->took_ns - e->network_ns;
		}
		struct lens_findings *all = lens_findings_new(NULL);
		for (unsigned k = 0; k < 2 * m.count; k++)
			lens_findings_event(all, &m.events[k % m.count]);
		lens_findings_end(all, NULL);
		assert_int_equal(has(all, "slow-server", &f) || has(all, "slow-network", &f), cases[i].id != NULL);
		if (cases[i].id) {
			assert_true(has(all, cases[i].id, &f));
			assert_int_equal(f.grade, cases[i].grade);
			assert_non_null(strstr(f.sentence, "14 calls"));
		}
		lens_findings_free(&all);
	}
}

static void long_calls(void **state)
{
	struct made m;
	struct lens_finding f;
	char text[400];
	(void)state;
	store(&m);
	store_answer(&m, 11, "EcDoRpcExt2", 4900);
	assert_false(finds(&m, "call-waits", &f, text));
	store_answer(&m, 11, "EcDoRpcExt2", 5100);
	assert_true(finds(&m, "call-waits", &f, text));
	assert_non_null(strstr(text, "EcDoRpcExt2 took more than 5 s"));
	/* A parked wait is no slow call. */
	store(&m);
	store_answer(&m, 11, "EcDoRpcExt2", 60000)->parked = true;
	assert_false(finds(&m, "call-waits", &f, text));
}

static struct lens_event *news(struct made *m, int at_s)
{
	struct lens_event *e = store_event(m, LENS_RESPONSE, 0, "EcDoAsyncWaitEx");
	e->service = LENS_SVC_ASYNC;
	e->parked = e->notified = true;
	e->time_ns = MADE_START + at_s * NS_PER_S;
	return e;
}

static void news_not_fetched(void **state)
{
	struct made m;
	struct lens_finding f;
	char text[400];
	(void)state;
	store(&m);
	news(&m, 1);
	news(&m, 10);
	assert_true(finds(&m, "notification-not-fetched", &f, text));
	assert_int_equal(f.evidence[0].frame, FIRST_FRAME);
	store(&m);
	news(&m, 1);
	store_event(&m, LENS_REQUEST, 11, "EcDoRpcExt2");
	news(&m, 10);
	assert_false(finds(&m, "notification-not-fetched", &f, text));
}

/* How a connection ended, told with its close or reset. */
static void ends_of_connections(void **state)
{
	static const struct {
		struct lens_trouble t;
		const char *id; /* NULL: nothing is told */
	} cases[] = {
	        {{.cut = true, .cut_by_server = true, .cut_waiting = 1}, "connection-lost"},
	        {{.cut = true, .cut_by_server = true, .cut_parked = 1}, NULL},
	        {{.cut = true, .cut_waiting = 1}, NULL},
	        {{.cut = true,
	          .cut_by_server = true,
	          .cut_by_reset = true,
	          .silence_ns = 90 * NS_PER_S,
	          .silence_frame = 7,
	          .heard = {1, 1}},
	         "idle-cut"},
	        {{.cut = true, .cut_by_server = true, .cut_parked = 1, .silence_ns = 90 * NS_PER_S, .heard = {0, 1}},
	         "idle-cut"},
	        {{.cut = true,
	          .cut_by_server = true,
	          .cut_by_reset = true,
	          .silence_ns = 30 * NS_PER_S,
	          .heard = {1, 1}},
	         NULL},
	        {{.cut = true, .silence_ns = 90 * NS_PER_S, .heard = {1, 0}}, NULL}, /* the client's own */
	        {{.silence_ns = 90 * NS_PER_S, .heard = {3, 0}, .resent = 2, .resend_ns = 1, .spoke = {9, 9}},
	         "idle-cut"},
	        {{.resent = 3, .resend_ns = 600 * NS_PER_MS, .resent_frames = {5, 9}}, "segments-lost"},
	        {{.resent = 3, .resend_ns = 60 * NS_PER_MS, .resent_frames = {5, 9}}, NULL},
	        {{.zero_windows = 1, .zero_ns = NS_PER_S, .zero_frames = {5}, .zero_by_server = true}, "zero-window"},
	        {{.zero_windows = 1, .zero_ns = 90 * NS_PER_MS, .zero_frames = {5}}, NULL},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct made m;
		struct lens_finding f;
		store(&m);
		m.conn.trouble = cases[i].t;
		made_event(&m, 1, LENS_CLOSE, 0, "close");
		const struct lens_event *events[] = {&m.events[0]};
		struct lens_findings *all = find(events, 1);
		assert_int_equal(lens_findings_get(all, 0, &f), cases[i].id != NULL);
		if (cases[i].id)
			assert_string_equal(f.id, cases[i].id);
		assert_false(lens_findings_get(all, 1, &f));
		lens_findings_free(&all);
	}
}

/* A port that refuses, and answers later. */
static void ports(void **state)
{
	struct made m;
	struct lens_finding f;
	char text[400];
	(void)state;
	made_conn(&m, 1, 4000, 135);
	struct lens_event *e = made_event(&m, 1, LENS_OPEN, 0, "connect: refused");
	e->status = "refused";
	e->failed = true;
	assert_true(finds(&m, "port-refused", &f, text));
	assert_int_equal(f.grade, LENS_PROBLEM);
	made_event(&m, 2, LENS_OPEN, 10, "connect")->took_ns = 1;
	assert_true(finds(&m, "port-refused", &f, text));
	assert_int_equal(f.grade, LENS_WARNING);
	assert_string_equal(text, "Port 135 refused at first; from frame 20 on it answered.");
}

/* Everything has a ceiling: kinds, hosts, evidence. */
static void ceilings(void **state)
{
	struct lens_findings *f = lens_findings_new(NULL);
	struct lens_finding out;
	unsigned n = 0;
	(void)state;
	for (unsigned i = 0; i < 5000; i++) {
		struct lens_rop r = {.id = (uint8_t)i, .name = "X", .status = 0x80040102, .has_status = true};
		struct made m;
		store(&m);
		m.conn.server.bytes[3] = (uint8_t)i;
		m.conn.server.bytes[2] = (uint8_t)(i >> 8);
		struct lens_event *e = store_event(&m, LENS_RESPONSE, 10, "EcDoConnectEx");
		e->failed = true;
		e->status_code = 0x970;
		e->rops = &r;
		e->rop_count = 1;
		e->notified = true;
		lens_findings_event(f, e);
	}
	struct made late;
	made_conn(&late, 1, 4000, 135);
	struct lens_event *open = made_event(&late, 1, LENS_OPEN, 0, "connect: refused");
	open->status = "refused";
	open->failed = true;
	lens_findings_event(f, open);
	lens_findings_end(f, NULL);
	/* None of them crowds out another. */
	assert_true(has(f, "port-refused", &out));
	assert_true(has(f, "encryption-required", &out));
	while (lens_findings_get(f, n, &out))
		n++;
	/* Each 256th ROP was Backoff: 19 times. */
	assert_int_equal(n, 16 + 16 + 1);
	assert_int_equal(lens_findings_beyond(f), 5000 - 16 + 19 - 16);
	lens_findings_free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(entrance_statuses),
	        cmocka_unit_test(wrong_server_is_named),
	        cmocka_unit_test(plain_store),
	        cmocka_unit_test(second_try),
	        cmocka_unit_test(rop_in_row),
	        cmocka_unit_test(busy_server),
	        cmocka_unit_test(averages),
	        cmocka_unit_test(long_calls),
	        cmocka_unit_test(news_not_fetched),
	        cmocka_unit_test(ends_of_connections),
	        cmocka_unit_test(ports),
	        cmocka_unit_test(ceilings),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
