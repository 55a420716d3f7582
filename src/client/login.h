#ifndef MW_CLIENT_LOGIN_H
#define MW_CLIENT_LOGIN_H

#include "auth/auth.h"
#include "base/buf.h"
#include "mapiwire.h"

#include <stdatomic.h>

/*
 * Who logs on and how: texts that never change, held by the client, by each of its
 * connections, and by a thread that asks a KDC and may outlive both.
 */
struct client_login {
	atomic_int references;
	enum auth_type type;
	char *domain, *user, *password; /* password NULL: tickets */
	char *workstation, *ccache, *realm;
	char *service; /* of all connections; NULL: by interface, on host */
	char *host;
};
/* NULL: out of memory. */
struct client_login *client_login_new(const struct mapiwire_options *o);
/* The same user for another host. NULL: out of memory. */
struct client_login *client_login_for(const struct client_login *l, const char *host);
struct client_login *client_login_ref(struct client_login *l);
/* Wipes the password with the last reference. */
void client_login_unref(struct client_login **l);

/* The security context of one connection and the first leg of its handshake. */
struct client_leg {
	struct client_login *login;
	char *target; /* service principal name */
	struct auth_client_config config;
	enum auth_level level;
	struct auth_context *auth; /* until it is taken */
	struct buf token;
	int result; /* of auth_step */
	uint32_t status;
};
/* class: the service's, as in "exchangeMDB". */
MW_NODISCARD int client_leg_new(struct client_login *login, const char *service_class, enum auth_level level,
                                struct client_leg **out);
/* Makes the context and steps once: for Kerberos it waits for the KDC. */
void client_leg_run(void *leg);
void client_leg_drop(void *leg);

#endif
