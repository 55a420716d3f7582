#ifndef MW_AUTH_AUTH_H
#define MW_AUTH_AUTH_H

#include "base/buf.h"
#include "base/cursor.h"
#include "base/random.h"

#include <stdbool.h>
#include <stdint.h>

struct auth_keytab;

/*
 * One security context: a handshake of tokens, then signatures and seals. The
 * same object is client, server, or an observer who sees the tokens of both and
 * may hold a secret. No I/O, no clock, no global state: time and randomness
 * come in struct auth_env. One exception: a Kerberos client's first step waits for
 * the KDC, by MIT krb5, which has its own clock too; a server needs its keytab alone.
 */

/* Security providers, [MS-RPCE] 2.2.1.1.7. */
enum auth_type {
	AUTH_NONE = 0,
	AUTH_SPNEGO = 9,
	AUTH_NTLM = 10,
	AUTH_SCHANNEL_TLS = 14,
	AUTH_KERBEROS = 16,
	AUTH_NETLOGON = 68,
};

/* Protection levels, [MS-RPCE] 2.2.1.1.8. 0 on the wire means connect. */
enum auth_level {
	AUTH_LEVEL_DEFAULT = 0,
	AUTH_LEVEL_NONE = 1, /* a handshake alone, in no DCE style: HTTP's */
	AUTH_LEVEL_CONNECT = 2,
	AUTH_LEVEL_CALL = 3, /* treated as packet */
	AUTH_LEVEL_PACKET = 4,
	AUTH_LEVEL_INTEGRITY = 5,
	AUTH_LEVEL_PRIVACY = 6,
};

/* "ntlm", "kerberos", "spnego", "schannel", "none"; "none", "connect", ... as the JSON has them. */
const char *auth_type_name(enum auth_type type);
const char *auth_level_name(enum auth_level level);
/* MW_E_INVALID for an unknown name. */
MW_NODISCARD int auth_level_parse(const char *name, enum auth_level *out);

enum auth_role { AUTH_CLIENT, AUTH_SERVER, AUTH_OBSERVER };
/* Who sent a message. */
enum auth_side { AUTH_FROM_CLIENT, AUTH_FROM_SERVER };

struct auth_env {
	int64_t now_ns;
	const struct random_source *random;
	/* Of the channel that carries the handshake, RFC 5056: a gss_channel_bindings_struct's application data, such
	 * as tls_channel_binding yields; none: binding_len 0. A server refuses who is bound to another channel, and
	 * with binding_required who is bound to none: a handshake relayed from elsewhere. */
	const uint8_t *binding;
	size_t binding_len;
	bool binding_required;
};

/* ---- What each role brings ---- */

struct auth_client_config {
	const char *domain, *user, *password; /* UTF-8; the password may be NULL when nt_hash is given */
	const uint8_t *nt_hash;               /* 16 bytes or NULL */
	const char *workstation;
	const char *target;              /* service principal name, such as "exchangeMDB/mail.demo.test"; or NULL */
	const uint8_t *channel_bindings; /* 16 bytes, MD5 of the gss_channel_bindings_struct; or NULL */
	/* Kerberos: tickets from this cache ("FILE:/tmp/krb5cc_0"); NULL: by the password of user@realm,
	 * or without one from the default cache. realm NULL: krb5.conf's default. The target is needed. */
	const char *ccache, *realm;
	bool kerberos; /* SPNEGO tries Kerberos first; NTLM when no ticket can be had and a password is here */
};

/* Whose tickets the cache (NULL: the default one) has, be they still good or not: "alice@DEMO.TEST". MW_E_NOTFOUND. */
MW_NODISCARD int auth_ticket_owner(const char *ccache, char out[256]);

/* The answer to "who is this, and what proves it?" */
struct auth_account {
	uint64_t id; /* the directory's */
	uint8_t nt_hash[16];
	uint32_t refused; /* NTSTATUS for whoever proves to be this user and may not log on all the same; 0 */
};

struct auth_server_config {
	const char *netbios_domain, *netbios_computer; /* for the target info of the CHALLENGE */
	const char *dns_domain, *dns_computer;
	/* 0 and *out; MW_E_NOTFOUND, or MW_E_AUTH for a locked account. Other codes are auth_step's answer.
	 */
	int (*find_account)(void *user, const char *domain, const char *name, struct auth_account *out);
	void *user;
	bool require_mic;
	bool allow_anonymous;
	bool allow_ntlm_v1;               /* with extended session security, for clients that know no better */
	const struct auth_keytab *keytab; /* the services' keys (auth_keytab.h); NULL: no Kerberos. find_account is
	                                   * asked with the realm as the domain; no hash is needed */
};

/* One line of a --secrets file. */
struct auth_secret {
	enum { AUTH_SECRET_PASSWORD, AUTH_SECRET_NTHASH, AUTH_SECRET_SESSION_KEY } kind;
	const char *domain, *user; /* UTF-8; the domain may be "" for any */
	const char *password;
	uint8_t key[16];
};

struct auth_observer_config {
	const struct auth_secret *secrets;
	size_t secret_count;
	const struct auth_keytab *keytab; /* services' keys, for Kerberos; or NULL */
};

/* ---- The context ---- */

struct auth_context;

/* Configs are borrowed and must outlive the context. MW_E_UNSUPPORTED for a provider
 * that this role does not have (an observer takes every type and watches). */
MW_NODISCARD int auth_client_new(enum auth_type type, enum auth_level level, const struct auth_client_config *config,
                                 struct auth_context **out);
MW_NODISCARD int auth_server_new(enum auth_type type, enum auth_level level, const struct auth_server_config *config,
                                 struct auth_context **out);
MW_NODISCARD int auth_observer_new(enum auth_type type, enum auth_level level,
                                   const struct auth_observer_config *config, struct auth_context **out);
/* Wipes its keys. */
void auth_free(struct auth_context **ctx);

/*
 * Active roles: one leg of the handshake. in is empty for a client's first. The
 * token to send is appended to out (nothing when none is due).
 *   0            the handshake is complete on this side
 *   MW_E_AGAIN   the peer's next token is needed
 *   MW_E_AUTH    refused; *status (may be NULL) is the NTSTATUS that says why
 *   others       the token is broken
 */
MW_NODISCARD int auth_step(struct auth_context *ctx, const struct auth_env *env, struct cursor in, struct buf *out,
                           uint32_t *status);

/* For HTTP's Basic: who this is, as auth_step would find. MW_E_AUTH with *status; takes the same time for a user that
 * does not exist. */
MW_NODISCARD int auth_check_password(const struct auth_server_config *config, const struct auth_env *env,
                                     const char *domain, const char *user, const char *password, uint64_t *account,
                                     uint32_t *status);

/* Observer: a token passed by. Never fails: what it learnt is in auth_info. */
void auth_watch(struct auth_context *ctx, enum auth_side from, struct cursor token);

/* Why an observer cannot open what it sees, or that it can. */
enum auth_key_state {
	AUTH_KEY_UNKNOWN,      /* handshake not finished yet, or a session key that no signature has proved yet */
	AUTH_KEY_FITS,         /* proof verified: signatures can be checked, seals opened */
	AUTH_KEY_NO_SECRETS,   /* none were given */
	AUTH_KEY_NO_SUCH_USER, /* no secret for the user of this handshake; Kerberos: no key that opens the ticket */
	AUTH_KEY_WRONG_PROOF,  /* a secret for that user, but the NTProofStr does not match: wrong password */
	AUTH_KEY_NO_HANDSHAKE, /* the handshake is not in the capture */
	AUTH_KEY_UNSUPPORTED,  /* a provider or cipher that we cannot open */
};

struct auth_info {
	enum auth_type type;
	enum auth_type mechanism; /* what SPNEGO chose (AUTH_NONE: not known yet), else the type */
	enum auth_level level;
	bool complete;
	/* UTF-8, owned by the context; NULL when not known (yet). */
	const char *domain, *user, *workstation;
	const char *target_name; /* Kerberos observer: the service's principal. NTLM: whom the CHALLENGE_MESSAGE says
	                            the client talks to, mostly a domain */
	uint64_t account_id;     /* server: the directory's */
	bool anonymous;
	bool mic_present, mic_ok; /* of the AUTHENTICATE_MESSAGE */
	enum auth_key_state key;
	uint32_t flags; /* NTLM: negotiated NTLMSSP flags */
};
void auth_get_info(const struct auth_context *ctx, struct auth_info *out);

/* PFC_SUPPORT_HEADER_SIGN was agreed on ([MS-RPCE] 2.2.2.3): signatures cover the PDU's header and trailer.
 * NTLM's always do; Kerberos' cover the body alone until this is called. */
void auth_sign_header(struct auth_context *ctx, bool on);

/* Bytes of a signature for a PDU at this context's level; the sender's auth_length. */
size_t auth_signature_size(const struct auth_context *ctx);

/*
 * Protect and check one PDU, in wire order, per direction. pdu is the whole
 * fragment from its first byte up to, without, the auth_value; the part
 * [body, body + body_len) is the stub with its auth padding: what privacy
 * encrypts. Level connect and below: protect writes the 16 bytes 01 00 00 00
 * and zeros for NTLM, check accepts anything.
 *   protect: signature of auth_signature_size bytes; body is encrypted in place at privacy.
 *   check:   body is decrypted in place at privacy. MW_E_AUTH when the signature does not
 *            verify (an observer's body is still decrypted), MW_E_STATE when an
 *            observer has no key (body untouched).
 */
MW_NODISCARD int auth_protect(struct auth_context *ctx, uint8_t *pdu, size_t pdu_len, size_t body, size_t body_len,
                              uint8_t *signature);
MW_NODISCARD int auth_check(struct auth_context *ctx, enum auth_side from, uint8_t *pdu, size_t pdu_len, size_t body,
                            size_t body_len, const uint8_t *signature, size_t signature_len);
/* Observer: bytes of that direction are missing. A stream cipher's position is lost until a
 * signature proves it again (auth_check tries the sequence numbers that follow). */
void auth_lost(struct auth_context *ctx, enum auth_side from);

/* 16 bytes; MW_E_STATE before the handshake is complete or without a key. */
MW_NODISCARD int auth_session_key(const struct auth_context *ctx, uint8_t out[16]);

#endif
