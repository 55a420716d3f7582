#ifndef MW_LENS_CONTEXT_PRIVATE_H
#define MW_LENS_CONTEXT_PRIVATE_H

#include "lens/lens-private.h"

/* Words for what goes on beside RPC: context.c takes them for connections, datagrams.c for UDP. */

#define NAME_MAX_SHOWN 255

enum { PORT_DNS = 53, PORT_KERBEROS = 88, PORT_LDAP = 389, PORT_CATALOG = 3268 };

static inline struct cursor lens_network(const uint8_t *data, size_t len)
{
	struct cursor c = cursor_of(data, len);
	c.big_endian = true;
	return c;
}

/* DER: what an element of that tag holds. */
bool lens_der_element(struct cursor *in, uint8_t *tag, struct cursor *value);
/* Each NULL when it is none of theirs. Messages without the length that TCP puts before them. */
const char *lens_kerberos_words(const uint8_t *data, size_t len);
/* *status: why it failed; untouched otherwise. */
const char *lens_kerberos_answer(struct arena *a, const uint8_t *data, size_t len, const char **status);
const char *lens_ldap_words(const uint8_t *data, size_t len);
const char *lens_dns_query(struct arena *a, const uint8_t *data, size_t len);

#endif
