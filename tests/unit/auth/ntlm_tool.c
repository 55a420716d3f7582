/*
 * NTLM on a pipe, for tests against other programs (tests/peers/test_ntlm.py).
 *
 *   ntlm_tool client|server|server-v1|observer LEVEL DOMAIN USER PASSWORD
 *
 * Reads lines and answers each with one:
 *   t SIDE TOKEN                   a token; the answer is the code and our token
 *   p PDU BODY BODY_LEN            protect; the answer is the code, the PDU and its signature
 *   v SIDE PDU BODY BODY_LEN SIG   verify; the answer is the code and the PDU
 *   k                              the code and the session key
 *   i                              key state, user, MIC present, MIC ok
 * SIDE is c or s; bytes are hex, "-" stands for none.
 */
#include "auth/auth.h"
#include "auth/ntlm_crypto.h"
#include "base/time.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const *account;

static int find_account(void *user, const char *domain, const char *name, struct auth_account *out)
{
	(void)user;
	if (strcmp(name, account[1]) != 0 || (*domain != '\0' && strcmp(domain, account[0]) != 0))
		return MW_E_NOTFOUND;
	out->id = 1;
	ntlm_nt_hash(account[2], out->nt_hash);
	return 0;
}

static struct buf unhex(const char *text)
{
	struct buf b = {0};
	unsigned byte;
	if (text == NULL)
		return b;
	for (; sscanf(text, "%2x", &byte) == 1; text += 2)
		buf_put_u8(&b, (uint8_t)byte);
	return b;
}

static void put_hex(const void *data, size_t n)
{
	printf(n > 0 ? " " : " -");
	for (size_t i = 0; i < n; i++)
		printf("%02x", ((const uint8_t *)data)[i]);
}

static enum auth_side side_of(const char *word)
{
	return word != NULL && *word == 's' ? AUTH_FROM_SERVER : AUTH_FROM_CLIENT;
}

static void do_token(struct auth_context *ctx, bool observes, char **rest)
{
	enum auth_side side = side_of(strtok_r(NULL, " \n", rest));
	struct buf in MW_CLEANUP(buf_free) = unhex(strtok_r(NULL, " \n", rest));
	struct buf out MW_CLEANUP(buf_free) = {0};
	struct auth_env env = {time_now_ns(), &random_system};
	uint32_t status = 0;
	struct cursor token = in.len > 0 ? cursor_of(in.data, in.len) : cursor_of("", 0);
	int r = 0;
	if (observes)
		auth_watch(ctx, side, token);
	else
		r = auth_step(ctx, &env, token, &out, &status);
	printf("%d", r);
	put_hex(out.data, out.len);
	printf(" %08x", status);
}

static size_t number(char **rest)
{
	const char *word = strtok_r(NULL, " \n", rest);
	return word != NULL ? strtoul(word, NULL, 10) : 0;
}

static void do_protect(struct auth_context *ctx, char **rest)
{
	struct buf pdu MW_CLEANUP(buf_free) = unhex(strtok_r(NULL, " \n", rest));
	size_t body = number(rest), body_len = number(rest);
	uint8_t signature[16] = {0};
	printf("%d", auth_protect(ctx, pdu.data, pdu.len, body, body_len, signature));
	put_hex(pdu.data, pdu.len);
	put_hex(signature, sizeof signature);
}

static void do_verify(struct auth_context *ctx, char **rest)
{
	enum auth_side side = side_of(strtok_r(NULL, " \n", rest));
	struct buf pdu MW_CLEANUP(buf_free) = unhex(strtok_r(NULL, " \n", rest));
	size_t body = number(rest), body_len = number(rest);
	struct buf signature MW_CLEANUP(buf_free) = unhex(strtok_r(NULL, " \n", rest));
	printf("%d", auth_check(ctx, side, pdu.data, pdu.len, body, body_len, signature.data, signature.len));
	put_hex(pdu.data, pdu.len);
}

static void do_line(struct auth_context *ctx, bool observes, char *line)
{
	char *rest;
	const char *verb = strtok_r(line, " \n", &rest);
	struct auth_info info;
	uint8_t key[16] = {0};
	if (verb == NULL)
		return;
	if (*verb == 't') {
		do_token(ctx, observes, &rest);
	} else if (*verb == 'p') {
		do_protect(ctx, &rest);
	} else if (*verb == 'v') {
		do_verify(ctx, &rest);
	} else if (*verb == 'k') {
		printf("%d", auth_session_key(ctx, key));
		put_hex(key, sizeof key);
	} else {
		auth_get_info(ctx, &info);
		printf("%d %s %d %d", info.key, info.user != NULL ? info.user : "-", info.mic_present, info.mic_ok);
	}
	printf("\n");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	enum auth_level level;
	struct auth_context *ctx = NULL;
	char *line = NULL;
	size_t room = 0;
	int r = MW_E_INVALID;
	if (argc != 6 || auth_level_parse(argv[2], &level) < 0)
		return 2;
	account = (const char *const *)argv + 3;
	struct auth_client_config client = {
	        .domain = argv[3], .user = argv[4], .password = argv[5], .workstation = "WS1", .target = "host/mail"};
	struct auth_server_config server = {.netbios_domain = argv[3],
	                                    .netbios_computer = "MAIL",
	                                    .dns_domain = "demo.test",
	                                    .dns_computer = "mail.demo.test",
	                                    .find_account = find_account,
	                                    .allow_ntlm_v1 = strcmp(argv[1], "server-v1") == 0};
	struct auth_secret secret = {
	        .kind = AUTH_SECRET_PASSWORD, .domain = argv[3], .user = argv[4], .password = argv[5]};
	struct auth_observer_config observer = {&secret, 1};
	if (argv[1][0] == 'c')
		r = auth_client_new(AUTH_NTLM, level, &client, &ctx);
	else if (argv[1][0] == 's')
		r = auth_server_new(AUTH_NTLM, level, &server, &ctx);
	else
		r = auth_observer_new(AUTH_NTLM, level, &observer, &ctx);
	if (r < 0)
		return 2;
	while (getline(&line, &room, stdin) > 0)
		do_line(ctx, argv[1][0] == 'o', line);
	free(line);
	auth_free(&ctx);
	return 0;
}
