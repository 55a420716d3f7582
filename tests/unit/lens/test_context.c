#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/time.h"
#include "capture/capture.h"
#include "lens/lens.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Connections of other protocols: what is said of their first bytes. */

#define TEXT(s) s, sizeof s - 1
#define HELLO_HEAD                                                                                                     \
	"\x16\3\1\0\x4a\1\0\0\x46\3\3"                                                                                 \
	"0123456789abcdef0123456789abcdef"                                                                             \
	"\0"                                                                                                           \
	"\0\2\x13\1"                                                                                                   \
	"\1\0"

struct row {
	uint16_t port;
	const char *ask;
	size_t ask_len;
	const char *answer;
	size_t answer_len;
	const char *told; /* summaries, and the status of what failed */
};

static const struct row rows[] = {
        {443,
         TEXT(HELLO_HEAD "\0\x1b\0\x0b\0\2\1\0"
                         "\0\0\0\x11\0\x0f\0\0\x0c"
                         "mail.example"),
         TEXT("\x15\3\3\0\2\2\x28"), "TLS hello for mail.example; TLS alert 40 (TLS alert 40); "},
        {443, TEXT(HELLO_HEAD "\0\0"), TEXT("\x16\3\3\0\2\2\x28"), "TLS hello; "},
        {80, TEXT("POST /EWS/Exchange.asmx?secret=1 HTTP/1.1\r\n\r\n"),
         TEXT("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"),
         "EWS: POST /EWS/Exchange.asmx; HTTP answer 401 (401); "},
        {80, TEXT("POST /mapi/emsmdb/?MailboxId=x HTTP/1.1\r\nX-RequestType: PING\r\nContent-Length: 0\r\n\r\n"),
         TEXT("HTTP/1.1 200 OK\r\nX-ResponseCode: 6\r\nContent-Length: 0\r\n\r\n"),
         "MAPI over HTTP: PING, POST /mapi/emsmdb/; HTTP answer 200, X-ResponseCode 6 (invalid context cookie) "
         "(X-ResponseCode 6 (invalid context cookie)); "},
        {80,
         TEXT("POST /ews/exchange.asmx HTTP/1.1\r\n"
              "SOAPAction: \"http://schemas.microsoft.com/exchange/services/2006/messages/FindItem\"\r\n"
              "Content-Length: 0\r\n\r\n"),
         TEXT("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
         "EWS: FindItem, POST /ews/exchange.asmx; HTTP answer 200; "},
        {80, TEXT("RPC_IN_DATA /rpc/rpcproxy.dll?mail:6001 HTTP/1.1\r\nContent-Length: 0\r\n\r\n"),
         TEXT("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
         "RPC over HTTP: RPC_IN_DATA /rpc/rpcproxy.dll; HTTP answer 200; "},
        {88,
         TEXT("\0\0\0\x20\x6a\x1e\x30\x1c"
              "aaaaaaaaaaaa"),
         TEXT("\0\0\0\x0f\x7e\x0d\x30\x0b\xa0\3\2\1\5\xa6\3\2\1\x25"
              "\x02"),
         "Kerberos AS-REQ; KRB-ERROR: KRB_AP_ERR_SKEW (KRB_AP_ERR_SKEW); "},
        {88,
         TEXT("\0\0\0\x20\x6c\x1e\x30\x1c"
              "aaaaaaaaaaaa"),
         TEXT("\0\0\0\x20\x6d\x1e\x30\x1c"
              "aaaa"),
         "Kerberos TGS-REQ; Kerberos TGS-REP; "},
        {389,
         TEXT("\x30\x0e\2\1\1\x60\x09\2\1\3\4\0\x80\2"
              "aaaa"),
         TEXT("\x30\x0c"), "LDAP bind; "},
        {53,
         TEXT("\0\x1e\1\2\1\0\0\1\0\0\0\0\0\0"
              "\4mail\7example\0"
              "\0\1\0\1"),
         TEXT("\0\x1e"), "DNS query for mail.example; "},
        {25, TEXT("EHLO somewhere.example\r\n"), TEXT("250 ok\r\n"), ""},
};

static struct buf told;

static void on_event(void *user, const struct lens_event *e)
{
	(void)user;
	if (e->kind != LENS_CONTEXT)
		return;
	assert_string_equal(lens_kind_name(e->kind), "context");
	assert_int_equal(e->failed, e->status != NULL);
	assert_false(e->conn->rpc);
	buf_printf(&told, "%s", e->summary);
	if (e->status)
		buf_printf(&told, " (%s)", e->status);
	buf_put_str(&told, "; ");
}

static void look(const char *path, bool keep, bool midway)
{
	struct lens *lens = lens_new(&(struct lens_options){.keep_events = keep}, &(struct lens_sink){on_event, NULL});
	struct capture_reader *r = NULL;
	struct capture_frame f;
	assert_non_null(lens);
	buf_clear(&told);
	assert_int_equal(capture_open(path, &r, NULL), 0);
	while (capture_next(r, &f) > 0)
		if (f.number > (midway ? 3 : 0))
			lens_frame(lens, f.linktype, f.data, f.captured, f.original, f.time_ns);
	capture_close(&r);
	lens_end(lens);
	lens_free(&lens);
	buf_put_u8(&told, 0);
}

static void play(const struct row *row, size_t ask, size_t answer, bool keep, bool midway)
{
	char path[] = "/tmp/mapiwire-test-XXXXXX";
	struct capture_writer *w;
	const struct capture_endpoint from = {4, {10, 0, 0, 1}, 50000}, to = {4, {10, 0, 0, 2}, row->port};
	close(mkstemp(path));
	assert_int_equal(capture_create(path, &w), 0);
	unsigned c = capture_connected(w, &from, &to, NS_PER_S, NS_PER_S + 1000);
	capture_data(w, c, true, row->ask, ask, 2 * NS_PER_S);
	capture_data(w, c, false, row->answer, answer, 2 * NS_PER_S + 1000);
	capture_closed(w, c, true, 3 * NS_PER_S);
	assert_int_equal(capture_finish(&w), 0);
	look(path, keep, midway);
	unlink(path);
}

static void names_what_begins(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (int keep = 0; keep < 4; keep++) {
			play(&rows[i], rows[i].ask_len, rows[i].answer_len, keep & 1, keep & 2);
			assert_string_equal((const char *)told.data, rows[i].told);
		}
}

/* Cut anywhere, and with each byte changed. */
static void bears_anything(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		for (size_t n = 1; n < rows[i].ask_len; n++)
			play(&rows[i], n, rows[i].answer_len, false, false);
		for (size_t n = 1; n < rows[i].answer_len; n++)
			play(&rows[i], rows[i].ask_len, n, false, false);
		for (size_t at = 0; at < rows[i].ask_len; at++) {
			char ask[256];
			struct row changed = rows[i];
			assert_true(changed.ask_len <= sizeof ask);
			memcpy(ask, rows[i].ask, changed.ask_len);
			ask[at] = (char)(ask[at] ^ 0xFF);
			changed.ask = ask;
			play(&changed, changed.ask_len, changed.answer_len, false, false);
		}
	}
	buf_free(&told);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(names_what_begins),
	        cmocka_unit_test(bears_anything),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
