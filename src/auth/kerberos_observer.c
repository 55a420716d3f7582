#include "auth/kerberos.h"

#include "auth/der.h"
#include "auth/kerberos_open.h"
#include "auth/spnego_message.h"
#include "base/secret.h"

#include <stdlib.h>

/*
 * The third role: with the service's key it opens the ticket in the client's
 * AP-REQ and from there all that the two agreed on (RFC 4120 5.3, 5.5; RFC 4121 2).
 * No clock is asked: captures are old.
 */

/* RFC 4120 7.5.1 */
enum { USAGE_AUTHENTICATOR = 11, USAGE_AP_REP = 12 };
/* Application tags. */
enum { DER_SEQUENCE = 0x30, AUTHENTICATOR = 0x62, AP_REQ = 0x6e, AP_REP = 0x6f, ENC_AP_REP_PART = 0x7b };

struct observer {
	struct auth_context base;
	const struct auth_observer_config *config;
	krb5_context krb5; /* NULL: without a keytab there is nothing to open */
	struct kerberos_keys keys;
	krb5_keyblock session;
	enum auth_key_state state;
	bool saw_request, complete, sign_header;
	char *user, *realm, *service;
};

static struct observer *observer_of(struct auth_context *ctx)
{
	return (struct observer *)ctx;
}

/* ---- DER of Kerberos ---- */

/* The content of field number of a SEQUENCE's content. MW_E_NOTFOUND. */
static int find_field(struct cursor sequence, unsigned number, struct cursor *out)
{
	uint8_t tag;
	struct cursor content;
	while (der_take(&sequence, &tag, &content) == 0) {
		if (tag != 0xa0 + number)
			continue;
		*out = content;
		return 0;
	}
	return MW_E_NOTFOUND;
}

static int find_integer(struct cursor sequence, unsigned number, int32_t *out)
{
	struct cursor field, content;
	uint8_t byte;
	int32_t value = 0;
	int r;
	if ((r = find_field(sequence, number, &field)) < 0 || (r = der_take_tagged(&field, 2, &content)) < 0)
		return r;
	if (cursor_left(&content) == 0 || cursor_left(&content) > 3)
		return MW_E_LIMIT;
	while (cursor_u8(&content, &byte) == 0)
		value = value << 8 | byte;
	*out = value;
	return 0;
}

static int find_octets(struct cursor sequence, unsigned number, struct cursor *out)
{
	struct cursor field;
	int r = find_field(sequence, number, &field);
	return r < 0 ? r : der_take_tagged(&field, 4, out);
}

/* [APPLICATION tag] SEQUENCE */
static int open_message(struct cursor in, uint8_t tag, struct cursor *out)
{
	struct cursor content;
	int r = der_take_tagged(&in, tag, &content);
	return r < 0 ? r : der_take_tagged(&content, DER_SEQUENCE, out);
}

/* EncryptedData in a field: decrypted into plain, which is exactly as long as the cipher (some padding may follow). */
static int decrypt_field(struct observer *o, struct cursor sequence, unsigned number, const krb5_keyblock *key,
                         krb5_keyusage usage, struct buf *plain)
{
	struct cursor field, data, cipher;
	int32_t etype;
	int r;
	if ((r = find_field(sequence, number, &field)) < 0 || (r = der_take_tagged(&field, DER_SEQUENCE, &data)) < 0 ||
	    (r = find_integer(data, 0, &etype)) < 0 || (r = find_octets(data, 2, &cipher)) < 0)
		return r;
	if (etype != key->enctype)
		return MW_E_AUTH;
	if (buf_put_zero(plain, cursor_left(&cipher)) < 0)
		return MW_E_NOMEM;
	krb5_enc_data in = {
	        .enctype = etype,
	        .ciphertext = {.length = (unsigned)cursor_left(&cipher), .data = (char *)cursor_here(&cipher)}};
	krb5_data out = {.length = (unsigned)plain->len, .data = (char *)plain->data};
	if (krb5_c_decrypt(o->krb5, key, usage, NULL, &in, &out) != 0)
		return MW_E_AUTH;
	plain->len = out.length;
	return 0;
}

/* EncryptionKey in a field, into a fresh keyblock. */
static int take_key(struct observer *o, struct cursor sequence, unsigned number, krb5_keyblock *out)
{
	struct cursor field, data, value;
	int32_t type;
	int r;
	if ((r = find_field(sequence, number, &field)) < 0 || (r = der_take_tagged(&field, DER_SEQUENCE, &data)) < 0 ||
	    (r = find_integer(data, 0, &type)) < 0 || (r = find_octets(data, 1, &value)) < 0)
		return r;
	krb5_keyblock key = {.enctype = type,
	                     .length = (unsigned)cursor_left(&value),
	                     .contents = (krb5_octet *)cursor_here(&value)};
	krb5_free_keyblock_contents(o->krb5, out);
	return krb5_copy_keyblock_contents(o->krb5, &key, out) == 0 ? 0 : MW_E_NOMEM;
}

/* ---- What passes by ---- */

static void note_names(struct observer *o, const krb5_ticket *ticket)
{
	krb5_principal client = ticket->enc_part2->client;
	char *name = NULL;
	free(o->user);
	free(o->realm);
	o->user = o->realm = NULL;
	if (krb5_unparse_name_flags(o->krb5, client, KRB5_PRINCIPAL_UNPARSE_NO_REALM, &name) == 0)
		o->user = strdup(name);
	krb5_free_unparsed_name(o->krb5, name);
	o->realm = strndup(client->realm.data, client->realm.length);
}

static int open_ticket(struct observer *o, struct cursor request)
{
	struct cursor field;
	krb5_ticket *ticket;
	char *service = NULL;
	int r = find_field(request, 3, &field);
	if (r < 0)
		return r;
	krb5_data data = {.length = (unsigned)cursor_left(&field), .data = (char *)cursor_here(&field)};
	if (krb5_decode_ticket(&data, &ticket) != 0)
		return MW_E_MALFORMED;
	if (krb5_unparse_name(o->krb5, ticket->server, &service) == 0) {
		free(o->service);
		o->service = strdup(service);
	}
	krb5_free_unparsed_name(o->krb5, service);
	struct keytab_keys *held = kerberos_keys_hold(o->config->keytab);
	r = krb5_server_decrypt_ticket_keytab(o->krb5, held->keys, ticket) == 0 ? 0 : MW_E_AUTH;
	kerberos_keys_release(held);
	if (r == 0) {
		note_names(o, ticket);
		krb5_free_keyblock_contents(o->krb5, &o->session);
		if (krb5_copy_keyblock_contents(o->krb5, ticket->enc_part2->session, &o->session) != 0)
			r = MW_E_NOMEM;
	}
	krb5_free_ticket(o->krb5, ticket);
	return r;
}

static int open_authenticator(struct observer *o, struct cursor request)
{
	struct buf MW_CLEANUP(buf_free) plain = {0};
	struct cursor authenticator;
	int r = decrypt_field(o, request, 4, &o->session, USAGE_AUTHENTICATOR, &plain);
	if (r == 0)
		r = open_message(cursor_of(plain.data, plain.len), AUTHENTICATOR, &authenticator);
	if (r == 0) {
		r = take_key(o, authenticator, 6, &o->keys.initiator);
		if (r == MW_E_NOTFOUND)
			r = krb5_copy_keyblock_contents(o->krb5, &o->session, &o->keys.initiator) == 0 ? 0 : MW_E_NOMEM;
	}
	secret_wipe(plain.data, plain.len);
	return r;
}

static void forget_keys(struct observer *o)
{
	if (o->krb5 == NULL)
		return;
	krb5_free_keyblock_contents(o->krb5, &o->session);
	krb5_free_keyblock_contents(o->krb5, &o->keys.initiator);
	krb5_free_keyblock_contents(o->krb5, &o->keys.acceptor);
}

static void saw_request(struct observer *o, struct cursor token)
{
	struct cursor request;
	if (open_message(token, AP_REQ, &request) < 0)
		return;
	forget_keys(o);
	o->saw_request = true;
	o->complete = false;
	o->state = AUTH_KEY_NO_SECRETS;
	if (o->krb5 == NULL)
		return;
	int r = open_ticket(o, request);
	if (r == 0)
		r = open_authenticator(o, request);
	o->state = r == 0 ? AUTH_KEY_UNKNOWN : r == MW_E_AUTH ? AUTH_KEY_NO_SUCH_USER : AUTH_KEY_UNSUPPORTED;
}

/* The server's AP-REP ends what an observer needs; the client's, which follows in DCE style, tells nothing new. */
static void saw_reply(struct observer *o, struct cursor token)
{
	struct buf MW_CLEANUP(buf_free) plain = {0};
	struct cursor reply, part;
	if (open_message(token, AP_REP, &reply) < 0)
		return;
	o->complete = true;
	if (!o->saw_request)
		o->state = AUTH_KEY_NO_HANDSHAKE;
	if (o->state != AUTH_KEY_UNKNOWN || o->keys.initiator.contents == NULL)
		return;
	int r = decrypt_field(o, reply, 2, &o->session, USAGE_AP_REP, &plain);
	if (r == 0)
		r = open_message(cursor_of(plain.data, plain.len), ENC_AP_REP_PART, &part);
	if (r == 0)
		r = take_key(o, part, 2, &o->keys.acceptor);
	secret_wipe(plain.data, plain.len);
	o->state = r == 0 || r == MW_E_NOTFOUND ? AUTH_KEY_FITS : AUTH_KEY_WRONG_PROOF;
}

static void observer_watch(struct auth_context *ctx, enum auth_side from, struct cursor token)
{
	if (from == AUTH_FROM_CLIENT)
		saw_request(observer_of(ctx), spnego_unframe_krb5(token));
	else
		saw_reply(observer_of(ctx), token);
}

static void observer_info(const struct auth_context *ctx, struct auth_info *out)
{
	const struct observer *o = (const struct observer *)ctx;
	*out = (struct auth_info){.key = o->state,
	                          .complete = o->complete,
	                          .user = o->user,
	                          .domain = o->realm,
	                          .target_name = o->service};
}

static int observer_check(struct auth_context *ctx, enum auth_side from, uint8_t *pdu, size_t pdu_len, size_t body,
                          size_t body_len, const uint8_t *signature, size_t signature_len)
{
	struct observer *o = observer_of(ctx);
	const struct kerberos_pdu p = {
	        from,         ctx->level == AUTH_LEVEL_PRIVACY, o->sign_header, pdu, pdu_len, body, body_len, signature,
	        signature_len};
	if (!auth_level_signs(ctx->level))
		return 0;
	if (!o->saw_request && o->state == AUTH_KEY_UNKNOWN)
		o->state = AUTH_KEY_NO_HANDSHAKE;
	if (o->state != AUTH_KEY_FITS)
		return MW_E_STATE;
	int r = kerberos_open(o->krb5, &o->keys, &p);
	return r == MW_E_MALFORMED || r == MW_E_TRUNCATED ? MW_E_STATE : r;
}

static size_t observer_signature_size(const struct auth_context *ctx)
{
	(void)ctx;
	return 0;
}

static void observer_sign_header(struct auth_context *ctx, bool on)
{
	observer_of(ctx)->sign_header = on;
}

/* As kerberos_session_key has it. */
static int observer_session_key(const struct auth_context *ctx, uint8_t out[16])
{
	const struct observer *o = (const struct observer *)ctx;
	const krb5_keyblock *key = o->keys.acceptor.contents != NULL ? &o->keys.acceptor : &o->keys.initiator;
	if (o->state != AUTH_KEY_FITS || key->length < 16)
		return MW_E_STATE;
	memcpy(out, key->contents, 16);
	return 0;
}

static void observer_destroy(struct auth_context *ctx)
{
	struct observer *o = observer_of(ctx);
	forget_keys(o);
	if (o->krb5 != NULL)
		krb5_free_context(o->krb5);
	free(o->user);
	free(o->realm);
	free(o->service);
	free(o);
}

static const struct auth_provider observer_provider = {
        .watch = observer_watch,
        .get_info = observer_info,
        .signature_size = observer_signature_size,
        .check = observer_check,
        .session_key = observer_session_key,
        .sign_header = observer_sign_header,
        .destroy = observer_destroy,
};

int kerberos_observer_new(enum auth_level level, const struct auth_observer_config *config, struct auth_context **out)
{
	struct observer *o = calloc(1, sizeof *o);
	if (o == NULL)
		return MW_E_NOMEM;
	o->base = (struct auth_context){&observer_provider, AUTH_OBSERVER, AUTH_KERBEROS, level};
	o->config = config;
	o->state = AUTH_KEY_UNKNOWN;
	if (config->keytab != NULL && krb5_init_context(&o->krb5) != 0) {
		free(o);
		return MW_E_NOMEM;
	}
	*out = &o->base;
	return 0;
}
