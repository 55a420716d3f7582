#ifndef MW_TESTS_RPC_RIG_H
#define MW_TESTS_RPC_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "auth/auth.h"
#include "base/text.h"
#include "rpc/connection.h"

#include <stdio.h>
#include <stdlib.h>

/*
 * A client and a server machine in memory, wired to each other, and an observer
 * that sees the bytes of both. Each writes its events into a log, one line each.
 */

struct noise {
	uint64_t state;
};

static inline uint64_t noise_next(struct noise *n)
{
	n->state += 0x9e3779b97f4a7c15u;
	uint64_t z = n->state;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static void noise_fill(void *user, void *out, size_t n)
{
	uint8_t *p = out;
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)noise_next(user);
}

static const struct rpc_syntax rig_echo = {
        {0x11111111, 0x2222, 0x3333, {0x44, 0x44, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55}}, 1, 0};
static const struct rpc_syntax rig_other = {
        {0xaaaaaaaa, 0xbbbb, 0xcccc, {0xdd, 0xdd, 0xee, 0xee, 0xee, 0xee, 0xee, 0xee}}, 3, 1};
static const struct rpc_syntax rig_unknown = {{0xffffffff, 1, 2, {3}}, 1, 0};
static const struct idl_interface rig_interface = {.name = "echo"};

/* What the server does with a request, by its opnum. */
enum { OP_ECHO = 0, OP_FAULT = 1, OP_PARK = 2, OP_OBJECT = 3, OP_REVERSE = 4 };
#define RIG_FAULT 0x1234567u

struct rig {
	struct rpc_connection *client, *server, *observer;
	struct rpc_associations *associations;
	struct noise noise;
	struct random_source random;
	struct buf client_log, server_log, observer_log;
	struct rpc_server_setup setup;
	struct auth_server_config server_auth;
	struct auth_client_config client_auth;
	struct auth_secret secret;
	struct auth_observer_config observer_auth;
	int64_t now;
	enum auth_type auth_type; /* AUTH_NONE: NTLM */
	bool small_chunks;        /* random portions, else all at once */
	/* Of the last answer that the client saw. */
	struct buf answer;
	uint32_t answered_id, fault;
	unsigned answers;
	uint32_t parked[8];
	unsigned parked_count;
	uint64_t sent[2]; /* bytes carried, by side */
	/* Tampering: the byte at this position of that side is flipped on its way. UINT64_MAX: none. */
	uint64_t flip[2];
	/* All that was carried, in order: side, length (u32), bytes. */
	struct buf tape;
};

static inline uint32_t rig_sum(const uint8_t *p, size_t n)
{
	uint32_t h = 2166136261u;
	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * 16777619u;
	return h;
}

static const char *const rig_names[] = {"bind",     "bind_ack", "bind_nak", "alter", "alter_ack",
                                        "auth3",    "request",  "response", "fault", "cancel",
                                        "orphaned", "shutdown", "damaged",  "gap",   "closed"};

/* One event as text. Signed and sealed parts read alike for all who can open them. */
static inline void rig_log(struct buf *log, const struct rpc_event *e)
{
	static const char *const signatures[] = {"", " signed", " BAD", " unchecked"};
	char uuid[GUID_TEXT_SIZE] = "?";

	buf_printf(log, "%c %s %u", e->from == RPC_FROM_CLIENT ? '>' : '<', rig_names[e->type], e->call_id);
	if (e->type == RPC_EV_REQUEST || e->type == RPC_EV_RESPONSE || e->type == RPC_EV_FAULT) {
		if (e->interface)
			guid_format(&e->interface->uuid, uuid);
		uuid[8] = '\0';
		buf_printf(log, " ctx%u %s", e->context_id, uuid);
		if (e->opnum_known)
			buf_printf(log, " op%u", e->opnum);
		if (e->object)
			buf_printf(log, " object%08x", e->object->data1);
		buf_printf(log, " frags%u len%zu sum%08x", e->fragments, e->stub_len, rig_sum(e->stub, e->stub_len));
		buf_printf(log, "%s%s", signatures[e->signature],
		           e->sealed ? e->decrypted ? " opened" : " sealed" : "");
	}
	if (e->type == RPC_EV_AUTH3 && e->signature == RPC_SIG_BAD)
		buf_printf(log, " refused%x", e->status);
	if (e->auth_type)
		buf_printf(log, " %s/%s", auth_type_name(e->auth_type), auth_level_name(e->level));
	if (e->type == RPC_EV_FAULT || e->type == RPC_EV_BIND_NAK)
		buf_printf(log, " status%x", e->status);
	for (unsigned i = 0; e->bind && i < e->bind->context_count; i++)
		buf_printf(log, " %u=%08x", e->bind->contexts[i].id, e->bind->contexts[i].abstract.uuid.data1);
	for (unsigned i = 0; e->bind && i < e->bind->result_count; i++)
		buf_printf(log, " %u/%u", e->bind->results[i].result, e->bind->results[i].reason);
	if (e->type == RPC_EV_DAMAGED || e->type == RPC_EV_CLOSED)
		buf_printf(log, " %s", e->why ? e->why : "-");
	buf_put_str(log, "\n");
}

static inline void rig_reverse(struct buf *out, const struct rpc_event *e)
{
	for (size_t i = 0; i < e->stub_len; i++)
		buf_put_u8(out, e->stub[e->stub_len - 1 - i]);
}

static inline void rig_serve(struct rig *r, const struct rpc_event *e)
{
	struct buf MW_CLEANUP(buf_free) reply = {0};

	switch (e->opnum) {
	case OP_ECHO:
	case OP_OBJECT:
		assert_int_equal(rpc_server_respond(r->server, e->call_id, e->stub, e->stub_len), 0);
		break;
	case OP_REVERSE:
		rig_reverse(&reply, e);
		assert_int_equal(rpc_server_respond(r->server, e->call_id, reply.data, reply.len), 0);
		break;
	case OP_PARK:
		assert_true(r->parked_count < ARRAY_SIZE(r->parked));
		r->parked[r->parked_count++] = e->call_id;
		break;
	case OP_FAULT:
		assert_int_equal(rpc_server_fault(r->server, e->call_id, RIG_FAULT), 0);
		break;
	default:
		assert_int_equal(rpc_server_fault(r->server, e->call_id, NCA_S_OP_RNG_ERROR), 0);
	}
}

static void rig_server_event(void *user, struct rpc_connection *c, const struct rpc_event *e)
{
	struct rig *r = user;

	(void)c;
	rig_log(&r->server_log, e);
	if (e->type == RPC_EV_REQUEST)
		rig_serve(r, e);
}

static void rig_client_event(void *user, struct rpc_connection *c, const struct rpc_event *e)
{
	struct rig *r = user;

	(void)c;
	rig_log(&r->client_log, e);
	if (e->type != RPC_EV_RESPONSE && e->type != RPC_EV_FAULT)
		return;
	buf_clear(&r->answer);
	buf_put(&r->answer, e->stub, e->stub_len);
	r->answered_id = e->call_id;
	r->fault = e->type == RPC_EV_FAULT ? e->status : 0;
	r->answers++;
}

static void rig_observer_event(void *user, struct rpc_connection *c, const struct rpc_event *e)
{
	struct rig *r = user;

	(void)c;
	rig_log(&r->observer_log, e);
}

static const struct idl_interface *rig_find(void *user, const struct rpc_syntax *abstract)
{
	(void)user;
	if (memcmp(abstract, &rig_echo, sizeof rig_echo) == 0 || memcmp(abstract, &rig_other, sizeof rig_other) == 0)
		return &rig_interface;
	return NULL;
}

/* MD4 of "secret" in UTF-16LE, [MS-NLMP] 3.3.1. */
static const uint8_t rig_hash[16] = {0x87, 0x8d, 0x80, 0x14, 0x60, 0x6c, 0xda, 0x29,
                                     0x67, 0x7a, 0x44, 0xef, 0xa1, 0x35, 0x3f, 0xc7};

static int rig_account(void *user, const char *domain, const char *name, struct auth_account *out)
{
	(void)user, (void)domain;
	if (strcmp(name, "alice") != 0)
		return MW_E_NOTFOUND;
	out->id = 7;
	memcpy(out->nt_hash, rig_hash, sizeof rig_hash);
	return 0;
}

static inline struct rpc_connection *rig_connection(struct rig *r, enum rpc_role role, rpc_event_fn fn)
{
	struct rpc_config config = {
	        .role = role,
	        .on_event = fn,
	        .user = r,
	        .random = &r->random,
	        .clock_offset_ns = INT64_C(1795507200000000000),
	        .server = &r->setup,
	        .observer = &r->observer_auth,
	};
	struct rpc_connection *c = rpc_connection_new(&config);

	assert_non_null(c);
	return c;
}

static inline void rig_open(struct rig *r, uint64_t seed)
{
	*r = (struct rig){.noise = {seed}, .flip = {UINT64_MAX, UINT64_MAX}};
	r->random = (struct random_source){noise_fill, &r->noise};
	r->associations = rpc_associations_new(5, &r->random);
	r->server_auth = (struct auth_server_config){.netbios_domain = "DEMO",
	                                             .netbios_computer = "MAIL",
	                                             .dns_domain = "demo.test",
	                                             .dns_computer = "mail.demo.test",
	                                             .find_account = rig_account};
	r->client_auth = (struct auth_client_config){
	        .domain = "DEMO", .user = "alice", .password = "secret", .workstation = "WS"};
	r->secret = (struct auth_secret){
	        .kind = AUTH_SECRET_PASSWORD, .domain = "DEMO", .user = "alice", .password = "secret"};
	r->observer_auth = (struct auth_observer_config){&r->secret, 1};
	r->setup = (struct rpc_server_setup){.find_interface = rig_find,
	                                     .associations = r->associations,
	                                     .auth = &r->server_auth,
	                                     .secondary_address = "49152"};
	r->client = rig_connection(r, RPC_CLIENT, rig_client_event);
	r->server = rig_connection(r, RPC_SERVER, rig_server_event);
	r->observer = rig_connection(r, RPC_OBSERVER, rig_observer_event);
}

static inline void rig_close(struct rig *r)
{
	rpc_connection_free(&r->client);
	rpc_connection_free(&r->server);
	rpc_connection_free(&r->observer);
	rpc_associations_free(&r->associations);
	buf_free(&r->client_log);
	buf_free(&r->server_log);
	buf_free(&r->observer_log);
	buf_free(&r->answer);
	buf_free(&r->tape);
}

/* A fresh observer, whose log begins anew. */
static inline void rig_observe_anew(struct rig *r)
{
	rpc_connection_free(&r->observer);
	buf_clear(&r->observer_log);
	r->observer = rig_connection(r, RPC_OBSERVER, rig_observer_event);
}

/* Shows the tape to the observer: portions of at most so many bytes; of each side the bytes
 * [from, to) are missing (to = 0: none); a side of which nothing is wanted is left out. */
struct rig_replay {
	size_t portion;
	uint64_t from[2], to[2];
	bool skip[2];
};

static inline void rig_show(struct rig *r, const struct rig_replay *how, unsigned side, const uint8_t *p, size_t n,
                            uint64_t *at)
{
	while (n > 0) {
		size_t k = n < how->portion ? n : how->portion;
		if (*at < how->to[side] && *at >= how->from[side]) {
			k = k < how->to[side] - *at ? k : (size_t)(how->to[side] - *at);
			if (*at == how->from[side])
				rpc_gap(r->observer, (enum rpc_side)side, how->to[side] - how->from[side]);
		} else {
			if (*at < how->from[side] && how->to[side] && k > how->from[side] - *at)
				k = (size_t)(how->from[side] - *at);
			rpc_feed(r->observer, (enum rpc_side)side, p, k, 0);
		}
		*at += k;
		p += k;
		n -= k;
	}
}

static inline void rig_play(struct rig *r, const struct rig_replay *how)
{
	struct cursor in = cursor_of(r->tape.data, r->tape.len);
	uint64_t at[2] = {0};

	while (cursor_left(&in) > 0) {
		const uint8_t *bytes = NULL;
		uint8_t side = 0;
		uint32_t n = 0;
		assert_int_equal(cursor_u8(&in, &side), 0);
		assert_int_equal(cursor_u32(&in, &n), 0);
		assert_int_equal(cursor_bytes(&in, n, &bytes), 0);
		if (!how->skip[side])
			rig_show(r, how, side, bytes, n, &at[side]);
	}
	rpc_eof(r->observer, RPC_FROM_CLIENT, 0);
	rpc_eof(r->observer, RPC_FROM_SERVER, 0);
}

/* Carries up to max bytes of one side to the other and to the observer. */
static inline void rig_carry(struct rig *r, enum rpc_side from, size_t max)
{
	struct buf *out = rpc_output(from == RPC_FROM_CLIENT ? r->client : r->server);
	struct rpc_connection *to = from == RPC_FROM_CLIENT ? r->server : r->client;
	size_t n = out->len < max ? out->len : max;
	uint8_t *copy = malloc(n ? n : 1);

	if (n > 0) {
		memcpy(copy, out->data, n);
		if (r->flip[from] >= r->sent[from] && r->flip[from] - r->sent[from] < n)
			copy[r->flip[from] - r->sent[from]] ^= 1;
		r->sent[from] += n;
		buf_put_u8(&r->tape, (uint8_t)from);
		buf_put_u32(&r->tape, (uint32_t)n);
		buf_put(&r->tape, copy, n);
		buf_consume(out, n);
		rpc_feed(r->observer, from, copy, n, r->now);
		rpc_feed(to, from, copy, n, r->now);
	}
	free(copy);
}

/* Until nothing moves. */
static inline void rig_run(struct rig *r)
{
	while (rpc_output(r->client)->len > 0 || rpc_output(r->server)->len > 0) {
		for (unsigned side = 0; side < 2; side++) {
			size_t max = r->small_chunks ? 1 + noise_next(&r->noise) % 97 : SIZE_MAX;
			rig_carry(r, (enum rpc_side)side, max);
		}
		r->now += 1000;
	}
}

static inline void rig_bind(struct rig *r, enum auth_level level)
{
	struct rpc_client_bind bind = {
	        .interfaces = &rig_echo,
	        .interface_count = 1,
	        .auth_type = level == AUTH_LEVEL_NONE ? AUTH_NONE
	                     : r->auth_type           ? r->auth_type
	                                              : AUTH_NTLM,
	        .level = level,
	        .auth = &r->client_auth,
	};

	assert_int_equal(rpc_client_bind(r->client, &bind, r->now), 0);
	rig_run(r);
}

/* The bytes that a test sends are any, and can be told apart. */
static inline uint8_t *rig_bytes(struct rig *r, size_t n)
{
	uint8_t *p = malloc(n ? n : 1);

	noise_fill(&r->noise, p, n);
	return p;
}

static inline uint32_t rig_call(struct rig *r, uint16_t opnum, const void *stub, size_t len)
{
	uint32_t id = 0;

	assert_int_equal(rpc_client_call(r->client, 0, opnum, NULL, stub, len, &id), 0);
	rig_run(r);
	return id;
}

static inline const char *rig_text(struct buf *log)
{
	buf_put_u8(log, 0);
	log->len--;
	return (const char *)log->data;
}

/* Lines of a log that begin so (side and event name); for comparing what two saw. */
static inline void rig_select(struct buf *log, const char *prefix, struct buf *out)
{
	const char *line = rig_text(log);

	while (*line) {
		const char *end = strchr(line, '\n');
		if (strncmp(line, prefix, strlen(prefix)) == 0)
			buf_put(out, line, (size_t)(end + 1 - line));
		line = end + 1;
	}
	buf_put_u8(out, 0);
}

static inline void rig_same(struct buf *a, struct buf *b, const char *prefix)
{
	struct buf MW_CLEANUP(buf_free) x = {0}, y = {0};

	rig_select(a, prefix, &x);
	rig_select(b, prefix, &y);
	assert_string_equal((const char *)x.data, (const char *)y.data);
}

static inline bool rig_saw(struct buf *log, const char *what)
{
	return strstr(rig_text(log), what) != NULL;
}

/* Hex text to bytes; blanks are passed over. */
static inline size_t rig_hex(const char *hex, uint8_t *out, size_t max)
{
	size_t n = 0;
	unsigned byte;

	for (; *hex; hex += *hex == ' ' ? 1 : 2) {
		if (*hex == ' ')
			continue;
		assert_true(n < max && sscanf(hex, "%2x", &byte) == 1);
		out[n++] = (uint8_t)byte;
	}
	return n;
}

#endif
