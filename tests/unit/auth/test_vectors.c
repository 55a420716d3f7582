#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "auth/ntlm_message.h"
#include "auth/ntlm_seal.h"
#include "util.h"

/* The examples of MS-NLMP 4.2: user User, domain Domain, password Password. */

#define DOMAIN "44006f006d00610069006e00"
#define USER "5500730065007200"
#define COMPUTER "43004f004d0050005500540045005200"
#define SERVER "530065007200760065007200"
#define SERVER_CHALLENGE "0123456789abcdef"
#define CLIENT_CHALLENGE "aaaaaaaaaaaaaaaa"
#define RANDOM_KEY "55555555555555555555555555555555"
#define PLAINTEXT "50006c00610069006e007400650078007400"
#define NTOWF_V1 "a4f49c406510bdcab6824ee7c30fd852"
#define TARGET_INFO "02000c00" DOMAIN "01000c00" SERVER "00000000"
#define TEMP "0101000000000000 0000000000000000" CLIENT_CHALLENGE "00000000" TARGET_INFO "00000000"

#define CHALLENGE_V1                                                                                                   \
	"4e544c4d53535000 02000000 0c000c0038000000 338202e2" SERVER_CHALLENGE                                         \
	"0000000000000000 0000000000000000 060070170000000f" SERVER
#define AUTHENTICATE_V1                                                                                                \
	"4e544c4d53535000 03000000 180018006c000000 1800180084000000 0c000c0048000000 0800080054000000"                \
	"100010005c000000 100010009c000000 358280e2 0501280a0000000f" DOMAIN USER COMPUTER                             \
	"98def7b87f88aa5dafe2df779688a172def11c7d5ccdef13 67c43011f30298a2ad35ece64f16331c44bdbed927841f94"            \
	"518822b1b3f350c8958682ecbb3e3cb7"
#define CHALLENGE_ESS                                                                                                  \
	"4e544c4d53535000 02000000 0c000c0038000000 33820a82" SERVER_CHALLENGE                                         \
	"0000000000000000 0000000000000000 060070170000000f" SERVER
#define AUTHENTICATE_ESS                                                                                               \
	"4e544c4d53535000 03000000 180018006c000000 1800180084000000 0c000c0048000000 0800080054000000"                \
	"100010005c000000 000000009c000000 35820882 0501280a0000000f" DOMAIN USER COMPUTER                             \
	"aaaaaaaaaaaaaaaa00000000000000000000000000000000 7537f803ae367128ca458204bde7caf81e97ed2683267232"
#define CHALLENGE_V2                                                                                                   \
	"4e544c4d53535000 02000000 0c000c0038000000 33828ae2" SERVER_CHALLENGE                                         \
	"0000000000000000 2400240044000000 060070170000000f" SERVER TARGET_INFO
#define AUTHENTICATE_V2                                                                                                \
	"4e544c4d53535000 03000000 180018006c000000 5400540084000000 0c000c0048000000 0800080054000000"                \
	"100010005c000000 10001000d8000000 358288e2 0501280a0000000f" DOMAIN USER COMPUTER                             \
	"86c35097ac9cec102554764a57cccc19aaaaaaaaaaaaaaaa 68cd0ab851e51c96aabc927bebef6a1c" TEMP                       \
	"c5dad2544fc9799094ce1ce90bc9d03e"

static void ntlm_v1(void **state)
{
	(void)state;
	uint8_t hash[16], response[24], base_key[16], wrapped[16];
	struct hex challenge = unhex(SERVER_CHALLENGE), random = unhex(RANDOM_KEY);
	ntlm_nt_hash("Password", hash);
	assert_hex(hash, 16, NTOWF_V1);
	ntlm_desl(hash, challenge.data, response);
	assert_hex(response, 24, "67c43011f30298a2ad35ece64f16331c44bdbed927841f94");
	ntlm_v1_session_base_key(hash, base_key);
	assert_hex(base_key, 16, "d87262b0cde4b1cb7499becccdf10784");
	ntlm_rc4k(base_key, random.data, wrapped);
	assert_hex(wrapped, 16, "518822b1b3f350c8958682ecbb3e3cb7");
}

static void ntlm2_session(void **state)
{
	(void)state;
	uint8_t challenge[8], response[24], base_key[16], kxkey[16], key[16];
	struct hex hash = unhex(NTOWF_V1), server = unhex(SERVER_CHALLENGE), client = unhex(CLIENT_CHALLENGE);
	ntlm_v1_ess_challenge(server.data, client.data, challenge);
	ntlm_desl(hash.data, challenge, response);
	assert_hex(response, 24, "7537f803ae367128ca458204bde7caf81e97ed2683267232");
	ntlm_v1_session_base_key(hash.data, base_key);
	ntlm_v1_ess_kxkey(base_key, server.data, client.data, kxkey);
	assert_hex(kxkey, 16, "eb93429a8bd952f8b89c55b87f475edc");
	ntlm_seal_key(kxkey, NTLMSSP_NEGOTIATE_56, AUTH_FROM_CLIENT, key);
	assert_hex(key, 16, "04dd7f014d8504d265a25cc86a3a7c06");
	ntlm_sign_key(kxkey, AUTH_FROM_CLIENT, key);
	assert_hex(key, 16, "60e799be5c72fc92922ae8ebe961fb8d");
}

static void ntlm_v2(void **state)
{
	(void)state;
	uint8_t key[16], proof[16], base_key[16], wrapped[16], lm[16];
	struct hex hash = unhex(NTOWF_V1), user = unhex(USER), domain = unhex(DOMAIN), temp = unhex(TEMP);
	struct hex server = unhex(SERVER_CHALLENGE), client = unhex(CLIENT_CHALLENGE), random = unhex(RANDOM_KEY);
	ntlm_ntowfv2(hash.data, bytes_of(&user), bytes_of(&domain), key);
	assert_hex(key, 16, "0c868a403bfd7a93a3001ef22ef02e3f");
	ntlm_v2_proof(key, server.data, bytes_of(&temp), proof);
	assert_hex(proof, 16, "68cd0ab851e51c96aabc927bebef6a1c");
	ntlm_v2_proof(key, server.data, bytes_of(&client), lm);
	assert_hex(lm, 16, "86c35097ac9cec102554764a57cccc19");
	ntlm_v2_session_base_key(key, proof, base_key);
	assert_hex(base_key, 16, "8de40ccadbc14a82f15cb0ad0de95ca3");
	ntlm_rc4k(base_key, random.data, wrapped);
	assert_hex(wrapped, 16, "c5dad2544fc9799094ce1ce90bc9d03e");
	ntlm_seal_key(random.data, NTLMSSP_NEGOTIATE_128, AUTH_FROM_CLIENT, key);
	assert_hex(key, 16, "59f600973cc4960a25480a7c196e4c58");
	ntlm_sign_key(random.data, AUTH_FROM_CLIENT, key);
	assert_hex(key, 16, "4788dc861b4782f35d43fd98fe1a2d39");
}

/* GSS_WrapEx of 4.2.3.4 (no key exchange, 56 bit) and 4.2.4.4. */
static const struct {
	const char *exported_key;
	uint32_t flags;
	const char *data, *signature;
} wraps[] = {
        {"eb93429a8bd952f8b89c55b87f475edc", 0x820a8233, "a02372f6530273f3aa1eb90190ce5200c99d",
         "01000000 ff2aeb52f681793a 00000000"},
        {RANDOM_KEY, 0xe28a8233, "54e50165bf1936dc996020c1811b0f06fb5f", "01000000 7fb38ec5c55d4976 00000000"},
};

static void wrap(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wraps); i++) {
		struct hex key = unhex(wraps[i].exported_key), text = unhex(PLAINTEXT);
		struct ntlm_seal sender, receiver;
		uint8_t signature[16];
		ntlm_seal_init(&sender, key.data, wraps[i].flags, AUTH_FROM_CLIENT);
		ntlm_seal_init(&receiver, key.data, wraps[i].flags, AUTH_FROM_CLIENT);
		struct ntlm_pdu pdu = {text.data, text.len, 0, text.len, true};
		ntlm_seal_protect(&sender, &pdu, signature);
		assert_hex(text.data, text.len, wraps[i].data);
		assert_hex(signature, sizeof signature, wraps[i].signature);
		assert_int_equal(ntlm_seal_check(&receiver, &pdu, signature), 0);
		assert_hex(text.data, text.len, PLAINTEXT);
	}
}

/* 40 bits are what is left when neither 56 nor 128 is negotiated: other bytes of the key do not count. */
static void seal_key_strength(void **state)
{
	(void)state;
	static const struct {
		uint32_t flags;
		size_t used;
	} cases[] = {{0, 5}, {NTLMSSP_NEGOTIATE_56, 7}, {NTLMSSP_NEGOTIATE_128 | NTLMSSP_NEGOTIATE_56, 16}};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		for (size_t at = 0; at < 16; at++) {
			struct hex key = unhex(RANDOM_KEY);
			uint8_t before[16], after[16];
			ntlm_seal_key(key.data, cases[i].flags, AUTH_FROM_SERVER, before);
			key.data[at] ^= 1;
			ntlm_seal_key(key.data, cases[i].flags, AUTH_FROM_SERVER, after);
			assert_int_equal(memcmp(before, after, 16) != 0, at < cases[i].used);
		}
}

static void challenge_round_trip(void **state)
{
	(void)state;
	static const char *const messages[] = {CHALLENGE_V1, CHALLENGE_ESS, CHALLENGE_V2};
	for (size_t i = 0; i < ARRAY_SIZE(messages); i++) {
		struct hex h = unhex(messages[i]);
		struct buf MW_CLEANUP(buf_free) out = {0};
		struct ntlm_challenge m;
		assert_int_equal(ntlm_challenge_parse(cursor_of(h.data, h.len), &m), 0);
		assert_hex(m.server_challenge, 8, SERVER_CHALLENGE);
		assert_hex(m.target_name.data, m.target_name.len, SERVER);
		assert_int_equal(ntlm_challenge_build(&m, &out), 0);
		assert_hex(out.data, out.len, messages[i]);
	}
}

static void authenticate_round_trip(void **state)
{
	(void)state;
	static const char *const messages[] = {AUTHENTICATE_V1, AUTHENTICATE_ESS, AUTHENTICATE_V2};
	for (size_t i = 0; i < ARRAY_SIZE(messages); i++) {
		struct hex h = unhex(messages[i]);
		struct buf MW_CLEANUP(buf_free) out = {0};
		struct ntlm_authenticate m;
		assert_int_equal(ntlm_authenticate_parse(cursor_of(h.data, h.len), &m), 0);
		assert_false(m.has_mic_field);
		assert_hex(m.user.data, m.user.len, USER);
		assert_hex(m.workstation.data, m.workstation.len, COMPUTER);
		assert_int_equal(ntlm_authenticate_build(&m, &out), 0);
		assert_hex(out.data, out.len, messages[i]);
	}
}

/* The observer opens the example handshakes with the password, the hash, and not with another. */
static const struct {
	const char *challenge, *authenticate;
	struct auth_secret secret;
	enum auth_key_state key;
	const char *session_key;
} opens[] = {
        {CHALLENGE_V2,
         AUTHENTICATE_V2,
         {.kind = AUTH_SECRET_PASSWORD, .domain = "DOMAIN", .user = "user", .password = "Password"},
         AUTH_KEY_FITS,
         RANDOM_KEY},
        {CHALLENGE_V2,
         AUTHENTICATE_V2,
         {.kind = AUTH_SECRET_PASSWORD, .domain = "", .user = "User", .password = "Password"},
         AUTH_KEY_FITS,
         RANDOM_KEY},
        {CHALLENGE_V2,
         AUTHENTICATE_V2,
         {.kind = AUTH_SECRET_PASSWORD, .domain = "Domain", .user = "User", .password = "password"},
         AUTH_KEY_WRONG_PROOF,
         NULL},
        {CHALLENGE_V2,
         AUTHENTICATE_V2,
         {.kind = AUTH_SECRET_PASSWORD, .domain = "Domain", .user = "User", .password = ""},
         AUTH_KEY_WRONG_PROOF,
         NULL},
        {CHALLENGE_V2,
         AUTHENTICATE_V2,
         {.kind = AUTH_SECRET_PASSWORD, .domain = "Other", .user = "User", .password = "Password"},
         AUTH_KEY_NO_SUCH_USER,
         NULL},
        {CHALLENGE_ESS,
         AUTHENTICATE_ESS,
         {.kind = AUTH_SECRET_PASSWORD, .domain = "Domain", .user = "User", .password = "Password"},
         AUTH_KEY_FITS,
         "eb93429a8bd952f8b89c55b87f475edc"},
        {CHALLENGE_ESS,
         AUTHENTICATE_ESS,
         {.kind = AUTH_SECRET_PASSWORD, .domain = "Domain", .user = "User", .password = "Passwort"},
         AUTH_KEY_WRONG_PROOF,
         NULL},
        {CHALLENGE_V1,
         AUTHENTICATE_V1,
         {.kind = AUTH_SECRET_PASSWORD, .domain = "Domain", .user = "User", .password = "Password"},
         AUTH_KEY_UNSUPPORTED,
         NULL},
};

static void observe(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(opens); i++) {
		struct hex challenge = unhex(opens[i].challenge), authenticate = unhex(opens[i].authenticate);
		struct auth_observer_config config = {&opens[i].secret, 1};
		struct auth_context *ctx;
		struct auth_info info;
		uint8_t key[16];
		assert_int_equal(auth_observer_new(AUTH_NTLM, AUTH_LEVEL_PRIVACY, &config, &ctx), 0);
		auth_watch(ctx, AUTH_FROM_SERVER, cursor_of(challenge.data, challenge.len));
		auth_watch(ctx, AUTH_FROM_CLIENT, cursor_of(authenticate.data, authenticate.len));
		auth_get_info(ctx, &info);
		assert_int_equal(info.key, opens[i].key);
		assert_true(info.complete);
		assert_string_equal(info.user, "User");
		assert_string_equal(info.domain, "Domain");
		assert_string_equal(info.workstation, "COMPUTER");
		assert_string_equal(info.target_name, "Server");
		assert_int_equal(auth_session_key(ctx, key), opens[i].session_key != NULL ? 0 : MW_E_STATE);
		if (opens[i].session_key != NULL)
			assert_hex(key, 16, opens[i].session_key);
		auth_free(&ctx);
		assert_null(ctx);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(ntlm_v1),
	        cmocka_unit_test(ntlm2_session),
	        cmocka_unit_test(ntlm_v2),
	        cmocka_unit_test(wrap),
	        cmocka_unit_test(seal_key_strength),
	        cmocka_unit_test(challenge_round_trip),
	        cmocka_unit_test(authenticate_round_trip),
	        cmocka_unit_test(observe),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
