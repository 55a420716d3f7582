#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "auth/ntlm_message.h"
#include "base/time.h"
#include "util.h"

/* Messages cut at every length, fields that lie, and what a peer may leave out. */

#define SIGNATURE "4e544c4d53535000"
#define PAIRS "02000c00 44006f006d00610069006e00 01000c00 530065007200760065007200 00000000"
#define NEGOTIATE SIGNATURE "01000000 978208e2 0400040028000000 030003002c000000 060100000000000f 444f4d4e 575331"
#define CHALLENGE                                                                                                      \
	SIGNATURE "02000000 0c000c0038000000 33828ae2 0123456789abcdef 0000000000000000 2400240044000000"              \
	          "060070170000000f 530065007200760065007200" PAIRS
#define AUTHENTICATE                                                                                                   \
	SIGNATURE "03000000 0000000058000000 0200020058000000 020002005a000000 020002005c000000 020002005e000000"      \
	          "1000100060000000 358288e2 0501280a0000000f 0102030405060708090a0b0c0d0e0f10"                        \
	          "1111 4400 5500 5700 202122232425262728292a2b2c2d2e2f"

static int parse_any(const uint8_t *data, size_t len)
{
	struct cursor in = cursor_of(data, len);
	struct ntlm_negotiate negotiate;
	struct ntlm_challenge challenge;
	struct ntlm_authenticate authenticate;
	enum ntlm_type type;
	int r = ntlm_message_type(in, &type);
	if (r < 0)
		return r;
	if (type == NTLM_NEGOTIATE)
		return ntlm_negotiate_parse(in, &negotiate);
	if (type == NTLM_CHALLENGE)
		return ntlm_challenge_parse(in, &challenge);
	return ntlm_authenticate_parse(in, &authenticate);
}

/* A copy of its own for each length, so that the sanitizer sees a read behind the end. */
static void cut_at_every_length(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		size_t also; /* a shorter form that is complete in itself */
	} messages[] = {
	        {NEGOTIATE, 16},
	        {CHALLENGE, 0},
	        {AUTHENTICATE, 0},
	};
	for (size_t i = 0; i < ARRAY_SIZE(messages); i++) {
		struct hex h = unhex(messages[i].text);
		assert_int_equal(parse_any(h.data, h.len), 0);
		for (size_t len = 0; len < h.len; len++) {
			uint8_t *cut = malloc(len + 1);
			assert_non_null(cut);
			memcpy(cut, h.data, len);
			int r = parse_any(cut, len);
			if (len == messages[i].also && len > 0)
				assert_int_equal(r, 0);
			else
				assert_true(r == MW_E_TRUNCATED || r == MW_E_MALFORMED);
			free(cut);
		}
	}
}

/* Every 16-bit and 32-bit place of the fixed part set to extremes: an error or fields inside, never a read outside. */
static void fields_that_lie(void **state)
{
	(void)state;
	static const char *const messages[] = {CHALLENGE, AUTHENTICATE};
	static const uint32_t values[] = {0, 1, 0x7f, 0xffff, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff};
	for (size_t i = 0; i < ARRAY_SIZE(messages); i++) {
		struct hex h = unhex(messages[i]);
		for (size_t at = 12; at + 4 <= h.len; at += 2)
			for (size_t v = 0; v < ARRAY_SIZE(values); v++) {
				uint8_t *copy = malloc(h.len);
				assert_non_null(copy);
				memcpy(copy, h.data, h.len);
				memcpy(copy + at, &values[v], 4);
				int r = parse_any(copy, h.len);
				assert_true(r == 0 || r == MW_E_TRUNCATED || r == MW_E_MALFORMED);
				free(copy);
			}
	}
}

static void authenticate_parts(void **state)
{
	(void)state;
	struct hex h = unhex(AUTHENTICATE);
	struct ntlm_authenticate m;
	assert_int_equal(ntlm_authenticate_parse(cursor_of(h.data, h.len), &m), 0);
	assert_true(m.has_mic_field);
	assert_hex(m.mic, sizeof m.mic, "0102030405060708090a0b0c0d0e0f10");
	assert_hex(m.version, sizeof m.version, "0501280a0000000f");
	assert_hex(m.nt_response.data, m.nt_response.len, "1111");
	assert_hex(m.session_key.data, m.session_key.len, "202122232425262728292a2b2c2d2e2f");
	assert_int_equal(m.lm_response.len, 0);
}

/* Clients of old: 64 bytes of header without version and MIC, or 52 without key and flags. */
static void old_headers(void **state)
{
	(void)state;
	static const char *const old[] = {
	        SIGNATURE "03000000 0000000040000000 0200020040000000 0200020042000000 0200020044000000"
	                  "0200020046000000 0000000048000000 05820000 1111 4400 5500 5700",
	        SIGNATURE "03000000 0000000034000000 0200020034000000 0200020036000000 0200020038000000"
	                  "020002003a000000 1111 4400 5500 5700",
	};
	for (size_t i = 0; i < ARRAY_SIZE(old); i++) {
		struct hex h = unhex(old[i]);
		struct ntlm_authenticate m;
		assert_int_equal(ntlm_authenticate_parse(cursor_of(h.data, h.len), &m), 0);
		assert_false(m.has_mic_field);
		assert_hex(m.user.data, m.user.len, "5500");
		assert_int_equal(m.flags, i == 0 ? 0x8205 : 0);
		assert_int_equal(m.session_key.len, 0);
	}
}

/* A payload field that lies inside the header would be read as two things at once. */
static void payload_in_header(void **state)
{
	(void)state;
	struct hex h = unhex(CHALLENGE);
	struct ntlm_challenge m;
	h.data[16] = 20;
	assert_int_equal(ntlm_challenge_parse(cursor_of(h.data, h.len), &m), MW_E_MALFORMED);
	h = unhex(AUTHENTICATE);
	struct ntlm_authenticate a;
	h.data[24] = 30;
	assert_int_equal(ntlm_authenticate_parse(cursor_of(h.data, h.len), &a), MW_E_MALFORMED);
}

static const struct {
	const char *text;
	int result;
} pairs[] = {
        {"", 0},
        {"00000000", 0},
        {PAIRS, 0},
        {"02000400 44004f00 00000000 ffff", 0},
        {"7777 0100 00 00000000", 0},
        {"02000400 44004f00", MW_E_MALFORMED},
        {"02000400 44004f00 00", MW_E_TRUNCATED},
        {"02000400 44004f00 0000 0000 0200", 0},
        {"02000500 44004f00", MW_E_TRUNCATED},
        {"0200ffff 44004f00 00000000", MW_E_TRUNCATED},
        {"02000200 4400 02000200 4500 00000000", MW_E_MALFORMED},
        {"06000300 020000 00000000", 0},
};

static void av_pairs(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		struct hex h = unhex(pairs[i].text);
		struct ntlm_av av;
		assert_int_equal(ntlm_av_parse(bytes_of(&h), &av), pairs[i].result);
	}
	struct hex h = unhex("06000400 03000000 00000000");
	struct ntlm_av av;
	assert_int_equal(ntlm_av_parse(bytes_of(&h), &av), 0);
	assert_int_equal(ntlm_av_flags(&av), 3);
	assert_null(av.value[MsvAvTimestamp].data);
	h = unhex("06000300 020000 00000000");
	assert_int_equal(ntlm_av_parse(bytes_of(&h), &av), 0);
	assert_int_equal(ntlm_av_flags(&av), 0);
}

#define PROOF "000102030405060708090a0b0c0d0e0f"
#define TEMP_HEAD "000000000000 1122334455667788 aaaaaaaaaaaaaaaa 00000000"

static void v2_responses(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int result;
	} cases[] = {
	        {PROOF "0101" TEMP_HEAD "00000000 00000000", 0},
	        {PROOF "0101" TEMP_HEAD PAIRS, 0},
	        {PROOF "0201" TEMP_HEAD PAIRS, MW_E_MALFORMED},
	        {PROOF "0102" TEMP_HEAD PAIRS, MW_E_MALFORMED},
	        {PROOF "0101" TEMP_HEAD "02000400 44004f00", MW_E_MALFORMED},
	        {PROOF "0101" TEMP_HEAD, MW_E_TRUNCATED},
	        {PROOF, MW_E_TRUNCATED},
	        {"", MW_E_TRUNCATED},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct hex h = unhex(cases[i].text);
		struct ntlm_v2_response m;
		assert_int_equal(ntlm_v2_response_parse(bytes_of(&h), &m), cases[i].result);
	}
}

/* A server of ours and a client of ours, fed with every cut of a good token: an error, and no more. */
static int no_account(void *user, const char *domain, const char *name, struct auth_account *out)
{
	(void)user, (void)domain, (void)name, (void)out;
	return MW_E_NOTFOUND;
}

static void contexts_and_cut_tokens(void **state)
{
	(void)state;
	struct test_random random = {7};
	struct random_source source = {test_fill, &random};
	struct auth_env env = {INT64_C(1795507200) * NS_PER_S, &source};
	struct auth_client_config client_config = {.domain = "D", .user = "u", .password = "p"};
	struct auth_server_config server_config = {.find_account = no_account};
	struct hex challenge = unhex(CHALLENGE);
	for (size_t len = 0; len < challenge.len; len++) {
		struct auth_context *client, *server;
		struct buf MW_CLEANUP(buf_free) out = {0};
		assert_int_equal(auth_client_new(AUTH_NTLM, AUTH_LEVEL_PRIVACY, &client_config, &client), 0);
		assert_int_equal(auth_server_new(AUTH_NTLM, AUTH_LEVEL_PRIVACY, &server_config, &server), 0);
		assert_int_equal(auth_step(client, &env, cursor_of("", 0), &out, NULL), MW_E_AGAIN);
		size_t full = out.len;
		assert_true(auth_step(client, &env, cursor_of(challenge.data, len), &out, NULL) < 0);
		assert_int_equal(out.len, full);
		if (len < full && len != 16) {
			assert_true(auth_step(server, &env, cursor_of(out.data, len), &out, NULL) < 0);
			assert_int_equal(out.len, full);
			assert_int_equal(auth_step(server, &env, cursor_of(out.data, full), &out, NULL), MW_E_STATE);
		}
		auth_free(&client);
		auth_free(&server);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(cut_at_every_length), cmocka_unit_test(fields_that_lie),
	        cmocka_unit_test(authenticate_parts),  cmocka_unit_test(old_headers),
	        cmocka_unit_test(payload_in_header),   cmocka_unit_test(av_pairs),
	        cmocka_unit_test(v2_responses),        cmocka_unit_test(contexts_and_cut_tokens),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
