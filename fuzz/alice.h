#ifndef MW_FUZZ_ALICE_H
#define MW_FUZZ_ALICE_H

#include "auth/auth.h"

#include <string.h>

/* The one user of a server that is fuzzed, DEMO\alice with the password "secret", and how she logs on. */
static inline int find_account(void *user, const char *domain, const char *name, struct auth_account *out)
{
	static const uint8_t hash[16] = {0x87, 0x8d, 0x80, 0x14, 0x60, 0x6c, 0xda, 0x29,
	                                 0x67, 0x7a, 0x44, 0xef, 0xa1, 0x35, 0x3f, 0xc7};
	(void)user, (void)domain;
	if (strcmp(name, "alice") != 0)
		return MW_E_NOTFOUND;
	out->id = 1;
	memcpy(out->nt_hash, hash, sizeof hash);
	return 0;
}

static const struct auth_client_config client_auth = {
        .domain = "DEMO", .user = "alice", .password = "secret", .workstation = "WS"};

#endif
