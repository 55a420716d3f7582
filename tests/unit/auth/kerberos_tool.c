/*
 * Our Kerberos client against our server in memory with an observer beside them, for tests that have a KDC
 * (tests/peers/test_kerberos.py):
 *
 *   kerberos_tool kerberos|spnego LEVEL header|body|tokens KEYTAB TARGET USER REALM PASSWORD
 *
 * PASSWORD "-" takes tickets from the default cache. Prints "ok USER REALM MECHANISM SIGNATURE-SIZE"
 * or "refused SIDE CODE STATUS", with tokens "hostile ok"; exit code 1 for anything else that goes wrong.
 */
#include "auth/auth.h"
#include "auth/auth_keytab.h"
#include "auth/ntlm_crypto.h"
#include "base/time.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PDU_SIZE 136
#define BODY 24
#define BODY_SIZE 96

static void check(bool condition, const char *what)
{
	if (condition)
		return;
	printf("broken: %s\n", what);
	exit(1);
}

static int find_account(void *user, const char *domain, const char *name, struct auth_account *out)
{
	(void)user;
	if (strcmp(name, "locked") == 0)
		return MW_E_AUTH;
	if (strcmp(domain, "DEMO.TEST") != 0 || strcmp(name, "alice") != 0)
		return MW_E_NOTFOUND;
	out->id = 42;
	ntlm_nt_hash("Wonderland-1", out->nt_hash);
	return 0;
}

struct pair {
	struct auth_context *client, *server, *observer;
};

/* Any byte of the PDU that a signature covers, and of the signature, must matter. */
static void exchange(struct pair *p, enum auth_side from, unsigned number)
{
	struct auth_context *sender = from == AUTH_FROM_CLIENT ? p->client : p->server;
	struct auth_context *receiver = from == AUTH_FROM_CLIENT ? p->server : p->client;
	struct auth_info info;
	uint8_t plain[PDU_SIZE], sent[PDU_SIZE], signature[256] = {0};
	size_t size = auth_signature_size(sender);
	check(size <= sizeof signature, "signature size");
	for (size_t i = 0; i < PDU_SIZE; i++)
		plain[i] = (uint8_t)(number * 31 + i);
	memcpy(sent, plain, PDU_SIZE);
	check(auth_protect(sender, sent, PDU_SIZE, BODY, BODY_SIZE, signature) == 0, "protect");
	auth_get_info(sender, &info);
	check((memcmp(sent + BODY, plain + BODY, BODY_SIZE) != 0) == (info.level == AUTH_LEVEL_PRIVACY), "sealing");
	check(memcmp(sent, plain, BODY) == 0, "the header stays");
	uint8_t seen[PDU_SIZE];
	memcpy(seen, sent, PDU_SIZE);
	check(auth_check(receiver, from, sent, PDU_SIZE, BODY, BODY_SIZE, signature, size) == 0, "check");
	check(auth_check(p->observer, from, seen, PDU_SIZE, BODY, BODY_SIZE, signature, size) == 0, "observer");
	check(memcmp(seen, plain, PDU_SIZE) == 0, "what the observer sees");
	seen[BODY] ^= 1;
	if (info.level > AUTH_LEVEL_CONNECT && info.mechanism == AUTH_KERBEROS)
		check(auth_check(p->observer, from, seen, PDU_SIZE, BODY, BODY_SIZE, signature, size) == MW_E_AUTH,
		      "observer");
	check(memcmp(sent, plain, PDU_SIZE) == 0, "the plain text");
}

/* The last thing that is done with a pair: a changed PDU, then one that comes twice. */
static void tamper(struct pair *p, size_t at, bool header)
{
	uint8_t pdu[PDU_SIZE] = {0}, copy[PDU_SIZE], signature[256] = {0};
	size_t size = auth_signature_size(p->client);
	bool covered = header || (at >= BODY && at < BODY + BODY_SIZE);
	check(auth_protect(p->client, pdu, PDU_SIZE, BODY, BODY_SIZE, signature) == 0, "protect");
	memcpy(copy, pdu, PDU_SIZE);
	copy[at] ^= 0x40;
	int r = auth_check(p->server, AUTH_FROM_CLIENT, copy, PDU_SIZE, BODY, BODY_SIZE, signature, size);
	check(r == (covered ? MW_E_AUTH : 0), "a changed byte");
	check(auth_protect(p->client, pdu, PDU_SIZE, BODY, BODY_SIZE, signature) == 0, "protect");
	memcpy(copy, pdu, PDU_SIZE);
	(void)!auth_check(p->server, AUTH_FROM_CLIENT, copy, PDU_SIZE, BODY, BODY_SIZE, signature, size);
	memcpy(copy, pdu, PDU_SIZE);
	r = auth_check(p->server, AUTH_FROM_CLIENT, copy, PDU_SIZE, BODY, BODY_SIZE, signature, size);
	check(r == MW_E_AUTH, "a repeated PDU");
	signature[size - 1] ^= 1;
	r = auth_check(p->server, AUTH_FROM_CLIENT, pdu, PDU_SIZE, BODY, BODY_SIZE, signature, size);
	check(r == MW_E_AUTH, "a changed signature");
	r = auth_check(p->server, AUTH_FROM_CLIENT, pdu, PDU_SIZE, BODY, BODY_SIZE, signature, size / 2);
	check(r == MW_E_AUTH, "a short signature");
}

static int shake(struct pair *p)
{
	struct auth_env env = {time_now_ns(), &random_system};
	struct buf tokens[2] = {{0}, {0}};
	uint32_t status = 0;
	int r[2] = {MW_E_AGAIN, MW_E_AGAIN};
	for (int side = 0; (r[0] == MW_E_AGAIN || r[1] == MW_E_AGAIN) && r[0] != MW_E_AUTH; side = !side) {
		struct cursor in = cursor_of(tokens[!side].data, tokens[!side].len);
		buf_clear(&tokens[side]);
		if (r[side] == 0)
			break;
		r[side] = auth_step(side == 0 ? p->client : p->server, &env, in, &tokens[side], &status);
		auth_watch(p->observer, side == 0 ? AUTH_FROM_CLIENT : AUTH_FROM_SERVER,
		           cursor_of(tokens[side].data, tokens[side].len));
		if (r[side] < 0 && r[side] != MW_E_AGAIN) {
			printf("refused %s %d %08x\n", side == 0 ? "client" : "server", r[side], status);
			r[0] = MW_E_AUTH;
		}
	}
	buf_free(&tokens[0]);
	buf_free(&tokens[1]);
	return r[0] == 0 && r[1] == 0 ? 0 : MW_E_AUTH;
}

/* A client's first token that is cut or has a changed byte: the server refuses, the observer lives. */
static void hostile(enum auth_type type, const struct auth_client_config *client,
                    const struct auth_server_config *server, const struct auth_observer_config *observer)
{
	struct auth_env env = {time_now_ns(), &random_system};
	struct auth_context *from, *to, *beside;
	struct buf token = {0}, reply = {0};
	struct auth_info info;
	check(auth_client_new(type, AUTH_LEVEL_PRIVACY, client, &from) == 0, "a client");
	check(auth_step(from, &env, cursor_of(NULL, 0), &token, NULL) == MW_E_AGAIN, "a first token");
	auth_free(&from);
	for (size_t n = 0; n < 2 * token.len; n++) {
		size_t len = n < token.len ? n : token.len;
		uint8_t *copy = malloc(len + 1);
		memcpy(copy, token.data, len);
		if (n >= token.len)
			copy[n - token.len] ^= 0x21;
		check(auth_server_new(type, AUTH_LEVEL_PRIVACY, server, &to) == 0, "a server");
		check(auth_observer_new(type, AUTH_LEVEL_PRIVACY, observer, &beside) == 0, "an observer");
		int r = auth_step(to, &env, cursor_of(copy, len), &reply, NULL);
		check(n >= token.len || (r < 0 && r != MW_E_AGAIN && reply.len == 0), "a cut token");
		auth_watch(beside, AUTH_FROM_CLIENT, cursor_of(copy, len));
		auth_watch(beside, AUTH_FROM_SERVER, cursor_of(copy, len));
		auth_get_info(beside, &info);
		check(info.key != AUTH_KEY_FITS, "no key from half a handshake");
		auth_free(&to);
		auth_free(&beside);
		free(copy);
	}
	buf_free(&token);
	buf_free(&reply);
	printf("hostile ok\n");
}

static void talk(struct pair *p, enum auth_level level, bool header)
{
	uint8_t keys[2][16];
	auth_sign_header(p->client, header);
	auth_sign_header(p->server, header);
	auth_sign_header(p->observer, header);
	for (unsigned i = 0; i < 5; i++) {
		exchange(p, AUTH_FROM_CLIENT, i);
		exchange(p, AUTH_FROM_SERVER, i + 77);
	}
	check(auth_session_key(p->client, keys[0]) == 0 && auth_session_key(p->server, keys[1]) == 0 &&
	              memcmp(keys[0], keys[1], 16) == 0,
	      "session keys");
	struct auth_info info;
	auth_get_info(p->server, &info);
	check(info.account_id == 42 && info.complete, "the account");
	printf("ok %s %s %s %zu\n", info.user, info.domain, auth_type_name(info.mechanism),
	       auth_signature_size(p->server));
	if (level >= AUTH_LEVEL_CALL)
		tamper(p, header ? 3 : BODY + 3, header);
}

int main(int argc, char **argv)
{
	enum auth_level level;
	struct auth_keytab *keytab = NULL;
	struct pair p = {0};
	char why[AUTH_KEYTAB_WHY];
	if (argc != 9 || auth_level_parse(argv[2], &level) < 0)
		return 2;
	enum auth_type type = argv[1][0] == 'k' ? AUTH_KERBEROS : AUTH_SPNEGO;
	const char *password = strcmp(argv[8], "-") == 0 ? NULL : argv[8];
	struct auth_client_config client = {.user = argv[6],
	                                    .domain = "DEMO.TEST",
	                                    .realm = argv[7],
	                                    .password = password,
	                                    .target = argv[5],
	                                    .kerberos = true};
	struct auth_server_config server = {
	        .netbios_domain = "DEMO", .netbios_computer = "MAIL", .find_account = find_account};
	if (strcmp(argv[4], "-") != 0 && auth_keytab_open(argv[4], &keytab, why) < 0) {
		printf("keytab: %s\n", why);
		return 1;
	}
	server.keytab = keytab;
	check(auth_client_new(type, level, &client, &p.client) == 0, "a client");
	const struct auth_secret secret = {
	        .kind = AUTH_SECRET_PASSWORD, .domain = "", .user = argv[6], .password = argv[8]};
	const struct auth_observer_config observer = {&secret, 1, keytab};
	check(auth_observer_new(type, level, &observer, &p.observer) == 0, "an observer");
	check(auth_server_new(type, level, &server, &p.server) == 0, "a server");
	if (argv[3][0] == 't')
		hostile(type, &client, &server, &observer);
	else if (shake(&p) == 0)
		talk(&p, level, argv[3][0] == 'h');
	auth_free(&p.client);
	auth_free(&p.server);
	auth_free(&p.observer);
	auth_keytab_free(&keytab);
	return 0;
}
