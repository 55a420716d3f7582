#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lens/colors.h"
#include "lens/filter.h"
#include "lens/view.h"
#include "view_events.h"

#include <stdio.h>

/* A start in small: connect, an anonymous bind and NspiBind that is refused, then another with NTLM. */
struct start {
	struct made one, two;
	const struct lens_event *order[16];
	unsigned count;
};

static void put(struct start *s, const struct lens_event *e)
{
	s->order[s->count++] = e;
}

static struct lens_event *call(struct made *m, uint64_t number, int at_ms)
{
	struct lens_event *e = made_event(m, number, LENS_REQUEST, at_ms, "NspiBind");

	e->has_opnum = e->has_call = true;
	e->call_id = 1;
	e->op = "NspiBind";
	return e;
}

static void make_start(struct start *s)
{
	struct lens_event *e, *q;

	memset(s, 0, sizeof *s);
	made_conn(&s->one, 1, 1067, 4997);
	made_conn(&s->two, 2, 1068, 4997);
	e = made_event(&s->one, 1, LENS_OPEN, 0, "connect");
	e->took_ns = 150000;
	put(s, e);
	q = made_event(&s->one, 2, LENS_BIND, 1, "bind, no authentication");
	put(s, q);
	e = made_answer(&s->one, 3, LENS_BIND_ACK, q, 1, "bind, no authentication: accepted");
	e->status = "accepted";
	put(s, e);
	q = call(&s->one, 4, 3);
	put(s, q);
	e = made_answer(&s->one, 5, LENS_RESPONSE, q, 1, "NspiBind: MAPI_E_LOGON_FAILED");
	e->status = "MAPI_E_LOGON_FAILED";
	e->status_code = 0x80040111;
	e->failed = true;
	put(s, e);
	q = made_event(&s->two, 6, LENS_BIND, 9, "bind, NTLM level connect");
	q->auth = AUTH_NTLM;
	put(s, q);
	e = made_answer(&s->two, 7, LENS_BIND_ACK, q, 1, "bind, NTLM level connect: accepted");
	e->auth = AUTH_NTLM;
	e->status = "accepted";
	put(s, e);
	q = call(&s->two, 8, 12);
	q->auth = AUTH_NTLM;
	put(s, q);
	e = made_answer(&s->two, 9, LENS_RESPONSE, q, 26, "NspiBind: ok");
	e->auth = AUTH_NTLM;
	e->status = "ok";
	put(s, e);
	e = call(&s->two, 10, 900);
	e->auth = AUTH_NTLM;
	put(s, e);
}

typedef struct lens_view *(*make_view)(const struct lens_view_options *o, struct buf *out);

static char *show(make_view make, const struct lens_view_options *o, const struct lens_event *const *events,
                  unsigned count, struct buf *out)
{
	struct lens_view *v = make(o, out);

	assert_non_null(v);
	lens_view_start(v, MADE_START);
	for (unsigned i = 0; i < count; i++)
		lens_view_event(v, events[i]);
	lens_view_end(v, NULL);
	lens_view_free(&v);
	assert_null(v);
	assert_int_equal(buf_put_u8(out, 0), 0);
	return (char *)out->data;
}

static char *show_start(make_view make, const struct lens_view_options *o, struct buf *out)
{
	struct start s;

	make_start(&s);
	return show(make, o, s.order, s.count, out);
}

static void test_list(void **state)
{
	const struct lens_view_options o = {0};
	struct buf out = {0};

	(void)state;
	assert_string_equal(
	        show_start(lens_list_new, &o, &out),
	        "frame  sec   client→port      service what                                                        ms\n"
	        "   10  0.000 .7:1067→4997     nspi    connect                                                    0.1\n"
	        "   20  0.001                  nspi    bind, no authentication: accepted                          1.0\n"
	        "   40  0.003                  nspi    NspiBind: MAPI_E_LOGON_FAILED                              1.0\n"
	        "   60  0.009 .7:1068→4997     nspi    bind, NTLM level connect: accepted                         1.0\n"
	        "   80  0.012                  nspi    NspiBind: ok                                              26.0\n"
	        "  100  0.900                  nspi    NspiBind: answer not captured\n"
	        "Finding 1 (frames 50, 60): anonymous refused; retried with NTLM after 5 ms, accepted. Harmless.\n");
	buf_free(&out);
}

/* Answers in another order than requests: the lines keep that of the requests. */
static void test_list_order(void **state)
{
	const struct lens_view_options o = {0};
	struct lens_view_options live = {.live = true};
	struct buf out = {0};
	struct made m;

	(void)state;
	made_conn(&m, 1, 1, 2);
	const struct lens_event *a = made_event(&m, 1, LENS_REQUEST, 0, "slow");
	const struct lens_event *b = made_event(&m, 2, LENS_REQUEST, 1, "fast");
	const struct lens_event *events[] = {
	        a,
	        b,
	        made_answer(&m, 3, LENS_RESPONSE, b, 1, "fast: ok"),
	        made_answer(&m, 4, LENS_RESPONSE, a, 9, "slow: ok"),
	        made_event(&m, 5, LENS_RESPONSE, 20, "orphan: ok"),
	};
	const char *text = show(lens_list_new, &o, events, 5, &out);
	assert_true(strstr(text, "slow: ok") < strstr(text, "fast: ok"));
	assert_true(strstr(text, "fast: ok") < strstr(text, "orphan: ok"));
	buf_clear(&out);
	text = show(lens_list_new, &live, events, 5, &out);
	assert_true(strstr(text, "fast: ok") < strstr(text, "slow: ok"));
	buf_free(&out);
}

static void test_list_folds_and_hides(void **state)
{
	const struct lens_view_options o = {0}, all = {.show_all = true};
	struct buf out = {0};
	struct made m, other;

	(void)state;
	made_conn(&m, 1, 1, 1032);
	m.conn.midstream = true;
	made_conn(&other, 2, 1, 80);
	other.conn.rpc = false;
	const struct lens_event *q = made_event(&m, 1, LENS_REQUEST, 0, "folded call");
	const struct lens_event *events[] = {q, made_answer(&m, 2, LENS_RESPONSE, q, 1, "folded call: ok"),
	                                     made_event(&other, 3, LENS_OPEN, 2, "connect to a stranger")};
	assert_string_equal(show(lens_list_new, &o, events, 3, &out), "");
	buf_clear(&out);
	const char *text = show(lens_list_new, &all, events, 3, &out);
	assert_non_null(strstr(text, "folded call: ok"));
	assert_non_null(strstr(text, "connect to a stranger"));
	buf_free(&out);
}

static void test_port_findings(void **state)
{
	const struct lens_view_options o = {0};
	struct buf out = {0};
	struct made mapper, dead;

	(void)state;
	made_conn(&mapper, 1, 1, 135);
	made_conn(&dead, 2, 2, 49161);
	dead.conn.rpc = false;
	dead.conn.service = LENS_SVC_OTHER;
	struct lens_event *e = made_event(&mapper, 1, LENS_RESPONSE, 0, "ept_map nspi → port 49161");
	e->service = LENS_SVC_EPM;
	e->endpoint = "nspi tcp 49161";
	struct lens_event *open = made_event(&dead, 2, LENS_OPEN, 5, "connect: no answer");
	open->status = "no answer";
	open->failed = true;
	const struct lens_event *events[] = {e, open};
	const char *text = show(lens_list_new, &o, events, 2, &out);
	assert_non_null(strstr(text, "connect: no answer"));
	assert_non_null(
	        strstr(text, "Finding 1 (frames 10, 20): The mapper hands out 49161, but nothing answers there"));
	assert_non_null(strstr(text, "\n  Try  Open 49161"));
	buf_free(&out);
}

static void test_filter(void **state)
{
	struct arena *arena = arena_new(0);
	struct lens_filter *f = NULL;
	struct lens_filter_error error;
	struct buf out = {0};

	(void)state;
	assert_int_equal(lens_filter_parse(arena, "failed", &f, &error), 0);
	const struct lens_view_options o = {.filter = f};
	const char *text = show_start(lens_list_new, &o, &out);
	assert_non_null(strstr(text, "MAPI_E_LOGON_FAILED"));
	assert_null(strstr(text, "NspiBind: ok"));
	buf_clear(&out);
	text = show_start(lens_json_new, &o, &out);
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
	buf_free(&out);
	arena_free(&arena);
}

static void test_ladder(void **state)
{
	const struct lens_view_options o = {.width = 80};
	struct buf out = {0};

	(void)state;
	assert_string_equal(show_start(lens_ladder_new, &o, &out), "  sec  Outlook .7              10.0.0.1  :4997\n"
	                                                           " 0.003 |-- NspiBind, anonymous ----------->|\n"
	                                                           "       |x-- LOGON_FAILED ----------- 1.0 --|\n"
	                                                           " 0.012 |-- NspiBind, NTLM ---------------->|\n"
	                                                           "       |<-- ok -------------------- 26.0 --|\n"
	                                                           "   ⋮   0.86 s: nothing from Outlook\n"
	                                                           " 0.900 |-- NspiBind ---------------------->|\n");
	buf_free(&out);
}

static void test_ladder_is_bounded(void **state)
{
	const struct lens_view_options o = {0};
	struct buf out = {0};
	struct made m;

	(void)state;
	made_conn(&m, 1, 1, 135);
	const struct lens_event *e = made_event(&m, 1, LENS_REQUEST, 0, "again");
	static const struct lens_event *many[5000];
	for (unsigned i = 0; i < 5000; i++)
		many[i] = e;
	const char *text = show(lens_ladder_new, &o, many, 5000, &out);
	unsigned lines = 0;
	for (const char *at = text; (at = strchr(at, '\n')); at++)
		lines++;
	assert_true(lines < 410);
	assert_non_null(strstr(text, "4,600 arrows left out"));
	buf_free(&out);
}

static void test_json(void **state)
{
	const struct lens_view_options o = {0};
	static const struct lens_rop rops[] = {
	        {0xfe, "Logon", 0, true}, {1, "Release", 0, false}, {2, "OpenFolder", 0x8004010F, true}};
	struct buf out = {0};
	struct made m;

	(void)state;
	made_conn(&m, 3, 1067, 1032);
	struct lens_event *q = made_event(&m, 1, LENS_REQUEST, 1, "x");
	struct lens_event *e = made_answer(&m, 2, LENS_RESPONSE, q, 2, "y");
	e->time_ns += 1234;
	e->last_frame = 22;
	e->has_call = true;
	e->call_id = 7;
	e->iface = "emsmdb";
	e->op = "EcDoRpcExt2";
	e->opnum = 11;
	e->has_opnum = true;
	e->status = "ok";
	e->auth = AUTH_NTLM;
	e->level = AUTH_LEVEL_PRIVACY;
	e->sealed = e->decrypted = true;
	e->signature = RPC_SIG_OK;
	e->encoding = LENS_ENCODING_XOR | LENS_ENCODING_LZ;
	e->user = "DEMO\\alice";
	e->rops = rops;
	e->rop_count = 3;
	e->network_ns = 500000;
	e->server_ns = 1500000;
	e->bytes = 77;
	const struct lens_event *events[] = {e};
	assert_string_equal(
	        show(lens_json_new, &o, events, 1, &out),
	        "{\"frame\":20,\"last_frame\":22,\"time\":1000000000.003001234,\"conn\":3,\"src\":\"10.0.0.1:1032\","
	        "\"dst\":\"10.0.0.7:1067\",\"transport\":\"tcp\",\"event\":\"response\",\"call\":7,\"iface\":"
	        "\"emsmdb\","
	        "\"known_by\":\"bind\",\"opnum\":11,\"op\":\"EcDoRpcExt2\",\"status\":\"ok\",\"auth\":\"ntlm\","
	        "\"level\":\"privacy\",\"sealed\":true,\"decrypted\":true,\"signature\":\"ok\",\"encoding\":\"lz+xor\","
	        "\"user\":\"DEMO\\\\alice\",\"ms\":2.000,\"network_ms\":0.500,\"server_ms\":1.500,\"rops\":[\"Logon\","
	        "\"Release\",\"OpenFolder\"],"
	        "\"rop_status\":[\"ok\",null,\"MAPI_E_NOT_FOUND\"],\"rop_ms\":[0.750,null,0.750],\"bytes\":77}\n");
	buf_free(&out);
}

/* Exact below 512 times, then a histogram. */
static void test_stats(void **state)
{
	const struct lens_view_options o = {0};
	struct buf out = {0};
	struct made m;

	(void)state;
	made_conn(&m, 1, 1, 1);
	struct lens_event *q = call(&m, 1, 0);
	struct lens_event *e = made_answer(&m, 2, LENS_RESPONSE, q, 1, "NspiBind: ok");
	struct lens_view *v = lens_stats_new(&o, &out);
	for (int i = 1; i <= 100; i++) {
		e->took_ns = i * INT64_C(1000000);
		e->failed = i == 1;
		e->server_ns = 2000000;
		e->network_ns = 1000000;
		lens_view_event(v, q);
		lens_view_event(v, e);
	}
	lens_view_end(v, NULL);
	buf_put_u8(&out, 0);
	assert_non_null(strstr(
	        (char *)out.data,
	        "nspi      NspiBind            100      1    1.000   50.000   95.000    100.0    2.000    1.000\n"));
	buf_clear(&out);
	for (int i = 101; i <= 10000; i++) {
		e->took_ns = i * INT64_C(1000000);
		lens_view_event(v, e);
	}
	lens_view_end(v, NULL);
	buf_put_u8(&out, 0);
	double min, median, p95, max;
	const char *row = strstr((char *)out.data, "NspiBind");
	assert_int_equal(sscanf(row, "NspiBind 10000 1 %lf %lf %lf %lf", &min, &median, &p95, &max), 4);
	assert_float_equal(min, 1, 0);
	assert_float_equal(median, 5000, 5000 * 0.016);
	assert_float_equal(p95, 9500, 9500 * 0.016);
	assert_float_equal(max, 10000, 0);
	assert_non_null(strstr((char *)out.data, "within 1.6 %"));
	lens_view_free(&v);
	buf_free(&out);
}

static struct lens_view *new_tree(const struct lens_view_options *o, struct buf *out)
{
	return lens_tree_new(o, 10, out);
}

/* Text of an attacker: every view must show it harmless. */
#define HOSTILE "x\x1b]0;owned\x07</script><img src=x onerror=alert(1)>\xe2\x80\xae\xff\"'&\n"

static void make_hostile(struct made *m)
{
	static const struct lens_field fields[] = {{HOSTILE, HOSTILE, 0, 0, 4, false}, {HOSTILE, NULL, 40, 0, 0, true}};
	static const struct lens_rop rops[] = {{0xfe, HOSTILE, 0, false}};

	made_conn(m, 1, 1, 2);
	struct lens_event *e = made_event(m, 1, LENS_RESPONSE, 0, HOSTILE);
	e->service = LENS_SVC_OTHER;
	e->iface = e->iface_name = e->op = e->status = e->user = e->endpoint = e->why_sealed = e->damaged = HOSTILE;
	e->failed = e->sealed = true;
	e->fields = fields;
	e->field_count = ARRAY_SIZE(fields);
	e->rops = rops;
	e->rop_count = 1;
	e->has_opnum = true;
}

static void test_hostile(void **state)
{
	static const make_view views[] = {lens_list_new, lens_ladder_new,  lens_json_new, lens_stats_new,
	                                  lens_svg_new,  lens_mermaid_new, lens_html_new, new_tree};
	const struct lens_view_options o = {.title = HOSTILE, .width = 60};
	struct made m;

	(void)state;
	make_hostile(&m);
	for (size_t i = 0; i < ARRAY_SIZE(views); i++) {
		struct buf out = {0};
		const struct lens_event *events[] = {&m.events[0]};
		const char *text = show(views[i], &o, events, 1, &out);
		bool markup = views[i] == lens_svg_new || views[i] == lens_html_new;
		assert_non_null(strstr(text, "owned"));
		assert_null(strchr(text, 0x1b));
		assert_null(strchr(text, 0x07));
		assert_null(strchr(text, 0xff));
		assert_null(strstr(text, "\xe2\x80\xae"));
		if (markup)
			assert_null(strstr(text, "<img"));
		buf_free(&out);
	}
}

/* An arrow a line, and nothing from the wire that steers the diagram. */
static void test_mermaid(void **state)
{
	const struct lens_view_options o = {0};
	struct buf out = {0};
	const char *text = show_start(lens_mermaid_new, &o, &out);
	struct made m;

	(void)state;
	assert_int_equal(strncmp(text, "sequenceDiagram\n    participant c0 as Outlook 10.0.0.7\n", 53), 0);
	assert_non_null(strstr(text, "    participant s0p0 as 10.0.0.1 port "));
	assert_non_null(strstr(text, "--xc0: LOGON_FAILED"));
	buf_clear(&out);
	make_hostile(&m);
	text = show(lens_mermaid_new, &o, (const struct lens_event *[]){&m.events[0]}, 1, &out);
	for (const char *at = text; (at = strpbrk(at, ";#<>\"")); at++) {
		bool ours = *at == '#' || *at == ';' || *at == '>';
		assert_true(ours);
	}
	buf_free(&out);
}

/* The views that tell: a call whose every name is the attacker's. */
static void test_hostile_telling(void **state)
{
	static const make_view views[] = {lens_story_new, lens_problems_new, lens_problems_json_new, lens_top_new};
	const struct lens_view_options o = {.show_all = true, .width = 60};
	static const struct lens_rop rops[] = {{0xfe, HOSTILE, 0x80040102, true}};
	struct made m;

	(void)state;
	make_hostile(&m);
	struct lens_event *q = &m.events[0], *e = made_event(&m, 2, LENS_RESPONSE, 1, HOSTILE);
	q->kind = LENS_REQUEST;
	struct lens_event answer = *q;
	answer.kind = LENS_RESPONSE;
	answer.number = e->number;
	answer.request = q;
	answer.rops = rops;
	answer.took_ns = 1;
	answer.folder = answer.says = HOSTILE;
	*e = answer;
	for (size_t i = 0; i < ARRAY_SIZE(views); i++) {
		struct buf out = {0};
		const struct lens_event *events[] = {q, e, e, e, e};
		const char *text = show(views[i], &o, events, 5, &out);
		assert_non_null(strstr(text, "owned"));
		assert_null(strchr(text, 0x1b));
		assert_null(strchr(text, 0x07));
		assert_null(strchr(text, 0xff));
		assert_null(strstr(text, "\xe2\x80\xae"));
		buf_free(&out);
	}
}

static void test_html(void **state)
{
	const struct lens_view_options o = {.title = "start.pcap"};
	struct buf out = {0};
	const char *text = show_start(lens_html_new, &o, &out);
	const char *data = strstr(text, "<script type=\"application/json\" id=\"data\">");

	(void)state;
	assert_int_equal(strncmp(text, "<!doctype html>", 15), 0);
	assert_null(strstr(text, "@CSS@"));
	assert_null(strstr(text, "@JS@"));
	assert_null(strstr(text, "@DATA@"));
	assert_non_null(data);
	assert_non_null(strstr(data, "\"anonymous refused; retried with NTLM after 5 ms, accepted. Harmless.\""));
	assert_non_null(strstr(data, "{\"C\":1,\"cl\":\"10.0.0.7:1067\",\"sv\":\"10.0.0.1:4997\"}"));
	buf_free(&out);
}

/* Nothing happened: a sentence, and no crash. */
static void test_nothing(void **state)
{
	static const make_view views[] = {lens_ladder_new,  lens_stats_new,    lens_svg_new,   lens_html_new, new_tree,
	                                  lens_mermaid_new, lens_problems_new, lens_story_new, lens_top_new};
	const struct lens_view_options o = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(views); i++) {
		struct buf out = {0};
		assert_true(strlen(show(views[i], &o, NULL, 0, &out)) > 10);
		buf_free(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_list),
	        cmocka_unit_test(test_list_order),
	        cmocka_unit_test(test_list_folds_and_hides),
	        cmocka_unit_test(test_port_findings),
	        cmocka_unit_test(test_filter),
	        cmocka_unit_test(test_ladder),
	        cmocka_unit_test(test_ladder_is_bounded),
	        cmocka_unit_test(test_json),
	        cmocka_unit_test(test_stats),
	        cmocka_unit_test(test_hostile),
	        cmocka_unit_test(test_mermaid),
	        cmocka_unit_test(test_hostile_telling),
	        cmocka_unit_test(test_html),
	        cmocka_unit_test(test_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
