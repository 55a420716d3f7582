#include "lens/filter-private.h"

#include "base/buf.h"
#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * A filter as Wireshark's display filters have it. What has no counterpart there falls out of an ||, which then shows
 * less; anywhere else the whole cannot be said.
 */

/* Fields whose values Wireshark takes as they are, or by a factor. */
static const struct {
	const char *ours, *theirs;
	double factor;
} same[] = {
        {"frame", "frame.number", 1},    {"last_frame", "frame.number", 1},
        {"time", "frame.time_epoch", 1}, {"port", "tcp.port", 1},
        {"opnum", "dcerpc.opnum", 1},    {"call", "dcerpc.cn_call_id", 1},
        {"ms", "dcerpc.time", 0.001},    {"host", "ip.addr", 0},
        {"client", "ip.addr", 0},        {"server", "ip.addr", 0},
};

/* Words that stand for a filter of theirs. */
static const struct {
	const char *field, *word, *theirs;
} words[] = {
        {"service", "epm", "epm"},
        {"service", "mgmt", "mgmt"},
        {"service", "rfr", "rfr"},
        {"service", "nspi", "nspi"},
        {"service", "store", "mapi"},
        {"service", "async", "dcerpc.cn_bind_to_uuid == 5261574a-4572-206e-b268-6b199213b4e4"},
        {"iface", "epm", "epm"},
        {"iface", "mgmt", "mgmt"},
        {"iface", "rfr", "rfr"},
        {"iface", "nspi", "nspi"},
        {"iface", "emsmdb", "mapi"},
        {"event", "open", "tcp.flags.syn == 1"},
        {"event", "close", "tcp.flags.fin == 1"},
        {"event", "reset", "tcp.flags.reset == 1"},
        {"event", "request", "dcerpc.pkt_type == 0"},
        {"event", "response", "dcerpc.pkt_type == 2"},
        {"event", "fault", "dcerpc.pkt_type == 3"},
        {"event", "bind", "dcerpc.pkt_type == 11"},
        {"event", "bind_ack", "dcerpc.pkt_type == 12"},
        {"event", "bind_nak", "dcerpc.pkt_type == 13"},
        {"event", "alter", "dcerpc.pkt_type == 14"},
        {"event", "alter_ack", "dcerpc.pkt_type == 15"},
        {"event", "auth3", "dcerpc.pkt_type == 16"},
        {"event", "shutdown", "dcerpc.pkt_type == 17"},
        {"event", "cancel", "dcerpc.pkt_type == 18"},
        {"event", "orphaned", "dcerpc.pkt_type == 19"},
        {"auth", "ntlm", "dcerpc.auth_type == 10"},
        {"auth", "kerberos", "dcerpc.auth_type == 16"},
        {"auth", "spnego", "dcerpc.auth_type == 9"},
        {"auth", "schannel", "dcerpc.auth_type == 68"},
        {"level", "connect", "dcerpc.auth_level == 2"},
        {"level", "call", "dcerpc.auth_level == 3"},
        {"level", "packet", "dcerpc.auth_level == 4"},
        {"level", "integrity", "dcerpc.auth_level == 5"},
        {"level", "privacy", "dcerpc.auth_level == 6"},
        {"failed", NULL, "dcerpc.pkt_type == 3 || dcerpc.pkt_type == 13 || tcp.flags.reset == 1"},
        {"damaged", NULL, "_ws.malformed"},
        {"unanswered", NULL, "dcerpc.pkt_type == 0 && !dcerpc.response_in"},
        {"sealed", NULL, "dcerpc.auth_level == 6"},
};

static int say(struct buf *out, const char *text)
{
	return buf_printf(out, "(%s)", text);
}

static int put_same(const struct lens_filter *f, struct buf *out)
{
	static const char *const tests[] = {
	        [TEST_EQ] = "==", [TEST_LT] = "<", [TEST_LE] = "<=", [TEST_GT] = ">", [TEST_GE] = ">="};

	for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
		if (strcmp(f->field->name, same[i].ours) != 0)
			continue;
		if (f->test == TEST_THERE)
			return say(out, same[i].theirs);
		if (f->test == TEST_CONTAINS)
			return MW_E_UNSUPPORTED;
		bool address = same[i].factor == 0;
		const char *off = f->test == TEST_NE ? "!" : "", *test = tests[f->test == TEST_NE ? TEST_EQ : f->test];
		/* Addresses are digits, dots and colons, or they are none. */
		if (address && f->text[strspn(f->text, "0123456789abcdefABCDEF.:")])
			return MW_E_UNSUPPORTED;
		if (address)
			return buf_printf(out, "%s(%s %s %s)", off, strchr(f->text, ':') ? "ipv6.addr" : "ip.addr",
			                  test, f->text);
		return buf_printf(out, "%s(%s %s %.12g)", off, same[i].theirs, test, f->number * same[i].factor);
	}
	return MW_E_NOTFOUND;
}

/* Stream numbers count from 0 there. */
static int put_conn(const struct lens_filter *f, struct buf *out)
{
	bool equal = f->test == TEST_EQ || f->test == TEST_NE;

	if (strcmp(f->field->name, "conn") != 0)
		return MW_E_NOTFOUND;
	if (!equal || f->number < 1)
		return MW_E_UNSUPPORTED;
	return buf_printf(out, "%s(tcp.stream == %.0f)", f->test == TEST_EQ ? "" : "!", f->number - 1);
}

static int put_word(const struct lens_filter *f, struct buf *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcmp(f->field->name, words[i].field) != 0)
			continue;
		bool flag = !words[i].word;
		if (flag ? f->test == TEST_CONTAINS || (f->test != TEST_THERE && f->field->type != FILTER_FLAG)
		         : (f->test != TEST_EQ && f->test != TEST_NE) || strcmp(words[i].word, f->text) != 0)
			continue;
		bool off = f->test == TEST_NE ? flag ? f->number != 0 : true
		                              : flag && f->test == TEST_EQ && f->number == 0;
		return buf_printf(out, "%s(%s)", off ? "!" : "", words[i].theirs);
	}
	return MW_E_UNSUPPORTED;
}

static int put_test(const struct lens_filter *f, struct buf *out)
{
	int r = put_same(f, out);

	if (r == MW_E_NOTFOUND)
		r = put_conn(f, out);
	return r == MW_E_NOTFOUND ? put_word(f, out) : r;
}

static int put_node(const struct lens_filter *f, bool exact, struct buf *out);

/* exact: it stands under a !, which would show more for what falls out. */
static int put_pair(const struct lens_filter *f, bool exact, struct buf *out)
{
	size_t start = out->len;
	bool either = f->node == NODE_OR && !exact;

	buf_put_u8(out, '(');
	int left = put_node(f->left, exact, out);
	size_t middle = out->len;
	if (left == 0)
		buf_put_str(out, f->node == NODE_OR ? " || " : " && ");
	int right = left == 0 || either ? put_node(f->right, exact, out) : left;
	if (right < 0 && (left < 0 || !either)) {
		out->len = start;
		return right;
	}
	if (right < 0)
		out->len = middle;
	return buf_put_u8(out, ')');
}

static int put_node(const struct lens_filter *f, bool exact, struct buf *out)
{
	size_t start = out->len;
	int r;

	switch (f->node) {
	case NODE_AND:
	case NODE_OR:
		return put_pair(f, exact, out);
	case NODE_NOT:
		buf_put_u8(out, '!');
		r = put_node(f->left, true, out);
		break;
	default:
		r = put_test(f, out);
	}
	if (r < 0)
		out->len = start;
	return r < 0 ? r : 0;
}

int lens_filter_wireshark(const struct lens_filter *f, struct buf *out)
{
	return put_node(f, false, out);
}
