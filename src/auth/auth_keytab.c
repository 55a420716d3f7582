#include "auth/auth_keytab.h"

#include "auth/kerberos.h"
#include "auth/keytab_file.h"
#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int explain(krb5_context krb5, krb5_error_code code, char why[AUTH_KEYTAB_WHY])
{
	const char *text = krb5_get_error_message(krb5, code);
	snprintf(why, AUTH_KEYTAB_WHY, "%s", text);
	krb5_free_error_message(krb5, text);
	return MW_E_IO;
}

/*
 * No replay cache: a replayed AP-REQ gets an AP-REP that only the ticket's owner
 * can answer with the third leg, which kerberos_finish demands (DCE style).
 */
static int acquire(struct keytab_keys *k, char why[AUTH_KEYTAB_WHY])
{
	gss_key_value_element_desc elements[] = {{"keytab", k->name}, {"rcache", "none:"}};
	gss_key_value_set_desc store = {ARRAY_SIZE(elements), elements};
	gss_OID_set_desc mechs = {1, (gss_OID)gss_mech_krb5};
	OM_uint32 minor;
	OM_uint32 major = gss_acquire_cred_from(&minor, GSS_C_NO_NAME, GSS_C_INDEFINITE, &mechs, GSS_C_ACCEPT, &store,
	                                        &k->acceptor, NULL, NULL);
	return GSS_ERROR(major) ? explain(k->krb5, (krb5_error_code)minor, why) : 0;
}

static int read_keys(struct keytab_keys *k, const void *bytes, size_t size, char why[AUTH_KEYTAB_WHY])
{
	unsigned count = 0;
	int r = keytab_file_read(k->krb5, cursor_of(bytes, size), k->keys, &count);
	if (r == 0 && count > 0)
		return 0;
	if (r == 0)
		r = MW_E_NOTFOUND;
	const char *what = r == MW_E_NOTFOUND      ? "it holds no key"
	                   : r == MW_E_UNSUPPORTED ? "it is no keytab of version 5.2"
	                   : r == MW_E_MALFORMED   ? "it is damaged"
	                                           : "out of memory";
	snprintf(why, AUTH_KEYTAB_WHY, "%s", what);
	return r == MW_E_NOTFOUND || r == MW_E_NOMEM ? r : MW_E_IO;
}

/* What a client that asks for our principal is told; "" where the name does not fit. */
static void note_principal(struct keytab_keys *k, krb5_const_principal principal)
{
	char *name = NULL;
	k->first[0] = '\0';
	if (krb5_unparse_name(k->krb5, principal, &name) == 0 && strlen(name) < sizeof k->first)
		memcpy(k->first, name, strlen(name) + 1);
	krb5_free_unparsed_name(k->krb5, name);
}

/* A keytab in memory is read from its end: the last that comes is the file's first. */
static void note_first(struct keytab_keys *k)
{
	krb5_kt_cursor at;
	krb5_keytab_entry entry;
	if (krb5_kt_start_seq_get(k->krb5, k->keys, &at) != 0)
		return;
	while (krb5_kt_next_entry(k->krb5, k->keys, &entry, &at) == 0) {
		note_principal(k, entry.principal);
		krb5_free_keytab_entry_contents(k->krb5, &entry);
	}
	krb5_kt_end_seq_get(k->krb5, k->keys, &at);
}

static void keys_unref(struct keytab_keys *k)
{
	OM_uint32 minor;
	if (k == NULL || atomic_fetch_sub(&k->refs, 1) > 1)
		return;
	gss_release_cred(&minor, &k->acceptor);
	if (k->keys != NULL)
		krb5_kt_close(k->krb5, k->keys);
	krb5_free_context(k->krb5);
	free(k);
}

static int keys_new(const void *bytes, size_t size, struct keytab_keys **out, char why[AUTH_KEYTAB_WHY])
{
	struct keytab_keys *k = calloc(1, sizeof *k);
	*why = '\0';
	if (k == NULL)
		return MW_E_NOMEM;
	k->refs = 1;
	if (krb5_init_context(&k->krb5) != 0) {
		snprintf(why, AUTH_KEYTAB_WHY, "the Kerberos library cannot read its configuration, krb5.conf");
		free(k);
		return MW_E_IO;
	}
	snprintf(k->name, sizeof k->name, "MEMORY:mapiwire-%p", (void *)k);
	krb5_error_code code = krb5_kt_resolve(k->krb5, k->name, &k->keys);
	int r = code != 0 ? explain(k->krb5, code, why) : read_keys(k, bytes, size, why);
	if (r == 0)
		note_first(k);
	if (r == 0)
		r = acquire(k, why);
	if (r < 0) {
		keys_unref(k);
		return r;
	}
	*out = k;
	return 0;
}

struct keytab_keys *kerberos_keys_hold(const struct auth_keytab *keytab)
{
	pthread_mutex_t *lock = (pthread_mutex_t *)&keytab->lock; /* the keytab is the same for who only reads it */
	pthread_mutex_lock(lock);
	struct keytab_keys *k = keytab->keys;
	atomic_fetch_add(&k->refs, 1);
	pthread_mutex_unlock(lock);
	return k;
}

void kerberos_keys_release(struct keytab_keys *keys)
{
	keys_unref(keys);
}

void auth_keytab_principal(const struct auth_keytab *keytab, char out[AUTH_KEYTAB_NAME])
{
	struct keytab_keys *k = kerberos_keys_hold(keytab);
	memcpy(out, k->first, AUTH_KEYTAB_NAME);
	keys_unref(k);
}

int auth_keytab_from(const void *bytes, size_t size, struct auth_keytab **out, char why[AUTH_KEYTAB_WHY])
{
	struct auth_keytab *k = calloc(1, sizeof *k);
	*why = '\0';
	if (k == NULL || pthread_mutex_init(&k->lock, NULL) != 0) {
		free(k);
		return MW_E_NOMEM;
	}
	int r = keys_new(bytes, size, &k->keys, why);
	if (r < 0)
		auth_keytab_free(&k);
	else
		*out = k;
	return r;
}

int auth_keytab_replace(struct auth_keytab *keytab, const void *bytes, size_t size, char why[AUTH_KEYTAB_WHY])
{
	struct keytab_keys *fresh, *old;
	int r = keys_new(bytes, size, &fresh, why);
	if (r < 0)
		return r;
	pthread_mutex_lock(&keytab->lock);
	old = keytab->keys;
	keytab->keys = fresh;
	pthread_mutex_unlock(&keytab->lock);
	keys_unref(old);
	return 0;
}

/* The bytes of a file; at most one more than AUTH_KEYTAB_MAX. */
static ssize_t read_all(int fd, uint8_t *bytes)
{
	size_t size = 0;
	ssize_t n = 1;
	while (n > 0 && size <= AUTH_KEYTAB_MAX) {
		n = read(fd, bytes + size, AUTH_KEYTAB_MAX + 1 - size);
		if (n < 0 && errno == EINTR)
			n = 1;
		else
			size += n > 0 ? (size_t)n : 0;
	}
	return n < 0 ? -1 : (ssize_t)size;
}

int auth_keytab_open(const char *path, struct auth_keytab **out, char why[AUTH_KEYTAB_WHY])
{
	uint8_t *bytes = malloc(AUTH_KEYTAB_MAX + 1);
	int fd = bytes != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	ssize_t size = fd >= 0 ? read_all(fd, bytes) : -1;
	int r = MW_E_IO;
	*why = '\0';
	if (bytes == NULL)
		r = MW_E_NOMEM;
	else if (size < 0)
		snprintf(why, AUTH_KEYTAB_WHY, "%s", strerror(errno));
	else if ((size_t)size > AUTH_KEYTAB_MAX)
		snprintf(why, AUTH_KEYTAB_WHY, "it is larger than 1 MiB");
	else
		r = auth_keytab_from(bytes, (size_t)size, out, why);
	if (size > 0)
		secret_wipe(bytes, (size_t)size);
	if (fd >= 0)
		close(fd);
	free(bytes);
	return r;
}

void auth_keytab_free(struct auth_keytab **keytab)
{
	struct auth_keytab *k = *keytab;
	if (k == NULL)
		return;
	keys_unref(k->keys);
	pthread_mutex_destroy(&k->lock);
	free(k);
	*keytab = NULL;
}
