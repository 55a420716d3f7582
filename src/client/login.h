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

#define CLIENT_BINDING_MAX 96 /* TLS_BINDING_MAX */

/* The security context of one connection and the first leg of its handshake. */
struct client_leg {
	struct client_login *login;
	enum auth_type type; /* the login's, but where a channel knows one only */
	char *target;        /* service principal name */
	struct auth_client_config config;
	enum auth_level level;
	uint8_t binding[CLIENT_BINDING_MAX]; /* of the channel that it is for; binding_len 0: none */
	size_t binding_len;
	struct auth_context *auth; /* until it is taken */
	struct buf token;
	int result; /* of auth_step */
	uint32_t status;
};
/* class: the service's, as in "exchangeMDB"; host NULL: the login's, or the service that it names. */
MW_NODISCARD int client_leg_new(struct client_login *login, const char *service_class, const char *host,
                                enum auth_level level, struct client_leg **out);
/* Makes the context and steps once: for Kerberos it waits for the KDC. */
void client_leg_run(void *leg);
/* The next one, with what the server said: sets token and result. */
void client_leg_step(struct client_leg *leg, struct cursor in);
void client_leg_drop(void *leg);

#endif
