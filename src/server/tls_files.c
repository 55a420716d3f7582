#include "server/tls_files.h"

#include "base/secret.h"
#include "base/time.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_FILE ((size_t)1 << 20)

struct tls_files {
	pthread_mutex_t lock;
	struct tls_keys *keys;
	char *cert, *key; /* paths */
};

static int read_file(const char *path, struct buf *out, char why[512])
{
	uint8_t part[16384];
	ssize_t n = -1;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && (n = read(fd, part, sizeof part)) > 0)
		if (out->len + (size_t)n > MAX_FILE || buf_put(out, part, (size_t)n) < 0) {
			errno = EFBIG;
			n = -1;
			break;
		}
	if (n < 0)
		snprintf(why, 512, "Cannot read %s: %s; name the files with --tls-cert and --tls-key.", path,
		         strerror(errno));
	if (fd >= 0)
		close(fd);
	return n < 0 ? MW_E_IO : 0;
}

static int load(const struct tls_files *f, struct tls_keys **out, char why[512])
{
	struct buf cert MW_CLEANUP(buf_free) = {0}, key MW_CLEANUP(buf_free) = {0};
	char reason[TLS_WHY] = "";
	int r = read_file(f->cert, &cert, why);
	if (r == 0)
		r = read_file(f->key, &key, why);
	if (r < 0)
		return r;
	r = tls_keys_load(cert.data ? cert.data : (const uint8_t *)"", cert.len,
	                  key.data ? key.data : (const uint8_t *)"", key.len, out, reason);
	if (r < 0)
		snprintf(why, 512, "Cannot serve with %s and %s: %s.", f->cert, f->key, reason);
	if (key.data)
		secret_wipe(key.data, key.len);
	return r;
}

/* They are whose the state is: who serves next may be its user from the start. */
static void give_to_owner(int fd, const char *state)
{
	struct stat s;
	if (stat(state, &s) == 0 && geteuid() == 0)
		(void)!fchown(fd, s.st_uid, s.st_gid);
}

static int write_file(const char *state, const char *path, const struct buf *text, mode_t mode, char why[512])
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	bool ok = fd >= 0 && write(fd, text->data, text->len) == (ssize_t)text->len;
	if (!ok)
		snprintf(why, 512, "Cannot write %s: %s.", path, strerror(errno));
	if (fd >= 0) {
		give_to_owner(fd, state);
		close(fd);
	}
	return ok ? 0 : MW_E_IO;
}

/* Beside the directory, for who tries things out: clients must be told to trust it, once. */
static int make_pair(struct server *s, const struct tls_files *f, char why[512])
{
	struct buf cert MW_CLEANUP(buf_free) = {0}, key MW_CLEANUP(buf_free) = {0};
	if (access(f->cert, F_OK) == 0 && access(f->key, F_OK) == 0)
		return 0;
	int r = tls_make_self_signed(s->host, time_now_ns(), &cert, &key);
	if (r < 0)
		snprintf(why, 512, "Cannot make a certificate for '%s': give one with --tls-cert and --tls-key.",
		         s->host);
	if (r == 0)
		r = write_file(s->config.state, f->key, &key, 0600, why);
	if (r == 0)
		r = write_file(s->config.state, f->cert, &cert, 0644, why);
	if (r == 0)
		log_line(s->config.log, LOG_INFO, "made a self-signed certificate for %s: %s", s->host, f->cert);
	if (key.data)
		secret_wipe(key.data, key.len);
	return r;
}

static int choose_files(struct server *s, struct tls_files *f, char why[512])
{
	const struct server_config *c = &s->config;
	if (!c->tls_cert != !c->tls_key) {
		snprintf(why, 512, "A certificate needs its key: give both --tls-cert and --tls-key.");
		return MW_E_INVALID;
	}
	if (c->tls_cert) {
		f->cert = strdup(c->tls_cert);
		f->key = strdup(c->tls_key);
		return f->cert && f->key ? 0 : MW_E_NOMEM;
	}
	if (asprintf(&f->cert, "%s/tls-cert.pem", c->state) < 0)
		f->cert = NULL;
	if (asprintf(&f->key, "%s/tls-key.pem", c->state) < 0)
		f->key = NULL;
	return f->cert && f->key ? make_pair(s, f, why) : MW_E_NOMEM;
}

static int open_key_log(struct server *s, char why[512])
{
	const char *path = s->config.tls_key_log;
	if (!path)
		return 0;
	s->key_log_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (s->key_log_fd >= 0)
		return 0;
	snprintf(why, 512, "Cannot write %s: %s.", path, strerror(errno));
	return MW_E_IO;
}

int tls_files_open(struct server *s, char why[512])
{
	if (s->sockets[SERVER_PORT_HTTPS] < 0)
		return 0;
	struct tls_files *f = (struct tls_files *)calloc(1, sizeof *f);
	if (!f || pthread_mutex_init(&f->lock, NULL) != 0) {
		free(f);
		return MW_E_NOMEM;
	}
	s->tls = f;
	int r = choose_files(s, f, why);
	if (r == 0)
		r = load(f, &f->keys, why);
	return r < 0 ? r : open_key_log(s, why);
}

void tls_files_close(struct server *s)
{
	struct tls_files *f = TAKE_PTR(s->tls);
	if (s->key_log_fd >= 0)
		close(s->key_log_fd);
	s->key_log_fd = -1;
	if (!f)
		return;
	tls_keys_unref(&f->keys);
	pthread_mutex_destroy(&f->lock);
	free(f->cert);
	free(f->key);
	free(f);
}

static void replace(struct tls_files *f, struct tls_keys *fresh)
{
	pthread_mutex_lock(&f->lock);
	struct tls_keys *old = f->keys;
	f->keys = fresh;
	pthread_mutex_unlock(&f->lock);
	tls_keys_unref(&old);
}

int tls_files_take(struct server *s, const void *cert, size_t cert_len, const void *key, size_t key_len,
                   char reason[TLS_WHY])
{
	struct tls_keys *fresh = NULL;
	if (!s->tls)
		return 0;
	int r = tls_keys_load(cert, cert_len, key, key_len, &fresh, reason);
	if (r == 0)
		replace(s->tls, fresh);
	return r;
}

void tls_files_reload(struct server *s)
{
	struct tls_files *f = s->tls;
	struct tls_keys *fresh = NULL;
	char why[512] = "";
	if (!f || s->config.tls_cert)
		return;
	if (load(f, &fresh, why) < 0) {
		log_line(s->config.log, LOG_ERROR, "%s The certificate of before stays.", why);
		return;
	}
	replace(f, fresh);
	log_line(s->config.log, LOG_INFO, "read %s and its key again", f->cert);
}

struct tls_keys *tls_files_keys(struct server *s)
{
	struct tls_files *f = s->tls;
	if (!f)
		return NULL;
	pthread_mutex_lock(&f->lock);
	struct tls_keys *keys = tls_keys_ref(f->keys);
	pthread_mutex_unlock(&f->lock);
	return keys;
}

void tls_files_log(void *user, const char *line, size_t len)
{
	/* One write a line: appended whole, whichever thread it comes from. */
	(void)!write(((const struct server *)user)->key_log_fd, line, len);
}
