#include "client/private.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

/* getaddrinfo cannot be given a deadline: it is asked aside. */
struct lookup {
	int result;
	struct addrinfo *found;
	char host[];
};

static void ask(void *work)
{
	struct lookup *l = (struct lookup *)work;
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
	l->result = getaddrinfo(l->host, NULL, &hints, &l->found);
}

static void drop(void *work)
{
	struct lookup *l = (struct lookup *)work;
	if (l->result == 0 && l->found)
		freeaddrinfo(l->found);
	free(l);
}

static struct lookup *lookup_new(const char *host)
{
	size_t size = strlen(host) + 1;
	struct lookup *l = (struct lookup *)calloc(1, sizeof *l + size);
	if (l)
		memcpy(l->host, host, size);
	return l;
}

static void keep_addresses(struct mapiwire *m, const struct addrinfo *found)
{
	m->address = m->address_count = 0;
	for (const struct addrinfo *a = found; a && m->address_count < CLIENT_MAX_ADDRESSES; a = a->ai_next) {
		struct client_address *to = &m->addresses[m->address_count];
		if (a->ai_family != AF_INET && a->ai_family != AF_INET6)
			continue;
		memcpy(&to->at, a->ai_addr, a->ai_addrlen);
		to->len = a->ai_addrlen;
		m->address_count++;
	}
}

int client_find_host(struct mapiwire *m)
{
	if (m->address_count > 0)
		return 0;
	struct lookup *l = lookup_new(m->host);
	int r = l ? client_aside(m, ask, drop, l, client_deadline(m)) : MW_E_NOMEM;
	if (r < 0 && r != MW_E_TIMEOUT)
		return client_fail_wait(m, r, m->host);
	if (r == 0) {
		if (l->result == 0)
			keep_addresses(m, l->found);
		drop(l);
	}
	if (m->address_count == 0)
		return client_fail_on(m, MAPIWIRE_E_UNREACHABLE, CAUSE_NAME_NOT_FOUND, "%s", m->host);
	return 0;
}

static const char *address_text(struct mapiwire *m)
{
	const struct client_address *a = &m->addresses[m->address];
	if (getnameinfo((const struct sockaddr *)&a->at, a->len, m->address_text, sizeof m->address_text, NULL, 0,
	                NI_NUMERICHOST) != 0)
		m->address_text[0] = 0;
	return m->address_text;
}

int mapiwire_find_host(struct mapiwire *m, const char **address)
{
	client_no_error(m);
	int r = client_find_host(m);
	if (r == 0 && address)
		*address = address_text(m);
	return r;
}
