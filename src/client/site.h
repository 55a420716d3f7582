#ifndef MW_CLIENT_SITE_H
#define MW_CLIENT_SITE_H

#include "mapiwire.h"
#include "tls/tls.h"

/*
 * The web server that a client's HTTP goes to: its names, how its certificate is judged, how one logs on there. Made
 * of struct mapiwire_web; NULL in a client of RPC over TCP.
 */
struct client_site {
	char *host; /* that is looked up and connected to */
	uint16_t port;
	char *authority; /* of Host: host, and the port where it is not the scheme's own */
	char *name;      /* that the certificate must prove */
	bool tls, insecure;
	struct tls_roots *roots; /* NULL: insecure, or no TLS */
	int key_log;             /* descriptor; -1: none */
	enum mapiwire_web_auth wanted;
	/* What the server took last, so that the next connection begins with it; DEFAULT: not known, NONE: it asks
	 * nobody. */
	enum mapiwire_web_auth known;
	uint32_t lifetime;   /* of IN channels, in bytes */
	bool each;           /* a ticket holds for one request there, not for the connection */
	char *path;          /* as in the options; or NULL; so are: */
	char *mapi_paths[2]; /* by enum client_endpoint */
};

/* 0 or a MAPIWIRE_E_*: _FILE with errno for the CA file and the key log. *out NULL for a transport without HTTP. */
MW_NODISCARD int client_site_new(const struct mapiwire_options *o, struct client_site **out);
/* The same for another host; NULL host: the same. */
MW_NODISCARD int client_site_for(const struct client_site *s, const char *host, struct client_site **out);
void client_site_free(struct client_site **s);

#endif
