#include "base/time.h"
#include "client/private.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/*
 * getaddrinfo cannot be given a deadline, so a thread of its own asks; one that is late
 * is left behind and frees what it shares.
 */
struct lookup {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	atomic_int references;
	bool done;
	int result;
	struct addrinfo *found;
	char host[];
};

static void unref(struct lookup *l)
{
	if (atomic_fetch_sub(&l->references, 1) > 1)
		return;
	if (l->found)
		freeaddrinfo(l->found);
	pthread_mutex_destroy(&l->lock);
	pthread_cond_destroy(&l->changed);
	free(l);
}

static void *ask(void *arg)
{
	struct lookup *l = (struct lookup *)arg;
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
	struct addrinfo *found = NULL;
	int r = getaddrinfo(l->host, NULL, &hints, &found);
	pthread_mutex_lock(&l->lock);
	l->result = r;
	l->found = r == 0 ? found : NULL;
	l->done = true;
	pthread_cond_signal(&l->changed);
	pthread_mutex_unlock(&l->lock);
	unref(l);
	return NULL;
}

static struct lookup *lookup_new(const char *host)
{
	size_t size = strlen(host) + 1;
	struct lookup *l = (struct lookup *)calloc(1, sizeof *l + size);
	if (!l)
		return NULL;
	pthread_condattr_t attr;
	memcpy(l->host, host, size);
	atomic_init(&l->references, 2);
	pthread_mutex_init(&l->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&l->changed, &attr);
	pthread_condattr_destroy(&attr);
	return l;
}

static bool start(struct lookup *l)
{
	pthread_attr_t attr;
	pthread_t thread;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	bool ok = pthread_create(&thread, &attr, ask, l) == 0;
	pthread_attr_destroy(&attr);
	return ok;
}

static bool wait_for(struct lookup *l, int64_t deadline)
{
	struct timespec until = {.tv_sec = deadline / NS_PER_S, .tv_nsec = deadline % NS_PER_S};
	pthread_mutex_lock(&l->lock);
	while (!l->done && pthread_cond_timedwait(&l->changed, &l->lock, &until) != ETIMEDOUT)
		;
	bool done = l->done;
	pthread_mutex_unlock(&l->lock);
	return done;
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
	if (!l)
		return client_fail_inside(m, MW_E_NOMEM, m->host);
	if (!start(l)) {
		atomic_store(&l->references, 1); /* nobody else came to share it */
		unref(l);
		return client_fail_inside(m, MW_E_NOMEM, m->host);
	}
	if (wait_for(l, client_deadline(m)) && l->result == 0)
		keep_addresses(m, l->found);
	unref(l);
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
