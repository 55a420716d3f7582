#ifndef MW_AUTH_KERBEROS_OPEN_H
#define MW_AUTH_KERBEROS_OPEN_H

#include "auth/auth.h"

#include <krb5.h>

/*
 * What an observer opens with a key that it knows: the tokens of RFC 4121 (AES)
 * and RFC 4757 (RC4) as DCE/RPC has them, [MS-RPCE] 3.3.1.5.2.2. Private to src/auth.
 */
struct kerberos_pdu {
	enum auth_side from;
	bool sealed, sign_header;
	uint8_t *data;
	size_t len;
	size_t body, body_len;
	const uint8_t *token;
	size_t token_len;
};

/* The keys that may apply: the acceptor's is chosen where a token says so. Either may have no contents. */
struct kerberos_keys {
	krb5_keyblock initiator; /* its subkey, else the ticket's session key */
	krb5_keyblock acceptor;
};

/* 0 with the body decrypted where it was sealed; MW_E_AUTH (decrypted all the same), MW_E_MALFORMED, MW_E_STATE. */
MW_NODISCARD int kerberos_open(krb5_context krb5, const struct kerberos_keys *keys, const struct kerberos_pdu *pdu);
/* RC4's half of it. */
MW_NODISCARD int kerberos_open_rc4(const krb5_keyblock *key, const struct kerberos_pdu *pdu);

#endif
