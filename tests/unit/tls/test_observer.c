#include "base/time.h"
#include "tls/observer-private.h"
#include "tls/private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* TLS seen by who has the secrets: RFC 8448's bytes, and what GnuTLS says with each cipher. */

static const uint8_t *from_hex(const char *hex, struct buf *out)
{
	buf_clear(out);
	for (; hex[0] && hex[1]; hex += 2) {
		unsigned v;
		assert_int_equal(sscanf(hex, "%2x", &v), 1);
		buf_put_u8(out, (uint8_t)v);
	}
	return out->data;
}

/* ---- What is seen ---- */

struct seen {
	struct buf text[2]; /* the server's, the client's */
	struct buf told;
	uint64_t text_end[2];
	unsigned hellos, alerts, damaged, gaps;
	const char *sealed[2];
};

static void on_sight(void *user, const struct tls_sight *s)
{
	struct seen *seen = (struct seen *)user;
	assert_true(s->end >= s->first);
	switch (s->type) {
	case TLS_SAW_CLIENT_HELLO:
	case TLS_SAW_SERVER_HELLO:
		seen->hellos++;
		break;
	case TLS_SAW_TEXT:
		assert_true(s->first >= seen->text_end[s->from_client]);
		seen->text_end[s->from_client] = s->end;
		buf_put(&seen->text[s->from_client], s->data, s->len);
		break;
	case TLS_SAW_ALERT:
		seen->alerts++;
		break;
	case TLS_SAW_DAMAGED:
		assert_non_null(s->why);
		seen->damaged++;
		break;
	case TLS_SAW_GAP:
		seen->gaps++;
		break;
	case TLS_SAW_SEALED:
		assert_null(seen->sealed[s->from_client]);
		seen->sealed[s->from_client] = s->why;
		break;
	}
}

static void clear(struct seen *s)
{
	buf_free(&s->text[0]);
	buf_free(&s->text[1]);
	*s = (struct seen){0};
}

/* ---- RFC 8448 3 ---- */

#define RANDOM "cb34ecb1e78163ba1c38c6dacb196a6dffa21a8d9912ec18a2ef6283024dece7"
#define CLIENT_HS "b3eddb126e067f35a780b3abf45e2d8f3b1a950738f52e9600746a0e27a55a21"
#define SERVER_HS "b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38"
#define CLIENT_AP "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5"
#define SERVER_AP "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643"

static const char rfc_log[] = "# as a browser writes it\r\n"
                              "CLIENT_HANDSHAKE_TRAFFIC_SECRET " RANDOM " " CLIENT_HS "\r\n"
                              "SERVER_HANDSHAKE_TRAFFIC_SECRET " RANDOM " " SERVER_HS "\n"
                              "CLIENT_TRAFFIC_SECRET_0 " RANDOM " " CLIENT_AP "\n"
                              "EXPORTER_SECRET " RANDOM " " CLIENT_AP "\n"
                              "\n"
                              "SERVER_TRAFFIC_SECRET_0 " RANDOM " " SERVER_AP;

static const char *const rfc_client[] = {
        "16030100c4010000c00303" RANDOM "000006130113031302010000910000000b0009000006736572766572ff01000100000a0014"
        "0012001d0017001800190100010101020103010400230000003300260024001d002099381de560e4bd43d23d8e435a7dbafeb3c06e51"
        "c13cae4d5413691e529aaf2c002b0003020304000d0020001e0403050306030203080408050806040105010601020104020502060202"
        "02002d00020101001c00024001",
        "170303003575ec4dc238cce60b298044a71e219c56cc77b0517fe9b93c7a4bfc44d87f38f80338ac98fc46deb384bd1caeacab6867d7"
        "26c40546",
        "1703030043a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f2b9819a8a5b46b395bd54a9a20441e2b62974e1f5a62"
        "92a2977014bd1e3deae63aeebb21694915e4",
        "1703030013c9872760655666b74d7ff1153efd6db6d0b0e3",
};

/* The server's encrypted handshake is not needed: what follows opens by its own secret. */
static const char *const rfc_server[] = {
        "160303005a020000560303a6af06a4121860dc5e6e60249cd34c95930c8ac5cb1434dac155772ed3e2692800130100002e0033002400"
        "1d0020c9828876112095fe66762bdbf7c672e156d6cc253b833df1dd69b1b04e751f0f002b00020304",
        "17030300de3a6b8f90414a97d6959c3487680de5134a2b240e6cffac116e95d41d6af8f6b580dcf3d11d63c758db289a015940252f55"
        "713e061dc13e078891a38efbcf5753ad8ef170ad3c7353d16d9da773b9ca7f2b9fa1b6c0d4a3d03f75e09c30ba1e62972ac46f75f7b9"
        "81be63439b2999ce13064615139891d5e4c5b406f16e3fc181a77ca475840025db2f0a77f81b5ab05b94c01346755f69232c86519d86"
        "cbeeac87aac347d143f9605d64f650db4d023e70e952ca49fe5137121c74bc2697687e248746d6df353005f3bce18696129c8153556b"
        "3b6c6779b37bf15985684f",
        "17030300432e937e11ef4ac740e538ad36005fc4a46932fc3225d05f82aa1b36e30efaf97d90e6dffc602dcb501a59a8fcc49c4bf2e5"
        "f0a21c0047c2abf332540dd032e167c2955d",
        "1703030013b58fd67166ebf599d24720cfbe7efa7a8864a9",
};

static void derives_keys(void **state)
{
	static const struct {
		const char *secret, *key, *iv;
	} rows[] = {
	        {SERVER_HS, "3fce516009c21727d0f2e4e86ee403bc", "5d313eb2671276ee13000b30"},
	        {CLIENT_HS, "dbfaa693d1762c5b666af5d950258d01", "5bd3c71b836e0b76bb73265f"},
	        {CLIENT_AP, "17422dda596ed5d9acd890e3c63f5051", "5b78923dee08579033e523d9"},
	        {SERVER_AP, "9f02283b6c9c07efc26bb9f2ac92e356", "cf782b88dd83549aadf1e984"},
	};
	struct buf b = {0};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct tls_secret secret = {.len = 32};
		uint8_t out[16];
		memcpy(secret.bytes, from_hex(rows[i].secret, &b), 32);
		assert_true(tls_expand_label(GNUTLS_MAC_SHA256, &secret, "key", NULL, out, 16));
		assert_memory_equal(out, from_hex(rows[i].key, &b), 16);
		assert_true(tls_expand_label(GNUTLS_MAC_SHA256, &secret, "iv", NULL, out, 12));
		assert_memory_equal(out, from_hex(rows[i].iv, &b), 12);
	}
	buf_free(&b);
}

/* The vector of the working group's list for P_SHA256. */
static void derives_by_prf(void **state)
{
	struct buf b = {0}, seed = {0};
	struct tls_secret secret = {.len = 16};
	uint8_t out[100];
	(void)state;
	memcpy(secret.bytes, from_hex("9bbe436ba940f017b17652849a71db35", &b), 16);
	from_hex("a0ba9f936cda311827a6f796ffd5198c", &seed);
	assert_true(tls_prf(GNUTLS_MAC_SHA256, &secret, "test label", seed.data, seed.len, out, sizeof out));
	assert_memory_equal(
	        out,
	        from_hex(
	                "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9"
	                "af0fa022f7077def17abfd3797c0564bab4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110ff"
	                "f70187347b66",
	                &b),
	        sizeof out);
	buf_free(&b);
	buf_free(&seed);
}

static void feed(struct tls_observer *o, bool from_client, const uint8_t *data, size_t len, size_t step)
{
	for (size_t at = 0; at < len; at += step)
		tls_observe(o, from_client, data + at, step < len - at ? step : len - at);
}

static void opens_the_rfc(void **state)
{
	static const size_t steps[] = {1, 3, 100, 100000};
	struct tls_log *log = tls_log_new();
	struct buf b = {0};
	(void)state;
	assert_int_equal(tls_log_read(log, rfc_log, strlen(rfc_log)), 4);
	assert_int_equal(tls_log_read(log, rfc_log, strlen(rfc_log)), 4);
	assert_int_equal(tls_log_count(log), 4);
	for (size_t s = 0; s < ARRAY_SIZE(steps); s++) {
		struct seen seen = {0};
		const struct tls_observer_config config = {.log = log, .on_sight = on_sight, .user = &seen};
		struct tls_observer *o = tls_observer_new(&config);
		struct tls_facts facts;
		for (size_t i = 0; i < ARRAY_SIZE(rfc_client); i++) {
			from_hex(rfc_client[i], &b);
			feed(o, true, b.data, b.len, steps[s]);
			from_hex(rfc_server[i], &b);
			feed(o, false, b.data, b.len, steps[s]);
		}
		tls_observer_facts(o, &facts);
		assert_string_equal(facts.server_name, "server");
		assert_string_equal(facts.version, "TLS 1.3");
		assert_string_equal(facts.cipher, "AES-128-GCM");
		for (unsigned side = 0; side < 2; side++) {
			assert_int_equal(seen.text[side].len, 50);
			for (uint8_t i = 0; i < 50; i++)
				assert_int_equal(seen.text[side].data[i], i);
			assert_null(seen.sealed[side]);
		}
		assert_int_equal(seen.hellos, 2);
		assert_int_equal(seen.alerts, 2);
		assert_int_equal(seen.damaged + seen.gaps, 0);
		tls_observer_free(&o);
		clear(&seen);
	}
	buf_free(&b);
	tls_log_free(&log);
}

/* ---- What GnuTLS says ---- */

struct pair {
	struct tls_session *ends[2]; /* server, client */
	struct buf said[2];          /* in order: by whom, then how much, stands in turns */
	struct buf turns, keys;
};

static struct tls_keys *keys;

static int make_keys(void **state)
{
	struct buf cert = {0}, key = {0};
	char why[TLS_WHY];
	(void)state;
	assert_int_equal(tls_make_self_signed("mail.demo.test", time_now_ns(), &cert, &key), 0);
	int r = tls_keys_load(cert.data, cert.len, key.data, key.len, &keys, why);
	buf_free(&cert);
	buf_free(&key);
	return r;
}

static int free_keys(void **state)
{
	(void)state;
	tls_keys_unref(&keys);
	return 0;
}

static void note_key(void *user, const char *line, size_t len)
{
	buf_put(&((struct pair *)user)->keys, line, len);
}

static void converse(struct pair *p)
{
	for (bool more = true; more;) {
		more = false;
		for (unsigned side = 2; side-- > 0;) {
			struct buf *out = tls_output(p->ends[side]);
			if (!out->len)
				continue;
			more = true;
			buf_put(&p->said[side], out->data, out->len);
			buf_put_u8(&p->turns, (uint8_t)side);
			buf_put_u32(&p->turns, (uint32_t)out->len);
			assert_int_equal(tls_feed(p->ends[!side], out->data, out->len), 0);
			buf_consume(out, out->len);
		}
	}
}

struct kind {
	const char *priority, *server_priority; /* the latter NULL: the same */
	const char *version, *cipher;
	bool update; /* keys, in the middle */
	unsigned handshakes;
};

static void open_pair(struct pair *p, const struct kind *k, const gnutls_datum_t *resume)
{
	const struct tls_config client = {.role = TLS_CLIENT, .server_name = "mail.demo.test", .insecure = true};
	const struct tls_config server = {.role = TLS_SERVER, .keys = keys, .key_log = note_key, .user = p};
	*p = (struct pair){0};
	assert_int_equal(tls_new(&server, &p->ends[0]), 0);
	assert_int_equal(tls_new(&client, &p->ends[1]), 0);
	assert_int_equal(gnutls_priority_set_direct(p->ends[1]->gnutls, k->priority, NULL), 0);
	assert_int_equal(gnutls_priority_set_direct(p->ends[0]->gnutls,
	                                            k->server_priority ? k->server_priority : k->priority, NULL),
	                 0);
	if (resume)
		assert_int_equal(gnutls_session_set_data(p->ends[1]->gnutls, resume->data, resume->size), 0);
	assert_int_equal(tls_begin(p->ends[1]), 0);
	converse(p);
	assert_true(tls_ready(p->ends[0]) && tls_ready(p->ends[1]));
}

static void say(struct pair *p, unsigned side, size_t len)
{
	uint8_t *data = (uint8_t *)malloc(len);
	for (size_t i = 0; i < len; i++)
		data[i] = (uint8_t)(i * 7 + side);
	assert_int_equal(tls_send(p->ends[side], data, len), 0);
	free(data);
	converse(p);
}

static void close_pair(struct pair *p)
{
	tls_free(&p->ends[0]);
	tls_free(&p->ends[1]);
	buf_free(&p->said[0]);
	buf_free(&p->said[1]);
	buf_free(&p->turns);
	buf_free(&p->keys);
}

#define EACH 5
static const size_t sizes[EACH] = {1, 300, 40000, 16384, 17};

static void talk(struct pair *p, const struct kind *k, const gnutls_datum_t *resume)
{
	open_pair(p, k, resume);
	for (size_t i = 0; i < EACH; i++) {
		if (k->update && i % 2)
			assert_int_equal(gnutls_session_key_update(p->ends[i == 3]->gnutls, 0), 0);
		say(p, 1, sizes[i]);
		say(p, 0, sizes[EACH - 1 - i]);
	}
	tls_end(p->ends[1]);
	converse(p);
}

/* Feeds what was said; that part of one side's bytes is missing. */
static void watch(const struct pair *p, struct tls_log *log, size_t step, unsigned side, size_t gap, size_t gap_len,
                  struct seen *seen)
{
	const struct tls_observer_config config = {.log = log, .on_sight = on_sight, .user = seen};
	struct tls_observer *o = tls_observer_new(&config);
	struct cursor turns = cursor_of(p->turns.data, p->turns.len);
	size_t at[2] = {0, 0};
	uint8_t from;
	uint32_t len;
	while (cursor_u8(&turns, &from) == 0 && cursor_u32(&turns, &len) == 0) {
		size_t start = at[from], end = start + len;
		size_t cut = from == side && gap_len && gap >= start && gap < end ? gap : end;
		size_t on = cut == end ? end : cut + gap_len < end ? cut + gap_len : end;
		feed(o, from, p->said[from].data + start, cut - start, step);
		if (on > cut)
			tls_observe_gap(o, from, on - cut);
		feed(o, from, p->said[from].data + on, end - on, step);
		at[from] = end;
	}
	tls_observer_free(&o);
}

static void check_all(const struct seen *seen)
{
	for (unsigned side = 0; side < 2; side++) {
		size_t at = 0;
		assert_null(seen->sealed[side]);
		assert_int_equal(seen->text[side].len, 1 + 300 + 40000 + 16384 + 17);
		for (size_t i = 0; i < EACH; i++) {
			size_t n = sizes[side ? i : EACH - 1 - i];
			for (size_t b = 0; b < n; b++)
				assert_int_equal(seen->text[side].data[at + b], (uint8_t)(b * 7 + side));
			at += n;
		}
	}
	assert_true(seen->alerts >= 1);
	assert_int_equal(seen->damaged + seen->gaps, 0);
}

#define ONLY(v, c) "NORMAL:-VERS-ALL:+VERS-TLS1." v ":-CIPHER-ALL:+" c

static const struct kind kinds[] = {
        {ONLY("3", "AES-128-GCM"), NULL, "TLS 1.3", "AES-128-GCM", .update = true},
        {ONLY("3", "AES-256-GCM"), NULL, "TLS 1.3", "AES-256-GCM", .update = true},
        {ONLY("3", "CHACHA20-POLY1305"), NULL, "TLS 1.3", "CHACHA20-POLY1305", .update = true},
        {ONLY("3", "AES-128-CCM"), NULL, "TLS 1.3", "AES-128-CCM"},
        {ONLY("3", "AES-128-CCM-8"), NULL, "TLS 1.3", "AES-128-CCM-8"},
        /* The server's group is none of those that the client sent a share for: HelloRetryRequest. */
        {ONLY("3", "AES-128-GCM") ":-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP521R1",
         ONLY("3", "AES-128-GCM") ":-GROUP-ALL:+GROUP-SECP521R1", "TLS 1.3", "AES-128-GCM"},
        {ONLY("2", "AES-128-GCM"), NULL, "TLS 1.2", "AES-128-GCM"},
        {ONLY("2", "AES-256-GCM"), NULL, "TLS 1.2", "AES-256-GCM"},
        {ONLY("2", "AES-256-GCM") ":%NO_SESSION_HASH", NULL, "TLS 1.2", "AES-256-GCM"},
        {ONLY("2", "CHACHA20-POLY1305"), NULL, "TLS 1.2", "CHACHA20-POLY1305"},
        {ONLY("2", "AES-128-CCM"), NULL, "TLS 1.2", "AES-128-CCM"},
        {ONLY("2", "AES-256-CCM-8"), NULL, "TLS 1.2", "AES-256-CCM-8"},
        {ONLY("2", "AES-128-CBC"), NULL, "TLS 1.2", "AES-128-CBC"},
        {ONLY("2", "AES-256-CBC"), NULL, "TLS 1.2", "AES-256-CBC"},
        {ONLY("2", "AES-128-CBC") ":%NO_ETM", NULL, "TLS 1.2", "AES-128-CBC"},
        {ONLY("2", "AES-256-CBC") ":-MAC-ALL:+SHA384", NULL, "TLS 1.2", "AES-256-CBC"},
        {ONLY("2", "AES-128-CBC") ":-MAC-ALL:+SHA256:%NO_ETM", NULL, "TLS 1.2", "AES-128-CBC"},
        {ONLY("2", "3DES-CBC"), NULL, "TLS 1.2", "3DES-CBC"},
};

static void opens_each_cipher(void **state)
{
	static const size_t steps[] = {1, 1000, 1000000};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct pair p;
		struct tls_log *log = tls_log_new();
		talk(&p, &kinds[i], NULL);
		assert_true(tls_log_read(log, p.keys.data, p.keys.len) > 0);
		for (size_t s = 0; s < ARRAY_SIZE(steps); s++) {
			struct seen seen = {0};
			watch(&p, log, steps[s], 0, 0, 0, &seen);
			check_all(&seen);
			assert_int_equal(seen.hellos, i == 5 ? 2 : 2);
			clear(&seen);
		}
		tls_log_free(&log);
		close_pair(&p);
	}
}

/* Behind a hole what is whole is read again, and nothing that was not said. */
static void goes_on_behind_holes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct pair p;
		struct tls_log *log = tls_log_new();
		talk(&p, &kinds[i], NULL);
		tls_log_read(log, p.keys.data, p.keys.len);
		for (unsigned side = 0; side < 2; side++) {
			/* In the middle of the largest message, so that records before, in and after it are hit. */
			for (size_t gap = p.said[side].len / 3; gap < p.said[side].len - 100; gap += 9001) {
				struct seen seen = {0};
				watch(&p, log, 1448, side, gap, 1448, &seen);
				assert_null(seen.sealed[side]);
				assert_true(seen.gaps >= 1);
				assert_true(seen.text[side].len < 56702);
				assert_true(seen.text[side].len + 2 * 16384 + 1448 > 56702);
				assert_int_equal(seen.text[!side].len, 56702);
				/* What was said last came behind the hole, when it did. */
				if (gap + 1448 + 200 < p.said[side].len)
					assert_int_equal(seen.text[side].data[seen.text[side].len - 1],
					                 (uint8_t)((sizes[side ? EACH - 1 : 0] - 1) * 7 + side));
				clear(&seen);
			}
		}
		tls_log_free(&log);
		close_pair(&p);
	}
}

/* TLS 1.2: the session's secret, from the connection that made it; by ticket. */
static void opens_what_is_resumed(void **state)
{
	static const struct kind *const those[] = {&kinds[6], &kinds[12], &kinds[0]};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(those); i++) {
		struct tls_log *log = tls_log_new();
		struct seen seen = {0};
		struct pair p;
		gnutls_datum_t session = {0};
		talk(&p, those[i], NULL);
		tls_log_read(log, p.keys.data, p.keys.len);
		watch(&p, log, 1000, 0, 0, 0, &seen);
		check_all(&seen);
		clear(&seen);
		assert_int_equal(gnutls_session_get_data2(p.ends[1]->gnutls, &session), 0);
		close_pair(&p);
		talk(&p, those[i], &session);
		assert_int_not_equal(gnutls_session_is_resumed(p.ends[1]->gnutls), 0);
		/* TLS 1.3's own secrets are in the log; 1.2's second connection is not. */
		if (those[i] == &kinds[0])
			tls_log_read(log, p.keys.data, p.keys.len);
		watch(&p, log, 1000, 0, 0, 0, &seen);
		check_all(&seen);
		clear(&seen);
		close_pair(&p);
		gnutls_free(session.data);
		tls_log_free(&log);
	}
}

static void says_why_not(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct tls_log *log = tls_log_new();
		struct seen seen = {0};
		struct pair p;
		talk(&p, &kinds[i], NULL);
		watch(&p, NULL, 1000, 0, 0, 0, &seen);
		assert_non_null(strstr(seen.sealed[0], "no TLS key log was given"));
		clear(&seen);
		watch(&p, log, 1000, 0, 0, 0, &seen);
		assert_string_equal(seen.sealed[1], "no key for this connection is in the TLS key log");
		clear(&seen);
		/* Another secret under this connection's name. */
		for (char *at = (char *)p.keys.data;
		     (at = (char *)memchr(at, '\n', p.keys.len - (size_t)(at - (char *)p.keys.data))); at++)
			at[-1] = at[-1] == '0' ? '1' : '0';
		tls_log_read(log, p.keys.data, p.keys.len);
		watch(&p, log, 1000, 0, 0, 0, &seen);
		assert_string_equal(seen.sealed[0], "the secret in the TLS key log does not fit this connection");
		assert_int_equal(seen.text[0].len + seen.text[1].len, 0);
		clear(&seen);
		/* Joined midway. */
		watch(&p, log, 1000, 1, 0, 100, &seen);
		assert_non_null(strstr(seen.sealed[1], "the TLS handshake is not"));
		clear(&seen);
		tls_log_free(&log);
		close_pair(&p);
	}
}

/* One flipped bit: that record is told to be damaged, the others are read. */
static void tells_what_is_damaged(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct tls_log *log = tls_log_new();
		struct seen seen = {0};
		struct pair p;
		talk(&p, &kinds[i], NULL);
		tls_log_read(log, p.keys.data, p.keys.len);
		p.said[1].data[p.said[1].len / 2] ^= 4;
		watch(&p, log, 1000, 0, 0, 0, &seen);
		assert_int_equal(seen.damaged, 1);
		assert_int_equal(seen.gaps, 1);
		assert_null(seen.sealed[1]);
		assert_int_equal(seen.text[0].len, 56702);
		assert_true(seen.text[1].len >= 56702 - 16384 && seen.text[1].len < 56702);
		clear(&seen);
		tls_log_free(&log);
		close_pair(&p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(derives_keys),         cmocka_unit_test(derives_by_prf),
	        cmocka_unit_test(opens_the_rfc),        cmocka_unit_test(opens_each_cipher),
	        cmocka_unit_test(goes_on_behind_holes), cmocka_unit_test(opens_what_is_resumed),
	        cmocka_unit_test(says_why_not),         cmocka_unit_test(tells_what_is_damaged),
	};
	return cmocka_run_group_tests(tests, make_keys, free_keys);
}
