#include "tls/private.h"

#include "base/text.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A record of 2^14 bytes, RFC 8446 5.1. */
#define MAX_RECORD 16384
#define RECORD_OVERHEAD 64 /* header, nonce, tag: at most */

/* ---- Memory instead of a socket ---- */

static ssize_t push(gnutls_transport_ptr_t user, const void *data, size_t len)
{
	struct tls_session *t = (struct tls_session *)user;
	if (buf_put(&t->output, data, len) < 0) {
		gnutls_transport_set_errno(t->gnutls, ENOMEM);
		return -1;
	}
	return (ssize_t)len;
}

static ssize_t pull(gnutls_transport_ptr_t user, void *out, size_t len)
{
	struct tls_session *t = (struct tls_session *)user;
	size_t n = len < t->in_left ? len : t->in_left;
	if (n == 0) {
		gnutls_transport_set_errno(t->gnutls, EAGAIN);
		return -1;
	}
	memcpy(out, t->in, n);
	t->in += n;
	t->in_left -= n;
	return (ssize_t)n;
}

/* Whether something could be pulled. */
static int pull_timeout(gnutls_transport_ptr_t user, unsigned ms)
{
	(void)ms;
	return ((struct tls_session *)user)->in_left > 0;
}

/* ---- The key log ---- */

static int on_secret(gnutls_session_t gnutls, const char *label, const gnutls_datum_t *secret)
{
	const struct tls_session *t = (const struct tls_session *)gnutls_session_get_ptr(gnutls);
	struct buf line MW_CLEANUP(buf_free) = {0};
	gnutls_datum_t client, server;
	gnutls_session_get_random(gnutls, &client, &server);
	buf_printf(&line, "%s ", label);
	text_put_hex(&line, client.data, client.size, client.size);
	buf_put_u8(&line, ' ');
	text_put_hex(&line, secret->data, secret->size, secret->size);
	buf_put_u8(&line, '\n');
	if (buf_error(&line) == 0)
		t->key_log(t->user, (const char *)line.data, line.len);
	return 0;
}

/* ---- A session ---- */

static int set_up_server(struct tls_session *t, const struct tls_config *config)
{
	t->keys = tls_keys_ref(config->keys);
	int r = gnutls_credentials_set(t->gnutls, GNUTLS_CRD_CERTIFICATE, t->keys->credentials);
	if (r >= 0)
		r = gnutls_session_ticket_enable_server(t->gnutls, &t->keys->ticket_key);
	return r;
}

static int set_up_client(struct tls_session *t, const struct tls_config *config)
{
	int r = 0;
	t->insecure = config->insecure;
	if (config->roots)
		t->roots = tls_roots_ref(config->roots);
	else
		r = config->insecure ? gnutls_certificate_allocate_credentials(&t->own) : GNUTLS_E_INVALID_REQUEST;
	if (r >= 0)
		r = gnutls_credentials_set(t->gnutls, GNUTLS_CRD_CERTIFICATE,
		                           t->roots ? t->roots->credentials : t->own);
	if (r < 0 || !config->server_name)
		return r;
	t->server_name = strdup(config->server_name);
	if (!t->server_name)
		return GNUTLS_E_MEMORY_ERROR;
	if (!config->insecure)
		gnutls_session_set_verify_cert(t->gnutls, t->server_name, 0);
	const char *sni = config->sni ? config->sni : t->server_name;
	return *sni ? gnutls_server_name_set(t->gnutls, GNUTLS_NAME_DNS, sni, strlen(sni)) : 0;
}

static int set_up(struct tls_session *t, const struct tls_config *config)
{
	static const gnutls_datum_t http = {(unsigned char *)"http/1.1", 8};
	int r = gnutls_init(&t->gnutls, (config->role == TLS_SERVER ? GNUTLS_SERVER : GNUTLS_CLIENT) | GNUTLS_NONBLOCK);
	if (r >= 0)
		r = config->keys ? gnutls_priority_set(t->gnutls, config->keys->priority)
		                 : gnutls_priority_set_direct(t->gnutls, TLS_PRIORITY, NULL);
	if (r >= 0)
		r = gnutls_alpn_set_protocols(t->gnutls, &http, 1, 0);
	if (r < 0)
		return r;
	gnutls_handshake_set_timeout(t->gnutls, GNUTLS_INDEFINITE_TIMEOUT);
	gnutls_transport_set_ptr(t->gnutls, t);
	gnutls_transport_set_push_function(t->gnutls, push);
	gnutls_transport_set_pull_function(t->gnutls, pull);
	gnutls_transport_set_pull_timeout_function(t->gnutls, pull_timeout);
	gnutls_session_set_ptr(t->gnutls, t);
	if (t->key_log)
		gnutls_session_set_keylog_function(t->gnutls, on_secret);
	return config->role == TLS_SERVER ? set_up_server(t, config) : set_up_client(t, config);
}

int tls_new(const struct tls_config *config, struct tls_session **out)
{
	struct tls_session *t = (struct tls_session *)calloc(1, sizeof *t);
	if (!t)
		return MW_E_NOMEM;
	t->role = config->role;
	t->key_log = config->key_log;
	t->user = config->user;
	int r = set_up(t, config);
	if (r < 0) {
		tls_free(&t);
		return r == GNUTLS_E_MEMORY_ERROR ? MW_E_NOMEM : MW_E_INVALID;
	}
	*out = t;
	return 0;
}

void tls_free(struct tls_session **session)
{
	struct tls_session *t = *session;
	if (!t)
		return;
	*session = NULL;
	if (t->gnutls)
		gnutls_deinit(t->gnutls);
	if (t->own)
		gnutls_certificate_free_credentials(t->own);
	tls_roots_unref(&t->roots);
	tls_keys_unref(&t->keys);
	buf_free(&t->plain);
	buf_free(&t->output);
	free(t->server_name);
	free(t);
}

/* ---- Bytes ---- */

static void explain_certificate(struct tls_session *t)
{
	gnutls_datum_t text = {0};
	unsigned status = gnutls_session_get_verify_cert_status(t->gnutls);
	if (gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &text, 0) < 0)
		return;
	snprintf(t->why, sizeof t->why, "%.*s", (int)text.size, (const char *)text.data);
	gnutls_free(text.data);
}

static int broken(struct tls_session *t, int r)
{
	bool untrusted = r == GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR || r == GNUTLS_E_CERTIFICATE_ERROR;
	snprintf(t->why, sizeof t->why, "%s", gnutls_strerror(r));
	if (untrusted)
		explain_certificate(t);
	else if (r == GNUTLS_E_FATAL_ALERT_RECEIVED)
		snprintf(t->why, sizeof t->why, "the peer says: %s",
		         gnutls_alert_get_name(gnutls_alert_get(t->gnutls)));
	gnutls_alert_send_appropriate(t->gnutls, r);
	t->error = untrusted ? MW_E_AUTH : r == GNUTLS_E_MEMORY_ERROR ? MW_E_NOMEM : MW_E_MALFORMED;
	return t->error;
}

static bool is_more_needed(int r)
{
	return r == GNUTLS_E_AGAIN || r == GNUTLS_E_INTERRUPTED;
}

static int shake_hands(struct tls_session *t)
{
	int r;
	do
		r = gnutls_handshake(t->gnutls);
	while (r < 0 && !gnutls_error_is_fatal(r) && !is_more_needed(r));
	t->ready = r == 0;
	return r == 0 || is_more_needed(r) ? 0 : broken(t, r);
}

/* One record. 1: something was read; 0: nothing more is there. */
static int read_record(struct tls_session *t)
{
	uint8_t record[MAX_RECORD];
	size_t before = t->in_left;
	ssize_t n = gnutls_record_recv(t->gnutls, record, sizeof record);
	if (n > 0)
		return buf_put(&t->plain, record, (size_t)n) < 0 ? broken(t, GNUTLS_E_MEMORY_ERROR) : 1;
	if (n == 0) {
		t->ended = true;
		return 0;
	}
	/* It says so too after a record that was no data: a ticket, say. */
	if (is_more_needed((int)n))
		return t->in_left < before;
	/* No second handshake in TLS 1.2: it has no use here, and costs a server more than its client. */
	if (n == GNUTLS_E_REHANDSHAKE || gnutls_error_is_fatal((int)n))
		return broken(t, (int)n);
	return 1;
}

int tls_feed(struct tls_session *t, const void *data, size_t len)
{
	int r = t->error;
	t->in = (const uint8_t *)data;
	t->in_left = len;
	if (r == 0 && !t->ready)
		r = shake_hands(t);
	while (r == 0 && t->ready && !t->ended) {
		r = read_record(t);
		if (r == 0)
			break;
		r = r > 0 ? 0 : r;
	}
	t->in = NULL;
	t->in_left = 0;
	return r;
}

int tls_begin(struct tls_session *t)
{
	return tls_feed(t, NULL, 0);
}

int tls_send(struct tls_session *t, const void *data, size_t len)
{
	const uint8_t *p = (const uint8_t *)data;
	if (!t->ready || t->error)
		return MW_E_STATE;
	/* Room for all records at once, so that what is there is not moved for each. */
	size_t room = len + (len / MAX_RECORD + 1) * RECORD_OVERHEAD;
	if (buf_extend(&t->output, room))
		t->output.len -= room;
	while (len > 0) {
		ssize_t n = gnutls_record_send(t->gnutls, p, len);
		if (n < 0)
			return broken(t, (int)n);
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

void tls_end(struct tls_session *t)
{
	if (t->ready && !t->error)
		(void)gnutls_bye(t->gnutls, GNUTLS_SHUT_WR);
}

struct buf *tls_plain(struct tls_session *t)
{
	return &t->plain;
}

struct buf *tls_output(struct tls_session *t)
{
	return &t->output;
}

bool tls_ready(const struct tls_session *t)
{
	return t->ready;
}

bool tls_ended(const struct tls_session *t)
{
	return t->ended;
}

const char *tls_why(const struct tls_session *t)
{
	return t->why;
}

const char *tls_version(const struct tls_session *t)
{
	return t->ready ? gnutls_protocol_get_name(gnutls_protocol_get_version(t->gnutls)) : NULL;
}

/* ---- Channel binding, RFC 5929 4 ---- */

static const gnutls_datum_t *server_certificate(const struct tls_session *t)
{
	unsigned count = 0;
	if (t->role == TLS_SERVER)
		return gnutls_certificate_get_ours(t->gnutls);
	return gnutls_certificate_get_peers(t->gnutls, &count);
}

/* The hash of the certificate's own signature, but never a weaker one than SHA-256. */
static gnutls_digest_algorithm_t binding_hash(const gnutls_datum_t *der)
{
	gnutls_x509_crt_t cert;
	gnutls_digest_algorithm_t hash = GNUTLS_DIG_SHA256;
	if (gnutls_x509_crt_init(&cert) < 0)
		return hash;
	if (gnutls_x509_crt_import(cert, der, GNUTLS_X509_FMT_DER) >= 0) {
		hash = gnutls_sign_get_hash_algorithm(
		        (gnutls_sign_algorithm_t)gnutls_x509_crt_get_signature_algorithm(cert));
		if (hash != GNUTLS_DIG_SHA384 && hash != GNUTLS_DIG_SHA512)
			hash = GNUTLS_DIG_SHA256;
	}
	gnutls_x509_crt_deinit(cert);
	return hash;
}

int tls_channel_binding(const struct tls_session *t, uint8_t out[TLS_BINDING_MAX], size_t *len)
{
	static const char name[] = "tls-server-end-point:";
	const gnutls_datum_t *der = t->ready ? server_certificate(t) : NULL;
	if (!der)
		return MW_E_STATE;
	gnutls_digest_algorithm_t hash = binding_hash(der);
	memcpy(out, name, sizeof name - 1);
	if (gnutls_hash_fast(hash, der->data, der->size, out + sizeof name - 1) < 0)
		return MW_E_UNSUPPORTED;
	*len = sizeof name - 1 + (size_t)gnutls_hash_get_len((gnutls_digest_algorithm_t)hash);
	return 0;
}
